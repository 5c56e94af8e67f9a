/*
 * support/snapshots.h - snapshots built by hand for tests of statistics and reports: any nodes, any
 * workers, any figures.
 */
#ifndef NPT_SUPPORT_SNAPSHOTS_H
#define NPT_SUPPORT_SNAPSHOTS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "metric/stats.h"

#define NPT_SECOND UINT64_C(1000000000)

/* `nodes` nodes with the ids first, first + step, ...; `per_node` regular workers on each, awake;
 * one second. */
static inline np_stats *npt_snapshot(uint32_t nodes, uint32_t per_node, np_node_id first,
                                     np_node_id step)
{
    np_node_id ids[64];
    assert_true(nodes <= 64);
    for (uint32_t i = 0; i < nodes; i++)
        ids[i] = first + (np_node_id)i * step;
    np_stats *stats = NULL;
    assert_int_equal(npi_stats_new(ids, nodes, nodes * per_node, &stats), NP_OK);
    for (uint32_t w = 0; w < nodes * per_node; w++)
        npi_stats_set_worker(stats, w, w / per_node, NP_WORKER_REGULAR, NPI_WORKER_AWAKE, NULL);
    for (uint32_t i = 0; i < nodes; i++)
        stats->nodes[i].regular_workers = per_node;
    stats->executor = 1;
    stats->begin_ns = 5 * NPT_SECOND;
    stats->end_ns = 6 * NPT_SECOND;
    return stats;
}

/* `worker` ran `count` tasks of the node with index `home`. */
static inline void npt_ran(np_stats *stats, uint32_t worker, np_node_index home, uint64_t count)
{
    npi_stats_worker *of = &stats->workers[worker];
    of->value[of->node == home ? NP_COUNTER_EXECUTED_HOME : NP_COUNTER_EXECUTED_AWAY] += count;
    npi_stats_row(stats, worker)[home] += count;
}

static inline void npt_add(np_stats *stats, uint32_t worker, np_counter counter, uint64_t count)
{
    stats->workers[worker].value[counter] += count;
}

/* Every worker ran `each` tasks of its own node, submitted from outside; few parks. */
static inline np_stats *npt_healthy(uint32_t nodes, uint32_t per_node, uint64_t each)
{
    np_stats *stats = npt_snapshot(nodes, per_node, 0, 1);
    for (uint32_t w = 0; w < stats->worker_count; w++) {
        npt_ran(stats, w, stats->workers[w].node, each);
        npt_add(stats, w, NP_COUNTER_SEARCHES, each / 4);
        npt_add(stats, w, NP_COUNTER_PARKS, each / 20);
        npt_add(stats, w, NP_COUNTER_WAKES, each / 40);
    }
    for (uint32_t i = 0; i < nodes; i++)
        stats->nodes[i].outside[NP_COUNTER_SUBMITTED] = each * per_node;
    return stats;
}

#endif
