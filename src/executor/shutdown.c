/*
 * executor/shutdown.c - the end of an executor: refuse, drain or discard, stop, join, free.
 *
 * Closing takes each lane's lock once: afterwards every submit from outside has either put its task
 * before, and will be counted, or is refused. When nothing is queued or running then, nothing can
 * ever be again, and the workers may go.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "executor/lifecycle.h"

static void close_lanes(np_executor *executor)
{
    npi_store_release(&executor->closed, 1u);
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_inbox *inbox = &executor->nodes[i]->inbox;
        for (uint32_t lane = 0; lane < NPI_LANES; lane++) {
            npi_lock_acquire(&inbox->lane[lane].lock);
            inbox->lane[lane].closed = true;
            npi_lock_release(&inbox->lane[lane].lock);
        }
    }
}

static void discard_queue(np_executor *executor, npi_queue *queue, uint64_t *discarded)
{
    npi_task task;
    while (npi_queue_take(queue, &task)) {
        npi_discard_task(executor, NULL, &task, NP_DISCARD_SHUTDOWN);
        if (task.group != NULL)
            npi_group_end(task.group);
        /* Acq_rel: as end_task in run.c; several shutdown callers may count here. */
        npi_fetch_add_acq_rel(&executor->nodes[npi_meta_home(task.meta)]->outside_discarded,
                              (uint64_t)1);
        (*discarded)++;
    }
}

/* Everything that has not started. Workers hand back what they take from now on themselves. */
static uint64_t discard_queued(np_executor *executor)
{
    uint64_t discarded = 0;
    npi_store_release(&executor->discarding, 1u);
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_inbox *inbox = &executor->nodes[i]->inbox;
        for (uint32_t lane = 0; lane < NPI_LANES; lane++)
            discard_queue(executor, &inbox->lane[lane].queue, &discarded);
    }
    for (uint32_t i = 0; i < executor->seat_count; i++)
        discard_queue(executor, &executor->seats[i]->queue, &discarded);
    return discarded;
}

static uint64_t all_discarded(np_executor *executor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        sum += npi_counter_read(&executor->seats[i]->counters, NP_COUNTER_DISCARDED);
    for (uint32_t i = 0; i < executor->node_count; i++)
        sum += npi_load_relaxed(&executor->nodes[i]->outside_discarded);
    return sum;
}

/* Nothing is queued or running, and nothing can come: the threads go. */
static void stop(np_executor *executor)
{
    npi_store_release(&executor->stopping, 1u);
    npi_seats_notice(executor);
    npi_spares_join(executor);
    for (uint32_t i = 0; i < executor->regular_count; i++) {
        npi_worker *worker = executor->seats[i];
        if (worker->has_thread)
            (void)npi_os_thread_join(&worker->thread);
        worker->has_thread = false;
    }
    /* Guests come back on their own threads; the last one's decrement is its last access. */
    for (;;) {
        uint32_t inside = npi_load_acquire(&executor->guests_inside);
        if (inside == 0)
            break;
        (void)npi_os_futex_wait(&executor->guests_inside, inside, NPI_NO_DEADLINE);
    }
    executor->stopped = true;
}

static np_status shutdown_until(np_executor *executor, uint64_t deadline,
                                np_shutdown_result *result)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (npi_worker_of(executor) != NULL)
        return npi_fail(NP_ERR_FROM_WORKER,
                        "an executor cannot be shut down from one of its own workers");
    npi_lock_acquire(&executor->shutdown_lock);
    if (!executor->stopped) {
        close_lanes(executor);
        status = npi_idle_wait(executor, deadline);
        if (status == NP_ERR_TIMEOUT) {
            uint64_t before = all_discarded(executor);
            (void)discard_queued(executor);
            uint64_t ended = npi_executor_ended(executor);
            uint64_t accepted = npi_executor_accepted(executor);
            if (result != NULL) {
                result->discarded = all_discarded(executor) - before;
                result->running = accepted - ended;
            }
            if (accepted == ended)
                status = NP_OK;
            else
                status = npi_fail(NP_ERR_TIMEOUT,
                                  "shutdown: %llu tasks were still running at the deadline",
                                  (unsigned long long)(accepted - ended));
        }
        if (status == NP_OK)
            stop(executor);
    }
    npi_lock_release(&executor->shutdown_lock);
    return status;
}

np_status np_executor_shutdown(np_executor *executor)
{
    return shutdown_until(executor, NPI_NO_DEADLINE, NULL);
}

np_status np_executor_shutdown_within(np_executor *executor, uint64_t timeout_ns,
                                      np_shutdown_result *result)
{
    if (result != NULL)
        *result = (np_shutdown_result){0, 0};
    return shutdown_until(executor, npi_os_deadline(timeout_ns), result);
}

np_status np_executor_destroy(np_executor *executor)
{
    if (executor == NULL)
        return NP_OK;
    /* In a forked child there are no workers: only memory is left to give back. */
    if (executor->process == npi_os_process_generation()) {
        np_status status = np_executor_shutdown(executor);
        if (status != NP_OK)
            return status;
    }
    npi_executor_free(executor);
    return NP_OK;
}
