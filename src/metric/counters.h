/*
 * metric/counters.h - the counters of one worker. Written by the thread that runs the worker and by
 * nobody else (no read-modify-write), read by anybody (relaxed: a counter publishes nothing).
 *
 * The list is NP_COUNTER_MAP in <numaperf/stats.h>. Which node's tasks a worker ran is counted in a
 * row of its own, one entry per node index of the topology; NP_COUNTER_EXECUTED_HOME and _AWAY
 * follow from it and are not counted here.
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

/* Tasks run, wherever their home. */
static inline uint64_t npi_counters_ran(const npi_counters *counters, uint32_t nodes)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < nodes; i++)
        sum += npi_load_relaxed(&counters->ran_from[i]);
    return sum;
}

static inline uint64_t npi_counter_read(const npi_counters *counters, np_counter which)
{
    return npi_load_relaxed(&counters->value[which]);
}

#endif
