/*
 * Inspection: what the machine looks like, where the workers are, and what the executor is doing.
 */
#include "example.h"

#define TASK_COUNT 300

static void small_task(void *argument)
{
    unsigned *slot = argument;
    *slot = np_current_worker_index();
}

static void show_nodes(const np_topology *topology, const np_executor *executor)
{
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_info node;
        CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &node));
        printf("node %d: socket %d, %u CPUs, %llu MiB, %u workers\n", node.id, node.socket,
               node.cpu_count, (unsigned long long)(node.memory_bytes >> 20),
               np_executor_node_worker_count(executor, node.id));
    }
}

static void show_workers(const np_executor *executor)
{
    for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
        np_worker_info worker;
        CHECK(np_executor_worker_info(executor, i, &worker));
        char cpus[128];
        np_cpu_set_print(&worker.cpus, cpus, sizeof cpus);
        printf("worker %u: %s, node %d, CPUs %s, binding %s", worker.index, worker.name,
               worker.node, cpus, np_enforcement_level_name(worker.binding.level));
        if (worker.binding.level != NP_ENFORCEMENT_STRICT)
            printf(" (%s)", np_reason_text(worker.binding.reason));
        printf("\n");
    }
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    show_nodes(topology, executor);
    show_workers(executor);
    np_topology_destroy(topology);

    static unsigned ran_by[TASK_COUNT];
    for (size_t i = 0; i < TASK_COUNT; i++)
        CHECK(np_submit(executor, small_task, &ran_by[i]));
    printf("tasks not ended right after submitting: %llu\n",
           (unsigned long long)np_executor_pending(executor));
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    /* Nothing is lost: accepted = executed + discarded + queued + running, at every moment. */
    np_executor_load load;
    CHECK(np_executor_load_now(executor, &load));
    printf("accepted %llu, executed %llu, discarded %llu, queued %llu, running %llu\n",
           (unsigned long long)load.accepted, (unsigned long long)load.executed,
           (unsigned long long)load.discarded, (unsigned long long)load.queued,
           (unsigned long long)load.running);
    EXPECT(load.accepted == TASK_COUNT && load.executed == TASK_COUNT);
    EXPECT(load.discarded == 0 && load.queued == 0 && load.running == 0);
    EXPECT(np_executor_pending(executor) == 0);
    for (size_t i = 0; i < TASK_COUNT; i++)
        EXPECT(ran_by[i] < np_executor_worker_count(executor));

    /* All of it in words; the text is written like snprintf(). */
    size_t length = np_executor_describe(executor, NULL, 0);
    char *text = malloc(length + 1);
    EXPECT(text != NULL);
    np_executor_describe(executor, text, length + 1);
    printf("\n%s\n", text);
    free(text);

    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
