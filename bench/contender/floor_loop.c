/*
 * The floor of parallel loops: pinned threads that spin between loops, equal shares, one line
 * written to start a loop and one per thread to end it. The caller is thread 0. With more threads
 * than CPUs they yield.
 */
#include "cpu.h"
#include "floor.h"
#include "loop.h"
#include "reduce.h"
#include "triad.h"

#include <pthread.h>

enum { THREADS_MAX = 256 };

typedef struct finish {
    uint64_t loop; /* the last loop this thread has finished; written by it */
    uint64_t sum;  /* its part of a reduction */
    uint64_t padding[14];
} finish;

static struct {
    uint64_t loop __attribute__((aligned(128))); /* the loop to run; written by the caller */
    int leave;
    unsigned count;
    int yields;
    bench_loop *work;
    const bench_triad *triad;
    const bench_reduce *reduce;
    finish finished[THREADS_MAX] __attribute__((aligned(128)));
    pthread_t threads[THREADS_MAX];
} team;

static inline void relax(void)
{
    if (team.yields)
        sched_yield();
    else
        bench_relax();
}

static void share(unsigned self)
{
    size_t all = team.triad != NULL    ? team.triad->elements
                 : team.reduce != NULL ? team.reduce->elements
                                       : LOOP_ITERATIONS;
    size_t begin = all * self / team.count, end = all * (self + 1) / team.count;
    if (team.triad != NULL)
        bench_triad_piece(team.triad, begin, end);
    else if (team.reduce != NULL)
        team.finished[self].sum = bench_reduce_piece(team.reduce, begin, end);
    else if (team.work->medium)
        bench_loop_medium(team.work, begin, end);
    else
        bench_loop_tiny(team.work, begin, end);
}

static void *thread_main(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    bench_pin_to(bench_cpu_of_worker(self));
    for (uint64_t next = 1;; next++) {
        while (__atomic_load_n(&team.loop, __ATOMIC_ACQUIRE) != next)
            relax();
        if (team.leave)
            return NULL;
        share(self);
        __atomic_store_n(&team.finished[self].loop, next, __ATOMIC_RELEASE);
    }
}

static void run(void)
{
    uint64_t loop = team.loop + 1;
    __atomic_store_n(&team.loop, loop, __ATOMIC_RELEASE);
    share(0);
    for (unsigned i = 1; i < team.count; i++) {
        while (__atomic_load_n(&team.finished[i].loop, __ATOMIC_ACQUIRE) != loop)
            relax();
    }
}

static void loop_once(void *context, bench_loop *loop)
{
    (void)context;
    team.work = loop;
    run();
}

static void triad_once(void *context, const bench_triad *triad)
{
    (void)context;
    team.triad = triad;
    run();
}

static uint64_t reduce_once(void *context, const bench_reduce *reduce)
{
    uint64_t sum = 0;
    (void)context;
    team.reduce = reduce;
    run();
    for (unsigned i = 0; i < team.count; i++)
        sum += team.finished[i].sum;
    return sum;
}

static void start(unsigned count)
{
    if (count > THREADS_MAX)
        bench_unavailable("at most %d workers", THREADS_MAX);
    team.count = count;
    team.yields = count > bench_cpu_count();
    bench_pin_to(bench_cpu_of_worker(0));
    for (unsigned i = 1; i < count; i++) {
        if (pthread_create(&team.threads[i], NULL, thread_main, (void *)(uintptr_t)i) != 0)
            bench_fail("a thread could not be started");
    }
}

static void stop(void)
{
    team.leave = 1;
    __atomic_store_n(&team.loop, team.loop + 1, __ATOMIC_RELEASE);
    for (unsigned i = 1; i < team.count; i++)
        pthread_join(team.threads[i], NULL);
}

void floor_loop(bench_args *args)
{
    start(args->workers);
    bench_loop_run(args, loop_once, NULL);
    stop();
}

void floor_triad(bench_args *args)
{
    start(args->workers);
    bench_triad_run(args, triad_once, NULL);
    stop();
}

void floor_reduce(bench_args *args)
{
    start(args->workers);
    bench_reduce_run(args, reduce_once, NULL);
    stop();
}
