/*
 * report/figures.c - the sums behind the reports; locality and health.
 */
#include "report/figures.h"

static double share(uint64_t part, uint64_t other)
{
    uint64_t whole = part + other;
    return whole == 0 ? -1.0 : (double)part / (double)whole;
}

double np_stats_locality(const np_stats *stats)
{
    return share(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME),
                 np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY));
}

double np_stats_data_locality(const np_stats *stats)
{
    uint64_t afar = 0;
    for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_SENT; c++)
        afar += np_stats_total(stats, (np_counter)c);
    return share(np_stats_total(stats, NP_COUNTER_DATA_LOCAL), afar);
}

np_health np_health_of_ratio(double ratio)
{
    if (!(ratio >= 0.0)) /* negative or not a number */
        return NP_HEALTH_UNKNOWN;
    if (ratio >= 0.95)
        return NP_HEALTH_EXCELLENT;
    if (ratio >= 0.85)
        return NP_HEALTH_GOOD;
    return ratio >= 0.70 ? NP_HEALTH_FAIR : NP_HEALTH_POOR;
}

np_health np_stats_health(const np_stats *stats)
{
    return np_health_of_ratio(np_stats_locality(stats));
}

const char *np_health_name(np_health health)
{
    switch (health) {
    case NP_HEALTH_UNKNOWN: return "unknown";
    case NP_HEALTH_EXCELLENT: return "excellent";
    case NP_HEALTH_GOOD: return "good";
    case NP_HEALTH_FAIR: return "fair";
    case NP_HEALTH_POOR: return "poor";
    }
    return "unknown";
}

void npi_figures_take(npi_figures *figures, const np_stats *stats, const np_collector *collector)
{
    *figures = (npi_figures){.stats = stats, .collector = collector};
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
        figures->total[c] = np_stats_total(stats, (np_counter)c);
    figures->executed = figures->total[NP_COUNTER_EXECUTED_HOME] +
                        figures->total[NP_COUNTER_EXECUTED_AWAY];
    for (uint32_t i = 0; i < stats->node_count; i++) {
        figures->queued += stats->nodes[i].queued;
        figures->nodes += stats->nodes[i].regular_workers > 0 ? 1 : 0;
        figures->workers += stats->nodes[i].regular_workers;
    }
    figures->access = np_collector_totals(collector);
}

uint64_t npi_figures_worker_executed(const npi_figures *figures, uint32_t worker)
{
    const uint64_t *value = figures->stats->workers[worker].value;
    return value[NP_COUNTER_EXECUTED_HOME] + value[NP_COUNTER_EXECUTED_AWAY];
}

npi_node_figures npi_figures_node(const npi_figures *figures, np_node_index node)
{
    const np_stats *stats = figures->stats;
    npi_node_figures result = {.id = stats->nodes[node].id,
                               .workers = stats->nodes[node].regular_workers,
                               .queued = stats->nodes[node].queued};
    for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
        result.value[c] = stats->nodes[node].outside[c];
    for (uint32_t w = 0; w < stats->worker_count; w++) {
        const npi_stats_worker *worker = &stats->workers[w];
        if (worker->node != node) {
            result.left += npi_stats_row(stats, w)[node];
            continue;
        }
        for (unsigned c = 0; c < NP_COUNTER_COUNT; c++)
            result.value[c] += worker->value[c];
        for (uint32_t i = 0; i < stats->node_count; i++)
            result.left += npi_stats_exiled(stats, w)[i];
        if (worker->kind != NP_WORKER_REGULAR)
            continue;
        result.active += npi_figures_worker_executed(figures, w) > 0 ? 1 : 0;
        result.parked += worker->state == NPI_WORKER_PARKED ? 1 : 0;
    }
    result.executed = result.value[NP_COUNTER_EXECUTED_HOME] +
                      result.value[NP_COUNTER_EXECUTED_AWAY];
    return result;
}

bool npi_figures_shows(const npi_figures *figures, np_node_index node)
{
    npi_node_figures of = npi_figures_node(figures, node);
    return of.workers > 0 || of.executed > 0 || of.left > 0 || of.queued > 0 ||
           of.value[NP_COUNTER_SUBMITTED] > 0 || of.value[NP_COUNTER_DISCARDED] > 0;
}

uint64_t npi_figures_data_bytes(const npi_figures *figures)
{
    uint64_t sum = figures->total[NP_COUNTER_DATA_LOCAL];
    for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_SENT; c++)
        sum += figures->total[c];
    return sum;
}

double npi_figures_access_locality(const npi_figures *figures)
{
    return share(figures->access.local, figures->access.remote);
}
