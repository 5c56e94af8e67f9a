/*
 * topology/kernel_attributes.c - latency and bandwidth of memories as the kernel passes them on
 * from the firmware (HMAT, or CXL's CDAT): the folders accessN/initiators of nodes. It gives the
 * figures of the nodes with the best access to a memory, and says which these are; of other pairs
 * it is silent. Called by the thread that discovers, and holds nothing between calls.
 */
#include <stdio.h>
#include <stdlib.h>

#include "os/os.h"
#include "topology/sources.h"

#define NODES         "/sys/devices/system/node"
#define PATH_CAPACITY 4096u

static const struct {
    const char *file;
    np_memory_attribute attribute;
} files[] = {
    {"read_latency", NP_MEMORY_READ_LATENCY},
    {"write_latency", NP_MEMORY_WRITE_LATENCY},
    {"read_bandwidth", NP_MEMORY_READ_BANDWIDTH},
    {"write_bandwidth", NP_MEMORY_WRITE_BANDWIDTH},
};

#define FILE_COUNT (sizeof files / sizeof files[0])

/* A positive number alone in a file; the kernel writes 0 for what it does not know. */
static bool read_figure(const char *folder, const char *file, uint64_t *out)
{
    char path[PATH_CAPACITY + 32u];
    char text[64];
    char *end = NULL;
    snprintf(path, sizeof path, "%s/%s", folder, file);
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0 || text[0] < '0' || text[0] > '9')
        return false;
    *out = strtoull(text, &end, 10);
    return (*end == '\n' || *end == '\0') && *out > 0 && *out < UINT64_MAX;
}

/* Class 1 counts only CPUs as places from which memory is used, class 0 devices too; kernels before
 * 5.10 have class 0 alone. */
static bool find_folder(const char *root, np_node_id target, char *folder)
{
    for (int class = 1; class >= 0; class --) {
        snprintf(folder, PATH_CAPACITY, "%s" NODES "/node%d/access%d/initiators", root, target,
                 class);
        if (npi_os_path_exists(folder))
            return true;
    }
    return false;
}

static bool has_cpus(const npi_machine *machine, np_node_id node)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        if (machine->cpus[i].node == node)
            return true;
    }
    return false;
}

static np_status add_figures(npi_machine *machine, np_node_id target, const char *folder)
{
    uint64_t figures[FILE_COUNT] = {0};
    bool any = false;
    for (size_t i = 0; i < FILE_COUNT; i++) {
        if (!read_figure(folder, files[i].file, &figures[i]))
            figures[i] = 0;
        any = any || figures[i] > 0;
    }
    for (uint32_t i = 0; i < machine->node_count && any; i++) {
        np_node_id from = machine->nodes[i].id;
        char path[PATH_CAPACITY + 32u];
        snprintf(path, sizeof path, "%s/node%d", folder, from);
        if (!has_cpus(machine, from) || !npi_os_path_exists(path))
            continue;
        for (size_t j = 0; j < FILE_COUNT; j++) {
            npi_machine_value one = {figures[j], target, from, files[j].attribute};
            np_status status = figures[j] == 0 ? NP_OK : npi_machine_add_value(machine, &one);
            if (status != NP_OK)
                return status;
        }
    }
    return NP_OK;
}

np_status npi_kernel_attributes_apply(npi_machine *machine, const char *root)
{
    char folder[PATH_CAPACITY];
    bool dropped = false;
    for (uint32_t i = 0; i < machine->node_count; i++) {
        np_node_id target = machine->nodes[i].id;
        if (!find_folder(root, target, folder))
            continue;
        if (!dropped)
            npi_machine_drop_values(machine);
        dropped = true;
        machine->value_source = NP_MEMORY_SOURCE_FIRMWARE;
        np_status status = add_figures(machine, target, folder);
        if (status != NP_OK)
            return status;
    }
    return NP_OK;
}
