/*
 * memory/array_impl.h - what a partitioned array is. Private to src/memory.
 *
 * array.c checks what the caller asked for, owns the lifetime and answers; array_partition.c
 * divides; array_place.c makes the kernel do it and asks it afterwards. An array becomes known when
 * np_array_create() returns it, changes in np_array_redistribute() and vanishes in
 * np_array_destroy(), and in between every reader may come from any thread.
 */
#ifndef NPI_MEMORY_ARRAY_IMPL_H
#define NPI_MEMORY_ARRAY_IMPL_H

#include <numaperf/array.h>

#include "memory/array_partition.h"

struct np_array {
    char *data;
    size_t bytes;             /* mapped: whole ordinary pages */
    size_t page_bytes;        /* of the ordinary page; parts may begin at larger ones */
    bool virtual_nodes;       /* the node ids are not those of the running machine */
    np_huge_pages huge_pages; /* as it was created */
    npi_partition *partition; /* owned */
    np_enforcement enforcement;
};

/*
 * Places the mapping by `partition`, which becomes the array's if this succeeds, and populates it
 * if asked. Soft: returns NP_OK and leaves the outcome in array->enforcement. Strict:
 * NP_ERR_HARD_MODE with the detail set, unless everything is in force. `move`: pages that are
 * present go along.
 */
np_status npi_array_place(np_array *array, const npi_partition *partition,
                          const np_array_options *options, bool move);

/* np_array_audit for a partition that need not be the array's, without checks and without a failure
 * detail; 0 or errno. */
int npi_array_audit(const np_array *array, const npi_partition *partition,
                    np_region_audit *summary);

#endif
