/*
 * Goal: the CPU quota of the process's control group is found wherever it is written. Method:
 * folders that look like /proc and /sys of machines with version 1, version 2, both, containers
 * with and without a namespace, and damaged files; the reader is pointed at them.
 */
#include "topology_help.h"

#include "os/os.h"
#include "topology/sources.h"

static char root[32];

#define V2_MOUNT "30 1 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
#define V1_MOUNT                                                                    \
    "31 1 0:28 / /sys/fs/cgroup ro - tmpfs tmpfs ro,mode=755\n"                     \
    "32 31 0:29 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"             \
    "33 31 0:30 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 master:1 - cgroup cgroup " \
    "rw,cpu,cpuacct\n"

static void groups(const char *cgroup, const char *mountinfo)
{
    fake_file(root, "/proc/self/cgroup", cgroup);
    fake_file(root, "/proc/self/mountinfo", mountinfo);
}

static int begin(void **state)
{
    (void)state;
    fake_root(root);
    return npi_os_set_root(root);
}

static int end(void **state)
{
    (void)state;
    fake_remove(root);
    return npi_os_set_root(NULL);
}

static void nothing_there_means_no_quota(void **state)
{
    (void)state;
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
    fake_file(root, "/proc/self/cgroup", "0::/\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
    groups("", "");
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
    groups("0::/\n", V2_MOUNT);
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
}

static void version_2_takes_the_tightest_ancestor(void **state)
{
    (void)state;
    groups("0::/a/b/c\n", V2_MOUNT);
    fake_file(root, "/sys/fs/cgroup/a/b/c/cpu.max", "max 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
    fake_file(root, "/sys/fs/cgroup/a/b/c/cpu.max", "400000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 4000);
    fake_file(root, "/sys/fs/cgroup/a/cpu.max", "150000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 1500);
    fake_file(root, "/sys/fs/cgroup/a/b/cpu.max", "10000 50000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 200);
    /* A group beside the path does not count. */
    fake_file(root, "/sys/fs/cgroup/z/cpu.max", "1000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 200);
    /* In a namespace the mount's own top may carry the limit. */
    fake_file(root, "/sys/fs/cgroup/cpu.max", "5000 50000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 100);
}

static void version_1_with_joined_controllers(void **state)
{
    (void)state;
    groups("12:memory:/m\n4:cpu,cpuacct:/docker/id\n1:name=systemd:/\n0::/\n", V1_MOUNT);
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/docker/id/cpu.cfs_quota_us", "-1\n");
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/docker/id/cpu.cfs_period_us", "100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/docker/id/cpu.cfs_quota_us", "250000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 2500);
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_quota_us", "50000\n");
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/docker/cpu.cfs_period_us", "100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 500);
}

/* "cpuset" and "cpuacct" are not "cpu". */
static void other_controllers_are_not_taken_for_cpu(void **state)
{
    (void)state;
    groups("3:cpuset:/s\n2:cpuacct:/t\n",
           "1 1 0:1 / /sys/fs/cgroup/cpuset rw - cgroup cgroup rw,cpuset\n"
           "2 1 0:2 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n");
    fake_file(root, "/sys/fs/cgroup/cpuset/s/cpu.cfs_quota_us", "1000\n");
    fake_file(root, "/sys/fs/cgroup/cpuset/s/cpu.cfs_period_us", "100000\n");
    fake_file(root, "/sys/fs/cgroup/cpuacct/t/cpu.cfs_quota_us", "1000\n");
    fake_file(root, "/sys/fs/cgroup/cpuacct/t/cpu.cfs_period_us", "100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 0);
}

/* Without a namespace a container sees its own group mounted at the top. */
static void a_mount_of_a_part_of_the_hierarchy(void **state)
{
    (void)state;
    groups("0::/docker/id/inner\n",
           "30 1 0:26 /docker/id /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    fake_file(root, "/sys/fs/cgroup/inner/cpu.max", "300000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 3000);
    fake_file(root, "/sys/fs/cgroup/cpu.max", "100000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 1000);
    /* A group outside of what is mounted: the mount's top is all that can be seen. */
    groups("0::/other/place\n", "30 1 0:26 /docker/id /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 1000);
    groups("0::/../..\n", V2_MOUNT);
    assert_int_equal(npi_cgroup_cpu_quota(), 1000);
    /* A name that only begins alike is another group. */
    groups("0::/docker/id2\n", "30 1 0:26 /docker/id /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n");
    fake_file(root, "/sys/fs/cgroup/2/cpu.max", "1 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 1000);
}

static void both_versions_at_once(void **state)
{
    (void)state;
    groups("4:cpu,cpuacct:/x\n0::/y\n",
           V1_MOUNT "40 31 0:40 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n");
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_quota_us", "200000");
    fake_file(root, "/sys/fs/cgroup/cpu,cpuacct/x/cpu.cfs_period_us", "100000");
    assert_int_equal(npi_cgroup_cpu_quota(), 2000);
    fake_file(root, "/sys/fs/cgroup/unified/y/cpu.max", "120000 100000");
    assert_int_equal(npi_cgroup_cpu_quota(), 1200);
}

static void spaces_in_names_are_unescaped(void **state)
{
    (void)state;
    groups("0::/my group\n", "30 1 0:26 / /sys/my\\040mount rw - cgroup2 cgroup2 rw\n");
    fake_file(root, "/sys/my mount/my group/cpu.max", "70000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 700);
}

static void odd_values(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t quota;
    } values[] = {
        {"", 0},
        {"max", 0},
        {"garbage\n", 0},
        {"100000", 0},
        {"100000 0\n", 0},
        {"0 100000\n", 0},
        {"1 100000\n", 1}, /* never rounded down to none */
        {"99999 100000\n", 1000},
        {"33333 100000\n", 334},
        {"18446744073709551615 1\n", 0}, /* more CPUs than there can be */
        {"99999999999999999999999999 100000\n", 0},
    };
    groups("0::/g\n", V2_MOUNT);
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        fake_file(root, "/sys/fs/cgroup/g/cpu.max", values[i].text);
        if (npi_cgroup_cpu_quota() != values[i].quota)
            fail_msg("\"%s\" gives %u", values[i].text, npi_cgroup_cpu_quota());
    }
}

static void damaged_tables_are_survived(void **state)
{
    (void)state;
    static const char *const lines[] = {
        "x",
        ":",
        "::",
        "0:",
        "0::",
        "0::x\n",
        "\n\n\n0::/g",
        "0::/g\n0::/h\n",
        "99999:cpu,cpu,,:/g\n",
    };
    static const char *const mounts[] = {
        " - ",
        "- - -",
        "30 1 0:26 / /sys/fs/cgroup rw - cgroup2",
        "30 - cgroup2 x y",
        "30 1 0:26 / \\0 rw - cgroup2 cgroup2 rw\n",
        (V2_MOUNT V2_MOUNT),
    };
    for (size_t i = 0; i < sizeof lines / sizeof lines[0]; i++) {
        for (size_t k = 0; k < sizeof mounts / sizeof mounts[0]; k++) {
            groups(lines[i], mounts[k]);
            assert_int_equal(npi_cgroup_cpu_quota(), 0);
        }
    }
}

/* A machine with many mounts has a table that does not fit into the first buffer. */
static void a_long_mount_table(void **state)
{
    (void)state;
    size_t length = 0;
    char *table = malloc(200000);
    assert_non_null(table);
    for (int i = 0; i < 2000; i++)
        length += (size_t)sprintf(table + length, "%d 1 0:9 / /mnt/%d rw - tmpfs tmpfs rw\n", i, i);
    snprintf(table + length, 200000 - length, "%s", V2_MOUNT);
    groups("0::/g\n", table);
    fake_file(root, "/sys/fs/cgroup/g/cpu.max", "50000 100000\n");
    assert_int_equal(npi_cgroup_cpu_quota(), 500);
    free(table);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(nothing_there_means_no_quota),
        WITH_ROOT(version_2_takes_the_tightest_ancestor),
        WITH_ROOT(version_1_with_joined_controllers),
        WITH_ROOT(other_controllers_are_not_taken_for_cpu),
        WITH_ROOT(a_mount_of_a_part_of_the_hierarchy),
        WITH_ROOT(both_versions_at_once),
        WITH_ROOT(spaces_in_names_are_unescaped),
        WITH_ROOT(odd_values),
        WITH_ROOT(damaged_tables_are_survived),
        WITH_ROOT(a_long_mount_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
