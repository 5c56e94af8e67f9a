/*
 * memory/region_impl.h - what a region is. Private to src/memory.
 *
 * region.c checks what the caller asked for and owns the lifetime, region_place.c makes the kernel
 * do it and judges the outcome, region_audit.c asks afterwards. A region is immutable once
 * np_region_create returned it, so every reader may come from any thread.
 */
#ifndef NPI_MEMORY_REGION_IMPL_H
#define NPI_MEMORY_REGION_IMPL_H

#include <numaperf/region.h>

#include "memory/place.h"

struct np_region {
    char *data;
    size_t bytes; /* whole pages */
    size_t page_bytes;
    np_memory_policy policy;
    np_enforcement enforcement;
    bool virtual_nodes; /* the node ids are not those of the running machine */
    size_t node_count;
    size_t node_room; /* what the struct was allocated for */
    np_node_id nodes[];
};

/*
 * Places and, if asked, populates the fresh mapping of `region`. Soft: returns NP_OK and leaves the
 * outcome in region->enforcement. Strict: NP_ERR_HARD_MODE with the detail set, unless everything
 * is in force. The mapping stays the caller's either way.
 */
np_status npi_region_place(np_region *region, const np_region_options *options);

/* np_region_audit_pages without its checks and without a failure detail; 0 or errno. */
int npi_region_audit(const np_region *region, np_region_audit *summary, np_node_id *page_nodes,
                     size_t capacity);

#endif
