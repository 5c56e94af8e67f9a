/*
 * Goal: strict hard mode is a guarantee: if one worker cannot be pinned, creation fails, names
 * worker, node, CPU, call and errno, and leaves neither thread nor handle; soft mode goes on and
 * says why. Method: a seccomp filter that refuses sched_setaffinity, in a child process.
 */
#include <errno.h>

#include "../support/pool.h"
#include "seccomp.h"

static int strict_fails(int error)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    CHILD_CHECK(np_topology_discover(&topology) == NP_OK);
    np_status status = np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .binding = NP_BINDING_CPU),
        &executor);
    CHILD_CHECK(status == NP_ERR_HARD_MODE && executor == NULL);
    CHILD_CHECK(strstr(np_error_detail(), "worker 0 (np-n") != NULL);
    CHILD_CHECK(strstr(np_error_detail(), "NUMA node ") != NULL);
    CHILD_CHECK(strstr(np_error_detail(), "CPU ") != NULL);
    CHILD_CHECK(strstr(np_error_detail(), "sched_setaffinity") != NULL);
    CHILD_CHECK(strstr(np_error_detail(), "errno") != NULL);
    CHILD_CHECK(np_error_errno() == error);
    np_topology_destroy(topology);
    return CHILD_PASSED;
}

static int soft_goes_on(int error)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    np_worker_info info;
    pool_counter ran = {0};
    CHILD_CHECK(np_topology_discover(&topology) == NP_OK);
    CHILD_CHECK(np_executor_create(topology, NULL, &executor) == NP_OK);
    CHILD_CHECK(np_executor_worker_info(executor, 0, &info) == NP_OK);
    CHILD_CHECK(info.binding.level == NP_ENFORCEMENT_NONE);
    CHILD_CHECK(info.binding.system_error == error);
    CHILD_CHECK(info.binding.reason ==
                (error == EPERM ? NP_REASON_NOT_PERMITTED : NP_REASON_NOT_SUPPORTED));
    CHILD_CHECK(np_run(executor, NP_NODE_ID_NONE, pool_task_count, &ran) == NP_OK);
    CHILD_CHECK(npi_load_acquire(&ran.value) == 1);
    CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    np_topology_destroy(topology);
    return CHILD_PASSED;
}

static void test_strict(void **state)
{
    (void)state;
    unit_in_refusing_child(__NR_sched_setaffinity, EPERM, strict_fails);
    unit_in_refusing_child(__NR_sched_setaffinity, ENOSYS, strict_fails);
}

static void test_soft(void **state)
{
    (void)state;
    unit_in_refusing_child(__NR_sched_setaffinity, EPERM, soft_goes_on);
    unit_in_refusing_child(__NR_sched_setaffinity, ENOSYS, soft_goes_on);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_soft),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
