/*
 * executor/spare.c - spare workers: threads that step in for workers inside a blocking call.
 *
 * While `blocked` workers of a node are away, as many spares are active; both numbers change
 * together under the seat lock. A spare's thread is started when its seat is first needed and then
 * kept: retired, it sleeps on its seat until it is needed again or the executor stops. The seat's
 * state tells it: EMPTY (sleep), ACTIVE (work), RETIRING (finish the task at hand, then sleep).
 */
#include <string.h>

#include "base/status.h"
#include "executor/lifecycle.h"

static bool retiring(npi_worker *worker, void *context)
{
    (void)context;
    /* Relaxed: a request; its writer gives the token. */
    return npi_load_relaxed(&worker->seat_state) != NPI_SEAT_ACTIVE;
}

/* RETIRING -> EMPTY, unless it was called back meanwhile. */
static bool retire(npi_worker *worker)
{
    npi_lock_acquire(&worker->node->seat_lock);
    bool empty = npi_load_relaxed(&worker->seat_state) != NPI_SEAT_ACTIVE;
    if (empty)
        npi_store_relaxed(&worker->seat_state, (uint32_t)NPI_SEAT_EMPTY);
    npi_lock_release(&worker->node->seat_lock);
    return empty;
}

static void spare_main(void *argument)
{
    npi_worker *worker = argument;
    np_executor *executor = worker->executor;
    npi_tls_worker = worker;
    npi_seat_place(worker);
    npi_fetch_add_acq_rel(&worker->placed, 1u); /* release: what it wrote about itself */
    npi_os_futex_wake(&worker->placed, 1);
    if (worker->start_status != NP_OK)
        return; /* strict hard mode: it must be pinned like the others; start_spare() joins it */
    npi_seat_hook(worker, true);
    while (npi_load_acquire(&executor->stopping) == 0) {
        if (npi_load_relaxed(&worker->seat_state) == NPI_SEAT_ACTIVE) {
            npi_worker_loop(worker, retiring, NULL);
            npi_worker_leave(worker);
            if (!npi_executor_is_forked(executor))
                (void)retire(worker);
        } else if (retire(worker)) {
            /* EMPTY before it sleeps, however it came here: activate() gives no token to a seat
             * that is RETIRING, for that one is still at work. */
            (void)npi_token_wait(&worker->token, NPI_NO_DEADLINE);
        }
    }
    npi_seat_hook(worker, false);
    npi_store_relaxed(&worker->thread_id, (uint64_t)0); /* for inspection only */
    npi_tls_worker = NULL;
}

/* A seat in this state whose worker is not itself inside a blocking call, or NULL; under the seat
 * lock. */
static npi_worker *spare_in_state(npi_node *node, uint32_t state, bool with_thread)
{
    for (uint32_t i = 0; i < node->spares; i++) {
        npi_worker *worker = npi_node_seat(node, node->regular + i);
        if (npi_load_relaxed(&worker->seat_state) == state && worker->has_thread == with_thread &&
            !worker->away)
            return worker;
    }
    return NULL;
}

static np_status start_spare(npi_node *node, npi_worker *worker)
{
    if (npi_load_relaxed(&node->sleepers.limit) <= worker->seat) /* release: the seat is set up */
        npi_store_release(&node->sleepers.limit, worker->seat + 1);
    npi_store_relaxed(&worker->seat_state, (uint32_t)NPI_SEAT_ACTIVE);
    npi_store_relaxed(&worker->placed, 0u);
    np_status status = npi_seat_start_thread(worker, spare_main);
    if (status == NP_OK) {
        while (npi_load_acquire(&worker->placed) == 0) /* pairs with spare_main */
            (void)npi_os_futex_wait(&worker->placed, 0, NPI_NO_DEADLINE);
        if (worker->start_status != NP_OK) {
            status = npi_fail(worker->start_status, "%s", worker->start_detail);
            (void)npi_os_thread_join(&worker->thread);
            worker->has_thread = false;
        }
    }
    if (status != NP_OK)
        npi_store_relaxed(&worker->seat_state, (uint32_t)NPI_SEAT_EMPTY);
    return status;
}

/* Under the seat lock. *give: whose token must be given after it is released. */
static np_status activate(npi_node *node, npi_worker **give)
{
    npi_worker *worker = spare_in_state(node, NPI_SEAT_RETIRING, true);
    *give = NULL;
    if (worker == NULL)
        *give = worker = spare_in_state(node, NPI_SEAT_EMPTY, true);
    if (worker != NULL) {
        npi_store_relaxed(&worker->seat_state, (uint32_t)NPI_SEAT_ACTIVE);
        return NP_OK;
    }
    worker = spare_in_state(node, NPI_SEAT_EMPTY, false);
    if (worker == NULL)
        return npi_fail(NP_ERR_NO_SPARE, "all %u spare workers of NUMA node %d are in use",
                        node->spares, (int)node->id);
    np_status status = start_spare(node, worker);
    if (status != NP_OK)
        return npi_fail_more(NP_ERR_NO_SPARE, "no spare worker for NUMA node %d", (int)node->id);
    return NP_OK;
}

np_status np_blocking_begin(void)
{
    npi_worker *worker = npi_worker_self();
    if (worker == NULL || worker->frame == NULL)
        return NP_OK;
    np_status usable = npi_executor_check(worker->executor);
    if (usable != NP_OK)
        return usable; /* forked inside a task: the other threads are gone, their locks may not be
                        */
    if (worker->blocking_depth++ > 0)
        return NP_OK;
    npi_node *node = worker->node;
    npi_worker *give = NULL;
    npi_lock_acquire(&node->seat_lock);
    np_status status = activate(node, &give);
    if (status == NP_OK) {
        node->blocked++;
        worker->away = true;
    }
    npi_lock_release(&node->seat_lock);
    if (status != NP_OK) {
        worker->blocking_depth--;
        return status;
    }
    npi_count(&worker->counters, NP_COUNTER_BLOCKED, 1);
    if (give != NULL)
        npi_token_give(&give->token);
    /* What this worker keeps to itself would be out of reach while it is away. */
    if (npi_share_children(worker, UINT32_MAX) != 0)
        npi_wake_for_child(node, worker);
    npi_store_relaxed(&worker->activity, (uint32_t)NPI_WORKER_BLOCKED); /* as set_activity */
    return NP_OK;
}

void np_blocking_end(void)
{
    npi_worker *worker = npi_worker_self();
    if (worker == NULL || worker->blocking_depth == 0 || --worker->blocking_depth > 0 ||
        worker->executor->process != npi_os_process_generation())
        return;
    npi_node *node = worker->node;
    npi_store_relaxed(&worker->activity, (uint32_t)NPI_WORKER_AWAKE); /* as set_activity */
    npi_lock_acquire(&node->seat_lock);
    NPI_INVARIANT(node->blocked > 0);
    node->blocked--;
    worker->away = false;
    npi_worker *spare = spare_in_state(node, NPI_SEAT_ACTIVE, true);
    if (spare != NULL)
        npi_store_relaxed(&spare->seat_state, (uint32_t)NPI_SEAT_RETIRING);
    npi_lock_release(&node->seat_lock);
    if (spare != NULL)
        npi_token_give(&spare->token);
}

void npi_spares_join(np_executor *executor)
{
    for (uint32_t i = executor->regular_count; i < executor->seat_count; i++) {
        npi_worker *worker = executor->seats[i];
        if (worker->kind == NP_WORKER_SPARE && worker->has_thread) {
            (void)npi_os_thread_join(&worker->thread);
            worker->has_thread = false;
        }
    }
}
