/*
 * Goal: what a running executor counts adds up: submitted = executed + discarded, the matrix holds
 * every task once, a snapshot works at any time, a collector knows workers from other threads, the
 * report says what happened. Method: real executors on a virtual machine of four nodes on two
 * sockets, so that it runs anywhere.
 */
#include "../support/snapshots.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NODES = 4, WORKERS = 2, TASKS = 300 };

static np_executor *new_executor(np_steal_policy policy)
{
    np_topology *topology = NULL;
    assert_int_equal(np_topology_from_synthetic("pack:2 numa:2 core:2 pu:1", &topology), NP_OK);
    np_executor *executor = NULL;
    np_status status = np_executor_create(topology,
                                          NP_EXECUTOR_OPTIONS(.steal_policy = policy,
                                                              .workers_per_node = WORKERS,
                                                              .ignore_environment = true),
                                          &executor);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    np_topology_destroy(topology);
    return executor;
}

static np_stats *snapshot(const np_executor *executor)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    return stats;
}

static uint64_t executed(const np_stats *stats)
{
    return np_stats_total(stats, NP_COUNTER_EXECUTED_HOME) +
           np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY);
}

/* For other threads than the test's own, which cmocka's assertions cannot leave. */
#define MUST(condition)                                             \
    do {                                                            \
        if (!(condition)) {                                         \
            fprintf(stderr, "line %d: %s\n", __LINE__, #condition); \
            abort();                                                \
        }                                                           \
    } while (0)

static void leaf(void *argument)
{
    (void)argument;
}

/* Submits one more task to the node it runs for. */
static void parent(void *argument)
{
    MUST(np_submit_to_node(np_current_executor(), np_current_home(), leaf, argument) == NP_OK);
}

static void check_sums(const np_stats *stats)
{
    uint64_t matrix = 0, diagonal = 0, workers = 0;
    for (np_node_id home = 0; home < NODES; home++)
        for (np_node_id ran = 0; ran < NODES; ran++)
            matrix += np_stats_matrix(stats, home, ran);
    for (np_node_id node = 0; node < NODES; node++) {
        diagonal += np_stats_matrix(stats, node, node);
        assert_int_equal(np_stats_inbox_depth(stats, node), 0);
        uint64_t here = 0;
        for (np_node_id home = 0; home < NODES; home++)
            here += np_stats_matrix(stats, home, node);
        assert_int_equal(here, np_stats_node(stats, node, NP_COUNTER_EXECUTED_HOME) +
                                   np_stats_node(stats, node, NP_COUNTER_EXECUTED_AWAY));
    }
    for (uint32_t w = 0; w < np_stats_worker_count(stats); w++)
        workers += np_stats_worker(stats, w, NP_COUNTER_EXECUTED_HOME) +
                   np_stats_worker(stats, w, NP_COUNTER_EXECUTED_AWAY);
    assert_int_equal(matrix, executed(stats));
    assert_int_equal(workers, executed(stats));
    assert_int_equal(diagonal, np_stats_total(stats, NP_COUNTER_EXECUTED_HOME));
    assert_int_equal(np_stats_total(stats, NP_COUNTER_SUBMITTED),
                     executed(stats) + np_stats_total(stats, NP_COUNTER_DISCARDED));
    assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY),
                     np_stats_total(stats, NP_COUNTER_AWAY_BACKLOG) +
                         np_stats_total(stats, NP_COUNTER_AWAY_AGE) +
                         np_stats_total(stats, NP_COUNTER_AWAY_ANY));
}

static void an_idle_executor_adds_up(void **state)
{
    (void)state;
    static const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE,
                                               NP_STEAL_LOCAL_ONLY, NP_STEAL_ANY};
    for (size_t p = 0; p < 3; p++) {
        np_executor *executor = new_executor(policies[p]);
        np_stats *before = snapshot(executor);
        assert_int_equal(executed(before), 0);
        assert_int_equal(before->policy, policies[p]);
        for (np_node_id node = 0; node < NODES; node++)
            for (int i = 0; i < TASKS; i++)
                assert_int_equal(np_submit_to_node(executor, node, parent, NULL), NP_OK);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);

        np_stats *after = snapshot(executor);
        assert_int_equal(executed(after), 2 * NODES * TASKS);
        check_sums(after);
        for (np_node_id node = 0; node < NODES; node++) {
            uint64_t of_node = 0;
            for (np_node_id ran = 0; ran < NODES; ran++)
                of_node += np_stats_matrix(after, node, ran);
            assert_int_equal(of_node, 2 * TASKS);
            /* From outside; from inside it counts where the submitting task ran. */
            assert_true(np_stats_node(after, node, NP_COUNTER_SUBMITTED) >= TASKS);
        }
        if (policies[p] == NP_STEAL_LOCAL_ONLY) {
            assert_int_equal(np_stats_total(after, NP_COUNTER_EXECUTED_AWAY), 0);
            assert_int_equal(np_stats_health(after), NP_HEALTH_EXCELLENT);
        }
        np_stats *between = NULL;
        assert_int_equal(np_stats_difference(after, before, &between), NP_OK);
        assert_int_equal(executed(between), 2 * NODES * TASKS);
        check_sums(between);
        assert_true(np_stats_elapsed_ns(between) > 0);
        assert_true(np_stats_elapsed_ns(between) <= np_stats_elapsed_ns(after));
        np_stats_destroy(between);
        np_stats_destroy(after);
        np_stats_destroy(before);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

static void a_snapshot_knows_nodes_workers_and_tiers(void **state)
{
    (void)state;
    np_executor *executor = new_executor(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE);
    np_stats *stats = snapshot(executor);
    np_node_id nodes[NODES + 1];
    assert_int_equal(np_stats_nodes(stats, nodes, NODES + 1), NODES);
    assert_true(np_stats_worker_count(stats) >= NODES * WORKERS);
    for (uint32_t w = 0; w < NODES * WORKERS; w++) {
        np_worker_info info;
        assert_int_equal(np_executor_worker_info(executor, w, &info), NP_OK);
        assert_int_equal(np_stats_worker_node(stats, w), info.node);
        assert_int_equal(stats->workers[w].kind, NP_WORKER_REGULAR);
    }
    assert_int_equal(npi_stats_tier(stats, 0, 1), NP_TIER_SOCKET);
    assert_int_equal(npi_stats_tier(stats, 0, 2), NP_TIER_REMOTE);
    np_stats_destroy(stats);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void executors_are_not_mixed_up(void **state)
{
    (void)state;
    np_executor *first = new_executor(NP_STEAL_ANY);
    np_executor *second = new_executor(NP_STEAL_ANY);
    np_stats *a = snapshot(first);
    np_stats *b = snapshot(second);
    np_stats *between = NULL;
    assert_int_equal(np_stats_difference(b, a, &between), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "different executors"));
    np_stats_destroy(a);
    np_stats_destroy(b);
    assert_int_equal(np_executor_destroy(first), NP_OK);
    assert_int_equal(np_executor_destroy(second), NP_OK);
}

static void bad_arguments_are_named(void **state)
{
    (void)state;
    np_executor *executor = new_executor(NP_STEAL_ANY);
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(NULL, &stats), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "executor"));
    assert_int_equal(np_stats_snapshot(executor, NULL), NP_ERR_INVALID_ARGUMENT);
    np_collector *collector = NULL;
    assert_int_equal(np_collector_create(NULL, &collector), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "executor"));
    assert_int_equal(np_collector_create(executor, NULL), NP_ERR_INVALID_ARGUMENT);
    np_collector_record(NULL, 0, 1, 1);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- discarding, and after the end --------------------------------------------------------- */

typedef struct stopper {
    sem_t started;
    sem_t go_on;
} stopper;

static void stop(void *argument)
{
    stopper *at = argument;
    sem_post(&at->started);
    while (sem_wait(&at->go_on) != 0) {
    }
}

static void discarded_tasks_are_counted_and_the_shutdown_survived(void **state)
{
    (void)state;
    np_executor *executor = new_executor(NP_STEAL_LOCAL_ONLY);
    stopper at[WORKERS];
    for (int i = 0; i < WORKERS; i++) {
        sem_init(&at[i].started, 0, 0);
        sem_init(&at[i].go_on, 0, 0);
        assert_int_equal(np_submit_to_node(executor, 1, stop, &at[i]), NP_OK);
    }
    for (int i = 0; i < WORKERS; i++)
        while (sem_wait(&at[i].started) != 0) {
        }
    for (int i = 0; i < 20; i++)
        assert_int_equal(np_submit_to_node(executor, 1, leaf, NULL), NP_OK);

    np_stats *stats = snapshot(executor);
    assert_int_equal(np_stats_inbox_depth(stats, 1), 20);
    assert_int_equal(np_stats_inbox_depth(stats, 0), 0);
    assert_int_equal(np_stats_node(stats, 1, NP_COUNTER_SUBMITTED), 20 + WORKERS);
    assert_int_equal(npi_stats_state_count(stats, 1, NPI_WORKER_AWAKE), WORKERS);
    np_stats_destroy(stats);

    np_shutdown_result result;
    assert_int_equal(np_executor_shutdown_within(executor, 0, &result), NP_ERR_TIMEOUT);
    assert_int_equal(result.running, WORKERS);
    for (int i = 0; i < WORKERS; i++)
        sem_post(&at[i].go_on);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);

    stats = snapshot(executor);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_DISCARDED), 20);
    assert_int_equal(np_stats_node(stats, 1, NP_COUNTER_DISCARDED), 20);
    assert_int_equal(executed(stats), WORKERS);
    for (np_node_index node = 0; node < NODES; node++)
        assert_int_equal(npi_stats_state_count(stats, node, NPI_WORKER_ABSENT),
                         stats->worker_count / NODES);
    check_sums(stats);
    np_stats_destroy(stats);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    for (int i = 0; i < WORKERS; i++) {
        sem_destroy(&at[i].started);
        sem_destroy(&at[i].go_on);
    }
}

/* --- while it runs ------------------------------------------------------------------------- */

static void *watch(void *argument)
{
    const np_executor *executor = argument;
    uint64_t last = 0;
    for (int i = 0; i < 100; i++) {
        np_stats *stats = NULL;
        MUST(np_stats_snapshot(executor, &stats) == NP_OK);
        MUST(executed(stats) >= last);
        last = executed(stats);
        np_stats_destroy(stats);
    }
    return NULL;
}

static void snapshots_under_load_never_go_back(void **state)
{
    (void)state;
    np_executor *executor = new_executor(NP_STEAL_ANY);
    pthread_t watcher;
    assert_int_equal(pthread_create(&watcher, NULL, watch, executor), 0);
    for (int i = 0; i < 20 * TASKS; i++)
        assert_int_equal(np_submit_to_node(executor, i % NODES, leaf, NULL), NP_OK);
    assert_int_equal(pthread_join(watcher, NULL), 0);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    np_stats *stats = snapshot(executor);
    assert_int_equal(executed(stats), 20 * TASKS);
    check_sums(stats);
    np_stats_destroy(stats);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- the collector ------------------------------------------------------------------------- */

static void touch_home(void *argument)
{
    np_collector_record(argument, np_current_home(), 10, 640);
}

static void touch_node_3(void *argument)
{
    np_collector_record(argument, 3, 1, 64);
}

static void the_collector_knows_where_its_callers_are(void **state)
{
    (void)state;
    np_executor *executor = new_executor(NP_STEAL_LOCAL_ONLY);
    np_executor *other = new_executor(NP_STEAL_LOCAL_ONLY);
    np_collector *collector = NULL;
    assert_int_equal(np_collector_create(executor, &collector), NP_OK);
    for (np_node_id node = 0; node < NODES; node++) {
        for (int i = 0; i < TASKS; i++) {
            assert_int_equal(np_submit_to_node(executor, node, touch_home, collector), NP_OK);
            assert_int_equal(np_submit_to_node(executor, node, touch_node_3, collector), NP_OK);
            assert_int_equal(np_submit_to_node(other, node, touch_node_3, collector), NP_OK);
        }
    }
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(np_executor_wait_idle(other, NP_FOREVER), NP_OK);
    for (np_node_id node = 0; node < 3; node++) {
        assert_int_equal(np_collector_between(collector, node, node).local, 10 * TASKS);
        np_access_counts to_3 = np_collector_between(collector, node, 3);
        assert_int_equal(to_3.remote, 2 * TASKS);
        assert_int_equal(to_3.remote_bytes, 2 * TASKS * 64);
    }
    np_access_counts all = np_collector_totals(collector);
    assert_int_equal(all.local, NODES * 10 * TASKS + 2 * TASKS);
    assert_int_equal(all.remote, 3 * 2 * TASKS);

    np_collector_record(collector, 77, 5, 5); /* from outside, to a node that is not there */
    assert_int_equal(np_collector_totals(collector).remote, all.remote + 5);

    np_stats *stats = snapshot(executor);
    char text[8192];
    assert_true(np_report_text(stats, collector, text, sizeof text) < sizeof text);
    assert_non_null(strstr(text, "100.0 % at home: excellent"));
    assert_non_null(strstr(text, "Data accesses recorded by the program: 14,405"));
    np_stats_destroy(stats);
    np_collector_destroy(collector);
    assert_int_equal(np_executor_destroy(other), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- the report of the three policies ------------------------------------------------------ */

static void work_on_one_node_is_reported(void **state)
{
    (void)state;
    np_executor *executor = new_executor(NP_STEAL_LOCAL_ONLY);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(np_submit_to_node(executor, 0, leaf, NULL), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    np_stats *stats = snapshot(executor);
    char text[8192];
    assert_true(np_report_text(stats, NULL, text, sizeof text) < sizeof text);
    assert_non_null(strstr(text, "Node 0 ran 300 tasks while the 6 workers of nodes 1, 2 and 3"));
    np_stats_destroy(stats);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_executor_adds_up),
        cmocka_unit_test(a_snapshot_knows_nodes_workers_and_tiers),
        cmocka_unit_test(executors_are_not_mixed_up),
        cmocka_unit_test(bad_arguments_are_named),
        cmocka_unit_test(discarded_tasks_are_counted_and_the_shutdown_survived),
        cmocka_unit_test(snapshots_under_load_never_go_back),
        cmocka_unit_test(the_collector_knows_where_its_callers_are),
        cmocka_unit_test(work_on_one_node_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
