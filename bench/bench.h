/*
 * What the benchmarks share: the clock, percentiles, medians over rounds, failing loudly.
 */
#ifndef NP_BENCH_H
#define NP_BENCH_H

#include <numaperf.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static inline uint64_t bench_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline void bench_check(np_status status, const char *what)
{
    if (status == NP_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, np_status_name(status), np_error_detail());
    exit(1);
}

static inline int bench_compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;
    return (left > right) - (left < right);
}

/* Sorts `values` and returns the one below which the share `q` lies. */
static inline double bench_quantile(double *values, size_t count, double q)
{
    qsort(values, count, sizeof *values, bench_compare);
    size_t place = (size_t)(q * (double)(count - 1) + 0.5);
    return values[place];
}

/* What the figures come from; the first line of every result. */
static inline void bench_machine(const np_topology *topology)
{
    char summary[256], model[128] = "unknown processor";
    np_topology_summary(topology, summary, sizeof summary);
    FILE *file = fopen("/proc/cpuinfo", "r");
    char line[256];
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "model name : %127[^\n]", model) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    printf("# numaperf %s, %s, %s\n", np_version_string(), model, summary);
}

#endif
