/*
 * topology/describe.c - the full description for people, 80 columns wide whatever the machine: the
 * summary, the nodes, their distances, who is closest to whom, the caches, and remarks.
 */
#include <stdio.h>
#include <string.h>

#include "topology/words.h"

#define WIDTH 80u

/* --- lists that are broken into lines ---------------------------------------------------- */

/* A list of short items under way; each line begins with `indent` spaces. */
typedef struct list {
    npi_text *text;
    size_t column; /* where the next byte goes */
    size_t indent;
    bool fresh; /* nothing on this line yet */
} list;

static void add_item(list *l, const char *separator, const char *item)
{
    /* The separator's comma stays on the old line, its space does not begin the new one. */
    size_t kept = strcspn(separator, " ");
    size_t needed = strlen(separator) + strlen(item);
    if (!l->fresh && l->column + needed + kept > WIDTH) {
        npi_text_add(l->text, "%.*s\n%*s", (int)kept, separator, (int)l->indent, "");
        l->column = l->indent;
        separator = "";
    }
    npi_text_add(l->text, "%s%s", separator, item);
    l->column += strlen(separator) + strlen(item);
    l->fresh = false;
}

static void add_cpu_list(npi_text *text, const np_cpu_set *cpus, size_t indent)
{
    list l = {text, indent, indent, true};
    char item[32];
    int32_t cpu = np_cpu_set_first(cpus);
    while (cpu != NP_CPU_NONE) {
        int32_t last = cpu;
        while (np_cpu_set_contains(cpus, last + 1))
            last++;
        if (last == cpu)
            snprintf(item, sizeof item, "%d", cpu);
        else
            snprintf(item, sizeof item, "%d-%d", cpu, last);
        add_item(&l, l.fresh ? "" : ",", item);
        cpu = np_cpu_set_next(cpus, last);
    }
}

/* --- sections ---------------------------------------------------------------------------- */

static void add_nodes(npi_text *text, const np_topology *topology)
{
    npi_text_add(text, "\n%10s %6s %5s %5s %9s  %s\n", "Node", "Socket", "Cores", "CPUs", "Memory",
                 "CPU list");
    for (uint32_t i = 0; i < topology->node_count; i++) {
        const np_node_info *node = &topology->nodes[i];
        char socket[16] = "-";
        char memory[32];
        npi_text size;
        npi_text_begin(&size, memory, sizeof memory);
        npi_text_add_bytes(&size, node->memory_bytes);
        if (node->socket >= 0)
            snprintf(socket, sizeof socket, "%d", node->socket);
        npi_text_add(text, "%10d %6s %5u %5u %9s  ", node->id, socket, node->core_count,
                     node->cpu_count, memory);
        if (node->cpu_count > 0) {
            np_cpu_set cpus;
            npi_snapshot_node_set(topology, node->index, &cpus);
            add_cpu_list(text, &cpus, 41);
        } else if (node->nearest_cpus == NP_NODE_ID_NONE) {
            npi_text_add(text, "none");
        } else {
            npi_text_add(text, "none, nearest are node %d's", node->nearest_cpus);
        }
        npi_text_add(text, "\n");
        if (node->memory_kind[0] != '\0')
            npi_text_add(text, "%*smemory: %s\n", 41, "", node->memory_kind);
        if (!node->memory_allowed && node->memory_bytes > 0)
            npi_text_add(text, "%*sits memory may not be used (cpuset)\n", 41, "");
    }
}

static uint32_t digits(np_node_id id)
{
    return (uint32_t)snprintf(NULL, 0, "%d", id);
}

static void add_distances(npi_text *text, const np_topology *topology)
{
    if (topology->node_count < 2)
        return;
    npi_text_add(text, "\nDistances (%s), from the row's CPUs to the column's memory\n",
                 npi_distance_source_name(topology->distance_source));
    /* Ids ascend, so the last one is the widest. */
    uint32_t cell = digits(topology->nodes[topology->node_count - 1].id) + 1u;
    cell = cell < 4u ? 4u : cell;
    uint32_t per_block = (WIDTH - 11u) / cell;
    for (uint32_t first = 0; first < topology->node_count; first += per_block) {
        uint32_t end = first + per_block;
        end = end > topology->node_count ? topology->node_count : end;
        npi_text_add(text, "%10s", "");
        for (uint32_t to = first; to < end; to++)
            npi_text_add(text, "%*d", (int)cell, topology->nodes[to].id);
        npi_text_add(text, "\n");
        for (uint32_t from = 0; from < topology->node_count; from++) {
            npi_text_add(text, "%10d", topology->nodes[from].id);
            for (uint32_t to = first; to < end; to++)
                npi_text_add(text, "%*u", (int)cell,
                             topology->distances[(size_t)from * topology->node_count + to]);
            npi_text_add(text, "\n");
        }
    }
}

static void add_order(npi_text *text, const np_topology *topology)
{
    if (topology->node_count < 2)
        return;
    npi_text_add(text, "\nClosest nodes first\n");
    for (uint32_t from = 0; from < topology->node_count; from++) {
        size_t row = (size_t)from * topology->node_count;
        npi_text_add(text, "%10d  ", topology->nodes[from].id);
        list l = {text, 12, 12, true};
        uint8_t last_tier = NP_TIER_COUNT;
        for (uint32_t i = 1; i < topology->node_count; i++) {
            np_node_index to = topology->order[row + i];
            uint8_t tier = topology->tiers[row + to];
            char item[48];
            if (tier != last_tier)
                snprintf(item, sizeof item, "%s %d", np_tier_name((np_tier)tier),
                         topology->nodes[to].id);
            else
                snprintf(item, sizeof item, "%d", topology->nodes[to].id);
            add_item(&l, l.fresh ? "" : tier != last_tier ? "; " : ", ", item);
            last_tier = tier;
        }
        npi_text_add(text, "\n");
    }
}

static void add_caches(npi_text *text, const np_topology *topology)
{
    if (topology->cache_count == 0)
        return;
    npi_text_add(text, "\nLast-level caches\n");
    for (uint32_t cache = 0; cache < topology->cache_count; cache++) {
        np_cpu_set cpus;
        np_cpu_set_clear(&cpus);
        for (uint32_t i = 0; i < topology->cpu_count; i++) {
            if (topology->cpus[i].last_cache == (int32_t)cache)
                (void)np_cpu_set_add(&cpus, topology->cpus[i].cpu);
        }
        npi_text_add(text, "%10u  CPUs ", cache);
        add_cpu_list(text, &cpus, 17);
        npi_text_add(text, "\n");
    }
}

/* The best memories for each node's CPUs, by the figures that the machine gives. */
static void add_memory_attributes(npi_text *text, const np_topology *topology)
{
    if (topology->value_count == 0)
        return;
    npi_text_add(text, "\nMemory (%s)\n%10s %8s %15s %20s\n",
                 np_memory_source_name(topology->memory_source), "From node", "To node",
                 "Latency (ns)", "Bandwidth (MiB/s)");
    for (uint32_t from = 0; from < topology->node_count; from++) {
        for (uint32_t to = 0; to < topology->node_count; to++) {
            char latency[24] = "-";
            char bandwidth[24] = "-";
            uint64_t value = 0;
            np_node_id source = topology->nodes[from].id;
            np_node_id target = topology->nodes[to].id;
            bool any = false;
            if (npi_memory_value_find(topology, NP_MEMORY_LATENCY, from, to, &value)) {
                snprintf(latency, sizeof latency, "%llu", (unsigned long long)value);
                any = true;
            }
            if (npi_memory_value_find(topology, NP_MEMORY_BANDWIDTH, from, to, &value)) {
                snprintf(bandwidth, sizeof bandwidth, "%llu", (unsigned long long)value);
                any = true;
            }
            if (any)
                npi_text_add(text, "%10d %8d %15s %20s\n", source, target, latency, bandwidth);
        }
    }
}

static void add_devices(npi_text *text, const np_topology *topology)
{
    if (topology->device_count == 0)
        return;
    npi_text_add(text, "\n%10s  %-12s %-31s %s\n", "Node", "Kind", "Device", "PCI address");
    for (uint32_t i = 0; i < topology->device_count; i++) {
        const np_device *device = &topology->devices[i];
        char node[16] = "-";
        if (device->node != NP_NODE_ID_NONE)
            snprintf(node, sizeof node, "%d", device->node);
        npi_text_add(text, "%10s  %-12s %-31s %s\n", node, np_device_kind_name(device->kind),
                     device->name, device->pci_address[0] == '\0' ? "-" : device->pci_address);
    }
}

static void add_words(npi_text *text, const char *words)
{
    list l = {text, 0, 0, true};
    char word[NPI_NOTE_CAPACITY];
    while (*words != '\0') {
        size_t length = strcspn(words, " ");
        snprintf(word, sizeof word, "%.*s", (int)length, words);
        add_item(&l, l.fresh ? "" : " ", word);
        words += length + (words[length] == ' ' ? 1u : 0u);
    }
    npi_text_add(text, "\n");
}

static void add_remarks(npi_text *text, const np_topology *topology)
{
    np_cpu_set homeless;
    np_cpu_set_clear(&homeless);
    for (uint32_t i = 0; i < topology->cpu_count; i++) {
        if (topology->cpus[i].node == NP_NODE_ID_NONE)
            (void)np_cpu_set_add(&homeless, topology->cpus[i].cpu);
    }
    bool any = !np_cpu_set_is_empty(&homeless);
    if (topology->is_virtual || topology->cpu_quota > 0 || topology->note[0] != '\0' || any)
        npi_text_add(text, "\n");
    if (topology->is_virtual)
        add_words(text, "Virtual: this is not the machine we run on, so nothing is pinned to it.");
    if (topology->cpu_quota > 0) {
        npi_text_add(text, "CPU quota: the control group allows the time of ");
        npi_text_add_quota(text, topology->cpu_quota);
        npi_text_add(text, topology->cpu_quota == 1000u ? " CPU.\n" : " CPUs.\n");
    }
    if (any) {
        npi_text_add(text, "In no node: CPUs ");
        add_cpu_list(text, &homeless, 17);
        npi_text_add(text, "\n");
    }
    if (topology->note[0] != '\0') {
        char note[NPI_NOTE_CAPACITY + 8];
        snprintf(note, sizeof note, "Note: %s.", topology->note);
        add_words(text, note);
    }
}

size_t np_topology_describe(const np_topology *topology, char *buffer, size_t capacity)
{
    char summary[128];
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    if (topology == NULL)
        return 0;
    (void)np_topology_summary(topology, summary, sizeof summary);
    add_words(&text, summary);
    add_nodes(&text, topology);
    add_distances(&text, topology);
    add_order(&text, topology);
    add_caches(&text, topology);
    add_memory_attributes(&text, topology);
    add_devices(&text, topology);
    add_remarks(&text, topology);
    return text.length;
}
