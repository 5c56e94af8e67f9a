/*
 * topology/json.c - everything a topology knows as one JSON object. What does not exist (the socket
 * of a node that has none) is null. Matrix rows follow the order of the nodes array.
 */
#include "topology/words.h"

static void add_rank(npi_text *text, const char *key, int32_t rank)
{
    if (rank < 0)
        npi_text_add(text, ", \"%s\": null", key);
    else
        npi_text_add(text, ", \"%s\": %d", key, rank);
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

/* A CPU set as a JSON string in the list format, printed straight into the text. */
static void add_set(npi_text *text, const np_cpu_set *cpus)
{
    npi_text_add(text, "\"");
    size_t used = text->length < text->capacity ? text->length : text->capacity;
    char *place = text->buffer == NULL ? NULL : text->buffer + used;
    text->length += np_cpu_set_print(cpus, place, text->capacity - used);
    npi_text_add(text, "\"");
}

/* A string, or null for an empty one. */
static void add_word(npi_text *text, const char *word)
{
    if (word[0] == '\0')
        npi_text_add(text, "null");
    else
        npi_text_add_json_string(text, word);
}

static void add_node(npi_text *text, const np_topology *topology, np_node_index index)
{
    const np_node_info *node = &topology->nodes[index];
    size_t row = (size_t)index * topology->node_count;
    np_cpu_set cpus;
    npi_snapshot_node_set(topology, node->index, &cpus);

    npi_text_add(text, "    {\"id\": %d, \"index\": %u", node->id, node->index);
    add_rank(text, "socket", node->socket);
    npi_text_add(text, ", \"cores\": %u, \"cpu_count\": %u, \"cpus\": ", node->core_count,
                 node->cpu_count);
    add_set(text, &cpus);
    npi_text_add(text, ", \"memory_bytes\": %llu, \"memory_allowed\": %s, \"memory_kind\": ",
                 (unsigned long long)node->memory_bytes, truth(node->memory_allowed));
    add_word(text, node->memory_kind);
    add_rank(text, "nearest_cpus", node->nearest_cpus);
    npi_text_add(text, ", \"distances\": [");
    for (uint32_t to = 0; to < topology->node_count; to++)
        npi_text_add(text, "%s%u", to == 0 ? "" : ", ", topology->distances[row + to]);
    npi_text_add(text, "], \"tiers\": [");
    for (uint32_t to = 0; to < topology->node_count; to++)
        npi_text_add(text, "%s\"%s\"", to == 0 ? "" : ", ",
                     np_tier_name((np_tier)topology->tiers[row + to]));
    npi_text_add(text, "], \"closest_first\": [");
    for (uint32_t i = 0; i < topology->node_count; i++)
        npi_text_add(text, "%s%d", i == 0 ? "" : ", ",
                     topology->nodes[topology->order[row + i]].id);
    npi_text_add(text, "]}");
}

static void add_cpu(npi_text *text, const np_cpu_info *cpu)
{
    npi_text_add(text, "    {\"cpu\": %d", cpu->cpu);
    add_rank(text, "node", cpu->node);
    npi_text_add(text, ", \"core\": %d, \"thread\": %d", cpu->core, cpu->thread);
    add_rank(text, "last_cache", cpu->last_cache);
    add_rank(text, "socket", cpu->socket);
    npi_text_add(text, "}");
}

/* What the source said of each memory, as it said it. */
static void add_attributes(npi_text *text, const np_topology *topology)
{
    npi_text_add(text, "  ],\n  \"memory_source\": \"%s\",\n  \"memory_attributes\": [\n",
                 np_memory_source_name(topology->memory_source));
    for (uint32_t i = 0; i < topology->value_count; i++) {
        const npi_memory_value *one = &topology->values[i];
        np_memory_attribute attribute = (np_memory_attribute)one->attribute;
        npi_text_add(text,
                     "    {\"attribute\": \"%s\", \"unit\": \"%s\", \"from\": %d, \"node\": %d, "
                     "\"value\": %llu}%s\n",
                     np_memory_attribute_name(attribute), np_memory_attribute_unit(attribute),
                     topology->nodes[one->from].id, topology->nodes[one->target].id,
                     (unsigned long long)one->value, i + 1u < topology->value_count ? "," : "");
    }
}

static void add_devices(npi_text *text, const np_topology *topology)
{
    npi_text_add(text, "  ],\n  \"devices\": [\n");
    for (uint32_t i = 0; i < topology->device_count; i++) {
        const np_device *device = &topology->devices[i];
        npi_text_add(text, "    {\"kind\": \"%s\", \"name\": ", np_device_kind_name(device->kind));
        npi_text_add_json_string(text, device->name);
        add_rank(text, "node", device->node);
        npi_text_add(text, ", \"pci_address\": ");
        add_word(text, device->pci_address);
        npi_text_add(text, i + 1u < topology->device_count ? "},\n" : "}\n");
    }
}

size_t np_topology_to_json(const np_topology *topology, char *buffer, size_t capacity)
{
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    if (topology == NULL)
        return 0;
    npi_text_add(&text, "{\n  \"virtual\": %s,\n", truth(topology->is_virtual));
    npi_text_add(&text, "  \"socket_count\": %u,\n  \"node_count\": %u,\n", topology->socket_count,
                 topology->node_count);
    npi_text_add(&text, "  \"core_count\": %u,\n  \"cpu_count\": %u,\n", topology->core_count,
                 topology->cpu_count);
    npi_text_add(&text, "  \"last_cache_count\": %u,\n", topology->cache_count);
    npi_text_add(&text, "  \"cpu_quota\": ");
    if (topology->cpu_quota == 0)
        npi_text_add(&text, "null");
    else
        npi_text_add_quota(&text, topology->cpu_quota);
    npi_text_add(&text, ",\n  \"distance_source\": \"%s\",\n  \"note\": ",
                 npi_distance_source_name(topology->distance_source));
    npi_text_add_json_string(&text, topology->note);
    npi_text_add(&text, ",\n  \"nodes\": [\n");
    for (np_node_index i = 0; i < topology->node_count; i++) {
        add_node(&text, topology, i);
        npi_text_add(&text, i + 1u < topology->node_count ? ",\n" : "\n");
    }
    npi_text_add(&text, "  ],\n  \"cpus\": [\n");
    for (uint32_t i = 0; i < topology->cpu_count; i++) {
        add_cpu(&text, &topology->cpus[i]);
        npi_text_add(&text, i + 1u < topology->cpu_count ? ",\n" : "\n");
    }
    add_attributes(&text, topology);
    add_devices(&text, topology);
    npi_text_add(&text, "  ]\n}\n");
    return text.length;
}
