/*
 * parallel/loop.h - a loop from inside. loop.c is the public call: it checks, finds out where the
 * loop runs, and divides a static one; loop_guided.c does a guided one; loop_reduce.c is the same
 * for reductions; loop_placed.c runs loops over placed data, which loop_pieces.c divides;
 * loop_run.c runs a stretch on the calling worker and shares what others want; loop_memory.h
 * remembers between loops what an index costs.
 *
 * Units: costs are in ticks (os/ticks.h) per index.
 */
#ifndef NPI_PARALLEL_LOOP_H
#define NPI_PARALLEL_LOOP_H

#include <numaperf/parallel.h>

#include "executor/group_internal.h"

/* Where the data of a loop lies, by node index. */
typedef struct npi_loop_place {
    np_node_index data;       /* NP_NODE_INDEX_NONE: on a node that the executor does not know */
    np_node_index home;       /* whose workers are to run it: data's, or the nearest with workers */
    size_t index_bytes;       /* of data that an index stands for, but for the last one of all, */
    size_t end;               /* ... before which the range ends, */
    size_t missing;           /* ... and which has so many bytes less */
    const npi_worker *runner; /* who took the slice; all others help */
    np_counter left_because;  /* ... and why it had left its home, if the runner is elsewhere */
} npi_loop_place;

/* Of the data of `count` indices from `begin` on. */
static inline uint64_t npi_loop_bytes(const npi_loop_place *place, size_t begin, size_t count)
{
    uint64_t bytes = (uint64_t)count * place->index_bytes;
    return count != 0 && begin + count == place->end ? bytes - place->missing : bytes;
}

/* One call of np_parallel_for; on the stack of whoever runs it, read by all who take part, and so
 * on lines of its own. */
typedef struct npi_loop {
    NPI_ALIGNED(NPI_FALSE_SHARING) np_range_fn body; /* not of a reduction */
    void *context;
    size_t grain;                  /* 0: chosen as it runs */
    np_group *group;               /* NULL: cannot be cancelled */
    uint64_t ticks_us;             /* npi_os_ticks_per_us() */
    const np_reduction *reduction; /* NULL: a loop */
    const npi_loop_place *place;   /* NULL: its data is not known */
    uintptr_t
        name; /* the caller's body: by it the memory of costs and the watchdog know the loop */
    bool by_stretch; /* its indices are stretches of the caller's, so a cost is another one */
} npi_loop;

static inline bool npi_loop_stopped(const npi_loop *loop)
{
    return loop->group != NULL && npi_group_cancelled(loop->group);
}

/* `value`: a reduction's. */
static inline void npi_loop_body(const npi_loop *loop, size_t begin, size_t end, void *value)
{
    if (__builtin_expect(loop->reduction != NULL, 0))
        loop->reduction->body(loop->context, begin, end, value);
    else
        loop->body(loop->context, begin, end);
}

/* On a worker, inside a task: all of begin .. end - 1, here and wherever a part of it is taken. A
 * reduction's is added to `value`. False: the body has forked, this is the child, and what others
 * had taken was not run in it. */
bool npi_loop_run(npi_worker *worker, const npi_loop *loop, size_t begin, size_t end, void *value);

/* --- a call, checked ------------------------------------------------------------------------ */

typedef struct npi_loop_call {
    npi_loop loop;
    size_t begin, end;
    np_executor *executor;
    npi_node *node; /* NULL: all */
    np_schedule schedule;
    void *value; /* a reduction's; with the adaptive schedule only */
    bool lost;   /* npi_loop_run said so */
} npi_loop_call;

/* `name`: of the public function. */
np_status npi_loop_check(npi_loop_call *call, np_executor *executor, const char *name,
                         const np_loop_options *options, np_range_fn body, void *context);
/* begin .. end - 1, which is not empty. */
np_status npi_loop_perform(npi_loop_call *call);
/* The rest of a public call: nothing to do, cancelled already, and the group's outcome. */
np_status npi_loop_finish(npi_loop_call *call, np_status (*run)(npi_loop_call *call));

/* Regular workers that it may run on. */
size_t npi_loop_workers(const npi_loop_call *call);
/* Around the submits of a loop's tasks: a group of their own, for the caller's may hold others, for
 * which nobody waits here. `submitted`: how far that came; what was accepted is waited for. */
void npi_loop_tasks_begin(np_group *group);
np_status npi_loop_tasks_end(np_group *group, np_status submitted);
/* `fn` as a part of the running task, in the group of the call. */
void npi_loop_framed(npi_worker *worker, const npi_loop_call *call, np_task_fn fn, void *argument);

/* --- reductions: loop_reduce.c --------------------------------------------------------------- */

/* NP_ERR_INVALID_ARGUMENT, with the detail, for what no reduction may be. */
np_status npi_reduction_check(np_reduction *known, const np_reduction *given, const void *result,
                              const char *name);
void npi_reduction_begin(const np_reduction *reduction, void *value);
/* Makes `call` the loop of this reduction. */
void npi_reduction_loop(npi_loop_call *call, const np_reduction *reduction);

#endif
