/*
 * run_faults.c - a pool on a system that refuses: no thread, no memory, no mapping, no placement,
 * no binding, at any time and again and again.
 *
 * Goal: every call says so and leaves nothing behind (the machine counts what is left); what was
 * accepted is done; what could be created works. Method: the same calls as in a good life, each
 * allowed to fail with a status and a detail, with the counters compared at the end.
 */
#include <string.h>

#include "base/atomic.h"
#include "sim.h"

#define TASKS 8u

typedef struct world {
    np_executor *executor;
    np_group *group;
    np_node_id nodes[2];
    uint32_t accepted; /* from outside */
    uint32_t accepted_inside;
    uint32_t ran, children;
} world;

static bool good(np_status status)
{
    if (status == NP_OK)
        return true;
    sim_check(np_error_detail()[0] != '\0', "status # without a detail", (uint64_t)status);
    sim_label("refused: status #", (uint64_t)status);
    return false;
}

static void leaf(void *argument)
{
    world *w = argument;
    w->ran++;
}

static void child(void *argument)
{
    world *w = argument;
    w->children++;
}

static void blocks(void *argument)
{
    world *w = argument;
    w->ran++;
    if (good(np_blocking_begin())) { /* may need a new thread */
        sim_work(3000);
        np_blocking_end();
    }
}

static void branch(void *argument)
{
    world *w = argument;
    w->ran++;
    np_fork(child, w);
    np_fork(child, w);
    if (good(np_submit(w->executor, leaf, w)))
        w->accepted_inside++;
    np_join();
    np_join();
}

static void submit_all(void *argument)
{
    static const np_task_fn fns[] = {leaf, branch, blocks};
    world *w = argument;
    for (uint32_t i = 0; i < TASKS; i++) {
        np_submit_options options = {.size = sizeof options,
                                     .to_node = true,
                                     .node = w->nodes[i % 2],
                                     .affinity = (np_task_affinity)(i % 3),
                                     .group = w->group};
        if (good(np_submit_with(w->executor, &options, fns[i % 3], w)))
            w->accepted++;
    }
}

static void use(world *w, const np_topology *topology)
{
    w->nodes[0] = np_topology_node_id(topology, 0);
    w->nodes[1] = np_topology_node_id(topology, 1);
    if (!good(np_group_create(NULL, &w->group)))
        w->group = NULL;
    sim_thread *thread = sim_thread_start("outside", submit_all, w);
    sim_thread_join(thread);
    if (w->group != NULL)
        sim_check_ok(np_group_wait(w->group));
    sim_check_ok(np_executor_wait_idle(w->executor, NP_FOREVER));
    uint32_t all = w->accepted + w->accepted_inside;
    sim_check(w->ran == all, "# of # accepted tasks ran", w->ran, all);

    np_executor_load load;
    sim_check_ok(np_executor_load_now(w->executor, &load));
    sim_check(load.accepted == all && load.executed == all && load.queued == 0,
              "accepted #, executed #, queued #", load.accepted, load.executed, load.queued);
    np_stats *stats = NULL;
    if (good(np_stats_snapshot(w->executor, &stats)))
        np_stats_destroy(stats);
    if (w->group != NULL)
        sim_check_ok(np_group_destroy(w->group));
}

static void scenario(void *argument)
{
    const np_executor_options *options = argument;
    world w;
    memset(&w, 0, sizeof w);
    sim_faults_on(false);
    np_topology *topology = sim_topology();
    sim_faults_on(true);
    np_status status = np_executor_create(topology, options, &w.executor);
    if (good(status)) {
        use(&w, topology);
        sim_check_ok(np_executor_destroy(w.executor));
    } else {
        sim_check(w.executor == NULL, "a handle of what was not created");
    }
    np_topology_destroy(topology);
}

#define OPTIONS(...) (&(np_executor_options){.size = sizeof(np_executor_options), __VA_ARGS__})

int main(int argc, char **argv)
{
    /* Rare enough that creation, some 60 occasions, often gets through. */
    static const sim_faults all = {.spurious_wakes = 10,
                                   .delayed_wakes = 10,
                                   .preemptions = 80,
                                   .threads = 25,
                                   .late_threads = 6,
                                   .allocations = 60,
                                   .mappings = 60,
                                   .placements = 8,
                                   .affinity = 8};
    static const sim_faults memory = {.allocations = 40, .mappings = 40};
    static const sim_faults threads = {.threads = 8, .late_threads = 3};
    const sim_case cases[] = {
        {.name = "everything refuses",
         .scenario = scenario,
         .argument = OPTIONS(.spare_workers = 2),
         .config = {.machine = "numa:2 core:2 pu:1", .faults = all}},
        {.name = "no memory",
         .scenario = scenario,
         .argument = OPTIONS(.binding = NP_BINDING_CPU),
         .config = {.machine = "numa:2 core:2 pu:1", .faults = memory}},
        {.name = "no threads",
         .scenario = scenario,
         .argument = OPTIONS(.spare_workers = 3),
         .config = {.machine = "numa:2 core:3 pu:1", .faults = threads}},
        {.name = "hard mode",
         .scenario = scenario,
         .argument = OPTIONS(.hard_mode = NP_HARD_MODE_STRICT),
         .config = {.machine = "numa:2 core:2 pu:1",
                    .faults = {.affinity = 12, .placements = 12, .threads = 30}}},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
