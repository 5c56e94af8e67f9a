/*
 * executor/near.c - which node a task goes to because of its data.
 *
 * memory/locate.h says how many bytes lie on which node; here the node with most weight is chosen,
 * and the node with workers that serves it. Nothing is shared here and nothing is kept: the
 * directory and the range cache, which are asked beneath, are the process's.
 */
#include "executor/near.h"

#include "base/status.h"
#include "memory/range_cache.h"

static np_status check_range(const np_data_range *range, size_t which)
{
    if (range->address == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "data range %zu: address is NULL", which);
    if (range->bytes > UINTPTR_MAX - (uintptr_t)range->address)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "data range %zu: %zu bytes at %p go beyond the last address", which,
                        range->bytes, range->address);
    return NP_OK;
}

static npi_node *node_of_id(const np_executor *executor, np_node_id id)
{
    if ((uint32_t)id >= executor->by_id_count)
        return NULL;
    np_node_index index = executor->by_id[id];
    return index == NP_NODE_INDEX_NONE ? NULL : executor->nodes[index];
}

/* Of two nodes with the same weight: is `a` the better one for this caller? */
static bool is_nearer(const np_executor *executor, const npi_node *caller, const npi_node *a,
                      const npi_node *b)
{
    if (a == caller || b == caller)
        return a == caller;
    uint32_t to_a = npi_topology_node_distance(executor->topology, caller->index, a->index);
    uint32_t to_b = npi_topology_node_distance(executor->topology, caller->index, b->index);
    return to_a != to_b ? to_a < to_b : a->index < b->index;
}

/* The node with most weight. What lies on nodes that this machine does not have is unknown. */
static void choose_node(np_executor *executor, npi_worker *worker, const npi_location *location,
                        npi_choice *out)
{
    npi_node *caller = NULL; /* only asked for when it matters */
    uint64_t most = 0;
    uint64_t known = 0;
    for (uint32_t i = 0; i < location->count; i++) {
        const npi_node_share *share = &location->nodes[i];
        npi_node *node = node_of_id(executor, share->node);
        if (node == NULL) {
            out->unknown += share->bytes;
            continue;
        }
        known += share->bytes;
        if (out->data != NULL && share->weight == most && caller == NULL)
            caller = npi_near_caller(executor, worker);
        if (out->data == NULL || share->weight > most ||
            (share->weight == most && is_nearer(executor, caller, node, out->data))) {
            out->data = node;
            out->bytes = share->bytes;
            most = share->weight;
        }
    }
    out->elsewhere = known - out->bytes;
}

np_status npi_near_choose(np_executor *executor, npi_worker *worker, const np_data_range *ranges,
                          size_t count, npi_choice *out)
{
    npi_location location;
    npi_location_begin(&location);
    for (size_t i = 0; i < count; i++) {
        np_status status = check_range(&ranges[i], i);
        if (status != NP_OK)
            return status;
        npi_location_add(&location, (uintptr_t)ranges[i].address, ranges[i].bytes,
                         ranges[i].weight != 0 ? ranges[i].weight : 1, executor->is_virtual);
    }
    *out = (npi_choice){.unknown = location.unknown, .asked = location.asked};
    choose_node(executor, worker, &location, out);
    out->home = out->data != NULL ? npi_nearest_with_workers(out->data)
                                  : npi_near_caller(executor, worker);
    return NP_OK;
}

/* --- counting -------------------------------------------------------------------------------- */

void npi_near_count_sent(npi_node *home, npi_worker *worker, const npi_choice *choice)
{
    const uint64_t amounts[] = {choice->elsewhere, choice->unknown, choice->asked};
    _Static_assert(sizeof amounts / sizeof amounts[0] == NPI_OUTSIDE_DATA, "one for each");
    _Static_assert(NP_COUNTER_DATA_CALLS - NP_COUNTER_DATA_SPREAD == 2, "in this order");
    for (unsigned i = 0; i < NPI_OUTSIDE_DATA; i++) {
        if (amounts[i] == 0)
            continue;
        if (worker != NULL)
            npi_count(&worker->counters, (np_counter)((int)NP_COUNTER_DATA_SPREAD + (int)i),
                      amounts[i]);
        else /* Relaxed: a counter publishes nothing but itself. */
            npi_fetch_add_relaxed(&home->outside_data[i], amounts[i]);
    }
}

/* Why the worker is not where the task's data is; `because`: why the task left home. What would
 * have kept it away from there even at home comes first. */
static np_counter why_afar(const npi_worker *worker, np_node_index home, np_node_index data,
                           np_node_index ran, np_counter because)
{
    if (home != data)
        return worker->executor->nodes[data]->regular == 0 ? NP_COUNTER_DATA_NO_WORKER
                                                           : NP_COUNTER_DATA_SENT;
    if (because == NP_COUNTER_DATA_HELPED)
        return because;
    if (ran != worker->node->index) /* its own node is gone */
        return NP_COUNTER_DATA_DISPLACED;
    return because == NP_COUNTER_AWAY_BACKLOG ? NP_COUNTER_DATA_BACKLOG
           : because == NP_COUNTER_AWAY_AGE   ? NP_COUNTER_DATA_AGE
           : because == NP_COUNTER_AWAY_ANY   ? NP_COUNTER_DATA_ANY
                                              : NP_COUNTER_DATA_DISPLACED;
}

void npi_near_ran(npi_worker *worker, uint64_t meta, np_node_index ran)
{
    np_node_index home = npi_meta_home(meta);
    np_node_index data = npi_meta_data_node(meta);
    uint64_t bytes = npi_meta_data_bytes(meta);
    npi_count(&worker->counters, NP_COUNTER_DATA_TASKS, 1);
    np_counter which = ran == data ? NP_COUNTER_DATA_LOCAL /* left_because: find.c, count_away */
                                   : why_afar(worker, home, data, ran, worker->left_because);
    npi_count(&worker->counters, which, bytes);
    npi_data_count(&worker->data, home, ran, data, 1, bytes);
}

void npi_near_ran_stretch(npi_worker *worker, np_node_index home, np_node_index data,
                          uint64_t tasks, uint64_t bytes, np_counter because)
{
    np_node_index ran = worker->node->index;
    if (data == NP_NODE_INDEX_NONE) {
        npi_count(&worker->counters, NP_COUNTER_DATA_UNKNOWN, bytes);
        return;
    }
    if (npi_node_is_gone(worker->node)) /* Relaxed: a number to count by. */
        ran = npi_load_relaxed(&worker->node->place);
    np_counter which = NP_COUNTER_DATA_LOCAL;
    if (ran != data)
        which = why_afar(worker, home, data, ran, because);
    npi_count(&worker->counters, which, bytes);
    npi_count(&worker->counters, NP_COUNTER_DATA_TASKS, tasks);
    npi_data_count(&worker->data, home, ran, data, tasks, bytes);
}

/* --- the public calls ------------------------------------------------------------------------ */

np_status np_data_locate(np_executor *executor, const np_data_range *ranges, size_t count,
                         np_data_place *out)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (ranges == NULL || count == 0 || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_data_locate: %s",
                        out == NULL ? "out is NULL" : "there are no ranges");
    npi_choice choice;
    status = npi_near_choose(executor, npi_worker_of(executor), ranges, count, &choice);
    if (status != NP_OK)
        return status;
    *out = (np_data_place){.node = choice.data != NULL ? choice.data->id : NP_NODE_ID_NONE,
                           .home = choice.home->id,
                           .bytes = choice.bytes,
                           .elsewhere = choice.elsewhere,
                           .unknown = choice.unknown};
    return NP_OK;
}

void np_near_forget(const void *address, size_t bytes)
{
    uintptr_t begin = (uintptr_t)address;
    if (address == NULL && bytes == 0) {
        npi_range_cache_forget_all();
        return;
    }
    if (bytes > UINTPTR_MAX - begin) /* what would wrap ends at the last address */
        bytes = UINTPTR_MAX - begin;
    npi_range_cache_forget(begin, bytes != 0 ? bytes : 1);
}
