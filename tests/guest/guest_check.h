/*
 * What every guest program needs: the truth about the machine it runs on, as the shape file states
 * it, the kernel's own answers, and checks that go on after a failure and count it.
 *
 * The truth comes in by environment (NP_GUEST_…, written by run-guest) and never from the library
 * or from sysfs, so that both can be wrong and be found out. Single-threaded unless said; the
 * check functions may be called from any thread.
 */
#ifndef NP_TESTS_GUEST_CHECK_H
#define NP_TESTS_GUEST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum { GUEST_MAX_NODES = 16, GUEST_MAX_CPUS = 64 };

/* The machine as the shape describes it. Node and CPU numbers are the operating system's. */
struct guest_shape {
    const char *name;
    int node_count;
    int cpu_count;
    bool has_cpuset;
    int cpu_quota; /* thousandths of a CPU; 0: none */
    int node_mib[GUEST_MAX_NODES];
    int distance[GUEST_MAX_NODES][GUEST_MAX_NODES];
    int node_of_cpu[GUEST_MAX_CPUS];
    int socket_of_cpu[GUEST_MAX_CPUS];
    int socket_count;
    int cpus_of_node[GUEST_MAX_NODES]; /* how many; 0 for a node of memory only */
    bool cpu_allowed[GUEST_MAX_CPUS];
    bool node_allowed[GUEST_MAX_NODES];
};

/* Reads the shape, or ends the program: as skipped outside a guest, as failed when it is malformed.
 */
const struct guest_shape *guest_shape(void);

/* Allowed CPUs of a node; the node's workers can only be these. */
int guest_allowed_cpus_of_node(const struct guest_shape *shape, int node);

/* The node with allowed CPUs that is nearest to this one (itself when it has some); the lowest
 * number among equals. */
int guest_nearest_cpu_node(const struct guest_shape *shape, int node);

/* Counts a failure and prints where and why when the condition is false; returns the condition. */
#define GUEST_CHECK(condition, ...) \
    guest_check((condition), #condition, __FILE__, __LINE__, __VA_ARGS__)
bool guest_check(bool holds, const char *what, const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* Prints the number of checks and failures; the program's exit status. Fails when nothing was
 * checked. */
int guest_finish(void);

/* The kernel's answers. */

/* The CPU the calling thread is on, and its node. */
void guest_getcpu(int *cpu, int *node);
/* Whether the thread may run on exactly these CPUs: the affinity mask as the kernel keeps it. */
int guest_affinity(int tid, bool cpus[GUEST_MAX_CPUS]);
/* The node that holds the page at this address (move_pages); negative errno when there is none. */
int guest_node_of_page(const void *address);
/* Moves the page there behind the library's back. */
bool guest_move_page(void *address, int node);
/* Reads a file of /proc or /sys as one string; false when it cannot be read. */
bool guest_read_file(const char *path, char *buffer, size_t size);
/* Marks the numbers of a kernel list ("0-2,5"); how many there were, or -1 when malformed. */
int guest_parse_list(const char *list, bool *marks, int limit);

/* Moves this process into a cgroup whose cpuset has one CPU and all the allowed memory nodes, and
 * back into the one it came from. False when the kernel refuses. */
bool guest_enter_cpuset(int cpu);
bool guest_leave_cpuset(void);

/* Writes the cpuset of the cgroup that this process is in (a list; NULL: all there are), and makes
 * it what it was, switched off where the shape has none. */
bool guest_own_cpuset(const char *cpus);
bool guest_drop_own_cpuset(void);

/* Switches a CPU off or on. */
bool guest_set_cpu_online(int cpu, bool online);

#endif
