/*
 * topology/summary.c - one line about a topology, below 100 bytes whatever the machine.
 */
#include "topology/words.h"

const char *npi_distance_source_name(np_distance_source source)
{
    switch (source) {
    case NP_DISTANCE_ASSUMED: return "assumed";
    case NP_DISTANCE_FIRMWARE: return "firmware";
    case NP_DISTANCE_GIVEN: return "given";
    }
    return "unknown";
}

void npi_text_add_count(npi_text *text, uint32_t count, const char *one, const char *many)
{
    npi_text_add(text, "%u %s", count, count == 1 ? one : many);
}

void npi_text_add_quota(npi_text *text, uint32_t thousandths)
{
    uint32_t part = thousandths % 1000u;
    npi_text_add(text, "%u", thousandths / 1000u);
    if (part == 0)
        return;
    if (part % 100u == 0)
        npi_text_add(text, ".%u", part / 100u);
    else if (part % 10u == 0)
        npi_text_add(text, ".%02u", part / 10u);
    else
        npi_text_add(text, ".%03u", part);
}

static void add_distances(npi_text *text, const np_topology *topology)
{
    uint32_t least = UINT32_MAX;
    uint32_t most = 0;
    size_t cells = (size_t)topology->node_count * topology->node_count;
    for (size_t i = 0; i < cells; i++) {
        least = topology->distances[i] < least ? topology->distances[i] : least;
        most = topology->distances[i] > most ? topology->distances[i] : most;
    }
    npi_text_add(text, ", distances %u-%u (%s)", least, most,
                 npi_distance_source_name(topology->distance_source));
}

size_t np_topology_summary(const np_topology *topology, char *buffer, size_t capacity)
{
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    if (topology == NULL)
        return 0;
    uint64_t memory = 0;
    for (uint32_t i = 0; i < topology->node_count; i++)
        memory += topology->nodes[i].memory_bytes;
    if (topology->is_virtual)
        npi_text_add(&text, "virtual: ");
    if (topology->socket_count > 0) {
        npi_text_add_count(&text, topology->socket_count, "socket", "sockets");
        npi_text_add(&text, ", ");
    }
    npi_text_add_count(&text, topology->node_count, "node", "nodes");
    npi_text_add(&text, ", ");
    npi_text_add_count(&text, topology->core_count, "core", "cores");
    npi_text_add(&text, ", ");
    npi_text_add_count(&text, topology->cpu_count, "CPU", "CPUs");
    if (topology->cpu_quota > 0) {
        npi_text_add(&text, " (quota ");
        npi_text_add_quota(&text, topology->cpu_quota);
        npi_text_add(&text, ")");
    }
    npi_text_add(&text, ", ");
    npi_text_add_bytes(&text, memory);
    if (topology->node_count > 1)
        add_distances(&text, topology);
    return text.length;
}
