/*
 * executor/worker.c - what a worker does: take work, run it, look for more, sleep.
 *
 * npi_worker_search is the one place where a worker of any kind looks for work beyond its own
 * node's queues and goes to sleep: at the top of its loop, in a join, in a group wait. It ends with
 * work or with the caller's `until`. Runs on the worker's own thread. The protocol with the wakers
 * is drawn in sync/wake.h.
 */
#include "base/status.h"
#include "executor/executor.h"

static void set_activity(npi_worker *worker, npi_worker_state state)
{
    npi_store_relaxed(&worker->activity, (uint32_t)state); /* for snapshots and hungry thieves */
}

/* Out of `searching`, with work or without: the last one makes sure that nothing was left to it.
 * What it found is no longer in a queue of its own (npi_find_anywhere takes from those first, and
 * looked there until they were empty before the search began). Only under LOCAL_ONLY its queue may
 * hold tasks: they waited there for its node to come back, and siblings that looked sooner passed
 * over the queue of one asleep. */
static void stop_searching(npi_worker *worker)
{
    if (npi_sleepers_search_end(&worker->node->sleepers))
        npi_wake_next(worker->node, worker, npi_queue_is_empty(&worker->queue));
    /*
     * Sleepers asked only those who were busy then: from now on this worker is one of them.
     *
     *      here                        a worker going to sleep
     *      ----                        -----------------------
     *      AWAKE (leave_set)           raises `sleeping`
     *      FENCE (light)               FENCE (heavy)
     *      looks at `sleeping`         asks those who are AWAKE (npi_sources_look)
     */
    npi_fence_light();
    if (npi_load_relaxed(&worker->executor->sleeping) != 0)
        npi_deque_ask(&worker->deque);
}

/* The watcher of the gate goes: others rely on `armed`, so it is lowered before anything is looked
 * at again. */
static void disarm(npi_worker *worker)
{
    if (!worker->armed)
        return;
    worker->armed = false;
    npi_store_release(&worker->executor->armed, 0u);
    /* Partner: the fence in npi_wake_for_task. A submitter that still saw us armed made its
     * task findable before; the look that follows sees it. */
    npi_fence_heavy();
}

/*
 * Sleeps as the gate's watcher, for a part of gate_age_ns, when something was refused, and a few
 * times longer: without a watcher the next submit to a busy home wakes somebody to become it, and
 * while work comes in bursts that would be a wake-up for each.
 */
#define WATCH_ON 4u

static uint64_t arm(npi_worker *worker, const npi_look *look, uint64_t deadline)
{
    if (look->kind == NPI_LOOK_REFUSED)
        worker->watch = WATCH_ON;
    else if (worker->watch == 0)
        return deadline;
    uint32_t expected = 0;
    worker->watch--;
    if (npi_load_relaxed(&worker->executor->armed) != 0 ||
        !npi_cas_acq_rel(&worker->executor->armed, &expected, 1u))
        return deadline;
    worker->armed = true;
    uint64_t again = npi_os_deadline(worker->executor->settings.gate_age_ns / 4);
    return again < deadline ? again : deadline;
}

/* Takes the worker out of the set after its sleep, or instead of it. Either way it is `searching`
 * afterwards. */
static void leave_set(npi_worker *worker)
{
    if (npi_sleepers_leave(&worker->node->sleepers, worker->seat)) {
        npi_fetch_add_relaxed(&worker->executor->sleeping, UINT32_MAX);
        npi_sleepers_search_begin(&worker->node->sleepers);
    } /* else a waker has claimed it, and raised `searching` and lowered `sleeping` for it */
    set_activity(worker, NPI_WORKER_AWAKE);
}

/* True when it slept to the end of `deadline`. */
static bool sleep_unless_needed(npi_worker *worker, npi_until_fn until, void *context,
                                uint64_t deadline)
{
    np_executor *executor = worker->executor;
    npi_sleepers *sleepers = &worker->node->sleepers;
    set_activity(worker, NPI_WORKER_PARKED);
    /* Raised before it can be claimed, and so lowered: the sum never falls below those asleep. */
    npi_fetch_add_relaxed(&executor->sleeping, 1u);
    /* Others pass over a seat in the set: it has nothing that they could take (npi_sleepers_awake).
     */
    NPI_CHECK(npi_queue_is_empty(&worker->queue) ||
              executor->settings.public_options.steal_policy == NP_STEAL_LOCAL_ONLY);
    NPI_CHECK(!npi_deque_has_shared(&worker->deque, true));
    npi_sleepers_enter(sleepers, worker->seat);
    (void)npi_sleepers_search_end(sleepers); /* it looks below, whether last or not */
    /* Partners: the fences of npi_wake_for_task, npi_wake_for_child, npi_wake_next; and that of
     * npi_idle_wait. */
    npi_fence_heavy();
    npi_look look = npi_sources_look(worker->node, worker);
    bool late = false;
    if (look.kind == NPI_LOOK_WORK)
        worker->spin.now_ns = worker->spin.longest_ns; /* it came sooner than the sleep */
    if (look.kind != NPI_LOOK_WORK && !until(worker, context)) {
        if (npi_node_state(worker->node) != NPI_NODE_HERE)
            npi_wake_next(worker->node, worker, true); /* it may have been relied on for others' */
        if (npi_load_relaxed(&executor->idle_waiters) != 0)
            npi_idle_check(executor);
        if (look.kind == NPI_LOOK_NOTHING)
            npi_trim(worker);
        uint64_t end = arm(worker, &look, deadline);
        npi_count(&worker->counters, NP_COUNTER_PARKS, 1);
        late = !npi_token_wait(&worker->token, end) && end == deadline;
        npi_find_prefetch(worker);
    }
    leave_set(worker);
    disarm(worker);
    return late;
}

/* --- looking before sleeping -------------------------------------------------------------------
 *
 * Spinning pays when the next task comes sooner than a sleep and its wake-up take; otherwise it
 * burns CPU and, worse, the right to preempt the submitter when it is woken. Which of the two is
 * the case each worker learns for itself: in vain, and the next spin is half as long, down to none;
 * with success, and it is as long as the option allows again. Having stopped, it tries again once
 * in TRY_AGAIN sleeps. No more than node->spinners workers of a node spin at a time.
 */
#define SPIN_LEAST_NS 400u
#define TRY_AGAIN     32u

static uint32_t spin_budget(npi_worker *worker)
{
    npi_spin *spin = &worker->spin;
    if (spin->longest_ns == 0 ||
        npi_sleepers_searchers(&worker->node->sleepers) > worker->node->spinners)
        return 0;
    if (spin->now_ns == 0 && ++spin->asleep % TRY_AGAIN == 0)
        return spin->longest_ns;
    return spin->now_ns;
}

static void spin_learn(npi_spin *spin, bool paid)
{
    if (paid)
        spin->now_ns = spin->longest_ns;
    else
        spin->now_ns = spin->now_ns / 2 < SPIN_LEAST_NS ? 0 : spin->now_ns / 2;
}

/* Pollers look into their own inbox so often for once that they look everywhere. */
#define LOOKS_AT_HOME 8u

/* NP_SPIN_BUSY: never sleeps, so it does here what others do on their way to sleep. */
static npi_found spin_for_ever(npi_worker *worker, npi_until_fn until, void *context,
                               uint64_t deadline, npi_work *out)
{
    np_executor *executor = worker->executor;
    for (uint32_t look = 0;; look++) {
        npi_found found = NPI_FOUND_NOTHING;
        if (look % LOOKS_AT_HOME == 0)
            found = npi_find_anywhere(worker, out);
        else if (npi_find_inbox(worker, &out->task))
            found = NPI_FOUND_TASK;
        if (found != NPI_FOUND_NOTHING || until(worker, context))
            return found;
        /* No fence: it looks again and again. */
        if (npi_load_relaxed(&executor->idle_waiters) != 0)
            npi_idle_check(executor);
        if (deadline != NPI_NO_DEADLINE && npi_os_now() >= deadline)
            return NPI_FOUND_NOTHING;
        npi_cpu_relax();
    }
}

static npi_found spin_for_work(npi_worker *worker, npi_until_fn until, void *context, npi_work *out)
{
    npi_found found = npi_find_anywhere(worker, out);
    uint32_t budget = found == NPI_FOUND_NOTHING ? spin_budget(worker) : 0;
    if (budget == 0)
        return found;
    uint64_t end = npi_os_now() + budget;
    do {
        for (unsigned i = 0; i < 2; i++)
            npi_cpu_relax();
        if (until(worker, context))
            return NPI_FOUND_NOTHING;
        found = npi_find_anywhere(worker, out);
    } while (found == NPI_FOUND_NOTHING && npi_os_now() < end);
    spin_learn(&worker->spin, found != NPI_FOUND_NOTHING);
    return found;
}

/* A wait that may run nothing: sleeps on the token alone, outside the set of sleepers. */
static void wait_alone(npi_worker *worker, npi_until_fn until, void *context, uint64_t deadline)
{
    set_activity(worker, NPI_WORKER_BLOCKED);
    while (!until(worker, context))
        if (!npi_token_wait(&worker->token, deadline))
            break;
    set_activity(worker, NPI_WORKER_AWAKE);
}

npi_found npi_worker_search(npi_worker *worker, npi_until_fn until, void *context,
                            uint64_t deadline, bool alone, npi_work *out)
{
    if (alone) {
        wait_alone(worker, until, context, deadline);
        return NPI_FOUND_NOTHING;
    }
    npi_count(&worker->counters, NP_COUNTER_SEARCHES, 1);
    npi_sleepers_search_begin(&worker->node->sleepers);
    npi_found found = NPI_FOUND_NOTHING;
    /* In exile it has no CPU to burn. */
    if (worker->spin.longest_ns == NP_SPIN_BUSY && !npi_node_is_gone(worker->node)) {
        found = spin_for_ever(worker, until, context, deadline, out);
        stop_searching(worker);
        return found;
    }
    while (!until(worker, context)) {
        found = spin_for_work(worker, until, context, out);
        if (found != NPI_FOUND_NOTHING || until(worker, context) ||
            sleep_unless_needed(worker, until, context, deadline) || until(worker, context))
            break;
        if (npi_find_inbox(worker, &out->task)) {
            found = NPI_FOUND_TASK;
            break;
        }
    }
    stop_searching(worker);
    return found;
}

void npi_worker_run_found(npi_worker *worker, npi_found found, npi_work *work)
{
    if (found == NPI_FOUND_TASK)
        npi_run_task(worker, &work->task);
    else if (found == NPI_FOUND_CHILD)
        npi_run_stolen_child(worker, work->child, work->owner);
}

/* --- the loop -----------------------------------------------------------------------------------
 *
 * In stretches: one ends when the executor stops, when the node goes or is back (its state is then
 * no longer what it was at the beginning), or when the seat is told to.
 */
typedef struct stretch {
    npi_until_fn told; /* NULL: never */
    void *context;
    uint32_t state;
} stretch;

static bool is_over(npi_worker *worker, void *context)
{
    const stretch *s = context;
    return npi_node_state(worker->node) != s->state ||
           (s->told != NULL && s->told(worker, s->context));
}

/* The same for a worker at home that nobody tells anything: asked so often that it counts. */
static bool is_over_at_home(npi_worker *worker, void *context)
{
    (void)context;
    return npi_node_state(worker->node) != NPI_NODE_HERE;
}

static void work_at_home(npi_worker *worker, npi_until_fn told, void *context)
{
    npi_work work;
    stretch s = {told, context, NPI_NODE_HERE};
    npi_until_fn over = told == NULL ? is_over_at_home : is_over;
    while (npi_node_state(worker->node) == NPI_NODE_HERE &&
           (told == NULL || !told(worker, context))) {
        if (npi_find_local(worker, &work.task)) {
            npi_run_task(worker, &work.task);
            continue;
        }
        if (worker->prey.node != NULL && npi_find_again(worker, &work.task)) {
            npi_run_task(worker, &work.task);
            continue;
        }
        npi_found found = npi_worker_search(worker, over, &s, NPI_NO_DEADLINE, false, &work);
        npi_worker_run_found(worker, found, &work);
    }
}

static __attribute__((noinline, cold)) void work_in_exile(npi_worker *worker, stretch *s)
{
    npi_work work;
    while (!is_over(worker, s)) {
        npi_found found = npi_find_anywhere(worker, &work);
        if (found == NPI_FOUND_NOTHING)
            found = npi_worker_search(worker, is_over, s, NPI_NO_DEADLINE, false, &work);
        npi_worker_run_found(worker, found, &work);
    }
}

void npi_worker_loop(npi_worker *worker, npi_until_fn until, void *context)
{
    set_activity(worker, NPI_WORKER_AWAKE);
    for (;;) {
        stretch s = {until, context, npi_node_state(worker->node)};
        if (s.state == NPI_NODE_STOPPING || (until != NULL && until(worker, context)))
            return;
        if (s.state == NPI_NODE_HERE)
            work_at_home(worker, until, context);
        else
            work_in_exile(worker, &s);
    }
}

static bool help(npi_worker *worker, npi_until_fn until, void *context, uint64_t deadline,
                 bool alone)
{
    npi_work work;
    while (!until(worker, context)) {
        if (npi_worker_is_orphan(worker))
            return false;
        if (deadline != NPI_NO_DEADLINE && npi_os_now() >= deadline)
            return until(worker, context);
        npi_found found = NPI_FOUND_NOTHING;
        if (!alone && npi_find_own_child(worker, &work))
            found = NPI_FOUND_CHILD;
        else if (!alone && npi_node_state(worker->node) == NPI_NODE_HERE &&
                 npi_find_local(worker, &work.task))
            found = NPI_FOUND_TASK;
        else
            found = npi_worker_search(worker, until, context, deadline, alone, &work);
        npi_worker_run_found(worker, found, &work);
    }
    return true;
}

/*
 * Tasks that wait pile up: each runs the next on top of itself. With half of the stack used up a
 * spare worker goes on instead, on a stack of its own. If there is none the pile grows, into the
 * part that the tasks themselves were to have; at its very end the worker waits and runs nothing:
 * likely enough others do what it waits for, while to go on is certain to end the process.
 */
static bool help_deep_down(npi_worker *worker, npi_until_fn until, void *context, uint64_t deadline)
{
    if (np_blocking_begin() == NP_OK) {
        bool in_time = help(worker, until, context, deadline, true);
        np_blocking_end();
        return in_time;
    }
    bool alone = npi_os_stack_here() < worker->deepest;
    if (alone)
        npi_diagnose(NP_SEVERITY_WARNING,
                     "worker %u of NUMA node %d: so many tasks wait inside each other that its "
                     "stack is full; there is no spare worker",
                     worker->index, (int)worker->node->id);
    return help(worker, until, context, deadline, alone);
}

bool npi_worker_help(npi_worker *worker, npi_until_fn until, void *context, uint64_t deadline,
                     bool alone)
{
    if (npi_worker_is_orphan(worker))
        return until(worker, context);
    /* Its own children first: shared, so that it can take the oldest itself and others help. They
     * stay shared, whatever runs on top of them (npi_deque_reclaim). */
    if (npi_share_children(worker, UINT32_MAX) != 0)
        npi_wake_for_child(worker->node, worker);
    if (!alone && npi_os_stack_here() < worker->deep && worker->frame != NULL &&
        !until(worker, context))
        return help_deep_down(worker, until, context, deadline);
    return help(worker, until, context, deadline, alone);
}

void npi_worker_leave(npi_worker *worker)
{
    NPI_INVARIANT(npi_deque_is_empty(&worker->deque));
    set_activity(worker, NPI_WORKER_ABSENT);
    if (npi_executor_is_forked(worker->executor))
        return;
    /* What it submitted to its own queue stays findable for its siblings; somebody must look. */
    if (!npi_queue_is_empty(&worker->queue))
        npi_wake_for_task(worker->node, NP_AFFINITY_PREFERRED, worker);
    /* Partner: the fence in npi_idle_wait: it may have been the last one busy. */
    npi_fence_seq_cst();
    if (npi_load_relaxed(&worker->executor->idle_waiters) != 0)
        npi_idle_check(worker->executor);
}
