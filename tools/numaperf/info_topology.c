/*
 * info_topology.c - `numaperf info topology`: the summary, the nodes, and the groups of CPUs that
 * share a last-level cache, which is what the library's tiers are made of.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "format.h"
#include "info.h"
#include "table.h"

static size_t summary_text(const void *object, const void *other, char *buffer, size_t capacity)
{
    (void)other;
    return np_topology_summary(object, buffer, capacity);
}

static size_t topology_json_text(const void *object, const void *other, char *buffer,
                                 size_t capacity)
{
    (void)other;
    return np_topology_to_json(object, buffer, capacity);
}

bool info_print_summary(const np_topology *topology)
{
    char *summary = cli_text(summary_text, topology, NULL);
    format_paragraph(0, "", summary);
    free(summary);
    return true;
}

static const char *memory_text(char *buffer, const np_node_info *info)
{
    return info->memory_bytes > 0 ? format_bytes(buffer, info->memory_bytes) : "none";
}

static const char *free_text(char *buffer, const np_topology *topology, const np_node_info *info)
{
    uint64_t bytes = 0;
    if (info->memory_bytes == 0) {
        return "-";
    }
    if (!info->memory_allowed) {
        return "not ours";
    }
    if (np_topology_node_free_memory(topology, info->id, &bytes) != NP_OK) {
        return "unknown";
    }
    return format_bytes(buffer, bytes);
}

/* Adds the row of one node; what its CPUs are, or where the nearest ones are. */
static bool add_node(table *t, const np_topology *topology, np_node_id node)
{
    np_node_info info;
    np_cpu_set cpus;
    np_status status = np_topology_node_info(topology, node, &info);
    if (status == NP_OK) {
        status = np_topology_node_cpus(topology, node, &cpus);
    }
    if (status != NP_OK) {
        cli_library_error(status, "cannot describe node %d", (int)node);
        return false;
    }
    char total[FORMAT_CAPACITY];
    char available[FORMAT_CAPACITY];
    table_add(t, "%d", (int)info.id);
    if (info.socket >= 0) {
        table_add(t, "%d", (int)info.socket);
    } else {
        table_add(t, "-");
    }
    table_add(t, "%u", info.core_count);
    table_add(t, "%u", info.cpu_count);
    table_add(t, "%s", memory_text(total, &info));
    table_add(t, "%s", free_text(available, topology, &info));
    if (info.cpu_count > 0) {
        char *list = cli_cpu_list(&cpus);
        table_add(t, "%s", list);
        free(list);
    } else if (info.nearest_cpus != NP_NODE_ID_NONE) {
        table_add(t, "none, nearest on node %d", (int)info.nearest_cpus);
    } else {
        table_add(t, "none");
    }
    return true;
}

bool info_print_nodes(const np_topology *topology)
{
    table t;
    bool done = true;
    table_begin(&t);
    table_add_column(&t, "NODE", true);
    table_add_column(&t, "SOCKET", true);
    table_add_column(&t, "CORES", true);
    table_add_column(&t, "CPUS", true);
    table_add_column(&t, "MEMORY", true);
    table_add_column(&t, "FREE", true);
    table_add_column(&t, "CPU NUMBERS", false);
    for (np_node_index i = 0; i < np_topology_node_count(topology) && done; i++) {
        done = add_node(&t, topology, np_topology_node_id(topology, i));
    }
    return table_end(&t) && done;
}

/* The CPUs that have the node and the last-level cache of `first`, taken out of `left`. */
static uint32_t take_cache_group(const np_topology *topology, const np_cpu_info *first,
                                 np_cpu_set *left, np_cpu_set *group)
{
    uint32_t cores = 0;
    int32_t last_core = -1;
    np_cpu_set cores_seen;
    np_cpu_set_clear(group);
    np_cpu_set_clear(&cores_seen);
    for (int32_t cpu = first->cpu; cpu != NP_CPU_NONE; cpu = np_cpu_set_next(left, cpu)) {
        np_cpu_info info;
        if (np_topology_cpu_info(topology, cpu, &info) != NP_OK || info.node != first->node ||
            info.last_cache != first->last_cache || info.socket != first->socket) {
            continue;
        }
        (void)np_cpu_set_add(group, cpu);
        if (info.core != last_core && !np_cpu_set_contains(&cores_seen, info.core)) {
            (void)np_cpu_set_add(&cores_seen, info.core);
            cores++;
        }
        last_core = info.core;
    }
    np_cpu_set_and_not(left, left, group);
    return cores;
}

static void add_rank(table *t, int32_t rank)
{
    if (rank >= 0) {
        table_add(t, "%d", (int)rank);
    } else {
        table_add(t, "-");
    }
}

static bool print_caches(const np_topology *topology)
{
    np_cpu_set left;
    np_status status = np_topology_cpus(topology, &left);
    if (status != NP_OK) {
        cli_library_error(status, "cannot list the CPUs");
        return false;
    }
    table t;
    table_begin(&t);
    table_add_column(&t, "SOCKET", true);
    table_add_column(&t, "NODE", true);
    table_add_column(&t, "CACHE", true);
    table_add_column(&t, "CORES", true);
    table_add_column(&t, "CPUS", true);
    table_add_column(&t, "CPU NUMBERS", false);
    for (int32_t cpu = np_cpu_set_first(&left); cpu != NP_CPU_NONE; cpu = np_cpu_set_first(&left)) {
        np_cpu_info first;
        np_cpu_set group;
        status = np_topology_cpu_info(topology, cpu, &first);
        if (status != NP_OK) {
            cli_library_error(status, "cannot describe CPU %d", (int)cpu);
            (void)table_end(&t);
            return false;
        }
        uint32_t cores = take_cache_group(topology, &first, &left, &group);
        char *list = cli_cpu_list(&group);
        add_rank(&t, first.socket);
        add_rank(&t, first.node);
        add_rank(&t, first.last_cache);
        table_add(&t, "%u", cores);
        table_add(&t, "%u", np_cpu_set_count(&group));
        table_add(&t, "%s", list);
        free(list);
    }
    return table_end(&t);
}

bool info_topology_text(const np_topology *topology)
{
    info_print_summary(topology);
    uint32_t quota = np_topology_cpu_quota(topology);
    if (quota > 0) {
        printf("CPU quota: %u.%03u CPUs\n", quota / 1000u, quota % 1000u);
    }
    cli_heading("Nodes", false);
    if (!info_print_nodes(topology)) {
        return false;
    }
    cli_heading("CPUs that share a last-level cache", false);
    return print_caches(topology);
}

bool info_topology_json(const np_topology *topology, json_writer *json, const char *key)
{
    char *text = cli_text(topology_json_text, topology, NULL);
    json_raw(json, key, text);
    free(text);
    return true;
}
