/*
 * memory/array_impl.h - what a partitioned array is. Private to src/memory.
 *
 * array.c checks what the caller asked for and owns the lifetime; array_ask.c answers;
 * array_partition.c divides; array_place.c makes the kernel do it and asks it afterwards. An array
 * is made known to the directory in np_array_create(), unknown and known again in
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
    size_t bytes;             /* mapped: whole pages */
    size_t page_bytes;        /* the ordinary page, or the explicit huge one if it has those; parts
                                 may begin at larger ones */
    bool from_pool;           /* of explicit huge pages */
    bool virtual_nodes;       /* the node ids are not those of the running machine */
    npi_partition *partition; /* owned */
    npi_node_set preferred;   /* nodes that had too little memory to bind to them */
    np_enforcement enforcement;
};

/*
 * Places and, if asked, populates the fresh mapping by its partition. Soft: returns NP_OK and
 * adds the outcome to array->enforcement. Strict: NP_ERR_HARD_MODE with the detail set, unless
 * everything is in force. The mapping stays the caller's either way.
 */
np_status npi_array_place(np_array *array, const np_array_options *options);

/*
 * Maps the array with explicit huge pages, of the size of the partition's, places and fills it.
 * NP_OK with *done false: soft, and the pools cannot; the shortfall is in the array's enforcement,
 * and there is no mapping.
 */
np_status npi_array_make_huge(np_array *array, np_hard_mode hard_mode, bool *done);

/*
 * Places a mapping that has pages, which go along, by another partition, which replaces
 * the array's (and is then the array's) only on success. On failure the old one is in force again,
 * as far as the kernel would.
 */
np_status npi_array_move(np_array *array, npi_partition *partition, np_hard_mode hard_mode,
                         np_migration *result);

#endif
