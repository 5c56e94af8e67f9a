/*
 * parallel/loop.h - a loop from inside. loop.c is the public call: it checks, finds out where the
 * loop runs, and divides a static one; loop_run.c runs a stretch on the calling worker and shares
 * what others want; loop_cost.h remembers between loops what an index costs.
 *
 * Units: costs are in ticks (os/ticks.h) per index.
 */
#ifndef NPI_PARALLEL_LOOP_H
#define NPI_PARALLEL_LOOP_H

#include <numaperf/parallel.h>

#include "executor/group_internal.h"

/* One call of np_parallel_for; on the stack of whoever runs it, read by all who take part, and so
 * on lines of its own. */
typedef struct npi_loop {
    NPI_ALIGNED(NPI_FALSE_SHARING) np_range_fn body;
    void *context;
    size_t grain;      /* 0: chosen as it runs */
    np_group *group;   /* NULL: cannot be cancelled */
    uint64_t ticks_us; /* npi_os_ticks_per_us() */
} npi_loop;

static inline bool npi_loop_stopped(const npi_loop *loop)
{
    return loop->group != NULL && npi_group_cancelled(loop->group);
}

/* On a worker, inside a task: all of begin .. end - 1, here and wherever a part of it is taken. */
void npi_loop_run(npi_worker *worker, const npi_loop *loop, size_t begin, size_t end);

#endif
