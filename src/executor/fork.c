/*
 * executor/fork.c - np_fork and np_join on the calling worker's deque.
 *
 * The common case touches nothing shared: while an older child is in sight of thieves, a child is
 * pushed to the private part, popped and called. Shared are the first child, so that a thief finds
 * something, and half of the private ones when a sleeper has asked (hungry); only then is somebody
 * woken.
 */
#include "executor/group_internal.h"

/* Shares something: the first child in sight, and half of them all if somebody asked. */
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
    if (npi_deque_publish(deque, count) == 0)
        return;
    if (!asked) {
        /* Partner: the fence of a worker about to sleep (worker.c). Either it sees the child just
         * shared, or we see that it asked. */
        npi_fence_seq_cst();
        if (npi_load_relaxed(&deque->hungry) == 0)
            return;
        npi_store_relaxed(&deque->hungry, 0u);
    }
    npi_wake_for_child(worker->node, worker);
}

static inline bool should_feed(npi_worker *worker)
{
    /* Relaxed: a request; its writer sleeps behind a fence and is woken by feed(). */
    return npi_deque_shows_none(&worker->deque) || npi_load_relaxed(&worker->deque.hungry) != 0;
}

void np_fork(np_task_fn fn, void *argument)
{
    npi_worker *worker = npi_worker_self();
    if (worker == NULL || worker->frame == NULL) {
        fn(argument);
        return;
    }
    if (__builtin_expect(worker->inline_forks != 0, 0) ||
        !npi_deque_push(&worker->deque, fn, argument, worker->frame)) {
        worker->inline_forks++;
        npi_run_child(worker, worker->frame, fn, argument);
        return;
    }
    if (__builtin_expect(should_feed(worker), 0))
        feed(worker);
}

static bool child_is_done(npi_worker *worker, void *context)
{
    (void)worker;
    npi_child *child = context;
    /* Acquire: pairs with the exchange in npi_run_stolen_child; what the child did is visible. */
    return npi_load_acquire(&child->state) == NPI_CHILD_DONE;
}

static void join_stolen(npi_worker *worker)
{
    npi_child *child = &worker->deque.slots[worker->deque.head - 1];
    uint32_t state = NPI_CHILD_FRESH;
    /* On failure it is done already; acquire as in child_is_done. */
    if (npi_cas_acquire(&child->state, &state, (uint32_t)NPI_CHILD_AWAITED)) {
        npi_work work;
        npi_worker *thief = npi_load_relaxed(&child->thief); /* a hint, may still be NULL */
        /* What the thief forked is part of what we wait for: take that back first (leapfrogging,
         * Wagner and Calder 1993). */
        while (thief != NULL && thief != worker && !child_is_done(worker, child) &&
               npi_find_child_of(worker, thief, &work))
            npi_run_stolen_child(worker, work.child, work.owner);
        (void)npi_worker_help(worker, child_is_done, child, NPI_NO_DEADLINE, false);
    }
    npi_deque_forget(&worker->deque);
}

void np_join(void)
{
    npi_worker *worker = npi_worker_self();
    if (worker == NULL || worker->frame == NULL)
        return;
    if (__builtin_expect(worker->inline_forks != 0, 0)) {
        worker->inline_forks--;
        return;
    }
    if (worker->deque.head == worker->join_base)
        return; /* nothing of this task's own is left */
    npi_child *child = npi_deque_pop(&worker->deque, worker->join_base);
    if (child == NULL) {
        join_stolen(worker);
        return;
    }
    npi_run_child(worker, npi_plain_get(&child->frame), npi_plain_get(&child->fn),
                  npi_plain_get(&child->argument));
    if (__builtin_expect(npi_load_relaxed(&worker->deque.hungry) != 0, 0))
        feed(worker);
}

/* --- np_run ---------------------------------------------------------------------------------- */

np_status np_run(np_executor *executor, np_node_id node, np_task_fn fn, void *argument)
{
    np_group *group = NULL;
    np_status status = np_group_create(NULL, &group);
    if (status != NP_OK)
        return status;
    np_submit_options options = {.size = sizeof options, .group = group};
    options.to_node = node != NP_NODE_ID_NONE;
    options.node = node;
    status = np_submit_with(executor, &options, fn, argument);
    if (status == NP_OK)
        status = np_group_wait(group);
    (void)np_group_destroy(group);
    return status;
}
