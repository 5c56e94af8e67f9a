/*
 * Goal: every item goes through every stage once, in the order that the kind of the stage promises,
 * on the nodes that the stage names; never more items are inside than there are places; a pipeline
 * works on one worker, in a task, and in a stage of another one. Method: items and a ledger that
 * know what was done to them (pipeline_help.h); all kinds in all orders, on several machines.
 */
#include <sched.h>

#include "pipeline_help.h"

static const char *const machines[] = {ONE_BY_ONE, ONE_BY_FOUR, TWO_BY_TWO, FOUR_NODES};

static np_stage stage_of(np_stage_kind kind, uintptr_t number, np_stage_fn fn)
{
    return (np_stage){.kind = kind, .fn = fn, .context = (void *)number};
}

static void run_kinds(np_executor *executor, unsigned code, uint32_t in_flight, uint32_t batch,
                      uint32_t items)
{
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source, .in_flight = in_flight};
    for (unsigned i = 0, rest = code; i < 3; i++, rest /= 3) {
        np_stage_kind kind = (np_stage_kind)(rest % 3);
        stages[i] = stage_of(kind, i, i == 0 ? stage_filter : stage_pass);
        stages[i].batch = batch;
    }
    stages[3] = stage_of(NP_STAGE_PARALLEL, 3, stage_sink);
    ledger_begin(items);
    the.drop_every = code % 2 == 0 ? 3 : 0;
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_run(pipeline), NP_OK);
    ledger_check(pipeline);
    assert_int_equal(the.next, items);
    assert_int_equal(npi_load_relaxed(&the.destroyed), 0);
    assert_null(np_pipeline_failed_stage(pipeline));
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
}

static void test_all_kinds(void **state)
{
    static const uint32_t places[] = {1, 2, 3, 16, 64}, batches[] = {1, 2, 0};
    (void)state;
    for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        np_executor *executor = pool_create(machines[m], NULL);
        for (unsigned code = 0; code < 27; code++)
            run_kinds(executor, code, places[code % 5], batches[code % 3], 200);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* An ordered stage behind a parallel one that drops, and another one behind that. */
static void run_order(np_executor *executor, uint32_t in_flight, uint32_t drop_every)
{
    np_stage stages[] = {
        stage_of(NP_STAGE_PARALLEL, 0, stage_filter), stage_of(NP_STAGE_ORDERED, 1, stage_in_order),
        stage_of(NP_STAGE_PARALLEL, 2, stage_pass), stage_of(NP_STAGE_SERIAL, 3, stage_pass),
        stage_of(NP_STAGE_ORDERED, 4, stage_sink)};
    np_pipeline_options options = {.source = stage_source, .in_flight = in_flight};
    ledger_begin(900);
    the.drop_every = drop_every;
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 5);
    assert_int_equal(np_pipeline_run(pipeline), NP_OK);
    ledger_check(pipeline);
    assert_int_equal(npi_load_relaxed(&the.dropped), drop_every == 0 ? 0 : 900 / drop_every);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
}

static void test_order(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        np_executor *executor = pool_create(machines[m], NULL);
        for (uint32_t in_flight = 1; in_flight < 40; in_flight = in_flight * 2 + 1)
            for (uint32_t drop = 0; drop < 4; drop++)
                run_order(executor, in_flight, drop == 2 ? 5 : drop);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* --- places ----------------------------------------------------------------------------------- */

/* The bound is reached, and not passed: a stage that waits until all places are taken. */
static pool_gate full;

static np_status stage_until_full(void *context, void *memory)
{
    item *it = memory;
    if (it->number < 3)
        pool_gate_pass(&full);
    return stage_sink(context, memory);
}

static void test_back_pressure(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    np_stage stage = stage_of(NP_STAGE_PARALLEL, 0, stage_until_full);
    np_pipeline_options options = {.source = stage_source, .in_flight = 3};
    full = (pool_gate){0, 0};
    ledger_begin(1000);
    np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
    assert_int_equal(np_pipeline_start(pipeline), NP_OK);
    pool_gate_await(&full, 3); /* three at once: parallel is parallel */
    np_pipeline_counts counts;
    assert_int_equal(np_pipeline_count(pipeline, &counts), NP_OK);
    assert_int_equal(counts.entered, 3);
    assert_int_equal(counts.inside, 3);
    unit_expect_failure(np_pipeline_wait_for(pipeline, 1000000), NP_ERR_TIMEOUT, "not ended");
    unit_expect_failure(np_pipeline_destroy(pipeline), NP_ERR_BUSY, "not ended");
    pool_gate_open(&full);
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    ledger_check(pipeline);
    assert_int_equal(npi_load_relaxed(&the.inside_most), 3);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* An item that takes long keeps nobody but itself: it ends only when the source has ended. */
static np_status source_opens(void *context, void *memory)
{
    np_status status = stage_source(context, memory);
    if (status == NP_ERR_CLOSED)
        pool_gate_open(&full);
    return status;
}

static np_status stage_long(void *context, void *memory)
{
    item *it = memory;
    if (it->number == the.fail_at && (uintptr_t)context == 0)
        pool_gate_pass(&full);
    if ((uintptr_t)context == 1) {
        npi_fetch_add_relaxed(&the.finished, (uint64_t)1);
        ledger_end_item(it);
    }
    return NP_OK;
}

static void test_a_long_item(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    for (uint32_t at = 0; at < 6; at++) {
        np_stage stages[] = {
            stage_of(NP_STAGE_PARALLEL, 0, stage_long),
            stage_of(at % 2 == 0 ? NP_STAGE_SERIAL : NP_STAGE_PARALLEL, 1, stage_long)};
        np_pipeline_options options = {.source = source_opens, .in_flight = 3};
        full = (pool_gate){0, 0};
        ledger_begin(300);
        the.fail_at = at;
        np_pipeline *pipeline = pipeline_make(executor, &options, stages, 2);
        assert_int_equal(np_pipeline_run(pipeline), NP_OK);
        ledger_check(pipeline);
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* No stage keeps a worker from other tasks for ever: one worker, an endless source, a task beside.
 */
static np_status endless(void *context, void *memory)
{
    (void)context;
    memset(memory, 0, sizeof(item));
    return NP_OK;
}

static np_status nothing(void *context, void *memory)
{
    (void)context;
    (void)memory;
    return NP_OK;
}

static void stop_it(void *argument)
{
    assert_int_equal(np_pipeline_cancel(argument), NP_OK);
}

static void test_others_get_their_turn(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_stage stages[] = {{.fn = nothing}, {.kind = NP_STAGE_ORDERED, .fn = nothing}};
    np_pipeline *pipeline = NULL;
    assert_int_equal(
        np_pipeline_create(executor,
                           NP_PIPELINE_OPTIONS(.item_bytes = sizeof(item), .stages = stages,
                                               .stage_count = 2, .source = endless),
                           &pipeline),
        NP_OK);
    assert_int_equal(np_pipeline_start(pipeline), NP_OK);
    assert_int_equal(np_submit(executor, stop_it, pipeline), NP_OK);
    assert_int_equal(np_pipeline_wait(pipeline), NP_ERR_CANCELLED);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- nodes ------------------------------------------------------------------------------------ */

static np_atomic(uint64_t) at_node[4];

static np_status stage_on_node(void *context, void *memory)
{
    np_node_id expected = (np_node_id)(uintptr_t)context;
    (void)memory;
    assert_int_equal(np_current_node(), expected);
    assert_int_equal(np_current_home(), expected);
    return NP_OK;
}

static np_status stage_note_node(void *context, void *memory)
{
    (void)context;
    (void)memory;
    npi_fetch_add_relaxed(&at_node[np_current_node()], (uint64_t)1);
    return NP_OK;
}

static np_node_id where_by_number(void *context, const void *memory)
{
    (void)context;
    return (np_node_id)(((const item *)memory)->number % 4);
}

static np_status stage_where(void *context, void *memory)
{
    assert_int_equal(np_current_node(), where_by_number(context, memory));
    return NP_OK;
}

static np_status sink(void *context, void *memory)
{
    (void)context;
    npi_fetch_add_relaxed(&the.finished, (uint64_t)1);
    ledger_end_item(memory);
    return NP_OK;
}

static size_t seven_bytes(void *context, const void *memory)
{
    (void)context;
    (void)memory;
    return 7;
}

static void check_edges(np_pipeline *pipeline, uint64_t items)
{
    np_edge_counts edge;
    assert_int_equal(np_pipeline_edge_count(pipeline), 6);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal(np_pipeline_edge(pipeline, i, &edge), NP_OK);
        assert_int_equal(edge.items, items);
        assert_int_equal(edge.local + edge.remote, items);
        assert_int_equal(edge.bytes, items * (i == 2 ? 7 : sizeof(item)));
        assert_int_equal(edge.local_bytes + edge.remote_bytes, edge.bytes);
        assert_int_equal(edge.waiting, 0);
        if (i == 0 || i == 1) /* from node 2 to node 1, and on to node 3 */
            assert_int_equal(edge.remote, items);
        if (i == 2 || i == 3) /* where its data is */
            assert_int_equal(edge.local, items);
    }
    assert_string_equal(edge.stage, "stage 6");
    unit_expect_failure(np_pipeline_edge(pipeline, 6, &edge), NP_ERR_INVALID_ARGUMENT, "6 of 6");
}

/* Each stage at its node, whatever the policy: strict; and where the item's data lies. */
static void test_nodes(void **state)
{
    static const np_node_id one[] = {1}, three[] = {3}, some[] = {0, 2}, all[] = {0, 1, 2, 3};
    (void)state;
    np_stage stages[] = {
        {.nodes = one, .node_count = 1, .fn = stage_on_node, .context = (void *)1},
        {.nodes = three, .node_count = 1, .fn = stage_on_node, .context = (void *)3},
        {.where = where_by_number, .fn = stage_where, .bytes = seven_bytes},
        {.where = where_by_number, .fn = stage_where, .kind = NP_STAGE_ORDERED},
        {.nodes = some, .node_count = 2, .fn = stage_note_node},
        {.nodes = all, .node_count = 4, .fn = sink, .kind = NP_STAGE_SERIAL},
    };
    stages[1].kind = NP_STAGE_SERIAL;
    for (int strict = 0; strict < 2; strict++) {
        np_executor *executor = pool_create(
            FOUR_NODES, strict ? NULL : NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
        np_pipeline_options options = {.source = stage_source,
                                       .source_at_node = true,
                                       .source_node = 2,
                                       .source_affinity = NP_AFFINITY_STRICT};
        for (size_t i = 0; i < 6; i++)
            stages[i].affinity = strict ? NP_AFFINITY_STRICT : NP_AFFINITY_PREFERRED;
        memset(at_node, 0, sizeof at_node);
        ledger_begin(120);
        np_pipeline *pipeline = pipeline_make(executor, &options, stages, 6);
        assert_int_equal(np_pipeline_run(pipeline), NP_OK);
        ledger_check(pipeline);
        check_edges(pipeline, 120);
        assert_int_equal(npi_load_relaxed(&at_node[0]) + npi_load_relaxed(&at_node[2]), 120);
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* --- inside ----------------------------------------------------------------------------------- */

/* A pipeline run by a stage of another one, on one worker: the inner one's wait runs its stages. */
static np_atomic(uint64_t) inner_items;

typedef struct inner {
    np_executor *executor;
    uint32_t left;
} inner;

static np_status inner_source(void *context, void *memory)
{
    inner *in = context;
    memset(memory, 0, sizeof(item));
    return in->left-- == 0 ? NP_ERR_CLOSED : NP_OK;
}

static np_status inner_stage(void *context, void *memory)
{
    (void)context;
    (void)memory;
    npi_fetch_add_relaxed(&inner_items, (uint64_t)1);
    return NP_OK;
}

static void run_inner(void *argument)
{
    np_executor *executor = argument;
    inner in = {executor, 5};
    np_stage stages[] = {{.fn = inner_stage}, {.fn = inner_stage, .kind = NP_STAGE_ORDERED}};
    np_pipeline *pipeline = NULL;
    assert_int_equal(
        np_pipeline_create(executor,
                           NP_PIPELINE_OPTIONS(.item_bytes = sizeof(item), .in_flight = 2,
                                               .stages = stages, .stage_count = 2,
                                               .source_context = &in, .source = inner_source),
                           &pipeline),
        NP_OK);
    assert_int_equal(np_pipeline_run(pipeline), NP_OK);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
}

/* A source that asks for the fate of each item before it gives the next one. */
static np_status source_waits(void *context, void *memory)
{
    while (npi_load_acquire(&the.finished) < the.next)
        sched_yield();
    return stage_source(context, memory);
}

static void test_a_source_that_waits(void **state)
{
    (void)state;
    np_stage stages[] = {stage_of(NP_STAGE_ORDERED, 0, stage_pass),
                         stage_of(NP_STAGE_PARALLEL, 1, stage_pass),
                         stage_of(NP_STAGE_SERIAL, 2, stage_sink)};
    for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        np_executor *executor = pool_create(machines[m], NULL);
        np_pipeline_options options = {.source = source_waits, .source_batch = 1};
        if (np_executor_worker_count(executor) > 1) {
            ledger_begin(200);
            np_pipeline *pipeline = pipeline_make(executor, &options, stages, 3);
            assert_int_equal(np_pipeline_run(pipeline), NP_OK);
            ledger_check(pipeline);
            assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
        }
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

static np_status outer_stage(void *context, void *memory)
{
    run_inner(context);
    return sink(NULL, memory);
}

static void test_inside(void **state)
{
    (void)state;
    for (size_t m = 0; m < sizeof machines / sizeof *machines; m++) {
        np_executor *executor = pool_create(machines[m], NULL);
        npi_store_relaxed(&inner_items, (uint64_t)0);
        assert_int_equal(np_run(executor, NP_NODE_ID_NONE, run_inner, executor), NP_OK);
        assert_int_equal(npi_load_relaxed(&inner_items), 10);
        np_stage stage = {.fn = outer_stage, .context = executor};
        np_pipeline_options options = {.source = stage_source, .in_flight = 4};
        ledger_begin(50);
        np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
        assert_int_equal(np_pipeline_run(pipeline), NP_OK);
        ledger_check(pipeline);
        assert_int_equal(npi_load_relaxed(&inner_items), 510);
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

static np_status wait_for_oneself(void *context, void *memory)
{
    (void)context;
    unit_expect_failure(np_pipeline_wait(the.pipeline), NP_ERR_FROM_WORKER, "np_pipeline_wait");
    unit_expect_failure(np_pipeline_destroy(the.pipeline), NP_ERR_BUSY, "not ended");
    return sink(NULL, memory);
}

static void test_waiting_for_oneself_is_refused(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_stage stage = {.fn = wait_for_oneself};
    np_pipeline_options options = {.source = stage_source};
    ledger_begin(3);
    np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
    assert_int_equal(np_pipeline_run(pipeline), NP_OK);
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_kinds),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_back_pressure),
        cmocka_unit_test(test_a_long_item),
        cmocka_unit_test(test_others_get_their_turn),
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_a_source_that_waits),
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_waiting_for_oneself_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
