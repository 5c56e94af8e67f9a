/*
 * Goal: a shutdown does not wait for CPUs that may never come back: what only a vanished node may
 * run is handed back, once, with its reason, also what running tasks still submit; and a node that
 * goes, or comes back, in the middle of a shutdown changes nothing about that. Method: virtual
 * machines, gates, and a second thread that shuts down.
 */
#include "../support/parked.h"
#include "../support/refresh.h"

typedef struct hand_back {
    np_atomic(uint64_t) gone;
    np_atomic(uint64_t) other;
} hand_back;

static void take_back(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    (void)fn;
    (void)argument;
    hand_back *h = context;
    npi_fetch_add_relaxed(reason == NP_DISCARD_NODE_GONE ? &h->gone : &h->other, (uint64_t)1);
}

static void test_strict_tasks_come_back(void **state)
{
    (void)state;
    hand_back back = {0, 0};
    refresh_places p = {0};
    np_group *group = NULL;
    np_executor *executor = pool_create(
        FOUR_NODES, NP_EXECUTOR_OPTIONS(.on_discard = take_back, .discard_context = &back));
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    (void)refresh_to(executor, "0,2-3");
    refresh_submit(executor, 1, NP_AFFINITY_STRICT, group, 100, &p);
    refresh_submit(executor, 1, NP_AFFINITY_PREFERRED, NULL, 50, &p);
    pool_destroy_exact(executor, 50, 100);
    assert_int_equal(npi_load_acquire(&back.gone), 100);
    assert_int_equal(npi_load_acquire(&back.other), 0);
    unit_expect_failure(np_group_wait(group), NP_ERR_NODE_GONE, "no usable CPU");
    assert_int_equal(np_group_destroy(group), NP_OK);
}

static void test_local_only_comes_back(void **state)
{
    (void)state;
    hand_back back = {0, 0};
    refresh_places p = {0};
    np_executor *executor = pool_create(
        TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY,
                                        .on_discard = take_back, .discard_context = &back));
    (void)refresh_to(executor, "2-3");
    for (int affinity = 0; affinity <= NP_AFFINITY_ANY; affinity++) {
        refresh_submit(executor, 0, (np_task_affinity)affinity, NULL, 30, &p);
        refresh_submit(executor, 1, (np_task_affinity)affinity, NULL, 30, &p);
    }
    pool_destroy_exact(executor, 90, 90);
    assert_int_equal(npi_load_acquire(&back.gone), 90);
    assert_int_equal(npi_load_acquire(&p.ran[1]), 90);
}

/* --- in the middle of one -------------------------------------------------------------------- */

typedef struct ending {
    npi_os_thread thread;
    np_executor *executor;
    pool_gate gate;
    refresh_places p;
    np_status status;
} ending;

static void shut_down(void *argument)
{
    ending *e = argument;
    e->status = np_executor_shutdown(e->executor);
}

/* Waits on node 0 until the test lets it go, then submits strict tasks to node 1. */
static void late_parent(void *argument)
{
    ending *e = argument;
    pool_gate_pass(&e->gate);
    refresh_submit(e->executor, 1, NP_AFFINITY_STRICT, NULL, 40, &e->p);
}

static void begin(ending *e, hand_back *back, np_task_fn fn, np_node_id node)
{
    e->executor = pool_create(
        FOUR_NODES, NP_EXECUTOR_OPTIONS(.on_discard = take_back, .discard_context = back));
    np_submit_options strict = refresh_options(node, NP_AFFINITY_STRICT, NULL);
    assert_int_equal(
        np_submit_with(e->executor, &strict, fn, fn == pool_task_gate ? (void *)&e->gate : e),
        NP_OK);
    pool_gate_await(&e->gate, 1);
}

static void begin_to_end(ending *e)
{
    assert_int_equal(npi_os_thread_start(&e->thread, 0, shut_down, e), 0);
    while (npi_load_acquire(&e->executor->idle_waiters) == 0)
        sched_yield();
}

static void finish(ending *e, uint64_t executed, uint64_t discarded)
{
    pool_gate_open(&e->gate);
    assert_int_equal(npi_os_thread_join(&e->thread), 0);
    assert_int_equal(e->status, NP_OK);
    pool_destroy_exact(e->executor, executed, discarded);
}

/* The node is gone; the shutdown waits for a task that goes on submitting strict ones to it. */
static void test_submitted_during_shutdown(void **state)
{
    (void)state;
    hand_back back = {0, 0};
    ending e = {.status = NP_OK};
    begin(&e, &back, late_parent, 0);
    (void)refresh_to(e.executor, "0,2-3");
    begin_to_end(&e);
    finish(&e, 1, 40);
    assert_int_equal(npi_load_acquire(&back.gone), 40);
}

/* The node goes while the shutdown waits for it. */
static void test_goes_during_shutdown(void **state)
{
    (void)state;
    hand_back back = {0, 0};
    ending e = {.status = NP_OK};
    begin(&e, &back, pool_task_gate, 1);
    refresh_submit(e.executor, 1, NP_AFFINITY_STRICT, NULL, 40, &e.p);
    begin_to_end(&e);
    (void)refresh_to(e.executor, "0,2-3");
    finish(&e, 1, 40);
    assert_int_equal(npi_load_acquire(&back.gone), 40);
}

/* The node comes back while the shutdown waits: what comes then is run. */
static void test_returns_during_shutdown(void **state)
{
    (void)state;
    hand_back back = {0, 0};
    ending e = {.status = NP_OK};
    begin(&e, &back, late_parent, 0);
    (void)refresh_to(e.executor, "0,2-3");
    refresh_submit(e.executor, 1, NP_AFFINITY_STRICT, NULL, 10, &e.p);
    begin_to_end(&e);
    while (npi_load_acquire(&back.gone) < 10)
        sched_yield();
    (void)refresh_to(e.executor, "0-3");
    finish(&e, 41, 10);
    assert_int_equal(npi_load_acquire(&e.p.ran[1]), 40);
}

/* A deadline that has passed is the stronger reason for what has not been handed back by then. */
static void test_timed(void **state)
{
    (void)state;
    hand_back back = {0, 0};
    ending e = {.status = NP_OK};
    np_shutdown_result result;
    begin(&e, &back, pool_task_gate, 1);
    (void)refresh_to(e.executor, "0,2-3");
    refresh_submit(e.executor, 1, NP_AFFINITY_STRICT, NULL, 40, &e.p);
    assert_int_equal(np_executor_shutdown_within(e.executor, 0, &result), NP_ERR_TIMEOUT);
    assert_int_equal(result.running, 1);
    pool_gate_open(&e.gate);
    pool_destroy_exact(e.executor, 1, 40);
    assert_int_equal(npi_load_acquire(&back.gone) + npi_load_acquire(&back.other), 40);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict_tasks_come_back),
        cmocka_unit_test(test_local_only_comes_back),
        cmocka_unit_test(test_submitted_during_shutdown),
        cmocka_unit_test(test_goes_during_shutdown),
        cmocka_unit_test(test_returns_during_shutdown),
        cmocka_unit_test(test_timed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
