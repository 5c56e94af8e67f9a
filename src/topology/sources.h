/*
 * topology/sources.h - the parts of a discovery: each adds what it knows to an npi_machine.
 */
#ifndef NPI_TOPOLOGY_SOURCES_H
#define NPI_TOPOLOGY_SOURCES_H

#include "topology/machine.h"

/*
 * What the running kernel says about nodes (/sys/devices/system/node): nodes that are missing,
 * which node a CPU belongs to, and the distance table if the machine has none that covers all
 * nodes. A kernel without NUMA has no such files; then nothing changes.
 */
np_status npi_kernel_nodes_apply(npi_machine *machine);

/*
 * Restrict the machine to what the calling thread may use, by the kernel's own answers: its
 * affinity mask (CPUs that the source did not know are added) and its memory nodes. Where the
 * kernel refuses to answer, what the source said stays.
 */
np_status npi_kernel_cpu_limits_apply(npi_machine *machine);
void npi_kernel_memory_limits_apply(npi_machine *machine);

/* The tightest CPU quota of the process's control group and its ancestors, in thousandths of a CPU;
 * 0 for none. What cannot be read counts as no quota. */
uint32_t npi_cgroup_cpu_quota(void);

#endif
