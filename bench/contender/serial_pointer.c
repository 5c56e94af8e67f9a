/*
 * The workloads in the shape that a task has, without a scheduler: every child that a contender
 * would fork is a function `void fn(void *)` called through a pointer the compiler cannot see
 * through, with argument and result in a frame of the parent. What is left to fork and join beside
 * this is what the scheduler costs; the baseline of the fork/join workloads.
 */
#include "fib.h"
#include "nqueens.h"
#include "uts.h"

typedef void (*task_fn)(void *argument);

static inline void call(task_fn fn, void *argument)
{
    __asm__ volatile("" : "+r"(fn));
    fn(argument);
}

typedef struct fib_frame {
    unsigned n;
    uint64_t result;
} fib_frame;

static void fib(void *argument)
{
    fib_frame *f = argument;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    fib_frame left = {f->n - 1, 0}, right = {f->n - 2, 0};
    call(fib, &left);
    fib(&right);
    f->result = left.result + right.result;
}

static void run_fib(bench_args *args)
{
    fib_frame f = {fib_choose(args, 36), 0};
    uint64_t begin = bench_now();
    call(fib, &f);
    fib_report(args, f.n, f.result, bench_now() - begin);
}

typedef struct node_frame {
    uint64_t node;
    uint64_t result;
} node_frame;

static void t1(void *argument)
{
    node_frame *f = argument, children[UTS_T1_CHILDREN_MAX];
    uint64_t nodes = 1;
    unsigned count = uts_t1_children(f->node);
    for (unsigned i = 0; i < count; i++) {
        children[i].node = uts_t1_child(f->node, i);
        call(t1, &children[i]);
    }
    for (unsigned i = 0; i < count; i++)
        nodes += children[i].result;
    f->result = nodes;
}

static void t3(void *argument)
{
    node_frame *f = argument, children[UTS_T3_CHILDREN];
    uint64_t nodes = 1;
    unsigned count = uts_t3_children(f->node);
    for (unsigned i = 0; i < count; i++) {
        children[i].node = uts_t3_child(f->node, i);
        call(t3, &children[i]);
    }
    for (unsigned i = 0; i < count; i++)
        nodes += children[i].result;
    f->result = nodes;
}

/* The root of T3 has many more children than any other node. */
static void t3_root(void *argument)
{
    node_frame *f = argument;
    static node_frame children[UTS_T3_ROOT_CHILDREN];
    f->result = 1;
    for (unsigned i = 0; i < UTS_T3_ROOT_CHILDREN; i++) {
        children[i].node = uts_t3_child(f->node, i);
        call(t3, &children[i]);
    }
    for (unsigned i = 0; i < UTS_T3_ROOT_CHILDREN; i++)
        f->result += children[i].result;
}

static void run_uts(bench_args *args)
{
    int is_t3 = strcmp(args->workload, "uts-t3") == 0;
    uts_tree tree = uts_choose(args, is_t3);
    node_frame f = {tree.root, 0};
    uint64_t begin = bench_now();
    call(is_t3 ? t3_root : t1, &f);
    uts_report(args, &tree, f.result, bench_now() - begin);
}

static void nqueens(void *argument)
{
    node_frame *f = argument, children[NQUEENS_MAX];
    unsigned count = 0;
    uint64_t solutions = 0;
    if (nqueens_is_full(f->node)) {
        f->result = 1;
        return;
    }
    for (unsigned column = 0; column < nqueens_size(f->node); column++) {
        if (nqueens_may_place(f->node, column)) {
            children[count].node = nqueens_place(f->node, column);
            call(nqueens, &children[count++]);
        }
    }
    for (unsigned i = 0; i < count; i++)
        solutions += children[i].result;
    f->result = solutions;
}

static void run_nqueens(bench_args *args)
{
    unsigned n = nqueens_choose(args);
    node_frame f = {nqueens_empty(n), 0};
    uint64_t begin = bench_now();
    call(nqueens, &f);
    nqueens_report(args, n, f.result, bench_now() - begin);
}

int main(int argc, char **argv)
{
    static const bench_workload list[] = {
        {"fib", run_fib}, {"uts-t1", run_uts}, {"uts-t3", run_uts}, {"nqueens", run_nqueens}};
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
