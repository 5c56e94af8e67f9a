/*
 * metric/stats.c - a snapshot of the counters: memory, filling, difference, reading.
 *
 * Everything here works on numbers that were already copied, so nothing is shared and nothing needs
 * an order; only npi_stats_set_worker() reads counters that their workers go on writing.
 */
#include "metric/stats.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"

static const char *const counter_keys[NP_COUNTER_COUNT] = {
#define COUNTER_KEY(name, key, text) [name] = key,
    NP_COUNTER_MAP(COUNTER_KEY)
#undef COUNTER_KEY
};

static const char *const counter_texts[NP_COUNTER_COUNT] = {
#define COUNTER_TEXT(name, key, text) [name] = text,
    NP_COUNTER_MAP(COUNTER_TEXT)
#undef COUNTER_TEXT
};

static bool is_counter(np_counter counter)
{
    return (unsigned)counter < (unsigned)NP_COUNTER_COUNT;
}

const char *np_counter_key(np_counter counter)
{
    return is_counter(counter) ? counter_keys[counter] : "unknown";
}

const char *np_counter_text(np_counter counter)
{
    return is_counter(counter) ? counter_texts[counter] : "unknown counter";
}

/* --- making and filling -------------------------------------------------------------------- */

static np_status allocate(uint32_t node_count, uint32_t worker_count, np_stats **out)
{
    np_stats *stats = npi_alloc(sizeof *stats, 0);
    if (stats == NULL)
        return npi_fail_memory(sizeof *stats, "statistics");
    size_t nodes = node_count;
    size_t workers = worker_count;
    stats->node_count = node_count;
    stats->worker_count = worker_count;
    stats->nodes = npi_alloc_array(nodes, sizeof *stats->nodes, 0);
    stats->workers = npi_alloc_array(workers, sizeof *stats->workers, 0);
    stats->ran_from = npi_alloc_array(workers * nodes, sizeof *stats->ran_from, 0);
    stats->exiled = npi_alloc_array(workers * nodes, sizeof *stats->exiled, 0);
    stats->tier = npi_alloc_array(nodes * nodes, sizeof *stats->tier, 0);
    if (stats->nodes == NULL || stats->workers == NULL || stats->ran_from == NULL ||
        stats->exiled == NULL || stats->tier == NULL) {
        np_stats_destroy(stats);
        return npi_fail(NP_ERR_NO_MEMORY, "no memory for statistics of %u nodes and %u workers",
                        node_count, worker_count);
    }
    *out = stats;
    return NP_OK;
}

np_status npi_stats_new(const np_node_id *ids, uint32_t node_count, uint32_t worker_count,
                        np_stats **out)
{
    *out = NULL;
    np_status status = allocate(node_count, worker_count, out);
    if (status != NP_OK)
        return status;
    for (uint32_t i = 0; i < node_count; i++) {
        NPI_INVARIANT(i == 0 || ids[i - 1] < ids[i]);
        (*out)->nodes[i].id = ids[i];
        for (uint32_t j = 0; j < node_count; j++)
            npi_stats_set_tier(*out, i, j, i == j ? NP_TIER_NODE : NP_TIER_REMOTE);
    }
    return NP_OK;
}

void np_stats_destroy(np_stats *stats)
{
    if (stats == NULL)
        return;
    size_t nodes = stats->node_count;
    size_t workers = stats->worker_count;
    npi_data_cube_free(&stats->data);
    npi_free_array(stats->tier, nodes * nodes, sizeof *stats->tier);
    npi_free_array(stats->exiled, workers * nodes, sizeof *stats->exiled);
    npi_free_array(stats->ran_from, workers * nodes, sizeof *stats->ran_from);
    npi_free_array(stats->workers, workers, sizeof *stats->workers);
    npi_free_array(stats->nodes, nodes, sizeof *stats->nodes);
    npi_free(stats, sizeof *stats);
}

void npi_stats_set_worker(np_stats *stats, uint32_t worker, np_node_index node, np_worker_kind kind,
                          npi_worker_state state, const npi_counters *counters)
{
    NPI_INVARIANT(worker < stats->worker_count && node < stats->node_count);
    npi_stats_worker *to = &stats->workers[worker];
    to->node = node;
    to->kind = kind;
    to->state = state;
    if (counters == NULL)
        return;
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
        to->value[c] = npi_counter_read(counters, (np_counter)c);
    if (counters->ran_from == NULL)
        return;
    uint64_t *row = npi_stats_row(stats, worker);
    /* Relaxed: a counter publishes nothing but itself. */
    uint64_t ran = 0;
    for (uint32_t i = 0; i < stats->node_count; i++) {
        row[i] = npi_load_relaxed(&counters->ran_from[i]);
        ran += row[i];
    }
    uint64_t *exiled = npi_stats_exiled(stats, worker);
    for (uint32_t i = 0; counters->exiled != NULL && i < stats->node_count; i++) {
        exiled[i] = npi_load_relaxed(&counters->exiled[i]);
        ran += exiled[i];
    }
    to->value[NP_COUNTER_EXECUTED_HOME] = row[node];
    to->value[NP_COUNTER_EXECUTED_AWAY] = ran - row[node];
}

np_status npi_stats_add_data(np_stats *stats, npi_data_rows *rows)
{
    return npi_data_cube_add(&stats->data, rows)
               ? NP_OK
               : npi_fail(NP_ERR_NO_MEMORY, "no memory for the data in statistics");
}

void npi_stats_set_tier(np_stats *stats, np_node_index from, np_node_index to, np_tier tier)
{
    NPI_INVARIANT(from < stats->node_count && to < stats->node_count);
    stats->tier[(size_t)from * stats->node_count + to] = (uint8_t)tier;
}

/* --- difference ---------------------------------------------------------------------------- */

/* Counters only grow, but two snapshots taken by threads that did not synchronise may each be a
 * little behind the other; a difference is never negative. */
static uint64_t grown(uint64_t newer, uint64_t older)
{
    return newer > older ? newer - older : 0;
}

static np_status comparable(const np_stats *newer, const np_stats *older)
{
    if (newer == NULL || older == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stats_difference: %s is NULL",
                        newer == NULL ? "newer" : "older");
    if (newer->difference || older->difference)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_stats_difference: %s is itself a difference, not a snapshot",
                        newer->difference ? "newer" : "older");
    if (newer->executor != older->executor)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_stats_difference: the snapshots are of different executors");
    if (newer->end_ns < older->end_ns || newer->worker_count < older->worker_count ||
        newer->node_count != older->node_count)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_stats_difference: newer was taken before older: exchange them");
    return NP_OK;
}

static np_status copy_of(const np_stats *from, np_stats **out)
{
    np_status status = allocate(from->node_count, from->worker_count, out);
    if (status != NP_OK)
        return status;
    np_stats *to = *out;
    if (!npi_data_cube_copy(&to->data, &from->data)) {
        np_stats_destroy(to);
        *out = NULL;
        return npi_fail(NP_ERR_NO_MEMORY, "no memory for the data in statistics");
    }
    size_t nodes = from->node_count;
    size_t workers = from->worker_count;
    memcpy(to->nodes, from->nodes, nodes * sizeof *to->nodes);
    memcpy(to->workers, from->workers, workers * sizeof *to->workers);
    memcpy(to->ran_from, from->ran_from, workers * nodes * sizeof *to->ran_from);
    memcpy(to->exiled, from->exiled, workers * nodes * sizeof *to->exiled);
    memcpy(to->tier, from->tier, nodes * nodes * sizeof *to->tier);
    to->executor = from->executor;
    to->policy = from->policy;
    to->begin_ns = from->begin_ns;
    to->end_ns = from->end_ns;
    return NP_OK;
}

static void subtract(np_stats *from, const np_stats *older)
{
    npi_data_cube_subtract(&from->data, &older->data);
    for (uint32_t i = 0; i < older->node_count; i++)
        for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
            from->nodes[i].outside[c] = grown(from->nodes[i].outside[c],
                                              older->nodes[i].outside[c]);
    for (uint32_t w = 0; w < older->worker_count; w++) {
        for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
            from->workers[w].value[c] = grown(from->workers[w].value[c],
                                              older->workers[w].value[c]);
        uint64_t *row = npi_stats_row(from, w);
        const uint64_t *old_row = npi_stats_row(older, w);
        uint64_t *exiled = npi_stats_exiled(from, w);
        const uint64_t *old_exiled = npi_stats_exiled(older, w);
        for (uint32_t i = 0; i < older->node_count; i++) {
            row[i] = grown(row[i], old_row[i]);
            exiled[i] = grown(exiled[i], old_exiled[i]);
        }
    }
}

np_status np_stats_difference(const np_stats *newer, const np_stats *older, np_stats **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_stats_difference: out is NULL");
    *out = NULL;
    np_status status = comparable(newer, older);
    if (status != NP_OK)
        return status;

    np_stats *result = NULL;
    status = copy_of(newer, &result);
    if (status != NP_OK)
        return status;
    subtract(result, older);
    result->begin_ns = older->end_ns;
    result->difference = true;
    *out = result;
    return NP_OK;
}

/* --- reading ------------------------------------------------------------------------------- */

np_node_index npi_stats_node_index(const np_stats *stats, np_node_id node)
{
    for (uint32_t i = 0; i < stats->node_count; i++)
        if (stats->nodes[i].id == node)
            return i;
    return NP_NODE_INDEX_NONE;
}

uint64_t npi_stats_node_count(const np_stats *stats, np_node_index node, np_counter counter)
{
    uint64_t sum = stats->nodes[node].outside[counter];
    for (uint32_t w = 0; w < stats->worker_count; w++)
        if (stats->workers[w].node == node)
            sum += stats->workers[w].value[counter];
    return sum;
}

uint64_t npi_stats_matrix(const np_stats *stats, np_node_index home, np_node_index ran)
{
    uint64_t sum = 0;
    for (uint32_t w = 0; w < stats->worker_count; w++) {
        if (stats->workers[w].node == ran)
            sum += npi_stats_row(stats, w)[home];
        if (stats->workers[w].node == home)
            sum += npi_stats_exiled(stats, w)[ran];
    }
    return sum;
}

uint32_t npi_stats_state_count(const np_stats *stats, np_node_index node, npi_worker_state state)
{
    uint32_t count = 0;
    for (uint32_t w = 0; w < stats->worker_count; w++)
        if (stats->workers[w].node == node && stats->workers[w].state == state)
            count++;
    return count;
}

uint64_t np_stats_total(const np_stats *stats, np_counter counter)
{
    if (stats == NULL || !is_counter(counter))
        return 0;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < stats->node_count; i++)
        sum += stats->nodes[i].outside[counter];
    for (uint32_t w = 0; w < stats->worker_count; w++)
        sum += stats->workers[w].value[counter];
    return sum;
}

uint32_t np_stats_worker_count(const np_stats *stats)
{
    return stats == NULL ? 0 : stats->worker_count;
}

uint64_t np_stats_worker(const np_stats *stats, uint32_t worker, np_counter counter)
{
    if (stats == NULL || worker >= stats->worker_count || !is_counter(counter))
        return 0;
    return stats->workers[worker].value[counter];
}

np_node_id np_stats_worker_node(const np_stats *stats, uint32_t worker)
{
    if (stats == NULL || worker >= stats->worker_count)
        return NP_NODE_ID_NONE;
    return stats->nodes[stats->workers[worker].node].id;
}

uint64_t np_stats_node(const np_stats *stats, np_node_id node, np_counter counter)
{
    if (stats == NULL || !is_counter(counter))
        return 0;
    np_node_index index = npi_stats_node_index(stats, node);
    return index == NP_NODE_INDEX_NONE ? 0 : npi_stats_node_count(stats, index, counter);
}

uint64_t np_stats_matrix(const np_stats *stats, np_node_id home, np_node_id ran)
{
    if (stats == NULL)
        return 0;
    np_node_index row = npi_stats_node_index(stats, home);
    np_node_index column = npi_stats_node_index(stats, ran);
    if (row == NP_NODE_INDEX_NONE || column == NP_NODE_INDEX_NONE)
        return 0;
    return npi_stats_matrix(stats, row, column);
}

/* False: there is no such node. */
static bool one_or_all(const np_stats *stats, np_node_id id, np_node_index *out)
{
    *out = id == NP_NODE_ID_NONE ? NP_NODE_INDEX_NONE : npi_stats_node_index(stats, id);
    return id == NP_NODE_ID_NONE || *out != NP_NODE_INDEX_NONE;
}

np_data_sum np_stats_data(const np_stats *stats, np_node_id home, np_node_id ran, np_node_id data)
{
    np_node_index of_home, of_ran, of_data;
    if (stats == NULL || !one_or_all(stats, home, &of_home) || !one_or_all(stats, ran, &of_ran) ||
        !one_or_all(stats, data, &of_data))
        return (np_data_sum){0, 0};
    return npi_data_cube_sum(&stats->data, of_home, of_ran, of_data);
}

size_t np_stats_nodes(const np_stats *stats, np_node_id *out, size_t capacity)
{
    if (stats == NULL)
        return 0;
    size_t count = 0;
    for (uint32_t i = 0; i < stats->node_count; i++) {
        if (stats->nodes[i].regular_workers == 0)
            continue;
        if (out != NULL && count < capacity)
            out[count] = stats->nodes[i].id;
        count++;
    }
    return count;
}

uint64_t np_stats_inbox_depth(const np_stats *stats, np_node_id node)
{
    if (stats == NULL)
        return 0;
    np_node_index index = npi_stats_node_index(stats, node);
    return index == NP_NODE_INDEX_NONE ? 0 : stats->nodes[index].queued;
}

uint64_t np_stats_elapsed_ns(const np_stats *stats)
{
    return stats == NULL ? 0 : grown(stats->end_ns, stats->begin_ns);
}
