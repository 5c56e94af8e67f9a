/*
 * parallel/pipeline_push.c - the way into a pipeline without a source. Any thread; nothing here
 * waits.
 *
 * From outside a submit can fail, and an item that is numbered must go through, or an ordered stage
 * would wait for it for ever. So a runner is submitted first, and the item is numbered and put down
 * only if there is one, all under the station's lock: a runner that comes at once waits for that
 * lock and then finds the item. (Submitting without the lock and putting down afterwards would be a
 * livelock: a worker that is woken, and preempts the push, finds nothing and goes, each time.) The
 * submit goes beyond a bounded inbox, calls nobody's code and never waits.
 */
#include "parallel/pipeline.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "executor/near.h"
#include "executor/submit.h"

static np_status check_push(const np_pipeline *pipeline, const char *call)
{
    np_status status = npi_pipeline_check(pipeline, call);
    if (status == NP_OK && pipeline->source != NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the pipeline has a source", call);
    return status;
}

static np_status closed(void)
{
    return npi_fail(NP_ERR_CLOSED, "the pipeline takes no more items");
}

/* An empty slot. */
static np_status take_slot(np_pipeline *pipeline, npi_slot **out)
{
    npi_station *home = pipeline->stages[0].stations;
    npi_lock_acquire(&home->lock);
    bool shut = npi_load_relaxed(&pipeline->closed) != 0;
    *out = shut ? NULL : npi_slots_take(&home->list);
    if (*out != NULL)
        npi_store_relaxed(&home->waiting, home->list.count);
    npi_lock_release(&home->lock);
    if (*out != NULL)
        return NP_OK;
    return shut ? closed()
                : npi_fail(NP_ERR_WOULD_BLOCK, "np_pipeline_push: %u items are inside",
                           pipeline->in_flight);
}

static void put_locked(npi_station *station, npi_slot *slot)
{
    npi_slot_list one = {NULL, NULL, 0};
    /* Relaxed: a number; the lock orders who puts down. */
    slot->number = npi_fetch_add_relaxed(&station->stage->pipeline->numbers, (uint64_t)1);
    npi_slots_add(&one, slot);
    npi_station_put_locked(station, &one);
}

/* NP_OK: the slot is there, and its item may be through already. */
static np_status put_down(npi_station *station, npi_slot *slot)
{
    np_status status = NP_OK;
    npi_lock_acquire(&station->lock);
    bool stopped = npi_pipeline_stopped(station->stage->pipeline);
    uint32_t coming = station->runners - station->working;
    if (!stopped && station->runners < station->limit &&
        coming <= npi_load_relaxed(&station->waiting)) {
        status = npi_station_submit(station, slot->target);
        station->runners += status == NP_OK ? 1 : 0;
    }
    bool inside = !stopped && station->runners != 0;
    if (inside)
        put_locked(station, slot);
    npi_lock_release(&station->lock);
    return inside ? NP_OK : stopped ? closed() : status;
}

np_status np_pipeline_push(np_pipeline *pipeline, const void *item)
{
    npi_slot *slot = NULL;
    np_status status = check_push(pipeline, "np_pipeline_push");
    if (status != NP_OK)
        return status;
    if (item == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_push: the item is NULL");
    status = take_slot(pipeline, &slot);
    if (status != NP_OK)
        return status;
    /* As long as the slot is out the pipeline does not end. */
    npi_station *station = NULL;
    np_node_index here =
        npi_near_caller(pipeline->executor, npi_worker_of(pipeline->executor))->index;
    memcpy(npi_slot_item(slot), item, pipeline->item_bytes);
    slot->at = here;
    slot->dropped = false;
    slot->since_ns = npi_os_now();
    slot->number = npi_load_relaxed(&pipeline->numbers); /* relaxed: for an error's text */
    if (npi_stage_route(&pipeline->stages[1], slot, here, &station))
        status = put_down(station, slot);
    else
        status = npi_pipeline_forked(pipeline) ? npi_pipeline_check(pipeline, "np_pipeline_push")
                                               : np_pipeline_outcome(pipeline);
    if (status == NP_OK || npi_pipeline_forked(pipeline))
        return status;
    npi_returns back = {{NULL, NULL, 0}, 0, 0, 0};
    npi_slots_add(&back.slots, slot);
    bool held = npi_pipeline_hold(pipeline);
    (void)npi_slots_return(pipeline, &back);
    if (held)
        npi_group_end(&pipeline->group);
    return status;
}

np_status np_pipeline_finish(np_pipeline *pipeline)
{
    np_status status = check_push(pipeline, "np_pipeline_finish");
    if (status != NP_OK || np_group_pending(&pipeline->group) == 0)
        return status;
    bool held = npi_pipeline_hold(pipeline);
    npi_pipeline_close(pipeline);
    if (held)
        npi_group_end(&pipeline->group);
    return NP_OK;
}

/* Takes a record, or knows that none is needed: a push would be answered now. */
static bool must_wait_locked(const np_pipeline *pipeline)
{
    const npi_station *home = pipeline->stages[0].stations;
    return home->list.first == NULL &&
           npi_load_relaxed(&npi_pipeline_inside(pipeline)->closed) == 0;
}

static void enlist_locked(np_pipeline *pipeline, npi_place_wish *ready, np_task_fn fn,
                          void *argument)
{
    *ready = (npi_place_wish){NULL, fn, argument};
    if (pipeline->ready_first == NULL)
        pipeline->ready_first = ready;
    else
        pipeline->ready_last->next = ready;
    pipeline->ready_last = ready;
}

np_status np_pipeline_when_ready(np_pipeline *pipeline, np_task_fn fn, void *argument)
{
    np_status status = check_push(pipeline, "np_pipeline_when_ready");
    if (status != NP_OK)
        return status;
    if (fn == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_when_ready: fn is NULL");
    npi_station *home = pipeline->stages[0].stations;
    npi_place_wish *made = NULL;
    for (;;) {
        npi_lock_acquire(&home->lock);
        bool wait = must_wait_locked(pipeline);
        npi_place_wish *ready = made;
        if (ready == NULL && (ready = pipeline->ready_unused) != NULL)
            pipeline->ready_unused = ready->next;
        if (ready != NULL && wait) {
            enlist_locked(pipeline, ready, fn, argument);
        } else if (ready != NULL) {
            ready->next = pipeline->ready_unused;
            pipeline->ready_unused = ready;
        }
        npi_lock_release(&home->lock);
        if (!wait)
            return npi_submit_beyond(pipeline->executor, NP_NODE_ID_NONE, fn, argument);
        if (ready != NULL)
            return NP_OK;
        made = npi_alloc(sizeof *made, 0);
        if (made == NULL)
            return npi_fail_memory(sizeof *made, "a continuation of a pipeline");
    }
}
