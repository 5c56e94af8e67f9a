/*
 * tests/fault/cases_devices.c - attributes of memories, devices, and what goes near them. The
 * devices come from a file, so that they are the same on every machine.
 */
#include "cases.h"

#define DEVICE "enp129s0"

static void prepare(fault_run *run)
{
    FAULT_NEED(np_topology_from_xml(FAULT_DEVICES_XML, &run->topology));
}

static void read_file(fault_run *run)
{
    FAULT_CALL(run, np_topology_from_xml(FAULT_DEVICES_XML, &run->made));
}

static void check_file(fault_run *run, bool fired)
{
    (void)fired;
    if (run->status == NP_OK)
        FAULT_CHECK(np_topology_device_count(run->made) == 2);
}

static void by_attribute(fault_run *run)
{
    np_memory_choice choices[8];
    size_t count = 99;
    FAULT_CALL(run, np_topology_memory_by_attribute(run->topology, NP_MEMORY_LATENCY, NULL, choices,
                                                    8, &count));
    FAULT_CHECK((run->status == NP_OK) == (count != 99));
}

static void best(fault_run *run)
{
    np_memory_choice choice = {.node = -7};
    FAULT_CALL(run, np_topology_best_memory(run->topology, NP_MEMORY_LATENCY, NULL, &choice));
    FAULT_CHECK((run->status == NP_OK) == (choice.node != -7));
}

static void prepare_executor(fault_run *run)
{
    prepare(run);
    np_executor_options options;
    np_executor_options_init(&options);
    options.workers_per_node = 1;
    FAULT_NEED(np_executor_create(run->topology, &options, &run->executor));
}

static void submit(fault_run *run)
{
    FAULT_CALL(run, np_submit_near_device(run->executor, DEVICE, fault_task, run));
    run->expected = run->status == NP_OK ? 1 : 0;
}

static void check_submit(fault_run *run, bool fired)
{
    (void)fired;
    fault_account(run);
}

static void region(fault_run *run)
{
    FAULT_CALL(run,
               np_region_create_near_device(run->topology, 1 << 16, DEVICE, NULL, &run->region));
}

static void check_region(fault_run *run, bool fired)
{
    (void)fired;
    FAULT_CHECK((run->status == NP_OK) == (run->region != NULL));
}

static void prepare_real(fault_run *run)
{
    fault_make_topology(run, NULL);
}

/* What lies where here is not known: a call that nothing failed may still not find out. */
static void path_node(fault_run *run)
{
    np_node_id node = -7;
    FAULT_CALL(run, np_path_node(run->topology, "/proc", &node));
    FAULT_CHECK((run->status == NP_OK) == (node != -7));
}

static const fault_case cases[] = {
    {.function = "np_topology_from_xml",
     .variant = "with devices",
     .call = read_file,
     .check = check_file,
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM, NP_ERR_NOT_FOUND, NP_ERR_NOT_PERMITTED},
     .thing = "topology file"},
    {.function = "np_topology_memory_by_attribute",
     .variant = "",
     .prepare = prepare,
     .call = by_attribute,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_topology_best_memory",
     .variant = "",
     .prepare = prepare,
     .call = best,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_submit_near_device",
     .variant = "",
     .prepare = prepare_executor,
     .call = submit,
     .check = check_submit,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_region_create_near_device",
     .variant = "",
     .prepare = prepare,
     .call = region,
     .check = check_region,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_path_node",
     .variant = "",
     .prepare = prepare_real,
     .call = path_node,
     .natural = NP_ERR_NOT_FOUND,
     .allowed = {NP_ERR_SYSTEM, NP_ERR_NOT_PERMITTED, NP_ERR_NO_MEMORY},
     .thing = "/proc"},
};
FAULT_LIST(fault_device_cases, cases);
