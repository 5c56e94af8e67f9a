/*
 * parallel/places.h - what node-local things remember of their executor: its nodes, where the
 * memory of each is, and which one a thread belongs to. A copy, so that they may outlive the
 * executor.
 *
 * Constant after init: any thread may ask.
 */
#ifndef NPI_PARALLEL_PLACES_H
#define NPI_PARALLEL_PLACES_H

#include <numaperf/region.h>

#include "executor/executor.h"

typedef struct npi_places {
    uint64_t identity; /* of the executor */
    bool is_virtual;
    uint32_t count;     /* nodes */
    np_node_id *ids;    /* by index, ascending */
    np_node_id *memory; /* by index: the nearest node with memory that the process may use, mostly
                           itself; NP_NODE_ID_NONE: no node has any */
} npi_places;

/* NP_ERR_NO_MEMORY; then there is nothing to free. */
np_status npi_places_init(npi_places *places, const np_executor *executor);
void npi_places_free(npi_places *places);

/* NP_NODE_INDEX_NONE: not one of them. */
np_node_index npi_places_index(const npi_places *places, np_node_id id);

/* The node of a thread that is no worker of the executor, at this moment. */
np_node_index npi_places_outside(const npi_places *places);

/* The calling thread's worker if it is one of the executor. By identity: the executor may be gone
 * and another one lie at its address. */
static inline npi_worker *npi_places_worker(const npi_places *places)
{
    npi_worker *worker = npi_worker_self();
    return worker != NULL && worker->executor->identity == places->identity ? worker : NULL;
}

/* Memory for a node, present: on it as long as it has room. Whole pages, zeroed. `topology`: the
 * executor's, or a clone. */
np_status npi_places_map(const npi_places *places, const np_topology *topology, np_node_index node,
                         size_t bytes, np_hard_mode hard_mode, np_huge_pages huge_pages,
                         np_region **out);

#endif
