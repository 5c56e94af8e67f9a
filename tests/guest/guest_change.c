/*
 * Goal: the machine may change under a running executor and no task is lost, run twice or hangs.
 * While tasks flow to every node a CPU of each node that has two goes offline and comes back, and
 * then the cpuset shrinks to one CPU and is given back. Under LOCAL_ONLY the tasks stay at home as
 * long as the kernel leaves the workers' masks alone. Method: hotplug and cgroup files of the
 * kernel, counts of every task's runs.
 */
#include <numaperf/executor.h>

#include <inttypes.h>
#include <stdio.h>

#include "guest_check.h"

enum { TASKS = 200 };

static int runs[TASKS];
static int homes[TASKS];
static bool check_homes;

static void run_task(void *argument)
{
    size_t i = (size_t)((int *)argument - runs);
    int cpu, node;
    guest_getcpu(&cpu, &node);
    if (check_homes) {
        GUEST_CHECK(node == homes[i], "task of node %d on CPU %d of node %d", homes[i], cpu, node);
    }
    __atomic_fetch_add(&runs[i], 1, __ATOMIC_RELAXED);
}

static void submit_half(np_executor *executor, const np_node_id *nodes, size_t node_count, int half)
{
    for (int i = half * TASKS / 2; i < (half + 1) * TASKS / 2; i++) {
        homes[i] = nodes[(size_t)i % node_count];
        np_status status = np_submit_to_node(executor, homes[i], run_task, &runs[i]);
        GUEST_CHECK(status == NP_OK, "task %d: %s", i, np_error_detail());
    }
}

static void finish_round(np_executor *executor, const char *what)
{
    np_status status = np_executor_wait_idle(executor, NP_FOREVER);
    GUEST_CHECK(status == NP_OK, "%s: %s", what, np_error_detail());
    for (int i = 0; i < TASKS; i++) {
        GUEST_CHECK(runs[i] == 1, "%s: task %d ran %d times", what, i, runs[i]);
        runs[i] = 0;
    }
}

/* The last allowed CPU of every node that has two or more, but never CPU 0, which cannot go. */
static int set_online(const struct guest_shape *shape, bool online)
{
    int changed = 0;
    for (int node = 0; node < shape->node_count; node++) {
        int last = 0;
        for (int cpu = 1; cpu < shape->cpu_count; cpu++) {
            last = shape->node_of_cpu[cpu] == node && shape->cpu_allowed[cpu] ? cpu : last;
        }
        if (last > 0 && guest_allowed_cpus_of_node(shape, node) > 1) {
            GUEST_CHECK(guest_set_cpu_online(last, online), "CPU %d", last);
            changed++;
        }
    }
    return changed;
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    np_status status = np_topology_discover(&topology);
    if (status == NP_OK) {
        status = np_executor_create(topology,
                                    NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY,
                                                        .hard_mode = NP_HARD_MODE_STRICT),
                                    &executor);
    }
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        np_topology_destroy(topology);
        return guest_finish();
    }
    np_node_id nodes[GUEST_MAX_NODES];
    size_t node_count = np_executor_nodes(executor, nodes, GUEST_MAX_NODES);

    /* One CPU of a node gone: its workers' mask still holds the other, so its work stays at home.
     * Not so inside a cpuset: there the kernel answers hotplug by giving every thread the whole
     * cpuset. */
    check_homes = !shape->has_cpuset;
    submit_half(executor, nodes, node_count, 0);
    GUEST_CHECK(set_online(shape, false) > 0, "no CPU could go offline");
    submit_half(executor, nodes, node_count, 1);
    finish_round(executor, "a CPU of each node offline");
    submit_half(executor, nodes, node_count, 0);
    set_online(shape, true);
    submit_half(executor, nodes, node_count, 1);
    finish_round(executor, "the CPUs back online");

    /* One CPU left in all: the kernel moves every worker there, and the work must still be done. */
    check_homes = false;
    int only = -1;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        only = shape->cpu_allowed[cpu] ? cpu : only;
    }
    submit_half(executor, nodes, node_count, 0);
    GUEST_CHECK(guest_enter_cpuset(only), "cannot make a smaller cpuset");
    submit_half(executor, nodes, node_count, 1);
    finish_round(executor, "the cpuset shrunk");
    submit_half(executor, nodes, node_count, 0);
    GUEST_CHECK(guest_leave_cpuset(), "cannot go back");
    submit_half(executor, nodes, node_count, 1);
    finish_round(executor, "the cpuset given back");

    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    np_topology_destroy(topology);
    return guest_finish();
}
