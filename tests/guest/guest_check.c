/*
 * The shape's truth from the environment, the kernel's answers by raw system calls, and the count
 * of checks. Nothing here uses the library under test or anything it is built on.
 */
#include "guest_check.h"

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static int checks;
static int failures;

bool guest_check(bool holds, const char *what, const char *file, int line, const char *format, ...)
{
    __atomic_fetch_add(&checks, 1, __ATOMIC_RELAXED);
    if (holds) {
        return true;
    }
    __atomic_fetch_add(&failures, 1, __ATOMIC_RELAXED);
    char message[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    printf("%s:%d: FAILED %s: %s\n", file, line, what, message);
    fflush(stdout);
    return false;
}

int guest_finish(void)
{
    printf("%d checks, %d failed\n", checks, failures);
    return checks > 0 && failures == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

static const char *required(const char *name)
{
    const char *value = getenv(name);
    if (value == NULL) {
        printf("%s is not set\n", name);
        exit(EXIT_FAILURE);
    }
    return value;
}

/* Reads numbers separated by commas up to the end of the string or a semicolon; -1 when malformed.
 */
static int parse_row(const char **cursor, int *numbers, int limit)
{
    int count = 0;
    const char *at = *cursor;
    while (*at != '\0' && *at != ';') {
        char *end;
        long number = strtol(at, &end, 10);
        if (end == at || count == limit) {
            return -1;
        }
        numbers[count++] = (int)number;
        at = *end == ',' ? end + 1 : end;
    }
    *cursor = *at == ';' ? at + 1 : at;
    return count;
}

static int parse_variable(const char *name, int *numbers, int limit)
{
    const char *cursor = required(name);
    int count = parse_row(&cursor, numbers, limit);
    if (count < 0) {
        printf("%s is malformed\n", name);
        exit(EXIT_FAILURE);
    }
    return count;
}

static void read_cpus_of_nodes(struct guest_shape *shape)
{
    const char *cursor = required("NP_GUEST_NODE_CPUS");
    for (int node = 0; node < shape->node_count; node++) {
        int cpus[GUEST_MAX_CPUS];
        int count = parse_row(&cursor, cpus, GUEST_MAX_CPUS);
        for (int i = 0; i < count; i++) {
            shape->node_of_cpu[cpus[i]] = node;
        }
        shape->cpus_of_node[node] = count;
    }
}

const struct guest_shape *guest_shape(void)
{
    static struct guest_shape shape;
    if (shape.name != NULL) {
        return &shape;
    }
    if (getenv("NP_GUEST") == NULL) {
        printf("skipped: this program needs a guest's kernel (tests/guest/run-guest)\n");
        exit(77);
    }
    int numbers[GUEST_MAX_CPUS];
    shape.node_count = parse_variable("NP_GUEST_NODES", numbers, GUEST_MAX_NODES);
    shape.cpu_count = parse_variable("NP_GUEST_CPUS", numbers, GUEST_MAX_CPUS);
    parse_variable("NP_GUEST_NODE_MIB", shape.node_mib, GUEST_MAX_NODES);
    shape.has_cpuset = getenv("NP_GUEST_CPUSET") != NULL;
    if (getenv("NP_GUEST_CPU_QUOTA") != NULL) {
        parse_variable("NP_GUEST_CPU_QUOTA", &shape.cpu_quota, 1);
    }
    int count = parse_variable("NP_GUEST_ALLOWED_CPUS", numbers, GUEST_MAX_CPUS);
    for (int i = 0; i < count; i++) {
        shape.cpu_allowed[numbers[i]] = true;
    }
    count = parse_variable("NP_GUEST_ALLOWED_NODES", numbers, GUEST_MAX_NODES);
    for (int i = 0; i < count; i++) {
        shape.node_allowed[numbers[i]] = true;
    }
    const char *rows = required("NP_GUEST_DISTANCES");
    for (int node = 0; node < shape.node_count; node++) {
        if (parse_row(&rows, shape.distance[node], GUEST_MAX_NODES) != shape.node_count) {
            printf("NP_GUEST_DISTANCES is malformed\n");
            exit(EXIT_FAILURE);
        }
    }
    read_cpus_of_nodes(&shape);
    parse_variable("NP_GUEST_SOCKETS", &shape.socket_count, 1);
    for (int cpu = 0; cpu < shape.cpu_count; cpu++) {
        shape.socket_of_cpu[cpu] = cpu * shape.socket_count / shape.cpu_count;
    }
    shape.name = required("NP_GUEST_SHAPE");
    return &shape;
}

int guest_allowed_cpus_of_node(const struct guest_shape *shape, int node)
{
    int count = 0;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        count += shape->node_of_cpu[cpu] == node && shape->cpu_allowed[cpu];
    }
    return count;
}

int guest_nearest_cpu_node(const struct guest_shape *shape, int node)
{
    int best = -1;
    for (int other = 0; other < shape->node_count; other++) {
        if (guest_allowed_cpus_of_node(shape, other) > 0 &&
            (best < 0 || shape->distance[node][other] < shape->distance[node][best])) {
            best = other;
        }
    }
    return best;
}

void guest_getcpu(int *cpu, int *node)
{
    unsigned cpu_number = 0, node_number = 0;
    syscall(SYS_getcpu, &cpu_number, &node_number, NULL);
    *cpu = (int)cpu_number;
    *node = (int)node_number;
}

int guest_affinity(int tid, bool cpus[GUEST_MAX_CPUS])
{
    cpu_set_t set;
    CPU_ZERO(&set);
    if (sched_getaffinity(tid, sizeof set, &set) != 0) {
        return -errno;
    }
    for (int cpu = 0; cpu < GUEST_MAX_CPUS; cpu++) {
        cpus[cpu] = CPU_ISSET((size_t)cpu, &set) != 0;
    }
    return CPU_COUNT(&set);
}

int guest_node_of_page(const void *address)
{
    void *pages[1];
    memcpy(pages, &address, sizeof address);
    int status = -EFAULT;
    long result = syscall(SYS_move_pages, 0, 1UL, pages, NULL, &status, 0);
    return result < 0 ? -errno : status;
}

bool guest_move_page(void *address, int node)
{
    int status = -EFAULT;
    long result = syscall(SYS_move_pages, 0, 1UL, &address, &node, &status, 2 /* MPOL_MF_MOVE */);
    return result == 0 && status == node;
}

bool guest_read_file(const char *path, char *buffer, size_t size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return false;
    }
    size_t got = fread(buffer, 1, size - 1, file);
    buffer[got] = '\0';
    fclose(file);
    return true;
}

int guest_parse_list(const char *list, bool *marks, int limit)
{
    int count = 0;
    const char *at = list;
    while (*at != '\0' && *at != '\n') {
        char *end;
        long first = strtol(at, &end, 10);
        if (end == at) {
            return -1;
        }
        long last = first;
        if (*end == '-') {
            at = end + 1;
            last = strtol(at, &end, 10);
        }
        if (first < 0 || last < first || last >= limit) {
            return -1;
        }
        for (long number = first; number <= last; number++) {
            marks[number] = true;
            count++;
        }
        at = *end == ',' ? end + 1 : end;
    }
    return count;
}

static bool write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    bool written = fputs(text, file) >= 0;
    return (fclose(file) == 0) && written;
}

bool guest_enter_cpuset(int cpu)
{
    char cpus[16];
    snprintf(cpus, sizeof cpus, "%d", cpu);
    mkdir("/sys/fs/cgroup/np-small", 0755);
    return write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset") &&
           write_file("/sys/fs/cgroup/np-small/cpuset.cpus", cpus) &&
           write_file("/sys/fs/cgroup/np-small/cpuset.mems", required("NP_GUEST_ALLOWED_NODES")) &&
           write_file("/sys/fs/cgroup/np-small/cgroup.procs", "0");
}

bool guest_own_cpuset(const char *cpus)
{
    return write_file("/sys/fs/cgroup/cgroup.subtree_control", "+cpuset") &&
           write_file("/sys/fs/cgroup/np/cpuset.cpus", cpus != NULL ? cpus : "\n");
}

bool guest_drop_own_cpuset(void)
{
    if (getenv("NP_GUEST_CPUSET") != NULL)
        return write_file("/sys/fs/cgroup/np/cpuset.cpus", required("NP_GUEST_ALLOWED_CPUS"));
    return write_file("/sys/fs/cgroup/cgroup.subtree_control", "-cpuset");
}

/* A thread that has been joined may still be on its way out of the cgroup, which cannot be removed
 * before it is gone. */
static bool remove_cgroup(const char *path)
{
    for (int tries = 0; tries < 100000; tries++) {
        if (rmdir(path) == 0) {
            return true;
        }
        if (errno != EBUSY) {
            return false;
        }
        sched_yield();
    }
    return false;
}

/* Leaves the cgroup tree as it was: where the shape has no cpuset, none may stay switched on, for
 * the kernel treats hotplug differently in a cpuset. */
bool guest_leave_cpuset(void)
{
    return write_file("/sys/fs/cgroup/np/cgroup.procs", "0") &&
           remove_cgroup("/sys/fs/cgroup/np-small") &&
           (getenv("NP_GUEST_CPUSET") != NULL ||
            write_file("/sys/fs/cgroup/cgroup.subtree_control", "-cpuset"));
}

bool guest_set_cpu_online(int cpu, bool online)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/online", cpu);
    return write_file(path, online ? "1" : "0");
}
