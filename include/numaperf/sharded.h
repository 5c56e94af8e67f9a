/*
 * numaperf/sharded.h - values that every node, or every worker, has for itself, in its own memory;
 * and a counter whose add costs no shared cache line.
 *
 * A value that all workers write travels between their caches; one per node, or per worker, stays
 * where it is used, and whoever wants the whole walks over all of them. Values of a node are shared
 * by its workers, who must order their own accesses (atomics, a lock); values of a worker are for
 * what it does between two calls of the library.
 *
 * Values and counters remember what they need of their executor and may outlive it. In a forked
 * child they are copies: everything but create works on them there.
 */
#ifndef NUMAPERF_SHARDED_H
#define NUMAPERF_SHARDED_H

#include <numaperf/executor.h>

NP_BEGIN_DECLS

/* --- values -------------------------------------------------------------------------------- */

typedef struct np_sharded np_sharded;

typedef enum np_shard_per {
    NP_SHARD_PER_NODE = 0, /* one for each node of the topology, also those without workers */
    NP_SHARD_PER_WORKER    /* one for each seat: regular, spare and guest workers */
} np_shard_per;

/* Makes the value at `value`, zeroed bytes on the memory of `node`. Anything but NP_OK ends the
 * create. */
typedef np_status (*np_shard_construct_fn)(void *context, void *value, np_node_id node);
/* Is given a value: to end its life, or to do something with each. */
typedef void (*np_shard_fn)(void *context, void *value, np_node_id node);

typedef struct np_sharded_options {
    size_t size;      /* sizeof(np_sharded_options); NP_SHARDED_OPTIONS fills it in */
    size_t bytes;     /* of one value, > 0 */
    size_t alignment; /* a power of two, at most a page; 0: 128. No two values are nearer to each
                         other than 128 bytes in any case */
    np_shard_per per;
    np_hard_mode hard_mode;
    np_shard_construct_fn construct; /* NULL: the zeros are the value */
    np_shard_fn destroy;             /* NULL: nothing to do */
    void *context;                   /* for both */
} np_sharded_options;

#ifndef __cplusplus
/* NP_SHARDED_OPTIONS(.bytes = sizeof(struct table), .construct = make_table) */
#define NP_SHARDED_OPTIONS(...) \
    (&(np_sharded_options){.size = sizeof(np_sharded_options), __VA_ARGS__})
#endif

/*
 * Makes all values. Each lies in pages that its node shares with no other; a node without memory
 * that the process may use has its value on the nearest one with some. Constructors run in the
 * calling thread, in the order of nodes or worker indices, before the call returns; the pages are
 * placed, so what they write lies where it belongs. What a constructor allocates elsewhere is where
 * the calling thread gets it. When one fails, the values made before it are destroyed, in reverse.
 *
 * Soft: a full node's value lies elsewhere, and the diagnostic handler hears of what could not be
 * placed. Strict: NP_ERR_HARD_MODE instead, and always on a virtual topology.
 *
 * Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE, NP_ERR_FORKED, and what a
 * constructor returns. *out is then NULL. Any thread; the constructors may call the library.
 */
NP_API NP_MUST_USE np_status np_sharded_create(np_executor *executor,
                                               const np_sharded_options *options, np_sharded **out);

/*
 * Calls the destructor for every value, in reverse order, and frees them. NULL is accepted. Nobody
 * may use a value any more. In a forked child it only frees: what a destructor would end belongs to
 * the parent.
 */
NP_API void np_sharded_destroy(np_sharded *sharded);

/*
 * The caller's own value. Per node: on a worker of the executor the one of its node, also while the
 * node's workers are elsewhere because it has no CPU; on another thread the one of the node it runs
 * on at this moment (of the first node if that is none of them; on a virtual topology any node, but
 * always the same for a thread). Never NULL. Per worker: the worker's; NULL on other threads.
 *
 * No lock and no system call; on a worker a few loads. A value per worker is the caller's alone
 * until it waits or forks: a wait may run other tasks on this worker.
 */
NP_API void *np_sharded_local(const np_sharded *sharded);

/* The value of a node, or of the worker with this np_current_worker_index(). NULL: there is none,
 * or the values are of the other kind. */
NP_API void *np_sharded_at(const np_sharded *sharded, np_node_id node);
NP_API void *np_sharded_at_worker(const np_sharded *sharded, uint32_t worker);

/* How many values there are; 0 for NULL. */
NP_API size_t np_sharded_count(const np_sharded *sharded);

/*
 * Calls fn(context, value, node) for every value, in order, on the calling thread. Orders nothing:
 * what workers wrote is seen if something else says that they have (a wait for their tasks), or if
 * the accesses are atomic. NP_ERR_INVALID_ARGUMENT: sharded or fn is NULL.
 */
NP_API np_status np_sharded_for_each(const np_sharded *sharded, np_shard_fn fn, void *context);

/* --- a counter ----------------------------------------------------------------------------- */

/* A 64-bit count that only grows, spread over the threads that add to it. */
typedef struct np_sharded_counter np_sharded_counter;

/* Starts at 0. It takes a page per node and 8 KiB. Errors: NP_ERR_INVALID_ARGUMENT,
 * NP_ERR_NO_MEMORY, NP_ERR_FORKED. */
NP_API NP_MUST_USE np_status np_sharded_counter_create(np_executor *executor,
                                                       np_sharded_counter **out);
/* NULL is accepted. Nobody may add or read any more. */
NP_API void np_sharded_counter_destroy(np_sharded_counter *counter);

/*
 * Adds. Any thread, but not in a signal handler. The caller's own cache line is written, without a
 * read-modify-write: workers of the executor have one each, so have the first 56 other threads that
 * use the library at a time, and the rest share eight, with an atomic addition. Orders nothing.
 * NULL is accepted.
 */
NP_API void np_sharded_counter_add(np_sharded_counter *counter, uint64_t amount);

/*
 * The sum, modulo 2^64. It has everything that was added before the call, in the sense of happens
 * before (by this thread; by tasks that it has waited for), and perhaps some of what is added
 * during the call. So it is exact when nobody adds, and while others do, no read is below an
 * earlier one of the same thread, or of a thread it is ordered after. It looks at a line per
 * thread: for now and then. 0 for NULL.
 *
 * There is no subtraction, for then a read could not be monotone. For a gauge, keep two counters,
 * and read the one that counts down first.
 */
NP_API uint64_t np_sharded_counter_read(const np_sharded_counter *counter);

NP_END_DECLS

#endif
