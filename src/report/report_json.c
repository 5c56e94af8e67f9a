/*
 * report/report_json.c - the same figures and recommendations for programs. Numbers are exact
 * integers, ratios have six decimals whatever the locale, an unknown ratio is null. Keys of
 * counters are those of NP_COUNTER_MAP.
 */
#include <inttypes.h>

#include "report/advice.h"
#include "report/figures.h"
#include "report/words.h"

static void add_number(npi_text *text, const char *key, uint64_t value)
{
    npi_text_add(text, ",\"%s\":%" PRIu64, key, value);
}

static void add_ratio(npi_text *text, const char *key, double ratio)
{
    npi_text_add(text, ",\"%s\":%s", key, ratio >= 0.0 ? npi_ratio_word(ratio).text : "null");
}

static void add_counters(npi_text *text, const uint64_t *value)
{
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
        add_number(text, np_counter_key((np_counter)c), value[c]);
}

static void add_nodes(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, ",\"nodes\":[");
    for (uint32_t i = 0; i < f->stats->node_count; i++) {
        npi_node_figures node = npi_figures_node(f, i);
        npi_text_add(text, "%s{\"id\":%d", i == 0 ? "" : ",", (int)node.id);
        add_number(text, "workers", node.workers);
        add_number(text, "active", node.active);
        add_number(text, "parked", node.parked);
        add_number(text, "queued", node.queued);
        add_number(text, "left_home", node.left);
        npi_text_add(text, ",\"gone\":%s,\"place\":%d", f->stats->nodes[i].gone ? "true" : "false",
                     (int)f->stats->nodes[i].place);
        add_counters(text, node.value);
        npi_text_add(text, "}");
    }
    npi_text_add(text, "]");
}

static const char *kind_name(np_worker_kind kind)
{
    switch (kind) {
    case NP_WORKER_REGULAR: return "regular";
    case NP_WORKER_SPARE: return "spare";
    case NP_WORKER_GUEST: return "guest";
    }
    return "unknown";
}

static const char *state_name(npi_worker_state state)
{
    switch (state) {
    case NPI_WORKER_ABSENT: return "absent";
    case NPI_WORKER_AWAKE: return "awake";
    case NPI_WORKER_PARKED: return "parked";
    case NPI_WORKER_BLOCKED: return "blocked";
    }
    return "unknown";
}

/* A spare or guest seat that nobody ever took has nothing to say. */
static bool seat_used(const npi_stats_worker *worker)
{
    if (worker->kind == NP_WORKER_REGULAR || worker->state != NPI_WORKER_ABSENT)
        return true;
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
        if (worker->value[c] > 0)
            return true;
    return false;
}

static void add_workers(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, ",\"workers\":[");
    bool first = true;
    for (uint32_t w = 0; w < f->stats->worker_count; w++) {
        const npi_stats_worker *worker = &f->stats->workers[w];
        if (!seat_used(worker))
            continue;
        npi_text_add(text, "%s{\"index\":%u,\"node\":%d,\"kind\":\"%s\",\"state\":\"%s\"",
                     first ? "" : ",", w, (int)f->stats->nodes[worker->node].id,
                     kind_name(worker->kind), state_name(worker->state));
        add_counters(text, worker->value);
        npi_text_add(text, "}");
        first = false;
    }
    npi_text_add(text, "]");
}

static void add_matrix(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, ",\"matrix\":[");
    bool first = true;
    for (uint32_t home = 0; home < f->stats->node_count; home++) {
        for (uint32_t ran = 0; ran < f->stats->node_count; ran++) {
            uint64_t tasks = npi_stats_matrix(f->stats, home, ran);
            if (tasks == 0)
                continue;
            npi_text_add(text, "%s{\"home\":%d,\"ran\":%d,\"tasks\":%" PRIu64 "}", first ? "" : ",",
                         (int)f->stats->nodes[home].id, (int)f->stats->nodes[ran].id, tasks);
            first = false;
        }
    }
    npi_text_add(text, "]");
}

/* An id, or null for the index that stands for nodes the topology does not know. */
static void add_access_node(npi_text *text, const char *key, const np_collector *collector,
                            uint32_t index)
{
    if (index < collector->node_count)
        npi_text_add(text, "\"%s\":%d,", key, (int)collector->ids[index]);
    else
        npi_text_add(text, "\"%s\":null,", key);
}

static void add_accesses(npi_text *text, const npi_figures *f)
{
    if (f->collector == NULL) {
        npi_text_add(text, ",\"accesses\":null");
        return;
    }
    const np_collector *collector = f->collector;
    double ratio = npi_figures_access_locality(f);
    npi_text_add(text, ",\"accesses\":{\"local\":%" PRIu64, f->access.local);
    add_number(text, "remote", f->access.remote);
    add_number(text, "local_bytes", f->access.local_bytes);
    add_number(text, "remote_bytes", f->access.remote_bytes);
    add_ratio(text, "locality", ratio);
    npi_text_add(text, ",\"health\":\"%s\"", np_health_name(np_health_of_ratio(ratio)));
    npi_text_add(text, ",\"matrix\":[");
    bool first = true;
    for (uint32_t from = 0; from <= collector->node_count; from++) {
        for (uint32_t data = 0; data <= collector->node_count; data++) {
            npi_access_sum sum = npi_collector_sum(collector, from, data);
            if (sum.accesses == 0 && sum.bytes == 0)
                continue;
            npi_text_add(text, "%s{", first ? "" : ",");
            add_access_node(text, "thread", collector, from);
            add_access_node(text, "data", collector, data);
            npi_text_add(text, "\"accesses\":%" PRIu64, sum.accesses);
            add_number(text, "bytes", sum.bytes);
            npi_text_add(text, "}");
            first = false;
        }
    }
    npi_text_add(text, "]}");
}

/* Bytes by reason and all that is unknown are among the counters of the totals. */
static void add_data(npi_text *text, const npi_figures *f)
{
    const npi_data_cube *cube = &f->stats->data;
    double ratio = np_stats_data_locality(f->stats);
    npi_text_add(text, ",\"data\":{\"tasks\":%" PRIu64, f->total[NP_COUNTER_DATA_TASKS]);
    add_number(text, "bytes", npi_figures_data_bytes(f));
    add_ratio(text, "locality", ratio);
    npi_text_add(text, ",\"health\":\"%s\"", np_health_name(np_health_of_ratio(ratio)));
    npi_text_add(text, ",\"matrix\":[");
    bool first = true;
    for (size_t i = 0; i < cube->count; i++) {
        const npi_data_sum *cell = &cube->cells[i];
        if (cell->sum.tasks == 0 && cell->sum.bytes == 0)
            continue;
        npi_text_add(text, "%s{\"home\":%d,\"ran\":%d,\"data\":%d", first ? "" : ",",
                     (int)f->stats->nodes[cell->home].id, (int)f->stats->nodes[cell->ran].id,
                     (int)f->stats->nodes[cell->data].id);
        add_number(text, "tasks", cell->sum.tasks);
        add_number(text, "bytes", cell->sum.bytes);
        npi_text_add(text, "}");
        first = false;
    }
    npi_text_add(text, "]}");
}

static void add_recommendations(npi_text *text, const npi_figures *f)
{
    npi_text_add(text, ",\"recommendations\":[");
    bool first = true;
    for (uint32_t i = 0; i < npi_advice_rule_count(); i++) {
        npi_advice advice;
        if (!npi_advice_get(f, i, &advice))
            continue;
        npi_text_add(text, "%s{\"key\":\"%s\",\"text\":", first ? "" : ",", advice.key);
        npi_text_add_json_string(text, advice.text);
        npi_text_add(text, "}");
        first = false;
    }
    npi_text_add(text, "]");
}

size_t np_report_json(const np_stats *stats, const np_collector *collector, char *buffer,
                      size_t capacity)
{
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    if (stats == NULL)
        return 0;
    npi_figures figures;
    npi_figures_take(&figures, stats, collector);
    npi_text_add(&text, "{\"report\":\"numaperf\",\"policy\":\"%s\",\"difference\":%s",
                 np_steal_policy_name(stats->policy), stats->difference ? "true" : "false");
    add_number(&text, "elapsed_ns", np_stats_elapsed_ns(stats));
    add_number(&text, "executed", figures.executed);
    add_number(&text, "queued", figures.queued);
    add_ratio(&text, "locality", np_stats_locality(stats));
    npi_text_add(&text, ",\"health\":\"%s\"", np_health_name(np_stats_health(stats)));
    npi_text_add(&text, ",\"totals\":{\"workers\":%u", figures.workers);
    add_counters(&text, figures.total);
    npi_text_add(&text, "}");
    add_nodes(&text, &figures);
    add_workers(&text, &figures);
    add_matrix(&text, &figures);
    add_data(&text, &figures);
    add_accesses(&text, &figures);
    add_recommendations(&text, &figures);
    npi_text_add(&text, "}\n");
    return text.length;
}
