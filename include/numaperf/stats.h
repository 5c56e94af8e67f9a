/*
 * numaperf/stats.h - what the scheduler did and where the work ran.
 *
 * Counters are kept per worker, written by that worker alone without read-modify-write, and only
 * ever grow. A snapshot copies them all; the difference of two snapshots describes the time
 * between. A snapshot taken while work runs is a little blurred (each counter is exact, their
 * moments differ); taken when the executor is idle, it adds up exactly.
 */
#ifndef NUMAPERF_STATS_H
#define NUMAPERF_STATS_H

#include <numaperf/executor.h>

NP_BEGIN_DECLS

/* The one list: X(name, key, what it counts). */
#define NP_COUNTER_MAP(X)                                                                        \
    X(NP_COUNTER_EXECUTED_HOME, "executed_home", "tasks run on the node they were submitted to") \
    X(NP_COUNTER_EXECUTED_AWAY, "executed_away", "tasks run on another node")                    \
    X(NP_COUNTER_DISCARDED, "discarded", "tasks handed back without being run")                  \
    X(NP_COUNTER_SUBMITTED, "submitted", "submitted by its tasks, or from outside to its node")  \
    X(NP_COUNTER_STOLEN_CACHE, "stolen_cache", "tasks taken from a worker of the same cache")    \
    X(NP_COUNTER_STOLEN_NODE, "stolen_node", "tasks taken from a worker of the same node")       \
    X(NP_COUNTER_STOLEN_SOCKET, "stolen_socket", "tasks taken from a node of the same socket")   \
    X(NP_COUNTER_STOLEN_REMOTE, "stolen_remote", "tasks taken from a remote node")               \
    X(NP_COUNTER_FORKS_STOLEN_CACHE, "forks_stolen_cache", "children taken, same cache")         \
    X(NP_COUNTER_FORKS_STOLEN_NODE, "forks_stolen_node", "children taken, same node")            \
    X(NP_COUNTER_FORKS_STOLEN_SOCKET, "forks_stolen_socket", "children taken, same socket")      \
    X(NP_COUNTER_FORKS_STOLEN_REMOTE, "forks_stolen_remote", "children taken, remote")           \
    X(NP_COUNTER_AWAY_BACKLOG, "away_backlog", "left home because of its node's backlog")        \
    X(NP_COUNTER_AWAY_AGE, "away_age", "left home because its node's queue did not move")        \
    X(NP_COUNTER_AWAY_ANY, "away_any", "left home because policy or task allow it anywhere")     \
    X(NP_COUNTER_GATE_REFUSED, "gate_refused", "looks at another node that the gate sent back")  \
    X(NP_COUNTER_SEARCHES, "searches", "times it ran out of work and looked around")             \
    X(NP_COUNTER_PARKS, "parks", "times it went to sleep")                                       \
    X(NP_COUNTER_WAKES, "wakes", "times it woke another worker")                                 \
    X(NP_COUNTER_BLOCKED, "blocked", "times a spare worker stepped in for it")                   \
    X(NP_COUNTER_DISPLACED, "displaced", "tasks whose node had no usable CPU, run elsewhere")    \
    X(NP_COUNTER_REBOUND, "rebound", "times a refresh bound its thread anew")                    \
    X(NP_COUNTER_SLICES_KEPT, "slices_kept", "slices of loops over placed data, its own ones")   \
    X(NP_COUNTER_SLICES_MOVED, "slices_moved", "others of its node, and parts it helped with")   \
    X(NP_COUNTER_SLICES_AWAY, "slices_away", "others of another node, and parts of them")        \
    NP_COUNTER_DATA_MAP(X)

/* About the data of tasks (numaperf/near.h); all but the first, and data_calls, in bytes. */
#define NP_COUNTER_DATA_MAP(X)                                                                \
    X(NP_COUNTER_DATA_TASKS, "data_tasks", "tasks run whose data's node was known")           \
    X(NP_COUNTER_DATA_LOCAL, "data_local", "their bytes on the node that ran them")           \
    X(NP_COUNTER_DATA_BACKLOG, "data_backlog", "afar: left home because of backlog")          \
    X(NP_COUNTER_DATA_AGE, "data_age", "afar: left home because its queue did not move")      \
    X(NP_COUNTER_DATA_ANY, "data_any", "afar: left home because it may run anywhere")         \
    X(NP_COUNTER_DATA_HELPED, "data_helped", "afar: part of a loop that had idle helpers")    \
    X(NP_COUNTER_DATA_DISPLACED, "data_displaced", "afar: the data's node had no usable CPU") \
    X(NP_COUNTER_DATA_NO_WORKER, "data_no_worker", "afar: no worker on the data's node")      \
    X(NP_COUNTER_DATA_SENT, "data_sent", "afar: sent to another node than its data's")        \
    X(NP_COUNTER_DATA_SPREAD, "data_spread", "of submitted tasks, on further nodes")          \
    X(NP_COUNTER_DATA_UNKNOWN, "data_unknown", "of tasks and loops, where nobody knows")      \
    X(NP_COUNTER_DATA_CALLS, "data_calls", "system calls that asked where data lies")

typedef enum np_counter {
#define NP_COUNTER_ENUMERATOR(name, key, text) name,
    NP_COUNTER_MAP(NP_COUNTER_ENUMERATOR)
#undef NP_COUNTER_ENUMERATOR
        NP_COUNTER_COUNT
} np_counter;

/* "executed_home", ...; and its sentence. Static, never NULL. */
NP_API const char *np_counter_key(np_counter counter);
NP_API const char *np_counter_text(np_counter counter);

typedef struct np_stats np_stats;

/*
 * Copies every counter of the executor; any thread, never stops the workers. Works after shutdown.
 * The caller destroys it, before or after the executor. Errors: NP_ERR_INVALID_ARGUMENT,
 * NP_ERR_NO_MEMORY.
 */
NP_API NP_MUST_USE np_status np_stats_snapshot(const np_executor *executor, np_stats **out);

/* newer - older, two snapshots (not differences) of the same executor; NP_ERR_INVALID_ARGUMENT
 * otherwise, also when they are exchanged. NP_ERR_NO_MEMORY. The caller destroys it. */
NP_API NP_MUST_USE np_status np_stats_difference(const np_stats *newer, const np_stats *older,
                                                 np_stats **out);
NP_API void np_stats_destroy(np_stats *stats);

/* --- reading ------------------------------------------------------------------------------ */

/*
 * Any thread, none fails: 0 for NULL and for what does not exist. What threads that are not workers
 * did (submitting to a node, waking its workers, discarding its tasks at a deadline) is part of the
 * total and of that node, of no worker.
 */
NP_API uint64_t np_stats_total(const np_stats *stats, np_counter counter);
/* By worker index (spare and guest workers come after the regular ones); 0 for an unknown one. */
NP_API uint32_t np_stats_worker_count(const np_stats *stats);
NP_API uint64_t np_stats_worker(const np_stats *stats, uint32_t worker, np_counter counter);
NP_API np_node_id np_stats_worker_node(const np_stats *stats, uint32_t worker);
NP_API uint64_t np_stats_node(const np_stats *stats, np_node_id node, np_counter counter);

/* Tasks whose home is `home` and that ran on `ran`; 0 for unknown nodes. */
NP_API uint64_t np_stats_matrix(const np_stats *stats, np_node_id home, np_node_id ran);

/* Tasks, and bytes of their data. */
typedef struct np_data_sum {
    uint64_t tasks;
    uint64_t bytes;
} np_data_sum;

/*
 * Tasks whose home is `home`, that ran on `ran`, and whose data lies on `data`, the node that holds
 * most of it; and its bytes there, each task's rounded by less than 0.05 % (whole pages seldom need
 * it). NP_NODE_ID_NONE stands for all nodes. Zeros for unknown nodes.
 */
NP_API np_data_sum np_stats_data(const np_stats *stats, np_node_id home, np_node_id ran,
                                 np_node_id data);
/* Share of those bytes that lay on the node that ran the task, 0 .. 1; -1 when there are none. */
NP_API double np_stats_data_locality(const np_stats *stats);

/* Nodes of the snapshot in ascending id order; like np_executor_nodes(). */
NP_API size_t np_stats_nodes(const np_stats *stats, np_node_id *out, size_t capacity);

/* Tasks queued for the node when the snapshot was taken (a difference keeps the newer one's). */
NP_API uint64_t np_stats_inbox_depth(const np_stats *stats, np_node_id node);

/* Nanoseconds between the two snapshots of a difference; since creation for a snapshot. */
NP_API uint64_t np_stats_elapsed_ns(const np_stats *stats);

/* --- the caller's own events --------------------------------------------------------------- */

/*
 * A collector counts accesses to data that the scheduler cannot see: call it where your code
 * touches data, with the node the data lies on. On a worker of `executor` counting costs no atomic
 * read-modify-write; other threads share one slot. Destroy it when nobody records any more, before
 * its executor. Errors of create: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY. NULL is accepted by
 * all other functions.
 */
typedef struct np_collector np_collector;
NP_API NP_MUST_USE np_status np_collector_create(const np_executor *executor, np_collector **out);
NP_API void np_collector_destroy(np_collector *collector);

/* `count` accesses of `bytes` bytes in all, to data on `data_node`, by the calling thread. Local if
 * the thread's node (np_current_node()) is that node. Unknown nodes are counted as remote. */
NP_API void np_collector_record(np_collector *collector, np_node_id data_node, uint64_t count,
                                uint64_t bytes);

typedef struct np_access_counts {
    uint64_t local;
    uint64_t remote;
    uint64_t local_bytes;
    uint64_t remote_bytes;
} np_access_counts;

/* Everything recorded so far; and by (node of the thread, node of the data). */
NP_API np_access_counts np_collector_totals(const np_collector *collector);
NP_API np_access_counts np_collector_between(const np_collector *collector, np_node_id from,
                                             np_node_id data_node);

/* --- reports ------------------------------------------------------------------------------ */

/* From the share of tasks (or accesses) at home: excellent >= 95 %, good >= 85 %, fair >= 70 %. */
typedef enum np_health {
    NP_HEALTH_UNKNOWN = 0, /* nothing was counted */
    NP_HEALTH_EXCELLENT,
    NP_HEALTH_GOOD,
    NP_HEALTH_FAIR,
    NP_HEALTH_POOR
} np_health;
NP_API const char *np_health_name(np_health health);
NP_API np_health np_health_of_ratio(double ratio); /* negative: unknown */

/* Share of executed tasks that ran at home, 0 .. 1; -1 when none ran. */
NP_API double np_stats_locality(const np_stats *stats);
NP_API np_health np_stats_health(const np_stats *stats);

/*
 * A report a person can act on, plain ASCII, 80 columns: locality and health, per node, the
 * node-to-node matrix, steals by tier and why tasks left home, idle nodes, and recommendations that
 * follow from the figures (docs/statistics.md lists them). `collector` may be NULL. Like snprintf:
 * at most `capacity` bytes with the NUL, returns the whole length. The JSON form holds the same
 * figures for every node and worker, and the same recommendations.
 */
NP_API size_t np_report_text(const np_stats *stats, const np_collector *collector, char *buffer,
                             size_t capacity);
NP_API size_t np_report_json(const np_stats *stats, const np_collector *collector, char *buffer,
                             size_t capacity);

NP_END_DECLS

#endif
