/*
 * workload/triad.h - McCalpin's STREAM triad, a[i] = b[i] + s * c[i], on three arrays of doubles:
 * memory bandwidth, counted as STREAM counts it (24 bytes per element). A contender gives one
 * function that runs the whole loop with all workers, in pieces of its choice, every piece through
 * bench_triad_piece(); the same function touches the pages first, so that they lie where they are
 * used.
 */
#ifndef NP_BENCH_WORKLOAD_TRIAD_H
#define NP_BENCH_WORKLOAD_TRIAD_H

#include "run.h"

#include <sys/mman.h>

typedef struct bench_triad {
    size_t elements;
    double *a, *b, *c;
    double scale;
    int filling; /* the first touch: b and c are set, a is zero */
} bench_triad;

/* The elements [begin, end). */
static inline void bench_triad_piece(const bench_triad *triad, size_t begin, size_t end)
{
    double *__restrict a = triad->a, *__restrict b = triad->b, *__restrict c = triad->c;
    const double scale = triad->scale;
    if (triad->filling) {
        for (size_t i = begin; i < end; i++) {
            a[i] = 0.0;
            b[i] = (double)(i % 1024);
            c[i] = 2.0;
        }
        return;
    }
    for (size_t i = begin; i < end; i++)
        a[i] = b[i] + scale * c[i];
}

static inline double *bench_triad_array(void *context, size_t bytes)
{
    (void)context;
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        bench_unavailable("no memory for an array of %zu bytes", bytes);
    (void)madvise(memory, bytes, MADV_HUGEPAGE);
    return (double *)memory;
}

/* Runs `once(context, triad)`, the whole loop; arguments mib=N per array, passes=N. `memory` gives
 * each of the three arrays, zeroed; they are left to the end of the process. */
static inline void bench_triad_run_in(bench_args *args,
                                      double *(*memory)(void *context, size_t bytes),
                                      void (*once)(void *context, const bench_triad *triad),
                                      void *context)
{
    bench_triad triad;
    size_t bytes = (size_t)bench_number(args, "mib", 64) << 20;
    uint64_t passes = bench_number(args, "passes", 40), wrong = 0;
    triad.elements = bytes / sizeof(double);
    triad.a = memory(context, bytes);
    triad.b = memory(context, bytes);
    triad.c = memory(context, bytes);
    triad.filling = 1;
    triad.scale = 0.0;
    once(context, &triad);
    triad.filling = 0;
    for (unsigned i = 0; i < 2; i++)
        once(context, &triad);
    uint64_t ns = bench_now();
    for (uint64_t pass = 1; pass <= passes; pass++) {
        triad.scale = (double)pass;
        once(context, &triad);
    }
    ns = bench_now() - ns;
    for (size_t i = 0; i < triad.elements; i++)
        wrong += triad.a[i] < (double)(i % 1024) + 2.0 * (double)passes ||
                 triad.a[i] > (double)(i % 1024) + 2.0 * (double)passes;
    bench_check_equal("the number of wrong elements", wrong, 0);
    bench_report(args, 24.0 * (double)triad.elements * (double)passes / (double)ns, "GB/s", NULL);
}

/* In ordinary memory. */
static inline void bench_triad_run(bench_args *args,
                                   void (*once)(void *context, const bench_triad *triad),
                                   void *context)
{
    bench_triad_run_in(args, bench_triad_array, once, context);
}

#endif
