/*
 * Goal: a synthetic description becomes exactly the machine it describes, and a bad one becomes a
 * clear error and nothing else. Method: shapes checked by hand; hwloc's own reading of the same
 * text as an oracle; a table of malformed texts with the words the message must contain; random
 * changes of good texts.
 */
#include <numaperf/hwloc.h>

#include "topology_help.h"

/* --- shapes by hand ---------------------------------------------------------------------- */

static void two_sockets_with_two_nodes_each(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:2 numa:2 core:4 pu:2");
    topology_check_sane(t);
    assert_int_equal(np_topology_socket_count(t), 2);
    assert_int_equal(np_topology_node_count(t), 4);
    assert_int_equal(np_topology_core_count(t), 16);
    assert_int_equal(np_topology_cpu_count(t), 32);
    topology_expect_cpus(t, 0, "0-7");
    topology_expect_cpus(t, 3, "24-31");
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 2, &info), NP_OK);
    assert_int_equal(info.socket, 1);
    assert_int_equal(info.cpu_count, 8);
    assert_int_equal(info.core_count, 4);
    assert_int_equal(info.memory_bytes, 1u << 30);
    assert_true(info.memory_allowed);
    np_cpu_info cpu;
    assert_int_equal(np_topology_cpu_info(t, 19, &cpu), NP_OK);
    assert_int_equal(cpu.node, 2);
    assert_int_equal(cpu.core, 9);
    assert_int_equal(cpu.thread, 1);
    assert_int_equal(cpu.socket, 1);
    assert_int_equal(cpu.last_cache, -1);
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_ASSUMED);
    assert_int_equal(np_topology_node_tier(t, 0, 1), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 0, 2), NP_TIER_REMOTE);
    assert_int_equal(np_topology_cpu_tier(t, 0, 1), NP_TIER_NODE);
    assert_int_equal(np_topology_cpu_tier(t, 0, 8), NP_TIER_SOCKET);
    assert_int_equal(np_topology_cpu_tier(t, 0, 16), NP_TIER_REMOTE);
    assert_int_equal(np_topology_cpu_tier(t, 0, 32), NP_TIER_REMOTE);
    np_topology_destroy(t);
}

static void a_matrix_gives_the_distances(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:2 numa:2 core:1 pu:2 |"
                                   "10 12 32 31  12 10 32 32\n32,32,10,12 32 32 12 10 ");
    topology_check_sane(t);
    uint32_t value = 0;
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_GIVEN);
    assert_int_equal(np_topology_distance(t, 0, 3, &value), NP_OK);
    assert_int_equal(value, 31);
    assert_int_equal(np_topology_distance(t, 3, 0, &value), NP_OK);
    assert_int_equal(value, 32);
    np_node_id order[4];
    const np_node_id expected[4] = {0, 1, 3, 2};
    size_t count = 0;
    assert_int_equal(np_topology_nodes_by_distance(t, 0, order, 4, &count), NP_OK);
    assert_memory_equal(order, expected, sizeof expected);
    np_topology_destroy(t);
}

/* Rows of the matrix stand for nodes as they are written, not for their ids. */
static void sparse_ids_and_their_matrix(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:3(indexes=252,0,8 memory=4GiB) core:1 pu:1"
                                   "| 10 11 12  13 10 14  15 16 10");
    topology_check_sane(t);
    assert_int_equal(np_topology_node_id(t, 0), 0);
    assert_int_equal(np_topology_node_id(t, 1), 8);
    assert_int_equal(np_topology_node_id(t, 2), 252);
    assert_int_equal(np_topology_node_id(t, 3), NP_NODE_ID_NONE);
    assert_int_equal(np_topology_node_index(t, 1), NP_NODE_INDEX_NONE);
    assert_int_equal(np_topology_node_index(t, -1), NP_NODE_INDEX_NONE);
    topology_expect_cpus(t, 252, "0");
    topology_expect_cpus(t, 0, "1");
    uint32_t value = 0;
    assert_int_equal(np_topology_distance(t, 252, 0, &value), NP_OK);
    assert_int_equal(value, 11);
    assert_int_equal(np_topology_distance(t, 8, 252, &value), NP_OK);
    assert_int_equal(value, 15);
    unit_expect_failure(np_topology_distance(t, 252, 1, &value), NP_ERR_INVALID_NODE, "node 1");
    np_topology_destroy(t);
}

static void attached_nodes_have_no_cpus_of_their_own(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:2 [numa(memory=1GiB)] [numa(memory=16GiB)] core:2 pu:1");
    topology_check_sane(t);
    assert_int_equal(np_topology_node_count(t), 4);
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 3, &info), NP_OK);
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(info.memory_bytes, UINT64_C(16) << 30);
    assert_int_equal(info.socket, 1);
    assert_int_equal(info.nearest_cpus, 2);
    topology_expect_cpus(t, 2, "2-3");
    np_topology_destroy(t);
}

/* One list numbers all of them. */
static void attached_nodes_may_be_numbered(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:2 [numa(indexes=3,1)] core:2 pu:1");
    topology_check_sane(t);
    assert_int_equal(np_topology_node_count(t), 2);
    topology_expect_cpus(t, 3, "0-1");
    topology_expect_cpus(t, 1, "2-3");
    np_topology_destroy(t);
}

static void a_node_without_memory_exists_for_its_cpus(void **state)
{
    (void)state;
    np_topology *t = topology_make("numa:2(memory=0) pu:2");
    topology_check_sane(t);
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 1, &info), NP_OK);
    assert_int_equal(info.memory_bytes, 0);
    assert_int_equal(info.cpu_count, 2);
    np_topology_destroy(t);
}

static void caches_inside_and_across_nodes(void **state)
{
    (void)state;
    np_topology *inside = topology_make("numa:1 l3:2 l2:2 pu:2");
    topology_check_sane(inside);
    assert_int_equal(np_topology_cpu_tier(inside, 0, 3), NP_TIER_CACHE);
    assert_int_equal(np_topology_cpu_tier(inside, 0, 4), NP_TIER_NODE);
    np_topology_destroy(inside);

    /* One cache over two nodes: the node decides before the cache. */
    np_topology *across = topology_make("pack:1 l3:1 numa:2 pu:2");
    topology_check_sane(across);
    np_cpu_info cpu;
    assert_int_equal(np_topology_cpu_info(across, 3, &cpu), NP_OK);
    assert_int_equal(cpu.last_cache, 0);
    assert_int_equal(np_topology_cpu_tier(across, 0, 1), NP_TIER_CACHE);
    assert_int_equal(np_topology_cpu_tier(across, 0, 2), NP_TIER_SOCKET);
    np_topology_destroy(across);

    np_topology *instructions = topology_make("numa:1 l1i:2 pu:2");
    assert_int_equal(np_topology_cpu_tier(instructions, 0, 1), NP_TIER_NODE);
    np_topology_destroy(instructions);
}

static void large_machines(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:4 numa:4 l3:2 core:16 pu:2");
    topology_check_sane(t);
    assert_int_equal(np_topology_node_count(t), 16);
    assert_int_equal(np_topology_cpu_count(t), 1024);
    topology_expect_cpus(t, 15, "960-1023");
    np_topology_destroy(t);
    t = topology_make("numa:64 pu:128");
    topology_check_sane(t);
    assert_int_equal(np_topology_cpu_count(t), 8192);
    np_topology_destroy(t);
    t = topology_make("numa:1024 pu:1");
    assert_int_equal(np_topology_node_count(t), 1024);
    np_topology_destroy(t);
}

/* CPU numbers as firmware likes them: first all first threads, then all second ones. */
static void interleaved_cpu_numbers(void **state)
{
    (void)state;
    np_topology *t = topology_make("pack:2 numa:1 core:4 pu:2(indexes=2*8:1*2)");
    topology_check_sane(t);
    topology_expect_cpus(t, 0, "0-3,8-11");
    topology_expect_cpus(t, 1, "4-7,12-15");
    np_cpu_info cpu;
    assert_int_equal(np_topology_cpu_info(t, 9, &cpu), NP_OK);
    assert_int_equal(cpu.core, 1);
    assert_int_equal(cpu.thread, 1);
    np_topology_destroy(t);
}

static void bare_numbers_and_a_missing_node_level(void **state)
{
    (void)state;
    np_topology *t = topology_make("2 3 4");
    assert_int_equal(np_topology_socket_count(t), 2);
    assert_int_equal(np_topology_node_count(t), 6);
    assert_int_equal(np_topology_cpu_count(t), 24);
    np_topology_destroy(t);
    t = topology_make("  core:3   pu:2\n");
    assert_int_equal(np_topology_node_count(t), 1);
    assert_int_equal(np_topology_socket_count(t), 0);
    topology_expect_cpus(t, 0, "0-5");
    np_topology_destroy(t);
}

/* --- hwloc as the oracle ----------------------------------------------------------------- */

static const char *const agreed[] = {
    "pack:2 numa:2 core:4 pu:2",
    "4",
    "2 3 4",
    "2 2 2 2 2",
    "2 2 2 2 2 2 2 2 2",
    "numa:16 l3:8 core:8 pu:2",
    "core:4(indexes=0,1,2,3) pu:2(indexes=4*2:1*4)",
    "pack:2 core:4 pu:2(indexes=8*2:2*4:1*2)",
    "numa:4(indexes=8,1,252,3 memory=3GB) pu:4",
    "socket:1 node:2 L2Cache:2 l1i:2 pu:1",
    "(indexes=0) numa:2 pu:2",
    "pack:2 [numa(memory=1GiB)] [numa(memory=2TB)] core:2 pu:2",
    "group:2 pack:2 die:2 numa:1 l3:1 l2:2 l1d:1 core:1 pu:2",
    "Package:1 NUMANode:3 L3:1(size=32MB) Core:2 PU:1",
};

static void hwloc_reads_the_same(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof agreed / sizeof agreed[0]; i++) {
        hwloc_topology_t source = NULL;
        np_topology *theirs = NULL;
        np_topology *ours = topology_make(agreed[i]);
        assert_int_equal(hwloc_topology_init(&source), 0);
        assert_int_equal(hwloc_topology_set_synthetic(source, agreed[i]), 0);
        assert_int_equal(hwloc_topology_load(source), 0);
        assert_int_equal(np_topology_from_hwloc(source, &theirs), NP_OK);
        hwloc_topology_destroy(source);
        char *left = topology_text(np_topology_to_json, ours);
        char *right = topology_text(np_topology_to_json, theirs);
        if (strcmp(left, right) != 0)
            fail_msg("%s\n--- ours\n%s\n--- theirs\n%s", agreed[i], left, right);
        free(left);
        free(right);
        np_topology_destroy(ours);
        np_topology_destroy(theirs);
    }
}

/* --- bad text ---------------------------------------------------------------------------- */

static const struct {
    const char *text;
    np_status status;
    const char *detail;
} bad[] = {
    {"", NP_ERR_PARSE, "expected a level at byte 0, where it ends"},
    {"  ", NP_ERR_PARSE, "expected a level"},
    {"| 10", NP_ERR_PARSE, "expected a level at byte 0"},
    {"x:2", NP_ERR_PARSE, "unknown level at byte 0: \"x:2\""},
    {"pack:2 foo:1 pu:1", NP_ERR_PARSE, "unknown level at byte 7: \"foo:1 pu:1\""},
    {"p:2", NP_ERR_PARSE, "unknown level at byte 0"},
    {"corex:2 pu:1", NP_ERR_PARSE, "unknown level"},
    {"l9:2 pu:1", NP_ERR_PARSE, "unknown level"},
    {"machine:2 pu:1", NP_ERR_PARSE, "unknown level"},
    {"pu", NP_ERR_PARSE, "expected ':' and a number at byte 2"},
    {"pu:", NP_ERR_PARSE, "expected a number of objects at byte 3"},
    {"pu:-1", NP_ERR_PARSE, "expected a number of objects at byte 3: \"-1\""},
    {"pu:0", NP_ERR_PARSE, "a level needs at least one object at byte 3"},
    {"pu:2x", NP_ERR_PARSE, "expected a space, '[' or '|' at byte 4"},
    {"pu:99999999999999999999", NP_ERR_LIMIT, "byte 3"},
    {"pu:8193", NP_ERR_LIMIT, "more than 8192 objects"},
    {"numa:4096 pu:4096", NP_ERR_LIMIT, "more than 8192 objects in a level at byte 13"},
    {"numa:2048 pu:1", NP_ERR_LIMIT, "more than 1024 nodes"},
    {"core:2", NP_ERR_PARSE, "the last level must be pu"},
    {"pu:2 core:2", NP_ERR_PARSE, "the last level must be pu"},
    {"pu:2 3", NP_ERR_PARSE, "nothing may stand below pu"},
    {"numa:2 numa:2 pu:1", NP_ERR_PARSE, "this level appears twice at byte 7"},
    {"pack:2 3 pu:1", NP_ERR_PARSE, "cannot be mixed"},
    {"numa:2 [numa] pu:1", NP_ERR_PARSE, "both a level and attached"},
    {"[core] pu:1", NP_ERR_PARSE, "only a node can be attached"},
    {"[numa pu:1", NP_ERR_PARSE, "expected ']' at byte 5"},
    {"numa:2( pu:1", NP_ERR_PARSE, "expected memory=, size=, indexes= or ')'"},
    {"numa:2(memory=) pu:1", NP_ERR_PARSE, "bad memory size at byte 7"},
    {"numa:2(memory=99999999999TiB) pu:1", NP_ERR_PARSE, "bad memory size"},
    {"numa:2(memory=1XB) pu:1", NP_ERR_PARSE, "expected ' ' or ')' at byte 15"},
    {"numa:2(colour=red) pu:1", NP_ERR_PARSE, "byte 7: \"colour=red) pu:1\""},
    {"numa:2(indexes=) pu:1", NP_ERR_PARSE, "empty index list"},
    {"numa:2(indexes=1) pu:1", NP_ERR_PARSE, "too few indexes"},
    {"numa:2(indexes=1,2,3) pu:1", NP_ERR_PARSE, "too many indexes"},
    {"numa:2(indexes=1,x) pu:1", NP_ERR_PARSE, "expected an index at byte 17"},
    {"numa:2(indexes=1,1) pu:1", NP_ERR_PARSE, "node 1 appears twice"},
    {"numa:2(indexes=1,4000000000) pu:1", NP_ERR_LIMIT, "node id 4000000000"},
    {"pu:2(indexes=5,5)", NP_ERR_PARSE, "CPU 5 appears twice"},
    {"pu:2(indexes=0,8192)", NP_ERR_LIMIT, "CPU 8192"},
    {"pu:8(indexes=2*0:1*2)", NP_ERR_PARSE, "bad index loop"},
    {"pu:8(indexes=0*2)", NP_ERR_PARSE, "bad index loop"},
    {"pu:8(indexes=3*3)", NP_ERR_PARSE, "do not cover"},
    {"pu:8(indexes=4*2;1*4)", NP_ERR_PARSE, "expected ':' between index loops"},
    {"numa:2 pu:1 |", NP_ERR_PARSE, "expected nodes * nodes distances"},
    {"numa:2 pu:1 | 10 20 20", NP_ERR_PARSE, "another one at byte 22, where it ends"},
    {"numa:2 pu:1 | 10 20 20 10 10", NP_ERR_PARSE, "more than nodes * nodes distances at byte 26"},
    {"numa:2 pu:1 | 10 20 x 10", NP_ERR_PARSE, "byte 20: \"x 10\""},
    {"numa:2 pu:1 | 11 20 20 10", NP_ERR_PARSE, "to itself is 10, not at byte 14"},
    {"numa:2 pu:1 | 10 9 20 10", NP_ERR_PARSE, "between 10 and 255, not at byte 17"},
    {"numa:2 pu:1 | 10 256 20 10", NP_ERR_PARSE, "between 10 and 255"},
    {"numa:2 pu:1 | 10 20 20 10 | 10", NP_ERR_PARSE, "byte 26"},
};

static void names_the_place_of_every_mistake(void **state)
{
    (void)state;
    topology_catch caught;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_topology *topology = (np_topology *)(uintptr_t)1;
        topology_catch_begin(&caught);
        np_status status = np_topology_from_synthetic(bad[i].text, &topology);
        topology_catch_end_empty(&caught);
        if (status == NP_OK)
            fail_msg("\"%s\" was accepted", bad[i].text);
        unit_expect_failure(status, bad[i].status, bad[i].detail);
        assert_ptr_equal(topology, (void *)(uintptr_t)1);
    }
    np_topology *topology = NULL;
    unit_expect_failure(np_topology_from_synthetic(NULL, &topology), NP_ERR_INVALID_ARGUMENT,
                        "the description is NULL");
    unit_expect_failure(np_topology_from_synthetic("pu:1", NULL), NP_ERR_INVALID_ARGUMENT,
                        "out is NULL");
}

/* One byte of a good text is changed at random: the result is a sane machine or an error. */
static void survives_random_changes(void **state)
{
    (void)state;
    static const char bytes[] = "0123456789:|()[]=,* \npunmacoredl\xff";
    uint64_t seed = UINT64_C(0x2545f4914f6cdd1d);
    print_message("seed %llx\n", (unsigned long long)seed);
    for (int round = 0; round < 1200; round++) {
        char text[128];
        const char *good = agreed[(size_t)round % (sizeof agreed / sizeof agreed[0])];
        size_t length = strlen(good);
        memcpy(text, good, length + 1);
        for (int change = 0; change < 2; change++) {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            text[seed % length] = bytes[(seed >> 32) % (sizeof bytes - 1)];
        }
        np_topology *topology = NULL;
        np_status status = np_topology_from_synthetic(text, &topology);
        if (status == NP_OK)
            topology_check_sane(topology);
        else
            assert_true(topology == NULL && np_error_detail()[0] != '\0');
        np_topology_destroy(topology);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_sockets_with_two_nodes_each),
        cmocka_unit_test(a_matrix_gives_the_distances),
        cmocka_unit_test(sparse_ids_and_their_matrix),
        cmocka_unit_test(attached_nodes_have_no_cpus_of_their_own),
        cmocka_unit_test(attached_nodes_may_be_numbered),
        cmocka_unit_test(a_node_without_memory_exists_for_its_cpus),
        cmocka_unit_test(caches_inside_and_across_nodes),
        cmocka_unit_test(large_machines),
        cmocka_unit_test(interleaved_cpu_numbers),
        cmocka_unit_test(bare_numbers_and_a_missing_node_level),
        cmocka_unit_test(hwloc_reads_the_same),
        cmocka_unit_test(names_the_place_of_every_mistake),
        cmocka_unit_test(survives_random_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
