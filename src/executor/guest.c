/*
 * executor/guest.c - a caller's own thread as a worker for a while.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "executor/lifecycle.h"

struct np_leave {
    uint32_t process; /* constant: npi_os_process_generation() of the maker */
    npi_lock lock;
    np_atomic(uint32_t) pulled; /* written under the lock, read by the guest without it */
    npi_worker *worker;         /* by lock: the seat of the thread inside np_worker_run, or NULL */
};

np_status np_leave_create(np_leave **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_leave_create: out is NULL");
    np_leave *leave = npi_alloc(sizeof *leave, 0);
    *out = leave;
    if (leave == NULL)
        return npi_fail_memory(sizeof *leave, "a leave token");
    leave->process = npi_os_process_generation();
    npi_lock_init(&leave->lock);
    npi_atomic_init(&leave->pulled, 0u);
    return NP_OK;
}

void np_leave_now(np_leave *leave)
{
    if (leave == NULL || leave->process != npi_os_process_generation())
        return; /* forked: the lock may be held by a thread that is gone, and nobody is inside */
    npi_lock_acquire(&leave->lock);
    npi_store_release(&leave->pulled, 1u);
    /* Under the lock: the guest takes its seat out of the struct before it goes. */
    if (leave->worker != NULL)
        npi_token_give(&leave->worker->token);
    npi_lock_release(&leave->lock);
}

void np_leave_destroy(np_leave *leave)
{
    if (leave == NULL)
        return;
    if (leave->process == npi_os_process_generation()) {
        /* Through the lock: somebody may still be inside np_leave_now. */
        npi_lock_acquire(&leave->lock);
        npi_lock_release(&leave->lock);
    }
    npi_free(leave, sizeof *leave);
}

/* One thread at a time: whoever pulls knows one token to give. */
static np_status connect(np_leave *leave, npi_worker *worker)
{
    if (leave == NULL)
        return NP_OK;
    npi_lock_acquire(&leave->lock);
    bool taken = leave->worker != NULL;
    if (!taken)
        leave->worker = worker;
    npi_lock_release(&leave->lock);
    return taken ? npi_fail(NP_ERR_BUSY, "np_worker_run: another thread is inside with this token")
                 : NP_OK;
}

static void disconnect(np_leave *leave)
{
    if (leave == NULL)
        return;
    npi_lock_acquire(&leave->lock);
    leave->worker = NULL;
    npi_lock_release(&leave->lock);
}

static bool told_to_leave(npi_worker *worker, void *context)
{
    np_leave *leave = context;
    (void)worker;
    /* Acquire: pairs with np_leave_now. */
    return leave != NULL && npi_load_acquire(&leave->pulled) != 0;
}

static np_status take_seat(np_executor *executor, np_node_id id, npi_worker **out)
{
    np_node_index index = np_topology_node_index(executor->topology, id);
    if (index == NP_NODE_INDEX_NONE)
        return npi_topology_no_node(executor->topology, NULL, id);
    npi_node *node = executor->nodes[index];
    if (node->regular == 0)
        return npi_fail(NP_ERR_NODE_HAS_NO_WORKER, "NUMA node %d has no worker in this executor",
                        (int)id);
    npi_lock_acquire(&node->seat_lock);
    npi_worker *seat = NULL;
    for (uint32_t i = 0; i < node->guests && seat == NULL; i++) {
        npi_worker *candidate = npi_node_seat(node, node->regular + node->spares + i);
        if (npi_load_relaxed(&candidate->seat_state) == NPI_SEAT_EMPTY)
            seat = candidate;
    }
    if (seat != NULL) {
        npi_store_relaxed(&seat->seat_state, (uint32_t)NPI_SEAT_ACTIVE);
        if (npi_load_relaxed(&node->sleepers.limit) <= seat->seat) /* release: the seat is set up */
            npi_store_release(&node->sleepers.limit, seat->seat + 1);
    }
    npi_lock_release(&node->seat_lock);
    *out = seat;
    if (seat == NULL)
        return npi_fail(NP_ERR_LIMIT, "all %u guest seats of NUMA node %d are taken", node->guests,
                        (int)id);
    return NP_OK;
}

static void leave_seat(npi_worker *worker)
{
    npi_lock_acquire(&worker->node->seat_lock);
    npi_store_relaxed(&worker->seat_state, (uint32_t)NPI_SEAT_EMPTY);
    npi_store_relaxed(&worker->thread_id, (uint64_t)0);
    npi_lock_release(&worker->node->seat_lock);
}

static void work(npi_worker *worker, np_leave *leave)
{
    npi_tls_worker = worker;
    npi_seat_place(worker);
    npi_seat_hook(worker, true);
    npi_worker_loop(worker, told_to_leave, leave);
    npi_worker_leave(worker);
    npi_seat_hook(worker, false);
    npi_tls_worker = NULL;
}

np_status np_worker_run(np_executor *executor, np_node_id node, np_leave *leave)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (npi_worker_self() != NULL)
        return npi_fail(NP_ERR_FROM_WORKER,
                        "np_worker_run: the calling thread is a worker already");
    /* Counted before `closed` is read, so that a shutdown that does not see us is seen by us
     * (stop() reads after its store; both sides are behind a fence). */
    npi_fetch_add_acq_rel(&executor->guests_inside, 1u);
    npi_fence_seq_cst();
    npi_worker *worker = NULL;
    if (npi_load_acquire(&executor->closed) != 0)
        status = npi_fail(NP_ERR_SHUT_DOWN, "the executor is shut down or shutting down");
    else
        status = take_seat(executor, node, &worker);
    if (status == NP_OK) {
        status = connect(leave, worker);
        if (status == NP_OK) {
            work(worker, leave);
            if (npi_executor_is_forked(executor))
                return npi_executor_check(executor);
            disconnect(leave);
        }
        leave_seat(worker);
    }
    /* The last access to the executor; the wake uses the address only. */
    if (npi_fetch_sub_acq_rel(&executor->guests_inside, 1u) == 1)
        npi_os_futex_wake(&executor->guests_inside, UINT32_MAX);
    return status;
}
