/*
 * numaperf/group.h - groups: a set of tasks somebody waits for; and fork/join.
 *
 * A group belongs to no executor: tasks of several may be in it. Every function may be called from
 * any thread at the same time as any other on the same group, except np_group_destroy(), which
 * comes last.
 */
#ifndef NUMAPERF_GROUP_H
#define NUMAPERF_GROUP_H

#include <numaperf/executor.h>

NP_BEGIN_DECLS

typedef struct np_group_options {
    size_t size; /* sizeof(np_group_options) */
    /* true: a worker that waits for this group runs nothing else meanwhile; a spare worker steps
     * in. For waiting while something is held that another task could need. */
    bool isolated;
} np_group_options;

#ifndef __cplusplus
#define NP_GROUP_OPTIONS(...) (&(np_group_options){.size = sizeof(np_group_options), __VA_ARGS__})
#endif

/* `options` may be NULL. Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY. */
NP_API NP_MUST_USE np_status np_group_create(const np_group_options *options, np_group **out);

/* NULL is accepted. NP_ERR_BUSY, nothing changed, while a task of the group has not ended. As soon
 * as a wait has returned and nobody submits into the group any more it may be destroyed. */
NP_API np_status np_group_destroy(np_group *group);

/* Submits into the group: near the caller, or to a node. As np_submit() and np_submit_to_node();
 * also NP_ERR_CANCELLED when the group is cancelled. Other forms: np_submit_with() and its `group`.
 */
NP_API NP_MUST_USE np_status np_group_submit(np_group *group, np_executor *executor, np_task_fn fn,
                                             void *argument);
NP_API NP_MUST_USE np_status np_group_submit_to_node(np_group *group, np_executor *executor,
                                                     np_node_id node, np_task_fn fn,
                                                     void *argument);

/* As np_submit_batch(), all into the group, which is told of them once. */
NP_API NP_MUST_USE np_status np_group_submit_batch(np_group *group, np_executor *executor,
                                                   np_node_id node, const np_task *tasks,
                                                   size_t count, size_t *accepted);

/*
 * Returns once no task of the group is queued or running. From a worker it runs other permitted
 * tasks of its executor meanwhile (its own forked children first), unless the group is isolated.
 * When waits inside each other have used half of its stack, a spare worker goes on instead.
 * Returns the first status given to np_group_fail(); else NP_ERR_CANCELLED if the group was
 * cancelled or a timed shutdown handed one of its tasks back; else NP_OK. The outcome stays until
 * np_group_reset().
 * Calling it from a task of the group itself would wait for ever, and so would calling it on top of
 * one: a task that waits on a worker goes on only after what that worker runs meanwhile. Both are
 * refused with NP_ERR_FROM_WORKER where they can be seen, on the caller's own worker. Safe is
 * waiting for what the caller itself has submitted; else make isolated the group that the lower
 * task waits for. Isolated, on a worker: NP_ERR_NO_SPARE. What the tasks did is
 * visible after it.
 */
NP_API NP_MUST_USE np_status np_group_wait(np_group *group);

/* The same for at most `timeout_ns`; then NP_ERR_TIMEOUT. A task that a waiting worker has begun is
 * finished first. */
NP_API NP_MUST_USE np_status np_group_wait_for(np_group *group, uint64_t timeout_ns);

/* Reports an error of a task: the first one wins and comes out of the wait. Does not cancel. NP_OK
 * is ignored. */
NP_API void np_group_fail(np_group *group, np_status status);

/* Tasks that have not started are discarded instead of run (with the executor's on_discard), later
 * submits are refused, running tasks can ask. */
NP_API void np_group_cancel(np_group *group);
NP_API bool np_group_is_cancelled(const np_group *group);

/* Tasks accepted and not ended, at this moment. */
NP_API uint64_t np_group_pending(const np_group *group);

/* The outcome so far, as np_group_wait() would return it. */
NP_API np_status np_group_outcome(const np_group *group);

/* Forgets error and cancellation so that the group can be used again. NP_ERR_BUSY while tasks are
 * pending. */
NP_API NP_MUST_USE np_status np_group_reset(np_group *group);

/*
 * Completion without waiting, each good for one completion: when no task of the group is pending
 * any more, `fn` is called on the thread that ended the last one, or one is added to the eventfd
 * `fd` (which stays the caller's), unless its counter is full: it is readable then, and nobody
 * waits for a reader, also if it is a blocking one. On a worker `fn` is a part of that task: it may
 * submit and fork like one. If nothing is pending now it happens before the call returns. A group
 * may be waited for and destroyed by then: `fn` must not use it unless the caller keeps it alive.
 * Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY; NP_ERR_SYSTEM when nothing is pending and the
 * eventfd cannot be written (later that goes to the diagnostic handler).
 */
NP_API NP_MUST_USE np_status np_group_notify(np_group *group, np_task_fn fn, void *argument);
NP_API NP_MUST_USE np_status np_group_notify_eventfd(np_group *group, int fd);

/* --- fork and join ------------------------------------------------------------------------ */

/*
 * np_fork() makes fn(argument) a child of the running task; idle workers may take it (under the
 * executor's policy; never away from the home of a strict task). np_join() ends the youngest child
 * that is not joined yet: runs it in place if nobody took it, else helps until it is done. Strictly
 * nested: a task joins what it forked, youngest first, before it returns (children left over are
 * joined for it). No allocation; an unstolen child costs no atomic read-modify-write, but for
 * the one that is kept in sight of thieves. Outside a worker, or when the worker's deque (16,384
 * children deep) is full, np_fork() runs the child at once and its np_join() does nothing. What the
 * child did is visible after the join.
 */
NP_API void np_fork(np_task_fn fn, void *argument);
NP_API void np_join(void);

/* Submits fn to `node` (NP_NODE_ID_NONE: near the caller), waits for it and for nothing else. The
 * way into fork/join from outside. Errors as np_submit_to_node(), and of the call itself: what it
 * gave to np_group_fail(np_current_group()), or NP_ERR_CANCELLED if a timed shutdown discarded it.
 */
NP_API NP_MUST_USE np_status np_run(np_executor *executor, np_node_id node, np_task_fn fn,
                                    void *argument);

NP_END_DECLS

#endif
