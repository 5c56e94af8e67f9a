/*
 * tests/fault/cases_buffer.c - buffer pools: making them, growing, raiding a sleeping worker's
 * cache, with and without a kernel that makes other threads execute fences.
 */
#include "cases.h"

static void prepare_virtual(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
}

static void prepare_real(fault_run *run)
{
    fault_make_executor(run, NULL);
}

/* All blocks of the first node, each once, and back. */
static void check_all(fault_run *run, uint64_t expected)
{
    void *blocks[16];
    np_node_id node = np_topology_node_id(run->topology, 0);
    for (uint64_t i = 0; i < expected; i++)
        FAULT_NEED(np_buffer_acquire_on(run->pool, node, &blocks[i]));
    np_buffer_counts counts;
    FAULT_NEED(np_buffer_pool_counts(run->pool, node, &counts));
    FAULT_CHECK(counts.free == 0 && counts.in_use == expected);
    for (uint64_t i = 0; i < expected; i++)
        FAULT_NEED(np_buffer_release(run->pool, blocks[i]));
}

static void create(fault_run *run, size_t blocks, np_hard_mode mode, np_huge_pages huge)
{
    run->pool = (np_buffer_pool *)(uintptr_t)8;
    FAULT_CALL(run, np_buffer_pool_create(
                        run->executor,
                        NP_BUFFER_POOL_OPTIONS(.block_bytes = 100, .blocks_per_node = blocks,
                                               .hard_mode = mode, .huge_pages = huge),
                        &run->pool));
    if (run->status != NP_OK)
        FAULT_CHECK(run->pool == NULL);
    else if (blocks != 0)
        check_all(run, blocks);
}

static void create_bounded(fault_run *run)
{
    create(run, 16, NP_HARD_MODE_SOFT, NP_HUGE_PAGES_DEFAULT);
}

static void create_strict(fault_run *run)
{
    create(run, 16, NP_HARD_MODE_STRICT, NP_HUGE_PAGES_DEFAULT);
}

static void create_huge(fault_run *run)
{
    create(run, 0, NP_HARD_MODE_SOFT, NP_HUGE_PAGES_TRANSPARENT);
}

static void prepare_growing(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_buffer_pool_create(run->executor, NP_BUFFER_POOL_OPTIONS(.block_bytes = 100),
                                     &run->pool));
}

/* A failure leaves the stock as it was, and the next call finds memory. */
static void again(fault_run *run, bool fired)
{
    (void)fired;
    void *block = NULL;
    FAULT_CHECK((run->status == NP_OK) == (run->block != NULL));
    FAULT_NEED(np_buffer_acquire_on(run->pool, 0, &block));
    FAULT_CHECK(block != run->block);
}

static void grow(fault_run *run)
{
    run->block = run;
    FAULT_CALL(run, np_buffer_acquire_on(run->pool, 0, &run->block));
}

/* Which node's, where the thread is cannot be read, is of no consequence. */
static void grow_here(fault_run *run)
{
    run->block = run;
    FAULT_CALL(run, np_buffer_acquire(run->pool, &run->block));
}

static void cache_one(void *argument)
{
    fault_run *run = argument;
    void *block = NULL;
    FAULT_NEED(np_buffer_acquire(run->pool, &block));
    FAULT_NEED(np_buffer_release(run->pool, block));
}

static void prepare_cached(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_buffer_pool_create(
        run->executor, NP_BUFFER_POOL_OPTIONS(.block_bytes = 100, .blocks_per_node = 1),
        &run->pool));
    fault_in_task(run, cache_one);
}

static void raid(fault_run *run)
{
    FAULT_CALL(run, np_buffer_acquire_on(run->pool, 0, &run->block));
    FAULT_CHECK(run->block != NULL);
}

static void prepare_block(fault_run *run)
{
    prepare_growing(run);
    FAULT_NEED(np_buffer_acquire_on(run->pool, 0, &run->block));
}

static void destroy(fault_run *run)
{
    FAULT_DO(run, np_buffer_pool_destroy(run->pool));
    run->pool = NULL;
}

static void release(fault_run *run)
{
    FAULT_CALL(run, np_buffer_release(run->pool, run->block));
}

static void ask_node(fault_run *run)
{
    FAULT_DO(run, (void)np_buffer_node(run->pool, run->block));
}

static void ask_bytes(fault_run *run)
{
    FAULT_DO(run, (void)np_buffer_pool_block_bytes(run->pool));
}

static void ask_counts(fault_run *run)
{
    np_buffer_counts counts;
    FAULT_CALL(run, np_buffer_pool_counts(run->pool, 0, &counts));
}

#define LOOKS(name, call_it)                                                        \
    {                                                                               \
        .function = name, .variant = "", .prepare = prepare_block, .call = call_it, \
        .pure = "works in the memory that is there"                                 \
    }

static const fault_case cases[] = {
    {.function = "np_buffer_pool_create",
     .variant = "virtual",
     .prepare = prepare_virtual,
     .call = create_bounded,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_buffer_pool_create",
     .variant = "soft",
     .prepare = prepare_real,
     .call = create_bounded,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_buffer_pool_create",
     .variant = "strict",
     .prepare = prepare_real,
     .call = create_strict,
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE}},
    {.function = "np_buffer_pool_create",
     .variant = "huge",
     .prepare = prepare_real,
     .call = create_huge,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_buffer_acquire_on",
     .variant = "growth",
     .prepare = prepare_growing,
     .call = grow,
     .check = again,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_buffer_acquire_on",
     .variant = "raid",
     .prepare = prepare_cached,
     .call = raid,
     .perhaps_none = true},
    {.function = "np_buffer_acquire",
     .variant = "",
     .prepare = prepare_growing,
     .call = grow_here,
     .check = again,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_buffer_pool_destroy",
     .variant = "",
     .prepare = prepare_block,
     .call = destroy},
    LOOKS("np_buffer_release", release),
    LOOKS("np_buffer_node", ask_node),
    LOOKS("np_buffer_pool_block_bytes", ask_bytes),
    LOOKS("np_buffer_pool_counts", ask_counts),
};
FAULT_LIST(fault_buffer_cases, cases);
