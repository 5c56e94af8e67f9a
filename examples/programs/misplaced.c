/*
 * misplaced: one table that is added up again and again, written in five ways, and what the reports
 * say of each. docs/tuning.md goes through them.
 *
 *     ./misplaced [HOW [MIB [ROUNDS [MACHINE]]]]
 *
 *     plain        memory of the C library, filled by one thread, a loop over all of it
 *     interleaved  the same loop, the pages in turn on all nodes
 *     near         the memory of plain, each part sent to where its pages are
 *     skewed       an array on one node, and a loop where it lies
 *     placed       an array on all nodes, and a loop where it lies
 *     all          one after the other
 *
 * Each way adds up the same numbers and checks the sum. A collector counts what the workers touch,
 * page by page, with the node that has the page: for what the library placed by asking it, for all
 * other memory by asking the kernel before the loops. On a virtual machine nobody knows where such
 * memory would lie, and it is left out of the counting.
 */
#include "program.h"

#include <string.h>
#include <time.h>

#define PAGE_BYTES  4096u
#define PAGE_VALUES (PAGE_BYTES / sizeof(uint64_t))
#define PART_PAGES  64u /* of a task that is sent near its data */

struct page {
    uint64_t values[PAGE_VALUES];
};

struct table {
    np_executor *executor;
    np_collector *collector;
    size_t count;
    struct page *pages;
    np_node_id *where; /* of each page; NP_NODE_ID_NONE: nobody knows */
    np_region *region; /* what `pages` belongs to: one of these, or the C library */
    np_array *array;
};

/* --- the work ------------------------------------------------------------------------------ */

static uint64_t add_up(const struct table *table, size_t begin, size_t end)
{
    uint64_t sum = 0;
    for (size_t p = begin; p < end; p++) {
        for (size_t v = 0; v < PAGE_VALUES; v++)
            sum += table->pages[p].values[v];
        if (table->where[p] != NP_NODE_ID_NONE)
            np_collector_record(table->collector, table->where[p], PAGE_VALUES, PAGE_BYTES);
    }
    return sum;
}

static void add_range(void *context, size_t begin, size_t end, void *value)
{
    uint64_t *sum = value;
    *sum += add_up(context, begin, end);
}

static void add_sums(void *context, void *into, const void *from)
{
    (void)context;
    uint64_t *sum = into;
    const uint64_t *more = from;
    *sum += *more;
}

/* Any worker, any page. */
static uint64_t loop_over_indices(struct table *table)
{
    uint64_t sum = 0;
    CHECK(np_parallel_reduce(
        table->executor, 0, table->count, NULL,
        NP_REDUCTION(.bytes = sizeof sum, .body = add_range, .combine = add_sums, .context = table),
        &sum));
    return sum;
}

/* Each page by the node that has it. */
static uint64_t loop_over_array(struct table *table)
{
    uint64_t sum = 0;
    CHECK(np_parallel_reduce_array(
        table->executor, table->array, NULL,
        NP_REDUCTION(.bytes = sizeof sum, .body = add_range, .combine = add_sums, .context = table),
        &sum));
    return sum;
}

struct part {
    const struct table *table;
    size_t begin, end;
    uint64_t sum;
};

static void add_part(void *argument)
{
    struct part *part = argument;
    part->sum = add_up(part->table, part->begin, part->end);
}

static uint64_t tasks_near(struct table *table)
{
    size_t parts = (table->count + PART_PAGES - 1) / PART_PAGES;
    struct part *part = calloc(parts, sizeof *part);
    EXPECT(part != NULL);
    for (size_t i = 0; i < parts; i++) {
        size_t begin = i * PART_PAGES;
        size_t end = table->count - begin < PART_PAGES ? table->count : begin + PART_PAGES;
        part[i] = (struct part){.table = table, .begin = begin, .end = end};
        CHECK(np_submit_near(table->executor, table->pages + begin, (end - begin) * PAGE_BYTES,
                             add_part, &part[i]));
    }
    CHECK(np_executor_wait_idle(table->executor, NP_FOREVER));
    uint64_t sum = 0;
    for (size_t i = 0; i < parts; i++)
        sum += part[i].sum;
    free(part);
    return sum;
}

/* --- the memory ---------------------------------------------------------------------------- */

static void from_malloc(struct table *table)
{
    table->pages = aligned_alloc(PAGE_BYTES, table->count * sizeof *table->pages);
    EXPECT(table->pages != NULL);
}

static void interleaved(struct table *table)
{
    CHECK(np_region_create(np_executor_topology(table->executor),
                           table->count * sizeof *table->pages,
                           NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE), &table->region));
    table->pages = np_region_data(table->region);
}

static void on_all_nodes(struct table *table)
{
    CHECK(np_array_create(np_executor_topology(table->executor), sizeof *table->pages, table->count,
                          NULL, &table->array));
    table->pages = np_array_data(table->array);
}

static void on_one_node(struct table *table)
{
    np_node_id nodes[EXAMPLE_MAX_NODES];
    EXPECT(example_nodes(table->executor, nodes, EXAMPLE_MAX_NODES) > 0);
    CHECK(np_array_create(np_executor_topology(table->executor), sizeof *table->pages, table->count,
                          NP_ARRAY_OPTIONS(.nodes = nodes, .node_count = 1), &table->array));
    table->pages = np_array_data(table->array);
}

/* By this thread alone, as programs do. Returns the sum. */
static uint64_t fill(const struct table *table)
{
    uint64_t next = 0, sum = 0;
    for (size_t p = 0; p < table->count; p++)
        for (size_t v = 0; v < PAGE_VALUES; v++, next++) {
            table->pages[p].values[v] = next;
            sum += next;
        }
    return sum;
}

/* Finds out where the pages are, and tells. */
static void locate(struct table *table)
{
    const np_topology *topology = np_executor_topology(table->executor);
    for (size_t p = 0; p < table->count; p++) {
        table->where[p] = NP_NODE_ID_NONE;
        if (table->array != NULL)
            table->where[p] = np_array_node_of(table->array, p);
        else if (!np_topology_is_virtual(topology))
            CHECK(np_address_node(&table->pages[p], &table->where[p]));
    }
    printf("pages");
    for (np_node_index n = 0; n < np_topology_node_count(topology); n++) {
        np_node_id node = np_topology_node_id(topology, n);
        size_t pages = 0;
        for (size_t p = 0; p < table->count; p++)
            pages += table->where[p] == node;
        if (pages > 0)
            printf("  node %d: %zu", (int)node, pages);
    }
    printf("%s\n", table->where[0] == NP_NODE_ID_NONE ? ": nobody knows where" : "");
}

static void free_table(struct table *table)
{
    if (table->array == NULL && table->region == NULL)
        free(table->pages);
    np_array_destroy(table->array);
    np_region_destroy(table->region);
    free(table->where);
}

/* --- one way after the other ------------------------------------------------------------------ */

static const struct way {
    const char *name;
    void (*make)(struct table *table);
    uint64_t (*add)(struct table *table);
} ways[] = {
    {"plain", from_malloc, loop_over_indices}, {"interleaved", interleaved, loop_over_indices},
    {"near", from_malloc, tasks_near},         {"skewed", on_one_node, loop_over_array},
    {"placed", on_all_nodes, loop_over_array},
};
enum { WAYS = sizeof ways / sizeof ways[0] };

static void run(np_executor *executor, const struct way *way, size_t pages, size_t rounds)
{
    struct table table = {.executor = executor, .count = pages};
    table.where = calloc(pages, sizeof *table.where);
    EXPECT(table.where != NULL);
    way->make(&table);
    uint64_t expected = fill(&table);
    printf("\n--- %s\n", way->name);
    locate(&table);
    np_near_forget(NULL, 0); /* the memory of another way may have been at these addresses */

    np_stats *before = NULL, *after = NULL, *phase = NULL;
    CHECK(np_collector_create(executor, &table.collector));
    CHECK(np_stats_snapshot(executor, &before));
    for (size_t round = 0; round < rounds; round++)
        EXPECT(way->add(&table) == expected);
    CHECK(np_stats_snapshot(executor, &after));
    CHECK(np_stats_difference(after, before, &phase));
    printf("%zu rounds took %.1f ms\n", rounds, (double)np_stats_elapsed_ns(phase) * 1e-6);
    example_print_report(phase, table.collector);
    np_stats_destroy(phase);
    np_stats_destroy(after);
    np_stats_destroy(before);
    np_collector_destroy(table.collector);
    free_table(&table);
}

int main(int argc, char **argv)
{
    const char *how = argc > 1 ? argv[1] : "all";
    size_t mib = program_number(argc, argv, 2, "MIB", 1, 1u << 20, 16);
    size_t rounds = program_number(argc, argv, 3, "ROUNDS", 1, 1000000, 10);
    bool all = strcmp(how, "all") == 0, known = all;
    for (size_t i = 0; i < WAYS; i++)
        known = known || strcmp(how, ways[i].name) == 0;
    if (!known) {
        fprintf(stderr, "%s: HOW is '%s', expected plain, interleaved, near, skewed, placed, all\n",
                argv[0], how);
        return 2;
    }
    np_topology *topology = program_topology(argc, argv, 4);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    for (size_t i = 0; i < WAYS; i++)
        if (all || strcmp(how, ways[i].name) == 0)
            run(executor, &ways[i], mib * ((1u << 20) / PAGE_BYTES), rounds);
    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
