/*
 * executor/watchdog.c - the thread that notices workers which do not come out of a task.
 *
 * Workers of a watched executor write down what they run (npi_watch_enter, npi_watch_leave): three
 * words of their own, no clock. The watchdog looks at them from time to time; who is in the same
 * task (by a serial number) since a look at least watchdog_ns ago is stuck. An executor without the
 * option pays nothing: the bit that sends its workers here is one of those they look at anyway.
 *
 * While no task runs the watchdog sleeps without a limit, and whoever begins a task wakes it:
 *
 *      a worker                        the watchdog
 *      --------                        ------------
 *      writes down its task            ASLEEP
 *      FENCE (light)                   FENCE (heavy)
 *      looks at the state, wakes       looks at every worker, sleeps
 *
 * So it costs at most one wake-up for each of its intervals. Only its own thread writes `entries`,
 * under the lock; others read them under it.
 */
#include <stdio.h>

#include "base/status.h"
#include "executor/lifecycle.h"
#include "os/fence.h"

/* Looks at each task so many times before it is taken for stuck. */
#define LOOKS 4u

const char *np_stuck_state_name(np_stuck_state state)
{
    switch (state) {
    case NP_STUCK_RUNNING: return "running";
    case NP_STUCK_WAITING: return "waiting";
    case NP_STUCK_BLOCKED: return "blocked";
    }
    return "unknown";
}

/* --- the workers' side -------------------------------------------------------------------------
 */

/* Odd, then the words, then even again. Releases: who acquires one of the words sees the odd number
 * or a later one, and who acquires the even number sees the words (look_at). */
static void write_down(npi_watched *watched, uintptr_t function, const char *label)
{
    uint64_t serial = npi_load_relaxed(&watched->serial);
    npi_store_relaxed(&watched->serial, serial + 1);
    npi_store_release(&watched->function, function);
    npi_store_release(&watched->label, label);
    npi_store_release(&watched->serial, serial + 2);
}

static __attribute__((noinline)) void wake(npi_watchdog *watchdog)
{
    uint32_t expected = NPI_WATCHDOG_ASLEEP;
    if (npi_cas_acq_rel(&watchdog->state, &expected, (uint32_t)NPI_WATCHDOG_AWAKE))
        npi_os_futex_wake(&watchdog->state, 1);
}

void npi_watch_enter(npi_worker *worker, uintptr_t function, npi_watch_outer *outer)
{
    npi_watched *watched = &worker->watched;
    npi_watchdog *watchdog = &worker->executor->watchdog;
    outer->function = npi_load_relaxed(&watched->function); /* its own, as below */
    outer->label = npi_load_relaxed(&watched->label);
    write_down(watched, function, NULL);
    npi_fence_light(); /* partner: sleep_until_work */
    if (__builtin_expect(npi_load_relaxed(&watchdog->state) == NPI_WATCHDOG_ASLEEP, 0))
        wake(watchdog);
}

void npi_watch_leave(npi_worker *worker, const npi_watch_outer *outer)
{
    write_down(&worker->watched, outer->function, outer->label);
}

void npi_watch_rename(npi_worker *worker, uintptr_t function)
{
    if (npi_is_watched(worker)) /* release: as in write_down; the task is the same */
        npi_store_release(&worker->watched.function, function);
}

void np_task_label(const char *label)
{
    npi_worker *worker = npi_worker_self();
    if (worker != NULL && worker->frame != NULL) /* release: what the text says */
        npi_store_release(&worker->watched.label, label);
}

/* --- looking -----------------------------------------------------------------------------------
 */

typedef struct sight {
    uint64_t serial;
    uintptr_t function; /* 0: no task */
    const char *label;
} sight;

/* False: it was just changing. Acquires: pair with write_down. */
static bool look_at(npi_worker *worker, sight *out)
{
    npi_watched *watched = &worker->watched;
    out->serial = npi_load_acquire(&watched->serial);
    out->function = npi_load_acquire(&watched->function);
    out->label = npi_load_acquire(&watched->label);
    return (out->serial & 1) == 0 && npi_load_relaxed(&watched->serial) == out->serial;
}

static bool anybody_in_a_task(np_executor *executor)
{
    sight seen;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        if (!look_at(executor->seats[i], &seen) || seen.function != 0)
            return true;
    return false;
}

static np_stuck_state state_of(npi_worker *worker)
{
    switch (npi_load_relaxed(&worker->activity)) { /* a word for people */
    case NPI_WORKER_PARKED: return NP_STUCK_WAITING;
    case NPI_WORKER_BLOCKED: return NP_STUCK_BLOCKED;
    default: return NP_STUCK_RUNNING;
    }
}

static void describe(npi_worker *worker, const sight *seen, uint64_t ns, np_stuck_task *out)
{
    out->worker = worker->index;
    out->kind = worker->kind;
    out->node = worker->node->id;
    out->thread = npi_load_relaxed(&worker->thread_id); /* a number for inspection */
    out->state = state_of(worker);
    out->function = seen->function;
    out->label = seen->label;
    out->stuck_ns = ns;
}

static void report(npi_worker *worker, const np_stuck_task *task)
{
    npi_diagnose(NP_SEVERITY_WARNING,
                 "worker %u (%s, thread %llu) of NUMA node %d is in one task for %.3f s: %s, "
                 "label %s%s%s, function 0x%llx",
                 worker->index, worker->name, (unsigned long long)task->thread, (int)task->node,
                 (double)task->stuck_ns / 1e9, np_stuck_state_name(task->state),
                 task->label != NULL ? "\"" : "", task->label != NULL ? task->label : "none",
                 task->label != NULL ? "\"" : "", (unsigned long long)task->function);
}

/* Returns whether it is in a task. */
static bool watch(npi_watchdog *watchdog, npi_worker *worker, uint64_t limit)
{
    sight seen;
    np_stuck_task stuck;
    bool is_new = false;
    /* Before the look to end with, after it to begin with: this thread may stand still between. */
    uint64_t before = npi_os_now();
    if (!look_at(worker, &seen))
        return true; /* whatever it was in it has just left */
    uint64_t after = npi_os_now();
    npi_watch_entry *entry = &watchdog->entries[worker->index];
    npi_lock_acquire(&watchdog->lock);
    if (entry->serial != seen.serial || seen.function == 0) {
        *entry = (npi_watch_entry){seen.serial, after, false};
    } else if (!entry->reported && before - entry->since_ns >= limit) {
        is_new = entry->reported = true;
        describe(worker, &seen, before - entry->since_ns, &stuck);
    }
    npi_lock_release(&watchdog->lock);
    if (is_new)
        report(worker, &stuck); /* without the lock: the handler may take its time */
    return seen.function != 0;
}

/* --- its thread --------------------------------------------------------------------------------
 */

static void sleep_until_work(np_executor *executor)
{
    npi_watchdog *watchdog = &executor->watchdog;
    uint32_t expected = NPI_WATCHDOG_AWAKE;
    if (!npi_cas_acq_rel(&watchdog->state, &expected, (uint32_t)NPI_WATCHDOG_ASLEEP))
        return;
    npi_fence_heavy(); /* partner: npi_watch_enter */
    if (anybody_in_a_task(executor)) {
        expected = NPI_WATCHDOG_ASLEEP;
        (void)npi_cas_acq_rel(&watchdog->state, &expected, (uint32_t)NPI_WATCHDOG_AWAKE);
        return;
    }
    while (npi_load_acquire(&watchdog->state) == NPI_WATCHDOG_ASLEEP)
        (void)npi_os_futex_wait(&watchdog->state, NPI_WATCHDOG_ASLEEP, NPI_NO_DEADLINE);
}

static void watchdog_main(void *argument)
{
    np_executor *executor = argument;
    npi_watchdog *watchdog = &executor->watchdog;
    uint64_t limit = executor->settings.watchdog_ns;
    char name[32];
    (void)snprintf(name, sizeof name, "%s-watch", executor->settings.thread_name);
    (void)npi_os_thread_set_name(name);                          /* a nicety */
    npi_store_relaxed(&watchdog->thread_id, npi_os_thread_id()); /* to know itself by */
    /* Acquire: pairs with npi_watchdog_stop. The copy in a child, if the handler forks, ends. */
    while (npi_load_acquire(&watchdog->state) != NPI_WATCHDOG_LEAVES &&
           !npi_executor_is_forked(executor)) {
        bool busy = false;
        for (uint32_t i = 0; i < executor->seat_count && !npi_executor_is_forked(executor); i++)
            busy |= watch(watchdog, executor->seats[i], limit);
        if (busy)
            (void)npi_os_futex_wait(&watchdog->state, NPI_WATCHDOG_AWAKE,
                                    npi_os_deadline(limit / LOOKS));
        else
            sleep_until_work(executor);
    }
    npi_store_relaxed(&watchdog->thread_id, (uint64_t)0); /* the kernel gives it to others */
}

np_status npi_watchdog_start(np_executor *executor)
{
    npi_watchdog *watchdog = &executor->watchdog;
    if (watchdog->entries == NULL)
        return NP_OK;
    int error = npi_os_thread_start(&watchdog->thread, 0, watchdog_main, executor);
    if (error != 0)
        return npi_fail_errno(NP_ERR_SYSTEM, error, "pthread_create",
                              "the watchdog's thread cannot be started");
    watchdog->has_thread = true;
    return NP_OK;
}

bool npi_watchdog_is_self(np_executor *executor)
{
    /* Relaxed: only the thread itself finds its own number, and it wrote it. */
    uint64_t id = npi_load_relaxed(&executor->watchdog.thread_id);
    return id != 0 && id == npi_os_thread_id();
}

void npi_watchdog_stop(np_executor *executor)
{
    npi_watchdog *watchdog = &executor->watchdog;
    if (!watchdog->has_thread)
        return;
    npi_store_release(&watchdog->state, (uint32_t)NPI_WATCHDOG_LEAVES);
    npi_os_futex_wake(&watchdog->state, 1);
    (void)npi_os_thread_join(&watchdog->thread);
    watchdog->has_thread = false;
}

/* --- asking ------------------------------------------------------------------------------------
 */

size_t np_executor_stuck_tasks(const np_executor *given, np_stuck_task *out, size_t capacity)
{
    if (given == NULL || given->watchdog.entries == NULL || npi_executor_is_forked(given))
        return 0;
    np_executor *executor = (np_executor *)(uintptr_t)given; /* its atomics are only read */
    npi_watchdog *watchdog = &executor->watchdog;
    size_t count = 0;
    npi_lock_acquire(&watchdog->lock);
    uint64_t now = npi_os_now(); /* under the lock: after every `since_ns` */
    for (uint32_t i = 0; i < executor->seat_count; i++) {
        const npi_watch_entry *entry = &watchdog->entries[i];
        sight seen;
        if (!entry->reported || !look_at(executor->seats[i], &seen) || seen.serial != entry->serial)
            continue;
        if (count < capacity && out != NULL)
            describe(executor->seats[i], &seen, now - entry->since_ns, &out[count]);
        count++;
    }
    npi_lock_release(&watchdog->lock);
    return count;
}
