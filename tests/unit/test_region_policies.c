/*
 * Goal: the younger policies, prefault by the kernel, locking and explicit huge pages do what they
 * say, or say why not. Method: the kernel's answers for what is there; children whose system calls
 * are refused for what is not; pools of huge pages made by writing to /sys where that is allowed,
 * and given back.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "region_fixture.h"
#include "seccomp.h"

static np_enforcement make(const np_region_options *options, size_t bytes, np_region **out)
{
    assert_int_equal(np_region_create(topology, bytes, options, out), NP_OK);
    return np_region_enforcement(*out);
}

static bool has_policy(np_region *region, npi_os_policy wanted)
{
    npi_os_policy policy = NPI_OS_POLICY_OTHER;
    npi_node_set set;
    assert_int_equal(npi_os_memory_policy(np_region_data(region), &policy, &set), 0);
    return policy == wanted && npi_node_set_contains(&set, existing);
}

/* --- policies ---------------------------------------------------------------------------- */

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(np_memory_policy_name(NP_MEMORY_PREFERRED_MANY), "preferred many");
    assert_string_equal(np_memory_policy_name(NP_MEMORY_WEIGHTED_INTERLEAVE),
                        "weighted interleave");
}

/* Each is in force, or soft has said that the kernel is too old and taken the older one. */
static void test_younger_policies(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    static const struct {
        np_memory_policy policy;
        npi_os_policy kernel, older;
    } rows[] = {
        {NP_MEMORY_PREFERRED_MANY, NPI_OS_POLICY_PREFERRED_MANY, NPI_OS_POLICY_PREFERRED},
        {NP_MEMORY_WEIGHTED_INTERLEAVE, NPI_OS_POLICY_WEIGHTED_INTERLEAVE,
         NPI_OS_POLICY_INTERLEAVE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        np_region_options options = on_nodes(&existing, 1);
        options.policy = rows[i].policy;
        options.prefault = NP_PREFAULT_TOUCH;
        np_region *region = NULL;
        np_enforcement reached = make(&options, 65536, &region);
        if (reached.level == NP_ENFORCEMENT_STRICT) {
            assert_true(has_policy(region, rows[i].kernel));
        } else {
            print_message("%s: not in this kernel\n", np_memory_policy_name(rows[i].policy));
            assert_int_equal(reached.level, NP_ENFORCEMENT_BEST_EFFORT);
            assert_int_equal(reached.reason, NP_REASON_NOT_SUPPORTED);
            assert_true(has_policy(region, rows[i].older));
            options.hard_mode = NP_HARD_MODE_STRICT;
            expect_refusal(&options, NP_ERR_HARD_MODE, "the kernel does not have this policy");
        }
        np_region_audit audit;
        assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
        assert_int_equal(audit.home, 16);
        np_region_destroy(region);
    }
}

/* --- prefault ---------------------------------------------------------------------------- */

static int populating_unknown(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_POPULATE;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_BEST_EFFORT && reached.system_error == error);
    CHILD_CHECK(reached.reason ==
                (error == EPERM ? NP_REASON_NOT_PERMITTED : NP_REASON_NOT_SUPPORTED));
    np_region_audit audit;
    CHILD_CHECK(np_region_audit_pages(region, &audit, NULL, 0) == NP_OK);
    CHILD_CHECK(audit.not_present == audit.pages); /* nothing was touched */
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), "could be made present: madvise") != NULL);
    return CHILD_PASSED;
}

static void test_populate(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_POPULATE;
    np_region *region = NULL;
    np_enforcement reached = make(&options, (size_t)1 << 20, &region);
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    if (reached.level == NP_ENFORCEMENT_STRICT)
        assert_int_equal(audit.home, 256);
    else
        assert_int_equal(reached.reason, NP_REASON_NOT_SUPPORTED);
    np_region_destroy(region);
    unit_in_refusing_child(SYS_madvise, EINVAL, populating_unknown);
    unit_in_refusing_child(SYS_madvise, EPERM, populating_unknown);
}

/* --- locking ----------------------------------------------------------------------------- */

static size_t locked_kib(void)
{
    char line[256];
    size_t kib = 0;
    FILE *file = fopen("/proc/self/status", "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        if (strncmp(line, "VmLck:", 6) == 0)
            kib = strtoull(line + 6, NULL, 10);
    assert_int_equal(fclose(file), 0);
    return kib;
}

static void test_lock(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    if (unit_is_emulated())
        UNIT_SKIP("the emulator locks nothing");
    np_region_options options = on_nodes(&existing, 1);
    options.lock = true;
    size_t before = locked_kib();
    np_region *region = NULL;
    np_enforcement reached = make(&options, 65536, &region);
    if (reached.level != NP_ENFORCEMENT_STRICT) {
        np_region_destroy(region);
        UNIT_SKIP("this process may not lock memory");
    }
    assert_int_equal(locked_kib(), before + 64);
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home, 16); /* locking makes pages present */
    np_region_destroy(region);
    assert_int_equal(locked_kib(), before);
}

static int locking_refused(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.lock = true;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_BEST_EFFORT && reached.system_error == error);
    CHILD_CHECK(reached.reason == (error == ENOMEM   ? NP_REASON_LOCK_LIMIT
                                   : error == EAGAIN ? NP_REASON_PARTIAL
                                                     : NP_REASON_NOT_PERMITTED));
    memset(np_region_data(region), 1, np_region_size(region));
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, 65536, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), "cannot be locked in memory: mlock: ") != NULL);
    return CHILD_PASSED;
}

static void test_lock_refused(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    unit_in_refusing_child(SYS_mlock, ENOMEM, locking_refused);
    unit_in_refusing_child(SYS_mlock, EAGAIN, locking_refused);
    unit_in_refusing_child(SYS_mlock, EPERM, locking_refused);
}

/* --- explicit huge pages ----------------------------------------------------------------- */

#define MIB2 ((size_t)2 << 20)

static void pool_path(char *path, size_t capacity, const char *what)
{
    snprintf(path, capacity,
             "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/%s_hugepages",
             (int)existing, what);
}

static long pool_number(const char *what)
{
    char path[128];
    long number = -1;
    pool_path(path, sizeof path, what);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    if (fscanf(file, "%ld", &number) != 1)
        number = -1;
    assert_int_equal(fclose(file), 0);
    return number;
}

static bool set_pool(long pages)
{
    char path[128];
    pool_path(path, sizeof path, "nr");
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    bool written = fprintf(file, "%ld\n", pages) > 0;
    return fclose(file) == 0 && written;
}

/* The pool's size before, or -1 (and a skip) when it cannot be made to have `free` free pages. */
static long make_pool(long free_pages)
{
    long before = pool_number("nr");
    if (before < 0 || pool_number("free") < 0)
        return -1;
    if (!set_pool(before + free_pages) || pool_number("free") < free_pages) {
        (void)set_pool(before);
        return -1;
    }
    return before;
}

static void test_explicit_huge_pages(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    long before = make_pool(3);
    if (before < 0)
        UNIT_SKIP("no pool of 2 MiB pages can be made here");
    long free_before = pool_number("free");
    np_region_options options = on_nodes(&existing, 1);
    options.huge_pages = NP_HUGE_PAGES_2M;
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = NULL;
    np_enforcement reached = make(&options, MIB2 + 1, &region);
    assert_int_equal(reached.level, NP_ENFORCEMENT_STRICT);
    assert_int_equal(np_region_size(region), 2 * MIB2);
    assert_int_equal(np_region_page_size(region), MIB2);
    assert_int_equal((uintptr_t)np_region_data(region) % MIB2, 0);
    /* Taken at once, although no prefault was asked for. */
    assert_int_equal(pool_number("free"), free_before - 2);
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.pages, 2);
    assert_int_equal(audit.home, 2);
    memset(np_region_data(region), 1, np_region_size(region));

    /* Longer by copying, shorter in place. */
    long some = pool_number("free");
    np_status status = np_region_resize(region, 3 * MIB2);
    if (some < 3)
        assert_int_equal(status, NP_ERR_HARD_MODE);
    assert_int_equal(np_region_resize(region, MIB2), NP_OK);
    assert_int_equal(np_region_size(region), MIB2);
    assert_int_equal(pool_number("free"), free_before - 1);
    assert_int_equal(((char *)np_region_data(region))[MIB2 - 1], 1);
    assert_int_equal(np_region_resize(region, 2 * MIB2), NP_OK);
    assert_int_equal(((char *)np_region_data(region))[MIB2 - 1], 1);
    assert_int_equal(((char *)np_region_data(region))[MIB2], 0);
    np_region_destroy(region);
    assert_int_equal(pool_number("free"), free_before);
    assert_true(set_pool(before));
}

static void test_empty_pool(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    if (unit_is_emulated())
        UNIT_SKIP("the emulator has not that much address space");
    np_region_options options = on_nodes(&existing, 1);
    options.huge_pages = NP_HUGE_PAGES_2M;
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = NP_HARD_MODE_STRICT;
    size_t bytes = (size_t)100000 * MIB2; /* no machine has this much set aside */
    np_region *region = NULL;
    unit_expect_failure(np_region_create(topology, bytes, &options, &region), NP_ERR_HARD_MODE,
                        "huge pages: of 100000 pages of 2.0 MiB, free: node ");
    assert_null(region);
    options.hard_mode = NP_HARD_MODE_SOFT;
    options.prefault = NP_PREFAULT_NONE;
    np_enforcement reached = make(&options, bytes, &region);
    assert_int_equal(reached.level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_true(reached.reason == NP_REASON_NO_HUGE_PAGES ||
                reached.reason == NP_REASON_NO_MEMORY || reached.reason == NP_REASON_NOT_SUPPORTED);
    assert_int_equal(np_region_page_size(region), npi_os_page_size());
    ((char *)np_region_data(region))[bytes - 1] = 1; /* ordinary memory, and no SIGBUS */
    np_region_destroy(region);
}

/* Enough in the pool, but the kernel will not populate: nothing is left to a later SIGBUS. */
static int huge_populate_refused(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.huge_pages = NP_HUGE_PAGES_2M;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create(topology, MIB2, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_BEST_EFFORT && reached.system_error == error);
    CHILD_CHECK(reached.reason ==
                (error == EFAULT ? NP_REASON_NO_HUGE_PAGES : NP_REASON_NOT_SUPPORTED));
    CHILD_CHECK(np_region_page_size(region) == npi_os_page_size());
    memset(np_region_data(region), 1, MIB2);
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    CHILD_CHECK(np_region_create(topology, MIB2, &options, &region) == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), ": madvise: ") != NULL);
    return CHILD_PASSED;
}

static void test_pool_that_cannot_be_populated(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    long before = make_pool(2);
    if (before < 0)
        UNIT_SKIP("no pool of 2 MiB pages can be made here");
    unit_in_refusing_child(SYS_madvise, EFAULT, huge_populate_refused);
    unit_in_refusing_child(SYS_madvise, EINVAL, huge_populate_refused);
    assert_true(set_pool(before));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),        cmocka_unit_test(test_younger_policies),
        cmocka_unit_test(test_populate),     cmocka_unit_test(test_lock),
        cmocka_unit_test(test_lock_refused), cmocka_unit_test(test_explicit_huge_pages),
        cmocka_unit_test(test_empty_pool),   cmocka_unit_test(test_pool_that_cannot_be_populated),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
