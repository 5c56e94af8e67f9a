/*
 * parallel/places.c - see parallel/places.h.
 */
#include "parallel/places.h"

#include "base/alloc.h"
#include "base/status.h"
#include "os/number.h"

static bool has_memory(const np_topology *topology, np_node_index node)
{
    const np_node_info *info = npi_topology_node(topology, node);
    return info->memory_bytes != 0 && info->memory_allowed;
}

static np_node_id nearest_memory(const np_topology *topology, np_node_index from, uint32_t count,
                                 np_node_index *order)
{
    npi_topology_node_order(topology, from, order);
    for (uint32_t i = 0; i < count; i++)
        if (has_memory(topology, order[i]))
            return npi_topology_node(topology, order[i])->id;
    return NP_NODE_ID_NONE;
}

np_status npi_places_init(npi_places *places, const np_executor *executor)
{
    uint32_t count = executor->node_count;
    np_node_id *ids = npi_alloc_array(count, sizeof *ids, 0);
    np_node_id *memory = npi_alloc_array(count, sizeof *memory, 0);
    np_node_index *order = npi_alloc_array(count, sizeof *order, 0);
    if (ids == NULL || memory == NULL || order == NULL) {
        npi_free_array(order, count, sizeof *order);
        npi_free_array(memory, count, sizeof *memory);
        npi_free_array(ids, count, sizeof *ids);
        return npi_fail_memory(count * (sizeof *ids + sizeof *memory + sizeof *order),
                               "a table of nodes");
    }
    for (np_node_index i = 0; i < count; i++) {
        ids[i] = npi_topology_node(executor->topology, i)->id;
        memory[i] = nearest_memory(executor->topology, i, count, order);
    }
    npi_free_array(order, count, sizeof *order);
    *places = (npi_places){.identity = executor->identity,
                           .is_virtual = executor->is_virtual,
                           .count = count,
                           .ids = ids,
                           .memory = memory};
    return NP_OK;
}

void npi_places_free(npi_places *places)
{
    npi_free_array(places->memory, places->count, sizeof *places->memory);
    npi_free_array(places->ids, places->count, sizeof *places->ids);
}

np_node_index npi_places_index(const npi_places *places, np_node_id id)
{
    /* Mostly they are 0, 1, 2, … */
    if (id >= 0 && (uint32_t)id < places->count && places->ids[id] == id)
        return (np_node_index)id;
    uint32_t begin = 0, end = places->count;
    while (begin < end) {
        uint32_t middle = begin + (end - begin) / 2;
        if (places->ids[middle] == id)
            return middle;
        if (places->ids[middle] < id)
            begin = middle + 1;
        else
            end = middle;
    }
    return NP_NODE_INDEX_NONE;
}

np_node_index npi_places_outside(const npi_places *places)
{
    if (places->count == 1)
        return 0;
    if (places->is_virtual) /* as submits do it: spread, each thread keeping to one */
        return npi_number() % places->count;
    np_node_id id;
    if (npi_os_where(NULL, &id) != 0)
        return 0;
    np_node_index index = npi_places_index(places, id);
    return index != NP_NODE_INDEX_NONE ? index : 0;
}

np_status npi_places_map(const npi_places *places, const np_topology *topology, np_node_index node,
                         size_t bytes, np_hard_mode hard_mode, np_huge_pages huge_pages,
                         np_region **out)
{
    np_region_options options;
    np_region_options_init(&options);
    options.prefault = NP_PREFAULT_TOUCH;
    options.hard_mode = hard_mode;
    options.huge_pages = huge_pages;
    options.policy = NP_MEMORY_LOCAL;
    if (places->memory[node] != NP_NODE_ID_NONE) {
        /* Preferred and not bound: a full node slows the program and does not kill it. */
        options.policy = NP_MEMORY_PREFERRED;
        options.nodes = &places->memory[node];
        options.node_count = 1;
    }
    return np_region_create(topology, bytes, &options, out);
}
