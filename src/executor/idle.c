/*
 * executor/idle.c - is anything queued or running? Who waits for "no"?
 *
 * Accepted tasks are counted by each queue's producer, ended ones by each worker; both only grow.
 * First all ended counts are read, then all accepted counts (the order of Mattern's counting
 * algorithms, 1987). If the sums are equal, then at the moment between the two passes nothing was
 * queued or running: every end that was counted happened before it, every acceptance that was not
 * counted happened after it. An end that is seen brings with it (release on the ended count,
 * acquire here) the acceptance of that task and of everything it submitted.
 *
 * Nobody polls. Workers on their way to sleep look at `idle_waiters` behind a fence and, if
 * somebody waits, ask the question for them; the last worker to sleep sees the answer yes.
 */
#include "base/status.h"
#include "executor/executor.h"

typedef struct npi_idle_waiter {
    struct npi_idle_waiter *next; /* by idle_lock */
    npi_token token;
} npi_idle_waiter;

uint64_t npi_executor_ended(np_executor *executor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        sum += npi_load_acquire(&executor->seats[i]->ended); /* end_task in run.c */
    for (uint32_t i = 0; i < executor->node_count; i++)
        sum += npi_load_acquire(&executor->nodes[i]->outside_discarded); /* shutdown.c */
    return sum;
}

uint64_t npi_executor_accepted(np_executor *executor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        sum += npi_queue_accepted(&executor->seats[i]->queue);
    for (uint32_t i = 0; i < executor->node_count; i++)
        sum += npi_inbox_accepted(&executor->nodes[i]->inbox);
    return sum;
}

bool npi_executor_is_quiescent(np_executor *executor)
{
    uint64_t ended = npi_executor_ended(executor);
    return npi_executor_accepted(executor) == ended;
}

void npi_idle_check(np_executor *executor)
{
    if (npi_executor_is_forked(executor) || !npi_executor_is_quiescent(executor))
        return;
    /* Asked again under the lock: an answer from before a waiter came is none for that waiter. It
     * may have submitted since, having been told by somebody else that all was quiet. */
    npi_idle_waiter *waiter = NULL;
    npi_lock_acquire(&executor->idle_lock);
    if (npi_executor_is_quiescent(executor)) {
        waiter = executor->idle_list;
        executor->idle_list = NULL;
    }
    npi_lock_release(&executor->idle_lock);
    while (waiter != NULL) {
        npi_idle_waiter *next = waiter->next;
        npi_token_give(&waiter->token); /* the struct may vanish now */
        waiter = next;
    }
}

static bool withdraw(np_executor *executor, npi_idle_waiter *waiter)
{
    bool found = false;
    npi_lock_acquire(&executor->idle_lock);
    for (npi_idle_waiter **link = &executor->idle_list; *link != NULL; link = &(*link)->next) {
        if (*link == waiter) {
            *link = waiter->next;
            found = true;
            break;
        }
    }
    npi_lock_release(&executor->idle_lock);
    return found;
}

np_status npi_idle_wait(np_executor *executor, uint64_t deadline)
{
    npi_idle_waiter waiter = {0};
    npi_fetch_add_relaxed(&executor->idle_waiters, 1u);
    npi_lock_acquire(&executor->idle_lock);
    waiter.next = executor->idle_list;
    /* cppcheck-suppress autoVariables ; it leaves the list before this function returns */
    executor->idle_list = &waiter;
    npi_lock_release(&executor->idle_lock);
    /*
     *      here                            a worker going to sleep
     *      ----                            -----------------------
     *      enters list and idle_waiters    raises its ended count
     *      FENCE                           FENCE (sleep_unless_needed, npi_worker_leave)
     *      counts                          looks at idle_waiters
     */
    npi_fence_seq_cst();
    np_status status = NP_OK;
    bool idle = npi_executor_is_quiescent(executor);
    if (idle) {
        /* Told meanwhile: the token is ours to take before the stack goes. */
        if (!withdraw(executor, &waiter))
            (void)npi_token_wait(&waiter.token, NPI_NO_DEADLINE);
    } else if (!npi_token_wait(&waiter.token, deadline)) {
        if (withdraw(executor, &waiter))
            status = npi_fail(NP_ERR_TIMEOUT, "tasks are still queued or running");
        else
            (void)npi_token_wait(&waiter.token, NPI_NO_DEADLINE);
    }
    npi_fetch_sub_release(&executor->idle_waiters, 1u);
    return status;
}

np_status np_executor_wait_idle(np_executor *executor, uint64_t timeout_ns)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (npi_worker_of(executor) != NULL)
        return npi_fail(NP_ERR_FROM_WORKER,
                        "np_executor_wait_idle: the calling task would wait for itself");
    return npi_idle_wait(executor, npi_os_deadline(timeout_ns));
}
