/*
 * numaperf/topology.h - what the machine looks like, as this process may use it.
 *
 * A topology is an immutable snapshot: made once, read from any thread without locks, destroyed
 * when nobody reads it any more (an executor keeps its own copy). It knows only what the process
 * is allowed to use: the affinity mask of the calling thread, the cgroup's cpuset and memory nodes.
 * Left out are CPUs that may not be used, and nodes with neither a usable CPU nor memory that may
 * be used. A topology that does not describe this machine (synthetic, XML) is virtual: executors
 * run on it anywhere, their workers belong to virtual nodes and are not pinned.
 */
#ifndef NUMAPERF_TOPOLOGY_H
#define NUMAPERF_TOPOLOGY_H

#include <numaperf/affinity.h>

NP_BEGIN_DECLS

/* --- making one -------------------------------------------------------------------------- */

/*
 * The machine this process runs on. If the user has pointed hwloc somewhere else by its own
 * variables (HWLOC_XMLFILE, HWLOC_FSROOT and the like), that machine, as a virtual one. May be
 * called from any thread; takes milliseconds, reads files, prints nothing. Errors: NP_ERR_SYSTEM,
 * NP_ERR_NO_MEMORY, NP_ERR_INVALID_ARGUMENT, NP_ERR_LIMIT; NP_ERR_FORKED in a child that was
 * forked while another thread was in here (hwloc cannot be entered then; exec first).
 */
NP_API NP_MUST_USE np_status np_topology_discover(np_topology **out);

/*
 * A virtual machine from hwloc's synthetic notation, for example "pack:2 numa:2 core:4 pu:2" (two
 * sockets, two nodes each, four cores per node, two hardware threads per core). Numbers are per
 * parent. "numa:2(memory=4GiB indexes=0,8,16,24)" gives size and ids, "[numa(memory=64GiB)]" hangs
 * a node beside the level before it. A distance matrix may follow after '|', row by row in the
 * order in which the nodes are described: "pack:2 numa:1 pu:4 | 10 21 21 10". Errors: NP_ERR_PARSE
 * with the place, NP_ERR_LIMIT (more than NP_CPU_SET_CAPACITY CPUs, more than 1024 nodes),
 * NP_ERR_NO_MEMORY, NP_ERR_INVALID_ARGUMENT.
 */
NP_API NP_MUST_USE np_status np_topology_from_synthetic(const char *description, np_topology **out);

/*
 * From a file written by `lstopo --of xml` or hwloc_topology_export_xml(); always virtual. Errors,
 * each with the path, and the line where there is one: NP_ERR_NOT_FOUND, NP_ERR_NOT_PERMITTED,
 * NP_ERR_SYSTEM (reading fails), NP_ERR_PARSE, NP_ERR_LIMIT, NP_ERR_NO_MEMORY,
 * NP_ERR_INVALID_ARGUMENT.
 */
NP_API NP_MUST_USE np_status np_topology_from_xml(const char *path, np_topology **out);

NP_API void np_topology_destroy(np_topology *topology);

/* True when CPU and node numbers are not those of the running machine. */
NP_API bool np_topology_is_virtual(const np_topology *topology);

/* --- nodes ------------------------------------------------------------------------------- */

#define NP_MEMORY_KIND_CAPACITY 16 /* bytes with the NUL */

typedef struct np_node_info {
    np_node_id id;
    np_node_index index;
    int32_t socket;          /* rank of the socket (package) it hangs on; -1: none or several */
    uint32_t cpu_count;      /* hardware threads this process may use on the node; may be 0 */
    uint32_t core_count;     /* cores with at least one such hardware thread */
    uint64_t memory_bytes;   /* total memory; 0 for a memory-less node */
    bool memory_allowed;     /* the process may allocate there (cpuset.mems) */
    np_node_id nearest_cpus; /* the node itself, or for a CPU-less one the nearest node with CPUs;
                                NP_NODE_ID_NONE if no node has any */
    char memory_kind[NP_MEMORY_KIND_CAPACITY]; /* as hwloc has it: "DRAM", "HBM", "NVM", "MCDRAM",
                                "CXL-DRAM" ...; "" if it does not say, which is the rule */
} np_node_info;

NP_API uint32_t np_topology_node_count(const np_topology *topology);

/* Between id and index. An unknown value gives NP_NODE_ID_NONE or NP_NODE_INDEX_NONE. */
NP_API np_node_id np_topology_node_id(const np_topology *topology, np_node_index index);
NP_API np_node_index np_topology_node_index(const np_topology *topology, np_node_id id);

NP_API NP_MUST_USE np_status np_topology_node_info(const np_topology *topology, np_node_id node,
                                                   np_node_info *out);

/* The hardware threads of the node that this process may use. */
NP_API NP_MUST_USE np_status np_topology_node_cpus(const np_topology *topology, np_node_id node,
                                                   np_cpu_set *out);

/* Free memory of the node now, in bytes, as the kernel says (virtual: the total). */
NP_API NP_MUST_USE np_status np_topology_node_free_memory(const np_topology *topology,
                                                          np_node_id node, uint64_t *out);

/* --- CPUs -------------------------------------------------------------------------------- */

/* Ranks count what this process may use, in the order of the lowest CPU number. */
typedef struct np_cpu_info {
    int32_t cpu;
    np_node_id node;    /* NP_NODE_ID_NONE for a CPU in no node */
    int32_t core;       /* rank of its core in the machine */
    int32_t thread;     /* rank among the usable hardware threads of its core */
    int32_t last_cache; /* rank of its last-level cache, -1 if unknown */
    int32_t socket;     /* rank of its socket, -1 if unknown */
} np_cpu_info;

/* All CPUs this process may use. */
NP_API NP_MUST_USE np_status np_topology_cpus(const np_topology *topology, np_cpu_set *out);
NP_API uint32_t np_topology_cpu_count(const np_topology *topology);
NP_API uint32_t np_topology_core_count(const np_topology *topology);
NP_API uint32_t np_topology_socket_count(const np_topology *topology);

/* NP_ERR_NOT_FOUND for a CPU that does not exist or is not allowed. */
NP_API NP_MUST_USE np_status np_topology_cpu_info(const np_topology *topology, int32_t cpu,
                                                  np_cpu_info *out);
NP_API np_node_id np_topology_cpu_node(const np_topology *topology, int32_t cpu);

/* CPU time this process may use in thousandths of a CPU (cgroup quota, version 1 or 2, the tightest
 * ancestor wins); 0 means no quota. */
NP_API uint32_t np_topology_cpu_quota(const np_topology *topology);

/* --- closeness --------------------------------------------------------------------------- */

/* Where the distances come from. */
typedef enum np_distance_source {
    NP_DISTANCE_ASSUMED = 0, /* none known: 10 on the diagonal, 12 inside a socket, 20 elsewhere */
    NP_DISTANCE_FIRMWARE,    /* the operating system's table (SLIT) */
    NP_DISTANCE_GIVEN        /* from the description */
} np_distance_source;

NP_API np_distance_source np_topology_distance_source(const np_topology *topology);

/* Relative latency from CPUs of `from` to memory of `to`; 10 is local. May be asymmetric. A table
 * that makes no sense (a node nearer to another than to itself, zeros) counts as none: distances
 * are then assumed, and the description says why. */
NP_API NP_MUST_USE np_status np_topology_distance(const np_topology *topology, np_node_id from,
                                                  np_node_id to, uint32_t *out);

/* Closeness of two CPUs, and of two nodes (NP_TIER_NODE when equal), seen from `a`. Unknown
 * numbers: NP_TIER_REMOTE. */
NP_API np_tier np_topology_cpu_tier(const np_topology *topology, int32_t a, int32_t b);
NP_API np_tier np_topology_node_tier(const np_topology *topology, np_node_id a, np_node_id b);

/*
 * All nodes by closeness to `from`, itself first, then by tier, distance and ascending id: the
 * order in which thieves and wakers walk. Writes at most `capacity` ids; *count gets the number of
 * nodes.
 */
NP_API NP_MUST_USE np_status np_topology_nodes_by_distance(const np_topology *topology,
                                                           np_node_id from, np_node_id *out,
                                                           size_t capacity, size_t *count);

/* --- words ------------------------------------------------------------------------------- */

/* Each writes like snprintf: at most `capacity` bytes with the NUL, returns the whole length.
 * NULL topology: writes "" and returns 0. */
NP_API size_t np_topology_summary(const np_topology *topology, char *buffer, size_t capacity);
NP_API size_t np_topology_describe(const np_topology *topology, char *buffer, size_t capacity);
NP_API size_t np_topology_to_json(const np_topology *topology, char *buffer, size_t capacity);

/* --- capabilities ------------------------------------------------------------------------ */

/* What a NUMA program would like to have: X(name, key). */
#define NP_CAPABILITY_MAP(X)                                          \
    X(NP_CAPABILITY_SEVERAL_NODES, "several_nodes")                   \
    X(NP_CAPABILITY_PINNING, "pinning")                               \
    X(NP_CAPABILITY_MEMORY_BINDING, "memory_binding")                 \
    X(NP_CAPABILITY_STRICT_BINDING, "strict_binding")                 \
    X(NP_CAPABILITY_PREFERRED_MANY, "preferred_many")                 \
    X(NP_CAPABILITY_PAGE_QUERY, "page_query")                         \
    X(NP_CAPABILITY_PAGE_MIGRATION, "page_migration")                 \
    X(NP_CAPABILITY_NO_NUMA_BALANCING, "no_numa_balancing")           \
    X(NP_CAPABILITY_TRANSPARENT_HUGE_PAGES, "transparent_huge_pages") \
    X(NP_CAPABILITY_HUGE_PAGES_2M, "huge_pages_2m")                   \
    X(NP_CAPABILITY_HUGE_PAGES_1G, "huge_pages_1g")                   \
    X(NP_CAPABILITY_LOCKED_MEMORY, "locked_memory")                   \
    X(NP_CAPABILITY_DISTANCES, "distances")                           \
    X(NP_CAPABILITY_FULL_CPU_TIME, "full_cpu_time")

typedef enum np_capability {
#define NP_CAPABILITY_ENUMERATOR(name, key) name,
    NP_CAPABILITY_MAP(NP_CAPABILITY_ENUMERATOR)
#undef NP_CAPABILITY_ENUMERATOR
        NP_CAPABILITY_COUNT
} np_capability;

typedef struct np_capability_info {
    const char *key; /* static, e.g. "locked_memory" */
    bool available;
    char detail[160];   /* what was found, with figures */
    const char *cost;   /* static: what its absence costs */
    const char *remedy; /* static: how to get it */
} np_capability_info;

/* Probes the running system (also for a virtual topology) without changing anything that outlasts
 * the call. Any thread; some probes make a few system calls. */
NP_API NP_MUST_USE np_status np_capability_get(const np_topology *topology,
                                               np_capability capability, np_capability_info *out);

NP_END_DECLS

#endif
