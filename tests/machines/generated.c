/*
 * Goal: machines that nobody has recorded: CPU-less and memory-less nodes, sparse ids, CPU or node
 * 0 missing, offline CPUs, CPUs in no node or in two, distance tables that are asymmetric, absent,
 * too short, too long or nonsense; and, each by name, the machines on which others have failed.
 *
 * Method: each machine is told as the files of a kernel, as XML and as the library's own structure;
 * each telling must give a topology that satisfies check_topology.h and is the machine. On the
 * named ones, and now and then, an executor is created and runs a task on every node that has CPUs.
 *
 * usage: generated COUNT [FIRST]       NUMAPERF names the tool. COUNT 1 and FIRST n replay machine
 * n.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numaperf/executor.h>

#include "check_topology.h"
#include "quiet.h"
#include "shape.h"
#include "tool.h"

#define EVERY_WITH_TASKS 40u
#define EVERY_WITH_TOOL  50u

static uint64_t told, refused, with_tasks;

/* --- tasks ------------------------------------------------------------------------------- */

static void look_where(void *argument)
{
    *(np_node_id *)argument = np_current_node();
}

/* One worker per node, one task to each node: it runs there; a node without CPUs is an error. */
static void run_tasks(const np_topology *topology)
{
    np_executor_options options;
    np_executor *executor = NULL;
    np_node_id ran[SHAPE_NODES];
    bool sent[SHAPE_NODES] = {false};
    np_executor_options_init(&options);
    options.ignore_environment = true;
    options.workers_per_node = 1;
    options.steal_policy = NP_STEAL_LOCAL_ONLY;
    np_status status = np_executor_create(topology, &options, &executor);
    uint32_t nodes = np_topology_node_count(topology);
    bool any = false;
    for (np_node_index i = 0; i < nodes; i++) {
        np_node_info info;
        NPT_CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &info) ==
                  NP_OK);
        any = any || info.cpu_count > 0;
    }
    if (!any) {
        npt_check_refusal(status, executor, NULL, "an executor without a CPU");
        return;
    }
    if (status != NP_OK)
        NPT_FAIL("no executor: %s", np_error_detail());
    for (np_node_index i = 0; i < nodes; i++) {
        np_node_info info;
        np_node_id id = np_topology_node_id(topology, i);
        ran[i] = NP_NODE_ID_NONE;
        NPT_CHECK(np_topology_node_info(topology, id, &info) == NP_OK);
        status = np_submit_to_node(executor, id, look_where, &ran[i]);
        sent[i] = info.cpu_count > 0;
        NPT_CHECK(sent[i] ? status == NP_OK : status == NP_ERR_NODE_HAS_NO_WORKER);
    }
    NPT_CHECK(np_submit_to_node(executor, NP_NODE_ID_NONE, look_where, ran) == NP_ERR_INVALID_NODE);
    NPT_CHECK(np_executor_destroy(executor) == NP_OK); /* waits for all of them */
    for (np_node_index i = 0; i < nodes; i++)
        NPT_CHECK(!sent[i] || ran[i] == np_topology_node_id(topology, i));
    with_tasks++;
}

/* --- one machine ------------------------------------------------------------------------- */

static void check_told(const shape *machine, np_status status, np_topology *topology,
                       const char *how, bool tasks)
{
    told++;
    if (status != NP_OK) {
        /* Only a machine in which no node has anything may be refused. */
        npt_check_refusal(status, topology, NULL, how);
        for (uint32_t n = 0; n < machine->node_count; n++) {
            np_cpu_set common;
            np_cpu_set_and(&common, &machine->cpus[n], &machine->online);
            if (machine->memory_kib[n] > 0 || !np_cpu_set_is_empty(&common))
                NPT_FAIL("%s: refused: %s", how, np_error_detail());
        }
        refused++;
        return;
    }
    npt_check_topology(topology);
    shape_expect(machine, topology, how);
    if (tasks)
        run_tasks(topology);
    np_topology_destroy(topology);
    npt_quiet_check();
}

static void check_machine(const shape *machine, const tree *files, bool tasks, bool tool)
{
    char path[TREE_PATH];
    np_topology *topology = NULL;
    npi_machine direct;
    shape_write_files(machine, files);
    shape_write_xml(machine, files, "/machine.xml");
    (void)snprintf(path, sizeof path, "%s/machine.xml", files->root);

    np_status status = tree_discover(files->root, &topology);
    check_told(machine, status, topology, "the kernel's files", tasks);
    topology = NULL;
    status = np_topology_from_xml(path, &topology);
    check_told(machine, status, topology, "XML", false);
    bool readable = status == NP_OK;
    topology = NULL;
    npi_machine_init(&direct);
    shape_fill_machine(machine, &direct);
    status = npi_snapshot_build(&direct, &topology);
    npi_machine_release(&direct);
    check_told(machine, status, topology, "the structure", false);
    if (tool && readable) {
        npt_check_tool_on("--xml", path);
        NPT_CHECK(setenv("HWLOC_FSROOT", files->root, 1) == 0);
        NPT_CHECK(setenv("HWLOC_COMPONENTS", "linux,stop", 1) == 0);
        npt_check_tool();
        NPT_CHECK(unsetenv("HWLOC_FSROOT") == 0 && unsetenv("HWLOC_COMPONENTS") == 0);
    }
    tree_clear(files);
}

/* --- machines with names ------------------------------------------------------------------ */

static void without_cpus(shape *machine, uint32_t node)
{
    np_cpu_set_and_not(&machine->present, &machine->present, &machine->cpus[node]);
    np_cpu_set_and_not(&machine->online, &machine->online, &machine->cpus[node]);
    np_cpu_set_clear(&machine->cpus[node]);
}

/* numactl #165: nodes that are not numbered from 0 without gaps, some of them without memory. */
static void numactl_165(shape *machine)
{
    shape_regular(machine, 4, 0, 8, 4);
    machine->memory_kib[1] = 0;
    machine->memory_kib[3] = 0;
}

/* scylladb #6541: CPUs on nodes that have no memory, two of four. */
static void scylladb_6541(shape *machine)
{
    shape_regular(machine, 4, 0, 1, 12);
    machine->memory_kib[1] = 0;
    machine->memory_kib[3] = 0;
    for (uint32_t i = 0; i < 16; i++)
        machine->distance[i / 4][i % 4] = i / 4 == i % 4 ? 10 : 16;
}

/* ucx #11581: online is 0-1,3-9,11-17; the table has a column per online node, not per number. */
static void ucx_11581(shape *machine)
{
    shape_regular(machine, 16, 0, 1, 2);
    for (uint32_t n = 2; n < 16; n++)
        machine->ids[n] = (np_node_id)(n < 9 ? n + 1 : n + 2);
    for (uint32_t from = 0; from < 16; from++) {
        for (uint32_t to = 0; to < 16; to++)
            machine->distance[from][to] = from == to ? 10 : 20 + from * 3 + to;
    }
}

/* stress-ng #519: the nodes are 4 to 7; there is no node 0. */
static void stress_ng_519(shape *machine)
{
    shape_regular(machine, 4, 4, 1, 8);
}

/* dispenso #89: nodes with memory and no CPU beside nodes with both. */
static void dispenso_89(shape *machine)
{
    shape_regular(machine, 6, 0, 1, 4);
    without_cpus(machine, 1);
    without_cpus(machine, 4);
    without_cpus(machine, 5);
}

/* firedancer #4428: CPU 10 of a running machine was taken offline; CPU 0 too, for good measure. */
static void firedancer_4428(shape *machine)
{
    shape_regular(machine, 2, 0, 1, 16);
    np_cpu_set_remove(&machine->online, 10);
    np_cpu_set_remove(&machine->online, 0);
}

/* oneTBB #1588: two plain nodes with interleaved numbers, of which the answer was one, node -1. */
static void onetbb_1588(shape *machine)
{
    shape_regular(machine, 2, 0, 1, 32);
    np_cpu_set_clear(&machine->cpus[0]);
    np_cpu_set_clear(&machine->cpus[1]);
    for (int32_t cpu = 0; cpu < 64; cpu++) {
        (void)np_cpu_set_add(&machine->cpus[cpu / 16 % 2], cpu);
        machine->package[cpu] = (uint32_t)cpu / 16u % 2u;
        machine->core[cpu] = (uint32_t)cpu % 32u;
    }
}

static void cpu_in_no_node(shape *machine)
{
    shape_regular(machine, 2, 0, 1, 4);
    np_cpu_set_remove(&machine->cpus[1], 5);
    np_cpu_set_remove(&machine->cpus[0], 0);
}

static void nonsense_table(shape *machine)
{
    shape_regular(machine, 3, 1, 2, 2);
    machine->table = SHAPE_TABLE_NONSENSE;
    machine->distance[1][1] = 30;
}

static const struct {
    const char *name;
    void (*make)(shape *);
} named[] = {
    {"numactl #165", numactl_165},
    {"scylladb #6541", scylladb_6541},
    {"ucx #11581", ucx_11581},
    {"stress-ng #519", stress_ng_519},
    {"dispenso #89", dispenso_89},
    {"firedancer #4428", firedancer_4428},
    {"oneTBB #1588", onetbb_1588},
    {"a CPU in no node", cpu_in_no_node},
    {"a nonsense table", nonsense_table},
};

int main(int argc, char **argv)
{
    uint64_t count = argc > 1 ? strtoull(argv[1], NULL, 10) : 0;
    uint64_t first = argc > 2 ? strtoull(argv[2], NULL, 10) : 0;
    static shape machine;
    char words[400];
    tree files;
    if (count == 0) {
        npt_say("usage: generated COUNT [FIRST]\n");
        return 2;
    }
    npt_quiet_begin();
    tree_begin(&files);
    for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
        named[i].make(&machine);
        npt_case("the machine of %s", named[i].name);
        npt_case_limit(60);
        check_machine(&machine, &files, true, true);
    }
    for (uint64_t seed = first; seed < first + count; seed++) {
        shape_random(&machine, seed);
        shape_describe(&machine, words, sizeof words);
        npt_case("replay: %s 1 %llu; %s", argv[0], (unsigned long long)seed, words);
        npt_case_limit(60);
        check_machine(&machine, &files, seed % EVERY_WITH_TASKS == 0, seed % EVERY_WITH_TOOL == 0);
    }
    npt_case_limit(0);
    tree_end(&files);
    npt_say("counted: machines | named machines of others' bugs | %zu\n",
            sizeof named / sizeof named[0]);
    npt_say("counted: machines | generated machines | %llu\n", (unsigned long long)count);
    npt_say("counted: machines | tellings of named and generated machines | %llu\n",
            (unsigned long long)told);
    npt_say("counted: machines | of these without any usable node, refused with words | %llu\n",
            (unsigned long long)refused);
    npt_say("counted: machines | of these with an executor that ran a task on every node | %llu\n",
            (unsigned long long)with_tasks);
    return 0;
}
