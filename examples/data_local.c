/*
 * Data-local processing: the data is partitioned by node and processed where it lies.
 *
 * Every node with memory gets a region that holds its part of the data. The pieces of a part go, as
 * strict tasks, to the node that owns it, so every access is local. Afterwards the audit asks the
 * kernel where the pages are, and the statistics say where the work ran.
 */
#include "example.h"

#define VALUES_PER_PART (1u << 20)
#define PIECE           (1u << 16)

struct piece {
    const uint32_t *values;
    size_t count;
    uint64_t sum;
};

struct part {
    np_node_id data_node; /* where the memory is */
    np_node_id work_node; /* the same, or the nearest with CPUs if it has none */
    np_region *region;
    struct piece pieces[VALUES_PER_PART / PIECE];
};

static void add_up(void *argument)
{
    struct piece *piece = argument;
    uint64_t sum = 0;
    for (size_t i = 0; i < piece->count; i++)
        sum += piece->values[i];
    piece->sum = sum;
}

static size_t place_parts(const np_topology *topology, struct part *parts, size_t capacity)
{
    size_t count = 0;
    for (np_node_index i = 0; i < np_topology_node_count(topology) && count < capacity; i++) {
        np_node_info node;
        CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &node));
        if (node.memory_bytes == 0 || !node.memory_allowed)
            continue;
        struct part *part = &parts[count++];
        part->data_node = node.id;
        part->work_node = node.nearest_cpus;
        CHECK(np_region_create_on_node(topology, VALUES_PER_PART * sizeof(uint32_t), node.id,
                                       &part->region));
        uint32_t *values = np_region_data(part->region);
        for (uint32_t v = 0; v < VALUES_PER_PART; v++)
            values[v] = v;
    }
    return count;
}

static void submit_part(np_executor *executor, struct part *part)
{
    const uint32_t *values = np_region_data(part->region);
    for (size_t p = 0; p < VALUES_PER_PART / PIECE; p++) {
        part->pieces[p] = (struct piece){.values = values + p * PIECE, .count = PIECE};
        CHECK(np_submit_with(executor,
                             NP_SUBMIT_OPTIONS(.to_node = true, .node = part->work_node,
                                               .affinity = NP_AFFINITY_STRICT),
                             add_up, &part->pieces[p]));
    }
}

static void show_audit(const struct part *part)
{
    np_region_audit audit;
    if (np_region_audit_pages(part->region, &audit, NULL, 0) != NP_OK) {
        printf("node %d: no audit: %s\n", part->data_node, np_error_detail());
        return; /* some containers forbid the question */
    }
    np_enforcement placed = np_region_enforcement(part->region);
    printf("node %d: %llu pages, %llu at home, %llu elsewhere; placement: %s, %s\n",
           part->data_node, (unsigned long long)audit.pages, (unsigned long long)audit.home,
           (unsigned long long)audit.elsewhere, np_enforcement_level_name(placed.level),
           np_reason_text(placed.reason));
    if (placed.level == NP_ENFORCEMENT_STRICT)
        EXPECT(audit.elsewhere == 0);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));

    static struct part parts[EXAMPLE_MAX_NODES];
    size_t part_count = place_parts(topology, parts, EXAMPLE_MAX_NODES);
    for (size_t i = 0; i < part_count; i++)
        submit_part(executor, &parts[i]);
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    for (size_t i = 0; i < part_count; i++) {
        uint64_t sum = 0;
        for (size_t p = 0; p < VALUES_PER_PART / PIECE; p++)
            sum += parts[i].pieces[p].sum;
        EXPECT(sum == (uint64_t)VALUES_PER_PART * (VALUES_PER_PART - 1) / 2);
        show_audit(&parts[i]);
        np_region_destroy(parts[i].region);
    }

    np_stats *stats = NULL;
    CHECK(np_stats_snapshot(executor, &stats));
    printf("tasks that ran on the node of their data: %.0f %%\n", 100 * np_stats_locality(stats));
    EXPECT(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY) == 0);
    EXPECT(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME) ==
           part_count * (VALUES_PER_PART / PIECE));
    np_stats_destroy(stats);

    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
