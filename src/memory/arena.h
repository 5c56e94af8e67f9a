/*
 * memory/arena.h - node-local memory for the executor's own queues.
 *
 * An arena hands out zeroed pieces of large mappings that prefer one node, and gives everything
 * back at once. A segment pool recycles blocks of one size on top of an arena.
 *
 * Type stability: a segment's addresses stay mapped, and stay segments of the same pool, until
 * npi_arena_destroy. A thread that looks at a segment too late therefore reads stale bytes or
 * zeros, never an unmapped page or an object of another kind. It must validate what it read.
 *
 * Who may call what: init and destroy are alone on their object; everything else may be called from
 * any thread at any time. No call sets a failure detail: the caller knows what the memory was for.
 */
#ifndef NPI_MEMORY_ARENA_H
#define NPI_MEMORY_ARENA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/types.h>

#include "os/lock.h"

/* The least that is mapped at a time. */
#define NPI_ARENA_CHUNK_BYTES ((size_t)256 * 1024)

typedef struct npi_arena_chunk npi_arena_chunk;

/* All fields but node and bind are protected by the lock. */
typedef struct npi_arena {
    npi_lock lock;
    bool bind;       /* constant after init */
    np_node_id node; /* constant after init */
    int bind_error;  /* errno of the first mapping that the kernel would not place, 0 if none */
    char *cursor;    /* the free part of the newest shared chunk */
    char *end;
    npi_arena_chunk *chunks;
    uint64_t mapped_bytes;
    uint64_t used_bytes;
} npi_arena;

typedef struct npi_arena_usage {
    uint64_t mapped_bytes; /* address space; pages appear at first touch */
    uint64_t used_bytes;   /* handed out */
    int bind_error;        /* 0: every mapping prefers the node (or placing was not asked for) */
} npi_arena_usage;

/*
 * Maps nothing yet. With `bind`, memory prefers `node` (which must have memory) and comes from
 * elsewhere when the node is full, so that a full node slows the program instead of killing it. If
 * the kernel refuses the placement the memory is ordinary and npi_arena_usage says why.
 * NP_NODE_ID_NONE, or `bind` false (virtual topologies): ordinary memory.
 */
void npi_arena_init(npi_arena *arena, np_node_id node, bool bind);

/* Unmaps everything the arena handed out, segments included. An arena of zero bytes is accepted,
 * and so is one whose lock was held by another thread when this process was forked. */
void npi_arena_destroy(npi_arena *arena);

/* Zeroed bytes, aligned to `alignment` (a power of two; 0: like malloc). NULL if the system
 * refuses. */
void *npi_arena_alloc(npi_arena *arena, size_t bytes, size_t alignment);

void npi_arena_get_usage(npi_arena *arena, npi_arena_usage *out);

/* --- segments ---------------------------------------------------------------------------- */

/* While a segment is free its first bytes belong to the pool: a late reader must not look at
 * them. */
#define NPI_SEGMENT_HEADER_BYTES 16u

typedef struct npi_segment_link npi_segment_link;

typedef struct npi_segment_pool {
    npi_lock lock;
    npi_arena *arena;       /* constant after init, not owned */
    size_t segment_bytes;   /* constant after init */
    npi_segment_link *warm; /* free, newest first */
    npi_segment_link *cold; /* free, pages given back */
    uint64_t warm_count;
    uint64_t cold_count;
    uint64_t segment_count; /* ever carved from the arena */
} npi_segment_pool;

typedef struct npi_segment_usage {
    uint64_t segments;     /* all, in use or free */
    uint64_t free;         /* of these, waiting in the pool */
    uint64_t discarded;    /* of the free ones, those whose pages were given back */
    uint64_t mapped_bytes; /* segments * size */
} npi_segment_usage;

/* `segment_bytes` is a multiple of 64 and more than the header. The pool owns nothing but what the
 * arena frees, so there is no destroy. */
void npi_segment_pool_init(npi_segment_pool *pool, npi_arena *arena, size_t segment_bytes);

/*
 * A segment aligned to 64 bytes (to pages when its size is a multiple of the page size), or NULL.
 * New ones are zeroed, recycled ones hold whatever their last user left, or zeros; what the giver
 * of a recycled one wrote is visible to the taker.
 */
void *npi_segment_take(npi_segment_pool *pool);

/* The segment came from this pool's npi_segment_take and is given once. */
void npi_segment_give(npi_segment_pool *pool, void *segment);

/*
 * Gives the pages of all free segments but the `keep` most recent ones back to the system, except
 * each one's first page. The addresses stay mapped and read as zero. Makes one system call per
 * segment, outside the lock: takers meanwhile may carve new ones. Returns the number of segments it
 * gave back.
 */
size_t npi_segment_pool_trim(npi_segment_pool *pool, size_t keep);

void npi_segment_pool_get_usage(npi_segment_pool *pool, npi_segment_usage *out);

#endif
