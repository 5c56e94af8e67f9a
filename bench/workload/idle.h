/*
 * workload/idle.h - what a pool costs while nobody submits anything: CPU time and context switches
 * of the whole process over some seconds. A pool that polls shows up here.
 */
#ifndef NP_BENCH_WORKLOAD_IDLE_H
#define NP_BENCH_WORKLOAD_IDLE_H

#include "count.h"
#include "cpu.h"

/* The pool has run `tasks` tasks (counted by bench_count_one()) and nothing is left to do. */
static inline void bench_idle_run(bench_args *args, uint64_t tasks)
{
    uint64_t milliseconds = bench_number(args, "ms", 0);
    uint64_t seconds = bench_number(args, "seconds", 3);
    struct timespec settle, pause;
    char extra[64];
    if (milliseconds == 0)
        milliseconds = seconds * 1000;
    settle.tv_sec = 0;
    settle.tv_nsec = 100000000; /* the last worker falls asleep */
    pause.tv_sec = (time_t)(milliseconds / 1000);
    pause.tv_nsec = (long)(milliseconds % 1000) * 1000000;
    bench_check_equal("the number of tasks run", bench_count_total(), tasks);
    nanosleep(&settle, NULL);
    uint64_t cpu = bench_process_cpu(), switches = bench_switches();
    nanosleep(&pause, NULL);
    cpu = bench_process_cpu() - cpu;
    switches = bench_switches() - switches;
    if (switches > 0)
        switches--; /* this thread's own sleep */
    snprintf(extra, sizeof extra, "switches=%llu", (unsigned long long)switches);
    bench_report(args, 100.0 * (double)cpu / ((double)milliseconds * 1e6), "%", extra);
}

#endif
