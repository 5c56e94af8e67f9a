/*
 * tests/fault/cases_pipeline.c - pipelines: making, running with a source, pushing, waiting. What
 * must hold however it comes out: each item that went in ended once, and nobody waits for ever.
 */
#include "cases.h"

#define ITEMS 64u

static uint32_t made; /* by the source */
static np_atomic(uint64_t) ended;

static np_status source(void *run, void *item)
{
    (void)run;
    if (made == ITEMS)
        return NP_ERR_CLOSED;
    *(uint64_t *)item = made++;
    return NP_OK;
}

static np_status pass(void *run, void *item)
{
    (void)run;
    (void)item;
    return NP_OK;
}

static np_status end(void *run, void *item)
{
    (void)run;
    (void)item;
    npi_fetch_add_acq_rel(&ended, (uint64_t)1);
    return NP_OK;
}

static void destroy_item(void *run, void *item)
{
    (void)end(run, item);
}

static void ignore(np_status status)
{
    (void)status;
}

static const np_node_id one[] = {1};

static np_stage stages[] = {
    {.fn = pass},
    {.fn = pass, .kind = NP_STAGE_ORDERED, .nodes = one, .node_count = 1},
    {.fn = pass,
     .kind = NP_STAGE_SERIAL,
     .affinity = NP_AFFINITY_STRICT,
     .nodes = one,
     .node_count = 1},
    {.fn = end},
};

static np_pipeline_options options_of(bool with_source, bool at_node)
{
    np_pipeline_options options = {.size = sizeof options, .item_bytes = 8, .in_flight = 4};
    options.stages = stages;
    options.stage_count = 4;
    options.source = with_source ? source : NULL;
    options.source_at_node = at_node;
    options.source_node = 1;
    options.destroy_item = destroy_item;
    return options;
}

static void create_kind(fault_run *run, bool at_node)
{
    np_pipeline_options options = options_of(true, at_node);
    run->pipeline = (np_pipeline *)(uintptr_t)8;
    FAULT_CALL(run, np_pipeline_create(run->executor, &options, &run->pipeline));
    FAULT_CHECK(run->status == NP_OK || run->pipeline == NULL);
}

static void create(fault_run *run)
{
    create_kind(run, false);
}

static void create_at_node(fault_run *run)
{
    create_kind(run, true);
}

static void prepare(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
}

static void prepare_kind(fault_run *run, bool with_source)
{
    np_pipeline_options options = options_of(with_source, false);
    made = 0;
    npi_store_release(&ended, (uint64_t)0);
    prepare(run);
    FAULT_NEED(np_pipeline_create(run->executor, &options, &run->pipeline));
}

static void prepare_source(fault_run *run)
{
    prepare_kind(run, true);
}

static void prepare_push(fault_run *run)
{
    prepare_kind(run, false);
}

/* --- with a source -----------------------------------------------------------------------------
 */

/* It has ended, whatever came out, and its account is right. */
static void account(fault_run *run)
{
    np_pipeline_counts counts;
    FAULT_NEED(np_pipeline_count(run->pipeline, &counts));
    FAULT_CHECK(counts.inside == 0);
    FAULT_CHECK(counts.entered == counts.finished + counts.dropped + counts.destroyed);
    FAULT_CHECK(npi_load_acquire(&ended) == counts.entered);
    if (np_pipeline_outcome(run->pipeline) == NP_OK)
        FAULT_CHECK(counts.destroyed == 0);
    FAULT_NEED(np_executor_wait_idle(run->executor, NP_FOREVER));
    fault_probe(run->executor);
}

static void start(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_start(run->pipeline));
}

/* What could not be started can be started later. */
static void check_start(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status != NP_OK)
        FAULT_NEED(np_pipeline_start(run->pipeline));
    FAULT_NEED(np_pipeline_wait(run->pipeline));
    FAULT_CHECK(made == ITEMS);
    account(run);
}

static void run_it(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_run(run->pipeline));
}

static void check_run(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status == NP_OK)
        FAULT_CHECK(made == ITEMS);
    account(run);
}

static void prepare_started(fault_run *run)
{
    prepare_source(run);
    FAULT_NEED(np_pipeline_start(run->pipeline));
}

static void wait_forever(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_wait(run->pipeline));
}

static void wait_long(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_wait_for(run->pipeline, UINT64_C(60000000000)));
}

static void wait_short(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_wait_for(run->pipeline, 100000));
}

static void check_wait(fault_run *run, bool fired)
{
    if (run->status == NP_ERR_TIMEOUT)
        ignore(np_pipeline_wait(run->pipeline));
    check_run(run, fired);
}

static void check_idle(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_NEED(np_pipeline_finish(run->pipeline));
    FAULT_NEED(np_pipeline_wait(run->pipeline));
    account(run);
}

static void notify(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_notify(run->pipeline, fault_task, run));
    run->expected += run->status == NP_OK ? 1 : 0;
}

static void check_told(fault_run *run, bool fired)
{
    check_idle(run, fired);
    FAULT_CHECK(npi_load_acquire(&run->ran) == run->expected);
}

/* --- pushing ------------------------------------------------------------------------------------
 */

static void push(fault_run *run)
{
    np_pipeline_counts counts;
    uint64_t accepted = 0, item = 7;
    np_status worst = NP_OK;
    for (uint32_t i = 0; i < 3; i++) {
        FAULT_CALL(run, np_pipeline_push(run->pipeline, &item));
        accepted += run->status == NP_OK ? 1 : 0;
        worst = run->status != NP_OK ? run->status : worst;
    }
    run->status = worst;
    FAULT_NEED(np_pipeline_count(run->pipeline, &counts));
    FAULT_CHECK(counts.entered == accepted);
}

/* All places are free again. */
static void check_push(fault_run *run, bool fired)
{
    uint64_t item = 7;
    if (np_pipeline_outcome(run->pipeline) == NP_OK) {
        FAULT_NEED(np_executor_wait_idle(run->executor, NP_FOREVER));
        for (uint32_t i = 0; i < 4; i++)
            FAULT_NEED(np_pipeline_push(run->pipeline, &item));
        check_idle(run, fired);
        return;
    }
    ignore(np_pipeline_wait(run->pipeline));
    account(run);
}

static void ready_now(fault_run *run)
{
    FAULT_CALL(run, np_pipeline_when_ready(run->pipeline, fault_task, run));
    run->expected += run->status == NP_OK ? 1 : 0;
}

static np_status pass_gate(void *run, void *item)
{
    fault_gate_pass(run);
    return end(run, item);
}

/* Four items wait at the gate or behind it: no place. */
static void prepare_full(fault_run *run)
{
    np_stage gate = {.fn = pass_gate, .context = run};
    np_pipeline_options options = options_of(false, false);
    uint64_t item = 7;
    options.stages = &gate;
    options.stage_count = 1;
    npi_store_release(&ended, (uint64_t)0);
    prepare(run);
    FAULT_NEED(np_pipeline_create(run->executor, &options, &run->pipeline));
    for (uint32_t i = 0; i < 4; i++)
        FAULT_NEED(np_pipeline_push(run->pipeline, &item));
}

static void check_ready(fault_run *run, bool fired)
{
    npi_store_release(&run->gate, 1u);
    FAULT_NEED(np_pipeline_finish(run->pipeline));
    ignore(np_pipeline_wait(run->pipeline));
    account(run);
    FAULT_CHECK(npi_load_acquire(&run->ran) == run->expected);
    (void)fired;
}

/* --- what only looks, or wakes
 * -------------------------------------------------------------------- */

static np_pipeline_counts counts;
static np_edge_counts edge;

#define QUIET(X)                                                             \
    X(np_pipeline_cancel, ignore(np_pipeline_cancel(r->pipeline)))           \
    X(np_pipeline_count, ignore(np_pipeline_count(r->pipeline, &counts)))    \
    X(np_pipeline_edge, ignore(np_pipeline_edge(r->pipeline, 1, &edge)))     \
    X(np_pipeline_edge_count, (void)np_pipeline_edge_count(r->pipeline))     \
    X(np_pipeline_failed_stage, (void)np_pipeline_failed_stage(r->pipeline)) \
    X(np_pipeline_finish, ignore(np_pipeline_finish(r->pipeline)))           \
    X(np_pipeline_is_stopped, (void)np_pipeline_is_stopped(r->pipeline))     \
    X(np_pipeline_outcome, ignore(np_pipeline_outcome(r->pipeline)))         \
    X(np_stage_kind_name, (void)np_stage_kind_name(NP_STAGE_SERIAL))

#define DEFINE(name, expression)          \
    static void call_##name(fault_run *r) \
    {                                     \
        FAULT_DO(r, expression);          \
    }
QUIET(DEFINE)

static void call_destroy(fault_run *run)
{
    FAULT_NEED(np_pipeline_finish(run->pipeline));
    FAULT_DO(run, ignore(np_pipeline_destroy(run->pipeline)));
    run->pipeline = NULL;
}

#define QUIET_ROW(name, expression)                                        \
    {.function = #name,                                                    \
     .variant = "",                                                        \
     .pure = "works in the memory that is there, at most waking somebody", \
     .prepare = prepare_push,                                              \
     .call = call_##name},

static const fault_case cases[] = {{.function = "np_pipeline_create",
                                    .variant = "",
                                    .prepare = prepare,
                                    .call = create,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_create",
                                    .variant = "at a node",
                                    .prepare = prepare,
                                    .call = create_at_node,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_start",
                                    .variant = "",
                                    .prepare = prepare_source,
                                    .call = start,
                                    .check = check_start,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_run",
                                    .variant = "",
                                    .prepare = prepare_source,
                                    .call = run_it,
                                    .check = check_run,
                                    .elsewhere = true,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_wait",
                                    .variant = "",
                                    .prepare = prepare_started,
                                    .call = wait_forever,
                                    .check = check_wait,
                                    .elsewhere = true,
                                    .perhaps_none = true,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_wait_for",
                                    .variant = "long",
                                    .prepare = prepare_started,
                                    .call = wait_long,
                                    .check = check_wait,
                                    .elsewhere = true,
                                    .perhaps_none = true,
                                    .thing = "tasks",
                                    .allowed = {NP_ERR_NO_MEMORY, NP_ERR_TIMEOUT}},
                                   {.function = "np_pipeline_wait_for",
                                    .variant = "short",
                                    .prepare = prepare_push,
                                    .call = wait_short,
                                    .check = check_idle,
                                    .thing = "tasks",
                                    .natural = NP_ERR_TIMEOUT},
                                   {.function = "np_pipeline_notify",
                                    .variant = "",
                                    .prepare = prepare_push,
                                    .call = notify,
                                    .check = check_told,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_push",
                                    .variant = "",
                                    .prepare = prepare_push,
                                    .call = push,
                                    .check = check_push,
                                    .thing = "pipeline",
                                    .elsewhere = true,
                                    .allowed = {NP_ERR_NO_MEMORY, NP_ERR_CLOSED}},
                                   {.function = "np_pipeline_when_ready",
                                    .variant = "now",
                                    .prepare = prepare_push,
                                    .call = ready_now,
                                    .check = check_told,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_when_ready",
                                    .variant = "later",
                                    .prepare = prepare_full,
                                    .call = ready_now,
                                    .check = check_ready,
                                    .allowed = {NP_ERR_NO_MEMORY}},
                                   {.function = "np_pipeline_destroy",
                                    .variant = "",
                                    .pure = "gives memory back",
                                    .prepare = prepare_push,
                                    .call = call_destroy},
                                   QUIET(QUIET_ROW)};
FAULT_LIST(fault_pipeline_cases, cases);
