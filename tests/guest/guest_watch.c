/*
 * Goal: an executor with watch_changes follows what a real kernel does to a process without any
 * call: the cpuset of its cgroup is switched on, shrinks to one CPU and is given back; all CPUs of
 * a node go offline and come back. Method: cgroup and hotplug files; the kernel's masks of all
 * workers are looked at until they are right, for as long as a limit that only a watcher that
 * noticed nothing can reach. Tasks for every node each time. Argument: rounds.
 */
#include <numaperf.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "guest_check.h"

enum { TASKS = 60, LOOKS = 3000, LOOK_NS = 10000000 };

static const struct guest_shape *shape;
static np_executor *executor;
static np_node_id nodes[GUEST_MAX_NODES];
static size_t node_count;
static int runs[TASKS];
static long changes;

static void run_task(void *argument)
{
    __atomic_fetch_add((int *)argument, 1, __ATOMIC_RELAXED);
}

static bool is_gone(int node, const bool *usable)
{
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        if (shape->node_of_cpu[cpu] == node && usable[cpu])
            return false;
    }
    return true;
}

/* By the kernel's mask of its thread, and by what the library says of it. */
static bool is_right(uint32_t index, const bool *usable)
{
    np_worker_info worker;
    bool mask[GUEST_MAX_CPUS];
    if (np_executor_worker_info(executor, index, &worker) != NP_OK ||
        guest_affinity((int)worker.thread, mask) <= 0)
        return false;
    bool gone = is_gone((int)worker.node, usable);
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        bool mine = usable[cpu] && shape->node_of_cpu[cpu] == (int)worker.node;
        if (gone ? mask[cpu] && !usable[cpu] : mask[cpu] != mine)
            return false;
    }
    return (worker.binding.level == NP_ENFORCEMENT_STRICT) == !gone;
}

static void await(const bool *usable, const char *when)
{
    uint32_t right = 0, workers = np_executor_worker_count(executor);
    /* The watcher tells nobody when it has bound a worker anew, and the kernel sends no event for
     * it: looking again is all there is, and the first look that finds it ends the wait. */
    for (int look = 0; look < LOOKS && right < workers; look++) {
        const struct timespec pause = {0, LOOK_NS};
        (void)nanosleep(&pause, NULL);
        for (right = 0; right < workers && is_right(right, usable);)
            right++;
    }
    GUEST_CHECK(right == workers, "%s: worker %u is not where it should be", when, right);
    changes++;
    memset(runs, 0, sizeof runs);
    for (int i = 0; i < TASKS; i++) {
        np_status status = np_submit_to_node(executor, nodes[(size_t)i % node_count], run_task,
                                             &runs[i]);
        GUEST_CHECK(status == NP_OK, "%s: task %d: %s", when, i, np_error_detail());
    }
    np_status status = np_executor_wait_idle(executor, NP_FOREVER);
    GUEST_CHECK(status == NP_OK, "%s: %s", when, np_error_detail());
    for (int i = 0; i < TASKS; i++)
        GUEST_CHECK(runs[i] == 1, "%s: task %d ran %d times", when, i, runs[i]);
}

static void cpuset(void)
{
    char list[16];
    bool usable[GUEST_MAX_CPUS] = {false};
    int only = -1;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++)
        only = shape->cpu_allowed[cpu] ? cpu : only;
    usable[only] = true;
    (void)snprintf(list, sizeof list, "%d", only);
    GUEST_CHECK(guest_own_cpuset(list), "the cpuset cannot be written");
    await(usable, "the cpuset shrunk");
    GUEST_CHECK(guest_drop_own_cpuset(), "the cpuset cannot be given back");
    await(shape->cpu_allowed, "the cpuset given back");
}

/* The last node's; where there is but one node, its last CPU. */
static void hotplug(void)
{
    bool usable[GUEST_MAX_CPUS], off[GUEST_MAX_CPUS] = {false};
    int victim = (int)nodes[node_count - 1], last = 0;
    memcpy(usable, shape->cpu_allowed, sizeof usable);
    for (int cpu = 1; cpu < shape->cpu_count; cpu++)
        last = shape->node_of_cpu[cpu] == victim && usable[cpu] ? cpu : last;
    for (int cpu = 1; cpu < shape->cpu_count; cpu++) {
        if (shape->node_of_cpu[cpu] != victim || !usable[cpu] || (node_count == 1 && cpu != last))
            continue;
        GUEST_CHECK(guest_set_cpu_online(cpu, false), "CPU %d cannot go offline", cpu);
        usable[cpu] = false;
        off[cpu] = true;
    }
    await(usable, "a node offline");
    for (int cpu = 1; cpu < shape->cpu_count; cpu++)
        GUEST_CHECK(!off[cpu] || guest_set_cpu_online(cpu, true), "CPU %d stays offline", cpu);
    await(shape->cpu_allowed, "the node back online");
}

int main(int count, char **arguments)
{
    long rounds = count > 1 ? strtol(arguments[1], NULL, 10) : 2;
    np_topology *topology = NULL;
    shape = guest_shape();
    np_status status = np_topology_discover(&topology);
    if (status == NP_OK)
        status = np_executor_create(topology,
                                    NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT,
                                                        .steal_policy = NP_STEAL_ANY,
                                                        .watch_changes = true),
                                    &executor);
    np_topology_destroy(topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail()))
        return guest_finish();
    node_count = np_executor_nodes(executor, nodes, GUEST_MAX_NODES);
    for (long round = 0; round < rounds; round++) {
        cpuset();
        hotplug();
    }
    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    printf("counted: change | changes that the watcher followed by itself | %ld\n", changes);
    return guest_finish();
}
