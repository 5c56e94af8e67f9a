/*
 * numaperf/parallel.h - loops over a range of indices, and reductions, on all workers or one
 * node's.
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
    NP_SCHEDULE_STATIC
} np_schedule;
NP_API const char *np_schedule_name(np_schedule schedule);

/* Zero, for every field, is the documented default. */
typedef struct np_loop_options {
    size_t size; /* sizeof(np_loop_options); NP_LOOP_OPTIONS fills it in */
    /* Indices per call of the body; the last ones of a part may be fewer. Who gives it says that
     * this many are worth waking another worker for. 0: the library finds out what an index costs,
     * keeps a short loop to itself, and calls the body for about a microsecond, for more in
     * a long loop; with NP_SCHEDULE_STATIC once for the whole share. */
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
