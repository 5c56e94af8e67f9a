/*
 * executor/submit.c - from a public submit call to a task that a worker can find.
 *
 * A task for the submitting worker's own node goes to that worker's queue, without a lock.
 * Everything else goes to a lane of the home's inbox. A submit from outside is refused under the
 * lane's lock once shutdown has closed the lane, so every task is either refused or in the queue
 * before shutdown counts; tasks of the executor itself may submit until the last has ended.
 */
#include "executor/group_internal.h"

#include <string.h>

#include "base/status.h"

#define BATCH 64u

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
        return npi_fail(NP_ERR_INVALID_NODE, "there is no NUMA node %d", (int)id);
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

static npi_node *near_caller(np_executor *executor, npi_worker *worker)
{
    if (worker != NULL)
        return worker->node;
    np_node_id id;
    npi_node *node = NULL;
    if (!npi_topology_is_virtual(executor->topology)) {
        if (npi_os_where(NULL, &id) == 0)
            node = node_by_id(executor, id);
    } else {
        /* No real place: outside threads are spread over the virtual nodes, each keeping to one. */
        node = executor->nodes[npi_tls_ordinal() % executor->node_count];
    }
    return nearest_with_workers(node != NULL ? node : executor->nodes[0]);
}

/* --- into a queue ------------------------------------------------------------------------- */

static uint32_t lane_of(np_task_affinity affinity)
{
    uint32_t ordinal = npi_tls_ordinal();
    switch (affinity) {
    case NP_AFFINITY_STRICT: return NPI_LANES_PREFERRED + ordinal % NPI_LANES_STRICT;
    case NP_AFFINITY_ANY: return NPI_LANES_PREFERRED + NPI_LANES_STRICT + ordinal % NPI_LANES_ANY;
    case NP_AFFINITY_PREFERRED: break;
    }
    return ordinal % NPI_LANES_PREFERRED;
}

static np_status put_in_inbox(npi_node *node, np_task_affinity affinity, bool inside,
                              const npi_task *tasks, size_t count, size_t *accepted)
{
    uint32_t number = lane_of(affinity);
    npi_lane *lane = &node->inbox.lane[number];
    npi_lock_acquire(&lane->lock);
    if (lane->closed && !inside) {
        npi_lock_release(&lane->lock);
        return npi_fail(NP_ERR_SHUT_DOWN, "the executor is shut down or shutting down");
    }
    /* Before the first task is findable; relaxed: the queue's tail publishes it too, and a worker
     * about to sleep looks behind a fence. */
    if ((npi_load_relaxed(&node->inbox.used) & (UINT32_C(1) << number)) == 0)
        npi_fetch_or_relaxed(&node->inbox.used, UINT32_C(1) << number);
    *accepted = npi_queue_put(&lane->queue, tasks, count);
    if (!inside)
        npi_owner_add(&lane->outside_accepted, *accepted);
    npi_lock_release(&lane->lock);
    return NP_OK;
}

/* All of one affinity. *accepted tasks are findable when it returns, whatever it returns. */
static np_status put(npi_node *node, npi_worker *worker, np_task_affinity affinity,
                     const npi_task *tasks, size_t count, size_t *accepted)
{
    np_status status = NP_OK;
    *accepted = 0;
    /* A start or stop hook is no task: nobody would wait for what it submits. */
    if (worker != NULL && worker->frame == NULL)
        worker = NULL;
    if (worker != NULL && worker->node == node && affinity == NP_AFFINITY_PREFERRED)
        *accepted = npi_queue_put(&worker->queue, tasks, count);
    else
        status = put_in_inbox(node, affinity, worker != NULL, tasks, count, accepted);
    if (*accepted != 0) {
        if (worker != NULL)
            npi_count(&worker->counters, NP_COUNTER_SUBMITTED, *accepted);
        npi_wake_for_task(node, affinity, worker);
    }
    if (status == NP_OK && *accepted < count)
        status = npi_fail(NP_ERR_NO_MEMORY, "the queue of NUMA node %d cannot grow", (int)node->id);
    return status;
}

/* --- the public calls ----------------------------------------------------------------------- */

static np_status enter(np_executor *executor, np_task_fn fn, npi_worker **worker)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (fn == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "the task's function is NULL");
    *worker = npi_worker_of(executor);
    return NP_OK;
}

static np_status submit_one(npi_worker *worker, npi_node *node, npi_task *task,
                            np_task_affinity affinity)
{
    size_t accepted;
    np_group *group = task->group;
    if (group != NULL && !npi_group_begin(group, 1))
        return npi_fail(NP_ERR_CANCELLED, "the group is cancelled");
    np_status status = put(node, worker, affinity, task, 1, &accepted);
    if (status != NP_OK && group != NULL)
        npi_group_undo(group, 1);
    return status;
}

np_status np_submit(np_executor *executor, np_task_fn fn, void *argument)
{
    npi_worker *worker = NULL;
    np_status status = enter(executor, fn, &worker);
    if (status != NP_OK)
        return status;
    npi_node *node = near_caller(executor, worker);
    npi_task task = {.fn = fn, .argument = argument};
    task.meta = npi_meta(node->index, NP_AFFINITY_PREFERRED, 0);
    return submit_one(worker, node, &task, NP_AFFINITY_PREFERRED);
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
    npi_task task = {.fn = fn, .argument = argument};
    task.meta = npi_meta(node->index, NP_AFFINITY_PREFERRED, 0);
    return submit_one(worker, node, &task, NP_AFFINITY_PREFERRED);
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
    npi_node *node = NULL;
    if (options.to_node)
        status = resolve(executor, options.node, &node);
    else
        node = near_caller(executor, worker);
    if (status != NP_OK)
        return status;
    npi_task task = {.fn = fn, .argument = argument, .group = options.group};
    task.meta = npi_meta(node->index, options.affinity, options.copy_bytes);
    if (options.copy_bytes != 0)
        memcpy(task.copy, argument, options.copy_bytes);
    return submit_one(worker, node, &task, options.affinity);
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

np_status np_submit_batch(np_executor *executor, np_node_id id, const np_task *tasks, size_t count,
                          size_t *accepted)
{
    size_t done = 0;
    if (accepted != NULL)
        *accepted = 0;
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (tasks == NULL && count != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_submit_batch: tasks is NULL");
    npi_node *node = NULL;
    status = resolve(executor, id, &node);
    npi_worker *worker = npi_worker_of(executor);
    npi_task chunk[BATCH];
    while (status == NP_OK && done < count) {
        size_t length = 0;
        while (length < BATCH && done + length < count && tasks[done + length].fn != NULL) {
            chunk[length] = (npi_task){.fn = tasks[done + length].fn,
                                       .argument = tasks[done + length].argument};
            chunk[length].meta = npi_meta(node->index, NP_AFFINITY_PREFERRED, 0);
            length++;
        }
        if (length == 0) {
            status = npi_fail(NP_ERR_INVALID_ARGUMENT,
                              "np_submit_batch: the function of task %zu is NULL", done);
            break;
        }
        size_t put_now;
        status = put(node, worker, NP_AFFINITY_PREFERRED, chunk, length, &put_now);
        done += put_now;
    }
    if (accepted != NULL)
        *accepted = done;
    return status;
}
