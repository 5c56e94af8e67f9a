/*
 * The three steal policies, with all work put on one node.
 *
 * local-only                      the node's own workers do everything, the others idle
 * local-then-socket-then-remote   others help, the nearest first, because the backlog is long
 * any                             whoever is free takes the next task
 *
 * The same uneven load three times; the report says each time where the work ran.
 */
#include "example.h"

#define TASK_COUNT 400

struct job {
    uint64_t seed;
    uint64_t result;
};

/* Some tenths of a millisecond of arithmetic. */
static void compute(void *argument)
{
    struct job *job = argument;
    uint64_t x = job->seed + 1;
    for (int i = 0; i < 200000; i++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    job->result = x;
}

static void run_with(const np_topology *topology, np_steal_policy policy)
{
    static struct job jobs[TASK_COUNT];
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.steal_policy = policy), &executor));

    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    for (uint64_t i = 0; i < TASK_COUNT; i++) {
        jobs[i] = (struct job){.seed = i};
        CHECK(np_submit_to_node(executor, nodes[0], compute, &jobs[i]));
    }
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    np_stats *stats = NULL;
    CHECK(np_stats_snapshot(executor, &stats));
    printf("\n--- %s: %d tasks for node %d\n", np_steal_policy_name(policy), TASK_COUNT, nodes[0]);
    size_t idle = 0;
    for (size_t i = 0; i < node_count; i++) {
        uint64_t ran = np_stats_matrix(stats, nodes[0], nodes[i]);
        idle += ran == 0;
        printf("  node %d ran %llu\n", nodes[i], (unsigned long long)ran);
    }
    printf("  nodes without work: %zu of %zu\n\n", idle, node_count);
    example_print_report(stats, NULL);

    EXPECT(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME) +
               np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY) ==
           TASK_COUNT);
    if (policy == NP_STEAL_LOCAL_ONLY)
        EXPECT(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY) == 0 && idle == node_count - 1);
    if (policy == NP_STEAL_ANY && node_count > 1)
        EXPECT(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY) > 0);

    np_stats_destroy(stats);
    CHECK(np_executor_destroy(executor));
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    run_with(topology, NP_STEAL_LOCAL_ONLY);
    run_with(topology, NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE);
    run_with(topology, NP_STEAL_ANY);
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
