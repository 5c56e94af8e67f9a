/*
 * topology/snapshot_extras.c - the attributes of memories and the devices of a topology that is
 * being built: sorted, and attributes only of nodes that are kept. Called once per discovery, by
 * one thread, after the nodes are there.
 */
#include <stdlib.h>
#include <string.h>

#include "topology/snapshot.h"
#include "topology/topology_internal.h"

static int compare(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

static int by_place(const npi_memory_value *left, const npi_memory_value *right)
{
    int order = compare(left->attribute, right->attribute);
    if (order == 0)
        order = compare(left->from, right->from);
    return order != 0 ? order : compare(left->target, right->target);
}

/* Of several values for one place the least favourable comes first, and stays. */
static int by_place_and_value(const void *a, const void *b)
{
    const npi_memory_value *left = a;
    const npi_memory_value *right = b;
    int order = by_place(left, right);
    if (order != 0)
        return order;
    order = compare(left->value, right->value);
    return npi_memory_more_is_better((np_memory_attribute)left->attribute) ? order : -order;
}

static void fill_values(np_topology *topology, const npi_machine *machine)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < machine->value_count; i++) {
        const npi_machine_value *from = &machine->values[i];
        npi_memory_value *to = &topology->values[used];
        to->value = from->value;
        to->attribute = (uint32_t)from->attribute;
        to->from = npi_topology_node_index(topology, from->from);
        to->target = npi_topology_node_index(topology, from->target);
        if (to->from != NP_NODE_INDEX_NONE && to->target != NP_NODE_INDEX_NONE)
            used++;
    }
    if (used > 1)
        qsort(topology->values, used, sizeof *topology->values, by_place_and_value);
    uint32_t different = 0;
    for (uint32_t i = 0; i < used; i++) {
        if (different == 0 || by_place(&topology->values[different - 1], &topology->values[i]) != 0)
            topology->values[different++] = topology->values[i];
    }
    topology->value_count = different;
    topology->memory_source = different > 0 ? machine->value_source : NP_MEMORY_SOURCE_NONE;
}

static int by_kind_and_name(const void *a, const void *b)
{
    const np_device *left = a;
    const np_device *right = b;
    int order = compare((uint64_t)left->kind, (uint64_t)right->kind);
    if (order == 0)
        order = strcmp(left->name, right->name);
    /* The same name twice is a file's doing; the order is still one. */
    return order != 0 ? order : (left->node > right->node) - (left->node < right->node);
}

void npi_snapshot_fill_extras(np_topology *topology, const npi_machine *machine)
{
    fill_values(topology, machine);
    topology->only_node = machine->node_count == 1 ? machine->nodes[0].id : NP_NODE_ID_NONE;
    if (machine->device_count == 0)
        return;
    memcpy(topology->devices, machine->devices, machine->device_count * sizeof *topology->devices);
    /* Where there is one node the firmware need not say so. */
    for (uint32_t i = 0; i < topology->device_count; i++) {
        if (topology->devices[i].node == NP_NODE_ID_NONE)
            topology->devices[i].node = topology->only_node;
    }
    qsort(topology->devices, topology->device_count, sizeof *topology->devices, by_kind_and_name);
}
