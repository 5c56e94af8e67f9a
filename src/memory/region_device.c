/*
 * memory/region_device.c - a region on the node of a device. Any thread.
 */
#include <numaperf/device.h>

#include "base/status.h"
#include "topology/topology_internal.h"

/* The node itself if the process may have memory there, else the nearest where it may. */
static np_node_id nearest_memory(const np_topology *topology, np_node_index index)
{
    uint32_t count = np_topology_node_count(topology);
    for (uint32_t i = 0; i < count; i++) {
        const np_node_info *node = npi_topology_node(topology,
                                                     npi_topology_near(topology, index, i));
        if (node->memory_allowed && node->memory_bytes != 0)
            return node->id;
    }
    return np_topology_node_id(topology, index);
}

np_status np_region_create_near_device(const np_topology *topology, size_t bytes,
                                       const char *device, const np_region_options *options,
                                       np_region **out)
{
    np_region_options known;
    np_node_index index = 0;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create_near_device: out is NULL");
    *out = NULL;
    np_region_options_init(&known);
    if (options != NULL) {
        if (!npi_options_acceptable(options, options->size, sizeof options->size, sizeof known,
                                    "np_region_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(&known, sizeof known, options, options->size);
    }
    if (known.node_count != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_create_near_device: the options name nodes of their own");
    np_status status = npi_topology_device_index(topology, device, &index);
    if (status != NP_OK)
        return status;
    np_node_id node = nearest_memory(topology, index);
    known.nodes = &node;
    known.node_count = 1;
    return np_region_create(topology, bytes, &known, out);
}
