/*
 * Configuration: options in the program, environment variables around it.
 *
 * Zero is the documented default of every option. What the program leaves at the default can be set
 * from outside by a NUMAPERF_ variable; what the program sets itself wins. A bad value is an error
 * that names the variable, so that a typing mistake cannot pass for a setting.
 */
#define _POSIX_C_SOURCE 200809L /* setenv */
#include "example.h"

static void started(void *context, const np_worker_info *worker)
{
    (void)context;
    printf("  %s started on node %d\n", worker->name, worker->node);
}

static void show(const np_executor *executor)
{
    printf("  policy %s, workers: %u, nodes: %u\n",
           np_steal_policy_name(np_executor_steal_policy(executor)),
           np_executor_worker_count(executor), np_executor_node_count(executor));
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;

    printf("options:\n");
    CHECK(
        np_executor_create(topology,
                           NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_ANY, .workers_per_node = 1,
                                               .thread_name = "calc", .on_worker_start = started),
                           &executor));
    show(executor);
    uint32_t node_count = np_executor_node_count(executor);
    EXPECT(np_executor_worker_count(executor) == node_count);
    np_node_id first = NP_NODE_ID_NONE;
    np_executor_nodes(executor, &first, 1);
    CHECK(np_executor_destroy(executor));

    printf("one more worker for node %d:\n", first);
    np_node_workers exception = {.node = first, .workers = 2};
    CHECK(np_executor_create(topology,
                             NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .node_workers = &exception,
                                                 .node_workers_count = 1),
                             &executor));
    show(executor);
    EXPECT(np_executor_worker_count(executor) == node_count + 1);
    EXPECT(np_executor_node_worker_count(executor, first) == 2);
    CHECK(np_executor_destroy(executor));

    /* As if the user had typed NUMAPERF_STEAL_POLICY=local-only NUMAPERF_WORKERS_PER_NODE=3. */
    if (setenv("NUMAPERF_STEAL_POLICY", "local-only", 1) != 0 ||
        setenv("NUMAPERF_WORKERS_PER_NODE", "3", 1) != 0)
        return EXIT_FAILURE;
    printf("environment, the program wants one worker per node:\n");
    CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.workers_per_node = 1), &executor));
    show(executor);
    EXPECT(np_executor_steal_policy(executor) == NP_STEAL_LOCAL_ONLY);
    EXPECT(np_executor_worker_count(executor) == node_count);
    CHECK(np_executor_destroy(executor));

    if (setenv("NUMAPERF_STEAL_POLICY", "lokal-only", 1) != 0)
        return EXIT_FAILURE;
    np_status status = np_executor_create(topology, NULL, &executor);
    printf("a typing mistake: %s (%s)\n", np_status_name(status), np_error_detail());
    EXPECT(status == NP_ERR_ENVIRONMENT);

    /* A program that must not be influenced from outside says so. */
    CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.ignore_environment = true), &executor));
    EXPECT(np_executor_steal_policy(executor) == NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE);
    CHECK(np_executor_destroy(executor));

    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
