/*
 * topology/machine_extras.c - what a machine under discovery says besides CPUs and nodes: the
 * attributes of its memories and its devices. See machine.h.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "topology/machine.h"

/* More than full matrices of two attributes over 256 nodes; a file beyond that is not honest. */
#define VALUE_LIMIT  (1u << 18)
#define DEVICE_LIMIT (1u << 16)

void npi_machine_set_kind(npi_machine_node *node, const char *kind)
{
    snprintf(node->memory_kind, sizeof node->memory_kind, "%s", kind == NULL ? "" : kind);
}

np_status npi_machine_add_value(npi_machine *machine, const npi_machine_value *value)
{
    if (machine->value_count >= VALUE_LIMIT)
        return npi_fail(NP_ERR_LIMIT, "more than %u attributes of memories", VALUE_LIMIT);
    if (machine->value_count == machine->value_capacity) {
        void *items = machine->values;
        np_status status = npi_machine_grow(&items, &machine->value_capacity,
                                            sizeof *machine->values, "attributes of memories");
        machine->values = items;
        if (status != NP_OK)
            return status;
    }
    machine->values[machine->value_count++] = *value;
    return NP_OK;
}

void npi_machine_drop_values(npi_machine *machine)
{
    npi_free_array(machine->values, machine->value_capacity, sizeof *machine->values);
    machine->values = NULL;
    machine->value_count = 0;
    machine->value_capacity = 0;
    machine->value_source = NP_MEMORY_SOURCE_NONE;
}

_Static_assert(NPI_NODE_LIMIT <= NP_CPU_SET_CAPACITY, "a CPU set can hold places of nodes");

/* The places of the nodes that have CPUs, all of them in the set. */
static void nodes_within(const npi_machine *machine, const np_cpu_set *set, np_cpu_set *within)
{
    const npi_machine_node *node = NULL;
    np_cpu_set outside;
    np_cpu_set_clear(within);
    np_cpu_set_clear(&outside);
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        const npi_machine_cpu *cpu = &machine->cpus[i];
        if (node == NULL || node->id != cpu->node)
            node = npi_machine_find_node(machine, cpu->node);
        if (node == NULL)
            continue;
        bool inside = np_cpu_set_contains(set, cpu->cpu);
        (void)np_cpu_set_add(inside ? within : &outside, (int32_t)(node - machine->nodes));
    }
    np_cpu_set_and_not(within, within, &outside);
}

np_status npi_machine_add_value_from(npi_machine *machine, np_memory_attribute attribute,
                                     np_node_id target, const np_cpu_set *from, uint64_t value)
{
    np_cpu_set within;
    np_status status = NP_OK;
    nodes_within(machine, from, &within);
    for (int32_t place = np_cpu_set_first(&within); place != NP_CPU_NONE && status == NP_OK;
         place = np_cpu_set_next(&within, place)) {
        npi_machine_value one = {value, target, machine->nodes[place].id, attribute};
        status = npi_machine_add_value(machine, &one);
    }
    return status;
}

np_status npi_machine_add_device(npi_machine *machine, np_device_kind kind, const char *name,
                                 np_node_id node, const char *pci_address)
{
    size_t length = name == NULL ? 0 : strlen(name);
    if (length == 0 || length >= NP_DEVICE_NAME_CAPACITY)
        return NP_OK;
    if (machine->device_count >= DEVICE_LIMIT)
        return npi_fail(NP_ERR_LIMIT, "more than %u devices", DEVICE_LIMIT);
    if (machine->device_count == machine->device_capacity) {
        void *items = machine->devices;
        np_status status = npi_machine_grow(&items, &machine->device_capacity,
                                            sizeof *machine->devices, "devices");
        machine->devices = items;
        if (status != NP_OK)
            return status;
    }
    np_device *added = &machine->devices[machine->device_count++];
    memset(added, 0, sizeof *added);
    added->kind = kind;
    added->node = node;
    memcpy(added->name, name, length + 1u);
    snprintf(added->pci_address, sizeof added->pci_address, "%s", pci_address);
    return NP_OK;
}

np_node_id npi_machine_node_of(const npi_machine *machine, const np_cpu_set *cpus)
{
    np_node_id node = NP_NODE_ID_NONE;
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        if (!np_cpu_set_contains(cpus, machine->cpus[i].cpu))
            continue;
        if (machine->cpus[i].node == NP_NODE_ID_NONE ||
            (node != NP_NODE_ID_NONE && node != machine->cpus[i].node))
            return NP_NODE_ID_NONE;
        node = machine->cpus[i].node;
    }
    return node;
}
