/*
 * Goal: a program that uses hwloc and this library exchanges machines and sets without loss.
 * Method: hwloc's own machines (native, restricted, synthetic, with distances added by hand) are
 * handed over and compared; sets go there and back.
 */
#include <numaperf/hwloc.h>

#include "topology_help.h"

static hwloc_topology_t loaded(const char *synthetic)
{
    hwloc_topology_t source = NULL;
    assert_int_equal(hwloc_topology_init(&source), 0);
    if (synthetic != NULL)
        assert_int_equal(hwloc_topology_set_synthetic(source, synthetic), 0);
    assert_int_equal(hwloc_topology_load(source), 0);
    return source;
}

static np_topology *take(hwloc_topology_t source)
{
    np_topology *topology = NULL;
    if (np_topology_from_hwloc(source, &topology) != NP_OK)
        fail_msg("%s", np_error_detail());
    hwloc_topology_destroy(source); /* nothing of it is kept */
    topology_check_sane(topology);
    return topology;
}

static void this_machine_is_the_discovered_one(void **state)
{
    (void)state;
    np_topology *discovered = NULL;
    np_topology *taken = take(loaded(NULL));
    assert_int_equal(np_topology_discover(&discovered), NP_OK);
    assert_false(np_topology_is_virtual(taken));
    assert_int_equal(np_topology_cpu_count(taken), np_topology_cpu_count(discovered));
    assert_int_equal(np_topology_core_count(taken), np_topology_core_count(discovered));
    assert_int_equal(np_topology_cpu_quota(taken), np_topology_cpu_quota(discovered));
    /* hwloc may leave out nodes that the other one finds in the kernel's files. */
    for (uint32_t i = 0; i < np_topology_node_count(taken); i++) {
        np_node_id id = np_topology_node_id(taken, i);
        np_cpu_set left, right;
        assert_int_equal(np_topology_node_cpus(taken, id, &left), NP_OK);
        assert_int_equal(np_topology_node_cpus(discovered, id, &right), NP_OK);
        assert_true(np_cpu_set_equal(&left, &right));
        for (uint32_t k = 0; k < np_topology_node_count(taken); k++) {
            np_node_id to = np_topology_node_id(taken, k);
            uint32_t near = 0;
            uint32_t far = 0;
            assert_int_equal(np_topology_distance(taken, id, to, &near), NP_OK);
            assert_int_equal(np_topology_distance(discovered, id, to, &far), NP_OK);
            assert_int_equal(near, far);
        }
    }
    np_topology_destroy(taken);
    np_topology_destroy(discovered);
}

static void a_restricted_machine_stays_restricted(void **state)
{
    (void)state;
    hwloc_topology_t source = loaded(NULL);
    hwloc_bitmap_t one = hwloc_bitmap_alloc();
    np_cpu_set mask;
    assert_non_null(one);
    assert_int_equal(np_affinity_get(&mask), NP_OK);
    int32_t cpu = np_cpu_set_first(&mask);
    assert_int_equal(hwloc_bitmap_only(one, (unsigned)cpu), 0);
    assert_int_equal(hwloc_topology_restrict(source, one, 0), 0);
    hwloc_bitmap_free(one);
    np_topology *taken = take(source);
    np_cpu_set cpus;
    assert_int_equal(np_topology_cpus(taken, &cpus), NP_OK);
    assert_int_equal(np_cpu_set_count(&cpus), 1);
    assert_true(np_cpu_set_contains(&cpus, cpu));
    np_topology_destroy(taken);
}

static void distances_added_by_hand_are_read(void **state)
{
    (void)state;
    hwloc_topology_t source = loaded("pack:2 numa:1(indexes=8,3) pu:2");
    hwloc_obj_t nodes[2];
    hwloc_uint64_t values[4] = {100, 210, 230, 100};
    for (unsigned i = 0; i < 2; i++)
        nodes[i] = hwloc_get_obj_by_type(source, HWLOC_OBJ_NUMANODE, i);
    hwloc_distances_add_handle_t handle = hwloc_distances_add_create(
        source, "measured", HWLOC_DISTANCES_KIND_FROM_USER | HWLOC_DISTANCES_KIND_MEANS_LATENCY, 0);
    assert_non_null(handle);
    assert_int_equal(hwloc_distances_add_values(source, handle, 2, nodes, values, 0), 0);
    assert_int_equal(hwloc_distances_add_commit(source, handle, 0), 0);
    np_node_id first = (np_node_id)nodes[0]->os_index;
    np_node_id second = (np_node_id)nodes[1]->os_index;
    np_topology *taken = take(source);
    uint32_t value = 0;
    assert_true(np_topology_is_virtual(taken));
    assert_int_equal(np_topology_distance_source(taken), NP_DISTANCE_GIVEN);
    assert_int_equal(np_topology_distance(taken, first, second, &value), NP_OK);
    assert_int_equal(value, 21);
    assert_int_equal(np_topology_distance(taken, second, first, &value), NP_OK);
    assert_int_equal(value, 23);
    np_topology_destroy(taken);
}

static void too_large_machines_are_refused(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    hwloc_topology_t source = loaded("numa:1 pu:2(indexes=0,9000)");
    unit_expect_failure(np_topology_from_hwloc(source, &topology), NP_ERR_LIMIT, "CPU 9000");
    hwloc_topology_destroy(source);
    unit_expect_failure(np_topology_from_hwloc(NULL, &topology), NP_ERR_INVALID_ARGUMENT, "NULL");
    source = loaded("pu:1");
    unit_expect_failure(np_topology_from_hwloc(source, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    hwloc_topology_destroy(source);
    assert_null(topology);
}

static void sets_go_there_and_back(void **state)
{
    (void)state;
    static const char *const lists[] = {"", "0", "63-64", "0-3,100,8191", "0-8191:3", "5,7-4000"};
    hwloc_bitmap_t bitmap = hwloc_bitmap_alloc_full();
    assert_non_null(bitmap);
    for (size_t i = 0; i < sizeof lists / sizeof lists[0]; i++) {
        np_cpu_set set, back;
        memset(&back, 0xff, sizeof back);
        assert_int_equal(np_cpu_set_parse(lists[i], &set), NP_OK);
        assert_int_equal(np_cpu_set_to_hwloc(&set, bitmap), NP_OK);
        assert_int_equal(hwloc_bitmap_weight(bitmap), np_cpu_set_count(&set));
        assert_int_equal(np_cpu_set_from_hwloc(bitmap, &back), NP_OK);
        assert_true(np_cpu_set_equal(&set, &back));
    }
    np_cpu_set set;
    hwloc_bitmap_fill(bitmap);
    unit_expect_failure(np_cpu_set_from_hwloc(bitmap, &set), NP_ERR_LIMIT, "infinite");
    hwloc_bitmap_only(bitmap, 8192);
    unit_expect_failure(np_cpu_set_from_hwloc(bitmap, &set), NP_ERR_LIMIT, "CPU 8192");
    unit_expect_failure(np_cpu_set_from_hwloc(NULL, &set), NP_ERR_INVALID_ARGUMENT, "bitmap");
    unit_expect_failure(np_cpu_set_from_hwloc(bitmap, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_cpu_set_to_hwloc(NULL, bitmap), NP_ERR_INVALID_ARGUMENT, "set");
    unit_expect_failure(np_cpu_set_to_hwloc(&set, NULL), NP_ERR_INVALID_ARGUMENT, "bitmap");
    hwloc_bitmap_free(bitmap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(this_machine_is_the_discovered_one),
        cmocka_unit_test(a_restricted_machine_stays_restricted),
        cmocka_unit_test(distances_added_by_hand_are_read),
        cmocka_unit_test(too_large_machines_are_refused),
        cmocka_unit_test(sets_go_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
