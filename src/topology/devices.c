/*
 * topology/devices.c - reading a topology's devices. A snapshot never changes: any thread may call
 * any of these at any time.
 */
#include <string.h>

#include "base/status.h"
#include "topology/snapshot.h"
#include "topology/topology_internal.h"

const char *np_device_kind_name(np_device_kind kind)
{
    switch (kind) {
    case NP_DEVICE_OTHER: return "other";
    case NP_DEVICE_NETWORK: return "network";
    case NP_DEVICE_BLOCK: return "block";
    case NP_DEVICE_GPU: return "gpu";
    case NP_DEVICE_FABRIC: return "fabric";
    case NP_DEVICE_COPROCESSOR: return "coprocessor";
    case NP_DEVICE_KIND_COUNT: break;
    }
    return "unknown";
}

uint32_t np_topology_device_count(const np_topology *topology)
{
    return topology == NULL ? 0 : topology->device_count;
}

np_status np_topology_device(const np_topology *topology, uint32_t index, np_device *out)
{
    if (topology == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_device: %s is NULL",
                        topology == NULL ? "the topology" : "out");
    if (index >= topology->device_count)
        return npi_fail(NP_ERR_NOT_FOUND, "device %u of a topology with %u devices", index,
                        topology->device_count);
    *out = topology->devices[index];
    return NP_OK;
}

np_status np_device_find(const np_topology *topology, const char *name, np_device *out)
{
    if (topology == NULL || name == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_device_find: %s is NULL",
                        topology == NULL ? "the topology"
                        : name == NULL   ? "the name"
                                         : "out");
    for (uint32_t i = 0; i < topology->device_count; i++) {
        if (strcmp(topology->devices[i].name, name) == 0) {
            *out = topology->devices[i];
            return NP_OK;
        }
    }
    return npi_fail(NP_ERR_NOT_FOUND, "\"%.*s\" is not among the %u devices of this topology",
                    (int)NP_DEVICE_NAME_CAPACITY, name, topology->device_count);
}

np_status npi_topology_device_index(const np_topology *topology, const char *name,
                                    np_node_index *out)
{
    np_device device;
    np_status status = np_device_find(topology, name, &device);
    if (status != NP_OK)
        return status;
    if (device.node == NP_NODE_ID_NONE)
        return npi_fail(NP_ERR_NOT_FOUND, "the node of the device \"%s\" is not known",
                        device.name);
    *out = npi_topology_node_index(topology, device.node);
    if (*out == NP_NODE_INDEX_NONE)
        return npi_fail(NP_ERR_INVALID_NODE,
                        "the device \"%s\" hangs on node %d, which this process may not use",
                        device.name, device.node);
    return NP_OK;
}

np_status np_topology_device_node(const np_topology *topology, const char *name, np_node_id *out)
{
    np_node_index index = 0;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_device_node: out is NULL");
    np_status status = npi_topology_device_index(topology, name, &index);
    if (status != NP_OK)
        return status;
    np_node_id node = topology->nodes[index].nearest_cpus;
    if (node == NP_NODE_ID_NONE)
        return npi_fail(NP_ERR_NOT_FOUND, "no node has CPUs to serve the device \"%s\"", name);
    *out = node;
    return NP_OK;
}
