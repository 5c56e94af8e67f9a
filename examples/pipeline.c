/*
 * A pipeline of three stages, each at its place: lines are made at the first node, parsed by
 * whoever is there, and booked in the order of the lines at the last node.
 *
 * Sixteen lines are inside at most, so a fast source waits for a slow stage instead of filling the
 * memory: it is not asked for another line. No stage waits on a worker, so this works with one.
 */
#include "example.h"

#define LINES 20000

struct line {
    char text[32];
    unsigned customer;
    unsigned long long amount;
};

struct account {
    unsigned long long revenue;
    unsigned lines;
    unsigned last_customer;
    int in_order;
};

/* The source: one call at a time. */
static np_status read_line(void *context, void *item)
{
    unsigned *next = context;
    struct line *line = item;
    if (*next == LINES)
        return NP_ERR_CLOSED; /* the end of the stream */
    snprintf(line->text, sizeof line->text, "%u %u", *next, *next % 1000);
    ++*next;
    return NP_OK;
}

/* Parallel: any number of lines at once. */
static np_status parse(void *context, void *item)
{
    struct line *line = item;
    (void)context;
    if (sscanf(line->text, "%u %llu", &line->customer, &line->amount) != 2)
        return NP_ERR_PARSE; /* ends the pipeline, and comes out of np_pipeline_run() */
    return line->amount == 0 ? NP_PIPELINE_DROP : NP_OK;
}

/* Ordered: one line at a time, in the order of the source. No lock, no atomic. */
static np_status book(void *context, void *item)
{
    struct account *account = context;
    const struct line *line = item;
    if (account->lines++ != 0 && line->customer <= account->last_customer)
        account->in_order = 0;
    account->last_customer = line->customer;
    account->revenue += line->amount;
    return NP_OK;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    np_node_id first = nodes[0], last = nodes[node_count - 1];
    printf("reading on node %d, booking on node %d\n", first, last);

    struct account account = {.in_order = 1};
    unsigned next = 0;
    const np_stage stages[] = {
        {.name = "parse", .kind = NP_STAGE_PARALLEL, .fn = parse},
        {.name = "book",
         .kind = NP_STAGE_ORDERED,
         .fn = book,
         .context = &account,
         .nodes = &last,
         .node_count = 1},
    };
    np_pipeline *pipeline = NULL;
    CHECK(np_pipeline_create(executor,
                             NP_PIPELINE_OPTIONS(.item_bytes = sizeof(struct line), .in_flight = 16,
                                                 .stages = stages, .stage_count = 2,
                                                 .source = read_line, .source_context = &next,
                                                 .source_at_node = true, .source_node = first),
                             &pipeline));
    CHECK(np_pipeline_run(pipeline));

    np_edge_counts edge;
    for (size_t i = 0; i < np_pipeline_edge_count(pipeline); i++) {
        CHECK(np_pipeline_edge(pipeline, i, &edge));
        printf("%-6s %6llu items, %6llu from another node, at most %u waited\n", edge.stage,
               (unsigned long long)edge.items, (unsigned long long)edge.remote, edge.waiting_most);
        EXPECT(edge.waiting_most <= 16);
    }
    np_pipeline_counts counts;
    CHECK(np_pipeline_count(pipeline, &counts));
    CHECK(np_pipeline_destroy(pipeline));

    unsigned long long expected = 0;
    for (unsigned i = 0; i < LINES; i++)
        expected += i % 1000;
    printf("%u lines, revenue %llu\n", account.lines, account.revenue);
    EXPECT(account.revenue == expected);
    EXPECT(account.in_order);
    EXPECT(counts.entered == LINES && counts.dropped == LINES / 1000);
    EXPECT(account.lines == LINES - LINES / 1000);
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
