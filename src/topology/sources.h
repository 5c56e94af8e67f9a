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

/*
 * Attributes of memories and devices by a kernel's files, when the CPUs know their nodes. Where the
 * kernel says something it replaces what the source said. Errors: NP_ERR_NO_MEMORY, NP_ERR_LIMIT.
 */
np_status npi_kernel_extras_apply(npi_machine *machine, const char *root);
np_status npi_kernel_attributes_apply(npi_machine *machine, const char *root);

/* The node of the device whose folder (perhaps a link) this is, by the nearest folder above that
 * says one; NP_NODE_ID_NONE if none does. `pci_address`, if not NULL, has 16 bytes. */
np_node_id npi_kernel_device_node(const char *folder, char *pci_address);

/* The nodes that have a folder there; false if there is none. */
bool npi_kernel_node_folders(const char *root, np_cpu_set *online);

/* A file in the kernel's mask format; false if there is none or it is not understood. */
bool npi_kernel_read_mask(const char *path, np_cpu_set *out);
/* "MemTotal" of a meminfo file in bytes, 0 if it does not say. */
uint64_t npi_kernel_total_memory(const char *path);

/* *reason (static words) says why hwloc must not be shown the kernel's files, NULL if it may.
 * Errors: NP_ERR_NO_MEMORY. */
np_status npi_kernel_objection(const char *root, const char **reason);

/* Fills an empty machine from the kernel's files. Errors: NP_ERR_SYSTEM (no CPU is named),
 * NP_ERR_LIMIT, NP_ERR_NO_MEMORY. */
np_status npi_machine_from_kernel(const char *root, npi_machine *machine);

/*
 * Restrict the machine to what the calling thread may use, by the running kernel's own answers: its
 * affinity mask (if `complete`, CPUs that the source did not know are added) and its memory nodes.
 * Where the kernel refuses to answer, what the source said stays.
 */
np_status npi_kernel_cpu_limits_apply(npi_machine *machine, bool complete);
void npi_kernel_memory_limits_apply(npi_machine *machine);

/* The online CPUs of a node by the running kernel's list; false where it cannot be read. */
bool npi_kernel_node_cpus(np_node_id node, np_cpu_set *out);

/* The tightest CPU quota of the process's control group and its ancestors, in thousandths of a CPU;
 * 0 for none. What cannot be read counts as no quota. */
uint32_t npi_cgroup_cpu_quota(void);

#endif
