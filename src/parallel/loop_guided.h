/* parallel/loop_guided.h - between loop.c and loop_guided.c. */
#ifndef NPI_PARALLEL_LOOP_GUIDED_H
#define NPI_PARALLEL_LOOP_GUIDED_H

#include "parallel/loop.h"

/* On the stack of the caller, until the group's tasks have ended. */
typedef struct npi_guided {
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(size_t) next; /* by all who take part */
    NPI_ALIGNED(NPI_FALSE_SHARING) const npi_loop_call *call;
    size_t workers;
    size_t least; /* indices of a stretch */
} npi_guided;

/* Sends the tasks, into `group`. Errors: as np_submit_with(); some may be accepted all the same. */
np_status npi_guided_submit(npi_guided *guided, const npi_loop_call *call, np_group *group);

#endif
