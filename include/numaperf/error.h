/*
 * numaperf/error.h - status codes, the detail of the last failure, and the two hooks
 * (allocation, diagnostics) through which the library talks to its surroundings.
 *
 * Every call that can fail returns an np_status. The library never prints, exits or
 * aborts because of what a caller did or what the machine lacks.
 */
#ifndef NUMAPERF_ERROR_H
#define NUMAPERF_ERROR_H

#include <stddef.h>

#include <numaperf/version.h>

NP_BEGIN_DECLS

/* The one list of failures: X(name, value, text). Values never change once released. */
#define NP_STATUS_MAP(X)                                                                \
    X(NP_ERR_INVALID_ARGUMENT, -1, "invalid argument")                                  \
    X(NP_ERR_NO_MEMORY, -2, "out of memory")                                            \
    X(NP_ERR_INVALID_NODE, -3, "no such NUMA node")                                     \
    X(NP_ERR_NODE_HAS_NO_WORKER, -4, "the NUMA node has no worker")                     \
    X(NP_ERR_NOT_SUPPORTED, -5, "not supported here")                                   \
    X(NP_ERR_NOT_PERMITTED, -6, "not permitted")                                        \
    X(NP_ERR_HARD_MODE, -7, "a guarantee demanded by strict hard mode cannot be given") \
    X(NP_ERR_TIMEOUT, -8, "timed out")                                                  \
    X(NP_ERR_WOULD_BLOCK, -9, "the call would have to block")                           \
    X(NP_ERR_CLOSED, -10, "closed")                                                     \
    X(NP_ERR_SHUT_DOWN, -11, "the executor no longer accepts work")                     \
    X(NP_ERR_CANCELLED, -12, "cancelled")                                               \
    X(NP_ERR_FROM_WORKER, -13, "not allowed from one of the executor's own workers")    \
    X(NP_ERR_FORKED, -14, "not usable in a forked child process")                       \
    X(NP_ERR_NOT_FOUND, -15, "not found")                                               \
    X(NP_ERR_PARSE, -16, "malformed text")                                              \
    X(NP_ERR_SYSTEM, -17, "a system call failed")                                       \
    X(NP_ERR_BUSY, -18, "still in use")                                                 \
    X(NP_ERR_LIMIT, -19, "a limit is reached")                                          \
    X(NP_ERR_NODE_GONE, -20, "the NUMA node has no usable CPU left")                    \
    X(NP_ERR_NO_SPARE, -21, "no spare worker could step in for a blocking one")         \
    X(NP_ERR_ENVIRONMENT, -22, "an environment variable has a bad value")               \
    X(NP_ERR_FAILED, -23, "a task reported failure")

typedef enum np_status {
    NP_OK = 0,
#define NP_STATUS_ENUMERATOR(name, value, text) name = (value),
    NP_STATUS_MAP(NP_STATUS_ENUMERATOR)
#undef NP_STATUS_ENUMERATOR
} np_status;

/*
 * The code's own name ("NP_ERR_INVALID_NODE") and a short sentence for it. Static storage, any
 * thread, never NULL; an unknown code gives "NP_ERR_UNKNOWN" and "unknown status".
 */
NP_API const char *np_status_name(np_status status);
NP_API const char *np_status_text(np_status status);

/*
 * What went wrong in the calling thread's last failed call, in words that name the value, the
 * node, the CPU, the system call and errno where there is one. Never NULL; "" before the first
 * failure. The text belongs to the thread and is overwritten by its next failing call; calls
 * that succeed leave it alone.
 */
NP_API const char *np_error_detail(void);

/* errno of the system call behind the last failure of this thread, 0 if there was none. */
NP_API int np_error_errno(void);

/*
 * The allocator for the library's own bookkeeping (topologies, executors, groups, channels).
 * Placed memory (regions, task queues) comes from the kernel and does not pass through here.
 * `allocate` returns memory aligned to `alignment` (a power of two) or NULL; `release` gets the
 * size that was asked for. Both may be called from any thread at once.
 */
typedef struct np_allocator {
    size_t size; /* sizeof(np_allocator) */
    void *(*allocate)(void *context, size_t bytes, size_t alignment);
    void (*release)(void *context, void *memory, size_t bytes);
    void *context;
} np_allocator;

/*
 * Replaces the allocator of the whole process; NULL restores the default (aligned_alloc, free).
 * Call it before any other call of the library: memory is released through the allocator that
 * is set at that time. Errors: NP_ERR_INVALID_ARGUMENT (wrong size, a function missing).
 */
NP_API NP_MUST_USE np_status np_set_allocator(const np_allocator *allocator);

typedef enum np_severity {
    NP_SEVERITY_INFO = 0,
    NP_SEVERITY_WARNING,
    NP_SEVERITY_ERROR
} np_severity;

/* Receives one line without a newline. Called on whatever thread noticed; must not call back. */
typedef void (*np_diagnostic_fn)(void *context, np_severity severity, const char *message);

/*
 * Where the library reports what no return value can carry (soft mode fell back, drift was
 * noticed). NULL, the default, means silence. Process-wide; may be changed at any time, by one
 * thread at a time. A message under way may still reach the old handler, with the old context.
 */
NP_API void np_set_diagnostic_handler(np_diagnostic_fn handler, void *context);

NP_END_DECLS

#endif
