/*
 * run_refresh.c - the CPUs that may be used change, again and again, while work comes in.
 *
 * Goal: on every schedule each accepted task ends once, strict tasks run on their home or are
 * handed back because it is gone, what may run elsewhere runs although its node has lost its CPUs,
 * and a node that is back works again. Method: one thread takes CPUs away and gives them back and
 * refreshes, others submit; every task leaves a mark with where it ran.
 */
#include <string.h>

#include "base/atomic.h"
#include "sim.h"

#define NODES   3u
#define CPUS    6u /* two on each node */
#define TASKS   10u
#define CHANGES 4u

typedef struct world {
    np_executor *executor;
    np_node_id nodes[NODES];
    uint32_t accepted, ran, discarded;
} world;

typedef struct mark {
    world *w;
    np_node_id home;
    uint32_t affinity;
} mark;

static void task(void *argument)
{
    const mark *m = argument;
    m->w->ran++;
    /* By its workers. Where their threads are is the kernel's business until the next refresh. */
    np_worker_info info;
    sim_check_ok(np_executor_worker_info(m->w->executor, np_current_worker_index(), &info));
    sim_check(m->affinity != NP_AFFINITY_STRICT || info.node == m->home,
              "a strict task of node # is run by a worker of node #", (uint64_t)m->home,
              (uint64_t)info.node);
    if (sim_random(4) == 0)
        sim_work(5000);
}

static void discarded(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    world *w = context;
    const mark *m = argument;
    sim_check(fn == task && reason == NP_DISCARD_NODE_GONE, "discarded because of #", reason);
    sim_check(m->affinity == NP_AFFINITY_STRICT, "a task that may leave was handed back");
    w->discarded++;
}

static void submit_all(void *argument)
{
    world *w = argument;
    for (uint32_t i = 0; i < TASKS; i++) {
        mark m = {w, w->nodes[sim_random(NODES)], (uint32_t)sim_random(3)};
        np_submit_options options = {.size = sizeof options,
                                     .to_node = true,
                                     .node = m.home,
                                     .affinity = (np_task_affinity)m.affinity,
                                     .copy_bytes = sizeof m};
        sim_check_ok(np_submit_with(w->executor, &options, task, &m));
        w->accepted++;
        if (sim_random(3) == 0)
            sim_work(sim_random(20000));
    }
}

static void refresh(world *w)
{
    np_refresh_result result;
    sim_check_ok(np_executor_refresh(w->executor, &result));
    sim_label("refresh: # bound anew, # nodes gone, # restored", result.workers_rebound,
              result.nodes_gone, result.nodes_restored);
}

static void change_all(void *argument)
{
    world *w = argument;
    for (uint32_t i = 0; i < CHANGES; i++) {
        np_cpu_set some = {{0}};
        uint64_t bits = 1 + sim_random((1u << CPUS) - 1);
        for (int32_t cpu = 0; cpu < (int32_t)CPUS; cpu++)
            if ((bits >> cpu & 1) != 0)
                (void)np_cpu_set_add(&some, cpu);
        sim_allow_cpus(&some);
        sim_work(sim_random(20000));
        refresh(w);
    }
}

static void all_cpus_back(world *w)
{
    np_cpu_set all = {{0}};
    for (int32_t cpu = 0; cpu < (int32_t)CPUS; cpu++)
        (void)np_cpu_set_add(&all, cpu);
    sim_allow_cpus(&all);
    refresh(w);
}

/* argument: options; the tasks of a node that stays gone are handed back at the end if `leave`. */
typedef struct plan {
    np_executor_options options;
    bool leave;
} plan;

static void scenario(void *argument)
{
    const plan *p = argument;
    world w;
    memset(&w, 0, sizeof w);
    np_topology *topology = sim_topology();
    for (uint32_t i = 0; i < NODES; i++)
        w.nodes[i] = np_topology_node_id(topology, i);
    np_executor_options options = p->options;
    options.on_discard = discarded;
    options.discard_context = &w;
    sim_check_ok(np_executor_create(topology, &options, &w.executor));
    np_topology_destroy(topology);
    sim_thread *threads[3] = {sim_thread_start("outside 0", submit_all, &w),
                              sim_thread_start("changes", change_all, &w),
                              sim_thread_start("outside 1", submit_all, &w)};
    for (uint32_t i = 0; i < 3; i++)
        sim_thread_join(threads[i]);
    if (!p->leave) {
        all_cpus_back(&w);
        sim_check_ok(np_executor_wait_idle(w.executor, NP_FOREVER));
        sim_check(w.ran == w.accepted, "# of # ran with all CPUs back", w.ran, w.accepted);
    }
    sim_check_ok(np_executor_shutdown(w.executor));
    sim_check(w.ran + w.discarded == w.accepted, "# ran and # were handed back of #", w.ran,
              w.discarded, w.accepted);
    np_executor_load load;
    sim_check_ok(np_executor_load_now(w.executor, &load));
    sim_check(load.accepted == w.accepted && load.executed == w.ran &&
                  load.discarded == w.discarded,
              "counted: accepted #, executed #, discarded #", load.accepted, load.executed,
              load.discarded);
    sim_check_ok(np_executor_destroy(w.executor));
}

int main(int argc, char **argv)
{
    static plan back = {.options = {.size = sizeof(np_executor_options)}};
    static plan gone = {.options = {.size = sizeof(np_executor_options),
                                    .binding = NP_BINDING_CPU,
                                    .spin_ns = NP_SPIN_NONE},
                        .leave = true};
    static plan any = {
        .options = {.size = sizeof(np_executor_options), .steal_policy = NP_STEAL_ANY},
        .leave = true};
    const sim_config config = {
        .machine = "numa:3 core:2 pu:1", .may_be_timed = true, .faults = SIM_HARMLESS_FAULTS};
    const sim_case cases[] = {
        {.name = "nodes come back", .scenario = scenario, .argument = &back, .config = config},
        {.name = "nodes stay away", .scenario = scenario, .argument = &gone, .config = config},
        {.name = "nodes stay away, steal any",
         .scenario = scenario,
         .argument = &any,
         .config = config},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
