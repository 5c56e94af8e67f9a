/*
 * topology/snapshot.h - the immutable topology. Private to src/topology; everybody else goes
 * through the public functions or topology_internal.h.
 *
 * One block of memory: this struct, then the arrays its pointers point to. It is written while
 * it is built, by one thread, and only read afterwards, so readers need no locks.
 */
#ifndef NPI_TOPOLOGY_SNAPSHOT_H
#define NPI_TOPOLOGY_SNAPSHOT_H

#include <numaperf/topology.h>

#include "topology/machine.h"

#define NPI_DISTANCE_LOCAL     10u  /* the firmware's number for "here" */
#define NPI_DISTANCE_NEIGHBOUR 12u  /* assumed inside a socket */
#define NPI_DISTANCE_FAR       20u  /* assumed elsewhere */
#define NPI_DISTANCE_MOST      255u /* the firmware's table has bytes */

typedef struct npi_memory_value {
    uint64_t value;
    uint32_t attribute;
    np_node_index from;
    np_node_index target;
} npi_memory_value;

struct np_topology {
    size_t bytes; /* of the whole block */
    bool is_virtual;
    np_distance_source distance_source;
    uint32_t cpu_quota;
    uint32_t cpu_count;
    uint32_t cpu_slot_count; /* highest CPU number + 1 */
    uint32_t core_count;
    uint32_t cache_count;
    uint32_t socket_count;
    uint32_t node_count;
    uint32_t value_room;
    uint32_t value_count; /* at most value_room */
    np_memory_source memory_source;
    uint32_t device_count;
    np_node_id only_node; /* of a machine with one node, allowed or not; else NP_NODE_ID_NONE */
    char note[NPI_NOTE_CAPACITY];

    npi_memory_value *values; /* value_count, by attribute, from and target, none twice */
    np_device *devices;       /* device_count, by kind and name */

    np_cpu_info *cpus;    /* cpu_count, by ascending CPU number */
    uint32_t *cpu_slots;  /* cpu_slot_count: rank in cpus, NPI_KEY_NONE if absent */
    np_node_info *nodes;  /* node_count, by ascending id */
    uint32_t *node_first; /* node_count: where the node's part of node_cpus begins */
    int32_t *node_cpus;   /* see npi_topology_node_cpu_list() */
    uint32_t *distances;  /* node_count squared, row = from */
    np_node_index *order; /* node_count squared, row = by closeness to that node */
    uint8_t *tiers;       /* node_count squared: np_tier */
};

/* False for latencies (attributes.c). */
bool npi_memory_more_is_better(np_memory_attribute attribute);

/* A figure, or the average of its two halves; false if the machine does not say (attributes.c). */
bool npi_memory_value_find(const np_topology *topology, np_memory_attribute attribute,
                           np_node_index from, np_node_index target, uint64_t *out);

/* Fills attribute values and devices of a snapshot whose nodes are there (snapshot_extras.c). */
void npi_snapshot_fill_extras(np_topology *topology, const npi_machine *machine);

/* Points the arrays into the block behind the struct, by the counts, and returns the bytes of the
 * whole. With a struct that has nothing behind it yet it only computes. */
size_t npi_snapshot_lay_out(np_topology *topology);

/* The node's CPUs as a set (query.c). */
void npi_snapshot_node_set(const np_topology *topology, np_node_index index, np_cpu_set *out);

/* Fills distances, tiers, order and nearest_cpus of a snapshot whose CPUs and nodes are there
 * (closeness.c). */
void npi_snapshot_fill_closeness(np_topology *topology, const npi_machine *machine);

#endif
