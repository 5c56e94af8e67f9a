/*
 * executor/seat.c - a thread takes its seat: name, binding, proof of the binding.
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

static void weaker(npi_worker *worker, np_enforcement_level level, np_reason reason, int error,
                   const char *call)
{
    worker->binding = (np_enforcement){level, reason, error};
    if (worker->executor->settings.public_options.hard_mode != NP_HARD_MODE_STRICT)
        return;
    char cpus[128];
    (void)np_cpu_set_print(&worker->cpus, cpus, sizeof cpus);
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

static void pin(npi_worker *worker)
{
    np_cpu_set wanted = worker->node->cpus;
    if (worker->cpu != NP_CPU_NONE) {
        np_cpu_set_clear(&wanted);
        (void)np_cpu_set_add(&wanted, worker->cpu);
    }
    worker->cpus = wanted;
    int error = npi_os_affinity_set(&wanted);
    if (error != 0) {
        weaker(worker, NP_ENFORCEMENT_NONE, reason_of(error), error, "sched_setaffinity");
        return;
    }
    np_cpu_set got;
    error = npi_os_affinity_get(&got);
    if (error != 0) {
        weaker(worker, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED, error,
               "sched_getaffinity");
        return;
    }
    worker->cpus = got;
    if (np_cpu_set_equal(&got, &wanted))
        worker->binding = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    else /* The kernel drops CPUs that the cpuset does not allow. */
        weaker(worker, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0, "");
}

void npi_seat_place(npi_worker *worker)
{
    np_executor *executor = worker->executor;
    worker->start_status = NP_OK;
    uintptr_t end;
    size_t bytes;
    npi_os_thread_stack(&end, &bytes);
    size_t asked = executor->settings.public_options.stack_size;
    if (worker->kind != NP_WORKER_GUEST && asked != 0 && bytes > asked) {
        end += bytes - asked; /* guessed; we know better */
        bytes = asked;
    }
    worker->deep = end + bytes / 2;
    worker->deepest = end + bytes / 8;
    npi_store_relaxed(&worker->thread_id, npi_os_thread_id()); /* a number for inspection */
    worker->cpus = worker->node->cpus;
    if (worker->kind == NP_WORKER_GUEST) {
        worker->binding = (np_enforcement){NP_ENFORCEMENT_NONE, NP_REASON_CALLER_THREAD, 0};
        (void)npi_os_affinity_get(&worker->cpus);
        return;
    }
    (void)npi_os_thread_set_name(worker->name); /* a nicety; the thread works without */
    if (npi_topology_is_virtual(executor->topology))
        worker->binding = (np_enforcement){NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY, 0};
    else if (executor->settings.public_options.binding == NP_BINDING_OFF)
        worker->binding = (np_enforcement){NP_ENFORCEMENT_NONE, NP_REASON_NOT_REQUESTED, 0};
    else
        pin(worker);
    if (worker->binding.level == NP_ENFORCEMENT_NONE)
        (void)npi_os_affinity_get(&worker->cpus);
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
    out->cpu = worker->cpu;
    out->thread = npi_load_relaxed(&worker->thread_id);
    out->binding = worker->binding;
    out->cpus = worker->cpus;
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
