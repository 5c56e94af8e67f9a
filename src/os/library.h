/*
 * os/library.h - the calls of the C library that enter the kernel, or may for lack of memory, each
 * asked before as base/hook.h says. Private to src/os, which makes them nowhere else: the test
 * check.hooked_calls looks into every object.
 *
 * Each returns 0 or a positive errno and leaves errno as it was. They are the library's and not raw
 * system calls because it, or a sanitizer, must know of them (threads, mappings), or answers
 * without entering the kernel (getcpu).
 */
#ifndef NPI_OS_LIBRARY_H
#define NPI_OS_LIBRARY_H

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/hook.h"

/* --- memory ------------------------------------------------------------------------------ */

/* `file` -1 with MAP_ANONYMOUS. */
static inline int npi_library_mmap(size_t bytes, int protection, int flags, int file, off_t offset,
                                   void **out)
{
    int error = npi_hook_ask(NPI_CALL_MMAP, 0, bytes);
    if (error != 0)
        return error;
    int saved = errno;
    void *mapped = mmap(NULL, bytes, protection, flags, file, offset);
    if (mapped == MAP_FAILED)
        error = errno;
    else
        *out = mapped;
    errno = saved;
    npi_hook_tell(NPI_CALL_MMAP, (uintptr_t)mapped, bytes, error);
    return error;
}

static inline int npi_library_munmap(void *memory, size_t bytes)
{
    int error = npi_hook_ask(NPI_CALL_MUNMAP, (uintptr_t)memory, bytes);
    if (error != 0)
        return error;
    int saved = errno;
    error = munmap(memory, bytes) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_MUNMAP, (uintptr_t)memory, bytes, error);
    return error;
}

/* May move it; the result goes to *out. */
static inline int npi_library_mremap(void *memory, size_t bytes, size_t new_bytes, void **out)
{
    int error = npi_hook_ask(NPI_CALL_MREMAP, (uintptr_t)memory, new_bytes);
    if (error != 0)
        return error;
    int saved = errno;
    void *mapped = mremap(memory, bytes, new_bytes, MREMAP_MAYMOVE);
    if (mapped == MAP_FAILED)
        error = errno;
    else
        *out = mapped;
    errno = saved;
    npi_hook_tell(NPI_CALL_MREMAP, (uintptr_t)memory, new_bytes, error);
    if (error == 0) { /* as two calls, for whoever keeps an account of mappings */
        npi_hook_tell(NPI_CALL_MUNMAP, (uintptr_t)memory, bytes, 0);
        npi_hook_tell(NPI_CALL_MMAP, (uintptr_t)mapped, new_bytes, 0);
    }
    return error;
}

static inline int npi_library_madvise(void *memory, size_t bytes, int advice)
{
    int error = npi_hook_ask(NPI_CALL_MADVISE, (uintptr_t)memory, bytes);
    if (error != 0)
        return error;
    int saved = errno;
    error = madvise(memory, bytes, advice) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_MADVISE, (uintptr_t)memory, bytes, error);
    return error;
}

/* --- files ------------------------------------------------------------------------------- */

static inline int npi_library_open(const char *path, int flags, int *file)
{
    int error = npi_hook_ask(NPI_CALL_OPEN, (uintptr_t)path, 0);
    if (error != 0)
        return error;
    int saved = errno;
    *file = open(path, flags | O_CLOEXEC);
    error = *file < 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_OPEN, (uintptr_t)*file, 0, error);
    return error;
}

static inline int npi_library_fstat(int file, struct stat *out)
{
    int error = npi_hook_ask(NPI_CALL_FSTAT, (uintptr_t)file, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = fstat(file, out) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_FSTAT, (uintptr_t)file, 0, error);
    return error;
}

static inline int npi_library_read(int file, void *buffer, size_t bytes, size_t *got)
{
    int error = npi_hook_ask(NPI_CALL_READ, (uintptr_t)file, bytes);
    if (error != 0)
        return error;
    int saved = errno;
    ssize_t result = read(file, buffer, bytes);
    if (result < 0)
        error = errno;
    else
        *got = (size_t)result;
    errno = saved;
    npi_hook_tell(NPI_CALL_READ, (uintptr_t)file, bytes, error);
    return error;
}

static inline int npi_library_write(int file, const void *buffer, size_t bytes)
{
    int error = npi_hook_ask(NPI_CALL_WRITE, (uintptr_t)file, bytes);
    if (error != 0)
        return error;
    int saved = errno;
    error = write(file, buffer, bytes) < 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_WRITE, (uintptr_t)file, bytes, error);
    return error;
}

/* Not asked: whatever close() returns, Linux has closed the file. */
static inline void npi_library_close(int file)
{
    int saved = errno;
    int error = close(file) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_CLOSE, (uintptr_t)file, 0, error);
}

static inline int npi_library_access(const char *path)
{
    int error = npi_hook_ask(NPI_CALL_ACCESS, (uintptr_t)path, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = access(path, F_OK) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_ACCESS, (uintptr_t)path, 0, error);
    return error;
}

/* --- the process and the calling thread -------------------------------------------------- */

static inline int npi_library_getrlimit(int resource, struct rlimit *out)
{
    int error = npi_hook_ask(NPI_CALL_GETRLIMIT, (uintptr_t)resource, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = getrlimit((__rlimit_resource_t)resource, out) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_GETRLIMIT, (uintptr_t)resource, 0, error);
    return error;
}

/* Reads the vDSO where there is one, without entering the kernel. */
static inline int npi_library_getcpu(unsigned *cpu, unsigned *node)
{
    int error = npi_hook_ask(NPI_CALL_GETCPU, 0, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = getcpu(cpu, node) != 0 ? errno : 0;
    errno = saved;
    npi_hook_tell(NPI_CALL_GETCPU, 0, 0, error);
    return error;
}

static inline int npi_library_atfork(void (*in_child)(void))
{
    int error = npi_hook_ask(NPI_CALL_ATFORK, 0, 0);
    if (error != 0)
        return error;
    error = pthread_atfork(NULL, NULL, in_child);
    npi_hook_tell(NPI_CALL_ATFORK, 0, 0, error);
    return error;
}

/* --- threads ----------------------------------------------------------------------------- */

static inline int npi_library_attr_init(pthread_attr_t *attributes)
{
    int error = npi_hook_ask(NPI_CALL_THREAD_ATTRIBUTES, 0, 0);
    if (error != 0)
        return error;
    error = pthread_attr_init(attributes);
    npi_hook_tell(NPI_CALL_THREAD_ATTRIBUTES, 0, 0, error);
    return error;
}

static inline int npi_library_thread_create(pthread_t *id, const pthread_attr_t *attributes,
                                            void *(*main)(void *), void *argument)
{
    int error = npi_hook_ask(NPI_CALL_THREAD_CREATE, 0, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = pthread_create(id, attributes, main, argument);
    errno = saved;
    npi_hook_tell(NPI_CALL_THREAD_CREATE, error == 0 ? (uintptr_t)*id : 0, 0, error);
    return error;
}

/* Not asked: of a joinable thread that nobody else joins it cannot fail. */
static inline int npi_library_thread_join(pthread_t id)
{
    int error = pthread_join(id, NULL);
    npi_hook_tell(NPI_CALL_THREAD_JOIN, (uintptr_t)id, 0, error);
    return error;
}

static inline int npi_library_thread_name(const char *name)
{
    int error = npi_hook_ask(NPI_CALL_THREAD_NAME, (uintptr_t)name, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = pthread_setname_np(pthread_self(), name);
    errno = saved;
    npi_hook_tell(NPI_CALL_THREAD_NAME, (uintptr_t)name, 0, error);
    return error;
}

/* Allocates, and for a process's first thread reads /proc/self/maps. */
static inline int npi_library_thread_attributes(pthread_attr_t *out)
{
    int error = npi_hook_ask(NPI_CALL_THREAD_STACK, 0, 0);
    if (error != 0)
        return error;
    int saved = errno;
    error = pthread_getattr_np(pthread_self(), out);
    errno = saved;
    npi_hook_tell(NPI_CALL_THREAD_STACK, 0, 0, error);
    return error;
}

static inline int npi_library_sigmask(const sigset_t *mask, sigset_t *before)
{
    int error = npi_hook_ask(NPI_CALL_SIGNAL_MASK, 0, 0);
    if (error != 0)
        return error;
    error = pthread_sigmask(SIG_SETMASK, mask, before);
    npi_hook_tell(NPI_CALL_SIGNAL_MASK, 0, 0, error);
    return error;
}

/* Not asked: what has just set a mask can set the one from before. */
static inline void npi_library_sigmask_restore(const sigset_t *before)
{
    npi_hook_tell(NPI_CALL_SIGNAL_MASK, 0, 0, pthread_sigmask(SIG_SETMASK, before, NULL));
}

static inline int npi_library_key_create(pthread_key_t *key, void (*at_exit)(void *))
{
    int error = npi_hook_ask(NPI_CALL_KEY_CREATE, 0, 0);
    if (error != 0)
        return error;
    error = pthread_key_create(key, at_exit);
    npi_hook_tell(NPI_CALL_KEY_CREATE, 0, 0, error);
    return error;
}

static inline int npi_library_setspecific(pthread_key_t key, const void *value)
{
    int error = npi_hook_ask(NPI_CALL_SETSPECIFIC, 0, 0);
    if (error != 0)
        return error;
    error = pthread_setspecific(key, value);
    npi_hook_tell(NPI_CALL_SETSPECIFIC, 0, 0, error);
    return error;
}

#endif
