/*
 * topology/attributes.c - the attributes of memories, and which is best from where. Reads a
 * snapshot, which never changes: any thread may call any of these at any time.
 */
#include <numaperf/attributes.h>

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "topology/snapshot.h"
#include "topology/topology_internal.h"

typedef struct attribute_row {
    const char *name;
    const char *unit;
    bool more_is_better;
} attribute_row;

static const attribute_row rows[] = {
#define ROW(name, key, unit, more) {key, unit, more},
    NP_MEMORY_ATTRIBUTE_MAP(ROW)
#undef ROW
};

static bool is_attribute(np_memory_attribute attribute)
{
    return (unsigned)attribute < (unsigned)NP_MEMORY_ATTRIBUTE_COUNT;
}

const char *np_memory_attribute_name(np_memory_attribute attribute)
{
    return is_attribute(attribute) ? rows[attribute].name : "unknown";
}

const char *np_memory_attribute_unit(np_memory_attribute attribute)
{
    return is_attribute(attribute) ? rows[attribute].unit : "unknown";
}

bool npi_memory_more_is_better(np_memory_attribute attribute)
{
    return rows[attribute].more_is_better;
}

const char *np_memory_source_name(np_memory_source source)
{
    switch (source) {
    case NP_MEMORY_SOURCE_NONE: return "none";
    case NP_MEMORY_SOURCE_FIRMWARE: return "firmware";
    case NP_MEMORY_SOURCE_GIVEN: return "given";
    case NP_MEMORY_SOURCE_SIZE: return "size";
    case NP_MEMORY_SOURCE_DISTANCE: return "distance";
    }
    return "unknown";
}

np_memory_source np_topology_memory_source(const np_topology *topology)
{
    return topology == NULL ? NP_MEMORY_SOURCE_NONE : topology->memory_source;
}

/* --- one figure --------------------------------------------------------------------------- */

static bool find_said(const np_topology *topology, np_memory_attribute attribute,
                      np_node_index from, np_node_index target, uint64_t *out)
{
    uint32_t low = 0;
    uint32_t high = topology->value_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2u;
        const npi_memory_value *at = &topology->values[middle];
        bool before = at->attribute != (uint32_t)attribute ? at->attribute < (uint32_t)attribute
                      : at->from != from                   ? at->from < from
                                                           : at->target < target;
        if (before)
            low = middle + 1u;
        else
            high = middle;
    }
    const npi_memory_value *found = &topology->values[low];
    if (low == topology->value_count || found->attribute != (uint32_t)attribute ||
        found->from != from || found->target != target)
        return false;
    *out = found->value;
    return true;
}

/* What the source says, or for an average that it does not give, the average of its two halves. */
bool npi_memory_value_find(const np_topology *topology, np_memory_attribute attribute,
                           np_node_index from, np_node_index target, uint64_t *out)
{
    uint64_t read = 0;
    uint64_t write = 0;
    if (find_said(topology, attribute, from, target, out))
        return true;
    if (attribute != NP_MEMORY_LATENCY && attribute != NP_MEMORY_BANDWIDTH)
        return false;
    bool latency = attribute == NP_MEMORY_LATENCY;
    if (!find_said(topology, latency ? NP_MEMORY_READ_LATENCY : NP_MEMORY_READ_BANDWIDTH, from,
                   target, &read) ||
        !find_said(topology, latency ? NP_MEMORY_WRITE_LATENCY : NP_MEMORY_WRITE_BANDWIDTH, from,
                   target, &write))
        return false;
    *out = read / 2u + write / 2u + (read & write & 1u); /* cannot overflow */
    return true;
}

static np_status check_attribute(const np_topology *topology, np_memory_attribute attribute,
                                 const void *out, const char *call)
{
    if (topology == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: %s is NULL", call,
                        topology == NULL ? "the topology" : "out");
    if (!is_attribute(attribute))
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: %d is no memory attribute", call,
                        (int)attribute);
    return NP_OK;
}

np_status np_topology_memory_attribute(const np_topology *topology, np_memory_attribute attribute,
                                       np_node_id node, np_node_id from, uint64_t *out)
{
    np_status status = check_attribute(topology, attribute, out, "np_topology_memory_attribute");
    if (status != NP_OK)
        return status;
    np_node_index target = npi_topology_node_index(topology, node);
    if (target == NP_NODE_INDEX_NONE)
        return npi_topology_no_node(topology, NULL, node);
    if (attribute == NP_MEMORY_CAPACITY) {
        *out = topology->nodes[target].memory_bytes;
        return NP_OK;
    }
    np_node_index row = npi_topology_node_index(topology, from);
    if (row == NP_NODE_INDEX_NONE)
        return npi_topology_no_node(topology, NULL, from);
    if (npi_memory_value_find(topology, attribute, row, target, out))
        return NP_OK;
    return npi_fail(NP_ERR_NOT_FOUND, "the machine does not say the %s from node %d to node %d",
                    rows[attribute].name, from, node);
}

/* --- the order ---------------------------------------------------------------------------- */

/* A memory with what it is ranked by. */
typedef struct rank {
    np_memory_choice choice;
    bool more_is_better;
    uint32_t distance; /* the farthest, from the nodes whose CPUs ask */
} rank;

static int by_rank(const void *a, const void *b)
{
    const rank *left = a;
    const rank *right = b;
    int order = (left->choice.value > right->choice.value) -
                (left->choice.value < right->choice.value);
    if (order != 0)
        return left->more_is_better ? -order : order;
    order = (left->distance > right->distance) - (left->distance < right->distance);
    return order != 0 ? order
                      : (left->choice.node > right->choice.node) -
                            (left->choice.node < right->choice.node);
}

/* Marks the nodes that have a CPU of the set (NULL: any CPU); false if none has. */
static bool mark_nodes(const np_topology *topology, const np_cpu_set *cpus, bool *asking)
{
    bool any = false;
    memset(asking, 0, topology->node_count * sizeof *asking);
    for (uint32_t i = 0; i < topology->cpu_count; i++) {
        const np_cpu_info *cpu = &topology->cpus[i];
        np_node_index node = npi_topology_node_index(topology, cpu->node);
        if (node == NP_NODE_INDEX_NONE || (cpus != NULL && !np_cpu_set_contains(cpus, cpu->cpu)))
            continue;
        asking[node] = true;
        any = true;
    }
    return any;
}

/* The least favourable value over the asking nodes; false if one of them has none. */
static bool worst_value(const np_topology *topology, np_memory_attribute attribute,
                        const bool *asking, np_node_index target, uint64_t *out)
{
    bool first = true;
    for (np_node_index from = 0; from < topology->node_count; from++) {
        uint64_t value = 0;
        if (!asking[from])
            continue;
        if (!npi_memory_value_find(topology, attribute, from, target, &value))
            return false;
        if (first || (rows[attribute].more_is_better ? value < *out : value > *out))
            *out = value;
        first = false;
    }
    return !first;
}

static uint32_t worst_distance(const np_topology *topology, const bool *asking,
                               np_node_index target)
{
    uint32_t most = 0;
    for (np_node_index from = 0; from < topology->node_count; from++) {
        uint32_t distance = npi_topology_node_distance(topology, from, target);
        most = asking[from] && distance > most ? distance : most;
    }
    return most;
}

/* Files may leave sizes out for the whole machine; then every node counts as one with memory. */
static bool sizes_are_known(const np_topology *topology)
{
    for (uint32_t i = 0; i < topology->node_count; i++) {
        if (topology->nodes[i].memory_bytes > 0)
            return true;
    }
    return false;
}

/* Ranks the memories that have the attribute, or all by distance. */
static uint32_t collect(const np_topology *topology, np_memory_attribute attribute,
                        const bool *asking, bool by_distance, rank *ranks)
{
    bool sized = sizes_are_known(topology);
    uint32_t count = 0;
    for (np_node_index i = 0; i < topology->node_count; i++) {
        const np_node_info *node = &topology->nodes[i];
        rank *to = &ranks[count];
        if (!node->memory_allowed || (sized && node->memory_bytes == 0))
            continue;
        to->distance = worst_distance(topology, asking, i);
        to->more_is_better = !by_distance && rows[attribute].more_is_better;
        to->choice.node = node->id;
        to->choice.source = topology->memory_source;
        if (by_distance) {
            to->choice.source = NP_MEMORY_SOURCE_DISTANCE;
            to->choice.value = to->distance;
        } else if (attribute == NP_MEMORY_CAPACITY) {
            if (!sized)
                continue;
            to->choice.source = NP_MEMORY_SOURCE_SIZE;
            to->choice.value = node->memory_bytes;
        } else if (!worst_value(topology, attribute, asking, i, &to->choice.value)) {
            continue;
        }
        count++;
    }
    return count;
}

static bool is_latency(np_memory_attribute attribute)
{
    return attribute != NP_MEMORY_CAPACITY && !rows[attribute].more_is_better;
}

static np_status rank_all(const np_topology *topology, np_memory_attribute attribute,
                          const np_cpu_set *cpus, bool *asking, rank *ranks, uint32_t *count)
{
    if (!mark_nodes(topology, cpus, asking))
        return npi_fail(NP_ERR_NOT_FOUND, "none of the CPUs is in a node of this topology");
    *count = collect(topology, attribute, asking, false, ranks);
    if (*count == 0 && is_latency(attribute))
        *count = collect(topology, attribute, asking, true, ranks);
    if (*count == 0)
        return npi_fail(NP_ERR_NOT_FOUND,
                        "the machine does not say the %s from these CPUs to any memory; "
                        "NP_MEMORY_LATENCY falls back to distances",
                        rows[attribute].name);
    qsort(ranks, *count, sizeof *ranks, by_rank);
    return NP_OK;
}

np_status np_topology_memory_by_attribute(const np_topology *topology,
                                          np_memory_attribute attribute, const np_cpu_set *cpus,
                                          np_memory_choice *out, size_t capacity, size_t *count)
{
    np_status status = check_attribute(topology, attribute, count,
                                       "np_topology_memory_by_attribute");
    if (status != NP_OK)
        return status;
    if (out == NULL && capacity > 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_topology_memory_by_attribute: out is NULL, capacity is %zu", capacity);
    size_t nodes = topology->node_count;
    uint32_t found = 0;
    bool *asking = npi_alloc_array(nodes, sizeof *asking, 0);
    rank *ranks = npi_alloc_array(nodes, sizeof *ranks, 0);
    if (asking == NULL || ranks == NULL)
        status = npi_fail_memory(nodes * sizeof *ranks, "ranking the memories");
    else
        status = rank_all(topology, attribute, cpus, asking, ranks, &found);
    for (uint32_t i = 0; status == NP_OK && i < found && i < capacity; i++)
        out[i] = ranks[i].choice;
    if (status == NP_OK)
        *count = found;
    npi_free_array(ranks, nodes, sizeof *ranks);
    npi_free_array(asking, nodes, sizeof *asking);
    return status;
}

np_status np_topology_best_memory(const np_topology *topology, np_memory_attribute attribute,
                                  const np_cpu_set *cpus, np_memory_choice *out)
{
    size_t count = 0;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_best_memory: out is NULL");
    return np_topology_memory_by_attribute(topology, attribute, cpus, out, 1, &count);
}
