/*
 * Goal: the readers of small files under /proc and /sys believe nothing: control groups and mounts
 * (quota), the kernel's lists of nodes, CPUs and distances, what a thread may use, memory sizes,
 * settings that the capabilities look at.
 *
 * What must hold: a quota is none or positive and within the machine's capacity; a group's own
 * limit cannot raise what its ancestors allow; every CPU is in at most one node; a topology built
 * from what was read satisfies machines/check_topology.h; every capability has a detail. Input:
 * files, each begun by a line
 * "@/path" below the /proc or /sys of a folder that stands in for the real one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../machines/check_topology.h"
#include "../machines/tree.h"
#include "fuzz.h"
#include "os/os.h"
#include "topology/sources.h"

const char fuzz_name[] = "system_files";

#define FILES_MOST 16u
#define CPUS       12

static tree root;

static void end_tree(void)
{
    tree_end(&root);
}

static bool acceptable(const char *path)
{
    if (strncmp(path, "/proc/", 6) != 0 && strncmp(path, "/sys/", 5) != 0)
        return false;
    return strstr(path, "/.") == NULL && strstr(path, "//") == NULL && strlen(path) < 200 &&
           path[strlen(path) - 1] != '/';
}

/* A file cannot stand where a folder is, nor the other way round. */
static bool fits(const char *path, char paths[FILES_MOST][256], size_t count)
{
    size_t length = strlen(path);
    for (size_t i = 0; i < count; i++) {
        size_t other = strlen(paths[i]);
        if ((length < other && strncmp(path, paths[i], length) == 0 && paths[i][length] == '/') ||
            (other < length && strncmp(path, paths[i], other) == 0 && path[other] == '/'))
            return false;
    }
    return true;
}

static size_t write_files(const char *text, size_t length, char paths[FILES_MOST][256])
{
    size_t count = 0;
    const char *end = text + length;
    const char *at = text;
    while (at < end && count < FILES_MOST) {
        const char *line_end = memchr(at, '\n', (size_t)(end - at));
        const char *body = line_end == NULL ? end : line_end + 1;
        const char *next = body;
        while (next < end && !(*next == '@' && (next == body || next[-1] == '\n')))
            next++;
        size_t path_length = (size_t)((line_end == NULL ? end : line_end) - at);
        if (*at == '@' && path_length > 1 && path_length < 250 &&
            memchr(at, '\0', path_length) == NULL) {
            (void)snprintf(paths[count], sizeof paths[0], "%.*s", (int)path_length - 1, at + 1);
            if (acceptable(paths[count]) && fits(paths[count], paths, count)) {
                tree_write(&root, paths[count], body, (size_t)(next - body));
                count++;
            }
        }
        at = next;
    }
    return count;
}

static bool looser(uint32_t without, uint32_t with)
{
    return without == 0 || (with != 0 && without >= with);
}

/* Taking one limit away never makes the rest tighter. */
static void check_quota(char paths[FILES_MOST][256], size_t count)
{
    uint32_t quota = npi_cgroup_cpu_quota();
    NPT_CHECK(quota <= NP_CPU_SET_CAPACITY * 1000u);
    NPT_CHECK(npi_cgroup_cpu_quota() == quota);
    for (size_t i = 0; i < count; i++) {
        char full[512];
        size_t length = 0;
        if (strstr(paths[i], "/cpu.max") == NULL && strstr(paths[i], "/cpu.cfs_quota") == NULL)
            continue;
        (void)snprintf(full, sizeof full, "%s%s", root.root, paths[i]);
        char *kept = tree_read(full, &length);
        NPT_CHECK(kept != NULL && remove(full) == 0);
        uint32_t without = npi_cgroup_cpu_quota();
        if (!looser(without, quota))
            NPT_FAIL("quota %u, and %u without %s", quota, without, paths[i]);
        tree_write(&root, paths[i], kept, length);
        free(kept);
    }
}

static void check_nodes(void)
{
    npi_machine machine;
    np_topology *topology = NULL;
    npi_machine_init(&machine);
    machine.is_virtual = true;
    npi_machine_node *node = NULL;
    NPT_CHECK(npi_machine_add_node(&machine, 0, &node) == NP_OK);
    node->memory_bytes = 4096;
    for (uint32_t i = 0; i < CPUS; i++) {
        npi_machine_cpu *cpu = NULL;
        NPT_CHECK(npi_machine_add_cpu(&machine, i, &cpu) == NP_OK);
        cpu->node = 0;
        cpu->socket = i / 6;
    }
    np_status status = npi_kernel_nodes_apply(&machine, "", true);
    if (status == NP_OK) {
        npi_kernel_memory_limits_apply(&machine);
        status = npi_kernel_cpu_limits_apply(&machine, false);
    }
    if (status == NP_OK)
        status = npi_snapshot_build(&machine, &topology);
    if (status == NP_OK)
        npt_check_topology(topology);
    else
        npt_check_refusal(status, topology, NULL, "a kernel's files");
    np_topology_destroy(topology);
    npi_machine_release(&machine);
}

static void check_capabilities(const np_topology *machine)
{
    static const np_capability readers[] = {
        NP_CAPABILITY_NO_NUMA_BALANCING, NP_CAPABILITY_TRANSPARENT_HUGE_PAGES,
        NP_CAPABILITY_HUGE_PAGES_2M,     NP_CAPABILITY_HUGE_PAGES_1G,
        NP_CAPABILITY_FULL_CPU_TIME,     NP_CAPABILITY_LOCKED_MEMORY};
    for (size_t i = 0; i < sizeof readers / sizeof readers[0]; i++) {
        np_capability_info info;
        NPT_CHECK(np_capability_get(machine, readers[i], &info) == NP_OK);
        NPT_CHECK(memchr(info.detail, '\0', sizeof info.detail) != NULL && info.detail[0] != '\0' &&
                  info.cost[0] != '\0' && info.remedy[0] != '\0');
    }
    for (np_node_index i = 0; i < np_topology_node_count(machine); i++) {
        uint64_t bytes = 77;
        np_status status = np_topology_node_free_memory(machine, np_topology_node_id(machine, i),
                                                        &bytes);
        NPT_CHECK(status == NP_OK || (bytes == 77 && np_error_detail()[0] != '\0'));
    }
    (void)npi_os_huge_page_size();
}

void fuzz_one(const char *text, size_t length)
{
    static char paths[FILES_MOST][256];
    static np_topology *machine;
    if (machine == NULL) {
        tree_begin(&root);
        NPT_CHECK(atexit(end_tree) == 0);
        NPT_CHECK(np_topology_discover(&machine) == NP_OK); /* the real one: not virtual */
    }
    size_t count = write_files(text, length, paths);
    NPT_CHECK(npi_os_set_root(root.root) == 0);
    check_quota(paths, count);
    check_nodes();
    check_capabilities(machine);
    NPT_CHECK(npi_os_set_root(NULL) == 0);
    tree_clear(&root);
}
