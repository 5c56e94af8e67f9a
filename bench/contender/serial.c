/*
 * The workloads as a plain program computes them: one thread, direct calls that the compiler sees
 * through. What parallelism has to beat, and the check of the others' results.
 */
#include "fib.h"
#include "loop.h"
#include "nqueens.h"
#include "reduce.h"
#include "triad.h"
#include "uts.h"

static uint64_t fib(unsigned n)
{
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}

static void run_fib(bench_args *args)
{
    unsigned n = fib_choose(args, 36);
    /* The compiler must not compute it before the clock starts. */
    __asm__ volatile("" : "+r"(n));
    uint64_t begin = bench_now();
    uint64_t result = fib(n);
    fib_report(args, n, result, bench_now() - begin);
}

static uint64_t t1(uint64_t node)
{
    uint64_t nodes = 1;
    unsigned children = uts_t1_children(node);
    for (unsigned i = 0; i < children; i++)
        nodes += t1(uts_t1_child(node, i));
    return nodes;
}

static uint64_t t3(uint64_t node)
{
    uint64_t nodes = 1;
    unsigned children = uts_t3_children(node);
    for (unsigned i = 0; i < children; i++)
        nodes += t3(uts_t3_child(node, i));
    return nodes;
}

static void run_uts(bench_args *args)
{
    int is_t3 = strcmp(args->workload, "uts-t3") == 0;
    uts_tree tree = uts_choose(args, is_t3);
    uint64_t begin = bench_now();
    uint64_t nodes = is_t3 ? t3(tree.root) : t1(tree.root);
    uts_report(args, &tree, nodes, bench_now() - begin);
}

static uint64_t nqueens(uint64_t board)
{
    uint64_t solutions = 0;
    if (nqueens_is_full(board))
        return 1;
    for (unsigned column = 0; column < nqueens_size(board); column++) {
        if (nqueens_may_place(board, column))
            solutions += nqueens(nqueens_place(board, column));
    }
    return solutions;
}

static void run_nqueens(bench_args *args)
{
    unsigned n = nqueens_choose(args);
    uint64_t begin = bench_now();
    uint64_t solutions = nqueens(nqueens_empty(n));
    nqueens_report(args, n, solutions, bench_now() - begin);
}

static void loop_once(void *context, bench_loop *loop)
{
    (void)context;
    if (loop->medium)
        bench_loop_medium(loop, 0, LOOP_ITERATIONS);
    else
        bench_loop_tiny(loop, 0, LOOP_ITERATIONS);
    /* Each loop happens for itself, as behind a call that the compiler cannot see through. */
    __asm__ volatile("" : : "r"(loop) : "memory");
}

static void run_loop(bench_args *args)
{
    bench_loop_run(args, loop_once, NULL);
}

static void triad_once(void *context, const bench_triad *triad)
{
    (void)context;
    bench_triad_piece(triad, 0, triad->elements);
}

static void run_triad(bench_args *args)
{
    bench_triad_run(args, triad_once, NULL);
}

static uint64_t reduce_once(void *context, const bench_reduce *reduce)
{
    (void)context;
    uint64_t sum = bench_reduce_piece(reduce, 0, reduce->elements);
    __asm__ volatile("" : : "r"(reduce) : "memory"); /* as in loop_once */
    return sum;
}

static void run_reduce(bench_args *args)
{
    bench_reduce_run(args, reduce_once, NULL);
}

int main(int argc, char **argv)
{
    static const bench_workload list[] = {
        {"fib", run_fib},         {"uts-t1", run_uts},    {"uts-t3", run_uts},
        {"nqueens", run_nqueens}, {"for-tiny", run_loop}, {"for-medium", run_loop},
        {"triad", run_triad},     {"reduce", run_reduce},
    };
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
