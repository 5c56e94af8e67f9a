/*
 * A node of your choice.
 *
 * np_submit_to_node() names the task's home. What happens then depends on the task's affinity:
 * preferred (the default) may be taken by another node when the steal policy allows it, strict
 * never leaves its home, whatever the policy.
 */
#include "example.h"

#define TASKS_PER_NODE 50

struct visit {
    np_node_id home;
    np_node_id ran_on;
};

static void look_around(void *argument)
{
    struct visit *visit = argument;
    visit->home = np_current_home();
    visit->ran_on = np_current_node();
}

static void nothing(void *argument)
{
    (void)argument;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));

    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    static struct visit preferred[EXAMPLE_MAX_NODES][TASKS_PER_NODE];
    static struct visit strict[EXAMPLE_MAX_NODES][TASKS_PER_NODE];

    for (size_t n = 0; n < node_count; n++) {
        for (size_t i = 0; i < TASKS_PER_NODE; i++) {
            CHECK(np_submit_to_node(executor, nodes[n], look_around, &preferred[n][i]));
            CHECK(np_submit_with(executor,
                                 NP_SUBMIT_OPTIONS(.to_node = true, .node = nodes[n],
                                                   .affinity = NP_AFFINITY_STRICT),
                                 look_around, &strict[n][i]));
        }
    }
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    for (size_t n = 0; n < node_count; n++) {
        unsigned preferred_home = 0, strict_home = 0;
        for (size_t i = 0; i < TASKS_PER_NODE; i++) {
            EXPECT(preferred[n][i].home == nodes[n] && strict[n][i].home == nodes[n]);
            preferred_home += preferred[n][i].ran_on == nodes[n];
            strict_home += strict[n][i].ran_on == nodes[n];
        }
        printf("node %d: %u of %d preferred and %u of %d strict tasks ran at home\n", nodes[n],
               preferred_home, TASKS_PER_NODE, strict_home, TASKS_PER_NODE);
        EXPECT(strict_home == TASKS_PER_NODE);
    }

    /* A node that does not exist is an error that names it, never a silent fallback. */
    np_status status = np_submit_to_node(executor, 1000000, nothing, NULL);
    printf("node 1000000: %s (%s)\n", np_status_name(status), np_error_detail());
    EXPECT(status == NP_ERR_INVALID_NODE);

    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
