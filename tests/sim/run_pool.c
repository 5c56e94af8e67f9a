/*
 * run_pool.c - the whole life of a small pool, on two nodes: created, two outside threads submit to
 * it in every way, one waits until it is idle, and it is shut down.
 *
 * Goal: nothing is lost, doubled or stranded on any schedule and with any fault that is no error.
 * Method: every task leaves a mark; the marks and the executor's counters must add up.
 */
#include "base/atomic.h"
#include "sim.h"

#define SUBMITTERS 2u
#define EACH       6u

typedef struct world {
    np_executor *executor;
    np_node_id nodes[2];
    uint32_t ran[SUBMITTERS][EACH];
    uint32_t ran_from_task;
} world;

typedef struct mark {
    world *w;
    uint32_t submitter, task;
} mark;

typedef struct submitter {
    world *w;
    uint32_t id;
    mark marks[EACH]; /* of tasks whose argument is not copied */
} submitter;

static void task_from_task(void *argument)
{
    world *w = argument;
    w->ran_from_task++;
}

static void task(void *argument)
{
    mark *m = argument;
    sim_label("task # of submitter #", m->task, m->submitter);
    m->w->ran[m->submitter][m->task]++;
    if (m->task == 1)
        sim_check_ok(np_submit(m->w->executor, task_from_task, m->w));
}

static void submit_all(void *argument)
{
    submitter *s = argument;
    world *w = s->w;
    for (uint32_t i = 0; i < EACH; i++) {
        mark m = {w, s->id, i};
        np_node_id node = w->nodes[(i + s->id) % 2];
        sim_label("submits task #", i);
        if (i % 3 == 0) {
            sim_check_ok(np_submit_copy_to_node(w->executor, node, task, &m, sizeof m));
            continue;
        }
        np_submit_options options = {.size = sizeof options,
                                     .to_node = true,
                                     .node = node,
                                     .affinity = (np_task_affinity)(i % 3)};
        s->marks[i] = m;
        sim_check_ok(np_submit_with(w->executor, &options, task, &s->marks[i]));
    }
}

static void scenario(void *argument)
{
    (void)argument;
    world w = {0};
    np_topology *topology = sim_topology();
    w.nodes[0] = np_topology_node_id(topology, 0);
    w.nodes[1] = np_topology_node_id(topology, 1);
    np_executor_options options = {.size = sizeof options};
    sim_check_ok(np_executor_create(topology, &options, &w.executor));
    np_topology_destroy(topology);

    submitter submitters[SUBMITTERS];
    sim_thread *threads[SUBMITTERS];
    for (uint32_t i = 0; i < SUBMITTERS; i++) {
        submitters[i] = (submitter){.w = &w, .id = i};
        threads[i] = sim_thread_start(i == 0 ? "outside 0" : "outside 1", submit_all,
                                      &submitters[i]);
    }
    for (uint32_t i = 0; i < SUBMITTERS; i++)
        sim_thread_join(threads[i]);
    sim_check_ok(np_executor_wait_idle(w.executor, NP_FOREVER));
    for (uint32_t i = 0; i < SUBMITTERS; i++)
        for (uint32_t j = 0; j < EACH; j++)
            sim_check(w.ran[i][j] == 1, "task # of submitter # ran # times", j, i, w.ran[i][j]);
    sim_check(w.ran_from_task == SUBMITTERS, "# tasks of tasks ran", w.ran_from_task);

    np_executor_load load;
    sim_check_ok(np_executor_shutdown(w.executor));
    sim_check_ok(np_executor_load_now(w.executor, &load));
    uint64_t all = SUBMITTERS * EACH + SUBMITTERS;
    sim_check(load.accepted == all && load.executed == all, "accepted #, executed #", load.accepted,
              load.executed);
    sim_check(load.queued == 0 && load.running == 0 && load.discarded == 0,
              "queued #, running #, discarded #", load.queued, load.running, load.discarded);
    sim_check_ok(np_executor_destroy(w.executor));
}

int main(int argc, char **argv)
{
    static const sim_case cases[] = {
        {.name = "pool",
         .scenario = scenario,
         .config = {.machine = "numa:2 core:2 pu:1", .may_be_timed = true}},
        {.name = "pool with faults",
         .scenario = scenario,
         .config = {.machine = "numa:2 core:2 pu:1",
                    .may_be_timed = true,
                    .faults = SIM_HARMLESS_FAULTS}},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
