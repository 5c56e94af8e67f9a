/*
 * tests/fault/cases_executor.c - creating executors, waiting for them, ending them, and the
 * caller's thread as a worker.
 */
#include <sched.h>

#include "cases.h"

#define POISON ((np_executor *)(uintptr_t)8)

/* --- create ---------------------------------------------------------------------------------- */

static void prepare_virtual(fault_run *run)
{
    fault_make_topology(run, TWO_NODES);
    run->executor = POISON;
}

static void prepare_real(fault_run *run)
{
    fault_make_topology(run, NULL);
    run->executor = POISON;
}

static void create_virtual(fault_run *run)
{
    FAULT_CALL(
        run, np_executor_create(run->topology,
                                NP_EXECUTOR_OPTIONS(.workers_per_node = 2, .spare_workers = 1,
                                                    .guest_workers = 1, .ignore_environment = true),
                                &run->executor));
}

static void create_soft(fault_run *run)
{
    FAULT_CALL(
        run, np_executor_create(run->topology,
                                NP_EXECUTOR_OPTIONS(.stack_size = 256 * 1024, .spare_workers = 1,
                                                    .guest_workers = 1, .ignore_environment = true),
                                &run->executor));
}

static void create_strict(fault_run *run)
{
    FAULT_CALL(
        run, np_executor_create(run->topology,
                                NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT,
                                                    .binding = NP_BINDING_CPU, .spare_workers = 1,
                                                    .guest_workers = 1, .ignore_environment = true),
                                &run->executor));
}

static void create_watchdog(fault_run *run)
{
    FAULT_CALL(run,
               np_executor_create(run->topology,
                                  NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .spare_workers = 1,
                                                      .guest_workers = 1, .watchdog_ns = 1000000,
                                                      .ignore_environment = true),
                                  &run->executor));
}

static void create_watcher(fault_run *run)
{
    FAULT_CALL(run,
               np_executor_create(run->topology,
                                  NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .spare_workers = 1,
                                                      .guest_workers = 1, .watch_changes = true,
                                                      .ignore_environment = true),
                                  &run->executor));
}

static void create_strict_watcher(fault_run *run)
{
    FAULT_CALL(run, np_executor_create(run->topology,
                                       NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT,
                                                           .spare_workers = 1, .guest_workers = 1,
                                                           .watch_changes = true,
                                                           .ignore_environment = true),
                                       &run->executor));
}

static void create_lists(fault_run *run)
{
    const np_node_id node = np_topology_node_id(run->topology, 0);
    const np_node_workers workers = {node, 2};
    FAULT_NEED(np_topology_cpus(run->topology, &run->cpus));
    FAULT_CALL(run,
               np_executor_create(
                   run->topology,
                   NP_EXECUTOR_OPTIONS(.nodes = &node, .node_count = 1, .node_workers = &workers,
                                       .node_workers_count = 1, .cpus = &run->cpus,
                                       .inbox_capacity = 8, .ignore_environment = true),
                   &run->executor));
}

/* NULL, or a pool that works; in strict hard mode with every worker proven to be bound. */
static void check_created(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status != NP_OK) {
        FAULT_CHECK(run->executor == NULL);
        return;
    }
    fault_probe(run->executor);
    for (uint32_t i = 0; i < np_executor_worker_count(run->executor); i++) {
        np_worker_info info;
        FAULT_NEED(np_executor_worker_info(run->executor, i, &info));
        if (np_executor_hard_mode(run->executor) == NP_HARD_MODE_STRICT)
            FAULT_CHECK(info.binding.level == NP_ENFORCEMENT_STRICT);
        else if (info.binding.level != NP_ENFORCEMENT_STRICT)
            FAULT_CHECK(info.binding.reason != NP_REASON_NONE);
    }
}

/* --- following a change: a refresh that failed is made good by the next ---------------------- */

static void prepare_refresh(fault_run *run)
{
    fault_make_executor(run, NULL);
}

static void refresh(fault_run *run)
{
    np_refresh_result result;
    FAULT_CALL(run, np_executor_refresh(run->executor, &result));
}

static void check_refreshed(fault_run *run, bool fired)
{
    (void)fired;
    np_refresh_result result;
    fault_probe(run->executor);
    FAULT_NEED(np_executor_refresh(run->executor, &result));
    for (uint32_t i = 0; i < np_executor_worker_count(run->executor); i++) {
        np_worker_info info;
        FAULT_NEED(np_executor_worker_info(run->executor, i, &info));
        FAULT_CHECK(info.binding.level == NP_ENFORCEMENT_STRICT);
    }
    fault_probe(run->executor);
}

/* --- waiting and ending ---------------------------------------------------------------------- */

static void submit_some(fault_run *run, np_task_fn fn)
{
    for (int i = 0; i < 10; i++)
        FAULT_NEED(np_submit_to_node(run->executor, i % 2, fn, run));
    run->expected = 10;
}

static void prepare_gated(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    submit_some(run, fault_gate_task);
    fault_helper(run, fault_open_gate_later);
}

/* Both workers are inside a task when the call begins. */
static void prepare_stuck(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    submit_some(run, fault_gate_task);
    while (npi_load_acquire(&run->arrived) < 2)
        sched_yield();
}

static void wait_idle(fault_run *run)
{
    FAULT_CALL(run, np_executor_wait_idle(run->executor, NP_FOREVER));
}

static void wait_idle_long(fault_run *run)
{
    FAULT_CALL(run, np_executor_wait_idle(run->executor, UINT64_C(60000000000)));
}

static void wait_idle_short(fault_run *run)
{
    FAULT_CALL(run, np_executor_wait_idle(run->executor, 100000));
}

static void check_idle(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status == NP_OK)
        FAULT_CHECK(npi_load_acquire(&run->ran) == run->expected);
    npi_store_release(&run->gate, 1u);
    fault_account(run);
}

static void shut_down(fault_run *run)
{
    FAULT_CALL(run, np_executor_shutdown(run->executor));
}

static void shut_down_within(fault_run *run)
{
    np_shutdown_result result;
    FAULT_CALL(run, np_executor_shutdown_within(run->executor, UINT64_C(60000000000), &result));
    run->accepted = (size_t)result.discarded;
}

static void shut_down_short(fault_run *run)
{
    np_shutdown_result result;
    FAULT_CALL(run, np_executor_shutdown_within(run->executor, 100000, &result));
    run->accepted = (size_t)result.discarded;
}

/* Every task ended once: run, or handed back. */
static void check_shut_down(fault_run *run, bool fired)
{
    (void)fired;
    np_executor_load load;
    npi_store_release(&run->gate, 1u);
    FAULT_NEED(np_executor_shutdown(run->executor));
    FAULT_NEED(np_executor_load_now(run->executor, &load));
    FAULT_CHECK(load.accepted == run->expected);
    FAULT_CHECK(load.executed == npi_load_acquire(&run->ran));
    FAULT_CHECK(load.executed + load.discarded == run->expected);
    FAULT_CHECK(load.discarded == run->accepted);
    FAULT_CHECK(load.queued == 0 && load.running == 0);
}

static void destroy(fault_run *run)
{
    FAULT_CALL(run, np_executor_destroy(run->executor));
    if (run->status == NP_OK)
        run->executor = NULL;
}

static void check_destroyed(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK(npi_load_acquire(&run->ran) == run->expected);
}

/* --- the caller's thread --------------------------------------------------------------------- */

static void leave_create(fault_run *run)
{
    run->leave = (np_leave *)(uintptr_t)8;
    FAULT_CALL(run, np_leave_create(&run->leave));
    FAULT_CHECK(run->status == NP_OK || run->leave == NULL);
}

static void call_back(fault_run *run)
{
    fault_open_gate_later(run);
    np_leave_now(run->leave);
}

static void prepare_guest(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_leave_create(&run->leave));
    submit_some(run, fault_task);
    fault_helper(run, call_back);
}

static void work(fault_run *run)
{
    FAULT_CALL(run, np_worker_run(run->executor, 0, run->leave));
}

/* --- blocking calls -------------------------------------------------------------------------- */

static void begin_in_task(void *argument)
{
    fault_run *run = argument;
    FAULT_CALL(run, np_blocking_begin());
    if (run->status == NP_OK)
        np_blocking_end();
}

static void end_in_task(void *argument)
{
    fault_run *run = argument;
    if (np_blocking_begin() != NP_OK)
        return;
    FAULT_DO(run, np_blocking_end());
}

static void prepare_pool(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
}

static void blocking_begin(fault_run *run)
{
    fault_in_task(run, begin_in_task);
}

static void blocking_end(fault_run *run)
{
    fault_in_task(run, end_in_task);
}

static void account(fault_run *run, bool fired)
{
    (void)fired;
    fault_account(run);
}

#define CREATE(name, before, call_it)                                                          \
    {                                                                                          \
        .function = "np_executor_create", .variant = name, .prepare = before, .call = call_it, \
        .check = check_created, .elsewhere = true, .thing = "worker", .allowed = {             \
            NP_ERR_NO_MEMORY,                                                                  \
            NP_ERR_SYSTEM,                                                                     \
            NP_ERR_HARD_MODE                                                                   \
        }                                                                                      \
    }

static const fault_case cases[] = {
    CREATE("virtual", prepare_virtual, create_virtual),
    CREATE("watchdog", prepare_virtual, create_watchdog),
    CREATE("watcher", prepare_real, create_watcher),
    CREATE("strict watcher", prepare_real, create_strict_watcher),
    CREATE("soft", prepare_real, create_soft),
    CREATE("strict", prepare_real, create_strict),
    CREATE("lists", prepare_real, create_lists),
    {.function = "np_executor_refresh",
     .variant = "",
     .prepare = prepare_refresh,
     .call = refresh,
     .check = check_refreshed,
     .elsewhere = true,
     .allowed = {NP_ERR_SYSTEM, NP_ERR_NO_MEMORY}},
    {.function = "np_executor_wait_idle",
     .variant = "forever",
     .prepare = prepare_gated,
     .call = wait_idle,
     .check = check_idle,
     .elsewhere = true},
    {.function = "np_executor_wait_idle",
     .variant = "long",
     .prepare = prepare_gated,
     .call = wait_idle_long,
     .check = check_idle,
     .elsewhere = true,
     .thing = "tasks",
     .allowed = {NP_ERR_TIMEOUT}},
    {.function = "np_executor_wait_idle",
     .variant = "short",
     .prepare = prepare_stuck,
     .call = wait_idle_short,
     .check = check_idle,
     .thing = "task",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_executor_shutdown",
     .variant = "",
     .prepare = prepare_gated,
     .call = shut_down,
     .check = check_shut_down,
     .elsewhere = true},
    {.function = "np_executor_shutdown_within",
     .variant = "long",
     .prepare = prepare_gated,
     .call = shut_down_within,
     .check = check_shut_down,
     .elsewhere = true,
     .thing = "tasks",
     .allowed = {NP_ERR_TIMEOUT}},
    {.function = "np_executor_shutdown_within",
     .variant = "short",
     .prepare = prepare_stuck,
     .call = shut_down_short,
     .check = check_shut_down,
     .thing = "tasks",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_executor_destroy",
     .variant = "",
     .prepare = prepare_gated,
     .call = destroy,
     .check = check_destroyed,
     .elsewhere = true},
    {.function = "np_leave_create",
     .variant = "",
     .call = leave_create,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_worker_run",
     .variant = "",
     .prepare = prepare_guest,
     .call = work,
     .check = account,
     .elsewhere = true},
    {.function = "np_blocking_begin",
     .variant = "",
     .prepare = prepare_pool,
     .call = blocking_begin,
     .check = account,
     .elsewhere = true,
     .thing = "spare",
     .allowed = {NP_ERR_NO_SPARE}},
    {.function = "np_blocking_end",
     .variant = "",
     .prepare = prepare_pool,
     .call = blocking_end,
     .check = account,
     .pure = "never refuses: takes a lock, tells the spare, at most waking it"},
};
FAULT_LIST(fault_executor_cases, cases);
