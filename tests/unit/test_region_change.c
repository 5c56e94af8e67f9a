/*
 * Goal: a region that is resized keeps its contents, its policy and its promises; one that is
 * migrated says what became of its pages; a strict failure leaves both as they were; and a sample
 * of the pages tells what a full audit tells. Method: contents that name their place; the kernel's
 * answers; nodes that do not exist; system calls refused by a filter in a child.
 */
#include <errno.h>
#include <stdio.h>

#include "base/hook.h"
#include "region_fixture.h"
#include "seccomp.h"

enum { PAGE = 4096 };

static void write_places(np_region *region, size_t from)
{
    char *data = np_region_data(region);
    for (size_t at = from; at < np_region_size(region); at += PAGE)
        memcpy(data + at, &at, sizeof at);
}

/* False where a page does not name its place, up to `bytes`. */
static bool places_hold(np_region *region, size_t bytes)
{
    const char *data = np_region_data(region);
    for (size_t at = 0; at < bytes; at += PAGE) {
        size_t found = 0;
        memcpy(&found, data + at, sizeof found);
        if (found != at)
            return false;
    }
    return true;
}

static bool is_bound(const np_region *region, size_t at, np_node_id node)
{
    npi_os_policy policy = NPI_OS_POLICY_OTHER;
    npi_node_set set;
    const char *data = np_region_data(region);
    return npi_os_memory_policy(data + at, &policy, &set) == 0 && policy == NPI_OS_POLICY_BIND &&
           npi_node_set_contains(&set, node) && npi_node_set_count(&set) == 1;
}

/* --- resize ------------------------------------------------------------------------------ */

static void test_resize_keeps_contents_and_policy(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, 10 * PAGE, &options, &region), NP_OK);
    write_places(region, 0);
    static const size_t sizes[] = {11 * PAGE, 3000 * PAGE, 7 * PAGE, 7 * PAGE, 500 * PAGE};
    size_t kept = 10 * PAGE;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(np_region_resize(region, sizes[i] - 1), NP_OK);
        assert_int_equal(np_region_size(region), sizes[i]);
        kept = kept < sizes[i] ? kept : sizes[i];
        assert_true(places_hold(region, kept));
        const char *data = np_region_data(region);
        for (size_t at = kept; at < sizes[i]; at++)
            if (data[at] != 0)
                fail_msg("byte %zu is not zero", at);
        assert_true(is_bound(region, 0, existing));
        assert_true(is_bound(region, sizes[i] - 1, existing));
        assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
        np_region_audit audit;
        assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
        assert_int_equal(audit.pages, sizes[i] / PAGE);
        assert_int_equal(audit.home, audit.pages);
        write_places(region, 0);
        kept = sizes[i];
    }
    np_region_destroy(region);
}

static void test_resize_without_prefault(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    np_region_options options = on_nodes(&existing, 1);
    options.policy = NP_MEMORY_INTERLEAVE;
    assert_int_equal(np_region_create(topology, PAGE, &options, &region), NP_OK);
    assert_int_equal(np_region_resize(region, 100 * PAGE), NP_OK);
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.not_present, 100);
    write_places(region, 0);
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home, 100);
    np_region_destroy(region);
}

static int mapping_full(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    /* Made before the filter would have refused it: this is the child of a filter on mremap. */
    CHILD_CHECK(np_region_create(topology, 4 * PAGE, &options, &region) == NP_OK);
    write_places(region, 0);
    char *data = np_region_data(region);
    np_status expected = error == ENOMEM || error == EAGAIN ? NP_ERR_NO_MEMORY : NP_ERR_SYSTEM;
    CHILD_CHECK(np_region_resize(region, 8 * PAGE) == expected);
    CHILD_CHECK(strstr(np_error_detail(), "mremap: ") != NULL);
    CHILD_CHECK(np_region_resize(region, 2 * PAGE) == expected);
    CHILD_CHECK(np_region_size(region) == 4 * PAGE && np_region_data(region) == data);
    CHILD_CHECK(places_hold(region, 4 * PAGE));
    CHILD_CHECK(np_region_enforcement(region).level == NP_ENFORCEMENT_STRICT);
    np_region_destroy(region);
    return CHILD_PASSED;
}

/* The policy cannot be read back any more: strict shortens the region again, soft says so. */
static int verification_lost(int error)
{
    for (int strict = 0; strict < 2; strict++) {
        np_region_options options = on_nodes(&existing, 1);
        np_region *region = NULL;
        CHILD_CHECK(np_region_create(topology, 4 * PAGE, &options, &region) == NP_OK);
        write_places(region, 0);
        np_region_options to = on_nodes(&existing, 1);
        to.hard_mode = strict ? NP_HARD_MODE_STRICT : NP_HARD_MODE_SOFT;
        np_migration moved;
        np_status status = np_region_migrate(topology, region, &to, &moved);
        CHILD_CHECK(status == (strict ? NP_ERR_HARD_MODE : NP_OK));
        CHILD_CHECK(places_hold(region, 4 * PAGE));
        CHILD_CHECK(np_region_enforcement(region).reason == NP_REASON_NOT_VERIFIED);
        CHILD_CHECK(np_region_enforcement(region).system_error == error);
        CHILD_CHECK(np_region_resize(region, 8 * PAGE) == NP_OK); /* soft, as it was made */
        CHILD_CHECK(np_region_size(region) == 8 * PAGE && places_hold(region, 4 * PAGE));
        np_region_destroy(region);
    }
    return CHILD_PASSED;
}

static void test_refused_calls(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    if (!unit_is_emulated()) { /* valgrind shortens mappings by itself */
        unit_in_refusing_child(SYS_mremap, ENOMEM, mapping_full);
        unit_in_refusing_child(SYS_mremap, EPERM, mapping_full);
    }
    unit_in_refusing_child(SYS_get_mempolicy, EPERM, verification_lost);
}

static void test_strict_resize_that_fails(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, 4 * PAGE, &options, &region), NP_OK);
    write_places(region, 0);
    unit_expect_failure(np_region_resize(region, (size_t)1 << 46), NP_ERR_HARD_MODE,
                        "can be had there now");
    assert_int_equal(np_region_size(region), 4 * PAGE);
    assert_true(places_hold(region, 4 * PAGE));
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    np_region_destroy(region);
}

/* The kernel sets no policy and takes no pages back: what is mapped beyond the old size is not
 * there, until it is asked for again. */
static int only_grow(npi_call call, uintptr_t first, uintptr_t second)
{
    static int resizes;
    (void)first;
    (void)second;
    if (call == NPI_CALL_MREMAP)
        return resizes++ == 0 ? 0 : ENOMEM;
    return call == NPI_CALL_MBIND ? EINVAL : 0;
}

static void tell_nobody(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)call;
    (void)first;
    (void)second;
    (void)error;
}

static void test_resize_after_one_that_was_not_undone(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    static const npi_hook hook = {only_grow, tell_nobody};
    np_region_options options = on_nodes(&existing, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, 4 * PAGE, &options, &region), NP_OK);
    write_places(region, 0);
    npi_hook_set(&hook);
    np_status status = np_region_resize(region, 8 * PAGE);
    npi_hook_set(NULL);
    assert_int_equal(status, NP_ERR_HARD_MODE);
    assert_int_equal(np_region_size(region), 4 * PAGE);
    static const size_t sizes[] = {8 * PAGE, 6 * PAGE, 9 * PAGE, 2 * PAGE};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(np_region_resize(region, sizes[i]), NP_OK);
        assert_int_equal(np_region_size(region), sizes[i]);
        assert_true(is_bound(region, sizes[i] - PAGE, existing));
        write_places(region, 4 * PAGE);
        assert_true(places_hold(region, sizes[i]));
    }
    np_region_destroy(region);
}

static void test_bad_arguments(void **state)
{
    (void)state;
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, PAGE, NULL, &region), NP_OK);
    unit_expect_failure(np_region_resize(NULL, 1), NP_ERR_INVALID_ARGUMENT, "region is NULL");
    unit_expect_failure(np_region_resize(region, 0), NP_ERR_INVALID_ARGUMENT, "bytes is 0");
    unit_expect_failure(np_region_resize(region, SIZE_MAX), NP_ERR_NO_MEMORY, "a region");
    np_region_options to = on_nodes(&existing, 1);
    unit_expect_failure(np_region_migrate(NULL, region, &to, NULL), NP_ERR_INVALID_ARGUMENT,
                        "topology is NULL");
    unit_expect_failure(np_region_migrate(topology, NULL, &to, NULL), NP_ERR_INVALID_ARGUMENT,
                        "region is NULL");
    unit_expect_failure(np_region_migrate(topology, region, NULL, NULL), NP_ERR_INVALID_ARGUMENT,
                        "to is NULL");
    to.lock = true;
    unit_expect_failure(np_region_migrate(topology, region, &to, NULL), NP_ERR_INVALID_ARGUMENT,
                        "only policy, hard_mode and nodes");
    const np_node_id unknown = 4711;
    to = on_nodes(&unknown, 1);
    unit_expect_failure(np_region_migrate(topology, region, &to, NULL), NP_ERR_INVALID_NODE,
                        "no node 4711");
    np_region_audit audit;
    unit_expect_failure(np_region_audit_sample(NULL, 1, 1, &audit), NP_ERR_INVALID_ARGUMENT,
                        "region is NULL");
    unit_expect_failure(np_region_audit_sample(region, 0, 1, &audit), NP_ERR_INVALID_ARGUMENT,
                        "max_pages is 0");
    np_region_destroy(region);
}

/* --- migrate ----------------------------------------------------------------------------- */

static void test_migrate_to_where_it_is(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    np_region_options options = on_nodes(&existing, 1);
    options.policy = NP_MEMORY_PREFERRED;
    assert_int_equal(np_region_create(topology, 40 * PAGE, &options, &region), NP_OK);
    char *data = np_region_data(region);
    for (size_t i = 0; i < 30; i++)
        data[i * PAGE] = 1;
    np_region_options to = on_nodes(&existing, 1);
    to.hard_mode = NP_HARD_MODE_STRICT;
    np_migration result;
    assert_int_equal(np_region_migrate(topology, region, &to, &result), NP_OK);
    assert_int_equal(result.pages, 40);
    assert_int_equal(result.home, 30);
    assert_int_equal(result.not_present, 10);
    assert_int_equal(result.moved + result.stayed + result.unknown, 0);
    assert_int_equal(np_region_policy(region), NP_MEMORY_BIND);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    assert_true(is_bound(region, 0, existing) && is_bound(region, 40 * PAGE - 1, existing));
    assert_ptr_equal(np_region_data(region), data);

    to.policy = NP_MEMORY_LOCAL;
    to.node_count = 0;
    to.nodes = NULL;
    assert_int_equal(np_region_migrate(topology, region, &to, NULL), NP_OK);
    assert_int_equal(np_region_policy(region), NP_MEMORY_LOCAL);
    assert_int_equal(np_region_nodes(region, NULL, 0), 0);
    np_region_destroy(region);
}

/* More pages than one chunk, on every policy, with what a single node lets one see. */
static void test_migrate_through_every_policy(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    size_t pages = unit_is_emulated() ? 600 : 16384 + 700;
    assert_int_equal(np_region_create(topology, pages * PAGE, &options, &region), NP_OK);
    write_places(region, 0);
    for (int policy = NP_MEMORY_BIND; policy <= NP_MEMORY_WEIGHTED_INTERLEAVE; policy++) {
        np_region_options to = on_nodes(&existing, 1);
        to.policy = (np_memory_policy)policy;
        if (policy == NP_MEMORY_LOCAL)
            to = (np_region_options){.size = sizeof to, .policy = NP_MEMORY_LOCAL};
        np_migration result;
        assert_int_equal(np_region_migrate(topology, region, &to, &result), NP_OK);
        assert_int_equal(result.pages, pages);
        assert_int_equal(result.home, pages);
        assert_int_equal(result.stayed + result.not_present + result.unknown, 0);
    }
    assert_true(places_hold(region, pages * PAGE));
    np_region_destroy(region);
}

static void test_migrate_to_a_node_that_is_not_there(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    assert_int_equal(np_region_create(topology, 4 * PAGE, &options, &region), NP_OK);
    const np_node_id absent = ABSENT;
    np_region_options to = on_nodes(&absent, 1);
    to.policy = NP_MEMORY_INTERLEAVE;
    to.hard_mode = NP_HARD_MODE_STRICT;
    np_migration result;
    unit_expect_failure(np_region_migrate(topology, region, &to, &result), NP_ERR_HARD_MODE,
                        "interleave to node 299: outside what this process may use: mbind");
    /* As it was. */
    np_node_id node = NP_NODE_ID_NONE;
    assert_int_equal(np_region_policy(region), NP_MEMORY_BIND);
    assert_int_equal(np_region_nodes(region, &node, 1), 1);
    assert_int_equal(node, existing);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    assert_true(is_bound(region, 0, existing));

    to.hard_mode = NP_HARD_MODE_SOFT;
    assert_int_equal(np_region_migrate(topology, region, &to, &result), NP_OK);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_NONE);
    assert_int_equal(np_region_enforcement(region).reason, NP_REASON_OUTSIDE_ALLOWED);
    assert_int_equal(result.stayed, 4);
    np_region_destroy(region);
}

static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    unit_allocator hook;
    bool succeeded = false;
    for (size_t k = 1; !succeeded; k++) {
        assert_true(k < 20);
        unit_allocator_install(&hook);
        assert_int_equal(np_region_create_on_node(topology, 8 * PAGE, existing, &region), NP_OK);
        write_places(region, 0);
        hook.fail_at = hook.calls + k;
        np_region_options to = on_nodes(NULL, 0); /* all nodes: more room than is used */
        to.policy = NP_MEMORY_PREFERRED_MANY;
        np_status status = np_region_migrate(topology, region, &to, NULL);
        succeeded = status == NP_OK && hook.calls < hook.fail_at;
        if (status != NP_OK)
            assert_int_equal(status, NP_ERR_NO_MEMORY);
        assert_true(places_hold(region, 8 * PAGE));
        np_region_destroy(region);
        assert_int_equal(hook.held_blocks, 0);
        assert_int_equal(hook.wrong_sizes, 0);
        assert_int_equal(np_set_allocator(NULL), NP_OK);
    }
}

static void test_virtual_nodes(void **state)
{
    (void)state;
    np_topology *two = NULL;
    np_region *region = NULL;
    assert_int_equal(np_topology_from_synthetic("numa:2 pu:1", &two), NP_OK);
    assert_int_equal(np_region_create_on_node(two, 4 * PAGE, 0, &region), NP_OK);
    write_places(region, 0);
    const np_node_id other = 1;
    np_region_options to = on_nodes(&other, 1);
    np_migration result;
    assert_int_equal(np_region_migrate(two, region, &to, &result), NP_OK);
    np_node_id node = NP_NODE_ID_NONE;
    assert_int_equal(np_region_nodes(region, &node, 1), 1);
    assert_int_equal(node, 1);
    assert_int_equal(np_region_enforcement(region).reason, NP_REASON_VIRTUAL_TOPOLOGY);
    assert_int_equal(np_region_resize(region, 9 * PAGE), NP_OK);
    assert_true(places_hold(region, 4 * PAGE));
    to.hard_mode = NP_HARD_MODE_STRICT;
    unit_expect_failure(np_region_migrate(two, region, &to, &result), NP_ERR_HARD_MODE,
                        "does not describe this machine");
    np_region_destroy(region);
    np_topology_destroy(two);
}

/* --- samples ----------------------------------------------------------------------------- */

/* One page in three is there, in a pattern that a fixed stride would see all or nothing of. */
static void test_sample_sees_what_the_audit_sees(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    enum { PAGES = 9000, SAMPLE = 1200 };
    np_region *region = NULL;
    np_region_options options = on_nodes(&existing, 1);
    options.huge_pages = NP_HUGE_PAGES_NEVER;
    assert_int_equal(np_region_create(topology, (size_t)PAGES * PAGE, &options, &region), NP_OK);
    char *data = np_region_data(region);
    for (size_t i = 0; i < PAGES; i += 3)
        data[i * PAGE] = 1;
    np_region_audit whole, first, again;
    assert_int_equal(np_region_audit_pages(region, &whole, NULL, 0), NP_OK);
    assert_int_equal(whole.home, PAGES / 3);
    for (uint64_t seed = 1; seed <= 20; seed++) {
        assert_int_equal(np_region_audit_sample(region, SAMPLE, seed, &first), NP_OK);
        assert_int_equal(np_region_audit_sample(region, SAMPLE, seed, &again), NP_OK);
        assert_memory_equal(&first, &again, sizeof first); /* a seed repeats */
        assert_int_equal(first.pages, SAMPLE);
        assert_int_equal(first.home + first.not_present, SAMPLE);
        /* 400 expected, standard deviation 16: these are six of them. */
        assert_in_range(first.home, 300, 500);
    }
    assert_int_equal(np_region_audit_sample(region, SAMPLE, 0, &first), NP_OK);
    assert_in_range(first.home, 300, 500);
    /* Not more than there are; uneven stretches; one. */
    assert_int_equal(np_region_audit_sample(region, 100000, 1, &first), NP_OK);
    assert_memory_equal(&first, &whole, sizeof first);
    assert_int_equal(np_region_audit_sample(region, PAGES - 1, 1, &first), NP_OK);
    assert_int_equal(first.pages, PAGES - 1);
    assert_in_range(first.home, PAGES / 3 - 1, PAGES / 3);
    assert_int_equal(np_region_audit_sample(region, 1, 1, &first), NP_OK);
    assert_int_equal(first.pages, 1);
    np_region_destroy(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resize_keeps_contents_and_policy),
        cmocka_unit_test(test_resize_without_prefault),
        cmocka_unit_test(test_refused_calls),
        cmocka_unit_test(test_strict_resize_that_fails),
        cmocka_unit_test(test_resize_after_one_that_was_not_undone),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_migrate_to_where_it_is),
        cmocka_unit_test(test_migrate_through_every_policy),
        cmocka_unit_test(test_migrate_to_a_node_that_is_not_there),
        cmocka_unit_test(test_each_allocation_fails_in_turn),
        cmocka_unit_test(test_virtual_nodes),
        cmocka_unit_test(test_sample_sees_what_the_audit_sees),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
