/*
 * Goal: the discovered topology is the machine the shape describes, reduced to what this process
 * may use: node ids (sparse under a cpuset), CPUs, memory, sockets, distances, and for nodes
 * without CPUs the nearest ones that have some. Method: compare every answer with the shape.
 */
#include <numaperf/topology.h>

#include <inttypes.h>

#include "guest_check.h"

/* The nodes this process can use for anything: memory, CPUs or both. */
static bool is_usable(const struct guest_shape *shape, int node)
{
    return shape->node_allowed[node] || guest_allowed_cpus_of_node(shape, node) > 0;
}

static void check_node(const struct guest_shape *shape, const np_topology *topology, int node)
{
    np_node_info info;
    np_status status = np_topology_node_info(topology, node, &info);
    if (!is_usable(shape, node)) {
        GUEST_CHECK(status == NP_ERR_INVALID_NODE, "node %d is not ours: %s", node,
                    np_status_name(status));
        GUEST_CHECK(np_topology_node_index(topology, node) == NP_NODE_INDEX_NONE, "node %d", node);
        return;
    }
    if (!GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail())) {
        return;
    }
    GUEST_CHECK(info.id == node && np_topology_node_id(topology, info.index) == node,
                "node %d is told as %" PRId32 " with index %" PRIu32, node, info.id, info.index);
    int cpus = guest_allowed_cpus_of_node(shape, node);
    GUEST_CHECK(info.cpu_count == (uint32_t)cpus, "node %d has %" PRIu32 " CPUs, expected %d", node,
                info.cpu_count, cpus);
    GUEST_CHECK(info.memory_allowed == shape->node_allowed[node] || shape->node_mib[node] == 0,
                "node %d", node);
    uint64_t mib = info.memory_bytes >> 20;
    uint64_t expected = (uint64_t)shape->node_mib[node];
    GUEST_CHECK(mib <= expected && mib >= expected * 6 / 10, "node %d has %" PRIu64 " MiB", node,
                mib);
    uint64_t free_bytes = 0;
    status = np_topology_node_free_memory(topology, node, &free_bytes);
    GUEST_CHECK(status == NP_OK && free_bytes <= info.memory_bytes &&
                    (free_bytes > 0) == (shape->node_mib[node] > 0),
                "node %d has %" PRIu64 " bytes free: %s", node, free_bytes, np_error_detail());
    int nearest = guest_nearest_cpu_node(shape, node);
    GUEST_CHECK(info.nearest_cpus == nearest, "nearest CPUs of node %d are on %" PRId32, node,
                info.nearest_cpus);
    np_cpu_set set;
    status = np_topology_node_cpus(topology, node, &set);
    if (GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail())) {
        for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
            bool mine = shape->node_of_cpu[cpu] == node && shape->cpu_allowed[cpu];
            GUEST_CHECK(np_cpu_set_contains(&set, cpu) == mine, "CPU %d, node %d", cpu, node);
        }
    }
}

static void check_cpus(const struct guest_shape *shape, const np_topology *topology)
{
    uint32_t allowed = 0;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        np_cpu_info info;
        np_status status = np_topology_cpu_info(topology, cpu, &info);
        if (!shape->cpu_allowed[cpu]) {
            GUEST_CHECK(status == NP_ERR_NOT_FOUND, "CPU %d: %s", cpu, np_status_name(status));
            continue;
        }
        allowed++;
        GUEST_CHECK(status == NP_OK && info.cpu == cpu && info.node == shape->node_of_cpu[cpu],
                    "CPU %d: %s", cpu, np_error_detail());
        GUEST_CHECK(np_topology_cpu_node(topology, cpu) == shape->node_of_cpu[cpu], "CPU %d", cpu);
        for (int other = 0; other < shape->cpu_count; other++) {
            if (!shape->cpu_allowed[other]) {
                continue;
            }
            np_tier tier = np_topology_cpu_tier(topology, cpu, other);
            bool same_node = shape->node_of_cpu[cpu] == shape->node_of_cpu[other];
            bool same_socket = shape->socket_of_cpu[cpu] == shape->socket_of_cpu[other];
            /* In these machines every node has one last-level cache of its own. */
            np_tier expected = same_node     ? NP_TIER_CACHE
                               : same_socket ? NP_TIER_SOCKET
                                             : NP_TIER_REMOTE;
            GUEST_CHECK(tier == expected, "CPUs %d and %d: %s, expected %s", cpu, other,
                        np_tier_name(tier), np_tier_name(expected));
        }
    }
    GUEST_CHECK(np_topology_cpu_count(topology) == allowed, "%" PRIu32 " CPUs, expected %" PRIu32,
                np_topology_cpu_count(topology), allowed);
}

static void check_distances(const struct guest_shape *shape, const np_topology *topology)
{
    int usable = 0;
    for (int from = 0; from < shape->node_count; from++) {
        if (!is_usable(shape, from)) {
            continue;
        }
        usable++;
        for (int to = 0; to < shape->node_count; to++) {
            if (!is_usable(shape, to)) {
                continue;
            }
            uint32_t distance = 0;
            np_status status = np_topology_distance(topology, from, to, &distance);
            GUEST_CHECK(status == NP_OK && distance == (uint32_t)shape->distance[from][to],
                        "from %d to %d it is %" PRIu32, from, to, distance);
        }
    }
    if (usable > 1) {
        GUEST_CHECK(np_topology_distance_source(topology) == NP_DISTANCE_FIRMWARE, "source %d",
                    (int)np_topology_distance_source(topology));
    }
}

/* The order in which thieves walk: itself, then never a farther tier or distance before a nearer
 * one. */
static void check_order(const struct guest_shape *shape, const np_topology *topology, int from)
{
    np_node_id order[GUEST_MAX_NODES];
    size_t count = 0;
    np_status status = np_topology_nodes_by_distance(topology, from, order, GUEST_MAX_NODES,
                                                     &count);
    if (!GUEST_CHECK(status == NP_OK && count == np_topology_node_count(topology),
                     "from node %d: %zu nodes, %s", from, count, np_error_detail())) {
        return;
    }
    GUEST_CHECK(order[0] == from, "from node %d the first is %" PRId32, from, order[0]);
    for (size_t i = 2; i < count; i++) {
        np_tier before = np_topology_node_tier(topology, from, order[i - 1]);
        np_tier here = np_topology_node_tier(topology, from, order[i]);
        int step = shape->distance[from][order[i]] - shape->distance[from][order[i - 1]];
        bool ordered = before < here || (before == here && step > 0) ||
                       (before == here && step == 0 && order[i - 1] < order[i]);
        GUEST_CHECK(ordered, "from node %d: %" PRId32 " stands before %" PRId32, from, order[i - 1],
                    order[i]);
    }
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    GUEST_CHECK(!np_topology_is_virtual(topology), "this machine is real enough");
    uint32_t usable = 0;
    for (int node = 0; node < shape->node_count; node++) {
        usable += is_usable(shape, node);
    }
    GUEST_CHECK(np_topology_node_count(topology) == usable, "%" PRIu32 " nodes, expected %" PRIu32,
                np_topology_node_count(topology), usable);
    for (int node = 0; node < shape->node_count; node++) {
        check_node(shape, topology, node);
        if (is_usable(shape, node)) {
            check_order(shape, topology, node);
        }
    }
    check_cpus(shape, topology);
    check_distances(shape, topology);
    GUEST_CHECK(np_topology_cpu_quota(topology) == (uint32_t)shape->cpu_quota,
                "the quota is told as %" PRIu32 ", it is %d", np_topology_cpu_quota(topology),
                shape->cpu_quota);
    np_topology_destroy(topology);
    return guest_finish();
}
