/*
 * Goal: nodes that go and come back at any moment lose no task, run none twice, leave none lying
 * that may run, and let no strict task begin while its node is gone. Method: a virtual machine of
 * four nodes; one thread takes CPUs away and gives them back at random, two submit tasks of every
 * kind, some of which wait inside for others; every task counts its runs. A strict task that begins
 * although its node went before must have been taken before that: there are at most as many as
 * workers, for each time the node went.
 *
 * Arguments: changes, seed.
 */
#include <inttypes.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include <numaperf.h>

#include "base/random.h"
#include "executor/executor.h"

enum { NODES = 4, WORKERS = 2, SUBMITTERS = 2, BATCH = 64, MOST_CHANGES = 1 << 20 };

#if defined(NPI_TSAN)
enum { CHANGES = 300 };
#else
enum { CHANGES = 1000 };
#endif

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, np_error_detail()); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

static np_executor *executor;
static np_atomic(uint32_t) gone[NODES]; /* 1: from after the refresh until before the next */
static np_atomic(uint64_t) late[NODES]; /* strict tasks that began meanwhile */
static np_atomic(uint32_t) over;
static np_atomic(uint64_t) rounds; /* ended, of all submitters */

typedef struct job {
    np_atomic(uint32_t) runs;
    np_node_id home;
    bool strict;
    bool waits; /* for a task of its own, on another node */
} job;

typedef struct submitter {
    npi_os_thread thread;
    npi_random random;
    uint64_t tasks;
    job jobs[BATCH];
} submitter;

static void nothing(void *argument)
{
    npi_fetch_add_relaxed(&((job *)argument)->runs, 1u);
}

static void run(void *argument)
{
    job *j = argument;
    if (j->strict && npi_load_acquire(&gone[j->home]) != 0)
        npi_fetch_add_relaxed(&late[j->home], (uint64_t)1);
    CHECK(np_current_home() == j->home);
    if (j->waits) {
        np_group *group = NULL;
        CHECK(np_group_create(NULL, &group) == NP_OK);
        CHECK(np_group_submit_to_node(group, executor, (j->home + 1) % NODES, nothing, j) == NP_OK);
        CHECK(np_group_wait(group) == NP_OK);
        CHECK(np_group_destroy(group) == NP_OK);
    }
    npi_fetch_add_relaxed(&j->runs, 1u);
}

/* Rounds end with a wait for the round's tasks, which the changer must let end. */
static void submit(void *argument)
{
    submitter *s = argument;
    while (npi_load_acquire(&over) == 0) {
        np_group *group = NULL;
        CHECK(np_group_create(NULL, &group) == NP_OK);
        for (unsigned i = 0; i < BATCH; i++) {
            job *j = &s->jobs[i];
            uint32_t affinity = npi_random_below(&s->random, 3);
            j->home = (np_node_id)npi_random_below(&s->random, NODES);
            j->strict = affinity == NP_AFFINITY_STRICT;
            j->waits = npi_random_below(&s->random, 8) == 0;
            npi_store_relaxed(&j->runs, 0u);
            np_submit_options options = {.size = sizeof options, .to_node = true, .node = j->home};
            options.affinity = (np_task_affinity)affinity;
            options.group = group;
            CHECK(np_submit_with(executor, &options, run, j) == NP_OK);
        }
        CHECK(np_group_wait(group) == NP_OK);
        CHECK(np_group_destroy(group) == NP_OK);
        for (unsigned i = 0; i < BATCH; i++) {
            CHECK(npi_load_relaxed(&s->jobs[i].runs) == (s->jobs[i].waits ? 2u : 1u));
            s->tasks += s->jobs[i].waits ? 2 : 1;
        }
        npi_fetch_add_relaxed(&rounds, (uint64_t)1);
    }
}

/* Lets the others work for a while: with all nodes there until a round has ended, else a little. */
static void let_work(bool all, npi_random *random)
{
    uint64_t before = npi_load_relaxed(&rounds);
    if (all)
        while (npi_load_relaxed(&rounds) == before)
            sched_yield();
    for (uint32_t left = npi_random_below(random, 30); left > 0; left--)
        sched_yield();
}

static void allow(unsigned nodes, np_refresh_result *result)
{
    np_cpu_set cpus;
    np_cpu_set_clear(&cpus);
    for (unsigned node = 0; node < NODES; node++) {
        if ((nodes >> node & 1) == 0)
            continue;
        npi_store_release(&gone[node], 0u);
        (void)np_cpu_set_add(&cpus, (int32_t)(node * WORKERS));
    }
    CHECK(npi_refresh_within(executor, &cpus, result) == NP_OK);
    for (unsigned node = 0; node < NODES; node++)
        if ((nodes >> node & 1) == 0)
            npi_store_release(&gone[node], 1u);
}

int main(int count, char **arguments)
{
    unsigned long changes = count > 1 ? strtoul(arguments[1], NULL, 10) : CHANGES;
    uint64_t seed = count > 2 ? strtoull(arguments[2], NULL, 10) : npi_os_now();
    static submitter submitters[SUBMITTERS];
    np_topology *topology = NULL;
    np_refresh_result result;
    uint64_t went[NODES] = {0};
    npi_random random;
    printf("seed %" PRIu64 "\n", seed);
    CHECK(changes > 0 && changes <= MOST_CHANGES);
    CHECK(np_topology_from_synthetic("numa:4 core:2 pu:1", &topology) == NP_OK);
    CHECK(np_executor_create(topology, NULL, &executor) == NP_OK);
    np_topology_destroy(topology);
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        npi_random_seed(&submitters[i].random, seed + i + 1);
        CHECK(npi_os_thread_start(&submitters[i].thread, 0, submit, &submitters[i]) == 0);
    }
    npi_random_seed(&random, seed);
    unsigned before = (1u << NODES) - 1;
    for (unsigned long i = 0; i < changes; i++) {
        unsigned nodes = npi_random_below(&random, 1u << NODES);
        /* Strict tasks of every node get their turn, or the submitters would never go on. */
        if (i % 4 == 3)
            nodes = (1u << NODES) - 1;
        for (unsigned node = 0; node < NODES; node++)
            went[node] += (before & ~nodes) >> node & 1;
        allow(nodes, &result);
        let_work(nodes == (1u << NODES) - 1, &random);
        before = nodes;
    }
    npi_store_release(&over, 1u);
    allow((1u << NODES) - 1, &result);
    uint64_t tasks = 0, begun = 0;
    for (unsigned i = 0; i < SUBMITTERS; i++) {
        CHECK(npi_os_thread_join(&submitters[i].thread) == 0);
        tasks += submitters[i].tasks;
    }
    np_executor_load load;
    np_stats *stats = NULL;
    CHECK(np_executor_shutdown(executor) == NP_OK);
    CHECK(np_executor_load_now(executor, &load) == NP_OK);
    CHECK(load.executed == tasks && load.accepted == tasks && load.discarded == 0);
    CHECK(np_stats_snapshot(executor, &stats) == NP_OK);
    uint64_t displaced = np_stats_total(stats, NP_COUNTER_DISPLACED);
    CHECK(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME) +
              np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY) ==
          tasks);
    np_stats_destroy(stats);
    CHECK(np_executor_destroy(executor) == NP_OK);
    for (unsigned node = 0; node < NODES; node++) {
        CHECK(npi_load_relaxed(&late[node]) <= went[node] * WORKERS);
        begun += npi_load_relaxed(&late[node]);
    }
    printf("%" PRIu64 " rounds, %" PRIu64 " tasks, %" PRIu64 " displaced, %" PRIu64
           " strict ones had been taken when their node went\n",
           npi_load_relaxed(&rounds), tasks, displaced, begun);
    printf("counted: change | changes of a virtual machine under load | %lu\n", changes);
    printf("counted: change | tasks run meanwhile, each once | %" PRIu64 "\n", tasks);
    return 0;
}
