/*
 * parallel/pipeline.c - making pipelines, beginning, waiting, ending, and what they answer. Any
 * thread. How items move: pipeline.h.
 */
#include "parallel/pipeline.h"

#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "base/text.h"

#define STAGES_MOST     64u
#define IN_FLIGHT_MOST  65536u
#define ITEM_BYTES_MOST 65536u
#define BATCH_DEFAULT   16u

const char *np_stage_kind_name(np_stage_kind kind)
{
    switch (kind) {
    case NP_STAGE_PARALLEL: return "parallel";
    case NP_STAGE_SERIAL: return "serial";
    case NP_STAGE_ORDERED: return "ordered";
    }
    return "unknown";
}

np_status npi_pipeline_check(const np_pipeline *pipeline, const char *call)
{
    if (pipeline == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the pipeline is NULL", call);
    if (npi_pipeline_forked(pipeline))
        return npi_fail(NP_ERR_FORKED,
                        "%s: the pipeline was created before this process was forked", call);
    return NP_OK;
}

/* --- making ----------------------------------------------------------------------------------- */

static void free_stage(npi_stage *stage, uint32_t in_flight)
{
    for (uint32_t i = 0; stage->stations != NULL && i < stage->station_count; i++)
        npi_free_array(stage->stations[i].ring, in_flight, sizeof(npi_slot *));
    npi_free_array(stage->stations, stage->station_count, sizeof *stage->stations);
    npi_free_array(stage->nodes, stage->node_count, sizeof *stage->nodes);
    npi_strfree(stage->name);
}

static void free_ready(npi_place_wish *ready)
{
    while (ready != NULL) {
        npi_place_wish *next = ready->next;
        npi_free(ready, sizeof *ready);
        ready = next;
    }
}

/* The executor may be gone, in a forked child. */
static void free_pipeline(np_pipeline *pipeline)
{
    for (uint32_t i = 0; pipeline->stages != NULL && i < pipeline->stage_count; i++)
        free_stage(&pipeline->stages[i], pipeline->in_flight);
    npi_free_array(pipeline->stages, pipeline->stage_count, sizeof *pipeline->stages);
    npi_free_array(pipeline->sums, pipeline->sum_count, sizeof *pipeline->sums);
    if (pipeline->region != NULL)
        np_region_destroy(pipeline->region);
    else
        npi_free_array(pipeline->slots, pipeline->in_flight, pipeline->slot_bytes);
    free_ready(pipeline->ready_first);
    free_ready(pipeline->ready_unused);
    npi_group_free_notices(&pipeline->group); /* it was never started, or this is a forked child */
    npi_free(pipeline, sizeof *pipeline);
}

static np_status no_memory(size_t count, size_t size)
{
    return npi_fail_memory(count * size, "a pipeline");
}

static np_status check_stage(const np_stage *stage, size_t number)
{
    if (stage->fn == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stage %zu: fn is NULL", number);
    if ((unsigned)stage->kind > NP_STAGE_ORDERED)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stage %zu: kind is %d", number,
                        (int)stage->kind);
    if ((unsigned)stage->affinity > NP_AFFINITY_ANY)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stage %zu: affinity is %d", number,
                        (int)stage->affinity);
    if (stage->node_count != 0 && stage->nodes == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stage %zu: nodes is NULL", number);
    return NP_OK;
}

static np_status check_options(const np_pipeline_options *options)
{
    np_status status = NP_OK;
    if (options->item_bytes == 0 || options->item_bytes > ITEM_BYTES_MOST)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_pipeline_options.item_bytes is %zu, must be 1 to %u",
                        options->item_bytes, ITEM_BYTES_MOST);
    if (options->in_flight > IN_FLIGHT_MOST)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_options.in_flight is %u, at most %u",
                        options->in_flight, IN_FLIGHT_MOST);
    if (options->stages == NULL || options->stage_count == 0 || options->stage_count > STAGES_MOST)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_pipeline_options: stages is %s, stage_count %zu, must be 1 to %u",
                        options->stages == NULL ? "NULL" : "given", options->stage_count,
                        STAGES_MOST);
    if ((unsigned)options->source_affinity > NP_AFFINITY_ANY)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_options.source_affinity is %d",
                        (int)options->source_affinity);
    for (size_t i = 0; i < options->stage_count && status == NP_OK; i++)
        status = check_stage(&options->stages[i], i + 1);
    return status;
}

static np_status no_node(const npi_stage *stage, np_node_id id)
{
    char who[128];
    (void)snprintf(who, sizeof who, "stage \"%.96s\"", stage->name);
    return npi_topology_no_node(stage->pipeline->executor->topology, who, id);
}

static np_status take_nodes(npi_stage *stage, const np_node_id *nodes, size_t count)
{
    np_executor *executor = stage->pipeline->executor;
    if (count == 0)
        return NP_OK;
    stage->nodes = npi_alloc_array(count, sizeof *stage->nodes, 0);
    if (stage->nodes == NULL)
        return no_memory(count, sizeof *stage->nodes);
    stage->node_count = count;
    for (size_t i = 0; i < count; i++) {
        np_node_index index = npi_topology_node_index(executor->topology, nodes[i]);
        if (index == NP_NODE_INDEX_NONE)
            return no_node(stage, nodes[i]);
        if (executor->nodes[index]->regular == 0)
            return npi_fail(NP_ERR_NODE_HAS_NO_WORKER,
                            "stage \"%s\": NUMA node %d has no worker in this executor",
                            stage->name, (int)nodes[i]);
        stage->nodes[i] = index;
    }
    return NP_OK;
}

/* As many runners as there may be workers for them. */
static uint32_t limit_at(const npi_stage *stage, uint32_t node)
{
    const np_executor *executor = stage->pipeline->executor;
    if (stage->kind != NP_STAGE_PARALLEL)
        return 1;
    uint32_t workers = stage->confined ? executor->nodes[node]->regular : executor->regular_count;
    return workers != 0 ? workers : 1;
}

static np_status make_stations(npi_stage *stage)
{
    np_pipeline *pipeline = stage->pipeline;
    uint32_t count = stage->kind == NP_STAGE_PARALLEL ? pipeline->executor->node_count : 1;
    stage->stations = npi_alloc_array(count, sizeof *stage->stations, NPI_FALSE_SHARING);
    if (stage->stations == NULL)
        return no_memory(count, sizeof *stage->stations);
    stage->station_count = count;
    for (uint32_t i = 0; i < count; i++) {
        npi_station *station = &stage->stations[i];
        npi_lock_init(&station->lock);
        station->stage = stage;
        station->limit = limit_at(stage, i);
        if (stage->kind != NP_STAGE_ORDERED)
            continue;
        station->ring = npi_alloc_array(pipeline->in_flight, sizeof(npi_slot *), 0);
        if (station->ring == NULL)
            return no_memory(pipeline->in_flight, sizeof(npi_slot *));
    }
    return NP_OK;
}

static np_status make_stage(np_pipeline *pipeline, uint32_t index, const np_stage *from)
{
    npi_stage *stage = &pipeline->stages[index];
    char name[32];
    npi_text text;
    npi_text_begin(&text, name, sizeof name);
    npi_text_add(&text, "stage %u", index);
    stage->pipeline = pipeline;
    stage->index = index;
    stage->kind = from->kind;
    stage->affinity = from->affinity;
    stage->confined = from->affinity == NP_AFFINITY_STRICT ||
                      np_executor_steal_policy(pipeline->executor) == NP_STEAL_LOCAL_ONLY;
    stage->fn = from->fn;
    stage->context = from->context;
    stage->where = from->where;
    stage->bytes = from->bytes;
    stage->batch = from->batch != 0 ? from->batch : BATCH_DEFAULT;
    stage->name = npi_strdup(from->name != NULL ? from->name : name);
    if (stage->name == NULL)
        return no_memory(1, sizeof name);
    np_status status = take_nodes(stage, from->nodes, from->node_count);
    return status == NP_OK ? make_stations(stage) : status;
}

static np_status make_stages(np_pipeline *pipeline, const np_pipeline_options *options)
{
    np_stage source = {.name = "source", .kind = NP_STAGE_SERIAL};
    source.affinity = options->source_affinity;
    source.batch = options->source_batch;
    if (options->source_at_node) {
        source.nodes = &options->source_node;
        source.node_count = 1;
    }
    pipeline->stages = npi_alloc_array(pipeline->stage_count, sizeof *pipeline->stages, 0);
    if (pipeline->stages == NULL)
        return no_memory(pipeline->stage_count, sizeof *pipeline->stages);
    np_status status = make_stage(pipeline, 0, &source);
    for (uint32_t i = 1; i < pipeline->stage_count && status == NP_OK; i++)
        status = make_stage(pipeline, i, &options->stages[i - 1]);
    return status;
}

/* Where the items are born: the one node of the source or, without one, of the first stage. */
static const npi_node *birth_node(const np_pipeline *pipeline)
{
    const npi_stage *first = &pipeline->stages[pipeline->source != NULL ? 0 : 1];
    return first->node_count == 1 ? pipeline->executor->nodes[first->nodes[0]] : NULL;
}

static np_status make_slots(np_pipeline *pipeline)
{
    const npi_node *node = birth_node(pipeline);
    size_t bytes = pipeline->in_flight * pipeline->slot_bytes;
    np_status status = NP_ERR_INVALID_NODE; /* also what a node without memory gives */
    if (node != NULL)
        status = np_region_create_on_node(pipeline->executor->topology, bytes, node->id,
                                          &pipeline->region);
    if (status == NP_OK)
        pipeline->slots = np_region_data(pipeline->region);
    else if (status == NP_ERR_INVALID_NODE)
        pipeline->slots = npi_alloc_array(pipeline->in_flight, pipeline->slot_bytes,
                                          NPI_CACHE_LINE);
    else
        return npi_fail_more(status, "the items of a pipeline");
    if (pipeline->slots == NULL)
        return no_memory(pipeline->in_flight, pipeline->slot_bytes);
    npi_returns all = {{NULL, NULL, 0}, 0, 0, 0};
    for (uint32_t i = 0; i < pipeline->in_flight; i++)
        npi_slots_add(&all.slots, (npi_slot *)(void *)(pipeline->slots + i * pipeline->slot_bytes));
    /* A runner for the source is counted already: np_pipeline_start() sends it. */
    (void)npi_slots_return(pipeline, &all);
    return NP_OK;
}

/* The executor is shut down in a way that leaves tasks undone, or somebody cancelled the group. */
static void lost(np_group *group, np_status status)
{
    np_pipeline *pipeline = (np_pipeline *)(void *)group; /* its first member */
    npi_pipeline_stop(pipeline, status, NPI_STOP_TASK, NULL, 0);
}

static np_status make_all(np_pipeline *pipeline, const np_pipeline_options *options)
{
    np_status status = make_stages(pipeline, options);
    if (status != NP_OK)
        return status;
    pipeline->sum_count = (size_t)pipeline->executor->seat_count * pipeline->stage_count;
    pipeline->sums = npi_alloc_array(pipeline->sum_count, sizeof *pipeline->sums,
                                     NPI_FALSE_SHARING);
    if (pipeline->sums == NULL)
        return no_memory(pipeline->sum_count, sizeof *pipeline->sums);
    return make_slots(pipeline);
}

static uint32_t default_in_flight(const np_executor *executor)
{
    uint32_t count = executor->regular_count * 4;
    return count < 8 ? 8 : count < IN_FLIGHT_MOST ? count : IN_FLIGHT_MOST;
}

static np_pipeline *new_pipeline(np_executor *executor, const np_pipeline_options *options)
{
    np_pipeline *pipeline = npi_alloc(sizeof *pipeline, NPI_FALSE_SHARING);
    if (pipeline == NULL)
        return NULL;
    npi_group_init(&pipeline->group, false);
    pipeline->group.quiet = true; /* its maker is told by the outcome */
    pipeline->group.on_workers = true;
    pipeline->group.lost = lost;
    (void)npi_group_begin(&pipeline->group, 1); /* itself, until it has ended */
    npi_lock_init(&pipeline->lock);
    pipeline->executor = executor;
    pipeline->item_bytes = options->item_bytes;
    pipeline->slot_bytes = (NPI_SLOT_ITEM + options->item_bytes + NPI_CACHE_LINE - 1) /
                           NPI_CACHE_LINE * NPI_CACHE_LINE;
    pipeline->in_flight = options->in_flight != 0 ? options->in_flight
                                                  : default_in_flight(executor);
    pipeline->stage_count = (uint32_t)options->stage_count + 1;
    pipeline->source = options->source;
    pipeline->source_context = options->source_context;
    pipeline->destroy_item = options->destroy_item;
    pipeline->destroy_context = options->destroy_context;
    return pipeline;
}

np_status np_pipeline_create(np_executor *executor, const np_pipeline_options *given,
                             np_pipeline **out)
{
    np_pipeline_options options;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_create: out is NULL");
    *out = NULL;
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (given == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_pipeline_create: options is NULL");
    if (!npi_options_acceptable(given, given->size, sizeof given->size, sizeof options,
                                "np_pipeline_options"))
        return NP_ERR_INVALID_ARGUMENT;
    npi_options_copy(&options, sizeof options, given, given->size);
    status = check_options(&options);
    if (status != NP_OK)
        return status;
    np_pipeline *pipeline = new_pipeline(executor, &options);
    if (pipeline == NULL)
        return no_memory(1, sizeof *pipeline);
    status = make_all(pipeline, &options);
    if (status != NP_OK)
        free_pipeline(pipeline);
    else
        *out = pipeline;
    return status;
}

/* --- beginning and ending --------------------------------------------------------------------- */

/* Is the caller inside a stage of it? */
static bool is_inside(const np_pipeline *pipeline)
{
    const npi_worker *worker = npi_worker_self();
    for (const npi_level *level = worker != NULL ? worker->level : NULL; level != NULL;
         level = level->outer)
        if (level->frame->group == &pipeline->group)
            return true;
    return false;
}

np_status np_pipeline_destroy(np_pipeline *pipeline)
{
    if (pipeline == NULL)
        return NP_OK;
    if (npi_pipeline_forked(pipeline)) {
        if (is_inside(pipeline))
            return npi_fail(NP_ERR_FROM_WORKER, "np_pipeline_destroy: the process was forked in a "
                                                "stage, which would return into its memory");
    } else {
        bool never = pipeline->source != NULL && !pipeline->started;
        uint64_t pending = npi_group_last_look(&pipeline->group);
        if (pending > (never ? 1 : 0))
            return npi_fail(NP_ERR_BUSY, "np_pipeline_destroy: the pipeline has not ended");
    }
    free_pipeline(pipeline);
    return NP_OK;
}

np_status np_pipeline_start(np_pipeline *pipeline)
{
    np_status status = npi_pipeline_check(pipeline, "np_pipeline_start");
    if (status != NP_OK)
        return status;
    if (pipeline->source == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_pipeline_start: there is no source: items are pushed");
    npi_lock_acquire(&pipeline->lock);
    bool before = pipeline->started;
    bool cancelled = pipeline->status != NP_OK;
    pipeline->started = !cancelled;
    npi_lock_release(&pipeline->lock);
    if (cancelled && !before)
        return npi_fail(NP_ERR_CANCELLED, "np_pipeline_start: the pipeline is cancelled");
    if (before)
        return npi_fail(NP_ERR_BUSY, "np_pipeline_start: the pipeline was started before");
    npi_stage *source = &pipeline->stages[0];
    status = npi_station_submit(source->stations,
                                source->nodes != NULL ? source->nodes[0] : NPI_ANYWHERE);
    if (status != NP_OK) {
        npi_lock_acquire(&pipeline->lock);
        pipeline->started = false;
        npi_lock_release(&pipeline->lock);
    }
    return status;
}

static np_status fail_as(const np_pipeline *pipeline, np_status status, npi_stop_cause cause,
                         const npi_stage *stage, uint64_t number)
{
    const char *name = stage != NULL ? stage->name : "";
    switch (cause) {
    case NPI_STOP_NONE: break;
    case NPI_STOP_STAGE:
        return npi_fail(status, "the pipeline's %s \"%s\" failed at item %llu: %s (%s)",
                        stage != NULL && stage->index == 0 ? "source" : "stage", name,
                        (unsigned long long)number, np_status_name(status), np_status_text(status));
    case NPI_STOP_WHERE:
        return npi_fail(status, "the pipeline's stage \"%s\": item %llu lies on no known NUMA node",
                        name, (unsigned long long)number);
    case NPI_STOP_CANCEL: return npi_fail(status, "the pipeline was cancelled");
    case NPI_STOP_TASK:
        return npi_fail(status, "tasks of the pipeline were discarded (%s)",
                        np_status_name(status));
    case NPI_STOP_HANDOVER:
        return npi_fail(status, "no task for the pipeline's stage \"%s\" could be submitted: %s",
                        name, np_status_text(status));
    }
    /* A stage may have said so about its own task, or about what it submitted beside. */
    return np_group_outcome(&pipeline->group);
}

np_status np_pipeline_outcome(const np_pipeline *pipeline)
{
    np_status status = npi_pipeline_check(pipeline, "np_pipeline_outcome");
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&npi_pipeline_inside(pipeline)->lock);
    status = pipeline->status;
    npi_stop_cause cause = pipeline->cause;
    const npi_stage *stage = pipeline->failed_stage;
    uint64_t number = pipeline->failed_number;
    npi_lock_release(&npi_pipeline_inside(pipeline)->lock);
    return fail_as(pipeline, status, cause, stage, number);
}

static np_status wait_for(np_pipeline *pipeline, uint64_t timeout_ns, const char *call)
{
    np_status status = npi_pipeline_check(pipeline, call);
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&pipeline->lock);
    bool begun = pipeline->source == NULL || pipeline->started || pipeline->status != NP_OK;
    npi_lock_release(&pipeline->lock);
    if (!begun)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the pipeline was not started", call);
    status = np_group_wait_for(&pipeline->group, timeout_ns);
    bool refused = status == NP_ERR_TIMEOUT || status == NP_ERR_FROM_WORKER ||
                   status == NP_ERR_FORKED;
    /* What a stage gave to its group may be called the same. Pending alone is no sign: a call that
     * comes too late holds the pipeline for a moment. */
    if (npi_pipeline_forked(pipeline) || (refused && np_group_pending(&pipeline->group) != 0))
        return npi_fail_more(status, "%s", call);
    return np_pipeline_outcome(pipeline);
}

np_status np_pipeline_wait(np_pipeline *pipeline)
{
    return wait_for(pipeline, NP_FOREVER, "np_pipeline_wait");
}

np_status np_pipeline_wait_for(np_pipeline *pipeline, uint64_t timeout_ns)
{
    return wait_for(pipeline, timeout_ns, "np_pipeline_wait_for");
}

np_status np_pipeline_run(np_pipeline *pipeline)
{
    np_status status = np_pipeline_start(pipeline);
    return status == NP_OK ? wait_for(pipeline, NP_FOREVER, "np_pipeline_run") : status;
}

np_status np_pipeline_notify(np_pipeline *pipeline, np_task_fn fn, void *argument)
{
    np_status status = npi_pipeline_check(pipeline, "np_pipeline_notify");
    return status == NP_OK ? np_group_notify(&pipeline->group, fn, argument) : status;
}

np_status np_pipeline_cancel(np_pipeline *pipeline)
{
    np_status status = npi_pipeline_check(pipeline, "np_pipeline_cancel");
    if (status != NP_OK || np_group_pending(&pipeline->group) == 0)
        return status;
    bool held = npi_pipeline_hold(pipeline);
    npi_pipeline_stop(pipeline, NP_ERR_CANCELLED, NPI_STOP_CANCEL, NULL, 0);
    if (held)
        npi_group_end(&pipeline->group);
    return NP_OK;
}

bool np_pipeline_is_stopped(const np_pipeline *pipeline)
{
    return pipeline != NULL && npi_pipeline_stopped(pipeline);
}

const char *np_pipeline_failed_stage(const np_pipeline *pipeline)
{
    if (npi_pipeline_check(pipeline, "np_pipeline_failed_stage") != NP_OK)
        return NULL;
    npi_lock_acquire(&npi_pipeline_inside(pipeline)->lock);
    const npi_stage *stage = pipeline->failed_stage;
    bool told = pipeline->cause == NPI_STOP_STAGE || pipeline->cause == NPI_STOP_WHERE;
    npi_lock_release(&npi_pipeline_inside(pipeline)->lock);
    return told && stage != NULL ? stage->name : NULL;
}
