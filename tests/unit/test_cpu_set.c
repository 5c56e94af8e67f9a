/*
 * Goal: the CPU set is a set, prints the kernel's list format and reads exactly that. Method: edges
 * of words and of the capacity by hand, laws of algebra and print-then-parse on seeded random
 * sets, tables of good and malformed texts.
 */
#include <stdio.h>

#include <numaperf/affinity.h>

#include "unit.h"

static const int32_t edges[] = {0, 1, 63, 64, 65, 127, 128, 4095, 4096, 8190, 8191};
#define EDGES (sizeof edges / sizeof edges[0])

static uint64_t seed = UINT64_C(0x9e3779b97f4a7c15);

static uint64_t next_random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

/* Dense or sparse, sometimes with long runs. */
static np_cpu_set random_set(void)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    uint32_t runs = (uint32_t)(next_random() % 40u);
    for (uint32_t i = 0; i < runs; i++) {
        int32_t first = (int32_t)(next_random() % NP_CPU_SET_CAPACITY);
        int32_t length = (int32_t)(next_random() % 150u);
        for (int32_t cpu = first; cpu < first + length; cpu++)
            (void)np_cpu_set_add(&set, cpu);
    }
    return set;
}

static void adds_and_removes_at_the_edges(void **state)
{
    (void)state;
    np_cpu_set set;
    memset(&set, 0xff, sizeof set);
    np_cpu_set_clear(&set);
    assert_true(np_cpu_set_is_empty(&set));
    assert_int_equal(np_cpu_set_first(&set), NP_CPU_NONE);
    for (size_t i = 0; i < EDGES; i++) {
        assert_false(np_cpu_set_contains(&set, edges[i]));
        assert_true(np_cpu_set_add(&set, edges[i]));
        assert_true(np_cpu_set_contains(&set, edges[i]));
        assert_int_equal(np_cpu_set_count(&set), i + 1);
    }
    int32_t cpu = np_cpu_set_first(&set);
    for (size_t i = 0; i < EDGES; i++) {
        assert_int_equal(cpu, edges[i]);
        cpu = np_cpu_set_next(&set, cpu);
    }
    assert_int_equal(cpu, NP_CPU_NONE);
    for (size_t i = 0; i < EDGES; i++)
        np_cpu_set_remove(&set, edges[i]);
    assert_true(np_cpu_set_is_empty(&set));
}

static void refuses_numbers_outside_the_capacity(void **state)
{
    (void)state;
    np_cpu_set set;
    np_cpu_set_clear(&set);
    const int32_t outside[] = {-1, INT32_MIN, 8192, INT32_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(np_cpu_set_add(&set, outside[i]));
        assert_false(np_cpu_set_contains(&set, outside[i]));
        np_cpu_set_remove(&set, outside[i]);
    }
    assert_true(np_cpu_set_is_empty(&set));
    assert_true(np_cpu_set_add(&set, 7));
    assert_int_equal(np_cpu_set_next(&set, -5), 7);
    assert_int_equal(np_cpu_set_next(&set, 8191), NP_CPU_NONE);
    assert_int_equal(np_cpu_set_next(&set, INT32_MAX), NP_CPU_NONE);
}

static void obeys_the_laws_of_sets(void **state)
{
    (void)state;
    print_message("seed %llx\n", (unsigned long long)seed);
    for (int round = 0; round < 200; round++) {
        np_cpu_set a = random_set();
        np_cpu_set b = random_set();
        np_cpu_set both, any, only_a, again;
        np_cpu_set_and(&both, &a, &b);
        np_cpu_set_or(&any, &a, &b);
        np_cpu_set_and_not(&only_a, &a, &b);
        np_cpu_set_or(&again, &only_a, &both);
        assert_true(np_cpu_set_equal(&again, &a));
        assert_true(np_cpu_set_is_subset(&both, &b));
        assert_true(np_cpu_set_is_subset(&a, &any));
        assert_int_equal(np_cpu_set_count(&any) + np_cpu_set_count(&both),
                         np_cpu_set_count(&a) + np_cpu_set_count(&b));
        if (!np_cpu_set_is_empty(&only_a))
            assert_false(np_cpu_set_is_subset(&a, &b));
        np_cpu_set_and(&a, &a, &a); /* the output may be an input */
        assert_true(np_cpu_set_equal(&again, &a));
    }
}

static void iterates_over_every_member_once(void **state)
{
    (void)state;
    for (int round = 0; round < 50; round++) {
        np_cpu_set set = random_set();
        uint32_t seen = 0;
        int32_t last = -1;
        for (int32_t cpu = np_cpu_set_first(&set); cpu != NP_CPU_NONE;
             cpu = np_cpu_set_next(&set, cpu)) {
            assert_true(cpu > last && np_cpu_set_contains(&set, cpu));
            last = cpu;
            seen++;
        }
        assert_int_equal(seen, np_cpu_set_count(&set));
    }
}

/* --- text -------------------------------------------------------------------------------- */

static const struct {
    const char *text;
    const char *printed;
} good[] = {
    {"", ""},
    {" \n", ""},
    {"0", "0"},
    {"0-3,8", "0-3,8"},
    {"8,0-3", "0-3,8"},
    {"3,2,1,0", "0-3"},
    {"0-1,2-3", "0-3"},
    {"5-5", "5"},
    {"0-3,1-2", "0-3"},
    {" 0-3,8\n", "0-3,8"},
    {"\t1 ", "1"},
    {"10-14:2", "10,12,14"},
    {"0-31:2/4", "0-1,4-5,8-9,12-13,16-17,20-21,24-25,28-29"},
    {"0-7:4/4", "0-7"},
    {"0-6:1/3", "0,3,6"},
    {"0-3:100", "0"},
    {"8191", "8191"},
    {"0-8191", "0-8191"},
    {"007", "7"},
};

static void reads_the_kernel_s_format(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        np_cpu_set set;
        char text[128];
        memset(&set, 0xff, sizeof set);
        if (np_cpu_set_parse(good[i].text, &set) != NP_OK)
            fail_msg("\"%s\": %s", good[i].text, np_error_detail());
        assert_int_equal(np_cpu_set_print(&set, text, sizeof text), strlen(good[i].printed));
        assert_string_equal(text, good[i].printed);
    }
}

static const struct {
    const char *text;
    np_status status;
    const char *detail;
} bad[] = {
    {"x", NP_ERR_PARSE, "expected a CPU number at byte 0, found \"x\""},
    {"-1", NP_ERR_PARSE, "expected a CPU number at byte 0"},
    {"1-", NP_ERR_PARSE, "expected the range's last CPU at byte 2, where it ends"},
    {"1--2", NP_ERR_PARSE, "expected the range's last CPU at byte 2"},
    {"3-1", NP_ERR_PARSE, "not below the range's first at byte 2, found \"1\""},
    {"1,", NP_ERR_PARSE, "expected a CPU number at byte 2, where it ends"},
    {",1", NP_ERR_PARSE, "byte 0"},
    {"1,,2", NP_ERR_PARSE, "byte 2"},
    {"1 2", NP_ERR_PARSE, "expected ',' or the end at byte 2"},
    {"1, 2", NP_ERR_PARSE, "byte 2"},
    {"1:2", NP_ERR_PARSE, "expected ',' or the end at byte 1"},
    {"0-3:", NP_ERR_PARSE, "expected a number after ':' at byte 4"},
    {"0-3:0", NP_ERR_PARSE, "above 0 at byte 4"},
    {"0-3:0/4", NP_ERR_PARSE, "above 0 at byte 4"},
    {"0-3:1/0", NP_ERR_PARSE, "above 0 at byte 4"},
    {"0-3:1/", NP_ERR_PARSE, "expected a number after '/' at byte 6"},
    {"0-3:3/2", NP_ERR_PARSE, "at most as many CPUs as the group has"},
    {"0x1", NP_ERR_PARSE, "byte 1"},
    {"all", NP_ERR_PARSE, "found \"all\""},
    {"1.5", NP_ERR_PARSE, "byte 1"},
    {"\x01\x7f\xff", NP_ERR_PARSE, "found \"???\""},
    {"8192", NP_ERR_LIMIT, "\"8192\" at byte 0 is above the limit of 8191"},
    {"0-8192", NP_ERR_LIMIT, "byte 2"},
    {"99999999999999999999999999", NP_ERR_LIMIT, "byte 0"},
    {"0-3:99999999999999999999", NP_ERR_LIMIT, "byte 4"},
    {"4294967296", NP_ERR_LIMIT, "byte 0"},
};

static void names_the_place_of_every_mistake(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        np_cpu_set set;
        np_cpu_set untouched;
        memset(&set, 0xa5, sizeof set);
        untouched = set;
        unit_expect_failure(np_cpu_set_parse(bad[i].text, &set), bad[i].status, bad[i].detail);
        assert_memory_equal(&set, &untouched, sizeof set);
    }
    np_cpu_set set;
    unit_expect_failure(np_cpu_set_parse(NULL, &set), NP_ERR_INVALID_ARGUMENT, "text is NULL");
    unit_expect_failure(np_cpu_set_parse("1", NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
}

/* A message stays one readable line, however long and dirty the text is. */
static void shows_only_an_excerpt_of_long_text(void **state)
{
    (void)state;
    char text[4096];
    memset(text, 2, sizeof text - 1);
    text[0] = '7';
    text[sizeof text - 1] = '\0';
    np_cpu_set set;
    assert_int_equal(np_cpu_set_parse(text, &set), NP_ERR_PARSE);
    assert_true(strlen(np_error_detail()) < 200);
    for (const char *c = np_error_detail(); *c != '\0'; c++)
        assert_true(*c >= ' ' && *c <= '~');
}

static void prints_like_snprintf(void **state)
{
    (void)state;
    np_cpu_set set;
    char text[16];
    assert_int_equal(np_cpu_set_parse("0-3,8,100-200", &set), NP_OK);
    const char *whole = "0-3,8,100-200";
    assert_int_equal(np_cpu_set_print(&set, NULL, 0), strlen(whole));
    for (size_t capacity = 0; capacity <= sizeof text; capacity++) {
        memset(text, '#', sizeof text);
        assert_int_equal(np_cpu_set_print(&set, text, capacity), strlen(whole));
        size_t kept = capacity == 0 ? 0 : capacity - 1;
        kept = kept > strlen(whole) ? strlen(whole) : kept;
        assert_memory_equal(text, whole, kept);
        if (capacity > 0)
            assert_int_equal(text[kept], '\0');
        for (size_t i = capacity; i < sizeof text; i++)
            assert_int_equal(text[i], '#');
    }
}

static void reads_back_what_it_prints(void **state)
{
    (void)state;
    print_message("seed %llx\n", (unsigned long long)seed);
    static char text[65536];
    for (int round = 0; round < 200; round++) {
        np_cpu_set set = random_set();
        np_cpu_set back;
        assert_true(np_cpu_set_print(&set, text, sizeof text) < sizeof text);
        assert_int_equal(np_cpu_set_parse(text, &back), NP_OK);
        assert_true(np_cpu_set_equal(&set, &back));
    }
    np_cpu_set alternate;
    np_cpu_set back;
    assert_int_equal(np_cpu_set_parse("0-8191:2", &alternate), NP_OK);
    assert_int_equal(np_cpu_set_count(&alternate), 4096);
    assert_true(np_cpu_set_print(&alternate, text, sizeof text) < sizeof text);
    assert_int_equal(np_cpu_set_parse(text, &back), NP_OK);
    assert_true(np_cpu_set_equal(&alternate, &back));
}

/* Random text from the alphabet of the format never crashes and never half succeeds. */
static void survives_random_text(void **state)
{
    (void)state;
    static const char alphabet[] = "0123456789,-:/ \n";
    print_message("seed %llx\n", (unsigned long long)seed);
    for (int round = 0; round < 20000; round++) {
        char text[24];
        size_t length = next_random() % sizeof text;
        for (size_t i = 0; i < length; i++)
            text[i] = alphabet[next_random() % (sizeof alphabet - 1)];
        text[length == sizeof text ? length - 1 : length] = '\0';
        np_cpu_set set;
        np_status status = np_cpu_set_parse(text, &set);
        if (status != NP_OK) {
            assert_true(status == NP_ERR_PARSE || status == NP_ERR_LIMIT);
            assert_non_null(strstr(np_error_detail(), "at byte"));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adds_and_removes_at_the_edges),
        cmocka_unit_test(refuses_numbers_outside_the_capacity),
        cmocka_unit_test(obeys_the_laws_of_sets),
        cmocka_unit_test(iterates_over_every_member_once),
        cmocka_unit_test(reads_the_kernel_s_format),
        cmocka_unit_test(names_the_place_of_every_mistake),
        cmocka_unit_test(shows_only_an_excerpt_of_long_text),
        cmocka_unit_test(prints_like_snprintf),
        cmocka_unit_test(reads_back_what_it_prints),
        cmocka_unit_test(survives_random_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
