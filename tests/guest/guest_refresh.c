/*
 * Goal: np_executor_refresh follows what a real kernel does to a process. While tasks flow to every
 * node, over and over, the cpuset shrinks to one CPU and is given back, and all CPUs of one node go
 * offline and come back. After each refresh every worker is bound to its node's usable CPUs by the
 * kernel's own word; a node without one is reported as gone, runs what may leave it elsewhere, and
 * runs no strict task until it is back; every task runs once; the report says that the binding has
 * drifted. Method: hotplug and cgroup files, counts of every task's runs. Argument: rounds.
 */
#include <numaperf.h>

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_check.h"

enum { TASKS = 120 };

struct job {
    int home;
    bool strict;
    int runs;
    bool away; /* it ran on another node than its home */
};

static struct job jobs[TASKS];
static const struct guest_shape *shape;
static np_executor *executor;
static np_node_id nodes[GUEST_MAX_NODES];
static size_t node_count;
static long changes;

static void run_job(void *argument)
{
    struct job *job = argument;
    int cpu, node;
    guest_getcpu(&cpu, &node);
    job->away = node != job->home;
    __atomic_fetch_add(&job->runs, 1, __ATOMIC_RELEASE);
}

static void submit(int first, int last)
{
    for (int i = first; i < last; i++) {
        jobs[i] = (struct job){.home = nodes[(size_t)i % node_count], .strict = i % 3 == 0};
        np_status status = np_submit_with(
            executor,
            NP_SUBMIT_OPTIONS(.to_node = true, .node = jobs[i].home,
                              .affinity = jobs[i].strict ? NP_AFFINITY_STRICT
                                                         : NP_AFFINITY_PREFERRED),
            run_job, &jobs[i]);
        GUEST_CHECK(status == NP_OK, "task %d: %s", i, np_error_detail());
    }
}

static bool is_gone(int node, const bool *usable)
{
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        if (shape->node_of_cpu[cpu] == node && usable[cpu])
            return false;
    }
    return true;
}

/* Every worker by the kernel's mask of its thread. */
static void check_workers(const bool *usable, const char *when)
{
    for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
        np_worker_info worker;
        bool mask[GUEST_MAX_CPUS];
        if (np_executor_worker_info(executor, i, &worker) != NP_OK ||
            guest_affinity((int)worker.thread, mask) <= 0) {
            GUEST_CHECK(false, "%s: worker %u cannot be asked", when, i);
            continue;
        }
        bool gone = is_gone((int)worker.node, usable);
        for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
            bool mine = usable[cpu] && shape->node_of_cpu[cpu] == (int)worker.node;
            GUEST_CHECK(gone ? !mask[cpu] || usable[cpu] : mask[cpu] == mine,
                        "%s: worker %u of node %d, CPU %d: %d", when, i, (int)worker.node, cpu,
                        mask[cpu]);
        }
        GUEST_CHECK((worker.binding.level == NP_ENFORCEMENT_STRICT) == !gone,
                    "%s: worker %u of node %d is bound %s", when, i, (int)worker.node,
                    np_enforcement_level_name(worker.binding.level));
    }
}

static void refresh(const bool *usable, const char *when)
{
    np_refresh_result result;
    uint32_t gone = 0;
    for (size_t i = 0; i < node_count; i++)
        gone += is_gone((int)nodes[i], usable);
    np_status status = np_executor_refresh(executor, &result);
    GUEST_CHECK(status == NP_OK, "%s: %s", when, np_error_detail());
    GUEST_CHECK(result.nodes_gone == gone, "%s: %u nodes gone, not %u", when, result.nodes_gone,
                gone);
    check_workers(usable, when);
    changes++;
}

/* Only some CPUs are usable: what may run, runs; what may not, has not. */
static void work_with_less(const bool *usable, const char *when)
{
    refresh(usable, when);
    submit(TASKS / 2, TASKS);
    for (int i = TASKS / 2; i < TASKS; i++) {
        bool waits = jobs[i].strict && is_gone(jobs[i].home, usable);
        while (!waits && __atomic_load_n(&jobs[i].runs, __ATOMIC_ACQUIRE) == 0)
            sched_yield();
    }
    for (int i = TASKS / 2; i < TASKS; i++) {
        if (!jobs[i].strict)
            continue;
        bool gone = is_gone(jobs[i].home, usable);
        int runs = __atomic_load_n(&jobs[i].runs, __ATOMIC_ACQUIRE);
        GUEST_CHECK(runs == (gone ? 0 : 1), "%s: strict task %d ran %d times", when, i, runs);
    }
}

static void work_with_all(const char *when)
{
    refresh(shape->cpu_allowed, when);
    np_status status = np_executor_wait_idle(executor, NP_FOREVER);
    GUEST_CHECK(status == NP_OK, "%s: %s", when, np_error_detail());
    for (int i = 0; i < TASKS; i++)
        GUEST_CHECK(jobs[i].runs == 1, "%s: task %d ran %d times", when, i, jobs[i].runs);
    /* Those submitted after a refresh: the kernel moved no thread since then. */
    for (int i = TASKS / 2; i < TASKS; i++)
        GUEST_CHECK(!jobs[i].strict || !jobs[i].away, "%s: strict task %d of node %d away", when, i,
                    jobs[i].home);
}

static void one_cpu_left(void)
{
    bool usable[GUEST_MAX_CPUS] = {false};
    int only = -1;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++)
        only = shape->cpu_allowed[cpu] ? cpu : only;
    usable[only] = true;
    submit(0, TASKS / 2);
    GUEST_CHECK(guest_enter_cpuset(only), "cannot make a smaller cpuset");
    work_with_less(usable, "the cpuset shrunk");
    GUEST_CHECK(guest_leave_cpuset(), "cannot go back");
    work_with_all("the cpuset given back");
}

/* The last node's; where there is but one node, its last CPU. */
static void node_offline(void)
{
    bool usable[GUEST_MAX_CPUS], off[GUEST_MAX_CPUS] = {false};
    int victim = (int)nodes[node_count - 1], last = 0;
    memcpy(usable, shape->cpu_allowed, sizeof usable);
    for (int cpu = 1; cpu < shape->cpu_count; cpu++)
        last = shape->node_of_cpu[cpu] == victim && usable[cpu] ? cpu : last;
    submit(0, TASKS / 2);
    for (int cpu = 1; cpu < shape->cpu_count; cpu++) {
        if (shape->node_of_cpu[cpu] != victim || !usable[cpu] || (node_count == 1 && cpu != last))
            continue;
        GUEST_CHECK(guest_set_cpu_online(cpu, false), "CPU %d cannot go offline", cpu);
        usable[cpu] = false;
        off[cpu] = true;
    }
    work_with_less(usable, "a node offline");
    for (int cpu = 1; cpu < shape->cpu_count; cpu++)
        GUEST_CHECK(!off[cpu] || guest_set_cpu_online(cpu, true), "CPU %d stays offline", cpu);
    work_with_all("the node back online");
}

static void check_report(void)
{
    static char text[16384];
    np_stats *stats = NULL;
    np_status status = np_stats_snapshot(executor, &stats);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    (void)np_report_text(stats, NULL, text, sizeof text);
    /* With one node the kernel's masks are right without any help. */
    if (node_count > 1) {
        GUEST_CHECK(strstr(text, "binding   drifted") != NULL, "the report is silent:\n%s", text);
        GUEST_CHECK(np_stats_total(stats, NP_COUNTER_REBOUND) > 0, "nobody was bound anew");
        GUEST_CHECK(np_stats_total(stats, NP_COUNTER_DISPLACED) > 0, "nothing was displaced");
    }
    np_stats_destroy(stats);
}

int main(int count, char **arguments)
{
    long rounds = count > 1 ? strtol(arguments[1], NULL, 10) : 3;
    np_topology *topology = NULL;
    shape = guest_shape();
    np_status status = np_topology_discover(&topology);
    if (status == NP_OK)
        status = np_executor_create(topology, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT),
                                    &executor);
    np_topology_destroy(topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail()))
        return guest_finish();
    node_count = np_executor_nodes(executor, nodes, GUEST_MAX_NODES);
    for (long round = 0; round < rounds; round++) {
        one_cpu_left();
        node_offline();
    }
    check_report();
    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    printf("counted: change | refreshes after a kernel's cpuset and hotplug changes | %ld\n",
           changes);
    return guest_finish();
}
