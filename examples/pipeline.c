/*
 * A two-stage pipeline: parse on one node, process on another, a bounded queue between them.
 *
 * The queue holds 16 records, so a fast parser waits for a slow processor instead of filling the
 * memory. Waiting on a worker does not lose its CPU: a spare worker of the node steps in meanwhile.
 * If none can, the call says NP_ERR_NO_SPARE and nothing has happened; parse() then stops with an
 * error that comes out of the group wait.
 */
#include "example.h"

#include <stdatomic.h>
#include <string.h>

#define LINES_PER_PARSER 500
#define PARSERS          4

struct record {
    uint32_t customer;
    uint32_t amount;
};

struct pipeline {
    np_channel *records;
    np_group *group;
    atomic_ullong revenue;
    atomic_uint processed;
};

struct parser {
    struct pipeline *pipeline;
    char (*lines)[32];
};

/* First stage: text becomes records. */
static void parse(void *argument)
{
    const struct parser *parser = argument;
    struct pipeline *pipeline = parser->pipeline;
    for (size_t i = 0; i < LINES_PER_PARSER; i++) {
        struct record record;
        np_status status = NP_ERR_PARSE;
        if (sscanf(parser->lines[i], "%u %u", &record.customer, &record.amount) == 2)
            status = np_channel_send(pipeline->records, &record);
        if (status != NP_OK) {
            np_group_fail(pipeline->group, status);
            break;
        }
    }
    np_channel_remove_sender(pipeline->records);
}

/* Second stage: records become results, until the last parser is gone and the queue is empty. */
static void process(void *argument)
{
    struct pipeline *pipeline = argument;
    struct record record;
    np_status status;
    while ((status = np_channel_receive(pipeline->records, &record)) == NP_OK) {
        atomic_fetch_add_explicit(&pipeline->revenue, record.amount, memory_order_relaxed);
        atomic_fetch_add_explicit(&pipeline->processed, 1, memory_order_relaxed);
    }
    if (status != NP_ERR_CLOSED) {
        np_group_fail(pipeline->group, status);
        np_channel_close(pipeline->records); /* or the parsers would wait for ever */
    }
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t node_count = example_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    np_node_id parse_node = nodes[0], process_node = nodes[node_count - 1];
    printf("parsing on node %d, processing on node %d\n", parse_node, process_node);

    static char lines[PARSERS][LINES_PER_PARSER][32];
    unsigned long long expected = 0;
    for (unsigned i = 0; i < PARSERS * LINES_PER_PARSER; i++) {
        snprintf(lines[i / LINES_PER_PARSER][i % LINES_PER_PARSER], 32, "%u %u", i % 7, i);
        expected += i;
    }

    struct pipeline pipeline = {0};
    CHECK(np_group_create(NULL, &pipeline.group));
    CHECK(np_channel_create(
        NP_CHANNEL_OPTIONS(.item_size = sizeof(struct record), .capacity = 16, .senders = PARSERS),
        &pipeline.records));

    CHECK(np_group_submit_to_node(pipeline.group, executor, process_node, process, &pipeline));
    for (size_t i = 0; i < PARSERS; i++) {
        struct parser parser = {.pipeline = &pipeline, .lines = lines[i]};
        CHECK(
            np_submit_with(executor,
                           NP_SUBMIT_OPTIONS(.to_node = true, .node = parse_node,
                                             .group = pipeline.group, .copy_bytes = sizeof parser),
                           parse, &parser));
    }
    CHECK(np_group_wait(pipeline.group));

    printf("%u records, revenue %llu\n", atomic_load(&pipeline.processed),
           atomic_load(&pipeline.revenue));
    EXPECT(atomic_load(&pipeline.processed) == PARSERS * LINES_PER_PARSER);
    EXPECT(atomic_load(&pipeline.revenue) == expected);

    np_channel_destroy(pipeline.records);
    CHECK(np_group_destroy(pipeline.group));
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
