/*
 * executor/full_inbox.c - what a submit from outside does when the bounded inbox of its node is
 * full: waits, fails, or runs the task itself. The places are in room.c.
 */
#include "executor/group_internal.h"

#include "base/status.h"
#include "executor/submit.h"

np_status npi_fail_shut_down(void)
{
    return npi_fail(NP_ERR_SHUT_DOWN, "the executor is shut down or shutting down");
}

np_group *npi_group_in_place(void)
{
    return npi_tls_self()->in_place_group;
}

/* A task that runs in a submit waits for room when it submits itself, so that tasks that submit
 * each other do not pile up on the thread's stack. */
static bool may_run_here(const np_executor *executor, np_task_affinity kind, const np_group *group)
{
    const np_executor_options *options = &executor->settings.public_options;
    return options->inbox_full == NP_INBOX_FULL_RUN && !npi_tls_self()->in_place &&
           kind != NP_AFFINITY_STRICT && options->steal_policy != NP_STEAL_LOCAL_ONLY &&
           (group == NULL || !group->on_workers);
}

/* Nothing was free. Waits; a worker of another executor has a spare one step in for it meanwhile.
 */
static np_status wait_for_room(npi_node *node, uint32_t want, uint32_t *places)
{
    np_status status = np_blocking_begin();
    if (status != NP_OK)
        return npi_fail_more(status, "the inbox of NUMA node %d is full", (int)node->id);
    *places = npi_room_wait(&node->inbox, want, &node->executor->closed);
    np_blocking_end();
    return *places != 0 ? NP_OK : npi_fail_shut_down();
}

np_status npi_submit_find_room(npi_node *node, bool inside, np_task_affinity kind,
                               const np_group *group, size_t want, uint32_t *places)
{
    np_executor *executor = node->executor;
    uint32_t count = want < NPI_SEGMENT_CELLS ? (uint32_t)want : NPI_SEGMENT_CELLS;
    *places = count;
    if (inside) {
        npi_room_force(&node->inbox, count);
        return NP_OK;
    }
    *places = npi_room_try(&node->inbox, count);
    if (*places != 0)
        return NP_OK;
    if (npi_load_acquire(&executor->closed) != 0)
        return npi_fail_shut_down();
    if (executor->settings.public_options.inbox_full == NP_INBOX_FULL_FAIL)
        return npi_fail(NP_ERR_WOULD_BLOCK, "the inbox of NUMA node %d is full: %u tasks wait",
                        (int)node->id, node->inbox.capacity);
    return may_run_here(executor, kind, group) ? NP_OK : wait_for_room(node, count, places);
}

void npi_submit_run_here(np_task_fn fn, void *argument, np_group *group)
{
    npi_worker *worker = npi_worker_self();
    npi_tls *self = npi_tls_self();
    self->in_place = true;
    self->in_place_group = group;
    if (worker != NULL && worker->frame != NULL) {
        /* Of another executor, inside a task: what this one forks and does not join must not be
         * found by that task's next join. */
        npi_frame frame = {group, worker->frame->home, worker->frame->strict};
        npi_run_on_top(worker, &frame, fn, argument);
    } else {
        fn(argument);
    }
    self->in_place = false;
    self->in_place_group = NULL;
    if (group != NULL)
        npi_group_end(group);
}
