/*
 * How long an idle pool takes from a submit to the start of the task, beside the floor: a bare
 * futex between two threads with the same affinity. 300 us of silence before every wake.
 *
 * Rounds are interleaved (floor, executor, floor, executor ...); per round the median and the 99th
 * percentile of its samples are taken, over the rounds their median, minimum and maximum. Ratios
 * are taken inside a round. On a busy machine read the ratios, not the microseconds.
 *
 * usage: bench_wake [rounds [samples]]
 */
#define _GNU_SOURCE
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"

enum { KINDS = 4, ROUNDS_MAX = 101 };
static const char *const kind_names[KINDS] = {"futex, CPUs of the node", "numaperf, bound to node",
                                              "futex, one CPU each", "numaperf, one CPU each"};

typedef struct sample {
    _Atomic(uint64_t) started; /* when the woken one ran; 0: not yet */
} sample;

static void note_start(void *argument)
{
    atomic_store_explicit(&((sample *)argument)->started, bench_now(), memory_order_release);
}

static double await_start(sample *s, uint64_t sent)
{
    uint64_t started;
    while ((started = atomic_load_explicit(&s->started, memory_order_acquire)) == 0) {
        struct timespec pause = {0, 20000};
        nanosleep(&pause, NULL); /* the submitter's CPU is free for the woken thread */
    }
    return (double)(started - sent) / 1000.0;
}

static void silence(void)
{
    struct timespec pause = {0, 300000};
    nanosleep(&pause, NULL);
}

/* --- the floor ------------------------------------------------------------------------------ */

typedef struct floor_thread {
    _Atomic(uint32_t) word; /* number of the wake-up; UINT32_MAX: leave */
    sample sample;
    cpu_set_t cpus;
} floor_thread;

static long futex(_Atomic(uint32_t) *word, int operation, uint32_t value)
{
    return syscall(SYS_futex, (uint32_t *)(uintptr_t)word, operation | FUTEX_PRIVATE_FLAG, value,
                   NULL, NULL, 0);
}

static void *floor_main(void *argument)
{
    floor_thread *f = argument;
    sched_setaffinity(0, sizeof f->cpus, &f->cpus);
    uint32_t seen = 0;
    for (;;) {
        while (atomic_load_explicit(&f->word, memory_order_acquire) == seen)
            futex(&f->word, FUTEX_WAIT, seen);
        seen = atomic_load_explicit(&f->word, memory_order_acquire);
        if (seen == UINT32_MAX)
            return NULL;
        note_start(&f->sample);
    }
}

static void measure_floor(const cpu_set_t *cpus, double *out, unsigned samples)
{
    floor_thread f = {0};
    pthread_t thread;
    f.cpus = *cpus;
    if (pthread_create(&thread, NULL, floor_main, &f) != 0)
        exit(1);
    for (unsigned i = 0; i < samples; i++) {
        silence();
        atomic_store(&f.sample.started, 0);
        uint64_t sent = bench_now();
        atomic_fetch_add_explicit(&f.word, 1, memory_order_release);
        futex(&f.word, FUTEX_WAKE, 1);
        out[i] = await_start(&f.sample, sent);
    }
    atomic_store(&f.word, UINT32_MAX);
    futex(&f.word, FUTEX_WAKE, 1);
    pthread_join(thread, NULL);
}

static void measure_executor(np_executor *executor, np_node_id node, double *out, unsigned samples)
{
    sample s = {0};
    for (unsigned i = 0; i < samples; i++) {
        silence();
        atomic_store(&s.started, 0);
        uint64_t sent = bench_now();
        bench_check(np_submit_to_node(executor, node, note_start, &s), "np_submit_to_node");
        out[i] = await_start(&s, sent);
    }
}

static np_executor *create(const np_topology *topology, np_binding binding, np_node_id node)
{
    np_executor *executor = NULL;
    const np_node_workers one[] = {{node, 1}};
    np_executor_options options = {.size = sizeof options, .binding = binding};
    if (binding == NP_BINDING_CPU) { /* one worker on one CPU, as the floor has */
        options.node_workers = one;
        options.node_workers_count = 1;
    }
    bench_check(np_executor_create(topology, &options, &executor), "np_executor_create");
    return executor;
}

static np_node_id first_node_with_cpus(const np_topology *topology, np_cpu_set *cpus)
{
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_id id = np_topology_node_id(topology, i);
        bench_check(np_topology_node_cpus(topology, id, cpus), "np_topology_node_cpus");
        if (!np_cpu_set_is_empty(cpus))
            return id;
    }
    fprintf(stderr, "no node has a CPU\n");
    exit(1);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 7;
    unsigned samples = argc > 2 ? (unsigned)atoi(argv[2]) : 400;
    if (rounds < 1 || rounds > ROUNDS_MAX || samples < 10) {
        fprintf(stderr, "usage: bench_wake [rounds (1-%d) [samples (10-)]]\n", ROUNDS_MAX);
        return 2;
    }
    np_topology *topology = NULL;
    bench_check(np_topology_discover(&topology), "np_topology_discover");
    np_cpu_set node_cpus;
    np_node_id node = first_node_with_cpus(topology, &node_cpus);
    cpu_set_t all, one;
    CPU_ZERO(&all);
    CPU_ZERO(&one);
    for (int32_t cpu = np_cpu_set_first(&node_cpus); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&node_cpus, cpu))
        CPU_SET((size_t)cpu, &all);
    /* A single worker bound to one CPU gets the node's first; the floor's thread the same. */
    CPU_SET((size_t)np_cpu_set_first(&node_cpus), &one);

    static double p50[KINDS][ROUNDS_MAX], p99[KINDS][ROUNDS_MAX];
    double *values = calloc(samples, sizeof *values);
    if (values == NULL)
        return 1;
    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned kind = 0; kind < KINDS; kind++) {
            if (kind % 2 == 0) {
                measure_floor(kind == 0 ? &all : &one, values, samples);
            } else {
                np_executor *executor = create(topology,
                                               kind == 1 ? NP_BINDING_NODE : NP_BINDING_CPU, node);
                measure_executor(executor, node, values, samples);
                bench_check(np_executor_destroy(executor), "np_executor_destroy");
            }
            p50[kind][round] = bench_quantile(values, samples, 0.50);
            p99[kind][round] = bench_quantile(values, samples, 0.99);
        }
    }
    bench_machine(topology);
    printf("# submit to start of an idle pool, us; %u rounds of %u samples, interleaved; median "
           "(min .. max) of the rounds\n",
           rounds, samples);
    printf("%-26s %28s %28s\n", "", "p50", "p99");
    for (unsigned kind = 0; kind < KINDS; kind++) {
        double ratio50[ROUNDS_MAX], ratio99[ROUNDS_MAX];
        for (unsigned round = 0; round < rounds; round++) {
            ratio50[round] = p50[kind][round] / p50[kind & ~1u][round];
            ratio99[round] = p99[kind][round] / p99[kind & ~1u][round];
        }
        double r50 = bench_quantile(ratio50, rounds, 0.5),
               r99 = bench_quantile(ratio99, rounds, 0.5);
        double m50 = bench_quantile(p50[kind], rounds, 0.5),
               m99 = bench_quantile(p99[kind], rounds, 0.5);
        printf("%-26s %8.1f (%6.1f .. %6.1f) %8.1f (%6.1f .. %6.1f)", kind_names[kind], m50,
               p50[kind][0], p50[kind][rounds - 1], m99, p99[kind][0], p99[kind][rounds - 1]);
        if (kind % 2 == 1)
            printf("   x floor: %.2f, %.2f", r50, r99);
        printf("\n");
    }
    free(values);
    np_topology_destroy(topology);
    return 0;
}
