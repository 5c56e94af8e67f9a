/*
 * topology/kernel_nodes.c - the running kernel's own word on nodes and on what may be used.
 *
 * hwloc attaches memory to the CPUs nearest to it; the kernel says to which node a CPU belongs.
 * They differ for CPU-less nodes, and the kernel's view is the one that getcpu() and memory
 * policies follow, so it has the last word on the running machine.
 */
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "os/os.h"
#include "topology/sources.h"
#include "topology/whole_file.h"

#define NODES         "/sys/devices/system/node"
#define PATH_CAPACITY 4096u
#define FILE_MOST     (256u * 1024u)

/* Reads a file in the kernel's list format. False: not there, or not understood. */
static bool read_list(const char *path, np_cpu_set *out)
{
    npi_whole_file file;
    if (npi_whole_file_read(path, FILE_MOST, &file) != 0)
        return false;
    bool good = np_cpu_set_parse(file.text, out) == NP_OK;
    npi_whole_file_release(&file);
    return good;
}

/* The path of a node's file; one that is too long is cut, and then not found. */
static void node_path(char *path, const char *root, np_node_id node, const char *name)
{
    snprintf(path, PATH_CAPACITY, "%s" NODES "/node%d/%s", root, node, name);
}

uint64_t npi_kernel_total_memory(const char *path)
{
    char text[8192];
    unsigned long long kib = 0;
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0)
        return 0;
    const char *at = strstr(text, "MemTotal:");
    if (at == NULL || sscanf(at, "MemTotal: %llu kB", &kib) != 1)
        return 0;
    return (uint64_t)kib * 1024u;
}

/* Adds the nodes that are online and not there yet. */
static np_status add_missing_nodes(const char *root, const np_cpu_set *online, npi_machine *machine)
{
    char path[PATH_CAPACITY];
    for (int32_t id = np_cpu_set_first(online); id != NP_CPU_NONE;
         id = np_cpu_set_next(online, id)) {
        if (npi_machine_find_node(machine, id) != NULL)
            continue;
        npi_machine_node *added = NULL;
        np_status status = npi_machine_add_node(machine, (uint64_t)id, &added);
        if (status != NP_OK)
            return status;
        node_path(path, root, id, "meminfo");
        added->memory_bytes = npi_kernel_total_memory(path);
    }
    return NP_OK;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Reads the kernel's mask format, hexadecimal words of 32 bits with the highest first, from its
 * end.
 */
bool npi_kernel_read_mask(const char *path, np_cpu_set *out)
{
    npi_whole_file file;
    if (npi_whole_file_read(path, FILE_MOST, &file) != 0)
        return false;
    int32_t bit = 0;
    bool good = false;
    np_cpu_set_clear(out);
    for (size_t i = strlen(file.text); i-- > 0;) {
        char c = file.text[i];
        int digit = hex_digit(c);
        if (c == ',' || c == '\n' || c == ' ')
            continue;
        good = digit >= 0;
        for (int place = 0; place < 4 && good; place++, bit++) {
            if ((digit >> place & 1) != 0)
                good = np_cpu_set_add(out, bit);
        }
        if (!good)
            break;
    }
    npi_whole_file_release(&file);
    return good;
}

/* The CPUs of a node: its list, or the mask, which kernels before 2.6.29 had alone. */
static bool read_node_cpus(const char *root, np_node_id id, np_cpu_set *out)
{
    char path[PATH_CAPACITY];
    node_path(path, root, id, "cpulist");
    if (read_list(path, out))
        return true;
    node_path(path, root, id, "cpumap");
    return npi_kernel_read_mask(path, out);
}

/*
 * Gives every CPU the node whose list names it. A CPU that no list names is in no node, unless the
 * list of the node where the source saw it cannot be read.
 */
static void assign_cpus(const char *root, const np_cpu_set *online, npi_machine *machine)
{
    np_cpu_set cpus;
    np_cpu_set unreadable; /* of node ids */
    np_cpu_set_clear(&unreadable);
    /* What the source said gives way to every claim, and is told from one by its weight. */
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        machine->cpus[i].claim_weight = UINT32_MAX;
    for (int32_t id = np_cpu_set_first(online); id != NP_CPU_NONE;
         id = np_cpu_set_next(online, id)) {
        if (npi_machine_find_node(machine, id) == NULL)
            continue;
        if (read_node_cpus(root, id, &cpus))
            npi_machine_claim(machine, id, &cpus, false);
        else
            (void)np_cpu_set_add(&unreadable, id);
    }
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        npi_machine_cpu *cpu = &machine->cpus[i];
        if (cpu->claim_weight == UINT32_MAX && !np_cpu_set_contains(&unreadable, cpu->node))
            cpu->node = NP_NODE_ID_NONE;
    }
}

static bool matrix_covers(const npi_machine *machine, np_node_id id)
{
    for (uint32_t i = 0; i < machine->distance_count; i++) {
        if (machine->distance_ids[i] == id)
            return true;
    }
    return false;
}

/* One row of the kernel's table; its columns stand for the online nodes in ascending order. */
static bool read_distance_row(const char *root, np_node_id id, uint32_t *row, uint32_t count)
{
    char path[PATH_CAPACITY];
    npi_whole_file file;
    node_path(path, root, id, "distance");
    if (npi_whole_file_read(path, FILE_MOST, &file) != 0)
        return false;
    const char *at = file.text;
    uint32_t read = 0;
    for (; read < count; read++) {
        int used = 0;
        if (sscanf(at, "%u%n", &row[read], &used) != 1)
            break;
        at += used;
    }
    npi_whole_file_release(&file);
    return read == count;
}

static np_status read_distances(const char *root, const np_cpu_set *online, npi_machine *machine)
{
    uint32_t count = np_cpu_set_count(online);
    np_status status = npi_machine_set_distance_count(machine, count);
    if (status != NP_OK)
        return status;
    uint32_t row = 0;
    for (int32_t id = np_cpu_set_first(online); id != NP_CPU_NONE;
         id = np_cpu_set_next(online, id)) {
        machine->distance_ids[row] = id;
        if (!read_distance_row(root, id, machine->distances + (size_t)row * count, count)) {
            npi_machine_drop_distances(machine);
            return NP_OK;
        }
        row++;
    }
    machine->distance_source = machine->is_virtual ? NP_DISTANCE_GIVEN : NP_DISTANCE_FIRMWARE;
    return NP_OK;
}

/* Kernels before 2.6.24 have no list of nodes: only nodes that are online have a folder. */
bool npi_kernel_node_folders(const char *root, np_cpu_set *online)
{
    char path[PATH_CAPACITY];
    np_cpu_set_clear(online);
    snprintf(path, sizeof path, "%s" NODES, root);
    if (!npi_os_path_exists(path))
        return false;
    for (np_node_id id = 0; id < (np_node_id)NPI_NODE_LIMIT; id++) {
        node_path(path, root, id, "");
        if (npi_os_path_exists(path))
            (void)np_cpu_set_add(online, id);
    }
    return !np_cpu_set_is_empty(online);
}

np_status npi_kernel_nodes_apply(npi_machine *machine, const char *root, bool complete)
{
    char path[PATH_CAPACITY];
    np_cpu_set online; /* of node ids: the files have the same format and fewer numbers */
    snprintf(path, sizeof path, "%s" NODES "/online", root);
    if ((!read_list(path, &online) || np_cpu_set_is_empty(&online)) &&
        !npi_kernel_node_folders(root, &online))
        return NP_OK;
    np_status status = complete ? add_missing_nodes(root, &online, machine) : NP_OK;
    if (status != NP_OK)
        return status;
    assign_cpus(root, &online, machine);
    bool covered = true;
    for (uint32_t i = 0; i < machine->node_count; i++)
        covered = covered && matrix_covers(machine, machine->nodes[i].id);
    return covered ? NP_OK : read_distances(root, &online, machine);
}

/* The set behind a key such as "Cpus_allowed_list:" in the thread's status file. */
static bool read_status_list(const char *key, np_cpu_set *out)
{
    npi_whole_file file;
    if (npi_whole_file_read("/proc/thread-self/status", FILE_MOST, &file) != 0)
        return false;
    char *at = strstr(file.text, key);
    bool good = false;
    if (at != NULL) {
        at += strlen(key);
        at[strcspn(at, "\n")] = '\0';
        good = np_cpu_set_parse(at, out) == NP_OK;
    }
    npi_whole_file_release(&file);
    return good;
}

np_status npi_kernel_cpu_limits_apply(npi_machine *machine, bool complete)
{
    np_cpu_set allowed;
    if (npi_os_affinity_get(&allowed) != 0 && !read_status_list("Cpus_allowed_list:", &allowed))
        return NP_OK;
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        machine->cpus[i].usable = np_cpu_set_contains(&allowed, machine->cpus[i].cpu);
    /* A CPU the kernel would run us on exists, whatever part of /sys could not be read. */
    for (int32_t cpu = np_cpu_set_first(&allowed); complete && cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&allowed, cpu)) {
        npi_machine_cpu *added = NULL;
        if (npi_machine_find_cpu(machine, cpu) != NULL)
            continue;
        np_status status = npi_machine_add_cpu(machine, (uint64_t)cpu, &added);
        if (status != NP_OK)
            return status;
    }
    return NP_OK;
}

void npi_kernel_memory_limits_apply(npi_machine *machine)
{
    npi_node_set nodes;
    np_cpu_set listed;
    bool answered = npi_os_allowed_nodes(&nodes) == 0;
    if (!answered && !read_status_list("Mems_allowed_list:", &listed))
        return;
    for (uint32_t i = 0; i < machine->node_count; i++) {
        np_node_id id = machine->nodes[i].id;
        machine->nodes[i].memory_allowed = answered ? npi_node_set_contains(&nodes, id)
                                                    : np_cpu_set_contains(&listed, id);
    }
}

bool npi_kernel_node_cpus(np_node_id node, np_cpu_set *out)
{
    char path[PATH_CAPACITY];
    node_path(path, "", node, "cpulist");
    return read_list(path, out);
}
