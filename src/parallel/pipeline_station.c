/*
 * parallel/pipeline_station.c - what of a pipeline happens under locks: slots are put down at a
 * station and taken up, come back to the source, retire; the stop. Any thread; nothing here waits,
 * and no caller's function is called under a lock. What must hold is in pipeline.h.
 */
#include "parallel/pipeline.h"

#include "base/assert.h"
#include "executor/submit.h"

/* --- one station ------------------------------------------------------------------------------ */

static bool is_alone(const npi_station *station)
{
    return station->stage->kind != NP_STAGE_PARALLEL;
}

static npi_slot **ring_place(const npi_station *station, uint64_t number)
{
    return &station->ring[number % station->stage->pipeline->in_flight];
}

/* The slot that can be begun now, or NULL. */
static npi_slot *head_locked(const npi_station *station)
{
    return station->ring != NULL ? *ring_place(station, station->expected) : station->list.first;
}

static npi_slot *take_head_locked(npi_station *station)
{
    npi_slot *slot = head_locked(station);
    if (station->ring == NULL)
        return npi_slots_take(&station->list);
    *ring_place(station, station->expected++) = NULL;
    return slot;
}

static void set_waiting_locked(npi_station *station, uint32_t waiting)
{
    npi_store_relaxed(&station->waiting, waiting);
    if (waiting > station->most)
        station->most = waiting;
}

void npi_station_put_locked(npi_station *station, npi_slot_list *list)
{
    uint32_t waiting = npi_load_relaxed(&station->waiting) + list->count;
    for (npi_slot *slot; (slot = npi_slots_take(list)) != NULL;) {
        if (station->ring == NULL) {
            npi_slots_add(&station->list, slot);
            continue;
        }
        NPI_INVARIANT(slot->number - station->expected < station->stage->pipeline->in_flight);
        NPI_INVARIANT(*ring_place(station, slot->number) == NULL);
        *ring_place(station, slot->number) = slot;
    }
    set_waiting_locked(station, waiting);
}

/* How many runners more than there are could begin something: those at work may be in long calls.
 */
static uint32_t wanted_locked(const npi_station *station)
{
    uint32_t waiting = npi_load_relaxed(&((npi_station *)(uintptr_t)station)->waiting);
    uint32_t coming = station->runners - station->working;
    if (head_locked(station) == NULL || waiting <= coming || station->runners >= station->limit)
        return 0;
    uint32_t room = station->limit - station->runners;
    return waiting - coming < room ? waiting - coming : room;
}

bool npi_station_put(npi_station *station, npi_slot_list *list, uint32_t *runners)
{
    *runners = 0;
    npi_lock_acquire(&station->lock);
    bool stopped = npi_pipeline_stopped(station->stage->pipeline);
    if (!stopped) {
        npi_station_put_locked(station, list);
        *runners = wanted_locked(station);
        station->runners += *runners;
    }
    npi_lock_release(&station->lock);
    return !stopped;
}

/* A serial stage's runner is the only one: it takes what the batch allows. At a parallel stage it
 * leaves to others what they could do. */
static uint32_t share_locked(const npi_station *station)
{
    uint32_t batch = station->stage->batch;
    if (is_alone(station))
        return batch;
    uint32_t share = npi_load_relaxed(&station->waiting) / station->limit;
    return share < 1 ? 1 : share < batch ? share : batch;
}

bool npi_station_take(npi_station *station, npi_slot_list *batch)
{
    *batch = (npi_slot_list){NULL, NULL, 0};
    npi_lock_acquire(&station->lock);
    npi_slot *slot = head_locked(station);
    NPI_INVARIANT(station->runners > station->working && station->runners <= station->limit);
    if (slot == NULL) {
        station->runners--;
        npi_lock_release(&station->lock);
        return false;
    }
    station->working++;
    np_node_index target = slot->target;
    uint32_t most = share_locked(station);
    while (slot != NULL && slot->target == target && batch->count < most) {
        npi_slots_add(batch, take_head_locked(station));
        slot = head_locked(station);
    }
    set_waiting_locked(station, npi_load_relaxed(&station->waiting) - batch->count);
    npi_lock_release(&station->lock);
    return true;
}

bool npi_station_leave(npi_station *station, np_node_index *target)
{
    npi_lock_acquire(&station->lock);
    station->working--;
    npi_slot *slot = head_locked(station);
    /* Others may be in long calls: as many as there is something for. */
    uint32_t others = station->runners - 1 - station->working;
    bool more = slot != NULL && npi_load_relaxed(&station->waiting) > others;
    if (more)
        *target = slot->target;
    else
        station->runners--;
    npi_lock_release(&station->lock);
    return more;
}

/* --- back to the source, and the end ---------------------------------------------------------- */

/* Continuations, handed out of the lock. Submitted, or, with no memory for that, called. */
static void call_ready(np_pipeline *pipeline, npi_place_wish *list)
{
    if (list == NULL)
        return;
    npi_place_wish *last = list;
    for (npi_place_wish *ready = list; ready != NULL; ready = ready->next) {
        if (npi_submit_beyond(pipeline->executor, NP_NODE_ID_NONE, ready->fn, ready->argument) !=
            NP_OK)
            ready->fn(ready->argument);
        if (npi_pipeline_forked(pipeline))
            return;
        last = ready;
    }
    npi_station *home = pipeline->stages[0].stations;
    npi_lock_acquire(&home->lock);
    last->next = pipeline->ready_unused;
    pipeline->ready_unused = list;
    npi_lock_release(&home->lock);
}

static npi_place_wish *take_ready_locked(np_pipeline *pipeline)
{
    npi_place_wish *list = pipeline->ready_first;
    pipeline->ready_first = pipeline->ready_last = NULL;
    return list;
}

/* True: these were the last. */
static bool retire_locked(np_pipeline *pipeline, uint32_t slots)
{
    pipeline->retired += slots;
    NPI_INVARIANT(pipeline->retired <= pipeline->in_flight);
    return slots != 0 && pipeline->retired == pipeline->in_flight;
}

bool npi_slots_return(np_pipeline *pipeline, npi_returns *returns)
{
    npi_station *home = pipeline->stages[0].stations;
    uint32_t count = returns->slots.count;
    if (count == 0)
        return false;
    uint32_t runners = 0;
    bool over = false;
    npi_place_wish *ready = NULL;
    for (npi_slot *slot = returns->slots.first; slot != NULL; slot = slot->next)
        slot->target = home->stage->nodes != NULL ? home->stage->nodes[0] : NPI_ANYWHERE;
    npi_lock_acquire(&home->lock);
    pipeline->finished += returns->finished;
    pipeline->dropped += returns->dropped;
    pipeline->destroyed += returns->destroyed;
    if (npi_load_relaxed(&pipeline->closed) != 0) {
        over = retire_locked(pipeline, count);
    } else {
        npi_station_put_locked(home, &returns->slots);
        if (pipeline->source != NULL) {
            runners = wanted_locked(home);
            home->runners += runners;
        } else {
            ready = take_ready_locked(pipeline);
        }
    }
    npi_lock_release(&home->lock);
    *returns = (npi_returns){{NULL, NULL, 0}, 0, 0, 0};
    call_ready(pipeline, ready);
    if (over)
        npi_group_end(&pipeline->group); /* the one for itself */
    return runners != 0;
}

void npi_pipeline_close(np_pipeline *pipeline)
{
    npi_station *home = pipeline->stages[0].stations;
    npi_lock_acquire(&home->lock);
    bool over = false;
    if (npi_load_relaxed(&pipeline->closed) == 0) {
        /* Relaxed: under the lock; who reads it without takes it for a hint. */
        npi_store_relaxed(&pipeline->closed, 1u);
        over = retire_locked(pipeline, home->list.count);
        home->list = (npi_slot_list){NULL, NULL, 0};
        npi_store_relaxed(&home->waiting, 0u);
    }
    npi_place_wish *ready = take_ready_locked(pipeline);
    npi_lock_release(&home->lock);
    call_ready(pipeline, ready);
    if (over)
        npi_group_end(&pipeline->group);
}

/* --- the stop --------------------------------------------------------------------------------- */

void npi_item_destroy(np_pipeline *pipeline, npi_slot *slot, npi_returns *returns)
{
    if (slot->dropped) {
        returns->dropped++;
    } else {
        returns->destroyed++;
        if (pipeline->destroy_item != NULL)
            pipeline->destroy_item(pipeline->destroy_context, npi_slot_item(slot));
    }
    npi_slots_add(&returns->slots, slot);
}

/* All that waits at a station, in its order. */
static void drain(npi_station *station, npi_slot_list *all)
{
    *all = (npi_slot_list){NULL, NULL, 0};
    npi_lock_acquire(&station->lock);
    for (uint32_t left = npi_load_relaxed(&station->waiting); left > 0;) {
        npi_slot *slot = take_head_locked(station);
        if (slot == NULL) /* a gap in the ring: nobody needs the numbers any more */
            continue;
        npi_slots_add(all, slot);
        left--;
    }
    npi_store_relaxed(&station->waiting, 0u);
    npi_lock_release(&station->lock);
}

static bool stop_first(np_pipeline *pipeline, np_status status, npi_stop_cause cause,
                       const npi_stage *stage, uint64_t number)
{
    npi_lock_acquire(&pipeline->lock);
    bool first = pipeline->status == NP_OK;
    if (first) {
        pipeline->status = status;
        pipeline->cause = cause;
        pipeline->failed_stage = stage;
        pipeline->failed_number = number;
        /* Relaxed: the stations' locks, which drain() takes next, order it for who must see it. */
        npi_store_relaxed(&pipeline->stopped, 1u);
    }
    npi_lock_release(&pipeline->lock);
    return first;
}

void npi_pipeline_stop(np_pipeline *pipeline, np_status status, npi_stop_cause cause,
                       const npi_stage *stage, uint64_t number)
{
    if (!stop_first(pipeline, status, cause, stage, number))
        return;
    npi_returns returns = {{NULL, NULL, 0}, 0, 0, 0};
    for (uint32_t i = 1; i < pipeline->stage_count; i++) {
        for (uint32_t s = 0; s < pipeline->stages[i].station_count; s++) {
            npi_slot_list all;
            drain(&pipeline->stages[i].stations[s], &all);
            for (npi_slot *slot; (slot = npi_slots_take(&all)) != NULL;) {
                npi_item_destroy(pipeline, slot, &returns);
                if (npi_pipeline_forked(pipeline))
                    return;
            }
        }
    }
    /* Closed first: what comes back retires. */
    npi_pipeline_close(pipeline);
    (void)npi_slots_return(pipeline, &returns);
}
