/*
 * Goal: what an executor can be asked has an answer at the edges: no executor, no place for the
 * answer, an outsider, a node without workers; and what it derives from the machine, cache-mates
 * and the share of a CPU quota, is right. Method: virtual machines made to measure; a quota written
 * into a topology, which no description can express.
 */
#include "executor/executor.h"
#include "topology/snapshot.h"

#include "../support/pool.h"

static void test_names(void **state)
{
    (void)state;
    assert_string_equal(np_worker_per_name(NP_WORKER_PER_THREAD), "thread");
    assert_string_equal(np_worker_per_name(NP_WORKER_PER_CORE), "core");
    assert_string_equal(np_worker_per_name((np_worker_per)7), "unknown");
    assert_string_equal(np_inbox_full_name(NP_INBOX_FULL_BLOCK), "block");
    assert_string_equal(np_inbox_full_name(NP_INBOX_FULL_FAIL), "fail");
    assert_string_equal(np_inbox_full_name(NP_INBOX_FULL_RUN), "run");
    assert_string_equal(np_inbox_full_name((np_inbox_full)7), "unknown");
    assert_string_equal(np_discard_reason_name(NP_DISCARD_CANCELLED), "cancelled");
    assert_string_equal(np_discard_reason_name(NP_DISCARD_SHUTDOWN), "shutdown");
    assert_string_equal(np_discard_reason_name(NP_DISCARD_NODE_GONE), "node gone");
    assert_string_equal(np_discard_reason_name((np_discard_reason)77), "unknown");
    np_steal_policy policy = NP_STEAL_ANY;
    unit_expect_failure(np_steal_policy_parse(NULL, &policy), NP_ERR_INVALID_ARGUMENT,
                        "name is NULL");
    unit_expect_failure(np_steal_policy_parse("any", NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
    np_executor_options_init(NULL);
}

static void test_no_executor(void **state)
{
    (void)state;
    np_worker_info info;
    np_executor_load load;
    char text[8];
    assert_int_equal(np_executor_worker_count(NULL), 0);
    assert_int_equal(np_executor_node_worker_count(NULL, 0), 0);
    assert_int_equal(np_executor_node_count(NULL), 0);
    assert_int_equal(np_executor_nodes(NULL, NULL, 0), 0);
    assert_int_equal(np_executor_steal_policy(NULL), NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE);
    assert_int_equal(np_executor_hard_mode(NULL), NP_HARD_MODE_SOFT);
    assert_null(np_executor_topology(NULL));
    assert_int_equal(np_executor_pending(NULL), 0);
    assert_int_equal(np_executor_describe(NULL, text, sizeof text), 0);
    unit_expect_failure(np_executor_worker_info(NULL, 0, &info), NP_ERR_INVALID_ARGUMENT,
                        "executor is NULL");
    unit_expect_failure(np_executor_load_now(NULL, &load), NP_ERR_INVALID_ARGUMENT,
                        "executor is NULL");
    np_leave_now(NULL);
    np_leave_destroy(NULL);
}

static void test_no_place_for_the_answer(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    unit_expect_failure(np_executor_worker_info(executor, 0, NULL), NP_ERR_INVALID_ARGUMENT,
                        "out is NULL");
    unit_expect_failure(np_executor_load_now(executor, NULL), NP_ERR_INVALID_ARGUMENT,
                        "out is NULL");
    unit_expect_failure(np_leave_create(NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
    np_node_id first = NP_NODE_ID_NONE;
    assert_int_equal(np_executor_nodes(executor, &first, 1), 2);
    assert_int_equal(first, 0);
    assert_int_equal(np_executor_pending(executor), 0);
    pool_destroy_exact(executor, 0, 0);
}

static void test_an_outsider_asks(void **state)
{
    (void)state;
    assert_null(np_current_executor());
    assert_int_equal(np_current_home(), NP_NODE_ID_NONE);
    assert_int_equal(np_current_worker_index(), UINT32_MAX);
    assert_null(np_current_group());
}

static void test_a_node_without_workers(void **state)
{
    (void)state;
    const np_node_workers none[] = {{1, NP_WORKERS_NONE}};
    np_executor *executor = pool_create(
        TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.node_workers = none, .node_workers_count = 1));
    char text[2048];
    assert_true(np_executor_describe(executor, text, sizeof text) < sizeof text);
    assert_non_null(strstr(text, "node 1: no worker; its work goes to node 0"));
    np_leave *leave = NULL;
    assert_int_equal(np_leave_create(&leave), NP_OK);
    unit_expect_failure(np_worker_run(executor, 1, leave), NP_ERR_NODE_HAS_NO_WORKER, "node 1");
    unit_expect_failure(np_worker_run(executor, 5, leave), NP_ERR_INVALID_NODE, "node 5");
    np_leave_destroy(leave);
    pool_destroy_exact(executor, 0, 0);
}

/* --- cache-mates ------------------------------------------------------------------------------
 */

static int32_t cache_of(np_executor *executor, uint32_t seat)
{
    int32_t cpu = npi_node_seat(executor->nodes[0], seat)->cpu;
    return npi_topology_cpu(executor->topology, cpu)->last_cache;
}

static void test_cache_mates(void **state)
{
    (void)state;
    enum { WORKERS = 11 };
    /* Two caches of two cores with two threads, more workers than threads: the order in which CPUs
     * are handed out goes round the caches, that of the seats must not. */
    np_executor *executor = pool_create(
        "numa:1 l3:2 core:2 pu:2",
        NP_EXECUTOR_OPTIONS(.binding = NP_BINDING_CPU, .workers_per_node = WORKERS));
    uint32_t changes = 0;
    assert_false(executor->nodes[0]->one_cache);
    for (uint32_t seat = 0; seat < WORKERS; seat++) {
        npi_worker *worker = npi_node_seat(executor->nodes[0], seat);
        int32_t own = cache_of(executor, seat);
        assert_in_range(seat, worker->cache_begin, worker->cache_end - 1);
        for (uint32_t other = 0; other < WORKERS; other++) {
            bool mate = other >= worker->cache_begin && other < worker->cache_end;
            assert_int_equal(mate, cache_of(executor, other) == own);
        }
        changes += seat > 0 && own != cache_of(executor, seat - 1);
    }
    assert_int_equal(changes, 1);
    pool_destroy_exact(executor, 0, 0);

    /* Bound to the node only, nobody knows his cache. */
    executor = pool_create("numa:1 l3:2 core:2 pu:2", NULL);
    assert_int_equal(npi_node_seat(executor->nodes[0], 0)->cache_end, 0);
    pool_destroy_exact(executor, 0, 0);
    executor = pool_create("numa:1 l3:1 core:4 pu:1", NULL);
    assert_int_equal(npi_node_seat(executor->nodes[0], 0)->cache_end, 4);
    pool_destroy_exact(executor, 0, 0);
}

/* --- quota ------------------------------------------------------------------------------------
 */

static np_executor *with_quota(uint32_t thousandths, const np_executor_options *options)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_int_equal(np_topology_from_synthetic("numa:2 core:4 pu:1", &topology), NP_OK);
    topology->cpu_quota = thousandths;
    assert_int_equal(np_executor_create(topology, options, &executor), NP_OK);
    np_topology_destroy(topology);
    return executor;
}

static void test_quota(void **state)
{
    (void)state;
    static const struct {
        uint32_t thousandths, each;
    } cases[] = {{0, 4},    {9000, 4}, {8000, 4}, {7001, 4},
                 {7000, 3}, {4000, 2}, {2500, 1}, {100, 1}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        np_executor *executor = with_quota(cases[i].thousandths, NULL);
        assert_int_equal(np_executor_node_worker_count(executor, 0), cases[i].each);
        assert_int_equal(np_executor_node_worker_count(executor, 1), cases[i].each);
        /* With the time of one CPU or less, whoever searches takes it from whoever works. */
        if (cases[i].thousandths != 0 && cases[i].thousandths <= 1000)
            assert_int_equal(executor->settings.spin_ns, 0);
        pool_destroy_exact(executor, 0, 0);
    }

    /* What the program asked for it gets; the rest is still cut. */
    const np_node_workers own[] = {{1, 6}};
    np_executor *executor = with_quota(
        2000, NP_EXECUTOR_OPTIONS(.node_workers = own, .node_workers_count = 1));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 1);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 6);
    pool_destroy_exact(executor, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_no_executor),
        cmocka_unit_test(test_no_place_for_the_answer),
        cmocka_unit_test(test_an_outsider_asks),
        cmocka_unit_test(test_a_node_without_workers),
        cmocka_unit_test(test_cache_mates),
        cmocka_unit_test(test_quota),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
