/*
 * workload/wake.h - how long an idle pool takes from a submit to the start of the task, and the CPU
 * it burns for it. A contender gives one function that submits a task which calls
 * bench_wake_started().
 *
 * Arguments: pin=cpu|node|off how the pool's threads are bound (one CPU each; all CPUs of the node,
 * the same as off on a machine with one node; not at all), idle_us=N silence before every wake,
 * wakes=N samples, submitter=pinned|free. After the submit the submitter goes on working (it spins
 * until the task has started), as a program would that has something else to do: where the kernel
 * places the woken thread on the submitter's CPU, that shows. With after=sleep it gives its CPU up.
 */
#ifndef NP_BENCH_WORKLOAD_WAKE_H
#define NP_BENCH_WORKLOAD_WAKE_H

#include "cpu.h"

#define BENCH_WAKES_MAX 100000u

typedef struct bench_wake {
    const char *pin; /* "cpu", "node" or "off" */
    unsigned idle_us;
    unsigned wakes;
    int submitter_pinned;
    int after_sleeps;
    /* Submits one task that calls bench_wake_started(wake). */
    void (*submit)(void *context, struct bench_wake *wake);
    void *context;
    uint64_t runs;                                  /* tasks that ran; one at a time */
    uint64_t started __attribute__((aligned(128))); /* when the task began; 0: not yet */
    double *latencies, *calls;                      /* us: submit to start; the submit call */
} bench_wake;

/* The whole of the task. */
static inline void bench_wake_started(bench_wake *wake)
{
    uint64_t now = bench_now();
    wake->runs++;
    __atomic_store_n(&wake->started, now, __ATOMIC_RELEASE);
}

static inline void bench_wake_choose(bench_wake *wake, bench_args *args)
{
    memset(wake, 0, sizeof *wake);
    wake->pin = bench_word(args, "pin", "cpu");
    if (strcmp(wake->pin, "cpu") != 0 && strcmp(wake->pin, "node") != 0 &&
        strcmp(wake->pin, "off") != 0)
        bench_usage("pin=cpu, pin=node or pin=off is expected");
    wake->idle_us = (unsigned)bench_number(args, "idle_us", 300);
    wake->wakes = (unsigned)bench_number(args, "wakes", 2000);
    wake->submitter_pinned = bench_is(args, "submitter", "pinned", "free",
                                      strcmp(wake->pin, "cpu") == 0 ? "pinned" : "free");
    wake->after_sleeps = bench_is(args, "after", "sleep", "spin", "spin");
    if (wake->wakes < 1 || wake->wakes > BENCH_WAKES_MAX)
        bench_usage("wakes=1 to wakes=%u is expected", BENCH_WAKES_MAX);
    (void)bench_cpu_count();
}

static inline void bench_wake_sleep(unsigned us)
{
    struct timespec pause;
    pause.tv_sec = (time_t)(us / 1000000u);
    pause.tv_nsec = (long)(us % 1000000u) * 1000;
    nanosleep(&pause, NULL);
}

static inline void bench_wake_once(bench_wake *wake, double *latency, double *call)
{
    uint64_t started = 0;
    bench_wake_sleep(wake->idle_us);
    __atomic_store_n(&wake->started, 0, __ATOMIC_RELAXED);
    uint64_t sent = bench_now();
    wake->submit(wake->context, wake);
    uint64_t returned = bench_now();
    while ((started = __atomic_load_n(&wake->started, __ATOMIC_ACQUIRE)) == 0) {
        if (wake->after_sleeps)
            bench_wake_sleep(20);
        else if (bench_now() - sent > 10000000000u)
            bench_fail("WRONG: a task did not start within 10 s");
    }
    *latency = (double)(started - sent) / 1000.0;
    *call = (double)(returned - sent) / 1000.0;
}

static inline int bench_compare_doubles(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Sorts `values` and returns the one below which the share `q` lies. */
static inline double bench_quantile(double *values, unsigned count, double q)
{
    qsort(values, count, sizeof *values, bench_compare_doubles);
    return values[(size_t)(q * (double)(count - 1) + 0.5)];
}

/* Warm-up, `wakes` samples, the check, the result line: p50 in us; the 99th percentile, the median
 * duration of the submit call, and the CPU that all threads but the submitter used per wake. */
static inline void bench_wake_run(bench_wake *wake, bench_args *args)
{
    double scratch[2];
    char extra[160];
    wake->latencies = (double *)calloc(wake->wakes, sizeof(double));
    wake->calls = (double *)calloc(wake->wakes, sizeof(double));
    if (wake->latencies == NULL || wake->calls == NULL)
        bench_fail("no memory");
    if (wake->submitter_pinned)
        bench_pin_to(bench_cpu_of_submitter(0));
    for (unsigned i = 0; i < 20; i++)
        bench_wake_once(wake, &scratch[0], &scratch[1]);
    uint64_t own = bench_thread_cpu(), all = bench_process_cpu();
    for (unsigned i = 0; i < wake->wakes; i++)
        bench_wake_once(wake, &wake->latencies[i], &wake->calls[i]);
    bench_wake_sleep(wake->idle_us); /* what the last wake burns until the pool sleeps again */
    all = bench_process_cpu() - all;
    own = bench_thread_cpu() - own;
    bench_check_equal("the number of tasks run", wake->runs, wake->wakes + 20u);
    double burnt = all > own ? (double)(all - own) : 0.0;
    double p50 = bench_quantile(wake->latencies, wake->wakes, 0.50);
    snprintf(extra, sizeof extra, "p99=%.4g call_us=%.4g cpu_us_per_wake=%.4g",
             bench_quantile(wake->latencies, wake->wakes, 0.99),
             bench_quantile(wake->calls, wake->wakes, 0.50), burnt / 1000.0 / (double)wake->wakes);
    bench_report(args, p50, "us", extra);
    free(wake->latencies);
    free(wake->calls);
}

#endif
