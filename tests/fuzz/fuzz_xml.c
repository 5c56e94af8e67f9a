/*
 * Goal: np_topology_from_xml() turns any file into a topology for which everything in
 * machines/check_topology.h holds, or into a status with file and line. What it has read, written
 * again as a file in the same format, reads as the same nodes, CPUs, memory and distances.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <numaperf/error.h>

#include "../machines/check_topology.h"
#include "fuzz.h"

const char fuzz_name[] = "xml";

#define CPUS_MOST  512u
#define NODES_MOST 64u

static int file = -1;
static char path[64];

static void write_file(const char *bytes, size_t length)
{
    if (file < 0) {
        file = memfd_create("machine.xml", MFD_CLOEXEC);
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", file);
    }
    NPT_CHECK(file >= 0 && ftruncate(file, 0) == 0);
    NPT_CHECK(pwrite(file, bytes, length, 0) == (ssize_t)length);
}

/* --- the printer ------------------------------------------------------------------------- */

typedef struct document {
    char *text;
    size_t used, room;
} document;

__attribute__((format(printf, 2, 3))) static void add(document *d, const char *format, ...)
{
    if (d->room - d->used < 4096) {
        d->room = d->room * 2 + 65536;
        d->text = realloc(d->text, d->room);
        NPT_CHECK(d->text != NULL);
    }
    va_list arguments;
    va_start(arguments, format);
    d->used += (size_t)vsnprintf(d->text + d->used, d->room - d->used, format, arguments);
    va_end(arguments);
}

static void add_set(document *d, const char *name, const np_cpu_set *set)
{
    add(d, " %s=\"", name);
    for (size_t i = NP_CPU_SET_CAPACITY / 32; i-- > 0;)
        add(d, "0x%08x%s", (unsigned)(set->bits[i / 2] >> (i % 2 * 32) & 0xffffffffu),
            i > 0 ? "," : "");
    add(d, "\"");
}

static void add_distances(document *d, const np_topology *topology)
{
    uint32_t nodes = np_topology_node_count(topology);
    add(d, "<distances2 type=\"NUMANode\" nbobjs=\"%u\" kind=\"6\" name=\"NUMALatency\">", nodes);
    for (uint32_t i = 0; i < nodes; i++)
        add(d, "<indexes length=\"9\">%d </indexes>", np_topology_node_id(topology, i));
    for (uint32_t i = 0; i < nodes * nodes; i++) {
        uint32_t distance = 0;
        NPT_CHECK(np_topology_distance(topology, np_topology_node_id(topology, i / nodes),
                                       np_topology_node_id(topology, i % nodes),
                                       &distance) == NP_OK);
        add(d, "<u64values length=\"4\">%u </u64values>", distance);
    }
    add(d, "</distances2>");
}

/* Every CPU and node flat below the machine: cores, caches and sockets are not told. */
static void print_machine(document *d, const np_topology *topology)
{
    np_cpu_set cpus, allowed_nodes;
    np_cpu_set_clear(&allowed_nodes);
    NPT_CHECK(np_topology_cpus(topology, &cpus) == NP_OK);
    for (uint32_t i = 0; i < np_topology_node_count(topology); i++) {
        np_node_info info;
        NPT_CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &info) ==
                  NP_OK);
        if (info.memory_allowed)
            (void)np_cpu_set_add(&allowed_nodes, info.id);
    }
    add(d, "<?xml version=\"1.0\"?><topology version=\"2.0\"><object type=\"Machine\"");
    add_set(d, "allowed_cpuset", &cpus);
    add_set(d, "allowed_nodeset", &allowed_nodes);
    add(d, ">");
    for (uint32_t i = 0; i < np_topology_node_count(topology); i++) {
        np_node_id id = np_topology_node_id(topology, i);
        np_node_info info;
        np_cpu_set own;
        NPT_CHECK(np_topology_node_info(topology, id, &info) == NP_OK);
        NPT_CHECK(np_topology_node_cpus(topology, id, &own) == NP_OK);
        add(d, "<object type=\"NUMANode\" os_index=\"%d\" local_memory=\"%llu\"", id,
            (unsigned long long)info.memory_bytes);
        add_set(d, "cpuset", &own);
        add(d, "/>");
    }
    for (int32_t cpu = np_cpu_set_first(&cpus); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&cpus, cpu))
        add(d, "<object type=\"PU\" os_index=\"%d\"/>\n", cpu);
    add(d, "</object>");
    if (np_topology_distance_source(topology) == NP_DISTANCE_GIVEN)
        add_distances(d, topology);
    add(d, "</topology>\n");
}

static void check_round_trip(const np_topology *topology)
{
    document d = {NULL, 0, 0};
    np_topology *again = NULL;
    /* The file's set of allowed nodes, like ours of CPUs, ends at the capacity. */
    uint32_t nodes = np_topology_node_count(topology);
    if (np_topology_node_id(topology, nodes - 1) >= (np_node_id)NP_CPU_SET_CAPACITY)
        return;
    print_machine(&d, topology);
    write_file(d.text, d.used);
    if (np_topology_from_xml(path, &again) != NP_OK)
        NPT_FAIL("what was read cannot be read again: %s\n%.1500s", np_error_detail(), d.text);
    npt_check_same(topology, again, np_topology_distance_source(topology) == NP_DISTANCE_GIVEN,
                   "a file and what was read from it");
    np_topology_destroy(again);
    free(d.text);
}

void fuzz_one(const char *text, size_t length)
{
    np_topology *const untouched = (np_topology *)(void *)&text;
    np_topology *topology = untouched;
    write_file(text, length);
    np_status status = np_topology_from_xml(path, &topology);
    if (status != NP_OK) {
        NPT_CHECK(status == NP_ERR_PARSE || status == NP_ERR_LIMIT);
        npt_check_refusal(status, topology, untouched, "an XML file");
        NPT_CHECK(strstr(np_error_detail(), path) != NULL);
        return;
    }
    NPT_CHECK(topology != untouched && np_topology_is_virtual(topology));
    if (np_topology_cpu_count(topology) <= CPUS_MOST &&
        np_topology_node_count(topology) <= NODES_MOST)
        npt_check_topology(topology);
    else
        npt_check_parts(topology);
    check_round_trip(topology);
    np_topology_destroy(topology);
}
