/*
 * executor/group_internal.h - what the executor needs of a group, and of fork/join, beside the
 * public calls.
 */
#ifndef NPI_EXECUTOR_GROUP_INTERNAL_H
#define NPI_EXECUTOR_GROUP_INTERNAL_H

#include "executor/executor.h"

/* Public only by name; here so that one can stand on a stack. What it means: group.c. */
struct np_group {
    /* Submitters and enders of tasks. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) word;
    /* Tasks and anybody. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(int32_t) error; /* first np_group_fail */
    np_atomic(uint32_t) cancelled;
    np_atomic(int32_t) discarded; /* np_status: a task was handed back by a shutdown */
    bool isolated;                /* constant */
    bool quiet;       /* constant: its tasks are the library's own, of no use to on_discard */
    bool on_workers;  /* constant: its tasks need a worker, a full inbox is waited for */
    uint32_t process; /* constant: npi_os_process_generation() of the maker */
    /* Constant: called for each of its tasks that is handed back instead of run, before that task
     * counts as ended; or NULL. */
    void (*lost)(np_group *group, np_status status);
    npi_lock lock;
    struct group_waiter *waiters; /* by lock */
    struct group_notice *notices; /* by lock */
};

/* A group in the caller's memory, which must stay until npi_group_last_look() has returned 0. */
void npi_group_init(np_group *group, bool isolated);
/* Tasks not ended; 0 for a group from before a fork. Zero, and nobody submits any more: no task
 * will touch the group again. */
uint64_t npi_group_last_look(np_group *group);
/* At the end of a group that nobody waits for: notices that will not be called any more. */
void npi_group_free_notices(np_group *group);
/* Submitter, before the task is findable. False: the group is cancelled, nothing was counted. */
bool npi_group_begin(np_group *group, uint64_t tasks);
/* A task of the group has ended, in whatever way. The group may be gone when it returns. */
void npi_group_end(np_group *group);
/* Before npi_group_end: the task was not run, though nobody cancelled the group. */
void npi_group_discarded(np_group *group, np_status status);
/* `tasks` that were counted by npi_group_begin and then not accepted. */
void npi_group_undo(np_group *group, uint64_t tasks);
static inline bool npi_group_cancelled(const np_group *group)
{
    /* Relaxed: a request; a task that misses it runs. */
    return npi_load_relaxed((np_atomic(uint32_t) *)(uintptr_t)&group->cancelled) != 0;
}

/* Of the task that the calling thread, no worker, runs in its own submit (submit.c); or NULL. */
np_group *npi_group_in_place(void);

/* Calls a child's function; returns its result, if it is of the fast form. */
static inline uintptr_t npi_child_call(npi_worker *worker, const npi_child *child)
{
    np_fast_fn fast = npi_plain_get(&child->fast);
    np_task_fn plain = npi_plain_get(&child->plain);
    uintptr_t argument = npi_plain_get(&child->argument);
    if (__builtin_expect(fast != NULL, 0))
        return fast(worker, argument);
    plain((void *)argument);
    return 0;
}

/* What the running body forked and did not join. */
void npi_join_leftovers(npi_worker *worker);

/* `fn` as a part of the running task that has a frame of its own: another group, or strict. What it
 * forked is joined before it returns. */
void npi_run_framed(npi_worker *worker, const npi_frame *frame, np_task_fn fn, void *argument);
/* The same as a task of its own for the watchdog. */
void npi_run_on_top(npi_worker *worker, const npi_frame *frame, np_task_fn fn, void *argument);

/* A completion callback, on the worker that ended the last task and as a part of that task: it may
 * submit and fork like one. */
void npi_run_notice(npi_worker *worker, np_task_fn fn, void *argument);

#endif
