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

/* --- the hot path allocates nothing ------------------------------------------------------- */

static void count_copied(void *argument)
{
    pool_task_count(*(void **)argument);
}

static void fork_some(void *argument)
{
    for (unsigned i = 0; i < 10; i++)
        np_fork(pool_task_count, argument);
    for (unsigned i = 0; i < 10; i++)
        np_join();
}

static uintptr_t fork_fast_child(np_worker *self, uintptr_t argument)
{
    (void)self;
    pool_task_count((void *)argument);
    return argument;
}

static uintptr_t fork_fast(np_worker *self, uintptr_t argument)
{
    np_fast_fork(self, fork_fast_child, argument);
    pool_task_count((void *)argument);
    return np_fast_join(self, fork_fast_child, argument);
}

static void count_indices(void *count, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        pool_task_count(count);
}

static void every_form(np_executor *executor, np_group *group, pool_counter *count)
{
    np_task batch[50];
    for (unsigned i = 0; i < 50; i++)
        batch[i] = (np_task){pool_task_count, count};
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(np_submit(executor, pool_task_count, count), NP_OK);
        assert_int_equal(np_submit_to_node(executor, 0, fork_some, count), NP_OK);
        assert_int_equal(np_group_submit(group, executor, pool_task_count, count), NP_OK);
        assert_int_equal(np_submit_batch(executor, 0, batch, 50, NULL), NP_OK);
        assert_int_equal(np_submit_copy_to_node(executor, 0, count_copied, &count, sizeof count),
                         NP_OK);
        assert_int_equal(np_group_wait(group), NP_OK);
        assert_int_equal(np_run_fast(executor, 0, fork_fast, (uintptr_t)count, NULL), NP_OK);
        assert_int_equal(np_parallel_for(executor, 0, 30, NULL, count_indices, count), NP_OK);
    }
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
}

static void test_no_allocation(void **state)
{
    (void)state;
    unit_allocator allocator;
    pool_counter count = {0};
    np_group *group = NULL;
    unit_allocator_install(&allocator);
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    every_form(executor, group, &count); /* the queues reach their high-water mark */
    size_t calls = allocator.calls;
    uint64_t segments = usage_of(executor).segments;
    for (unsigned round = 0; round < 5; round++)
        every_form(executor, group, &count);
    assert_int_equal(allocator.calls, calls);
    /* Another schedule may let a queue grow by a segment of 2,048 cells, never by one per task. */
    assert_in_range(usage_of(executor).segments, segments, segments + 4);
    assert_int_equal(np_group_destroy(group), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(allocator.held_blocks, 0);
    assert_int_equal(allocator.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 6 * 200 * (1 + 10 + 1 + 50 + 1 + 2 + 30));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_queue),
        cmocka_unit_test(test_no_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
