/*
 * numaperf/types.h - the numbers and small enums that several headers share.
 *
 * A node has an id, the operating system's number, which may be sparse (0, 8, 252), and an index,
 * its rank among the nodes of one topology (0, 1, 2). They are of different signedness so that
 * -Wsign-conversion finds a mix-up.
 */
#ifndef NUMAPERF_TYPES_H
#define NUMAPERF_TYPES_H

#include <stdint.h>

#include <numaperf/error.h>

NP_BEGIN_DECLS

typedef int32_t np_node_id;     /* the operating system's number of a NUMA node */
typedef uint32_t np_node_index; /* 0 .. np_topology_node_count() - 1, in ascending id order */

#define NP_NODE_ID_NONE    ((np_node_id)-1)
#define NP_NODE_INDEX_NONE (UINT32_MAX)
#define NP_CPU_NONE        ((int32_t)-1)

/* How hard a placement is demanded: soft goes on with less and says so, strict fails. */
typedef enum np_hard_mode { NP_HARD_MODE_SOFT = 0, NP_HARD_MODE_STRICT } np_hard_mode;

/* What was achieved. Strict: asked for, done and read back. Anything less has a reason. */
typedef enum np_enforcement_level {
    NP_ENFORCEMENT_NONE = 0,
    NP_ENFORCEMENT_BEST_EFFORT,
    NP_ENFORCEMENT_STRICT
} np_enforcement_level;

/* Why an enforcement is weaker than strict: X(name, text). */
#define NP_REASON_MAP(X)                                                                      \
    X(NP_REASON_NONE, "no reason: enforced as asked")                                         \
    X(NP_REASON_NOT_REQUESTED, "not requested")                                               \
    X(NP_REASON_VIRTUAL_TOPOLOGY, "the topology does not describe this machine")              \
    X(NP_REASON_NOT_PERMITTED, "the kernel refused permission")                               \
    X(NP_REASON_NOT_SUPPORTED, "the kernel does not support it")                              \
    X(NP_REASON_OUTSIDE_ALLOWED, "outside what this process may use")                         \
    X(NP_REASON_NO_CPU, "the node has no usable CPU")                                         \
    X(NP_REASON_PARTIAL, "only part of the request could be honoured")                        \
    X(NP_REASON_NO_MEMORY, "the node has not enough free memory")                             \
    X(NP_REASON_NO_HUGE_PAGES, "the pool of huge pages is too small")                         \
    X(NP_REASON_LOCK_LIMIT, "the limit of locked memory is too low")                          \
    X(NP_REASON_NOT_VERIFIED, "done, but the kernel's answer could not be read back")         \
    X(NP_REASON_CALLER_THREAD, "the thread belongs to the caller and keeps its own affinity") \
    X(NP_REASON_SYSTEM, "a system call failed")

typedef enum np_reason {
#define NP_REASON_ENUMERATOR(name, text) name,
    NP_REASON_MAP(NP_REASON_ENUMERATOR)
#undef NP_REASON_ENUMERATOR
} np_reason;

/* The outcome of one placement. */
typedef struct np_enforcement {
    np_enforcement_level level;
    np_reason reason; /* NP_REASON_NONE exactly when level is strict */
    int system_error; /* errno behind the reason, 0 if none */
} np_enforcement;

/* "strict", "best effort", "none"; and the reason's sentence. Static storage, never NULL. */
NP_API const char *np_enforcement_level_name(np_enforcement_level level);
NP_API const char *np_reason_text(np_reason reason);
NP_API const char *np_hard_mode_name(np_hard_mode mode);

/*
 * How close two CPUs, or two nodes, are. Smaller is closer. Where last-level caches and nodes do
 * not nest (a cache that spans nodes, sub-NUMA clustering) the node decides before the cache.
 */
typedef enum np_tier {
    NP_TIER_CACHE = 0, /* same node and same last-level cache */
    NP_TIER_NODE,      /* same node */
    NP_TIER_SOCKET,    /* another node of the same socket, or as near as one by distance */
    NP_TIER_REMOTE     /* any other node */
} np_tier;
#define NP_TIER_COUNT 4

/* "cache", "node", "socket", "remote". */
NP_API const char *np_tier_name(np_tier tier);

NP_END_DECLS

#endif
