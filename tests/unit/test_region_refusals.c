/*
 * Goal: what cannot be had is refused or admitted: strict mode fails with the nodes, the call and
 * errno, soft mode goes on and gives the reason. Method: nodes that do not exist; free memory as a
 * file of the test says; system calls refused by a filter in a child.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

#include <numaperf/array.h>

#include "region_fixture.h"
#include "seccomp.h"

/* --- free memory, as a file says --------------------------------------------------------- */

static char root[64];

static void make_path(const char *parts)
{
    char path[320];
    snprintf(path, sizeof path, "%s/%s", root, parts);
    (void)mkdir(path, 0700);
}

static void say_memory(np_node_id node, const char *text)
{
    char path[192];
    snprintf(path, sizeof path, "sys/devices/system/node/node%d", (int)node);
    make_path(path);
    snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/meminfo", root, (int)node);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof root, "/tmp/np_test_region_XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    make_path("sys");
    make_path("sys/devices");
    make_path("sys/devices/system");
    make_path("sys/devices/system/node");
    return npi_os_set_root(root);
}

static int remove_root(void **state)
{
    (void)state;
    char path[192];
    for (int node = 0; node < 300; node++) {
        snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/meminfo", root, node);
        (void)remove(path);
        snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d", root, node);
        (void)remove(path);
    }
    static const char *const parts[] = {"/sys/devices/system/node", "/sys/devices/system",
                                        "/sys/devices", "/sys", ""};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        snprintf(path, sizeof path, "%s%s", root, parts[i]);
        if (remove(path) != 0)
            return -1;
    }
    return npi_os_set_root(NULL);
}

static const char nearly_full[] = "Node 0 MemTotal:        1048576 kB\n"
                                  "Node 0 MemFree:           18432 kB\n"
                                  "Node 0 Active(file):          0 kB\n"
                                  "Node 0 Inactive(file):        0 kB\n"
                                  "Node 0 SReclaimable:          0 kB\n";

/* The same with 256 MiB of cached file pages. */
static const char full_of_cache[] = "Node 0 MemTotal:        1048576 kB\n"
                                    "Node 0 MemFree:           18432 kB\n"
                                    "Node 0 Active(file):     131072 kB\n"
                                    "Node 0 Inactive(file):    65536 kB\n"
                                    "Node 0 SReclaimable:      65536 kB\n";

static void test_too_little_free_memory(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    say_memory(existing, nearly_full); /* 18 MiB less a reserve of 16 MiB */
    np_region_options options = on_nodes(&existing, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = NULL;
    unit_expect_failure(np_region_create(topology, (size_t)3 << 20, &options, &region),
                        NP_ERR_HARD_MODE, "3145728 bytes, bind to node ");
    assert_non_null(strstr(np_error_detail(), "only about 2.0 MiB can be had there now"));
    assert_null(region);

    /* Soft mode prefers the node instead of risking the process. */
    options.hard_mode = NP_HARD_MODE_SOFT;
    assert_int_equal(np_region_create(topology, (size_t)3 << 20, &options, &region), NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    assert_int_equal(reached.level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_int_equal(reached.reason, NP_REASON_NO_MEMORY);
    npi_os_policy policy;
    npi_node_set nodes;
    assert_int_equal(npi_os_memory_policy(np_region_data(region), &policy, &nodes), 0);
    assert_int_equal(policy, NPI_OS_POLICY_PREFERRED);
    np_region_destroy(region);

    /* What fits is bound, in both modes. */
    options.hard_mode = NP_HARD_MODE_STRICT;
    assert_int_equal(np_region_create(topology, (size_t)1 << 20, &options, &region), NP_OK);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    np_region_destroy(region);

    /* Policies that can go elsewhere do not care. */
    options.policy = NP_MEMORY_PREFERRED;
    assert_int_equal(np_region_create(topology, (size_t)3 << 20, &options, &region), NP_OK);
    np_region_destroy(region);
}

/* The same for the part of an array on its node. */
static void test_too_little_for_a_part(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    say_memory(existing, nearly_full);
    np_array_options options = *NP_ARRAY_OPTIONS(.nodes = &existing, .node_count = 1,
                                                 .hard_mode = NP_HARD_MODE_STRICT);
    np_array *array = NULL;
    unit_expect_failure(np_array_create(topology, 3, (size_t)1 << 20, &options, &array),
                        NP_ERR_HARD_MODE, "array of 1048576 elements of 3 bytes, block, part on");
    assert_non_null(strstr(np_error_detail(), "only about 2.0 MiB can be had there now"));
    assert_null(array);

    options.hard_mode = NP_HARD_MODE_SOFT;
    assert_int_equal(np_array_create(topology, 3, (size_t)1 << 20, &options, &array), NP_OK);
    assert_int_equal(np_array_enforcement(array).reason, NP_REASON_NO_MEMORY);
    npi_os_policy policy;
    npi_node_set nodes;
    assert_int_equal(npi_os_memory_policy(np_array_data(array), &policy, &nodes), 0);
    assert_int_equal(policy, NPI_OS_POLICY_PREFERRED);

    /* What it has of the node already it need not find again. */
    memset(np_array_data(array), 1, (size_t)3 << 20);
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_status status = np_array_redistribute(topology, array, &options, NULL);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    assert_int_equal(npi_os_memory_policy(np_array_data(array), &policy, &nodes), 0);
    assert_int_equal(policy, NPI_OS_POLICY_BIND);
    np_array_destroy(array);
}

static void test_cached_files_count_by_half(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    say_memory(existing, full_of_cache);
    np_region_options options = on_nodes(&existing, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, (size_t)130 << 20, &options, &region), NP_OK);
    np_region_destroy(region);
    unit_expect_failure(np_region_create(topology, (size_t)131 << 20, &options, &region),
                        NP_ERR_HARD_MODE, "only about 130 MiB");
}

static void test_unknown_free_memory(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    static const char *const texts[] = {
        NULL, "", "garbage\n", "Node 0 MemFree: 99999999 kB\n", "MemTotal", "Node 0 MemTotal:"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (texts[i] != NULL)
            say_memory(existing, texts[i]);
        np_region_options options = on_nodes(&existing, 1);
        options.hard_mode = NP_HARD_MODE_STRICT;
        expect_refusal(&options, NP_ERR_HARD_MODE, "the free memory of the node cannot be read");
        options.hard_mode = NP_HARD_MODE_SOFT;
        np_region *region = NULL;
        assert_int_equal(np_region_create(topology, 4096, &options, &region), NP_OK);
        assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
        np_region_destroy(region);
    }
}

/* --- nodes that the kernel refuses ------------------------------------------------------- */

static void test_outside_the_allowed_nodes(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    const np_node_id absent = ABSENT;
    say_memory(absent, "Node 299 MemTotal: 9999999 kB\nNode 299 MemFree: 9999999 kB\n");
    static const np_memory_policy policies[] = {NP_MEMORY_BIND, NP_MEMORY_PREFERRED,
                                                NP_MEMORY_INTERLEAVE};
    for (size_t i = 0; i < 3; i++) {
        np_region_options options = on_nodes(&absent, 1);
        options.policy = policies[i];
        options.prefault = NP_PREFAULT_TOUCH;
        np_region *region = NULL;
        assert_int_equal(np_region_create(topology, 4096, &options, &region), NP_OK);
        np_enforcement reached = np_region_enforcement(region);
        assert_int_equal(reached.level, NP_ENFORCEMENT_NONE);
        assert_int_equal(reached.reason, NP_REASON_OUTSIDE_ALLOWED);
        assert_int_equal(reached.system_error, EINVAL);
        np_region_audit audit;
        assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
        assert_int_equal(audit.elsewhere, 1); /* the audit is not taken in */
        np_region_destroy(region);

        options.hard_mode = NP_HARD_MODE_STRICT;
        expect_refusal(&options, NP_ERR_HARD_MODE, "to node 299: ");
        assert_non_null(strstr(np_error_detail(), "mbind: Invalid argument (errno 22)"));
        assert_int_equal(np_error_errno(), EINVAL);
    }
}

static void test_partly_outside(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    const np_node_id nodes[] = {existing, ABSENT};
    say_memory(existing, full_of_cache);
    say_memory(ABSENT, full_of_cache);
    np_region_options options = on_nodes(nodes, 2);
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, 4096, &options, &region), NP_OK);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_int_equal(np_region_enforcement(region).reason, NP_REASON_PARTIAL);
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    expect_refusal(&options, NP_ERR_HARD_MODE, "node 299 is outside what this process may use");

    /* Preferred only ever asks for the first. */
    options.policy = NP_MEMORY_PREFERRED;
    assert_int_equal(np_region_create(topology, 4096, &options, &region), NP_OK);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    np_region_destroy(region);
}

/* Not through the library, whose /proc is the test's folder at that time. */
static size_t mapped_kib(void)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmSize:", 7) == 0)
            kib = strtoull(line + 7, NULL, 10);
    assert_int_equal(fclose(file), 0);
    assert_true(kib > 0);
    return kib;
}

static void test_refused_regions_leave_no_mapping(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    const np_node_id absent = ABSENT;
    say_memory(absent, full_of_cache);
    np_region_options options = on_nodes(&absent, 1);
    options.hard_mode = NP_HARD_MODE_STRICT;
    size_t before = mapped_kib();
    for (int i = 0; i < 20; i++) {
        np_region *region = NULL;
        unit_expect_failure(np_region_create(topology, (size_t)64 << 20, &options, &region),
                            NP_ERR_HARD_MODE, "mbind");
    }
    /* Less than one of the twenty. */
    assert_true(mapped_kib() < before + 32 * 1024);
}

static void test_two_full_nodes_are_both_preferred(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    npi_node_set allowed;
    assert_int_equal(npi_os_allowed_nodes(&allowed), 0);
    np_node_id nodes[2] = {existing, existing + 1};
    while (nodes[1] < ABSENT && !npi_node_set_contains(&allowed, nodes[1]))
        nodes[1]++;
    if (nodes[1] == ABSENT)
        UNIT_SKIP("needs two nodes with memory, this machine has one");
    say_memory(nodes[0], nearly_full);
    say_memory(nodes[1], nearly_full);
    np_region_options options = on_nodes(nodes, 2);
    np_region *region = NULL;
    assert_int_equal(np_region_create(topology, (size_t)5 << 20, &options, &region), NP_OK);
    assert_int_equal(np_region_enforcement(region).reason, NP_REASON_NO_MEMORY);
    npi_os_policy policy;
    npi_node_set set;
    assert_int_equal(npi_os_memory_policy(np_region_data(region), &policy, &set), 0);
    assert_true(policy == NPI_OS_POLICY_PREFERRED_MANY || policy == NPI_OS_POLICY_PREFERRED);
    assert_true(npi_node_set_contains(&set, nodes[0]));
    np_region_destroy(region);
    /* Together they hold 4 MiB. */
    options.hard_mode = NP_HARD_MODE_STRICT;
    assert_int_equal(np_region_create(topology, (size_t)4 << 20, &options, &region), NP_OK);
    np_region_destroy(region);
}

/* --- system calls that are refused ------------------------------------------------------- */

static int binding_refused(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_NONE);
    CHILD_CHECK(reached.reason ==
                (error == EPERM ? NP_REASON_NOT_PERMITTED : NP_REASON_NOT_SUPPORTED));
    CHILD_CHECK(reached.system_error == error);
    memset(np_region_data(region), 1, np_region_size(region));
    np_region_destroy(region);

    char node[32];
    snprintf(node, sizeof node, "to node %d: ", (int)existing);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(region == NULL && np_error_errno() == error);
    CHILD_CHECK(strstr(np_error_detail(), node) != NULL);
    CHILD_CHECK(strstr(np_error_detail(), "mbind: ") != NULL);
    return CHILD_PASSED;
}

static int reading_back_refused(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_BEST_EFFORT);
    CHILD_CHECK(reached.reason == NP_REASON_NOT_VERIFIED);
    CHILD_CHECK(reached.system_error == error);
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), "get_mempolicy: ") != NULL);
    return CHILD_PASSED;
}

static int page_query_refused(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = NP_HARD_MODE_STRICT; /* the policy can still be read back */
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_OK);
    np_status expected = error == EPERM ? NP_ERR_NOT_PERMITTED : NP_ERR_NOT_SUPPORTED;
    np_region_audit audit;
    np_node_id node;
    CHILD_CHECK(np_region_audit_pages(region, &audit, NULL, 0) == expected);
    CHILD_CHECK(strstr(np_error_detail(), "move_pages: ") != NULL);
    CHILD_CHECK(np_error_errno() == error);
    CHILD_CHECK(np_address_node(np_region_data(region), &node) == expected);
    CHILD_CHECK(node == NP_NODE_ID_NONE);
    np_region_destroy(region);
    return CHILD_PASSED;
}

/* Without the advice, pages are touched one by one. */
static int populating_unknown(int error)
{
    (void)error;
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_OK);
    np_region_audit audit;
    CHILD_CHECK(np_region_audit_pages(region, &audit, NULL, 0) == NP_OK);
    CHILD_CHECK(audit.home == audit.pages);
    np_region_destroy(region);

    /* The advice on huge pages comes by the same call. */
    options.huge_pages = NP_HUGE_PAGES_TRANSPARENT;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), "huge pages: madvise: ") != NULL);
    options.hard_mode = NP_HARD_MODE_SOFT;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_OK);
    CHILD_CHECK(np_region_enforcement(region).level == NP_ENFORCEMENT_BEST_EFFORT);
    CHILD_CHECK(np_region_enforcement(region).reason == NP_REASON_NOT_SUPPORTED);
    np_region_destroy(region);

    /* Of two shortfalls the worse one is told. */
    const np_node_id absent = ABSENT;
    options.nodes = &absent;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_OK);
    CHILD_CHECK(np_region_enforcement(region).level == NP_ENFORCEMENT_NONE);
    CHILD_CHECK(np_region_enforcement(region).reason == NP_REASON_OUTSIDE_ALLOWED);
    np_region_destroy(region);
    return CHILD_PASSED;
}

/* Some sandboxes answer the call with success and do nothing. */
static int binding_pretended(int error)
{
    (void)error;
    np_region_options options = on_nodes(&existing, 1);
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_OK);
    CHILD_CHECK(np_region_enforcement(region).level == NP_ENFORCEMENT_BEST_EFFORT);
    CHILD_CHECK(np_region_enforcement(region).reason == NP_REASON_PARTIAL);
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, 4096, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), "another policy than was set") != NULL);
    return CHILD_PASSED;
}

static int populating_fails(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_BEST_EFFORT);
    CHILD_CHECK(reached.reason == NP_REASON_NO_MEMORY);
    CHILD_CHECK(reached.system_error == error);
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), "madvise: Cannot allocate memory") != NULL);
    return CHILD_PASSED;
}

static void test_refused_calls(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    static const int errors[] = {EPERM, ENOSYS};
    for (size_t i = 0; i < 2; i++) {
        unit_in_refusing_child(SYS_mbind, errors[i], binding_refused);
        unit_in_refusing_child(SYS_get_mempolicy, errors[i], reading_back_refused);
        unit_in_refusing_child(SYS_move_pages, errors[i], page_query_refused);
    }
    unit_in_refusing_child(SYS_mbind, 0, binding_pretended);
    unit_in_refusing_child(SYS_madvise, EINVAL, populating_unknown);
    unit_in_refusing_child(SYS_madvise, ENOMEM, populating_fails);
}

/* --- what is said ------------------------------------------------------------------------ */

static unsigned warnings;
static char last_warning[512];

static void hear(void *context, np_severity severity, const char *message)
{
    (void)context;
    if (severity == NP_SEVERITY_WARNING)
        warnings++;
    snprintf(last_warning, sizeof last_warning, "%s", message);
}

static void test_soft_mode_warns_and_keeps_the_detail(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    unit_expect_failure(np_region_create(topology, 0, NULL, &region), NP_ERR_INVALID_ARGUMENT, "");
    np_set_diagnostic_handler(hear, NULL);
    np_status status = np_region_create_on_node(topology, 4096, ABSENT, &region);
    np_set_diagnostic_handler(NULL, NULL);
    assert_int_equal(status, NP_OK);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(last_warning, "bind to node 299: "));
    assert_non_null(strstr(last_warning, "mbind"));
    assert_string_equal(np_error_detail(), "np_region_create: bytes is 0");
    np_region_destroy(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_too_little_free_memory, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_too_little_for_a_part, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_cached_files_count_by_half, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_unknown_free_memory, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_outside_the_allowed_nodes, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_partly_outside, make_root, remove_root),
        cmocka_unit_test_setup_teardown(test_refused_regions_leave_no_mapping, make_root,
                                        remove_root),
        cmocka_unit_test_setup_teardown(test_two_full_nodes_are_both_preferred, make_root,
                                        remove_root),
        cmocka_unit_test(test_refused_calls),
        cmocka_unit_test(test_soft_mode_warns_and_keeps_the_detail),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
