/*
 * Goal: the promises hold for everything at once. Method: on machines of several shapes, with
 * options by the seed, outside threads send tasks of every kind; tasks work, send more, fork and
 * join in both forms, wait for groups, run loops, block. A watcher looks at quiet moments; at the
 * end the ledger must balance. What was exercised is counted, and must not be nothing.
 */
#include <numaperf/parallel.h>

#include "pool.h"

static sim_pool the;

/* --- what a task may do --------------------------------------------------------------------------
 */

static void leaf(void *argument)
{
    uint64_t *sum = argument;
    pool_work(sim_random(800));
    ++*sum;
}

/* Plain children, some of them left for the end of the task to join. */
static void forks(sim_job *job)
{
    static uint64_t sums[POOL_JOBS][6];
    uint64_t *sum = sums[job->number];
    unsigned count = 1 + (unsigned)sim_random(6);
    for (unsigned i = 0; i < count; i++) {
        sum[i] = 0;
        np_fork(leaf, &sum[i]);
    }
    pool_work(sim_random(1500));
    unsigned joins = sim_random(4) == 0 ? count / 2 : count;
    for (unsigned i = 0; i < joins; i++) {
        np_join();
        sim_check(sum[count - 1 - i] == 1, "job #: child # ran # times", job->number, count - 1 - i,
                  sum[count - 1 - i]);
    }
}

static uintptr_t fib(np_worker *self, uintptr_t n)
{
    if (n < 2) {
        pool_work(sim_random(200));
        return n;
    }
    np_fast_fork(self, fib, n - 1);
    uintptr_t right = fib(self, n - 2);
    return right + np_fast_join(self, fib, n - 1);
}

static void fast_forks(sim_job *job)
{
    static const uintptr_t right[] = {0, 1, 1, 2, 3, 5, 8};
    np_worker *self = np_fast_self();
    uintptr_t n = sim_random(7);
    if (self == NULL)
        return; /* run in a submit */
    uintptr_t got = fib(self, n);
    sim_check(got == right[n], "job #: fib # is #", job->number, n, got);
}

static void count_range(void *context, size_t begin, size_t end)
{
    uint8_t *seen = context;
    for (size_t i = begin; i < end; i++)
        seen[i]++;
    pool_work((end - begin) * 100);
}

static void loops(sim_job *job)
{
    static uint8_t seen[POOL_JOBS][64];
    size_t count = 1 + sim_random(64);
    for (size_t i = 0; i < count; i++)
        seen[job->number][i] = 0;
    np_loop_options how = {.size = sizeof how, .grain = sim_random(3) * 4};
    how.schedule = sim_random(4) == 0 ? NP_SCHEDULE_STATIC : NP_SCHEDULE_ADAPTIVE;
    if (job->in_caller || sim_random(3) == 0)
        how.schedule = NP_SCHEDULE_ADAPTIVE;
    sim_check_ok(
        np_parallel_for(job->pool->executor, 0, count, &how, count_range, seen[job->number]));
    for (size_t i = 0; i < count; i++)
        sim_check(seen[job->number][i] == 1, "job #: index # ran # times", job->number, i,
                  seen[job->number][i]);
    pool_saw(SEEN_ITERATIONS, count);
}

static void some_body(sim_job *job);

static sim_job *child_of(sim_job *parent)
{
    sim_job *child = job_new(parent->pool, some_body);
    child->depth = parent->depth - 1;
    child->affinity = (np_task_affinity)sim_random(3);
    if (sim_random(2) == 0)
        child->home = pool_some_node(parent->pool);
    return child;
}

static void submits(sim_job *parent)
{
    for (unsigned i = 1 + (unsigned)sim_random(3); i > 0 && parent->depth > 0; i--) {
        pool_work(sim_random(400));
        (void)job_send(child_of(parent));
    }
}

/* Sends into a group and waits: the worker runs other tasks, or its own children, meanwhile. */
static void waits(sim_job *parent)
{
    np_group *group = NULL;
    if (parent->depth == 0)
        return;
    np_group_options how = {.size = sizeof how, .isolated = sim_random(4) == 0};
    sim_check_ok(np_group_create(&how, &group));
    sim_job *sent[3];
    unsigned count = 1 + (unsigned)sim_random(3);
    for (unsigned i = 0; i < count; i++) {
        sent[i] = child_of(parent);
        sent[i]->group = group;
        (void)job_send(sent[i]);
    }
    np_status status = np_group_wait(group);
    if (status == NP_ERR_NO_SPARE) { /* isolated, and every spare is in use */
        pool_saw(SEEN_NO_SPARE, 1);
        pool_destroy_later(parent->pool, group);
        return;
    }
    sim_check(status == NP_OK, "a wait returned #", (uint64_t)status);
    for (unsigned i = 0; i < count; i++)
        sim_check(!sent[i]->accepted || sent[i]->state == JOB_RAN,
                  "the wait is over, job # is in state #", sent[i]->number,
                  (uint64_t)sent[i]->state);
    sim_check_ok(np_group_destroy(group));
}

static void blocks(sim_job *job)
{
    (void)job;
    if (np_blocking_begin() != NP_OK) {
        pool_saw(SEEN_NO_SPARE, 1);
        return;
    }
    pool_work(sim_random(4000));
    np_blocking_end();
}

static void long_one(sim_job *job)
{
    (void)job;
    pool_work(2000 + sim_random(200000));
}

static void short_one(sim_job *job)
{
    (void)job;
    pool_work(sim_random(600));
}

static void long_leaf(void *argument)
{
    pool_work(5000 + sim_random(20000));
    ++*(uint64_t *)argument;
}

/* Somebody asks for more when the worker has nothing more to give; the next child is the answer. */
static void answers(sim_job *job)
{
    uint64_t done = 0;
    np_fork(long_leaf, &done);
    np_fork(leaf, &done);
    pool_work(sim_random(5000));
    np_join();
    np_fork(long_leaf, &done);
    pool_work(sim_random(30000));
    np_join();
    np_join();
    sim_check(done == 3, "job #: # of 3 children ran", job->number, done);
}

static void some_body(sim_job *job)
{
    static const job_body bodies[] = {answers, short_one, forks,    fast_forks, submits,  waits,
                                      blocks,  loops,     long_one, submits,    short_one};
    bodies[sim_random(sizeof bodies / sizeof *bodies)](job);
}

/* --- who sends ----------------------------------------------------------------------------------
 */

static sim_job *fresh(void)
{
    sim_job *job = job_new(&the, some_body);
    job->depth = 2;
    job->affinity = (np_task_affinity)sim_random(3);
    if (sim_random(4) != 0)
        job->home = pool_some_node(&the);
    return job;
}

static void sender(void *argument)
{
    pool_sender_is((uint32_t)(uintptr_t)argument);
    for (unsigned left = 1 + (unsigned)sim_random(8); left > 0; left--) {
        if (sim_random(5) == 0) {
            sim_job *batch[6];
            size_t count = 1 + sim_random(6);
            np_node_id node = pool_some_node(&the);
            for (size_t i = 0; i < count; i++) {
                batch[i] = job_new(&the, some_body);
                batch[i]->depth = 1;
                batch[i]->home = node;
            }
            (void)job_send_batch(batch, count);
        } else {
            (void)job_send(fresh());
        }
        if (sim_random(3) == 0)
            pool_work(sim_random(20000));
    }
}

static void mixed(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.spare_workers = (uint32_t)sim_random(3);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 30);
    sim_thread *threads[3];
    unsigned count = 1 + (unsigned)sim_random(3);
    for (unsigned i = 0; i < count; i++)
        threads[i] = sim_thread_start("sender", sender, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i < count; i++)
        pool_join(threads[i]);
    bool idle = sim_random(2) == 0;
    if (idle) {
        sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
        pool_check_over(&the);
        pool_check_ledger(&the);
    }
    pool_join(watch);
    if (idle && sim_random(4) == 0)
        pool_check_idle(&the);
    pool_close(&the);
}

/* Many workers on two processors. */
static void crowded(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 6 + (uint32_t)sim_random(10);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 20);
    sim_thread *threads[2];
    for (unsigned i = 0; i < 2; i++)
        threads[i] = sim_thread_start("sender", sender, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i < 2; i++)
        pool_join(threads[i]);
    pool_join(watch);
    pool_close(&the);
}

static const sim_case cases[] = {
    {.name = "one worker",
     .scenario = mixed,
     .share = 50,
     .config = {.machine = "numa:1 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "one node",
     .scenario = mixed,
     .config = {.machine = "numa:1 core:3 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "two nodes",
     .scenario = mixed,
     .config = {.machine = "numa:2 core:2 pu:1",
                .may_be_timed = true,
                .faults = SIM_HARMLESS_FAULTS}},
    {.name = "two sockets",
     .scenario = mixed,
     .config = {.machine = "pack:2 numa:2 core:1 pu:2", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "crowded",
     .scenario = crowded,
     .share = 30,
     .config = {.machine = "numa:2 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
};

int main(int argc, char **argv)
{
    pool_fast_body(fib);
    static const pool_seen needed[] = {
        SEEN_RAN,          SEEN_AWAY,     SEEN_STOLEN_HERE, SEEN_STOLEN_ABROAD, SEEN_FORKS_HERE,
        SEEN_FORKS_ABROAD, SEEN_BACKLOG,  SEEN_ANY,         SEEN_GATE,          SEEN_PARKS,
        SEEN_WAKES,        SEEN_BLOCKED,  SEEN_QUIET,       SEEN_QUIET_BUSY,    SEEN_QUIET_ASLEEP,
        SEEN_ITERATIONS,   SEEN_NO_SPARE, SEEN_COUNT};
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof *cases);
    return failed != 0 ? failed : pool_report(argc, argv, needed);
}
