/*
 * Goal: files at which hwloc would print or end the process are read without it; the machine is
 * found, nobody prints, and the remark says why less is known. Files that are in order are not kept
 * from hwloc.
 *
 * Method: a small machine of two packages as a folder, damaged in one place at a time, shown by
 * HWLOC_FSROOT.
 */
#include <stdlib.h>

#include "topology_help.h"

#include "topology/sources.h"

static char root[32];

static void cpu_file(int cpu, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/%s", cpu, name);
    fake_file(root, path, text);
}

static void node_file(int node, const char *name, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/%s", node, name);
    fake_file(root, path, text);
}

/* CPUs 0-3, two cores with two threads, one package, cache and node each. */
static int begin(void **state)
{
    static const char *const pairs[] = {"00000003\n", "0000000c\n"};
    (void)state;
    fake_root(root);
    fake_file(root, "/sys/devices/system/cpu/online", "0-3\n");
    fake_file(root, "/proc/meminfo", "MemTotal: 4096 kB\n");
    for (int cpu = 0; cpu < 4; cpu++) {
        cpu_file(cpu, "topology/core_cpus", pairs[cpu / 2]);
        cpu_file(cpu, "topology/package_cpus", pairs[cpu / 2]);
        cpu_file(cpu, "topology/physical_package_id", cpu < 2 ? "0\n" : "1\n");
        cpu_file(cpu, "topology/core_id", cpu < 2 ? "0\n" : "1\n");
        cpu_file(cpu, "cache/index0/level", "2\n");
        cpu_file(cpu, "cache/index0/type", "Unified\n");
        cpu_file(cpu, "cache/index0/shared_cpu_map", pairs[cpu / 2]);
    }
    fake_file(root, "/sys/devices/system/node/online", "0-1\n");
    for (int node = 0; node < 2; node++) {
        node_file(node, "cpulist", node == 0 ? "0-1\n" : "2-3\n");
        node_file(node, "cpumap", pairs[node]);
        node_file(node, "meminfo", "Node MemTotal: 2048 kB\n");
        node_file(node, "distance", node == 0 ? "10 21\n" : "21 10\n");
    }
    return 0;
}

static int end(void **state)
{
    (void)state;
    fake_remove(root);
    return 0;
}

/* The machine as discovered; `remark` must stand in its description, or with NULL no such remark.
 */
static np_topology *discover(const char *remark)
{
    np_topology *topology = NULL;
    topology_catch caught;
    assert_int_equal(setenv("HWLOC_FSROOT", root, 1), 0);
    assert_int_equal(setenv("HWLOC_COMPONENTS", "linux,stop", 1), 0);
    topology_catch_begin(&caught);
    np_status status = np_topology_discover(&topology);
    topology_catch_end_empty(&caught);
    assert_int_equal(unsetenv("HWLOC_FSROOT"), 0);
    assert_int_equal(unsetenv("HWLOC_COMPONENTS"), 0);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    assert_true(np_topology_is_virtual(topology));
    topology_check_sane(topology);
    char *text = topology_text(np_topology_to_json, topology);
    if (remark != NULL && strstr(text, remark) == NULL)
        fail_msg("no \"%s\" in %s", remark, text);
    assert_int_equal(strstr(text, "hwloc was not asked") != NULL, remark != NULL);
    free(text);
    return topology;
}

static void expect_nodes(np_topology *topology)
{
    assert_int_equal(np_topology_node_count(topology), 2);
    topology_expect_cpus(topology, 0, "0-1");
    topology_expect_cpus(topology, 1, "2-3");
    np_topology_destroy(topology);
}

static void files_in_order_are_for_hwloc(void **state)
{
    (void)state;
    np_topology *topology = discover(NULL);
    assert_int_equal(np_topology_core_count(topology), 2);
    assert_int_equal(np_topology_socket_count(topology), 2);
    assert_int_equal(np_topology_cpu_tier(topology, 0, 1), NP_TIER_CACHE);
    expect_nodes(topology);
}

static void a_list_of_nodes_that_is_none(void **state)
{
    (void)state;
    static const char *const lists[] = {"", "\n", "0-\n", "nodes\n", "3-1\n"};
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        fake_file(root, "/sys/devices/system/node/online", lists[i]);
        np_topology *topology = discover("list of NUMA nodes is not understood");
        assert_int_equal(np_topology_core_count(topology), 2);
        assert_int_equal(np_topology_cpu_tier(topology, 2, 3), NP_TIER_CACHE);
        expect_nodes(topology);
    }
}

static void contradicting_siblings(void **state)
{
    (void)state;
    cpu_file(1, "topology/core_cpus", "00000006\n"); /* across the packages */
    expect_nodes(discover("contradict each other"));
    cpu_file(1, "topology/core_cpus", "00000003\n");
    np_topology_destroy(discover(NULL));
    cpu_file(0, "cache/index0/shared_cpu_map", "00000005\n");
    expect_nodes(discover("contradict each other"));
    cpu_file(0, "cache/index0/shared_cpu_map", "garbage\n");
    expect_nodes(discover("contradict each other"));
}

static void no_topology_folders(void **state)
{
    (void)state;
    char path[96];
    for (int cpu = 0; cpu < 4; cpu++) {
        static const char *const names[] = {"core_cpus", "package_cpus"};
        for (int i = 0; i < 2; i++) {
            snprintf(path, sizeof path, "%s/sys/devices/system/cpu/cpu%d/topology/%s", root, cpu,
                     names[i]);
            assert_int_equal(remove(path), 0);
        }
    }
    expect_nodes(discover("does not say which CPUs are siblings"));
}

static void a_kernel_without_any_list(void **state)
{
    (void)state;
    fake_remove(root);
    fake_root(root);
    fake_file(root, "/sys/devices/system/cpu/cpu0/nothing", "");
    fake_file(root, "/sys/devices/system/cpu/cpu5/nothing", "");
    fake_file(root, "/proc/meminfo", "MemTotal: 4096 kB\n");
    np_topology *topology = discover("does not say which CPUs are siblings");
    np_node_info info;
    assert_int_equal(np_topology_node_count(topology), 1);
    topology_expect_cpus(topology, 0, "0,5");
    assert_int_equal(np_topology_node_info(topology, 0, &info), NP_OK);
    assert_int_equal(info.memory_bytes, 4096 * 1024);
    np_topology_destroy(topology);
}

static void a_kernel_without_a_cpu_is_refused(void **state)
{
    (void)state;
    npi_machine machine;
    fake_remove(root);
    fake_root(root);
    npi_machine_init(&machine);
    machine.is_virtual = true;
    assert_int_equal(npi_machine_from_kernel(root, &machine), NP_ERR_SYSTEM);
    assert_non_null(strstr(np_error_detail(), "names no CPU"));
    npi_machine_release(&machine);
}

#define WITH_ROOT(test) cmocka_unit_test_setup_teardown(test, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_ROOT(files_in_order_are_for_hwloc), WITH_ROOT(a_list_of_nodes_that_is_none),
        WITH_ROOT(contradicting_siblings),       WITH_ROOT(no_topology_folders),
        WITH_ROOT(a_kernel_without_any_list),    WITH_ROOT(a_kernel_without_a_cpu_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
