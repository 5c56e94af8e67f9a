/*
 * parallel/loop_placed.c - loops over placed data: np_parallel_for_array and its relatives.
 *
 * One task is sent for each slice, to the slice's home, and takes the slice of whoever runs it: the
 * slice of its own seat, or the next one for which nobody has come. So a slice goes to the same
 * worker in every loop, unless that worker is busy and another one is not; and a task that another
 * node's worker has stolen, because the steal policy let it, takes the home's slices as well. A
 * slice is run like any loop: what is left of it is shared with whoever is idle, nearest first.
 *
 * Threads: whoever runs the tasks marks slices as taken; nothing else is shared, and the tasks'
 * group orders their work before the return of the call.
 */
#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"
#include "executor/near.h"
#include "parallel/loop_memory.h"
#include "parallel/loop_pieces.h"
#include "parallel/loop_values.h"

/* A loop that is known to be shorter than this stays on the calling worker. */
#define PLACED_WORTH_US 50u

/* One call; on the stack of whoever runs it, and read by all who take part. */
typedef struct placed {
    npi_loop_call *call;
    size_t index_bytes; /* of data that an index stands for, */
    size_t missing;     /* ... and how many less the last one */
    npi_division division;
    npi_values *values; /* one for each stretch; NULL: no reduction */
} placed;

/* --- on a worker that has come ------------------------------------------------------------------
 */

typedef struct slice_run {
    placed *job;
    const npi_slice *slice;
    npi_worker *worker;
    np_counter left_because; /* npi_worker's, before anything else that it runs writes to it */
} slice_run;

static void *begin_value(const placed *job, size_t stretch)
{
    if (job->values == NULL)
        return NULL;
    void *value = npi_values_at(job->values, stretch);
    npi_reduction_begin(job->values->reduction, value);
    return value;
}

static npi_loop_place place_of(const slice_run *run, const npi_stretch *stretch)
{
    return (npi_loop_place){.data = stretch->data,
                            .home = run->slice->home,
                            .index_bytes = run->job->index_bytes,
                            .end = run->job->call->end,
                            .missing = run->job->missing,
                            .runner = run->worker,
                            .left_because = run->left_because};
}

static void run_stretch(const slice_run *run, size_t number)
{
    placed *job = run->job;
    const npi_stretch *stretch = &job->division.stretches[number];
    npi_loop_place place = place_of(run, stretch);
    npi_loop loop = job->call->loop;
    loop.place = &place;
    /* In a forked child the wait for the tasks says so. */
    (void)npi_loop_run(npi_worker_self(), &loop, stretch->begin, stretch->end,
                       begin_value(job, number));
}

static void run_stretches(void *context, size_t first, size_t last)
{
    const slice_run *run = context;
    npi_worker *worker = npi_worker_self();
    if (worker != run->worker) /* helps with a slice of many stretches, some of which it got */
        npi_count(&worker->counters,
                  worker->node->index == run->slice->home ? NP_COUNTER_SLICES_MOVED
                                                          : NP_COUNTER_SLICES_AWAY,
                  1);
    for (size_t i = first; i < last && !npi_loop_stopped(&run->job->call->loop); i++)
        run_stretch(run, run->job->division.order[run->slice->first + i]);
}

/* By its own worker alone, `grain` indices at a time. */
static void run_alone(const slice_run *run)
{
    placed *job = run->job;
    const npi_slice *slice = run->slice;
    const npi_loop *loop = &job->call->loop;
    for (size_t i = 0; i < slice->count; i++) {
        size_t number = job->division.order[slice->first + i];
        const npi_stretch *stretch = &job->division.stretches[number];
        size_t grain = loop->grain != 0 ? loop->grain : stretch->end - stretch->begin;
        size_t done = 0;
        void *value = begin_value(job, number);
        for (size_t at = stretch->begin; at < stretch->end && !npi_loop_stopped(loop);) {
            size_t piece = stretch->end - at < grain ? stretch->end - at : grain;
            npi_loop_body(loop, at, at + piece, value);
            at += piece;
            done += piece;
        }
        npi_loop_place place = place_of(run, stretch);
        npi_near_ran_stretch(run->worker, slice->home, stretch->data, 1,
                             npi_loop_bytes(&place, stretch->begin, done), run->left_because);
    }
}

static void run_slice(void *argument)
{
    slice_run *run = argument;
    placed *job = run->job;
    if (job->call->schedule == NP_SCHEDULE_STATIC) {
        run_alone(run);
    } else if (run->slice->count == 1) {
        run_stretches(run, 0, 1);
    } else {
        npi_loop loop = job->call->loop;
        loop.body = run_stretches;
        loop.by_stretch = true;
        loop.context = run;
        loop.grain = 0;
        loop.reduction = NULL;
        (void)npi_loop_run(run->worker, &loop, 0, run->slice->count, NULL);
    }
}

/* There is one left: there are as many tasks as slices. */
static npi_slice *take_slice(placed *job, npi_worker *worker, np_node_index home_index)
{
    const npi_loop_home *home = &job->division.homes[home_index];
    bool own = worker->node->index == home_index && worker->seat < home->count;
    uint32_t seat = own ? worker->seat : 0;
    for (uint32_t i = 0;; i++) {
        NPI_INVARIANT(i < home->count);
        npi_slice *slice = &job->division.slices[home->first + (seat + i) % home->count];
        /* Relaxed: decides who runs it; the division came with the task. */
        if (npi_fetch_or_relaxed(&slice->taken, 1u) != 0)
            continue;
        npi_count(&worker->counters,
                  worker->node->index != home_index ? NP_COUNTER_SLICES_AWAY
                  : own && i == 0                   ? NP_COUNTER_SLICES_KEPT
                                                    : NP_COUNTER_SLICES_MOVED,
                  1);
        return slice;
    }
}

typedef struct arrival {
    placed *job;
    np_node_index home;
} arrival;

static void arrive(void *argument)
{
    const arrival *here = argument;
    npi_worker *worker = npi_worker_self();
    slice_run run = {.job = here->job, .worker = worker, .left_because = worker->left_because};
    run.slice = take_slice(here->job, worker, here->home);
    npi_watch_rename(worker, here->job->call->loop.name);
    npi_loop_framed(worker, here->job->call, run_slice, &run);
}

/* --- the call -----------------------------------------------------------------------------------
 */

static np_status send_all(placed *job, np_group *group)
{
    const npi_loop_call *c = job->call;
    np_submit_options options = {.size = sizeof options, .to_node = true, .group = group};
    options.affinity = c->schedule == NP_SCHEDULE_STATIC ? NP_AFFINITY_STRICT
                                                         : NP_AFFINITY_PREFERRED;
    options.copy_bytes = sizeof(arrival);
    np_status status = NP_OK;
    for (np_node_index i = 0; i < c->executor->node_count; i++) {
        arrival there = {job, i};
        options.node = c->executor->nodes[i]->id;
        for (uint32_t s = 0; status == NP_OK && s < job->division.homes[i].count; s++)
            status = np_submit_with(c->executor, &options, arrive, &there);
    }
    return status;
}

/* Every slice, by whoever comes. */
static np_status run_divided(placed *job)
{
    np_group group;
    npi_loop_tasks_begin(&group);
    return npi_loop_tasks_end(&group, send_all(job, &group));
}

/* Would it be over before anybody else has come for it? Not under a policy that promises where
 * tasks run. */
static bool is_short(const npi_loop_call *c, npi_worker *worker)
{
    const np_executor *executor = c->executor;
    if (c->schedule == NP_SCHEDULE_STATIC || c->loop.grain != 0 ||
        (executor->only_node == NULL &&
         executor->settings.public_options.steal_policy == NP_STEAL_LOCAL_ONLY))
        return false;
    size_t count = c->end - c->begin;
    float cost = npi_loop_recall(&worker->loops, npi_loop_key(&c->loop, count));
    if (cost == 0)
        cost = npi_loop_recall(&worker->loops,
                               npi_loop_key(&c->loop, count / executor->regular_count));
    return cost != 0 && cost * (float)count < (float)(c->loop.ticks_us * PLACED_WORTH_US);
}

/* `c`: inside a task, or outside of the executor. */
static np_status run_pieces(npi_loop_call *c, const npi_pieces *pieces, size_t index_bytes,
                            size_t bytes, void *result)
{
    npi_values values;
    placed job = {.call = c, .index_bytes = index_bytes};
    job.missing = index_bytes * (c->end - c->begin) - bytes;
    np_status status = npi_division_make(&job.division, c->executor, pieces);
    if (status != NP_OK)
        return status;
    if (c->loop.reduction != NULL) {
        status = npi_values_make(&values, c->loop.reduction, job.division.stretch_count);
        job.values = &values;
    }
    if (status == NP_OK) {
        status = run_divided(&job);
        if (status == NP_OK && job.values != NULL && !npi_loop_stopped(&c->loop))
            npi_values_combine(&values, result);
        if (job.values != NULL)
            npi_values_free(&values);
    }
    npi_division_free(&job.division);
    return status;
}

/* What a public call runs over. */
typedef struct data {
    const np_array *array;
    const np_region *region; /* one of the two */
    size_t grain;            /* elements per index */
    size_t index_bytes;
    size_t bytes; /* all of it: the last index may have fewer */
    npi_loop_call *call;
    void *result;
} data;

static np_status run_data(const data *of)
{
    npi_loop_call *c = of->call;
    npi_worker *worker = npi_worker_of(c->executor);
    if (worker != NULL && (worker->frame == NULL || is_short(c, worker))) {
        c->value = of->result;
        return npi_loop_perform(c);
    }
    npi_pieces pieces;
    np_status status = of->array != NULL
                           ? npi_pieces_of_array(&pieces, c->executor, of->array, of->grain)
                           : npi_pieces_of_region(&pieces, c->executor, of->region);
    if (status != NP_OK)
        return status;
    status = run_pieces(c, &pieces, of->index_bytes, of->bytes, of->result);
    npi_pieces_free(&pieces);
    return status;
}

static np_status finish_data(const data *of)
{
    npi_loop_call *c = of->call;
    if (npi_loop_stopped(&c->loop))
        return np_group_outcome(c->loop.group);
    np_status status = c->begin < c->end ? run_data(of) : NP_OK;
    return status == NP_OK && c->loop.group != NULL ? np_group_outcome(c->loop.group) : status;
}

static np_status check_data(npi_loop_call *c, np_executor *executor, const void *what,
                            const char *name, const np_loop_options *options, np_range_fn body,
                            void *context)
{
    np_status status = npi_loop_check(c, executor, name, options, body, context);
    if (status != NP_OK)
        return status;
    if (what == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the data is NULL", name);
    if (c->node != NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: np_loop_options.on_node: the data has a node",
                        name);
    if (c->schedule == NP_SCHEDULE_GUIDED)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "%s: np_loop_options.schedule is guided: no worker would be near its data",
                        name);
    c->begin = 0;
    return NP_OK;
}

np_status np_parallel_for_array(np_executor *executor, const np_array *array,
                                const np_loop_options *options, np_range_fn body, void *context)
{
    npi_loop_call c;
    np_status status = check_data(&c, executor, array, "np_parallel_for_array", options, body,
                                  context);
    if (status != NP_OK)
        return status;
    c.end = np_array_count(array);
    data of = {.array = array, .grain = 1, .call = &c};
    of.index_bytes = np_array_element_size(array);
    of.bytes = of.index_bytes * c.end;
    return finish_data(&of);
}

/* --- reductions
 * ----------------------------------------------------------------------------------- */

static np_status reduce_deterministically(data *of, const np_reduction *reduction)
{
    npi_loop_call *c = of->call;
    npi_stretches all;
    of->grain = npi_stretch_grain(c->end, c->loop.grain);
    np_status status = npi_stretches_make(&all, reduction, 0, c->end, of->grain);
    if (status != NP_OK)
        return status;
    npi_stretches_loop(c, &all);
    of->index_bytes *= of->grain;
    void *result = of->result;
    of->result = NULL;
    status = finish_data(of);
    if (status == NP_OK)
        npi_values_combine(&all.values, result);
    npi_values_free(&all.values);
    return status;
}

np_status np_parallel_reduce_array(np_executor *executor, const np_array *array,
                                   const np_loop_options *options, const np_reduction *given,
                                   void *result)
{
    np_reduction reduction;
    npi_loop_call c;
    np_status status = npi_reduction_check(&reduction, given, result, "np_parallel_reduce_array");
    if (status == NP_OK)
        status = check_data(&c, executor, array, "np_parallel_reduce_array", options,
                            npi_stretches_reduce, NULL);
    if (status != NP_OK)
        return status;
    npi_reduction_begin(&reduction, result);
    c.end = np_array_count(array);
    data of = {.array = array, .grain = 1, .call = &c, .result = result};
    of.index_bytes = np_array_element_size(array);
    of.bytes = of.index_bytes * c.end;
    if (reduction.deterministic)
        return reduce_deterministically(&of, &reduction);
    npi_reduction_loop(&c, &reduction);
    return finish_data(&of);
}

/* --- regions -------------------------------------------------------------------------------------
 */

/* A body over bytes, called for pages. */
typedef struct page_body {
    np_range_fn body;
    void *context;
    size_t page_bytes;
    size_t bytes; /* of the region: that of a file may end inside a page */
} page_body;

static void run_pages(void *context, size_t begin, size_t end)
{
    const page_body *pages = context;
    size_t first = begin * pages->page_bytes;
    size_t left = pages->bytes - first;
    size_t length = (end - begin) * pages->page_bytes;
    pages->body(pages->context, first, first + (length < left ? length : left));
}

np_status np_parallel_for_region(np_executor *executor, const np_region *region,
                                 const np_loop_options *options, np_range_fn body, void *context)
{
    npi_loop_call c;
    np_status status = check_data(&c, executor, region, "np_parallel_for_region", options, body,
                                  context);
    if (status != NP_OK)
        return status;
    page_body pages = {body, context, np_region_page_size(region), np_region_size(region)};
    c.end = npi_region_pages(region);
    c.loop.grain = c.loop.grain / pages.page_bytes + (c.loop.grain % pages.page_bytes != 0);
    c.loop.body = run_pages;
    c.loop.context = &pages;
    data of = {.region = region, .grain = 1, .call = &c};
    of.index_bytes = pages.page_bytes;
    of.bytes = pages.bytes;
    return finish_data(&of);
}
