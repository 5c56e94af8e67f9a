/*
 * Goal: signals. A storm of them, at the process and at single workers, changes no result, and no
 * asynchronous handler of the program ever runs on a worker; a profiler's SIGPROF does, and samples
 * every worker; a crash in a task reaches the program's crash handler on the worker itself, on an
 * alternate stack if the start hook has set one, with a stack overflow too.
 * Method: exact accounts under timers and tgkill; tasks that spin until they have been sampled;
 * crashes in children, which tell by their exit code where the handler ran.
 * usage: hostile_signal [ROUNDS]
 */
#include <pthread.h>
#include <sched.h>
#include <sys/time.h>
#include <time.h>

#include "executor/executor.h"
#include "hostile.h"

#ifndef sigev_notify_thread_id
#define sigev_notify_thread_id _sigev_un._tid
#endif

static pool_counter on_workers, elsewhere; /* SIGUSR1 */
static pool_counter samples;               /* SIGPROF, on workers */
static _Thread_local np_atomic(uint32_t) own_samples;

static void on_user_signal(int number)
{
    (void)number;
    npi_fetch_add_relaxed(npi_tls_worker != NULL ? &on_workers.value : &elsewhere.value,
                          (uint64_t)1);
}

static void on_profile(int number)
{
    (void)number;
    if (npi_tls_worker == NULL)
        return;
    npi_fetch_add_relaxed(&samples.value, (uint64_t)1);
    npi_fetch_add_relaxed(&own_samples, 1u);
}

static void handle(int number, void (*handler)(int), int flags)
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = flags;
    assert_int_equal(sigaction(number, &action, NULL), 0);
}

/* --- the storm -------------------------------------------------------------------------------- */

typedef struct storm {
    np_executor *executor;
    np_atomic(uint32_t) stop;
    pool_counter sent;
} storm;

/* Both at every worker in turn: one that workers block, one that they take. */
static void strike(void *argument)
{
    storm *s = argument;
    for (uint32_t i = 0; npi_load_relaxed(&s->stop) == 0; i++) {
        np_worker_info info;
        if (np_executor_worker_info(s->executor, i % 4, &info) != NP_OK || info.thread == 0)
            continue;
        (void)syscall(__NR_tgkill, getpid(), (pid_t)info.thread, SIGUSR1);
        (void)syscall(__NR_tgkill, getpid(), (pid_t)info.thread, SIGPROF);
        npi_fetch_add_relaxed(&s->sent.value, (uint64_t)2);
        if (i % 64 == 0)
            sched_yield();
    }
}

static void add_range(void *context, size_t begin, size_t end)
{
    npi_fetch_add_relaxed(&((pool_counter *)context)->value, (uint64_t)(end - begin));
}

static void test_storm(void **state)
{
    (void)state;
    storm s = {.executor = pool_create(TWO_BY_TWO, NULL)};
    struct sigevent event;
    struct itimerspec fast = {{0, 300000}, {0, 300000}}; /* 3 kHz, at the process */
    timer_t timer;
    npi_os_thread striker;
    uint64_t tasks = 0;
    handle(SIGUSR1, on_user_signal, 0); /* no SA_RESTART: calls are interrupted */
    handle(SIGPROF, on_profile, 0);
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_SIGNAL;
    event.sigev_signo = SIGUSR1;
    assert_int_equal(timer_create(CLOCK_MONOTONIC, &event, &timer), 0);
    assert_int_equal(timer_settime(timer, 0, &fast, NULL), 0);
    assert_int_equal(npi_os_thread_start(&striker, 0, strike, &s), 0);
    for (unsigned long round = 0; round < hostile_amount * 100; round++) {
        pool_counter count = {0};
        np_group *group = NULL;
        assert_int_equal(np_group_create(NULL, &group), NP_OK);
        for (unsigned i = 0; i < 20; i++)
            assert_int_equal(np_group_submit(group, s.executor, pool_task_count, &count), NP_OK);
        assert_int_equal(np_group_wait(group), NP_OK); /* interrupted, and yet not early */
        assert_int_equal(npi_load_acquire(&count.value), 20);
        assert_int_equal(np_parallel_for(s.executor, 0, 1000, NULL, add_range, &count), NP_OK);
        assert_int_equal(npi_load_acquire(&count.value), 1020);
        assert_int_equal(np_executor_wait_idle(s.executor, NP_FOREVER), NP_OK);
        assert_int_equal(np_group_destroy(group), NP_OK);
        tasks += 21;
    }
    while (npi_load_relaxed(&elsewhere.value) < 10 || npi_load_relaxed(&samples.value) < 10)
        sched_yield(); /* there was a storm */
    npi_store_relaxed(&s.stop, 1u);
    assert_int_equal(npi_os_thread_join(&striker), 0);
    assert_int_equal(timer_delete(timer), 0);
    pool_destroy_exact(s.executor, tasks, 0);
    assert_int_equal(npi_load_relaxed(&on_workers.value), 0);
    hostile_counted("signals sent to workers at work", npi_load_relaxed(&s.sent.value));
}

/* --- profilers -------------------------------------------------------------------------------- */

/* Runs on this worker until it has been sampled. */
static void burn_until_sampled(void *argument)
{
    pool_gate *all = argument;
    npi_fetch_add_acq_rel(&all->arrived, 1u); /* each on a worker of its own */
    while (npi_load_relaxed(&own_samples) < 3)
        npi_cpu_relax();
    while (npi_load_acquire(&all->arrived) < 4)
        sched_yield();
}

static void burn_until_anybody_is_sampled(void *argument)
{
    uint64_t wanted = *(uint64_t *)argument;
    while (npi_load_relaxed(&samples.value) < wanted)
        npi_cpu_relax();
}

/* One timer for the process: the classic profiler. The program's own threads keep out of it. */
static void test_profiler_of_the_process(void **state)
{
    (void)state;
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGPROF);
    assert_int_equal(pthread_sigmask(SIG_BLOCK, &mask, NULL), 0);
    handle(SIGPROF, on_profile, SA_RESTART);
    struct itimerval often = {{0, 2000}, {0, 2000}}, off = {{0, 0}, {0, 0}};
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    uint64_t wanted = npi_load_relaxed(&samples.value) + 20;
    assert_int_equal(setitimer(ITIMER_PROF, &often, NULL), 0);
    assert_int_equal(np_run(executor, 0, burn_until_anybody_is_sampled, &wanted), NP_OK);
    assert_int_equal(setitimer(ITIMER_PROF, &off, NULL), 0);
    pool_destroy_exact(executor, 1, 0);
    assert_int_equal(pthread_sigmask(SIG_UNBLOCK, &mask, NULL), 0);
}

/* A timer for each thread, set by the start hook: the modern one. */
static timer_t timers[4];

static void start_profiling(void *context, const np_worker_info *worker)
{
    (void)context;
    struct sigevent event;
    struct itimerspec often = {{0, 1000000}, {0, 1000000}};
    memset(&event, 0, sizeof event);
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGPROF;
    event.sigev_notify_thread_id = (pid_t)worker->thread;
    assert_int_equal(timer_create(CLOCK_THREAD_CPUTIME_ID, &event, &timers[worker->index]), 0);
    assert_int_equal(timer_settime(timers[worker->index], 0, &often, NULL), 0);
}

static void stop_profiling(void *context, const np_worker_info *worker)
{
    (void)context;
    assert_int_equal(timer_delete(timers[worker->index]), 0);
}

static void test_profiler_of_each_thread(void **state)
{
    (void)state;
    pool_gate all = {0, 0};
    handle(SIGPROF, on_profile, SA_RESTART);
    np_executor *executor = pool_create(
        ONE_BY_FOUR,
        NP_EXECUTOR_OPTIONS(.on_worker_start = start_profiling, .on_worker_stop = stop_profiling));
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(np_submit(executor, burn_until_sampled, &all), NP_OK);
    pool_destroy_exact(executor, 4, 0);
}

/* --- crashes ---------------------------------------------------------------------------------- */

enum { ON_A_WORKER = 11, ON_ALTERNATE_STACK = 12, NOT_ON_A_WORKER = 13 };

static _Thread_local char *alternate;
enum { ALTERNATE_BYTES = 64 * 1024 };

static void on_crash(int number)
{
    char here;
    (void)number;
    if (npi_tls_worker == NULL)
        _exit(NOT_ON_A_WORKER);
    bool apart = alternate != NULL && &here >= alternate && &here < alternate + ALTERNATE_BYTES;
    _exit(apart ? ON_ALTERNATE_STACK : ON_A_WORKER);
}

static void give_alternate_stack(void *context, const np_worker_info *worker)
{
    (void)context, (void)worker;
    alternate = malloc(ALTERNATE_BYTES);
    stack_t stack = {.ss_sp = alternate, .ss_size = ALTERNATE_BYTES, .ss_flags = 0};
    if (alternate == NULL || sigaltstack(&stack, NULL) != 0)
        _exit(CHILD_FAILED);
}

static void *forbidden; /* a page that nobody may touch */

static void touch_it(void *argument)
{
    (void)argument;
    *(volatile int *)forbidden = 1;
}

static void give_up(void *argument)
{
    (void)argument;
    abort();
}

static volatile unsigned deep_sum;

static __attribute__((noinline)) unsigned recurse(unsigned depth)
{
    volatile char page[4096] = {0};
    page[depth % 4096] = (char)depth;
    deep_sum += (unsigned char)page[depth % 4096];
    return depth == UINT32_MAX ? 0 : recurse(depth + 1) + (unsigned char)page[0];
}

static void overflow(void *argument)
{
    (void)argument;
    deep_sum += recurse(0);
}

typedef struct crash {
    np_task_fn how;
    bool alternate, handled;
    int expected;
} crash;

static int crash_in_a_task(void *argument)
{
    const crash *c = argument;
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    /* Without ours: the default, and not cmocka's. */
    handle(SIGSEGV, c->handled ? on_crash : SIG_DFL, c->handled ? SA_ONSTACK : 0);
    handle(SIGABRT, c->handled ? on_crash : SIG_DFL, c->handled ? SA_ONSTACK : 0);
    forbidden = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHILD_CHECK(forbidden != MAP_FAILED);
    CHILD_CHECK(np_topology_from_synthetic(TWO_BY_TWO, &topology) == NP_OK);
    CHILD_CHECK(
        np_executor_create(
            topology,
            NP_EXECUTOR_OPTIONS(.on_worker_start = c->alternate ? give_alternate_stack : NULL),
            &executor) == NP_OK);
    CHILD_CHECK(np_run(executor, 1, c->how, NULL) == NP_OK);
    return CHILD_FAILED;
}

static void test_crashes(void **state)
{
    (void)state;
    static const crash crashes[] = {
        {touch_it, false, true, ON_A_WORKER},       {touch_it, true, true, ON_ALTERNATE_STACK},
        {give_up, false, true, ON_A_WORKER},        {give_up, true, true, ON_ALTERNATE_STACK},
        {overflow, true, true, ON_ALTERNATE_STACK}, {touch_it, false, false, -SIGSEGV},
        {give_up, false, false, -SIGABRT},
    };
    if (UNIT_SANITIZED)
        UNIT_SKIP("a sanitizer's own handlers see crashes first");
    for (unsigned long round = 0; round < hostile_amount; round++) {
        for (size_t i = 0; i < sizeof crashes / sizeof crashes[0]; i++) {
            crash c = crashes[i];
            int status = 0;
            fflush(NULL);
            pid_t child = fork();
            assert_true(child >= 0);
            if (child == 0) {
                hostile_hurry();
                _exit(crash_in_a_task(&c));
            }
            assert_int_equal(waitpid(child, &status, 0), child);
            if (c.expected < 0)
                assert_true(WIFSIGNALED(status) && WTERMSIG(status) == -c.expected);
            else
                assert_true(WIFEXITED(status) && WEXITSTATUS(status) == c.expected);
        }
    }
}

int main(int argc, char **argv)
{
    hostile_begin(argc, argv, 3);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_storm),
        cmocka_unit_test(test_profiler_of_the_process),
        cmocka_unit_test(test_profiler_of_each_thread),
        cmocka_unit_test(test_crashes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
