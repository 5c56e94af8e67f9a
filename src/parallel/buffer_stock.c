/*
 * parallel/buffer_stock.c - a node's stock of blocks, the slabs it has them from, and whose a block
 * is: parallel/buffer_pool.h.
 *
 * Slabs are not larger than a granule, a power of two of address space, so each lies in at most
 * two of them and is entered in the table under both. A look-up begins at the address's granule and
 * compares the ranges of the slabs it finds on the way to the next empty entry: few, for the table
 * is at most half full.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"
#include "parallel/buffer_pool.h"

/* --- the table of slabs ------------------------------------------------------------------- */

static size_t table_bytes(size_t room)
{
    return sizeof(npi_slab_table) + room * sizeof(npi_slab *);
}

static npi_slab_table *new_table(size_t slabs)
{
    size_t room = 8;
    while (room < 4 * slabs)
        room *= 2;
    npi_slab_table *table = npi_alloc(table_bytes(room), 0);
    if (table != NULL)
        table->room = room;
    return table;
}

static size_t place_of(uintptr_t granule, size_t room)
{
    /* Fibonacci hashing (Knuth, volume 3, 6.4): neighbours are spread. */
    return (size_t)((granule * UINT64_C(0x9e3779b97f4a7c15)) >> 32) & (room - 1);
}

static void enter_granule(npi_slab_table *table, npi_slab *slab, uintptr_t granule)
{
    size_t at = place_of(granule, table->room);
    while (npi_load_relaxed(&table->entry[at]) != NULL) /* by grow_lock: only we write */
        at = (at + 1) & (table->room - 1);
    /* Release: the slab, to npi_slab_find. */
    npi_store_release(&table->entry[at], slab);
    table->used++;
}

static void enter(const np_buffer_pool *pool, npi_slab_table *table, npi_slab *slab)
{
    uintptr_t first = (uintptr_t)slab->begin >> pool->granule_shift;
    uintptr_t last = ((uintptr_t)slab->end - 1) >> pool->granule_shift;
    NPI_INVARIANT(last - first <= 1);
    enter_granule(table, slab, first);
    if (last != first)
        enter_granule(table, slab, last);
}

np_status npi_slab_table_init(np_buffer_pool *pool, size_t slabs)
{
    npi_slab_table *table = new_table(slabs);
    if (table == NULL)
        return npi_fail_memory(table_bytes(4 * slabs), "the slabs of a buffer pool");
    npi_atomic_init(&pool->table, table);
    return NP_OK;
}

void npi_slab_table_free(np_buffer_pool *pool)
{
    npi_slab_table *table = npi_load_relaxed(&pool->table); /* nobody else is left */
    while (table != NULL) {
        npi_slab_table *older = table->older;
        npi_free(table, table_bytes(table->room));
        table = older;
    }
}

/* By grow_lock: room for one more slab, in a table twice as large if need be. */
static np_status make_room(np_buffer_pool *pool)
{
    npi_slab_table *old = npi_load_relaxed(&pool->table);
    if (2 * (old->used + 2) <= old->room)
        return NP_OK;
    npi_slab_table *table = new_table(old->room / 2);
    if (table == NULL)
        return npi_fail_memory(table_bytes(2 * old->room), "the slabs of a buffer pool");
    for (npi_slab *slab = pool->entered; slab != NULL; slab = slab->next_entered)
        enter(pool, table, slab);
    table->older = old;
    /* Release: the table, to npi_slab_find. Whoever has a block of a later slab sees this one. */
    npi_store_release(&pool->table, table);
    return NP_OK;
}

npi_slab *npi_slab_find(const np_buffer_pool *given, const void *address)
{
    np_buffer_pool *pool = (np_buffer_pool *)(uintptr_t)given; /* its atomics are only read */
    /* Acquire, here and below: the table and the slab, from make_room and enter_granule. */
    npi_slab_table *table = npi_load_acquire(&pool->table);
    size_t at = place_of((uintptr_t)address >> pool->granule_shift, table->room);
    for (;;) {
        npi_slab *slab = npi_load_acquire(&table->entry[at]);
        if (slab == NULL)
            return NULL;
        if ((uintptr_t)address - (uintptr_t)slab->begin < (size_t)(slab->end - slab->begin))
            return slab;
        at = (at + 1) & (table->room - 1);
    }
}

/* --- growing ------------------------------------------------------------------------------ */

static np_status enter_slab(np_buffer_pool *pool, npi_slab *slab)
{
    npi_lock_acquire(&pool->grow_lock);
    np_status status = make_room(pool);
    if (status == NP_OK) {
        enter(pool, npi_load_relaxed(&pool->table), slab);
        slab->next_entered = pool->entered;
        pool->entered = slab;
    }
    npi_lock_release(&pool->grow_lock);
    return status;
}

np_status npi_stock_grow_locked(npi_stock *stock, size_t blocks)
{
    np_buffer_pool *pool = stock->pool;
    npi_slab *slab = npi_alloc(sizeof *slab, 0);
    if (slab == NULL)
        return npi_fail_memory(sizeof *slab, "a slab of buffers");
    np_status status = npi_places_map(&pool->places, pool->topology, stock->index,
                                      blocks * pool->stride, pool->options.hard_mode,
                                      pool->options.huge_pages, &slab->region);
    if (status != NP_OK) {
        npi_free(slab, sizeof *slab);
        return status;
    }
    slab->stock = stock;
    slab->begin = np_region_data(slab->region);
    slab->end = slab->begin + blocks * pool->stride;
    npi_atomic_init(&slab->carved, slab->begin);
    status = enter_slab(pool, slab);
    if (status != NP_OK) {
        np_region_destroy(slab->region);
        npi_free(slab, sizeof *slab);
        return status;
    }
    slab->next = stock->slabs;
    stock->slabs = slab;
    stock->fresh = slab->begin;
    stock->fresh_end = slab->end;
    npi_owner_add(&stock->total, (uint64_t)blocks); /* by the lock: a figure */
    return NP_OK;
}

/* --- taking and putting ------------------------------------------------------------------- */

static npi_chain carve(npi_stock *stock, uint32_t want)
{
    npi_chain chain = {NULL, 0};
    const np_buffer_pool *pool = stock->pool;
    while (chain.count < want && stock->fresh < stock->fresh_end) {
        npi_block *block = (npi_block *)(void *)stock->fresh;
        stock->fresh += pool->stride;
        npi_plain_set(&block->next, chain.head);
        npi_plain_set(&block->key, npi_buffer_key(pool, block));
        chain.head = block;
        chain.count++;
    }
    /* Relaxed: whoever has one of these blocks has it from here. The newest slab is the fresh one.
     */
    npi_store_relaxed(&stock->slabs->carved, stock->fresh);
    return chain;
}

static npi_block *pop_full(npi_stock *stock)
{
    npi_block *chain = stock->full;
    if (chain != NULL)
        stock->full = npi_plain_get(&chain->chain);
    return chain;
}

np_status npi_stock_take_locked(npi_stock *stock, uint32_t want, bool may_grow, npi_chain *out)
{
    const np_buffer_pool *pool = stock->pool;
    if (want == pool->batch && stock->full != NULL) {
        *out = (npi_chain){pop_full(stock), pool->batch};
        return NP_OK;
    }
    if (stock->loose == NULL)
        stock->loose = pop_full(stock);
    if (stock->loose == NULL)
        stock->loose = npi_returns_take(&stock->returns);
    if (stock->loose == NULL) {
        np_status status = NP_OK;
        if (stock->fresh == stock->fresh_end)
            status = pool->options.blocks_per_node != 0 || !may_grow
                         ? NP_ERR_LIMIT
                         : npi_stock_grow_locked(stock, pool->growth);
        if (status == NP_OK)
            *out = carve(stock, want);
        return status;
    }
    npi_block *last = stock->loose;
    *out = (npi_chain){last, 1};
    for (; out->count < want && npi_plain_get(&last->next) != NULL; out->count++)
        last = npi_plain_get(&last->next);
    stock->loose = npi_plain_get(&last->next);
    npi_plain_set(&last->next, (npi_block *)NULL);
    return NP_OK;
}

void npi_stock_put_locked(npi_stock *stock, npi_chain chain)
{
    if (chain.count == stock->pool->batch) {
        npi_plain_set(&chain.head->chain, stock->full);
        stock->full = chain.head;
        return;
    }
    while (chain.head != NULL) {
        npi_block *block = chain.head;
        chain.head = npi_plain_get(&block->next);
        npi_plain_set(&block->next, stock->loose);
        stock->loose = block;
    }
}

/* --- beginning and end -------------------------------------------------------------------- */

np_status npi_stock_init(npi_stock *stock, const np_executor *executor)
{
    np_buffer_pool *pool = stock->pool;
    const npi_node *node = executor->nodes[stock->index];
    npi_returns_init(&stock->returns);
    npi_lock_init(&stock->lock);
    npi_lock_init(&stock->raid_lock);
    npi_atomic_init(&stock->total, (uint64_t)0);
    npi_atomic_init(&stock->taken, (uint64_t)0);
    uint32_t seats = node->regular + node->spares + node->guests;
    if (seats != 0) {
        np_status status = npi_places_map(&pool->places, pool->topology, stock->index,
                                          seats * sizeof *stock->caches, NP_HARD_MODE_SOFT,
                                          NP_HUGE_PAGES_DEFAULT, &stock->cache_region);
        if (status != NP_OK)
            return status;
        stock->caches = np_region_data(stock->cache_region);
        stock->cache_count = seats;
        for (uint32_t i = 0; i < seats; i++)
            npi_bias_init(&stock->caches[i].bias);
    }
    size_t blocks = pool->options.blocks_per_node;
    return blocks != 0 ? npi_stock_grow_locked(stock, blocks) : NP_OK;
}

void npi_stock_free(npi_stock *stock)
{
    while (stock->slabs != NULL) {
        npi_slab *slab = stock->slabs;
        stock->slabs = slab->next;
        np_region_destroy(slab->region);
        npi_free(slab, sizeof *slab);
    }
    np_region_destroy(stock->cache_region);
}
