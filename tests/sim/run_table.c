/*
 * run_table.c - what the scheduler does on machines that nobody here has: a table of policies and
 * loads on 16 nodes with 1,024 workers, in virtual time.
 *
 * Goal: the executor works at that size, and every task is counted once, where it ran. Method:
 * timed runs with the cost of distance; the times follow from the model of buffer.c (what a cache
 * line, a wake, a system call cost) and say which of two policies does better and why, not how many
 * microseconds a real machine takes.
 *
 * usage: sim_table [TASKS_PER_WORKER]
 */
#include <stdio.h>
#include <stdlib.h>

#include "base/atomic.h"
#include "sim.h"

#define NODES   16u
#define MACHINE "pack:4 numa:4 core:64 pu:1" /* 4 sockets of 4 nodes */
#define TASK_NS 100000u
#define BYTES   4096u /* that each task reads of its home */
#define BATCH   64u

typedef struct world {
    np_executor *executor;
    const char *policy_name;
    np_steal_policy policy;
    bool skewed; /* all tasks at one node */
    uint32_t tasks_per_worker;
    np_atomic(uint64_t) ran;
    np_node_id homes[NODES];
} world;

typedef struct submitter {
    world *w;
    np_node_id node;
    uint64_t tasks;
} submitter;

static world *at_work;

static void task(void *argument)
{
    const np_node_id *home = argument;
    sim_read_memory(*home, BYTES);
    sim_work(TASK_NS / 2 + sim_random(TASK_NS));
    npi_fetch_add_relaxed(&at_work->ran, (uint64_t)1);
}

static void submit_all(void *argument)
{
    submitter *s = argument;
    np_node_id *home = &s->w->homes[0];
    while (*home != s->node)
        home++;
    np_task tasks[BATCH];
    for (uint32_t i = 0; i < BATCH; i++)
        tasks[i] = (np_task){task, home};
    for (uint64_t left = s->tasks; left > 0;) {
        size_t count = left < BATCH ? (size_t)left : BATCH;
        sim_check_ok(np_submit_batch(s->w->executor, s->node, tasks, count, NULL));
        left -= count;
    }
}

static void print_row(const world *w, const np_stats *stats, uint64_t tasks, uint64_t ns,
                      uint32_t workers)
{
    uint64_t away = np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY);
    uint64_t nodes_used = 0;
    for (uint32_t i = 0; i < NODES; i++)
        nodes_used += np_stats_node(stats, w->homes[i], NP_COUNTER_EXECUTED_HOME) +
                          np_stats_node(stats, w->homes[i], NP_COUNTER_EXECUTED_AWAY) !=
                      0;
    printf("  %-12s %-8s %8llu %9.0f %7.1f %5llu %6.1f %7llu %7llu\n", w->policy_name,
           w->skewed ? "skewed" : "even", (unsigned long long)tasks, (double)ns / 1000.0,
           100.0 * (double)tasks * TASK_NS / ((double)ns * workers), (unsigned long long)nodes_used,
           100.0 * (double)away / (double)tasks,
           (unsigned long long)np_stats_total(stats, NP_COUNTER_PARKS),
           (unsigned long long)np_stats_total(stats, NP_COUNTER_GATE_REFUSED));
}

static void scenario(void *argument)
{
    world *w = argument;
    at_work = w;
    np_topology *topology = sim_topology();
    np_executor_options options = {.size = sizeof options, .steal_policy = w->policy};
    sim_check_ok(np_executor_create(topology, &options, &w->executor));
    sim_check(np_topology_node_count(topology) == NODES, "another machine");
    for (uint32_t i = 0; i < NODES; i++)
        w->homes[i] = np_topology_node_id(topology, i);
    uint32_t workers = np_topology_cpu_count(topology);
    np_topology_destroy(topology);
    uint64_t tasks = (uint64_t)w->tasks_per_worker * workers;

    submitter submitters[NODES];
    sim_thread *threads[NODES];
    sim_work(5000000); /* all workers have gone to sleep */
    uint64_t begin = sim_now();
    for (uint32_t i = 0; i < NODES; i++) {
        submitters[i] = (submitter){w, w->homes[w->skewed ? 0 : i], tasks / NODES};
        threads[i] = sim_thread_start("submitter", submit_all, &submitters[i]);
    }
    for (uint32_t i = 0; i < NODES; i++)
        sim_thread_join(threads[i]);
    sim_check_ok(np_executor_wait_idle(w->executor, NP_FOREVER));
    uint64_t ns = sim_now() - begin;
    sim_check(w->ran == tasks, "# of # tasks ran", w->ran, tasks);

    np_stats *stats = NULL;
    sim_check_ok(np_stats_snapshot(w->executor, &stats));
    uint64_t home = np_stats_total(stats, NP_COUNTER_EXECUTED_HOME);
    uint64_t away = np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY);
    sim_check(home + away == tasks, "# at home and # away", home, away);
    sim_check(w->policy != NP_STEAL_LOCAL_ONLY || away == 0, "# away under local-only", away);
    print_row(w, stats, tasks, ns, workers);
    np_stats_destroy(stats);
    sim_check_ok(np_executor_destroy(w->executor));
}

int main(int argc, char **argv)
{
    uint32_t tasks_per_worker = argc > 1 ? (uint32_t)strtoul(argv[1], NULL, 10) : 4;
    static const sim_config config = {
        .machine = MACHINE, .schedule = SIM_TIMED, .distance = true, .step_limit = UINT64_MAX / 2};
    static const np_steal_policy policies[] = {
        NP_STEAL_LOCAL_ONLY, NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_STEAL_ANY};
    static const char *const names[] = {"local-only", "default", "any"};
    uint64_t runs = 0;
    uint64_t points = 0;
    printf("%s, 1,024 workers; tasks of %u us that read %u bytes of their home\n", MACHINE,
           TASK_NS / 1000, BYTES);
    printf("  %-12s %-8s %8s %9s %7s %5s %6s %7s %7s\n", "policy", "load", "tasks", "us", "busy %",
           "nodes", "away %", "parks", "refused");
    for (uint32_t i = 0; i < 6; i++) {
        world w = {.policy = policies[i / 2],
                   .policy_name = names[i / 2],
                   .skewed = i % 2 != 0,
                   .tasks_per_worker = tasks_per_worker};
        sim_result result;
        if (!sim_run(&config, scenario, &w, 1, &result)) {
            printf("failed: %s\n", result.message);
            sim_print_history(60);
            return 1;
        }
        runs++;
        points += result.points;
    }
    printf("counted: sim | runs of 1,024 workers on 16 nodes | %llu\n", (unsigned long long)runs);
    printf("counted: sim | scheduling points | %llu\n", (unsigned long long)points);
    return 0;
}
