/*
 * numaperf/hwloc.h - exchange with a program that already has an hwloc topology.
 *
 * The only public header that needs hwloc's own; numaperf.h does not include it, so hwloc stays a
 * private requirement of everybody else.
 */
#ifndef NUMAPERF_HWLOC_H
#define NUMAPERF_HWLOC_H

#include <hwloc.h>

#include <numaperf/topology.h>

NP_BEGIN_DECLS

/*
 * A snapshot of a loaded hwloc topology, which no other thread may use meanwhile. Nothing of
 * `source` is kept: the caller may change or destroy it afterwards. Virtual unless hwloc says that
 * it describes this system (hwloc_topology_is_thissystem); then a topology that was restricted
 * stays so, and what this process may not use is left out as well. Of another system, load it
 * without filtering HWLOC_OBJ_GROUP out: hwloc would let nodes claim CPUs that are not theirs.
 * Errors: NP_ERR_INVALID_ARGUMENT (also: no CPU or no node in it), NP_ERR_NO_MEMORY, NP_ERR_LIMIT.
 */
NP_API NP_MUST_USE np_status np_topology_from_hwloc(hwloc_topology_t source, np_topology **out);

/* Between CPU sets and hwloc bitmaps. `bitmap` must exist and is overwritten; an infinitely set
 * bitmap gives NP_ERR_LIMIT. */
NP_API NP_MUST_USE np_status np_cpu_set_to_hwloc(const np_cpu_set *set, hwloc_bitmap_t bitmap);
NP_API NP_MUST_USE np_status np_cpu_set_from_hwloc(hwloc_const_bitmap_t bitmap, np_cpu_set *out);

NP_END_DECLS

#endif
