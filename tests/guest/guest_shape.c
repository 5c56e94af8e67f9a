/*
 * Goal: the machine is the one the shape file describes, so that the other programs judge the
 * library and not qemu. Method: compare sysfs with the shape, then place pages and pin this thread
 * with bare system calls and ask the kernel where they are. Uses nothing of the library.
 */
#include "guest_check.h"

#include <errno.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static void check_nodes(const struct guest_shape *shape)
{
    char text[4096], path[128];
    bool online[GUEST_MAX_NODES] = {false};
    int count = -1;
    if (guest_read_file("/sys/devices/system/node/online", text, sizeof text)) {
        count = guest_parse_list(text, online, GUEST_MAX_NODES);
    }
    GUEST_CHECK(count == shape->node_count, "the kernel has nodes %s", text);
    for (int node = 0; node < shape->node_count; node++) {
        bool cpus[GUEST_MAX_CPUS] = {false};
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", node);
        count = guest_read_file(path, text, sizeof text)
                    ? guest_parse_list(text, cpus, GUEST_MAX_CPUS)
                    : -1;
        GUEST_CHECK(count == shape->cpus_of_node[node], "node %d has %d CPUs", node, count);
        for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
            GUEST_CHECK(cpus[cpu] == (shape->node_of_cpu[cpu] == node), "CPU %d, node %d", cpu,
                        node);
        }
        snprintf(path, sizeof path, "/sys/devices/system/node/node%d/distance", node);
        if (!GUEST_CHECK(guest_read_file(path, text, sizeof text), "%s", path)) {
            continue;
        }
        char *cursor = text;
        for (int other = 0; other < shape->node_count; other++) {
            int distance = -1, length = 0;
            sscanf(cursor, "%d%n", &distance, &length);
            cursor += length;
            GUEST_CHECK(distance == shape->distance[node][other], "from %d to %d it is %d", node,
                        other, distance);
        }
    }
}

static void check_memory_size(const struct guest_shape *shape, int node)
{
    char text[4096], path[128];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/meminfo", node);
    if (!GUEST_CHECK(guest_read_file(path, text, sizeof text), "%s", path)) {
        return;
    }
    long kib = 0;
    const char *total = strstr(text, "MemTotal:");
    if (total != NULL) {
        sscanf(total, "MemTotal: %ld", &kib);
    }
    /* The kernel keeps some of every node for itself: most on the first, which holds its image. */
    long mib = kib / 1024;
    GUEST_CHECK(mib <= shape->node_mib[node] && mib >= shape->node_mib[node] * 6 / 10,
                "node %d has %ld of %d MiB", node, mib, shape->node_mib[node]);
}

/* Binds two fresh pages to the node and looks where they came to lie. */
static void check_binding(const struct guest_shape *shape, int node)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    char *memory = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (!GUEST_CHECK(memory != MAP_FAILED, "errno %d", errno)) {
        return;
    }
    unsigned long mask[2] = {1UL << node, 0};
    long result = syscall(SYS_mbind, memory, 2 * page, MPOL_BIND, mask, 65UL, 0U);
    if (!shape->node_allowed[node] || shape->node_mib[node] == 0) {
        GUEST_CHECK(result != 0 && errno == EINVAL, "node %d is not usable: result %ld errno %d",
                    node, result, errno);
    } else if (GUEST_CHECK(result == 0, "node %d errno %d", node, errno)) {
        memory[0] = memory[page] = 1;
        for (size_t i = 0; i < 2; i++) {
            int found = guest_node_of_page(memory + i * page);
            GUEST_CHECK(found == node, "page %zu lies on node %d, bound to %d", i, found, node);
        }
    }
    munmap(memory, 2 * page);
}

/* Pins this thread to each CPU in turn: it gets there, or the cpuset forbids it. */
static void check_pinning(const struct guest_shape *shape)
{
    bool mine[GUEST_MAX_CPUS] = {false};
    guest_affinity(0, mine);
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        GUEST_CHECK(mine[cpu] == shape->cpu_allowed[cpu], "CPU %d in the mask at start", cpu);
    }
    cpu_set_t set;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        CPU_ZERO(&set);
        CPU_SET((size_t)cpu, &set);
        int result = sched_setaffinity(0, sizeof set, &set);
        if (!shape->cpu_allowed[cpu]) {
            GUEST_CHECK(result != 0 && errno == EINVAL, "CPU %d: result %d errno %d", cpu, result,
                        errno);
            continue;
        }
        int on_cpu = -1, on_node = -1;
        guest_getcpu(&on_cpu, &on_node);
        GUEST_CHECK(result == 0 && on_cpu == cpu, "CPU %d: on %d, errno %d", cpu, on_cpu, errno);
        GUEST_CHECK(on_node == shape->node_of_cpu[cpu], "CPU %d: on node %d", cpu, on_node);
        /* Untouched memory of a pinned thread lies on its own node. */
        char *memory = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (memory != MAP_FAILED) {
            memory[0] = 1;
            int found = guest_node_of_page(memory);
            GUEST_CHECK(found == on_node || shape->node_mib[on_node] == 0,
                        "first touch from node %d lies on %d", on_node, found);
            munmap(memory, 1);
        }
    }
}

/* The kernel's list of nodes that this process may take memory from. */
static void check_allowed_memory(const struct guest_shape *shape)
{
    char text[16384];
    if (!GUEST_CHECK(guest_read_file("/proc/self/status", text, sizeof text), "errno %d", errno)) {
        return;
    }
    bool nodes[GUEST_MAX_NODES] = {false};
    const char *line = strstr(text, "Mems_allowed_list:");
    int count = -1;
    if (line != NULL) {
        line += strlen("Mems_allowed_list:");
        line += strspn(line, " \t");
        count = guest_parse_list(line, nodes, GUEST_MAX_NODES);
    }
    GUEST_CHECK(count > 0, "no list of allowed nodes");
    for (int node = 0; node < shape->node_count; node++) {
        bool expected = shape->node_allowed[node] && shape->node_mib[node] > 0;
        GUEST_CHECK(nodes[node] == expected, "memory of node %d", node);
    }
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    check_nodes(shape);
    for (int node = 0; node < shape->node_count; node++) {
        check_memory_size(shape, node);
        check_binding(shape, node);
    }
    check_allowed_memory(shape);
    check_pinning(shape);
    return guest_finish();
}
