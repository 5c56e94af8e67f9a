/*
 * executor/create.c - starting the workers, and undoing everything if one cannot start as it must.
 *
 * Two phases. First every thread takes its seat, pins itself, reads its mask back and reports. Only
 * when all reports are in and good does the creator say go; then start hooks run and the loops
 * begin. So no hook and no task ever runs in an executor whose creation fails.
 */
#include "base/status.h"
#include "executor/lifecycle.h"

/*
 * Only the report that the creator still waits for wakes it: one wake-up and not one per worker.
 *
 *      a worker                    the creator
 *      --------                    -----------
 *      raises `reports`            says how many it wants
 *      FENCE                       FENCE
 *      looks at what is wanted     looks at `reports`, sleeps
 */
static void report(np_executor *executor)
{
    /* Release: what the worker wrote about itself, to the acquire in await_reports. */
    uint32_t reports = npi_fetch_add_acq_rel(&executor->reports, 1u) + 1;
    npi_fence_seq_cst();
    uint32_t wanted = npi_load_relaxed(&executor->reports_wanted);
    if (wanted != 0 && reports >= wanted)
        npi_os_futex_wake(&executor->reports, 1);
}

static void await_reports(np_executor *executor, uint32_t wanted)
{
    npi_store_relaxed(&executor->reports_wanted, wanted);
    npi_fence_seq_cst();
    for (;;) {
        uint32_t reports = npi_load_acquire(&executor->reports);
        if (reports >= wanted)
            return;
        (void)npi_os_futex_wait(&executor->reports, reports, NPI_NO_DEADLINE);
    }
}

static uint32_t await_phase(np_executor *executor)
{
    for (;;) {
        /* Acquire: pairs with the release in set_phase. */
        uint32_t phase = npi_load_acquire(&executor->phase);
        if (phase != NPI_PHASE_STARTING)
            return phase;
        (void)npi_os_futex_wait(&executor->phase, phase, NPI_NO_DEADLINE);
    }
}

static void set_phase(np_executor *executor, uint32_t phase)
{
    npi_store_release(&executor->phase, phase);
    npi_os_futex_wake(&executor->phase, UINT32_MAX);
}

static void regular_main(void *argument)
{
    npi_worker *worker = argument;
    np_executor *executor = worker->executor;
    npi_tls_worker = worker;
    npi_seat_place(worker);
    report(executor);
    if (await_phase(executor) == NPI_PHASE_GO) {
        npi_seat_hook(worker, true);
        report(executor);
        npi_worker_loop(worker, NULL, NULL);
        npi_worker_leave(worker);
        npi_seat_hook(worker, false);
    }
    npi_store_relaxed(&worker->thread_id, (uint64_t)0); /* for inspection only */
    npi_tls_worker = NULL;
}

/* The first worker, by index, that could not be placed as strict mode demands. */
static np_status first_failure(np_executor *executor)
{
    for (uint32_t i = 0; i < executor->regular_count; i++) {
        npi_worker *worker = executor->seats[i];
        if (worker->start_status == NP_OK)
            continue;
        np_status status = npi_fail(worker->start_status, "%s", worker->start_detail);
        npi_tls_self()->last_errno = worker->start_errno;
        return status;
    }
    return NP_OK;
}

static void abandon(np_executor *executor, uint32_t started)
{
    npi_watcher_stop(executor); /* it binds threads that live */
    set_phase(executor, NPI_PHASE_ABORT);
    for (uint32_t i = 0; i < started; i++)
        (void)npi_os_thread_join(&executor->seats[i]->thread);
    npi_executor_free(executor);
}

static void tell_about_soft(np_executor *executor)
{
    if (npi_topology_is_virtual(executor->topology) ||
        executor->settings.public_options.binding == NP_BINDING_OFF)
        return;
    for (uint32_t i = 0; i < executor->regular_count; i++) {
        npi_worker *worker = executor->seats[i];
        np_worker_info info;
        npi_seat_info(worker, &info);
        if (info.binding.level != NP_ENFORCEMENT_STRICT)
            npi_diagnose(NP_SEVERITY_WARNING, "worker %u of NUMA node %d is not pinned: %s",
                         info.index, (int)info.node, np_reason_text(info.binding.reason));
    }
}

static np_status start_workers(np_executor *executor)
{
    npi_os_fences_prepare(); /* before anybody can sleep or submit */
    npi_orphans_watch();
    np_status status = NP_OK;
    uint32_t started = 0;
    for (; started < executor->regular_count && status == NP_OK; started++)
        status = npi_seat_start_thread(executor->seats[started], regular_main);
    if (status != NP_OK)
        started--; /* the one that failed has no thread */
    await_reports(executor, started);
    if (status == NP_OK)
        status = first_failure(executor);
    if (status == NP_OK)
        status = npi_watcher_start(executor);
    if (status == NP_OK)
        status = npi_watchdog_start(executor); /* the last that can fail: no hook has run yet */
    if (status != NP_OK) {
        abandon(executor, started);
        return status;
    }
    set_phase(executor, NPI_PHASE_GO);
    await_reports(executor, 2 * started);
    tell_about_soft(executor);
    return NP_OK;
}

np_status np_executor_create(const np_topology *topology, const np_executor_options *given,
                             np_executor **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_executor_create: out is NULL");
    *out = NULL;
    if (topology == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_executor_create: topology is NULL");
    npi_options options;
    npi_plan plan;
    np_status status = npi_options_read(given, &options);
    if (status != NP_OK)
        return status;
    status = npi_plan_make(topology, &options, &plan);
    npi_options_release(&options);
    if (status != NP_OK)
        return status;
    np_executor *executor = NULL;
    status = npi_executor_build(topology, &plan, &executor);
    npi_plan_destroy(&plan);
    if (status == NP_OK)
        status = start_workers(executor);
    if (status == NP_OK)
        *out = executor;
    return status;
}
