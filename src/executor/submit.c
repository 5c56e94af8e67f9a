/*
 * executor/submit.c - from a public submit call to a task that a worker can find.
 *
 * A task for the submitting worker's own node goes to that worker's queue. Everything else goes to
 * a lane of the home's inbox, through its door (inbox.h): a submit from outside is refused once
 * shutdown has begun, and otherwise counted; tasks of the executor itself may submit until the last
 * has ended. Tasks are written into the queue where they will lie, without a copy in between.
 */
#include "executor/group_internal.h"

#include <string.h>

#include "base/status.h"
#include "executor/near.h"
#include "executor/submit.h"

/* --- which node --------------------------------------------------------------------------- */

static npi_node *node_by_id(const np_executor *executor, np_node_id id)
{
    if (id < 0 || (uint32_t)id >= executor->by_id_count)
        return NULL;
    np_node_index index = executor->by_id[id];
    return index == NP_NODE_INDEX_NONE ? NULL : executor->nodes[index];
}

static np_status resolve(const np_executor *executor, np_node_id id, npi_node **out)
{
    npi_node *node = node_by_id(executor, id);
    if (node == NULL)
        return npi_topology_no_node(executor->topology, NULL, id);
    if (node->regular == 0)
        return npi_fail(NP_ERR_NODE_HAS_NO_WORKER, "NUMA node %d has no worker in this executor",
                        (int)id);
    *out = node;
    return NP_OK;
}

/* The node with workers nearest to one that may have none. */
static npi_node *nearest_with_workers(npi_node *node)
{
    return node->regular != 0 ? node : node->order[0];
}

static npi_node *near_outsider(np_executor *executor)
{
    np_node_id id;
    npi_node *node = NULL;
    if (!executor->is_virtual) {
        if (npi_os_where(NULL, &id) == 0)
            node = node_by_id(executor, id);
    } else {
        /* No real place: outside threads are spread over the virtual nodes, each keeping to one. */
        node = executor->nodes[npi_number() % executor->node_count];
    }
    return nearest_with_workers(node != NULL ? node : executor->nodes[0]);
}

static npi_node *near_caller(np_executor *executor, npi_worker *worker)
{
    if (worker != NULL)
        return worker->node;
    return executor->only_node != NULL ? executor->only_node : near_outsider(executor);
}

npi_node *npi_near_caller(np_executor *executor, npi_worker *worker)
{
    return near_caller(executor, worker);
}

npi_node *npi_nearest_with_workers(npi_node *node)
{
    return nearest_with_workers(node);
}

/* --- into a queue ------------------------------------------------------------------------- */

/* A queue that is the caller's to fill between begin and end. */
typedef struct way {
    npi_lane *lane;     /* NULL: the worker's own queue */
    npi_worker *worker; /* inside a task of the executor; NULL: from outside */
    bool shared;        /* the lane has other producers */
} way;

static np_status cannot_grow(const npi_node *node)
{
    return npi_fail(NP_ERR_NO_MEMORY, "the queue of NUMA node %d cannot grow", (int)node->id);
}

/* The queue, or NULL and *status. */
static inline __attribute__((always_inline)) npi_queue *begin(way *to, npi_node *node,
                                                              npi_worker *worker,
                                                              np_task_affinity kind,
                                                              np_status *status)
{
    to->shared = false;
    /* A start or stop hook is no task: nobody would wait for what it submits. */
    to->worker = worker != NULL && worker->frame != NULL ? worker : NULL;
    if (to->worker != NULL && worker->node == node && kind == NP_AFFINITY_PREFERRED) {
        to->lane = NULL;
        return &worker->queue;
    }
    uint32_t number = npi_number();
    to->lane = npi_inbox_lane(&node->inbox, kind, number);
    if (__builtin_expect(to->lane == NULL, 0)) {
        *status = cannot_grow(node);
        return NULL;
    }
    to->shared = number >= NPI_NUMBERS_OWN;
    if (__builtin_expect(to->shared, 0))
        npi_lock_acquire(&to->lane->lock);
    if (to->worker == NULL && !npi_lane_begin(to->lane, &node->executor->closed)) {
        if (to->shared)
            npi_lock_release(&to->lane->lock);
        *status = npi_fail_shut_down();
        return NULL;
    }
    return &to->lane->queue;
}

/* `tasks` were published. */
static inline __attribute__((always_inline)) void end(const way *to, npi_node *node,
                                                      np_task_affinity kind, uint64_t tasks)
{
    if (to->lane != NULL) {
        if (to->worker == NULL)
            npi_lane_end(to->lane, &node->executor->closed);
        else
            /* Release: never seen before the acceptance it is a part of
             * (npi_inbox_accepted_outside). */
            npi_store_release(&to->lane->inside_accepted,
                              npi_load_relaxed(&to->lane->inside_accepted) + tasks);
        if (__builtin_expect(to->shared, 0))
            npi_lock_release(&to->lane->lock);
    }
    if (tasks == 0)
        return;
    if (to->worker != NULL)
        npi_count(&to->worker->counters, NP_COUNTER_SUBMITTED, tasks);
    npi_wake_for_task(node, kind, to->worker);
}

/* --- a place in a bounded inbox ----------------------------------------------------------------
 */

/* Does a submit by this thread need a place? */
static inline bool needs_room(const npi_node *node, const npi_worker *worker, np_task_affinity kind)
{
    return __builtin_expect(node->inbox.capacity != 0, 0) &&
           !(worker != NULL && worker->frame != NULL && worker->node == node &&
             kind == NP_AFFINITY_PREFERRED);
}

/* --- one, or many ------------------------------------------------------------------------------
 */

static np_status put(npi_node *node, npi_worker *worker, np_task_affinity kind, npi_task *task);

/* A plain task that prefers its home; `data` is what its meta says of that (npi_choice_meta). */
static inline np_status put_plain(npi_node *node, npi_worker *worker, uint64_t data, np_task_fn fn,
                                  void *argument)
{
    const uint64_t meta = npi_meta(node->index, NP_AFFINITY_PREFERRED, 0) | data;
    if (needs_room(node, worker, NP_AFFINITY_PREFERRED)) {
        npi_task task = {.fn = fn, .argument = argument, .meta = meta};
        return put(node, worker, NP_AFFINITY_PREFERRED, &task);
    }
    way to;
    np_status status;
    npi_queue *queue = begin(&to, node, worker, NP_AFFINITY_PREFERRED, &status);
    if (__builtin_expect(queue == NULL, 0))
        return status;
    uint32_t room;
    npi_cell *cell = npi_queue_reserve(queue, &room);
    if (__builtin_expect(cell == NULL, 0)) {
        end(&to, node, NP_AFFINITY_PREFERRED, 0);
        return cannot_grow(node);
    }
    npi_prefetch_write(cell + NPI_QUEUE_AHEAD);
    npi_cell_store(cell, fn, argument, NULL, meta);
    npi_queue_publish(queue, 1, 1);
    end(&to, node, NP_AFFINITY_PREFERRED, 1);
    return NP_OK;
}

static np_status put_with_room(npi_node *node, npi_worker *worker, np_task_affinity kind,
                               const npi_task *task)
{
    way to;
    np_status status;
    npi_queue *queue = begin(&to, node, worker, kind, &status);
    if (queue == NULL)
        return status;
    bool done = npi_queue_put_one(queue, task);
    end(&to, node, kind, done ? 1 : 0);
    return done ? NP_OK : cannot_grow(node);
}

/* A task of any kind. */
static np_status put(npi_node *node, npi_worker *worker, np_task_affinity kind, npi_task *task)
{
    if (!needs_room(node, worker, kind))
        return put_with_room(node, worker, kind, task);
    uint32_t places;
    np_status status = npi_submit_find_room(node, worker != NULL, kind, task->group, 1, &places);
    if (status != NP_OK)
        return status;
    if (places == 0) {
        npi_submit_run_here(task->fn, npi_task_argument(task), task->group);
        return NP_OK;
    }
    status = put_with_room(node, worker, kind, task);
    if (status != NP_OK)
        npi_room_leave(&node->inbox, 1);
    return status;
}

/* Up to `most` plain tasks of one group, or of none, as many as lie in one segment: it is published
 * at once. */
static np_status put_some(npi_node *node, npi_worker *worker, np_group *group, const np_task *tasks,
                          size_t most, uint32_t *done)
{
    const uint64_t meta = npi_meta(node->index, NP_AFFINITY_PREFERRED, 0);
    way to;
    np_status status;
    *done = 0;
    npi_queue *queue = begin(&to, node, worker, NP_AFFINITY_PREFERRED, &status);
    if (queue == NULL)
        return status;
    uint32_t room = 0, put = 0;
    npi_cell *cell = npi_queue_reserve(queue, &room);
    if (cell != NULL)
        for (; put < room && put < most && tasks[put].fn != NULL; put++)
            npi_cell_store(&cell[put], tasks[put].fn, tasks[put].argument, group, meta);
    if (put != 0)
        npi_queue_publish(queue, put, put);
    end(&to, node, NP_AFFINITY_PREFERRED, put);
    *done = put;
    return cell != NULL ? NP_OK : cannot_grow(node);
}

/* The same with places in a bounded inbox. */
static np_status put_some_with_room(npi_node *node, npi_worker *worker, np_group *group,
                                    const np_task *tasks, size_t most, uint32_t *done)
{
    uint32_t places;
    *done = 0;
    np_status status = npi_submit_find_room(node, worker != NULL, NP_AFFINITY_PREFERRED, group,
                                            most, &places);
    if (status != NP_OK)
        return status;
    if (places == 0) {
        npi_submit_run_here(tasks->fn, tasks->argument, group);
        *done = 1;
        return NP_OK;
    }
    status = put_some(node, worker, group, tasks, places, done);
    if (*done < places)
        npi_room_leave(&node->inbox, places - *done);
    return status;
}

/* *accepted of them are findable when it returns, whatever it returns. */
static np_status put_many(npi_node *node, npi_worker *worker, np_group *group, const np_task *tasks,
                          size_t count, size_t *accepted)
{
    np_status status = NP_OK;
    for (*accepted = 0; status == NP_OK && *accepted < count;) {
        const np_task *next = tasks + *accepted;
        uint32_t done;
        if (next->fn == NULL)
            return npi_fail(NP_ERR_INVALID_ARGUMENT, "the function of task %zu is NULL", *accepted);
        status = needs_room(node, worker, NP_AFFINITY_PREFERRED)
                     ? put_some_with_room(node, worker, group, next, count - *accepted, &done)
                     : put_some(node, worker, group, next, count - *accepted, &done);
        *accepted += done;
    }
    return status;
}

bool npi_submit_again(npi_worker *worker, const npi_task *task)
{
    npi_node *node = worker->node;
    np_task_affinity kind = npi_meta_affinity(task->meta);
    uint32_t number = npi_number();
    npi_lane *lane = npi_inbox_lane(&node->inbox, kind, number);
    if (lane == NULL)
        return false;
    bool shared = number >= NPI_NUMBERS_OWN;
    bool bounded = node->inbox.capacity != 0;
    if (bounded) /* before somebody can take it, and leave its place */
        npi_room_force(&node->inbox, 1);
    if (shared)
        npi_lock_acquire(&lane->lock);
    bool done = npi_queue_put_again(&lane->queue, task);
    if (shared)
        npi_lock_release(&lane->lock);
    if (done)
        npi_wake_for_task(node, kind, worker); /* the node may be back by now */
    else if (bounded)
        npi_room_leave(&node->inbox, 1);
    return done;
}

/* --- continuations of channels ---------------------------------------------------------------- */

np_status npi_submit_check(const np_executor *executor, np_node_id id, np_task_fn fn)
{
    npi_node *node;
    np_status status = npi_executor_check(executor);
    if (status == NP_OK && fn == NULL)
        status = npi_fail(NP_ERR_INVALID_ARGUMENT, "the task's function is NULL");
    return status == NP_OK && id != NP_NODE_ID_NONE ? resolve(executor, id, &node) : status;
}

np_status npi_submit_beyond_with(np_executor *executor, np_node_index index, np_task_affinity kind,
                                 np_group *group, np_task_fn fn, void *argument)
{
    npi_worker *worker = npi_worker_of(executor);
    npi_node *node = index != NP_NODE_INDEX_NONE ? executor->nodes[index]
                                                 : near_caller(executor, worker);
    npi_task task = {.fn = fn, .argument = argument, .group = group};
    task.meta = npi_meta(node->index, kind, 0);
    if (group != NULL && !npi_group_begin(group, 1))
        return npi_fail(NP_ERR_CANCELLED, "the group is cancelled");
    bool bounded = needs_room(node, worker, kind);
    if (bounded)
        npi_room_force(&node->inbox, 1);
    np_status status = put_with_room(node, worker, kind, &task);
    if (status != NP_OK && bounded)
        npi_room_leave(&node->inbox, 1);
    if (status != NP_OK && group != NULL)
        npi_group_undo(group, 1);
    return status;
}

np_status npi_submit_beyond(np_executor *executor, np_node_id id, np_task_fn fn, void *argument)
{
    npi_node *node = id != NP_NODE_ID_NONE ? node_by_id(executor, id) : NULL;
    return npi_submit_beyond_with(executor, node != NULL ? node->index : NP_NODE_INDEX_NONE,
                                  NP_AFFINITY_PREFERRED, NULL, fn, argument);
}

/* --- the public calls ----------------------------------------------------------------------- */

static inline np_status enter(np_executor *executor, np_task_fn fn, npi_worker **worker)
{
    np_status status = npi_executor_check(executor);
    if (__builtin_expect(status != NP_OK, 0))
        return status;
    if (__builtin_expect(fn == NULL, 0))
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "the task's function is NULL");
    *worker = npi_worker_of(executor);
    return NP_OK;
}

np_status np_submit(np_executor *executor, np_task_fn fn, void *argument)
{
    npi_worker *worker = NULL;
    np_status status = enter(executor, fn, &worker);
    if (status != NP_OK)
        return status;
    return put_plain(near_caller(executor, worker), worker, 0, fn, argument);
}

np_status np_submit_to_node(np_executor *executor, np_node_id id, np_task_fn fn, void *argument)
{
    npi_worker *worker = NULL;
    npi_node *node = NULL;
    np_status status = enter(executor, fn, &worker);
    if (status == NP_OK)
        status = resolve(executor, id, &node);
    if (status != NP_OK)
        return status;
    return put_plain(node, worker, 0, fn, argument);
}

np_status np_submit_near(np_executor *executor, const void *address, size_t bytes, np_task_fn fn,
                         void *argument)
{
    npi_worker *worker = NULL;
    np_status status = enter(executor, fn, &worker);
    if (status != NP_OK)
        return status;
    np_data_range range = {.address = address, .bytes = bytes};
    npi_choice choice;
    status = npi_near_choose(executor, worker, &range, 1, &choice);
    if (status != NP_OK)
        return status;
    status = put_plain(choice.home, worker, npi_choice_meta(&choice), fn, argument);
    if (status == NP_OK)
        npi_near_sent(choice.home, worker, &choice);
    return status;
}

static np_status check_options(const np_submit_options *given, np_submit_options *known)
{
    *known = (np_submit_options){.size = sizeof *known};
    if (given == NULL)
        return NP_OK;
    if (!npi_options_acceptable(given, given->size, sizeof given->size, sizeof *known,
                                "np_submit_options"))
        return NP_ERR_INVALID_ARGUMENT;
    npi_options_copy(known, sizeof *known, given, given->size);
    if ((unsigned)known->affinity > NP_AFFINITY_ANY)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_submit_options.affinity is %d",
                        (int)known->affinity);
    if (known->copy_bytes > NP_ARGUMENT_COPY_MAX)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_submit_options.copy_bytes is %zu, at most %u",
                        known->copy_bytes, NP_ARGUMENT_COPY_MAX);
    return NP_OK;
}

/* The rest of a submit with options, once its home is known; `data` as for put_plain. */
static inline __attribute__((always_inline)) np_status put_with(npi_node *node, npi_worker *worker,
                                                                const np_submit_options *options,
                                                                uint64_t data, np_task_fn fn,
                                                                void *argument)
{
    npi_task task = {.fn = fn, .argument = argument, .group = options->group};
    task.meta = npi_meta(node->index, options->affinity, options->copy_bytes) | data;
    if (options->copy_bytes != 0)
        memcpy(task.copy, argument, options->copy_bytes);
    if (options->group != NULL && !npi_group_begin(options->group, 1))
        return npi_fail(NP_ERR_CANCELLED, "the group is cancelled");
    np_status status = put(node, worker, options->affinity, &task);
    if (status != NP_OK && options->group != NULL)
        npi_group_undo(options->group, 1);
    return status;
}

/* To its data, unless a node was asked for. */
static __attribute__((noinline)) np_status submit_with_data(np_executor *executor,
                                                            npi_worker *worker,
                                                            const np_submit_options *options,
                                                            np_task_fn fn, void *argument)
{
    if (options->data == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_submit_options.data is NULL but data_count is %zu",
                        options->data_count);
    npi_choice choice;
    np_status status = npi_near_choose(executor, worker, options->data, options->data_count,
                                       &choice);
    if (status != NP_OK)
        return status;
    npi_node *node = choice.home;
    if (options->to_node)
        status = resolve(executor, options->node, &node);
    if (status == NP_OK)
        status = put_with(node, worker, options, npi_choice_meta(&choice), fn, argument);
    if (status == NP_OK)
        npi_near_sent(node, worker, &choice);
    return status;
}

np_status np_submit_with(np_executor *executor, const np_submit_options *given, np_task_fn fn,
                         void *argument)
{
    npi_worker *worker = NULL;
    np_submit_options options;
    np_status status = enter(executor, fn, &worker);
    if (status == NP_OK)
        status = check_options(given, &options);
    if (status != NP_OK)
        return status;
    if (options.copy_bytes != 0 && argument == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "copy_bytes is %zu but the argument is NULL",
                        options.copy_bytes);
    if (__builtin_expect(options.data_count != 0, 0))
        return submit_with_data(executor, worker, &options, fn, argument);
    npi_node *node = NULL;
    if (options.to_node)
        status = resolve(executor, options.node, &node);
    else
        node = near_caller(executor, worker);
    if (status != NP_OK)
        return status;
    return put_with(node, worker, &options, 0, fn, argument);
}

np_status np_submit_copy_to_node(np_executor *executor, np_node_id node, np_task_fn fn,
                                 const void *argument, size_t bytes)
{
    np_submit_options options = {.size = sizeof options, .to_node = true, .node = node};
    options.copy_bytes = bytes;
    /* The argument is only read. */
    return np_submit_with(executor, &options, fn, (void *)(uintptr_t)argument);
}

np_status np_group_submit(np_group *group, np_executor *executor, np_task_fn fn, void *argument)
{
    if (group == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "group is NULL");
    np_submit_options options = {.size = sizeof options, .group = group};
    return np_submit_with(executor, &options, fn, argument);
}

np_status np_group_submit_to_node(np_group *group, np_executor *executor, np_node_id node,
                                  np_task_fn fn, void *argument)
{
    if (group == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "group is NULL");
    np_submit_options options = {.size = sizeof options, .to_node = true, .node = node};
    options.group = group;
    return np_submit_with(executor, &options, fn, argument);
}

static np_status submit_many(np_executor *executor, np_node_id id, np_group *group,
                             const np_task *tasks, size_t count, size_t *accepted)
{
    size_t none;
    if (accepted == NULL)
        accepted = &none;
    *accepted = 0;
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (tasks == NULL && count != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "a batch: tasks is NULL");
    npi_node *node = NULL;
    status = resolve(executor, id, &node);
    if (status != NP_OK)
        return status;
    if (group != NULL && !npi_group_begin(group, count))
        return npi_fail(NP_ERR_CANCELLED, "the group is cancelled");
    status = put_many(node, npi_worker_of(executor), group, tasks, count, accepted);
    if (group != NULL)
        npi_group_undo(group, count - *accepted);
    return status;
}

np_status np_submit_batch(np_executor *executor, np_node_id id, const np_task *tasks, size_t count,
                          size_t *accepted)
{
    return submit_many(executor, id, NULL, tasks, count, accepted);
}

np_status np_group_submit_batch(np_group *group, np_executor *executor, np_node_id node,
                                const np_task *tasks, size_t count, size_t *accepted)
{
    if (accepted != NULL)
        *accepted = 0;
    if (group == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "group is NULL");
    return submit_many(executor, node, group, tasks, count, accepted);
}
