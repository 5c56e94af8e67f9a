/*
 * topology/from_hwloc.h - reading a loaded hwloc topology. Only files in this folder include it.
 */
#ifndef NPI_TOPOLOGY_FROM_HWLOC_H
#define NPI_TOPOLOGY_FROM_HWLOC_H

#include <hwloc.h>

#include "topology/machine.h"

/* Fills an empty machine (is_virtual is set) from `source`, which is only read. NP_ERR_LIMIT,
 * NP_ERR_NO_MEMORY. */
np_status npi_machine_from_hwloc(hwloc_topology_t source, npi_machine *machine);

/* Its part for attributes and devices (from_hwloc_extras.c), when the CPUs know their nodes. */
np_status npi_machine_extras_from_hwloc(hwloc_topology_t source, npi_machine *machine);

#endif
