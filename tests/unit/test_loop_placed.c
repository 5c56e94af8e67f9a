/*
 * Goal: a loop over a partitioned array runs every index once, on the workers of the node that has
 * it where the policy says so, and the same elements on the same worker in the next
 * loop; reductions over arrays have the value of the plain loop, in the order of the indices; what
 * was run where is counted and adds up. Method: virtual machines, arrays of every distribution,
 * bodies that note the node and worker for each element, and the statistics.
 */
#include "../support/pool.h"

#include <string.h>

#define ELEMENTS 40000u

typedef struct note {
    np_atomic(uint32_t) times;
    np_node_id node;
    uint32_t worker;
} note;

static note notes[ELEMENTS];

static void take_note(void *context, size_t begin, size_t end)
{
    (void)context;
    for (size_t i = begin; i < end; i++) {
        npi_fetch_add_relaxed(&notes[i].times, 1u);
        notes[i].node = np_current_node();
        notes[i].worker = np_current_worker_index();
    }
}

static void forget_notes(void)
{
    memset(notes, 0, sizeof notes);
}

static size_t third_owner(void *context, size_t begin, size_t end)
{
    (void)end;
    return begin / 1000 * 7 % *(const size_t *)context;
}

/* Distributions by number; the machine has node_count nodes. */
static np_array *make_array(np_executor *executor, int distribution, size_t element_size)
{
    static const uint32_t weights[] = {3, 1, 2, 5};
    static const np_node_id ids[] = {0, 1, 2, 3};
    size_t nodes = np_topology_node_count(np_executor_topology(executor));
    np_array_options options;
    np_array_options_init(&options);
    options.distribution = (np_distribution)distribution;
    if (distribution == NP_DISTRIBUTION_WEIGHTED) {
        options.nodes = ids;
        options.node_count = nodes;
        options.weights = weights;
    }
    if (distribution == NP_DISTRIBUTION_CUSTOM) {
        options.owner = third_owner;
        options.owner_context = &nodes;
        options.block = 1000;
    }
    np_array *array = NULL;
    np_status status = np_array_create(np_executor_topology(executor), element_size, ELEMENTS,
                                       &options, &array);
    if (status != NP_OK)
        fail_msg("np_array_create: %s", np_error_detail());
    return array;
}

/* Every element once; if `at_home`, on the node that has it. */
static void check_notes(const np_array *array, bool at_home)
{
    for (size_t i = 0; i < ELEMENTS; i++) {
        assert_int_equal(npi_load_relaxed(&notes[i].times), 1);
        if (at_home)
            assert_int_equal(notes[i].node, np_array_node_of(array, i));
    }
}

typedef struct inside {
    np_executor *executor;
    const np_array *array;
    np_loop_options options;
    np_status status;
} inside;

static void loop_inside(void *argument)
{
    inside *in = argument;
    in->status = np_parallel_for_array(in->executor, in->array, &in->options, take_note, NULL);
}

static void run_both_ways(np_executor *executor, const np_array *array,
                          const np_loop_options *options, bool at_home)
{
    inside in = {executor, array, *options, NP_ERR_FAILED};
    forget_notes();
    loop_inside(&in);
    assert_int_equal(in.status, NP_OK);
    check_notes(array, at_home);
    forget_notes();
    assert_int_equal(np_run(executor, NP_NODE_ID_NONE, loop_inside, &in), NP_OK);
    assert_int_equal(in.status, NP_OK);
    check_notes(array, at_home);
}

/* What was touched, in bytes: all of it, `loops` times; at home all of it, if it says so. */
static void check_bytes(np_executor *executor, uint64_t bytes, bool at_home)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t afar = 0;
    for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_SENT; c++)
        afar += np_stats_total(stats, (np_counter)c);
    uint64_t local = np_stats_total(stats, NP_COUNTER_DATA_LOCAL);
    assert_int_equal(local + afar, bytes);
    /* No bytes for a reason that no task had, and the bytes of all who only helped for that one. */
    assert_int_equal(np_stats_total(stats, NP_COUNTER_DATA_DISPLACED), 0);
    static const np_counter reasons[][2] = {{NP_COUNTER_DATA_BACKLOG, NP_COUNTER_AWAY_BACKLOG},
                                            {NP_COUNTER_DATA_AGE, NP_COUNTER_AWAY_AGE},
                                            {NP_COUNTER_DATA_ANY, NP_COUNTER_AWAY_ANY},
                                            {NP_COUNTER_DATA_HELPED, NP_COUNTER_SLICES_AWAY}};
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++)
        if (np_stats_total(stats, reasons[i][1]) == 0)
            assert_int_equal(np_stats_total(stats, reasons[i][0]), 0);
    if (at_home) {
        assert_int_equal(afar, 0);
        assert_int_equal(np_stats_total(stats, NP_COUNTER_SLICES_AWAY), 0);
    }
    np_stats_destroy(stats);
}

static void all_arrays(np_executor *executor, bool at_home)
{
    static const size_t grains[] = {0, 1, 700};
    uint64_t bytes = 0;
    for (int distribution = 0; distribution <= NP_DISTRIBUTION_CUSTOM; distribution++) {
        size_t element_size = distribution % 2 == 0 ? 4 : 24;
        np_array *array = make_array(executor, distribution, element_size);
        for (int schedule = 0; schedule <= NP_SCHEDULE_STATIC; schedule++)
            for (unsigned g = 0; g < 3; g++) {
                np_loop_options options = {.size = sizeof options, .grain = grains[g]};
                options.schedule = (np_schedule)schedule;
                run_both_ways(executor, array, &options, at_home || schedule == NP_SCHEDULE_STATIC);
                bytes += 2 * ELEMENTS * element_size;
            }
        np_array_destroy(array);
    }
    /* A loop that was known to be short may have stayed on its caller, uncounted; not under a
     * policy that promises a place. */
    if (at_home)
        check_bytes(executor, bytes, true);
}

static void test_every_element_once_and_at_home(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_ONE, TWO_BY_TWO, FOUR_NODES,
                                           "numa:3 core:3 pu:1"};
    for (unsigned m = 0; m < sizeof machines / sizeof machines[0]; m++)
        for (int policy = 0; policy <= NP_STEAL_ANY; policy++) {
            np_executor *executor = pool_create(
                machines[m], NP_EXECUTOR_OPTIONS(.steal_policy = (np_steal_policy)policy));
            all_arrays(executor, policy == NP_STEAL_LOCAL_ONLY && m != 0);
            assert_int_equal(np_executor_destroy(executor), NP_OK);
        }
}

/* --- the same elements to the same worker
 * --------------------------------------------------------- */

/* One worker per node, no stealing: whoever comes for a slice is its own worker. */
static void test_slices_are_kept(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES,
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    np_array *array = make_array(executor, NP_DISTRIBUTION_BLOCK, 8);
    static uint32_t first[ELEMENTS];
    for (int loop = 0; loop < 20; loop++) {
        forget_notes();
        assert_int_equal(np_parallel_for_array(executor, array, NULL, take_note, NULL), NP_OK);
        for (size_t i = 0; i < ELEMENTS; i++) {
            if (loop == 0)
                first[i] = notes[i].worker;
            assert_int_equal(notes[i].worker, first[i]);
        }
    }
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_SLICES_KEPT), 20 * 4);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_SLICES_MOVED), 0);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_SLICES_AWAY), 0);
    np_stats_destroy(stats);
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Two workers of a node, held until both have come: each has its own slice. */
static void meet(void *context, size_t begin, size_t end)
{
    pool_gate *gate = context;
    if (npi_fetch_add_relaxed(&gate->arrived, 1u) + 1 < 2)
        while (npi_load_acquire(&gate->open) == 0)
            (void)npi_os_futex_wait(&gate->open, 0, NPI_NO_DEADLINE);
    else
        pool_gate_open(gate);
    take_note(NULL, begin, end);
}

static void test_each_takes_its_own_first(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    np_array *array = make_array(executor, NP_DISTRIBUTION_BLOCK, 8);
    np_loop_options options = {.size = sizeof options, .schedule = NP_SCHEDULE_STATIC};
    for (int loop = 0; loop < 50; loop++) {
        pool_gate gate = {0};
        forget_notes();
        assert_int_equal(np_parallel_for_array(executor, array, &options, meet, &gate), NP_OK);
        for (size_t i = 0; i < ELEMENTS; i++)
            assert_int_equal(notes[i].worker, i < ELEMENTS / 2 ? 0 : 1);
    }
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- nodes without workers, as those that only have memory
 * ------------------------------------------
 */

static void test_nodes_without_workers(void **state)
{
    (void)state;
    static const np_node_id with_workers[] = {1, 2};
    np_executor *executor = pool_create(
        FOUR_NODES, NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY, .nodes = with_workers,
                                        .node_count = 2));
    const np_topology *topology = np_executor_topology(executor);
    np_array *array = NULL;
    assert_int_equal(np_array_create(topology, 4, ELEMENTS, NULL, &array), NP_OK);
    forget_notes();
    assert_int_equal(np_parallel_for_array(executor, array, NULL, take_note, NULL), NP_OK);
    check_notes(array, false);
    for (size_t i = 0; i < ELEMENTS; i++) /* 0 and 1 share a socket, and so do 2 and 3 */
        assert_int_equal(notes[i].node, np_array_node_of(array, i) < 2 ? 1 : 2);
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t orphans = 0;
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_id id = np_topology_node_id(topology, i);
        if (np_executor_node_worker_count(executor, id) == 0)
            orphans += np_array_node_elements(array, id);
    }
    assert_true(orphans > 0);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_DATA_NO_WORKER), orphans * 4);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_DATA_LOCAL), (ELEMENTS - orphans) * 4);
    np_stats_destroy(stats);
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- reductions
 * ---------------------------------------------------------------------------------------
 */

/* The last index, the number of indices, and whether each came right after the one before. */
typedef struct chain {
    uint64_t first, last, count;
    bool broken;
} chain;

static void add_links(void *context, size_t begin, size_t end, void *value)
{
    chain *c = value;
    (void)context;
    c->broken |= c->count != 0 && c->last + 1 != begin;
    c->first = c->count == 0 ? begin : c->first;
    c->last = end - 1;
    c->count += end - begin;
}

static void join_chains(void *context, void *into, const void *from)
{
    chain *a = into;
    const chain *b = from;
    (void)context;
    if (b->count == 0)
        return;
    a->broken |= b->broken || (a->count != 0 && a->last + 1 != b->first);
    a->first = a->count == 0 ? b->first : a->first;
    a->last = b->last;
    a->count += b->count;
}

static void test_reductions_in_order(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_TWO, TWO_BY_TWO, FOUR_NODES};
    np_reduction reduction = {.size = sizeof reduction, .bytes = sizeof(chain)};
    reduction.body = add_links;
    reduction.combine = join_chains;
    for (unsigned m = 0; m < sizeof machines / sizeof machines[0]; m++) {
        np_executor *executor = pool_create(machines[m], NULL);
        for (int distribution = 0; distribution <= NP_DISTRIBUTION_CUSTOM; distribution++) {
            np_array *array = make_array(executor, distribution, 8);
            for (int kind = 0; kind < 2 * 2 * 3; kind++) {
                np_loop_options options = {.size = sizeof options, .grain = (size_t)kind / 4 * 77};
                options.schedule = (np_schedule)(kind % 2);
                reduction.deterministic = kind / 2 % 2 != 0;
                chain c;
                assert_int_equal(
                    np_parallel_reduce_array(executor, array, &options, &reduction, &c), NP_OK);
                assert_false(c.broken);
                assert_int_equal(c.first, 0);
                assert_int_equal(c.count, ELEMENTS);
            }
            np_array_destroy(array);
        }
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

static uint64_t data_bytes(const np_executor *executor)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t bytes = np_stats_data(stats, NP_NODE_ID_NONE, NP_NODE_ID_NONE, NP_NODE_ID_NONE).bytes;
    np_stats_destroy(stats);
    return bytes;
}

/* A grain beyond the array is all of it: a deterministic reduction counts no data there is not. */
static void test_grain_beyond_the_data(void **state)
{
    (void)state;
    static const size_t grains[] = {1, ELEMENTS, ELEMENTS + 1, SIZE_MAX / 8, SIZE_MAX};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_array *array = make_array(executor, NP_DISTRIBUTION_BLOCK, 8);
    for (size_t i = 0; i < sizeof grains / sizeof grains[0]; i++) {
        uint64_t before = data_bytes(executor);
        chain c;
        assert_int_equal(
            np_parallel_reduce_array(executor, array, NP_LOOP_OPTIONS(.grain = grains[i]),
                                     NP_REDUCTION(.bytes = sizeof c, .body = add_links,
                                                  .combine = join_chains, .deterministic = true),
                                     &c),
            NP_OK);
        assert_int_equal(c.count, ELEMENTS);
        assert_int_equal(data_bytes(executor) - before, ELEMENTS * 8);
    }
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- help with a slice of many stretches ---------------------------------------------------------
 */

/* Elements 0, 2, .. 14 are the first slice of node 0, each a stretch: the first waits for the last,
 * which somebody else has to take. */
static void wait_for_last(void *context, size_t begin, size_t end)
{
    pool_gate *gate = context;
    for (size_t i = begin; i < end; i++) {
        if (i == 14)
            pool_gate_pass(gate);
        else if (i == 0)
            pool_gate_await(gate, 1);
    }
}

static void test_help_with_stretches_is_counted(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO,
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    size_t page = npi_os_page_size();
    np_array *array = NULL;
    np_stats *stats = NULL;
    pool_gate gate = {.open = 1};
    assert_int_equal(
        np_array_create(np_executor_topology(executor), page, 32,
                        NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC, .block = 1),
                        &array),
        NP_OK);
    assert_int_equal(np_array_piece_count(array), 32);
    assert_int_equal(np_parallel_for_array(executor, array, NULL, wait_for_last, &gate), NP_OK);
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    assert_true(np_stats_total(stats, NP_COUNTER_SLICES_KEPT) +
                    np_stats_total(stats, NP_COUNTER_SLICES_MOVED) >
                4); /* the slices alone */
    assert_int_equal(np_stats_total(stats, NP_COUNTER_SLICES_AWAY), 0);
    np_stats_destroy(stats);
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void count_elements(void *context, size_t begin, size_t end, void *value)
{
    (void)context;
    *(uint64_t *)value += end - begin;
}

static void add_counts(void *context, void *into, const void *from)
{
    (void)context;
    *(uint64_t *)into += *(const uint64_t *)from;
}

/* Deterministic stretches, the last of them short: the bytes are the array's, not those of whole
 * stretches. */
static void test_bytes_of_the_last_stretch(void **state)
{
    (void)state;
    static const size_t grains[] = {0, 7, 999, 39999};
    const np_reduction count = {.size = sizeof count,
                                .bytes = sizeof(uint64_t),
                                .body = count_elements,
                                .combine = add_counts,
                                .deterministic = true};
    for (int schedule = 0; schedule < 2; schedule++) {
        np_executor *executor = pool_create(TWO_BY_TWO, NULL);
        np_array *array = make_array(executor, NP_DISTRIBUTION_BLOCK, 8);
        np_loop_options options = {.size = sizeof options};
        options.schedule = schedule == 0 ? NP_SCHEDULE_ADAPTIVE : NP_SCHEDULE_STATIC;
        for (size_t i = 0; i < sizeof grains / sizeof *grains; i++) {
            uint64_t elements = 0;
            options.grain = grains[i];
            assert_int_equal(np_parallel_reduce_array(executor, array, &options, &count, &elements),
                             NP_OK);
            assert_int_equal(elements, ELEMENTS);
            assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
            check_bytes(executor, (i + 1) * ELEMENTS * 8, false);
        }
        np_array_destroy(array);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* --- groups, nests, refusals
 * ------------------------------------------------------------------------------
 */

static void fail_at_once(void *context, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    np_group_fail(context, NP_ERR_PARSE);
    np_group_cancel(context);
}

/* Several loops at once: who was last is not noted. */
static void count_only(void *context, size_t begin, size_t end)
{
    (void)context;
    for (size_t i = begin; i < end; i++)
        npi_fetch_add_relaxed(&notes[i].times, 1u);
}

static void loop_again(void *context, size_t begin, size_t end)
{
    const inside *in = context;
    (void)begin;
    (void)end;
    assert_int_equal(np_parallel_for_array(in->executor, in->array, &in->options, count_only, NULL),
                     NP_OK);
}

static void test_errors_and_nests(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_array *array = make_array(executor, NP_DISTRIBUTION_CYCLIC, 8);
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_loop_options options = {.size = sizeof options, .group = group};
    assert_int_equal(np_parallel_for_array(executor, array, &options, fail_at_once, group),
                     NP_ERR_PARSE);
    assert_int_equal(np_group_destroy(group), NP_OK);

    inside in = {executor, array, {.size = sizeof in.options}, NP_OK};
    forget_notes();
    assert_int_equal(np_parallel_for(executor, 0, 10, NP_LOOP_OPTIONS(.grain = 1), loop_again, &in),
                     NP_OK);
    for (size_t i = 0; i < ELEMENTS; i++)
        assert_int_equal(npi_load_relaxed(&notes[i].times), 10);
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_refusals(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_array *array = make_array(executor, NP_DISTRIBUTION_BLOCK, 8);
    np_loop_options bad = {.size = sizeof bad, .schedule = NP_SCHEDULE_GUIDED};
    unit_expect_failure(np_parallel_for_array(executor, NULL, NULL, take_note, NULL),
                        NP_ERR_INVALID_ARGUMENT, "data is NULL");
    unit_expect_failure(np_parallel_for_array(executor, array, NULL, NULL, NULL),
                        NP_ERR_INVALID_ARGUMENT, "body is NULL");
    unit_expect_failure(np_parallel_for_array(executor, array, &bad, take_note, NULL),
                        NP_ERR_INVALID_ARGUMENT, "guided");
    bad = (np_loop_options){.size = sizeof bad, .on_node = true};
    unit_expect_failure(np_parallel_for_array(executor, array, &bad, take_note, NULL),
                        NP_ERR_INVALID_ARGUMENT, "on_node");
    unit_expect_failure(np_parallel_for_region(executor, NULL, NULL, take_note, NULL),
                        NP_ERR_INVALID_ARGUMENT, "data is NULL");
    unit_expect_failure(np_parallel_reduce_array(executor, array, NULL, NULL, NULL),
                        NP_ERR_INVALID_ARGUMENT, "reduction is NULL");
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    unit_expect_failure(np_parallel_for_array(executor, array, NULL, take_note, NULL),
                        NP_ERR_SHUT_DOWN, "");
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* All data on one node, and everybody helps, in parts of parts: a slice is one task, however it is
 * divided, and the reason for what was touched from afar is the one that there was. */
static void test_help_has_its_reason(void **state)
{
    (void)state;
    enum { LOOPS = 300 };
    static const np_node_id first = 0;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_array *array = NULL;
    assert_int_equal(np_array_create(np_executor_topology(executor), 4, ELEMENTS,
                                     NP_ARRAY_OPTIONS(.nodes = &first, .node_count = 1), &array),
                     NP_OK);
    for (int loop = 0; loop < LOOPS; loop++) {
        forget_notes();
        assert_int_equal(
            np_parallel_for_array(executor, array, NP_LOOP_OPTIONS(.grain = 50), take_note, NULL),
            NP_OK);
        check_notes(array, false);
    }
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    check_bytes(executor, (uint64_t)LOOPS * ELEMENTS * 4, false);
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t slices = (uint64_t)LOOPS * np_executor_node_worker_count(executor, 0);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_DATA_TASKS), slices);
    np_stats_destroy(stats);
    np_array_destroy(array);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_element_once_and_at_home),
        cmocka_unit_test(test_slices_are_kept),
        cmocka_unit_test(test_each_takes_its_own_first),
        cmocka_unit_test(test_nodes_without_workers),
        cmocka_unit_test(test_reductions_in_order),
        cmocka_unit_test(test_grain_beyond_the_data),
        cmocka_unit_test(test_help_with_stretches_is_counted),
        cmocka_unit_test(test_help_has_its_reason),
        cmocka_unit_test(test_bytes_of_the_last_stretch),
        cmocka_unit_test(test_errors_and_nests),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
