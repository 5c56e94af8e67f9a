/*
 * Goal: work that may not leave its node does not. Every task under LOCAL_ONLY, and every strict
 * task under the other policies with all that it submits and forks, runs on its home node, also
 * while a shutdown drains, and all work sits on one node so that the other nodes are eager to
 * steal. Every task runs exactly once, and the library's matrix is the kernel's. Method: each task
 * asks getcpu.
 */
#include <numaperf/group.h>
#include <numaperf/stats.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest_check.h"

enum { TASKS = 300, CHILDREN = 2 };

struct job {
    np_executor *executor;
    np_task_affinity affinity;
    int home;
    bool may_leave;
    int runs;
    int child_runs;
};

/* Written by every worker with atomic adds; read when the executor has shut down. */
static uint64_t ran_on[GUEST_MAX_NODES][GUEST_MAX_NODES];

static void look(const struct job *job, const char *what)
{
    int cpu, node;
    guest_getcpu(&cpu, &node);
    if (!job->may_leave) {
        GUEST_CHECK(node == job->home, "%s of node %d runs on CPU %d of node %d", what, job->home,
                    cpu, node);
        GUEST_CHECK(np_current_node() == job->home, "told node %" PRId32, np_current_node());
    }
    GUEST_CHECK(np_current_node() == node, "told node %" PRId32 ", getcpu says %d",
                np_current_node(), node);
}

static void count(int home)
{
    int cpu, node;
    guest_getcpu(&cpu, &node);
    __atomic_fetch_add(&ran_on[home][node], 1, __ATOMIC_RELAXED);
}

static void run_forked(void *argument)
{
    struct job *job = argument;
    look(job, "forked child");
    __atomic_fetch_add(&job->child_runs, 1, __ATOMIC_RELAXED);
}

static void run_submitted(void *argument)
{
    struct job *job = argument;
    look(job, "submitted child");
    count(job->home);
    GUEST_CHECK(np_current_home() == job->home, "home is told as %" PRId32, np_current_home());
    __atomic_fetch_add(&job->child_runs, 1, __ATOMIC_RELAXED);
}

static void run_job(void *argument)
{
    struct job *job = argument;
    look(job, "task");
    count(job->home);
    GUEST_CHECK(np_current_home() == job->home, "home is told as %" PRId32, np_current_home());
    np_fork(run_forked, job);
    np_status status = np_submit_with(
        job->executor,
        NP_SUBMIT_OPTIONS(.to_node = true, .node = job->home, .affinity = job->affinity),
        run_submitted, job);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    np_join();
    look(job, "task after its join");
    __atomic_fetch_add(&job->runs, 1, __ATOMIC_RELAXED);
}

static struct job jobs[TASKS];

static void check_round(const struct guest_shape *shape, const np_topology *topology,
                        np_steal_policy policy, np_task_affinity affinity, int only_node)
{
    np_executor *executor = NULL;
    np_status status = np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.steal_policy = policy, .hard_mode = NP_HARD_MODE_STRICT),
        &executor);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    memset(ran_on, 0, sizeof ran_on);
    np_node_id nodes[GUEST_MAX_NODES];
    size_t node_count = np_executor_nodes(executor, nodes, GUEST_MAX_NODES);
    for (size_t i = 0; i < TASKS; i++) {
        jobs[i] = (struct job){
            .executor = executor,
            .affinity = affinity,
            .home = only_node >= 0 ? only_node : nodes[i % node_count],
            .may_leave = policy != NP_STEAL_LOCAL_ONLY && affinity != NP_AFFINITY_STRICT,
        };
        status = np_submit_with(
            executor,
            NP_SUBMIT_OPTIONS(.to_node = true, .node = jobs[i].home, .affinity = affinity), run_job,
            &jobs[i]);
        GUEST_CHECK(status == NP_OK, "task %zu: %s", i, np_error_detail());
    }
    /* Most of it is still queued: the rest runs while the executor drains. */
    status = np_executor_shutdown(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    for (int i = 0; i < TASKS; i++) {
        GUEST_CHECK(jobs[i].runs == 1 && jobs[i].child_runs == CHILDREN,
                    "task %d ran %d times, "
                    "its children %d times",
                    i, jobs[i].runs, jobs[i].child_runs);
    }
    np_stats *stats = NULL;
    status = np_stats_snapshot(executor, &stats);
    if (GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        for (int home = 0; home < shape->node_count; home++) {
            for (int ran = 0; ran < shape->node_count; ran++) {
                uint64_t told = np_stats_matrix(stats, home, ran);
                GUEST_CHECK(told == ran_on[home][ran],
                            "from %d on %d: told %" PRIu64 ", getcpu %" PRIu64, home, ran, told,
                            ran_on[home][ran]);
            }
        }
    }
    np_stats_destroy(stats);
    np_executor_load load;
    status = np_executor_load_now(executor, &load);
    GUEST_CHECK(status == NP_OK && load.accepted == 2 * TASKS && load.executed == 2 * TASKS &&
                    load.queued == 0 && load.running == 0 && load.discarded == 0,
                "accepted %" PRIu64 " executed %" PRIu64, load.accepted, load.executed);
    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    static const np_steal_policy policies[] = {
        NP_STEAL_LOCAL_ONLY, NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_STEAL_ANY};
    for (size_t i = 0; i < sizeof policies / sizeof *policies; i++) {
        for (int affinity = NP_AFFINITY_PREFERRED; affinity <= NP_AFFINITY_ANY; affinity++) {
            check_round(shape, topology, policies[i], (np_task_affinity)affinity, -1);
            check_round(shape, topology, policies[i], (np_task_affinity)affinity,
                        guest_nearest_cpu_node(shape, 0));
        }
    }
    np_topology_destroy(topology);
    return guest_finish();
}
