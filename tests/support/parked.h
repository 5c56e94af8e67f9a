/*
 * Waiting until workers are really asleep. Being in the set of sleepers is not enough: a worker
 * that has entered it looks once more at every source before it sleeps, and may still find by
 * itself what a test wants somebody to be woken for. Asleep is who is in the set and has said so in
 * its token.
 */
#ifndef NP_TESTS_PARKED_H
#define NP_TESTS_PARKED_H

#include <sched.h>

#include "executor/executor.h"

static inline uint32_t parked_count(np_executor *executor)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++) {
        npi_worker *worker = executor->seats[i];
        uint64_t word = npi_load_relaxed(&worker->node->sleepers.asleep[worker->seat / 64]);
        if ((word >> worker->seat % 64 & 1) != 0 &&
            npi_load_acquire(&worker->token.state) == NPI_TOKEN_ASLEEP)
            count++;
    }
    return count;
}

/* Until exactly so many workers are asleep, none is on its way, and no watcher of the gate will
 * wake by itself. */
static inline void parked_await(np_executor *executor, uint32_t count)
{
    while (npi_load_acquire(&executor->sleeping) != count || parked_count(executor) != count ||
           npi_load_acquire(&executor->armed) != 0)
        sched_yield();
}

#endif
