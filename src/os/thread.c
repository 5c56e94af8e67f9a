/*
 * os/thread.c - starting, joining and naming threads.
 *
 * A thread of the library must never run a program's signal handlers for asynchronous signals: the
 * program expects them on its own threads, with its own stack sizes. The mask is set in the creator
 * before the thread exists, so there is no moment in which the new thread could take one.
 */
#include <limits.h>
#include <string.h>

#include "os/call.h"
#include "os/library.h"
#include "os/os.h"

/* Room for the worker loop, an error text and a signal frame with the largest register files. */
#define STACK_FLOOR ((size_t)64 * 1024)

_Static_assert(sizeof(pthread_t) <= sizeof(uint64_t), "npi_os_thread.handle must hold a pthread_t");

static void *thread_main(void *argument)
{
    const npi_os_thread *thread = argument;
    thread->fn(thread->argument);
    return NULL;
}

static void worker_signal_mask(sigset_t *mask)
{
    /* Raised by the thread's own instructions (blocking them kills the process), or by a profiler
     * that wants to see every thread. */
    static const int open_signals[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
                                       SIGTRAP, SIGABRT, SIGSYS, SIGPROF};
    sigfillset(mask);
    for (size_t i = 0; i < sizeof open_signals / sizeof open_signals[0]; i++)
        sigdelset(mask, open_signals[i]);
}

static int set_stack_size(pthread_attr_t *attributes, size_t stack_bytes)
{
    if (stack_bytes == 0)
        return 0;
    size_t page = npi_os_page_size();
    if (stack_bytes > SIZE_MAX - page)
        return EINVAL;
    stack_bytes = (stack_bytes + page - 1) / page * page;
    if (stack_bytes < npi_os_thread_stack_least())
        return EINVAL;
    return pthread_attr_setstacksize(attributes, stack_bytes);
}

int npi_os_thread_start(npi_os_thread *thread, size_t stack_bytes, npi_os_thread_fn fn,
                        void *argument)
{
    thread->fn = fn;
    thread->argument = argument;

    pthread_attr_t attributes;
    int error = npi_library_attr_init(&attributes);
    if (error != 0)
        return error;
    error = set_stack_size(&attributes, stack_bytes);
    if (error == 0) {
        sigset_t mask;
        sigset_t before;
        worker_signal_mask(&mask);
        error = npi_library_sigmask(&mask, &before);
        if (error == 0) {
            pthread_t id;
            error = npi_library_thread_create(&id, &attributes, thread_main, thread);
            if (error == 0) {
                thread->handle = 0;
                memcpy(&thread->handle, &id, sizeof id);
            }
            npi_library_sigmask_restore(&before);
        }
    }
    (void)pthread_attr_destroy(&attributes);
    return error;
}

int npi_os_thread_join(npi_os_thread *thread)
{
    pthread_t id;
    memcpy(&id, &thread->handle, sizeof id);
    return npi_library_thread_join(id);
}

int npi_os_thread_set_name(const char *name)
{
    char kept[16]; /* the kernel's limit, with the NUL */
    size_t length = strnlen(name, sizeof kept - 1);
    memcpy(kept, name, length);
    kept[length] = '\0';
    return npi_library_thread_name(kept);
}

uint64_t npi_os_thread_id(void)
{
    long id = 0;
    (void)npi_os_call(NPI_CALL_GETTID, SYS_gettid, 0, 0, 0, 0, 0, 0, &id);
    return (uint64_t)id;
}

/* For want of an answer: the C library asks for the thread's affinity as well, which a filter may
 * deny. A thread of ordinary size that has used little of its stack so far. */
static void guess_stack(uintptr_t *end, size_t *bytes)
{
    pthread_attr_t ordinary;
    size_t size = 0;
    *end = 0;
    *bytes = 0;
    if (npi_library_attr_init(&ordinary) != 0)
        return;
    if (pthread_attr_getstacksize(&ordinary, &size) == 0 && size < npi_os_stack_here()) {
        *end = npi_os_stack_here() - size;
        *bytes = size;
    }
    (void)pthread_attr_destroy(&ordinary);
}

void npi_os_thread_stack(uintptr_t *end, size_t *bytes)
{
    pthread_attr_t attributes;
    guess_stack(end, bytes);
    if (npi_library_thread_attributes(&attributes) == 0) {
        void *lowest = NULL;
        size_t size = 0;
        if (pthread_attr_getstack(&attributes, &lowest, &size) == 0) {
            *end = (uintptr_t)lowest;
            *bytes = size;
        }
        (void)pthread_attr_destroy(&attributes);
    }
}

size_t npi_os_thread_stack_least(void)
{
    long least = sysconf(_SC_THREAD_STACK_MIN);
    size_t page = npi_os_page_size();
    size_t bytes = least > 0 ? (size_t)least : STACK_FLOOR;
    if (bytes < STACK_FLOOR)
        bytes = STACK_FLOOR;
    return (bytes + page - 1) / page * page;
}
