/*
 * topology/sources.h - the parts of a discovery: each adds what it knows to an npi_machine.
 */
#ifndef NPI_TOPOLOGY_SOURCES_H
#define NPI_TOPOLOGY_SOURCES_H

#include "topology/machine.h"

/*
 * What a kernel says about nodes (/sys/devices/system/node below `root`, "" for the running one):
 * which node a CPU belongs to, the distance table if the machine has none that covers all its
 * nodes and, if `complete`, nodes that the source did not know. A kernel without NUMA has no such
 * files; then nothing changes.
 */
np_status npi_kernel_nodes_apply(npi_machine *machine, const char *root, bool complete);

/* The nodes that have a folder there; false if there is none. */
bool npi_kernel_node_folders(const char *root, np_cpu_set *online);

/* NP_ERR_SYSTEM, with the file's name, if hwloc could not survive what the files say. */
np_status npi_kernel_files_check(const char *root);

/*
 * Restrict the machine to what the calling thread may use, by the running kernel's own answers: its
 * affinity mask (if `complete`, CPUs that the source did not know are added) and its memory nodes.
 * Where the kernel refuses to answer, what the source said stays.
 */
np_status npi_kernel_cpu_limits_apply(npi_machine *machine, bool complete);
void npi_kernel_memory_limits_apply(npi_machine *machine);

/* The tightest CPU quota of the process's control group and its ancestors, in thousandths of a CPU;
 * 0 for none. What cannot be read counts as no quota. */
uint32_t npi_cgroup_cpu_quota(void);

#endif
