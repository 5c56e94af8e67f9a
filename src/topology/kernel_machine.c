/*
 * topology/kernel_machine.c - a machine from the kernel's files alone, where hwloc must not be
 * asked (kernel_check.c). It knows less: each CPU says for itself which package, core and last
 * cache it belongs to, and nobody checks whether they nest.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/status.h"
#include "os/os.h"
#include "topology/sources.h"
#include "topology/whole_file.h"

#define CPUS          "/sys/devices/system/cpu"
#define PATH_CAPACITY 4096u
#define FILE_MOST     (256u * 1024u)
#define INDEX_MOST    10u

/* A reading that fails leaves its errno, so that whoever finds no CPU at all can say why. */
static bool read_list(const char *root, const char *name, np_cpu_set *out, int *error)
{
    char path[PATH_CAPACITY];
    npi_whole_file file;
    snprintf(path, sizeof path, "%s" CPUS "/%s", root, name);
    int failed = npi_whole_file_read(path, FILE_MOST, &file);
    if (failed != 0) {
        *error = failed;
        return false;
    }
    bool good = np_cpu_set_parse(file.text, out) == NP_OK && !np_cpu_set_is_empty(out);
    npi_whole_file_release(&file);
    return good;
}

/* What is online, else what there is, else what has a folder. */
static bool find_cpus(const char *root, np_cpu_set *out, int *error)
{
    if (read_list(root, "online", out, error) || read_list(root, "present", out, error) ||
        read_list(root, "possible", out, error))
        return true;
    np_cpu_set_clear(out);
    for (int32_t cpu = 0; cpu < (int32_t)NP_CPU_SET_CAPACITY; cpu++) {
        char path[PATH_CAPACITY];
        snprintf(path, sizeof path, "%s" CPUS "/cpu%d", root, cpu);
        if (npi_os_path_exists(path))
            (void)np_cpu_set_add(out, cpu);
    }
    return !np_cpu_set_is_empty(out);
}

/* The lowest CPU of the set that one of the CPU's files holds; the CPUs of a set have the same. */
static bool read_key(const char *root, int32_t cpu, const char *name, uint32_t *key)
{
    char path[PATH_CAPACITY];
    np_cpu_set set;
    snprintf(path, sizeof path, "%s" CPUS "/cpu%d/%s", root, cpu, name);
    if (!npi_kernel_read_mask(path, &set) || !np_cpu_set_contains(&set, cpu))
        return false;
    *key = (uint32_t)np_cpu_set_first(&set);
    return true;
}

static void read_keys(const char *root, npi_machine_cpu *cpu)
{
    char name[64];
    if (!read_key(root, cpu->cpu, "topology/core_cpus", &cpu->core))
        (void)read_key(root, cpu->cpu, "topology/thread_siblings", &cpu->core);
    if (!read_key(root, cpu->cpu, "topology/package_cpus", &cpu->socket))
        (void)read_key(root, cpu->cpu, "topology/core_siblings", &cpu->socket);
    /* The kernel counts caches from the nearest; the last one that can be read is the farthest. */
    for (uint32_t index = 0; index < INDEX_MOST; index++) {
        snprintf(name, sizeof name, "cache/index%u/shared_cpu_map", index);
        (void)read_key(root, cpu->cpu, name, &cpu->cache);
    }
}

/* A kernel without NUMA: one node has it all. */
static np_status add_only_node(const char *root, npi_machine *machine)
{
    char path[PATH_CAPACITY];
    npi_machine_node *node = NULL;
    np_status status = npi_machine_add_node(machine, 0, &node);
    if (status != NP_OK)
        return status;
    snprintf(path, sizeof path, "%s/proc/meminfo", root);
    node->memory_bytes = npi_kernel_total_memory(path);
    for (uint32_t i = 0; i < machine->cpu_count; i++)
        machine->cpus[i].node = 0;
    return NP_OK;
}

np_status npi_machine_from_kernel(const char *root, npi_machine *machine)
{
    np_cpu_set cpus;
    int error = 0;
    /* The running kernel is also asked which CPUs it would run us on, whatever /sys says. */
    bool found = find_cpus(root, &cpus, &error) ||
                 (!machine->is_virtual && npi_os_affinity_get(&cpus) == 0);
    if (!found && error != 0)
        return npi_fail_errno(error == ENOMEM ? NP_ERR_NO_MEMORY : NP_ERR_SYSTEM, error, "read",
                              "%s" CPUS " names no CPU", root);
    if (!found)
        return npi_fail(NP_ERR_SYSTEM, "%s" CPUS " names no CPU", root);
    for (int32_t cpu = np_cpu_set_first(&cpus); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&cpus, cpu)) {
        npi_machine_cpu *added = NULL;
        np_status status = npi_machine_add_cpu(machine, (uint64_t)cpu, &added);
        if (status != NP_OK)
            return status;
        read_keys(root, added);
    }
    np_status status = npi_kernel_nodes_apply(machine, root, true);
    if (status == NP_OK && machine->node_count == 0)
        status = add_only_node(root, machine);
    return status;
}
