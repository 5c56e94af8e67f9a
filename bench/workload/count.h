/*
 * workload/count.h - the empty task of the submit workloads: it counts itself, so that a lost or
 * doubled task shows, on a line of its thread, so that counting costs one addition.
 *
 * Written by the thread that owns the slot, summed by whoever has waited for the tasks' end (or
 * polls, where a contender has nothing to wait with).
 */
#ifndef NP_BENCH_WORKLOAD_COUNT_H
#define NP_BENCH_WORKLOAD_COUNT_H

#include "run.h"

#define BENCH_COUNT_SLOTS 1024u

typedef struct bench_slot {
    uint64_t count;
    uint64_t padding[15];
} bench_slot;

/* Each contender is one translation unit for this header, so static data is the program's. */
static bench_slot bench_slots[BENCH_COUNT_SLOTS];
static unsigned bench_slots_used;
static __thread bench_slot *bench_slot_own;

static inline void bench_count_one(void)
{
    bench_slot *slot = bench_slot_own;
    if (__builtin_expect(slot == NULL, 0)) {
        unsigned index = __atomic_fetch_add(&bench_slots_used, 1, __ATOMIC_RELAXED);
        if (index >= BENCH_COUNT_SLOTS)
            bench_fail("more than %u threads ran tasks", BENCH_COUNT_SLOTS);
        bench_slot_own = slot = &bench_slots[index];
    }
    __atomic_store_n(&slot->count, slot->count + 1, __ATOMIC_RELAXED);
}

/* Tasks counted so far; exact after their end has been waited for. */
static inline uint64_t bench_count_total(void)
{
    uint64_t total = 0;
    for (unsigned i = 0; i < BENCH_COUNT_SLOTS; i++)
        total += __atomic_load_n(&bench_slots[i].count, __ATOMIC_RELAXED);
    return total;
}

#endif
