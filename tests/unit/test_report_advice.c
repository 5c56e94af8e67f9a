/*
 * Goal: every rule of the recommendations fires on figures that deserve it, says the numbers it was
 * concluded from, and stays silent just below its threshold and on healthy figures. Method:
 * snapshots built by hand; one table names, for every rule, a healthy snapshot changed until the
 * rule fires.
 */
#include "../support/snapshots.h"

#include <stdio.h>
#include <string.h>

#include "report/advice.h"

static uint32_t rule_index(const char *key)
{
    for (uint32_t i = 0; i < npi_advice_rule_count(); i++)
        if (strcmp(npi_advice_rule_key(i), key) == 0)
            return i;
    fail_msg("no rule %s", key);
    return 0;
}

static bool fires(const np_stats *stats, const np_collector *collector, const char *key,
                  npi_advice *advice)
{
    npi_figures figures;
    npi_figures_take(&figures, stats, collector);
    return npi_advice_get(&figures, rule_index(key), advice);
}

static void expect(np_stats *stats, const np_collector *collector, const char *key,
                   const char *words)
{
    npi_advice advice;
    if (!fires(stats, collector, key, &advice))
        fail_msg("rule %s does not fire", key);
    assert_string_equal(advice.key, key);
    assert_true(strlen(advice.text) < sizeof advice.text - 1);
    if (strstr(advice.text, words) == NULL)
        fail_msg("rule %s says \"%s\", not \"%s\"", key, advice.text, words);
}

static void expect_silence(const np_stats *stats, const np_collector *collector, const char *key)
{
    npi_advice advice;
    if (fires(stats, collector, key, &advice))
        fail_msg("rule %s fires: %s", key, advice.text);
}

static void expect_all_silent(const np_stats *stats, const np_collector *collector)
{
    for (uint32_t i = 0; i < npi_advice_rule_count(); i++)
        expect_silence(stats, collector, npi_advice_rule_key(i));
}

static np_collector *collector_for(const np_stats *stats)
{
    np_node_id ids[64];
    for (uint32_t i = 0; i < stats->node_count; i++)
        ids[i] = stats->nodes[i].id;
    np_collector *collector = NULL;
    assert_int_equal(
        npi_collector_new(NULL, ids, stats->node_count, stats->worker_count, &collector), NP_OK);
    return collector;
}

/* --- silence ------------------------------------------------------------------------------- */

static void healthy_figures_get_no_advice(void **state)
{
    (void)state;
    static const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE,
                                               NP_STEAL_LOCAL_ONLY, NP_STEAL_ANY};
    for (uint32_t nodes = 1; nodes <= 16; nodes *= 2) {
        for (uint32_t workers = 1; workers <= 8; workers *= 2) {
            for (size_t p = 0; p < 3; p++) {
                np_stats *stats = npt_healthy(nodes, workers, 200);
                stats->policy = policies[p];
                np_collector *collector = collector_for(stats);
                expect_all_silent(stats, collector);
                for (uint32_t i = 0; i < nodes; i++)
                    npi_collector_add(collector, i * workers, (np_node_id)i, (np_node_id)i, 1000,
                                      64000);
                expect_all_silent(stats, collector);
                np_collector_destroy(collector);
                np_stats_destroy(stats);
            }
        }
    }
}

static void a_gate_that_refuses_under_balanced_load_is_right(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(4, 2, 1000);
    for (uint32_t w = 0; w < 8; w++)
        npt_add(stats, w, NP_COUNTER_GATE_REFUSED, 5000);
    expect_all_silent(stats, NULL);
    np_stats_destroy(stats);
}

static void a_slow_program_may_sleep_after_every_task(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(1, 2, 500);
    npt_add(stats, 0, NP_COUNTER_PARKS, 500);
    npt_add(stats, 1, NP_COUNTER_PARKS, 500);
    expect(stats, NULL, "small_tasks", "1,050 times");
    stats->end_ns = stats->begin_ns + 3600 * NPT_SECOND;
    expect_all_silent(stats, NULL);
    np_stats_destroy(stats);
}

/* --- nothing ran; nodes without work ------------------------------------------------------- */

static void when_nothing_ran_it_says_why(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(2, 2, 0, 1);
    expect(stats, NULL, "nothing_ran", "No task was submitted");
    stats->nodes[1].outside[NP_COUNTER_SUBMITTED] = 12;
    expect(stats, NULL, "nothing_ran", "Of 12 submitted tasks none has ended");
    stats->nodes[1].queued = 9;
    expect(stats, NULL, "nothing_ran", "waiting: 9");
    npt_ran(stats, 0, 0, 1);
    expect_silence(stats, NULL, "nothing_ran");
    np_stats_destroy(stats);
}

static void local_only_with_all_work_on_one_node(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(4, 2, 0, 1);
    stats->policy = NP_STEAL_LOCAL_ONLY;
    npt_ran(stats, 0, 0, 200);
    npt_ran(stats, 1, 0, 200);
    expect(stats, NULL, "local_only_idle",
           "Node 0 ran 400 tasks while the 6 workers of nodes 1, 2 and 3 executed nothing");
    stats->nodes[0].queued = 30;
    expect(stats, NULL, "local_only_idle",
           "Work on node 0 waits (30 tasks) while the 6 workers of nodes 1, 2 and 3 executed "
           "nothing");
    expect_silence(stats, NULL, "idle_nodes");
    /* Under another policy it is another rule's business. */
    stats->policy = NP_STEAL_ANY;
    expect_silence(stats, NULL, "local_only_idle");
    expect(stats, NULL, "idle_nodes", "Node 0 had 430 tasks while the 6 workers");
    stats->policy = NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE;
    npt_add(stats, 5, NP_COUNTER_GATE_REFUSED, 77);
    expect(stats, NULL, "idle_nodes", "the gate sent 77 looks back");
    np_stats_destroy(stats);

    stats = npt_snapshot(2, 2, 0, 1);
    stats->policy = NP_STEAL_LOCAL_ONLY;
    npt_ran(stats, 0, 0, 8); /* four per worker: too few to speak of */
    expect_silence(stats, NULL, "local_only_idle");
    npt_ran(stats, 1, 0, 1);
    expect(stats, NULL, "local_only_idle", "Node 0 ran 9 tasks");
    np_stats_destroy(stats);
}

static void local_only_with_sleepers_beside_a_queue(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 100);
    stats->policy = NP_STEAL_LOCAL_ONLY;
    stats->workers[2].state = NPI_WORKER_PARKED;
    stats->workers[3].state = NPI_WORKER_PARKED;
    expect_all_silent(stats, NULL);
    stats->nodes[0].queued = 40;
    expect(stats, NULL, "local_only_idle",
           "Work on node 0 waits (40 tasks) while the 2 workers of node 1 slept");
    stats->workers[3].state = NPI_WORKER_AWAKE;
    expect_silence(stats, NULL, "local_only_idle");
    np_stats_destroy(stats);
}

static void local_only_uneven_load(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 100);
    stats->policy = NP_STEAL_LOCAL_ONLY;
    npt_ran(stats, 2, 1, 399);
    expect_silence(stats, NULL, "local_only_uneven");
    npt_ran(stats, 2, 1, 1);
    expect(stats, NULL, "local_only_uneven",
           "Each worker of node 1 had 3.0 times the tasks of one of node 0 (300.0 against 100.0");
    stats->policy = NP_STEAL_ANY;
    expect_silence(stats, NULL, "local_only_uneven");
    np_stats_destroy(stats);
}

static void strict_tasks_wait_beside_sleepers(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 100);
    stats->workers[0].state = NPI_WORKER_PARKED;
    stats->workers[1].state = NPI_WORKER_PARKED;
    stats->nodes[1].queued = 8;
    expect_silence(stats, NULL, "strict_waits");
    stats->nodes[1].queued = 9;
    expect(stats, NULL, "strict_waits",
           "9 tasks waited on node 1 while the 2 workers of node 0 slept");
    stats->policy = NP_STEAL_LOCAL_ONLY;
    expect_silence(stats, NULL, "strict_waits");
    np_stats_destroy(stats);
}

/* --- away from home ------------------------------------------------------------------------ */

/* Node 0's tasks, `away` of 1,000, ran on node 1 for the given reason. */
static np_stats *with_away(uint64_t away, np_counter reason)
{
    np_stats *stats = npt_healthy(2, 2, 250);
    stats->workers[2].value[NP_COUNTER_EXECUTED_HOME] -= away;
    npi_stats_row(stats, 2)[1] -= away;
    npt_ran(stats, 2, 0, away);
    npt_add(stats, 2, reason, away);
    return stats;
}

static void tasks_away_get_advice_by_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        np_counter reason;
        const char *words;
    } cases[] = {
        {"away_backlog", NP_COUNTER_AWAY_BACKLOG,
         "60 of 1,000 tasks (6.0 %) ran away from home, 60 because of backlog; node 0 lost the "
         "most, 60."},
        {"away_age", NP_COUNTER_AWAY_AGE, "60 because a queue had not moved"},
        {"away_any", NP_COUNTER_AWAY_ANY, "submitted with NP_AFFINITY_ANY"},
    };
    for (size_t i = 0; i < 3; i++) {
        np_stats *stats = with_away(50, cases[i].reason);
        expect_all_silent(stats, NULL);
        np_stats_destroy(stats);
        stats = with_away(60, cases[i].reason);
        expect(stats, NULL, cases[i].key, cases[i].words);
        for (size_t other = 0; other < 3; other++)
            if (other != i)
                expect_silence(stats, NULL, cases[other].key);
        np_stats_destroy(stats);
    }
    np_stats *stats = with_away(60, NP_COUNTER_AWAY_ANY);
    stats->policy = NP_STEAL_ANY;
    expect(stats, NULL, "away_any", "use the default policy");
    np_stats_destroy(stats);
}

static void backlog_of_one_node_or_of_all(void **state)
{
    (void)state;
    np_stats *stats = with_away(60, NP_COUNTER_AWAY_BACKLOG);
    expect(stats, NULL, "away_backlog", "Every node was given about as many");
    npt_ran(stats, 0, 0, 2000);
    npt_ran(stats, 2, 0, 200);
    expect(stats, NULL, "away_backlog",
           "260 of 3,200 tasks (8.1 %) ran away from home, 60 because");
    expect(stats, NULL, "away_backlog", "Place part of its data");
    np_stats_destroy(stats);
}

static void steals_across_sockets(void **state)
{
    (void)state;
    np_stats *stats = with_away(100, NP_COUNTER_AWAY_BACKLOG);
    npt_add(stats, 2, NP_COUNTER_STOLEN_REMOTE, 60);
    npt_add(stats, 2, NP_COUNTER_STOLEN_SOCKET, 40);
    expect_silence(stats, NULL, "across_sockets"); /* no node has a neighbour on its socket */
    npi_stats_set_tier(stats, 0, 1, NP_TIER_SOCKET);
    expect(stats, NULL, "across_sockets",
           "Of 100 tasks taken by other nodes 60 crossed to another");
    stats->policy = NP_STEAL_ANY; /* which keeps no order */
    expect_silence(stats, NULL, "across_sockets");
    stats->policy = NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE;
    npt_add(stats, 3, NP_COUNTER_STOLEN_SOCKET, 20);
    expect_silence(stats, NULL, "across_sockets");
    np_stats_destroy(stats);
}

static void a_gate_in_the_way_of_uneven_load(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 100);
    npt_ran(stats, 0, 0, 200);
    npt_add(stats, 2, NP_COUNTER_SEARCHES, 900);
    npt_add(stats, 2, NP_COUNTER_GATE_REFUSED, 499);
    expect_silence(stats, NULL, "gate_refused");
    npt_add(stats, 2, NP_COUNTER_GATE_REFUSED, 1);
    expect(
        stats, NULL, "gate_refused",
        "The gate sent workers back 500 times in 1,000 searches, while each worker of node 0 had "
        "2.0 times");
    np_stats_destroy(stats);
}

/* --- costs --------------------------------------------------------------------------------- */

static void one_worker_does_it_all(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(1, 4, 0, 1);
    npt_ran(stats, 2, 0, 899);
    npt_ran(stats, 0, 0, 101);
    expect_silence(stats, NULL, "one_worker");
    npt_ran(stats, 2, 0, 101);
    expect(stats, NULL, "one_worker", "Worker 2 on node 0 ran 1,000 of 1,101 tasks");
    np_stats_destroy(stats);

    stats = npt_snapshot(2, 1, 0, 1); /* alone on its node: nobody to share with */
    npt_ran(stats, 0, 0, 1000);
    expect_silence(stats, NULL, "one_worker");
    np_stats_destroy(stats);
}

static void small_tasks_blocking_discarding(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(1, 2, 1000);
    npt_add(stats, 0, NP_COUNTER_PARKS, 899);
    expect_silence(stats, NULL, "small_tasks");
    npt_add(stats, 0, NP_COUNTER_PARKS, 1001);
    expect(stats, NULL, "small_tasks",
           "Workers went to sleep 2,000 times and woke others 50 times for 2,000 tasks, 2,000 "
           "times a second");

    npt_add(stats, 1, NP_COUNTER_BLOCKED, 199);
    expect_silence(stats, NULL, "blocked");
    npt_add(stats, 1, NP_COUNTER_BLOCKED, 1);
    expect(stats, NULL, "blocked", "200 times for 2,000 tasks");

    npt_add(stats, 1, NP_COUNTER_DISCARDED, 10);
    expect_silence(stats, NULL, "discarded");
    stats->nodes[0].outside[NP_COUNTER_DISCARDED] = 990;
    expect(stats, NULL, "discarded", "1,000 of 3,000 tasks (33.3 %) were handed back");
    np_stats_destroy(stats);
}

static void forked_children_far_away(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 100);
    npt_add(stats, 0, NP_COUNTER_FORKS_STOLEN_CACHE, 30);
    npt_add(stats, 0, NP_COUNTER_FORKS_STOLEN_NODE, 31);
    npt_add(stats, 0, NP_COUNTER_FORKS_STOLEN_SOCKET, 20);
    npt_add(stats, 0, NP_COUNTER_FORKS_STOLEN_REMOTE, 40);
    expect_silence(stats, NULL, "children_far");
    npt_add(stats, 0, NP_COUNTER_FORKS_STOLEN_REMOTE, 1);
    expect(stats, NULL, "children_far", "61 of 122 forked tasks taken by another worker (50.0 %)");
    npi_advice advice;
    assert_true(fires(stats, NULL, "children_far", &advice));
    assert_null(strstr(advice.text, "loops"));
    npt_add(stats, 0, NP_COUNTER_SLICES_AWAY, 1); /* now there were loops */
    expect(stats, NULL, "children_far", "NP_SCHEDULE_STATIC");
    np_stats_destroy(stats);
}

/* --- data ---------------------------------------------------------------------------------- */

static void data_on_the_wrong_node(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 100);
    np_collector *collector = collector_for(stats);
    npi_collector_add(collector, 0, 0, 0, 850, 0);
    npi_collector_add(collector, 2, 1, 0, 150, 3072);
    expect_all_silent(stats, collector);
    npi_collector_add(collector, 0, 0, 1, 1000, 1024);
    expect(stats, collector, "data_misplaced",
           "1,150 of 2,000 recorded accesses (57.5 %, 4.0 KiB) went to another node, most of them "
           "(1,000) from node 0 to data on node 1, while 100.0 % of the tasks ran at home");
    expect_silence(stats, collector, "data_left_behind");

    npt_ran(stats, 2, 0, 100);
    expect_silence(stats, collector, "data_misplaced");
    expect(stats, collector, "data_left_behind", "and 20.0 % of the tasks ran away from home");

    npi_collector_add(collector, NPI_COLLECTOR_NO_SEAT, 0, 77, 5000, 0);
    expect(stats, collector, "data_left_behind", "from node 0 to data on an unknown node");
    np_collector_destroy(collector);
    np_stats_destroy(stats);
}

static void no_sentence_is_ever_cut(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(64, 4, 100000, 100000);
    np_collector *collector = collector_for(stats);
    for (int policy = 0; policy < 3; policy++) {
        stats->policy = (np_steal_policy)policy;
        for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
            stats->workers[0].value[c] = UINT64_MAX / 4;
        npi_stats_row(stats, 0)[1] = UINT64_MAX / 4;
        stats->nodes[0].queued = UINT64_MAX / 8;
        npi_collector_add(collector, 0, 100000, 200000, UINT64_MAX / 16, UINT64_MAX / 16);
        npi_figures figures;
        npi_figures_take(&figures, stats, collector);
        int fired = 0;
        for (uint32_t i = 0; i < npi_advice_rule_count(); i++) {
            npi_advice advice;
            if (!npi_advice_get(&figures, i, &advice))
                continue;
            fired++;
            size_t length = strlen(advice.text);
            assert_true(length < sizeof advice.text - 1);
            assert_int_equal(advice.text[length - 1], '.');
        }
        assert_true(fired >= 5);
    }
    np_collector_destroy(collector);
    np_stats_destroy(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(healthy_figures_get_no_advice),
        cmocka_unit_test(a_gate_that_refuses_under_balanced_load_is_right),
        cmocka_unit_test(a_slow_program_may_sleep_after_every_task),
        cmocka_unit_test(when_nothing_ran_it_says_why),
        cmocka_unit_test(local_only_with_all_work_on_one_node),
        cmocka_unit_test(local_only_with_sleepers_beside_a_queue),
        cmocka_unit_test(local_only_uneven_load),
        cmocka_unit_test(strict_tasks_wait_beside_sleepers),
        cmocka_unit_test(tasks_away_get_advice_by_their_reason),
        cmocka_unit_test(backlog_of_one_node_or_of_all),
        cmocka_unit_test(steals_across_sockets),
        cmocka_unit_test(a_gate_in_the_way_of_uneven_load),
        cmocka_unit_test(one_worker_does_it_all),
        cmocka_unit_test(small_tasks_blocking_discarding),
        cmocka_unit_test(forked_children_far_away),
        cmocka_unit_test(data_on_the_wrong_node),
        cmocka_unit_test(no_sentence_is_ever_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
