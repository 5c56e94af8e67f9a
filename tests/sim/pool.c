/*
 * pool.c - the executor and the ledger of pool.h, and what was exercised.
 */
#include "pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t counts[SEEN_COUNT];
static const char *const words[SEEN_COUNT] = {
#define POOL_SEEN_WORDS(name, text) text,
    POOL_SEEN(POOL_SEEN_WORDS)
#undef POOL_SEEN_WORDS
};

/* How many fibres are inside pool_work or pool_join: pool_quiet.c. */
uint32_t pool_resting;

void pool_saw(pool_seen what, uint64_t count)
{
    counts[what] += count;
}

int pool_report(int argc, char **argv, const pool_seen *needed)
{
    for (unsigned i = 0; i < SEEN_COUNT; i++)
        if (counts[i] != 0)
            printf("counted: sim | %s | %llu\n", words[i], (unsigned long long)counts[i]);
    if (getenv("SEED") != NULL || argc > 2 || (argc > 1 && strtoull(argv[1], NULL, 10) < 200))
        return 0;
    int missing = 0;
    for (; *needed != SEEN_COUNT; needed++)
        if (counts[*needed] == 0) {
            printf("this campaign has shown nothing about: %s\n", words[*needed]);
            missing = 1;
        }
    return missing;
}

/* --- the executor ------------------------------------------------------------------------------
 */

/* By fibre number in the run; small, given by pool_sender_is. Fibres share real thread-locals. */
#define FIBRES 256u
static uint32_t senders[FIBRES];

void pool_begin(void)
{
    pool_resting = 0;
    memset(senders, 0, sizeof senders);
}

static uint32_t fibre_slot(void)
{
    return npi_tls_ordinal() % FIBRES;
}

void pool_sender_is(uint32_t number)
{
    senders[fibre_slot()] = number;
}

static void discarded(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    sim_pool *pool = context;
    if (fn != job_task)
        return; /* a fork's root, a loop's share: no sim_job */
    sim_job *job = argument;
    sim_check(pool->may_discard, "job # was handed back, reason #", job->number, (uint64_t)reason);
    sim_check(job->state == JOB_NEW, "job # was handed back in state #", job->number,
              (uint64_t)job->state);
    job->state = JOB_DISCARDED;
    pool->discarded++;
}

bool pool_open(sim_pool *pool, const np_executor_options *options, bool may_fail)
{
    memset(pool, 0, sizeof *pool);
    pool->options = *options;
    pool->options.size = sizeof pool->options;
    pool->options.on_discard = discarded;
    pool->options.discard_context = pool;
    pool->options.ignore_environment = true;
    sim_faults_on(false); /* of the scenario's own */
    pool->topology = sim_topology();
    sim_faults_on(true);
    np_status status = np_executor_create(pool->topology, &pool->options, &pool->executor);
    if (status != NP_OK && may_fail) {
        sim_check(pool->executor == NULL, "an executor that failed to start is returned", 0);
        np_topology_destroy(pool->topology);
        pool_saw(SEEN_FAILED_STARTS, 1);
        return false;
    }
    sim_check_ok(status);
    pool->node_count = (uint32_t)np_executor_nodes(pool->executor, pool->nodes, POOL_NODES);
    sim_check(pool->node_count != 0, "no node has workers", 0);
    return true;
}

void pool_random_options(np_executor_options *options)
{
    static const uint32_t spins[] = {NP_SPIN_NONE, 0, 500};
    static const uint64_t ages[] = {0, 20000, 200000};
    options->steal_policy = (np_steal_policy)sim_random(3);
    options->spin_ns = spins[sim_random(3)];
    options->workers_per_node = (uint32_t)sim_random(3);
    options->gate_backlog = (uint32_t)sim_random(3);
    options->gate_age_ns = ages[sim_random(3)];
    options->binding = (np_binding)sim_random(3);
}

np_node_id pool_some_node(sim_pool *pool)
{
    return pool->nodes[sim_random(pool->node_count)];
}

void pool_destroy_later(sim_pool *pool, np_group *group)
{
    sim_check(pool->group_count < 64, "the scenario has too many groups", 0);
    pool->groups[pool->group_count++] = group;
}

static void add_up(sim_pool *pool)
{
    np_stats *stats = NULL;
    if (np_stats_snapshot(pool->executor, &stats) != NP_OK)
        return; /* an allocation that failed on purpose */
    static const struct {
        np_counter counter;
        pool_seen seen;
    } map[] = {
        {NP_COUNTER_EXECUTED_HOME, SEEN_RAN},
        {NP_COUNTER_EXECUTED_AWAY, SEEN_RAN},
        {NP_COUNTER_EXECUTED_AWAY, SEEN_AWAY},
        {NP_COUNTER_DISCARDED, SEEN_DISCARDED},
        {NP_COUNTER_STOLEN_CACHE, SEEN_STOLEN_HERE},
        {NP_COUNTER_STOLEN_NODE, SEEN_STOLEN_HERE},
        {NP_COUNTER_STOLEN_SOCKET, SEEN_STOLEN_ABROAD},
        {NP_COUNTER_STOLEN_REMOTE, SEEN_STOLEN_ABROAD},
        {NP_COUNTER_FORKS_STOLEN_CACHE, SEEN_FORKS_HERE},
        {NP_COUNTER_FORKS_STOLEN_NODE, SEEN_FORKS_HERE},
        {NP_COUNTER_FORKS_STOLEN_SOCKET, SEEN_FORKS_ABROAD},
        {NP_COUNTER_FORKS_STOLEN_REMOTE, SEEN_FORKS_ABROAD},
        {NP_COUNTER_AWAY_BACKLOG, SEEN_BACKLOG},
        {NP_COUNTER_AWAY_AGE, SEEN_AGE},
        {NP_COUNTER_AWAY_ANY, SEEN_ANY},
        {NP_COUNTER_GATE_REFUSED, SEEN_GATE},
        {NP_COUNTER_PARKS, SEEN_PARKS},
        {NP_COUNTER_WAKES, SEEN_WAKES},
        {NP_COUNTER_BLOCKED, SEEN_BLOCKED},
    };
    for (size_t i = 0; i < sizeof map / sizeof *map; i++)
        pool_saw(map[i].seen, np_stats_total(stats, map[i].counter));
    np_stats_destroy(stats);
}

void pool_check_over(sim_pool *pool)
{
    np_executor_load load;
    sim_check_ok(np_executor_load_now(pool->executor, &load));
    sim_check(load.queued == 0 && load.running == 0, "over, but # queued and # running",
              load.queued, load.running);
    sim_check(load.accepted == load.executed + load.discarded,
              "# accepted, # executed, # discarded", load.accepted, load.executed, load.discarded);
    sim_check(load.executed >= pool->ran - pool->ran_in_caller, "# executed, the ledger says #",
              load.executed, pool->ran - pool->ran_in_caller);
    sim_check(load.discarded == pool->discarded || pool->may_discard,
              "# discarded, the ledger says #", load.discarded, pool->discarded);
}

void pool_check_ledger(sim_pool *pool)
{
    for (uint32_t i = 0; i < pool->job_count; i++) {
        const sim_job *job = &pool->jobs[i];
        if (job->accepted)
            sim_check(job->state == JOB_RAN || job->state == JOB_DISCARDED,
                      "job # was accepted and is in state #", i, (uint64_t)job->state);
        else
            sim_check(job->state == JOB_REFUSED || job->state == JOB_NEW,
                      "job # was not accepted and is in state #", i, (uint64_t)job->state);
    }
}

void pool_close(sim_pool *pool)
{
    np_executor_load before;
    sim_check_ok(np_executor_load_now(pool->executor, &before));
    sim_check_ok(np_executor_shutdown(pool->executor));
    pool_check_over(pool);
    add_up(pool);
    for (uint32_t i = 0; i < pool->group_count; i++)
        sim_check_ok(np_group_destroy(pool->groups[i]));
    sim_check_ok(np_executor_destroy(pool->executor));
    np_topology_destroy(pool->topology);
    pool_check_ledger(pool);
}

/* --- jobs ---------------------------------------------------------------------------------------
 */

static uint32_t node_slot(const sim_pool *pool, np_node_id node)
{
    for (uint32_t i = 0; i < pool->node_count; i++)
        if (pool->nodes[i] == node)
            return i;
    return 0;
}

sim_job *job_new(sim_pool *pool, job_body body)
{
    sim_check(pool->job_count < POOL_JOBS, "the scenario has too many jobs", 0);
    sim_job *job = &pool->jobs[pool->job_count];
    *job = (struct sim_job){.pool = pool, .number = pool->job_count++, .home = NP_NODE_ID_NONE};
    job->body = body;
    return job;
}

static void check_place(const sim_job *job)
{
    sim_pool *pool = job->pool;
    np_node_id home = np_current_home();
    if (np_current_executor() == NULL) {
        sim_check(job->in_caller, "job # runs outside the executor", job->number);
        return;
    }
    if (np_current_executor() != pool->executor) {
        sim_check(job->in_caller, "job # runs in another executor", job->number);
        return;
    }
    sim_check(job->home == NP_NODE_ID_NONE || home == job->home,
              "job #: its home is said to be #, not #", job->number, (uint64_t)home,
              (uint64_t)job->home);
    sim_check(np_current_group() == job->group, "job #: another group", job->number);
    if (job->affinity == NP_AFFINITY_STRICT || pool->options.steal_policy == NP_STEAL_LOCAL_ONLY)
        sim_check(np_current_node() == home, "job # must stay on node #, runs on #", job->number,
                  (uint64_t)home, (uint64_t)np_current_node());
}

/* One worker per node, nobody steals: what one thread sent to one lane runs in the order sent. */
static void check_order(const sim_job *job)
{
    if (!job->pool->in_order || job->sender == 0 || job->home == NP_NODE_ID_NONE)
        return;
    uint32_t *started =
        &job->pool->started[job->sender][node_slot(job->pool, job->home)][job->affinity];
    sim_check(job->order > *started, "job #: number # of its lane runs after number #", job->number,
              job->order, *started);
    *started = job->order;
}

void job_task(void *argument)
{
    sim_job *job = argument;
    sim_check(job->state == JOB_NEW, "job # runs in state #", job->number, (uint64_t)job->state);
    job->state = JOB_RUNNING;
    check_place(job);
    check_order(job);
    if (job->body != NULL)
        job->body(job);
    else
        pool_work(sim_random(3000));
    sim_check(job->state == JOB_RUNNING, "job # changed its state to # while it ran", job->number,
              (uint64_t)job->state);
    job->state = JOB_RAN;
    job->pool->ran++;
    if (np_current_executor() != job->pool->executor) {
        job->pool->ran_in_caller++;
        pool_saw(SEEN_IN_CALLER, 1);
    }
}

static void number_it(sim_job *job)
{
    uint32_t sender = np_current_executor() == NULL ? senders[fibre_slot()] : 0;
    job->sender = sender;
    if (sender != 0 && job->home != NP_NODE_ID_NONE)
        job->order = ++job->pool->sent[sender][node_slot(job->pool, job->home)][job->affinity];
}

static bool became(sim_job *job, np_status status)
{
    sim_pool *pool = job->pool;
    if (status == NP_OK) {
        job->accepted = true;
        return true;
    }
    if (status == NP_ERR_CANCELLED) {
        sim_check(job->group != NULL && np_group_is_cancelled(job->group),
                  "job # was refused as cancelled", job->number);
        pool_saw(SEEN_CANCELLED, 1);
    } else {
        sim_check(pool->may_refuse && (status == NP_ERR_SHUT_DOWN || status == NP_ERR_WOULD_BLOCK ||
                                       status == NP_ERR_NO_MEMORY || status == NP_ERR_NO_SPARE),
                  "job # was refused with status #", job->number, (uint64_t)status);
        pool_saw(SEEN_REFUSED, 1);
    }
    sim_check(job->state == JOB_NEW, "job # was refused and is in state #", job->number,
              (uint64_t)job->state);
    job->state = JOB_REFUSED;
    return false;
}

bool job_send(sim_job *job)
{
    np_submit_options how = {.size = sizeof how, .affinity = job->affinity, .group = job->group};
    how.to_node = job->home != NP_NODE_ID_NONE;
    how.node = job->home;
    np_executor *executor = job->pool->executor;
    job->in_caller = job->pool->options.inbox_full == NP_INBOX_FULL_RUN &&
                     job->pool->options.inbox_capacity != 0;
    number_it(job);
    return became(job, np_submit_with(executor, &how, job_task, job));
}

size_t job_send_batch(sim_job **jobs, size_t count)
{
    np_task tasks[64];
    sim_pool *pool = jobs[0]->pool;
    sim_check(count <= 64, "a batch of #", count);
    for (size_t i = 0; i < count; i++) {
        tasks[i] = (np_task){job_task, jobs[i]};
        jobs[i]->home = jobs[0]->home;
        jobs[i]->in_caller = pool->options.inbox_full == NP_INBOX_FULL_RUN;
        number_it(jobs[i]);
    }
    size_t accepted = 0;
    np_status status = np_submit_batch(pool->executor, jobs[0]->home, tasks, count, &accepted);
    sim_check(accepted <= count && (status != NP_OK || accepted == count),
              "a batch of #: # accepted, status #", count, accepted, (uint64_t)status);
    for (size_t i = 0; i < count; i++)
        (void)became(jobs[i], i < accepted ? NP_OK : status);
    return accepted;
}
