/*
 * run_park.c - work that meets workers on their way to sleep, again and again.
 *
 * Goal: no wake-up is lost, for any source of work and with stores that stay in their buffers.
 * Method: workers park at once or after a short search; one task is brought in at a time, and who
 * brought it waits for it. A lost wake-up is then a deadlock, which the machine reports.
 */
#include "base/atomic.h"
#include "sim.h"

#define ROUNDS 5u

typedef enum way { BY_NODE, BY_STRICT, BY_ANY, BY_TASK, BY_FORK, BY_BATCH, WAYS } way;

typedef struct world {
    np_executor *executor;
    np_group *group;
    np_node_id nodes[2];
    uint32_t node_count;
    uint32_t ran;
} world;

static void count(void *argument)
{
    world *w = argument;
    w->ran++;
}

static void submits_one(void *argument)
{
    world *w = argument;
    np_submit_options options = {
        .size = sizeof options, .to_node = true, .node = w->nodes[w->node_count - 1]};
    options.group = w->group;
    sim_check_ok(np_submit_with(w->executor, &options, count, w));
    w->ran++;
}

static void forks_one(void *argument)
{
    world *w = argument;
    np_fork(count, w);
    sim_work(2000); /* long enough for a thief */
    np_join();
    w->ran++;
}

/* How many tasks there are then. */
static uint32_t bring(world *w, way how)
{
    np_submit_options options = {.size = sizeof options, .to_node = true, .group = w->group};
    options.node = w->nodes[sim_random(w->node_count)];
    np_task tasks[2] = {{count, w}, {count, w}};
    switch (how) {
    case BY_STRICT: options.affinity = NP_AFFINITY_STRICT; break;
    case BY_ANY: options.affinity = NP_AFFINITY_ANY; break;
    case BY_TASK: sim_check_ok(np_submit_with(w->executor, &options, submits_one, w)); return 2;
    case BY_FORK: sim_check_ok(np_submit_with(w->executor, &options, forks_one, w)); return 2;
    case BY_BATCH:
        sim_check_ok(np_submit_batch(w->executor, options.node, tasks, 2, NULL));
        sim_check_ok(np_executor_wait_idle(w->executor, NP_FOREVER));
        return 2;
    case BY_NODE:
    case WAYS: break;
    }
    sim_check_ok(np_submit_with(w->executor, &options, count, w));
    return 1;
}

static void scenario(void *argument)
{
    const np_executor_options *options = argument;
    world w = {0};
    np_topology *topology = sim_topology();
    w.node_count = np_topology_node_count(topology);
    for (uint32_t i = 0; i < w.node_count; i++)
        w.nodes[i] = np_topology_node_id(topology, i);
    sim_check_ok(np_executor_create(topology, options, &w.executor));
    np_topology_destroy(topology);
    sim_check_ok(np_group_create(NULL, &w.group));
    uint32_t expected = 0;
    for (uint32_t i = 0; i < ROUNDS; i++) {
        way how = (way)sim_random(WAYS);
        sim_label("round #, way #", i, how);
        expected += bring(&w, how);
        sim_check_ok(np_group_wait(w.group));
        sim_check(w.ran == expected, "# tasks ran of #", w.ran, expected);
        if (sim_random(2) == 0)
            sim_work(sim_random(30000)); /* they fall asleep meanwhile */
    }
    sim_check_ok(np_group_destroy(w.group));
    sim_check_ok(np_executor_destroy(w.executor));
}

/* --- in order ------------------------------------------------------------------------------------
 */

typedef struct short_story {
    np_executor_options options;
    way how;
} short_story;

/* The worker has just run something and is on its way to sleep when the next task comes. */
static void tell(void *argument)
{
    const short_story *story = argument;
    world w = {.node_count = 1};
    np_topology *topology = sim_topology();
    w.nodes[0] = np_topology_node_id(topology, 0);
    sim_check_ok(np_executor_create(topology, &story->options, &w.executor));
    np_topology_destroy(topology);
    sim_check_ok(np_group_create(NULL, &w.group));
    uint32_t expected = bring(&w, BY_NODE);
    sim_explore_from();
    sim_check_ok(np_group_wait(w.group));
    expected += bring(&w, story->how);
    sim_check_ok(np_group_wait(w.group));
    sim_explore_to();
    sim_check(w.ran == expected, "# tasks ran of #", w.ran, expected);
    sim_check_ok(np_group_destroy(w.group));
    sim_check_ok(np_executor_destroy(w.executor));
}

#define OPTIONS(...) (&(np_executor_options){.size = sizeof(np_executor_options), __VA_ARGS__})

int main(int argc, char **argv)
{
    short_story stories[] = {
        {{.size = sizeof(np_executor_options), .spin_ns = NP_SPIN_NONE}, BY_NODE},
        {{.size = sizeof(np_executor_options), .spin_ns = NP_SPIN_NONE}, BY_TASK},
        {{.size = sizeof(np_executor_options), .spin_ns = NP_SPIN_NONE}, BY_FORK},
    };
    const sim_case cases[] = {
        {.name = "submit to one who goes to sleep",
         .scenario = tell,
         .argument = &stories[0],
         .share = 500,
         .config = {.machine = "numa:1 core:1 pu:1",
                    .schedule = SIM_EXPLORE,
                    .store_buffers = true,
                    .explore_deviations = 2}},
        {.name = "submit to one who goes to sleep, three deviations",
         .scenario = tell,
         .argument = &stories[0],
         .config = {.machine = "numa:1 core:1 pu:1",
                    .schedule = SIM_EXPLORE,
                    .store_buffers = true,
                    .explore_deviations = 3}},
        {.name = "a task submits with two workers",
         .share = 50,
         .scenario = tell,
         .argument = &stories[1],
         .config = {.machine = "numa:1 core:2 pu:1",
                    .schedule = SIM_EXPLORE,
                    .store_buffers = true}},
        {.name = "a task forks with two workers",
         .share = 200,
         .scenario = tell,
         .argument = &stories[2],
         .config = {.machine = "numa:1 core:2 pu:1",
                    .schedule = SIM_EXPLORE,
                    .store_buffers = true}},
        {.name = "one worker",
         .scenario = scenario,
         .argument = OPTIONS(.spin_ns = NP_SPIN_NONE),
         .config = {.machine = "numa:1 core:1 pu:1"}},
        {.name = "two nodes",
         .scenario = scenario,
         .argument = OPTIONS(.spin_ns = NP_SPIN_NONE),
         .config = {.machine = "numa:2 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
        {.name = "two nodes that look before they sleep",
         .scenario = scenario,
         .argument = OPTIONS(.steal_policy = NP_STEAL_ANY),
         .config = {.machine = "numa:2 core:2 pu:1",
                    .may_be_timed = true,
                    .faults = SIM_HARMLESS_FAULTS}},
        {.name = "local only",
         .scenario = scenario,
         .argument = OPTIONS(.spin_ns = NP_SPIN_NONE, .steal_policy = NP_STEAL_LOCAL_ONLY),
         .config = {.machine = "numa:2 core:2 pu:1"}},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
