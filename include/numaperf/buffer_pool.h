/*
 * numaperf/buffer_pool.h - blocks of one size from placed memory, a stock for each node. A block
 * goes back to the node it came from, whoever releases it, so that memory does not wander.
 *
 * A pool remembers what it needs of its executor and may outlive it. Every call but create and
 * destroy may run in any thread at any time, beside all others. In a forked child a pool can only
 * be destroyed.
 */
#ifndef NUMAPERF_BUFFER_POOL_H
#define NUMAPERF_BUFFER_POOL_H

#include <numaperf/executor.h>
#include <numaperf/region.h>

NP_BEGIN_DECLS

typedef struct np_buffer_pool np_buffer_pool;

/* What an acquire does when its node has no block left, and cannot or may not get more memory. */
typedef enum np_buffer_empty {
    NP_BUFFER_EMPTY_FAIL = 0, /* NP_ERR_LIMIT, or why there was no memory */
    NP_BUFFER_EMPTY_NEAREST   /* a block of the nearest node that has one */
} np_buffer_empty;

typedef struct np_buffer_pool_options {
    size_t size;            /* sizeof(np_buffer_pool_options); NP_BUFFER_POOL_OPTIONS fills it in */
    size_t block_bytes;     /* > 0; rounded up to the alignment */
    size_t alignment;       /* a power of two, 64 to a page; 0: 64 */
    size_t blocks_per_node; /* all made now, for every node of the topology, and no more; 0: grows,
                               by at least 256 KiB or 16 blocks at a time, and gives nothing back */
    np_buffer_empty empty;
    np_hard_mode hard_mode; /* strict: memory is proven to be placed, or create, or growth, fails */
    np_huge_pages huge_pages;
} np_buffer_pool_options;

#ifndef __cplusplus
/* NP_BUFFER_POOL_OPTIONS(.block_bytes = 2048, .blocks_per_node = 4096) */
#define NP_BUFFER_POOL_OPTIONS(...) \
    (&(np_buffer_pool_options){.size = sizeof(np_buffer_pool_options), __VA_ARGS__})
#endif

/*
 * Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE (strict; always on a virtual
 * topology), NP_ERR_FORKED. *out is then NULL. A node without memory that the process may use has
 * its blocks on the nearest one with some.
 */
NP_API NP_MUST_USE np_status np_buffer_pool_create(np_executor *executor,
                                                   const np_buffer_pool_options *options,
                                                   np_buffer_pool **out);

/* Unmaps all blocks, also those that are in use. No call on the pool may still run. NULL is
 * accepted. */
NP_API void np_buffer_pool_destroy(np_buffer_pool *pool);

/*
 * A block of the caller's node: on a worker of the executor its node, elsewhere the one the thread
 * runs on. np_buffer_acquire_on(): of a given node. The contents are undefined. Never waits for a
 * block to be released.
 *
 * On a worker, for its own node, this is a few loads and stores in the worker's cache, and once in
 * up to 32 calls a lock of the node. A bounded node is empty only when
 * every block is in use: what lies in the caches of workers, also sleeping ones, is found before
 * the call gives up. (A block that is being released at that moment may be missed.)
 *
 * What the releaser wrote is visible to the acquirer. Errors, *out is then NULL: NP_ERR_LIMIT (a
 * bounded node is empty), NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE (it could not grow),
 * NP_ERR_INVALID_NODE, NP_ERR_INVALID_ARGUMENT, NP_ERR_FORKED.
 */
NP_API NP_MUST_USE np_status np_buffer_acquire(np_buffer_pool *pool, void **out);
NP_API NP_MUST_USE np_status np_buffer_acquire_on(np_buffer_pool *pool, np_node_id node,
                                                  void **out);

/*
 * Gives a block back to its node. The node's workers keep it in their cache; everybody else puts it
 * on the node's return list with one atomic exchange of its head. Makes no system call unless a
 * lock is held by another thread, and does not wait for memory. NULL does nothing.
 *
 * NP_ERR_INVALID_ARGUMENT, and nothing is changed: not the beginning of a block of this pool
 * (always found, no foreign memory is read), or a block that is free already (found as long as
 * nobody has written to it since, unless two releases run at once). NP_ERR_FORKED.
 */
NP_API np_status np_buffer_release(np_buffer_pool *pool, void *block);

/* The node whose stock a block belongs to; NP_NODE_ID_NONE: not one of this pool's. */
NP_API np_node_id np_buffer_node(const np_buffer_pool *pool, const void *block);

/* The usable bytes of a block: block_bytes, rounded up to the alignment. 0 for NULL. */
NP_API size_t np_buffer_pool_block_bytes(const np_buffer_pool *pool);

/* Blocks of one node. Exact while nobody acquires or releases; else each is a moment's figure. */
typedef struct np_buffer_counts {
    uint64_t total;    /* made so far */
    uint64_t in_use;   /* acquired and not released */
    uint64_t free;     /* total - in_use */
    uint64_t cached;   /* of these, in the caches of the node's workers */
    uint64_t returned; /* releases so far by others than the node's own workers */
} np_buffer_counts;

/* Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_INVALID_NODE, NP_ERR_FORKED. */
NP_API NP_MUST_USE np_status np_buffer_pool_counts(const np_buffer_pool *pool, np_node_id node,
                                                   np_buffer_counts *out);

NP_END_DECLS

#endif
