/*
 * What an idle executor costs: CPU time and context switches of the whole process over some seconds
 * in which nothing is submitted, for 2 workers per node and for many. A pool that polls shows up
 * here.
 *
 * usage: bench_idle [seconds]
 */
#define _GNU_SOURCE
#include <sys/resource.h>

#include "bench.h"

static double cpu_seconds(const struct rusage *usage)
{
    return (double)(usage->ru_utime.tv_sec + usage->ru_stime.tv_sec) +
           1e-6 * (double)(usage->ru_utime.tv_usec + usage->ru_stime.tv_usec);
}

static void nothing(void *argument)
{
    (void)argument;
}

static void measure(const np_topology *topology, uint32_t workers, unsigned seconds)
{
    np_executor *executor = NULL;
    np_executor_options options = {.size = sizeof options, .workers_per_node = workers};
    bench_check(np_executor_create(topology, &options, &executor), "np_executor_create");
    for (unsigned i = 0; i < 1000; i++)
        bench_check(np_submit(executor, nothing, NULL), "np_submit");
    bench_check(np_executor_wait_idle(executor, NP_FOREVER), "np_executor_wait_idle");
    struct timespec settle = {0, 50000000}, pause = {(time_t)seconds, 0};
    nanosleep(&settle, NULL); /* the last worker falls asleep */
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    nanosleep(&pause, NULL);
    getrusage(RUSAGE_SELF, &after);
    /* One voluntary switch is this thread's own sleep. */
    long switches = after.ru_nvcsw - before.ru_nvcsw + after.ru_nivcsw - before.ru_nivcsw - 1;
    double share = 100.0 * (cpu_seconds(&after) - cpu_seconds(&before)) / seconds;
    printf("%8" PRIu32 " workers  %8.4f %% of a CPU  %6ld context switches in %u s\n",
           np_executor_worker_count(executor), share, switches, seconds);
    bench_check(np_executor_destroy(executor), "np_executor_destroy");
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 10;
    if (seconds < 1 || seconds > 3600) {
        fprintf(stderr, "usage: bench_idle [seconds]\n");
        return 2;
    }
    np_topology *topology = NULL;
    bench_check(np_topology_discover(&topology), "np_topology_discover");
    bench_machine(topology);
    measure(topology, 2, seconds);
    measure(topology, 64, seconds);
    np_topology_destroy(topology);
    return 0;
}
