/*
 * workload/submit.h - threads outside the pool that submit empty tasks: from the first submit to
 * the last task's end. A contender gives two functions, one that submits a share and one that waits
 * until every task has ended.
 *
 * Submitters start together. While there is a CPU for every worker and every submitter they are
 * pinned to separate ones; with more threads than CPUs the submitters are left to the kernel.
 */
#ifndef NP_BENCH_WORKLOAD_SUBMIT_H
#define NP_BENCH_WORKLOAD_SUBMIT_H

#include "count.h"
#include "cpu.h"

#include <pthread.h>

#define BENCH_SUBMITTERS_MAX 64u

typedef struct bench_submit {
    unsigned workers;
    unsigned submitters; /* submitters=N, default 1 */
    unsigned nodes;      /* nodes=N, default 1: submitter s sends to node s % nodes */
    unsigned batch;      /* batch=N, default 64; only the batch workload asks for it */
    uint64_t tasks;      /* tasks=N, in total */
    /* Submits `count` tasks as submitter `s`; called on its thread. */
    void (*submit)(void *context, unsigned s, uint64_t count);
    /* Returns when every task has ended; called on the thread that runs the workload. */
    void (*wait)(void *context);
    void *context;
    unsigned ready; /* submitters at the start line */
    unsigned go;    /* 1: run */
} bench_submit;

typedef struct bench_submitter {
    bench_submit *all;
    unsigned index;
    pthread_t thread;
} bench_submitter;

/* The plain arguments of the submit workloads. */
static inline void bench_submit_choose(bench_submit *b, bench_args *args)
{
    memset(b, 0, sizeof *b);
    b->workers = args->workers;
    b->submitters = (unsigned)bench_number(args, "submitters", 1);
    b->nodes = (unsigned)bench_number(args, "nodes", 1);
    b->tasks = bench_number(args, "tasks", 2000000);
    if (b->submitters < 1 || b->submitters > BENCH_SUBMITTERS_MAX || b->nodes < 1 || b->tasks < 1)
        bench_usage("submitters=1..%u, nodes=1.., tasks=1.. are expected", BENCH_SUBMITTERS_MAX);
    b->batch = 1;
    if (strcmp(args->workload, "batch") == 0) {
        b->batch = (unsigned)bench_number(args, "batch", 64);
        if (b->batch < 1 || b->batch > 4096)
            bench_usage("batch=1..4096 is expected");
    }
    (void)bench_cpu_count();
}

static inline void *bench_submitter_main(void *argument)
{
    bench_submitter *self = (bench_submitter *)argument;
    bench_submit *b = self->all;
    uint64_t share = b->tasks / b->submitters;
    if (self->index < b->tasks % b->submitters)
        share++;
    if (b->workers + b->submitters <= bench_cpu_count())
        bench_pin_to(bench_cpu_of_submitter(self->index));
    __atomic_fetch_add(&b->ready, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&b->go, __ATOMIC_ACQUIRE) == 0)
        ;
    b->submit(b->context, self->index, share);
    return NULL;
}

/* One round of `tasks` tasks: nanoseconds from the first submit to the last end. */
static inline uint64_t bench_submit_round(bench_submit *b)
{
    static bench_submitter threads[BENCH_SUBMITTERS_MAX];
    b->ready = b->go = 0;
    for (unsigned s = 0; s < b->submitters; s++) {
        threads[s].all = b;
        threads[s].index = s;
        if (pthread_create(&threads[s].thread, NULL, bench_submitter_main, &threads[s]) != 0)
            bench_fail("a submitter could not be started");
    }
    while (__atomic_load_n(&b->ready, __ATOMIC_ACQUIRE) != b->submitters)
        sched_yield();
    uint64_t begin = bench_now();
    __atomic_store_n(&b->go, 1, __ATOMIC_RELEASE);
    for (unsigned s = 0; s < b->submitters; s++)
        pthread_join(threads[s].thread, NULL);
    b->wait(b->context);
    return bench_now() - begin;
}

/* Warm-up, one measured round, the check, the result line. Fill in the three last fields before. */
static inline void bench_submit_run(bench_submit *b, bench_args *args)
{
    uint64_t tasks = b->tasks;
    b->tasks = tasks / 10 + 1;
    (void)bench_submit_round(b);
    uint64_t before = bench_count_total();
    bench_check_equal("the number of tasks run in the warm-up", before, b->tasks);
    b->tasks = tasks;
    uint64_t ns = bench_submit_round(b);
    bench_check_equal("the number of tasks run", bench_count_total() - before, tasks);
    bench_report(args, (double)ns / (double)tasks, "ns", NULL);
}

#endif
