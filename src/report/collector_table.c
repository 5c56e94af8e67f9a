/*
 * report/collector_table.c - the memory behind a collector: rows per seat, the shared matrix, sums.
 * Knows nothing of workers; collector.c finds out who is calling.
 */
#include "report/collector.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"

/* Written by the thread on the seat alone. */
typedef struct npi_seat_row {
    np_atomic(uint32_t) thread_node; /* index + 1 of the worker's node; 0: nothing recorded yet */
    npi_access_cell cells[];         /* node_count + 1, by node of the data */
} npi_seat_row;

static npi_seat_row *seat_row(const np_collector *collector, uint32_t seat)
{
    void *row = collector->seats + (size_t)seat * collector->seat_stride;
    return row;
}

static size_t shared_cells(const np_collector *collector)
{
    return ((size_t)collector->node_count + 1) * ((size_t)collector->node_count + 1);
}

np_status npi_collector_new(const np_executor *executor, const np_node_id *ids, uint32_t node_count,
                            uint32_t seat_count, np_collector **out)
{
    *out = NULL;
    np_collector *collector = npi_alloc(sizeof *collector, 0);
    if (collector == NULL)
        return npi_fail_memory(sizeof *collector, "a collector");
    size_t row = sizeof(npi_seat_row) + ((size_t)node_count + 1) * sizeof(npi_access_cell);
    collector->executor = executor;
    collector->node_count = node_count;
    collector->seat_count = seat_count;
    collector->seat_stride = (row + NPI_FALSE_SHARING - 1) / NPI_FALSE_SHARING * NPI_FALSE_SHARING;
    collector->ids = npi_alloc_array(node_count, sizeof *ids, 0);
    collector->seats = npi_alloc_array(seat_count, collector->seat_stride, NPI_FALSE_SHARING);
    collector->shared = npi_alloc_array(shared_cells(collector), sizeof *collector->shared,
                                        NPI_FALSE_SHARING);
    if (collector->ids == NULL || collector->seats == NULL || collector->shared == NULL) {
        np_collector_destroy(collector);
        return npi_fail(NP_ERR_NO_MEMORY, "no memory for a collector of %u nodes and %u workers",
                        node_count, seat_count);
    }
    for (uint32_t i = 0; i < node_count; i++) {
        NPI_INVARIANT(i == 0 || ids[i - 1] < ids[i]);
        collector->ids[i] = ids[i];
    }
    *out = collector;
    return NP_OK;
}

void np_collector_destroy(np_collector *collector)
{
    if (collector == NULL)
        return;
    npi_free_array(collector->shared, shared_cells(collector), sizeof *collector->shared);
    npi_free_array(collector->seats, collector->seat_count, collector->seat_stride);
    npi_free_array(collector->ids, collector->node_count, sizeof *collector->ids);
    npi_free(collector, sizeof *collector);
}

/* The index of a node, or node_count for one the topology does not know. */
static uint32_t index_of(const np_collector *collector, np_node_id id)
{
    uint32_t low = 0;
    uint32_t high = collector->node_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (collector->ids[middle] < id)
            low = middle + 1;
        else
            high = middle;
    }
    bool found = low < collector->node_count && collector->ids[low] == id;
    return found ? low : collector->node_count;
}

void npi_collector_add(np_collector *collector, uint32_t seat, np_node_id thread_node,
                       np_node_id data_node, uint64_t accesses, uint64_t bytes)
{
    uint32_t from = index_of(collector, thread_node);
    uint32_t data = index_of(collector, data_node);
    if (seat < collector->seat_count) {
        npi_seat_row *row = seat_row(collector, seat);
        /* Relaxed: this thread is the only writer of the row, and counters publish nothing. */
        uint32_t owner = npi_load_relaxed(&row->thread_node);
        if (owner == 0) {
            owner = from + 1;
            npi_store_relaxed(&row->thread_node, owner);
        }
        if (owner == from + 1) {
            npi_owner_add(&row->cells[data].accesses, accesses);
            npi_owner_add(&row->cells[data].bytes, bytes);
            return;
        }
        /* The seat has moved to another node since its first record; its row stays the old node's.
         */
    }
    npi_access_cell *cell = &collector->shared[(size_t)from * (collector->node_count + 1) + data];
    /* Relaxed: sums only; nobody concludes anything else from them. */
    npi_fetch_add_relaxed(&cell->accesses, accesses);
    npi_fetch_add_relaxed(&cell->bytes, bytes);
}

npi_access_sum npi_collector_sum(const np_collector *collector, uint32_t thread_node,
                                 uint32_t data_node)
{
    const npi_access_cell *shared =
        &collector->shared[(size_t)thread_node * (collector->node_count + 1) + data_node];
    npi_access_sum sum = {npi_load_relaxed(&shared->accesses), npi_load_relaxed(&shared->bytes)};
    for (uint32_t seat = 0; seat < collector->seat_count; seat++) {
        const npi_seat_row *row = seat_row(collector, seat);
        if (npi_load_relaxed(&row->thread_node) != thread_node + 1)
            continue;
        sum.accesses += npi_load_relaxed(&row->cells[data_node].accesses);
        sum.bytes += npi_load_relaxed(&row->cells[data_node].bytes);
    }
    return sum;
}

static void add_to_counts(np_access_counts *counts, const np_collector *collector, uint32_t from,
                          uint32_t data)
{
    npi_access_sum sum = npi_collector_sum(collector, from, data);
    if (from == data && from < collector->node_count) {
        counts->local += sum.accesses;
        counts->local_bytes += sum.bytes;
    } else {
        counts->remote += sum.accesses;
        counts->remote_bytes += sum.bytes;
    }
}

np_access_counts np_collector_totals(const np_collector *collector)
{
    np_access_counts counts = {0, 0, 0, 0};
    if (collector == NULL)
        return counts;
    for (uint32_t from = 0; from <= collector->node_count; from++)
        for (uint32_t data = 0; data <= collector->node_count; data++)
            add_to_counts(&counts, collector, from, data);
    return counts;
}

np_access_counts np_collector_between(const np_collector *collector, np_node_id from,
                                      np_node_id data_node)
{
    np_access_counts counts = {0, 0, 0, 0};
    if (collector != NULL)
        add_to_counts(&counts, collector, index_of(collector, from),
                      index_of(collector, data_node));
    return counts;
}
