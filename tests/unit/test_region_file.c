/*
 * Goal: a region from a file has the file's bytes, in each way of access; says truthfully what its
 * placement is worth; leaves the calling thread's policy alone; and refuses what is no file or
 * beyond its end. Method: files of the test's own in the folder for temporary ones (a disk's or a
 * tmpfs, as the system has it) and in /dev/shm; the kernel's answers; refusals in a child.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "region_fixture.h"
#include "seccomp.h"

enum { PAGE = 4096, PAGES = 300, TAIL = 123 };

static char path[128];

static void make_file(const char *folder)
{
    snprintf(path, sizeof path, "%s/np_test_region_file_XXXXXX", folder);
    int file = mkstemp(path);
    assert_true(file >= 0);
    for (size_t page = 0; page <= PAGES; page++) {
        char bytes[PAGE] = {0};
        memcpy(bytes, &page, sizeof page);
        size_t count = page < PAGES ? PAGE : TAIL;
        assert_int_equal(write(file, bytes, count), (ssize_t)count);
    }
    assert_int_equal(close(file), 0);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static int make_file_on_disk(void **state)
{
    (void)state;
    const char *folder = getenv("TMPDIR");
    make_file(folder != NULL ? folder : "/tmp");
    return 0;
}

static bool holds(const np_region *region, size_t first)
{
    const char *data = np_region_data(region);
    for (size_t at = 0; at < np_region_size(region); at += PAGE, first++) {
        size_t found = SIZE_MAX;
        memcpy(&found, data + at, sizeof found);
        if (found != first)
            return false;
    }
    return true;
}

static np_region *map(const np_region_options *options, uint64_t offset, size_t bytes)
{
    np_region *region = NULL;
    np_status status = np_region_create_from_file(topology, path, offset, bytes, options, &region);
    if (status != NP_OK)
        fail_msg("%s: %s", np_status_name(status), np_error_detail());
    return region;
}

/* --- reading ----------------------------------------------------------------------------- */

static void test_read(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = map(&options, 0, 0);
    assert_int_equal(np_region_size(region), (size_t)PAGES * PAGE + TAIL);
    assert_int_equal(np_region_page_size(region), PAGE);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    assert_true(holds(region, 0));
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.pages, PAGES + 1);
    assert_int_equal(audit.home, PAGES + 1);
    unit_expect_failure(np_region_resize(region, PAGE), NP_ERR_NOT_SUPPORTED, "a file's");
    np_region_options to = on_nodes(&existing, 1);
    to.policy = NP_MEMORY_INTERLEAVE;
    np_migration result;
    assert_int_equal(np_region_migrate(topology, region, &to, &result), NP_OK);
    assert_int_equal(result.home, PAGES + 1);
    np_region_destroy(region);

    /* A part of it. */
    region = map(&options, (uint64_t)7 * PAGE, 2 * PAGE + 5);
    assert_int_equal(np_region_size(region), 2 * PAGE + 5);
    assert_true(holds(region, 7));
    np_region_destroy(region);
}

static void test_nothing_is_claimed_without_prefault(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    np_region *region = map(&options, 0, 0);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_int_equal(np_region_enforcement(region).reason, NP_REASON_NOT_VERIFIED);
    assert_true(holds(region, 0));
    np_region_destroy(region);
    options.file_access = NP_FILE_PRIVATE; /* what is only read is not a copy either */
    region = map(&options, 0, 0);
    assert_int_equal(np_region_enforcement(region).reason, NP_REASON_NOT_VERIFIED);
    np_region_destroy(region);
    options.hard_mode = NP_HARD_MODE_STRICT;
    unit_expect_failure(np_region_create_from_file(topology, path, 0, 0, &options, &region),
                        NP_ERR_HARD_MODE, "without prefault");
    assert_null(region);
}

static void test_every_policy(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    for (int policy = NP_MEMORY_BIND; policy <= NP_MEMORY_PREFERRED_MANY; policy++) {
        np_region_options options = on_nodes(&existing, policy == NP_MEMORY_LOCAL ? 0 : 1);
        options.policy = (np_memory_policy)policy;
        options.prefault = NP_PREFAULT_TOUCH;
        npi_os_thread_policy before, after;
        npi_node_set none;
        npi_node_set_clear(&none);
        assert_int_equal(npi_os_thread_policy_set(NPI_OS_POLICY_LOCAL, &none, &before), 0);
        np_region *region = map(&options, 0, 0);
        /* The thread's own policy is what it was. */
        assert_int_equal(npi_os_thread_policy_set(NPI_OS_POLICY_DEFAULT, &none, &after), 0);
        assert_int_equal(after.mode, 4 /* MPOL_LOCAL */);
        assert_int_equal(npi_os_thread_policy_restore(&before), 0);
        assert_true(holds(region, 0));
        np_region_audit audit;
        assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
        assert_int_equal(audit.home, PAGES + 1);
        np_region_destroy(region);
    }
}

/* --- writing ----------------------------------------------------------------------------- */

static size_t page_of_file(size_t page)
{
    size_t found = SIZE_MAX;
    int file = open(path, O_RDONLY);
    assert_true(file >= 0);
    assert_int_equal(pread(file, &found, sizeof found, (off_t)(page * PAGE)), sizeof found);
    assert_int_equal(close(file), 0);
    return found;
}

static void test_shared_writes_reach_the_file(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    options.file_access = NP_FILE_SHARED;
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = map(&options, 0, 0);
    assert_true(holds(region, 0)); /* prefaulting changed nothing */
    size_t value = 4711;
    memcpy((char *)np_region_data(region) + 5 * PAGE, &value, sizeof value);
    np_region_destroy(region);
    assert_int_equal(page_of_file(5), 4711);
}

static void test_private_writes_do_not(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region_options options = on_nodes(&existing, 1);
    options.file_access = NP_FILE_PRIVATE;
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = map(&options, 0, 0);
    assert_int_equal(np_region_enforcement(region).level, NP_ENFORCEMENT_STRICT);
    assert_true(holds(region, 0));
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home, PAGES + 1);
    size_t value = 4711;
    memcpy((char *)np_region_data(region) + 5 * PAGE, &value, sizeof value);
    np_region_destroy(region);
    assert_int_equal(page_of_file(5), 5);
}

static void test_memory_file(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    struct stat there;
    if (stat("/dev/shm", &there) != 0)
        UNIT_SKIP("there is no /dev/shm");
    make_file("/dev/shm");
    np_region_options options = on_nodes(&existing, 1);
    options.file_access = NP_FILE_SHARED;
    options.prefault = NP_PREFAULT_POPULATE;
    np_region *region = map(&options, 0, 0);
    bool held = holds(region, 0);
    np_region_destroy(region);
    assert_int_equal(unlink(path), 0);
    assert_true(held);
}

/* --- refusals ---------------------------------------------------------------------------- */

static void refuse(const char *name, uint64_t offset, size_t bytes, np_file_access access,
                   np_status status, const char *part)
{
    np_region_options options = on_nodes(&existing, 1);
    options.file_access = access;
    np_region *region = (np_region *)(uintptr_t)64;
    unit_expect_failure(
        np_region_create_from_file(topology, name, offset, bytes, &options, &region), status, part);
    assert_null(region);
}

static void test_refusals(void **state)
{
    (void)state;
    refuse(NULL, 0, 0, 0, NP_ERR_INVALID_ARGUMENT, "path is NULL");
    refuse("/nowhere/at all", 0, 0, 0, NP_ERR_NOT_FOUND, "\"/nowhere/at all\": open: ");
    refuse("/tmp", 0, 0, 0, NP_ERR_INVALID_ARGUMENT, "\"/tmp\" is no regular file");
    refuse("/dev/null", 0, 0, 0, NP_ERR_INVALID_ARGUMENT, "no regular file");
    refuse(path, 17, 0, 0, NP_ERR_INVALID_ARGUMENT, "offset 17 is no multiple");
    refuse(path, (uint64_t)PAGE * 1000, 0, 0, NP_ERR_INVALID_ARGUMENT, "bytes, asked for 0 from");
    refuse(path, UINT64_MAX - PAGE + 1, 1, 0, NP_ERR_INVALID_ARGUMENT, "asked for 1 from");
    refuse(path, 0, (size_t)PAGES * PAGE + TAIL + 1, 0, NP_ERR_INVALID_ARGUMENT, "asked for");
    refuse(path, 0, 0, (np_file_access)3, NP_ERR_INVALID_ARGUMENT, "file_access is 3");
    np_region *region = NULL;
    unit_expect_failure(np_region_create_from_file(NULL, path, 0, 0, NULL, &region),
                        NP_ERR_INVALID_ARGUMENT, "topology is NULL");
    unit_expect_failure(np_region_create_from_file(topology, path, 0, 0, NULL, NULL),
                        NP_ERR_INVALID_ARGUMENT, "out is NULL");
    np_region_options options = on_nodes(&existing, 1);
    options.huge_pages = NP_HUGE_PAGES_2M;
    unit_expect_failure(np_region_create_from_file(topology, path, 0, 0, &options, &region),
                        NP_ERR_INVALID_ARGUMENT, "no pages from a pool");
    options = on_nodes(&existing, 1);
    options.file_access = NP_FILE_PRIVATE;
    expect_refusal(&options, NP_ERR_INVALID_ARGUMENT, "there is no file");
}

/* Without set_mempolicy the pages are moved instead; without both the audit still decides. */
static int policy_refused(int error)
{
    (void)error;
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create_from_file(topology, path, 0, 0, &options, &region) == NP_OK);
    CHILD_CHECK(holds(region, 0));
    CHILD_CHECK(np_region_enforcement(region).level == NP_ENFORCEMENT_STRICT);
    np_region_destroy(region);
    return CHILD_PASSED;
}

static int query_refused(int error)
{
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create_from_file(topology, path, 0, 0, &options, &region) == NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    CHILD_CHECK(reached.level == NP_ENFORCEMENT_BEST_EFFORT);
    CHILD_CHECK(reached.reason == NP_REASON_NOT_VERIFIED && reached.system_error == error);
    np_region_destroy(region);
    return CHILD_PASSED;
}

/* Pages come by being read, and the promise is the same. */
static int populate_unknown(int error)
{
    (void)error;
    np_region_options options = on_nodes(&existing, 1);
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = NP_HARD_MODE_STRICT;
    np_region *region = NULL;
    CHILD_CHECK(np_region_create_from_file(topology, path, 0, 0, &options, &region) == NP_OK);
    CHILD_CHECK(holds(region, 0));
    np_region_destroy(region);
    return CHILD_PASSED;
}

static void test_refused_calls(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    unit_in_refusing_child(SYS_set_mempolicy, EPERM, policy_refused);
    unit_in_refusing_child(SYS_move_pages, EPERM, query_refused);
    unit_in_refusing_child(SYS_madvise, EINVAL, populate_unknown);
}

#define ON_DISK(test) cmocka_unit_test_setup_teardown(test, make_file_on_disk, remove_file)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_DISK(test_read),
        ON_DISK(test_nothing_is_claimed_without_prefault),
        ON_DISK(test_every_policy),
        ON_DISK(test_shared_writes_reach_the_file),
        ON_DISK(test_private_writes_do_not),
        cmocka_unit_test(test_memory_file),
        ON_DISK(test_refusals),
        ON_DISK(test_refused_calls),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
