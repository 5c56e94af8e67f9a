/*
 * executor/seat.c - a thread takes its seat: name, binding, proof of the binding. A refresh binds
 * it anew with the same function.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "executor/lifecycle.h"

static np_reason reason_of(int error)
{
    switch (error) {
    case EPERM:
    case EACCES: return NP_REASON_NOT_PERMITTED;
    case ENOSYS: return NP_REASON_NOT_SUPPORTED;
    case EINVAL: return NP_REASON_OUTSIDE_ALLOWED;
    default: return NP_REASON_SYSTEM;
    }
}

/* --- binding ------------------------------------------------------------------------------- */

/* Its own CPU if that may be used, else one of those that may, in turn by seat. */
static int32_t choose_cpu(const npi_worker *worker)
{
    const np_cpu_set *cpus = &worker->node->cpus;
    uint32_t count = np_cpu_set_count(cpus);
    if (count == 0 || np_cpu_set_contains(cpus, worker->cpu))
        return worker->cpu;
    int32_t cpu = np_cpu_set_first(cpus);
    for (uint32_t skip = worker->seat % count; skip > 0; skip--)
        cpu = np_cpu_set_next(cpus, cpu);
    return cpu;
}

static void bound(npi_worker *worker, np_enforcement_level level, np_reason reason, int error)
{
    worker->binding = (np_enforcement){level, reason, error};
}

bool npi_seat_bind(npi_worker *worker, uint64_t thread)
{
    np_cpu_set wanted = worker->node->cpus;
    np_cpu_set got;
    if (worker->cpu != NP_CPU_NONE) {
        worker->cpu_now = choose_cpu(worker);
        np_cpu_set_clear(&wanted);
        (void)np_cpu_set_add(&wanted, worker->cpu_now);
    }
    worker->cpus = wanted;
    bool known = thread != 0 && npi_os_thread_affinity_get(thread, &got) == 0;
    bool changes = !known || !np_cpu_set_equal(&got, &wanted);
    int error = changes ? npi_os_thread_affinity_set(thread, &wanted) : 0;
    if (error != 0) {
        if (known)
            worker->cpus = got;
        bound(worker, NP_ENFORCEMENT_NONE, reason_of(error), error);
        return false;
    }
    error = npi_os_thread_affinity_get(thread, &got);
    if (error != 0) {
        bound(worker, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED, error);
        return changes;
    }
    worker->cpus = got;
    if (!np_cpu_set_equal(&got,
                          &wanted)) /* The kernel drops CPUs that the cpuset does not allow. */
        bound(worker, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0);
    else if (np_cpu_set_is_empty(&worker->node->home_cpus))
        bound(worker, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NO_CPU, 0);
    else
        bound(worker, NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0);
    return changes;
}

/* Strict mode: nothing less will do, but for a spare worker of a node that is gone. */
static void demand(npi_worker *worker)
{
    np_reason reason = worker->binding.reason;
    if (worker->binding.level == NP_ENFORCEMENT_STRICT || reason == NP_REASON_NO_CPU ||
        worker->executor->settings.public_options.hard_mode != NP_HARD_MODE_STRICT)
        return;
    char cpus[128];
    int error = worker->binding.system_error;
    const char *call = reason == NP_REASON_NOT_VERIFIED ? "sched_getaffinity" : "sched_setaffinity";
    np_cpu_set wanted = worker->node->cpus;
    if (worker->cpu_now != NP_CPU_NONE) {
        np_cpu_set_clear(&wanted);
        (void)np_cpu_set_add(&wanted, worker->cpu_now);
    }
    (void)np_cpu_set_print(&wanted, cpus, sizeof cpus);
    worker->start_status =
        error != 0 ? npi_fail_errno(NP_ERR_HARD_MODE, error, call,
                                    "worker %u (%s) of NUMA node %d cannot be pinned to CPU %s",
                                    worker->index, worker->name, (int)worker->node->id, cpus)
                   : npi_fail(NP_ERR_HARD_MODE,
                              "worker %u (%s) of NUMA node %d cannot be pinned to CPU %s: %s",
                              worker->index, worker->name, (int)worker->node->id, cpus,
                              np_reason_text(reason));
    worker->start_errno = error;
    memcpy(worker->start_detail, np_error_detail(), sizeof worker->start_detail);
}

static void take_place(npi_worker *worker)
{
    np_executor *executor = worker->executor;
    worker->cpus = worker->node->cpus;
    if (worker->kind == NP_WORKER_GUEST)
        bound(worker, NP_ENFORCEMENT_NONE, NP_REASON_CALLER_THREAD, 0);
    else if (executor->is_virtual)
        bound(worker, NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY, 0);
    else if (executor->settings.public_options.binding == NP_BINDING_OFF)
        bound(worker, NP_ENFORCEMENT_NONE, NP_REASON_NOT_REQUESTED, 0);
    else
        (void)npi_seat_bind(worker, 0);
    if (worker->binding.level == NP_ENFORCEMENT_NONE)
        (void)npi_os_affinity_get(&worker->cpus);
    if (worker->kind != NP_WORKER_GUEST)
        demand(worker);
    /* A number for inspection, and by it a refresh finds the thread: not one that is to end. */
    if (worker->start_status == NP_OK)
        npi_store_relaxed(&worker->thread_id, npi_os_thread_id());
}

void npi_seat_place(npi_worker *worker)
{
    worker->start_status = NP_OK;
    uintptr_t end;
    size_t bytes;
    npi_os_thread_stack(&end, &bytes);
    size_t asked = worker->executor->settings.public_options.stack_size;
    if (worker->kind != NP_WORKER_GUEST && asked != 0 && bytes > asked) {
        end += bytes - asked; /* guessed; we know better */
        bytes = asked;
    }
    worker->deep = end + bytes / 2;
    worker->deepest = end + bytes / 8;
    if (worker->kind != NP_WORKER_GUEST)
        (void)npi_os_thread_set_name(worker->name); /* a nicety; the thread works without */
    /* Regular ones are placed before anybody else knows the executor. */
    bool late = worker->kind != NP_WORKER_REGULAR;
    if (late)
        npi_lock_acquire(&worker->executor->change_lock);
    take_place(worker);
    if (late)
        npi_lock_release(&worker->executor->change_lock);
}

np_status npi_seat_start_thread(npi_worker *worker, npi_os_thread_fn body)
{
    size_t stack = worker->executor->settings.public_options.stack_size;
    int error = npi_os_thread_start(&worker->thread, stack, body, worker);
    if (error != 0)
        return npi_fail_errno(NP_ERR_SYSTEM, error, "pthread_create",
                              "worker %u of NUMA node %d cannot be started", worker->index,
                              (int)worker->node->id);
    worker->has_thread = true;
    return NP_OK;
}

void npi_seat_info(npi_worker *worker, np_worker_info *out)
{
    memset(out, 0, sizeof *out);
    out->index = worker->index;
    out->rank = worker->seat;
    out->kind = worker->kind;
    out->node = worker->node->id;
    out->thread = npi_load_relaxed(&worker->thread_id);
    /* In a forked child the lock may be held by a thread that is not there; nobody writes. */
    bool locked = !npi_executor_is_forked(worker->executor);
    if (locked)
        npi_lock_acquire(&worker->executor->change_lock);
    out->cpu = worker->cpu_now;
    out->binding = worker->binding;
    out->cpus = worker->cpus;
    if (locked)
        npi_lock_release(&worker->executor->change_lock);
    memcpy(out->name, worker->name, sizeof out->name);
}

void npi_seat_hook(npi_worker *worker, bool start)
{
    const np_executor_options *options = &worker->executor->settings.public_options;
    np_worker_hook hook = start ? options->on_worker_start : options->on_worker_stop;
    if (hook == NULL || npi_executor_is_forked(worker->executor))
        return;
    np_worker_info info;
    npi_seat_info(worker, &info);
    hook(options->hook_context, &info);
}

void npi_seats_notice(np_executor *executor)
{
    for (uint32_t i = 0; i < executor->seat_count; i++)
        npi_token_give(&executor->seats[i]->token);
}
