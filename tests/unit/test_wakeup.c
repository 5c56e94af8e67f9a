/*
 * Goal: how many are woken, counted and not timed: one by a submit to a sleeping node, none while
 * somebody is looking, the next one by the woken; and that a busy-polling worker never sleeps. That
 * seats of sleepers are passed over, and those of the others are not. Method: gates, the counts of
 * wake-ups and parks, and a search begun by hand, so that nothing depends on who is faster.
 */
#include <sched.h>

#include "../support/parked.h"
#include "../support/pool.h"
#include "executor/executor.h"

#define WORKERS 4u

static uint64_t counted(np_executor *executor, np_counter which)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        sum += npi_counter_read(&executor->seats[i]->counters, which);
    return sum;
}

static uint64_t outside_wakes(np_executor *executor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->node_count; i++)
        sum += npi_load_relaxed(&executor->nodes[i]->sleepers.outside_wakes);
    return sum;
}

static void await_all_asleep(np_executor *executor)
{
    parked_await(executor, executor->regular_count);
}

static void test_a_submit_wakes_one(void **state)
{
    (void)state;
    pool_gate gate = {0};
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    await_all_asleep(executor);
    uint64_t outside = outside_wakes(executor), inside = counted(executor, NP_COUNTER_WAKES);
    assert_int_equal(np_submit_to_node(executor, 0, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    assert_int_equal(outside_wakes(executor), outside + 1);
    assert_int_equal(counted(executor, NP_COUNTER_WAKES), inside); /* there was nothing more */
    assert_int_equal(npi_sleepers_count(&executor->nodes[0]->sleepers), WORKERS - 1);
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 1, 0);
}

static void test_a_burst_wakes_in_a_chain(void **state)
{
    (void)state;
    pool_gate gate = {0};
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    npi_node *node = executor->nodes[0];
    await_all_asleep(executor);
    uint64_t outside = outside_wakes(executor), inside = counted(executor, NP_COUNTER_WAKES);
    npi_sleepers_search_begin(&node->sleepers); /* somebody is looking */
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(np_submit_to_node(executor, 0, pool_task_gate, &gate), NP_OK);
    assert_int_equal(outside_wakes(executor), outside);
    assert_int_equal(npi_sleepers_count(&node->sleepers), WORKERS);
    assert_true(npi_sleepers_search_end(&node->sleepers));
    npi_wake_next(node, NULL, false);
    pool_gate_await(&gate, WORKERS);
    assert_int_equal(outside_wakes(executor), outside + 1); /* ours */
    assert_int_equal(counted(executor, NP_COUNTER_WAKES), inside + WORKERS - 1);
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 100, 0);
}

static void submit_and_pass(void *argument)
{
    pool_gate *gate = argument;
    np_executor *executor = npi_worker_self()->executor;
    assert_int_equal(np_submit_to_node(executor, 0, pool_task_gate, gate), NP_OK);
    pool_gate_pass(gate);
}

/* Two words of seats, so that the masks of both are used: the last seat's own queue is found. */
static void test_queues_of_the_awake_are_found(void **state)
{
    (void)state;
    enum { MANY = 70 };
    pool_gate all = {0}, two = {0};
    np_executor *executor = pool_create("numa:1 core:1 pu:1",
                                        NP_EXECUTOR_OPTIONS(.workers_per_node = MANY));
    npi_node *node = executor->nodes[0];
    for (unsigned i = 0; i < MANY; i++)
        assert_int_equal(np_submit_to_node(executor, 0, pool_task_gate, &all), NP_OK);
    pool_gate_await(&all, MANY);
    assert_false(npi_sleepers_any(&node->sleepers));
    pool_gate_open(&all);
    await_all_asleep(executor);
    assert_true(npi_sleepers_all(&node->sleepers, MANY));
    assert_int_equal(npi_sources_look(node, NULL).kind, NPI_LOOK_NOTHING);
    /* All but seat 69 are held asleep by nobody: whoever takes the first, a sibling takes the
     * second out of its queue, past all those that sleep. */
    assert_int_equal(np_submit_to_node(executor, 0, submit_and_pass, &two), NP_OK);
    pool_gate_await(&two, 2);
    assert_false(npi_sleepers_all(&node->sleepers, MANY));
    assert_int_equal(npi_sleepers_count(&node->sleepers), MANY - 2);
    pool_gate_open(&two);
    pool_destroy_exact(executor, MANY + 2, 0);
}

static void test_all_of_the_first(void **state)
{
    (void)state;
    npi_sleepers sleepers;
    npi_sleepers_init(&sleepers, 130, 130);
    assert_true(npi_sleepers_all(&sleepers, 0));
    for (uint32_t seat = 0; seat < 129; seat++) {
        assert_false(npi_sleepers_all(&sleepers, seat + 1));
        npi_sleepers_enter(&sleepers, seat);
        assert_true(npi_sleepers_all(&sleepers, seat + 1));
    }
    assert_false(npi_sleepers_all(&sleepers, 130));
    assert_true(npi_sleepers_leave(&sleepers, 64));
    assert_false(npi_sleepers_leave(&sleepers, 64));
    assert_true(npi_sleepers_all(&sleepers, 64));
    assert_false(npi_sleepers_all(&sleepers, 65));
    assert_false(npi_sleepers_all(&sleepers, 129));
}

/* --- spinning --------------------------------------------------------------------------------- */

static void test_busy_polling_never_sleeps(void **state)
{
    (void)state;
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0 && CPU_COUNT(&usable) < 2) {
        print_message("one CPU: the option is ignored\n");
        skip();
    }
    np_executor *executor = pool_create(ONE_BY_TWO, NP_EXECUTOR_OPTIONS(.spin_ns = NP_SPIN_BUSY));
    pool_counter count = {0};
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(np_submit_to_node(executor, 0, pool_task_count, &count), NP_OK);
        /* Those who wait for quiet are told by pollers, too. */
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        assert_int_equal(npi_load_acquire(&count.value), i + 1);
    }
    assert_int_equal(outside_wakes(executor), 0);
    assert_int_equal(counted(executor, NP_COUNTER_WAKES), 0);
    assert_int_equal(counted(executor, NP_COUNTER_PARKS), 0);
    pool_destroy_exact(executor, 50, 0);
}

/* A group wait with a deadline that nobody meets: the poller inside it looks at the clock. */
typedef struct late {
    np_group *group;
    np_status status;
} late;

static void wait_in_vain(void *argument)
{
    late *l = argument;
    l->status = np_group_wait_for(l->group, 2000000);
}

static void test_busy_polling_keeps_deadlines(void **state)
{
    (void)state;
    pool_gate gate = {0};
    late l = {NULL, NP_OK};
    assert_int_equal(np_group_create(NULL, &l.group), NP_OK);
    np_executor *executor = pool_create(ONE_BY_TWO, NP_EXECUTOR_OPTIONS(.spin_ns = NP_SPIN_BUSY));
    assert_int_equal(np_group_submit_to_node(l.group, executor, 0, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    assert_int_equal(np_submit_to_node(executor, 0, wait_in_vain, &l), NP_OK);
    for (np_executor_load load = {0}; load.executed == 0; sched_yield())
        assert_int_equal(np_executor_load_now(executor, &load), NP_OK);
    assert_int_equal(l.status, NP_ERR_TIMEOUT);
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 2, 0);
    np_group_destroy(l.group);
}

static void test_spin_learns(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NP_EXECUTOR_OPTIONS(.spin_ns = 100000));
    npi_worker *first = executor->seats[0];
    pool_counter count = {0};
    /* All that a worker spins here is in vain: it goes to sleep before the next task comes. */
    for (unsigned i = 0; i < 40; i++) {
        assert_int_equal(np_submit_to_node(executor, 0, pool_task_count, &count), NP_OK);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        await_all_asleep(executor);
    }
    assert_int_equal(np_executor_shutdown(executor), NP_OK); /* its fields are ours now */
    cpu_set_t usable;
    if (sched_getaffinity(0, sizeof usable, &usable) == 0 && CPU_COUNT(&usable) < 2)
        assert_int_equal(first->spin.longest_ns, 0); /* one CPU: never */
    else
        assert_int_equal(first->spin.longest_ns, 100000);
    assert_int_equal(first->spin.now_ns, 0);
    pool_destroy_exact(executor, 40, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_submit_wakes_one),
        cmocka_unit_test(test_a_burst_wakes_in_a_chain),
        cmocka_unit_test(test_queues_of_the_awake_are_found),
        cmocka_unit_test(test_all_of_the_first),
        cmocka_unit_test(test_busy_polling_never_sleeps),
        cmocka_unit_test(test_busy_polling_keeps_deadlines),
        cmocka_unit_test(test_spin_learns),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
