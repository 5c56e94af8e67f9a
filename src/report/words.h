/*
 * report/words.h - numbers as people read them. Every function returns a small struct by value, so
 * that it can stand among printf's arguments: npi_count_word(n).text. Nothing here depends on the
 * locale.
 */
#ifndef NPI_REPORT_WORDS_H
#define NPI_REPORT_WORDS_H

#include <stdint.h>

#include "base/text.h"
#include "metric/stats.h"

typedef struct npi_word {
    char text[32];
} npi_word;

/* 1234567 -> "1,234,567". */
npi_word npi_count_word(uint64_t value);
/* At most 7 characters, for columns: "1234567", then "12.35M", "1.235G". */
npi_word npi_short_word(uint64_t value);
/* "97.4 %" of a whole; "-" of nothing. A part that is not zero never reads 0.0, one that is not all
 * never 100.0. */
npi_word npi_percent_word(uint64_t part, uint64_t whole);
/* The whole part of a value that is not negative; what does not fit becomes 10^19. */
uint64_t npi_whole(double value);
/* One decimal: "2.7". */
npi_word npi_decimal_word(double value);
/* A share of 0 .. 1 with six decimals, as JSON wants it. */
npi_word npi_ratio_word(double ratio);
/* "350 ns", "12.0 us", "7.5 ms", "1.204 s". */
npi_word npi_duration_word(uint64_t nanoseconds);

/* "1 task", "1,600 tasks", "2 searches". */
npi_word npi_plural_word(uint64_t count, const char *noun);

/* "node 3", "nodes 0 and 8", "nodes 1, 2, 3, 4 and 5 more": the nodes whose mark is set, by index.
 */
typedef bool (*npi_node_mark)(const np_stats *stats, np_node_index node, const void *context);
void npi_text_add_nodes(npi_text *text, const np_stats *stats, npi_node_mark mark,
                        const void *context);

/* A sentence broken at spaces to lines of at most `width` characters; the first begins with
 * `first`, the others with as many spaces. Ends with a newline. */
void npi_text_add_wrapped(npi_text *text, const char *first, const char *sentence, size_t width);

#endif
