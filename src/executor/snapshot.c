/*
 * executor/snapshot.c - the executor's counters copied into a snapshot (metric/stats.h).
 */
#include "base/alloc.h"
#include "base/status.h"
#include "executor/executor.h"

static void fill_node(np_stats *stats, npi_node *node)
{
    npi_stats_node *out = &stats->nodes[node->index];
    out->regular_workers = node->regular;
    out->queued = npi_node_queued(node);
    out->outside[NP_COUNTER_SUBMITTED] = npi_inbox_accepted_outside(&node->inbox);
    out->outside[NP_COUNTER_DISCARDED] = npi_load_relaxed(&node->outside_discarded);
    out->outside[NP_COUNTER_WAKES] = npi_load_relaxed(&node->sleepers.outside_wakes);
    out->outside[NP_COUNTER_REBOUND] = npi_load_relaxed(&node->rebound);
    for (int c = NP_COUNTER_DATA_SPREAD; c <= NP_COUNTER_DATA_CALLS; c++)
        out->outside[c] = npi_load_relaxed(&node->outside_data[c - NP_COUNTER_DATA_SPREAD]);
    out->gone = npi_node_is_gone(node);
    out->place = node->executor->nodes[npi_load_relaxed(&node->place)]->id;
}

np_status np_stats_snapshot(const np_executor *given, np_stats **out)
{
    np_status status = npi_executor_check(given);
    if (status != NP_OK)
        return status;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stats_snapshot: out is NULL");
    np_executor *executor = (np_executor *)(uintptr_t)given; /* its atomics are only read */
    *out = NULL;
    np_node_id *ids = npi_alloc_array(executor->node_count, sizeof *ids, 0);
    if (ids == NULL)
        return npi_fail_memory(executor->node_count * sizeof *ids, "a snapshot");
    for (uint32_t i = 0; i < executor->node_count; i++)
        ids[i] = executor->nodes[i]->id;
    np_stats *stats = NULL;
    status = npi_stats_new(ids, executor->node_count, executor->seat_count, &stats);
    npi_free_array(ids, executor->node_count, sizeof *ids);
    if (status != NP_OK)
        return status;
    stats->executor = executor->identity;
    stats->policy = executor->settings.public_options.steal_policy;
    stats->begin_ns = executor->created_ns;
    for (uint32_t i = 0; i < executor->seat_count; i++) {
        npi_worker *worker = executor->seats[i];
        npi_stats_set_worker(stats, i, worker->node->index, worker->kind,
                             (npi_worker_state)npi_load_relaxed(&worker->activity),
                             &worker->counters);
        status = npi_stats_add_data(stats, &worker->data);
        if (status != NP_OK) {
            np_stats_destroy(stats);
            return status;
        }
    }
    for (uint32_t i = 0; i < executor->node_count; i++) {
        fill_node(stats, executor->nodes[i]);
        for (uint32_t j = 0; j < executor->node_count; j++)
            npi_stats_set_tier(stats, i, j, npi_topology_node_tier_at(executor->topology, i, j));
    }
    stats->end_ns = npi_os_now();
    *out = stats;
    return NP_OK;
}
