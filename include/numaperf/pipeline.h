/*
 * numaperf/pipeline.h - pipelines: items go through stages, each stage at the node it belongs to.
 *
 * A pipeline has a source and one or more stages. An item is a value of one fixed size; it lies in
 * memory of the pipeline, does not move, and goes from stage to stage as a pointer. A stage works
 * on one item at a time (serial), on one at a time in the order of the source (ordered), or on any
 * number at once (parallel), on the nodes that it names. So many items are inside at most
 * (in_flight): when all places are taken the source is not asked for another one.
 *
 * No stage ever holds a worker while it waits for another: items wait, not workers. A pipeline of
 * any length works on an executor with one worker.
 *
 * Ordering: what a stage did with an item is visible to the next stage that gets it; what a serial
 * or ordered stage did for one item is visible to it at the next; what was done before an item was
 * pushed is visible to the first stage; what all stages did is visible after np_pipeline_wait().
 *
 * Thread safety: every function may be called from any thread, also from a stage, at the same time
 * as any other on the same pipeline, but np_pipeline_destroy(), which comes last. None blocks but
 * np_pipeline_wait(), np_pipeline_wait_for() and np_pipeline_run(). Destroy a pipeline before its
 * executor.
 *
 * Errors every call shares: NP_ERR_INVALID_ARGUMENT (the pipeline, or what must be there, is NULL),
 * NP_ERR_FORKED (created before fork, and this is the child).
 */
#ifndef NUMAPERF_PIPELINE_H
#define NUMAPERF_PIPELINE_H

#include <numaperf/executor.h>

NP_BEGIN_DECLS

typedef struct np_pipeline np_pipeline;

/* What a stage returns for an item that is to go no further: a filter. Whatever the item holds is
 * the stage's to give back. It is no error, and ordered stages do not wait for the item. */
#define NP_PIPELINE_DROP ((np_status)1)

typedef enum np_stage_kind {
    NP_STAGE_PARALLEL = 0, /* any number of items at once, in any order */
    NP_STAGE_SERIAL,       /* one at a time, in the order in which they arrive */
    NP_STAGE_ORDERED       /* one at a time, in the order of the source */
} np_stage_kind;
/* "parallel", "serial", "ordered"; never NULL. */
NP_API const char *np_stage_kind_name(np_stage_kind kind);

/* Works on the item. NP_OK: it goes on; NP_PIPELINE_DROP; anything else ends the pipeline. */
typedef np_status (*np_stage_fn)(void *context, void *item);
/* Fills the next item (zeroed, or as the last one in its place left it). NP_OK: it goes in;
 * NP_ERR_CLOSED: there is none, the stream ends; NP_PIPELINE_DROP: not this one, ask again;
 * anything else ends the pipeline. One call at a time. */
typedef np_status (*np_source_fn)(void *context, void *item);
/* The node that an item's data lies on; NP_NODE_ID_NONE: where the item is. For data whose place is
 * not known to the program: np_address_node() asks the kernel, a system call. */
typedef np_node_id (*np_stage_where_fn)(void *context, const void *item);
/* How many bytes the item stands for, for the statistics. */
typedef size_t (*np_stage_bytes_fn)(void *context, const void *item);
/* Gives back what an item holds that will not reach the end: the pipeline ended by an error or a
 * cancellation. Once for each such item, the one whose stage failed included, on any thread. */
typedef void (*np_item_destroy_fn)(void *context, void *item);

/*
 * A stage. Zero, for each field but fn, is the documented default. The place: `where` if it is not
 * NULL; else one of `nodes` (a parallel stage: where the fewest items wait; else the node where the
 * item is, if it is among them, or each in turn); else near where the item is. Only workers of this
 * node run it as far as `affinity` says so: it means for the stage what it means for a task.
 */
typedef struct np_stage {
    const char *name; /* copied; NULL: "stage 1", "stage 2", ... */
    np_stage_kind kind;
    np_task_affinity affinity;
    np_stage_fn fn;
    void *context;           /* for fn, where and bytes */
    const np_node_id *nodes; /* copied; each with workers */
    size_t node_count;
    np_stage_where_fn where;
    np_stage_bytes_fn bytes; /* NULL: item_bytes */
    uint32_t batch;          /* items that a worker takes, and hands over, at once; 0: 16. Fewer if
                                others could work on them, or if they take longer than 5 us */
} np_stage;

typedef struct np_pipeline_options {
    size_t size;       /* sizeof(np_pipeline_options); NP_PIPELINE_OPTIONS fills it in */
    size_t item_bytes; /* 1 .. 65,536; has no default. Items are aligned to 64 bytes */
    uint32_t
        in_flight; /* items inside at most; 0: four for each worker, at least 8. Up to 65,536 */
    const np_stage *stages; /* copied */
    size_t stage_count;     /* 1 .. 64 */

    np_source_fn source; /* NULL: items are pushed */
    void *source_context;
    np_node_id source_node; /* counts only if source_at_node */
    bool source_at_node;    /* false: anywhere */
    np_task_affinity source_affinity;
    uint32_t source_batch; /* items that it is asked for before they are handed on; 0: 16. 1 for a
                              source that may wait, for what it gave before waits with it */

    np_item_destroy_fn destroy_item; /* may be NULL */
    void *destroy_context;
} np_pipeline_options;

#ifndef __cplusplus
/* NP_PIPELINE_OPTIONS(.item_bytes = sizeof(struct chunk), .stages = stages, .stage_count = 3) */
#define NP_PIPELINE_OPTIONS(...) \
    (&(np_pipeline_options){.size = sizeof(np_pipeline_options), __VA_ARGS__})
#endif

/*
 * Makes a pipeline on `executor`, with all the memory that its items will need: on the node of the
 * source or, without one, of the first stage, if that is a single one and has memory. Later only a
 * queue of the executor may still grow, and np_pipeline_when_ready() allocates. Without a source it
 * is open for pushes at once. On failure *out is NULL. Errors: NP_ERR_INVALID_ARGUMENT,
 * NP_ERR_INVALID_NODE, NP_ERR_NODE_HAS_NO_WORKER, NP_ERR_NO_MEMORY.
 */
NP_API NP_MUST_USE np_status np_pipeline_create(np_executor *executor,
                                                const np_pipeline_options *options,
                                                np_pipeline **out);

/*
 * NULL is accepted. NP_ERR_BUSY, nothing changed, while something of it may still run: it has begun
 * and not ended, or nobody has waited for its last task. Without a source: finish or cancel it
 * first. In a forked child it only frees, but from a stage of its own (NP_ERR_FROM_WORKER).
 */
NP_API np_status np_pipeline_destroy(np_pipeline *pipeline);

/*
 * Lets the source run, once in a pipeline's life. Errors: NP_ERR_INVALID_ARGUMENT (there is no
 * source), NP_ERR_BUSY (it was started before), NP_ERR_CANCELLED (it was cancelled before), and
 * those of np_submit_with(): then it is not started.
 */
NP_API NP_MUST_USE np_status np_pipeline_start(np_pipeline *pipeline);

/*
 * Returns once the pipeline has ended and nothing of it runs: the source or np_pipeline_finish()
 * ended the stream and every item is through, or it was stopped. From a worker it runs other tasks
 * meanwhile, as np_group_wait() does, and is refused where that is refused, in a stage of the same
 * pipeline for one (NP_ERR_FROM_WORKER). The outcome: NP_OK, or the first of: what a stage or the
 * source returned (the detail names stage and item), NP_ERR_CANCELLED, NP_ERR_CANCELLED or
 * NP_ERR_NODE_GONE because a timed shutdown of the executor handed its tasks back, NP_ERR_NO_MEMORY
 * because an item could not be handed to a stage that may run on its node only. Also
 * NP_ERR_INVALID_ARGUMENT: it was not started. np_pipeline_wait_for() waits for at most
 * `timeout_ns`, then NP_ERR_TIMEOUT.
 */
NP_API NP_MUST_USE np_status np_pipeline_wait(np_pipeline *pipeline);
NP_API NP_MUST_USE np_status np_pipeline_wait_for(np_pipeline *pipeline, uint64_t timeout_ns);

/* np_pipeline_start(), then np_pipeline_wait(). */
NP_API NP_MUST_USE np_status np_pipeline_run(np_pipeline *pipeline);

/* Calls fn once when the pipeline has ended, instead of a wait; as np_group_notify(). What it
 * learns with np_pipeline_outcome(); it may not destroy the pipeline, but tell somebody who does.
 * One that is destroyed without having been started never ends, and fn is not called. */
NP_API NP_MUST_USE np_status np_pipeline_notify(np_pipeline *pipeline, np_task_fn fn,
                                                void *argument);

/* The outcome so far, as np_pipeline_wait() would return it. */
NP_API np_status np_pipeline_outcome(const np_pipeline *pipeline);

/*
 * Stops it: no stage begins another item, items inside are given to destroy_item, the outcome is
 * NP_ERR_CANCELLED unless it has one already. Does not wait for stages that run. Once everything is
 * through it does nothing. Errors only those that every call shares.
 */
NP_API np_status np_pipeline_cancel(np_pipeline *pipeline);

/* True once no stage will begin another item: cancelled, or an error. For long stages to ask. */
NP_API bool np_pipeline_is_stopped(const np_pipeline *pipeline);

/* The name of the stage whose error ended the pipeline, "source" for the source, NULL if none did.
 * Lives as long as the pipeline. */
NP_API const char *np_pipeline_failed_stage(const np_pipeline *pipeline);

/* --- pushing ------------------------------------------------------------------------------ */

/*
 * Puts a copy of the item_bytes at `item` in, in a pipeline without a source. NP_OK: it is inside,
 * and will end once: through the last stage, dropped, or destroyed. Any other status: it is not.
 * NP_ERR_WOULD_BLOCK: in_flight items are inside; NP_ERR_CLOSED: after finish, cancel or an error;
 * NP_ERR_INVALID_ARGUMENT: there is a source; NP_ERR_SHUT_DOWN, NP_ERR_NO_MEMORY: as np_submit().
 * The limit is in_flight: an inbox_capacity of the executor does not bound it, or make it wait.
 */
NP_API NP_MUST_USE np_status np_pipeline_push(np_pipeline *pipeline, const void *item);

/*
 * For whoever got NP_ERR_WOULD_BLOCK: submits fn as a task to the executor, once, when a place is
 * free (now, if one is) or the pipeline takes no more. Then try again: another push may have been
 * quicker. All that wait are submitted, in the order of the calls. The tasks do not belong to the
 * pipeline: its wait does not wait for them. Where the queue cannot grow when the place becomes
 * free, fn is called there and then. Errors: also NP_ERR_NO_MEMORY, NP_ERR_SHUT_DOWN.
 */
NP_API NP_MUST_USE np_status np_pipeline_when_ready(np_pipeline *pipeline, np_task_fn fn,
                                                    void *argument);

/* The end of the stream: nothing more can be pushed, what is inside goes on. Again: nothing. */
NP_API np_status np_pipeline_finish(np_pipeline *pipeline);

/* --- statistics ---------------------------------------------------------------------------- */

/* Momentary figures. Items: entered = finished + dropped + destroyed + inside. */
typedef struct np_pipeline_counts {
    uint64_t entered;
    uint64_t finished; /* through the last stage */
    uint64_t dropped;
    uint64_t destroyed; /* by an error or a cancellation */
    uint32_t inside;
    uint32_t in_flight; /* inside at most, as created */
} np_pipeline_counts;
NP_API NP_MUST_USE np_status np_pipeline_count(const np_pipeline *pipeline,
                                               np_pipeline_counts *out);

/*
 * The edge into a stage, 0 being the first one: how items came to it and waited for it. Local: it
 * ran on the node where the item was, which is where the stage before it ran (or it was pushed), or
 * what its `where` has named; all others are remote. Times are sums.
 */
typedef struct np_edge_counts {
    const char *stage; /* its name; lives as long as the pipeline */
    uint64_t items;    /* that the stage began; local + remote */
    uint64_t local, remote;
    uint64_t bytes; /* local_bytes + remote_bytes */
    uint64_t local_bytes, remote_bytes;
    uint64_t waited_ns;    /* items between two stages */
    uint64_t busy_ns;      /* the stage at work */
    uint32_t waiting;      /* items now */
    uint32_t waiting_most; /* at any of its places, at one time */
} np_edge_counts;
NP_API size_t np_pipeline_edge_count(const np_pipeline *pipeline); /* one per stage */
NP_API NP_MUST_USE np_status np_pipeline_edge(const np_pipeline *pipeline, size_t edge,
                                              np_edge_counts *out);

NP_END_DECLS

#endif
