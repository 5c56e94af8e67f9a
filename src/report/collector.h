/*
 * report/collector.h - the caller's own accesses, counted by (node of the thread, node of the
 * data).
 *
 * Every seat of the executor has a row of its own: only the thread on that seat writes it, without
 * read-modify-write. All other threads share one matrix, written with relaxed read-modify-writes.
 * Index node_count stands for a node that the topology does not know. Readers (any thread, relaxed)
 * may be a little behind; once the recording tasks have been waited for, sums are exact.
 */
#ifndef NPI_REPORT_COLLECTOR_H
#define NPI_REPORT_COLLECTOR_H

#include <numaperf/stats.h>

#include "base/atomic.h"

#define NPI_COLLECTOR_NO_SEAT UINT32_MAX

typedef struct npi_access_cell {
    np_atomic(uint64_t) accesses;
    np_atomic(uint64_t) bytes;
} npi_access_cell;

struct np_collector {
    const np_executor *executor; /* compared, never followed, after creation */
    uint32_t node_count;
    uint32_t seat_count;
    np_node_id *ids;         /* ascending */
    char *seats;             /* seat_count rows of seat_stride bytes, each an npi_seat_row */
    size_t seat_stride;      /* a multiple of NPI_FALSE_SHARING */
    npi_access_cell *shared; /* (node_count + 1) rows of (node_count + 1) */
};

/* `ids` ascending, copied. Errors: NP_ERR_NO_MEMORY. */
NP_MUST_USE np_status npi_collector_new(const np_executor *executor, const np_node_id *ids,
                                        uint32_t node_count, uint32_t seat_count,
                                        np_collector **out);

/* Counts. `seat`: the calling thread's seat, which nobody else may use meanwhile; or
 * NPI_COLLECTOR_NO_SEAT. */
void npi_collector_add(np_collector *collector, uint32_t seat, np_node_id thread_node,
                       np_node_id data_node, uint64_t accesses, uint64_t bytes);

typedef struct npi_access_sum {
    uint64_t accesses;
    uint64_t bytes;
} npi_access_sum;

/* By index, node_count for unknown nodes. */
npi_access_sum npi_collector_sum(const np_collector *collector, uint32_t thread_node,
                                 uint32_t data_node);

#endif
