/*
 * workload/fib.h - Fibonacci numbers by naive recursion: the cost of fork and join and nothing
 * else. fib(n) is n for n < 2, else fib(n - 1) and fib(n - 2) are computed, one of them as a forked
 * child, without a cut-off. There are fib(n + 1) - 1 calls with n >= 2, and so many forks.
 */
#ifndef NP_BENCH_WORKLOAD_FIB_H
#define NP_BENCH_WORKLOAD_FIB_H

#include "run.h"

#define FIB_MAX 60u

static inline uint64_t fib_number(unsigned n)
{
    uint64_t before = 0, value = 1;
    for (unsigned i = 0; i < n; i++) {
        uint64_t next = before + value;
        before = value;
        value = next;
    }
    return before;
}

/* The argument n=N. */
static inline unsigned fib_choose(bench_args *args, unsigned otherwise)
{
    uint64_t n = bench_number(args, "n", otherwise);
    if (n < 2 || n > FIB_MAX)
        bench_usage("n=2 to n=%u is expected", FIB_MAX);
    return (unsigned)n;
}

static inline void fib_report(bench_args *args, unsigned n, uint64_t result, uint64_t ns)
{
    bench_check_equal("the Fibonacci number", result, fib_number(n));
    bench_report(args, (double)ns / (double)(fib_number(n + 1) - 1), "ns", NULL);
}

#endif
