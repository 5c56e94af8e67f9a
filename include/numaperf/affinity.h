/*
 * numaperf/affinity.h - sets of CPUs, and the calling thread's affinity.
 *
 * An np_cpu_set is a plain value: copy it, compare it, keep it in your own structs; nothing has
 * to be released. CPU numbers are the operating system's.
 */
#ifndef NUMAPERF_AFFINITY_H
#define NUMAPERF_AFFINITY_H

#include <stdbool.h>

#include <numaperf/types.h>

NP_BEGIN_DECLS

/* CPU numbers 0 .. 8191; more than any Linux kernel is built for. */
#define NP_CPU_SET_CAPACITY 8192u

typedef struct np_cpu_set {
    uint64_t bits[NP_CPU_SET_CAPACITY / 64u];
} np_cpu_set;

/* Set algebra. Any thread, never fails; a CPU number outside the capacity is in no set, and
 * adding it returns false. */
NP_API void np_cpu_set_clear(np_cpu_set *set);
NP_API bool np_cpu_set_add(np_cpu_set *set, int32_t cpu);
NP_API void np_cpu_set_remove(np_cpu_set *set, int32_t cpu);
NP_API bool np_cpu_set_contains(const np_cpu_set *set, int32_t cpu);
NP_API bool np_cpu_set_is_empty(const np_cpu_set *set);
NP_API bool np_cpu_set_is_subset(const np_cpu_set *inner, const np_cpu_set *outer);
NP_API bool np_cpu_set_equal(const np_cpu_set *a, const np_cpu_set *b);
NP_API uint32_t np_cpu_set_count(const np_cpu_set *set);
NP_API int32_t np_cpu_set_first(const np_cpu_set *set);             /* NP_CPU_NONE if empty */
NP_API int32_t np_cpu_set_next(const np_cpu_set *set, int32_t cpu); /* first above `cpu` */
NP_API void np_cpu_set_and(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b);
NP_API void np_cpu_set_or(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b);
NP_API void np_cpu_set_and_not(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b);

/*
 * Reads the kernel's list format: "0-3,8"; "10-14:2", every second CPU; "0-31:2/4", two of every
 * four. White space around the text and a final newline are accepted, the empty text is the empty
 * set. On failure (NP_ERR_PARSE, NP_ERR_LIMIT for a number beyond the capacity,
 * NP_ERR_INVALID_ARGUMENT for NULL) *out is untouched and the detail shows the place.
 */
NP_API NP_MUST_USE np_status np_cpu_set_parse(const char *text, np_cpu_set *out);

/*
 * Writes the list format into `buffer` like snprintf: at most `capacity` bytes with the closing
 * NUL, and returns the length of the whole text without it. `buffer` may be NULL with capacity 0.
 */
NP_API size_t np_cpu_set_print(const np_cpu_set *set, char *buffer, size_t capacity);

/* --- the calling thread ------------------------------------------------------------------ */

typedef struct np_topology np_topology;

/* The CPUs on which the kernel may run the calling thread now. */
NP_API NP_MUST_USE np_status np_affinity_get(np_cpu_set *out);

/* The CPU and node the calling thread is running on at this moment; either pointer may be NULL.
 * Stale as soon as it returns unless the thread is pinned. */
NP_API NP_MUST_USE np_status np_affinity_where(int32_t *cpu, np_node_id *node);

/*
 * Moves the calling thread to `cpus`, and reads the kernel's answer back. Soft: takes what can be
 * had (the part of `cpus` that is allowed; nothing at all if the kernel refuses), returns NP_OK and
 * says in *achieved how far it got. Strict: exactly `cpus` or a failure that leaves the affinity
 * as it was. `achieved` may be NULL. Errors: NP_ERR_INVALID_ARGUMENT (NULL or empty set, unknown
 * mode); strict only: NP_ERR_HARD_MODE with the missing CPUs, call and errno in the detail.
 */
NP_API NP_MUST_USE np_status np_affinity_set(const np_cpu_set *cpus, np_hard_mode mode,
                                             np_enforcement *achieved);

/*
 * The same with the allowed CPUs of one node. On a virtual topology soft does nothing and says
 * NP_REASON_VIRTUAL_TOPOLOGY; strict fails. A node without CPUs: soft does nothing and says
 * NP_REASON_NO_CPU, strict fails. Errors also: NP_ERR_INVALID_NODE.
 */
NP_API NP_MUST_USE np_status np_affinity_set_node(const np_topology *topology, np_node_id node,
                                                  np_hard_mode mode, np_enforcement *achieved);

/*
 * A scope: pins the calling thread and remembers what to restore. Scopes nest; they are closed in
 * the reverse order, by the thread that opened them. The struct is the caller's (usually on the
 * stack); its fields are private.
 */
typedef struct np_affinity_scope {
    np_cpu_set saved;
    struct np_affinity_scope *outer;
    uint64_t thread;
    uint32_t state;
} np_affinity_scope;

NP_API NP_MUST_USE np_status np_affinity_scope_open(np_affinity_scope *scope,
                                                    const np_cpu_set *cpus, np_hard_mode mode,
                                                    np_enforcement *achieved);
NP_API NP_MUST_USE np_status np_affinity_scope_open_node(np_affinity_scope *scope,
                                                         const np_topology *topology,
                                                         np_node_id node, np_hard_mode mode,
                                                         np_enforcement *achieved);

/*
 * Restores the affinity from before the scope was opened. NP_ERR_INVALID_ARGUMENT, with nothing
 * changed, when the scope is not this thread's innermost open one (wrong order, wrong thread,
 * closed twice). NP_ERR_SYSTEM if the kernel refuses the old set (the cpuset shrank meanwhile); the
 * scope is closed all the same.
 */
NP_API NP_MUST_USE np_status np_affinity_scope_close(np_affinity_scope *scope);

NP_END_DECLS

#endif
