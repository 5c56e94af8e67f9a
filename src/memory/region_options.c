/*
 * memory/region_options.c - what the caller asks of a region: checks, the choice of nodes, and the
 * region's description before there is any memory. Any thread.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "memory/region_impl.h"

const char *np_memory_policy_name(np_memory_policy policy)
{
    switch (policy) {
    case NP_MEMORY_BIND: return "bind";
    case NP_MEMORY_PREFERRED: return "preferred";
    case NP_MEMORY_INTERLEAVE: return "interleave";
    case NP_MEMORY_LOCAL: return "local";
    case NP_MEMORY_PREFERRED_MANY: return "preferred many";
    case NP_MEMORY_WEIGHTED_INTERLEAVE: return "weighted interleave";
    }
    return "unknown";
}

void np_region_options_init(np_region_options *options)
{
    memset(options, 0, sizeof *options);
    options->size = sizeof *options;
}

static np_status check_enums(const np_region_options *options)
{
    const struct {
        const char *name;
        int value, last;
    } fields[] = {
        {"policy", (int)options->policy, NP_MEMORY_WEIGHTED_INTERLEAVE},
        {"hard_mode", (int)options->hard_mode, NP_HARD_MODE_STRICT},
        {"prefault", (int)options->prefault, NP_PREFAULT_POPULATE},
        {"huge_pages", (int)options->huge_pages, NP_HUGE_PAGES_1G},
        {"file_access", (int)options->file_access, NP_FILE_PRIVATE},
    };
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++)
        if (fields[i].value < 0 || fields[i].value > fields[i].last)
            return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_options.%s is %d", fields[i].name,
                            fields[i].value);
    return NP_OK;
}

static np_status check_nodes(const np_topology *topology, const np_region_options *options)
{
    if (options->nodes == NULL && options->node_count != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_options.nodes is NULL but node_count is %zu",
                        options->node_count);
    if (options->policy == NP_MEMORY_LOCAL && options->node_count != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_options.node_count is %zu, but the local policy takes no nodes",
                        options->node_count);
    if (options->policy == NP_MEMORY_PREFERRED && options->node_count == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_options.node_count is 0: the preferred policy needs a node");
    return npi_memory_nodes_check(topology, "np_region_options.nodes", options->nodes,
                                  options->node_count);
}

np_status npi_region_options_take(const np_topology *topology, const np_region_options *given,
                                  np_region_options *out)
{
    np_region_options_init(out);
    if (given != NULL) {
        if (!npi_options_acceptable(given, given->size, sizeof given->size, sizeof *out,
                                    "np_region_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(out, sizeof *out, given, given->size);
    }
    np_status status = check_enums(out);
    return status == NP_OK ? check_nodes(topology, out) : status;
}

np_status npi_region_take_nodes(np_region *region, const np_topology *topology,
                                const np_region_options *options)
{
    bool chosen = options->node_count == 0 && options->policy != NP_MEMORY_LOCAL;
    size_t room = chosen ? np_topology_node_count(topology) : options->node_count;
    np_node_id *nodes = NULL;
    if (room != 0) {
        nodes = npi_alloc(room * sizeof *nodes, 0);
        if (nodes == NULL)
            return npi_fail_memory(room * sizeof *nodes, "a region's nodes");
    }
    size_t count = 0;
    if (chosen)
        count = npi_memory_nodes(topology, nodes);
    for (size_t i = 0; i < options->node_count; i++)
        nodes[count++] = options->nodes[i];
    if (chosen && count == 0) {
        npi_region_free_nodes(nodes, room);
        return npi_fail(NP_ERR_INVALID_NODE, "no node has memory that this process may use");
    }
    region->nodes = nodes;
    region->node_count = count;
    region->node_room = room;
    region->policy = options->policy;
    region->hard_mode = options->hard_mode;
    region->virtual_nodes = np_topology_is_virtual(topology);
    return NP_OK;
}

np_status npi_region_describe(const np_topology *topology, const np_region_options *options,
                              np_region **out)
{
    np_region *region = npi_alloc(sizeof *region, 0);
    if (region == NULL)
        return npi_fail_memory(sizeof *region, "a region");
    memset(region, 0, sizeof *region);
    region->prefault = options->prefault;
    region->huge_pages = options->huge_pages;
    region->file_access = options->file_access;
    region->lock = options->lock;
    np_status status = npi_region_take_nodes(region, topology, options);
    if (status != NP_OK) {
        npi_free(region, sizeof *region);
        return status;
    }
    *out = region;
    return NP_OK;
}

void npi_region_free_nodes(np_node_id *nodes, size_t room)
{
    /* More may have been allocated than were chosen; the allocator hook must hear the size that was
     * asked for. */
    if (nodes != NULL)
        npi_free(nodes, room * sizeof *nodes);
}

void npi_region_free(np_region *region)
{
    npi_region_free_nodes(region->nodes, region->node_room);
    npi_free(region, sizeof *region);
}
