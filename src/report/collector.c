/*
 * report/collector.c - creating a collector for an executor, and recording: who is calling, and
 * from which node. The counting itself is in collector_table.c.
 */
#include "report/collector.h"

#include "base/alloc.h"
#include "base/status.h"
#include "executor/executor.h"

np_status np_collector_create(const np_executor *executor, np_collector **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_collector_create: out is NULL");
    *out = NULL;
    if (executor == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_collector_create: executor is NULL");
    const np_topology *topology = np_executor_topology(executor);
    uint32_t node_count = np_topology_node_count(topology);
    np_node_id *ids = npi_alloc_array(node_count, sizeof *ids, 0);
    if (ids == NULL)
        return npi_fail_memory(node_count * sizeof *ids, "the nodes of a collector");
    for (np_node_index i = 0; i < node_count; i++)
        ids[i] = np_topology_node_id(topology, i);
    np_status status = npi_collector_new(executor, ids, node_count,
                                         npi_executor_seat_count(executor), out);
    npi_free_array(ids, node_count, sizeof *ids);
    return status;
}

void np_collector_record(np_collector *collector, np_node_id data_node, uint64_t count,
                         uint64_t bytes)
{
    if (collector == NULL)
        return;
    /* A worker of another executor has a seat there, not here: it counts as any other thread. */
    uint32_t seat = NPI_COLLECTOR_NO_SEAT;
    if (np_current_executor() == collector->executor)
        seat = np_current_worker_index();
    npi_collector_add(collector, seat, np_current_node(), data_node, count, bytes);
}
