/*
 * topology/query.c - reading a topology: the public functions by id, and the internal ones by
 * index. A snapshot never changes, so any thread may call any of these at any time.
 */
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "os/os.h"
#include "topology/snapshot.h"
#include "topology/sources.h"
#include "topology/topology_internal.h"

/* --- by index ---------------------------------------------------------------------------- */

bool npi_topology_is_virtual(const np_topology *topology)
{
    return topology->is_virtual;
}

const np_node_info *npi_topology_node(const np_topology *topology, np_node_index index)
{
    NPI_CHECK(index < topology->node_count);
    return &topology->nodes[index];
}

np_node_index npi_topology_node_index(const np_topology *topology, np_node_id id)
{
    /* Dense ids, the usual case, are found at once. */
    if (id >= 0 && (uint32_t)id < topology->node_count && topology->nodes[id].id == id)
        return (np_node_index)id;
    uint32_t low = 0;
    uint32_t high = topology->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2u;
        if (topology->nodes[middle].id < id)
            low = middle + 1u;
        else
            high = middle;
    }
    bool found = low < topology->node_count && topology->nodes[low].id == id;
    return found ? low : NP_NODE_INDEX_NONE;
}

const np_cpu_info *npi_topology_cpu(const np_topology *topology, int32_t cpu)
{
    if (cpu < 0 || (uint32_t)cpu >= topology->cpu_slot_count)
        return NULL;
    uint32_t slot = topology->cpu_slots[cpu];
    return slot == NPI_KEY_NONE ? NULL : &topology->cpus[slot];
}

np_node_index npi_topology_cpu_node_index(const np_topology *topology, int32_t cpu)
{
    const np_cpu_info *info = npi_topology_cpu(topology, cpu);
    return info == NULL ? NP_NODE_INDEX_NONE : npi_topology_node_index(topology, info->node);
}

uint32_t npi_topology_node_cpu_list(const np_topology *topology, np_node_index index,
                                    const int32_t **cpus)
{
    NPI_CHECK(index < topology->node_count);
    *cpus = topology->node_cpus + topology->node_first[index];
    return topology->nodes[index].cpu_count;
}

void npi_snapshot_node_set(const np_topology *topology, np_node_index index, np_cpu_set *out)
{
    const int32_t *cpus = NULL;
    uint32_t count = npi_topology_node_cpu_list(topology, index, &cpus);
    np_cpu_set_clear(out);
    for (uint32_t i = 0; i < count; i++)
        (void)np_cpu_set_add(out, cpus[i]);
}

void npi_topology_node_cpus_now(const np_topology *topology, np_node_index index, np_cpu_set *out)
{
    if (topology->is_virtual || !npi_kernel_node_cpus(topology->nodes[index].id, out))
        npi_snapshot_node_set(topology, index, out);
}

uint32_t npi_topology_node_distance(const np_topology *topology, np_node_index from,
                                    np_node_index to)
{
    NPI_CHECK(from < topology->node_count && to < topology->node_count);
    return topology->distances[(size_t)from * topology->node_count + to];
}

np_tier npi_topology_node_tier_at(const np_topology *topology, np_node_index a, np_node_index b)
{
    NPI_CHECK(a < topology->node_count && b < topology->node_count);
    return (np_tier)topology->tiers[(size_t)a * topology->node_count + b];
}

void npi_topology_node_order(const np_topology *topology, np_node_index from, np_node_index *order)
{
    NPI_CHECK(from < topology->node_count);
    memcpy(order, topology->order + (size_t)from * topology->node_count,
           topology->node_count * sizeof *order);
}

np_node_index npi_topology_near(const np_topology *topology, np_node_index from, uint32_t place)
{
    NPI_CHECK(from < topology->node_count && place < topology->node_count);
    return topology->order[(size_t)from * topology->node_count + place];
}

/* --- arguments --------------------------------------------------------------------------- */

static np_status check(const np_topology *topology, const void *out, const char *call)
{
    if (topology != NULL && out != NULL)
        return NP_OK;
    return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: %s is NULL", call,
                    topology == NULL ? "the topology" : "out");
}

void npi_topology_say_no_node(const np_topology *topology, const char *who, np_node_id id)
{
    uint32_t count = topology->node_count;
    int first = (int)topology->nodes[0].id, last = (int)topology->nodes[count - 1].id;
    const char *name = who == NULL ? "" : who, *colon = who == NULL ? "" : ": ";
    if (count == 1)
        (void)npi_fail(NP_ERR_INVALID_NODE, "%s%sno node %d: this topology has node %d only", name,
                       colon, (int)id, first);
    else
        (void)npi_fail(NP_ERR_INVALID_NODE,
                       "%s%sno node %d: this topology has %u nodes, from %d to %d", name, colon,
                       (int)id, count, first, last);
}

static np_status find_node(const np_topology *topology, np_node_id node, np_node_index *out)
{
    *out = npi_topology_node_index(topology, node);
    if (*out != NP_NODE_INDEX_NONE)
        return NP_OK;
    return npi_topology_no_node(topology, NULL, node);
}

static np_status check_node(const np_topology *topology, np_node_id node, const void *out,
                            const char *call, np_node_index *index)
{
    np_status status = check(topology, out, call);
    return status == NP_OK ? find_node(topology, node, index) : status;
}

/* --- nodes ------------------------------------------------------------------------------- */

bool np_topology_is_virtual(const np_topology *topology)
{
    return topology != NULL && topology->is_virtual;
}

uint32_t np_topology_node_count(const np_topology *topology)
{
    return topology == NULL ? 0 : topology->node_count;
}

np_node_id np_topology_node_id(const np_topology *topology, np_node_index index)
{
    return topology == NULL || index >= topology->node_count ? NP_NODE_ID_NONE
                                                             : topology->nodes[index].id;
}

np_node_index np_topology_node_index(const np_topology *topology, np_node_id id)
{
    return topology == NULL ? NP_NODE_INDEX_NONE : npi_topology_node_index(topology, id);
}

np_status np_topology_node_info(const np_topology *topology, np_node_id node, np_node_info *out)
{
    np_node_index index = 0;
    np_status status = check_node(topology, node, out, "np_topology_node_info", &index);
    if (status == NP_OK)
        *out = topology->nodes[index];
    return status;
}

np_status np_topology_node_cpus(const np_topology *topology, np_node_id node, np_cpu_set *out)
{
    np_node_index index = 0;
    np_status status = check_node(topology, node, out, "np_topology_node_cpus", &index);
    if (status == NP_OK)
        npi_snapshot_node_set(topology, index, out);
    return status;
}

/* Finds "MemFree: <number> kB" in one of the kernel's meminfo files. */
static bool find_free_memory(const char *text, uint64_t *bytes)
{
    const char *at = strstr(text, "MemFree:");
    unsigned long long kib = 0;
    if (at == NULL || sscanf(at, "MemFree: %llu kB", &kib) != 1)
        return false;
    *bytes = (uint64_t)kib * 1024u;
    return true;
}

np_status np_topology_node_free_memory(const np_topology *topology, np_node_id node, uint64_t *out)
{
    np_node_index index = 0;
    np_status status = check_node(topology, node, out, "np_topology_node_free_memory", &index);
    if (status != NP_OK)
        return status;
    if (topology->is_virtual) {
        *out = topology->nodes[index].memory_bytes;
        return NP_OK;
    }
    char path[64];
    char text[8192];
    size_t length = 0;
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", node);
    if (!npi_os_path_exists(path) && topology->node_count == 1)
        snprintf(path, sizeof path, "/proc/meminfo"); /* a kernel without NUMA */
    int error = npi_os_read_file(path, text, sizeof text, &length);
    if (error != 0)
        return npi_fail_errno(NP_ERR_SYSTEM, error, "read", "%s", path);
    if (!find_free_memory(text, out))
        return npi_fail(NP_ERR_SYSTEM, "%s does not say how much memory is free", path);
    return NP_OK;
}

/* --- CPUs -------------------------------------------------------------------------------- */

np_status np_topology_cpus(const np_topology *topology, np_cpu_set *out)
{
    np_status status = check(topology, out, "np_topology_cpus");
    if (status != NP_OK)
        return status;
    np_cpu_set_clear(out);
    for (uint32_t i = 0; i < topology->cpu_count; i++)
        (void)np_cpu_set_add(out, topology->cpus[i].cpu);
    return NP_OK;
}

uint32_t np_topology_cpu_count(const np_topology *topology)
{
    return topology == NULL ? 0 : topology->cpu_count;
}

uint32_t np_topology_core_count(const np_topology *topology)
{
    return topology == NULL ? 0 : topology->core_count;
}

uint32_t np_topology_socket_count(const np_topology *topology)
{
    return topology == NULL ? 0 : topology->socket_count;
}

np_status np_topology_cpu_info(const np_topology *topology, int32_t cpu, np_cpu_info *out)
{
    np_status status = check(topology, out, "np_topology_cpu_info");
    if (status != NP_OK)
        return status;
    const np_cpu_info *info = npi_topology_cpu(topology, cpu);
    if (info == NULL)
        return npi_fail(NP_ERR_NOT_FOUND,
                        "CPU %d is not among the %u CPUs that this process may use", cpu,
                        topology->cpu_count);
    *out = *info;
    return NP_OK;
}

np_node_id np_topology_cpu_node(const np_topology *topology, int32_t cpu)
{
    const np_cpu_info *info = topology == NULL ? NULL : npi_topology_cpu(topology, cpu);
    return info == NULL ? NP_NODE_ID_NONE : info->node;
}

uint32_t np_topology_cpu_quota(const np_topology *topology)
{
    return topology == NULL ? 0 : topology->cpu_quota;
}

/* --- closeness --------------------------------------------------------------------------- */

np_distance_source np_topology_distance_source(const np_topology *topology)
{
    return topology == NULL ? NP_DISTANCE_ASSUMED : topology->distance_source;
}

np_status np_topology_distance(const np_topology *topology, np_node_id from, np_node_id to,
                               uint32_t *out)
{
    np_node_index row = 0;
    np_node_index column = 0;
    np_status status = check_node(topology, from, out, "np_topology_distance", &row);
    if (status == NP_OK)
        status = find_node(topology, to, &column);
    if (status == NP_OK)
        *out = npi_topology_node_distance(topology, row, column);
    return status;
}

np_tier np_topology_node_tier(const np_topology *topology, np_node_id a, np_node_id b)
{
    np_node_index left = np_topology_node_index(topology, a);
    np_node_index right = np_topology_node_index(topology, b);
    if (left == NP_NODE_INDEX_NONE || right == NP_NODE_INDEX_NONE)
        return NP_TIER_REMOTE;
    return npi_topology_node_tier_at(topology, left, right);
}

np_tier np_topology_cpu_tier(const np_topology *topology, int32_t a, int32_t b)
{
    const np_cpu_info *left = topology == NULL ? NULL : npi_topology_cpu(topology, a);
    const np_cpu_info *right = topology == NULL ? NULL : npi_topology_cpu(topology, b);
    if (left == NULL || right == NULL)
        return NP_TIER_REMOTE;
    if (a == b)
        return NP_TIER_CACHE;
    if (left->node == NP_NODE_ID_NONE || right->node == NP_NODE_ID_NONE)
        return left->socket >= 0 && left->socket == right->socket ? NP_TIER_SOCKET : NP_TIER_REMOTE;
    /* The node decides first: a cache that spans nodes brings nothing closer than its node is. */
    if (left->node != right->node)
        return np_topology_node_tier(topology, left->node, right->node);
    bool shared = left->last_cache >= 0 && left->last_cache == right->last_cache;
    return shared ? NP_TIER_CACHE : NP_TIER_NODE;
}

np_status np_topology_nodes_by_distance(const np_topology *topology, np_node_id from,
                                        np_node_id *out, size_t capacity, size_t *count)
{
    np_node_index row = 0;
    np_status status = check_node(topology, from, count, "np_topology_nodes_by_distance", &row);
    if (status != NP_OK)
        return status;
    if (out == NULL && capacity > 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_topology_nodes_by_distance: out is NULL, capacity is %zu", capacity);
    const np_node_index *order = topology->order + (size_t)row * topology->node_count;
    for (uint32_t i = 0; i < topology->node_count && i < capacity; i++)
        out[i] = topology->nodes[order[i]].id;
    *count = topology->node_count;
    return NP_OK;
}
