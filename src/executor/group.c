/*
 * executor/group.c - groups: a count of tasks not ended, the first error, a cancel flag, and those
 * who want to know when the count is zero (waiters on their own stacks, notices on the heap).
 *
 * `word` holds the count and the bit OBSERVED, which says that the lists are not empty. Without
 * observers a task ends with one compare and swap and the group is not touched again, so that
 * whoever saw the count at zero may destroy it. With observers the last task lowers the count under
 * the lock: destroy passes through that lock and therefore comes after the unlock.
 *
 *   count -> 0 with OBSERVED   only under the lock; detaches everybody, clears OBSERVED
 *   OBSERVED 0 -> 1            only under the lock
 *   a waiter returns           when it saw the word at zero, or when it was told (its `done`)
 */
#include "executor/group_internal.h"

#include <errno.h>

#include "base/alloc.h"
#include "base/status.h"

#define OBSERVED (UINT64_C(1) << 63)

/* Somebody inside np_group_wait; lives on its stack until `done`. */
typedef struct group_waiter {
    struct group_waiter *next; /* by the group's lock */
    npi_worker *worker;        /* NULL: an outside thread */
    npi_token token;           /* given last of all: then the waiter may vanish */
    np_atomic(uint32_t) done;  /* a worker: set by the task that ended last */
} group_waiter;

typedef struct group_notice {
    struct group_notice *next; /* by the group's lock */
    np_task_fn fn;             /* NULL: signal the eventfd */
    void *argument;
    int fd;
} group_notice;

static np_status check(const np_group *group)
{
    if (group == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "group is NULL");
    if (group->process != npi_os_process_generation())
        return npi_fail(NP_ERR_FORKED, "the group was created before this process was forked");
    return NP_OK;
}

void npi_group_init(np_group *group, bool isolated)
{
    npi_atomic_init(&group->word, (uint64_t)0);
    npi_atomic_init(&group->error, (int32_t)NP_OK);
    npi_atomic_init(&group->cancelled, 0u);
    npi_atomic_init(&group->discarded, (int32_t)NP_OK);
    npi_lock_init(&group->lock);
    group->isolated = isolated;
    group->quiet = false;
    group->on_workers = false;
    group->lost = NULL;
    group->process = npi_os_process_generation();
    group->waiters = NULL;
    group->notices = NULL;
}

np_status np_group_create(const np_group_options *options, np_group **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_group_create: out is NULL");
    *out = NULL;
    np_group_options known = {0};
    if (options != NULL) {
        if (!npi_options_acceptable(options, options->size, sizeof options->size, sizeof known,
                                    "np_group_options"))
            return NP_ERR_INVALID_ARGUMENT;
        npi_options_copy(&known, sizeof known, options, options->size);
    }
    np_group *group = npi_alloc(sizeof *group, NPI_FALSE_SHARING);
    if (group == NULL)
        return npi_fail_memory(sizeof *group, "a group");
    npi_group_init(group, known.isolated);
    *out = group;
    return NP_OK;
}

static uint64_t count_of(uint64_t word)
{
    return word & ~OBSERVED;
}

uint64_t npi_group_last_look(np_group *group)
{
    if (group->process != npi_os_process_generation())
        return 0;
    /* Through the lock: the task that ended last may still be inside its unlock. */
    npi_lock_acquire(&group->lock);
    uint64_t pending = count_of(npi_load_acquire(&group->word));
    npi_lock_release(&group->lock);
    return pending;
}

void npi_group_free_notices(np_group *group)
{
    for (group_notice *notice = group->notices; notice != NULL;) {
        group_notice *next = notice->next;
        npi_free(notice, sizeof *notice);
        notice = next;
    }
    group->notices = NULL;
}

np_status np_group_destroy(np_group *group)
{
    if (group == NULL)
        return NP_OK;
    uint64_t pending = npi_group_last_look(group);
    if (pending != 0)
        return npi_fail(NP_ERR_BUSY, "np_group_destroy: %llu tasks of the group have not ended",
                        (unsigned long long)pending);
    npi_group_free_notices(group);
    npi_free(group, sizeof *group);
    return NP_OK;
}

/* --- tasks come and go ----------------------------------------------------------------------- */

bool npi_group_begin(np_group *group, uint64_t tasks)
{
    if (npi_group_cancelled(group))
        return false;
    /* Relaxed: the submitter keeps the group alive, and the queue publishes the task. */
    npi_fetch_add_relaxed(&group->word, tasks);
    return true;
}

/*
 * A waiting worker may belong to another executor than the one that tells it, so its token is there
 * only as long as it waits: it does not go before the last access to both.
 *
 *      here                            the worker, perhaps awake already
 *      ----                            ---------------------------------
 *      done = 1                        sees it (told)
 *      marks the worker's token
 *      gives the waiter's token        waits for that; then it may go, and its executor end
 *      wakes, by address only
 */
static void tell_worker(group_waiter *waiter)
{
    npi_token *token = &waiter->worker->token;
    /* Release: pairs with the acquire in told(); all tasks' effects, through the count. */
    npi_store_release(&waiter->done, 1u);
    bool asleep = npi_token_mark(token);
    npi_token_give(&waiter->token);
    if (asleep)
        npi_token_wake(token);
}

/* Returns an errno. A full counter is readable all the same. */
static int signal_eventfd(int fd)
{
    int error = npi_os_eventfd_signal(fd);
    return error == EAGAIN ? 0 : error;
}

/* The lists are the caller's now. Waiters vanish as soon as they are told. `worker`: whose task was
 * the last, NULL if none was. */
static void tell_everybody(group_waiter *waiter, group_notice *notice, npi_worker *worker)
{
    while (notice != NULL) {
        group_notice *next = notice->next;
        if (notice->fn != NULL && worker != NULL)
            npi_run_notice(worker, notice->fn, notice->argument);
        else if (notice->fn != NULL)
            notice->fn(notice->argument);
        else {
            int error = signal_eventfd(notice->fd);
            if (error != 0) /* nobody is left to whom it could be returned */
                npi_diagnose(NP_SEVERITY_ERROR,
                             "np_group_notify_eventfd: a group has ended, but eventfd %d cannot be "
                             "written: errno %d",
                             notice->fd, error);
        }
        npi_free(notice, sizeof *notice);
        notice = next;
    }
    while (waiter != NULL) {
        group_waiter *next = waiter->next;
        if (waiter->worker != NULL)
            tell_worker(waiter);
        else
            npi_token_give(&waiter->token);
        waiter = next;
    }
}

/* The last `tasks`, which somebody awaits. */
static __attribute__((noinline)) void lower_last(np_group *group, uint64_t tasks,
                                                 npi_worker *worker)
{
    if (group->process != npi_os_process_generation()) {
        /* The lock may be held by a thread that is gone, like those who wait. */
        (void)npi_fetch_sub_acq_rel(&group->word, tasks);
        return;
    }
    npi_lock_acquire(&group->lock);
    group_waiter *waiters = NULL;
    group_notice *notices = NULL;
    if (npi_fetch_sub_acq_rel(&group->word, tasks) == (OBSERVED | tasks)) {
        waiters = group->waiters;
        notices = group->notices;
        group->waiters = NULL;
        group->notices = NULL;
        npi_fetch_and_acq_rel(&group->word, ~OBSERVED);
    }
    npi_lock_release(&group->lock);
    /* The group may be gone. */
    tell_everybody(waiters, notices, worker);
}

/* Lowers the count by `tasks`, the last of which may have been awaited. */
static void lower(np_group *group, uint64_t tasks, npi_worker *worker)
{
    uint64_t word = npi_load_relaxed(&group->word);
    while (word != (OBSERVED | tasks)) {
        /* Release: this task's effects, to whoever acquires the zero; acquire: for the one who
         * makes it zero and tells others. */
        if (npi_cas_acq_rel(&group->word, &word, word - tasks))
            return;
    }
    lower_last(group, tasks, worker);
}

void npi_group_end(np_group *group)
{
    lower(group, 1, npi_worker_self());
}

void npi_group_discarded(np_group *group, np_status status)
{
    npi_store_relaxed(&group->discarded, (int32_t)status); /* published by the end that follows */
}

void npi_group_undo(np_group *group, uint64_t tasks)
{
    if (tasks != 0)
        lower(group, tasks, NULL);
}

/* --- waiting --------------------------------------------------------------------------------- */

np_status np_group_outcome(const np_group *group)
{
    np_status usable = check(group);
    if (usable != NP_OK)
        return usable;
    /* Acquire: pairs with np_group_fail. */
    np_status error = (np_status)npi_load_acquire((np_atomic(int32_t) *)(uintptr_t)&group->error);
    if (error != NP_OK)
        return npi_fail(error, "a task of the group reported %s", np_status_name(error));
    if (npi_group_cancelled(group))
        return npi_fail(NP_ERR_CANCELLED, "the group is cancelled");
    /* Relaxed: whoever waited has acquired the count that was lowered after it. */
    np_status lost = (np_status)npi_load_relaxed(
        (np_atomic(int32_t) *)(uintptr_t)&group->discarded);
    if (lost == NP_ERR_NODE_GONE)
        return npi_fail(lost, "tasks of the group were discarded: their executor was shut down "
                              "while their node had no usable CPU");
    if (lost != NP_OK)
        return npi_fail(lost, "tasks of the group were discarded: their executor was shut down");
    return NP_OK;
}

/* Enters the waiter; false: the count is zero already. */
static bool enter(np_group *group, group_waiter *waiter)
{
    npi_lock_acquire(&group->lock);
    uint64_t word = npi_fetch_or_acq_rel(&group->word, OBSERVED);
    bool entered = count_of(word) != 0;
    if (entered) {
        waiter->next = group->waiters;
        group->waiters = waiter;
    } else if (group->waiters == NULL && group->notices == NULL) {
        npi_fetch_and_acq_rel(&group->word, ~OBSERVED);
    }
    npi_lock_release(&group->lock);
    return entered;
}

/* Takes the waiter out again; false: it has been told, or is about to be. */
static bool withdraw(np_group *group, group_waiter *waiter)
{
    bool found = false;
    npi_lock_acquire(&group->lock);
    for (group_waiter **link = &group->waiters; *link != NULL; link = &(*link)->next) {
        if (*link == waiter) {
            *link = waiter->next;
            found = true;
            break;
        }
    }
    if (found && group->waiters == NULL && group->notices == NULL)
        npi_fetch_and_acq_rel(&group->word, ~OBSERVED);
    npi_lock_release(&group->lock);
    return found;
}

static bool told(npi_worker *worker, void *context)
{
    (void)worker;
    group_waiter *waiter = context;
    /* Acquire: pairs with the release in tell_everybody. */
    return npi_load_acquire(&waiter->done) != 0;
}

static np_status wait_outside(np_group *group, uint64_t deadline)
{
    group_waiter waiter = {.worker = NULL};
    if (!enter(group, &waiter))
        return np_group_outcome(group);
    while (!npi_token_wait(&waiter.token, deadline)) {
        if (withdraw(group, &waiter))
            return npi_fail(NP_ERR_TIMEOUT, "np_group_wait_for: %llu tasks have not ended",
                            (unsigned long long)np_group_pending(group));
        deadline = NPI_NO_DEADLINE; /* the token is on its way */
    }
    return np_group_outcome(group);
}

static np_status wait_on_worker(np_group *group, npi_worker *worker, uint64_t deadline)
{
    /* One that this worker runs, or has left for the one on top of it, cannot end before us. */
    for (const npi_level *level = worker->level; level != NULL; level = level->outer)
        if (level->frame->group == group)
            return npi_fail(NP_ERR_FROM_WORKER, level == worker->level
                                                    ? "np_group_wait: the calling task is itself "
                                                      "in the group"
                                                    : "np_group_wait: a task of the group waits "
                                                      "on this worker, beneath the calling one");
    group_waiter waiter = {.worker = worker};
    bool alone = group->isolated;
    if (alone) {
        np_status status = np_blocking_begin();
        if (status != NP_OK)
            return npi_fail_more(status, "np_group_wait on a worker, isolated group");
    }
    bool in_time = true;
    if (enter(group, &waiter)) {
        in_time = npi_worker_help(worker, told, &waiter, deadline, alone);
        if (npi_worker_is_orphan(worker)) {
            if (alone)
                np_blocking_end();
            return check(group);
        }
        if (!in_time && !withdraw(group, &waiter)) {
            in_time = true;
            (void)npi_worker_help(worker, told, &waiter, NPI_NO_DEADLINE, true);
        }
        if (in_time)
            (void)npi_token_wait(&waiter.token, NPI_NO_DEADLINE);
    }
    if (alone)
        np_blocking_end();
    if (!in_time)
        return npi_fail(NP_ERR_TIMEOUT, "np_group_wait_for: %llu tasks have not ended",
                        (unsigned long long)np_group_pending(group));
    return np_group_outcome(group);
}

static np_status wait_until(np_group *group, uint64_t deadline)
{
    np_status status = check(group);
    if (status != NP_OK)
        return status;
    /* Acquire: pairs with the releases in lower(). Zero with OBSERVED: the last task is still
     * telling; entering waits for its lock. */
    if (npi_load_acquire(&group->word) == 0)
        return np_group_outcome(group);
    npi_worker *worker = npi_worker_self();
    if (worker != NULL && npi_worker_is_orphan(worker))
        worker = NULL; /* the group is this process's own: others of its threads will end it */
    return worker != NULL ? wait_on_worker(group, worker, deadline) : wait_outside(group, deadline);
}

np_status np_group_wait(np_group *group)
{
    return wait_until(group, NPI_NO_DEADLINE);
}

np_status np_group_wait_for(np_group *group, uint64_t timeout_ns)
{
    return wait_until(group, npi_os_deadline(timeout_ns));
}

/* --- outcome and inspection --------------------------------------------------------------------
 */

void np_group_fail(np_group *group, np_status status)
{
    int32_t expected = NP_OK;
    if (group != NULL && status != NP_OK) /* Release: what the task did before it reported. */
        (void)npi_cas_acq_rel(&group->error, &expected, (int32_t)status);
}

void np_group_cancel(np_group *group)
{
    if (group != NULL)
        npi_store_release(&group->cancelled, 1u);
}

bool np_group_is_cancelled(const np_group *group)
{
    return group != NULL && npi_group_cancelled(group);
}

uint64_t np_group_pending(const np_group *group)
{
    if (group == NULL)
        return 0;
    /* Acquire: zero means that what the tasks did is visible. */
    return count_of(npi_load_acquire((np_atomic(uint64_t) *)(uintptr_t)&group->word));
}

np_status np_group_reset(np_group *group)
{
    np_status status = check(group);
    if (status != NP_OK)
        return status;
    if (np_group_pending(group) != 0)
        return npi_fail(NP_ERR_BUSY, "np_group_reset: %llu tasks of the group have not ended",
                        (unsigned long long)np_group_pending(group));
    npi_store_release(&group->error, (int32_t)NP_OK);
    npi_store_release(&group->cancelled, 0u);
    npi_store_release(&group->discarded, (int32_t)NP_OK);
    return NP_OK;
}

/* Here and now, as a part of the caller. */
static np_status notify_at_once(group_notice *notice)
{
    int error = 0;
    if (notice->fn != NULL)
        notice->fn(notice->argument);
    else
        error = signal_eventfd(notice->fd);
    int fd = notice->fd;
    npi_free(notice, sizeof *notice);
    return error == 0 ? NP_OK
                      : npi_fail_errno(NP_ERR_SYSTEM, error, "write",
                                       "np_group_notify_eventfd: eventfd %d", fd);
}

static np_status notify(np_group *group, np_task_fn fn, void *argument, int fd)
{
    group_notice *notice = npi_alloc(sizeof *notice, 0);
    if (notice == NULL)
        return npi_fail_memory(sizeof *notice, "a group's notice");
    *notice = (group_notice){NULL, fn, argument, fd};
    npi_lock_acquire(&group->lock);
    bool pending = count_of(npi_fetch_or_acq_rel(&group->word, OBSERVED)) != 0;
    if (pending) {
        notice->next = group->notices;
        group->notices = notice;
    } else if (group->waiters == NULL && group->notices == NULL) {
        npi_fetch_and_acq_rel(&group->word, ~OBSERVED);
    }
    npi_lock_release(&group->lock);
    return pending ? NP_OK : notify_at_once(notice);
}

np_status np_group_notify(np_group *group, np_task_fn fn, void *argument)
{
    np_status status = check(group);
    if (status != NP_OK)
        return status;
    if (fn == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_group_notify: fn is NULL");
    return notify(group, fn, argument, -1);
}

np_status np_group_notify_eventfd(np_group *group, int fd)
{
    np_status status = check(group);
    if (status != NP_OK)
        return status;
    if (fd < 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_group_notify_eventfd: fd is %d", fd);
    return notify(group, NULL, NULL, fd);
}
