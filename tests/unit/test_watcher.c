/*
 * Goal: an executor with watch_changes follows a change without a call: of the cpuset of its own
 * cgroup or of one above, of either version, also in files that appear later; it keeps to the mask
 * of its creator; what cannot be watched is told, or refused in strict hard mode; nothing is left
 * behind, also in forked children. Method: folders that stand in for /sys and /proc, whose lists of
 * CPUs change first and whose cpuset files are written then; a real cpuset where one can be made.
 * The test looks at the workers until they are right. Hotplug: tests/guest/guest_watch.c.
 */
#include <dirent.h>
#include <sched.h>
#include <sys/wait.h>

#include "../support/refresh.h"
#include "seccomp.h"
#include "topology_help.h"

static np_cpu_set before; /* this thread's mask */
static np_cpu_set home_cpus;
static np_node_id home;
static char root[32];
static np_atomic(uint32_t) told;

static void on_message(void *context, np_severity severity, const char *message)
{
    (void)context;
    (void)severity;
    if (strstr(message, "cannot be watched") != NULL)
        npi_fetch_add_relaxed(&told, 1u);
}

static np_status create(const np_executor_options *options, np_executor **out)
{
    np_topology *topology = NULL;
    assert_int_equal(npi_os_set_root(NULL), 0); /* the machine is the real one */
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    assert_int_equal(npi_os_set_root(root), 0);
    np_status status = np_executor_create(topology, options, out);
    np_topology_destroy(topology);
    return status;
}

static np_executor *start(const np_executor_options *options)
{
    np_executor *executor = NULL;
    if (create(options, &executor) != NP_OK)
        fail_msg("%s", np_error_detail());
    np_worker_info info;
    assert_int_equal(np_executor_worker_info(executor, 0, &info), NP_OK);
    home = info.node;
    assert_int_equal(np_topology_node_cpus(np_executor_topology(executor), home, &home_cpus),
                     NP_OK);
    return executor;
}

/* The second version, cgroup /a/b, and no list of CPUs: as when the topology was read. */
static int begin(void **state)
{
    (void)state;
    assert_int_equal(npi_os_affinity_get(&before), 0);
    fake_root(root);
    fake_file(root, "/proc/self/cgroup", "5:memory:/m\n0::/a/b\n");
    fake_file(root, "/sys/fs/cgroup/cgroup.subtree_control", "");
    fake_file(root, "/sys/fs/cgroup/a/cpuset.cpus", "");
    fake_file(root, "/sys/fs/cgroup/a/b/cpuset.cpus", "");
    npi_store_relaxed(&told, 0u);
    np_set_diagnostic_handler(on_message, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    np_set_diagnostic_handler(NULL, NULL);
    fake_remove(root);
    return npi_os_affinity_set(&before) + npi_os_set_root(NULL);
}

static np_cpu_set only(int32_t cpu)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    assert_true(np_cpu_set_add(&set, cpu));
    return set;
}

static np_cpu_set mask_of(np_executor *executor)
{
    np_cpu_set mask;
    np_worker_info info;
    assert_int_equal(np_executor_worker_info(executor, 0, &info), NP_OK);
    assert_int_equal(npi_os_thread_affinity_get(info.thread, &mask), 0);
    return mask;
}

/* For ever: a watcher that does not notice is ended by the test's time limit. */
static void await_mask(np_executor *executor, const np_cpu_set *wanted)
{
    for (;;) {
        np_cpu_set mask = mask_of(executor);
        if (np_cpu_set_equal(&mask, wanted))
            return;
        sched_yield();
    }
}

/* The change, and then the file that tells of it. */
static void change_to(const np_cpu_set *cpus, const char *file)
{
    char path[128], list[512];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", (int)home);
    (void)np_cpu_set_print(cpus, list, sizeof list);
    fake_file(root, path, list);
    fake_file(root, file, list);
}

static bool has_two_cpus(np_executor *executor)
{
    if (np_cpu_set_count(&home_cpus) >= 2)
        return true;
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    return false;
}

#define NEED_TWO_CPUS(executor)                               \
    do {                                                      \
        if (!has_two_cpus(executor))                          \
            UNIT_SKIP("needs two usable CPUs of worker 0's"); \
    } while (0)

/* --- what is noticed --------------------------------------------------------------------------
 */

static void follow(const char *file)
{
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.watch_changes = true));
    NEED_TWO_CPUS(executor);
    np_cpu_set one = only(np_cpu_set_first(&home_cpus));
    for (unsigned round = 0; round < 5; round++) {
        change_to(&one, file);
        await_mask(executor, &one);
        change_to(&home_cpus, file);
        await_mask(executor, &home_cpus);
    }
    assert_true(refresh_counter(executor, NP_COUNTER_REBOUND) >= 10);
    pool_destroy_exact(executor, 0, 0);
}

static void test_own_cgroup(void **state)
{
    (void)state;
    follow("/sys/fs/cgroup/a/b/cpuset.cpus");
}

static void test_cgroup_above(void **state)
{
    (void)state;
    follow("/sys/fs/cgroup/a/cpuset.cpus");
}

static void test_first_version(void **state)
{
    (void)state;
    fake_file(root, "/proc/self/cgroup", "7:cpusets:/no\n4:cpu,cpuset:/x/y\n");
    fake_file(root, "/sys/fs/cgroup/cpuset/x/cpuset.mems", "");
    follow("/sys/fs/cgroup/cpuset/x/cpuset.mems");
}

/* In a container: the path is the host's, the mount shows its end only. */
static void test_path_of_the_host(void **state)
{
    (void)state;
    fake_file(root, "/proc/self/cgroup", "0::/../../elsewhere\n");
    fake_file(root, "/sys/fs/cgroup/cpuset.cpus", "");
    follow("/sys/fs/cgroup/cpuset.cpus");
}

static void test_file_that_appears(void **state)
{
    (void)state;
    fake_file(root, "/proc/self/cgroup", "0::/late\n");
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.watch_changes = true));
    NEED_TWO_CPUS(executor);
    np_cpu_set one = only(np_cpu_set_first(&home_cpus));
    fake_file(root, "/sys/fs/cgroup/late/cpuset.cpus", "");
    change_to(&one, "/sys/fs/cgroup/cgroup.subtree_control");
    await_mask(executor, &one);
    /* The first may be found by the second look that follows the event above; not all can. */
    for (unsigned round = 0; round < 5; round++) {
        change_to(&home_cpus, "/sys/fs/cgroup/late/cpuset.cpus");
        await_mask(executor, &home_cpus);
        change_to(&one, "/sys/fs/cgroup/late/cpuset.cpus");
        await_mask(executor, &one);
    }
    pool_destroy_exact(executor, 0, 0);
}

/* A thread that somebody has moved shows that there was a refresh, and by which mask. */
static void test_mask_of_the_creator(void **state)
{
    (void)state;
    np_executor *executor = start(NULL);
    NEED_TWO_CPUS(executor);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    np_cpu_set one = only(np_cpu_set_first(&before));
    assert_int_equal(npi_os_affinity_set(&one), 0);
    executor = start(NP_EXECUTOR_OPTIONS(.watch_changes = true));
    assert_int_equal(npi_os_affinity_set(&before), 0);
    for (unsigned round = 0; round < 3; round++) {
        np_worker_info info;
        assert_int_equal(np_executor_worker_info(executor, 0, &info), NP_OK);
        assert_int_equal(npi_os_thread_affinity_set(info.thread, &before), 0);
        fake_file(root, "/sys/fs/cgroup/a/b/cpuset.cpus", "");
        await_mask(executor, &one);
    }
    pool_destroy_exact(executor, 0, 0);
}

/* --- a real cpuset ----------------------------------------------------------------------------
 */

static bool write_real(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    bool good = file != NULL && fputs(text, file) >= 0;
    return file != NULL && fclose(file) == 0 && good;
}

#define REAL "/sys/fs/cgroup/cpuset/np-test-watcher"

static void follow_real(void)
{
    char list[512];
    root[0] = '\0'; /* everything is real */
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.watch_changes = true));
    if (np_cpu_set_count(&home_cpus) >= 2) {
        np_cpu_set one = only(np_cpu_set_first(&home_cpus));
        for (unsigned round = 0; round < 3; round++) {
            (void)np_cpu_set_print(&one, list, sizeof list);
            assert_true(write_real(REAL "/cpuset.cpus", list));
            await_mask(executor, &one);
            (void)np_cpu_set_print(&before, list, sizeof list);
            assert_true(write_real(REAL "/cpuset.cpus", list));
            await_mask(executor, &home_cpus);
        }
    }
    pool_destroy_exact(executor, 0, 0);
}

static void test_real_cpuset(void **state)
{
    (void)state;
    char cpus[256] = "", mems[256] = "", own[4096] = "", saved[32];
    assert_int_equal(npi_os_set_root(NULL), 0);
    bool top = npi_os_read_file("/proc/self/cpuset", own, sizeof own, NULL) == 0 &&
               strcmp(own, "/\n") == 0;
    if (!top ||
        npi_os_read_file("/sys/fs/cgroup/cpuset/cpuset.cpus", cpus, sizeof cpus, NULL) != 0 ||
        npi_os_read_file("/sys/fs/cgroup/cpuset/cpuset.mems", mems, sizeof mems, NULL) != 0 ||
        mkdir(REAL, 0755) != 0)
        UNIT_SKIP("needs the right to make a cpuset of version 1");
    bool inside = write_real(REAL "/cpuset.mems", mems) && write_real(REAL "/cpuset.cpus", cpus) &&
                  write_real(REAL "/cgroup.procs", "0");
    memcpy(saved, root, sizeof saved);
    if (inside)
        follow_real();
    memcpy(root, saved, sizeof saved);
    assert_true(write_real("/sys/fs/cgroup/cpuset/cgroup.procs", "0"));
    while (rmdir(REAL) != 0 && errno == EBUSY)
        sched_yield();
    if (!inside)
        UNIT_SKIP("the kernel lets nobody into a new cpuset");
}

/* --- what cannot be watched -------------------------------------------------------------------
 */

static void test_no_cgroup(void **state)
{
    (void)state;
    np_executor *executor = NULL;
    fake_remove(root);
    fake_file(root, "/proc/self/cgroup", "0::/\n");
    unit_expect_failure(
        create(NP_EXECUTOR_OPTIONS(.watch_changes = true, .hard_mode = NP_HARD_MODE_STRICT),
               &executor),
        NP_ERR_HARD_MODE, "the cpuset cannot be watched");
    assert_null(executor);
    assert_int_equal(npi_load_relaxed(&told), 0);
    executor = start(NP_EXECUTOR_OPTIONS(.watch_changes = true));
    assert_int_equal(npi_load_relaxed(&told), 1);
    pool_destroy_exact(executor, 0, 0);
}

static int refused(int error)
{
    np_executor *executor = NULL;
    (void)error;
    CHILD_CHECK(create(NP_EXECUTOR_OPTIONS(.watch_changes = true, .hard_mode = NP_HARD_MODE_STRICT),
                       &executor) == NP_ERR_HARD_MODE);
    CHILD_CHECK(npi_load_relaxed(&told) == 0);
    CHILD_CHECK(create(NP_EXECUTOR_OPTIONS(.watch_changes = true), &executor) == NP_OK);
    CHILD_CHECK(npi_load_relaxed(&told) == 1);
    CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    return CHILD_PASSED;
}

static void test_filters(void **state)
{
    (void)state;
    unit_in_refusing_child(SYS_eventfd2, EPERM, refused);
    unit_in_refusing_child(SYS_inotify_init1, ENOSYS, refused);
    unit_in_refusing_child(SYS_inotify_add_watch, EACCES, refused);
    unit_in_refusing_child(SYS_socket, EPERM, refused);
    unit_in_refusing_child(SYS_bind, EPERM, refused);
}

/* --- nothing is left --------------------------------------------------------------------------
 */

static unsigned open_files(void)
{
    unsigned count = 0;
    DIR *folder = opendir("/proc/self/fd");
    if (folder == NULL)
        return 0;
    while (readdir(folder) != NULL)
        count++;
    (void)closedir(folder);
    return count;
}

static void test_many_times(void **state)
{
    (void)state;
    unsigned files = open_files();
    for (unsigned round = 0; round < 50; round++) {
        np_executor *executor = NULL;
        np_hard_mode mode = round % 2 == 0 ? NP_HARD_MODE_SOFT : NP_HARD_MODE_STRICT;
        assert_int_equal(
            create(NP_EXECUTOR_OPTIONS(.watch_changes = true, .hard_mode = mode), &executor),
            NP_OK);
        fake_file(root, "/sys/fs/cgroup/a/cpuset.cpus", "");
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
    assert_int_equal(open_files(), files);
}

static void test_forked(void **state)
{
    (void)state;
    unsigned files = open_files();
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.watch_changes = true));
    pid_t child = fork();
    if (child == 0) {
        bool good = np_executor_destroy(executor) == NP_OK && open_files() == files;
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    if (np_cpu_set_count(&home_cpus) >= 2) { /* the parent's is as it was */
        np_cpu_set one = only(np_cpu_set_first(&home_cpus));
        change_to(&one, "/sys/fs/cgroup/a/b/cpuset.cpus");
        await_mask(executor, &one);
    }
    pool_destroy_exact(executor, 0, 0);
}

/* --- when there is no watcher -----------------------------------------------------------------
 */

static void test_nothing_to_follow(void **state)
{
    (void)state;
    unsigned files = open_files();
    np_executor *executor = start(
        NP_EXECUTOR_OPTIONS(.watch_changes = true, .binding = NP_BINDING_OFF));
    assert_int_equal(open_files(), files);
    pool_destroy_exact(executor, 0, 0);
    executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.watch_changes = true));
    assert_int_equal(open_files(), files);
    pool_destroy_exact(executor, 0, 0);
    executor = start(NULL);
    assert_int_equal(open_files(), files);
    pool_destroy_exact(executor, 0, 0);
}

static void test_environment(void **state)
{
    (void)state;
    np_executor *executor = NULL;
    assert_int_equal(setenv("NUMAPERF_WATCH_CHANGES", "1", 1), 0);
    executor = start(NULL);
    assert_true(executor->watcher.has_thread);
    pool_destroy_exact(executor, 0, 0);
    executor = start(NP_EXECUTOR_OPTIONS(.ignore_environment = true));
    assert_false(executor->watcher.has_thread);
    pool_destroy_exact(executor, 0, 0);
    assert_int_equal(setenv("NUMAPERF_WATCH_CHANGES", "0", 1), 0);
    executor = start(NULL);
    assert_false(executor->watcher.has_thread);
    pool_destroy_exact(executor, 0, 0);
    static const char *const wrong[] = {"", "yes", "2", "01"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(setenv("NUMAPERF_WATCH_CHANGES", wrong[i], 1), 0);
        unit_expect_failure(create(NULL, &executor), NP_ERR_ENVIRONMENT, "NUMAPERF_WATCH_CHANGES");
    }
    assert_int_equal(unsetenv("NUMAPERF_WATCH_CHANGES"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_own_cgroup, begin, end),
        cmocka_unit_test_setup_teardown(test_cgroup_above, begin, end),
        cmocka_unit_test_setup_teardown(test_first_version, begin, end),
        cmocka_unit_test_setup_teardown(test_path_of_the_host, begin, end),
        cmocka_unit_test_setup_teardown(test_file_that_appears, begin, end),
        cmocka_unit_test_setup_teardown(test_mask_of_the_creator, begin, end),
        cmocka_unit_test_setup_teardown(test_real_cpuset, begin, end),
        cmocka_unit_test_setup_teardown(test_no_cgroup, begin, end),
        cmocka_unit_test_setup_teardown(test_filters, begin, end),
        cmocka_unit_test_setup_teardown(test_many_times, begin, end),
        cmocka_unit_test_setup_teardown(test_forked, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_to_follow, begin, end),
        cmocka_unit_test_setup_teardown(test_environment, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
