/*
 * metric/stats.h - the inside of a snapshot, and how the executor fills one.
 *
 * A snapshot owns all its memory and refers to nothing of the executor, so that it outlives it. One
 * thread fills it; afterwards it never changes and may be read from any thread. It covers every
 * node of the executor's topology (index = the topology's node index) and every seat of the
 * executor: regular, then spare, then guest workers.
 *
 * To fill one (np_stats_snapshot):
 *   1. npi_stats_new(ids, node_count, seat_count, &stats): everything zero, tiers: same node or
 * remote.
 *   2. npi_stats_set_worker(stats, seat, node, kind, state, &counters) for every seat.
 *      npi_stats_add_data(stats, &rows) for those that have counted data.
 *   3. stats->nodes[i].regular_workers, .queued, .outside[...] for every node with seats.
 *   4. npi_stats_set_tier(stats, a, b, tier) for the pairs of nodes that share a socket.
 *   5. stats->executor, policy, begin_ns, end_ns.
 */
#ifndef NPI_METRIC_STATS_H
#define NPI_METRIC_STATS_H

#include <stdbool.h>

#include <numaperf/stats.h>

#include "metric/counters.h"
#include "metric/data.h"

/* What a seat was doing when the snapshot was taken. */
typedef enum npi_worker_state {
    NPI_WORKER_ABSENT =
        0, /* no thread on the seat: a spare or guest that is not there, or after shutdown */
    NPI_WORKER_AWAKE,  /* running a task or looking for one */
    NPI_WORKER_PARKED, /* asleep */
    NPI_WORKER_BLOCKED /* in a blocking call, a spare stands in for it */
} npi_worker_state;
#define NPI_WORKER_STATE_COUNT 4

typedef struct npi_stats_node {
    np_node_id id;
    uint32_t regular_workers; /* 0: the executor does not use this node */
    uint64_t queued;          /* tasks waiting here: inbox and the queues of the node's workers */
    /*
     * What threads that are not workers did: NP_COUNTER_SUBMITTED to this node as home,
     * NP_COUNTER_DISCARDED of tasks whose home it is (timed shutdown), NP_COUNTER_WAKES of its
     * workers. Part of np_stats_node() and np_stats_total(), of no worker.
     */
    uint64_t outside[NP_COUNTER_COUNT]; /* also NP_COUNTER_REBOUND, of its workers */
    bool gone;                          /* it had no usable CPU when the snapshot was taken */
    np_node_id place;                   /* then: where its workers were */
} npi_stats_node;

typedef struct npi_stats_worker {
    np_node_index node;
    np_worker_kind kind;
    npi_worker_state state;
    uint64_t value[NP_COUNTER_COUNT];
} npi_stats_worker;

struct np_stats {
    uint64_t executor; /* unique among all executors of the process's life; never an address */
    np_steal_policy policy;
    uint64_t begin_ns; /* the executor's creation, or the older snapshot of a difference */
    uint64_t end_ns;   /* when it was taken */
    bool difference;

    uint32_t node_count;
    uint32_t worker_count;
    npi_stats_node *nodes;     /* ascending ids */
    npi_stats_worker *workers; /* regular, spare, guest */
    uint64_t *ran_from;        /* worker_count rows of node_count: tasks run, by home */
    uint64_t *exiled;          /* the same: tasks of the worker's node run elsewhere, by where */
    npi_data_cube data;        /* tasks and bytes by home, place and data */
    uint8_t *tier;             /* node_count rows of node_count: np_tier from row to column */
};

/* An empty snapshot for these nodes (ascending ids, copied) and seats. Errors: NP_ERR_NO_MEMORY. */
NP_MUST_USE np_status npi_stats_new(const np_node_id *ids, uint32_t node_count,
                                    uint32_t worker_count, np_stats **out);

/* Copies the counters of one seat (relaxed reads, while its worker runs). `counters` NULL, or its
 * ran_from NULL: zeros. */
void npi_stats_set_worker(np_stats *stats, uint32_t worker, np_node_index node, np_worker_kind kind,
                          npi_worker_state state, const npi_counters *counters);

/* Adds a seat's rows to the cube. NP_ERR_NO_MEMORY. */
NP_MUST_USE np_status npi_stats_add_data(np_stats *stats, npi_data_rows *rows);

void npi_stats_set_tier(np_stats *stats, np_node_index from, np_node_index to, np_tier tier);

/* --- reading by index; for the report ------------------------------------------------------ */

static inline np_tier npi_stats_tier(const np_stats *stats, np_node_index from, np_node_index to)
{
    return (np_tier)stats->tier[(size_t)from * stats->node_count + to];
}

static inline uint64_t *npi_stats_row(const np_stats *stats, uint32_t worker)
{
    return stats->ran_from + (size_t)worker * stats->node_count;
}

static inline uint64_t *npi_stats_exiled(const np_stats *stats, uint32_t worker)
{
    return stats->exiled + (size_t)worker * stats->node_count;
}

/* NP_NODE_INDEX_NONE for an unknown id. */
np_node_index npi_stats_node_index(const np_stats *stats, np_node_id node);
uint64_t npi_stats_node_count(const np_stats *stats, np_node_index node, np_counter counter);
uint64_t npi_stats_matrix(const np_stats *stats, np_node_index home, np_node_index ran);
/* Seats of the node in that state. */
uint32_t npi_stats_state_count(const np_stats *stats, np_node_index node, npi_worker_state state);

#endif
