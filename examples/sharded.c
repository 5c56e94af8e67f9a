/*
 * Counting without sharing: every node has a histogram of its own, in its own memory, and every
 * worker its own line of one counter. What nobody shares does not travel between caches; the whole
 * is added up once, at the end. The bytes lie in buffers of the node that reads them.
 */
#include <stdatomic.h>

#include "example.h"

enum { TASKS = 64, BYTES = 4096, BUCKETS = 16 };

struct histogram {
    _Atomic uint64_t bucket[BUCKETS]; /* several workers of the node at once */
};

static np_sharded *histograms;
static np_sharded_counter *seen;
static np_buffer_pool *buffers;

static void sort_bytes(void *argument)
{
    uint32_t state = *(uint32_t *)argument;
    unsigned char *bytes = NULL;
    CHECK(np_buffer_acquire(buffers, (void **)&bytes)); /* on this node */
    for (int i = 0; i < BYTES; i++) {
        state = state * 1664525u + 1013904223u;
        bytes[i] = (unsigned char)(state >> 24);
    }
    struct histogram *own = np_sharded_local(histograms); /* this node's */
    for (int i = 0; i < BYTES; i++)
        atomic_fetch_add_explicit(&own->bucket[bytes[i] / 16], 1, memory_order_relaxed);
    CHECK(np_buffer_release(buffers, bytes));
    np_sharded_counter_add(seen, BYTES);
}

static void add_up(void *context, void *value, np_node_id node)
{
    uint64_t *total = context;
    struct histogram *of_node = value;
    uint64_t here = 0;
    for (int i = 0; i < BUCKETS; i++) {
        uint64_t count = atomic_load_explicit(&of_node->bucket[i], memory_order_relaxed);
        total[i] += count;
        here += count;
    }
    printf("node %d has seen %llu bytes\n", (int)node, (unsigned long long)here);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    np_group *group = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    CHECK(np_group_create(NULL, &group));
    CHECK(np_sharded_create(executor, NP_SHARDED_OPTIONS(.bytes = sizeof(struct histogram)),
                            &histograms));
    CHECK(np_sharded_counter_create(executor, &seen));
    CHECK(np_buffer_pool_create(executor, NP_BUFFER_POOL_OPTIONS(.block_bytes = BYTES), &buffers));

    uint32_t seeds[TASKS];
    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    for (uint32_t i = 0; i < TASKS; i++) {
        seeds[i] = i;
        CHECK(np_group_submit_to_node(group, executor, nodes[i % count], sort_bytes, &seeds[i]));
    }
    CHECK(np_group_wait(group)); /* what the tasks wrote is visible now */

    uint64_t total[BUCKETS] = {0}, all = 0;
    CHECK(np_sharded_for_each(histograms, add_up, total));
    for (int i = 0; i < BUCKETS; i++)
        all += total[i];
    EXPECT(all == (uint64_t)TASKS * BYTES);
    EXPECT(np_sharded_counter_read(seen) == all);

    np_buffer_pool_destroy(buffers);
    np_sharded_counter_destroy(seen);
    np_sharded_destroy(histograms);
    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return 0;
}
