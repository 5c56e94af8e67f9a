/*
 * workload/cpu.h - which CPU a thread of a contender belongs on, the same for all of them.
 *
 * CPUs are counted among those that the process was allowed when it started: worker k belongs on
 * CPU k, submitter s on the s-th from the end, so that they meet as late as possible.
 */
#ifndef NP_BENCH_WORKLOAD_CPU_H
#define NP_BENCH_WORKLOAD_CPU_H

#include "run.h"

#include <errno.h>
#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

/* The CPUs that the process was allowed at the first call, which main's thread must make before it
 * pins itself (bench_cpu_count() does). */
static inline const cpu_set_t *bench_cpus(void)
{
    static cpu_set_t cpus;
    static int known;
    if (!known) {
        CPU_ZERO(&cpus);
        if (sched_getaffinity(0, sizeof cpus, &cpus) != 0)
            bench_fail("sched_getaffinity: %s", strerror(errno));
        known = 1;
    }
    return &cpus;
}

static inline unsigned bench_cpu_count(void)
{
    return (unsigned)CPU_COUNT(bench_cpus());
}

/* The system's number of the k-th allowed CPU, counted round. */
static inline int bench_cpu(unsigned k)
{
    const cpu_set_t *cpus = bench_cpus();
    k %= (unsigned)CPU_COUNT(cpus);
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (CPU_ISSET((size_t)cpu, cpus) && k-- == 0)
            return cpu;
    }
    return 0;
}

static inline int bench_cpu_of_worker(unsigned worker)
{
    return bench_cpu(worker);
}

static inline int bench_cpu_of_submitter(unsigned submitter)
{
    unsigned count = bench_cpu_count();
    return bench_cpu(count - 1 - submitter % count);
}

static inline void bench_pin_to(int cpu)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET((size_t)cpu, &one);
    if (sched_setaffinity(0, sizeof one, &one) != 0)
        bench_fail("pinning to CPU %d: %s", cpu, strerror(errno));
}

static inline void bench_unpin(void)
{
    if (sched_setaffinity(0, sizeof(cpu_set_t), bench_cpus()) != 0)
        bench_fail("unpinning: %s", strerror(errno));
}

/* The node of a CPU; 0 where the system has none. */
static inline int bench_node_of_cpu(int cpu)
{
    char path[96];
    for (int node = 0; node < 1024; node++) {
        snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/node%d", cpu, node);
        if (access(path, F_OK) == 0)
            return node;
    }
    return 0;
}

/* Binds the calling thread, worker `worker` of its pool, as pin=cpu|node|off asks for. */
static inline void bench_pin_worker(unsigned worker, const char *pin)
{
    int own = bench_cpu_of_worker(worker);
    if (strcmp(pin, "cpu") == 0) {
        bench_pin_to(own);
    } else if (strcmp(pin, "node") == 0) {
        cpu_set_t cpus;
        int node = bench_node_of_cpu(own);
        CPU_ZERO(&cpus);
        for (unsigned k = 0; k < bench_cpu_count(); k++) {
            if (bench_node_of_cpu(bench_cpu(k)) == node)
                CPU_SET((size_t)bench_cpu(k), &cpus);
        }
        if (sched_setaffinity(0, sizeof cpus, &cpus) != 0)
            bench_fail("binding to node %d: %s", node, strerror(errno));
    }
}

/* Between two looks at a word that another thread writes. */
static inline void bench_relax(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Nanoseconds of CPU that the whole process, or the calling thread, has used. */
static inline uint64_t bench_cpu_clock(clockid_t clock)
{
    struct timespec now;
    clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static inline uint64_t bench_process_cpu(void)
{
    return bench_cpu_clock(CLOCK_PROCESS_CPUTIME_ID);
}

static inline uint64_t bench_thread_cpu(void)
{
    return bench_cpu_clock(CLOCK_THREAD_CPUTIME_ID);
}

/* Context switches of the whole process so far. */
static inline uint64_t bench_switches(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (uint64_t)usage.ru_nvcsw + (uint64_t)usage.ru_nivcsw;
}

/* Bytes of the process that are in memory now. */
static inline uint64_t bench_resident(void)
{
    unsigned long long pages = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL || fscanf(file, "%*u %llu", &pages) != 1)
        bench_fail("cannot read /proc/self/statm");
    fclose(file);
    return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

#endif
