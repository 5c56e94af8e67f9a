/*
 * Goal: the report says how many bytes were touched at home, how many from afar and why, and its
 * recommendations about data fire on figures that deserve them and on no others. Method: snapshots
 * built by hand, as text and as JSON.
 */
#include "../support/snapshots.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/advice.h"

enum { NODES = 3 };

static const uint64_t mebibyte = (uint64_t)1 << 20;

/* `tasks` of a home that ran on `ran` with so many bytes on `data`. */
static void touched(np_stats *stats, np_node_index home, np_node_index ran, np_node_index data,
                    uint64_t tasks, uint64_t bytes, np_counter counter)
{
    npi_data_sum cell = {.home = home, .ran = ran, .data = data, .sum = {tasks, bytes}};
    assert_true(npi_data_cube_add_cell(&stats->data, &cell));
    npt_add(stats, ran, NP_COUNTER_DATA_TASKS, tasks);
    npt_add(stats, ran, counter, bytes);
}

static np_stats *healthy(uint64_t tasks)
{
    np_stats *stats = npt_healthy(NODES, 1, 500);
    for (np_node_index node = 0; node < NODES; node++)
        touched(stats, node, node, node, tasks, 100 * mebibyte, NP_COUNTER_DATA_LOCAL);
    return stats;
}

static char *text_of(const np_stats *stats)
{
    size_t length = np_report_text(stats, NULL, NULL, 0);
    char *text = malloc(length + 1);
    assert_non_null(text);
    assert_int_equal(np_report_text(stats, NULL, text, length + 1), length);
    size_t column = 0;
    for (const char *at = text; *at != '\0'; at++) {
        column = *at == '\n' ? 0 : column + 1;
        if (column > 80)
            fail_msg("more than 80 columns: %.90s", at - 80);
    }
    return text;
}

static void expect_words(const np_stats *stats, const char *words)
{
    char *text = text_of(stats);
    if (strstr(text, words) == NULL)
        fail_msg("no \"%s\" in\n%s", words, text);
    free(text);
}

static void text_says_where_bytes_were_touched(void **state)
{
    (void)state;
    np_stats *stats = healthy(300);
    touched(stats, 1, 0, 1, 50, 7 * mebibyte, NP_COUNTER_DATA_BACKLOG);
    touched(stats, 1, 2, 1, 10, 3 * mebibyte, NP_COUNTER_DATA_ANY);
    npt_add(stats, 0, NP_COUNTER_DATA_SPREAD, 5 * mebibyte);
    npt_add(stats, 0, NP_COUNTER_DATA_UNKNOWN, mebibyte / 2);
    npt_add(stats, 0, NP_COUNTER_DATA_CALLS, 12);
    expect_words(stats, "Data of tasks: 310 MiB of 960 tasks\n");
    expect_words(stats, "  96.8 % of the bytes touched at home: excellent\n");
    expect_words(stats, "  from afar: backlog 7.0 MiB, queue stood still 0 B\n");
    expect_words(stats, "  from afar: free to go 3.0 MiB, node gone 0 B\n");
    expect_words(stats, "  besides: on further nodes 5.0 MiB, unknown where 512 KiB\n");
    expect_words(stats, "  the kernel was asked 12 times\n");
    expect_words(stats, "     ran   bytes               0               1               2\n");
    char *text = text_of(stats);
    assert_null(strstr(text, "no worker there")); /* what did not happen is left out */
    free(text);
    np_stats_destroy(stats);
}

static void without_data_there_is_no_section(void **state)
{
    (void)state;
    np_stats *stats = npt_healthy(NODES, 1, 500);
    char *text = text_of(stats);
    assert_null(strstr(text, "Data of tasks"));
    assert_true(np_stats_data_locality(stats) == -1.0);
    free(text);
    np_stats_destroy(stats);
}

static void text_fits_with_huge_figures_and_many_nodes(void **state)
{
    (void)state;
    for (uint32_t nodes = 1; nodes <= 32; nodes *= 2) {
        np_stats *stats = npt_healthy(nodes, 1, 10);
        for (np_node_index ran = 0; ran < nodes; ran++)
            for (np_node_index data = 0; data < nodes; data++)
                touched(stats, data, ran, data, 1000, (uint64_t)999 << 30,
                        ran == data ? NP_COUNTER_DATA_LOCAL : NP_COUNTER_DATA_AGE);
        for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_UNKNOWN; c++)
            npt_add(stats, 0, (np_counter)c, UINT64_MAX / 64);
        free(text_of(stats));
        np_stats_destroy(stats);
    }
}

static void json_has_every_cell(void **state)
{
    (void)state;
    np_stats *stats = healthy(300);
    stats->nodes[2].id = 252;
    touched(stats, 1, 0, 1, 50, 7 * mebibyte, NP_COUNTER_DATA_BACKLOG);
    size_t length = np_report_json(stats, NULL, NULL, 0);
    char *text = malloc(length + 1);
    assert_non_null(text);
    np_report_json(stats, NULL, text, length + 1);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    const json_t *data = json_object_get(root, "data");
    assert_int_equal(json_integer_value(json_object_get(data, "tasks")), 950);
    assert_int_equal(json_integer_value(json_object_get(data, "bytes")), 307 * mebibyte);
    assert_string_equal(json_string_value(json_object_get(data, "health")), "excellent");
    const json_t *cells = json_object_get(data, "matrix");
    assert_int_equal(json_array_size(cells), 4);
    uint64_t bytes = 0;
    size_t i;
    const json_t *cell;
    json_array_foreach(cells, i, cell)
    {
        np_data_sum sum = np_stats_data(
            stats, (np_node_id)json_integer_value(json_object_get(cell, "home")),
            (np_node_id)json_integer_value(json_object_get(cell, "ran")),
            (np_node_id)json_integer_value(json_object_get(cell, "data")));
        assert_int_equal(json_integer_value(json_object_get(cell, "tasks")), sum.tasks);
        assert_int_equal(json_integer_value(json_object_get(cell, "bytes")), sum.bytes);
        bytes += sum.bytes;
    }
    assert_int_equal(bytes, 307 * mebibyte);
    assert_int_equal(
        json_integer_value(json_object_get(json_object_get(root, "totals"), "data_backlog")),
        7 * mebibyte);
    json_decref(root);
    free(text);
    np_stats_destroy(stats);
}

/* --- recommendations ------------------------------------------------------------------------- */

static bool fires(const np_stats *stats, const char *key, npi_advice *advice)
{
    npi_figures figures;
    npi_figures_take(&figures, stats, NULL);
    for (uint32_t i = 0; i < npi_advice_rule_count(); i++)
        if (strcmp(npi_advice_rule_key(i), key) == 0)
            return npi_advice_get(&figures, i, advice);
    fail_msg("no rule %s", key);
    return false;
}

static void each_rule_fires_above_its_threshold(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        np_counter counter;
        np_node_index home, ran, data;
        uint64_t quiet, loud; /* MiB beside 300 at home */
        const char *words;
    } cases[] = {
        {"data_stolen", NP_COUNTER_DATA_BACKLOG, 1, 0, 1, 50, 60,
         "60.0 MiB of 360 MiB of the tasks' data (16.7 %) were touched from another node by tasks "
         "that left home, most of node 1. Its workers had more"},
        {"data_stolen", NP_COUNTER_DATA_AGE, 2, 0, 2, 50, 60,
         "most of node 2. Its queue had not moved"},
        {"data_stolen", NP_COUNTER_DATA_ANY, 2, 1, 2, 50, 60, "They were free to go"},
        {"data_no_worker", NP_COUNTER_DATA_NO_WORKER, 0, 0, 2, 50, 60,
         "lie on nodes without workers, most on node 2"},
        {"data_sent", NP_COUNTER_DATA_SENT, 0, 0, 1, 50, 60,
         "belong to tasks that were sent to another node (to_node), most to node 1's data"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        npi_advice advice;
        np_stats *stats = healthy(100);
        assert_false(fires(stats, cases[i].key, &advice));
        touched(stats, cases[i].home, cases[i].ran, cases[i].data, 10, cases[i].quiet * mebibyte,
                cases[i].counter);
        assert_false(fires(stats, cases[i].key, &advice));
        touched(stats, cases[i].home, cases[i].ran, cases[i].data, 10,
                (cases[i].loud - cases[i].quiet) * mebibyte, cases[i].counter);
        assert_true(fires(stats, cases[i].key, &advice));
        if (strstr(advice.text, cases[i].words) == NULL)
            fail_msg("%s says \"%s\"", cases[i].key, advice.text);
        np_stats_destroy(stats);
    }
    /* A handful of tasks is no evidence. */
    np_stats *few = healthy(10);
    npi_advice advice;
    touched(few, 1, 0, 1, 10, 200 * mebibyte, NP_COUNTER_DATA_BACKLOG);
    assert_false(fires(few, "data_stolen", &advice));
    np_stats_destroy(few);
}

static void what_no_choice_can_help(void **state)
{
    (void)state;
    npi_advice advice;
    np_stats *stats = healthy(100);
    npt_add(stats, 0, NP_COUNTER_DATA_SPREAD, 300 * mebibyte);
    assert_false(fires(stats, "data_spread", &advice));
    npt_add(stats, 0, NP_COUNTER_DATA_SPREAD, mebibyte);
    assert_true(fires(stats, "data_spread", &advice));
    assert_non_null(strstr(advice.text, "301 MiB of 601 MiB of the tasks' data (50.1 %)"));
    np_stats_destroy(stats);

    stats = healthy(100);
    npt_add(stats, 0, NP_COUNTER_DATA_UNKNOWN, 100 * mebibyte);
    assert_false(fires(stats, "data_unknown", &advice));
    npt_add(stats, 0, NP_COUNTER_DATA_UNKNOWN, mebibyte);
    npt_add(stats, 0, NP_COUNTER_DATA_CALLS, 1);
    assert_true(fires(stats, "data_unknown", &advice));
    assert_non_null(strstr(advice.text, "(1 time asked)"));
    np_stats_destroy(stats);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_says_where_bytes_were_touched),
        cmocka_unit_test(without_data_there_is_no_section),
        cmocka_unit_test(text_fits_with_huge_figures_and_many_nodes),
        cmocka_unit_test(json_has_every_cell),
        cmocka_unit_test(each_rule_fires_above_its_threshold),
        cmocka_unit_test(what_no_choice_can_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
