/*
 * report/figures.h - what the text, the JSON and the recommendations are made of: one snapshot and,
 * if there is one, a collector, with the sums that all of them need. Plain copies on the caller's
 * stack; owns nothing.
 */
#ifndef NPI_REPORT_FIGURES_H
#define NPI_REPORT_FIGURES_H

#include "metric/stats.h"
#include "report/collector.h"

typedef struct npi_figures {
    const np_stats *stats;
    const np_collector *collector; /* may be NULL */
    uint64_t total[NP_COUNTER_COUNT];
    uint64_t executed;
    uint64_t queued;
    uint32_t nodes;   /* with regular workers */
    uint32_t workers; /* regular ones */
    np_access_counts access;
} npi_figures;

typedef struct npi_node_figures {
    np_node_id id;
    uint32_t workers; /* regular */
    uint32_t active;  /* regular workers that ran a task */
    uint32_t parked;  /* regular workers asleep at the moment of the snapshot */
    uint64_t value[NP_COUNTER_COUNT];
    uint64_t executed;
    uint64_t left; /* its own tasks that ran elsewhere */
    uint64_t queued;
} npi_node_figures;

void npi_figures_take(npi_figures *figures, const np_stats *stats, const np_collector *collector);
npi_node_figures npi_figures_node(const npi_figures *figures, np_node_index node);

/* True if the node has anything to show: workers, or any figure. CPU-less nodes usually have not.
 */
bool npi_figures_shows(const npi_figures *figures, np_node_index node);
uint64_t npi_figures_worker_executed(const npi_figures *figures, uint32_t worker);
/* Bytes of the data of tasks that ran, on its node. */
uint64_t npi_figures_data_bytes(const npi_figures *figures);
/* Share of local accesses; -1 when none was recorded. */
double npi_figures_access_locality(const npi_figures *figures);

#endif
