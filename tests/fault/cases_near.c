/*
 * tests/fault/cases_near.c - tasks sent to their data. The kernel may refuse to say where pages
 * are: the task then goes near its caller, and is accepted all the same.
 */
#include <stdlib.h>
#include <string.h>

#include "cases.h"

enum { BYTES = 64 * 4096 };

static char data[BYTES];

static void prepare_region(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_region_create_on_node(run->topology, BYTES, 1, &run->region));
}

/* The kernel has to be asked each time. */
static void prepare_plain(fault_run *run)
{
    fault_make_executor(run, NULL);
    memset(data, 1, sizeof data);
    np_near_forget(NULL, 0);
}

static void check(fault_run *run, bool fired)
{
    (void)fired;
    fault_account(run);
}

static void near_region(fault_run *run)
{
    FAULT_CALL(run,
               np_submit_near(run->executor, np_region_data(run->region), BYTES, fault_task, run));
    run->expected += run->status == NP_OK ? 1 : 0;
}

static void near_plain(fault_run *run)
{
    FAULT_CALL(run, np_submit_near(run->executor, data, BYTES, fault_task, run));
    run->expected += run->status == NP_OK ? 1 : 0;
}

static void near_ranges(fault_run *run)
{
    np_data_range ranges[] = {{.address = data, .bytes = 4096},
                              {.address = data + BYTES / 2, .bytes = BYTES / 2, .weight = 2}};
    FAULT_CALL(run,
               np_submit_with(run->executor, NP_SUBMIT_OPTIONS(.data = ranges, .data_count = 2),
                              fault_task, run));
    run->expected += run->status == NP_OK ? 1 : 0;
}

static void locate(fault_run *run)
{
    np_data_range range = {.address = data, .bytes = BYTES};
    np_data_place place;
    FAULT_CALL(run, np_data_locate(run->executor, &range, 1, &place));
    /* Known or not, all of it is told, and there is a home. */
    FAULT_CHECK(place.bytes + place.elsewhere + place.unknown == BYTES);
    FAULT_CHECK((place.node == NP_NODE_ID_NONE) == (place.unknown == BYTES));
    FAULT_CHECK(np_executor_node_worker_count(run->executor, place.home) > 0);
}

/* Tasks with data on two nodes, so that a snapshot has cells. */
static void prepare_counted(fault_run *run)
{
    prepare_region(run);
    np_data_range range = {.address = np_region_data(run->region), .bytes = BYTES};
    for (np_node_id node = 0; node < 2; node++)
        FAULT_NEED(np_submit_with(
            run->executor,
            NP_SUBMIT_OPTIONS(.to_node = true, .node = node, .data = &range, .data_count = 1),
            fault_task, run));
    run->expected += 2;
    fault_account(run);
    FAULT_NEED(np_stats_snapshot(run->executor, &run->older));
}

static void snapshot(fault_run *run)
{
    FAULT_CALL(run, np_stats_snapshot(run->executor, &run->stats));
    if (run->status == NP_OK)
        FAULT_CHECK(np_stats_data(run->stats, NP_NODE_ID_NONE, NP_NODE_ID_NONE, 1).tasks == 2);
}

static void prepare_two(fault_run *run)
{
    prepare_counted(run);
    FAULT_NEED(np_stats_snapshot(run->executor, &run->stats));
}

static void difference(fault_run *run)
{
    np_stats *between = NULL;
    FAULT_CALL(run, np_stats_difference(run->stats, run->older, &between));
    if (run->status == NP_OK)
        FAULT_CHECK(np_stats_data(between, NP_NODE_ID_NONE, NP_NODE_ID_NONE, 1).tasks == 0);
    else
        FAULT_CHECK(between == NULL);
    np_stats_destroy(between);
}

static void read_cube(fault_run *run)
{
    FAULT_DO(run, (void)np_stats_data(run->stats, 0, 0, 1));
}

static void read_locality(fault_run *run)
{
    FAULT_DO(run, (void)np_stats_data_locality(run->stats));
}

static void forget(fault_run *run)
{
    FAULT_DO(run, np_near_forget(data, sizeof data));
}

#define NEAR(name, kind, before, call_it)                                                      \
    {                                                                                          \
        .function = name, .variant = kind, .prepare = before, .call = call_it, .check = check, \
        .allowed = {NP_ERR_NO_MEMORY}, .thing = "cannot grow", .elsewhere = true               \
    }

static const fault_case cases[] = {
    NEAR("np_submit_near", "region", prepare_region, near_region),
    NEAR("np_submit_near", "plain", prepare_plain, near_plain),
    NEAR("np_submit_with", "data", prepare_plain, near_ranges),
    {.function = "np_stats_snapshot",
     .variant = "data",
     .prepare = prepare_counted,
     .call = snapshot,
     .allowed = {NP_ERR_NO_MEMORY},
     .thing = "memory"},
    {.function = "np_stats_difference",
     .variant = "data",
     .prepare = prepare_two,
     .call = difference,
     .allowed = {NP_ERR_NO_MEMORY},
     .thing = "memory"},
    {.function = "np_stats_data",
     .variant = "",
     .pure = "reads what is there",
     .prepare = prepare_two,
     .call = read_cube},
    {.function = "np_stats_data_locality",
     .variant = "",
     .pure = "reads what is there",
     .prepare = prepare_two,
     .call = read_locality},
    {.function = "np_near_forget",
     .variant = "",
     .pure = "it writes words that are there",
     .prepare = prepare_plain,
     .call = forget},
    {.function = "np_data_locate", .variant = "", .prepare = prepare_plain, .call = locate},
};
FAULT_LIST(fault_near_cases, cases);
