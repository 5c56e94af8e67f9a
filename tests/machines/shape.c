/*
 * tests/machines/shape.c - see shape.h.
 */
#include "shape.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "quiet.h"

/* --- making ------------------------------------------------------------------------------ */

void shape_regular(shape *self, uint32_t nodes, np_node_id first, np_node_id step,
                   uint32_t per_node)
{
    memset(self, 0, sizeof *self);
    NPT_CHECK(nodes <= SHAPE_NODES && nodes * per_node <= SHAPE_CPUS);
    self->node_count = nodes;
    self->table = SHAPE_TABLE_GOOD;
    for (uint32_t n = 0; n < nodes; n++) {
        self->ids[n] = first + (np_node_id)n * step;
        self->memory_kib[n] = 1u << 20;
        for (uint32_t i = 0; i < per_node; i++) {
            int32_t cpu = (int32_t)(n * per_node + i);
            (void)np_cpu_set_add(&self->cpus[n], cpu);
            (void)np_cpu_set_add(&self->present, cpu);
            self->package[cpu] = n;
            self->core[cpu] = i / 2;
        }
        for (uint32_t to = 0; to < nodes; to++)
            self->distance[n][to] = n == to ? 10 : 20;
    }
    self->online = self->present;
}

static void random_ids(shape *self, npi_random *random)
{
    uint32_t kind = npi_random_below(random, 4);
    np_node_id id = kind == 0 ? 0 : (np_node_id)npi_random_below(random, 9);
    for (uint32_t n = 0; n < self->node_count; n++) {
        self->ids[n] = id;
        id += 1 + (np_node_id)(kind < 2 ? 0 : npi_random_below(random, kind == 2 ? 3 : 60));
    }
}

static void random_cpus(shape *self, npi_random *random)
{
    NPT_CHECK(self->node_count > 0);
    uint32_t count = 1 + npi_random_below(random, 24);
    uint32_t gap = npi_random_below(random, 3);
    uint32_t per_core = 1 + npi_random_below(random, 2);
    uint32_t per_package = 1 + npi_random_below(random, 8);
    uint32_t odd = npi_random_below(random, 6); /* 0: some CPUs offline, 1: some in no node */
    bool interleaved = npi_random_below(random, 2) == 0;
    int32_t cpu = (int32_t)(gap == 0 ? 0 : npi_random_below(random, 5));
    for (uint32_t i = 0; i < count; i++) {
        uint32_t node = interleaved ? i % self->node_count : i * self->node_count / count;
        (void)np_cpu_set_add(&self->present, cpu);
        if (odd != 0 || npi_random_below(random, 3) != 0 || i + 1 == count)
            (void)np_cpu_set_add(&self->online, cpu);
        if ((odd != 1 || npi_random_below(random, 3) != 0) && self->memory_kib[node] % 7 != 6)
            (void)np_cpu_set_add(&self->cpus[node], cpu);
        self->package[cpu] = i / per_core / per_package;
        self->core[cpu] = i / per_core;
        cpu += 1 + (int32_t)npi_random_below(random, gap + 1);
    }
    if (npi_random_below(random, 12) == 0 && self->node_count > 1) /* two nodes claim the same */
        np_cpu_set_or(&self->cpus[1], &self->cpus[1], &self->cpus[0]);
}

static void random_table(shape *self, npi_random *random)
{
    static const uint32_t wrong[] = {0, 1, 9, 256, 1000, UINT32_MAX};
    self->table = (shape_table)npi_random_below(random, 5);
    bool symmetric = npi_random_below(random, 2) == 0;
    for (uint32_t from = 0; from < self->node_count; from++) {
        for (uint32_t to = 0; to < self->node_count; to++) {
            self->distance[from][to] = from == to ? 10 : 11 + npi_random_below(random, 244);
            if (symmetric && to < from)
                self->distance[from][to] = self->distance[to][from];
        }
    }
    if (self->table == SHAPE_TABLE_NONSENSE)
        self->distance[npi_random_below(random, self->node_count)]
                      [npi_random_below(random, self->node_count)] =
            wrong[npi_random_below(random, sizeof wrong / sizeof wrong[0])];
}

void shape_random(shape *self, uint64_t seed)
{
    npi_random random;
    memset(self, 0, sizeof *self);
    npi_random_seed(&random, seed);
    self->node_count = 1 + npi_random_below(&random, SHAPE_NODES);
    random_ids(self, &random);
    /* A third of the nodes without memory, and where it divides to 6, without CPUs. */
    for (uint32_t n = 0; n < self->node_count; n++)
        self->memory_kib[n] = npi_random_below(&random, 3) == 0
                                  ? 0
                                  : 1024 + npi_random_below(&random, 1000000);
    random_cpus(self, &random);
    random_table(self, &random);
}

/* --- telling ----------------------------------------------------------------------------- */

static void print_list(const tree *files, const char *path, const np_cpu_set *set)
{
    char text[2048];
    (void)np_cpu_set_print(set, text, sizeof text);
    tree_print(files, path, "%s\n", text);
}

static void print_mask(const tree *files, const char *path, const np_cpu_set *set)
{
    char text[256] = "";
    size_t used = 0;
    for (int word = SHAPE_CPUS / 32 - 1; word >= 0; word--)
        used += (size_t)snprintf(text + used, sizeof text - used, "%08x%s",
                                 (unsigned)(set->bits[word / 2] >> (word % 2 * 32) & 0xffffffffu),
                                 word > 0 ? "," : "\n");
    tree_write(files, path, text, used);
}

/* The online CPUs with the same package, and with `core` the same core too. */
static void siblings(const shape *self, int32_t cpu, bool core, np_cpu_set *out)
{
    np_cpu_set_clear(out);
    for (int32_t other = np_cpu_set_first(&self->online); other != NP_CPU_NONE;
         other = np_cpu_set_next(&self->online, other)) {
        if (self->package[other] == self->package[cpu] &&
            (!core || self->core[other] == self->core[cpu]))
            (void)np_cpu_set_add(out, other);
    }
}

static void write_cpus(const shape *self, const tree *files)
{
    char path[128];
    np_cpu_set set;
    print_list(files, "/sys/devices/system/cpu/present", &self->present);
    print_list(files, "/sys/devices/system/cpu/possible", &self->present);
    print_list(files, "/sys/devices/system/cpu/online", &self->online);
    for (int32_t cpu = np_cpu_set_first(&self->present); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&self->present, cpu)) {
        bool online = np_cpu_set_contains(&self->online, cpu);
        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/online", cpu);
        tree_print(files, path, "%d\n", online ? 1 : 0);
        if (!online)
            continue;
        for (int core = 0; core < 2; core++) {
            siblings(self, cpu, core != 0, &set);
            (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/%s", cpu,
                           core != 0 ? "core_cpus" : "package_cpus");
            print_mask(files, path, &set);
        }
        (void)snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/core_id", cpu);
        tree_print(files, path, "%u\n", self->core[cpu]);
        (void)snprintf(path, sizeof path,
                       "/sys/devices/system/cpu/cpu%d/topology/physical_package_id", cpu);
        tree_print(files, path, "%u\n", self->package[cpu]);
    }
}

void shape_write_files(const shape *self, const tree *files)
{
    char path[128];
    np_cpu_set online_nodes;
    np_cpu_set_clear(&online_nodes);
    write_cpus(self, files);
    for (uint32_t n = 0; n < self->node_count; n++) {
        np_node_id id = self->ids[n];
        char row[512] = "";
        size_t used = 0;
        uint32_t columns = self->node_count + (self->table == SHAPE_TABLE_LONG ? 1u : 0u) -
                           (self->table == SHAPE_TABLE_SHORT && n == 0 ? 1u : 0u);
        (void)np_cpu_set_add(&online_nodes, id);
        (void)snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", id);
        print_list(files, path, &self->cpus[n]);
        (void)snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpumap", id);
        print_mask(files, path, &self->cpus[n]);
        (void)snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", id);
        tree_print(files, path, "Node %d MemTotal: %llu kB\nNode %d MemFree: 0 kB\n", id,
                   (unsigned long long)self->memory_kib[n], id);
        for (uint32_t to = 0; to < columns; to++)
            used += (size_t)snprintf(row + used, sizeof row - used, "%s%u", to > 0 ? " " : "",
                                     to < self->node_count ? self->distance[n][to] : 33u);
        (void)snprintf(path, sizeof path, "/sys/devices/system/node/node%d/distance", id);
        if (self->table != SHAPE_TABLE_NONE)
            tree_print(files, path, "%s\n", row);
    }
    print_list(files, "/sys/devices/system/node/online", &online_nodes);
    tree_print(files, "/proc/meminfo", "MemTotal: 1048576 kB\nMemFree: 1024 kB\n");
    tree_print(files, "/proc/cpuinfo", "\n");
}

typedef struct writer {
    char text[65536];
    size_t used;
} writer;

__attribute__((format(printf, 2, 3))) static void add(writer *w, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    w->used += (size_t)vsnprintf(w->text + w->used, sizeof w->text - w->used, format, arguments);
    va_end(arguments);
    NPT_CHECK(w->used < sizeof w->text);
}

void shape_write_xml(const shape *self, const tree *files, const char *path)
{
    static writer w;
    w.used = 0;
    add(&w, "<topology version=\"2.0\"><object type=\"Machine\">\n");
    for (uint32_t n = 0; n < self->node_count; n++) {
        add(&w, "<object type=\"NUMANode\" os_index=\"%d\" local_memory=\"%llu\" cpuset=\"",
            self->ids[n], (unsigned long long)self->memory_kib[n] * 1024);
        for (int word = SHAPE_CPUS / 32 - 1; word >= 0; word--)
            add(&w, "0x%08x%s",
                (unsigned)(self->cpus[n].bits[word / 2] >> (word % 2 * 32) & 0xffffffffu),
                word > 0 ? "," : "\"/>\n");
    }
    uint32_t package = UINT32_MAX, core = UINT32_MAX;
    for (int32_t cpu = np_cpu_set_first(&self->online); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&self->online, cpu)) {
        if (core != UINT32_MAX && (core != self->core[cpu] || package != self->package[cpu]))
            add(&w, "</object>");
        if (package != UINT32_MAX && package != self->package[cpu])
            add(&w, "</object>\n");
        if (package != self->package[cpu])
            add(&w, "<object type=\"Package\" os_index=\"%u\">", self->package[cpu]);
        if (core != self->core[cpu] || package != self->package[cpu])
            add(&w, "<object type=\"Core\" os_index=\"%u\">", self->core[cpu]);
        package = self->package[cpu];
        core = self->core[cpu];
        add(&w, "<object type=\"PU\" os_index=\"%d\"/>", cpu);
    }
    add(&w, "%s</object>\n", package != UINT32_MAX ? "</object></object>" : "");
    if (self->table == SHAPE_TABLE_GOOD || self->table == SHAPE_TABLE_NONSENSE) {
        add(&w,
            "<distances2 type=\"NUMANode\" nbobjs=\"%u\" kind=\"5\" name=\"NUMALatency\">\n"
            "<indexes length=\"1\">",
            self->node_count);
        for (uint32_t n = 0; n < self->node_count; n++)
            add(&w, "%d ", self->ids[n]);
        add(&w, "</indexes>\n<u64values length=\"1\">");
        for (uint32_t i = 0; i < self->node_count * self->node_count; i++)
            add(&w, "%u ", self->distance[i / self->node_count][i % self->node_count]);
        add(&w, "</u64values></distances2>\n");
    }
    add(&w, "</topology>\n");
    tree_write(files, path, w.text, w.used);
}

void shape_fill_machine(const shape *self, npi_machine *machine)
{
    machine->is_virtual = true;
    for (int32_t cpu = np_cpu_set_first(&self->online); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&self->online, cpu)) {
        npi_machine_cpu *added = NULL;
        NPT_CHECK(npi_machine_add_cpu(machine, (uint64_t)cpu, &added) == NP_OK);
        added->core = self->package[cpu] * 1000 + self->core[cpu];
        added->socket = self->package[cpu];
    }
    for (uint32_t n = 0; n < self->node_count; n++) {
        npi_machine_node *added = NULL;
        NPT_CHECK(npi_machine_add_node(machine, (uint64_t)self->ids[n], &added) == NP_OK);
        added->memory_bytes = self->memory_kib[n] * 1024;
        npi_machine_claim(machine, self->ids[n], &self->cpus[n], false);
    }
    if (self->table != SHAPE_TABLE_GOOD && self->table != SHAPE_TABLE_NONSENSE)
        return;
    NPT_CHECK(npi_machine_set_distance_count(machine, self->node_count) == NP_OK);
    machine->distance_source = NP_DISTANCE_GIVEN;
    for (uint32_t n = 0; n < self->node_count; n++) {
        machine->distance_ids[n] = self->ids[n];
        for (uint32_t to = 0; to < self->node_count; to++)
            machine->distances[n * self->node_count + to] = self->distance[n][to];
    }
}

/* --- expecting --------------------------------------------------------------------------- */

/* The node whose list names the CPU; of several the one with the shortest list. */
static np_node_id home_of(const shape *self, int32_t cpu)
{
    np_node_id home = NP_NODE_ID_NONE;
    uint32_t fewest = UINT32_MAX;
    for (uint32_t n = 0; n < self->node_count; n++) {
        uint32_t count = np_cpu_set_count(&self->cpus[n]);
        if (np_cpu_set_contains(&self->cpus[n], cpu) && count < fewest) {
            home = self->ids[n];
            fewest = count;
        }
    }
    return home;
}

void shape_expect(const shape *self, const np_topology *topology, const char *told)
{
    np_cpu_set all;
    NPT_CHECK(np_topology_cpus(topology, &all) == NP_OK);
    if (!np_cpu_set_equal(&all, &self->online))
        NPT_FAIL("%s: not the CPUs that are online", told);
    for (int32_t cpu = np_cpu_set_first(&all); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&all, cpu)) {
        if (np_topology_cpu_node(topology, cpu) != home_of(self, cpu))
            NPT_FAIL("%s: CPU %d is on node %d and not %d", told, cpu,
                     np_topology_cpu_node(topology, cpu), home_of(self, cpu));
    }
    uint32_t kept = 0;
    for (uint32_t n = 0; n < self->node_count; n++) {
        np_node_info info;
        bool has_cpu = false;
        for (int32_t cpu = np_cpu_set_first(&all); cpu != NP_CPU_NONE && !has_cpu;
             cpu = np_cpu_set_next(&all, cpu))
            has_cpu = home_of(self, cpu) == self->ids[n];
        bool there = np_topology_node_info(topology, self->ids[n], &info) == NP_OK;
        if (there != (has_cpu || self->memory_kib[n] > 0))
            NPT_FAIL("%s: node %d is %s", told, self->ids[n], there ? "there" : "missing");
        kept += there ? 1u : 0u;
        if (there && info.memory_bytes != self->memory_kib[n] * 1024)
            NPT_FAIL("%s: node %d has %llu bytes", told, self->ids[n],
                     (unsigned long long)info.memory_bytes);
        for (uint32_t to = 0; to < self->node_count; to++) {
            uint32_t distance = 0;
            if (self->table == SHAPE_TABLE_GOOD &&
                np_topology_distance(topology, self->ids[n], self->ids[to], &distance) == NP_OK &&
                distance != self->distance[n][to])
                NPT_FAIL("%s: from node %d to %d the distance is %u and not %u", told, self->ids[n],
                         self->ids[to], distance, self->distance[n][to]);
        }
    }
    NPT_CHECK(kept == np_topology_node_count(topology));
}

void shape_describe(const shape *self, char *text, size_t capacity)
{
    char list[256];
    size_t used = 0;
    (void)np_cpu_set_print(&self->online, list, sizeof list);
    used += (size_t)snprintf(text, capacity, "online %s, table %d;", list, (int)self->table);
    for (uint32_t n = 0; n < self->node_count && used < capacity; n++) {
        (void)np_cpu_set_print(&self->cpus[n], list, sizeof list);
        used += (size_t)snprintf(text + used, capacity - used, " node %d: %s, %llu kB;",
                                 self->ids[n], list, (unsigned long long)self->memory_kib[n]);
    }
}
