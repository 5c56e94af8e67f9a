/*
 * Goal: the calling thread's CPUs are read and set exactly, and where it runs is told truly.
 * Method: compared with the C library's answers and with sysfs, on every CPU this process may use.
 */
#include <errno.h>
#include <sched.h>
#include <stdio.h>

#include "os/os.h"
#include "unit.h"

static bool has(const np_cpu_set *set, int32_t cpu)
{
    return (set->bits[cpu / 64] >> (cpu % 64)) & 1u;
}

static void test_get_agrees_with_the_c_library(void **state)
{
    (void)state;
    np_cpu_set set;
    memset(&set, 0xff, sizeof set); /* stale bits must not survive */
    assert_int_equal(npi_os_affinity_get(&set), 0);
    cpu_set_t *expected = CPU_ALLOC(NP_CPU_SET_CAPACITY);
    size_t bytes = CPU_ALLOC_SIZE(NP_CPU_SET_CAPACITY);
    assert_non_null(expected);
    CPU_ZERO_S(bytes, expected);
    assert_int_equal(sched_getaffinity(0, bytes, expected), 0);
    for (int32_t cpu = 0; cpu < (int32_t)NP_CPU_SET_CAPACITY; cpu++)
        assert_int_equal(has(&set, cpu), CPU_ISSET_S((size_t)cpu, bytes, expected) != 0);
    CPU_FREE(expected);
}

static bool cpu_is_on_node(int32_t cpu, np_node_id node)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/node%d", (int)cpu, (int)node);
    return npi_os_path_exists(path);
}

static void test_every_allowed_cpu_can_be_pinned(void **state)
{
    (void)state;
    np_cpu_set before;
    assert_int_equal(npi_os_affinity_get(&before), 0);
    bool sysfs = npi_os_path_exists("/sys/devices/system/node/node0") ||
                 npi_os_path_exists("/sys/devices/system/node/node1");
    unsigned pinned = 0;
    for (int32_t cpu = 0; cpu < (int32_t)NP_CPU_SET_CAPACITY; cpu++) {
        if (!has(&before, cpu))
            continue;
        np_cpu_set one = {{0}};
        one.bits[cpu / 64] = UINT64_C(1) << (cpu % 64);
        assert_int_equal(npi_os_affinity_set(&one), 0);
        np_cpu_set got;
        assert_int_equal(npi_os_affinity_get(&got), 0);
        assert_memory_equal(&got, &one, sizeof one);
        int32_t where = -1;
        np_node_id node = -1;
        assert_int_equal(npi_os_where(&where, &node), 0);
        assert_int_equal(where, cpu);
        if (sysfs)
            assert_true(cpu_is_on_node(cpu, node));
        pinned++;
    }
    assert_int_equal(npi_os_affinity_set(&before), 0);
    np_cpu_set after;
    assert_int_equal(npi_os_affinity_get(&after), 0);
    assert_memory_equal(&after, &before, sizeof before);
    assert_true(pinned > 0);
    print_message("%u CPUs pinned one by one\n", pinned);
}

static void test_where_with_either_pointer_missing(void **state)
{
    (void)state;
    int32_t cpu = -1;
    np_node_id node = -1;
    assert_int_equal(npi_os_where(&cpu, NULL), 0);
    assert_int_equal(npi_os_where(NULL, &node), 0);
    assert_int_equal(npi_os_where(NULL, NULL), 0);
    assert_true(cpu >= 0 && node >= 0);
}

static void test_impossible_sets_are_refused(void **state)
{
    (void)state;
    np_cpu_set before;
    np_cpu_set after;
    assert_int_equal(npi_os_affinity_get(&before), 0);
    if (has(&before, (int32_t)NP_CPU_SET_CAPACITY - 1))
        UNIT_SKIP("this machine has all the CPUs there can be");
    np_cpu_set set = {{0}};
    errno = ELOOP;
    assert_int_equal(npi_os_affinity_set(&set), EINVAL);
    set.bits[NP_CPU_SET_CAPACITY / 64 - 1] = UINT64_C(1) << 63;
    assert_int_equal(npi_os_affinity_set(&set), EINVAL);
    assert_int_equal(errno, ELOOP);
    assert_int_equal(npi_os_affinity_get(&after), 0);
    assert_memory_equal(&after, &before, sizeof before);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_agrees_with_the_c_library),
        cmocka_unit_test(test_every_allowed_cpu_can_be_pinned),
        cmocka_unit_test(test_where_with_either_pointer_missing),
        cmocka_unit_test(test_impossible_sets_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
