/*
 * Goal: without a source, a push that returns NP_OK has brought its item in, which ends once; any
 * other status has not; whoever got NP_ERR_WOULD_BLOCK is told when there is room, never waits for
 * ever and never needs to ask. Method: gates hold the places; several outside threads and tasks
 * push at once, driven by continuations alone; the executor shuts down under them.
 */
#include <pthread.h>

#include "pipeline_help.h"

static pool_gate gate;

static np_status stage_gate(void *context, void *memory)
{
    pool_gate_pass(&gate);
    return stage_sink(context, memory);
}

static np_status push_number(np_pipeline *pipeline, uint32_t number)
{
    item it = {number, 0, ~(uint64_t)number};
    return np_pipeline_push(pipeline, &it);
}

static void open_gate(void *argument)
{
    pool_gate_pass(argument);
}

static void note(void *argument)
{
    npi_fetch_add_acq_rel((np_atomic(uint32_t) *)argument, 1u);
}

static void test_full_and_ready(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    np_stage stage = {.fn = stage_gate};
    np_pipeline_options options = {.in_flight = 2};
    pool_gate told = {1, 0};
    gate = (pool_gate){0, 0};
    ledger_begin(4);
    np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
    unit_expect_failure(np_pipeline_start(pipeline), NP_ERR_INVALID_ARGUMENT, "no source");
    unit_expect_failure(np_pipeline_push(pipeline, NULL), NP_ERR_INVALID_ARGUMENT, "item is NULL");
    unit_expect_failure(np_pipeline_push(NULL, &told), NP_ERR_INVALID_ARGUMENT, "NULL");
    unit_expect_failure(np_pipeline_when_ready(pipeline, NULL, &told), NP_ERR_INVALID_ARGUMENT,
                        "fn is NULL");
    unit_expect_failure(np_pipeline_when_ready(NULL, open_gate, &told), NP_ERR_INVALID_ARGUMENT,
                        "NULL");
    assert_int_equal(np_pipeline_when_ready(pipeline, open_gate, &told), NP_OK);
    pool_gate_await(&told, 1); /* there is room now */
    assert_int_equal(push_number(pipeline, 0), NP_OK);
    assert_int_equal(push_number(pipeline, 1), NP_OK);
    unit_expect_failure(push_number(pipeline, 2), NP_ERR_WOULD_BLOCK, "2 items");
    pool_gate_await(&gate, 2); /* both at work */
    assert_int_equal(np_pipeline_when_ready(pipeline, open_gate, &told), NP_OK);
    assert_int_equal(np_pipeline_when_ready(pipeline, open_gate, &told), NP_OK);
    assert_int_equal(npi_load_acquire(&told.arrived), 1);
    pool_gate_open(&gate);
    pool_gate_await(&told, 3);
    assert_int_equal(push_number(pipeline, 2), NP_OK);
    assert_int_equal(np_pipeline_finish(pipeline), NP_OK);
    assert_int_equal(np_pipeline_finish(pipeline), NP_OK);
    unit_expect_failure(push_number(pipeline, 3), NP_ERR_CLOSED, "no more");
    assert_int_equal(np_pipeline_when_ready(pipeline, open_gate, &told), NP_OK);
    pool_gate_await(&told, 4);
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    npi_store_relaxed(&the.inside, 0u); /* nobody counted them in */
    the.next = 3;
    npi_store_relaxed(&the.inside_most, 0u);
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static np_node_id nowhere(void *context, const void *memory)
{
    (void)context;
    (void)memory;
    return 77;
}

static void test_refusals(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_stage stage = {.fn = stage_sink};
    np_pipeline_options options = {.source = stage_source};
    ledger_begin(1);
    np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
    unit_expect_failure(push_number(pipeline, 0), NP_ERR_INVALID_ARGUMENT, "has a source");
    unit_expect_failure(np_pipeline_count(pipeline, NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
    assert_int_equal(np_pipeline_run(pipeline), NP_OK);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);

    /* The first stage's node is none of the machine's: the push itself says so. */
    stage.where = nowhere;
    options = (np_pipeline_options){.in_flight = 2};
    ledger_begin(1);
    pipeline = pipeline_make(executor, &options, &stage, 1);
    unit_expect_failure(push_number(pipeline, 0), NP_ERR_INVALID_NODE, "no known NUMA node");
    assert_int_equal(push_number(pipeline, 0), NP_ERR_CLOSED); /* it has stopped */
    unit_expect_failure(np_pipeline_wait(pipeline), NP_ERR_INVALID_NODE, "no known NUMA node");
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Finish and cancel tell those who wait for room. */
static void test_ready_at_the_end(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    for (int cancel = 0; cancel < 2; cancel++) {
        np_stage stage = {.fn = stage_gate};
        np_pipeline_options options = {.in_flight = 1};
        pool_gate told = {1, 0};
        gate = (pool_gate){0, 0};
        ledger_begin(1);
        np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
        assert_int_equal(push_number(pipeline, 0), NP_OK);
        pool_gate_await(&gate, 1);
        assert_int_equal(np_pipeline_when_ready(pipeline, open_gate, &told), NP_OK);
        assert_int_equal(cancel ? np_pipeline_cancel(pipeline) : np_pipeline_finish(pipeline),
                         NP_OK);
        pool_gate_await(&told, 1);
        pool_gate_open(&gate);
        assert_int_equal(np_pipeline_wait(pipeline), cancel ? NP_ERR_CANCELLED : NP_OK);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK); /* `told` goes */
        assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- many pushers, continuations only --------------------------------------------------------- */

#define PUSHERS 6u

typedef struct pusher {
    np_pipeline *pipeline;
    np_executor *executor;
    uint32_t next, end;
    np_atomic(uint32_t) *left; /* pushers */
} pusher;

/* A task of its own kind: pushes until it would have to wait, and is called again. */
static void push_some(void *argument)
{
    pusher *p = argument;
    while (p->next < p->end) {
        np_status status = push_number(p->pipeline, p->next);
        if (status == NP_ERR_WOULD_BLOCK) {
            assert_int_equal(np_pipeline_when_ready(p->pipeline, push_some, p), NP_OK);
            return; /* the pusher may be at work elsewhere already */
        }
        assert_int_equal(status, NP_OK);
        p->next++;
    }
    if (npi_fetch_sub_acq_rel(p->left, 1u) == 1)
        assert_int_equal(np_pipeline_finish(p->pipeline), NP_OK);
}

static void *push_from_outside(void *argument)
{
    push_some(argument);
    return NULL;
}

static void run_pushers(const char *machine, uint32_t in_flight, np_stage_kind first, uint32_t each)
{
    np_executor *executor = pool_create(machine, NULL);
    np_stage stages[] = {{.kind = first, .fn = stage_pass},
                         {.kind = NP_STAGE_PARALLEL, .fn = stage_pass, .context = (void *)1},
                         {.kind = NP_STAGE_ORDERED, .fn = stage_sink, .context = (void *)2}};
    np_pipeline_options options = {.in_flight = in_flight};
    pusher pushers[PUSHERS];
    np_atomic(uint32_t) left;
    pthread_t threads[PUSHERS];
    npi_atomic_init(&left, PUSHERS);
    ledger_begin(PUSHERS * each);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 3);
    for (uint32_t i = 0; i < PUSHERS; i++) {
        pushers[i] = (pusher){pipeline, executor, i * each, (i + 1) * each, &left};
        if (i % 2 == 0)
            assert_int_equal(np_submit(executor, push_some, &pushers[i]), NP_OK);
        else
            assert_int_equal(pthread_create(&threads[i], NULL, push_from_outside, &pushers[i]), 0);
    }
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    for (uint32_t i = 1; i < PUSHERS; i += 2)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    npi_store_relaxed(&the.inside, 0u);
    the.next = PUSHERS * each;
    ledger_check(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_many_pushers(void **state)
{
    static const uint32_t places[] = {1, 2, 5, 64};
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        run_pushers(ONE_BY_ONE, places[i], NP_STAGE_PARALLEL, 200);
        run_pushers(TWO_BY_TWO, places[i], NP_STAGE_SERIAL, 200);
        run_pushers(FOUR_NODES, places[i], NP_STAGE_ORDERED, 200);
    }
}

/* What one thread pushes is numbered, and so passes an ordered stage, in its order. */
static np_status stage_rising(void *context, void *memory)
{
    item *it = memory;
    assert_int_equal(it->number, the.last);
    the.last++;
    return stage_sink(context, memory);
}

static void push_in_order(void *argument)
{
    push_some(argument);
}

static void test_order_of_a_pusher(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_stage stages[] = {{.fn = stage_pass},
                         {.kind = NP_STAGE_ORDERED, .fn = stage_rising, .context = (void *)1}};
    np_pipeline_options options = {.in_flight = 16};
    np_atomic(uint32_t) left;
    npi_atomic_init(&left, 1u);
    ledger_begin(3000);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 2);
    pusher one = {pipeline, executor, 0, 3000, &left};
    push_in_order(&one);
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    assert_int_equal(the.last, 3000);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- the executor refuses --------------------------------------------------------------------- */

static void test_after_shutdown(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_stage stages[] = {{.fn = stage_sink, .kind = NP_STAGE_ORDERED}};
    np_pipeline_options options = {.in_flight = 3};
    ledger_begin(1);
    np_pipeline *pipeline = pipeline_make(executor, &options, stages, 1);
    assert_int_equal(push_number(pipeline, 0), NP_OK);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    for (int i = 0; i < 10; i++) /* no place is lost */
        unit_expect_failure(push_number(pipeline, 1), NP_ERR_SHUT_DOWN, "shut down");
    np_atomic(uint32_t) told;
    npi_atomic_init(&told, 0u);
    assert_int_equal(np_pipeline_when_ready(pipeline, note, &told), NP_ERR_SHUT_DOWN);
    assert_int_equal(np_pipeline_finish(pipeline), NP_OK);
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    np_pipeline_counts counts;
    assert_int_equal(np_pipeline_count(pipeline, &counts), NP_OK);
    assert_int_equal(counts.entered, 1);
    assert_int_equal(counts.finished, 1);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* The pipeline's own bound counts, not the executor's inbox: a push never waits for that. */
static void test_full_inbox(void **state)
{
    (void)state;
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.inbox_capacity = 1, .inbox_full = NP_INBOX_FULL_BLOCK));
    np_stage stage = {.fn = stage_sink};
    np_pipeline_options options = {.in_flight = 3};
    pool_gate told = {1, 0};
    gate = (pool_gate){0, 0};
    ledger_begin(4);
    np_pipeline *pipeline = pipeline_make(executor, &options, &stage, 1);
    assert_int_equal(np_submit(executor, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    assert_int_equal(np_submit(executor, pool_task_gate, &gate), NP_OK); /* fills the inbox */
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(push_number(pipeline, i), NP_OK);
    unit_expect_failure(push_number(pipeline, 3), NP_ERR_WOULD_BLOCK, "3 items");
    assert_int_equal(np_pipeline_when_ready(pipeline, open_gate, &told), NP_OK);
    pool_gate_open(&gate);
    pool_gate_await(&told, 1);
    assert_int_equal(push_number(pipeline, 3), NP_OK);
    assert_int_equal(np_pipeline_finish(pipeline), NP_OK);
    assert_int_equal(np_pipeline_wait(pipeline), NP_OK);
    assert_int_equal(npi_load_relaxed(&the.finished), 4);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),          cmocka_unit_test(test_full_and_ready),
        cmocka_unit_test(test_ready_at_the_end),  cmocka_unit_test(test_many_pushers),
        cmocka_unit_test(test_order_of_a_pusher), cmocka_unit_test(test_after_shutdown),
        cmocka_unit_test(test_full_inbox),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
