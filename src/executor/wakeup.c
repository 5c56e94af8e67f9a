/*
 * executor/wakeup.c - who is woken when work appears. The argument why none is lost is in
 * sync/wake.h; this file adds the nodes. Two rules hold whenever nothing is in motion:
 *
 *   at home   if a task is queued at a node and a worker of that node sleeps, one of its workers
 *             is searching;
 *   abroad    if work that may leave lies at a node whose workers are all busy, and a worker of
 *             another node sleeps, then somebody is searching, or, if only the gate holds the work
 *             back, somebody is the gate's watcher (executor->armed) and will ask again within
 *             gate_age_ns.
 *
 * Wakers go by closeness to the work: its home first, then the nearest node with a sleeper. What
 * must wait until its home has a CPU again wakes nobody; then refresh.c wakes all workers there.
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
            npi_fetch_add_relaxed(&node->sleepers.outside_wakes, (uint64_t)1);
        npi_token_give(&npi_node_seat(node, seat)->token);
        return true;
    }
    if (duty)
        npi_wake_next(node, self, false);
    return false;
}

/* True: a worker of the node is looking, or will be in a moment. */
static bool alert(npi_node *node, npi_worker *self)
{
    if (npi_sleepers_searching(&node->sleepers)) {
        /* Partner: the fence in npi_wake_next, which is no heavy one. */
        npi_fence_seq_cst();
        if (npi_sleepers_searching(&node->sleepers))
            return true;
    }
    return wake_one(node, self);
}

/* Somebody for work at `home`, behind the caller's fence. False: nobody who may take it sleeps, or
 * the gate's watcher will ask again in time. */
static bool wake_near(npi_node *home, bool may_leave, bool gated, npi_worker *self)
{
    np_executor *executor = home->executor;
    if (alert(home, self))
        return true;
    np_steal_policy policy = executor->settings.public_options.steal_policy;
    if (!may_leave || npi_load_relaxed(&executor->sleeping) == 0)
        return false;
    if (gated && policy != NP_STEAL_ANY && npi_load_relaxed(&executor->armed) != 0 &&
        !npi_gate_backlog(home))
        return false;
    /* Workers in exile take nothing from elsewhere. Who is searching or woken while its node goes
     * passes it on (sleep_unless_needed, npi_wake_next). */
    for (uint32_t place = 1; place < home->reach; place++)
        if (npi_node_state(home->order[place]) == NPI_NODE_HERE && alert(home->order[place], self))
            return true;
    return false;
}

void npi_wake_for_task(npi_node *home, np_task_affinity affinity, npi_worker *self)
{
    /* Partners: the heavy fence between entering the set and looking (sleep_unless_needed), which
     * follows the raise of `sleeping`; and that of disarm. */
    npi_fence_light();
    if (__builtin_expect(npi_load_relaxed(&home->executor->sleeping) == 0, 1))
        return;
    /* Partner: the heavy fence in refresh.c between the node's return and the wake-up of all its
     * workers. */
    if (__builtin_expect((npi_node_kinds(home) >> affinity & 1) == 0, 0))
        return;
    (void)wake_near(home, affinity != NP_AFFINITY_STRICT, affinity == NP_AFFINITY_PREFERRED, self);
}

void npi_wake_for_child(npi_node *home, npi_worker *self)
{
    /* Partner: the heavy fence of sleep_unless_needed, as above. */
    npi_fence_light();
    if (npi_load_relaxed(&home->executor->sleeping) == 0)
        return;
    (void)wake_near(home, !self->deque_local, false, self);
}

void npi_wake_next(npi_node *node, npi_worker *self, bool bare)
{
    np_executor *executor = node->executor;
    /* Partner: the fence in alert, of a waker that saw `searching` raised and left the work to us.
     */
    npi_fence_seq_cst();
    /* Several may have left us work, each of another kind and place: what lies at one node and
     * finds nobody must not hide what lies at the next. Who is woken looks at all of it again. */
    for (uint32_t place = 0; place < node->reach; place++) {
        if (npi_load_relaxed(&executor->sleeping) == 0)
            return;
        npi_look look = npi_sources_look_at(node, place, bare ? self : NULL);
        if (look.kind == NPI_LOOK_NOTHING ||
            (look.kind == NPI_LOOK_REFUSED && npi_load_relaxed(&executor->armed) != 0))
            continue;
        if (wake_near(look.at, look.may_leave, look.gated, self))
            return;
    }
}
