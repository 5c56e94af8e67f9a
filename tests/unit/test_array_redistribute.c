/*
 * Goal: an array that is distributed anew keeps its contents and its address, answers by the new
 * distribution, and by the old one after a refusal; and whoever has only an address is told the
 * same (the directory). What cannot be had is refused or admitted. Method: a virtual machine for
 * the arithmetic; this machine with nodes that do not exist for what the kernel refuses.
 */
#include <errno.h>

#include "base/hook.h"
#include "memory/directory.h"
#include "region_fixture.h"

#include <numaperf/array.h>

enum { VIRTUAL_NODES = 4 };

static np_topology *machine; /* virtual, besides the one of the fixture, which is said to be real */
static size_t page;

static int begin(void **state)
{
    page = npi_os_page_size();
    return set_up(state) != 0 ||
           np_topology_from_synthetic("numa:4 core:1 pu:1", &machine) != NP_OK;
}

static int end(void **state)
{
    np_topology_destroy(machine);
    return tear_down(state);
}

static void write_numbers(np_array *array)
{
    uint64_t *values = np_array_data(array);
    for (size_t i = 0; i < np_array_count(array); i++)
        values[i] = i * 3;
}

static void check_numbers(const np_array *array)
{
    const uint64_t *values = np_array_data(array);
    for (size_t i = 0; i < np_array_count(array); i++)
        assert_int_equal(values[i], i * 3);
}

/* The directory knows each byte as the pieces say, and nothing around. */
static void check_known(const np_array *array, bool is_virtual)
{
    uintptr_t data = (uintptr_t)np_array_data(array);
    size_t count = np_array_count(array);
    for (size_t i = 0; i < count; i++) {
        npi_stretch found = npi_directory_find(data + i * 8, data + count * 8, is_virtual);
        assert_int_equal(found.node, np_array_node_of(array, i));
    }
    assert_int_equal(npi_directory_find(data, data + 1, !is_virtual).node, NP_NODE_ID_NONE);
    assert_int_equal(npi_directory_find(data + count * 8, data + count * 8 + page, is_virtual).node,
                     NP_NODE_ID_NONE);
}

static size_t backwards(void *context, size_t first, size_t last)
{
    (void)last;
    return VIRTUAL_NODES - 1 - first * VIRTUAL_NODES / *(const size_t *)context;
}

static void test_contents_and_answers(void **state)
{
    (void)state;
    size_t count = 20 * page / 8;
    size_t entries = npi_directory_count();
    np_array *array = NULL;
    assert_int_equal(np_array_create(machine, 8, count, NULL, &array), NP_OK);
    void *data = np_array_data(array);
    write_numbers(array);
    check_known(array, true);

    np_migration result = {.pages = 77};
    assert_int_equal(np_array_redistribute(machine, array,
                                           NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC,
                                                            .block = page / 8),
                                           &result),
                     NP_OK);
    assert_int_equal(np_array_distribution(array), NP_DISTRIBUTION_CYCLIC);
    assert_int_equal(np_array_piece_count(array), 20);
    assert_int_equal(np_array_node_of(array, 6 * page / 8), 2);
    check_known(array, true);
    if (result.unknown == 0) {
        assert_int_equal(result.pages, 20);
        assert_int_equal(result.home, 20);
        assert_int_equal(result.moved + result.stayed + result.not_present, 0);
    }

    assert_int_equal(
        np_array_redistribute(machine, array,
                              NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CUSTOM,
                                               .owner = backwards, .owner_context = &count),
                              NULL),
        NP_OK);
    assert_int_equal(np_array_node_of(array, 0), 3);
    assert_int_equal(np_array_node_of(array, count - 1), 0);
    assert_int_equal(np_array_piece_count(array), VIRTUAL_NODES);
    check_known(array, true);

    assert_int_equal(np_array_redistribute(machine, array, NULL, NULL), NP_OK);
    assert_int_equal(np_array_distribution(array), NP_DISTRIBUTION_BLOCK);
    assert_int_equal(np_array_node_elements(array, 3), count / 4);
    assert_ptr_equal(np_array_data(array), data);
    assert_int_equal(np_array_enforcement(array).reason, NP_REASON_VIRTUAL_TOPOLOGY);
    check_numbers(array);
    check_known(array, true);
    np_array_destroy(array);
    assert_int_equal(npi_directory_count(), entries);
}

static void test_arguments(void **state)
{
    (void)state;
    np_array *array = NULL;
    np_migration result = {.pages = 77};
    assert_int_equal(np_array_create(machine, 8, 4 * page, NULL, &array), NP_OK);
    unit_expect_failure(np_array_redistribute(NULL, array, NULL, &result), NP_ERR_INVALID_ARGUMENT,
                        "topology is NULL");
    unit_expect_failure(np_array_redistribute(machine, NULL, NULL, &result),
                        NP_ERR_INVALID_ARGUMENT, "array is NULL");
    unit_expect_failure(np_array_redistribute(topology, array, NULL, &result),
                        NP_ERR_INVALID_ARGUMENT, "the topology is of this machine");
    unit_expect_failure(np_array_redistribute(machine, array,
                                              NP_ARRAY_OPTIONS(.prefault = NP_PREFAULT_TOUCH),
                                              &result),
                        NP_ERR_INVALID_ARGUMENT, "prefault must be 0");
    unit_expect_failure(np_array_redistribute(machine, array,
                                              NP_ARRAY_OPTIONS(.huge_pages = NP_HUGE_PAGES_NEVER),
                                              &result),
                        NP_ERR_INVALID_ARGUMENT, "huge_pages must be 0");
    unit_expect_failure(
        np_array_redistribute(machine, array, NP_ARRAY_OPTIONS(.block = 3), &result),
        NP_ERR_INVALID_ARGUMENT, "block is 3");
    unit_expect_failure(np_array_redistribute(machine, array,
                                              NP_ARRAY_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT),
                                              &result),
                        NP_ERR_HARD_MODE, "does not describe this machine");
    assert_int_equal(result.pages, 77);
    assert_int_equal(np_array_piece_count(array), VIRTUAL_NODES);
    check_known(array, true);
    np_array_destroy(array);
}

/* --- what the kernel refuses ---------------------------------------------------------------- */

static np_array *make_on(const np_node_id *nodes, size_t count, np_hard_mode mode)
{
    np_array *array = NULL;
    np_status status = np_array_create(topology, 8, 4 * page / 8,
                                       NP_ARRAY_OPTIONS(.nodes = nodes, .node_count = count,
                                                        .hard_mode = mode,
                                                        .prefault = NP_PREFAULT_TOUCH),
                                       &array);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    return array;
}

static void test_a_part_that_cannot_be_placed(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    const np_node_id nodes[] = {existing, ABSENT};
    np_array *array = NULL;
    const np_array_options *options = NP_ARRAY_OPTIONS(.nodes = nodes, .node_count = 2,
                                                       .hard_mode = NP_HARD_MODE_STRICT);
    /* The free memory of a node that does not exist cannot be read. */
    unit_expect_failure(np_array_create(topology, 8, page, options, &array), NP_ERR_HARD_MODE,
                        "block, part on node 299: ");
    assert_null(array);

    array = make_on(nodes, 2, NP_HARD_MODE_SOFT);
    np_enforcement reached = np_array_enforcement(array);
    assert_int_equal(reached.level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_int_equal(reached.reason, NP_REASON_PARTIAL);
    assert_int_equal(reached.system_error, EINVAL);
    assert_int_equal(np_array_node_of(array, 4 * page / 8 - 1), ABSENT);
    write_numbers(array);
    check_numbers(array);
    np_region_audit audit;
    assert_int_equal(np_array_audit(array, &audit), NP_OK);
    assert_int_equal(audit.pages, 4);
    assert_true(audit.home >= 2 && audit.elsewhere == 2);
    uintptr_t data = (uintptr_t)np_array_data(array);
    assert_int_equal(npi_directory_find(data, data + 1, false).node, NP_NODE_ID_NONE);
    np_array_destroy(array);

    array = make_on(&nodes[1], 1, NP_HARD_MODE_SOFT);
    assert_int_equal(np_array_enforcement(array).level, NP_ENFORCEMENT_NONE);
    assert_int_equal(np_array_enforcement(array).reason, NP_REASON_OUTSIDE_ALLOWED);
    np_array_destroy(array);
}

static void test_refused_stays_as_it_was(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_array *array = make_on(&existing, 1, NP_HARD_MODE_STRICT);
    write_numbers(array);
    check_known(array, false);
    const np_node_id nodes[] = {existing, ABSENT};
    np_migration result = {.pages = 77};
    unit_expect_failure(np_array_redistribute(topology, array,
                                              NP_ARRAY_OPTIONS(.nodes = nodes, .node_count = 2,
                                                               .hard_mode = NP_HARD_MODE_STRICT),
                                              &result),
                        NP_ERR_HARD_MODE, "part on node 299");
    assert_int_equal(result.pages, 77);
    assert_int_equal(np_array_piece_count(array), 1);
    assert_int_equal(np_array_enforcement(array).level, NP_ENFORCEMENT_STRICT);
    check_known(array, false);
    check_numbers(array);

    /* Soft: the new distribution counts, and says what it is worth. */
    assert_int_equal(np_array_redistribute(topology, array,
                                           NP_ARRAY_OPTIONS(.nodes = nodes, .node_count = 2),
                                           &result),
                     NP_OK);
    assert_int_equal(np_array_piece_count(array), 2);
    assert_int_equal(np_array_enforcement(array).level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_int_equal(np_array_enforcement(array).reason, NP_REASON_PARTIAL);
    assert_int_equal(result.pages, 4);
    assert_int_equal(result.stayed, 2);
    assert_int_equal(result.moved, 0);
    check_numbers(array);

    assert_int_equal(np_array_redistribute(topology, array,
                                           NP_ARRAY_OPTIONS(.nodes = &existing, .node_count = 1,
                                                            .hard_mode = NP_HARD_MODE_STRICT),
                                           &result),
                     NP_OK);
    assert_int_equal(np_array_enforcement(array).level, NP_ENFORCEMENT_STRICT);
    assert_int_equal(result.home, 4);
    check_known(array, false);
    check_numbers(array);
    np_array_destroy(array);
}

/* A page that does not move at once, or never. */
static int moves_to_refuse, moves_seen;

static int refuse_moves(npi_call call, uintptr_t first, uintptr_t second)
{
    (void)first;
    (void)second;
    return call == NPI_CALL_MBIND && moves_seen++ < moves_to_refuse ? EIO : 0;
}

static void tell_nobody(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)call;
    (void)first;
    (void)second;
    (void)error;
}

static np_status redistribute_refused(np_array *array, int refused)
{
    static const npi_hook hook = {refuse_moves, tell_nobody};
    moves_to_refuse = refused;
    moves_seen = 0;
    npi_hook_set(&hook);
    np_status status = np_array_redistribute(
        topology, array,
        NP_ARRAY_OPTIONS(.nodes = &existing, .node_count = 1, .hard_mode = NP_HARD_MODE_STRICT),
        NULL);
    npi_hook_set(NULL);
    return status;
}

static void test_a_page_that_is_held(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_array *array = make_on(&existing, 1, NP_HARD_MODE_STRICT);
    write_numbers(array);
    assert_int_equal(redistribute_refused(array, 1), NP_OK);
    assert_int_equal(moves_seen, 2);
    assert_int_equal(redistribute_refused(array, 1000), NP_ERR_HARD_MODE);
    assert_non_null(strstr(np_error_detail(), "not every page could be moved"));
    assert_in_range(moves_seen, 2, 99); /* it gives up */
    check_numbers(array);
    np_array_destroy(array);
}

/* Fails each allocation in turn: nothing leaks, nothing changes. */
static void test_allocations(void **state)
{
    (void)state;
    unit_allocator allocator;
    unit_allocator_install(&allocator);
    np_array *array = NULL;
    assert_int_equal(np_array_create(machine, 8, 4 * page, NULL, &array), NP_OK);
    np_status status = NP_ERR_NO_MEMORY;
    size_t failed = 0;
    for (; status != NP_OK; failed++) {
        allocator.calls = 0;
        allocator.fail_at = failed + 1;
        status = np_array_redistribute(
            machine, array, NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC, .block = 1),
            NULL);
        assert_true(status == NP_OK || status == NP_ERR_NO_MEMORY);
        assert_int_equal(np_array_piece_count(array), status == NP_OK ? 32 : VIRTUAL_NODES);
        check_known(array, true);
    }
    assert_true(failed > 4);
    np_array_destroy(array);
    assert_int_equal(allocator.held_blocks, 0);
    assert_int_equal(allocator.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_contents_and_answers),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_a_part_that_cannot_be_placed),
        cmocka_unit_test(test_refused_stays_as_it_was),
        cmocka_unit_test(test_a_page_that_is_held),
        cmocka_unit_test(test_allocations),
    };
    return cmocka_run_group_tests(tests, begin, end);
}
