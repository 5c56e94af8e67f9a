/*
 * parallel/buffer_pool.h - the inside of a buffer pool. buffer_pool.c makes, asks and ends it,
 * buffer_stock.c keeps each node's stock and knows whose a block is, buffer_cache.c acquires and
 * releases.
 *
 * Where a free block is: in the cache of a worker of its node (two chains of at most `batch`, so
 * that a worker that acquires and releases in turn never comes to the stock: Bonwick and Adams,
 * "Magazines and Vmem", 2001); on its node's return list; or in its node's stock, under a lock, as
 * full chains or as loose blocks. Chains move whole, so that nobody walks over cold blocks.
 *
 * Nothing is stranded: a stock that runs dry takes the return list, and then the caches of the
 * node's seats, whose locks are biased towards their workers (sync/bias.h). So a sleeping worker,
 * or an executor that is gone, keeps no block from anybody.
 *
 * Locks: a stock's raid_lock before a cache's, a cache's before the stock's, and that before
 * `grow_lock`. Nobody holds two caches: who raids has left its own.
 */
#ifndef NPI_PARALLEL_BUFFER_POOL_H
#define NPI_PARALLEL_BUFFER_POOL_H

#include <numaperf/buffer_pool.h>

#include "parallel/places.h"
#include "sync/bias.h"
#include "sync/returns.h"

typedef struct npi_chain {
    npi_block *head;
    uint32_t count;
} npi_chain;

/* Of a seat; inside the bias but for the counts, which the one inside writes and anybody reads. */
typedef struct npi_buffer_cache {
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_bias bias;
    npi_chain loaded;             /* where blocks come from and go to */
    npi_chain previous;           /* full or empty, but for a cache that was swapped dry */
    np_atomic(uint32_t) held;     /* in both */
    np_atomic(uint64_t) acquired; /* from this cache, and */
    np_atomic(uint64_t) released; /* ... into it, ever */
} npi_buffer_cache;

typedef struct npi_slab {
    char *begin; /* constant, as the next three */
    char *end;
    struct npi_stock *stock;
    np_region *region;
    np_atomic(char *) carved;      /* blocks from here on were never handed out; written by the
                                      stock's lock */
    struct npi_slab *next;         /* by the stock's lock */
    struct npi_slab *next_entered; /* by grow_lock */
} npi_slab;

/* Of a node. */
typedef struct npi_stock {
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_returns returns;

    /* By the lock; `total` and `taken` are read without it. */
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_lock lock;
    npi_block *full;  /* chains of exactly `batch` blocks */
    npi_block *loose; /* single ones */
    char *fresh;      /* in the newest slab: never handed out, */
    char *fresh_end;  /* ... to here */
    npi_slab *slabs;
    uint64_t spills;           /* chains that came from caches, ever */
    npi_lock raid_lock;        /* one raids its caches at a time */
    np_atomic(uint64_t) total; /* blocks in slabs */
    np_atomic(uint64_t) taken; /* blocks ever handed out by the stock itself */

    /* Constant. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_buffer_pool *pool;
    np_node_index index;
    npi_buffer_cache *caches; /* by seat */
    uint32_t cache_count;
    np_region *cache_region;
} npi_stock;

/* Slabs by address, open addressing; entries are added, never changed. */
typedef struct npi_slab_table {
    struct npi_slab_table *older; /* a reader may still be in it: freed with the pool */
    size_t room;                  /* a power of two */
    size_t used;
    np_atomic(npi_slab *) entry[];
} npi_slab_table;

struct np_buffer_pool {
    npi_places places;
    uint32_t generation;    /* of the process that created it; as all down to `options` constant */
    size_t stride;          /* bytes from block to block */
    uint32_t batch;         /* blocks of a full chain */
    size_t growth;          /* blocks of a slab, if it grows */
    unsigned granule_shift; /* 1 << this is at least the size of a slab */
    uintptr_t secret;       /* for keys */
    npi_stock *stocks;      /* by node index */
    np_node_index *order;   /* count rows: the nodes by closeness to each */
    np_topology *topology;  /* its own: stocks grow when the executor may be gone */
    np_buffer_pool_options options;

    npi_lock grow_lock;                /* one slab is entered at a time */
    npi_slab *entered;                 /* by it: all slabs */
    np_atomic(npi_slab_table *) table; /* written under it */
};

/* The word that a free block bears: it says "free" only at its own address in its own pool. */
static inline uintptr_t npi_buffer_key(const np_buffer_pool *pool, const npi_block *block)
{
    return pool->secret ^ (uintptr_t)block;
}

/* --- buffer_stock.c ------------------------------------------------------------------------ */

np_status npi_stock_init(npi_stock *stock, const np_executor *executor);
/* With all its memory. Zero bytes are accepted. */
void npi_stock_free(npi_stock *stock);
/* Makes a slab of so many blocks; by the stock's lock, or before others know it. */
np_status npi_stock_grow_locked(npi_stock *stock, size_t blocks);
/* Up to `want` blocks, at most a batch; growing a stock without a limit. NP_ERR_LIMIT, without a
 * detail: there is none, but caches may have some. */
np_status npi_stock_take_locked(npi_stock *stock, uint32_t want, bool may_grow, npi_chain *out);
/* A full chain, or any other, goes back. */
void npi_stock_put_locked(npi_stock *stock, npi_chain chain);

/* The slab that an address lies in, or NULL. Any thread. */
npi_slab *npi_slab_find(const np_buffer_pool *given, const void *address);
np_status npi_slab_table_init(np_buffer_pool *pool, size_t slabs);
void npi_slab_table_free(np_buffer_pool *pool);

#endif
