/*
 * memory/array_impl.h - what a partitioned array is. Private to src/memory.
 *
 * array.c checks what the caller asked for, owns the lifetime and answers; array_partition.c
 * divides; array_place.c makes the kernel do it and asks it afterwards. An array is
 * made known to the directory in np_array_create(), unknown and known again in
 * np_array_redistribute(), unknown in np_array_destroy(); in between every reader may come from any
 * thread.
 */
#ifndef NPI_MEMORY_ARRAY_IMPL_H
#define NPI_MEMORY_ARRAY_IMPL_H

#include <numaperf/array.h>

#include "memory/array_partition.h"
#include "os/os.h"

struct np_array {
    char *data;
    size_t bytes;             /* mapped: whole ordinary pages */
    size_t page_bytes;        /* of the ordinary page; parts may begin at larger ones */
    bool virtual_nodes;       /* the node ids are not those of the running machine */
    npi_partition *partition; /* owned */
    npi_node_set preferred;   /* nodes that had too little memory to bind to them */
    np_enforcement enforcement;
};

/*
 * Places and, if asked, populates the fresh mapping by its partition. Soft: returns NP_OK and
 * leaves the outcome in array->enforcement. Strict: NP_ERR_HARD_MODE with the detail set, unless
 * everything is in force. The mapping stays the caller's either way.
 */
np_status npi_array_place(np_array *array, const np_array_options *options);

/*
 * The same for a mapping that has pages, which go along, and for another partition, which replaces
 * the array's (and is then the array's) only on success. On failure the old one is in force again,
 * as far as the kernel would.
 */
np_status npi_array_move(np_array *array, npi_partition *partition, np_hard_mode hard_mode,
                         np_migration *result);

#endif
