/*
 * topology/machine.h - a machine as a source reports it, before anything is ranked or restricted.
 *
 * Every source (hwloc, the kernel's files, a synthetic description, an XML file) fills one
 * npi_machine; npi_snapshot_build() (snapshot.c) turns it into the immutable np_topology. A machine
 * lives on one thread for the time of one discovery.
 */
#ifndef NPI_TOPOLOGY_MACHINE_H
#define NPI_TOPOLOGY_MACHINE_H

#include <numaperf/attributes.h>
#include <numaperf/device.h>
#include <numaperf/topology.h>

#define NPI_KEY_NONE      UINT32_MAX
#define NPI_NODE_LIMIT    1024u /* nodes in one topology */
#define NPI_NOTE_CAPACITY 160   /* bytes of a remark that the description shows */

/* CPUs with equal keys share the thing; keys need not be dense, their order becomes the rank order.
 */
typedef struct npi_machine_cpu {
    int32_t cpu;
    np_node_id node; /* NP_NODE_ID_NONE until a node claims it */
    uint32_t core;   /* NPI_KEY_NONE: a core of its own */
    uint32_t cache;  /* last-level cache, NPI_KEY_NONE if unknown */
    uint32_t socket; /* NPI_KEY_NONE if unknown */
    uint32_t claim_weight;
    bool claim_special;
    bool usable; /* the process may run here */
} npi_machine_cpu;

typedef struct npi_machine_node {
    np_node_id id;
    uint32_t socket; /* where the node hangs; used when none of its CPUs tells */
    uint64_t memory_bytes;
    bool memory_allowed;
    char memory_kind[NP_MEMORY_KIND_CAPACITY]; /* as np_node_info has it */
} npi_machine_node;

/* An attribute of a node's memory, seen from the CPUs of another. */
typedef struct npi_machine_value {
    uint64_t value;
    np_node_id target;
    np_node_id from;
    np_memory_attribute attribute;
} npi_machine_value;

typedef struct npi_machine {
    npi_machine_cpu *cpus;
    uint32_t cpu_count;
    uint32_t cpu_capacity;
    npi_machine_node *nodes;
    uint32_t node_count;
    uint32_t node_capacity;

    /* Rows and columns of the matrix stand for these nodes, in this order: never for positions. */
    np_node_id *distance_ids;
    uint32_t *distances;
    uint32_t distance_count; /* nodes in the matrix, 0 if there is none */
    np_distance_source distance_source;

    npi_machine_value *values; /* in any order, of nodes that need not be there */
    uint32_t value_count;
    uint32_t value_capacity;
    np_memory_source value_source;

    np_device *devices; /* in any order */
    uint32_t device_count;
    uint32_t device_capacity;

    bool is_virtual;
    uint32_t cpu_quota;           /* thousandths of a CPU, 0 for none */
    np_status malformed;          /* what a contradiction in the data is called: NP_ERR_PARSE ... */
    char note[NPI_NOTE_CAPACITY]; /* something a reader should know, or "" */
} npi_machine;

/* All CPUs usable, all memory allowed unless said otherwise. */
void npi_machine_init(npi_machine *machine);
void npi_machine_release(npi_machine *machine);

/* Adds a CPU or a node with all keys unknown. NP_ERR_LIMIT, NP_ERR_NO_MEMORY. The pointer is good
 * until the next addition. */
np_status npi_machine_add_cpu(npi_machine *machine, uint64_t cpu, npi_machine_cpu **out);
np_status npi_machine_add_node(npi_machine *machine, uint64_t id, npi_machine_node **out);

npi_machine_node *npi_machine_find_node(const npi_machine *machine, np_node_id id);
npi_machine_cpu *npi_machine_find_cpu(const npi_machine *machine, int32_t cpu);

/*
 * The node says that `cpus` are local to it. Several nodes may say so of one CPU (high-bandwidth
 * memory beside the ordinary one): the one with fewest CPUs wins, then the ordinary one, then the
 * smaller id, whatever the order of the claims.
 */
void npi_machine_claim(npi_machine *machine, np_node_id node, const np_cpu_set *cpus, bool special);

/* Room for a matrix over `count` nodes, zeroed; replaces an earlier one. */
np_status npi_machine_set_distance_count(npi_machine *machine, uint32_t count);
void npi_machine_drop_distances(npi_machine *machine);

/* An array's growth: room for twice the items; the old one stays valid when memory is short. */
np_status npi_machine_grow(void **items, uint32_t *capacity, size_t size, const char *what);

/* machine_extras.c. */
void npi_machine_set_kind(npi_machine_node *node, const char *kind); /* NULL: unknown */
np_status npi_machine_add_value(npi_machine *machine, const npi_machine_value *value);
void npi_machine_drop_values(npi_machine *machine);
/* For every node all of whose CPUs are in `from`; only once the CPUs know their nodes. */
np_status npi_machine_add_value_from(npi_machine *machine, np_memory_attribute attribute,
                                     np_node_id target, const np_cpu_set *from, uint64_t value);
/* A device by a source's words; one whose name is empty or too long is passed over. */
np_status npi_machine_add_device(npi_machine *machine, np_device_kind kind, const char *name,
                                 np_node_id node, const char *pci_address);
/* The one node that all the CPUs of the set belong to, NP_NODE_ID_NONE if there is none. */
np_node_id npi_machine_node_of(const npi_machine *machine, const np_cpu_set *cpus);

/* The snapshot of what the machine may use. Also reports contradictions (a CPU twice, no CPU, no
 * node). */
np_status npi_snapshot_build(const npi_machine *machine, np_topology **out);

#endif
