/*
 * Goal: however a pipeline ends, each item that came in ends once: through the last stage, dropped,
 * or destroyed; the first error reaches the caller with the stage's name and the item's number;
 * nobody waits for ever. Method: an error at every stage and at many items; a cancellation from
 * inside, outside, before; an executor that is shut down under it; wrong arguments; a fork.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/hook.h"
#include "pipeline_help.h"

static void make_stages(np_stage *stages)
{
    static const np_stage_kind kinds[] = {NP_STAGE_PARALLEL, NP_STAGE_ORDERED, NP_STAGE_SERIAL,
                                          NP_STAGE_ORDERED};
    static const char *const names[] = {"first", "second", "third", NULL};
    for (uintptr_t i = 0; i < 4; i++)
        stages[i] = (np_stage){.name = names[i], .kind = kinds[i], .context = (void *)i};
    stages[0].fn = stage_filter;
    stages[1].fn = stage_pass;
    stages[2].fn = stage_pass;
    stages[3].fn = stage_sink;
}

/* --- errors ----------------------------------------------------------------------------------- */

/* The stage named by its context fails at the item; the others pass it. */
static np_status stage_fail_here(void *context, void *memory)
{
    item *it = memory;
    it->steps++;
    if ((uintptr_t)context == the.drop_every && it->number == the.fail_at)
        return NP_ERR_FAILED;
    if ((uintptr_t)context < 3)
        return NP_OK;
    npi_fetch_add_relaxed(&the.finished, (uint64_t)1);
    ledger_end_item(it);
    return NP_OK;
}

static void run_error(np_executor *executor, uint32_t stage, uint32_t at, uint32_t in_flight)
{
    char item_text[32];
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source, .in_flight = in_flight};
    make_stages(stages);
    for (size_t i = 0; i < 4; i++)
        stages[i].fn = stage_fail_here;
    ledger_begin(60);
    the.fail_at = at;
    the.drop_every = stage; /* here: which stage fails */
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    snprintf(item_text, sizeof item_text, "item %u:", at);
    unit_expect_failure(np_pipeline_run(pipeline), NP_ERR_FAILED, item_text);
    const char *name = stages[stage].name != NULL ? stages[stage].name : "stage 4";
    assert_string_equal(np_pipeline_failed_stage(pipeline), name);
    unit_expect_failure(np_pipeline_outcome(pipeline), NP_ERR_FAILED, name);
    assert_true(np_pipeline_is_stopped(pipeline));
    ledger_check(pipeline);
    assert_true(npi_load_relaxed(&the.destroyed) >= 1);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
}

static void test_errors(void **state)
{
    static const uint32_t places[] = {1, 2, 7, 40};
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_executor *alone = pool_create(ONE_BY_ONE, NULL);
    for (uint32_t stage = 0; stage < 4; stage++)
        for (uint32_t at = 0; at < 60; at += 7)
            for (size_t i = 0; i < 4; i++)
                run_error(i % 2 == 0 ? executor : alone, stage, at, places[i]);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(np_executor_destroy(alone), NP_OK);
}

static np_status failing_source(void *context, void *memory)
{
    return the.next == 10 ? NP_ERR_SYSTEM : stage_source(context, memory);
}

static void test_failing_source(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = failing_source, .in_flight = 5};
    make_stages(stages);
    ledger_begin(60);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    unit_expect_failure(np_pipeline_run(pipeline), NP_ERR_SYSTEM, "source");
    assert_string_equal(np_pipeline_failed_stage(pipeline), "source");
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static np_node_id nowhere(void *context, const void *memory)
{
    (void)context;
    return ((const item *)memory)->number == 20 ? 77 : NP_NODE_ID_NONE;
}

static void test_no_such_node(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source, .in_flight = 5};
    make_stages(stages);
    stages[2].where = nowhere;
    ledger_begin(60);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    unit_expect_failure(np_pipeline_run(pipeline), NP_ERR_INVALID_NODE, "\"third\": item 20");
    assert_string_equal(np_pipeline_failed_stage(pipeline), "third");
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* A stage may report an error about its own task, as any task may. */
static np_status stage_fails_group(void *context, void *memory)
{
    np_group_fail(np_current_group(), NP_ERR_LIMIT);
    return stage_sink(context, memory);
}

static void test_group_of_a_stage(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_stage stage = {.fn = stage_fails_group};
    np_pipeline_options options = {.source = stage_source};
    ledger_begin(10);
    np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
    assert_int_equal(np_pipeline_run(pipeline), NP_ERR_LIMIT);
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- cancelling ------------------------------------------------------------------------------- */

static np_status stage_step(void *context, void *memory)
{
    (void)context;
    ((item *)memory)->steps++;
    return NP_OK;
}

static np_status stage_cancels(void *context, void *memory)
{
    item *it = memory;
    it->steps++;
    (void)context;
    if (it->number == the.fail_at)
        assert_int_equal(np_pipeline_cancel(the.pipeline), NP_OK);
    return NP_OK;
}

static void test_cancel_inside(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (uint32_t at = 0; at < 200; at += 13) {
        np_stage stages[4];
        np_pipeline_options options = {.source = stage_source, .in_flight = 1 + at % 9};
        make_stages(stages);
        for (size_t i = 0; i < 3; i++)
            stages[i].fn = stage_step;
        stages[at % 3].fn = stage_cancels;
        ledger_begin(1000);
        the.fail_at = at;
        np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
        assert_int_equal(np_pipeline_run(pipeline), NP_ERR_CANCELLED);
        ledger_check(pipeline);
        assert_true(the.next < 1000);
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static pool_gate here;

static np_status stage_gate(void *context, void *memory)
{
    item *it = memory;
    if (it->number == 4)
        pool_gate_pass(&here);
    return stage_pass(context, memory);
}

static void test_cancel_outside(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (size_t at = 0; at < 3; at++) {
        np_stage stages[4];
        np_pipeline_options options = {.source = stage_source, .in_flight = 9};
        make_stages(stages);
        stages[at].fn = stage_gate;
        here = (pool_gate){0, 0};
        ledger_begin(1000);
        np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
        assert_int_equal(np_pipeline_start(pipeline), NP_OK);
        pool_gate_await(&here, 1);
        assert_int_equal(np_pipeline_cancel(pipeline), NP_OK);
        assert_int_equal(np_pipeline_cancel(pipeline), NP_OK);
        pool_gate_open(&here);
        unit_expect_failure(np_pipeline_wait(pipeline), NP_ERR_CANCELLED, "cancelled");
        assert_null(np_pipeline_failed_stage(pipeline));
        ledger_check(pipeline);
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_never_started(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source};
    make_stages(stages);
    ledger_begin(5);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    unit_expect_failure(np_pipeline_wait(pipeline), NP_ERR_INVALID_ARGUMENT, "not started");
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);

    pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_cancel(pipeline), NP_OK);
    unit_expect_failure(np_pipeline_start(pipeline), NP_ERR_CANCELLED, "cancelled");
    assert_int_equal(np_pipeline_wait(pipeline), NP_ERR_CANCELLED);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);

    pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_start(pipeline), NP_OK);
    unit_expect_failure(np_pipeline_start(pipeline), NP_ERR_BUSY, "before");
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    assert_int_equal(np_pipeline_cancel(pipeline), NP_OK); /* too late */
    assert_int_equal(np_pipeline_outcome(pipeline), NP_OK);
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void notified(void *argument)
{
    npi_store_release((np_atomic(uint32_t) *)argument, 1u);
}

static void test_notify(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source};
    np_atomic(uint32_t) told;
    npi_atomic_init(&told, 0u);
    make_stages(stages);
    ledger_begin(100);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_notify(pipeline, notified, &told), NP_OK);
    assert_int_equal(npi_load_acquire(&told), 0);
    assert_int_equal(np_pipeline_run(pipeline), NP_OK);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    assert_int_equal(npi_load_acquire(&told), 1);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Bytes held by the library's allocations. */
static np_atomic(uint64_t) held;

static int refuse_nothing(npi_call call, uintptr_t first, uintptr_t second)
{
    (void)call;
    (void)first;
    (void)second;
    return 0;
}

static void count_held(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)first;
    if (call == NPI_CALL_ALLOCATE && error == 0)
        npi_fetch_add_relaxed(&held, (uint64_t)second);
    else if (call == NPI_CALL_RELEASE)
        npi_fetch_add_relaxed(&held, 0 - (uint64_t)second);
}

/* Without a start there is no end to be told of, and nothing of the notice stays behind. */
static void test_notify_of_none(void **state)
{
    (void)state;
    static const npi_hook hook = {refuse_nothing, count_held};
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source};
    np_atomic(uint32_t) told;
    npi_atomic_init(&told, 0u);
    make_stages(stages);
    ledger_begin(5);
    npi_hook_set(&hook);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_notify(pipeline, notified, &told), NP_OK);
    assert_int_not_equal(npi_load_relaxed(&held), 0);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    npi_hook_set(NULL);
    assert_int_equal(npi_load_relaxed(&held), 0);
    assert_int_equal(npi_load_relaxed(&told), 0);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- the executor ends ------------------------------------------------------------------------ */

static void test_plain_shutdown_waits(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = stage_source};
    make_stages(stages);
    ledger_begin(500);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_start(pipeline), NP_OK);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    assert_int_equal(np_pipeline_wait_for(pipeline, 0), NP_OK);
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);

    pipeline = pipeline_make(executor, &options, stages, 4);
    unit_expect_failure(np_pipeline_start(pipeline), NP_ERR_SHUT_DOWN, "shut down");
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* The deadline passes while a stage is at work: its successors' tasks are handed back. */
static void timed_shutdown(np_stage_kind kind, const char *machine)
{
    np_executor *executor = pool_create(machine, NULL);
    np_stage stages[4];
    np_shutdown_result result;
    np_pipeline_options options = {.source = stage_source, .in_flight = 8};
    make_stages(stages);
    stages[1].fn = stage_gate;
    stages[1].kind = kind;
    here = (pool_gate){0, 0};
    ledger_begin(1000);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    assert_int_equal(np_pipeline_start(pipeline), NP_OK);
    pool_gate_await(&here, 1);
    np_status status = np_executor_shutdown_within(executor, 1000000, &result);
    assert_int_equal(status, NP_ERR_TIMEOUT);
    pool_gate_open(&here);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    status = np_pipeline_wait(pipeline);
    assert_true(status == NP_ERR_CANCELLED);
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_timed_shutdown(void **state)
{
    (void)state;
    timed_shutdown(NP_STAGE_SERIAL, ONE_BY_ONE);
    timed_shutdown(NP_STAGE_PARALLEL, ONE_BY_ONE);
    timed_shutdown(NP_STAGE_ORDERED, TWO_BY_TWO);
}

/* --- misuse ----------------------------------------------------------------------------------- */

static void refused(np_executor *executor, np_pipeline_options *options, np_status status,
                    const char *part)
{
    np_pipeline *pipeline = (np_pipeline *)(uintptr_t)8;
    options->size = sizeof *options;
    unit_expect_failure(np_pipeline_create(executor, options, &pipeline), status, part);
    assert_null(pipeline);
}

static void test_arguments(void **state)
{
    (void)state;
    np_executor *executor = pool_create(
        "numa:2 core:1 pu:1",
        NP_EXECUTOR_OPTIONS(.node_workers = &(np_node_workers){1, NP_WORKERS_NONE},
                            .node_workers_count = 1));
    static const np_node_id nodes[] = {0, 1, 5};
    np_stage stages[2] = {{.fn = stage_sink}, {.fn = stage_sink}};
    np_pipeline_options good = {.item_bytes = 8, .stages = stages, .stage_count = 2};
    np_pipeline_options bad = good;
    np_pipeline *pipeline = NULL;
    unit_expect_failure(np_pipeline_create(executor, &good, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_pipeline_create(executor, NULL, &pipeline), NP_ERR_INVALID_ARGUMENT,
                        "options");
    unit_expect_failure(np_pipeline_create(executor, &bad, &pipeline), NP_ERR_INVALID_ARGUMENT,
                        "size");
    bad.size = sizeof bad;
    unit_expect_failure(np_pipeline_create(NULL, &bad, &pipeline), NP_ERR_INVALID_ARGUMENT,
                        "executor");
    bad = good;
    bad.item_bytes = 0;
    refused(executor, &bad, NP_ERR_INVALID_ARGUMENT, "item_bytes is 0");
    bad = good;
    bad.item_bytes = 65537;
    refused(executor, &bad, NP_ERR_INVALID_ARGUMENT, "item_bytes is 65537");
    bad = good;
    bad.in_flight = 65537;
    refused(executor, &bad, NP_ERR_INVALID_ARGUMENT, "in_flight is 65537");
    bad = good;
    bad.stages = NULL;
    refused(executor, &bad, NP_ERR_INVALID_ARGUMENT, "stages is NULL");
    bad = good;
    bad.stage_count = 65;
    refused(executor, &bad, NP_ERR_INVALID_ARGUMENT, "stage_count 65");
    bad = good;
    bad.source_affinity = (np_task_affinity)9;
    refused(executor, &bad, NP_ERR_INVALID_ARGUMENT, "source_affinity is 9");
    bad = good;
    bad.source_at_node = true;
    bad.source_node = 5;
    refused(executor, &bad, NP_ERR_INVALID_NODE, "no node 5: this topology has");
    stages[1].fn = NULL;
    refused(executor, &good, NP_ERR_INVALID_ARGUMENT, "np_stage 2: fn");
    stages[1] = (np_stage){.fn = stage_sink, .kind = (np_stage_kind)3};
    refused(executor, &good, NP_ERR_INVALID_ARGUMENT, "np_stage 2: kind is 3");
    stages[1] = (np_stage){.fn = stage_sink, .affinity = (np_task_affinity)3};
    refused(executor, &good, NP_ERR_INVALID_ARGUMENT, "np_stage 2: affinity is 3");
    stages[1] = (np_stage){.fn = stage_sink, .node_count = 1};
    refused(executor, &good, NP_ERR_INVALID_ARGUMENT, "np_stage 2: nodes");
    stages[1] = (np_stage){.name = "two", .fn = stage_sink, .nodes = nodes, .node_count = 3};
    refused(executor, &good, NP_ERR_NODE_HAS_NO_WORKER, "\"two\": NUMA node 1");
    stages[1].nodes = nodes + 2;
    stages[1].node_count = 1;
    refused(executor, &good, NP_ERR_INVALID_NODE, "\"two\": no node 5");
    assert_int_equal(np_pipeline_destroy(NULL), NP_OK);
    unit_expect_failure(np_pipeline_start(NULL), NP_ERR_INVALID_ARGUMENT, "NULL");
    np_pipeline_counts counts;
    np_edge_counts edge;
    unit_expect_failure(np_pipeline_count(NULL, &counts), NP_ERR_INVALID_ARGUMENT, "NULL");
    unit_expect_failure(np_pipeline_edge(NULL, 0, &edge), NP_ERR_INVALID_ARGUMENT, "NULL");
    unit_expect_failure(np_pipeline_wait(NULL), NP_ERR_INVALID_ARGUMENT, "NULL");
    unit_expect_failure(np_pipeline_cancel(NULL), NP_ERR_INVALID_ARGUMENT, "NULL");
    assert_false(np_pipeline_is_stopped(NULL));
    assert_null(np_pipeline_failed_stage(NULL));
    assert_int_equal(np_pipeline_edge_count(NULL), 0);
    assert_string_equal(np_stage_kind_name(NP_STAGE_PARALLEL), "parallel");
    assert_string_equal(np_stage_kind_name(NP_STAGE_SERIAL), "serial");
    assert_string_equal(np_stage_kind_name(NP_STAGE_ORDERED), "ordered");
    assert_string_equal(np_stage_kind_name((np_stage_kind)7), "unknown");
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- a forked child --------------------------------------------------------------------------- */

static bool child_right;

/* The process ends as its last thread returns: the worker that forked. */
static void end_child(void)
{
    _exit(child_right ? 42 : 1);
}

/* In the child the stage also returns into the pipeline, whose other workers are not there. */
static np_status stage_forks(void *context, void *memory)
{
    item *it = memory;
    pid_t child = it->number == 3 ? fork() : -1;
    if (child == 0) {
        child_right = atexit(end_child) == 0 && np_pipeline_cancel(the.pipeline) == NP_ERR_FORKED &&
                      np_pipeline_wait(the.pipeline) == NP_ERR_FORKED &&
                      np_pipeline_destroy(the.pipeline) == NP_ERR_FROM_WORKER;
    } else if (it->number == 3) {
        int status = -1;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 42);
    }
    return stage_pass(context, memory);
}

static void test_fork_inside(void **state)
{
    (void)state;
    if (unit_is_emulated() || UNIT_SANITIZED)
        UNIT_SKIP("a child of a process with threads, under a sanitizer or an emulator");
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    for (size_t at = 0; at < 3; at++) {
        np_stage stages[4];
        np_pipeline_options options = {.source = stage_source};
        make_stages(stages);
        stages[at].fn = stage_forks;
        ledger_begin(50);
        np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
        assert_int_equal(np_pipeline_run(pipeline), NP_OK);
        ledger_check(pipeline);
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_forked_handle(void **state)
{
    (void)state;
    if (unit_is_emulated())
        UNIT_SKIP("a child of a process with threads, under an emulator");
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_stage stages[4];
    np_pipeline_options options = {.source = NULL};
    make_stages(stages);
    ledger_begin(1);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 4);
    pid_t child = fork();
    if (child == 0) {
        item it = {0};
        bool right = np_pipeline_push(pipeline, &it) == NP_ERR_FORKED &&
                     np_pipeline_outcome(pipeline) == NP_ERR_FORKED &&
                     np_pipeline_finish(pipeline) == NP_ERR_FORKED &&
                     np_pipeline_edge_count(pipeline) == 0 &&
                     np_pipeline_destroy(pipeline) == NP_OK;
        _exit(right ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    unit_expect_failure(np_pipeline_destroy(pipeline), NP_ERR_BUSY, "not ended");
    assert_int_equal(np_pipeline_finish(pipeline), NP_OK);
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors),         cmocka_unit_test(test_failing_source),
        cmocka_unit_test(test_no_such_node),   cmocka_unit_test(test_group_of_a_stage),
        cmocka_unit_test(test_cancel_inside),  cmocka_unit_test(test_cancel_outside),
        cmocka_unit_test(test_never_started),  cmocka_unit_test(test_notify),
        cmocka_unit_test(test_notify_of_none), cmocka_unit_test(test_plain_shutdown_waits),
        cmocka_unit_test(test_timed_shutdown), cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_fork_inside),    cmocka_unit_test(test_forked_handle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
