/*
 * topology/snapshot.c - from a machine to the immutable topology: restrict to what may be used,
 * sort, rank, lay out in one block. Called once per discovery, by one thread.
 */
#include "topology/snapshot.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "topology/topology_internal.h"

/* Takes `count` items of `size` bytes from the block; the widest types come first, so no gaps. */
static void *take(unsigned char *block, size_t *used, size_t count, size_t size)
{
    void *place = block + *used;
    *used += count * size;
    return place;
}

size_t npi_snapshot_lay_out(np_topology *topology)
{
    unsigned char *block = (unsigned char *)topology;
    size_t used = sizeof *topology;
    size_t nodes = topology->node_count;
    topology->nodes = take(block, &used, nodes, sizeof *topology->nodes);
    topology->values = take(block, &used, topology->value_room, sizeof *topology->values);
    topology->devices = take(block, &used, topology->device_count, sizeof *topology->devices);
    topology->cpus = take(block, &used, topology->cpu_count, sizeof *topology->cpus);
    topology->cpu_slots = take(block, &used, topology->cpu_slot_count, sizeof *topology->cpu_slots);
    topology->node_first = take(block, &used, nodes, sizeof *topology->node_first);
    topology->node_cpus = take(block, &used, topology->cpu_count, sizeof *topology->node_cpus);
    topology->distances = take(block, &used, nodes * nodes, sizeof *topology->distances);
    topology->order = take(block, &used, nodes * nodes, sizeof *topology->order);
    topology->tiers = take(block, &used, nodes * nodes, sizeof *topology->tiers);
    return used;
}

np_status npi_topology_clone(const np_topology *topology, np_topology **out)
{
    np_topology *copy = npi_alloc(topology->bytes, 0);
    if (copy == NULL)
        return npi_fail_memory(topology->bytes, "a copy of the topology");
    memcpy(copy, topology, topology->bytes);
    (void)npi_snapshot_lay_out(copy);
    *out = copy;
    return NP_OK;
}

void np_topology_destroy(np_topology *topology)
{
    if (topology != NULL)
        npi_free(topology, topology->bytes);
}

/* --- sorting ----------------------------------------------------------------------------- */

static int compare_u32(uint32_t a, uint32_t b)
{
    return (a > b) - (a < b);
}

static int by_cpu(const void *a, const void *b)
{
    const npi_machine_cpu *left = a;
    const npi_machine_cpu *right = b;
    return (left->cpu > right->cpu) - (left->cpu < right->cpu);
}

static int by_id(const void *a, const void *b)
{
    const npi_machine_node *left = a;
    const npi_machine_node *right = b;
    return (left->id > right->id) - (left->id < right->id);
}

static int by_key(const void *a, const void *b)
{
    return compare_u32(*(const uint32_t *)a, *(const uint32_t *)b);
}

/* --- ranks ------------------------------------------------------------------------------- */

/*
 * Replaces the keys by ranks and returns how many different ones there are; NPI_KEY_NONE stays.
 * Ranks follow the first appearance, so with CPUs in ascending order what holds CPU 0 has rank 0,
 * whatever numbers a source gave. `room` has space for twice the keys.
 */
static uint32_t rank_keys(uint32_t *keys, uint32_t *room, uint32_t count)
{
    uint32_t *sorted = room;
    uint32_t *ranks = room + count;
    uint32_t known = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] != NPI_KEY_NONE)
            sorted[known++] = keys[i];
    }
    qsort(sorted, known, sizeof *sorted, by_key);
    uint32_t different = 0;
    for (uint32_t i = 0; i < known; i++) {
        if (i == 0 || sorted[i] != sorted[different - 1])
            sorted[different++] = sorted[i];
    }
    memset(ranks, 0xff, different * sizeof *ranks);
    uint32_t next = 0;
    for (uint32_t i = 0; i < count; i++) {
        if (keys[i] == NPI_KEY_NONE)
            continue;
        const uint32_t *found = bsearch(&keys[i], sorted, different, sizeof *sorted, by_key);
        uint32_t *rank = &ranks[found - sorted];
        *rank = *rank == NPI_KEY_NONE ? next++ : *rank;
        keys[i] = *rank;
    }
    return different;
}

static int32_t rank_of(uint32_t key)
{
    return key == NPI_KEY_NONE ? -1 : (int32_t)key;
}

/* Ranks cores, caches and sockets of the usable CPUs. `scratch` has room for 3 * (CPUs + nodes).
 * The nodes' own socket keys take part, so that a node whose CPUs are not usable keeps its socket.
 */
static void rank_all(np_topology *topology, npi_machine *kept, uint32_t *scratch)
{
    uint32_t cpus = kept->cpu_count;
    uint32_t nodes = kept->node_count;
    uint32_t *keys = scratch;
    uint32_t *room = scratch + cpus + nodes;

    /* A CPU without a known core is a core of its own, behind all known ones. */
    for (uint32_t i = 0; i < cpus; i++)
        keys[i] = kept->cpus[i].core == NPI_KEY_NONE
                      ? NPI_KEY_NONE - 1u - NP_CPU_SET_CAPACITY + (uint32_t)kept->cpus[i].cpu
                      : kept->cpus[i].core;
    topology->core_count = rank_keys(keys, room, cpus);
    for (uint32_t i = 0; i < cpus; i++)
        kept->cpus[i].core = keys[i];

    for (uint32_t i = 0; i < cpus; i++)
        keys[i] = kept->cpus[i].cache;
    topology->cache_count = rank_keys(keys, room, cpus);
    for (uint32_t i = 0; i < cpus; i++)
        kept->cpus[i].cache = keys[i];

    for (uint32_t i = 0; i < cpus; i++)
        keys[i] = kept->cpus[i].socket;
    for (uint32_t i = 0; i < nodes; i++)
        keys[cpus + i] = kept->nodes[i].socket;
    topology->socket_count = rank_keys(keys, room, cpus + nodes);
    for (uint32_t i = 0; i < cpus; i++)
        kept->cpus[i].socket = keys[i];
    for (uint32_t i = 0; i < nodes; i++)
        kept->nodes[i].socket = keys[cpus + i];
}

/* --- filling the block ------------------------------------------------------------------- */

static void fill_cpus(np_topology *topology, const npi_machine *kept, uint32_t *scratch)
{
    uint32_t *threads = scratch;
    memset(threads, 0, topology->core_count * sizeof *threads);
    memset(topology->cpu_slots, 0xff, topology->cpu_slot_count * sizeof *topology->cpu_slots);
    for (uint32_t i = 0; i < kept->cpu_count; i++) {
        const npi_machine_cpu *from = &kept->cpus[i];
        np_cpu_info *to = &topology->cpus[i];
        to->cpu = from->cpu;
        to->node = from->node;
        to->core = rank_of(from->core);
        to->thread = (int32_t)threads[from->core]++;
        to->last_cache = rank_of(from->cache);
        to->socket = rank_of(from->socket);
        topology->cpu_slots[from->cpu] = i;
    }
}

/* By the rank among the core's threads on this node, which `ranks` holds by the place in cpus. */
static bool earlier(const np_topology *topology, const uint32_t *ranks, uint32_t a, uint32_t b)
{
    const np_cpu_info *left = &topology->cpus[a];
    const np_cpu_info *right = &topology->cpus[b];
    if (ranks[a] != ranks[b])
        return ranks[a] < ranks[b];
    if (left->core != right->core)
        return left->core < right->core;
    return left->cpu < right->cpu;
}

/* Collects the node's CPUs in the order npi_topology_node_cpu_list() promises, and counts its
 * cores: a core may have its first thread on another node, or on none. */
static uint32_t fill_node_cpus(np_topology *topology, np_node_id node, int32_t *list,
                               uint32_t *scratch, uint32_t *cores)
{
    uint32_t *threads = scratch; /* by core */
    uint32_t *ranks = scratch + topology->core_count;
    uint32_t count = 0;
    memset(threads, 0, topology->core_count * sizeof *threads);
    for (uint32_t i = 0; i < topology->cpu_count; i++) {
        const np_cpu_info *cpu = &topology->cpus[i];
        if (cpu->node != node)
            continue;
        ranks[i] = threads[cpu->core]++;
        *cores += ranks[i] == 0 ? 1u : 0u;
        uint32_t place = count++;
        while (place > 0 && earlier(topology, ranks, i, topology->cpu_slots[list[place - 1]])) {
            list[place] = list[place - 1];
            place--;
        }
        list[place] = cpu->cpu;
    }
    return count;
}

/* The socket all the CPUs agree on; otherwise where the node hangs, if it has no CPUs. */
static int32_t node_socket(const np_topology *topology, const int32_t *cpus, uint32_t count,
                           int32_t own)
{
    if (count == 0)
        return own;
    int32_t socket = npi_topology_cpu(topology, cpus[0])->socket;
    for (uint32_t i = 1; i < count; i++) {
        if (npi_topology_cpu(topology, cpus[i])->socket != socket)
            return -1;
    }
    return socket;
}

static void fill_nodes(np_topology *topology, const npi_machine *kept, uint32_t *scratch)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < kept->node_count; i++) {
        const npi_machine_node *from = &kept->nodes[i];
        np_node_info *to = &topology->nodes[i];
        int32_t *list = topology->node_cpus + used;
        to->id = from->id;
        to->index = i;
        to->memory_bytes = from->memory_bytes;
        to->memory_allowed = from->memory_allowed;
        memcpy(to->memory_kind, from->memory_kind, sizeof to->memory_kind);
        to->cpu_count = fill_node_cpus(topology, from->id, list, scratch, &to->core_count);
        to->socket = node_socket(topology, list, to->cpu_count, rank_of(from->socket));
        topology->node_first[i] = used;
        used += to->cpu_count;
    }
}

/* --- the way there ----------------------------------------------------------------------- */

static bool has_usable_cpu(const npi_machine *machine, np_node_id node)
{
    for (uint32_t i = 0; i < machine->cpu_count; i++) {
        if (machine->cpus[i].usable && machine->cpus[i].node == node)
            return true;
    }
    return false;
}

/* Copies what the process may use: usable CPUs, and nodes with such a CPU or with memory it may
 * have. */
static np_status keep_usable(const npi_machine *machine, npi_machine *kept)
{
    np_status status = NP_OK;
    for (uint32_t i = 0; i < machine->cpu_count && status == NP_OK; i++) {
        npi_machine_cpu *added = NULL;
        if (!machine->cpus[i].usable)
            continue;
        status = npi_machine_add_cpu(kept, (uint64_t)machine->cpus[i].cpu, &added);
        if (status == NP_OK)
            *added = machine->cpus[i];
    }
    for (uint32_t i = 0; i < machine->node_count && status == NP_OK; i++) {
        const npi_machine_node *node = &machine->nodes[i];
        npi_machine_node *added = NULL;
        if (!has_usable_cpu(machine, node->id) && !(node->memory_allowed && node->memory_bytes > 0))
            continue;
        status = npi_machine_add_node(kept, (uint64_t)node->id, &added);
        if (status == NP_OK)
            *added = *node;
    }
    return status;
}

static np_status sort_and_check(npi_machine *kept)
{
    if (kept->cpu_count == 0)
        return npi_fail(kept->malformed, "the machine has no CPU that this process may use");
    if (kept->node_count == 0)
        return npi_fail(kept->malformed, "the machine has no NUMA node that this process may use");
    qsort(kept->cpus, kept->cpu_count, sizeof *kept->cpus, by_cpu);
    qsort(kept->nodes, kept->node_count, sizeof *kept->nodes, by_id);
    for (uint32_t i = 1; i < kept->cpu_count; i++) {
        if (kept->cpus[i].cpu == kept->cpus[i - 1].cpu)
            return npi_fail(kept->malformed, "CPU %d appears twice", kept->cpus[i].cpu);
    }
    for (uint32_t i = 1; i < kept->node_count; i++) {
        if (kept->nodes[i].id == kept->nodes[i - 1].id)
            return npi_fail(kept->malformed, "node %d appears twice", kept->nodes[i].id);
    }
    /* A CPU whose node is not there is in no node. */
    for (uint32_t i = 0; i < kept->cpu_count; i++) {
        if (npi_machine_find_node(kept, kept->cpus[i].node) == NULL)
            kept->cpus[i].node = NP_NODE_ID_NONE;
    }
    return NP_OK;
}

static np_status assemble(const npi_machine *machine, npi_machine *kept, np_topology **out)
{
    size_t scratch_count = 3u * ((size_t)kept->cpu_count + kept->node_count);
    uint32_t *scratch = npi_alloc_array(scratch_count, sizeof *scratch, 0);
    if (scratch == NULL)
        return npi_fail_memory(scratch_count * sizeof *scratch, "sorting the topology");

    np_topology counts;
    memset(&counts, 0, sizeof counts);
    counts.cpu_count = kept->cpu_count;
    counts.node_count = kept->node_count;
    counts.cpu_slot_count = (uint32_t)kept->cpus[kept->cpu_count - 1].cpu + 1u;
    counts.value_room = machine->value_count;
    counts.device_count = machine->device_count;
    size_t bytes = npi_snapshot_lay_out(&counts);
    np_topology *topology = npi_alloc(bytes, 0);
    if (topology == NULL) {
        npi_free_array(scratch, scratch_count, sizeof *scratch);
        return npi_fail_memory(bytes, "the topology");
    }
    *topology = counts;
    topology->bytes = bytes;
    topology->is_virtual = machine->is_virtual;
    topology->cpu_quota = machine->cpu_quota;
    memcpy(topology->note, machine->note, sizeof topology->note);
    (void)npi_snapshot_lay_out(topology);

    rank_all(topology, kept, scratch);
    fill_cpus(topology, kept, scratch);
    fill_nodes(topology, kept, scratch);
    npi_snapshot_fill_closeness(topology, machine);
    npi_snapshot_fill_extras(topology, machine);
    npi_free_array(scratch, scratch_count, sizeof *scratch);
    *out = topology;
    return NP_OK;
}

np_status npi_snapshot_build(const npi_machine *machine, np_topology **out)
{
    npi_machine kept;
    npi_machine_init(&kept);
    kept.malformed = machine->malformed;
    np_status status = keep_usable(machine, &kept);
    if (status == NP_OK)
        status = sort_and_check(&kept);
    if (status == NP_OK)
        status = assemble(machine, &kept, out);
    npi_machine_release(&kept);
    return status;
}
