/*
 * Goal: a loop over a region runs every page once, on the workers of the node that has it where the
 * policy says so; data on a node that the executor's topology has not, a region's or an array's, is
 * divided equally and counted as unknown. Method: virtual machines, regions of every kind, bodies
 * that note the node, and the statistics; the kernel's answers where it gives them.
 */
#include "../support/pool.h"
#include "executor/executor.h"

typedef struct pages {
    np_atomic(uint32_t) times[64];
    np_node_id node[64];
    size_t page;
} pages;

static void note_pages(void *context, size_t begin, size_t end)
{
    pages *p = context;
    assert_true(begin % p->page == 0 && end % p->page == 0 && begin < end);
    for (size_t at = begin; at < end; at += p->page) {
        npi_fetch_add_relaxed(&p->times[at / p->page], 1u);
        p->node[at / p->page] = np_current_node();
    }
}

static void loop_over_region(np_executor *executor, const np_region_options *how, np_node_id only)
{
    np_region *region = NULL;
    pages p = {0};
    size_t page = npi_os_page_size();
    assert_int_equal(np_region_create(np_executor_topology(executor), 64 * page, how, &region),
                     NP_OK);
    p.page = page;
    assert_int_equal(np_parallel_for_region(executor, region, NULL, note_pages, &p), NP_OK);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(npi_load_relaxed(&p.times[i]), 1);
        if (only != NP_NODE_ID_NONE)
            assert_int_equal(p.node[i], only);
    }
    np_region_destroy(region);
}

static void test_regions(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES,
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    for (np_node_id node = 0; node < 4; node++)
        loop_over_region(executor, NP_REGION_OPTIONS(.nodes = &node, .node_count = 1), node);
    loop_over_region(executor, NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE), NP_NODE_ID_NONE);
    assert_int_equal(np_executor_destroy(executor), NP_OK);

    /* On the real machine the kernel is asked. */
    np_topology *topology = NULL;
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    assert_int_equal(np_executor_create(topology, NULL, &executor), NP_OK);
    np_topology_destroy(topology);
    np_region_audit audit;
    np_region *region = NULL;
    assert_int_equal(np_region_create(np_executor_topology(executor), 4096, NULL, &region), NP_OK);
    np_status asked = np_region_audit_pages(region, &audit, NULL, 0);
    np_region_destroy(region);
    if (asked == NP_OK)
        loop_over_region(
            executor, NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL, .prefault = NP_PREFAULT_TOUCH),
            NP_NODE_ID_NONE);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- nodes that the executor's topology has not
 * --------------------------------------------------------------------
 */

static uint64_t unknown_bytes(np_executor *executor)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t bytes = np_stats_total(stats, NP_COUNTER_DATA_UNKNOWN);
    np_stats_destroy(stats);
    return bytes;
}

#define ELEMENTS 40000u

static np_atomic(uint32_t) times[ELEMENTS];
static np_node_id nodes[ELEMENTS];

static void take_note(void *context, size_t begin, size_t end)
{
    (void)context;
    for (size_t i = begin; i < end; i++) {
        npi_fetch_add_relaxed(&times[i], 1u);
        nodes[i] = np_current_node();
    }
}

/* The second half of an array lies on nodes 2 and 3 of a machine of which the executor knows nodes
 * 0 and 1: that half is node 1's equal part of the range. All of a region does: half is each's. */
static void test_data_on_unknown_nodes(void **state)
{
    (void)state;
    const np_node_id third = 2;
    np_executor *wide = pool_create(FOUR_NODES, NULL);
    np_executor *executor = pool_create(TWO_BY_TWO,
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    np_array *array = NULL;
    assert_int_equal(np_array_create(np_executor_topology(wide), 8, ELEMENTS, NULL, &array), NP_OK);
    for (unsigned loop = 1; loop <= 2; loop++) {
        np_loop_options options = {.size = sizeof options};
        options.schedule = loop == 1 ? NP_SCHEDULE_ADAPTIVE : NP_SCHEDULE_STATIC;
        assert_int_equal(np_parallel_for_array(executor, array, &options, take_note, NULL), NP_OK);
        for (size_t i = 0; i < ELEMENTS; i++) {
            np_node_id node = np_array_node_of(array, i);
            assert_int_equal(npi_load_relaxed(&times[i]), loop);
            assert_int_equal(nodes[i], node < 2 ? node : i < ELEMENTS / 2 ? 0 : 1);
        }
    }
    uint64_t elements = 0;
    for (size_t i = 0; i < ELEMENTS; i++)
        elements += np_array_node_of(array, i) >= 2;
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    uint64_t sum = unknown_bytes(executor);
    assert_int_equal(sum, 2 * 8 * elements);
    np_array_destroy(array);

    np_region *region = NULL;
    pages p = {.page = npi_os_page_size()};
    assert_int_equal(np_region_create(np_executor_topology(wide), 64 * p.page,
                                      NP_REGION_OPTIONS(.nodes = &third, .node_count = 1), &region),
                     NP_OK);
    assert_int_equal(np_parallel_for_region(executor, region, NULL, note_pages, &p), NP_OK);
    for (unsigned i = 0; i < 64; i++) {
        assert_int_equal(npi_load_relaxed(&p.times[i]), 1);
        assert_int_equal(p.node[i], i < 32 ? 0 : 1);
    }
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(unknown_bytes(executor), sum + 64 * p.page);
    np_region_destroy(region);
    assert_int_equal(np_executor_destroy(wide), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* The same with the kernel's answers: all pages lie on nodes that this executor has not. */
static void test_pages_on_unknown_nodes(void **state)
{
    (void)state;
    np_topology *real = NULL;
    np_region *region = NULL;
    np_region_audit audit;
    pages p = {.page = npi_os_page_size()};
    np_executor *executor = pool_create("numa:2(indexes=900,901) core:1 pu:1",
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    assert_int_equal(np_topology_discover(&real), NP_OK);
    np_region_options local = {
        .size = sizeof local, .policy = NP_MEMORY_LOCAL, .prefault = NP_PREFAULT_TOUCH};
    assert_int_equal(np_region_create(real, 64 * p.page, &local, &region), NP_OK);
    bool answers = np_region_audit_pages(region, &audit, NULL, 0) == NP_OK;
    if (answers) {
        executor->is_virtual = false; /* or the kernel is not asked */
        assert_int_equal(np_parallel_for_region(executor, region, NULL, note_pages, &p), NP_OK);
        executor->is_virtual = true;
        for (unsigned i = 0; i < 64; i++) {
            assert_int_equal(npi_load_relaxed(&p.times[i]), 1);
            assert_int_equal(p.node[i], i < 32 ? 900 : 901);
        }
    }
    np_region_destroy(region);
    np_topology_destroy(real);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    if (!answers)
        UNIT_SKIP("the kernel does not say where pages are");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_regions),
        cmocka_unit_test(test_data_on_unknown_nodes),
        cmocka_unit_test(test_pages_on_unknown_nodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
