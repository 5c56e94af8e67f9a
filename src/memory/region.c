/*
 * memory/region.c - creating, asking and destroying regions; checks of what the caller gives.
 */
#include <string.h>

#include <numaperf/region.h>

#include "base/alloc.h"
#include "base/status.h"
#include "memory/directory.h"
#include "memory/region_impl.h"
#include "os/os.h"

/* What a program built against the first version of the header gives. */
#define OPTIONS_LEAST (offsetof(np_region_options, node_count) + sizeof(size_t))

const char *np_memory_policy_name(np_memory_policy policy)
{
    switch (policy) {
    case NP_MEMORY_BIND: return "bind";
    case NP_MEMORY_PREFERRED: return "preferred";
    case NP_MEMORY_INTERLEAVE: return "interleave";
    case NP_MEMORY_LOCAL: return "local";
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
    if ((unsigned)options->policy > NP_MEMORY_LOCAL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_options.policy is %d",
                        (int)options->policy);
    if ((unsigned)options->hard_mode > NP_HARD_MODE_STRICT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_options.hard_mode is %d",
                        (int)options->hard_mode);
    if ((unsigned)options->prefault > NP_PREFAULT_TOUCH)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_options.prefault is %d",
                        (int)options->prefault);
    if ((unsigned)options->huge_pages > NP_HUGE_PAGES_TRANSPARENT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_options.huge_pages is %d",
                        (int)options->huge_pages);
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

static size_t struct_bytes(size_t node_count)
{
    return sizeof(np_region) + node_count * sizeof(np_node_id);
}

/* A region without its mapping: everything that comes from the options. */
static np_status describe_region(const np_topology *topology, size_t bytes,
                                 const np_region_options *options, np_region **out)
{
    bool chosen = options->node_count == 0 && options->policy != NP_MEMORY_LOCAL;
    size_t room = chosen ? np_topology_node_count(topology) : options->node_count;
    np_region *region = npi_alloc(struct_bytes(room), 0);
    if (region == NULL)
        return npi_fail_memory(struct_bytes(room), "a region");

    size_t count = 0;
    if (chosen)
        count = npi_memory_nodes(topology, region->nodes);
    for (size_t i = 0; i < options->node_count; i++)
        region->nodes[count++] = options->nodes[i];
    if (chosen && count == 0) {
        npi_free(region, struct_bytes(room));
        return npi_fail(NP_ERR_INVALID_NODE, "no node has memory that this process may use");
    }
    region->node_count = count;
    region->node_room = room;
    region->page_bytes = npi_os_page_size();
    region->bytes = (bytes + region->page_bytes - 1) / region->page_bytes * region->page_bytes;
    region->policy = options->policy;
    region->virtual_nodes = np_topology_is_virtual(topology);
    *out = region;
    return NP_OK;
}

static np_status map_and_place(np_region *region, const np_region_options *options)
{
    size_t alignment = 0;
    if (options->huge_pages == NP_HUGE_PAGES_TRANSPARENT)
        alignment = npi_os_huge_page_size();
    void *memory = NULL;
    int error = npi_os_map(region->bytes, alignment, &memory);
    if (error != 0)
        return npi_fail_errno(NP_ERR_NO_MEMORY, error, "mmap", "region of %zu bytes",
                              region->bytes);
    region->data = memory;
    np_status status = npi_region_place(region, options);
    if (status != NP_OK)
        (void)npi_os_unmap(region->data, region->bytes);
    return status;
}

static void free_struct(np_region *region)
{
    /* The struct may have been made for more nodes than were chosen; the allocator hook must
     * hear the size that was asked for. */
    npi_free(region, struct_bytes(region->node_room));
}

/* Whether the node of all its pages follows from what was done. On a virtual topology the nodes are
 * a convention, and the first one stands for the memory. */
static bool lies_on_one_node(const np_region *region)
{
    if (region->virtual_nodes)
        return region->policy == NP_MEMORY_PREFERRED ||
               (region->policy == NP_MEMORY_BIND && region->node_count == 1);
    return region->policy == NP_MEMORY_BIND && region->node_count == 1 &&
           region->enforcement.level == NP_ENFORCEMENT_STRICT;
}

np_status np_region_create(const np_topology *topology, size_t bytes,
                           const np_region_options *options, np_region **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create: out is NULL");
    *out = NULL;
    if (topology == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create: topology is NULL");
    if (bytes == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create: bytes is 0");
    if (bytes > SIZE_MAX - npi_os_page_size())
        return npi_fail_memory(bytes, "a region");

    np_region_options known;
    np_region_options_init(&known);
    if (options != NULL) {
        if (!npi_options_acceptable(options, options->size, OPTIONS_LEAST, sizeof known,
                                    "np_region_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(&known, sizeof known, options, options->size);
    }
    np_status status = check_enums(&known);
    if (status == NP_OK)
        status = check_nodes(topology, &known);
    if (status != NP_OK)
        return status;

    np_region *region = NULL;
    status = describe_region(topology, bytes, &known, &region);
    if (status != NP_OK)
        return status;
    status = map_and_place(region, &known);
    if (status != NP_OK) {
        free_struct(region);
        return status;
    }
    if (lies_on_one_node(region))
        npi_directory_set(region->data, region->bytes, region->nodes[0], region->virtual_nodes);
    *out = region;
    return NP_OK;
}

np_status np_region_create_on_node(const np_topology *topology, size_t bytes, np_node_id node,
                                   np_region **out)
{
    np_region_options options;
    np_region_options_init(&options);
    options.prefault = NP_PREFAULT_TOUCH;
    options.nodes = &node;
    options.node_count = 1;
    return np_region_create(topology, bytes, &options, out);
}

void np_region_destroy(np_region *region)
{
    if (region == NULL)
        return;
    npi_directory_set(region->data, region->bytes, NP_NODE_ID_NONE, false);
    (void)npi_os_unmap(region->data, region->bytes);
    free_struct(region);
}

void *np_region_data(const np_region *region)
{
    return region == NULL ? NULL : region->data;
}

size_t np_region_size(const np_region *region)
{
    return region == NULL ? 0 : region->bytes;
}

size_t np_region_page_size(const np_region *region)
{
    return region == NULL ? 0 : region->page_bytes;
}

np_memory_policy np_region_policy(const np_region *region)
{
    return region == NULL ? NP_MEMORY_BIND : region->policy;
}

size_t np_region_nodes(const np_region *region, np_node_id *out, size_t capacity)
{
    if (region == NULL)
        return 0;
    for (size_t i = 0; i < region->node_count && i < capacity && out != NULL; i++)
        out[i] = region->nodes[i];
    return region->node_count;
}

np_enforcement np_region_enforcement(const np_region *region)
{
    static const np_enforcement nothing = {NP_ENFORCEMENT_NONE, NP_REASON_NOT_REQUESTED, 0};
    return region == NULL ? nothing : region->enforcement;
}
