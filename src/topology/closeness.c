/*
 * topology/closeness.c - distances, tiers and the order of nodes by closeness.
 *
 * The matrix is used when it makes sense as a whole: every pair known, the local distance the
 * smallest of its row, values within the firmware's range. Otherwise all of it is assumed, and the
 * snapshot's note says why; half a matrix would compare guesses with measurements.
 */
#include <stdio.h>

#include "base/status.h"
#include "topology/snapshot.h"

static uint32_t find_row(const npi_machine *machine, np_node_id id)
{
    for (uint32_t i = 0; i < machine->distance_count; i++) {
        if (machine->distance_ids[i] == id)
            return i;
    }
    return NPI_KEY_NONE;
}

static uint32_t *cell(const np_topology *topology, np_node_index from, np_node_index to)
{
    return &topology->distances[(size_t)from * topology->node_count + to];
}

/* Copies the rows and columns of the snapshot's nodes, by id. */
static bool copy_matrix(np_topology *topology, const npi_machine *machine)
{
    for (np_node_index from = 0; from < topology->node_count; from++) {
        uint32_t row = find_row(machine, topology->nodes[from].id);
        for (np_node_index to = 0; to < topology->node_count; to++) {
            uint32_t column = find_row(machine, topology->nodes[to].id);
            if (row == NPI_KEY_NONE || column == NPI_KEY_NONE) {
                snprintf(topology->note, sizeof topology->note,
                         "the distance table does not cover node %d; distances are assumed",
                         topology->nodes[row == NPI_KEY_NONE ? from : to].id);
                return false;
            }
            *cell(topology, from,
                  to) = machine->distances[(size_t)row * machine->distance_count + column];
        }
    }
    return true;
}

/* The smallest distance of a node to itself: what 10 stands for in this table. */
static uint32_t find_local(const np_topology *topology)
{
    uint32_t local = UINT32_MAX;
    for (np_node_index i = 0; i < topology->node_count; i++) {
        uint32_t own = *cell(topology, i, i);
        local = own < local ? own : local;
    }
    return local;
}

/* In the firmware's unit, for tables that count in other ones (nanoseconds). */
static uint64_t scale(uint32_t value, uint32_t local)
{
    return local == 0 ? 0 : ((uint64_t)value * NPI_DISTANCE_LOCAL + local / 2u) / local;
}

static bool matrix_makes_sense(np_topology *topology)
{
    uint32_t local = find_local(topology);
    for (np_node_index from = 0; from < topology->node_count; from++) {
        uint32_t own = *cell(topology, from, from);
        for (np_node_index to = 0; to < topology->node_count; to++) {
            uint32_t value = *cell(topology, from, to);
            uint64_t scaled = scale(value, local);
            if (value >= own && scaled >= NPI_DISTANCE_LOCAL && scaled <= NPI_DISTANCE_MOST)
                continue;
            snprintf(topology->note, sizeof topology->note,
                     "the distance table says %u from node %d to node %d (local: %u), which makes "
                     "no sense; distances are assumed",
                     value, topology->nodes[from].id, topology->nodes[to].id, own);
            return false;
        }
    }
    return true;
}

static void scale_matrix(np_topology *topology)
{
    uint32_t local = find_local(topology);
    size_t cells = (size_t)topology->node_count * topology->node_count;
    for (size_t i = 0; i < cells; i++)
        topology->distances[i] = (uint32_t)scale(topology->distances[i], local);
}

static bool same_socket(const np_topology *topology, np_node_index a, np_node_index b)
{
    return topology->nodes[a].socket >= 0 && topology->nodes[a].socket == topology->nodes[b].socket;
}

static void assume_matrix(np_topology *topology)
{
    topology->distance_source = NP_DISTANCE_ASSUMED;
    for (np_node_index from = 0; from < topology->node_count; from++) {
        for (np_node_index to = 0; to < topology->node_count; to++) {
            uint32_t value = same_socket(topology, from, to) ? NPI_DISTANCE_NEIGHBOUR
                                                             : NPI_DISTANCE_FAR;
            *cell(topology, from, to) = from == to ? NPI_DISTANCE_LOCAL : value;
        }
    }
}

/*
 * The distance up to which another node counts as near as a neighbour in the socket: the farthest
 * of the node's own neighbours; without any, the nearest pair of neighbours in the machine; without
 * any of those, what is assumed inside a socket.
 */
static uint32_t neighbour_distance(const np_topology *topology, np_node_index from,
                                   uint32_t nearest_pair)
{
    uint32_t own = 0;
    for (np_node_index to = 0; to < topology->node_count; to++) {
        if (to == from || !same_socket(topology, from, to))
            continue;
        uint32_t value = *cell(topology, from, to);
        own = value > own ? value : own;
    }
    return own != 0 ? own : nearest_pair;
}

/* The smallest distance between two nodes of one socket anywhere. */
static uint32_t find_nearest_pair(const np_topology *topology)
{
    uint32_t nearest = UINT32_MAX;
    for (np_node_index a = 0; a < topology->node_count; a++) {
        for (np_node_index b = 0; b < topology->node_count; b++) {
            if (a != b && same_socket(topology, a, b) && *cell(topology, a, b) < nearest)
                nearest = *cell(topology, a, b);
        }
    }
    return nearest != UINT32_MAX ? nearest : NPI_DISTANCE_NEIGHBOUR;
}

static void fill_tiers(np_topology *topology, np_node_index from, uint32_t nearest_pair)
{
    uint32_t neighbour = neighbour_distance(topology, from, nearest_pair);
    for (np_node_index to = 0; to < topology->node_count; to++) {
        np_tier tier = NP_TIER_REMOTE;
        if (from == to)
            tier = NP_TIER_NODE;
        else if (same_socket(topology, from, to) || *cell(topology, from, to) <= neighbour)
            tier = NP_TIER_SOCKET;
        topology->tiers[(size_t)from * topology->node_count + to] = (uint8_t)tier;
    }
}

/* Total order: tier, distance, id. Indices ascend with ids, so an insertion sort that never moves
 * an equal one past another keeps the ids in order. */
static void fill_order(np_topology *topology, np_node_index from)
{
    const uint8_t *tiers = topology->tiers + (size_t)from * topology->node_count;
    np_node_index *order = topology->order + (size_t)from * topology->node_count;
    for (np_node_index to = 0; to < topology->node_count; to++) {
        np_node_index place = to;
        while (place > 0) {
            np_node_index other = order[place - 1];
            bool closer = tiers[to] < tiers[other] ||
                          (tiers[to] == tiers[other] &&
                           *cell(topology, from, to) < *cell(topology, from, other));
            if (!closer)
                break;
            order[place] = other;
            place--;
        }
        order[place] = to;
    }
}

static np_node_id nearest_with_cpus(const np_topology *topology, np_node_index from)
{
    const np_node_index *order = topology->order + (size_t)from * topology->node_count;
    for (uint32_t i = 0; i < topology->node_count; i++) {
        if (topology->nodes[order[i]].cpu_count > 0)
            return topology->nodes[order[i]].id;
    }
    return NP_NODE_ID_NONE;
}

void npi_snapshot_fill_closeness(np_topology *topology, const npi_machine *machine)
{
    bool usable = machine->distance_count > 0 && copy_matrix(topology, machine) &&
                  matrix_makes_sense(topology);
    if (usable) {
        scale_matrix(topology);
        topology->distance_source = machine->distance_source;
    } else {
        assume_matrix(topology);
        /* One node is as near to itself as can be, whatever the table says. */
        if (machine->distance_count > 0 && topology->node_count > 1)
            npi_diagnose(NP_SEVERITY_WARNING, "%s", topology->note);
    }
    uint32_t nearest_pair = find_nearest_pair(topology);
    for (np_node_index from = 0; from < topology->node_count; from++) {
        fill_tiers(topology, from, nearest_pair);
        fill_order(topology, from);
    }
    for (np_node_index i = 0; i < topology->node_count; i++)
        topology->nodes[i].nearest_cpus = nearest_with_cpus(topology, i);
}
