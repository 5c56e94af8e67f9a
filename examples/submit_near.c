/*
 * Sending tasks to their data by pointer: each block of a table lies on some node, and the program
 * does not keep book of which. The tasks find it, and say where they ran.
 */
#include "example.h"

#define BLOCKS      16
#define BLOCK_BYTES ((size_t)256 * 1024)

struct block {
    uint32_t *values;
    uint64_t sum;
    np_node_id home;
};

static void sum_block(void *argument)
{
    struct block *b = argument;
    for (size_t i = 0; i < BLOCK_BYTES / sizeof *b->values; i++)
        b->sum += b->values[i];
    b->home = np_current_home();
}

/* Nodes with memory. */
static uint32_t memory_nodes(const np_topology *topology, np_node_id *out)
{
    uint32_t count = 0;
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_info info;
        CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &info));
        if (info.memory_bytes != 0 && info.memory_allowed && count < EXAMPLE_MAX_NODES)
            out[count++] = info.id;
    }
    return count;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));

    /* Blocks in turn on all nodes with memory; only the pointers are kept. */
    np_node_id nodes[EXAMPLE_MAX_NODES];
    uint32_t node_count = memory_nodes(topology, nodes);
    np_region *regions[BLOCKS];
    struct block blocks[BLOCKS];
    EXPECT(node_count > 0);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        CHECK(np_region_create_on_node(topology, BLOCK_BYTES, nodes[i % node_count], &regions[i]));
        blocks[i] = (struct block){np_region_data(regions[i]), 0, NP_NODE_ID_NONE};
        for (size_t v = 0; v < BLOCK_BYTES / sizeof(uint32_t); v++)
            blocks[i].values[v] = i;
    }

    for (int i = 0; i < BLOCKS; i++)
        CHECK(np_submit_near(executor, blocks[i].values, BLOCK_BYTES, sum_block, &blocks[i]));
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    for (uint32_t i = 0; i < BLOCKS; i++) {
        np_data_range range = {.address = blocks[i].values, .bytes = BLOCK_BYTES};
        np_data_place place;
        CHECK(np_data_locate(executor, &range, 1, &place));
        printf("block %2u lies on node %d, its task's home was node %d\n", i, (int)place.node,
               (int)blocks[i].home);
        EXPECT(blocks[i].sum == (uint64_t)i * (BLOCK_BYTES / sizeof(uint32_t)));
        /* Unknown only where the kernel neither places memory nor says where it is. */
        EXPECT(blocks[i].home == place.home || place.node == NP_NODE_ID_NONE);
    }

    CHECK(np_executor_destroy(executor));
    for (int i = 0; i < BLOCKS; i++)
        np_region_destroy(regions[i]);
    np_topology_destroy(topology);
    return 0;
}
