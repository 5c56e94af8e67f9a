/*
 * Goal: where the shape has an HMAT, latencies and bandwidths are those of the shape, memories
 * without CPUs among them, and the best memory is the one that they name; elsewhere the machine
 * says nothing, and latency falls back to the distance. Method: compare every figure with the
 * shape. The kernel passes on only what the nearest CPUs get, so a figure may be missing; of each
 * memory there must be one.
 */
#include <numaperf/attributes.h>

#include <inttypes.h>
#include <stdlib.h>

#include "guest_check.h"

/* The rows are the nodes with CPUs, which come first in these shapes; columns all nodes. */
static uint64_t shape_figure(const struct guest_shape *shape, const char *matrix, int from, int to)
{
    char *at = (char *)(uintptr_t)matrix;
    uint64_t value = 0;
    for (int i = 0; i <= from * shape->node_count + to; i++) {
        at += *at == ';';
        value = strtoull(at, &at, 10);
        while (*at == ' ' || *at == ';') {
            at++;
        }
    }
    return value;
}

static void check_figures(const struct guest_shape *shape, const np_topology *topology,
                          np_memory_attribute attribute, const char *matrix)
{
    for (int to = 0; to < shape->node_count; to++) {
        int known = 0;
        for (int from = 0; from < shape->node_count; from++) {
            uint64_t value = 0;
            np_status status = np_topology_memory_attribute(topology, attribute, to, from, &value);
            if (status != NP_OK) {
                GUEST_CHECK(status == NP_ERR_NOT_FOUND, "%s", np_error_detail());
                continue;
            }
            known++;
            if (GUEST_CHECK(shape->cpus_of_node[from] > 0, "node %d has no CPUs", from)) {
                uint64_t expected = shape_figure(shape, matrix, from, to);
                GUEST_CHECK(value == expected, "%s from %d to %d: %" PRIu64 " and not %" PRIu64,
                            np_memory_attribute_name(attribute), from, to, value, expected);
            }
        }
        GUEST_CHECK(known > 0, "no %s to node %d", np_memory_attribute_name(attribute), to);
    }
}

/* Each node's own memory is the best for its CPUs in these shapes, by either attribute. */
static void check_best(const struct guest_shape *shape, const np_topology *topology, bool figures)
{
    for (int node = 0; node < shape->node_count; node++) {
        np_cpu_set cpus;
        np_memory_choice best = {NP_NODE_ID_NONE, NP_MEMORY_SOURCE_NONE, 0};
        if (np_topology_node_cpus(topology, node, &cpus) != NP_OK || np_cpu_set_is_empty(&cpus) ||
            shape->node_mib[node] == 0 || !shape->node_allowed[node]) {
            continue;
        }
        np_status status = np_topology_best_memory(topology, NP_MEMORY_LATENCY, &cpus, &best);
        GUEST_CHECK(status == NP_OK && best.node == node, "node %d: %d, %s", node, (int)best.node,
                    np_error_detail());
        GUEST_CHECK(best.source ==
                        (figures ? NP_MEMORY_SOURCE_FIRMWARE : NP_MEMORY_SOURCE_DISTANCE),
                    "%s", np_memory_source_name(best.source));
        status = np_topology_best_memory(topology, NP_MEMORY_BANDWIDTH, &cpus, &best);
        GUEST_CHECK(status == (figures ? NP_OK : NP_ERR_NOT_FOUND), "%s", np_status_name(status));
        GUEST_CHECK(!figures || best.node == node, "node %d: %d", node, (int)best.node);
    }
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    const char *latency = getenv("NP_GUEST_LATENCY");
    const char *bandwidth = getenv("NP_GUEST_BANDWIDTH");
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    bool figures = latency != NULL && bandwidth != NULL;
    np_memory_source source = np_topology_memory_source(topology);
    GUEST_CHECK(source == (figures ? NP_MEMORY_SOURCE_FIRMWARE : NP_MEMORY_SOURCE_NONE), "%s",
                np_memory_source_name(source));
    if (figures) {
        check_figures(shape, topology, NP_MEMORY_LATENCY, latency);
        check_figures(shape, topology, NP_MEMORY_BANDWIDTH, bandwidth);
    }
    check_best(shape, topology, figures);
    np_topology_destroy(topology);
    return guest_finish();
}
