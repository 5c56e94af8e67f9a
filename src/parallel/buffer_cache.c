/*
 * parallel/buffer_cache.c - acquiring and releasing: through the cache of the caller's seat when
 * the block is of its node, else with the stock and the return list. parallel/buffer_pool.h says
 * how blocks move.
 */
#include "base/assert.h"
#include "base/status.h"
#include "parallel/buffer_pool.h"

static np_status check_pool(const np_buffer_pool *pool, const char *call)
{
    if (pool == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the pool is NULL", call);
    if (pool->generation != npi_os_process_generation())
        return npi_fail(NP_ERR_FORKED, "%s: the pool was created before fork", call);
    return NP_OK;
}

/* --- the cache: inside its bias ----------------------------------------------------------- */

/* The calling thread's cache for blocks of this node, or NULL. */
static npi_buffer_cache *own_cache(const np_buffer_pool *pool, const npi_stock *stock)
{
    npi_worker *worker = npi_places_worker(&pool->places);
    return worker != NULL && worker->node->index == stock->index ? &stock->caches[worker->seat]
                                                                 : NULL;
}

static void swap_chains(npi_buffer_cache *cache)
{
    npi_chain chain = cache->loaded;
    cache->loaded = cache->previous;
    cache->previous = chain;
}

static NPI_COLD np_status fill(npi_buffer_cache *cache, npi_stock *stock)
{
    if (cache->previous.head != NULL) {
        swap_chains(cache);
        return NP_OK;
    }
    npi_lock_acquire(&stock->lock);
    np_status status = npi_stock_take_locked(stock, stock->pool->batch, true, &cache->loaded);
    if (status == NP_OK) /* still under the lock: see raid */
        npi_owner_add(&cache->held, cache->loaded.count);
    npi_lock_release(&stock->lock);
    return status;
}

static np_status acquire_cached(npi_buffer_cache *cache, npi_stock *stock, npi_block **out)
{
    np_status status = NP_OK;
    bool quick = npi_bias_enter(&cache->bias);
    if (__builtin_expect(cache->loaded.head == NULL, 0))
        status = fill(cache, stock);
    if (__builtin_expect(status == NP_OK, 1)) {
        npi_block *block = cache->loaded.head;
        cache->loaded.head = npi_plain_get(&block->next);
        cache->loaded.count--;
        npi_owner_add(&cache->held, UINT32_MAX); /* minus one */
        npi_owner_add(&cache->acquired, (uint64_t)1);
        *out = block;
    }
    npi_bias_leave(&cache->bias, quick);
    return status;
}

/* Both chains are full: the older one goes to the stock. */
static NPI_COLD void spill(npi_buffer_cache *cache, npi_stock *stock)
{
    npi_lock_acquire(&stock->lock);
    npi_stock_put_locked(stock, cache->previous);
    stock->spills++; /* see raid */
    npi_lock_release(&stock->lock);
    npi_owner_add(&cache->held, 0u - cache->previous.count);
    cache->previous = (npi_chain){NULL, 0};
}

static void release_cached(npi_buffer_cache *cache, npi_stock *stock, npi_block *block)
{
    bool quick = npi_bias_enter(&cache->bias);
    if (__builtin_expect(cache->loaded.count == stock->pool->batch, 0)) {
        if (cache->previous.count == stock->pool->batch)
            spill(cache, stock);
        swap_chains(cache);
    }
    npi_plain_set(&block->next, cache->loaded.head);
    cache->loaded.head = block;
    cache->loaded.count++;
    npi_owner_add(&cache->held, 1u);
    npi_owner_add(&cache->released, (uint64_t)1);
    npi_bias_leave(&cache->bias, quick);
}

/* --- without a cache ---------------------------------------------------------------------- */

/* *spills is of the moment at which it looked. */
static np_status acquire_stock(npi_stock *stock, bool may_grow, uint64_t *spills, npi_block **out)
{
    npi_chain chain = {NULL, 0};
    npi_lock_acquire(&stock->lock);
    np_status status = npi_stock_take_locked(stock, 1, may_grow, &chain);
    if (status == NP_OK)
        npi_owner_add(&stock->taken, (uint64_t)1);
    *spills = stock->spills;
    npi_lock_release(&stock->lock);
    *out = chain.head;
    return status;
}

/* What a cache holds comes back, one block of it for the caller, who holds no cache and no stock.
 * False: it was empty. */
static bool raid_cache(npi_stock *stock, npi_buffer_cache *cache, npi_block **out)
{
    /* Relaxed: exact for whatever happened before, and more is not promised. It spares the owners
     * of empty caches. */
    if (npi_load_relaxed(&cache->held) == 0)
        return false;
    npi_bias_take(&cache->bias);
    npi_chain loaded = cache->loaded, previous = cache->previous;
    cache->loaded = cache->previous = (npi_chain){NULL, 0};
    npi_store_relaxed(&cache->held, 0u);
    npi_bias_give(&cache->bias);
    npi_chain *from = loaded.head != NULL ? &loaded : &previous;
    npi_block *block = from->head;
    if (block == NULL)
        return false;
    from->head = npi_plain_get(&block->next);
    from->count--;
    npi_lock_acquire(&stock->lock);
    npi_stock_put_locked(stock, loaded);
    npi_stock_put_locked(stock, previous);
    npi_owner_add(&stock->taken, (uint64_t)1);
    npi_lock_release(&stock->lock);
    *out = block;
    return true;
}

/*
 * The stock is dry. One raid at a time, and each looks into the stock first: so no block is on its
 * way from a cache to the stock, where nobody would see it, while another one looks. A block that
 * the stock has given to a cache shows in `held`, which is raised under the stock's lock.
 *
 * A chain that a cache spills goes the other way, behind the back of a raid that has looked into
 * the stock and not yet into that cache; another cache, which the raid has been at, may have it by
 * the time it looks into the stock again. So that look counts the spills, and while there was one
 * everything is looked at anew. Each such round takes a whole chain of somebody's releases.
 *
 * What may be missed is only what is being released meanwhile.
 */
static NPI_COLD bool raid(npi_stock *stock, npi_block **out)
{
    uint64_t before, spills;
    npi_lock_acquire(&stock->raid_lock);
    bool found = acquire_stock(stock, false, &spills, out) == NP_OK;
    do {
        before = spills;
        for (uint32_t i = 0; i < stock->cache_count && !found; i++)
            found = raid_cache(stock, &stock->caches[i], out);
        found = found || acquire_stock(stock, false, &spills, out) == NP_OK;
    } while (!found && spills != before);
    npi_lock_release(&stock->raid_lock);
    return found;
}

static np_status acquire_of(npi_stock *stock, npi_block **out)
{
    npi_buffer_cache *cache = own_cache(stock->pool, stock);
    uint64_t spills;
    np_status status = cache != NULL ? acquire_cached(cache, stock, out)
                                     : acquire_stock(stock, true, &spills, out);
    return __builtin_expect(status == NP_OK, 1) || raid(stock, out) ? NP_OK : status;
}

/* --- the calls ---------------------------------------------------------------------------- */

static __attribute__((noinline)) np_status acquire_from(np_buffer_pool *pool, np_node_index index,
                                                        void **out)
{
    npi_block *block = NULL;
    np_status status = acquire_of(&pool->stocks[index], &block);
    if (status != NP_OK && pool->options.empty == NP_BUFFER_EMPTY_NEAREST) {
        const np_node_index *order = &pool->order[(size_t)index * pool->places.count];
        for (uint32_t i = 1; i < pool->places.count && status != NP_OK; i++)
            status = acquire_of(&pool->stocks[order[i]], &block);
    }
    if (status == NP_ERR_LIMIT)
        return npi_fail(status, "all %zu buffers of node %d are in use",
                        pool->options.blocks_per_node, (int)pool->places.ids[index]);
    if (status != NP_OK)
        return status;
    npi_plain_set(&block->key, (uintptr_t)0); /* not free */
    *out = block;
    return NP_OK;
}

np_status np_buffer_acquire(np_buffer_pool *pool, void **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_acquire: out is NULL");
    *out = NULL;
    np_status status = check_pool(pool, "np_buffer_acquire");
    if (status != NP_OK)
        return status;
    npi_worker *worker = npi_places_worker(&pool->places);
    if (worker == NULL)
        return acquire_from(pool, npi_places_outside(&pool->places), out);
    npi_stock *stock = &pool->stocks[worker->node->index];
    npi_block *block;
    if (__builtin_expect(acquire_cached(&stock->caches[worker->seat], stock, &block) != NP_OK, 0))
        return acquire_from(pool, stock->index, out); /* which looks everywhere */
    npi_plain_set(&block->key, (uintptr_t)0);         /* not free */
    *out = block;
    return NP_OK;
}

np_status np_buffer_acquire_on(np_buffer_pool *pool, np_node_id node, void **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_acquire_on: out is NULL");
    *out = NULL;
    np_status status = check_pool(pool, "np_buffer_acquire_on");
    if (status != NP_OK)
        return status;
    np_node_index index = npi_places_index(&pool->places, node);
    if (index == NP_NODE_INDEX_NONE)
        return npi_fail(NP_ERR_INVALID_NODE, "np_buffer_acquire_on: no node %d", (int)node);
    return acquire_from(pool, index, out);
}

np_status np_buffer_release(np_buffer_pool *pool, void *memory)
{
    np_status status = check_pool(pool, "np_buffer_release");
    if (status != NP_OK || memory == NULL)
        return status;
    npi_slab *slab = npi_slab_find(pool, memory);
    if (slab == NULL || (size_t)((char *)memory - slab->begin) % pool->stride != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_buffer_release: %p is not a block of this pool", memory);
    npi_block *block = memory;
    /* Relaxed: an acquired block is older. Those that were never handed out bear no key. */
    if ((char *)memory >= npi_load_relaxed(&slab->carved) ||
        npi_plain_get(&block->key) == npi_buffer_key(pool, block))
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_buffer_release: %p is free already", memory);
    npi_plain_set(&block->key, npi_buffer_key(pool, block));
    npi_buffer_cache *cache = own_cache(pool, slab->stock);
    if (cache != NULL)
        release_cached(cache, slab->stock, block);
    else
        npi_returns_push(&slab->stock->returns, block);
    return NP_OK;
}
