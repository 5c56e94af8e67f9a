/*
 * Goal: reports of any figures are whole. The text is printable ASCII, of at most 80 columns unless
 * the figures are astronomical, the JSON parses
 * and holds the figures that were put in, both follow snprintf's rules; a difference of two
 * snapshots either is refused with words or adds up.
 *
 * There is no reader of traces or of reports in the library: nothing parses them back but this
 * test. Input: bytes that become node ids, workers, states and counters, with the extremes made
 * likely.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "metric/stats.h"

const char fuzz_name[] = "report";

#define NODES_MOST   8u
#define WORKERS_MOST 24u
#define FIGURE_MOST  (UINT64_MAX / 128) /* sums of all workers stay in range */

typedef struct source {
    const unsigned char *at, *end;
} source;

static uint8_t take(source *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static uint64_t take_figure(source *s)
{
    static const uint64_t extremes[] = {0,
                                        1,
                                        2,
                                        61,
                                        999,
                                        1000,
                                        999999,
                                        UINT32_MAX,
                                        UINT64_C(1) << 32,
                                        UINT64_C(1) << 53,
                                        FIGURE_MOST,
                                        FIGURE_MOST - 1,
                                        10,
                                        100,
                                        20000,
                                        7};
    uint8_t first = take(s);
    if ((first & 1) != 0)
        return extremes[first >> 1 & 15];
    uint64_t value = 0;
    for (unsigned i = 0; i < (first >> 1 & 7u); i++)
        value = value << 8 | take(s);
    return value % FIGURE_MOST;
}

static np_stats *build(source *s)
{
    np_node_id ids[NODES_MOST];
    uint32_t nodes = 1u + take(s) % NODES_MOST;
    uint32_t workers = 1u + take(s) % WORKERS_MOST;
    for (uint32_t i = 0; i < nodes; i++)
        ids[i] = (i == 0 ? 0 : ids[i - 1] + 1) + (np_node_id)take(s) * (take(s) % 4 == 0 ? 97 : 0);
    np_stats *stats = NULL;
    NPT_CHECK(npi_stats_new(ids, nodes, workers, &stats) == NP_OK);
    stats->executor = nodes * 100u + workers; /* one executor never changes its shape */
    stats->policy = (np_steal_policy)(take(s) % 3);
    stats->begin_ns = take_figure(s);
    stats->end_ns = stats->begin_ns + take_figure(s);
    for (uint32_t w = 0; w < workers; w++) {
        npi_stats_set_worker(stats, w, take(s) % nodes, (np_worker_kind)(take(s) % 3),
                             (npi_worker_state)(take(s) % NPI_WORKER_STATE_COUNT), NULL);
        for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
            stats->workers[w].value[c] = take_figure(s);
        for (uint32_t n = 0; n < nodes; n++)
            npi_stats_row(stats, w)[n] = take_figure(s) / NODES_MOST;
    }
    for (uint32_t cells = take(s) % 8; cells > 0; cells--) {
        npi_data_sum cell = {.home = take(s) % nodes, .ran = take(s) % nodes};
        cell.data = take(s) % nodes;
        cell.sum.tasks = take_figure(s);
        cell.sum.bytes = take_figure(s);
        NPT_CHECK(npi_data_cube_add_cell(&stats->data, &cell));
    }
    for (uint32_t n = 0; n < nodes; n++) {
        stats->nodes[n].queued = take_figure(s);
        stats->nodes[n].regular_workers = take(s) % 4;
        stats->nodes[n].outside[NP_COUNTER_SUBMITTED] = take_figure(s);
        for (uint32_t to = 0; to < nodes; to++)
            npi_stats_set_tier(stats, n, to, n == to ? NP_TIER_NODE : (np_tier)(2 + take(s) % 2));
    }
    return stats;
}

typedef size_t (*writer)(const np_stats *, const np_collector *, char *, size_t);

static char *take_text(const np_stats *stats, writer write)
{
    char part[96];
    size_t length = write(stats, NULL, NULL, 0);
    char *text = malloc(length + 1);
    NPT_CHECK(text != NULL && length > 0);
    NPT_CHECK(write(stats, NULL, text, length + 1) == length && strlen(text) == length);
    part[80] = 'X';
    NPT_CHECK(write(stats, NULL, part, 80) == length);
    NPT_CHECK(strncmp(part, text, strlen(part)) == 0 && strlen(part) <= 79 && part[80] == 'X');
    return text;
}

/* Counted in full and not rounded: at a million tasks a second a fortnight's work. */
#define FITS_IN_80_COLUMNS UINT64_C(1000000000000)

static bool is_ordinary(const np_stats *stats)
{
    uint64_t queued = 0;
    for (uint32_t n = 0; n < stats->node_count; n++)
        queued = stats->nodes[n].queued > queued ? stats->nodes[n].queued : queued;
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++) {
        if (np_stats_total(stats, (np_counter)c) > FITS_IN_80_COLUMNS)
            return false;
    }
    for (size_t i = 0; i < (size_t)stats->worker_count * stats->node_count; i++) {
        if (stats->ran_from[i] > FITS_IN_80_COLUMNS)
            return false;
    }
    for (size_t i = 0; i < stats->data.count; i++) {
        if (stats->data.cells[i].sum.bytes > FITS_IN_80_COLUMNS)
            return false;
    }
    return queued <= FITS_IN_80_COLUMNS;
}

static void check_text(const np_stats *stats, const char *text)
{
    size_t column = 0;
    bool ordinary = is_ordinary(stats);
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\n' && (*at < ' ' || *at > '~'))
            NPT_FAIL("the report has the byte 0x%02x", (unsigned char)*at);
        column = *at == '\n' ? 0 : column + 1;
        if (column > 80 && ordinary)
            NPT_FAIL("a line of more than 80 columns: %.100s", at - 80);
    }
}

static void check_json(const np_stats *stats, const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL && json_error_code(&error) == json_error_numeric_overflow)
        return; /* a sum above INT64_MAX: right, but not for jansson */
    if (root == NULL)
        NPT_FAIL("JSON: %s at byte %d", error.text, error.position);
    NPT_CHECK(json_array_size(json_object_get(root, "nodes")) == stats->node_count);
    const json_t *workers = json_object_get(root, "workers");
    uint32_t last = 0;
    for (size_t i = 0; i < json_array_size(workers); i++) {
        const json_t *worker = json_array_get(workers, i);
        uint32_t index = (uint32_t)json_integer_value(json_object_get(worker, "index"));
        NPT_CHECK(index < stats->worker_count && (i == 0 || index > last));
        last = index;
        for (unsigned c = 0; c < NP_COUNTER_COUNT; c++) {
            const json_t *value = json_object_get(worker, np_counter_key((np_counter)c));
            NPT_CHECK(json_is_integer(value) &&
                      (uint64_t)json_integer_value(value) == stats->workers[index].value[c]);
        }
    }
    /* Seats of spare and guest workers that nobody ever took are left out. */
    for (uint32_t w = 0, regular = 0; w < stats->worker_count; w++) {
        regular += stats->workers[w].kind == NP_WORKER_REGULAR ? 1u : 0u;
        NPT_CHECK(json_array_size(workers) >= regular);
    }
    json_decref(root);
}

/* Real counters do; of others a difference is only asked to be printable. */
static bool has_grown(const np_stats *newer, const np_stats *older, unsigned counter)
{
    for (uint32_t w = 0; w < newer->worker_count; w++) {
        if (newer->workers[w].value[counter] < older->workers[w].value[counter])
            return false;
    }
    for (uint32_t n = 0; n < newer->node_count; n++) {
        if (newer->nodes[n].outside[counter] < older->nodes[n].outside[counter])
            return false;
    }
    return true;
}

static void check_difference(const np_stats *newer, const np_stats *older)
{
    np_stats *difference = NULL;
    np_status status = np_stats_difference(newer, older, &difference);
    if (status != NP_OK) {
        NPT_CHECK(difference == NULL && np_error_detail()[0] != '\0');
        return;
    }
    for (unsigned c = 0; c < NP_COUNTER_COUNT && has_grown(newer, older, c); c++)
        NPT_CHECK(np_stats_total(difference, (np_counter)c) ==
                  np_stats_total(newer, (np_counter)c) - np_stats_total(older, (np_counter)c));
    char *text = take_text(difference, np_report_text);
    check_text(difference, text);
    free(text);
    np_stats_destroy(difference);
}

void fuzz_one(const char *text, size_t length)
{
    source s = {(const unsigned char *)text, (const unsigned char *)text + length};
    np_stats *one = build(&s);
    char *words = take_text(one, np_report_text);
    char *json = take_text(one, np_report_json);
    check_text(one, words);
    check_json(one, json);
    double locality = np_stats_locality(one);
    NPT_CHECK(locality == -1 || (locality >= 0 && locality <= 1));
    NPT_CHECK(np_health_name(np_stats_health(one))[0] != '\0');
    np_stats *other = build(&s);
    check_difference(one, other);
    check_difference(other, one);
    check_difference(one, one);
    np_stats_destroy(other);
    np_stats_destroy(one);
    free(words);
    free(json);
}
