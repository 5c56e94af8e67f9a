/*
 * Goal: the watchdog reports a worker that does not come out of its task, once, with what is needed
 * to find it: worker, node, state, function, label; says nothing of others; and sleeps while
 * nothing runs. Tasks on top of waits, stolen children, loops and the fast form are told apart.
 * Method: tasks at gates; the diagnostic handler hands reports to the test, which waits for them
 * and never for a time. That a report is not repeated is seen when a later one has come: the
 * watchdog has looked at the first task in between.
 */
#include <sys/wait.h>
#include <unistd.h>

#include <numaperf/fast.h>

#include "watchdog_help.h"

/* --- a task that does not end ---------------------------------------------------------------- */

static void test_reported_once(void **state)
{
    (void)state;
    stuck_at s[4] = {
        {.label = "rebuild the index"}, {.label = NULL}, {.label = "c"}, {.label = "d"}};
    np_executor *executor = watched("numa:2 core:2 pu:1");
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(np_executor_stuck_tasks(executor, NULL, 0), i);
        np_submit_options options = {.size = sizeof options, .to_node = true};
        options.node = (np_node_id)(i / 2);
        options.affinity = NP_AFFINITY_STRICT;
        assert_int_equal(np_submit_with(executor, &options, be_stuck, &s[i]), NP_OK);
        pool_gate_await(&s[i].gate, 1);
        await_reports(i + 1); /* each of them, and none of the earlier ones again */
        expect_in_report(i < 2 ? "NUMA node 0" : "NUMA node 1");
        expect_in_report(i == 0   ? "label \"rebuild the index\""
                         : i == 1 ? "label none"
                                  : "label \"");
        expect_in_report("running");
    }
    np_stuck_task stuck[3];
    assert_int_equal(np_executor_stuck_tasks(executor, stuck, 3), 4); /* as many as there are */
    for (unsigned i = 0; i < 3; i++) {
        np_worker_info info;
        assert_int_equal(stuck[i].worker, i);
        assert_int_equal(stuck[i].node, i / 2);
        assert_int_equal(stuck[i].kind, NP_WORKER_REGULAR);
        assert_int_equal(stuck[i].state, NP_STUCK_RUNNING);
        assert_int_equal(np_executor_worker_info(executor, i, &info), NP_OK);
        assert_int_equal(stuck[i].thread, info.thread);
        assert_true(stuck[i].function == (uintptr_t)be_stuck);
        assert_true(stuck[i].stuck_ns >= LIMIT_NS);
    }
    for (unsigned i = 0; i < 4; i++)
        pool_gate_open(&s[i].gate);
    finish(executor, 4);
    assert_int_equal(npi_load_acquire(&reports.value), 4);
}

/* Its function is the same each time: it is the task that counts. */
static void test_each_task_anew(void **state)
{
    (void)state;
    np_executor *executor = watched(ONE_BY_ONE);
    for (unsigned i = 0; i < 5; i++) {
        stuck_at s = {.label = i % 2 == 0 ? "even" : NULL};
        assert_int_equal(np_submit(executor, be_stuck, &s), NP_OK);
        await_reports(i + 1);
        expect_in_report(i % 2 == 0 ? "label \"even\"" : "label none"); /* none is left over */
        pool_gate_open(&s.gate);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        assert_int_equal(np_executor_stuck_tasks(executor, NULL, 0), 0);
    }
    finish(executor, 5);
}

/* --- waits ----------------------------------------------------------------------------------- */

typedef struct nest {
    np_executor *executor;
    stuck_at inner;
    pool_gate after;
} nest;

static void wait_for_inner(void *argument)
{
    nest *n = argument;
    np_group *group = NULL;
    np_task_label("beneath");
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    assert_int_equal(np_group_submit(group, n->executor, be_stuck, &n->inner), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_gate_pass(&n->after);
}

static void test_on_top_of_a_wait(void **state)
{
    (void)state;
    nest n = {.inner = {.label = "on top"}};
    n.executor = watched(ONE_BY_ONE);
    assert_int_equal(np_submit(n.executor, wait_for_inner, &n), NP_OK);
    np_stuck_task stuck = await_label(n.executor, "on top"); /* one worker: only that one runs */
    assert_true(stuck.function == (uintptr_t)be_stuck);
    pool_gate_open(&n.inner.gate);
    pool_gate_await(&n.after, 1);
    stuck = await_label(n.executor, "beneath"); /* on its own now, it has its name back */
    assert_true(stuck.function == (uintptr_t)wait_for_inner);
    pool_gate_open(&n.after);
    finish(n.executor, 2);
}

typedef struct waiter {
    np_group *group;
    bool blocks;
    np_status status;
} waiter;

static void wait_for_group(void *argument)
{
    waiter *w = argument;
    np_task_label("waits");
    if (w->blocks)
        assert_int_equal(np_blocking_begin(), NP_OK);
    w->status = np_group_wait(w->group);
    if (w->blocks)
        np_blocking_end();
}

static void test_states(void **state)
{
    (void)state;
    for (unsigned blocks = 0; blocks < 2; blocks++) {
        pool_gate elsewhere = {0, 0};
        waiter w = {.blocks = blocks != 0};
        np_executor *other = pool_create(ONE_BY_ONE, NULL);
        np_executor *executor = watched(ONE_BY_ONE);
        np_group_options options = {.size = sizeof options, .isolated = blocks != 0};
        assert_int_equal(np_group_create(&options, &w.group), NP_OK);
        assert_int_equal(np_group_submit(w.group, other, pool_task_gate, &elsewhere), NP_OK);
        assert_int_equal(np_submit(executor, wait_for_group, &w), NP_OK);
        np_stuck_state wanted = blocks != 0 ? NP_STUCK_BLOCKED : NP_STUCK_WAITING;
        while (await_label(executor, "waits").state != wanted)
            sched_yield(); /* it may be slow on its way */
        await_reports(1);
        pool_gate_open(&elsewhere);
        finish(executor, 1);
        assert_int_equal(w.status, NP_OK);
        assert_int_equal(np_group_destroy(w.group), NP_OK);
        pool_destroy_exact(other, 1, 0);
    }
    assert_string_equal(np_stuck_state_name(NP_STUCK_RUNNING), "running");
    assert_string_equal(np_stuck_state_name((np_stuck_state)9), "unknown");
}

/* --- what a task is made of ------------------------------------------------------------------ */

static void stolen(void *argument)
{
    be_stuck(argument);
}

static void have_it_stolen(void *argument)
{
    stuck_at *s = argument;
    np_task_label("the parent");
    np_fork(stolen, s);
    pool_gate_await(&s->gate, 1); /* by the other worker, which is inside */
    await_reports(2);             /* the child, and this one, which waits for that */
    np_join();
}

static void test_stolen_child(void **state)
{
    (void)state;
    stuck_at s = {.label = "the child"};
    np_executor *executor = watched(ONE_BY_TWO);
    assert_int_equal(np_submit(executor, have_it_stolen, &s), NP_OK);
    await_reports(2);
    np_stuck_task stuck[2];
    assert_int_equal(np_executor_stuck_tasks(executor, stuck, 2), 2);
    unsigned child = stuck[0].function == (uintptr_t)stolen ? 0 : 1;
    assert_true(stuck[child].function == (uintptr_t)stolen);
    assert_string_equal(stuck[child].label, "the child");
    assert_true(stuck[1 - child].function == (uintptr_t)have_it_stolen);
    assert_string_equal(stuck[1 - child].label, "the parent");
    pool_gate_open(&s.gate);
    finish(executor, 1);
}

/* What a stolen child leaves unjoined is joined for it, as a part of it, not as nothing. */
static void fork_and_leave(void *argument)
{
    np_fork(be_stuck, argument);
}

static void have_a_parent_stolen(void *argument)
{
    stuck_at *s = argument;
    np_fork(fork_and_leave, s);
    pool_gate_await(&s->gate, 1);
    await_reports(2);
    np_join();
}

static void test_leftovers_of_a_stolen_child(void **state)
{
    (void)state;
    stuck_at s = {.label = "left over"};
    np_executor *executor = watched(ONE_BY_TWO);
    assert_int_equal(np_submit(executor, have_a_parent_stolen, &s), NP_OK);
    await_reports(2);
    np_stuck_task stuck[2];
    assert_int_equal(np_executor_stuck_tasks(executor, stuck, 2), 2);
    unsigned child = stuck[0].function == (uintptr_t)fork_and_leave ? 0 : 1;
    assert_true(stuck[child].function == (uintptr_t)fork_and_leave);
    assert_string_equal(stuck[child].label, "left over");
    pool_gate_open(&s.gate);
    finish(executor, 1);
}

/* Inside the function in question. */
static void expect_own_name(uintptr_t function)
{
    np_stuck_task stuck;
    await_reports(1);
    assert_int_equal(np_executor_stuck_tasks(np_current_executor(), &stuck, 1), 1);
    assert_true(stuck.function == function);
}

static uintptr_t fast_and_stuck(np_worker *self, uintptr_t argument)
{
    (void)self;
    expect_own_name((uintptr_t)fast_and_stuck);
    return argument;
}

static void body_and_stuck(void *context, size_t begin, size_t end)
{
    (void)context, (void)begin, (void)end;
    expect_own_name((uintptr_t)body_and_stuck);
}

/* Tasks that the library makes carry the name of whose work they do. */
static void test_names_of_the_callers_functions(void **state)
{
    (void)state;
    uintptr_t result = 0;
    np_executor *executor = watched(ONE_BY_ONE);
    assert_int_equal(np_run_fast(executor, 0, fast_and_stuck, 7, &result), NP_OK);
    assert_int_equal(result, 7);
    finish(executor, 1);
    for (int schedule = NP_SCHEDULE_ADAPTIVE; schedule <= NP_SCHEDULE_STATIC; schedule++) {
        executor = watched(ONE_BY_ONE);
        np_loop_options options = {.size = sizeof options, .schedule = (np_schedule)schedule};
        assert_int_equal(np_parallel_for(executor, 0, 1, &options, body_and_stuck, NULL), NP_OK);
        finish(executor, 1);
    }
}

/* A completion callback is a part of the task that ended last, and has its own name. */
static void notice(void *argument)
{
    (void)argument;
    expect_own_name((uintptr_t)notice);
}

static void test_completion_callback(void **state)
{
    (void)state;
    pool_gate gate = {0, 0};
    np_group *group = NULL;
    np_executor *executor = watched(ONE_BY_ONE);
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    await_reports(1);
    npi_store_release(&reports.value, (uint64_t)0);
    assert_int_equal(np_group_notify(group, notice, NULL), NP_OK);
    pool_gate_open(&gate);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    finish(executor, 1);
}

/* --- asleep, off, refused --------------------------------------------------------------------- */

static void test_sleeps_while_nothing_runs(void **state)
{
    (void)state;
    np_executor *executor = watched(TWO_BY_TWO);
    for (unsigned i = 0; i < 3; i++) {
        while (npi_load_acquire(&executor->watchdog.state) != NPI_WATCHDOG_ASLEEP)
            sched_yield();
        stuck_at s = {.label = "woken for"};
        assert_int_equal(np_submit(executor, be_stuck, &s), NP_OK);
        await_reports(i + 1);
        pool_gate_open(&s.gate);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    }
    finish(executor, 3);
}

static void label_only(void *argument)
{
    np_task_label("nobody reads it");
    np_task_label(NULL);
    pool_task_count(argument);
}

static void test_off(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    assert_int_equal(npi_load_relaxed(&executor->attention), 0); /* the hot path's one look */
    assert_false(executor->watchdog.has_thread);
    np_task_label("outside any task");
    assert_int_equal(np_submit(executor, label_only, &count), NP_OK);
    assert_int_equal(np_executor_stuck_tasks(executor, NULL, 0), 0);
    assert_int_equal(np_executor_stuck_tasks(NULL, NULL, 0), 0);
    pool_destroy_exact(executor, 1, 0);
}

static void test_refused(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_int_equal(np_topology_from_synthetic(ONE_BY_ONE, &topology), NP_OK);
    unit_expect_failure(
        np_executor_create(topology, NP_EXECUTOR_OPTIONS(.watchdog_ns = 999999), &executor),
        NP_ERR_INVALID_ARGUMENT, "watchdog_ns is 999999");
    unit_expect_failure(
        np_executor_create(topology, NP_EXECUTOR_OPTIONS(.watchdog_ns = UINT64_MAX), &executor),
        NP_ERR_INVALID_ARGUMENT, "watchdog_ns");
    assert_int_equal(setenv("NUMAPERF_WATCHDOG_NS", "5", 1), 0);
    unit_expect_failure(np_executor_create(topology, NULL, &executor), NP_ERR_ENVIRONMENT,
                        "NUMAPERF_WATCHDOG_NS=\"5\"");
    assert_int_equal(setenv("NUMAPERF_WATCHDOG_NS", "2000000", 1), 0);
    assert_int_equal(np_executor_create(topology, NULL, &executor), NP_OK);
    assert_true(executor->watchdog.has_thread);
    assert_int_equal(executor->settings.watchdog_ns, 2000000);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(unsetenv("NUMAPERF_WATCHDOG_NS"), 0);
    np_topology_destroy(topology);
}

static void test_forked_child(void **state)
{
    (void)state;
    stuck_at s = {.label = "the parent's"};
    np_executor *executor = watched(ONE_BY_TWO);
    assert_int_equal(np_submit(executor, be_stuck, &s), NP_OK);
    await_reports(1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(np_executor_stuck_tasks(executor, NULL, 0) == 0 &&
                      np_executor_destroy(executor) == NP_OK
                  ? 0
                  : 1);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(np_executor_stuck_tasks(executor, NULL, 0), 1);
    pool_gate_open(&s.gate);
    finish(executor, 1);
}

int main(void)
{
    npi_lock_init(&report_lock);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reported_once),
        cmocka_unit_test(test_each_task_anew),
        cmocka_unit_test(test_on_top_of_a_wait),
        cmocka_unit_test(test_states),
        cmocka_unit_test(test_stolen_child),
        cmocka_unit_test(test_names_of_the_callers_functions),
        cmocka_unit_test(test_completion_callback),
        cmocka_unit_test(test_sleeps_while_nothing_runs),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_forked_child),
        cmocka_unit_test(test_leftovers_of_a_stolen_child),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
