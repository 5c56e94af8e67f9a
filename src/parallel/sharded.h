/*
 * parallel/sharded.h - the inside of sharded values, for those who build on them.
 */
#ifndef NPI_PARALLEL_SHARDED_H
#define NPI_PARALLEL_SHARDED_H

#include <numaperf/sharded.h>

#include "parallel/places.h"

/* Constant once create has returned. */
struct np_sharded {
    npi_places places;
    void **values; /* by node index, or by worker index */
    bool per_worker;
    uint32_t count;
    np_node_id *nodes;    /* of each value */
    np_region **regions;  /* by node index; NULL: it has no value */
    uint32_t constructed; /* values before this one are alive */
    uint32_t generation;  /* of the process that created it */
    np_sharded_options options;
};

/* The value of the worker that the caller is, or of its node; NULL on other threads. */
static inline void *npi_sharded_own(const np_sharded *sharded)
{
    npi_worker *worker = npi_places_worker(&sharded->places);
    if (worker == NULL)
        return NULL;
    return sharded->values[sharded->per_worker ? worker->index : worker->node->index];
}

#endif
