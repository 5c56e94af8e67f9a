/*
 * What nobody shares: adding to a sharded counter, a worker and a thread outside in turns, so that
 * a line they both wrote would travel in each step; and a block out of a pool and back, on its
 * node's worker.
 */
#include "walk.h"

#if defined(NPT_COUNT_LINES)
#include "lines.h"
#else
#define count_lines_step() ((void)0)
#endif

static np_atomic(uint32_t) turn;
static np_sharded_counter *counter;
static uint32_t added, adds;

static void add_in_turns(void *argument)
{
    (void)argument;
    begin("worker", adds);
    for (uint32_t i = 1; i <= adds; i++) {
        await(&turn, 2 * (added + i) - 1);
        np_sharded_counter_add(counter, 1);
        raise_to(&turn, 2 * (added + i));
    }
    end();
}

void path_count(void)
{
    create(1);
    check(np_sharded_counter_create(executor, &counter), "counter");
    np_sharded_counter_add(counter, 0); /* this thread has its number */
    for (uint32_t walk = 1; walk <= 2; walk++) {
        adds = walk * WAKES;
        check(np_submit_to_node(executor, node, add_in_turns, NULL), "task");
        begin("outside", adds);
        for (uint32_t i = 1; i <= adds; i++) {
            count_lines_step();
            np_sharded_counter_add(counter, 1);
            raise_to(&turn, 2 * (added + i) - 1);
            await(&turn, 2 * (added + i));
        }
        end();
        await_asleep(1);
        added += adds;
    }
    if (np_sharded_counter_read(counter) != 2 * (uint64_t)added)
        check(NP_ERR_FAILED, "the sum");
    np_sharded_counter_destroy(counter);
}

static np_buffer_pool *pool;

static void out_and_back(unsigned steps)
{
    void *block = NULL;
    for (unsigned i = 0; i < steps; i++) {
        check(np_buffer_acquire(pool, &block), "acquire");
        check(np_buffer_release(pool, block), "release");
    }
}

static void use_blocks(void *argument)
{
    (void)argument;
    out_and_back(1); /* the cache is filled */
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin("own", walk * WAKES);
        out_and_back(walk * WAKES);
        end();
    }
}

void path_buffer(void)
{
    create(1);
    check(np_buffer_pool_create(executor, NP_BUFFER_POOL_OPTIONS(.block_bytes = 2048), &pool),
          "pool");
    check(np_run(executor, node, use_blocks, NULL), "run");
    np_buffer_pool_destroy(pool);
}
