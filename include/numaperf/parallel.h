/*
 * numaperf/parallel.h - loops and reductions, over a range of indices on all workers or one node's,
 * and over placed data, each part on the node that holds it.
 *
 * A loop is called like a function and returns when it is done. Its body is called for stretches of
 * the range, on workers, several at a time: every index is in exactly one stretch, unless the loop
 * was cancelled. A loop may be called from a task, also from another loop's body: then the calling
 * worker takes part, and what it does not share costs it little more than the plain loop. From
 * outside a call first has to reach a worker, which takes microseconds: code with many short loops
 * enters once, with np_run(), and loops inside.
 *
 * Ordering: what the caller did before is visible to the body; what every call of the body did is
 * visible to the caller when the loop returns.
 */
#ifndef NUMAPERF_PARALLEL_H
#define NUMAPERF_PARALLEL_H

#include <numaperf/array.h>
#include <numaperf/group.h>
#include <numaperf/region.h>

NP_BEGIN_DECLS

/* The body: does the indices begin .. end - 1; never called for none. `context` is the caller's. It
 * is a part of the calling task: it may fork, submit, wait and loop like one. */
typedef void (*np_range_fn)(void *context, size_t begin, size_t end);

typedef enum np_schedule {
    /* The range is divided as workers become free: any load, any machine. */
    NP_SCHEDULE_ADAPTIVE = 0,
    /* Each worker's share is fixed: worker w of W, counted node by node, gets the w-th of W equal
     * stretches, and it is run on that worker's node. Equal ranges are divided equally, so that
     * data first touched in one loop lies near in the next. */
    NP_SCHEDULE_STATIC,
    /* Each worker takes the next stretch from the front, half of its fair share of what is left and
     * never less than `grain`: indices are begun in ascending order, all workers at once. For loops
     * whose cost falls or rises along the range, and for streams through memory in one direction.
     * Every stretch costs an atomic operation on a shared line; adaptive loops do not. */
    NP_SCHEDULE_GUIDED
} np_schedule;
NP_API const char *np_schedule_name(np_schedule schedule);

/* Zero, for every field, is the documented default. */
typedef struct np_loop_options {
    size_t size; /* sizeof(np_loop_options); NP_LOOP_OPTIONS fills it in */
    /* Indices per call of the body; the last ones of a part may be fewer. Who gives it says that
     * this many are worth waking another worker for. 0: the library finds out what an index costs,
     * keeps a short loop to itself, and calls the body for about a microsecond, for more in
     * a long loop; with NP_SCHEDULE_STATIC once for the whole share; with NP_SCHEDULE_GUIDED it
     * is the least, and 0 means 1/64 of a worker's share. */
    size_t grain;
    np_schedule schedule;
    bool on_node; /* true: only on workers of `node`, whatever the steal policy */
    np_node_id node;
    /* May be NULL. Cancelling it ends the loop early, between two calls of the body; its outcome is
     * what the loop returns; and it is np_current_group() inside the body. */
    np_group *group;
} np_loop_options;

#ifndef __cplusplus
#define NP_LOOP_OPTIONS(...) (&(np_loop_options){.size = sizeof(np_loop_options), __VA_ARGS__})
#endif

/*
 * Calls `body` for all of begin .. end - 1 and returns when every call has returned. `options` may
 * be NULL. From a task of the executor the calling worker works too, and helps elsewhere when there
 * is nothing left of the loop but what others run (hold no lock across it); from any other thread
 * it blocks. A loop that stays on the calling worker allocates nothing and makes no system call.
 * With a group: returns its outcome, as np_group_wait() does; so a body reports an error with
 * np_group_fail(), and stops the rest with np_group_cancel(). NP_ERR_CANCELLED also when a timed
 * shutdown discarded the loop. Other errors, and then some indices were not run:
 * NP_ERR_INVALID_ARGUMENT (begin > end, no body, bad options), NP_ERR_INVALID_NODE,
 * NP_ERR_NODE_HAS_NO_WORKER, NP_ERR_SHUT_DOWN, NP_ERR_NO_MEMORY, NP_ERR_FORKED.
 */
NP_API NP_MUST_USE np_status np_parallel_for(np_executor *executor, size_t begin, size_t end,
                                             const np_loop_options *options, np_range_fn body,
                                             void *context);

/* --- reductions ---------------------------------------------------------------------------- */

/* Adds what the indices begin .. end - 1 contribute to *value. Else like np_range_fn. */
typedef void (*np_reduce_fn)(void *context, size_t begin, size_t end, void *value);
/* Adds *from, which belongs to higher indices, to *into. It must be associative; it need not be
 * commutative. Called on workers, several at a time, for values that nobody else uses. */
typedef void (*np_combine_fn)(void *context, void *into, const void *from);

typedef struct np_reduction {
    size_t size;          /* sizeof(np_reduction); NP_REDUCTION fills it in */
    size_t bytes;         /* of a value, > 0. Values are copied as bytes and lie aligned to 64 */
    const void *identity; /* what a value begins as: `bytes` bytes, borrowed; NULL: zeros */
    np_reduce_fn body;
    np_combine_fn combine;
    void *context; /* for both */
    /* false: the range is divided as in any adaptive loop, and the values of its parts are combined
     * in the order of the indices; so sums of floating point numbers may differ in the last places
     * from one run to the next. true: it is divided into stretches of `grain` indices (0: 1/1024 of
     * the range, rounded up), each begins with the identity, and they are combined one after
     * another. Then the result is the same, bit by bit, on any number of workers. Takes memory for
     * one value per stretch; so do the static and the guided schedule. */
    bool deterministic;
} np_reduction;

#ifndef __cplusplus
/* NP_REDUCTION(.bytes = sizeof(double), .body = add_up, .combine = add, .context = &vector) */
#define NP_REDUCTION(...) (&(np_reduction){.size = sizeof(np_reduction), __VA_ARGS__})
#endif

/*
 * Reduces begin .. end - 1 to one value, which is written to the `bytes` bytes at `result`, aligned
 * as the value wants: the identity for an empty range. Everything else is as for
 * np_parallel_for(); also NP_ERR_INVALID_ARGUMENT for a bad reduction or result. After any status
 * but NP_OK *result says nothing. On a worker an adaptive reduction that nobody helps with
 * allocates nothing and makes no system call.
 */
NP_API NP_MUST_USE np_status np_parallel_reduce(np_executor *executor, size_t begin, size_t end,
                                                const np_loop_options *options,
                                                const np_reduction *reduction, void *result);

/* --- over placed data ---------------------------------------------------------------------- */

/*
 * The same over the elements of a partitioned array. Every node's elements are divided equally
 * among its workers, as slices; a worker that comes takes its own slice, or, if that is taken, one
 * that nobody has come for yet. So the same elements go to the same worker in the next loop over
 * the same array, and over another one that is divided alike. Elements on a node without workers go
 * to the nearest one that has some; those on a node that the executor's topology has not (a cpuset
 * hides it, or it came later), to the node whose equal part of the whole range they are in.
 * Adaptive: when a slice is all that is left, idle workers help,
 * those of the node first and those of other nodes as the steal policy allows. Static: only workers
 * of the node, no help. A loop so short that waking another worker would take longer stays on the
 * calling worker, wherever its elements are.
 *
 * `options`: schedule adaptive or static, grain, group; no node. NP_COUNTER_SLICES_KEPT, _MOVED and
 * _AWAY count where slices, and parts of slices that others helped with, were run. Errors as
 * np_parallel_for(), and NP_ERR_INVALID_ARGUMENT for array NULL. The array must not be
 * redistributed meanwhile.
 */
NP_API NP_MUST_USE np_status np_parallel_for_array(np_executor *executor, const np_array *array,
                                                   const np_loop_options *options, np_range_fn body,
                                                   void *context);

/* A reduction over its elements, combined in the order of their indices; deterministic ones too. */
NP_API NP_MUST_USE np_status np_parallel_reduce_array(np_executor *executor, const np_array *array,
                                                      const np_loop_options *options,
                                                      const np_reduction *reduction, void *result);

/*
 * The same over the bytes of a region: the body gets offsets of whole pages, the last one up to the
 * end of a file. A region that is
 * bound to one node, or prefers one, is that node's; of any other the kernel is asked where its
 * pages are (one system call for 512 of them in each loop), and pages that are not present belong
 * to the node of the page before; pages on a node that the topology has not are divided as elements
 * are. On a virtual topology such a region's pages are divided equally.
 * Errors also as np_region_audit_pages().
 */
NP_API NP_MUST_USE np_status np_parallel_for_region(np_executor *executor, const np_region *region,
                                                    const np_loop_options *options,
                                                    np_range_fn body, void *context);

/*
 * Makes every page of the region present, by the workers of the nodes where they go: all of a
 * node's workers at once, each for stretches of the node's part. For a region that was created
 * without prefault; pages that are there stay what they are. With the local policy each node's
 * workers get as much of the region as NP_SCHEDULE_STATIC gives them of a range, in the same order.
 * The part of a node without workers (memory only) is done by the nearest one's.
 *
 * Returns when all is done; from a task of the executor it takes part. Where the kernel cannot
 * populate, pages are touched, unless the region asked for NP_PREFAULT_POPULATE. No call may change
 * the region meanwhile, and if pages have to be touched nobody may write to it. Errors:
 * NP_ERR_INVALID_ARGUMENT; NP_ERR_NO_MEMORY: not every page could be had; NP_ERR_NOT_SUPPORTED,
 * NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM: the kernel would not; and as np_parallel_for().
 */
NP_API NP_MUST_USE np_status np_region_prefault(np_executor *executor, const np_region *region);

NP_END_DECLS

/*
 * Writing a body without the inner loop, in C:
 *
 *     NP_INDEX_BODY(scale, struct vector, v, i)
 *     {
 *         v->data[i] *= v->factor;
 *     }
 *     ... np_parallel_for(executor, 0, length, NULL, scale, &vector)
 */
#define NP_INDEX_BODY(name, type, self, index)                    \
    static inline void name##_index(type *self, size_t index);    \
    static void name(void *context, size_t begin, size_t end)     \
    {                                                             \
        for (size_t np_index = begin; np_index < end; np_index++) \
            name##_index((type *)context, np_index);              \
    }                                                             \
    static inline void name##_index(type *self, size_t index)

#ifdef __cplusplus
/* In C++ the body may be anything that can be called with begin and end; it must not throw. */
template <typename Body>
inline np_status np_parallel_for(np_executor *executor, size_t begin, size_t end,
                                 const np_loop_options *options, const Body &body)
{
    struct call {
        static void range(void *context, size_t first, size_t last) noexcept
        {
            (*static_cast<const Body *>(context))(first, last);
        }
    };
    return np_parallel_for(executor, begin, end, options, &call::range,
                           const_cast<void *>(static_cast<const void *>(&body)));
}
#endif

#endif
