/*
 * Goal: the discovered machine is the one the kernel describes, restricted to what this thread may
 * use, and nothing is printed, moved or left behind on the way. Method: compare with the kernel's
 * files and calls, read here without the library, and, inside a guest, with the shape that the
 * machine was built from (NP_GUEST_…).
 */
#include <sched.h>
#include <sys/syscall.h>

#include "topology_help.h"

/* The number behind the word in a file of the kernel, -1 if it is not there. */
static long long number_in(const char *path, const char *word)
{
    char line[256];
    long long number = -1;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return -1;
    while (number < 0 && fgets(line, sizeof line, file) != NULL) {
        const char *at = strstr(line, word);
        if (at != NULL && sscanf(at + strlen(word), "%lld", &number) != 1)
            number = -1;
    }
    (void)fclose(file);
    return number;
}

static bool list_in(const char *path, np_cpu_set *out)
{
    char line[4096] = "";
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return false;
    bool good = fgets(line, sizeof line, file) != NULL && np_cpu_set_parse(line, out) == NP_OK;
    (void)fclose(file);
    return good;
}

static np_cpu_set kernel_mask(void)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    assert_true(syscall(SYS_sched_getaffinity, 0, sizeof set.bits, set.bits) > 0);
    return set;
}

static np_topology *discover(void)
{
    np_topology *topology = NULL;
    topology_catch caught;
    np_cpu_set before = kernel_mask();
    topology_catch_begin(&caught);
    np_status status = np_topology_discover(&topology);
    topology_catch_end_empty(&caught);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    np_cpu_set after = kernel_mask();
    assert_true(np_cpu_set_equal(&before, &after));
    topology_check_sane(topology);
    assert_false(np_topology_is_virtual(topology));
    return topology;
}

static void the_cpus_are_those_of_the_affinity_mask(void **state)
{
    (void)state;
    np_cpu_set mask = kernel_mask();
    np_cpu_set cpus;
    np_topology *t = discover();
    assert_int_equal(np_topology_cpus(t, &cpus), NP_OK);
    assert_true(np_cpu_set_equal(&cpus, &mask));
    np_topology_destroy(t);
}

static void the_nodes_are_those_of_the_kernel(void **state)
{
    (void)state;
    np_cpu_set online;
    if (!list_in("/sys/devices/system/node/online", &online))
        UNIT_SKIP("this kernel knows no nodes");
    np_cpu_set mask = kernel_mask();
    np_topology *t = discover();
    for (int32_t id = np_cpu_set_first(&online); id != NP_CPU_NONE;
         id = np_cpu_set_next(&online, id)) {
        char path[128];
        np_cpu_set cpus, ours;
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", id);
        assert_true(list_in(path, &cpus));
        np_cpu_set_and(&cpus, &cpus, &mask);
        np_node_info info;
        if (np_topology_node_info(t, id, &info) != NP_OK) {
            /* Left out only if nothing of it may be used. */
            assert_true(np_cpu_set_is_empty(&cpus));
            continue;
        }
        assert_int_equal(np_topology_node_cpus(t, id, &ours), NP_OK);
        assert_true(np_cpu_set_equal(&cpus, &ours));
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", id);
        /* A virtual machine's host may give and take memory meanwhile. */
        double total = (double)number_in(path, "MemTotal:") * 1024.0;
        assert_true((double)info.memory_bytes >= 0.7 * total);
        assert_true((double)info.memory_bytes <= 1.3 * total);
        uint64_t available = UINT64_MAX;
        assert_int_equal(np_topology_node_free_memory(t, id, &available), NP_OK);
        assert_true(available <= info.memory_bytes);
        assert_true(available > 0 || info.memory_bytes == 0);
    }
    np_topology_destroy(t);
}

static void the_distances_are_those_of_the_kernel(void **state)
{
    (void)state;
    np_topology *t = discover();
    np_cpu_set online;
    if (np_topology_distance_source(t) != NP_DISTANCE_FIRMWARE ||
        !list_in("/sys/devices/system/node/online", &online)) {
        np_topology_destroy(t);
        UNIT_SKIP("this machine has no distance table");
    }
    for (uint32_t from = 0; from < np_topology_node_count(t); from++) {
        char path[128];
        char line[1024] = "";
        np_node_id id = np_topology_node_id(t, from);
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/distance", id);
        FILE *file = fopen(path, "r");
        assert_non_null(file);
        assert_non_null(fgets(line, sizeof line, file));
        (void)fclose(file);
        char *at = line;
        for (int32_t to = np_cpu_set_first(&online); to != NP_CPU_NONE;
             to = np_cpu_set_next(&online, to)) {
            uint32_t theirs = (uint32_t)strtoul(at, &at, 10);
            uint32_t ours = 0;
            if (np_topology_node_index(t, to) == NP_NODE_INDEX_NONE)
                continue;
            assert_int_equal(np_topology_distance(t, id, to, &ours), NP_OK);
            assert_int_equal(ours, theirs);
        }
    }
    np_topology_destroy(t);
}

static void cores_and_sockets_are_those_of_the_kernel(void **state)
{
    (void)state;
    np_topology *t = discover();
    np_cpu_set cpus;
    assert_int_equal(np_topology_cpus(t, &cpus), NP_OK);
    for (int32_t a = np_cpu_set_first(&cpus); a != NP_CPU_NONE; a = np_cpu_set_next(&cpus, a)) {
        char path[128];
        np_cpu_set siblings;
        np_cpu_info left, right;
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list",
                 a);
        if (!list_in(path, &siblings)) {
            np_topology_destroy(t);
            UNIT_SKIP("the kernel does not tell cores");
        }
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/physical_package_id",
                 a);
        long long package = number_in(path, "");
        assert_int_equal(np_topology_cpu_info(t, a, &left), NP_OK);
        for (int32_t b = np_cpu_set_first(&cpus); b != NP_CPU_NONE; b = np_cpu_set_next(&cpus, b)) {
            snprintf(path, sizeof path,
                     "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", b);
            assert_int_equal(np_topology_cpu_info(t, b, &right), NP_OK);
            assert_int_equal(left.core == right.core, np_cpu_set_contains(&siblings, b));
            if (left.socket >= 0 && right.socket >= 0)
                assert_int_equal(left.socket == right.socket, package == number_in(path, ""));
        }
    }
    np_topology_destroy(t);
}

/* A thread that may use less sees less; one CPU at a time. */
static void a_pinned_thread_sees_what_it_may_use(void **state)
{
    (void)state;
    np_cpu_set mask = kernel_mask();
    for (int32_t cpu = np_cpu_set_first(&mask); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&mask, cpu)) {
        np_cpu_set one;
        np_affinity_scope scope;
        np_node_id here = NP_NODE_ID_NONE;
        np_cpu_set_clear(&one);
        assert_true(np_cpu_set_add(&one, cpu));
        assert_int_equal(np_affinity_scope_open(&scope, &one, NP_HARD_MODE_STRICT, NULL), NP_OK);
        np_topology *t = discover();
        assert_int_equal(np_topology_cpu_count(t), 1);
        assert_int_equal(np_affinity_where(NULL, &here), NP_OK);
        assert_int_equal(np_topology_cpu_node(t, cpu), here);
        np_topology_destroy(t);
        assert_int_equal(np_affinity_scope_close(&scope), NP_OK);
    }
}

/* The user's own variables show another machine, and it is not taken for this one. */
static void a_redirected_hwloc_is_virtual(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    assert_int_equal(setenv("HWLOC_SYNTHETIC", "numa:3 core:1 pu:5", 1), 0);
    np_status status = np_topology_discover(&topology);
    assert_int_equal(unsetenv("HWLOC_SYNTHETIC"), 0);
    assert_int_equal(status, NP_OK);
    assert_true(np_topology_is_virtual(topology));
    assert_int_equal(np_topology_cpu_count(topology), 15);
    np_topology_destroy(topology);
    unit_expect_failure(np_topology_discover(NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
}

/* --- inside a guest ---------------------------------------------------------------------- */

static const char *shape_value(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL)
        fail_msg("%s is not set", name);
    return value;
}

static void the_guest_has_its_shape(void **state)
{
    (void)state;
    if (getenv("NP_GUEST") == NULL)
        UNIT_SKIP("not in a guest");
    np_topology *t = discover();
    np_cpu_set all_nodes, nodes, cpus, allowed;
    assert_int_equal(np_cpu_set_parse(shape_value("NP_GUEST_NODES"), &all_nodes), NP_OK);
    assert_int_equal(np_cpu_set_parse(shape_value("NP_GUEST_ALLOWED_NODES"), &nodes), NP_OK);
    assert_int_equal(np_cpu_set_parse(shape_value("NP_GUEST_ALLOWED_CPUS"), &cpus), NP_OK);
    assert_int_equal(np_topology_cpus(t, &allowed), NP_OK);
    assert_true(np_cpu_set_equal(&cpus, &allowed));
    assert_int_equal(np_topology_node_count(t), np_cpu_set_count(&nodes));
    for (uint32_t i = 0; i < np_topology_node_count(t); i++)
        assert_true(np_cpu_set_contains(&nodes, np_topology_node_id(t, i)));

    /* Rows separated by ';', values by ','; all nodes, allowed or not. */
    char *table = strdup(shape_value("NP_GUEST_DISTANCES"));
    assert_non_null(table);
    const char *at = table;
    for (int32_t from = np_cpu_set_first(&all_nodes); from != NP_CPU_NONE;
         from = np_cpu_set_next(&all_nodes, from)) {
        for (int32_t to = np_cpu_set_first(&all_nodes); to != NP_CPU_NONE;
             to = np_cpu_set_next(&all_nodes, to)) {
            char *end = NULL;
            uint32_t expected = (uint32_t)strtoul(at, &end, 10);
            uint32_t distance = 0;
            assert_ptr_not_equal(end, at);
            at = end + (*end != '\0');
            if (!np_cpu_set_contains(&nodes, from) || !np_cpu_set_contains(&nodes, to))
                continue;
            assert_int_equal(np_topology_distance(t, from, to, &distance), NP_OK);
            assert_int_equal(distance, expected);
        }
    }
    free(table);

    const char *quota = getenv("NP_GUEST_CPU_QUOTA");
    assert_int_equal(np_topology_cpu_quota(t), quota == NULL ? 0 : strtoul(quota, NULL, 10));
    if (getenv("NP_GUEST_CPUSET") == NULL)
        assert_int_equal(np_topology_socket_count(t),
                         strtoul(shape_value("NP_GUEST_SOCKETS"), NULL, 10));

    char summary[128];
    assert_true(np_topology_summary(t, summary, sizeof summary) < 100);
    print_message("%s: %s\n", shape_value("NP_GUEST_SHAPE"), summary);
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_cpus_are_those_of_the_affinity_mask),
        cmocka_unit_test(the_nodes_are_those_of_the_kernel),
        cmocka_unit_test(the_distances_are_those_of_the_kernel),
        cmocka_unit_test(cores_and_sockets_are_those_of_the_kernel),
        cmocka_unit_test(a_pinned_thread_sees_what_it_may_use),
        cmocka_unit_test(a_redirected_hwloc_is_virtual),
        cmocka_unit_test(the_guest_has_its_shape),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
