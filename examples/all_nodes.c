/*
 * Distribution over all nodes: every node gets its share, in one batch each.
 *
 * A batch enters the node's inbox with one decision about waking, which is cheaper than submitting
 * one by one. The shares are weighted by the number of workers, because nodes may differ. As the
 * program balances the nodes itself, nothing needs to be stolen between them: local-only.
 */
#include "example.h"

#define TASKS_PER_WORKER 200

struct count {
    uint64_t from;
    uint64_t primes;
};

/* Counts the primes among 100 numbers. */
static void count_primes(void *argument)
{
    struct count *count = argument;
    for (uint64_t n = count->from; n < count->from + 100; n++) {
        bool prime = n >= 2;
        for (uint64_t d = 2; prime && d * d <= n; d++)
            prime = n % d != 0;
        count->primes += prime;
    }
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY),
                             &executor));
    np_topology_destroy(topology);

    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    size_t total = 0;
    for (size_t n = 0; n < node_count; n++)
        total += (size_t)np_executor_node_worker_count(executor, nodes[n]) * TASKS_PER_WORKER;
    EXPECT(total > 0);

    EXPECT(total > 0); /* an executor has at least one worker */

    struct count *counts = calloc(total, sizeof *counts);
    np_task *tasks = calloc(total, sizeof *tasks);
    EXPECT(counts != NULL && tasks != NULL);
    for (size_t i = 0; i < total; i++) {
        counts[i].from = i * 100;
        tasks[i] = (np_task){.fn = count_primes, .argument = &counts[i]};
    }

    size_t first = 0;
    for (size_t n = 0; n < node_count; n++) {
        size_t share = (size_t)np_executor_node_worker_count(executor, nodes[n]) * TASKS_PER_WORKER;
        size_t accepted = 0;
        CHECK(np_submit_batch(executor, nodes[n], tasks + first, share, &accepted));
        EXPECT(accepted == share);
        first += share;
    }
    free(tasks); /* the batch was copied into the queues */
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    uint64_t primes = 0;
    for (size_t i = 0; i < total; i++)
        primes += counts[i].primes;
    printf("%llu primes below %zu\n", (unsigned long long)primes, total * 100);

    np_stats *stats = NULL;
    CHECK(np_stats_snapshot(executor, &stats));
    for (size_t n = 0; n < node_count; n++) {
        uint64_t share = (uint64_t)np_executor_node_worker_count(executor, nodes[n]) *
                         TASKS_PER_WORKER;
        uint64_t ran = np_stats_matrix(stats, nodes[n], nodes[n]);
        printf("node %d ran %llu tasks\n", nodes[n], (unsigned long long)ran);
        EXPECT(ran == share);
    }
    EXPECT(primes > total && primes < total * 100 / 2);

    np_stats_destroy(stats);
    CHECK(np_executor_destroy(executor));
    free(counts);
    return EXIT_SUCCESS;
}
