/*
 * executor/run.c - running one task, or one stolen child, on the calling worker, and what follows:
 * leftovers are joined, counters written, the group told. Nothing here looks for work.
 */
#include "executor/group_internal.h"
#include "executor/near.h"

/* What a body finds and leaves behind. */
typedef struct outer {
    const npi_frame *frame;
    npi_child *base;
    uint32_t base_overflow;
    bool local;
} outer;

/* Around the body of a task or stolen child: `frame` says what it is to those who ask; whatever it
 * forked and did not join is joined for it. */
static inline void enter(npi_worker *worker, const npi_frame *frame, npi_level *level,
                         outer *before)
{
    *level = (npi_level){frame, worker->level, worker->deque.head};
    *before = (outer){worker->frame, npi_deque_begin(&worker->deque), worker->base_overflow,
                      worker->deque_local};
    /* A strict task's children must not leave its node: from here on other nodes' thieves see
     * nothing of this deque, not even what was shared before (npi_deque_steal). */
    if (__builtin_expect(frame->strict, 0) && !before->local && worker->node->order_count > 1) {
        worker->deque_local = true;
        (void)npi_deque_set_local(&worker->deque, true);
    }
    worker->frame = frame;
    worker->level = level;
    worker->base_overflow = worker->deque.overflow;
}

static inline void leave(npi_worker *worker, const npi_level *level, const outer *before)
{
    if (__builtin_expect(worker->deque.head != level->base, 0) ||
        __builtin_expect(worker->deque.overflow != worker->base_overflow, 0))
        npi_join_leftovers(worker);
    worker->frame = before->frame;
    worker->level = level->outer;
    npi_deque_end(&worker->deque, before->base);
    worker->base_overflow = before->base_overflow;
    if (__builtin_expect(worker->deque_local != before->local, 0)) {
        worker->deque_local = before->local;
        (void)npi_deque_set_local(&worker->deque, before->local);
        /* What was shared beneath is findable for other nodes again. */
        if (npi_deque_has_shared(&worker->deque, false))
            npi_wake_for_child(worker->node, worker);
    }
}

static inline void run_body(npi_worker *worker, const npi_frame *frame, np_task_fn fn,
                            void *argument)
{
    npi_level level;
    outer before;
    enter(worker, frame, &level, &before);
    fn(argument);
    leave(worker, &level, &before);
}

void npi_run_framed(npi_worker *worker, const npi_frame *frame, np_task_fn fn, void *argument)
{
    run_body(worker, frame, fn, argument);
}

/* After the group was told, so that an idle executor has called every completion callback. */
static void end_task(npi_worker *worker, np_group *group)
{
    if (group != NULL)
        npi_group_end(group);
    /* Release: pairs with the acquire in npi_executor_ended; whoever sees the end sees every task
     * that this one submitted as accepted. */
    npi_store_release(&worker->ended, npi_load_relaxed(&worker->ended) + 1);
}

/* What is no task and yet somebody's function: watched like one, with a label of its own. */
static void run_named(npi_worker *worker, const npi_frame *frame, uintptr_t name, np_task_fn fn,
                      void *argument)
{
    npi_watch_outer beneath;
    bool watched = npi_is_watched(worker);
    if (watched)
        npi_watch_enter(worker, name, &beneath);
    run_body(worker, frame, fn, argument);
    if (watched)
        npi_watch_leave(worker, &beneath);
}

void npi_run_on_top(npi_worker *worker, const npi_frame *frame, np_task_fn fn, void *argument)
{
    run_named(worker, frame, (uintptr_t)fn, fn, argument);
}

void npi_run_notice(npi_worker *worker, np_task_fn fn, void *argument)
{
    npi_frame frame = {NULL, worker->node->index, false};
    run_named(worker, &frame, (uintptr_t)fn, fn, argument);
}

static void call_on_discard(np_executor *executor, npi_task *task, np_discard_reason reason)
{
    const np_executor_options *options = &executor->settings.public_options;
    if (options->on_discard != NULL && (task->group == NULL || !task->group->quiet))
        options->on_discard(options->discard_context, task->fn, npi_task_argument(task), reason);
}

typedef struct discard {
    np_executor *executor;
    npi_task *task;
    np_discard_reason reason;
} discard;

static void discard_body(void *argument)
{
    discard *d = argument;
    call_on_discard(d->executor, d->task, d->reason);
}

/* To those who ask from inside, the callback is the task; what it forks is joined like a task's. */
static void discard_on_worker(npi_worker *worker, npi_task *task, np_discard_reason reason)
{
    discard d = {worker->executor, task, reason};
    npi_frame frame = {task->group, npi_meta_home(task->meta),
                       npi_meta_affinity(task->meta) == NP_AFFINITY_STRICT};
    run_named(worker, &frame, (uintptr_t)worker->executor->settings.public_options.on_discard,
              discard_body, &d);
}

void npi_discard_task(np_executor *executor, npi_worker *worker, npi_task *task,
                      np_discard_reason reason)
{
    if (worker != NULL)
        discard_on_worker(worker, task, reason);
    else
        call_on_discard(executor, task, reason);
    if (task->group == NULL)
        return;
    np_status why = reason == NP_DISCARD_NODE_GONE ? NP_ERR_NODE_GONE : NP_ERR_CANCELLED;
    if (reason != NP_DISCARD_CANCELLED)
        npi_group_discarded(task->group, why);
    if (task->group->lost != NULL)
        task->group->lost(task->group, why);
}

/* On an empty stack there is nothing to put by: the deque is empty, its bounds at its beginning. */
static inline void run_alone(npi_worker *worker, const npi_frame *frame, npi_task *task)
{
    npi_level level = {frame, NULL, worker->deque.slots};
    NPI_CHECK(npi_deque_is_empty(&worker->deque) && worker->deque.base == worker->deque.slots);
    NPI_CHECK(worker->deque.overflow == 0 && worker->base_overflow == 0 && !worker->deque_local);
    worker->frame = frame;
    worker->level = &level;
    task->fn(npi_task_argument(task));
    if (__builtin_expect(!npi_deque_is_empty(&worker->deque), 0))
        npi_join_leftovers(worker);
    worker->frame = NULL;
    worker->level = NULL;
}

/* On top of another one, or strict. */
static __attribute__((noinline)) void run_nested(npi_worker *worker, const npi_frame *frame,
                                                 npi_task *task)
{
    run_body(worker, frame, task->fn, npi_task_argument(task));
}

static void discard_instead(npi_worker *worker, npi_task *task, np_discard_reason reason)
{
    npi_discard_task(worker->executor, worker, task, reason);
    npi_count(&worker->counters, NP_COUNTER_DISCARDED, 1);
    end_task(worker, task->group);
}

/* A task that only its node may run, of a worker whose node is gone. The executor ends: it is
 * handed back. Else it waits: the worker had begun to look before the node went. What is submitted
 * after the refresh has returned is always stopped here, for who takes it sees `attention`, too. */
static bool must_not_run(npi_worker *worker, npi_task *task)
{
    npi_node *node = worker->node;
    uint32_t state = npi_node_state(node);
    if ((state != NPI_NODE_GONE && state != NPI_NODE_ENDING) ||
        npi_meta_home(task->meta) != node->index ||
        (npi_meta_affinity(task->meta) != NP_AFFINITY_STRICT &&
         node->executor->settings.public_options.steal_policy != NP_STEAL_LOCAL_ONLY))
        return false;
    if (state == NPI_NODE_ENDING || !npi_submit_again(worker, task))
        discard_instead(worker, task, NP_DISCARD_NODE_GONE);
    return true;
}

/* `attention` 0 is known where this is compiled in. */
static inline __attribute__((always_inline)) void run_now(npi_worker *worker, npi_task *task,
                                                          uint32_t attention)
{
    npi_frame frame = {task->group, npi_meta_home(task->meta),
                       npi_meta_affinity(task->meta) == NP_AFFINITY_STRICT};
    npi_watch_outer beneath;
    bool watched = (attention & NPI_ATTENTION_WATCHED) != 0;
    bool exiled = (attention & NPI_ATTENTION_GONE) != 0 && npi_node_is_gone(worker->node) &&
                  frame.home == worker->node->index;
    /* Relaxed: a number to count by. */
    uint32_t place = exiled ? npi_load_relaxed(&worker->node->place) : 0;
    if (__builtin_expect(npi_meta_has_data(task->meta), 0))
        npi_near_ran(worker, task->meta, exiled ? place : worker->node->index);
    if (watched)
        npi_watch_enter(worker, (uintptr_t)task->fn, &beneath);
    if (__builtin_expect(worker->frame == NULL && !frame.strict, 1))
        run_alone(worker, &frame, task);
    else
        run_nested(worker, &frame, task);
    if (watched) /* before it counts as ended: who waits for that finds nobody stuck in it */
        npi_watch_leave(worker, &beneath);
    if (exiled)
        npi_count_exiled(&worker->counters, place);
    else
        npi_count_home(&worker->counters, frame.home);
    end_task(worker, frame.group);
}

static __attribute__((noinline)) void run_with_attention(npi_worker *worker, npi_task *task,
                                                         bool cancelled)
{
    /* Relaxed: a task that is run a moment after the deadline is run, not lost. */
    uint32_t attention = npi_load_relaxed(&worker->executor->attention);
    if (cancelled || (attention & NPI_ATTENTION_DISCARD) != 0)
        discard_instead(worker, task, cancelled ? NP_DISCARD_CANCELLED : NP_DISCARD_SHUTDOWN);
    else if ((attention & NPI_ATTENTION_GONE) == 0 || !must_not_run(worker, task))
        run_now(worker, task, attention);
}

void npi_run_task(npi_worker *worker, npi_task *task)
{
    bool cancelled = task->group != NULL && npi_group_cancelled(task->group);
    /* Relaxed: as in run_with_attention. */
    if (__builtin_expect(cancelled || npi_load_relaxed(&worker->executor->attention) != 0, 0))
        run_with_attention(worker, task, cancelled);
    else
        run_now(worker, task, 0);
}

static inline uintptr_t call_child(npi_worker *worker, const npi_child *child)
{
    npi_level level;
    outer before;
    enter(worker, npi_plain_get(&child->frame), &level, &before);
    uintptr_t result = npi_child_call(worker, child);
    leave(worker, &level, &before);
    return result;
}

/* What it leaves unjoined is a part of it. */
static __attribute__((noinline)) uintptr_t call_watched(npi_worker *worker, const npi_child *child)
{
    npi_watch_outer beneath;
    np_fast_fn fast = npi_plain_get(&child->fast);
    npi_watch_enter(
        worker, fast != NULL ? (uintptr_t)fast : (uintptr_t)npi_plain_get(&child->plain), &beneath);
    uintptr_t result = call_child(worker, child);
    npi_watch_leave(worker, &beneath);
    return result;
}

void npi_run_stolen_child(npi_worker *worker, npi_child *child, npi_worker *owner)
{
    uintptr_t result = __builtin_expect(npi_is_watched(worker), 0) ? call_watched(worker, child)
                                                                   : call_child(worker, child);
    npi_plain_set(&child->argument, result);
    /* Release: what the child did, its result included, to the owner's acquire in join (fork.c).
     * Nothing of the child may be touched afterwards: the owner reuses the slot. */
    if (npi_exchange_acq_rel(&child->state, (uint32_t)NPI_CHILD_DONE) == NPI_CHILD_AWAITED)
        npi_token_give(&owner->token);
}
