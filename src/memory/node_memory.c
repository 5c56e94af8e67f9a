/*
 * memory/node_memory.c - which nodes may hold memory, and how much a bound mapping can still get
 * from one.
 *
 * MemFree alone would refuse nearly everything on a machine that has been up for a while, because
 * Linux fills free memory with cached file pages and drops them when somebody asks. The kernel's
 * own MemAvailable exists only for the whole machine, so this is the same idea per node.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/status.h"
#include "memory/place.h"
#include "topology/topology_internal.h"

static np_status no_node(const np_topology *topology, const char *option, size_t which,
                         np_node_id node)
{
    char who[64];
    (void)snprintf(who, sizeof who, "%s[%zu]", option, which);
    return npi_topology_no_node(topology, who, node);
}

static np_status check_node(const np_topology *topology, const char *option,
                            const np_node_id *nodes, size_t which)
{
    np_node_id node = nodes[which];
    np_node_info info;
    if (np_topology_node_index(topology, node) == NP_NODE_INDEX_NONE)
        return no_node(topology, option, which, node);
    np_status status = np_topology_node_info(topology, node, &info);
    if (status != NP_OK)
        return status;
    if (info.memory_bytes == 0)
        return npi_fail(NP_ERR_INVALID_NODE, "%s[%zu]: node %d has no memory", option, which,
                        (int)node);
    for (size_t i = 0; i < which; i++)
        if (nodes[i] == node)
            return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s[%zu]: node %d is given twice", option,
                            which, (int)node);
    return NP_OK;
}

np_status npi_memory_nodes_check(const np_topology *topology, const char *option,
                                 const np_node_id *nodes, size_t count)
{
    np_status status = NP_OK;
    for (size_t i = 0; i < count && status == NP_OK; i++)
        status = check_node(topology, option, nodes, i);
    return status;
}

size_t npi_memory_nodes(const np_topology *topology, np_node_id *out)
{
    size_t count = 0;
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_info info;
        np_node_id node = np_topology_node_id(topology, i);
        if (np_topology_node_info(topology, node, &info) == NP_OK && info.memory_bytes != 0 &&
            info.memory_allowed)
            out[count++] = node;
    }
    return count;
}

/* The value in bytes of a line "Node 0 <key>:   123 kB", or 0. */
static uint64_t meminfo_value(const char *text, const char *key)
{
    size_t length = strlen(key);
    for (const char *place = strstr(text, key); place != NULL; place = strstr(place + 1, key)) {
        if (place[-1] != ' ' || place[length] != ':')
            continue;
        uint64_t kib = strtoull(place + length + 1, NULL, 10);
        return kib > UINT64_MAX / 1024 ? 0 : kib * 1024;
    }
    return 0;
}

/* What the kernel never gives to a process: its watermarks are below this share of a node. */
static uint64_t reserve_of(uint64_t total)
{
    const uint64_t most = UINT64_C(256) << 20;
    return total / 64 < most ? total / 64 : most;
}

bool npi_node_memory_available(np_node_id node, uint64_t *bytes)
{
    char path[64];
    char text[4096];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", (int)node);
    text[0] = ' '; /* so that meminfo_value may look in front of its find */
    if (npi_os_read_file(path, text + 1, sizeof text - 1, NULL) != 0)
        return false;
    uint64_t total = meminfo_value(text, "MemTotal");
    if (total == 0)
        return false;
    uint64_t cached = meminfo_value(text, "Active(file)") + meminfo_value(text, "Inactive(file)") +
                      meminfo_value(text, "SReclaimable");
    uint64_t available = meminfo_value(text, "MemFree") + cached / 2;
    uint64_t reserve = reserve_of(total);
    *bytes = available > reserve ? available - reserve : 0;
    return true;
}
