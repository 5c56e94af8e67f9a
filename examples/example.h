/*
 * What every example shares: stopping with a clear message, and the machine it runs on.
 *
 * The machine is the real one, or, when the program gets an argument, a virtual one described by
 * it:
 *     ./basic "pack:2 numa:2 core:2 pu:1"
 * On a virtual machine the workers belong to virtual nodes and are not pinned, so that every
 * example shows several nodes anywhere.
 */
#ifndef EXAMPLE_H
#define EXAMPLE_H

#include <numaperf.h>

#include <stdio.h>
#include <stdlib.h>

#define EXAMPLE_MAX_NODES 64

/* For calls that must succeed in main(). A task reports its errors with np_group_fail() instead. */
#define CHECK(call) example_check((call), #call)

/* For what an example claims: it ends with a failure when the claim is wrong. */
#define EXPECT(condition) example_expect((condition), #condition)

static inline void example_check(np_status status, const char *call)
{
    if (status == NP_OK)
        return;
    fprintf(stderr, "%s\n  failed: %s (%s)\n", call, np_status_name(status), np_error_detail());
    exit(EXIT_FAILURE);
}

static inline void example_expect(bool holds, const char *condition)
{
    if (holds)
        return;
    fprintf(stderr, "not as expected: %s\n", condition);
    exit(EXIT_FAILURE);
}

static inline np_topology *example_topology(int argc, char **argv)
{
    np_topology *topology = NULL;
    if (argc > 1)
        CHECK(np_topology_from_synthetic(argv[1], &topology));
    else
        CHECK(np_topology_discover(&topology));

    char line[256];
    np_topology_summary(topology, line, sizeof line);
    printf("machine: %s\n", line);
    return topology;
}

/* The nodes that have workers; at least one. */
static inline size_t example_nodes(const np_executor *executor, np_node_id *nodes, size_t capacity)
{
    size_t count = np_executor_nodes(executor, nodes, capacity);
    return count < capacity ? count : capacity;
}

/* Every text of the library is written like snprintf(): ask for the length, then for the text. */
static inline void example_print_report(const np_stats *stats, const np_collector *collector)
{
    size_t length = np_report_text(stats, collector, NULL, 0);
    char *text = malloc(length + 1);
    if (text == NULL)
        exit(EXIT_FAILURE);
    np_report_text(stats, collector, text, length + 1);
    fputs(text, stdout);
    free(text);
}

#endif
