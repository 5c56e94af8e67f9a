/*
 * Goal: numbers in reports read right at every size, shares are never rounded into a lie, text
 * wraps. Method: tables of values around each change of form.
 */
#include "../support/snapshots.h"

#include <stdio.h>
#include <string.h>

#include "report/words.h"

static void counts_have_thousands(void **state)
{
    (void)state;
    assert_string_equal(npi_count_word(0).text, "0");
    assert_string_equal(npi_count_word(999).text, "999");
    assert_string_equal(npi_count_word(1000).text, "1,000");
    assert_string_equal(npi_count_word(123456).text, "123,456");
    assert_string_equal(npi_count_word(UINT64_MAX).text, "18,446,744,073,709,551,615");
}

static void column_numbers_fit_seven_characters(void **state)
{
    (void)state;
    assert_string_equal(npi_short_word(9999999).text, "9999999");
    assert_string_equal(npi_short_word(10000000).text, "10.00M");
    assert_string_equal(npi_short_word(999999999).text, "999.9M");
    assert_string_equal(npi_short_word(1234567890).text, "1.234G");
    for (uint64_t value = 1; value != 0; value = value > UINT64_MAX / 3 ? 0 : value * 3) {
        assert_true(strlen(npi_short_word(value).text) <= 7);
        assert_true(strlen(npi_short_word(value - 1).text) <= 7);
    }
    assert_string_equal(npi_short_word(UINT64_MAX).text, "18.44E");
}

static void shares_are_not_rounded_to_all_or_nothing(void **state)
{
    (void)state;
    assert_string_equal(npi_percent_word(0, 0).text, "-");
    assert_string_equal(npi_percent_word(0, 5).text, "0.0 %");
    assert_string_equal(npi_percent_word(1, 1000000).text, "0.1 %");
    assert_string_equal(npi_percent_word(974, 1000).text, "97.4 %");
    assert_string_equal(npi_percent_word(999999, 1000000).text, "99.9 %");
    assert_string_equal(npi_percent_word(5, 5).text, "100.0 %");
}

static void other_forms(void **state)
{
    (void)state;
    assert_string_equal(npi_decimal_word(2.66).text, "2.7");
    assert_string_equal(npi_decimal_word(0.96).text, "1.0");
    assert_string_equal(npi_ratio_word(0.974).text, "0.974000");
    assert_string_equal(npi_ratio_word(1.0).text, "1.000000");
    assert_string_equal(npi_duration_word(350).text, "350 ns");
    assert_string_equal(npi_duration_word(12045).text, "12.0 us");
    assert_string_equal(npi_duration_word(7500000).text, "7.5 ms");
    assert_string_equal(npi_duration_word(UINT64_C(61204000000)).text, "61.204 s");
    assert_string_equal(npi_plural_word(1, "task").text, "1 task");
    assert_string_equal(npi_plural_word(1600, "task").text, "1,600 tasks");
    assert_string_equal(npi_plural_word(0, "search").text, "0 searches");
    assert_string_equal(npi_plural_word(2, "access").text, "2 accesses");
    assert_string_equal(npi_plural_word(UINT64_MAX, "task").text, "18.44E tasks");
}

static bool below(const np_stats *stats, np_node_index node, const void *context)
{
    (void)stats;
    return node < *(const uint32_t *)context;
}

static void lists_of_nodes_are_named_or_folded(void **state)
{
    (void)state;
    static const struct {
        uint32_t marked;
        const char *text;
    } cases[] = {
        {1, "node 3"},
        {2, "nodes 3 and 8"},
        {3, "nodes 3, 8 and 13"},
        {5, "nodes 3, 8, 13, 18 and 23"},
        {6, "nodes 3, 8, 13, 18 and 2 more"},
        {12, "nodes 3, 8, 13, 18 and 8 more"},
    };
    np_stats *stats = npt_snapshot(12, 1, 3, 5);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buffer[100];
        npi_text text;
        npi_text_begin(&text, buffer, sizeof buffer);
        npi_text_add_nodes(&text, stats, below, &cases[i].marked);
        assert_string_equal(buffer, cases[i].text);
    }
    np_stats_destroy(stats);
}

static void text_wraps_between_words(void **state)
{
    (void)state;
    char buffer[200];
    npi_text text;
    npi_text_begin(&text, buffer, sizeof buffer);
    npi_text_add_wrapped(&text, "  1. ", "one two  three four", 13);
    assert_string_equal(buffer, "  1. one two\n     three\n     four\n");
    npi_text_begin(&text, buffer, sizeof buffer);
    npi_text_add_wrapped(&text, "> ", "averylongwordthatcannotbreak x", 10);
    assert_string_equal(buffer, "> averylongwordthatcannotbreak\n  x\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_have_thousands),
        cmocka_unit_test(column_numbers_fit_seven_characters),
        cmocka_unit_test(shares_are_not_rounded_to_all_or_nothing),
        cmocka_unit_test(other_forms),
        cmocka_unit_test(lists_of_nodes_are_named_or_folded),
        cmocka_unit_test(text_wraps_between_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
