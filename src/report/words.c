/*
 * report/words.c - numbers and lists as words. Decimals are made from integers, so that a program
 * that has set a locale with a decimal comma still gets valid JSON and the same report.
 */
#include "report/words.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

npi_word npi_count_word(uint64_t value)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%" PRIu64, value);
    npi_word word;
    size_t at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            word.text[at++] = ',';
        word.text[at++] = digits[i];
    }
    word.text[at] = '\0';
    return word;
}

npi_word npi_short_word(uint64_t value)
{
    static const char units[] = "kMGTPE";
    npi_word word;
    if (value < 10000000) {
        snprintf(word.text, sizeof word.text, "%" PRIu64, value);
        return word;
    }
    uint64_t divisor = 1000;
    unsigned unit = 0;
    while (value / divisor >= 1000 && units[unit + 1] != '\0') {
        divisor *= 1000;
        unit++;
    }
    uint64_t whole = value / divisor;
    unsigned thousandths = (unsigned)(value % divisor / (divisor / 1000));
    if (whole >= 100)
        snprintf(word.text, sizeof word.text, "%" PRIu64 ".%u%c", whole, thousandths / 100,
                 units[unit]);
    else if (whole >= 10)
        snprintf(word.text, sizeof word.text, "%" PRIu64 ".%02u%c", whole, thousandths / 10,
                 units[unit]);
    else
        snprintf(word.text, sizeof word.text, "%" PRIu64 ".%03u%c", whole, thousandths,
                 units[unit]);
    return word;
}

npi_word npi_percent_word(uint64_t part, uint64_t whole)
{
    npi_word word;
    if (whole == 0) {
        snprintf(word.text, sizeof word.text, "-");
        return word;
    }
    unsigned tenths = (unsigned)((double)part / (double)whole * 1000.0 + 0.5);
    if (tenths == 0 && part > 0)
        tenths = 1;
    if (tenths >= 1000 && part < whole)
        tenths = 999;
    snprintf(word.text, sizeof word.text, "%u.%u %%", tenths / 10, tenths % 10);
    return word;
}

uint64_t npi_whole(double value)
{
    return value < 1e19 ? (uint64_t)value : UINT64_C(10000000000000000000);
}

npi_word npi_decimal_word(double value)
{
    uint64_t tenths = npi_whole(value * 10.0 + 0.5);
    npi_word word;
    snprintf(word.text, sizeof word.text, "%" PRIu64 ".%u", tenths / 10, (unsigned)(tenths % 10));
    return word;
}

npi_word npi_ratio_word(double ratio)
{
    unsigned millionths = (unsigned)(ratio * 1e6 + 0.5);
    npi_word word;
    snprintf(word.text, sizeof word.text, "%u.%06u", millionths / 1000000, millionths % 1000000);
    return word;
}

npi_word npi_duration_word(uint64_t nanoseconds)
{
    npi_word word;
    if (nanoseconds < 1000)
        snprintf(word.text, sizeof word.text, "%u ns", (unsigned)nanoseconds);
    else if (nanoseconds < 1000000)
        snprintf(word.text, sizeof word.text, "%u.%u us", (unsigned)(nanoseconds / 1000),
                 (unsigned)(nanoseconds % 1000 / 100));
    else if (nanoseconds < 1000000000)
        snprintf(word.text, sizeof word.text, "%u.%u ms", (unsigned)(nanoseconds / 1000000),
                 (unsigned)(nanoseconds % 1000000 / 100000));
    else
        snprintf(word.text, sizeof word.text, "%" PRIu64 ".%03u s", nanoseconds / 1000000000,
                 (unsigned)(nanoseconds % 1000000000 / 1000000));
    return word;
}

npi_word npi_plural_word(uint64_t count, const char *noun)
{
    npi_word number = npi_short_word(count);
    if (count < 10000000)
        number = npi_count_word(count);
    size_t length = strlen(noun);
    bool hisses = length > 0 && (noun[length - 1] == 's' || noun[length - 1] == 'h');
    npi_word word;
    snprintf(word.text, sizeof word.text, "%.9s %.18s%s", number.text, noun,
             count == 1 ? ""
             : hisses   ? "es"
                        : "s");
    return word;
}

void npi_text_add_nodes(npi_text *text, const np_stats *stats, npi_node_mark mark,
                        const void *context)
{
    enum { NAMED = 4 };
    uint32_t marked = 0;
    for (uint32_t i = 0; i < stats->node_count; i++)
        marked += mark(stats, i, context) ? 1 : 0;
    /* "and 1 more" would be no shorter than its number. */
    uint32_t named = marked <= NAMED + 1 ? marked : NAMED;
    npi_text_add(text, marked == 1 ? "node" : "nodes");
    uint32_t seen = 0;
    for (uint32_t i = 0; i < stats->node_count && seen < named; i++) {
        if (!mark(stats, i, context))
            continue;
        seen++;
        const char *before = seen == 1 ? " " : seen == marked ? " and " : ", ";
        npi_text_add(text, "%s%d", before, (int)stats->nodes[i].id);
    }
    if (named < marked)
        npi_text_add(text, " and %u more", marked - named);
}

void npi_text_add_wrapped(npi_text *text, const char *first, const char *sentence, size_t width)
{
    size_t indent = strlen(first);
    size_t column = indent;
    npi_text_add(text, "%s", first);
    bool at_start = true;
    while (*sentence != '\0') {
        size_t word = strcspn(sentence, " ");
        if (!at_start && column + 1 + word > width) {
            npi_text_add(text, "\n%*s", (int)indent, "");
            column = indent;
            at_start = true;
        }
        npi_text_add(text, "%s%.*s", at_start ? "" : " ", (int)word, sentence);
        column += word + (at_start ? 0 : 1);
        at_start = false;
        sentence += word;
        sentence += strspn(sentence, " ");
    }
    npi_text_add(text, "\n");
}
