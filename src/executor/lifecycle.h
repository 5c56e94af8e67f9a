/*
 * executor/lifecycle.h - between the files that plan, build, start and end an executor.
 */
#ifndef NPI_EXECUTOR_LIFECYCLE_H
#define NPI_EXECUTOR_LIFECYCLE_H

#include "executor/group_internal.h"
#include "executor/options.h"

/* What will be built on one node. */
typedef struct npi_node_plan {
    uint32_t workers;
    np_cpu_set cpus; /* what the workers may use */
    int32_t
        *worker_cpu; /* `workers` entries or more, by last-level cache; NULL: not bound to one */
    uint32_t worker_cpu_room;
} npi_node_plan;

/* The options of one create call, complete: defaults filled in, environment read, everything
 * checked. */
typedef struct npi_plan {
    npi_settings settings;
    uint32_t node_count;
    npi_node_plan *nodes; /* by node index */
} npi_plan;

/* plan.c: who works where. */
np_status npi_plan_make(const np_topology *topology, const npi_options *read, npi_plan *out);
void npi_plan_destroy(npi_plan *plan);

/* build.c: memory and structure, no threads. */
np_status npi_executor_build(const np_topology *topology, const npi_plan *plan, np_executor **out);
void npi_executor_free(np_executor *executor);

#endif
