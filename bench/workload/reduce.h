/*
 * workload/reduce.h - the sum of an array of 64-bit numbers: a reduction as short as elements=N
 * says (1,048,576: 8 MiB, some hundred microseconds on one core). A contender gives one function
 * that returns the sum, computed with all workers in pieces of its choice, every piece through
 * bench_reduce_piece(). Reported is the time of one reduction; every sum is checked.
 */
#ifndef NP_BENCH_WORKLOAD_REDUCE_H
#define NP_BENCH_WORKLOAD_REDUCE_H

#include "run.h"

#include <stdlib.h>

typedef struct bench_reduce {
    size_t elements;
    uint64_t *numbers;
} bench_reduce;

/* The sum of the elements [begin, end). */
static inline uint64_t bench_reduce_piece(const bench_reduce *reduce, size_t begin, size_t end)
{
    const uint64_t *numbers = reduce->numbers;
    uint64_t sum = 0;
    for (size_t i = begin; i < end; i++)
        sum += numbers[i];
    return sum;
}

static inline uint64_t *bench_reduce_memory(void *context, size_t elements)
{
    (void)context;
    uint64_t *memory = (uint64_t *)malloc(elements * sizeof(uint64_t));
    if (memory == NULL)
        bench_unavailable("no memory for %zu numbers", elements);
    return memory;
}

/* `once(context, reduce)`: one reduction; arguments elements=N, passes=N. */
static inline void bench_reduce_run_in(bench_args *args,
                                       uint64_t *(*memory)(void *context, size_t elements),
                                       uint64_t (*once)(void *context, const bench_reduce *reduce),
                                       void *context)
{
    bench_reduce reduce;
    uint64_t passes = bench_number(args, "passes", 2000), wrong = 0, expected = 0;
    reduce.elements = (size_t)bench_number(args, "elements", 1048576);
    reduce.numbers = memory(context, reduce.elements);
    for (size_t i = 0; i < reduce.elements; i++)
        expected += reduce.numbers[i] = i * UINT64_C(0x9e3779b97f4a7c15);
    for (uint64_t pass = 0; pass < passes / 10 + 2; pass++)
        wrong += once(context, &reduce) != expected;
    uint64_t ns = bench_now();
    for (uint64_t pass = 0; pass < passes; pass++)
        wrong += once(context, &reduce) != expected;
    ns = bench_now() - ns;
    bench_check_equal("the number of wrong sums", wrong, 0);
    bench_report(args, (double)ns / 1000.0 / (double)passes, "us", NULL);
}

static inline void bench_reduce_run(bench_args *args,
                                    uint64_t (*once)(void *context, const bench_reduce *reduce),
                                    void *context)
{
    bench_reduce_run_in(args, bench_reduce_memory, once, context);
}

#endif
