/*
 * parallel/loop_memory.h - what a worker remembers from one loop to the next: the cost of an index,
 * and whether its loops follow each other closely.
 *
 * Whether a loop is worth sharing can only be known from having run a part of it; by then a tiny
 * one is over and a coarse one (four indices of 100 ms) has lost its best moment. Loops are run
 * again and again, so each worker remembers a few bodies, told apart by function and magnitude of
 * the range. And a loop too short to wake somebody for is worth it as one of a series: who was
 * woken for this one is still looking when the next begins. Only hints: a wrong one costs a
 * needless or a late share. The owner's alone.
 *
 * An entry is 32 bits of key and the cost as the bits of a float. Half way between the bits of two
 * floats lies about their geometric mean: one run that was interrupted for a thousand times its
 * length changes the memory by a factor of 30, and five ordinary ones forget it.
 */
#ifndef NPI_PARALLEL_LOOP_MEMORY_H
#define NPI_PARALLEL_LOOP_MEMORY_H

#include <string.h>

#include <numaperf/parallel.h>

#include "parallel/loop.h"

static inline uint64_t npi_loop_key(const npi_loop *loop, size_t count)
{
    uint64_t magnitude = (uint64_t)(63 - __builtin_clzll((unsigned long long)count | 1));
    return ((uint64_t)(loop->name + loop->by_stretch) ^ magnitude << 58) *
           UINT64_C(0x9e3779b97f4a7c15);
}

static inline uint64_t *npi_loop_entry(npi_loop_memory *memory, uint64_t key)
{
    return &memory->costs[key >> 32 & (NPI_LOOP_COSTS - 1)];
}

/* Ticks per index; 0: not known. */
static inline float npi_loop_recall(npi_loop_memory *memory, uint64_t key)
{
    uint64_t entry = *npi_loop_entry(memory, key);
    uint32_t bits = (uint32_t)entry;
    float cost;
    if (entry >> 32 != key >> 32)
        return 0;
    memcpy(&cost, &bits, sizeof cost);
    return cost;
}

/* `known`: what npi_loop_recall said. `cost` is positive. */
static inline void npi_loop_remember(npi_loop_memory *memory, uint64_t key, float known, float cost)
{
    uint32_t old, bits;
    memcpy(&bits, &cost, sizeof bits);
    memcpy(&old, &known, sizeof old);
    if (old != 0)
        bits = old / 2 + bits / 2; /* both positive floats: they are ordered like their bits */
    *npi_loop_entry(memory, key) = (key & ~(uint64_t)UINT32_MAX) | bits;
}

/* Does a loop that begins now belong to the series? */
static inline bool npi_loop_follows(const npi_loop_memory *memory, uint64_t now, uint64_t gap_most)
{
    return now - memory->ended <= gap_most;
}

static inline void npi_loop_first(npi_loop_memory *memory)
{
    memory->series = 0;
    memory->helped = false;
}

/* A worker that was through with its half waited so long for the other one (0: not at all). Slowly,
 * both ways: most of the difference between two workers is chance. */
static inline void npi_loop_waited(npi_loop_memory *memory, uint64_t ticks, uint64_t most)
{
    uint64_t late = memory->late;
    late = ticks == 0 ? late - late / 8 : late + ticks / 8;
    memory->late = (uint32_t)(late < most ? late : most);
}

/* The loop that began at `begun` has ended. */
static inline void npi_loop_ended(npi_loop_memory *memory, uint64_t begun, uint64_t now,
                                  bool helped)
{
    memory->series += now - begun;
    memory->ended = now;
    memory->helped = helped;
}

#endif
