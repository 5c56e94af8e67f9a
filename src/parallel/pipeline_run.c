/*
 * parallel/pipeline_run.c - what workers do for a pipeline. A runner is a task of the executor that
 * serves one station: it takes a batch, calls the stage, and hands the items on. It goes on with
 * the last item, or with the next station, on the same worker where that is allowed and nobody else
 * is there: the item is still in this worker's cache. Such a turn ends after CALLS_MOST calls or
 * TURN_NS: the rest is submitted, behind what else waits for the worker.
 *
 * What is handed on is kept in hand while items are short (HOLD_NS) and put down at once, under one
 * lock; the same for slots that come back.
 *
 * A runner that cannot be submitted (a queue cannot grow) is stranded: its station is put into a
 * list, and the turn that failed serves it before it ends, unless its stage may not run on this
 * worker: that stops the pipeline.
 *
 * After each call of a caller's function the process may be a forked child: the turn ends there and
 * then, touching nothing, for locks may be held by threads that are gone.
 */
#include "parallel/pipeline.h"

#include "base/assert.h"
#include "base/status.h"
#include "executor/near.h"
#include "executor/submit.h"

#define CALLS_MOST 64u
#define TURN_NS    UINT64_C(200000)
#define HOLD_NS    UINT64_C(5000)

typedef struct turn {
    np_pipeline *pipeline;
    np_node_index here; /* the worker's node */
    bool confined;      /* the running task is, with all it forks */
    bool forked;        /* this is a forked child: hands off */
    uint32_t calls;
    uint64_t begun_ns, now_ns;
    npi_edge_sum *sums; /* this worker's row */
    npi_slot_list held; /* for held_for, all with one target */
    npi_station *held_for;
    uint64_t held_since_ns;
    npi_returns returns;
    npi_station *next; /* claimed: to be served next */
} turn;

/* --- runners ---------------------------------------------------------------------------------- */

static void run(void *argument);

np_status npi_station_submit(npi_station *station, np_node_index target)
{
    np_pipeline *pipeline = station->stage->pipeline;
    return npi_submit_beyond_with(pipeline->executor, target, station->stage->affinity,
                                  &pipeline->group, run, station);
}

/* May this turn run the stage itself? A task that is confined to its node must not lend that to
 * stages that are not, nor the other way round. */
static bool may_here(const turn *t, const npi_stage *stage, np_node_index target)
{
    return (target == NPI_ANYWHERE || target == t->here) && stage->confined == t->confined &&
           t->calls < CALLS_MOST && t->now_ns - t->begun_ns < TURN_NS;
}

/* True: in the list, or nobody needs this runner. */
static bool strand(turn *t, npi_station *station, np_node_index target)
{
    np_pipeline *pipeline = t->pipeline;
    bool here = target == NPI_ANYWHERE || target == t->here;
    if (station->stage->confined && !(here && t->confined))
        return false;
    npi_lock_acquire(&pipeline->lock);
    bool already = station->stranded;
    if (!already) {
        station->stranded = true;
        station->stranded_at = station->stage->confined ? t->here : NPI_ANYWHERE;
        station->stranded_next = pipeline->stranded;
        pipeline->stranded = station;
        npi_store_relaxed(&pipeline->stranded_count,
                          npi_load_relaxed(&pipeline->stranded_count) + 1);
    }
    npi_lock_release(&pipeline->lock);
    if (already) { /* the one in the list will serve it */
        npi_lock_acquire(&station->lock);
        station->runners--;
        npi_lock_release(&station->lock);
    }
    return true;
}

/* One that this turn may serve. Its own are there until somebody takes them. */
static npi_station *rescue(turn *t)
{
    np_pipeline *pipeline = t->pipeline;
    if (npi_load_relaxed(&pipeline->stranded_count) == 0) /* own ones are seen */
        return NULL;
    npi_station *station = NULL;
    npi_lock_acquire(&pipeline->lock);
    for (npi_station **link = &pipeline->stranded; *link != NULL; link = &(*link)->stranded_next) {
        if ((*link)->stranded_at == NPI_ANYWHERE ||
            ((*link)->stranded_at == t->here && t->confined)) {
            station = *link;
            *link = station->stranded_next;
            station->stranded = false;
            npi_store_relaxed(&pipeline->stranded_count,
                              npi_load_relaxed(&pipeline->stranded_count) - 1);
            break;
        }
    }
    npi_lock_release(&pipeline->lock);
    return station;
}

/* A runner that is counted gets its task. */
static void start(turn *t, npi_station *station, np_node_index target)
{
    np_status status = npi_station_submit(station, target);
    if (status == NP_OK || (status == NP_ERR_NO_MEMORY && strand(t, station, target)))
        return;
    npi_pipeline_stop(t->pipeline, status, NPI_STOP_HANDOVER, station->stage, 0);
    t->forked = npi_pipeline_forked(t->pipeline);
}

/* --- handing on ------------------------------------------------------------------------------- */

static void destroy_list(turn *t, npi_slot_list *list)
{
    for (npi_slot *slot; !t->forked && (slot = npi_slots_take(list)) != NULL;) {
        npi_item_destroy(t->pipeline, slot, &t->returns);
        t->forked = npi_pipeline_forked(t->pipeline);
    }
}

/* Puts down what is held. `claim`: there is nothing else in hand, the turn may go on there. */
static void flush_held(turn *t, bool claim)
{
    npi_station *station = t->held_for;
    if (t->held.count == 0)
        return;
    np_node_index target = t->held.first->target;
    uint32_t runners;
    for (npi_slot *slot = t->held.first; slot != NULL; slot = slot->next)
        slot->since_ns = t->now_ns;
    if (!npi_station_put(station, &t->held, &runners)) {
        destroy_list(t, &t->held);
        return;
    }
    t->held = (npi_slot_list){NULL, NULL, 0};
    if (runners != 0 && claim && t->next == NULL && may_here(t, station->stage, target)) {
        t->next = station;
        runners--;
    }
    for (; runners != 0 && !t->forked; runners--)
        start(t, station, target);
}

static void flush_returns(turn *t, bool claim)
{
    npi_station *home = t->pipeline->stages[0].stations;
    const npi_stage *source = home->stage;
    np_node_index target = source->nodes != NULL ? source->nodes[0] : NPI_ANYWHERE;
    if (!npi_slots_return(t->pipeline, &t->returns))
        return;
    if (claim && t->next == NULL && may_here(t, source, target))
        t->next = home;
    else
        start(t, home, target);
}

static void flush(turn *t, bool claim)
{
    if (t->held.count == 0 && t->returns.slots.count == 0)
        return;
    if (!t->forked)
        flush_held(t, claim);
    if (!t->forked)
        flush_returns(t, claim);
    t->now_ns = npi_os_now(); /* waking others is no work of the next stage */
}

static void hold(turn *t, npi_station *station, npi_slot *slot)
{
    if (t->held.count != 0 && (t->held_for != station || t->held.first->target != slot->target))
        flush_held(t, false);
    if (t->held.count == 0 && t->returns.slots.count == 0)
        t->held_since_ns = t->now_ns;
    t->held_for = station;
    npi_slots_add(&t->held, slot);
}

/* --- stages ----------------------------------------------------------------------------------- */

static void count_edge(turn *t, const npi_stage *stage, npi_slot *slot, uint64_t waited_ns)
{
    npi_edge_sum *sum = &t->sums[stage->index];
    uint64_t bytes = t->pipeline->item_bytes;
    if (stage->bytes != NULL)
        bytes = stage->bytes(stage->context, npi_slot_item(slot));
    bool local = slot->at == t->here;
    npi_owner_add(local ? &sum->local : &sum->remote, (uint64_t)1);
    npi_owner_add(local ? &sum->local_bytes : &sum->remote_bytes, bytes);
    npi_owner_add(&sum->waited_ns, waited_ns);
}

static void count_busy(turn *t, const npi_stage *stage)
{
    uint64_t now = npi_os_now();
    npi_owner_add(&t->sums[stage->index].busy_ns, now - t->now_ns);
    t->now_ns = now;
    t->calls++;
}

/* Calls the stage. False: the slot goes no further. */
static bool work(turn *t, const npi_stage *stage, npi_slot *slot, uint64_t waited_ns)
{
    np_pipeline *pipeline = t->pipeline;
    if (slot->dropped && !npi_pipeline_stopped(pipeline))
        return true; /* its number has passed */
    np_status status = NP_ERR_CANCELLED;
    if (!npi_pipeline_stopped(pipeline)) {
        count_edge(t, stage, slot, waited_ns);
        status = stage->fn(stage->context, npi_slot_item(slot));
        if (npi_pipeline_forked(pipeline)) {
            t->forked = true;
            return false;
        }
        count_busy(t, stage);
        slot->at = t->here;
        slot->dropped = status == NP_PIPELINE_DROP;
        if (status == NP_OK || slot->dropped)
            return true;
        npi_pipeline_stop(pipeline, status, NPI_STOP_STAGE, stage, slot->number);
    }
    npi_item_destroy(pipeline, slot, &t->returns);
    t->forked = npi_pipeline_forked(pipeline);
    return false;
}

/* Asks the source. False: the slot stays empty. */
static bool fill(turn *t, npi_slot *slot)
{
    np_pipeline *pipeline = t->pipeline;
    const npi_stage *stage = &pipeline->stages[0];
    /* Relaxed: closed by this very stage, or a hint. */
    if (npi_load_relaxed(&pipeline->closed) == 0) {
        np_status status = pipeline->source(pipeline->source_context, npi_slot_item(slot));
        if (npi_pipeline_forked(pipeline)) {
            t->forked = true;
            return false;
        }
        count_busy(t, stage);
        if (status == NP_OK) {
            /* Relaxed: the one source at work alone writes it. */
            slot->number = npi_fetch_add_relaxed(&pipeline->numbers, (uint64_t)1);
            slot->at = t->here;
            slot->dropped = false;
            return true;
        }
        if (status == NP_ERR_CLOSED)
            npi_pipeline_close(pipeline);
        else if (status != NP_PIPELINE_DROP)
            npi_pipeline_stop(pipeline, status, NPI_STOP_STAGE, stage,
                              npi_load_relaxed(&pipeline->numbers));
    }
    npi_slots_add(&t->returns.slots, slot);
    t->forked = npi_pipeline_forked(pipeline);
    return false;
}

/* --- where to --------------------------------------------------------------------------------- */

/* The node to run at, and where the data is. False: there is no such node. */
static bool route_by_data(npi_stage *stage, npi_slot *slot, np_node_index *target)
{
    np_executor *executor = stage->pipeline->executor;
    np_node_id id = stage->where(stage->context, npi_slot_item(slot));
    if (id == NP_NODE_ID_NONE)
        return true;
    np_node_index index = npi_topology_node_index(executor->topology, id);
    if (index == NP_NODE_INDEX_NONE)
        return false;
    slot->at = index;
    *target = npi_nearest_with_workers(executor->nodes[index])->index;
    return true;
}

static np_node_index choose(npi_stage *stage, np_node_index here)
{
    size_t count = stage->node_count;
    if (count == 1)
        return stage->nodes[0];
    bool alone = stage->kind != NP_STAGE_PARALLEL;
    uint32_t turn_of = npi_fetch_add_relaxed(&stage->rotation, 1u);
    np_node_index best = stage->nodes[turn_of % count];
    for (size_t i = 0; i < count; i++) {
        np_node_index node = stage->nodes[(turn_of + i) % count];
        /* Relaxed: hints. */
        if (alone ? node == here
                  : npi_load_relaxed(&stage->stations[node].waiting) <
                        npi_load_relaxed(&stage->stations[best].waiting))
            best = node;
    }
    return best;
}

bool npi_stage_route(npi_stage *stage, npi_slot *slot, np_node_index here, npi_station **station)
{
    np_node_index target = NPI_ANYWHERE;
    if (stage->where != NULL && !slot->dropped) {
        bool known = route_by_data(stage, slot, &target);
        if (npi_pipeline_forked(stage->pipeline))
            return false;
        if (!known) {
            npi_pipeline_stop(stage->pipeline, NP_ERR_INVALID_NODE, NPI_STOP_WHERE, stage,
                              slot->number);
            return false;
        }
    } else if (stage->node_count != 0) {
        target = choose(stage, here);
    }
    if (stage->kind == NP_STAGE_PARALLEL) {
        target = target != NPI_ANYWHERE ? target : here;
        *station = &stage->stations[target];
    } else {
        *station = stage->stations;
    }
    slot->target = target;
    return true;
}

/* On from stage `index`. `follow`: the turn may go on with the item; `beside`: even if others wait
 * for the same stage, for it comes from a parallel one. */
static void pass(turn *t, npi_slot *slot, uint32_t index, bool follow, bool beside)
{
    np_pipeline *pipeline = t->pipeline;
    for (; index < pipeline->stage_count; index++) {
        npi_stage *stage = &pipeline->stages[index];
        if (slot->dropped && stage->kind != NP_STAGE_ORDERED)
            continue;
        npi_station *station;
        if (!npi_stage_route(stage, slot, t->here, &station)) {
            t->forked = npi_pipeline_forked(pipeline);
            if (!t->forked) {
                npi_item_destroy(pipeline, slot, &t->returns);
                t->forked = npi_pipeline_forked(pipeline);
            }
            return;
        }
        if (stage->kind != NP_STAGE_PARALLEL || !follow || !may_here(t, stage, slot->target) ||
            (!beside && npi_load_relaxed(&station->waiting) != 0)) {
            hold(t, station, slot);
            return;
        }
        if (!work(t, stage, slot, 0))
            return;
        beside = true;
    }
    if (slot->dropped)
        t->returns.dropped++;
    else
        t->returns.finished++;
    if (t->held.count == 0 && t->returns.slots.count == 0)
        t->held_since_ns = t->now_ns;
    npi_slots_add(&t->returns.slots, slot);
}

/* --- a turn ----------------------------------------------------------------------------------- */

static void leave(turn *t, npi_station *station)
{
    np_node_index target = NPI_ANYWHERE;
    if (npi_station_leave(station, &target))
        start(t, station, target);
}

/* A runner that is counted is at the station. */
static void serve(turn *t, npi_station *station)
{
    npi_stage *stage = station->stage;
    bool alone = stage->kind != NP_STAGE_PARALLEL;
    npi_slot_list batch;
    if (!npi_station_take(station, &batch))
        return;
    npi_watch_rename(npi_worker_self(),
                     stage->index == 0 ? (uintptr_t)t->pipeline->source : (uintptr_t)stage->fn);
    for (npi_slot *slot; (slot = npi_slots_take(&batch)) != NULL;) {
        bool last = batch.count == 0;
        uint64_t before = t->now_ns;
        uint64_t waited = before > slot->since_ns ? before - slot->since_ns : 0;
        bool goes_on = stage->index == 0 ? fill(t, slot) : work(t, stage, slot, waited);
        if (!t->forked && alone && last)
            leave(t, station); /* before it goes on with the item: others may work here */
        if (!t->forked && goes_on && last && alone)
            flush(t, false); /* nothing is kept back while it follows the item */
        if (!t->forked && goes_on)
            pass(t, slot, stage->index + 1, last || !alone, !alone);
        if (!t->forked && !last &&
            (t->now_ns - before > HOLD_NS || t->now_ns - t->held_since_ns > HOLD_NS))
            flush(t, false);
        if (t->forked)
            return;
    }
    if (!alone)
        leave(t, station);
    flush(t, true);
}

static void run(void *argument)
{
    npi_station *station = argument;
    np_pipeline *pipeline = station->stage->pipeline;
    npi_worker *worker = npi_worker_self();
    NPI_INVARIANT(worker != NULL && worker->executor == pipeline->executor);
    turn t = {.pipeline = pipeline, .here = worker->node->index};
    t.confined = station->stage->confined;
    t.sums = pipeline->sums + (size_t)worker->index * pipeline->stage_count;
    t.begun_ns = t.now_ns = npi_os_now();
    while (station != NULL && !t.forked) {
        t.next = NULL;
        serve(&t, station);
        station = t.next;
        if (station == NULL && !t.forked)
            station = rescue(&t);
    }
}
