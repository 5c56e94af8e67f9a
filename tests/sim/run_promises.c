/*
 * Goal: single promises of the design, each in a scenario that would show it broken: order, strict
 * at home, no starvation, work conservation, waits that help, an idle executor that rests,
 * wait_idle that is never early. Method: small pools, the schedule by the seed, exact checks.
 */
#include <numaperf/parallel.h>

#include "pool.h"

static sim_pool the;

static void short_one(sim_job *job)
{
    (void)job;
    pool_work(sim_random(500));
}

static void long_one(sim_job *job)
{
    (void)job;
    pool_work(50000 + sim_random(400000));
}

/* --- order: what one thread sends to one lane runs in the order sent ---------------------------
 */

static void order_sender(void *argument)
{
    pool_sender_is((uint32_t)(uintptr_t)argument);
    for (unsigned i = 0; i < 12; i++) {
        sim_job *job = job_new(&the, short_one);
        job->home = pool_some_node(&the);
        job->affinity = (np_task_affinity)sim_random(3);
        (void)job_send(job);
    }
}

static void order(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {.steal_policy = NP_STEAL_LOCAL_ONLY, .workers_per_node = 1};
    options.inbox_capacity = (uint32_t)sim_random(2) * 3;
    pool_open(&the, &options, false);
    the.in_order = true;
    sim_thread *watch = pool_watch(&the, 10);
    sim_thread *threads[2];
    for (unsigned i = 0; i < 2; i++)
        threads[i] = sim_thread_start("sender", order_sender, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i < 2; i++)
        pool_join(threads[i]);
    pool_join(watch);
    pool_close(&the);
}

/* --- no starvation: a task from outside runs though a worker breeds its own for ever -------------
 */

enum { TURNS = 61, LANES_MOST = 6 };
static bool bred_enough; /* who waited has run */
static bool waits;       /* his submit has returned */
static uint64_t bred, bred_before;

static void breed(sim_job *job)
{
    bred++;
    sim_check(!waits || bred_enough || bred - bred_before <= TURNS * LANES_MOST + 2,
              "a task waits behind # bred ones", bred - bred_before);
    if (bred_enough || bred > 3000) /* the schedule may let nobody submit for that long */
        return;
    sim_job *next = job_new(job->pool, breed);
    (void)job_send(next);
    if (sim_random(8) == 0)
        pool_work(100);
}

/* The inbox has every 61st turn, and its lanes take turns. */
static void late_comer(sim_job *job)
{
    (void)job;
    bred_enough = true;
}

static void starve_sender(void *argument)
{
    pool_work(5000 + sim_random(5000));
    (void)job_send(argument);
    bred_before = bred;
    waits = true;
}

static void breeding_begins(void)
{
    bred_enough = waits = false;
    bred = bred_before = 0;
}

static void starve(void *argument)
{
    (void)argument;
    pool_begin();
    breeding_begins();
    np_executor_options options = {.workers_per_node = 1};
    pool_open(&the, &options, false);
    sim_job *first = job_new(&the, breed);
    first->home = the.nodes[0];
    (void)job_send(first);
    sim_job *late = job_new(&the, late_comer);
    late->affinity = (np_task_affinity)sim_random(2);
    late->home = the.nodes[0];
    sim_thread *thread = sim_thread_start("late", starve_sender, late);
    pool_join(thread);
    pool_close(&the);
}

/* What a worker left in its own queue when it began a long task: its sibling, which breeds its own
 * for ever, takes it in turn. */
static void leaves_and_stays(sim_job *job)
{
    (void)job_send(job_new(job->pool, late_comer));
    bred_before = bred;
    waits = true;
    for (unsigned i = 0; i < 200 && !bred_enough; i++)
        pool_work(2000);
}

static void sibling_starves(void *argument)
{
    (void)argument;
    pool_begin();
    breeding_begins();
    np_executor_options options = {.workers_per_node = 2};
    pool_open(&the, &options, false);
    sim_job *first = job_new(&the, breed);
    sim_job *other = job_new(&the, leaves_and_stays);
    first->home = other->home = the.nodes[0];
    (void)job_send(first);
    (void)job_send(other);
    pool_close(&the);
}

/* --- strict at home, with all it forks ----------------------------------------------------------
 */

static np_node_id strict_node[64];

static void strict_child(void *argument)
{
    np_node_id home = *(np_node_id *)argument;
    sim_check(np_current_node() == home, "a strict task's child runs on node #, not on #",
              (uint64_t)np_current_node(), (uint64_t)home);
    pool_work(sim_random(3000));
}

static uintptr_t strict_fast(np_worker *self, uintptr_t home)
{
    (void)self;
    sim_check((uintptr_t)np_current_node() == home, "a strict task's fast child runs on node #",
              (uint64_t)np_current_node());
    pool_work(sim_random(3000));
    return home;
}

static void strict_piece(void *context, size_t begin, size_t end)
{
    strict_child(context);
    pool_saw(SEEN_ITERATIONS, end - begin);
}

static void strict_forks(sim_job *job)
{
    np_node_id *home = &strict_node[job->number % 64];
    *home = job->home;
    unsigned count = 1 + (unsigned)sim_random(5);
    for (unsigned i = 0; i < count; i++)
        np_fork(strict_child, home);
    np_worker *self = np_fast_self();
    np_fast_fork(self, strict_fast, (uintptr_t)*home);
    pool_work(sim_random(2000));
    (void)np_fast_join(self, strict_fast, (uintptr_t)*home);
    np_loop_options how = {.size = sizeof how, .grain = 2};
    if (sim_random(2) == 0)
        sim_check_ok(np_parallel_for(job->pool->executor, 0, 10, &how, strict_piece, home));
    for (unsigned i = sim_random(2) == 0 ? count : 0; i > 0; i--)
        np_join();
}

static void free_child(void *argument)
{
    pool_work(sim_random(2000));
    ++*(uint64_t *)argument;
}

/* Shared children below, a wait that runs a strict task on top of them, then the join. */
static void waits_above_children(sim_job *job)
{
    uint64_t done = 0;
    np_fork(free_child, &done);
    np_fork(free_child, &done);
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    sim_job *strict = job_new(job->pool, strict_forks);
    strict->affinity = NP_AFFINITY_STRICT;
    strict->home = job->home;
    strict->group = group;
    if (job_send(strict))
        sim_check_ok(np_group_wait(group));
    sim_check_ok(np_group_destroy(group));
    np_join();
    np_join();
    sim_check(done == 2, "# of 2 children ran", done);
}

static void strict(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 20);
    for (unsigned i = 0; i < 8; i++) {
        bool nested = sim_random(3) == 0;
        sim_job *job = job_new(&the, nested ? waits_above_children : strict_forks);
        job->affinity = nested ? NP_AFFINITY_PREFERRED : NP_AFFINITY_STRICT;
        job->home = i < 5 ? the.nodes[0] : pool_some_node(&the);
        (void)job_send(job);
        pool_work(sim_random(500));
    }
    pool_join(watch);
    pool_close(&the);
}

/* --- a wait helps: one worker, tasks that wait in nests, and forks across waits ------------------
 */

static void nest(sim_job *job)
{
    if (job->depth == 0) {
        pool_work(sim_random(300));
        return;
    }
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    sim_job *inner[2];
    for (unsigned i = 0; i < 2; i++) {
        inner[i] = job_new(job->pool, nest);
        inner[i]->depth = job->depth - 1;
        inner[i]->group = group;
        inner[i]->home = pool_some_node(job->pool);
        inner[i]->affinity = (np_task_affinity)sim_random(3);
        (void)job_send(inner[i]);
    }
    sim_check_ok(np_group_wait(group));
    for (unsigned i = 0; i < 2; i++)
        sim_check(inner[i]->state == JOB_RAN, "the wait is over before job #", inner[i]->number);
    sim_check_ok(np_group_destroy(group));
}

static void nested_waits(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1;
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 15);
    for (unsigned i = 0; i < 2; i++) {
        sim_job *job = job_new(&the, nest);
        job->depth = 3;
        (void)job_send(job);
    }
    pool_join(watch);
    pool_close(&the);
}

/* --- wait_idle: never early, never for ever; and idle means idle ---------------------------------
 */

static void chain(sim_job *job)
{
    if (job->depth > 0) {
        sim_job *next = job_new(job->pool, chain);
        next->depth = job->depth - 1;
        next->value = job->value; /* which chain it belongs to */
        next->home = pool_some_node(job->pool);
        next->affinity = (np_task_affinity)sim_random(3);
        if (sim_random(2) == 0)
            pool_work(sim_random(300));
        (void)job_send(next);
    }
    if (sim_random(2) == 0)
        pool_work(sim_random(300));
}

static void idle_waiter(void *argument)
{
    (void)argument;
    for (unsigned i = 0; i < 3; i++) {
        sim_job *job = job_new(&the, chain);
        job->depth = 4;
        job->home = pool_some_node(&the);
        job->value = job->number + 1;
        uint64_t mine = job->value;
        (void)job_send(job);
        np_status status = np_executor_wait_idle(the.executor,
                                                 sim_random(3) == 0 ? 3000 : NP_FOREVER);
        if (status == NP_ERR_TIMEOUT) {
            pool_saw(SEEN_TIMEOUTS, 1);
            continue;
        }
        sim_check_ok(status);
        /* The chain is over: each link was accepted before the one before it ended. */
        for (uint32_t k = 0; k < the.job_count; k++)
            sim_check(the.jobs[k].value != mine || the.jobs[k].state == JOB_RAN,
                      "wait_idle is early: job # in state #", k, (uint64_t)the.jobs[k].state);
    }
}

static void wait_idle(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 10);
    sim_thread *threads[2];
    unsigned count = 1 + (unsigned)sim_random(2);
    for (unsigned i = 0; i < count; i++)
        threads[i] = sim_thread_start("waiter", idle_waiter, NULL);
    for (unsigned i = 0; i < count; i++)
        pool_join(threads[i]);
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    pool_check_over(&the);
    pool_check_ledger(&the);
    pool_join(watch);
    pool_check_idle(&the);
    pool_close(&the);
}

/* --- work conservation: long tasks at one node, and everybody who may help does
 * ------------------- */

static void parent_of_many(sim_job *job)
{
    uint64_t sum[12] = {0};
    for (unsigned i = 0; i < 12; i++)
        np_fork(free_child, &sum[i]);
    pool_work(sim_random(30000));
    for (unsigned i = 0; i < 12; i++)
        np_join();
    for (unsigned i = 0; i < 12; i++)
        sim_check(sum[i] == 1, "job #: child # ran # times", job->number, i, sum[i]);
}

static void skew(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 60);
    for (unsigned i = 0; i < 14; i++) {
        job_body bodies[] = {long_one, parent_of_many, short_one};
        sim_job *job = job_new(&the, bodies[sim_random(3)]);
        job->home = the.nodes[0];
        job->affinity = sim_random(6) == 0 ? NP_AFFINITY_STRICT : (np_task_affinity)sim_random(3);
        (void)job_send(job);
        if (sim_random(3) == 0)
            pool_work(sim_random(30000));
    }
    pool_join(watch);
    pool_close(&the);
}

/* --- age: what waits behind a long task leaves after a while, each time -------------------------
 */

#define LONG_NS UINT64_C(200000000)
#define SOON_NS UINT64_C(50000000) /* the gate's age many times over, and what faults may add */
static uint64_t aged_sent;
static bool long_begun, aged_ran;

static void very_long(sim_job *job)
{
    (void)job;
    long_begun = true;
    pool_work(LONG_NS);
}

static void aged(sim_job *job)
{
    sim_check(sim_now() - aged_sent < SOON_NS, "job # waited # us behind a long task", job->number,
              (sim_now() - aged_sent) / 1000);
    aged_ran = true;
}

static void ages(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {.workers_per_node = 1, .gate_age_ns = 200000};
    options.spin_ns = sim_random(2) == 0 ? NP_SPIN_NONE : 0;
    pool_open(&the, &options, false);
    for (unsigned round = 0; round < 3; round++) {
        long_begun = aged_ran = false;
        sim_job *first = job_new(&the, very_long);
        first->affinity = NP_AFFINITY_STRICT;
        sim_job *second = job_new(&the, aged);
        first->home = second->home = pool_some_node(&the);
        (void)job_send(first);
        while (!long_begun)
            pool_work(1000);
        pool_work(sim_random(400000));
        aged_sent = sim_now();
        (void)job_send(second);
        sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    }
    pool_close(&the);
}

/* --- strict tasks reach their home though workers of both nodes come and go
 * ----------------------- */

static void strict_sender(void *argument)
{
    np_node_id node = *(np_node_id *)argument;
    for (unsigned i = 0; i < 12; i++) {
        sim_job *job = job_new(&the, sim_random(3) == 0 ? short_one : NULL);
        job->affinity = NP_AFFINITY_STRICT;
        job->home = node;
        (void)job_send(job);
        if (sim_random(2) == 0)
            while (job->state == JOB_NEW)
                pool_work(sim_random(3000));
    }
}

static void strict_traffic(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    options.workers_per_node = 1 + (uint32_t)sim_random(2);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 40);
    sim_thread *threads[3];
    for (unsigned i = 0; i < 3; i++)
        threads[i] = sim_thread_start("sender", strict_sender, &the.nodes[i % the.node_count]);
    for (unsigned i = 0; i < 3; i++)
        pool_join(threads[i]);
    pool_join(watch);
    pool_close(&the);
}

/* --- several wakers at once, one worker each to wake: whoever relies on another one's search
 * ------- */

static void rival(void *argument)
{
    pool_sender_is((uint32_t)(uintptr_t)argument);
    for (unsigned i = 0; i < 4; i++) {
        sim_job *job = job_new(&the, sim_random(2) == 0 ? long_one : short_one);
        job->home = the.nodes[sim_random(4) == 0 ? the.node_count - 1 : 0];
        job->affinity = sim_random(3) == 0 ? NP_AFFINITY_STRICT : NP_AFFINITY_ANY;
        (void)job_send(job);
        if (sim_random(2) == 0)
            while (job->state == JOB_NEW || job->state == JOB_RUNNING)
                pool_work(sim_random(6000));
    }
}

static void rivals(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {.steal_policy = NP_STEAL_ANY, .workers_per_node = 1};
    options.spin_ns = sim_random(2) == 0 ? NP_SPIN_NONE : 0;
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 60);
    sim_thread *threads[4];
    for (unsigned i = 0; i < 4; i++)
        threads[i] = sim_thread_start("rival", rival, (void *)(uintptr_t)(i + 1));
    for (unsigned i = 0; i < 4; i++)
        pool_join(threads[i]);
    pool_join(watch);
    pool_close(&the);
}

/* A short loop on top of forked children, and then long work: what the loop offers quietly must not
 * take the children along to where no sleeper is told of them. */
static void nothing_much(void *context, size_t begin, size_t end)
{
    (void)context;
    pool_work((end - begin) * 40);
    pool_saw(SEEN_ITERATIONS, end - begin);
}

static void long_child(void *argument)
{
    pool_work(20000 + sim_random(30000));
    ++*(uint64_t *)argument;
}

static void forks_and_loops(sim_job *job)
{
    uint64_t done = 0;
    unsigned count = 1 + (unsigned)sim_random(4);
    for (unsigned i = 0; i < count; i++)
        np_fork(long_child, &done);
    for (unsigned i = 0; i < 3; i++)
        sim_check_ok(
            np_parallel_for(job->pool->executor, 0, 20 + sim_random(60), NULL, nothing_much, NULL));
    pool_work(30000 + sim_random(40000));
    for (unsigned i = 0; i < count; i++)
        np_join();
    sim_check(done == count, "# of # children ran", done, count);
}

static void loops_above_children(void *argument)
{
    (void)argument;
    pool_begin();
    np_executor_options options = {0};
    pool_random_options(&options);
    pool_open(&the, &options, false);
    sim_thread *watch = pool_watch(&the, 100);
    for (unsigned i = 0; i < 3; i++) {
        sim_job *job = job_new(&the, forks_and_loops);
        job->home = pool_some_node(&the);
        (void)job_send(job);
        pool_work(sim_random(60000));
    }
    pool_join(watch);
    pool_close(&the);
}

#define TWO_BY_TWO                                                     \
    {                                                                  \
        .machine = "numa:2 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS \
    }

static const sim_case cases[] = {
    {.name = "order", .scenario = order, .config = TWO_BY_TWO},
    {.name = "starve",
     .scenario = starve,
     .share = 20,
     .config = {.machine = "numa:1 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "sibling",
     .scenario = sibling_starves,
     .share = 20,
     .config = {.machine = "numa:1 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "strict", .scenario = strict, .config = TWO_BY_TWO},
    {.name = "nest", .scenario = nested_waits, .config = TWO_BY_TWO},
    {.name = "nest one",
     .scenario = nested_waits,
     .share = 50,
     .config = {.machine = "numa:1 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "idle", .scenario = wait_idle, .config = TWO_BY_TWO},
    {.name = "traffic", .scenario = strict_traffic, .config = TWO_BY_TWO},
    {.name = "rivals", .scenario = rivals, .config = TWO_BY_TWO},
    {.name = "ages",
     .scenario = ages,
     .share = 50,
     .config = {.machine = "numa:2 core:1 pu:1",
                .faults = {.spurious_wakes = 8, .delayed_wakes = 6, .preemptions = 40}}},
    {.name = "loops", .scenario = loops_above_children, .config = TWO_BY_TWO},
    {.name = "loops four",
     .scenario = loops_above_children,
     .config = {.machine = "numa:1 core:4 pu:1",
                .may_be_timed = true,
                .faults = SIM_HARMLESS_FAULTS}},
    {.name = "skew", .scenario = skew, .config = TWO_BY_TWO},
    {.name = "skew timed",
     .scenario = skew,
     .share = 30,
     .config = {.machine = "pack:2 numa:2 core:2 pu:1", .schedule = SIM_TIMED}},
};

int main(int argc, char **argv)
{
    pool_fast_body(strict_fast);
    static const pool_seen needed[] = {
        SEEN_AWAY,         SEEN_STOLEN_HERE, SEEN_STOLEN_ABROAD, SEEN_FORKS_HERE, SEEN_FORKS_ABROAD,
        SEEN_AGE,          SEEN_BACKLOG,     SEEN_ANY,           SEEN_GATE,       SEEN_QUIET_BUSY,
        SEEN_QUIET_ASLEEP, SEEN_TIMEOUTS,    SEEN_ITERATIONS,    SEEN_COUNT};
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof *cases);
    return failed != 0 ? failed : pool_report(argc, argv, needed);
}
