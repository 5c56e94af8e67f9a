/*
 * Goal: callers' threads work as guests until they are told to leave, spare workers step in for
 * blocked ones and step back; neither strands a task. Method: gates; one-worker machines, where
 * only the guest or the spare can make progress.
 */
#include "../support/pool.h"

typedef struct guest {
    np_executor *executor;
    np_node_id node;
    np_leave *leave;
    np_status status;
} guest;

static void be_guest(void *argument)
{
    guest *g = argument;
    g->status = np_worker_run(g->executor, g->node, g->leave);
}

typedef struct seen {
    np_atomic(uint64_t) workers; /* bit per worker index */
    pool_gate gate;
} seen;

static void note_worker(void *argument)
{
    seen *s = argument;
    npi_fetch_or_relaxed(&s->workers, UINT64_C(1) << np_current_worker_index());
    pool_gate_pass(&s->gate);
}

static void test_guest_works_and_leaves(void **state)
{
    (void)state;
    seen s = {0};
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.spare_workers = NP_SPARE_WORKERS_NONE));
    guest g = {.executor = executor, .node = 0};
    npi_os_thread thread;
    assert_int_equal(np_leave_create(&g.leave), NP_OK);
    assert_int_equal(npi_os_thread_start(&thread, 0, be_guest, &g), 0);
    /* Two tasks that wait for each other: the regular worker and the guest hold one each. */
    assert_int_equal(np_submit(executor, note_worker, &s), NP_OK);
    assert_int_equal(np_submit(executor, note_worker, &s), NP_OK);
    pool_gate_await(&s.gate, 2);
    pool_gate_open(&s.gate);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&s.workers), 3);
    np_leave_now(g.leave);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(g.status, NP_OK);
    np_leave_now(g.leave); /* afterwards, again */
    np_leave_destroy(g.leave);
    pool_destroy_exact(executor, 2, 0);
}

static void test_shutdown_ends_guests(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    guest g[3];
    npi_os_thread thread[3];
    for (unsigned i = 0; i < 3; i++) {
        g[i] = (guest){.executor = executor, .node = (np_node_id)(i % 2)};
        assert_int_equal(npi_os_thread_start(&thread[i], 0, be_guest, &g[i]), 0);
    }
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        /* It worked until the end, or came too late. */
        assert_true(g[i].status == NP_OK || g[i].status == NP_ERR_SHUT_DOWN);
    }
    pool_destroy_exact(executor, 1000, 0); /* only now: a guest may have begun late */
}

static void run_inside(void *argument)
{
    guest *g = argument;
    g->status = np_worker_run(g->executor, 0, NULL);
}

static void test_guest_refusals(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.guest_workers = 1));
    guest g = {.executor = executor, .node = 0}, inner = {.executor = executor};
    npi_os_thread thread;
    unit_expect_failure(np_worker_run(executor, 5, NULL), NP_ERR_INVALID_NODE, "node 5");
    unit_expect_failure(np_worker_run(NULL, 0, NULL), NP_ERR_INVALID_ARGUMENT, "executor");
    unit_expect_failure(np_leave_create(NULL), NP_ERR_INVALID_ARGUMENT, "out");
    assert_int_equal(np_run(executor, 0, run_inside, &inner), NP_OK);
    assert_int_equal(inner.status, NP_ERR_FROM_WORKER);
    /* The one seat is taken as long as a task holds the guest. */
    seen s = {0};
    assert_int_equal(np_leave_create(&g.leave), NP_OK);
    for (unsigned i = 0; i < 3; i++) /* two regular workers and the guest */
        assert_int_equal(np_submit_with(executor,
                                        NP_SUBMIT_OPTIONS(.to_node = true, .node = 0,
                                                          .affinity = NP_AFFINITY_STRICT),
                                        note_worker, &s),
                         NP_OK);
    pool_gate_await(&s.gate, 2);
    assert_int_equal(npi_os_thread_start(&thread, 0, be_guest, &g), 0);
    pool_gate_await(&s.gate, 3);
    unit_expect_failure(np_worker_run(executor, 0, NULL), NP_ERR_LIMIT, "1 guest seats");
    np_leave_now(g.leave); /* while it runs a task */
    pool_gate_open(&s.gate);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(g.status, NP_OK);
    np_leave_destroy(g.leave);
    pool_destroy_exact(executor, 4, 0);
}

/* A guest that leaves with tasks of its own in its queue: siblings find them. */
typedef struct leaving {
    np_executor *executor;
    np_leave *leave;
    pool_counter *count;
} leaving;

static void submit_and_leave(void *argument)
{
    leaving *l = argument;
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(np_submit(l->executor, pool_task_count, l->count), NP_OK);
    np_leave_now(l->leave);
}

static void test_leaving_strands_nothing(void **state)
{
    (void)state;
    pool_counter count = {0};
    seen s = {0};
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    guest g = {.executor = executor, .node = 0};
    npi_os_thread thread;
    assert_int_equal(np_leave_create(&g.leave), NP_OK);
    assert_int_equal(np_submit(executor, note_worker, &s), NP_OK);
    pool_gate_await(&s.gate, 1); /* the regular worker is held: the guest gets the next task */
    leaving l = {executor, g.leave, &count};
    assert_int_equal(np_submit_copy_to_node(executor, 0, submit_and_leave, &l, sizeof l), NP_OK);
    assert_int_equal(npi_os_thread_start(&thread, 0, be_guest, &g), 0);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(g.status, NP_OK);
    pool_gate_open(&s.gate);
    pool_destroy_exact(executor, 102, 0);
    assert_int_equal(npi_load_acquire(&count.value), 100);
    np_leave_destroy(g.leave);
}

/* --- blocking
 * ------------------------------------------------------------------------------------- */

typedef struct blocked {
    pool_gate gate;
    np_atomic(uint32_t) refused;
} blocked;

static void block(void *argument)
{
    blocked *b = argument;
    if (np_blocking_begin() != NP_OK) {
        npi_fetch_add_relaxed(&b->refused, 1u);
        pool_gate_open(&b->gate); /* nothing begun: it must not block */
        return;
    }
    assert_int_equal(np_blocking_begin(), NP_OK); /* nests */
    pool_gate_pass(&b->gate);
    np_blocking_end();
    np_blocking_end();
}

static void test_spares_step_in(void **state)
{
    (void)state;
    for (unsigned round = 0; round < 20; round++) {
        blocked b = {0};
        pool_counter count = {0};
        np_executor *executor = pool_create(ONE_BY_ONE, NULL);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(np_submit(executor, block, &b), NP_OK);
        pool_gate_await(&b.gate, 10); /* nine of them on spare workers, all blocked at once */
        for (unsigned i = 0; i < 50; i++)
            assert_int_equal(np_run(executor, 0, pool_task_count, &count), NP_OK);
        pool_gate_open(&b.gate);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        np_stats *stats = NULL;
        assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
        assert_int_equal(np_stats_total(stats, NP_COUNTER_BLOCKED), 10);
        np_stats_destroy(stats);
        pool_destroy_exact(executor, 60, 0);
        assert_int_equal(npi_load_relaxed(&b.refused), 0);
    }
}

static void test_spares_are_bounded(void **state)
{
    (void)state;
    blocked b = {0};
    np_executor *executor = pool_create(ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.spare_workers = 2));
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(np_submit(executor, block, &b), NP_OK);
    /* The third can begin only if a spare steps in for it, and there is none left. */
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&b.gate.arrived), 2);
    assert_int_equal(npi_load_acquire(&b.refused), 1);
    assert_int_equal(np_blocking_begin(), NP_OK); /* outside a worker: nothing */
    np_blocking_end();
    pool_destroy_exact(executor, 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_guest_works_and_leaves),
        cmocka_unit_test(test_shutdown_ends_guests),
        cmocka_unit_test(test_guest_refusals),
        cmocka_unit_test(test_leaving_strands_nothing),
        cmocka_unit_test(test_spares_step_in),
        cmocka_unit_test(test_spares_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
