/*
 * Goal: queues take what they need and no more: 32 bytes per plain task, nothing new below the
 * high-water mark, and pages given back when the node has fallen asleep. Method: one worker held by
 * a gate while a long queue builds up; the pool's own account.
 */
#include "executor/executor.h"

#include "../support/pool.h"

enum { TASKS = 200000 };

static void build_up(np_executor *executor, pool_gate *gate, pool_counter *count)
{
    assert_int_equal(np_submit(executor, pool_task_gate, gate), NP_OK);
    pool_gate_await(gate, 1);
    for (unsigned i = 0; i < TASKS; i++)
        assert_int_equal(np_submit(executor, pool_task_count, count), NP_OK);
}

static npi_segment_usage usage_of(np_executor *executor)
{
    npi_segment_usage usage;
    npi_segment_pool_get_usage(&executor->nodes[0]->pool, &usage);
    return usage;
}

static void test_long_queue(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    uint64_t segments = 0;
    for (unsigned round = 0; round < 3; round++) {
        pool_gate gate = {0, 0};
        build_up(executor, &gate, &count);
        npi_segment_usage usage = usage_of(executor);
        assert_in_range(usage.mapped_bytes, TASKS * 32ull, TASKS * 32ull + 2 * NPI_SEGMENT_BYTES);
        if (round == 0)
            segments = usage.segments;
        assert_in_range(usage.segments, segments, segments + 1); /* the same ones again */
        pool_gate_open(&gate);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        /* The worker trims on its way to sleep, which nothing announces: look until it has. */
        np_atomic(uint32_t) nobody = 0;
        for (unsigned i = 0; i < 20000; i++) {
            usage = usage_of(executor);
            if (usage.free - usage.discarded <= 4)
                break;
            (void)npi_os_futex_wait(&nobody, 0, npi_os_deadline(1000000));
        }
        assert_in_range(usage.free - usage.discarded, 0, 4);
        assert_true(usage.discarded > segments / 2);
    }
    pool_destroy_exact(executor, 3 * (TASKS + 1), 0);
    assert_int_equal(npi_load_acquire(&count.value), 3 * TASKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_queue),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
