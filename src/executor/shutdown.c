/*
 * executor/shutdown.c - the end of an executor: refuse, drain or discard, stop, join, free.
 *
 * Closing shuts the door of each lane (inbox.h): afterwards every submit from outside has either
 * put its task before, and will be counted, or is refused. When nothing is queued or running then,
 * nothing can ever be again, and the workers may go.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "executor/lifecycle.h"

static void close_lanes(np_executor *executor)
{
    npi_store_release(&executor->closed, 1u);
    npi_fence_heavy(); /* partner: npi_lane_begin and npi_lane_end */
    for (uint32_t i = 0; i < executor->node_count; i++)
        npi_inbox_close(&executor->nodes[i]->inbox);
}

/* What is in it now (a lane of `inbox`, or NULL); a task that goes on submitting must not keep us
 * here. */
static void discard_queue(np_executor *executor, npi_queue *queue, npi_inbox *inbox)
{
    npi_task task;
    for (uint64_t left = npi_queue_depth(queue); left > 0 && npi_queue_take(queue, &task); left--) {
        if (inbox != NULL && inbox->capacity != 0)
            npi_room_leave(inbox, 1);
        npi_discard_task(executor, NULL, &task, NP_DISCARD_SHUTDOWN);
        if (task.group != NULL)
            npi_group_end(task.group);
        /* Acq_rel: as end_task in run.c; several shutdown callers may count here. */
        npi_fetch_add_acq_rel(&executor->nodes[npi_meta_home(task.meta)]->outside_discarded,
                              (uint64_t)1);
    }
}

/* Everything that has not started. Workers hand back what they take from now on themselves. */
static void discard_queued(np_executor *executor)
{
    (void)npi_fetch_or_acq_rel(&executor->attention, (uint32_t)NPI_ATTENTION_DISCARD);
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_inbox *inbox = &executor->nodes[i]->inbox;
        for (uint32_t lane = 0; lane < npi_inbox_lanes(inbox); lane++)
            discard_queue(executor, &inbox->list[lane]->queue, inbox);
    }
    for (uint32_t i = 0; i < executor->seat_count; i++)
        discard_queue(executor, &executor->seats[i]->queue, NULL);
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

/* Nothing is queued or running, and nothing can come: the threads go. Several may have waited for
 * that; the first one here ends it, the others wait for it. */
static void stop(np_executor *executor)
{
    npi_lock_acquire(&executor->shutdown_lock);
    if (!executor->stopped) {
        npi_refresh_stop(executor);
        npi_watcher_stop(executor);
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
        npi_watchdog_stop(executor);
        executor->stopped = true;
    }
    npi_lock_release(&executor->shutdown_lock);
}

static np_status give_up(np_executor *executor, np_shutdown_result *result)
{
    uint64_t before = all_discarded(executor);
    discard_queued(executor);
    npi_idle_check(executor); /* others may wait for the same, and this was no worker */
    uint64_t ended = npi_executor_ended(executor); /* before the accepted ones, see idle.c */
    uint64_t running = npi_executor_accepted(executor) - ended;
    if (result != NULL) {
        result->discarded = all_discarded(executor) - before;
        result->running = running;
    }
    if (running == 0)
        return NP_OK;
    return npi_fail(NP_ERR_TIMEOUT, "shutdown: %llu tasks were still running at the deadline",
                    (unsigned long long)running);
}

/* No lock is held while it waits: each of several callers keeps to its own deadline. */
static np_status shutdown_until(np_executor *executor, uint64_t deadline,
                                np_shutdown_result *result)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (npi_worker_of(executor) != NULL)
        return npi_fail(NP_ERR_FROM_WORKER,
                        "an executor cannot be shut down from one of its own workers");
    if (npi_watchdog_is_self(executor))
        return npi_fail(NP_ERR_FROM_WORKER,
                        "an executor cannot be shut down by its watchdog's thread, which waits for "
                        "the diagnostic handler");
    close_lanes(executor);
    npi_refresh_closed(executor);
    status = npi_idle_wait(executor, deadline);
    if (status == NP_ERR_TIMEOUT)
        status = give_up(executor, result);
    if (npi_executor_is_forked(executor))
        return npi_executor_check(executor); /* by a discard callback; only the parent goes on */
    if (status == NP_OK)
        stop(executor);
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
    if (npi_executor_is_forked(executor)) {
        if (npi_worker_of(executor) != NULL)
            return npi_fail(NP_ERR_FROM_WORKER, "the process was forked inside a task, which would "
                                                "return into the executor's memory");
    } else {
        np_status status = np_executor_shutdown(executor);
        if (status != NP_OK)
            return status;
    }
    npi_executor_free(executor);
    return NP_OK;
}
