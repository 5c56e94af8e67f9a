/*
 * Goal: the text report is plain ASCII, at most 80 columns wide, adds up and folds beyond 8 nodes;
 * the JSON report is valid and holds the same figures; both count like snprintf. Method:
 * constructed snapshots of 1 to 64 nodes; jansson parses the JSON.
 */
#include "../support/snapshots.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/advice.h"
#include "report/collector.h"

typedef size_t (*report_fn)(const np_stats *stats, const np_collector *collector, char *buffer,
                            size_t capacity);

static char *report_of(report_fn report, const np_stats *stats, const np_collector *collector)
{
    size_t length = report(stats, collector, NULL, 0);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(report(stats, collector, text, length + 1), length);
    assert_int_equal(strlen(text), length);
    return text;
}

static void check_shape(const char *text)
{
    size_t column = 0;
    for (const char *c = text; *c != '\0'; c++) {
        if (*c == '\n') {
            assert_true(c == text || c[-1] != ' ');
            column = 0;
            continue;
        }
        if (++column > 80)
            fail_msg("a line is longer than 80 characters:\n%s", text);
        assert_in_range(*c, 0x20, 0x7e);
    }
    assert_int_equal(column, 0);
}

static void check_contains(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not in:\n%s", part, text);
}

/* Every node ran most of its tasks, its successor a few, and large figures here and there. */
static np_stats *busy(uint32_t nodes, uint32_t per_node)
{
    assert_true(nodes > 0);
    np_stats *stats = npt_healthy(nodes, per_node, 10000);
    for (uint32_t w = 0; w < stats->worker_count; w++) {
        np_node_index own = stats->workers[w].node;
        npt_ran(stats, w, (own + 1) % nodes, 700 + w);
        npt_ran(stats, w, (own + 2) % nodes, w % 3);
        npt_add(stats, w, NP_COUNTER_AWAY_BACKLOG, 700 + w);
        npt_add(stats, w, NP_COUNTER_STOLEN_REMOTE, 700 + w);
        npt_add(stats, w, NP_COUNTER_STOLEN_CACHE, UINT64_C(123456789012));
    }
    return stats;
}

static np_collector *busy_collector(const np_stats *stats)
{
    np_node_id ids[64];
    const np_node_id count = (np_node_id)stats->node_count;
    assert_in_range(count, 1, 64);
    for (uint32_t i = 0; i < stats->node_count; i++)
        ids[i] = stats->nodes[i].id;
    np_collector *collector = NULL;
    assert_int_equal(
        npi_collector_new(NULL, ids, stats->node_count, stats->worker_count, &collector), NP_OK);
    for (uint32_t w = 0; w < stats->worker_count; w++) {
        np_node_id node = np_stats_worker_node(stats, w);
        npi_collector_add(collector, w, node, node, 100000, 6400000);
        npi_collector_add(collector, w, node, node + 1 < count ? node + 1 : 0, 20 + w, 1280);
    }
    npi_collector_add(collector, NPI_COLLECTOR_NO_SEAT, NP_NODE_ID_NONE, 0, 3, 3);
    return collector;
}

static void text_fits_the_terminal_whatever_the_machine(void **state)
{
    (void)state;
    for (uint32_t nodes = 1; nodes <= 64; nodes = nodes < 12 ? nodes + 1 : nodes * 2) {
        np_stats *stats = busy(nodes, 3);
        np_collector *collector = busy_collector(stats);
        char *text = report_of(np_report_text, stats, collector);
        check_shape(text);
        free(text);
        np_collector_destroy(collector);
        np_stats_destroy(stats);
    }
}

static void text_says_the_figures(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 2, 500);
    stats->nodes[1].id = 8;
    npt_ran(stats, 2, 0, 100);
    npt_add(stats, 2, NP_COUNTER_AWAY_BACKLOG, 100);
    npt_add(stats, 2, NP_COUNTER_STOLEN_SOCKET, 100);
    npt_add(stats, 1, NP_COUNTER_DISCARDED, 7);
    stats->nodes[0].queued = 3;
    char *text = report_of(np_report_text, stats, NULL);
    check_shape(text);
    check_contains(text, "policy    local-then-socket-then-remote\n");
    check_contains(text, "workers   4 on 2 nodes, created 1.000 s ago\n");
    check_contains(text, "2,100 executed, 7 discarded, 3 waiting");
    check_contains(text, "95.2 % at home: excellent");
    check_contains(text, "     0       2/2     1000          0     100          7        3");
    check_contains(text, "     8       2/2     1000        100       0          0        0");
    check_contains(text, "       0    1100    1000  90.9 %     100   9.1 %\n");
    check_contains(text, "       8    1000               .    1000 100.0 %\n");
    check_contains(text, "  same socket          100           0\n");
    check_contains(text, "backlog 100, queue stood still 0, free to go 0");
    check_contains(text, "tasks per worker: 500 (worker 0, node 0) to 600 (worker 2, node 8)\n");
    check_contains(text, "none: these figures give no reason");
    free(text);
    np_stats_destroy(stats);
}

static void text_numbers_its_recommendations(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(4, 2, 0, 1);
    stats->policy = NP_STEAL_LOCAL_ONLY;
    npt_ran(stats, 0, 0, 2000);
    npt_add(stats, 0, NP_COUNTER_PARKS, 2000);
    stats->nodes[0].queued = 100;
    char *text = report_of(np_report_text, stats, NULL);
    check_shape(text);
    check_contains(text, "  1. Work on node 0 waits (100 tasks)");
    check_contains(text, "  2. Worker 0 on node 0 ran 2,000 of 2,000 tasks");
    check_contains(text, "  3. Workers went to sleep 2,000 times");
    assert_null(strstr(text, "no reason"));
    free(text);
    np_stats_destroy(stats);
}

/* Spare and guest workers are told of when they have helped, and a worker that blocks. */
static void both_tell_of_helpers(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(2, 3, 500);
    stats->nodes[0].regular_workers = stats->nodes[1].regular_workers = 2;
    stats->workers[1].kind = NP_WORKER_SPARE;
    stats->workers[1].state = NPI_WORKER_ABSENT;
    stats->workers[4].kind = NP_WORKER_GUEST;
    stats->workers[0].state = NPI_WORKER_BLOCKED;
    npt_add(stats, 0, NP_COUNTER_BLOCKED, 12);
    char *text = report_of(np_report_text, stats, NULL);
    check_shape(text);
    check_contains(text, "tasks blocked 12 times; helping: 1 spare worker, 1 guest worker\n");
    free(text);
    text = report_of(np_report_json, stats, NULL);
    check_contains(text, "\"state\":\"blocked\"");
    check_contains(text, "\"state\":\"absent\"");
    free(text);
    np_stats_destroy(stats);
}

/* A node that has no workers and that nothing concerns has no line. */
static void text_leaves_out_what_has_no_part(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(3, 1, 500);
    np_node_index last = 2;
    stats->nodes[last].regular_workers = 0;
    stats->nodes[last].outside[NP_COUNTER_SUBMITTED] = 0;
    stats->nodes[last].id = 77;
    stats->workers[2].kind = NP_WORKER_GUEST;
    memset(stats->workers[2].value, 0, sizeof stats->workers[2].value);
    npi_stats_row(stats, 2)[last] = 0;
    char *text = report_of(np_report_text, stats, NULL);
    check_shape(text);
    check_contains(text, "\n     1       1/1");
    assert_null(strstr(text, "77"));
    free(text);
    np_stats_destroy(stats);
}

static void text_of_an_idle_or_missing_snapshot(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(2, 2, 0, 1);
    char *text = report_of(np_report_text, stats, NULL);
    check_shape(text);
    check_contains(text, "unknown: no task was executed");
    check_contains(text, "No task was submitted");
    free(text);
    np_stats_destroy(stats);

    char buffer[4] = "abc";
    assert_int_equal(np_report_text(NULL, NULL, buffer, sizeof buffer), 0);
    assert_string_equal(buffer, "");
    assert_int_equal(np_report_json(NULL, NULL, buffer, sizeof buffer), 0);
    assert_int_equal(np_report_text(NULL, NULL, NULL, 0), 0);
}

static void a_big_machine_is_folded(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(16, 1, 1000);
    for (uint32_t other = 1; other < 6; other++)
        npt_ran(stats, other, 0, 100 * other);
    char *text = report_of(np_report_text, stats, NULL);
    check_shape(text);
    check_contains(
        text, "       0    2500   40.0 % here; 5: 20.0 %, 4: 16.0 %, 3: 12.0 %, rest: 12.0 %\n");
    check_contains(text, "      15    1000  100.0 % here\n");
    free(text);
    np_stats_destroy(stats);
}

static void both_reports_count_like_snprintf(void **state)
{
    (void)state;
    static const report_fn reports[] = {np_report_text, np_report_json};
    np_stats *stats = busy(3, 2);
    np_collector *collector = busy_collector(stats);
    for (size_t r = 0; r < 2; r++) {
        char *whole = report_of(reports[r], stats, collector);
        size_t length = strlen(whole);
        for (size_t capacity = 1; capacity <= length + 1; capacity += 97) {
            char *part = malloc(capacity); /* exactly as big as promised: the sanitizer watches */
            assert_non_null(part);
            assert_int_equal(reports[r](stats, collector, part, capacity), length);
            assert_int_equal(strlen(part), capacity - 1);
            assert_memory_equal(part, whole, capacity - 1);
            free(part);
        }
        free(whole);
    }
    np_collector_destroy(collector);
    np_stats_destroy(stats);
}

/* --- JSON ---------------------------------------------------------------------------------- */

static json_t *parse(const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL)
        fail_msg("line %d, column %d: %s\n%s", error.line, error.column, error.text, text);
    return root;
}

static json_int_t integer(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        fail_msg("%s is not an integer", key);
    return json_integer_value(value);
}

static void json_holds_every_figure(void **state)
{
    (void)state;
    np_stats *stats = busy(3, 2);
    stats->nodes[2].id = 252;
    stats->nodes[1].queued = 17;
    stats->workers[5].kind = NP_WORKER_GUEST;
    np_collector *collector = busy_collector(stats);
    char *text = report_of(np_report_json, stats, collector);
    json_t *root = parse(text);
    assert_int_equal(integer(root, "executed"),
                     np_stats_total(stats, NP_COUNTER_EXECUTED_HOME) +
                         np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY));
    assert_int_equal(integer(root, "queued"), 17);
    assert_int_equal(integer(root, "elapsed_ns"), NPT_SECOND);
    double locality = json_number_value(json_object_get(root, "locality"));
    assert_true(locality > np_stats_locality(stats) - 1e-6);
    assert_true(locality < np_stats_locality(stats) + 1e-6);
    assert_string_equal(json_string_value(json_object_get(root, "health")),
                        np_health_name(np_stats_health(stats)));

    const json_t *totals = json_object_get(root, "totals");
    const json_t *nodes = json_object_get(root, "nodes");
    const json_t *workers = json_object_get(root, "workers");
    assert_int_equal(json_array_size(nodes), 3);
    assert_int_equal(json_array_size(workers), 6);
    assert_int_equal(integer(json_array_get(nodes, 2), "id"), 252);
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++) {
        const char *key = np_counter_key((np_counter)c);
        assert_int_equal(integer(totals, key), np_stats_total(stats, (np_counter)c));
        for (size_t i = 0; i < 3; i++)
            assert_int_equal(integer(json_array_get(nodes, i), key),
                             np_stats_node(stats, stats->nodes[i].id, (np_counter)c));
        for (size_t w = 0; w < 6; w++)
            assert_int_equal(integer(json_array_get(workers, w), key),
                             np_stats_worker(stats, (uint32_t)w, (np_counter)c));
    }
    assert_string_equal(json_string_value(json_object_get(json_array_get(workers, 5), "kind")),
                        "guest");

    json_int_t sum = 0;
    size_t i;
    const json_t *pair;
    json_array_foreach(json_object_get(root, "matrix"), i, pair)
    {
        assert_int_equal(integer(pair, "tasks"),
                         np_stats_matrix(stats, (np_node_id)integer(pair, "home"),
                                         (np_node_id)integer(pair, "ran")));
        sum += integer(pair, "tasks");
    }
    assert_int_equal(sum, integer(root, "executed"));

    np_access_counts access = np_collector_totals(collector);
    const json_t *accesses = json_object_get(root, "accesses");
    assert_int_equal(integer(accesses, "local"), access.local);
    assert_int_equal(integer(accesses, "remote"), access.remote);
    assert_int_equal(integer(accesses, "local_bytes"), access.local_bytes);
    sum = 0;
    json_array_foreach(json_object_get(accesses, "matrix"), i, pair)
        sum += integer(pair, "accesses");
    assert_int_equal(sum, access.local + access.remote);
    json_decref(root);
    free(text);
    np_collector_destroy(collector);
    np_stats_destroy(stats);
}

static void json_holds_the_same_recommendations_as_the_rules(void **state)
{
    (void)state;
    np_stats *stats = busy(2, 2);
    npi_figures figures;
    npi_figures_take(&figures, stats, NULL);
    char *text = report_of(np_report_json, stats, NULL);
    json_t *root = parse(text);
    const json_t *list = json_object_get(root, "recommendations");
    size_t at = 0;
    for (uint32_t i = 0; i < npi_advice_rule_count(); i++) {
        npi_advice advice;
        if (!npi_advice_get(&figures, i, &advice))
            continue;
        const json_t *entry = json_array_get(list, at++);
        assert_string_equal(json_string_value(json_object_get(entry, "key")), advice.key);
        assert_string_equal(json_string_value(json_object_get(entry, "text")), advice.text);
    }
    assert_true(at > 0);
    assert_int_equal(json_array_size(list), at);
    assert_true(json_is_null(json_object_get(root, "accesses")));
    json_decref(root);
    free(text);
    np_stats_destroy(stats);
}

static void json_of_nothing_has_nulls(void **state)
{
    (void)state;
    np_stats *stats = npt_snapshot(2, 1, 0, 1);
    np_collector *collector = NULL;
    static const np_node_id ids[] = {0, 1};
    assert_int_equal(npi_collector_new(NULL, ids, 2, 2, &collector), NP_OK);
    char *text = report_of(np_report_json, stats, collector);
    json_t *root = parse(text);
    assert_true(json_is_null(json_object_get(root, "locality")));
    assert_true(json_is_null(json_object_get(json_object_get(root, "accesses"), "locality")));
    assert_string_equal(json_string_value(json_object_get(root, "health")), "unknown");
    assert_int_equal(json_array_size(json_object_get(root, "matrix")), 0);
    json_decref(root);
    free(text);
    np_collector_destroy(collector);
    np_stats_destroy(stats);
}

/* --- health -------------------------------------------------------------------------------- */

static void health_has_documented_borders(void **state)
{
    (void)state;
    assert_int_equal(np_health_of_ratio(1.0), NP_HEALTH_EXCELLENT);
    assert_int_equal(np_health_of_ratio(0.95), NP_HEALTH_EXCELLENT);
    assert_int_equal(np_health_of_ratio(0.9499), NP_HEALTH_GOOD);
    assert_int_equal(np_health_of_ratio(0.85), NP_HEALTH_GOOD);
    assert_int_equal(np_health_of_ratio(0.8499), NP_HEALTH_FAIR);
    assert_int_equal(np_health_of_ratio(0.70), NP_HEALTH_FAIR);
    assert_int_equal(np_health_of_ratio(0.6999), NP_HEALTH_POOR);
    assert_int_equal(np_health_of_ratio(0.0), NP_HEALTH_POOR);
    assert_int_equal(np_health_of_ratio(-1.0), NP_HEALTH_UNKNOWN);
    double not_a_number = 0.0 * (1e308 * 10.0);
    assert_int_equal(np_health_of_ratio(not_a_number), NP_HEALTH_UNKNOWN);
    assert_string_equal(np_health_name(NP_HEALTH_POOR), "poor");
    assert_string_equal(np_health_name((np_health)99), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_fits_the_terminal_whatever_the_machine),
        cmocka_unit_test(text_says_the_figures),
        cmocka_unit_test(text_numbers_its_recommendations),
        cmocka_unit_test(text_of_an_idle_or_missing_snapshot),
        cmocka_unit_test(a_big_machine_is_folded),
        cmocka_unit_test(both_reports_count_like_snprintf),
        cmocka_unit_test(both_tell_of_helpers),
        cmocka_unit_test(text_leaves_out_what_has_no_part),
        cmocka_unit_test(json_holds_every_figure),
        cmocka_unit_test(json_holds_the_same_recommendations_as_the_rules),
        cmocka_unit_test(json_of_nothing_has_nulls),
        cmocka_unit_test(health_has_documented_borders),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
