/*
 * topology/affinity.h - what np_affinity_set() and scopes share with the executor.
 */
#ifndef NPI_TOPOLOGY_AFFINITY_H
#define NPI_TOPOLOGY_AFFINITY_H

#include <numaperf/affinity.h>

/* The reason that stands for a failed call's errno. */
np_reason npi_reason_from_errno(int error);

/*
 * The work of np_affinity_set() without checking the arguments. `before` gets the affinity from
 * before the call, also when the call fails; *changed tells whether the thread was moved and not
 * moved back. Both pointers may be NULL.
 */
np_status npi_affinity_apply(const np_cpu_set *cpus, np_hard_mode mode, np_enforcement *achieved,
                             np_cpu_set *before, bool *changed);

/*
 * The CPUs to which "on this node" comes down. NP_OK with *possible false and a reason in *achieved
 * when soft mode has nothing to do; a failure when strict mode cannot be kept or the node is
 * unknown.
 */
np_status npi_affinity_node_cpus(const np_topology *topology, np_node_id node, np_hard_mode mode,
                                 np_cpu_set *cpus, bool *possible, np_enforcement *achieved);

#endif
