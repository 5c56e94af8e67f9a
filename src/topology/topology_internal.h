/*
 * topology/topology_internal.h - what the layers above read from a topology by index: no status, no
 * detail, constant time. The caller guarantees that indices are below the node count.
 */
#ifndef NPI_TOPOLOGY_TOPOLOGY_INTERNAL_H
#define NPI_TOPOLOGY_TOPOLOGY_INTERNAL_H

#include <numaperf/topology.h>

#include "base/placement.h"

/* A deep copy with a life of its own; released by np_topology_destroy(). NP_ERR_NO_MEMORY. */
np_status npi_topology_clone(const np_topology *topology, np_topology **out);

bool npi_topology_is_virtual(const np_topology *topology);

const np_node_info *npi_topology_node(const np_topology *topology, np_node_index index);

/* NP_NODE_INDEX_NONE for an unknown node, an unknown CPU, a CPU in no node. */
np_node_index npi_topology_node_index(const np_topology *topology, np_node_id id);
np_node_index npi_topology_cpu_node_index(const np_topology *topology, int32_t cpu);

/* NP_ERR_INVALID_NODE: the topology has no such node; the detail says which it has. `who` names the
 * argument; NULL: the only node of the call. */
void npi_topology_say_no_node(const np_topology *topology, const char *who, np_node_id id) NPI_COLD;
static inline np_status npi_topology_no_node(const np_topology *topology, const char *who,
                                             np_node_id id)
{
    npi_topology_say_no_node(topology, who, id);
    return NP_ERR_INVALID_NODE; /* here, where a static analyser sees it from every file */
}

/*
 * The node's usable CPUs, and how many; the array belongs to the topology. First one hardware
 * thread of every core, then the second of every core, and so on: the first k entries are the best
 * choice of k CPUs, and the first core_count entries are one per core.
 */
uint32_t npi_topology_node_cpu_list(const np_topology *topology, np_node_index index,
                                    const int32_t **cpus);

/* What is known of a CPU; NULL for one that does not exist or may not be used. */
const np_cpu_info *npi_topology_cpu(const np_topology *topology, int32_t cpu);

/*
 * The node's CPUs by the kernel's word of this moment: those that are online, also ones that were
 * not usable when the topology was made. Those of the snapshot where the kernel does not say, and
 * of a virtual topology. What the process may use of them is another question.
 */
void npi_topology_node_cpus_now(const np_topology *topology, np_node_index index, np_cpu_set *out);

uint32_t npi_topology_node_distance(const np_topology *topology, np_node_index from,
                                    np_node_index to);
np_tier npi_topology_node_tier_at(const np_topology *topology, np_node_index a, np_node_index b);

/* All nodes by closeness to `from`, itself first: node count entries are written. */
void npi_topology_node_order(const np_topology *topology, np_node_index from, np_node_index *order);

/* The place-th of them. */
np_node_index npi_topology_near(const np_topology *topology, np_node_index from, uint32_t place);

/* The node that a device hangs on. NP_ERR_NOT_FOUND (no such device, or it does not say),
 * NP_ERR_INVALID_NODE (not in the topology), NP_ERR_INVALID_ARGUMENT. */
np_status npi_topology_device_index(const np_topology *topology, const char *name,
                                    np_node_index *out);

#endif
