/*
 * parallel/pipeline.h - a pipeline from inside: slots that items lie in, stages, and the stations
 * at which slots wait for a stage. pipeline.c makes it and ends it, pipeline_station.c is what
 * happens under locks, pipeline_run.c what workers do, pipeline_push.c the way in from outside,
 * pipeline_counts.c the figures.
 *
 * The source is stage 0, and what waits at its station are empty slots: a slot that comes back is
 * handed to the source like an item to a stage. So back-pressure needs no protocol of its own, and
 * the race "the last slot comes back while the source goes to sleep" is the one of every station:
 *
 *   whoever puts a slot             the one who works at the station
 *   ---------------------           ---------------------------------
 *   (lock) links the slot;          (lock) nothing waits: lowers `runners`
 *   runners below limit:
 *   raises it (unlock), submits
 *
 * Under one lock, so one sees the other. Without a source the empty slots wait for a push.
 *
 * Invariant, whenever a station's lock is free and the pipeline is not stopped: if something that
 * can be begun waits there, a runner is on its way or at work: counted in `runners`, and either a
 * task of the executor, or claimed by the turn that holds it in hand, or stranded (below).
 *
 * A stage never waits. A runner takes what is there, works, hands on, and ends; whoever finds that
 * another one works at a serial stage leaves its slot and goes. Locks are held for a few
 * instructions, a push's also while it submits, and never while a caller's function runs. A
 * station's lock and the pipeline's are never held together.
 *
 * Ordered stages: each item has a number, without gaps, and a ring as long as there are slots holds
 * the early ones. An item that is dropped goes on as a mark, past all stages but ordered ones, so
 * that its number passes there, and with it its slot: the numbers between the one that an ordered
 * stage waits for and any that arrives all occupy slots, so they fit into the ring.
 *
 * The end: `closed` (no more slots for the source, none for pushes) makes slots that come back
 * retire; when all have, the pipeline lowers its group by the one that stood for itself. Nobody
 * touches a pipeline after the last thing it has in the group: a runner's own task, or a count that
 * a call from outside has taken (npi_pipeline_hold).
 */
#ifndef NPI_PARALLEL_PIPELINE_H
#define NPI_PARALLEL_PIPELINE_H

#include <numaperf/pipeline.h>
#include <numaperf/region.h>

#include "executor/group_internal.h"

/* An item's place; the item follows at NPI_SLOT_ITEM. Whoever has taken it, or holds the lock of
 * the station it waits at, owns all of it. */
typedef struct npi_slot {
    struct npi_slot *next;
    uint64_t number;      /* order of the source */
    uint64_t since_ns;    /* when it began to wait */
    np_node_index at;     /* where the item is */
    np_node_index target; /* where its stage is to run; NPI_ANYWHERE */
    bool dropped;         /* only a number */
} npi_slot;

#define NPI_SLOT_ITEM 64u
#define NPI_ANYWHERE  NP_NODE_INDEX_NONE

static inline void *npi_slot_item(npi_slot *slot)
{
    return (char *)slot + NPI_SLOT_ITEM;
}

typedef struct npi_slot_list {
    npi_slot *first, *last;
    uint32_t count;
} npi_slot_list;

static inline void npi_slots_add(npi_slot_list *list, npi_slot *slot)
{
    slot->next = NULL;
    if (list->first == NULL)
        list->first = slot;
    else
        list->last->next = slot;
    list->last = slot;
    list->count++;
}

static inline npi_slot *npi_slots_take(npi_slot_list *list)
{
    npi_slot *slot = list->first;
    if (slot == NULL)
        return NULL;
    list->first = slot->next;
    list->count--;
    return slot;
}

/* Slots on their way back, and how their items ended; the rest held none. */
typedef struct npi_returns {
    npi_slot_list slots;
    uint32_t finished, dropped, destroyed;
} npi_returns;

/* A stage has one station, or, parallel, one for each node of the topology. */
typedef struct npi_station {
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_lock lock;
    uint32_t runners;   /* by lock: on their way or at work */
    uint32_t working;   /* by lock: of these, those at work; at a serial stage at most one */
    npi_slot_list list; /* by lock: what waits, but for ordered stages */
    npi_slot **ring;    /* by lock: what waits for an ordered stage, by number; else NULL */
    uint64_t expected;  /* by lock: the number that an ordered stage does next */
    uint32_t most;      /* by lock: that ever waited */
    np_atomic(uint32_t) waiting; /* written under the lock; read anywhere, as a hint */

    /* Constant. */
    struct npi_stage *stage;
    uint32_t limit; /* of runners */

    /* By the pipeline's lock: a runner that no queue had room for. */
    struct npi_station *stranded_next;
    bool stranded;
    np_node_index stranded_at; /* the only node whose workers may serve it; NPI_ANYWHERE */
} npi_station;

typedef struct npi_stage {
    np_pipeline *pipeline;
    uint32_t index; /* 0: the source */
    np_stage_kind kind;
    np_task_affinity affinity;
    bool confined; /* its tasks run at their home only */
    np_stage_fn fn;
    void *context;
    np_stage_where_fn where;
    np_stage_bytes_fn bytes;
    uint32_t batch;
    char *name;
    np_node_index *nodes; /* to choose from; NULL: anywhere */
    size_t node_count;
    npi_station *stations;
    uint32_t station_count;
    np_atomic(uint32_t) rotation; /* which of the nodes is next; relaxed, a hint */
} npi_stage;

/* Of one stage by one worker, which alone writes it; read by anybody. Relaxed: figures. */
typedef struct npi_edge_sum {
    np_atomic(uint64_t) local, remote;
    np_atomic(uint64_t) local_bytes, remote_bytes;
    np_atomic(uint64_t) waited_ns, busy_ns;
    uint64_t unused[2];
} npi_edge_sum;

/* Why a pipeline was stopped. */
typedef enum npi_stop_cause {
    NPI_STOP_NONE = 0,
    NPI_STOP_STAGE,   /* a stage, or the source, returned it */
    NPI_STOP_WHERE,   /* a stage's `where` named no node */
    NPI_STOP_CANCEL,  /* somebody asked for it */
    NPI_STOP_TASK,    /* a task of it was handed back */
    NPI_STOP_HANDOVER /* an item could not be handed to a stage */
} npi_stop_cause;

/* A continuation that waits for a place. */
typedef struct npi_place_wish {
    struct npi_place_wish *next;
    np_task_fn fn;
    void *argument;
} npi_place_wish;

struct np_pipeline {
    /* All its tasks, and one for itself until it has ended. Calls `lost` (group.c). */
    np_group group;

    /* Constant. */
    np_executor *executor;
    size_t item_bytes;
    size_t slot_bytes;
    uint32_t in_flight;
    uint32_t stage_count; /* with the source */
    npi_stage *stages;
    np_source_fn source;
    void *source_context;
    np_item_destroy_fn destroy_item;
    void *destroy_context;
    np_region *region; /* of the slots; or NULL */
    char *slots;
    npi_edge_sum *sums; /* one row of stage_count for each seat of the executor */
    size_t sum_count;
    bool started; /* by lock: the source may run */

    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) numbers; /* given to items */

    NPI_ALIGNED(NPI_FALSE_SHARING) npi_lock lock;
    np_atomic(uint32_t) stopped; /* written once, under the lock, with what follows */
    np_status status;            /* the first failure */
    npi_stop_cause cause;
    const npi_stage *failed_stage; /* or NULL */
    uint64_t failed_number;
    npi_station *stranded;
    np_atomic(uint32_t) stranded_count; /* written under the lock; a hint elsewhere */

    /* By the lock of the source's station. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint32_t) closed;
    uint32_t retired;
    uint64_t finished, dropped, destroyed;
    npi_place_wish *ready_first, *ready_last;
    npi_place_wish *ready_unused; /* to be used again */
};

/* For questions, which lock and change nothing. */
static inline np_pipeline *npi_pipeline_inside(const np_pipeline *pipeline)
{
    return (np_pipeline *)(uintptr_t)pipeline;
}

static inline bool npi_pipeline_stopped(const np_pipeline *pipeline)
{
    /* Relaxed: who must not miss it looks under a station's lock, which the stop passes through
     * after it has set it. */
    return npi_load_relaxed(&npi_pipeline_inside(pipeline)->stopped) != 0;
}

static inline bool npi_pipeline_forked(const np_pipeline *pipeline)
{
    return pipeline->group.process != npi_os_process_generation();
}

/* NULL, or from before a fork. Sets the detail. */
np_status npi_pipeline_check(const np_pipeline *pipeline, const char *call);

/* --- pipeline_station.c
 * ------------------------------------------------------------------------------- */

/* Puts the list there. False: the pipeline is stopped, and the slots are still the caller's. Else
 * *runners have to be started, which are counted already. */
bool npi_station_put(npi_station *station, npi_slot_list *list, uint32_t *runners);
/* Under the lock, when it is known that a runner will see it. */
void npi_station_put_locked(npi_station *station, npi_slot_list *list);
/* A runner has come: takes what it shall do. False: nothing, and the runner is not counted any
 * more. */
bool npi_station_take(npi_station *station, npi_slot_list *batch);
/* A runner is through with it. True: more waits, and a runner has to be sent to *target. */
bool npi_station_leave(npi_station *station, np_node_index *target);

/* Slots come back. True: a runner for the source has to be started, which is counted already. May
 * end the pipeline. */
bool npi_slots_return(np_pipeline *pipeline, npi_returns *returns);
/* No item will come in any more. May end the pipeline. */
void npi_pipeline_close(np_pipeline *pipeline);

/* Around what is done from outside its tasks, by a caller who knows that it has not ended or who
 * may use the handle: until the end it stays. True: npi_group_end has to follow. */
static inline bool npi_pipeline_hold(np_pipeline *pipeline)
{
    return npi_group_begin(&pipeline->group, 1);
}

/* Stops it, unless it is stopped; destroys what waits at the stations. */
void npi_pipeline_stop(np_pipeline *pipeline, np_status status, npi_stop_cause cause,
                       const npi_stage *stage, uint64_t number);
/* Gives the item's content back; the slot is the caller's. */
void npi_item_destroy(np_pipeline *pipeline, npi_slot *slot, npi_returns *returns);

/* --- pipeline_run.c -------------------------------------------------------------------------- */

/* Sends a runner, which is counted already. */
np_status npi_station_submit(npi_station *station, np_node_index target);

/* Where the stage is to run for the slot, which is at `slot->at` or, if its `where` says so, is
 * from now on; *station is where it waits for that. False: the pipeline has been stopped, or this
 * process is a forked child. `here` is where the caller is. */
bool npi_stage_route(npi_stage *stage, npi_slot *slot, np_node_index here, npi_station **station);

#endif
