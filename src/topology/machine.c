/*
 * topology/machine.c - growing and searching a machine under discovery. See machine.h.
 */
#include "topology/machine.h"

#include <string.h>

#include "base/alloc.h"
#include "base/status.h"

void npi_machine_init(npi_machine *machine)
{
    memset(machine, 0, sizeof *machine);
    machine->malformed = NP_ERR_PARSE;
}

void npi_machine_release(npi_machine *machine)
{
    npi_machine_drop_distances(machine);
    npi_free_array(machine->cpus, machine->cpu_capacity, sizeof *machine->cpus);
    npi_free_array(machine->nodes, machine->node_capacity, sizeof *machine->nodes);
    npi_machine_drop_values(machine);
    npi_free_array(machine->devices, machine->device_capacity, sizeof *machine->devices);
    npi_machine_init(machine);
}

np_status npi_machine_grow(void **items, uint32_t *capacity, size_t size, const char *what)
{
    uint32_t larger = *capacity == 0 ? 16u : *capacity * 2u;
    void *copy = npi_alloc_array(larger, size, 0);
    if (copy == NULL)
        return npi_fail_memory(larger * size, what);
    if (*capacity > 0)
        memcpy(copy, *items, *capacity * size);
    npi_free_array(*items, *capacity, size);
    *items = copy;
    *capacity = larger;
    return NP_OK;
}

np_status npi_machine_add_cpu(npi_machine *machine, uint64_t cpu, npi_machine_cpu **out)
{
    if (cpu >= NP_CPU_SET_CAPACITY || machine->cpu_count >= NP_CPU_SET_CAPACITY)
        return npi_fail(NP_ERR_LIMIT, "CPU %llu is above the limit of %u", (unsigned long long)cpu,
                        NP_CPU_SET_CAPACITY - 1u);
    if (machine->cpu_count == machine->cpu_capacity) {
        void *items = machine->cpus;
        np_status status = npi_machine_grow(&items, &machine->cpu_capacity, sizeof *machine->cpus,
                                            "CPUs");
        machine->cpus = items;
        if (status != NP_OK)
            return status;
    }
    npi_machine_cpu *added = &machine->cpus[machine->cpu_count++];
    added->cpu = (int32_t)cpu;
    added->node = NP_NODE_ID_NONE;
    added->core = NPI_KEY_NONE;
    added->cache = NPI_KEY_NONE;
    added->socket = NPI_KEY_NONE;
    added->usable = true;
    *out = added;
    return NP_OK;
}

np_status npi_machine_add_node(npi_machine *machine, uint64_t id, npi_machine_node **out)
{
    if (id > INT32_MAX)
        return npi_fail(NP_ERR_LIMIT, "node id %llu is above the limit of %d",
                        (unsigned long long)id, INT32_MAX);
    if (machine->node_count >= NPI_NODE_LIMIT)
        return npi_fail(NP_ERR_LIMIT, "more than %u NUMA nodes", NPI_NODE_LIMIT);
    if (machine->node_count == machine->node_capacity) {
        void *items = machine->nodes;
        np_status status = npi_machine_grow(&items, &machine->node_capacity, sizeof *machine->nodes,
                                            "nodes");
        machine->nodes = items;
        if (status != NP_OK)
            return status;
    }
    npi_machine_node *added = &machine->nodes[machine->node_count++];
    added->id = (np_node_id)id;
    added->socket = NPI_KEY_NONE;
    added->memory_allowed = true;
    added->memory_kind[0] = '\0';
    *out = added;
    return NP_OK;
}

npi_machine_node *npi_machine_find_node(const npi_machine *machine, np_node_id id)
{
    for (uint32_t i = 0; i < machine->node_count; i++) {
        if (machine->nodes[i].id == id)
            return &machine->nodes[i];
    }
    return NULL;
}

npi_machine_cpu *npi_machine_find_cpu(const npi_machine *machine, int32_t cpu)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        if (machine->cpus[i].cpu == cpu)
            return &machine->cpus[i];
    }
    return NULL;
}

/* True if a claim is better than the one the CPU follows now. */
static bool better(const npi_machine_cpu *cpu, np_node_id node, uint32_t weight, bool special)
{
    if (cpu->node == NP_NODE_ID_NONE)
        return true;
    if (weight != cpu->claim_weight)
        return weight < cpu->claim_weight;
    if (special != cpu->claim_special)
        return !special;
    return node < cpu->node;
}

void npi_machine_claim(npi_machine *machine, np_node_id node, const np_cpu_set *cpus, bool special)
{
    uint32_t weight = np_cpu_set_count(cpus);
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        npi_machine_cpu *cpu = &machine->cpus[i];
        if (np_cpu_set_contains(cpus, cpu->cpu) && better(cpu, node, weight, special)) {
            cpu->node = node;
            cpu->claim_weight = weight;
            cpu->claim_special = special;
        }
    }
}

void npi_machine_drop_distances(npi_machine *machine)
{
    size_t count = machine->distance_count;
    npi_free_array(machine->distance_ids, count, sizeof *machine->distance_ids);
    npi_free_array(machine->distances, count * count, sizeof *machine->distances);
    machine->distance_ids = NULL;
    machine->distances = NULL;
    machine->distance_count = 0;
    machine->distance_source = NP_DISTANCE_ASSUMED;
}

np_status npi_machine_set_distance_count(npi_machine *machine, uint32_t count)
{
    npi_machine_drop_distances(machine);
    if (count > NPI_NODE_LIMIT)
        return npi_fail(NP_ERR_LIMIT, "a distance matrix over more than %u nodes", NPI_NODE_LIMIT);
    size_t cells = (size_t)count * count;
    np_node_id *ids = npi_alloc_array(count, sizeof *ids, 0);
    uint32_t *values = npi_alloc_array(cells, sizeof *values, 0);
    if (ids == NULL || values == NULL) {
        npi_free_array(ids, count, sizeof *ids);
        npi_free_array(values, cells, sizeof *values);
        return npi_fail_memory(cells * sizeof *values, "the distance matrix");
    }
    machine->distance_ids = ids;
    machine->distances = values;
    machine->distance_count = count;
    return NP_OK;
}
