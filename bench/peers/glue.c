/*
 * peers/glue.c - the shared workloads as plain functions with external names, for contenders that
 * are not written in C. The structs that cross the border are peer_pool, bench_workload (a name and
 * a function) and opaque pointers; rust/glue.rs declares the same.
 */
#include "fib.h"
#include "loop.h"
#include "nqueens.h"
#include "pool.h"
#include "triad.h"
#include "uts.h"

/* The parts of a bench_loop and a bench_triad that a contender needs. */
typedef struct glue_loop {
    int medium;
    uint32_t *tiny;
    uint64_t *values;
} glue_loop;

int glue_main(int argc, char **argv, const bench_workload *list, size_t count,
              const peer_pool *pool);
void glue_run_submit(bench_args *args);
void glue_run_growth(bench_args *args);
void glue_run_wake(bench_args *args);
void glue_run_idle(bench_args *args);
void glue_run_memory(bench_args *args);
void glue_run_create(bench_args *args);
void glue_count_one(void);
void glue_meet_all(void (*submit_one)(void (*function)(void *), void *argument), unsigned workers,
                   int binding);
void glue_bind(int binding, unsigned worker);
unsigned glue_workers(const bench_args *args);
unsigned glue_cpus(void);
uint64_t glue_now(void);
uint64_t glue_number(bench_args *args, const char *key, uint64_t otherwise);
unsigned glue_fib_n(bench_args *args);
void glue_fib_report(bench_args *args, unsigned n, uint64_t result, uint64_t ns);
uint64_t glue_uts_root(bench_args *args, int t3);
void glue_uts_report(bench_args *args, int t3, uint64_t nodes, uint64_t ns);
unsigned glue_nqueens_n(bench_args *args);
void glue_nqueens_report(bench_args *args, unsigned n, uint64_t solutions, uint64_t ns);
void glue_run_loop(bench_args *args, void (*once)(void *context, bench_loop *loop), void *context);
glue_loop glue_loop_parts(bench_loop *loop);
void glue_run_triad(bench_args *args, void (*once)(void *context, const bench_triad *triad),
                    void *context);

int glue_main(int argc, char **argv, const bench_workload *list, size_t count,
              const peer_pool *pool)
{
    peer_chosen = pool;
    return bench_main(argc, argv, list, count);
}

void glue_run_submit(bench_args *args)
{
    peer_run_submit(args);
}

void glue_run_growth(bench_args *args)
{
    peer_run_growth(args);
}

void glue_run_wake(bench_args *args)
{
    peer_run_wake(args);
}

void glue_run_idle(bench_args *args)
{
    peer_run_idle(args);
}

void glue_run_memory(bench_args *args)
{
    peer_run_memory(args);
}

void glue_run_create(bench_args *args)
{
    peer_run_create(args);
}

void glue_count_one(void)
{
    bench_count_one();
}

void glue_meet_all(void (*submit_one)(void (*function)(void *), void *argument), unsigned workers,
                   int binding)
{
    peer_meet_all(submit_one, workers, (enum peer_binding)binding);
}

void glue_bind(int binding, unsigned worker)
{
    peer_bind((enum peer_binding)binding, worker);
}

unsigned glue_workers(const bench_args *args)
{
    return args->workers;
}

unsigned glue_cpus(void)
{
    return bench_cpu_count();
}

uint64_t glue_now(void)
{
    return bench_now();
}

uint64_t glue_number(bench_args *args, const char *key, uint64_t otherwise)
{
    return bench_number(args, key, otherwise);
}

unsigned glue_fib_n(bench_args *args)
{
    return fib_choose(args, 36);
}

void glue_fib_report(bench_args *args, unsigned n, uint64_t result, uint64_t ns)
{
    fib_report(args, n, result, ns);
}

uint64_t glue_uts_root(bench_args *args, int t3)
{
    return uts_choose(args, t3).root;
}

void glue_uts_report(bench_args *args, int t3, uint64_t nodes, uint64_t ns)
{
    uts_tree tree = uts_choose(args, t3);
    uts_report(args, &tree, nodes, ns);
}

unsigned glue_nqueens_n(bench_args *args)
{
    return nqueens_choose(args);
}

void glue_nqueens_report(bench_args *args, unsigned n, uint64_t solutions, uint64_t ns)
{
    nqueens_report(args, n, solutions, ns);
}

void glue_run_loop(bench_args *args, void (*once)(void *context, bench_loop *loop), void *context)
{
    bench_loop_run(args, once, context);
}

glue_loop glue_loop_parts(bench_loop *loop)
{
    glue_loop parts = {loop->medium, loop->tiny, loop->values};
    return parts;
}

void glue_run_triad(bench_args *args, void (*once)(void *context, const bench_triad *triad),
                    void *context)
{
    bench_triad_run(args, once, context);
}
