/*
 * numaperf/attributes.h - how good which memory is, seen from which CPUs: "the fastest memory near
 * these CPUs".
 *
 * A machine with more than one kind of memory (high-bandwidth memory beside DRAM, an expander on
 * CXL, persistent memory) has nodes that a distance cannot rank: high-bandwidth memory is often
 * farther and faster. Such a machine's firmware describes latency and bandwidth (HMAT); the kernel
 * passes on, for each memory, the figures from the CPUs nearest to it. An hwloc topology or file
 * may say it for any pair. Nodes that have memory only are targets like all others.
 *
 * All functions read the immutable topology: any thread, no locks, no system calls.
 */
#ifndef NUMAPERF_ATTRIBUTES_H
#define NUMAPERF_ATTRIBUTES_H

#include <numaperf/topology.h>

NP_BEGIN_DECLS

/*
 * X(name, key, unit, more is better). Latency and bandwidth without "read" or "write" are the
 * average of both, as the source has it or, if it has only the two, computed. Bandwidths are in
 * MiB/s, as hwloc reads the firmware's figures.
 */
#define NP_MEMORY_ATTRIBUTE_MAP(X)                               \
    X(NP_MEMORY_CAPACITY, "capacity", "bytes", true)             \
    X(NP_MEMORY_LATENCY, "latency", "ns", false)                 \
    X(NP_MEMORY_BANDWIDTH, "bandwidth", "MiB/s", true)           \
    X(NP_MEMORY_READ_LATENCY, "read_latency", "ns", false)       \
    X(NP_MEMORY_WRITE_LATENCY, "write_latency", "ns", false)     \
    X(NP_MEMORY_READ_BANDWIDTH, "read_bandwidth", "MiB/s", true) \
    X(NP_MEMORY_WRITE_BANDWIDTH, "write_bandwidth", "MiB/s", true)

typedef enum np_memory_attribute {
#define NP_MEMORY_ATTRIBUTE_ENUMERATOR(name, key, unit, more) name,
    NP_MEMORY_ATTRIBUTE_MAP(NP_MEMORY_ATTRIBUTE_ENUMERATOR)
#undef NP_MEMORY_ATTRIBUTE_ENUMERATOR
        NP_MEMORY_ATTRIBUTE_COUNT
} np_memory_attribute;

/* Static words: "read_latency" and "ns"; "unknown" for what is no attribute. */
NP_API const char *np_memory_attribute_name(np_memory_attribute attribute);
NP_API const char *np_memory_attribute_unit(np_memory_attribute attribute);

/* Where latencies and bandwidths come from. */
typedef enum np_memory_source {
    NP_MEMORY_SOURCE_NONE = 0, /* the machine does not say */
    NP_MEMORY_SOURCE_FIRMWARE, /* the kernel's files (HMAT) */
    NP_MEMORY_SOURCE_GIVEN,    /* the hwloc topology or file */
    NP_MEMORY_SOURCE_SIZE,     /* only in a choice: the size of the memory */
    NP_MEMORY_SOURCE_DISTANCE  /* only in a choice: in its stead the distance, 10 is local */
} np_memory_source;

NP_API const char *np_memory_source_name(np_memory_source source);
NP_API np_memory_source np_topology_memory_source(const np_topology *topology);

/*
 * The attribute of `node`'s memory for an access by CPUs of the node `from`, in the attribute's
 * unit; for the capacity `from` is not looked at. If a source gives several figures for one pair,
 * the least favourable counts. Errors: NP_ERR_NOT_FOUND when the machine does not say,
 * NP_ERR_INVALID_NODE, NP_ERR_INVALID_ARGUMENT.
 */
NP_API NP_MUST_USE np_status np_topology_memory_attribute(const np_topology *topology,
                                                          np_memory_attribute attribute,
                                                          np_node_id node, np_node_id from,
                                                          uint64_t *out);

/* A memory and why it stands where it stands. */
typedef struct np_memory_choice {
    np_node_id node;
    np_memory_source source; /* what `value` is */
    uint64_t value;          /* in the attribute's unit; by distance: the distance */
} np_memory_choice;

/*
 * The memories that this process may allocate on, the best for accesses by `cpus` first (NULL: by
 * all the CPUs it may use); ties go by distance, then by id. Several nodes have CPUs in the set:
 * the least favourable of them decides, and a memory without a figure from one of them is left out.
 *
 * When no memory has a figure from these CPUs, the three latencies fall back to the distance table
 * over all memories, and the choices' source says so. A bandwidth has no such stand-in.
 *
 * Writes at most `capacity` choices; *count gets the number there are. Errors: NP_ERR_NOT_FOUND (a
 * bandwidth, or no CPU of the set is in a node of this topology, or no memory may be used),
 * NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY.
 */
NP_API NP_MUST_USE np_status np_topology_memory_by_attribute(const np_topology *topology,
                                                             np_memory_attribute attribute,
                                                             const np_cpu_set *cpus,
                                                             np_memory_choice *out, size_t capacity,
                                                             size_t *count);

/* The first of them. The same errors. */
NP_API NP_MUST_USE np_status np_topology_best_memory(const np_topology *topology,
                                                     np_memory_attribute attribute,
                                                     const np_cpu_set *cpus, np_memory_choice *out);

NP_END_DECLS

#endif
