/*
 * Goal: an executor's workers are where it says. Exactly the nodes with usable CPUs have workers,
 * each worker's mask in the kernel is the one the library tells, strict creation fails when a
 * worker could not be pinned (the cpuset shrinks between discovery and creation) and leaves no
 * thread behind, and soft creation says for each worker what it lacks. Method: read every thread's
 * mask back with sched_getaffinity and count the threads of this process in /proc.
 */
#include <numaperf/executor.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "guest_check.h"

static int thread_count(void)
{
    DIR *directory = opendir("/proc/self/task");
    if (directory == NULL) {
        return -1;
    }
    int count = 0;
    for (struct dirent *entry = readdir(directory); entry != NULL; entry = readdir(directory)) {
        count += entry->d_name[0] != '.';
    }
    closedir(directory);
    return count;
}

/* A joined thread may stand in /proc for a moment after the join returned: its exit is over when
 * the kernel says so, and this waits for that, not for a time. */
static void check_only_main_thread_left(const char *when)
{
    int count = thread_count();
    for (int tries = 0; count != 1 && tries < 100000; tries++) {
        count = thread_count();
    }
    GUEST_CHECK(count == 1, "%s: %d threads", when, count);
}

static void check_name(const np_worker_info *info)
{
    char path[64], name[64] = "";
    snprintf(path, sizeof path, "/proc/self/task/%" PRIu64 "/comm", info->thread);
    if (GUEST_CHECK(guest_read_file(path, name, sizeof name), "%s", path)) {
        name[strcspn(name, "\n")] = '\0';
        GUEST_CHECK(strcmp(name, info->name) == 0, "named %s, told %s", name, info->name);
    }
}

/* One worker: the kernel's mask is the node's allowed CPUs, or one of them. */
static void check_worker(const struct guest_shape *shape, const np_executor *executor,
                         uint32_t index, np_binding binding)
{
    np_worker_info info;
    np_status status = np_executor_worker_info(executor, index, &info);
    if (!GUEST_CHECK(status == NP_OK, "worker %" PRIu32 ": %s", index, np_error_detail())) {
        return;
    }
    GUEST_CHECK(info.binding.level == NP_ENFORCEMENT_STRICT, "worker %" PRIu32 ": %s", index,
                np_reason_text(info.binding.reason));
    bool mask[GUEST_MAX_CPUS] = {false};
    int count = guest_affinity((int)info.thread, mask);
    GUEST_CHECK(count > 0, "thread %" PRIu64 ": %d", info.thread, count);
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        bool of_node = shape->cpu_allowed[cpu] && shape->node_of_cpu[cpu] == info.node;
        bool expected = binding == NP_BINDING_CPU ? info.cpu == cpu && of_node : of_node;
        GUEST_CHECK(mask[cpu] == expected, "worker %" PRIu32 " of node %" PRId32 ": CPU %d", index,
                    info.node, cpu);
        GUEST_CHECK(np_cpu_set_contains(&info.cpus, cpu) == mask[cpu],
                    "worker %" PRIu32 ": told mask, CPU %d", index, cpu);
    }
    check_name(&info);
}

/* Which nodes have workers, and how many; the number in all. One for each usable CPU of the node,
 * unless a CPU quota lowers that: then at least one for each node, and no more than the quota. */
static uint32_t check_counts(const struct guest_shape *shape, const np_executor *executor)
{
    np_node_id nodes[GUEST_MAX_NODES];
    size_t node_count = np_executor_nodes(executor, nodes, GUEST_MAX_NODES);
    size_t seen = 0;
    uint32_t workers = 0;
    for (int node = 0; node < shape->node_count; node++) {
        uint32_t cpus = (uint32_t)guest_allowed_cpus_of_node(shape, node);
        uint32_t here = np_executor_node_worker_count(executor, node);
        bool lowered = shape->cpu_quota > 0 && here >= 1 && here < cpus;
        GUEST_CHECK(here == cpus || lowered, "node %d has %" PRIu32 " workers for %" PRIu32 " CPUs",
                    node, here, cpus);
        workers += here;
        if (cpus > 0) {
            GUEST_CHECK(seen < node_count && nodes[seen] == node, "node %d is not listed", node);
            seen++;
        }
    }
    GUEST_CHECK(seen == node_count, "%zu nodes, expected %zu", node_count, seen);
    GUEST_CHECK(np_executor_worker_count(executor) == workers, "%" PRIu32 " workers",
                np_executor_worker_count(executor));
    GUEST_CHECK(thread_count() == (int)workers + 1, "%d threads for %" PRIu32 " workers",
                thread_count(), workers);
    uint32_t quota = (uint32_t)(shape->cpu_quota + 999) / 1000;
    uint32_t most = quota > node_count ? quota : (uint32_t)node_count;
    GUEST_CHECK(shape->cpu_quota == 0 || workers <= most, "%" PRIu32 " workers with a quota of %d",
                workers, shape->cpu_quota);
    return workers;
}

static void check_strict(const struct guest_shape *shape, const np_topology *topology,
                         np_binding binding)
{
    np_executor *executor = NULL;
    np_status status = np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .binding = binding),
        &executor);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_binding_name(binding), np_error_detail())) {
        return;
    }
    uint32_t workers = check_counts(shape, executor);
    int uses[GUEST_MAX_CPUS] = {0};
    for (uint32_t index = 0; index < workers; index++) {
        check_worker(shape, executor, index, binding);
        np_worker_info info;
        if (binding == NP_BINDING_CPU && np_executor_worker_info(executor, index, &info) == NP_OK &&
            info.cpu >= 0 && info.cpu < GUEST_MAX_CPUS) {
            uses[info.cpu]++;
        }
    }
    for (int cpu = 0; cpu < shape->cpu_count && binding == NP_BINDING_CPU; cpu++) {
        GUEST_CHECK(uses[cpu] == shape->cpu_allowed[cpu] ||
                        (shape->cpu_quota > 0 && uses[cpu] < shape->cpu_allowed[cpu]),
                    "CPU %d has %d workers", cpu, uses[cpu]);
    }
    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    check_only_main_thread_left("after destroy");
}

static void nothing(void *argument)
{
    (void)argument;
}

/* Nodes that cannot have workers: submitting there and asking for workers there are errors. */
static void check_nodes_without_workers(const struct guest_shape *shape,
                                        const np_topology *topology)
{
    np_executor *executor = NULL;
    np_status status = np_executor_create(topology, NULL, &executor);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    for (int node = 0; node < shape->node_count; node++) {
        if (guest_allowed_cpus_of_node(shape, node) > 0) {
            continue;
        }
        np_status expected = shape->node_allowed[node] ? NP_ERR_NODE_HAS_NO_WORKER
                                                       : NP_ERR_INVALID_NODE;
        status = np_submit_to_node(executor, node, nothing, NULL);
        GUEST_CHECK(status == expected, "submit to node %d: %s", node, np_status_name(status));
        np_executor *other = NULL;
        np_node_workers wish = {.node = node, .workers = 1};
        status = np_executor_create(
            topology, NP_EXECUTOR_OPTIONS(.node_workers = &wish, .node_workers_count = 1), &other);
        GUEST_CHECK(status == expected && other == NULL, "workers on node %d: %s", node,
                    np_status_name(status));
        np_executor_destroy(other);
    }
    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
}

/* Shrinks what this process may use to one CPU, behind the topology's back: some worker cannot
 * get the mask it was promised. */
static void check_shrunk_cpuset(const struct guest_shape *shape, const np_topology *topology)
{
    int only = -1;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        only = shape->cpu_allowed[cpu] ? cpu : only;
    }
    if (!GUEST_CHECK(guest_enter_cpuset(only), "cannot make a smaller cpuset")) {
        return;
    }
    for (np_binding binding = NP_BINDING_NODE; binding <= NP_BINDING_CPU; binding++) {
        np_executor *executor = NULL;
        np_status status = np_executor_create(
            topology, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .binding = binding),
            &executor);
        GUEST_CHECK(status == NP_ERR_HARD_MODE && executor == NULL, "%s: %s",
                    np_binding_name(binding), np_status_name(status));
        printf("strict, as it must: %s\n", np_error_detail());
        GUEST_CHECK(strstr(np_error_detail(), "node") != NULL, "the detail names no node: %s",
                    np_error_detail());
        np_executor_destroy(executor);
        check_only_main_thread_left("after a failed create");

        status = np_executor_create(topology, NP_EXECUTOR_OPTIONS(.binding = binding), &executor);
        if (!GUEST_CHECK(status == NP_OK, "soft: %s", np_error_detail())) {
            continue;
        }
        uint32_t weaker = 0;
        for (uint32_t index = 0; index < np_executor_worker_count(executor); index++) {
            np_worker_info info;
            status = np_executor_worker_info(executor, index, &info);
            GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
            bool mask[GUEST_MAX_CPUS] = {false};
            int count = guest_affinity((int)info.thread, mask);
            GUEST_CHECK(count == 1 && mask[only], "worker %" PRIu32 " may run elsewhere", index);
            bool exact = binding == NP_BINDING_CPU
                             ? info.cpu == only
                             : info.node == shape->node_of_cpu[only] &&
                                   guest_allowed_cpus_of_node(shape, info.node) == 1;
            GUEST_CHECK((info.binding.level == NP_ENFORCEMENT_STRICT) == exact,
                        "worker %" PRIu32 " of node %" PRId32 ": %s, %s", index, info.node,
                        np_enforcement_level_name(info.binding.level),
                        np_reason_text(info.binding.reason));
            weaker += info.binding.reason != NP_REASON_NONE;
        }
        GUEST_CHECK(weaker > 0, "no worker says that it is not bound as asked");
        status = np_executor_destroy(executor);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    }
    GUEST_CHECK(guest_leave_cpuset(), "cannot go back");
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    check_strict(shape, topology, NP_BINDING_NODE);
    check_strict(shape, topology, NP_BINDING_CPU);
    check_nodes_without_workers(shape, topology);
    check_shrunk_cpuset(shape, topology);
    np_topology_destroy(topology);
    return guest_finish();
}
