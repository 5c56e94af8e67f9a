/*
 * Goal: each environment variable that chooses where workers are, how long they search and what
 * they are called has its effect, loses against the program's own choice, and when it is nonsense
 * is an error that names it. Method: one variable at a time, executors on virtual machines, and the
 * executor's own settings.
 */
#include <stdio.h>

#include "executor/executor.h"

#include "../support/pool.h"

static np_executor *with(const char *name, const char *value, const char *machine,
                         const np_executor_options *options)
{
    assert_int_equal(setenv(name, value, 1), 0);
    np_executor *executor = pool_create(machine, options);
    assert_int_equal(unsetenv(name), 0);
    return executor;
}

static void refused(const char *name, const char *value)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    char named[128];
    assert_int_equal(np_topology_from_synthetic(FOUR_NODES, &topology), NP_OK);
    assert_int_equal(setenv(name, value, 1), 0);
    snprintf(named, sizeof named, "%s=\"%s\"", name, value);
    unit_expect_failure(np_executor_create(topology, NULL, &executor), NP_ERR_ENVIRONMENT, named);
    assert_null(executor);
    assert_int_equal(unsetenv(name), 0);
    np_topology_destroy(topology);
}

static void test_nodes(void **state)
{
    (void)state;
    np_node_id nodes[4];
    np_executor *executor = with("NUMAPERF_NODES", "1,3", FOUR_NODES, NULL);
    assert_int_equal(np_executor_nodes(executor, nodes, 4), 2);
    assert_int_equal(nodes[0], 1);
    assert_int_equal(nodes[1], 3);
    pool_destroy_exact(executor, 0, 0);

    const np_node_id own[] = {2};
    executor = with("NUMAPERF_NODES", "1,3", FOUR_NODES,
                    NP_EXECUTOR_OPTIONS(.nodes = own, .node_count = 1));
    assert_int_equal(np_executor_nodes(executor, nodes, 4), 1);
    assert_int_equal(nodes[0], 2);
    pool_destroy_exact(executor, 0, 0);

    refused("NUMAPERF_NODES", "");
    refused("NUMAPERF_NODES", "one");
    refused("NUMAPERF_NODES", "0,7"); /* well written, but this machine has no node 7 */
    /* The program's own mistake stays its own, whatever the variable says. */
    const np_node_id none[] = {9};
    np_topology *topology = NULL;
    assert_int_equal(np_topology_from_synthetic(FOUR_NODES, &topology), NP_OK);
    assert_int_equal(setenv("NUMAPERF_NODES", "1,3", 1), 0);
    unit_expect_failure(
        np_executor_create(topology, NP_EXECUTOR_OPTIONS(.nodes = none, .node_count = 1),
                           &executor),
        NP_ERR_INVALID_NODE,
        "np_executor_options.nodes: no node 9: this topology has 4 nodes, from 0 to 3");
    assert_int_equal(unsetenv("NUMAPERF_NODES"), 0);
    np_topology_destroy(topology);
}

static void test_cpus(void **state)
{
    (void)state;
    /* CPUs 0-1 are node 0, 2-3 node 1. */
    np_executor *executor = with("NUMAPERF_CPUS", "0,2-3", TWO_BY_TWO, NULL);
    assert_int_equal(np_executor_node_worker_count(executor, 0), 1);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 2);
    pool_destroy_exact(executor, 0, 0);

    np_cpu_set own;
    assert_int_equal(np_cpu_set_parse("0-2", &own), NP_OK);
    executor = with("NUMAPERF_CPUS", "0,2-3", TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.cpus = &own));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 2);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 1);
    pool_destroy_exact(executor, 0, 0);

    refused("NUMAPERF_CPUS", "");
    refused("NUMAPERF_CPUS", "0-");
    refused("NUMAPERF_CPUS", "0-4000");
}

static void test_workers_of_nodes(void **state)
{
    (void)state;
    np_executor *executor = with("NUMAPERF_NODE_WORKERS", "0:3,2:none", FOUR_NODES, NULL);
    assert_int_equal(np_executor_node_worker_count(executor, 0), 3);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 1);
    assert_int_equal(np_executor_node_worker_count(executor, 2), 0);
    pool_destroy_exact(executor, 0, 0);

    const np_node_workers own[] = {{0, 2}};
    executor = with("NUMAPERF_NODE_WORKERS", "0:3,2:none", FOUR_NODES,
                    NP_EXECUTOR_OPTIONS(.node_workers = own, .node_workers_count = 1));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 2);
    assert_int_equal(np_executor_node_worker_count(executor, 2), 1);
    pool_destroy_exact(executor, 0, 0);

    static const char *const wrong[] = {
        "",        "0",        "0:",           ":1",
        "x:1",     "0-1",      "0:x",          "0:0",
        "0:-1",    "0:1x",     "0:1,",         "0:1,,1:1",
        "0:1;",    "0:nonex",  "2147483648:1", "99999999999999999999:1",
        "0:99999", "0:none,1", "0:no",         "0:99999999999999999999",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        refused("NUMAPERF_NODE_WORKERS", wrong[i]);
    refused("NUMAPERF_NODE_WORKERS", "0:2,7:1");
    refused("NUMAPERF_NODE_WORKERS", "0:2,0:1");
}

static void test_search_time(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t spin_ns;
    } good[] = {{"1", 1}, {"2500", 2500}, {"none", 0}, {"busy", NP_SPIN_BUSY}};
    np_cpu_set usable;
    bool one_cpu = npi_os_affinity_get(&usable) == 0 && np_cpu_set_count(&usable) == 1;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        np_executor *executor = with("NUMAPERF_SPIN_NS", good[i].text, ONE_BY_ONE, NULL);
        assert_int_equal(executor->settings.spin_ns, one_cpu ? 0 : good[i].spin_ns);
        pool_destroy_exact(executor, 0, 0);
    }
    np_executor *executor = with("NUMAPERF_SPIN_NS", "busy", ONE_BY_ONE,
                                 NP_EXECUTOR_OPTIONS(.spin_ns = 700));
    assert_int_equal(executor->settings.spin_ns, one_cpu ? 0 : 700);
    pool_destroy_exact(executor, 0, 0);

    refused("NUMAPERF_SPIN_NS", "0");
    refused("NUMAPERF_SPIN_NS", "1000000001");
    refused("NUMAPERF_SPIN_NS", "Busy");
}

static void test_spare_workers(void **state)
{
    (void)state;
    np_executor *executor = with("NUMAPERF_SPARE_WORKERS", "none", ONE_BY_ONE, NULL);
    assert_int_equal(executor->settings.spare_workers, 0);
    pool_destroy_exact(executor, 0, 0);
    executor = with("NUMAPERF_SPARE_WORKERS", "5", ONE_BY_ONE, NULL);
    assert_int_equal(executor->settings.spare_workers, 5);
    pool_destroy_exact(executor, 0, 0);
    executor = with("NUMAPERF_SPARE_WORKERS", "none", ONE_BY_ONE,
                    NP_EXECUTOR_OPTIONS(.spare_workers = 3));
    assert_int_equal(executor->settings.spare_workers, 3);
    pool_destroy_exact(executor, 0, 0);
    refused("NUMAPERF_SPARE_WORKERS", "0");
    refused("NUMAPERF_GUEST_WORKERS", "none");
}

static void test_thread_name(void **state)
{
    (void)state;
    np_worker_info info;
    np_executor *executor = with("NUMAPERF_THREAD_NAME", "database", ONE_BY_ONE, NULL);
    assert_int_equal(np_executor_worker_info(executor, 0, &info), NP_OK);
    assert_string_equal(info.name, "database-n0w0");
    pool_destroy_exact(executor, 0, 0);
    executor = with("NUMAPERF_THREAD_NAME", "database", ONE_BY_ONE,
                    NP_EXECUTOR_OPTIONS(.thread_name = "own"));
    assert_int_equal(np_executor_worker_info(executor, 0, &info), NP_OK);
    assert_string_equal(info.name, "own-n0w0");
    pool_destroy_exact(executor, 0, 0);
    refused("NUMAPERF_THREAD_NAME", "");
    refused("NUMAPERF_THREAD_NAME", "databases");
}

static char last_message[200];
static int messages;

static void hear(void *context, np_severity severity, const char *message)
{
    (void)context;
    if (severity == NP_SEVERITY_WARNING) {
        snprintf(last_message, sizeof last_message, "%s", message);
        messages++;
    }
}

static void test_a_name_that_nobody_reads(void **state)
{
    (void)state;
    const np_executor_options deaf = {.size = sizeof deaf, .ignore_environment = true};
    static const struct {
        const char *name;
        int expected;
    } cases[] = {{"NUMAPERF_STEAL_POLCY", 1}, {"NUMAPERF_NODE", 1}, {"NUMAPERF_", 1},
                 {"NUMAPERF_NODES", 0},       {"NUMAPERF", 0},      {"MY_NUMAPERF_X", 0}};
    np_set_diagnostic_handler(hear, NULL);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        messages = 0;
        np_executor *executor = with(cases[i].name, "1", FOUR_NODES, NULL);
        assert_int_equal(messages, cases[i].expected);
        if (messages > 0)
            assert_non_null(strstr(last_message, cases[i].name));
        assert_int_equal(np_executor_destroy(executor), NP_OK);
        messages = 0;
        executor = with(cases[i].name, "1", FOUR_NODES, &deaf);
        assert_int_equal(messages, 0);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
    np_set_diagnostic_handler(NULL, NULL);
}

/* What the variables say needs memory too. */
static void test_each_allocation_fails_in_turn(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    unit_allocator allocator;
    np_status status = NP_ERR_NO_MEMORY;
    unit_allocator_install(&allocator);
    assert_int_equal(np_topology_from_synthetic(FOUR_NODES, &topology), NP_OK);
    assert_int_equal(setenv("NUMAPERF_NODES", "1,3", 1), 0);
    assert_int_equal(setenv("NUMAPERF_NODE_WORKERS", "1:2,3:1", 1), 0);
    size_t held = allocator.held_blocks;
    size_t failed = 0;
    for (; status == NP_ERR_NO_MEMORY; failed++) {
        assert_int_equal(allocator.held_blocks, held);
        allocator.fail_at = allocator.calls + failed + 1;
        status = np_executor_create(topology, NULL, &executor);
    }
    allocator.fail_at = 0;
    assert_int_equal(status, NP_OK);
    assert_true(failed > 3); /* the two lists, and the executor */
    assert_int_equal(unsetenv("NUMAPERF_NODES"), 0);
    assert_int_equal(unsetenv("NUMAPERF_NODE_WORKERS"), 0);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    np_topology_destroy(topology);
    assert_int_equal(allocator.held_blocks, 0);
    assert_int_equal(allocator.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nodes),
        cmocka_unit_test(test_cpus),
        cmocka_unit_test(test_workers_of_nodes),
        cmocka_unit_test(test_search_time),
        cmocka_unit_test(test_spare_workers),
        cmocka_unit_test(test_thread_name),
        cmocka_unit_test(test_a_name_that_nobody_reads),
        cmocka_unit_test(test_each_allocation_fails_in_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
