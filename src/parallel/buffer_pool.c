/*
 * parallel/buffer_pool.c - making and ending buffer pools, and asking them. What a pool is:
 * parallel/buffer_pool.h.
 */
#include "parallel/buffer_pool.h"

#include "base/alloc.h"
#include "base/status.h"

#define GROWTH_BYTES    ((size_t)256 * 1024)
#define GROWTH_BLOCKS   ((size_t)16)
#define ALIGNMENT_LEAST ((size_t)64)
#define BATCH_MOST      ((size_t)32)
#define BATCH_BYTES     ((size_t)64 * 1024) /* a chain of larger blocks has fewer */
#define BATCH_SHARE                                                              \
    ((size_t)4) /* all full chains are no more than this part of a node's blocks \
                 */

_Static_assert(sizeof(npi_block) <= ALIGNMENT_LEAST, "a free block has room for its links");

static np_status check_sizes(const np_buffer_pool_options *options)
{
    size_t alignment = options->alignment;
    if (options->block_bytes == 0 || options->block_bytes > SIZE_MAX / 64)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_options.block_bytes is %zu",
                        options->block_bytes);
    if (alignment != 0 && ((alignment & (alignment - 1)) != 0 || alignment < ALIGNMENT_LEAST ||
                           alignment > npi_os_page_size()))
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_buffer_pool_options.alignment is %zu, expected a power of two, %zu to "
                        "%zu",
                        alignment, ALIGNMENT_LEAST, npi_os_page_size());
    if (options->blocks_per_node > SIZE_MAX / 4 / (options->block_bytes + npi_os_page_size()))
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_buffer_pool_options: %zu blocks of %zu bytes are more than memory can "
                        "hold",
                        options->blocks_per_node, options->block_bytes);
    return NP_OK;
}

static np_status read_options(const np_buffer_pool_options *given, np_buffer_pool_options *options)
{
    if (given == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_create: options is NULL");
    if (!npi_options_acceptable(given, given->size, sizeof *options, sizeof *options,
                                "np_buffer_pool_options"))
        return NP_ERR_INVALID_ARGUMENT;
    npi_options_copy(options, sizeof *options, given, given->size);
    if ((unsigned)options->empty > NP_BUFFER_EMPTY_NEAREST)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_options.empty is %d",
                        (int)options->empty);
    if ((unsigned)options->hard_mode > NP_HARD_MODE_STRICT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_options.hard_mode is %d",
                        (int)options->hard_mode);
    if ((unsigned)options->huge_pages > NP_HUGE_PAGES_TRANSPARENT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_options.huge_pages is %d",
                        (int)options->huge_pages);
    return check_sizes(options);
}

/* Caches are for speed; they must not hold so much that others have to raid them all the time. */
static uint32_t choose_batch(const np_buffer_pool *pool, const np_executor *executor)
{
    size_t batch = BATCH_BYTES / pool->stride;
    size_t blocks = pool->options.blocks_per_node;
    uint32_t workers = 1;
    for (uint32_t i = 0; i < executor->node_count; i++)
        if (executor->nodes[i]->regular > workers)
            workers = executor->nodes[i]->regular;
    if (batch > BATCH_MOST)
        batch = BATCH_MOST;
    if (blocks != 0 && batch > blocks / (2 * BATCH_SHARE * workers))
        batch = blocks / (2 * BATCH_SHARE * workers);
    return batch == 0 ? 1 : (uint32_t)batch;
}

static size_t choose_growth(const np_buffer_pool *pool)
{
    size_t bytes = GROWTH_BYTES;
    if (pool->options.huge_pages == NP_HUGE_PAGES_TRANSPARENT && npi_os_huge_page_size() > bytes)
        bytes = npi_os_huge_page_size();
    size_t blocks = bytes / pool->stride;
    return blocks > GROWTH_BLOCKS ? blocks : GROWTH_BLOCKS;
}

static void choose_sizes(np_buffer_pool *pool, const np_executor *executor)
{
    size_t alignment = pool->options.alignment != 0 ? pool->options.alignment : ALIGNMENT_LEAST;
    pool->stride = (pool->options.block_bytes + alignment - 1) & ~(alignment - 1);
    pool->batch = choose_batch(pool, executor);
    pool->growth = choose_growth(pool);
    size_t blocks = pool->options.blocks_per_node;
    size_t slab = (blocks != 0 ? blocks : pool->growth) * pool->stride;
    while (((size_t)1 << pool->granule_shift) < slab)
        pool->granule_shift++;
    /* Differs from pool to pool, so that one's free blocks are not another one's. */
    pool->secret = (uintptr_t)((npi_os_now() ^ (uintptr_t)pool) * UINT64_C(0x9e3779b97f4a7c15));
}

static np_status make_stocks(np_buffer_pool *pool, const np_executor *executor)
{
    uint32_t count = pool->places.count;
    pool->stocks = npi_alloc_array(count, sizeof *pool->stocks, NPI_FALSE_SHARING);
    pool->order = npi_alloc_array((size_t)count * count, sizeof *pool->order, 0);
    if (pool->stocks == NULL || pool->order == NULL)
        return npi_fail_memory(count * (sizeof *pool->stocks + count * sizeof *pool->order),
                               "the stocks of a buffer pool");
    np_status status = npi_slab_table_init(pool, count);
    for (uint32_t i = 0; i < count; i++) {
        pool->stocks[i].pool = pool;
        pool->stocks[i].index = i;
        npi_topology_node_order(pool->topology, i, &pool->order[(size_t)i * count]);
    }
    for (uint32_t i = 0; i < count && status == NP_OK; i++)
        status = npi_stock_init(&pool->stocks[i], executor);
    return status;
}

np_status np_buffer_pool_create(np_executor *executor, const np_buffer_pool_options *given,
                                np_buffer_pool **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_create: out is NULL");
    *out = NULL;
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    np_buffer_pool_options options;
    status = read_options(given, &options);
    if (status != NP_OK)
        return status;
    np_buffer_pool *pool = npi_alloc(sizeof *pool, 0);
    if (pool == NULL)
        return npi_fail_memory(sizeof *pool, "a buffer pool");
    pool->generation = npi_os_process_generation();
    pool->options = options;
    npi_lock_init(&pool->grow_lock);
    npi_atomic_init(&pool->table, (npi_slab_table *)NULL);
    choose_sizes(pool, executor);
    status = npi_places_init(&pool->places, executor);
    if (status == NP_OK)
        status = npi_topology_clone(executor->topology, &pool->topology);
    if (status == NP_OK)
        status = make_stocks(pool, executor);
    if (status != NP_OK) {
        np_buffer_pool_destroy(pool);
        return status;
    }
    *out = pool;
    return NP_OK;
}

void np_buffer_pool_destroy(np_buffer_pool *pool)
{
    if (pool == NULL)
        return;
    uint32_t count = pool->places.count; /* 0: not even that was made */
    if (pool->stocks != NULL)
        for (uint32_t i = 0; i < count; i++)
            npi_stock_free(&pool->stocks[i]);
    npi_slab_table_free(pool);
    npi_free_array(pool->order, (size_t)count * count, sizeof *pool->order);
    npi_free_array(pool->stocks, count, sizeof *pool->stocks);
    np_topology_destroy(pool->topology);
    npi_places_free(&pool->places);
    npi_free(pool, sizeof *pool);
}

/* --- asking ------------------------------------------------------------------------------- */

np_node_id np_buffer_node(const np_buffer_pool *pool, const void *block)
{
    npi_slab *slab = pool != NULL ? npi_slab_find(pool, block) : NULL;
    return slab != NULL ? pool->places.ids[slab->stock->index] : NP_NODE_ID_NONE;
}

size_t np_buffer_pool_block_bytes(const np_buffer_pool *pool)
{
    return pool == NULL ? 0 : pool->stride;
}

np_status np_buffer_pool_counts(const np_buffer_pool *pool, np_node_id node, np_buffer_counts *out)
{
    if (pool == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_pool_counts: %s is NULL",
                        pool == NULL ? "the pool" : "out");
    if (pool->generation != npi_os_process_generation())
        return npi_fail(NP_ERR_FORKED, "np_buffer_pool_counts: the pool was created before fork");
    np_node_index index = npi_places_index(&pool->places, node);
    if (index == NP_NODE_INDEX_NONE)
        return npi_fail(NP_ERR_INVALID_NODE, "np_buffer_pool_counts: no node %d", (int)node);
    npi_stock *stock = &pool->stocks[index];
    np_buffer_counts counts = {0};
    /* Relaxed: figures. What came back is read before what went out, so that the difference is not
     * negative but for releases that are seen before their acquires. */
    uint64_t back = counts.returned = npi_load_relaxed(&stock->returns.count);
    for (uint32_t i = 0; i < stock->cache_count; i++)
        back += npi_load_relaxed(&stock->caches[i].released);
    uint64_t gone = npi_load_relaxed(&stock->taken);
    for (uint32_t i = 0; i < stock->cache_count; i++) {
        gone += npi_load_relaxed(&stock->caches[i].acquired);
        counts.cached += npi_load_relaxed(&stock->caches[i].held);
    }
    counts.total = npi_load_relaxed(&stock->total);
    counts.in_use = gone > back ? gone - back : 0;
    if (counts.in_use > counts.total)
        counts.in_use = counts.total;
    counts.free = counts.total - counts.in_use;
    *out = counts;
    return NP_OK;
}
