/*
 * executor/fork.c - fork and join on the calling worker's deque: the plain form, and the slow
 * halves of the fast form (numaperf/fast.h).
 *
 * The common case touches nothing shared: while an older child is in sight of thieves, a child is
 * pushed to the private part, popped and called. Shared are the first child, so that a thief finds
 * something, and half of the private ones when somebody has asked (hungry). Whenever something is
 * shared, one of those who sleep and may take it is woken.
 */
#include <numaperf/fast.h>

#include "base/status.h"
#include "executor/group_internal.h"

_Static_assert(offsetof(struct np_worker, deque) == 0,
               "numaperf/fast.h takes a worker for its deque");

/* --- sharing --------------------------------------------------------------------------------- */

uint32_t npi_share_children(npi_worker *worker, uint32_t count)
{
    npi_deque *deque = &worker->deque;
    npi_child *first = deque->slots + deque->split;
    uint32_t most = npi_deque_private(deque);
    if (count > most)
        count = most;
    /* The youngest first, because the levels begin with the innermost. */
    const npi_level *level = worker->level;
    for (uint32_t i = count; i-- > 0;) {
        while (first + i < level->base)
            level = level->outer;
        npi_plain_set(&first[i].frame, (const void *)level->frame);
    }
    return npi_deque_publish(deque, count);
}

/* Shares something: the first child in sight, and half of them all if somebody asked. Wakes who
 * sleeps, asked or not: a question may come just too late for us to hear it, and may have been
 * answered by a strict task, whose children were not for the one who asked. */
static __attribute__((noinline)) void feed(npi_worker *worker)
{
    npi_deque *deque = &worker->deque;
    if (npi_deque_private(deque) == 0)
        return; /* whoever asked sleeps on: the question stands until there is an answer */
    bool asked = npi_load_relaxed(&deque->hungry) != 0;
    uint32_t count = npi_deque_shows_none(deque) ? 1 : 0;
    if (asked) {
        npi_store_relaxed(&deque->hungry, 0u); /* thieves that find nothing ask again */
        count = (npi_deque_private(deque) + 1) / 2;
    }
    if (npi_share_children(worker, count) != 0)
        npi_wake_for_child(worker->node, worker);
}

static inline bool is_asked(npi_worker *worker)
{
    /* Relaxed: a request, publishes nothing. */
    return npi_load_relaxed(&worker->deque.hungry) != 0;
}

/* --- children on top of a full deque --------------------------------------------------------- */

static bool overflow_pop(npi_worker *worker)
{
    npi_deque *deque = &worker->deque;
    if (deque->overflow == worker->base_overflow)
        return false;
    npi_deque_set_overflow(deque, deque->overflow - 1);
    return true;
}

/* Runs the child of a plain fork at once; what it leaves unjoined has been run as well. One that
 * joins too much ends children of its parent's: then the deque is no longer full, nothing lies on
 * top of it, and it is the parent's joins that find nothing. */
static void overflow_run(npi_worker *worker, np_task_fn fn, void *argument)
{
    npi_deque *deque = &worker->deque;
    uint32_t before = deque->overflow;
    fn(argument);
    npi_deque_set_overflow(deque, npi_deque_is_full(deque) ? before + 1 : 0);
}

/* --- fork ------------------------------------------------------------------------------------ */

static __attribute__((noinline)) void plain_fork_slow(npi_worker *worker, np_task_fn fn,
                                                      void *argument)
{
    if (worker == NULL || worker->frame == NULL) {
        fn(argument);
        return;
    }
    npi_deque *deque = &worker->deque;
    bool pushed = npi_deque_push(deque, NULL, fn, (uintptr_t)argument);
    if (npi_deque_shows_none(deque) || is_asked(worker))
        feed(worker);
    if (!pushed)
        overflow_run(worker, fn, argument);
}

void np_fork(np_task_fn fn, void *argument)
{
    npi_worker *worker = npi_worker_self();
    npi_child *child;
    if (__builtin_expect(worker == NULL, 0) ||
        __builtin_expect((child = worker->deque.head) >= worker->deque.limit, 0) ||
        __builtin_expect(is_asked(worker), 0)) {
        plain_fork_slow(worker, fn, argument);
        return;
    }
    npi_plain_set(&child->fast, (np_fast_fn)NULL);
    npi_plain_set(&child->plain, fn);
    npi_plain_set(&child->argument, (uintptr_t)argument);
    worker->deque.head = child + 1;
}

void np_fast_fork_slow_1(np_worker *worker, np_fast_fn fn, uintptr_t argument)
{
    npi_deque *deque = &worker->deque;
    if (!npi_deque_push(deque, fn, NULL, argument))
        npi_deque_set_overflow(deque, deque->overflow + 1); /* its join calls it */
    if (npi_deque_shows_none(deque) || is_asked(worker))
        feed(worker);
}

/* --- join ------------------------------------------------------------------------------------ */

static bool child_is_done(npi_worker *worker, void *context)
{
    (void)worker;
    npi_child *child = context;
    /* Acquire: pairs with the exchange in npi_run_stolen_child; what the child did is visible. */
    return npi_load_acquire(&child->state) == NPI_CHILD_DONE;
}

/* The youngest child, which was stolen. Returns its result, if it has one. An orphan has nobody to
 * wait for: it goes on as if the child were done. */
static uintptr_t join_stolen(npi_worker *worker)
{
    npi_child *child = worker->deque.head - 1;
    NPI_INVARIANT(child != NULL);
    uint32_t state = NPI_CHILD_FRESH;
    /* On failure it is done already; acquire as in child_is_done. Looked at first, because the
     * thief may have this line still, and the swap would fetch it twice. */
    if (!child_is_done(worker, child) &&
        npi_cas_acquire(&child->state, &state, (uint32_t)NPI_CHILD_AWAITED)) {
        npi_work work;
        npi_worker *thief = npi_load_relaxed(&child->thief); /* a hint, may still be NULL */
        /* What the thief forked is part of what we wait for: take that back first (leapfrogging,
         * Wagner and Calder 1993), as long as the stack allows (npi_worker_help). */
        while (npi_os_stack_here() >= worker->deep && thief != NULL && thief != worker &&
               !npi_worker_is_orphan(worker) && !child_is_done(worker, child) &&
               npi_find_child_of(worker, thief, &work))
            npi_run_stolen_child(worker, work.child, work.owner);
        (void)npi_worker_help(worker, child_is_done, child, NPI_NO_DEADLINE, false);
    }
    uintptr_t result = npi_plain_get(&child->argument);
    npi_deque_forget(&worker->deque);
    return result;
}

/* A child that nobody took, with what it leaves unjoined. Its slot is free already: a result has no
 * place to go, and nobody who asks for it. */
static inline void run_in_place(npi_worker *worker, npi_child *child)
{
    (void)npi_child_call(worker, child);
    while (__builtin_expect(worker->deque.head > child, 0))
        np_join();
}

static __attribute__((noinline)) void plain_join_slow(npi_worker *worker)
{
    if (worker == NULL)
        return;
    npi_child *child = NULL;
    if (!overflow_pop(worker)) {
        if (worker->deque.head == worker->deque.base)
            return; /* nothing of this task's own is left */
        child = npi_deque_pop(&worker->deque);
        if (child == NULL) {
            (void)join_stolen(worker);
            return;
        }
    }
    if (is_asked(worker))
        feed(worker); /* before the child, which may be a long one */
    if (child != NULL)
        run_in_place(worker, child);
}

void np_join(void)
{
    npi_worker *worker = npi_worker_self();
    if (__builtin_expect(worker == NULL, 0) ||
        __builtin_expect(worker->deque.head <= worker->deque.floor, 0) ||
        __builtin_expect(is_asked(worker), 0)) {
        plain_join_slow(worker);
        return;
    }
    run_in_place(worker, --worker->deque.head);
}

uintptr_t np_fast_join_slow_1(np_worker *worker, np_fast_fn fn, uintptr_t argument)
{
    if (!overflow_pop(worker)) {
        NPI_INVARIANT(worker->deque.head > worker->deque.base);
        npi_child *child = npi_deque_pop(&worker->deque);
        if (child == NULL)
            return join_stolen(worker);
        NPI_CHECK(child->fast == fn && child->argument == argument);
    }
    if (is_asked(worker))
        feed(worker);
    return fn(worker, argument);
}

void npi_join_leftovers(npi_worker *worker)
{
    while (worker->deque.head != worker->deque.base ||
           worker->deque.overflow != worker->base_overflow)
        np_join();
}

/* --- entering from outside ---------------------------------------------------------------------
 */

np_worker *np_fast_self(void)
{
    npi_worker *worker = npi_worker_self();
    return worker != NULL && worker->frame != NULL ? worker : NULL;
}

typedef struct fast_root {
    np_fast_fn fn;
    uintptr_t argument;
    uintptr_t result;
} fast_root;

static void run_fast_root(void *argument)
{
    fast_root *root = argument;
    npi_worker *worker = npi_worker_self();
    npi_watch_rename(worker, (uintptr_t)root->fn);
    root->result = root->fn(worker, root->argument);
}

static np_status run_and_wait(np_executor *executor, np_node_id node, np_task_fn fn, void *argument)
{
    np_group group;
    npi_group_init(&group, false);
    group.quiet = fn == run_fast_root; /* its caller is told by the status */
    group.on_workers = true;           /* fn is to fork */
    np_submit_options options = {.size = sizeof options, .group = &group};
    options.to_node = node != NP_NODE_ID_NONE;
    options.node = node;
    np_status status = np_submit_with(executor, &options, fn, argument);
    if (status == NP_OK)
        status = np_group_wait(&group);
    npi_group_last_look(&group);
    return status;
}

np_status np_run(np_executor *executor, np_node_id node, np_task_fn fn, void *argument)
{
    return run_and_wait(executor, node, fn, argument);
}

np_status np_run_fast(np_executor *executor, np_node_id node, np_fast_fn fn, uintptr_t argument,
                      uintptr_t *result)
{
    if (fn == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_run_fast: fn is NULL");
    fast_root root = {fn, argument, 0};
    np_status status = run_and_wait(executor, node, run_fast_root, &root);
    if (status == NP_OK && result != NULL)
        *result = root.result;
    return status;
}
