/*
 * workload/loop.h - the bodies of the parallel loops: 1,024 tiny iterations (one addition each),
 * and 1,024 iterations that take about 16 us together. A contender gives one function that runs the
 * whole loop once; the loop is repeated hot, and every element is checked afterwards.
 */
#ifndef NP_BENCH_WORKLOAD_LOOP_H
#define NP_BENCH_WORKLOAD_LOOP_H

#include "run.h"

#define LOOP_ITERATIONS   1024u
#define LOOP_MEDIUM_STEPS 18u

typedef struct bench_loop {
    int medium;
    uint64_t loops; /* loops=N */
    uint32_t tiny[LOOP_ITERATIONS] __attribute__((aligned(128)));
    uint64_t values[LOOP_ITERATIONS] __attribute__((aligned(128)));
} bench_loop;

/* The iterations [begin, end) of the tiny loop. */
static inline void bench_loop_tiny(bench_loop *loop, size_t begin, size_t end)
{
    uint32_t *tiny = loop->tiny;
    for (size_t i = begin; i < end; i++)
        tiny[i]++;
}

static inline uint64_t bench_loop_step(uint64_t x)
{
    for (unsigned k = 0; k < LOOP_MEDIUM_STEPS; k++) {
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        x ^= x >> 33;
    }
    return x;
}

/* The iterations [begin, end) of the medium loop. */
static inline void bench_loop_medium(bench_loop *loop, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++) {
        uint64_t x = bench_loop_step(loop->values[i]);
        /* Keeps iterations from being computed several at a time: this is work that does not
         * vectorise. */
        __asm__ volatile("" : "+r"(x));
        loop->values[i] = x;
    }
}

/* Runs `once(context, loop)`, one whole loop with all of the workers, often; reports us per loop.
 */
static inline void bench_loop_run(bench_args *args, void (*once)(void *context, bench_loop *loop),
                                  void *context)
{
    static bench_loop loop;
    loop.medium = strcmp(args->workload, "for-medium") == 0;
    loop.loops = bench_number(args, "loops", loop.medium ? 20000 : 100000);
    uint64_t warm = loop.loops / 10 + 1;
    for (size_t i = 0; i < LOOP_ITERATIONS; i++) {
        loop.tiny[i] = 0;
        loop.values[i] = i;
    }
    for (uint64_t i = 0; i < warm; i++)
        once(context, &loop);
    uint64_t ns = bench_now();
    for (uint64_t i = 0; i < loop.loops; i++)
        once(context, &loop);
    ns = bench_now() - ns;
    uint64_t wrong = 0;
    for (size_t i = 0; i < LOOP_ITERATIONS && !loop.medium; i++)
        wrong += loop.tiny[i] != (uint32_t)(loop.loops + warm);
    /* Every 33rd element of the medium loop tells whether all pieces ran as often as they should.
     */
    for (size_t i = 0; i < LOOP_ITERATIONS && loop.medium; i += 33) {
        uint64_t x = i;
        for (uint64_t k = 0; k < loop.loops + warm; k++)
            x = bench_loop_step(x);
        wrong += loop.values[i] != x;
    }
    bench_check_equal("the number of wrong elements", wrong, 0);
    bench_report(args, (double)ns / 1000.0 / (double)loop.loops, "us", NULL);
}

#endif
