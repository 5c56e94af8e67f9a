/*
 * Goal: np_cpu_set_parse() believes nothing. What it accepts it can print, and reads back as the
 * same set; hwloc's reader agrees where the notation is common; what it refuses leaves the output
 * alone and says where.
 */
#include <hwloc.h>
#include <numaperf/affinity.h>
#include <stdio.h>
#include <string.h>

#include <numaperf/error.h>

#include "fuzz.h"

const char fuzz_name[] = "cpu_list";

static void check_refused(np_status status, const np_cpu_set *out, const np_cpu_set *before)
{
    NPT_CHECK(status == NP_ERR_PARSE || status == NP_ERR_LIMIT);
    NPT_CHECK(memcmp(out, before, sizeof *out) == 0);
    const char *detail = np_error_detail();
    NPT_CHECK(strstr(detail, "CPU list \"") == detail && strstr(detail, " at byte ") != NULL);
    for (; *detail != '\0'; detail++)
        NPT_CHECK(*detail >= ' ' && *detail <= '~');
}

static void check_iteration(const np_cpu_set *set)
{
    uint32_t count = 0;
    np_cpu_set copy;
    np_cpu_set_clear(&copy);
    int32_t last = NP_CPU_NONE;
    for (int32_t cpu = np_cpu_set_first(set); cpu != NP_CPU_NONE; cpu = np_cpu_set_next(set, cpu)) {
        NPT_CHECK(cpu > last && np_cpu_set_contains(set, cpu) && np_cpu_set_add(&copy, cpu));
        last = cpu;
        count++;
    }
    NPT_CHECK(count == np_cpu_set_count(set) && np_cpu_set_equal(&copy, set));
    NPT_CHECK((count == 0) == np_cpu_set_is_empty(set));
}

static void check_printed(const np_cpu_set *set)
{
    static char text[65536], again[65536];
    np_cpu_set read;
    size_t length = np_cpu_set_print(set, text, sizeof text);
    NPT_CHECK(length < sizeof text && strlen(text) == length);
    NPT_CHECK(np_cpu_set_print(set, NULL, 0) == length);
    NPT_CHECK(np_cpu_set_parse(text, &read) == NP_OK && np_cpu_set_equal(&read, set));
    for (size_t capacity = 1; capacity < 24; capacity += 3) {
        again[capacity] = 'X';
        NPT_CHECK(np_cpu_set_print(set, again, capacity) == length);
        size_t kept = length < capacity - 1 ? length : capacity - 1;
        NPT_CHECK(memcmp(again, text, kept) == 0 && again[kept] == '\0' && again[capacity] == 'X');
    }
}

/* hwloc knows no patterns and no space, and takes a number that begins with a zero for an octal
 * one. */
static void compare_with_hwloc(const char *text, const np_cpu_set *set)
{
    if (text[0] == '\0' || text[strspn(text, "0123456789,-")] != '\0')
        return;
    for (const char *at = text; *at != '\0'; at++) {
        bool begins = at == text || at[-1] == ',' || at[-1] == '-';
        if (begins && at[0] == '0' && at[1] >= '0' && at[1] <= '9')
            return;
    }
    hwloc_bitmap_t theirs = hwloc_bitmap_alloc();
    NPT_CHECK(theirs != NULL && hwloc_bitmap_list_sscanf(theirs, text) == 0);
    for (int32_t cpu = 0; cpu < (int32_t)NP_CPU_SET_CAPACITY; cpu++)
        NPT_CHECK((hwloc_bitmap_isset(theirs, (unsigned)cpu) != 0) ==
                  np_cpu_set_contains(set, cpu));
    NPT_CHECK(hwloc_bitmap_last(theirs) < (int)NP_CPU_SET_CAPACITY);
    hwloc_bitmap_free(theirs);
}

/* One range with a pattern, told again: of every `group` CPUs the first `used`. */
static void compare_with_pattern(const char *text, const np_cpu_set *set)
{
    unsigned first = 0, last = 0, used = 1, group = 0;
    int end = 0;
    np_cpu_set expected;
    if (text[strspn(text, "0123456789-:/")] != '\0')
        return;
    if (sscanf(text, "%4u-%4u:%4u/%4u%n", &first, &last, &used, &group, &end) != 4) {
        used = 1;
        if (sscanf(text, "%4u-%4u:%4u%n", &first, &last, &group, &end) != 3)
            return;
    }
    if (text[end] != '\0' || group == 0)
        return;
    np_cpu_set_clear(&expected);
    for (unsigned begin = first; begin <= last; begin += group) {
        for (unsigned i = 0; i < used && begin + i <= last; i++)
            (void)np_cpu_set_add(&expected, (int32_t)(begin + i));
    }
    NPT_CHECK(np_cpu_set_equal(&expected, set));
}

void fuzz_one(const char *text, size_t length)
{
    np_cpu_set out, before;
    (void)length;
    memset(&out, 0xa5, sizeof out);
    before = out;
    np_status status = np_cpu_set_parse(text, &out);
    if (status != NP_OK) {
        check_refused(status, &out, &before);
        return;
    }
    check_iteration(&out);
    check_printed(&out);
    compare_with_hwloc(text, &out);
    compare_with_pattern(text, &out);
}
