/*
 * topology/capability.h - the probes behind np_capability_get().
 *
 * A probe looks at the running system and writes what it found, with figures, into the detail. It
 * leaves nothing behind: memory it touches is its own, threads it pins are its own.
 */
#ifndef NPI_TOPOLOGY_CAPABILITY_H
#define NPI_TOPOLOGY_CAPABILITY_H

#include "base/text.h"
#include "topology/snapshot.h"

/* Below this much lockable memory a program cannot lock working data, only a few keys. */
#define NPI_LOCKED_MEMORY_USEFUL (UINT64_C(64) << 20)

#define NPI_CAP_IPC_LOCK 14 /* the kernel's number of CAP_IPC_LOCK */

/* `machine` is the running one, never virtual. Returns whether the capability is there. */
typedef bool (*npi_capability_probe)(const np_topology *machine, npi_text *detail);

/* probe_memory.c */
bool npi_probe_memory_binding(const np_topology *machine, npi_text *detail);
bool npi_probe_strict_binding(const np_topology *machine, npi_text *detail);
bool npi_probe_preferred_many(const np_topology *machine, npi_text *detail);
bool npi_probe_page_query(const np_topology *machine, npi_text *detail);
bool npi_probe_page_migration(const np_topology *machine, npi_text *detail);
bool npi_probe_locked_memory(const np_topology *machine, npi_text *detail);

/* probe_system.c */
bool npi_probe_several_nodes(const np_topology *machine, npi_text *detail);
bool npi_probe_pinning(const np_topology *machine, npi_text *detail);
bool npi_probe_no_numa_balancing(const np_topology *machine, npi_text *detail);
bool npi_probe_transparent_huge_pages(const np_topology *machine, npi_text *detail);
bool npi_probe_huge_pages_2m(const np_topology *machine, npi_text *detail);
bool npi_probe_huge_pages_1g(const np_topology *machine, npi_text *detail);
bool npi_probe_distances(const np_topology *machine, npi_text *detail);
bool npi_probe_full_cpu_time(const np_topology *machine, npi_text *detail);

/* "mbind: Operation not permitted (errno 1)". */
void npi_probe_add_error(npi_text *detail, const char *call, int error);

#endif
