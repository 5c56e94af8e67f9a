/*
 * executor/wakeup.c - who is woken when work appears. The argument why none is lost is in
 * sync/wake.h; this file adds the nodes. Two rules hold whenever nothing is in motion:
 *
 *   at home   if a task is queued at a node and a worker of that node sleeps, one of its workers is
 * searching; abroad    if work that may leave lies at a node whose workers are all busy, and a
 * worker of another node sleeps, then somebody is searching, or, if only the gate holds the work
 * back, somebody is the gate's watcher (executor->armed) and will ask again within gate_age_ns.
 *
 * Wakers go by closeness to the work: its home first, then the nearest node with a sleeper.
 */
#include "executor/executor.h"

static bool wake_one(npi_node *node, npi_worker *self)
{
    bool duty;
    uint32_t seat = npi_sleepers_claim(&node->sleepers, &duty);
    if (seat != NPI_SLEEPER_NONE) {
        /* Relaxed: a count of sleepers, used as a hint behind the fences of its readers. */
        npi_fetch_add_relaxed(&node->executor->sleeping, UINT32_MAX);
        if (self != NULL)
            npi_count(&self->counters, NP_COUNTER_WAKES, 1);
        else
            npi_fetch_add_relaxed(&node->outside_wakes, (uint64_t)1);
        npi_token_give(&npi_node_seat(node, seat)->token);
        return true;
    }
    if (duty)
        npi_wake_next(node, self);
    return false;
}

/* Somebody for work at `home`, behind the caller's fence. */
static void wake_near(npi_node *home, bool may_leave, bool gated, npi_worker *self)
{
    np_executor *executor = home->executor;
    if (npi_sleepers_searching(&home->sleepers) || wake_one(home, self))
        return;
    np_steal_policy policy = executor->settings.public_options.steal_policy;
    if (!may_leave || policy == NP_STEAL_LOCAL_ONLY || home->order_count == 1 ||
        npi_load_relaxed(&executor->sleeping) == 0)
        return;
    if (gated && policy != NP_STEAL_ANY && npi_load_relaxed(&executor->armed) != 0 &&
        !npi_gate_backlog(home))
        return; /* the watcher asks again in time */
    for (uint32_t i = 1; i < home->order_count; i++) {
        npi_node *node = home->order[i];
        if (npi_sleepers_searching(&node->sleepers) || wake_one(node, self))
            return;
    }
}

void npi_wake_for_task(npi_node *home, np_task_affinity affinity, npi_worker *self)
{
    /* Partner: the fence in npi_worker_search between entering the set and looking. */
    npi_fence_seq_cst();
    wake_near(home, affinity != NP_AFFINITY_STRICT, affinity == NP_AFFINITY_PREFERRED, self);
}

void npi_wake_for_child(npi_node *home, npi_worker *self)
{
    /* Partner: as above. */
    npi_fence_seq_cst();
    wake_near(home, !self->deque_local, false, self);
}

void npi_wake_next(npi_node *node, npi_worker *self)
{
    /* Partner: the fence of a waker that saw `searching` raised and left the work to us. */
    npi_fence_seq_cst();
    if (npi_load_relaxed(&node->executor->sleeping) == 0)
        return;
    npi_look look = npi_sources_look(node);
    if (look.kind == NPI_LOOK_WORK)
        wake_near(look.at, look.may_leave, look.gated, self);
    else if (look.kind == NPI_LOOK_REFUSED && npi_load_relaxed(&node->executor->armed) == 0)
        wake_near(look.at, true, true, self);
}
