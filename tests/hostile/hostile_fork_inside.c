/*
 * Goal: a task, hook or callback that forks. In the child it finds what a child from outside finds,
 * and it may also return: then nothing that was queued is run a second time, no wait waits, no
 * callback is called, and the process ends as when the last thread returns. The parent is unharmed.
 * Method: the fork happens at a chosen moment (gates), on a worker, with other tasks queued behind
 * it. The child's process and the parent's count into shared memory what each has run. That the
 * child came to its end by itself is told by an atexit handler of its own.
 * usage: hostile_fork_inside [ROUNDS]
 */
#include <sched.h>

#include "fork_child.h"

#define ENDED_BY_ITSELF 42

static unsigned long forks;

/* In shared memory: counted by every process. */
typedef struct tally {
    np_atomic(uint64_t) in_parent;
    np_atomic(uint64_t) in_children;
} tally;

static tally *ran;
static pid_t parent;

static void count_here(void *argument)
{
    (void)argument;
    npi_fetch_add_relaxed(getpid() == parent ? &ran->in_parent : &ran->in_children, (uint64_t)1);
}

static void leave_a_mark(void)
{
    if (getpid() != parent)
        _exit(ENDED_BY_ITSELF);
}

/* What the forking task does in the child. */
typedef enum deed { RETURNS = 0, CHECKS, EXECS, DEEDS } deed;

typedef struct scene {
    np_executor *executor;
    np_group *group; /* of tasks that are queued behind the fork */
    deed deed;
    pid_t child;
    pool_gate gate;
    np_leave *leave;
    np_status status;
} scene;

/* In a task. In the child this returns only if the task is to return. */
static void fork_here(scene *s)
{
    s->child = fork();
    if (s->child != 0)
        return;
    hostile_hurry();
    if (s->deed == RETURNS)
        return;
    if (s->deed == EXECS) {
        execl("/proc/self/exe", "hostile_fork_inside", "exec", (char *)NULL);
        _exit(CHILD_FAILED);
    }
    int result = fork_child_refused(s->executor, s->group);
    /* The stack beneath lies in the executor's hands. */
    if (result == CHILD_PASSED && np_current_executor() == s->executor &&
        np_executor_destroy(s->executor) != NP_ERR_FROM_WORKER)
        result = CHILD_FAILED;
    if (result == CHILD_PASSED && !UNIT_SANITIZED)
        result = fork_child_own_executor();
    _exit(result);
}

static void expect_child(const scene *s, const char *what)
{
    forks++;
    assert_true(s->child > 0);
    hostile_expect_exit(s->child, s->deed == RETURNS ? ENDED_BY_ITSELF : CHILD_PASSED, what);
}

static void begin(scene *s, deed how, const np_executor_options *options)
{
    memset(s, 0, sizeof *s);
    npi_store_relaxed(&ran->in_parent, (uint64_t)0);
    npi_store_relaxed(&ran->in_children, (uint64_t)0);
    s->deed = how;
    s->executor = pool_create(TWO_BY_TWO, options);
    assert_int_equal(np_group_create(NULL, &s->group), NP_OK);
}

/* Waits for all, and nothing was run by a child. `tasks`: those of the group. */
static void end(scene *s, uint64_t tasks, uint64_t all)
{
    assert_int_equal(np_group_wait(s->group), NP_OK);
    assert_int_equal(npi_load_acquire(&ran->in_parent), tasks);
    assert_int_equal(npi_load_acquire(&ran->in_children), 0);
    assert_int_equal(np_group_destroy(s->group), NP_OK);
    pool_destroy_exact(s->executor, all, 0);
}

static void queue_behind(scene *s, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(np_group_submit(s->group, s->executor, count_here, NULL), NP_OK);
}

/* --- a plain task ---------------------------------------------------------------------------- */

static void fork_with_a_queue_behind(void *argument)
{
    scene *s = argument;
    queue_behind(s, 50); /* in this worker's own queue */
    fork_here(s);
}

static void test_in_a_task(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        begin(&s, (deed)(n % DEEDS), NULL);
        assert_int_equal(np_run(s.executor, 0, fork_with_a_queue_behind, &s), NP_OK);
        expect_child(&s, "in a task");
        end(&s, 50, 51);
    }
}

/* --- on top of waits --------------------------------------------------------------------------
 * A task that waits runs another one on its stack, and that one forks. In the child the wait
 * beneath ends with NP_ERR_FORKED. */

static void fork_on_top(void *argument)
{
    fork_here(argument);
}

static void wait_beneath(void *argument)
{
    scene *s = argument;
    np_group *inner = NULL;
    assert_int_equal(np_group_create(NULL, &inner), NP_OK);
    assert_int_equal(np_group_submit(inner, s->executor, fork_on_top, s), NP_OK);
    queue_behind(s, 20);
    np_status status = np_group_wait(inner);
    if (s->child == 0 && status != NP_ERR_FORKED)
        _exit(CHILD_FAILED);
    if (s->child != 0)
        assert_int_equal(status, NP_OK);
    if (np_group_destroy(inner) != NP_OK)
        _exit(CHILD_FAILED);
}

static void wait_far_beneath(void *argument)
{
    scene *s = argument;
    np_status status = np_run(s->executor, 0, wait_beneath, s);
    if (s->child == 0 && status != NP_ERR_FORKED)
        _exit(CHILD_FAILED);
}

static void test_on_top_of_waits(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        begin(&s, (deed)(n % DEEDS), NP_EXECUTOR_OPTIONS(.workers_per_node = 1));
        assert_int_equal(np_run(s.executor, 0, wait_far_beneath, &s), NP_OK);
        expect_child(&s, "on top of waits");
        end(&s, 20, 23);
    }
}

/* --- with a stolen child ----------------------------------------------------------------------
 * Its thief is not in the forked process: the join comes back. A child that nobody has taken is run
 * by its join, in either process. */

static void stolen_child(void *argument)
{
    scene *s = argument;
    pool_gate_pass(&s->gate);
}

static void fork_with_a_stolen_child(void *argument)
{
    scene *s = argument;
    np_fork(stolen_child, s);
    pool_gate_await(&s->gate, 1); /* somebody has it, and is inside */
    np_fork(count_here, NULL);
    fork_here(s);
    if (s->child != 0)
        pool_gate_open(&s->gate);
    np_join();
    np_join();
}

static void test_with_a_stolen_child(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        begin(&s, (deed)(n % DEEDS), NULL);
        assert_int_equal(np_run(s.executor, 0, fork_with_a_stolen_child, &s), NP_OK);
        expect_child(&s, "with a stolen child");
        /* The one that was not stolen, perhaps stolen meanwhile: by nobody who is in the child. */
        assert_int_equal(npi_load_acquire(&ran->in_parent), 1);
        assert_true(npi_load_acquire(&ran->in_children) <= (s.deed == RETURNS ? 1 : 0));
        assert_int_equal(np_group_destroy(s.group), NP_OK);
        pool_destroy_exact(s.executor, 1, 0);
    }
}

/* In the stolen child itself: its thief is the thread that goes on. */
static void fork_as_stolen_child(void *argument)
{
    scene *s = argument;
    fork_here(s);
    pool_gate_pass(&s->gate);
}

static void have_a_child_stolen(void *argument)
{
    scene *s = argument;
    np_fork(fork_as_stolen_child, s);
    pool_gate_await(&s->gate, 1);
    np_join();
}

static void test_as_a_stolen_child(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        begin(&s, (deed)(n % DEEDS), NULL);
        npi_store_release(&s.gate.open, 1u);
        assert_int_equal(np_run(s.executor, 0, have_a_child_stolen, &s), NP_OK);
        expect_child(&s, "as a stolen child");
        end(&s, 0, 1);
    }
}

/* --- other kinds of workers ------------------------------------------------------------------ */

/* A spare worker runs what comes while the only regular one is inside a blocking call. */
static void block_meanwhile(void *argument)
{
    scene *s = argument;
    assert_int_equal(np_blocking_begin(), NP_OK);
    pool_gate_pass(&s->gate);
    np_blocking_end();
}

static void test_on_a_spare_worker(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        begin(&s, (deed)(n % DEEDS),
              NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .steal_policy = NP_STEAL_LOCAL_ONLY));
        assert_int_equal(np_submit_to_node(s.executor, 0, block_meanwhile, &s), NP_OK);
        pool_gate_await(&s.gate, 1);
        assert_int_equal(np_run(s.executor, 0, fork_with_a_queue_behind, &s), NP_OK);
        expect_child(&s, "on a spare worker");
        pool_gate_open(&s.gate);
        end(&s, 50, 52);
    }
}

/* The thread of a guest is the program's own: in the child np_worker_run() comes back. */
static void work_as_guest(void *argument)
{
    scene *s = argument;
    s->status = np_worker_run(s->executor, 0, s->leave);
    if (getpid() != parent)
        _exit(s->status == NP_ERR_FORKED ? ENDED_BY_ITSELF : CHILD_FAILED);
}

static void test_on_a_guest(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        npi_os_thread guest;
        begin(&s, (deed)(n % DEEDS),
              NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .steal_policy = NP_STEAL_LOCAL_ONLY));
        assert_int_equal(np_leave_create(&s.leave), NP_OK);
        assert_int_equal(np_submit_to_node(s.executor, 0, pool_task_gate, &s.gate), NP_OK);
        pool_gate_await(&s.gate, 1); /* the only regular worker: the guest will run the next */
        assert_int_equal(npi_os_thread_start(&guest, 0, work_as_guest, &s), 0);
        assert_int_equal(np_run(s.executor, 0, fork_with_a_queue_behind, &s), NP_OK);
        expect_child(&s, "on a guest");
        np_leave_now(s.leave);
        assert_int_equal(npi_os_thread_join(&guest), 0);
        assert_int_equal(s.status, NP_OK);
        np_leave_destroy(s.leave);
        pool_gate_open(&s.gate);
        end(&s, 50, 52);
    }
}

/* --- hooks and callbacks --------------------------------------------------------------------- */

static scene *hook_scene;

static void fork_at_start(void *context, const np_worker_info *worker)
{
    (void)context;
    if (getpid() == parent && worker->index == 1) {
        hook_scene->child = fork();
        if (hook_scene->child == 0)
            hostile_hurry();
    }
}

static void count_stop(void *context, const np_worker_info *worker)
{
    (void)context, (void)worker;
    count_here(NULL);
}

static void test_in_a_start_hook(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        hook_scene = &s;
        begin(&s, RETURNS,
              NP_EXECUTOR_OPTIONS(.on_worker_start = fork_at_start, .on_worker_stop = count_stop));
        /* begin() cleared the scene before the hook wrote to it. */
        expect_child(&s, "in a start hook");
        assert_int_equal(np_group_destroy(s.group), NP_OK);
        pool_destroy_exact(s.executor, 0, 0);
        assert_int_equal(npi_load_acquire(&ran->in_parent), 4); /* stop hooks */
        assert_int_equal(npi_load_acquire(&ran->in_children), 0);
    }
}

/* On an outside thread, in the midst of a timed shutdown: in the child it returns with a status. */
static void fork_at_first_discard(void *context, np_task_fn fn, void *argument,
                                  np_discard_reason reason)
{
    scene *s = context;
    (void)fn, (void)argument, (void)reason;
    if (getpid() != parent || s->child != 0)
        return;
    s->child = fork();
    if (s->child == 0)
        hostile_hurry();
}

static void test_in_a_discard_callback(void **state)
{
    (void)state;
    for (unsigned long n = 0; n < hostile_amount; n++) {
        scene s;
        memset(&s, 0, sizeof s);
        s.executor = pool_create(
            ONE_BY_ONE,
            NP_EXECUTOR_OPTIONS(.on_discard = fork_at_first_discard, .discard_context = &s));
        assert_int_equal(np_submit(s.executor, pool_task_gate, &s.gate), NP_OK);
        pool_gate_await(&s.gate, 1);
        for (unsigned i = 0; i < 10; i++)
            assert_int_equal(np_submit(s.executor, count_here, NULL), NP_OK);
        np_status status = np_executor_shutdown_within(s.executor, 0, NULL);
        if (getpid() != parent)
            _exit(status == NP_ERR_FORKED && np_executor_destroy(s.executor) == NP_OK
                      ? CHILD_PASSED
                      : CHILD_FAILED);
        assert_int_equal(status, NP_ERR_TIMEOUT);
        forks++;
        hostile_expect_exit(s.child, CHILD_PASSED, "in a discard callback");
        pool_gate_open(&s.gate);
        pool_destroy_exact(s.executor, 1, 10);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "exec") == 0)
        return CHILD_PASSED;
    hostile_begin(argc, argv, 6);
    if (hostile_forks_confuse())
        return CHILD_SKIPPED;
    parent = getpid();
    ran = hostile_shared(sizeof *ran);
    (void)atexit(leave_a_mark);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_a_task),           cmocka_unit_test(test_on_top_of_waits),
        cmocka_unit_test(test_with_a_stolen_child), cmocka_unit_test(test_as_a_stolen_child),
        cmocka_unit_test(test_on_a_spare_worker),   cmocka_unit_test(test_on_a_guest),
        cmocka_unit_test(test_in_a_start_hook),     cmocka_unit_test(test_in_a_discard_callback),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_counted("forks inside tasks, hooks and callbacks", forks);
    return failed;
}
