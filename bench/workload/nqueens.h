/*
 * workload/nqueens.h - all ways to place n queens on a board of n rows: a task of every placement
 * that attacks none above it, no cut-off.
 *
 * A board is one 64-bit word, so that passing it costs nobody anything: bits 0-3 hold the number of
 * rows filled, bits 4+4i to 7+4i the column of row i, bits 60-63 n. A placement is checked against
 * every row above, as in the version of the Cilk examples.
 */
#ifndef NP_BENCH_WORKLOAD_NQUEENS_H
#define NP_BENCH_WORKLOAD_NQUEENS_H

#include "run.h"

#define NQUEENS_MAX 14u

static inline uint64_t nqueens_empty(unsigned n)
{
    return (uint64_t)n << 60;
}

static inline unsigned nqueens_size(uint64_t board)
{
    return (unsigned)(board >> 60);
}

static inline int nqueens_is_full(uint64_t board)
{
    return (board & 15) == board >> 60;
}

/* Whether a queen in `column` of the next row attacks none of those above. */
static inline int nqueens_may_place(uint64_t board, unsigned column)
{
    int rows = (int)(board & 15);
    for (int row = 0; row < rows; row++) {
        int other = (int)(board >> (4 + 4 * row) & 15);
        int apart = other - (int)column, above = rows - row;
        if (apart == 0 || apart == above || apart == -above)
            return 0;
    }
    return 1;
}

static inline uint64_t nqueens_place(uint64_t board, unsigned column)
{
    return (board | (uint64_t)column << (4 + 4 * (board & 15))) + 1;
}

/* The argument n=N (default 12). */
static inline unsigned nqueens_choose(bench_args *args)
{
    uint64_t n = bench_number(args, "n", 12);
    if (n < 1 || n > NQUEENS_MAX)
        bench_usage("n=1 to n=%u is expected", NQUEENS_MAX);
    return (unsigned)n;
}

static inline void nqueens_report(bench_args *args, unsigned n, uint64_t solutions, uint64_t ns)
{
    static const uint64_t known[NQUEENS_MAX + 1] = {1,  1,   0,   0,    2,     10,    4,     40,
                                                    92, 352, 724, 2680, 14200, 73712, 365596};
    bench_check_equal("the number of solutions", solutions, known[n]);
    bench_report(args, (double)ns / 1e6, "ms", NULL);
}

#endif
