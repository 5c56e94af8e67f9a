/*
 * Goal: a bounded buffer pool's node is empty only when all its blocks are in use, however they
 * move meanwhile between the caches of workers and the stock. Method: a worker spills a chain that
 * was free before anybody asked, empties its cache and keeps what it took, while a thread without a
 * cache asks for one block; another worker, by the seed, takes the chain into its own cache and one
 * block out of it. At each moment at least one block is free, and always the same ones: every
 * acquire has to find one.
 */
#include <stdio.h>

#include <numaperf/buffer_pool.h>
#include <numaperf/group.h>

#include "base/atomic.h"
#include "sim.h"

enum { WORKERS = 2, BATCH = 2, BLOCKS = BATCH * 8 * WORKERS, ROUNDS = 8 };

static struct {
    np_executor *executor;
    np_buffer_pool *pool;
    np_group *group;
    void *block[BLOCKS];
    np_atomic(uint32_t) in_use;
    np_atomic(uint32_t) others; /* may begin */
} the;

static uint64_t taken;

static void acquire(void)
{
    void *block = NULL;
    np_status status = np_buffer_acquire_on(the.pool, 0, &block);
    sim_check(status == NP_OK, "an acquire returned #", (uint64_t)status);
    the.block[npi_fetch_add_relaxed(&the.in_use, 1u)] = block;
    taken++;
}

static void release(uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        uint32_t last = npi_fetch_add_relaxed(&the.in_use, UINT32_MAX) - 1;
        sim_check_ok(np_buffer_release(the.pool, the.block[last]));
    }
}

/* Its cache is full, with twice a batch, when the others begin; one more, and the older chain goes.
 */
static void spill_and_empty(void *argument)
{
    (void)argument;
    release(2 * BATCH);
    void *one_more = the.block[npi_fetch_add_relaxed(&the.in_use, UINT32_MAX) - 1];
    npi_store_release(&the.others, 1u);
    sim_check_ok(np_buffer_release(the.pool, one_more));
    for (int i = 0; i < BATCH + 1; i++)
        acquire();
}

static void take_one(void *argument)
{
    (void)argument;
    while (npi_load_acquire(&the.others) == 0)
        npi_cpu_relax();
    acquire();
}

static void fill_up(void *argument)
{
    (void)argument;
    while (npi_load_relaxed(&the.in_use) < BLOCKS)
        acquire();
}

static void submit(np_task_fn fn)
{
    sim_check_ok(np_group_submit_to_node(the.group, the.executor, 0, fn, NULL));
}

static void raid(void *argument)
{
    (void)argument;
    np_topology *topology = sim_topology();
    np_executor_options options = {
        .size = sizeof options, .workers_per_node = WORKERS, .ignore_environment = true};
    sim_check_ok(np_executor_create(topology, &options, &the.executor));
    np_topology_destroy(topology);
    np_buffer_pool_options pool = {
        .size = sizeof pool, .block_bytes = 64, .blocks_per_node = BLOCKS};
    sim_check_ok(np_buffer_pool_create(the.executor, &pool, &the.pool));
    sim_check_ok(np_group_create(NULL, &the.group));
    npi_atomic_init(&the.in_use, 0u);
    for (int round = 0; round < ROUNDS; round++) {
        npi_atomic_init(&the.others, 0u);
        submit(fill_up);
        sim_check_ok(np_group_wait(the.group));
        submit(spill_and_empty);
        if (sim_random(2) == 0)
            submit(take_one);
        take_one(NULL);
        sim_check_ok(np_group_wait(the.group));
    }
    sim_check_ok(np_group_destroy(the.group));
    np_buffer_pool_destroy(the.pool);
    sim_check_ok(np_executor_destroy(the.executor));
}

static const sim_case cases[] = {
    {.name = "raid",
     .scenario = raid,
     .config = {.machine = "numa:1 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS}},
};

int main(int argc, char **argv)
{
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof *cases);
    printf("%llu blocks acquired\n", (unsigned long long)taken);
    return failed;
}
