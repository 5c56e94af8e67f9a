/*
 * tests/fault/cases_submit.c - every way to submit, from outside and from a task, into fresh queues
 * and into growing ones. A task is accepted, and then runs once, or it is not, and then never runs.
 */
#include <string.h>

#include "cases.h"

static void prepare(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
}

static void prepare_group(fault_run *run)
{
    prepare(run);
    FAULT_NEED(np_group_create(NULL, &run->group));
}

static void check(fault_run *run, bool fired)
{
    (void)fired;
    npi_store_release(&run->gate, 1u);
    fault_account(run);
}

static void accepted_one(fault_run *run)
{
    run->expected += run->status == NP_OK ? 1 : 0;
}

static void submit(fault_run *run)
{
    FAULT_CALL(run, np_submit(run->executor, fault_task, run));
    accepted_one(run);
}

/* Near the caller on the real machine: asks where that is. */
static void prepare_real(fault_run *run)
{
    fault_make_executor(run, NULL);
}

static void submit_to_node(fault_run *run)
{
    FAULT_CALL(run, np_submit_to_node(run->executor, 1, fault_task, run));
    accepted_one(run);
}

static void copied_task(void *argument)
{
    fault_run *run;
    memcpy(&run, argument, sizeof run);
    fault_task(run);
}

static void submit_copy(fault_run *run)
{
    FAULT_CALL(run, np_submit_copy_to_node(run->executor, 1, copied_task, &run, sizeof run));
    accepted_one(run);
}

static void submit_strict(fault_run *run)
{
    FAULT_CALL(
        run, np_submit_with(run->executor,
                            NP_SUBMIT_OPTIONS(.to_node = true, .node = 1,
                                              .affinity = NP_AFFINITY_STRICT, .group = run->group),
                            fault_task, run));
    accepted_one(run);
}

static void fill_tasks(fault_run *run)
{
    for (size_t i = 0; i < sizeof run->tasks / sizeof run->tasks[0]; i++)
        run->tasks[i] = (np_task){fault_task, run};
}

static void submit_batch(fault_run *run)
{
    fill_tasks(run);
    run->accepted = 999;
    FAULT_CALL(run, np_submit_batch(run->executor, 1, run->tasks, 200, &run->accepted));
    FAULT_CHECK(run->accepted <= 200 && (run->status == NP_OK) == (run->accepted == 200));
    run->expected += run->accepted;
}

static void group_submit(fault_run *run)
{
    FAULT_CALL(run, np_group_submit(run->group, run->executor, fault_task, run));
    accepted_one(run);
}

static void group_submit_to_node(fault_run *run)
{
    FAULT_CALL(run, np_group_submit_to_node(run->group, run->executor, 1, fault_task, run));
    accepted_one(run);
}

static void group_submit_batch(fault_run *run)
{
    fill_tasks(run);
    run->accepted = 999;
    FAULT_CALL(
        run, np_group_submit_batch(run->group, run->executor, 1, run->tasks, 200, &run->accepted));
    FAULT_CHECK(run->accepted <= 200 && (run->status == NP_OK) == (run->accepted == 200));
    run->expected += run->accepted;
}

/* --- growth: the workers stand at the gate, so the queue takes them all ---------------------- */

#define MANY 60000u

static void prepare_growth(fault_run *run)
{
    fault_make_pool(run, ONE_NODE,
                    NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .ignore_environment = true,
                                        .spare_workers = NP_SPARE_WORKERS_NONE));
    FAULT_NEED(np_submit(run->executor, fault_gate_task, run));
    run->expected = 1;
}

static void grow(fault_run *run)
{
    np_status worst = NP_OK;
    for (uint32_t i = 0; i < MANY; i++) {
        FAULT_CALL(run, np_submit(run->executor, fault_task, run));
        accepted_one(run);
        if (run->status != NP_OK)
            worst = run->status;
        if (run->status != NP_OK && i > 3 * MANY / 4)
            break; /* enough of it */
    }
    run->status = worst;
}

/* The same from a task, into the worker's own queue. */
static void grow_task(void *run)
{
    grow(run);
}

static void prepare_inside(fault_run *run)
{
    fault_make_pool(run, ONE_NODE,
                    NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .ignore_environment = true,
                                        .spare_workers = NP_SPARE_WORKERS_NONE));
}

static void grow_inside(fault_run *run)
{
    fault_in_task(run, grow_task);
}

/* --- a full inbox ---------------------------------------------------------------------------- */

static void prepare_full(fault_run *run)
{
    fault_make_pool(run, ONE_NODE,
                    NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .ignore_environment = true,
                                        .inbox_capacity = 2));
    for (int i = 0; i < 3; i++) /* the first may be taken out at once, and waits at the gate */
        FAULT_NEED(np_submit(run->executor, fault_gate_task, run));
    run->expected = 3;
    fault_helper(run, fault_open_gate_later);
}

static void prepare_full_worker(fault_run *run)
{
    prepare_full(run);
    np_topology *topology = NULL;
    FAULT_NEED(np_topology_from_synthetic(ONE_NODE, &topology));
    FAULT_NEED(np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .ignore_environment = true),
        &run->other));
    np_topology_destroy(topology);
}

static void submit_task(void *run)
{
    submit(run);
}

static void submit_from_other(fault_run *run)
{
    inject_exempt(true);
    FAULT_NEED(np_run(run->other, 0, submit_task, run));
    inject_exempt(false);
}

/* --- run and wait ---------------------------------------------------------------------------- */

static void run_and_wait(fault_run *run)
{
    FAULT_CALL(run, np_run(run->executor, 1, fault_task, run));
    FAULT_CHECK(run->status != NP_OK || npi_load_acquire(&run->ran) == 1);
    accepted_one(run);
}

static uintptr_t fast_task(np_worker *self, uintptr_t argument)
{
    (void)self;
    fault_task((void *)argument);
    return 77;
}

static void run_fast(fault_run *run)
{
    uintptr_t result = 5;
    FAULT_CALL(run, np_run_fast(run->executor, 1, fast_task, (uintptr_t)run, &result));
    FAULT_CHECK(result == (run->status == NP_OK ? 77 : 5));
    accepted_one(run);
}

static void body(void *context, size_t begin, size_t end)
{
    fault_run *run = context;
    npi_fetch_add_acq_rel(&run->ran, (uint64_t)(end - begin));
}

static void loop(fault_run *run)
{
    FAULT_CALL(run, np_parallel_for(run->executor, 0, 100000, NULL, body, run));
    /* Without an error every index has run, with one some may have. */
    FAULT_CHECK(npi_load_acquire(&run->ran) <= 100000);
    FAULT_CHECK(run->status != NP_OK || npi_load_acquire(&run->ran) == 100000);
    run->expected = npi_load_acquire(&run->ran);
}

static void loop_static(fault_run *run)
{
    FAULT_CALL(run, np_parallel_for(run->executor, 0, 100000,
                                    NP_LOOP_OPTIONS(.schedule = NP_SCHEDULE_STATIC, .grain = 1000),
                                    body, run));
    FAULT_CHECK(npi_load_acquire(&run->ran) <= 100000);
    FAULT_CHECK(run->status != NP_OK || npi_load_acquire(&run->ran) == 100000);
    run->expected = npi_load_acquire(&run->ran);
}

static void loop_task(void *run)
{
    loop_static(run);
}

static void loop_inside(fault_run *run)
{
    fault_in_task(run, loop_task);
}

#define SUBMIT(name, kind, before, call_it)                                                    \
    {                                                                                          \
        .function = name, .variant = kind, .prepare = before, .call = call_it, .check = check, \
        .allowed = {NP_ERR_NO_MEMORY}, .thing = "cannot grow", .elsewhere = true               \
    }

static const fault_case cases[] = {
    SUBMIT("np_submit", "", prepare, submit),
    SUBMIT("np_submit", "real", prepare_real, submit),
    SUBMIT("np_submit", "growth", prepare_growth, grow),
    SUBMIT("np_submit", "growth-inside", prepare_inside, grow_inside),
    SUBMIT("np_submit", "full", prepare_full, submit),
    {.function = "np_submit",
     .variant = "full-on-other",
     .prepare = prepare_full_worker,
     .call = submit_from_other,
     .check = check,
     .elsewhere = true,
     .thing = "full",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_NO_SPARE}},
    SUBMIT("np_submit_to_node", "", prepare, submit_to_node),
    SUBMIT("np_submit_copy_to_node", "", prepare, submit_copy),
    SUBMIT("np_submit_with", "strict", prepare_group, submit_strict),
    SUBMIT("np_submit_batch", "", prepare, submit_batch),
    SUBMIT("np_group_submit", "", prepare_group, group_submit),
    SUBMIT("np_group_submit_to_node", "", prepare_group, group_submit_to_node),
    SUBMIT("np_group_submit_batch", "", prepare_group, group_submit_batch),
    SUBMIT("np_run", "", prepare, run_and_wait),
    SUBMIT("np_run_fast", "", prepare, run_fast),
    SUBMIT("np_parallel_for", "adaptive", prepare, loop),
    SUBMIT("np_parallel_for", "static", prepare, loop_static),
    SUBMIT("np_parallel_for", "static-inside", prepare, loop_inside),
};
FAULT_LIST(fault_submit_cases, cases);
