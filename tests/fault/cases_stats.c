/*
 * tests/fault/cases_stats.c - snapshots, their differences, collectors.
 */
#include "cases.h"

#define POISON ((np_stats *)(uintptr_t)8)

static void prepare(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    run->stats = POISON;
}

static void snapshot(fault_run *run)
{
    FAULT_CALL(run, np_stats_snapshot(run->executor, &run->stats));
}

static void check(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK(run->status == NP_OK || run->stats == NULL || run->stats == POISON);
    if (run->status == NP_OK)
        FAULT_CHECK(np_stats_worker_count(run->stats) > 0);
    else
        run->stats = NULL;
    fault_probe(run->executor);
}

static void prepare_two(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_stats_snapshot(run->executor, &run->older));
    FAULT_NEED(np_stats_snapshot(run->executor, &run->stats));
}

static void difference(fault_run *run)
{
    np_stats *result = POISON;
    FAULT_CALL(run, np_stats_difference(run->stats, run->older, &result));
    FAULT_CHECK(run->status == NP_OK || result == NULL || result == POISON);
    if (run->status == NP_OK)
        np_stats_destroy(result);
}

static void collector_create(fault_run *run)
{
    run->collector = (np_collector *)(uintptr_t)8;
    FAULT_CALL(run, np_collector_create(run->executor, &run->collector));
    FAULT_CHECK(run->status == NP_OK || run->collector == NULL ||
                run->collector == (np_collector *)(uintptr_t)8);
    if (run->status != NP_OK)
        run->collector = NULL;
}

static void prepare_collector(fault_run *run)
{
    fault_make_executor(run, NULL);
    FAULT_NEED(np_collector_create(run->executor, &run->collector));
}

/* Where the thread is cannot be read: then the access counts as remote, but it counts. */
static void record(fault_run *run)
{
    np_node_id node = np_topology_node_id(run->topology, 0);
    FAULT_DO(run, np_collector_record(run->collector, node, 3, 30));
    np_access_counts counts = np_collector_totals(run->collector);
    FAULT_CHECK(counts.local + counts.remote == 3);
    FAULT_CHECK(counts.local_bytes + counts.remote_bytes == 30);
}

static const fault_case cases[] = {
    {.function = "np_stats_snapshot",
     .variant = "",
     .prepare = prepare,
     .call = snapshot,
     .check = check,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_stats_difference",
     .variant = "",
     .prepare = prepare_two,
     .call = difference,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_collector_create",
     .variant = "",
     .prepare = prepare_two,
     .call = collector_create,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_collector_record",
     .variant = "",
     .prepare = prepare_collector,
     .call = record},
};
FAULT_LIST(fault_stats_cases, cases);
