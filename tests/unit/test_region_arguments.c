/*
 * Goal: bad requests for regions are refused with words that name the value, and nothing leaks on
 * the way. Method: every argument wrong in turn; each allocation failed in turn; no address space
 * left.
 */
#include <errno.h>
#include <sys/resource.h>

#include <numaperf/array.h>

#include "region_fixture.h"

/* --- arguments --------------------------------------------------------------------------- */

static void test_missing_arguments(void **state)
{
    (void)state;
    np_region *region = NULL;
    unit_expect_failure(np_region_create(topology, 4096, NULL, NULL), NP_ERR_INVALID_ARGUMENT,
                        "out is NULL");
    unit_expect_failure(np_region_create(NULL, 4096, NULL, &region), NP_ERR_INVALID_ARGUMENT,
                        "topology is NULL");
    unit_expect_failure(np_region_create(topology, 0, NULL, &region), NP_ERR_INVALID_ARGUMENT,
                        "bytes is 0");
    unit_expect_failure(np_region_create_on_node(NULL, 1, 0, &region), NP_ERR_INVALID_ARGUMENT,
                        "topology is NULL");
    np_region_audit audit;
    unit_expect_failure(np_region_audit_pages(NULL, &audit, NULL, 0), NP_ERR_INVALID_ARGUMENT,
                        "region is NULL");
}

static void test_absurd_sizes(void **state)
{
    (void)state;
    np_region *region = NULL;
    unit_expect_failure(np_region_create(topology, SIZE_MAX, NULL, &region), NP_ERR_NO_MEMORY,
                        "18446744073709551615 bytes");
    unit_expect_failure(np_region_create(topology, (size_t)1 << 60, NULL, &region),
                        NP_ERR_NO_MEMORY, "1152921504606846976 bytes: mmap");
    if (!unit_is_emulated())
        assert_int_equal(np_error_errno(), ENOMEM);
    assert_null(region);
}

static void test_bad_options(void **state)
{
    (void)state;
    np_region_options options = on_nodes(NULL, 0);
    options.size = 0;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "np_region_options.size is 0");
    options = on_nodes(NULL, 0);
    options.policy = (np_memory_policy)99;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "policy is 99");
    options.policy = (np_memory_policy)-1;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "policy is -1");
    options = on_nodes(NULL, 0);
    options.hard_mode = (np_hard_mode)2;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "hard_mode is 2");
    options = on_nodes(NULL, 0);
    options.prefault = (np_prefault)5;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "prefault is 5");
    options = on_nodes(NULL, 0);
    options.huge_pages = (np_huge_pages)-3;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "huge_pages is -3");

    struct {
        np_region_options known;
        unsigned char unknown;
    } newer = {.known = on_nodes(NULL, 0), .unknown = 1};
    newer.known.size = sizeof newer;
    expect_refusal(&newer.known, NP_ERR_INVALID_ARGUMENT, "np_region_options has a non-zero byte");
}

static void test_bad_nodes(void **state)
{
    (void)state;
    const np_node_id unknown[] = {0, 4711};
    np_region_options options = on_nodes(unknown, 2);
    expect_refusal(&options, NP_ERR_INVALID_NODE, "nodes[1]: no node 4711");
    const np_node_id negative[] = {NP_NODE_ID_NONE};
    options = on_nodes(negative, 1);
    expect_refusal(&options, NP_ERR_INVALID_NODE, "nodes[0]: no node -1");
    const np_node_id twice[] = {3, 5, 3};
    options = on_nodes(twice, 3);
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "nodes[2]: node 3 is given twice");
    options = on_nodes(NULL, 2);
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "nodes is NULL but node_count is 2");
    options = on_nodes(unknown, 1);
    options.policy = NP_MEMORY_LOCAL;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "local policy takes no nodes");
    options = on_nodes(NULL, 0);
    options.policy = NP_MEMORY_PREFERRED;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "preferred policy needs a node");
    np_region *region = NULL;
    unit_expect_failure(np_region_create_on_node(topology, 1, 300, &region), NP_ERR_INVALID_NODE,
                        "no node 300");
}

static void test_nodes_without_memory(void **state)
{
    (void)state;
    uint64_t before = topology->nodes[7].memory_bytes;
    topology->nodes[7].memory_bytes = 0;
    const np_node_id node = 7;
    np_region_options options = on_nodes(&node, 1);
    np_region *region = NULL;
    np_status status = np_region_create(topology, 4096, &options, &region);
    topology->nodes[7].memory_bytes = before;
    unit_expect_failure(status, NP_ERR_INVALID_NODE, "nodes[0]: node 7 has no memory");

    /* A machine on which nothing at all may be used. */
    np_topology *barren = NULL;
    assert_int_equal(np_topology_from_synthetic("numa:2 pu:1", &barren), NP_OK);
    barren->nodes[0].memory_allowed = false;
    barren->nodes[1].memory_bytes = 0;
    unit_expect_failure(np_region_create(barren, 4096, NULL, &region), NP_ERR_INVALID_NODE,
                        "no node has memory");
    np_array *array = NULL;
    unit_expect_failure(np_array_create(barren, 8, 8, NULL, &array), NP_ERR_INVALID_NODE,
                        "no node has memory");
    np_topology_destroy(barren);
}

static void test_nothing_answers_for_no_region(void **state)
{
    (void)state;
    np_region_destroy(NULL);
    assert_null(np_region_data(NULL));
    assert_int_equal(np_region_size(NULL), 0);
    assert_int_equal(np_region_page_size(NULL), 0);
    assert_int_equal(np_region_nodes(NULL, NULL, 0), 0);
    assert_int_equal(np_region_enforcement(NULL).reason, NP_REASON_NOT_REQUESTED);
    assert_string_equal(np_memory_policy_name(NP_MEMORY_BIND), "bind");
    assert_string_equal(np_memory_policy_name(NP_MEMORY_PREFERRED), "preferred");
    assert_string_equal(np_memory_policy_name(NP_MEMORY_INTERLEAVE), "interleave");
    assert_string_equal(np_memory_policy_name(NP_MEMORY_LOCAL), "local");
    assert_string_equal(np_memory_policy_name((np_memory_policy)9), "unknown");
}

/* --- memory ------------------------------------------------------------------------------ */

static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    unit_allocator hook;
    bool succeeded = false;
    for (size_t k = 1; !succeeded; k++) {
        assert_true(k < 20);
        unit_allocator_install(&hook);
        hook.fail_at = k;
        np_region *region = NULL;
        np_status status = np_region_create_on_node(topology, 65536, existing, &region);
        succeeded = status == NP_OK;
        if (succeeded) {
            np_region_destroy(region);
        } else {
            unit_expect_failure(status, NP_ERR_NO_MEMORY, "bytes for a region");
            assert_null(region);
        }
        assert_int_equal(hook.held_blocks, 0);
        assert_int_equal(hook.wrong_sizes, 0);
    }
    assert_true(hook.calls >= 1);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

static void test_sizes_given_back_are_those_asked_for(void **state)
{
    (void)state;
    /* All nodes but one are chosen, so the struct has room to spare. */
    uint64_t before = topology->nodes[7].memory_bytes;
    topology->nodes[7].memory_bytes = 0;
    unit_allocator hook;
    unit_allocator_install(&hook);
    np_region *region = NULL;
    np_status status = np_region_create(topology, 4096, NULL, &region);
    size_t nodes = np_region_nodes(region, NULL, 0);
    np_region_destroy(region);
    topology->nodes[7].memory_bytes = before;
    assert_int_equal(np_set_allocator(NULL), NP_OK);
    assert_int_equal(status, NP_OK);
    assert_int_equal(nodes, np_topology_node_count(topology) - 1);
    assert_int_equal(hook.held_blocks, 0);
    assert_int_equal(hook.wrong_sizes, 0);
}

static void test_no_address_space(void **state)
{
    (void)state;
    if (UNIT_SANITIZED)
        UNIT_SKIP("the sanitizer's shadow is far above any limit on address space");
    if (unit_is_emulated())
        UNIT_SKIP("the emulator does not apply limits on address space");
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
    unit_allocator hook;
    unit_allocator_install(&hook);
    struct rlimit tight = {.rlim_cur = 4096, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_AS, &tight), 0);
    np_region *region = NULL;
    np_status status = np_region_create_on_node(topology, (size_t)8 << 20, existing, &region);
    assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
    unit_expect_failure(status, NP_ERR_NO_MEMORY, "8388608 bytes: mmap");
    assert_null(region);
    assert_int_equal(hook.held_blocks, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_arguments),
        cmocka_unit_test(test_absurd_sizes),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_bad_nodes),
        cmocka_unit_test(test_nodes_without_memory),
        cmocka_unit_test(test_nothing_answers_for_no_region),
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_sizes_given_back_are_those_asked_for),
        cmocka_unit_test(test_no_address_space),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
