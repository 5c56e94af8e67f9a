/*
 * parallel/pipeline_counts.c - what a pipeline knows about its items and its edges. Each worker
 * counts in a row of its own (npi_edge_sum); a question adds the rows up. Any thread; locks for a
 * few instructions.
 */
#include "parallel/pipeline.h"

#include "base/status.h"

np_status np_pipeline_count(const np_pipeline *pipeline, np_pipeline_counts *out)
{
    np_status status = npi_pipeline_check(pipeline, "np_pipeline_count");
    if (status != NP_OK)
        return status;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_count: out is NULL");
    np_pipeline *inside = npi_pipeline_inside(pipeline);
    npi_station *home = inside->stages[0].stations;
    npi_lock_acquire(&home->lock);
    out->finished = inside->finished;
    out->dropped = inside->dropped;
    out->destroyed = inside->destroyed;
    npi_lock_release(&home->lock);
    /* Relaxed, and after those that have ended: never fewer than these, whose slots came back
     * through the lock. */
    out->entered = npi_load_relaxed(&inside->numbers);
    out->inside = (uint32_t)(out->entered - out->finished - out->dropped - out->destroyed);
    out->in_flight = pipeline->in_flight;
    return NP_OK;
}

size_t np_pipeline_edge_count(const np_pipeline *pipeline)
{
    return npi_pipeline_check(pipeline, "np_pipeline_edge_count") == NP_OK
               ? pipeline->stage_count - 1
               : 0;
}

static void add_row(np_edge_counts *out, npi_edge_sum *sum)
{
    /* Relaxed: figures, each right by itself. */
    out->local += npi_load_relaxed(&sum->local);
    out->remote += npi_load_relaxed(&sum->remote);
    out->local_bytes += npi_load_relaxed(&sum->local_bytes);
    out->remote_bytes += npi_load_relaxed(&sum->remote_bytes);
    out->waited_ns += npi_load_relaxed(&sum->waited_ns);
    out->busy_ns += npi_load_relaxed(&sum->busy_ns);
}

np_status np_pipeline_edge(const np_pipeline *pipeline, size_t edge, np_edge_counts *out)
{
    np_status status = npi_pipeline_check(pipeline, "np_pipeline_edge");
    if (status != NP_OK)
        return status;
    if (out == NULL || edge + 1 >= pipeline->stage_count)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        out == NULL ? "np_pipeline_edge: out is NULL"
                                    : "np_pipeline_edge: edge is %zu of %u",
                        edge, pipeline->stage_count - 1);
    const npi_stage *stage = &pipeline->stages[edge + 1];
    *out = (np_edge_counts){.stage = stage->name};
    for (size_t i = edge + 1; i < pipeline->sum_count; i += pipeline->stage_count)
        add_row(out, &pipeline->sums[i]);
    out->items = out->local + out->remote;
    out->bytes = out->local_bytes + out->remote_bytes;
    for (uint32_t i = 0; i < stage->station_count; i++) {
        npi_station *station = &stage->stations[i];
        npi_lock_acquire(&station->lock);
        out->waiting += npi_load_relaxed(&station->waiting);
        if (station->most > out->waiting_most)
            out->waiting_most = station->most;
        npi_lock_release(&station->lock);
    }
    return NP_OK;
}
