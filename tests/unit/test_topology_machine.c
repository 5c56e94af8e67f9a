/*
 * Goal: whatever a machine looks like, the snapshot of it is right: nodes without CPUs or memory,
 * CPUs in no node, missing numbers, absent and odd distances, tiers where cache, node and socket do
 * not nest. Method: machines put together by hand and built, without any parser in between.
 */
#include "topology_help.h"

#include "topology/machine.h"
#include "topology/topology_internal.h"

/* --- making machines --------------------------------------------------------------------- */

static void add_cpu(npi_machine *machine, int32_t cpu, np_node_id node, uint32_t core,
                    uint32_t cache, uint32_t socket)
{
    npi_machine_cpu *added = NULL;
    assert_int_equal(npi_machine_add_cpu(machine, (uint64_t)cpu, &added), NP_OK);
    added->node = node;
    added->core = core;
    added->cache = cache;
    added->socket = socket;
}

static void add_node(npi_machine *machine, np_node_id id, uint64_t memory, uint32_t socket)
{
    npi_machine_node *added = NULL;
    assert_int_equal(npi_machine_add_node(machine, (uint64_t)id, &added), NP_OK);
    added->memory_bytes = memory;
    added->socket = socket;
}

/* A matrix over the machine's nodes in the order in which they were added. */
static void add_matrix(npi_machine *machine, const uint32_t *values)
{
    uint32_t count = machine->node_count;
    assert_int_equal(npi_machine_set_distance_count(machine, count), NP_OK);
    machine->distance_source = NP_DISTANCE_FIRMWARE;
    for (uint32_t i = 0; i < count; i++)
        machine->distance_ids[i] = machine->nodes[i].id;
    memcpy(machine->distances, values, (size_t)count * count * sizeof *values);
}

/* Builds, checks what holds for all, and releases the machine. */
static np_topology *build(npi_machine *machine)
{
    np_topology *topology = NULL;
    np_status status = npi_snapshot_build(machine, &topology);
    npi_machine_release(machine);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    topology_check_sane(topology);
    return topology;
}

/* `nodes` nodes with one CPU each; node i hangs on sockets[i] (NPI_KEY_NONE for none). */
static void plain_machine(npi_machine *machine, uint32_t nodes, const uint32_t *sockets)
{
    npi_machine_init(machine);
    for (uint32_t i = 0; i < nodes; i++) {
        add_node(machine, (np_node_id)i, 1, sockets[i]);
        add_cpu(machine, (int32_t)i, (np_node_id)i, i, NPI_KEY_NONE, sockets[i]);
    }
}

static void expect_order(const np_topology *topology, np_node_id from, const np_node_id *expected)
{
    np_node_id order[16];
    size_t count = 0;
    assert_int_equal(np_topology_nodes_by_distance(topology, from, order, 16, &count), NP_OK);
    assert_memory_equal(order, expected, count * sizeof *expected);
}

static const uint32_t no_sockets[8] = {NPI_KEY_NONE, NPI_KEY_NONE, NPI_KEY_NONE, NPI_KEY_NONE,
                                       NPI_KEY_NONE, NPI_KEY_NONE, NPI_KEY_NONE, NPI_KEY_NONE};

/* --- what is there ----------------------------------------------------------------------- */

static void node_and_cpu_zero_may_be_missing(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    add_node(&machine, 8, 100, 1);
    add_node(&machine, 1, 100, 0);
    add_cpu(&machine, 40, 8, 7, NPI_KEY_NONE, 1);
    add_cpu(&machine, 4, 1, 9, NPI_KEY_NONE, 0);
    np_topology *t = build(&machine);
    assert_int_equal(np_topology_node_id(t, 0), 1);
    assert_int_equal(np_topology_node_id(t, 1), 8);
    topology_expect_cpus(t, 8, "40");
    np_cpu_info info;
    unit_expect_failure(np_topology_cpu_info(t, 0, &info), NP_ERR_NOT_FOUND, "CPU 0");
    unit_expect_failure(np_topology_cpu_info(t, -1, &info), NP_ERR_NOT_FOUND, "CPU -1");
    unit_expect_failure(np_topology_cpu_info(t, 41, &info), NP_ERR_NOT_FOUND, "CPU 41");
    assert_int_equal(np_topology_cpu_info(t, 4, &info), NP_OK);
    assert_int_equal(info.core, 0); /* ranks follow CPU numbers, not keys */
    np_topology_destroy(t);
}

static void cpu_less_nodes_know_the_nearest_cpus(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    add_node(&machine, 0, 100, 0);
    add_node(&machine, 1, 100, 1);
    add_node(&machine, 2, 500, NPI_KEY_NONE);
    add_cpu(&machine, 0, 0, 0, 0, 0);
    add_cpu(&machine, 1, 1, 1, 1, 1);
    const uint32_t matrix[] = {10, 21, 24, 21, 10, 14, 24, 14, 10};
    add_matrix(&machine, matrix);
    np_topology *t = build(&machine);
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 2, &info), NP_OK);
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(info.socket, -1);
    assert_int_equal(info.nearest_cpus, 1);
    np_topology_destroy(t);
}

static void memory_less_nodes_exist_empty_ones_do_not(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    add_node(&machine, 0, 100, 0);
    add_node(&machine, 1, 0, 0);
    add_node(&machine, 2, 0, 0); /* neither CPU nor memory */
    add_cpu(&machine, 0, 0, 0, 0, 0);
    add_cpu(&machine, 1, 1, 1, 0, 0);
    np_topology *t = build(&machine);
    assert_int_equal(np_topology_node_count(t), 2);
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 1, &info), NP_OK);
    assert_int_equal(info.memory_bytes, 0);
    unit_expect_failure(np_topology_node_info(t, 2, &info), NP_ERR_INVALID_NODE, "node 2");
    np_topology_destroy(t);
}

static void a_cpu_may_be_in_no_node(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    add_node(&machine, 0, 100, 0);
    add_cpu(&machine, 0, 0, 0, 0, 0);
    add_cpu(&machine, 1, NP_NODE_ID_NONE, 1, 0, 0);
    add_cpu(&machine, 2, 77, 2, 1, 1); /* a node that does not exist */
    np_topology *t = build(&machine);
    assert_int_equal(np_topology_cpu_count(t), 3);
    assert_int_equal(np_topology_cpu_node(t, 1), NP_NODE_ID_NONE);
    assert_int_equal(np_topology_cpu_node(t, 2), NP_NODE_ID_NONE);
    assert_int_equal(npi_topology_cpu_node_index(t, 1), NP_NODE_INDEX_NONE);
    assert_int_equal(np_topology_cpu_tier(t, 0, 1), NP_TIER_SOCKET);
    assert_int_equal(np_topology_cpu_tier(t, 0, 2), NP_TIER_REMOTE);
    topology_expect_cpus(t, 0, "0");
    np_topology_destroy(t);
}

static void only_what_is_allowed_is_kept(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    for (np_node_id id = 0; id < 4; id++) {
        add_node(&machine, id, 100, (uint32_t)id / 2);
        add_cpu(&machine, 2 * id, id, (uint32_t)id, NPI_KEY_NONE, (uint32_t)id / 2);
        add_cpu(&machine, 2 * id + 1, id, (uint32_t)id, NPI_KEY_NONE, (uint32_t)id / 2);
    }
    for (uint32_t i = 0; i < 8; i++)
        machine.cpus[i].usable = i == 2 || i == 7; /* node 1's first, node 3's second thread */
    machine.nodes[0].memory_allowed = false;
    machine.nodes[1].memory_allowed = false;
    np_topology *t = build(&machine);
    assert_int_equal(np_topology_node_count(t), 3); /* node 0: neither CPUs nor memory */
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 1, &info), NP_OK);
    assert_false(info.memory_allowed);
    assert_int_equal(info.cpu_count, 1);
    assert_int_equal(np_topology_node_info(t, 2, &info), NP_OK);
    assert_int_equal(info.cpu_count, 0);
    assert_int_equal(info.socket, 1); /* known though its CPUs may not be used */
    np_cpu_info cpu;
    assert_int_equal(np_topology_cpu_info(t, 7, &cpu), NP_OK);
    assert_int_equal(cpu.thread, 0); /* the first of its core that may be used */
    np_topology_destroy(t);
}

static void contradictions_are_errors(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    npi_machine machine;
    npi_machine_init(&machine);
    unit_expect_failure(npi_snapshot_build(&machine, &topology), NP_ERR_PARSE, "no CPU");
    add_cpu(&machine, 3, NP_NODE_ID_NONE, 0, 0, 0);
    machine.malformed = NP_ERR_SYSTEM;
    unit_expect_failure(npi_snapshot_build(&machine, &topology), NP_ERR_SYSTEM, "no NUMA node");
    add_node(&machine, 5, 1, 0);
    add_node(&machine, 5, 1, 0);
    unit_expect_failure(npi_snapshot_build(&machine, &topology), NP_ERR_SYSTEM,
                        "node 5 appears twice");
    machine.nodes[1].id = 6;
    add_cpu(&machine, 3, 6, 0, 0, 0);
    unit_expect_failure(npi_snapshot_build(&machine, &topology), NP_ERR_SYSTEM,
                        "CPU 3 appears twice");
    npi_machine_cpu *cpu = NULL;
    npi_machine_node *node = NULL;
    unit_expect_failure(npi_machine_add_cpu(&machine, NP_CPU_SET_CAPACITY, &cpu), NP_ERR_LIMIT,
                        "8192");
    unit_expect_failure(npi_machine_add_node(&machine, UINT64_C(1) << 31, &node), NP_ERR_LIMIT,
                        "2147483648");
    unit_expect_failure(npi_machine_set_distance_count(&machine, 1025), NP_ERR_LIMIT, "1024");
    assert_null(topology);
    npi_machine_release(&machine);
}

/* --- claims ------------------------------------------------------------------------------ */

static void the_smallest_ordinary_node_gets_the_cpu(void **state)
{
    (void)state;
    np_cpu_set all, low;
    assert_int_equal(np_cpu_set_parse("0-3", &all), NP_OK);
    assert_int_equal(np_cpu_set_parse("0-1", &low), NP_OK);
    /* Every order of the same four claims gives the same result. */
    for (int first = 0; first < 4; first++) {
        npi_machine machine;
        npi_machine_init(&machine);
        for (int32_t cpu = 0; cpu < 5; cpu++)
            add_cpu(&machine, cpu, NP_NODE_ID_NONE, 0, 0, 0);
        for (int i = 0; i < 4; i++) {
            switch ((first + i) % 4) {
            case 0: npi_machine_claim(&machine, 9, &all, false); break;
            case 1: npi_machine_claim(&machine, 4, &all, false); break;
            case 2: npi_machine_claim(&machine, 2, &low, true); break;
            case 3: npi_machine_claim(&machine, 3, &low, false); break;
            }
        }
        assert_int_equal(machine.cpus[0].node, 3);
        assert_int_equal(machine.cpus[1].node, 3);
        assert_int_equal(machine.cpus[2].node, 4);
        assert_int_equal(machine.cpus[4].node, NP_NODE_ID_NONE);
        npi_machine_release(&machine);
    }
}

/* --- distances --------------------------------------------------------------------------- */

static void columns_belong_to_ids_not_to_positions(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    const np_node_id ids[] = {252, 0, 8};
    for (int i = 0; i < 3; i++) {
        add_node(&machine, ids[i], 1, (uint32_t)i);
        add_cpu(&machine, i, ids[i], (uint32_t)i, NPI_KEY_NONE, (uint32_t)i);
    }
    const uint32_t matrix[] = {10, 21, 22, 23, 10, 24, 25, 26, 10};
    add_matrix(&machine, matrix);
    np_topology *t = build(&machine);
    uint32_t value = 0;
    assert_int_equal(np_topology_distance(t, 252, 0, &value), NP_OK);
    assert_int_equal(value, 21);
    assert_int_equal(np_topology_distance(t, 0, 252, &value), NP_OK);
    assert_int_equal(value, 23);
    assert_int_equal(np_topology_distance(t, 8, 0, &value), NP_OK);
    assert_int_equal(value, 26);
    assert_int_equal(npi_topology_node_distance(t, 1, 0), 26);
    np_topology_destroy(t);
}

static void a_matrix_may_cover_more_nodes_than_are_used(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    for (np_node_id id = 0; id < 3; id++)
        add_node(&machine, id, 1, (uint32_t)id);
    add_cpu(&machine, 0, 0, 0, NPI_KEY_NONE, 0);
    const uint32_t matrix[] = {10, 11, 12, 13, 10, 14, 15, 16, 10};
    add_matrix(&machine, matrix);
    machine.nodes[1].memory_allowed = false;
    np_topology *t = build(&machine);
    uint32_t value = 0;
    assert_int_equal(np_topology_node_count(t), 2);
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_FIRMWARE);
    assert_int_equal(np_topology_distance(t, 0, 2, &value), NP_OK);
    assert_int_equal(value, 12);
    np_topology_destroy(t);
}

static void remember_warning(void *context, np_severity severity, const char *message)
{
    assert_int_equal(severity, NP_SEVERITY_WARNING);
    snprintf(context, 256, "%s", message);
}

static void senseless_tables_are_replaced_and_told(void **state)
{
    (void)state;
    static const struct {
        uint32_t values[4];
        const char *note;
    } tables[] = {
        {{0, 0, 0, 0}, "says 0 from node 0 to node 0"},
        {{10, 0, 20, 10}, "says 0 from node 0 to node 1"},
        {{20, 10, 10, 20}, "says 10 from node 0 to node 1 (local: 20)"},
        {{17, 10, 20, 10}, "from node 0 to node 1 (local: 17)"},
        {{10, 300, 20, 10}, "says 300 from node 0 to node 1"},
        {{10, UINT32_MAX, 20, 10}, "says 4294967295 from node 0"},
    };
    char warning[256] = "";
    np_set_diagnostic_handler(remember_warning, warning);
    for (size_t i = 0; i < sizeof tables / sizeof tables[0]; i++) {
        npi_machine machine;
        plain_machine(&machine, 2, no_sockets);
        add_matrix(&machine, tables[i].values);
        warning[0] = '\0';
        np_topology *t = build(&machine);
        uint32_t value = 0;
        assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_ASSUMED);
        assert_int_equal(np_topology_distance(t, 0, 1, &value), NP_OK);
        assert_int_equal(value, 20);
        char *text = topology_text(np_topology_to_json, t);
        if (strstr(text, tables[i].note) == NULL)
            fail_msg("%s is not in %s", tables[i].note, text);
        assert_non_null(strstr(warning, tables[i].note));
        free(text);
        np_topology_destroy(t);
    }
    np_set_diagnostic_handler(NULL, NULL);
}

static void a_table_that_misses_a_node_is_not_used(void **state)
{
    (void)state;
    npi_machine machine;
    plain_machine(&machine, 2, no_sockets);
    const uint32_t matrix[] = {10, 21, 21, 10};
    add_matrix(&machine, matrix);
    add_node(&machine, 7, 100, NPI_KEY_NONE);
    np_topology *t = build(&machine);
    char *text = topology_text(np_topology_describe, t);
    assert_int_equal(np_topology_distance_source(t), NP_DISTANCE_ASSUMED);
    assert_non_null(strstr(text, "does not cover node 7"));
    free(text);
    np_topology_destroy(t);
}

static void tables_in_other_units_are_scaled(void **state)
{
    (void)state;
    npi_machine machine;
    plain_machine(&machine, 2, no_sockets);
    const uint32_t nanoseconds[] = {80, 140, 139, 80};
    add_matrix(&machine, nanoseconds);
    np_topology *t = build(&machine);
    uint32_t value = 0;
    assert_int_equal(np_topology_distance(t, 0, 1, &value), NP_OK);
    assert_int_equal(value, 18);
    assert_int_equal(np_topology_distance(t, 1, 0, &value), NP_OK);
    assert_int_equal(value, 17);
    assert_int_equal(np_topology_distance(t, 1, 1, &value), NP_OK);
    assert_int_equal(value, 10);
    np_topology_destroy(t);
}

static void assumed_distances_follow_the_sockets(void **state)
{
    (void)state;
    npi_machine machine;
    const uint32_t sockets[] = {0, 0, 1, NPI_KEY_NONE};
    plain_machine(&machine, 4, sockets);
    np_topology *t = build(&machine);
    const uint32_t expected[4] = {10, 12, 20, 20};
    for (uint32_t to = 0; to < 4; to++)
        assert_int_equal(npi_topology_node_distance(t, 0, to), expected[to]);
    np_topology_destroy(t);
}

/* --- tiers and order --------------------------------------------------------------------- */

static void near_by_distance_counts_as_socket(void **state)
{
    (void)state;
    /* No socket holds two nodes: as virtual machines show a server with two nodes per socket. */
    npi_machine machine;
    const uint32_t sockets[] = {0, 1, 2, 3};
    const uint32_t matrix[] = {10, 12, 32, 32, 12, 10, 32, 32, 32, 32, 10, 12, 32, 32, 12, 10};
    plain_machine(&machine, 4, sockets);
    add_matrix(&machine, matrix);
    np_topology *t = build(&machine);
    assert_int_equal(np_topology_node_tier(t, 0, 1), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 0, 2), NP_TIER_REMOTE);
    assert_int_equal(np_topology_node_tier(t, 3, 2), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 0, 99), NP_TIER_REMOTE);
    np_topology_destroy(t);

    /* Memory beside the sockets is as near as a neighbour, or it is not. */
    npi_machine expander;
    const uint32_t three[] = {0, 0, NPI_KEY_NONE, NPI_KEY_NONE};
    const uint32_t near[] = {10, 14, 14, 17, 14, 10, 17, 17, 14, 17, 10, 17, 17, 17, 17, 10};
    plain_machine(&expander, 4, three);
    add_matrix(&expander, near);
    t = build(&expander);
    assert_int_equal(np_topology_node_tier(t, 0, 2), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 2, 0), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 1, 2), NP_TIER_REMOTE);
    assert_int_equal(np_topology_node_tier(t, 0, 3), NP_TIER_REMOTE);
    np_topology_destroy(t);
}

static void an_asymmetric_table_is_kept_as_it_is(void **state)
{
    (void)state;
    npi_machine machine;
    const uint32_t matrix[] = {10, 15, 30, 28, 10, 12, 12, 40, 10};
    plain_machine(&machine, 3, no_sockets);
    add_matrix(&machine, matrix);
    np_topology *t = build(&machine);
    const np_node_id from_0[] = {0, 1, 2};
    const np_node_id from_1[] = {1, 2, 0};
    const np_node_id from_2[] = {2, 0, 1};
    expect_order(t, 0, from_0);
    expect_order(t, 1, from_1);
    expect_order(t, 2, from_2);
    assert_int_equal(np_topology_node_tier(t, 1, 2), NP_TIER_SOCKET);
    assert_int_equal(np_topology_node_tier(t, 2, 1), NP_TIER_REMOTE);
    np_topology_destroy(t);
}

static void equal_nodes_come_by_id(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    const np_node_id ids[] = {30, 4, 17, 9};
    for (int i = 0; i < 4; i++) {
        add_node(&machine, ids[i], 1, NPI_KEY_NONE);
        add_cpu(&machine, i, ids[i], (uint32_t)i, NPI_KEY_NONE, NPI_KEY_NONE);
    }
    np_topology *t = build(&machine);
    const np_node_id expected[] = {17, 4, 9, 30};
    expect_order(t, 17, expected);
    np_node_id few[2] = {-5, -5};
    size_t count = 0;
    assert_int_equal(np_topology_nodes_by_distance(t, 17, few, 1, &count), NP_OK);
    assert_int_equal(count, 4);
    assert_int_equal(few[0], 17);
    assert_int_equal(few[1], -5);
    assert_int_equal(np_topology_nodes_by_distance(t, 17, NULL, 0, &count), NP_OK);
    unit_expect_failure(np_topology_nodes_by_distance(t, 17, NULL, 4, &count),
                        NP_ERR_INVALID_ARGUMENT, "out is NULL");
    np_topology_destroy(t);
}

static void a_cache_over_two_nodes_brings_nothing_closer(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    add_node(&machine, 0, 1, 0);
    add_node(&machine, 1, 1, 1);
    for (int32_t cpu = 0; cpu < 4; cpu++)
        add_cpu(&machine, cpu, cpu / 2, (uint32_t)cpu, 0, (uint32_t)cpu / 2u);
    np_topology *t = build(&machine);
    assert_int_equal(np_topology_cpu_tier(t, 0, 1), NP_TIER_CACHE);
    assert_int_equal(np_topology_cpu_tier(t, 1, 2), NP_TIER_REMOTE);
    np_topology_destroy(t);
}

/* A node over two sockets, as with node interleaving in the firmware. */
static void a_node_over_two_sockets_has_none(void **state)
{
    (void)state;
    npi_machine machine;
    npi_machine_init(&machine);
    add_node(&machine, 0, 1, NPI_KEY_NONE);
    add_cpu(&machine, 0, 0, 0, 0, 0);
    add_cpu(&machine, 1, 0, 1, 1, 1);
    np_topology *t = build(&machine);
    np_node_info info;
    assert_int_equal(np_topology_node_info(t, 0, &info), NP_OK);
    assert_int_equal(info.socket, -1);
    assert_int_equal(np_topology_socket_count(t), 2);
    assert_int_equal(np_topology_cpu_tier(t, 0, 1), NP_TIER_NODE);
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(node_and_cpu_zero_may_be_missing),
        cmocka_unit_test(cpu_less_nodes_know_the_nearest_cpus),
        cmocka_unit_test(memory_less_nodes_exist_empty_ones_do_not),
        cmocka_unit_test(a_cpu_may_be_in_no_node),
        cmocka_unit_test(only_what_is_allowed_is_kept),
        cmocka_unit_test(contradictions_are_errors),
        cmocka_unit_test(the_smallest_ordinary_node_gets_the_cpu),
        cmocka_unit_test(columns_belong_to_ids_not_to_positions),
        cmocka_unit_test(a_matrix_may_cover_more_nodes_than_are_used),
        cmocka_unit_test(senseless_tables_are_replaced_and_told),
        cmocka_unit_test(a_table_that_misses_a_node_is_not_used),
        cmocka_unit_test(tables_in_other_units_are_scaled),
        cmocka_unit_test(assumed_distances_follow_the_sockets),
        cmocka_unit_test(near_by_distance_counts_as_socket),
        cmocka_unit_test(an_asymmetric_table_is_kept_as_it_is),
        cmocka_unit_test(equal_nodes_come_by_id),
        cmocka_unit_test(a_cache_over_two_nodes_brings_nothing_closer),
        cmocka_unit_test(a_node_over_two_sockets_has_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
