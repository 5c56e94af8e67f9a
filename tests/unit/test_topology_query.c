/*
 * Goal: what the layers above read by index is what the public functions say by id, a copy lives on
 * its own, and NULL is answered, not followed. Method: known machines, an allocator that counts.
 */
#include "topology_help.h"

#include "topology/topology_internal.h"

/* Cores {0,1} {2,3} {4,5}: neighbours are siblings. */
static void a_node_lists_one_thread_per_core_first(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:1(indexes=3) core:3 pu:2");
    const int32_t *cpus = NULL;
    const int32_t expected[] = {0, 2, 4, 1, 3, 5};
    assert_int_equal(npi_topology_node_cpu_list(t, 0, &cpus), 6);
    assert_memory_equal(cpus, expected, sizeof expected);
    assert_int_equal(npi_topology_node(t, 0)->core_count, 3);
    assert_int_equal(npi_topology_node_index(t, 3), 0);
    assert_int_equal(npi_topology_cpu_node_index(t, 5), 0);
    assert_int_equal(npi_topology_cpu_node_index(t, 6), NP_NODE_INDEX_NONE);
    np_topology_destroy(t);
}

static void a_clone_lives_on_its_own(void **state)
{
    (void)state;
    unit_allocator allocator;
    unit_allocator_install(&allocator);
    np_topology *original = topology_make("pack:2 numa:2 l3:1 core:2 pu:2 | "
                                          "10 12 32 32 12 10 32 32 32 32 10 12 32 32 12 10");
    np_topology *clone = NULL;
    char *before = topology_text(np_topology_to_json, original);
    assert_int_equal(npi_topology_clone(original, &clone), NP_OK);
    np_topology_destroy(original);
    topology_check_sane(clone);
    char *after = topology_text(np_topology_to_json, clone);
    assert_string_equal(before, after);
    np_node_index order[4];
    const np_node_index expected[] = {2, 3, 0, 1};
    npi_topology_node_order(clone, 2, order);
    assert_memory_equal(order, expected, sizeof expected);
    assert_int_equal(npi_topology_node_tier_at(clone, 2, 3), NP_TIER_SOCKET);
    assert_true(npi_topology_is_virtual(clone));
    allocator.fail_at = allocator.calls + 1;
    np_topology *none = NULL;
    unit_expect_failure(npi_topology_clone(clone, &none), NP_ERR_NO_MEMORY, "copy");
    np_topology_destroy(clone);
    free(before);
    free(after);
    assert_int_equal(allocator.held_blocks, 0);
    assert_int_equal(allocator.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

static void null_is_answered_not_followed(void **state)
{
    (void)state;
    np_node_info info;
    size_t count = 0;
    np_topology_destroy(NULL);
    assert_false(np_topology_is_virtual(NULL));
    assert_int_equal(np_topology_node_count(NULL), 0);
    assert_int_equal(np_topology_cpu_count(NULL), 0);
    assert_int_equal(np_topology_core_count(NULL), 0);
    assert_int_equal(np_topology_socket_count(NULL), 0);
    assert_int_equal(np_topology_cpu_quota(NULL), 0);
    assert_int_equal(np_topology_node_id(NULL, 0), NP_NODE_ID_NONE);
    assert_int_equal(np_topology_node_index(NULL, 0), NP_NODE_INDEX_NONE);
    assert_int_equal(np_topology_cpu_node(NULL, 0), NP_NODE_ID_NONE);
    assert_int_equal(np_topology_node_tier(NULL, 0, 0), NP_TIER_REMOTE);
    assert_int_equal(np_topology_cpu_tier(NULL, 0, 0), NP_TIER_REMOTE);
    assert_int_equal(np_topology_distance_source(NULL), NP_DISTANCE_ASSUMED);
    unit_expect_failure(np_topology_node_info(NULL, 0, &info), NP_ERR_INVALID_ARGUMENT, "NULL");
    unit_expect_failure(np_topology_nodes_by_distance(NULL, 0, NULL, 0, &count),
                        NP_ERR_INVALID_ARGUMENT, "NULL");
    np_topology *t = topology_make("pu:1");
    unit_expect_failure(np_topology_node_info(t, 0, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_topology_node_cpus(t, 0, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_topology_node_free_memory(t, 0, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_topology_cpus(t, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_topology_cpu_info(t, 0, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_topology_distance(t, 0, 0, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    uint64_t memory = 0;
    assert_int_equal(np_topology_node_free_memory(t, 0, &memory), NP_OK);
    assert_int_equal(memory, 1u << 30);
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_node_lists_one_thread_per_core_first),
        cmocka_unit_test(a_clone_lives_on_its_own),
        cmocka_unit_test(null_is_answered_not_followed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
