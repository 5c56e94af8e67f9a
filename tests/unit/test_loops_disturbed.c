/*
 * Goal: whatever happens to the executor meanwhile, a loop, reduction, loop over placed data or
 * pipeline returns; with NP_OK it has done everything once, with another status nothing twice; an
 * item of a pipeline ends once. What happens: a timed shutdown at any moment; nodes that lose their
 * CPUs and get them back, with the strict parts that must wait for them; nodes without workers
 * under a policy that forbids to leave. Method: callers, outside threads and tasks, that go through
 * all kinds in turn and check each, on virtual machines.
 */
#include <sched.h>

#include "../support/refresh.h"

enum { CELLS = 3000, ITEMS = 40, CALLERS = 4, PAGES = 24 };

typedef struct caller {
    np_executor *executor;
    const np_array *array;
    const np_region *region;
    unsigned turn; /* the kind it is at */
    np_status status;
    np_node_id last_node; /* for what names a node */
    uint32_t made;        /* by the pipeline's source */
    uint32_t next;        /* that its last stage must see */
    np_atomic(uint32_t) marks[CELLS];
    np_atomic(uint32_t) items[ITEMS];
    npi_os_thread thread;
} caller;

static caller callers[CALLERS];
static unsigned shutdowns, refreshes; /* how often */
static np_atomic(uint32_t) stop;
static np_atomic(uint64_t) calls; /* that returned */

/* --- bodies ----------------------------------------------------------------------------------- */

static void mark(void *context, size_t begin, size_t end)
{
    caller *c = context;
    for (size_t i = begin; i < end; i++)
        npi_fetch_add_relaxed(&c->marks[i], 1u);
}

static void mark_pages(void *context, size_t begin, size_t end)
{
    mark(context, begin / npi_os_page_size(), end / npi_os_page_size());
}

/* 50 indices for one. */
static void mark_nested(void *context, size_t begin, size_t end)
{
    caller *c = context;
    if (np_parallel_for(c->executor, begin * 50, end * 50, NULL, mark, c) != NP_OK)
        for (size_t i = begin * 50; i < end * 50; i++) /* in a task: it takes part to the end */
            npi_store_relaxed(&c->marks[i], 9u);
}

static void mark_and_add(void *context, size_t begin, size_t end, void *value)
{
    mark(context, begin, end);
    for (size_t i = begin; i < end; i++)
        *(uint64_t *)value += i;
}

static void add(void *context, void *into, const void *from)
{
    (void)context;
    *(uint64_t *)into += *(const uint64_t *)from;
}

/* --- a pipeline ------------------------------------------------------------------------------- */

static np_status give(void *context, void *item)
{
    caller *c = context;
    if (c->made == ITEMS)
        return NP_ERR_CLOSED;
    *(uint32_t *)item = c->made++;
    return NP_OK;
}

static np_status pass(void *context, void *item)
{
    (void)context;
    (void)item;
    return NP_OK;
}

static np_status finish_in_order(void *context, void *item)
{
    caller *c = context;
    uint32_t number = *(uint32_t *)item;
    if (number != c->next++)
        return NP_ERR_FAILED;
    npi_fetch_add_relaxed(&c->items[number], 1u);
    return NP_OK;
}

static void destroy(void *context, void *item)
{
    caller *c = context;
    npi_fetch_add_relaxed(&c->items[*(uint32_t *)item], 1u);
}

static np_status run_pipeline(caller *c, np_task_affinity affinity)
{
    const np_stage stages[] = {
        {.fn = pass, .context = c, .nodes = &c->last_node, .node_count = 1, .affinity = affinity},
        {.fn = pass, .context = c},
        {.kind = NP_STAGE_ORDERED, .fn = finish_in_order, .context = c}};
    np_pipeline_options options = {.size = sizeof options,
                                   .item_bytes = sizeof(uint32_t),
                                   .stages = stages,
                                   .stage_count = 3,
                                   .source = give,
                                   .source_context = c,
                                   .destroy_item = destroy,
                                   .destroy_context = c};
    np_pipeline *pipeline = NULL;
    c->made = c->next = 0;
    for (unsigned i = 0; i < ITEMS; i++)
        npi_store_relaxed(&c->items[i], 0u);
    np_status status = np_pipeline_create(c->executor, &options, &pipeline);
    if (status != NP_OK)
        return status;
    status = np_pipeline_start(pipeline);
    if (status == NP_OK)
        status = np_pipeline_wait(pipeline);
    assert_int_equal(np_pipeline_destroy(pipeline), NP_OK);
    assert_true(status != NP_ERR_FAILED && (status != NP_OK || c->made == ITEMS));
    for (unsigned i = 0; i < ITEMS; i++)
        assert_int_equal(npi_load_relaxed(&c->items[i]), i < c->made ? 1 : 0);
    return status;
}

/* --- one call after the other ----------------------------------------------------------------- */

enum kind {
    ADAPTIVE,
    STATIC,
    GUIDED,
    ON_NODE,
    STATIC_ON_NODE,
    NESTED,
    OVER_ARRAY,
    ARRAY_STATIC,
    OVER_REGION,
    REDUCED,
    REDUCED_STATIC,
    REDUCED_GUIDED,
    REDUCED_EXACTLY,
    ARRAY_REDUCED,
    ARRAY_REDUCED_EXACTLY,
    PIPELINE,
    PIPELINE_STRICT,
    KINDS
};

static np_status reduce(caller *c, enum kind kind, const np_loop_options *options)
{
    const np_reduction reduction = {.size = sizeof reduction,
                                    .bytes = sizeof(uint64_t),
                                    .body = mark_and_add,
                                    .combine = add,
                                    .context = c,
                                    .deterministic = kind == REDUCED_EXACTLY ||
                                                     kind == ARRAY_REDUCED_EXACTLY};
    uint64_t sum = 0;
    np_status status = kind >= ARRAY_REDUCED
                           ? np_parallel_reduce_array(c->executor, c->array, options, &reduction,
                                                      &sum)
                           : np_parallel_reduce(c->executor, 0, CELLS, options, &reduction, &sum);
    assert_true(status != NP_OK || sum == (uint64_t)CELLS * (CELLS - 1) / 2);
    return status;
}

/* *cells: how many of the marks it sets. */
static np_status run_kind(caller *c, enum kind kind, size_t *cells)
{
    np_loop_options options = {.size = sizeof options};
    options.grain = (size_t)c->turn % 3 * 20;
    *cells = CELLS;
    if (kind == STATIC || kind == STATIC_ON_NODE || kind == ARRAY_STATIC || kind == REDUCED_STATIC)
        options.schedule = NP_SCHEDULE_STATIC;
    if (kind == GUIDED || kind == REDUCED_GUIDED)
        options.schedule = NP_SCHEDULE_GUIDED;
    options.on_node = kind == ON_NODE || kind == STATIC_ON_NODE;
    options.node = c->last_node;
    if (kind >= REDUCED && kind <= ARRAY_REDUCED_EXACTLY)
        return reduce(c, kind, &options);
    if (kind == OVER_ARRAY || kind == ARRAY_STATIC)
        return np_parallel_for_array(c->executor, c->array, &options, mark, c);
    if (kind == NESTED)
        return np_parallel_for(c->executor, 0, CELLS / 50, NP_LOOP_OPTIONS(.grain = 5), mark_nested,
                               c);
    if (kind < NESTED)
        return np_parallel_for(c->executor, 0, CELLS, &options, mark, c);
    if (kind == OVER_REGION) {
        *cells = PAGES;
        return np_parallel_for_region(c->executor, c->region, NULL, mark_pages, c);
    }
    *cells = 0;
    return run_pipeline(c, kind == PIPELINE_STRICT ? NP_AFFINITY_STRICT : NP_AFFINITY_PREFERRED);
}

static void run_one(caller *c)
{
    size_t cells;
    for (unsigned i = 0; i < CELLS; i++)
        npi_store_relaxed(&c->marks[i], 0u);
    c->status = run_kind(c, (enum kind)(c->turn % KINDS), &cells);
    for (unsigned i = 0; i < CELLS; i++) {
        uint32_t times = npi_load_relaxed(&c->marks[i]);
        if (i >= cells ? times != 0 : c->status == NP_OK ? times != 1 : times > 1)
            fail_msg("kind %u, status %s: cell %u was done %u times", c->turn % KINDS,
                     np_status_name(c->status), i, times);
    }
    c->turn++;
    npi_fetch_add_relaxed(&calls, (uint64_t)1);
}

static void run_until_stopped(void *argument)
{
    caller *c = argument;
    do
        run_one(c);
    while (c->status == NP_OK && npi_load_acquire(&stop) == 0);
}

static void run_each_twice(void *argument)
{
    caller *c = argument;
    for (unsigned i = 0; i < 2 * KINDS; i++) {
        run_one(c);
        assert_int_equal(c->status, NP_OK);
    }
}

/* --- what they share -------------------------------------------------------------------------- */

typedef struct stage {
    np_executor *executor;
    np_array *array;
    np_region *region;
    np_group *group; /* of the callers that are tasks */
} stage;

static void make_data(stage *s)
{
    const np_topology *topology = np_executor_topology(s->executor);
    assert_int_equal(np_array_create(topology, 8, CELLS, NULL, &s->array), NP_OK);
    assert_int_equal(np_region_create(topology, PAGES * npi_os_page_size(),
                                      NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE),
                                      &s->region),
                     NP_OK);
    assert_int_equal(np_group_create(NULL, &s->group), NP_OK);
    npi_store_relaxed(&stop, 0u);
    npi_store_relaxed(&calls, (uint64_t)0);
}

/* Half of them threads, half of them tasks, on each node in turn. */
static void start_callers(stage *s, unsigned seed, np_task_fn fn)
{
    for (unsigned i = 0; i < CALLERS; i++) {
        caller *c = &callers[i];
        c->executor = s->executor;
        c->array = s->array;
        c->region = s->region;
        c->turn = seed * 7 + i * 5;
        c->last_node = (np_node_id)(i / 2 % 2);
        c->status = NP_OK;
        if (i % 2 == 0)
            assert_int_equal(npi_os_thread_start(&c->thread, 0, fn, c), 0);
        else
            assert_int_equal(np_group_submit_to_node(s->group, s->executor, c->last_node, fn, c),
                             NP_OK);
    }
}

static void await_calls(uint64_t count)
{
    while (npi_load_relaxed(&calls) < count)
        sched_yield();
}

static void join_callers(void)
{
    for (unsigned i = 0; i < CALLERS; i += 2)
        assert_int_equal(npi_os_thread_join(&callers[i].thread), 0);
}

static void end(stage *s)
{
    np_executor_load load;
    assert_int_equal(np_executor_shutdown(s->executor), NP_OK);
    assert_int_equal(np_executor_load_now(s->executor, &load), NP_OK);
    assert_int_equal(load.accepted, load.executed + load.discarded);
    assert_int_equal(load.queued + load.running, 0);
    assert_int_equal(np_group_destroy(s->group), NP_OK);
    np_region_destroy(s->region);
    np_array_destroy(s->array);
    assert_int_equal(np_executor_destroy(s->executor), NP_OK);
}

/* --- what happens to them --------------------------------------------------------------------- */

static void test_timed_shutdown(void **state)
{
    (void)state;
    static const char *const machines[] = {TWO_BY_TWO, "numa:2 core:1 pu:1", FOUR_NODES};
    uint64_t discarded = 0;
    for (unsigned round = 0; round < shutdowns; round++) {
        stage s = {.executor = pool_create(machines[round % 3], NULL)};
        np_shutdown_result result;
        make_data(&s);
        start_callers(&s, round, run_until_stopped);
        await_calls(round % 13);
        np_status status = np_executor_shutdown_within(s.executor, round % 5 * 20000, &result);
        assert_true(status == NP_OK || status == NP_ERR_TIMEOUT);
        discarded += result.discarded;
        npi_store_release(&stop, 1u);
        assert_int_equal(np_executor_shutdown(s.executor), NP_OK);
        join_callers();
        status = np_group_wait(s.group);
        assert_true(status == NP_OK || status == NP_ERR_CANCELLED);
        end(&s);
    }
    print_message("%llu tasks discarded\n", (unsigned long long)discarded);
}

static void test_nodes_come_and_go(void **state)
{
    (void)state;
    static const char *const sets[] = {"0-1", "0-3", "2-3", "1-2", "0-3", "3"};
    static const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE,
                                               NP_STEAL_LOCAL_ONLY, NP_STEAL_ANY};
    for (unsigned p = 0; p < sizeof policies / sizeof *policies; p++) {
        stage s = {
            .executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.steal_policy = policies[p]))};
        make_data(&s);
        start_callers(&s, p, run_until_stopped);
        for (unsigned i = 0; i < refreshes; i++) {
            (void)refresh_to(s.executor, sets[i % (sizeof sets / sizeof *sets)]);
            for (unsigned k = 0; k < i % 7; k++)
                sched_yield();
        }
        (void)refresh_to(s.executor, "0-3");
        await_calls(2 * KINDS * CALLERS);
        npi_store_release(&stop, 1u);
        join_callers();
        assert_int_equal(np_group_wait(s.group), NP_OK);
        for (unsigned i = 0; i < CALLERS; i++)
            assert_int_equal(callers[i].status, NP_OK);
        end(&s);
    }
}

/* A node goes for good: the shutdown hands back what waits for it, and everybody returns. */
static void test_shutdown_with_a_node_gone(void **state)
{
    (void)state;
    for (unsigned round = 0; round < shutdowns; round++) {
        stage s = {.executor = pool_create(
                       TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY))};
        make_data(&s);
        start_callers(&s, round, run_until_stopped);
        await_calls(round % 20);
        (void)refresh_to(s.executor, round % 2 == 0 ? "0-1" : "2-3");
        npi_store_release(&stop, 1u);
        assert_int_equal(np_executor_shutdown(s.executor), NP_OK);
        join_callers();
        np_status status = np_group_wait(s.group);
        assert_true(status == NP_OK || status == NP_ERR_NODE_GONE);
        for (unsigned i = 0; i < CALLERS; i++)
            assert_true(callers[i].status == NP_OK || callers[i].status == NP_ERR_NODE_GONE ||
                        callers[i].status == NP_ERR_SHUT_DOWN);
        end(&s);
    }
}

/* One worker on each of two nodes and none on the others: the data of those is worked on, and what
 * waits inside a task makes progress. */
static void test_local_only_without_workers(void **state)
{
    (void)state;
    static const np_node_id nodes[] = {0, 1};
    np_topology *topology = NULL;
    assert_int_equal(np_topology_from_synthetic(FOUR_NODES, &topology), NP_OK);
    for (unsigned round = 0; round < shutdowns / 5; round++) {
        stage s = {0};
        assert_int_equal(np_executor_create(topology,
                                            NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY,
                                                                .nodes = nodes, .node_count = 2,
                                                                .workers_per_node = 1),
                                            &s.executor),
                         NP_OK);
        make_data(&s);
        start_callers(&s, round, run_each_twice);
        join_callers();
        assert_int_equal(np_group_wait(s.group), NP_OK);
        end(&s);
    }
    np_topology_destroy(topology);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timed_shutdown),
        cmocka_unit_test(test_nodes_come_and_go),
        cmocka_unit_test(test_shutdown_with_a_node_gone),
        cmocka_unit_test(test_local_only_without_workers),
    };
    bool few = UNIT_SANITIZED || unit_is_emulated();
    shutdowns = few ? 20 : 100;
    refreshes = few ? 40 : 200;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
