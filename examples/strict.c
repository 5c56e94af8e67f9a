/*
 * Hard mode: strict creation succeeds only if every worker is proven to be bound to its node.
 *
 * Every worker pins itself and reads its mask back before the creation returns. If one cannot, all
 * is undone and the error says which worker, node, CPU and system call. No privilege is needed for
 * it. This program asks for strict, and shows what to do when that cannot be had (a virtual machine
 * description, a container that forbids pinning): go on in soft mode and know what is missing.
 */
#include "example.h"

struct position {
    np_cpu_set allowed;
    np_status status;
};

static void ask_kernel(void *argument)
{
    struct position *position = argument;
    position->status = np_affinity_get(&position->allowed);
}

/* Runs a task on each node and compares the kernel's answer with the node's CPUs. */
static void verify(const np_topology *topology, np_executor *executor)
{
    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    for (size_t n = 0; n < node_count; n++) {
        struct position position;
        np_cpu_set node_cpus;
        CHECK(np_submit_with(
            executor,
            NP_SUBMIT_OPTIONS(.to_node = true, .node = nodes[n], .affinity = NP_AFFINITY_STRICT),
            ask_kernel, &position));
        CHECK(np_executor_wait_idle(executor, NP_FOREVER));
        CHECK(position.status);
        CHECK(np_topology_node_cpus(topology, nodes[n], &node_cpus));

        char text[128];
        np_cpu_set_print(&position.allowed, text, sizeof text);
        printf("node %d: the kernel runs its tasks on CPUs %s only\n", nodes[n], text);
        EXPECT(np_cpu_set_is_subset(&position.allowed, &node_cpus));
    }
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;

    np_status status = np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT), &executor);
    if (status == NP_OK) {
        printf("strict: every worker is bound\n");
        verify(topology, executor);
    } else {
        printf("strict: %s\n  %s\n", np_status_text(status), np_error_detail());
        EXPECT(status == NP_ERR_HARD_MODE && executor == NULL);

        CHECK(np_executor_create(topology, NULL, &executor));
        printf("soft:\n");
    }

    for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
        np_worker_info worker;
        CHECK(np_executor_worker_info(executor, i, &worker));
        printf("  %s: %s, %s\n", worker.name, np_enforcement_level_name(worker.binding.level),
               np_reason_text(worker.binding.reason));
        if (status == NP_OK)
            EXPECT(worker.binding.level == NP_ENFORCEMENT_STRICT);
        else if (np_topology_is_virtual(topology))
            EXPECT(worker.binding.reason == NP_REASON_VIRTUAL_TOPOLOGY);
    }

    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
