/*
 * Goal: what runs on top of a task without being one, or while the watchdog itself reports, is
 * called by its own name: discard callbacks, tasks inside a submit, the handler that is told. The
 * handler may not end the executor, and may fork.
 * Method: as in test_watchdog.c.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "watchdog_help.h"

/* --- on top of a task, and yet no task of the executor's ------------------------------------- */

static void stuck_in_discard(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    (void)fn, (void)argument;
    assert_int_equal(reason, NP_DISCARD_CANCELLED);
    be_stuck(context);
}

typedef struct cancelling {
    np_executor *executor;
    stuck_at callback;
    pool_gate after;
} cancelling;

static void cancel_and_wait(void *argument)
{
    cancelling *c = argument;
    np_group *group = NULL;
    np_task_label("beneath");
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    assert_int_equal(np_group_submit(group, c->executor, pool_task_count, NULL), NP_OK);
    np_group_cancel(group);
    assert_int_equal(np_group_wait(group), NP_ERR_CANCELLED);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_gate_pass(&c->after);
}

static void test_discard_callback(void **state)
{
    (void)state;
    cancelling c = {.callback = {.label = "handed back"}};
    npi_store_release(&reports.value, (uint64_t)0);
    np_set_diagnostic_handler(on_report, NULL);
    c.executor = pool_create(ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.watchdog_ns = LIMIT_NS,
                                                             .on_discard = stuck_in_discard,
                                                             .discard_context = &c.callback));
    assert_int_equal(np_submit(c.executor, cancel_and_wait, &c), NP_OK);
    np_stuck_task stuck = await_label(c.executor, "handed back");
    assert_true(stuck.function == (uintptr_t)stuck_in_discard);
    pool_gate_open(&c.callback.gate);
    pool_gate_await(&c.after, 1);
    stuck = await_label(c.executor, "beneath"); /* the callback has not renamed it */
    assert_true(stuck.function == (uintptr_t)cancel_and_wait);
    pool_gate_open(&c.after);
    assert_int_equal(np_executor_wait_idle(c.executor, NP_FOREVER), NP_OK);
    pool_destroy_exact(c.executor, 1, 1);
    np_set_diagnostic_handler(NULL, NULL);
}

/* Another executor's task, run by a submit because its inbox is full, has a name of its own. */
typedef struct overfull {
    np_executor *full;
    stuck_at in_submit;
    pool_gate after;
} overfull;

static void submit_to_the_full_one(void *argument)
{
    overfull *o = argument;
    np_task_label("submits");
    assert_int_equal(np_submit(o->full, be_stuck, &o->in_submit), NP_OK);
    pool_gate_pass(&o->after);
}

static void test_task_inside_a_submit(void **state)
{
    (void)state;
    pool_gate busy = {0, 0};
    overfull o = {.in_submit = {.label = "in the submit"}};
    np_executor *executor = watched(ONE_BY_ONE);
    o.full = pool_create(ONE_BY_ONE,
                         NP_EXECUTOR_OPTIONS(.inbox_capacity = 1, .inbox_full = NP_INBOX_FULL_RUN));
    assert_int_equal(np_submit(o.full, pool_task_gate, &busy), NP_OK);
    pool_gate_await(&busy, 1);
    assert_int_equal(np_submit(o.full, pool_task_gate, &busy), NP_OK); /* the inbox is full */
    assert_int_equal(np_submit(executor, submit_to_the_full_one, &o), NP_OK);
    np_stuck_task stuck = await_label(executor, "in the submit");
    assert_true(stuck.function == (uintptr_t)be_stuck);
    pool_gate_open(&o.in_submit.gate);
    pool_gate_await(&o.after, 1);
    stuck = await_label(executor, "submits");
    assert_true(stuck.function == (uintptr_t)submit_to_the_full_one);
    pool_gate_open(&o.after);
    finish(executor, 1);
    pool_gate_open(&busy);
    assert_int_equal(np_executor_destroy(o.full), NP_OK);
}

/* --- inside the handler ---------------------------------------------------------------------- */

static np_executor *reported;
static np_atomic(uint32_t) answer;

/* The watchdog would wait for itself. */
static void shut_down_in_handler(void *context, np_severity severity, const char *message)
{
    if (strstr(message, "in one task") == NULL)
        return;
    on_report(context, severity, message);
    npi_store_release(&answer, (uint32_t)np_executor_shutdown_within(reported, 0, NULL));
    if ((int32_t)npi_load_acquire(&answer) == NP_ERR_FROM_WORKER)
        npi_store_release(&answer, (uint32_t)np_executor_destroy(reported));
    pool_gate_open(context);
}

static void test_no_shutdown_in_the_handler(void **state)
{
    (void)state;
    pool_gate gate = {0, 0};
    reported = watched(ONE_BY_ONE);
    np_set_diagnostic_handler(shut_down_in_handler, &gate);
    assert_int_equal(np_submit(reported, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    await_reports(1);
    assert_int_equal(np_executor_wait_idle(reported, NP_FOREVER), NP_OK);
    assert_int_equal((int32_t)npi_load_acquire(&answer), NP_ERR_FROM_WORKER);
    finish(reported, 1);
}

static np_atomic(uint32_t) handlers_child;

static void end_of_thread(void *value)
{
    (void)value;
    _exit(7);
}

static void fork_in_handler(void *context, np_severity severity, const char *message)
{
    if (strstr(message, "in one task") == NULL)
        return;
    pid_t child = fork();
    if (child == 0) {
        pthread_key_t key;
        sigset_t alarms;
        (void)sigemptyset(&alarms); /* blocked on a thread of the library's */
        (void)sigaddset(&alarms, SIGALRM);
        (void)pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
        (void)alarm(20); /* else it might stay for ever */
        if (pthread_key_create(&key, end_of_thread) != 0 || pthread_setspecific(key, &reports) != 0)
            _exit(1);
        return;
    }
    npi_store_release(&handlers_child, (uint32_t)child);
    on_report(context, severity, message);
}

/* In the child the watchdog is alone: its thread ends, which would be the end of the process. */
static void test_fork_in_the_handler(void **state)
{
    (void)state;
    int status = 0;
    stuck_at s = {.label = "the parent's"};
    np_executor *executor = watched(ONE_BY_ONE);
    np_set_diagnostic_handler(fork_in_handler, NULL);
    assert_int_equal(np_submit(executor, be_stuck, &s), NP_OK);
    await_reports(1);
    pid_t child = (pid_t)npi_load_acquire(&handlers_child);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    pool_gate_open(&s.gate);
    finish(executor, 1);
}

int main(void)
{
    npi_lock_init(&report_lock);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discard_callback),
        cmocka_unit_test(test_task_inside_a_submit),
        cmocka_unit_test(test_no_shutdown_in_the_handler),
        cmocka_unit_test(test_fork_in_the_handler),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
