/*
 * memory/region.c - creating, asking and destroying regions.
 *
 * A region begins at the end of a successful np_region_create or np_region_create_from_file and
 * ends in np_region_destroy; in between, only np_region_resize and np_region_migrate change it.
 */
#include <numaperf/region.h>

#include "base/status.h"
#include "memory/directory.h"
#include "memory/range_cache.h"
#include "memory/region_impl.h"
#include "os/os.h"

/* Whether the node of all its pages follows from what was done. On a virtual topology the nodes are
 * a convention, and the first one stands for the memory. */
static bool lies_on_one_node(const np_region *region)
{
    /* The system may drop pages of a file and read them in elsewhere. */
    if (region->from_file && region->file_access != NP_FILE_PRIVATE)
        return false;
    if (region->virtual_nodes)
        return region->policy == NP_MEMORY_PREFERRED ||
               (region->policy == NP_MEMORY_BIND && region->node_count == 1);
    return region->policy == NP_MEMORY_BIND && region->node_count == 1 &&
           region->enforcement.level == NP_ENFORCEMENT_STRICT;
}

void npi_region_show(const np_region *region)
{
    if (lies_on_one_node(region))
        npi_directory_set(region->data, region->bytes, region->nodes[0], region->virtual_nodes);
    else /* what was asked and answered while the pages were on their way */
        npi_range_cache_forget((uintptr_t)region->data, region->bytes);
}

void npi_region_hide(const np_region *region)
{
    npi_directory_set(region->data, region->bytes, NP_NODE_ID_NONE, false);
}

static np_status check_arguments(const np_topology *topology, size_t bytes)
{
    if (topology == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create: topology is NULL");
    if (bytes == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create: bytes is 0");
    if (bytes > SIZE_MAX - npi_os_page_size())
        return npi_fail_memory(bytes, "a region");
    return NP_OK;
}

np_status np_region_create(const np_topology *topology, size_t bytes,
                           const np_region_options *options, np_region **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create: out is NULL");
    *out = NULL;
    np_status status = check_arguments(topology, bytes);
    np_region_options known;
    if (status == NP_OK)
        status = npi_region_options_take(topology, options, &known);
    if (status != NP_OK)
        return status;
    if (known.file_access != NP_FILE_READ_ONLY)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_options.file_access is %d, but there is no file",
                        (int)known.file_access);

    np_region *region = NULL;
    status = npi_region_describe(topology, &known, &region);
    if (status != NP_OK)
        return status;
    status = npi_region_make(region, bytes);
    if (status != NP_OK) {
        npi_region_free(region);
        return status;
    }
    npi_region_show(region);
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
    npi_region_hide(region);
    (void)npi_os_unmap(region->data, region->bytes);
    npi_region_free(region);
}

void *np_region_data(const np_region *region)
{
    return region == NULL ? NULL : region->data;
}

size_t np_region_size(const np_region *region)
{
    return region == NULL ? 0 : region->usable_bytes;
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
