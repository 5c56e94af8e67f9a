/*
 * Goal: executors come and go at any moment. Created and destroyed while other executors work and
 * their tasks submit to each other; destroyed by a worker of another one, by a task's completion,
 * before a worker had its first turn; a process that exits with live executors, from a task, from
 * atexit.
 * Method: exact accounts of every executor; children for whatever ends a process, judged by their
 * exit code. The number of lives is the amount.
 * usage: hostile_life [LIVES]
 */
#include <pthread.h>

#include "hostile.h"

static np_atomic(uint64_t) lives;

/* --- churn ------------------------------------------------------------------------------------
 * Two executors that stay, always with work, some of it to each other; meanwhile others live for a
 * few tasks, among them ones for the executors that stay. */

typedef struct town {
    np_executor *old[2];
    np_atomic(uint32_t) stop;
    np_atomic(uint64_t) births;
    pool_counter sent, done; /* on the old ones */
} town;

static void old_task(void *argument)
{
    town *t = argument;
    npi_fetch_add_relaxed(&t->done.value, (uint64_t)1);
}

static void send_across(void *argument)
{
    town *t = argument;
    npi_fetch_add_relaxed(&t->done.value, (uint64_t)1);
    np_executor *other = np_current_executor() == t->old[0] ? t->old[1] : t->old[0];
    if (np_submit(other, old_task, t) == NP_OK)
        npi_fetch_add_relaxed(&t->sent.value, (uint64_t)1);
}

static void keep_busy(void *argument)
{
    town *t = argument;
    for (unsigned i = 0; npi_load_relaxed(&t->stop) == 0; i++) {
        assert_int_equal(np_submit(t->old[i % 2], send_across, t), NP_OK);
        npi_fetch_add_relaxed(&t->sent.value, (uint64_t)1);
        if (i % 256 == 0)
            (void)!np_executor_wait_idle(t->old[0], NP_FOREVER);
    }
}

typedef struct young {
    town *town;
    pool_counter count;
} young;

static void young_task(void *argument)
{
    young *y = argument;
    if (np_submit(y->town->old[0], old_task, y->town) == NP_OK)
        npi_fetch_add_relaxed(&y->town->sent.value, (uint64_t)1);
    npi_fetch_add_relaxed(&y->count.value, (uint64_t)1);
}

static void live_and_die(void *argument)
{
    static const char *const machines[] = {ONE_BY_ONE, ONE_BY_TWO, TWO_BY_TWO};
    town *t = argument;
    for (;;) {
        uint64_t number = npi_fetch_add_relaxed(&t->births, (uint64_t)1);
        if (number >= hostile_amount)
            return;
        young y = {.town = t};
        np_executor *executor = pool_create(machines[number % 3], NULL);
        /* None, one, or some tasks before the end; workers may not have had a turn yet. */
        uint64_t tasks = number % 5;
        for (uint64_t i = 0; i < tasks; i++)
            assert_int_equal(np_submit(executor, young_task, &y), NP_OK);
        if (number % 2 == 0)
            pool_destroy_exact(executor, tasks, 0);
        else
            assert_int_equal(np_executor_destroy(executor), NP_OK);
        assert_int_equal(npi_load_acquire(&y.count.value), tasks);
        npi_fetch_add_relaxed(&lives, (uint64_t)1);
    }
}

static void test_churn(void **state)
{
    (void)state;
    town t = {.old = {pool_create(ONE_BY_TWO, NULL), pool_create(TWO_BY_TWO, NULL)}};
    npi_os_thread thread[4];
    assert_int_equal(npi_os_thread_start(&thread[0], 0, keep_busy, &t), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(npi_os_thread_start(&thread[i], 0, live_and_die, &t), 0);
    for (unsigned i = 1; i < 4; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    npi_store_relaxed(&t.stop, 1u);
    assert_int_equal(npi_os_thread_join(&thread[0]), 0);
    /* What runs on the one may still send to the other. */
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(np_executor_wait_idle(t.old[i % 2], NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&t.done.value), npi_load_acquire(&t.sent.value));
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(np_executor_destroy(t.old[i]), NP_OK);
}

/* --- by a worker of another executor, under its own tasks --------------------------------------
 */

typedef struct killer {
    np_executor *victim, *own;
    pool_counter count;
    np_status own_status, status;
} killer;

static void destroy_the_other(void *argument)
{
    killer *k = argument;
    k->own_status = np_executor_destroy(k->own);
    k->status = np_executor_destroy(k->victim); /* waits for its tasks */
}

static void test_destroyed_by_a_worker(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount / 4 + 1; n++) {
        killer k = {.own = pool_create(ONE_BY_ONE, NULL), .victim = pool_create(TWO_BY_TWO, NULL)};
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(np_submit(k.victim, pool_task_count, &k.count), NP_OK);
        assert_int_equal(np_run(k.own, 0, destroy_the_other, &k), NP_OK);
        assert_int_equal(k.own_status, NP_ERR_FROM_WORKER);
        assert_int_equal(k.status, NP_OK);
        assert_int_equal(npi_load_acquire(&k.count.value), 20);
        pool_destroy_exact(k.own, 1, 0);
        npi_fetch_add_relaxed(&lives, (uint64_t)2);
    }
}

/* --- the end of a process ---------------------------------------------------------------------
 * Each in a child made before it has threads. */

enum { ENDED_WELL = 9 };

static np_executor *last_one;
static pool_counter last_count;
static pool_gate last_gate;

static void destroy_at_exit(void)
{
    bool fine = np_executor_destroy(last_one) == NP_OK &&
                npi_load_acquire(&last_count.value) == 1000;
    _exit(fine ? ENDED_WELL : CHILD_FAILED);
}

static int exits_and_destroys(void *argument)
{
    (void)argument;
    last_one = hostile_own_executor(TWO_BY_TWO);
    for (unsigned i = 0; i < 1000; i++)
        CHILD_CHECK(np_submit(last_one, pool_task_count, &last_count) == NP_OK);
    (void)atexit(destroy_at_exit);
    exit(CHILD_FAILED);
}

static int exits_with_live_workers(void *argument)
{
    (void)argument;
    last_one = hostile_own_executor(TWO_BY_TWO);
    CHILD_CHECK(np_submit(last_one, pool_task_gate, &last_gate) == NP_OK);
    for (unsigned i = 0; i < 1000; i++)
        CHILD_CHECK(np_submit(last_one, pool_task_count, &last_count) == NP_OK);
    exit(ENDED_WELL); /* workers sleep, run, or are at a gate for ever */
}

static void refuse_at_exit(void)
{
    /* This is the worker's own thread, inside its task. */
    _exit(np_executor_destroy(last_one) == NP_ERR_FROM_WORKER ? ENDED_WELL : CHILD_FAILED);
}

static void exit_here(void *argument)
{
    (void)argument;
    (void)atexit(refuse_at_exit);
    exit(CHILD_FAILED);
}

static int exits_from_a_task(void *argument)
{
    (void)argument;
    last_one = hostile_own_executor(TWO_BY_TWO);
    CHILD_CHECK(np_run(last_one, 0, exit_here, NULL) == NP_OK);
    return CHILD_FAILED; /* the task never returns, and neither does the wait */
}

/* main() is gone, the executor's threads are the process; the last task ends it. */
static void end_the_process(void *argument)
{
    (void)argument;
    pool_gate_pass(&last_gate);
    exit(ENDED_WELL);
}

static int main_thread_leaves(void *argument)
{
    (void)argument;
    last_one = hostile_own_executor(ONE_BY_TWO);
    CHILD_CHECK(np_submit(last_one, end_the_process, NULL) == NP_OK);
    pool_gate_open(&last_gate);
    pthread_exit(NULL);
}

static void expect_end(int (*body)(void *), const char *what)
{
    for (unsigned long n = 0; n < hostile_amount / 20 + 1; n++) {
        fflush(NULL);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0) {
            hostile_hurry();
            _exit(body(NULL));
        }
        hostile_expect_exit(child, ENDED_WELL, what);
        npi_fetch_add_relaxed(&lives, (uint64_t)1);
    }
}

static void test_ends_of_processes(void **state)
{
    (void)state;
    expect_end(exits_and_destroys, "destroyed by atexit");
    expect_end(exits_with_live_workers, "exit with live workers");
    expect_end(exits_from_a_task, "exit from a task, destroyed there by atexit");
    if (!UNIT_SANITIZED) /* what its stack held is taken for a leak */
        expect_end(main_thread_leaves, "the main thread leaves first");
}

int main(int argc, char **argv)
{
    hostile_begin(argc, argv, 400);
    const struct CMUnitTest all[] = {
        cmocka_unit_test(test_churn),
        cmocka_unit_test(test_destroyed_by_a_worker),
        cmocka_unit_test(test_ends_of_processes),
    };
    const size_t count = hostile_forks_confuse() ? 2 : 3;
    int failed = count == 3 ? cmocka_run_group_tests(all, NULL, NULL)
                            : _cmocka_run_group_tests("without forks", all, count, NULL, NULL);
    hostile_counted("executors created and destroyed beside others at work",
                    npi_load_relaxed(&lives));
    return failed;
}
