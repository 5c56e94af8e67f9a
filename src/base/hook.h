/*
 * base/hook.h - the one table through which a test stands between the library and the system.
 *
 * While a table is set it is asked before each allocation (base/alloc.c) and each call of src/os
 * that enters the kernel or lets the C library do so (os/call.h, os/library.h): it may answer with
 * an errno, and then the call is not made. Afterwards it is told how a call that was made came out.
 * Without a table this costs one relaxed load beside a call that is far dearer; inline code and
 * calls that never enter the kernel (the clock) have no such load.
 *
 * Not for programs: hidden, and reachable only from the static library. A table must live, and must
 * not change, as long as the process does. Its functions are called on any thread, also a worker's,
 * and must not call the library.
 */
#ifndef NPI_BASE_HOOK_H
#define NPI_BASE_HOOK_H

#include <stddef.h>
#include <stdint.h>

#include "base/atomic.h"

/*
 * X(name, what details call it): the two words that `ask` gets, then what `tell` gets instead.
 * Memory: the address (ask of an allocation and of mmap: 0) and the bytes. Files: the path or the
 * descriptor, and the bytes. Futex: the word and the operation. Threads: 0, then the handle. Else:
 * the first two arguments.
 */
#define NPI_CALL_MAP(X)                                \
    X(NPI_CALL_ALLOCATE, "allocate")                   \
    X(NPI_CALL_RELEASE, "release") /* only told */     \
    X(NPI_CALL_MMAP, "mmap")                           \
    X(NPI_CALL_MUNMAP, "munmap")                       \
    X(NPI_CALL_MREMAP, "mremap")                       \
    X(NPI_CALL_MADVISE, "madvise")                     \
    X(NPI_CALL_MLOCK, "mlock")                         \
    X(NPI_CALL_MUNLOCK, "munlock")                     \
    X(NPI_CALL_MBIND, "mbind")                         \
    X(NPI_CALL_GET_MEMPOLICY, "get_mempolicy")         \
    X(NPI_CALL_SET_MEMPOLICY, "set_mempolicy")         \
    X(NPI_CALL_MOVE_PAGES, "move_pages")               \
    X(NPI_CALL_GETAFFINITY, "sched_getaffinity")       \
    X(NPI_CALL_SETAFFINITY, "sched_setaffinity")       \
    X(NPI_CALL_GETCPU, "getcpu")                       \
    X(NPI_CALL_FUTEX_WAIT, "futex_wait")               \
    X(NPI_CALL_FUTEX_WAIT_UNTIL, "futex_wait_until")   \
    X(NPI_CALL_FUTEX_WAKE, "futex_wake")               \
    X(NPI_CALL_MEMBARRIER, "membarrier")               \
    X(NPI_CALL_OPEN, "open")                           \
    X(NPI_CALL_FSTAT, "fstat")                         \
    X(NPI_CALL_FSTATFS, "fstatfs")                     \
    X(NPI_CALL_READ, "read")                           \
    X(NPI_CALL_WRITE, "write")                         \
    X(NPI_CALL_CLOSE, "close") /* only told */         \
    X(NPI_CALL_ACCESS, "access")                       \
    X(NPI_CALL_GETDENTS, "getdents64")                 \
    X(NPI_CALL_STATX, "statx")                         \
    X(NPI_CALL_GETRLIMIT, "getrlimit")                 \
    X(NPI_CALL_CAPGET, "capget")                       \
    X(NPI_CALL_GETTID, "gettid")                       \
    X(NPI_CALL_THREAD_ATTRIBUTES, "pthread_attr_init") \
    X(NPI_CALL_THREAD_CREATE, "pthread_create")        \
    X(NPI_CALL_THREAD_JOIN, "pthread_join")            \
    X(NPI_CALL_THREAD_NAME, "pthread_setname_np")      \
    X(NPI_CALL_THREAD_STACK, "pthread_getattr_np")     \
    X(NPI_CALL_SIGNAL_MASK, "pthread_sigmask")         \
    X(NPI_CALL_KEY_CREATE, "pthread_key_create")       \
    X(NPI_CALL_SETSPECIFIC, "pthread_setspecific")     \
    X(NPI_CALL_ATFORK, "pthread_atfork")               \
    X(NPI_CALL_EVENTFD, "eventfd2")                    \
    X(NPI_CALL_EVENTFD_WRITE, "write")                 \
    X(NPI_CALL_INOTIFY_INIT, "inotify_init1")          \
    X(NPI_CALL_INOTIFY_ADD, "inotify_add_watch")       \
    X(NPI_CALL_SOCKET, "socket")                       \
    X(NPI_CALL_BIND, "bind")                           \
    X(NPI_CALL_RECEIVE, "recvfrom")                    \
    X(NPI_CALL_POLL, "ppoll")

typedef enum npi_call {
#define NPI_CALL_ENUMERATOR(name, text) name,
    NPI_CALL_MAP(NPI_CALL_ENUMERATOR)
#undef NPI_CALL_ENUMERATOR
        NPI_CALL_COUNT
} npi_call;

typedef struct npi_hook {
    /* 0: make the call; else the positive errno it fails with. */
    int (*ask)(npi_call call, uintptr_t first, uintptr_t second);
    void (*tell)(npi_call call, uintptr_t first, uintptr_t second, int error);
} npi_hook;

/* Written by npi_hook_set, read by everybody. */
extern np_atomic(const npi_hook *) npi_hook_table __attribute__((visibility("hidden")));

/* NULL: none. Calls under way may still go through the old one. */
void npi_hook_set(const npi_hook *hook);

/* Always in place: the test that looks for calls without it looks into each function. */
#define NPI_HOOK_INLINE static inline __attribute__((always_inline))

NPI_HOOK_INLINE int npi_hook_ask(npi_call call, uintptr_t first, uintptr_t second)
{
    /* Relaxed: nothing is published with it; a table never changes, it was there from the start. */
    const npi_hook *hook = npi_load_relaxed(&npi_hook_table);
    return __builtin_expect(hook == NULL, 1) ? 0 : hook->ask(call, first, second);
}

NPI_HOOK_INLINE void npi_hook_tell(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    /* Relaxed: as in npi_hook_ask. */
    const npi_hook *hook = npi_load_relaxed(&npi_hook_table);
    if (__builtin_expect(hook != NULL, 0))
        hook->tell(call, first, second, error);
}

#endif
