/*
 * Goal: what np_data_locate cannot say it counts as unknown, and says nothing wrong: nodes that the
 * executor's machine lacks, and what lies behind as many stretches as it looks at. Of a range whose
 * middle the directory knows, the rest is asked for. Method: a region on a virtual machine; the
 * directory and the range cache by themselves, with addresses that have no memory.
 */
#include <numaperf/near.h>
#include <numaperf/region.h>

#include "../support/pool.h"

#include "memory/directory.h"
#include "memory/locate.h"
#include "memory/range_cache.h"

enum { PAGE = 4096 };

/* Addresses that no mapping of this process can have. */
#define BEGIN ((uintptr_t)1 << 20)

static np_data_place where(np_executor *executor, const void *address, size_t bytes)
{
    const np_data_range range = {.address = address, .bytes = bytes};
    np_data_place out;
    memset(&out, 0xa5, sizeof out);
    assert_int_equal(np_data_locate(executor, &range, 1, &out), NP_OK);
    return out;
}

static void test_node_that_the_executor_lacks(void **state)
{
    (void)state;
    np_topology *large = NULL;
    np_region *region = NULL;
    np_executor *small = pool_create(TWO_BY_TWO, NULL);
    assert_int_equal(np_topology_from_synthetic(FOUR_NODES, &large), NP_OK);
    assert_int_equal(np_region_create_on_node(large, PAGE, 3, &region), NP_OK);
    np_data_place got = where(small, np_region_data(region), PAGE);
    assert_int_equal(got.node, NP_NODE_ID_NONE);
    assert_int_equal(got.unknown, PAGE);
    np_region_destroy(region);
    np_topology_destroy(large);
    assert_int_equal(np_executor_destroy(small), NP_OK);
}

static void test_more_stretches_than_are_looked_at(void **state)
{
    (void)state;
    enum { STRETCHES = 256, PAGES = 300 };
    npi_location got;
    npi_location_begin(&got);
    for (uintptr_t i = 0; i < PAGES; i++)
        npi_directory_set((void *)(BEGIN + i * PAGE), PAGE, (np_node_id)(i % 2), true);
    npi_location_add(&got, BEGIN, (size_t)PAGES * PAGE, 1, true);
    npi_directory_set((void *)BEGIN, (size_t)PAGES * PAGE, NP_NODE_ID_NONE, true);
    assert_int_equal(got.count, 2);
    assert_int_equal(got.nodes[0].bytes, STRETCHES / 2 * PAGE);
    assert_int_equal(got.nodes[1].bytes, STRETCHES / 2 * PAGE);
    assert_int_equal(got.unknown, (PAGES - STRETCHES) * PAGE);
}

/* The directory knows the page in the middle; the kernel is asked for both sides of it, which have
 * no memory: a long one, and one so short that it is worth no point by itself. */
static void test_placed_page_between_others(void **state)
{
    (void)state;
    enum { BEFORE = 100, AFTER = 1 };
    void *placed = (void *)(BEGIN + (uintptr_t)BEFORE * PAGE);
    npi_location got;
    npi_location_begin(&got);
    npi_directory_set(placed, PAGE, 7, false);
    npi_location_add(&got, BEGIN, (size_t)(BEFORE + 1 + AFTER) * PAGE, 1, false);
    npi_directory_set(placed, PAGE, NP_NODE_ID_NONE, false);
    assert_int_equal(got.count, 1);
    assert_int_equal(got.nodes[0].node, 7);
    assert_int_equal(got.nodes[0].bytes, PAGE);
    assert_int_equal(got.unknown, (BEFORE + AFTER) * PAGE);
    assert_int_equal(got.asked, 2);
}

/* Not one byte: nothing is forgotten. */
static void test_forgetting_nothing(void **state)
{
    (void)state;
    npi_chunk_look look = npi_range_cache_look(BEGIN);
    npi_range_cache_keep(&look, 5);
    npi_range_cache_forget(BEGIN, 0);
    assert_int_equal(npi_range_cache_look(BEGIN).node, 5);
    npi_range_cache_forget(BEGIN, 1);
    assert_int_equal(npi_range_cache_look(BEGIN).node, NP_NODE_ID_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_node_that_the_executor_lacks),
        cmocka_unit_test(test_more_stretches_than_are_looked_at),
        cmocka_unit_test(test_placed_page_between_others),
        cmocka_unit_test(test_forgetting_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
