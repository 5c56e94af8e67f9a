/*
 * Goal: every way an executor can end loses nothing: plain, timed with discards, from a worker
 * (refused), twice, at once by two threads, with submitters still at work, in a forked child.
 * Method: gates; exact accounts.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "../support/pool.h"

static void test_too_late(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    assert_int_equal(npi_load_relaxed(&count.value), 1);
    unit_expect_failure(np_submit(executor, pool_task_count, &count), NP_ERR_SHUT_DOWN,
                        "shut down");
    unit_expect_failure(np_submit_to_node(executor, 1, pool_task_count, &count), NP_ERR_SHUT_DOWN,
                        "shut down");
    size_t accepted = 7;
    np_task task = {pool_task_count, &count};
    assert_int_equal(np_submit_batch(executor, 0, &task, 1, &accepted), NP_ERR_SHUT_DOWN);
    assert_int_equal(accepted, 0);
    assert_int_equal(np_run(executor, 0, pool_task_count, &count), NP_ERR_SHUT_DOWN);
    assert_int_equal(np_worker_run(executor, 0, NULL), NP_ERR_SHUT_DOWN);
    assert_int_equal(np_executor_shutdown(executor), NP_OK); /* again */
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK); /* works after shutdown */
    /* On either node: where nodes are emulated a wake-up may take longer than the gate waits. */
    assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME) +
                         np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY),
                     1);
    np_stats_destroy(stats);
    pool_destroy_exact(executor, 1, 0);
}

typedef struct from_worker {
    np_executor *executor;
    np_status destroy, shutdown, wait, within;
} from_worker;

static void end_from_inside(void *argument)
{
    from_worker *f = argument;
    f->destroy = np_executor_destroy(f->executor);
    f->shutdown = np_executor_shutdown(f->executor);
    f->within = np_executor_shutdown_within(f->executor, 0, NULL);
    f->wait = np_executor_wait_idle(f->executor, 0);
}

static void test_from_worker(void **state)
{
    (void)state;
    from_worker f = {.executor = pool_create(ONE_BY_TWO, NULL)};
    assert_int_equal(np_run(f.executor, 0, end_from_inside, &f), NP_OK);
    assert_int_equal(f.destroy, NP_ERR_FROM_WORKER);
    assert_int_equal(f.shutdown, NP_ERR_FROM_WORKER);
    assert_int_equal(f.within, NP_ERR_FROM_WORKER);
    assert_int_equal(f.wait, NP_ERR_FROM_WORKER);
    pool_counter count = {0};
    assert_int_equal(np_run(f.executor, 0, pool_task_count, &count), NP_OK); /* nothing changed */
    pool_destroy_exact(f.executor, 2, 0);
}

/* --- the deadline
 * ---------------------------------------------------------------------------------- */

typedef struct account {
    np_atomic(uint64_t) discarded;
    np_atomic(uint64_t) argument_sum;
} account;

static void on_discard(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    account *a = context;
    assert_int_equal(reason, NP_DISCARD_SHUTDOWN);
    if (fn != pool_task_count)
        return;
    npi_fetch_add_relaxed(&a->discarded, (uint64_t)1);
    npi_fetch_add_relaxed(&a->argument_sum, *(uint64_t *)argument);
}

typedef struct late_submitter {
    pool_gate gate;
    np_executor *executor;
    np_status late;
} late_submitter;

static void submit_after_the_deadline(void *argument)
{
    late_submitter *l = argument;
    uint64_t copy = 1000000;
    pool_gate_pass(&l->gate);
    l->late = np_submit_copy_to_node(l->executor, 0, pool_task_count, &copy, sizeof copy);
}

static void test_deadline(void **state)
{
    (void)state;
    account a = {0, 0};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.on_discard = on_discard, .discard_context = &a));
    late_submitter late = {.executor = executor};
    assert_int_equal(np_submit(executor, submit_after_the_deadline, &late), NP_OK);
    pool_gate_await(&late.gate, 1);
    for (uint64_t i = 1; i <= 1000; i++) {
        np_submit_options options = {.size = sizeof options, .group = group, .copy_bytes = 8};
        options.affinity = (np_task_affinity)(i % 3);
        assert_int_equal(np_submit_with(executor, &options, pool_task_count, &i), NP_OK);
    }
    np_shutdown_result result;
    assert_int_equal(np_executor_shutdown_within(executor, 1000000, &result), NP_ERR_TIMEOUT);
    assert_int_equal(result.discarded, 1000);
    assert_int_equal(result.running, 1);
    assert_int_equal(npi_load_acquire(&a.discarded), 1000);
    assert_int_equal(npi_load_acquire(&a.argument_sum), 500500);
    /* Its tasks have all ended, and not as one would like to believe. */
    unit_expect_failure(np_group_wait(group), NP_ERR_CANCELLED, "discarded");
    assert_int_equal(np_group_reset(group), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    pool_gate_open(&late.gate);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    assert_int_equal(late.late, NP_OK); /* accepted, and then handed back */
    assert_int_equal(npi_load_acquire(&a.argument_sum), 1500500);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 1, 1001);
}

static void test_deadline_not_needed(void **state)
{
    (void)state;
    np_shutdown_result result = {7, 7};
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (unsigned i = 0; i < 1000; i++)
        assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
    assert_int_equal(np_executor_shutdown_within(executor, NP_FOREVER, &result), NP_OK);
    assert_int_equal(result.discarded, 0);
    assert_int_equal(result.running, 0);
    pool_destroy_exact(executor, 1000, 0);
}

/* --- several at once
 * --------------------------------------------------------------------------------- */

typedef struct rivals {
    np_executor *executor;
    pool_counter executed;
    np_atomic(uint64_t) accepted;
    np_atomic(uint64_t) refused;
    np_atomic(uint32_t) started;
} rivals;

static void submit_until_refused(void *argument)
{
    rivals *r = argument;
    npi_fetch_add_acq_rel(&r->started, 1u);
    npi_os_futex_wake(&r->started, UINT32_MAX);
    for (unsigned i = 0;; i++) {
        np_status status = np_submit_to_node(r->executor, (np_node_id)(i % 2), pool_task_count,
                                             &r->executed);
        if (status != NP_OK) {
            assert_int_equal(status, NP_ERR_SHUT_DOWN);
            npi_fetch_add_relaxed(&r->refused, (uint64_t)1);
            return;
        }
        npi_fetch_add_relaxed(&r->accepted, (uint64_t)1);
    }
}

static void shut_down(void *argument)
{
    rivals *r = argument;
    assert_int_equal(np_executor_shutdown(r->executor), NP_OK);
}

static void test_submitters_against_shutdown(void **state)
{
    (void)state;
    enum { SUBMITTERS = 3, CLOSERS = 2 };
    for (unsigned round = 0; round < (UNIT_SANITIZED ? 5 : 40); round++) {
        rivals r = {.executor = pool_create(TWO_BY_TWO, NULL)};
        npi_os_thread thread[SUBMITTERS + CLOSERS];
        for (unsigned i = 0; i < SUBMITTERS; i++)
            assert_int_equal(npi_os_thread_start(&thread[i], 0, submit_until_refused, &r), 0);
        for (uint32_t n = npi_load_acquire(&r.started); n < SUBMITTERS;
             n = npi_load_acquire(&r.started))
            (void)npi_os_futex_wait(&r.started, n, NPI_NO_DEADLINE);
        for (unsigned i = SUBMITTERS; i < SUBMITTERS + CLOSERS; i++)
            assert_int_equal(npi_os_thread_start(&thread[i], 0, shut_down, &r), 0);
        for (unsigned i = 0; i < SUBMITTERS + CLOSERS; i++)
            assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        assert_int_equal(npi_load_relaxed(&r.refused), SUBMITTERS);
        assert_int_equal(npi_load_relaxed(&r.executed.value), npi_load_relaxed(&r.accepted));
        pool_destroy_exact(r.executor, npi_load_relaxed(&r.accepted), 0);
    }
}

static void test_create_and_destroy(void **state)
{
    (void)state;
    for (unsigned i = 0; i < (UNIT_SANITIZED ? 20 : 200); i++) {
        np_executor *executor = pool_create("numa:2 core:2 pu:2", NULL);
        pool_counter count = {0};
        if (i % 2 == 0)
            assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
        assert_int_equal(np_executor_destroy(executor), NP_OK); /* shuts down first */
        assert_int_equal(npi_load_acquire(&count.value), (i + 1) % 2);
    }
}

/* --- fork
 * ---------------------------------------------------------------------------------------------- */

static void test_forked_child(void **state)
{
    (void)state;
    pool_gate gate = {0, 0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_group *group = NULL;
    np_leave *leave = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    assert_int_equal(np_leave_create(&leave), NP_OK);
    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        np_stats *stats = NULL;
        bool fine = np_stats_snapshot(executor, &stats) == NP_ERR_FORKED &&
                    np_submit(executor, pool_task_gate, &gate) == NP_ERR_FORKED &&
                    np_submit_to_node(executor, 0, pool_task_gate, &gate) == NP_ERR_FORKED &&
                    np_submit_batch(executor, 0, NULL, 0, NULL) == NP_ERR_FORKED &&
                    np_run(executor, 0, pool_task_gate, &gate) == NP_ERR_FORKED &&
                    np_group_wait(group) == NP_ERR_FORKED &&
                    np_executor_wait_idle(executor, NP_FOREVER) == NP_ERR_FORKED &&
                    np_executor_shutdown(executor) == NP_ERR_FORKED &&
                    np_worker_run(executor, 0, leave) == NP_ERR_FORKED &&
                    np_group_destroy(group) == NP_OK && np_executor_destroy(executor) == NP_OK;
        _exit(fine ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    pool_gate_open(&gate); /* the parent is unharmed */
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    np_leave_destroy(leave);
    pool_destroy_exact(executor, 1, 0);
}

/* --- wait_idle
 * ------------------------------------------------------------------------------------------- */

static void test_wait_idle(void **state)
{
    (void)state;
    pool_gate gate = {0, 0};
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    assert_int_equal(np_executor_wait_idle(executor, 0), NP_OK); /* idle from the start */
    assert_int_equal(np_submit(executor, pool_task_gate, &gate), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, 0), NP_ERR_TIMEOUT);
    assert_int_equal(np_executor_wait_idle(executor, 1000000), NP_ERR_TIMEOUT);
    np_executor_load load;
    pool_gate_await(&gate, 1);
    assert_int_equal(np_executor_load_now(executor, &load), NP_OK);
    assert_int_equal(load.accepted, 1);
    assert_int_equal(load.running, 1);
    assert_int_equal(load.queued, 0);
    pool_gate_open(&gate);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    for (unsigned round = 0; round < 2000; round++) {
        assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        assert_int_equal(npi_load_relaxed(&count.value), round + 1);
    }
    pool_destroy_exact(executor, 2001, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_too_late),
        cmocka_unit_test(test_from_worker),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_deadline_not_needed),
        cmocka_unit_test(test_submitters_against_shutdown),
        cmocka_unit_test(test_create_and_destroy),
        cmocka_unit_test(test_forked_child),
        cmocka_unit_test(test_wait_idle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
