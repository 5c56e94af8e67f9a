/*
 * metric/counters.h - the counters of one worker. Written by the thread that runs the worker and by
 * nobody else (no read-modify-write), read by anybody (relaxed: a counter publishes nothing).
 *
 * The list is NP_COUNTER_MAP in <numaperf/stats.h>. Which node's tasks a worker ran is counted in a
 * row of its own, one entry per node index of the topology; tasks of its own node that it ran while
 * that node had no CPU in a second one, by the node it was on. NP_COUNTER_EXECUTED_HOME and _AWAY
 * follow from the two and are not counted here.
 *
 * With NPI_COUNT_NOTHING nothing is counted: a build of tests/counts, which shows by the difference
 * what counting costs.
 */
#ifndef NPI_METRIC_COUNTERS_H
#define NPI_METRIC_COUNTERS_H

#include <numaperf/stats.h>

#include "base/atomic.h"

typedef struct npi_counters {
    np_atomic(uint64_t) value[NP_COUNTER_COUNT];
    np_atomic(uint64_t) *ran_from; /* tasks run, by node index of their home */
    np_atomic(uint64_t) *exiled;   /* tasks of its own node run elsewhere, by where; may be NULL */
} npi_counters;

static inline void npi_count(npi_counters *counters, np_counter which, uint64_t amount)
{
#if defined(NPI_COUNT_NOTHING)
    (void)counters, (void)which, (void)amount;
#else
    npi_owner_add(&counters->value[which], amount);
#endif
}

/* A task of this home was run. */
static inline void npi_count_home(npi_counters *counters, uint32_t home)
{
#if defined(NPI_COUNT_NOTHING)
    (void)counters, (void)home;
#else
    npi_owner_add(&counters->ran_from[home], 1);
#endif
}

/* A task of the worker's own node was run on another one. */
static inline void npi_count_exiled(npi_counters *counters, uint32_t where)
{
#if defined(NPI_COUNT_NOTHING)
    (void)counters, (void)where;
#else
    npi_owner_add(&counters->exiled[where], 1);
    npi_owner_add(&counters->value[NP_COUNTER_DISPLACED], 1);
#endif
}

/* Tasks run, wherever their home. */
static inline uint64_t npi_counters_ran(const npi_counters *counters, uint32_t nodes)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < nodes; i++)
        sum += npi_load_relaxed(&counters->ran_from[i]);
    for (uint32_t i = 0; counters->exiled != NULL && i < nodes; i++)
        sum += npi_load_relaxed(&counters->exiled[i]);
    return sum;
}

static inline uint64_t npi_counter_read(const npi_counters *counters, np_counter which)
{
    return npi_load_relaxed(&counters->value[which]);
}

#endif
