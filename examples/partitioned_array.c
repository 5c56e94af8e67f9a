/*
 * One array over all nodes.
 *
 * The values lie in one contiguous range, an ordinary C array, of which every node holds a part.
 * Each part is worked on by a task on its node. Then the first node is to have half of everything:
 * the array is distributed anew, pages move, the values stay.
 */
#include "example.h"

#define VALUES 100000

struct sum {
    np_piece piece;
    uint64_t total;
    np_node_id home;
};

static void sum_piece(void *argument)
{
    struct sum *sum = argument;
    const uint64_t *values = sum->piece.data;
    sum->home = np_current_home();
    sum->total = 0;
    for (size_t i = 0; i < sum->piece.end - sum->piece.begin; i++)
        sum->total += values[i];
}

/* One task for each piece, sent to the piece's node. */
static uint64_t sum_all(np_executor *executor, const np_array *array)
{
    size_t pieces = np_array_piece_count(array);
    struct sum *sums = calloc(pieces, sizeof *sums);
    EXPECT(sums != NULL);
    for (size_t i = 0; i < pieces; i++) {
        EXPECT(np_array_piece(array, i, &sums[i].piece));
        CHECK(np_submit_to_node(executor, sums[i].piece.node, sum_piece, &sums[i]));
    }
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    uint64_t total = 0;
    for (size_t i = 0; i < pieces; i++) {
        printf("  values %zu to %zu lie on node %d\n", sums[i].piece.begin, sums[i].piece.end - 1,
               sums[i].piece.node);
        EXPECT(sums[i].home == sums[i].piece.node);
        total += sums[i].total;
    }
    free(sums);
    return total;
}

/* Nodes that have both workers and memory. */
static size_t usable_nodes(const np_topology *topology, const np_executor *executor,
                           np_node_id nodes[EXAMPLE_MAX_NODES])
{
    np_node_id all[EXAMPLE_MAX_NODES];
    size_t count = 0;
    for (size_t i = 0; i < example_nodes(executor, all, EXAMPLE_MAX_NODES); i++) {
        np_node_info info;
        CHECK(np_topology_node_info(topology, all[i], &info));
        if (info.memory_bytes > 0)
            nodes[count++] = all[i];
    }
    return count;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = usable_nodes(topology, executor, nodes);

    np_array *array = NULL;
    CHECK(np_array_create(topology, sizeof(uint64_t), VALUES,
                          NP_ARRAY_OPTIONS(.nodes = nodes, .node_count = node_count), &array));
    uint64_t *values = np_array_data(array);
    uint64_t expected = 0;
    for (size_t i = 0; i < VALUES; i++)
        expected += values[i] = i;

    printf("equal parts:\n");
    EXPECT(sum_all(executor, array) == expected);
    /* Whose is it? Without a system call, by number or by address. */
    EXPECT(np_array_node_of(array, 0) == nodes[0]);
    EXPECT(np_array_node_of_address(array, &values[VALUES - 1]) == nodes[node_count - 1]);

    uint32_t weights[EXAMPLE_MAX_NODES];
    for (size_t i = 0; i < node_count; i++)
        weights[i] = i == 0 && node_count > 1 ? (uint32_t)node_count - 1 : 1;
    np_migration result;
    CHECK(np_array_redistribute(topology, array,
                                NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_WEIGHTED,
                                                 .nodes = nodes, .node_count = node_count,
                                                 .weights = weights),
                                &result));
    printf("half of it on node %d (%llu of %llu pages moved):\n", nodes[0],
           (unsigned long long)result.moved, (unsigned long long)result.pages);
    EXPECT(sum_all(executor, array) == expected);
    EXPECT(np_array_node_elements(array, nodes[0]) >= VALUES / 2);

    np_enforcement reached = np_array_enforcement(array);
    printf("placed: %s (%s)\n", np_enforcement_level_name(reached.level),
           np_reason_text(reached.reason));
    CHECK(np_executor_destroy(executor));
    np_array_destroy(array);
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
