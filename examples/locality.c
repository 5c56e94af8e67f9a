/*
 * Tracking locality: the scheduler counts where tasks run, a collector counts what they touch.
 *
 * The scheduler knows each task's home, but not its data. A collector is told by the program, at
 * the place where data is touched: so many accesses, so many bytes, to data on that node. Here one
 * task in ten is sent to the wrong node on purpose; the report of both finds it.
 */
#include "example.h"

#define TASK_COUNT  1000
#define VALUE_COUNT 4096

struct table {
    np_node_id node;      /* where the memory is */
    np_node_id work_node; /* the same, or the nearest with CPUs if it has none */
    np_region *region;
};

struct lookup {
    const struct table *table;
    np_collector *collector;
    uint64_t *sum;
};

static void look_up(void *argument)
{
    const struct lookup *lookup = argument;
    const uint32_t *values = np_region_data(lookup->table->region);
    uint64_t sum = 0;
    for (size_t i = 0; i < VALUE_COUNT; i++)
        sum += values[i];
    *lookup->sum = sum;
    np_collector_record(lookup->collector, lookup->table->node, VALUE_COUNT,
                        VALUE_COUNT * sizeof *values);
}

/* One table on every node with memory. */
static size_t make_tables(const np_topology *topology, struct table *tables, size_t capacity)
{
    size_t count = 0;
    for (np_node_index i = 0; i < np_topology_node_count(topology) && count < capacity; i++) {
        np_node_info node;
        CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &node));
        if (node.memory_bytes == 0 || !node.memory_allowed)
            continue;
        struct table *table = &tables[count++];
        table->node = node.id;
        table->work_node = node.nearest_cpus;
        CHECK(np_region_create_on_node(topology, VALUE_COUNT * sizeof(uint32_t), node.id,
                                       &table->region));
        uint32_t *values = np_region_data(table->region);
        for (uint32_t v = 0; v < VALUE_COUNT; v++)
            values[v] = v;
    }
    return count;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_collector *collector = NULL;
    CHECK(np_collector_create(executor, &collector));

    struct table tables[EXAMPLE_MAX_NODES];
    size_t table_count = make_tables(topology, tables, EXAMPLE_MAX_NODES);
    EXPECT(table_count > 0);

    /* The difference of two snapshots describes the time between them. */
    np_stats *before = NULL, *after = NULL, *stats = NULL;
    CHECK(np_stats_snapshot(executor, &before));
    static uint64_t sums[TASK_COUNT];
    for (size_t i = 0; i < TASK_COUNT; i++) {
        const struct table *table = &tables[i % table_count];
        struct lookup lookup = {.table = table, .collector = collector, .sum = &sums[i]};
        bool mistake = i % 10 == 0;
        np_node_id node = mistake ? tables[(i + 1) % table_count].work_node : table->work_node;
        CHECK(np_submit_copy_to_node(executor, node, look_up, &lookup, sizeof lookup));
    }
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));
    CHECK(np_stats_snapshot(executor, &after));
    CHECK(np_stats_difference(after, before, &stats));

    example_print_report(stats, collector);
    np_access_counts counts = np_collector_totals(collector);
    printf("\naccesses: %llu local, %llu remote; tasks: %.1f %% at home, %s\n",
           (unsigned long long)counts.local, (unsigned long long)counts.remote,
           100 * np_stats_locality(stats), np_health_name(np_stats_health(stats)));

    EXPECT(counts.local + counts.remote == (uint64_t)TASK_COUNT * VALUE_COUNT);
    EXPECT(table_count > 1 || counts.remote == 0);
    for (size_t i = 0; i < TASK_COUNT; i++)
        EXPECT(sums[i] == (uint64_t)VALUE_COUNT * (VALUE_COUNT - 1) / 2);

    np_stats_destroy(stats);
    np_stats_destroy(after);
    np_stats_destroy(before);
    for (size_t n = 0; n < table_count; n++)
        np_region_destroy(tables[n].region);
    np_collector_destroy(collector); /* before its executor */
    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
