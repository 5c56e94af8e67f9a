/*
 * parallel/loop.c - np_parallel_for: from the call to workers that run it.
 *
 * Inside a task of the executor an adaptive loop starts on the calling worker. From outside, and
 * for another node than the caller's, it starts as one task that the caller waits for. A static
 * loop is one strict task for each share; guided ones are in loop_guided.c.
 */
#include "parallel/loop_guided.h"

#include "base/status.h"
#include "os/ticks.h"

const char *np_schedule_name(np_schedule schedule)
{
    switch (schedule) {
    case NP_SCHEDULE_ADAPTIVE: return "adaptive";
    case NP_SCHEDULE_STATIC: return "static";
    case NP_SCHEDULE_GUIDED: return "guided";
    }
    return "unknown";
}

static np_status find_node(np_executor *executor, np_node_id id, npi_node **out)
{
    np_node_index index = np_topology_node_index(executor->topology, id);
    if (index == NP_NODE_INDEX_NONE)
        return npi_topology_no_node(executor->topology, NULL, id);
    *out = executor->nodes[index];
    if ((*out)->regular == 0)
        return npi_fail(NP_ERR_NODE_HAS_NO_WORKER, "NUMA node %d has no worker in this executor",
                        (int)id);
    return NP_OK;
}

static inline __attribute__((always_inline)) np_status take_options(npi_loop_call *c,
                                                                    const np_loop_options *given)
{
    np_loop_options known;
    if (given->size != sizeof known) {
        if (!npi_options_acceptable(given, given->size, sizeof given->size, sizeof known,
                                    "np_loop_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(&known, sizeof known, given, given->size);
        given = &known;
    }
    if ((unsigned)given->schedule > NP_SCHEDULE_GUIDED)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_loop_options.schedule is %d",
                        (int)given->schedule);
    c->schedule = given->schedule;
    c->loop.grain = given->grain;
    c->loop.group = given->group;
    return given->on_node ? find_node(c->executor, given->node, &c->node) : NP_OK;
}

/* --- on a worker ------------------------------------------------------------------------------ */

static void run_here(void *argument)
{
    npi_loop_call *c = argument;
    c->lost = !npi_loop_run(npi_worker_self(), &c->loop, c->begin, c->end, c->value);
}

/* In the frame that the call's options ask for. */
static void run_framed(npi_worker *worker, np_task_fn fn, void *argument, np_group *group,
                       bool strict)
{
    npi_frame frame = *worker->frame;
    frame.group = group;
    frame.strict |= strict;
    npi_run_framed(worker, &frame, fn, argument);
}

void npi_loop_framed(npi_worker *worker, const npi_loop_call *c, np_task_fn fn, void *argument)
{
    run_framed(worker, fn, argument, c->loop.group != NULL ? c->loop.group : worker->frame->group,
               c->node != NULL);
}

static void run_entered(void *argument)
{
    const npi_loop_call *c = argument;
    npi_watch_rename(npi_worker_self(), c->loop.name);
    run_framed(npi_worker_self(), run_here, argument, c->loop.group, false);
}

/* A hook runs on a worker's thread but is no task: nobody can help it. */
static void run_in_hook(const npi_loop_call *c)
{
    size_t grain = c->loop.grain != 0 ? c->loop.grain : c->end - c->begin;
    for (size_t at = c->begin; at < c->end && !npi_loop_stopped(&c->loop);) {
        size_t piece = c->end - at < grain ? c->end - at : grain;
        npi_loop_body(&c->loop, at, at + piece, c->value);
        at += piece;
    }
}

/* --- a static loop's shares ------------------------------------------------------------------- */

typedef struct static_share {
    const npi_loop_call *call;
    size_t begin, end;
} static_share;

static void run_static_pieces(void *argument)
{
    const static_share *share = argument;
    const npi_loop_call *c = share->call;
    npi_loop_call part = {.loop = c->loop, .begin = share->begin, .end = share->end};
    run_in_hook(&part);
}

static void run_static_share(void *argument)
{
    const static_share *share = argument;
    npi_watch_rename(npi_worker_self(), share->call->loop.name);
    run_framed(npi_worker_self(), run_static_pieces, argument, share->call->loop.group, true);
}

/* The first of share `number` of `shares`; the first few are one longer. */
static size_t share_begin(const npi_loop_call *c, size_t number, size_t shares)
{
    size_t count = c->end - c->begin;
    size_t extra = count % shares;
    return c->begin + count / shares * number + (number < extra ? number : extra);
}

static np_status submit_share(npi_loop_call *c, npi_node *node, size_t number, size_t shares,
                              np_group *group)
{
    static_share share = {c, share_begin(c, number, shares), share_begin(c, number + 1, shares)};
    if (share.begin == share.end)
        return NP_OK;
    np_submit_options options = {.size = sizeof options, .to_node = true, .node = node->id};
    options.affinity = NP_AFFINITY_STRICT;
    options.group = group;
    options.copy_bytes = sizeof share;
    return np_submit_with(c->executor, &options, run_static_share, &share);
}

size_t npi_loop_workers(const npi_loop_call *c)
{
    return c->node != NULL ? c->node->regular : c->executor->regular_count;
}

static np_status submit_shares(npi_loop_call *c, np_group *group)
{
    np_status status = NP_OK;
    size_t number = 0;
    for (uint32_t i = 0; status == NP_OK && i < c->executor->node_count; i++) {
        npi_node *node = c->executor->nodes[i];
        if (c->node != NULL && c->node != node)
            continue;
        for (uint32_t w = 0; status == NP_OK && w < node->regular; w++)
            status = submit_share(c, node, number++, npi_loop_workers(c), group);
    }
    return status;
}

/* --- as tasks --------------------------------------------------------------------------------- */

static np_status submit_entry(npi_loop_call *c, np_group *group)
{
    np_submit_options options = {.size = sizeof options, .group = group};
    if (c->node != NULL) {
        options.to_node = true;
        options.node = c->node->id;
        options.affinity = NP_AFFINITY_STRICT;
    }
    return np_submit_with(c->executor, &options, run_entered, c);
}

void npi_loop_tasks_begin(np_group *group)
{
    npi_group_init(group, false);
    group->quiet = true; /* the caller is told by the status */
    group->on_workers = true;
}

np_status npi_loop_tasks_end(np_group *group, np_status submitted)
{
    np_status status = np_group_wait(group);
    (void)npi_group_last_look(group);
    return submitted != NP_OK ? submitted : status;
}

static np_status run_as_tasks(npi_loop_call *c)
{
    np_group group;
    npi_guided guided;
    np_status submitted = NP_OK;
    npi_loop_tasks_begin(&group);
    switch (c->schedule) {
    case NP_SCHEDULE_ADAPTIVE: submitted = submit_entry(c, &group); break;
    case NP_SCHEDULE_STATIC: submitted = submit_shares(c, &group); break;
    case NP_SCHEDULE_GUIDED: submitted = npi_guided_submit(&guided, c, &group); break;
    }
    return npi_loop_tasks_end(&group, submitted);
}

static __attribute__((noinline, cold)) np_status lost(void)
{
    return npi_fail(NP_ERR_FORKED, "the process was forked in a loop: what other workers had taken "
                                   "of it is not run in the child");
}

static inline __attribute__((always_inline)) np_status perform(npi_loop_call *c)
{
    npi_worker *worker = npi_worker_of(c->executor);
    if (worker != NULL && worker->frame == NULL) {
        run_in_hook(c);
        return NP_OK;
    }
    if (worker == NULL || c->schedule != NP_SCHEDULE_ADAPTIVE ||
        (c->node != NULL && c->node != worker->node))
        return run_as_tasks(c);
    if (c->loop.group != NULL || (c->node != NULL && !worker->frame->strict)) {
        npi_loop_framed(worker, c, run_here, c);
        return c->lost ? lost() : NP_OK;
    }
    return npi_loop_run(worker, &c->loop, c->begin, c->end, c->value) ? NP_OK : lost();
}

np_status npi_loop_perform(npi_loop_call *c)
{
    return perform(c);
}

/* --- the public call ---------------------------------------------------------------------------
 */

/* In np_parallel_for in place: a short loop takes hardly longer than this. */
static inline __attribute__((always_inline)) np_status check_call(npi_loop_call *c,
                                                                  np_executor *executor,
                                                                  const char *name,
                                                                  const np_loop_options *options,
                                                                  np_range_fn body, void *context)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (body == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the body is NULL", name);
    c->loop.body = body; /* field by field: it is larger than what is in it */
    c->loop.context = context;
    c->loop.grain = 0;
    c->loop.group = NULL;
    c->loop.ticks_us = npi_os_ticks_per_us();
    c->loop.reduction = NULL;
    c->loop.place = NULL;
    c->loop.name = (uintptr_t)body;
    c->loop.by_stretch = false;
    c->executor = executor;
    c->node = NULL;
    c->schedule = NP_SCHEDULE_ADAPTIVE;
    c->value = NULL;
    return options != NULL ? take_options(c, options) : NP_OK;
}

np_status npi_loop_check(npi_loop_call *c, np_executor *executor, const char *name,
                         const np_loop_options *options, np_range_fn body, void *context)
{
    return check_call(c, executor, name, options, body, context);
}

np_status npi_loop_finish(npi_loop_call *c, np_status (*run)(npi_loop_call *call))
{
    if (npi_loop_stopped(&c->loop))
        return np_group_outcome(c->loop.group);
    np_status status = c->begin < c->end ? run(c) : NP_OK;
    return status == NP_OK && c->loop.group != NULL ? np_group_outcome(c->loop.group) : status;
}

np_status np_parallel_for(np_executor *executor, size_t begin, size_t end,
                          const np_loop_options *options, np_range_fn body, void *context)
{
    npi_loop_call c;
    np_status status = check_call(&c, executor, "np_parallel_for", options, body, context);
    if (status != NP_OK)
        return status;
    if (begin > end)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_parallel_for: begin is %zu, end %zu", begin,
                        end);
    c.begin = begin;
    c.end = end;
    if (npi_loop_stopped(&c.loop))
        return np_group_outcome(c.loop.group);
    if (begin < end)
        status = perform(&c);
    return status == NP_OK && c.loop.group != NULL ? np_group_outcome(c.loop.group) : status;
}
