/*
 * Goal: an executor ends cleanly however it ends, and nothing is touched afterwards: patient and
 * timed shutdown, several at once, submits racing with it, guests inside, tasks that go on
 * submitting, full inboxes in their three modes, threads and memory that cannot be had. Method: as
 * in run_mixed.c; freed memory is poisoned and unmapped by the machine.
 */
#include "pool.h"

static sim_pool the;

static void short_one(sim_job *job)
{
    (void)job;
    pool_work(sim_random(1500));
}

static void submits_more(sim_job *job)
{
    pool_work(sim_random(500));
    if (job->depth == 0)
        return;
    for (unsigned i = 0; i < 2; i++) {
        sim_job *next = job_new(job->pool, submits_more);
        next->depth = job->depth - 1;
        next->home = pool_some_node(job->pool);
        next->affinity = (np_task_affinity)sim_random(3);
        (void)job_send(next);
    }
}

static void sender(void *argument)
{
    pool_sender_is((uint32_t)(uintptr_t)argument);
    for (unsigned i = 0; i < 10; i++) {
        sim_job *job = job_new(&the, sim_random(3) == 0 ? submits_more : short_one);
        job->depth = 2;
        job->home = pool_some_node(&the);
        job->affinity = (np_task_affinity)sim_random(3);
        (void)job_send(job);
        if (sim_random(4) == 0)
            pool_work(sim_random(3000));
    }
}

/* What was refused and what was accepted must be what the submits said. Senders are joined before
 * the executor is destroyed: that is their duty. */
static void shutdown_thread(void *argument)
{
    (void)argument;
    pool_work(sim_random(20000));
    if (sim_random(2) == 0) {
        sim_check_ok(np_executor_shutdown(the.executor));
        return;
    }
    np_shutdown_result result;
    np_status status = np_executor_shutdown_within(the.executor, sim_random(20000), &result);
    sim_check(status == NP_OK || status == NP_ERR_TIMEOUT, "a timed shutdown returned #",
              (uint64_t)status);
    if (status == NP_ERR_TIMEOUT) {
        sim_check(result.running != 0, "timed out, but nothing runs", 0);
        pool_saw(SEEN_TIMEOUTS, 1);
    } else {
        sim_check(result.running == 0, "shut down, but # run", result.running);
    }
}

static void shutdown(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    the.may_refuse = the.may_discard = true;
    sim_thread *threads[4];
    unsigned count = 0;
    for (unsigned i = 0; i < 2; i++)
        threads[count++] = sim_thread_start("sender", sender, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i <= sim_random(2); i++)
        threads[count++] = sim_thread_start("ender", shutdown_thread, NULL);
    for (unsigned i = 0; i < count; i++)
        pool_join(threads[i]);
    pool_close(&the);
}

/* A group whose tasks are discarded must end, and its wait says so. */
static np_group *ended_group;

static void discarded_group(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {.workers_per_node = 1};
    pool_open(&the, &options, false);
    the.may_discard = the.may_refuse = true;
    sim_check_ok(np_group_create(NULL, &ended_group));
    for (unsigned i = 0; i < 8; i++) {
        sim_job *job = job_new(&the, short_one);
        job->group = ended_group;
        job->home = pool_some_node(&the);
        (void)job_send(job);
    }
    sim_thread *ender = sim_thread_start("ender", shutdown_thread, NULL);
    np_status status = np_group_wait(ended_group);
    sim_check(status == NP_OK || (status == NP_ERR_CANCELLED && the.discarded != 0),
              "the wait returned #, # were discarded", (uint64_t)status, the.discarded);
    sim_check_ok(np_group_destroy(ended_group));
    pool_join(ender);
    pool_close(&the);
}

/* --- a full inbox --------------------------------------------------------------------------------
 */

static void full(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1;
    options.inbox_capacity = 1 + (uint32_t)sim_random(3);
    options.inbox_full = (np_inbox_full)sim_random(3);
    pool_open(&the, &options, false);
    the.may_refuse = options.inbox_full == NP_INBOX_FULL_FAIL;
    the.in_order = options.steal_policy == NP_STEAL_LOCAL_ONLY;
    sim_thread *watch = pool_watch(&the, 10);
    sim_thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        threads[i] = sim_thread_start("sender", sender, (void *)(uintptr_t)(i + 1));
    bool end = sim_random(2) == 0;
    if (end) {
        the.may_refuse = the.may_discard = true;
        shutdown_thread(NULL);
    }
    for (unsigned i = 0; i < 3; i++)
        pool_join(threads[i]);
    pool_join(watch);
    pool_close(&the);
}

/* --- guests --------------------------------------------------------------------------------------
 */

static void guest(void *argument)
{
    np_leave *leave = argument;
    np_status status = np_worker_run(the.executor, pool_some_node(&the), leave);
    sim_check(status == NP_OK || status == NP_ERR_SHUT_DOWN || status == NP_ERR_LIMIT ||
                  status == NP_ERR_BUSY,
              "np_worker_run returned #", (uint64_t)status);
    if (status == NP_OK)
        pool_saw(SEEN_GUESTS, 1);
}

static void puller(void *argument)
{
    pool_work(sim_random(20000));
    np_leave_now(argument);
}

static void guests(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1;
    options.guest_workers = 2;
    pool_open(&the, &options, false);
    np_leave *leaves[2];
    sim_thread *threads[6];
    unsigned count = 0;
    bool pulled = sim_random(2) == 0; /* else shutdown ends their stay */
    for (unsigned i = 0; i < 2; i++) {
        sim_check_ok(np_leave_create(&leaves[i]));
        threads[count++] = sim_thread_start("guest", guest, leaves[i]);
    }
    for (unsigned i = 0; i < 2; i++)
        threads[count++] = sim_thread_start("sender", sender, (void *)(uintptr_t)(i + 1));
    sim_thread *watch = pool_watch(&the, 10);
    if (pulled)
        for (unsigned i = 0; i < 2; i++)
            threads[count++] = sim_thread_start("puller", puller, leaves[i]);
    for (unsigned i = 2; i < count; i++)
        pool_join(threads[i]);
    pool_join(watch);
    pool_close(&the);
    for (unsigned i = 0; i < 2; i++) {
        pool_join(threads[i]);
        np_leave_destroy(leaves[i]);
    }
}

/* --- what cannot be had --------------------------------------------------------------------------
 */

static void sender_with_refusals(void *argument)
{
    sender(argument);
}

/* Threads, memory and placement fail by the seed: create says so and leaves nothing, or the
 * executor works. */
static void scarce(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    if (!pool_open(&the, &options, true))
        return;
    the.may_refuse = true;
    sim_thread *threads[2];
    for (unsigned i = 0; i < 2; i++)
        threads[i] = sim_thread_start("sender", sender_with_refusals, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i < 2; i++)
        pool_join(threads[i]);
    sim_faults_on(false);
    pool_close(&the);
}

/* Destroyed at once, before the workers have run; again and again. */
static void short_lives(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 3; i++) {
        pool_begin();
        np_executor_options options = {0};
        pool_random_options(&options);
        pool_open(&the, &options, false);
        for (uint64_t jobs = sim_random(4); jobs > 0; jobs--)
            (void)job_send(job_new(&the, short_one));
        pool_close(&the);
    }
}

#define TWO_BY_TWO                                                     \
    {                                                                  \
        .machine = "numa:2 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS \
    }

static const sim_case cases[] = {
    {.name = "shutdown", .scenario = shutdown, .config = TWO_BY_TWO},
    {.name = "discarded", .scenario = discarded_group, .config = TWO_BY_TWO},
    {.name = "full", .scenario = full, .config = TWO_BY_TWO},
    {.name = "guests", .scenario = guests, .config = TWO_BY_TWO},
    {.name = "short lives", .scenario = short_lives, .config = TWO_BY_TWO},
    {.name = "scarce",
     .scenario = scarce,
     .config = {.machine = "numa:2 core:2 pu:1",
                .faults = {.threads = 12,
                           .allocations = 40,
                           .mappings = 40,
                           .placements = 10,
                           .affinity = 6,
                           .preemptions = 40}}},
};

int main(int argc, char **argv)
{
    static const pool_seen needed[] = {SEEN_DISCARDED, SEEN_REFUSED, SEEN_IN_CALLER,
                                       SEEN_TIMEOUTS,  SEEN_GUESTS,  SEEN_FAILED_STARTS,
                                       SEEN_COUNT};
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof *cases);
    return failed != 0 ? failed : pool_report(argc, argv, needed);
}
