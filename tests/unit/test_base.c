/*
 * Goal: the helpers every layer stands on: option structs that grow, text built into a buffer, the
 * allocator hook, random streams. Method: direct calls at and around every boundary.
 */
#include <stdio.h>

#include "base/alloc.h"
#include "base/random.h"
#include "base/status.h"
#include "base/text.h"
#include "unit.h"

/* --- option structs ---------------------------------------------------------------------- */

typedef struct old_options {
    size_t size;
    int a;
    int b;
} old_options;

typedef struct new_options {
    size_t size;
    int a;
    int b;
    int c;
    int d;
} new_options;

static void test_options_of_the_same_size(void **state)
{
    (void)state;
    old_options given = {sizeof given, 1, 2};
    assert_true(npi_options_acceptable(&given, given.size, sizeof given, sizeof given, "x"));
    old_options copy = {0};
    npi_options_copy(&copy, sizeof copy, &given, given.size);
    assert_int_equal(copy.a, 1);
    assert_int_equal(copy.b, 2);
}

static void test_options_of_an_older_program(void **state)
{
    (void)state;
    old_options given = {sizeof given, 1, 2};
    assert_true(
        npi_options_acceptable(&given, given.size, sizeof(old_options), sizeof(new_options), "x"));
    new_options copy;
    memset(&copy, 0x55, sizeof copy);
    npi_options_copy(&copy, sizeof copy, &given, given.size);
    assert_int_equal(copy.a, 1);
    assert_int_equal(copy.b, 2);
    assert_int_equal(copy.c, 0);
    assert_int_equal(copy.d, 0);
}

static void test_options_of_a_newer_program(void **state)
{
    (void)state;
    new_options given = {sizeof given, 1, 2, 0, 0};
    assert_true(
        npi_options_acceptable(&given, given.size, sizeof(old_options), sizeof(old_options), "x"));
    /* The last byte counts too. */
    given.d = (int)0x80000000u;
    assert_false(npi_options_acceptable(&given, given.size, sizeof(old_options),
                                        sizeof(old_options), "np_x_options"));
    assert_non_null(strstr(np_error_detail(), "np_x_options"));
    char offset[32];
    snprintf(offset, sizeof offset, "offset %zu", offsetof(new_options, d) + 3);
    assert_non_null(strstr(np_error_detail(), offset));
}

static void test_options_without_a_size(void **state)
{
    (void)state;
    old_options given = {0, 1, 2};
    assert_false(npi_options_acceptable(&given, given.size, sizeof given, sizeof given, "np_y"));
    assert_non_null(strstr(np_error_detail(), "np_y.size is 0"));
    assert_non_null(strstr(np_error_detail(), "set it to sizeof(np_y)"));
    assert_false(
        npi_options_acceptable(&given, sizeof given - 1, sizeof given, sizeof given, "np_y"));
}

/* --- text -------------------------------------------------------------------------------- */

static void test_text_counts_what_does_not_fit(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 12; capacity++) {
        char buffer[16];
        memset(buffer, '#', sizeof buffer);
        npi_text text;
        npi_text_begin(&text, buffer, capacity);
        npi_text_add(&text, "%s", "abc");
        npi_text_add(&text, "-%d-", 42);
        npi_text_add(&text, "%s", "xyz");
        assert_int_equal(text.length, 10);
        size_t written = capacity == 0 ? 0 : (capacity > 10 ? 10 : capacity - 1);
        assert_memory_equal(buffer, "abc-42-xyz", written);
        if (capacity > 0)
            assert_int_equal(buffer[written], '\0');
        for (size_t i = capacity; i < sizeof buffer; i++)
            assert_int_equal(buffer[i], '#');
    }
}

static void test_text_without_a_buffer(void **state)
{
    (void)state;
    npi_text text;
    npi_text_begin(&text, NULL, 100);
    npi_text_add(&text, "%d", 12345);
    npi_text_add_json_string(&text, "a\"b");
    assert_int_equal(text.length, 5 + 6);
}

static void test_json_strings_are_escaped(void **state)
{
    (void)state;
    char buffer[128];
    npi_text text;
    npi_text_begin(&text, buffer, sizeof buffer);
    npi_text_add_json_string(&text, "a\"b\\c\n\x01\x1f\x7f \xc3\xa4");
    assert_string_equal(buffer, "\"a\\\"b\\\\c\\u000a\\u0001\\u001f\x7f \xc3\xa4\"");
    assert_int_equal(text.length, strlen(buffer));
}

static void test_byte_counts_for_people(void **state)
{
    (void)state;
    static const struct {
        unsigned long long bytes;
        const char *expected;
    } cases[] = {{0, "0 B"},
                 {1023, "1023 B"},
                 {1024, "1.0 KiB"},
                 {1536, "1.5 KiB"},
                 {512ull << 20, "512 MiB"},
                 {3ull << 30, "3.0 GiB"},
                 {5ull << 40, "5.0 TiB"},
                 {1ull << 62, "4096 PiB"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char buffer[32];
        npi_text text;
        npi_text_begin(&text, buffer, sizeof buffer);
        npi_text_add_bytes(&text, cases[i].bytes);
        assert_string_equal(buffer, cases[i].expected);
    }
}

/* --- allocator hook ---------------------------------------------------------------------- */

static bool all_zero(const void *memory, size_t bytes)
{
    const unsigned char *byte = memory;
    for (size_t i = 0; i < bytes; i++)
        if (byte[i] != 0)
            return false;
    return true;
}

static void test_default_allocator_zeroes_and_aligns(void **state)
{
    (void)state;
    for (size_t alignment = 1; alignment <= 4096; alignment *= 2) {
        void *memory = npi_alloc(100, alignment);
        assert_non_null(memory);
        assert_int_equal((uintptr_t)memory % alignment, 0);
        assert_true(all_zero(memory, 100));
        memset(memory, 0xff, 100);
        npi_free(memory, 100);
    }
    void *nothing = npi_alloc(0, 0);
    assert_non_null(nothing);
    npi_free(nothing, 0);
    npi_free(NULL, 10);
}

static void test_overflowing_sizes_give_null(void **state)
{
    (void)state;
    assert_null(npi_alloc_array(SIZE_MAX / 2, 3, 0));
    assert_null(npi_alloc_array(SIZE_MAX, SIZE_MAX, 64));
    assert_null(npi_alloc(SIZE_MAX - 10, 64));
    void *none = npi_alloc_array(5, 0, 0);
    assert_non_null(none);
    npi_free_array(none, 5, 0);
}

static void test_hook_sees_everything(void **state)
{
    (void)state;
    unit_allocator hook;
    unit_allocator_install(&hook);
    void *a = npi_alloc(10, 0);
    void *b = npi_alloc_array(7, 24, 128);
    char *c = npi_strdup("twelve bytes");
    assert_int_equal(hook.calls, 3);
    assert_int_equal(hook.held_blocks, 3);
    assert_int_equal(hook.held_bytes, 10 + 7 * 24 + 13);
    assert_int_equal((uintptr_t)b % 128, 0);
    assert_true(all_zero(a, 10));
    assert_true(all_zero(b, 7 * 24));
    assert_string_equal(c, "twelve bytes");
    npi_free(a, 10);
    npi_free_array(b, 7, 24);
    npi_strfree(c);
    npi_strfree(NULL);
    void *nothing = npi_alloc(0, 0);
    npi_free(nothing, 0);
    assert_int_equal(hook.held_blocks, 0);
    assert_int_equal(hook.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
    npi_free(npi_alloc(1, 0), 1);
    assert_int_equal(hook.calls, 4);
}

static void test_hook_that_fails(void **state)
{
    (void)state;
    unit_allocator hook;
    for (size_t k = 1; k <= 3; k++) {
        unit_allocator_install(&hook);
        hook.fail_at = k;
        void *a = npi_alloc(8, 0);
        void *b = npi_alloc_array(8, 8, 64);
        char *c = npi_strdup("x");
        assert_true((a == NULL) == (k == 1));
        assert_true((b == NULL) == (k == 2));
        assert_true((c == NULL) == (k == 3));
        npi_free(a, 8);
        npi_free_array(b, 8, 8);
        npi_strfree(c);
        assert_int_equal(hook.held_blocks, 0);
    }
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

static void test_bad_hooks_are_refused(void **state)
{
    (void)state;
    unit_allocator context = {0};
    np_allocator hook = {sizeof hook, unit_allocate, unit_release, &context};
    hook.size = 0;
    unit_expect_failure(np_set_allocator(&hook), NP_ERR_INVALID_ARGUMENT, "np_allocator.size is 0");
    hook.size = sizeof hook;
    hook.allocate = NULL;
    unit_expect_failure(np_set_allocator(&hook), NP_ERR_INVALID_ARGUMENT, "np_allocator.allocate");
    hook.allocate = unit_allocate;
    hook.release = NULL;
    unit_expect_failure(np_set_allocator(&hook), NP_ERR_INVALID_ARGUMENT, "np_allocator.release");
    /* The refused ones changed nothing. */
    npi_free(npi_alloc(1, 0), 1);
    assert_int_equal(context.calls, 0);
}

/* --- random ------------------------------------------------------------------------------ */

static void test_random_streams_differ_and_repeat(void **state)
{
    (void)state;
    enum { STREAMS = 64 };
    uint64_t first[STREAMS];
    for (uint64_t seed = 0; seed < STREAMS; seed++) {
        npi_random a;
        npi_random b;
        npi_random_seed(&a, seed);
        npi_random_seed(&b, seed);
        first[seed] = npi_random_next(&a);
        assert_int_equal(first[seed], npi_random_next(&b));
        for (uint64_t k = 0; k < seed; k++)
            assert_int_not_equal(first[seed], first[k]);
    }
}

static void test_random_below_reaches_every_value(void **state)
{
    (void)state;
    npi_random random;
    npi_random_seed(&random, 20240601);
    for (uint32_t bound = 1; bound <= 9; bound++) {
        unsigned seen[9] = {0};
        for (int i = 0; i < 9000; i++) {
            uint32_t value = npi_random_below(&random, bound);
            assert_true(value < bound);
            seen[value]++;
        }
        /* Expected 9000 / bound each; half of that is dozens of standard deviations away. */
        for (uint32_t i = 0; i < bound; i++)
            assert_true(seen[i] > 4500 / bound);
    }
    assert_true(npi_random_below(&random, UINT32_MAX) < UINT32_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_options_of_the_same_size),
        cmocka_unit_test(test_options_of_an_older_program),
        cmocka_unit_test(test_options_of_a_newer_program),
        cmocka_unit_test(test_options_without_a_size),
        cmocka_unit_test(test_text_counts_what_does_not_fit),
        cmocka_unit_test(test_text_without_a_buffer),
        cmocka_unit_test(test_json_strings_are_escaped),
        cmocka_unit_test(test_byte_counts_for_people),
        cmocka_unit_test(test_default_allocator_zeroes_and_aligns),
        cmocka_unit_test(test_overflowing_sizes_give_null),
        cmocka_unit_test(test_hook_sees_everything),
        cmocka_unit_test(test_hook_that_fails),
        cmocka_unit_test(test_bad_hooks_are_refused),
        cmocka_unit_test(test_random_streams_differ_and_repeat),
        cmocka_unit_test(test_random_below_reaches_every_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
