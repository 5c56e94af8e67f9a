/*
 * run_refresh.c - the CPUs that may be used change, again and again, while work comes in.
 *
 * Goal: on every schedule each accepted task ends once, strict tasks run on their home or are
 * handed back because it is gone, what may run elsewhere runs although its node has lost its CPUs,
 * and a node that is back works again. Method: one thread takes CPUs away and gives them back and
 * refreshes, others submit; every task leaves a mark with where it ran.
 */
#include <string.h>

#include "executor/executor.h"
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

/* --- one thing at a time -----------------------------------------------------------------------
 */

static void allow(world *w, bool all)
{
    np_cpu_set set = {{0}};
    for (int32_t cpu = 0; cpu < (int32_t)(all ? CPUS : CPUS - 2); cpu++)
        (void)np_cpu_set_add(&set, cpu);
    sim_allow_cpus(&set);
    refresh(w);
}

static void begin(world *w, np_executor_options options)
{
    memset(w, 0, sizeof *w);
    np_topology *topology = sim_topology();
    for (uint32_t i = 0; i < NODES; i++)
        w->nodes[i] = np_topology_node_id(topology, i);
    options.on_discard = discarded;
    options.discard_context = w;
    sim_check_ok(np_executor_create(topology, &options, &w->executor));
    np_topology_destroy(topology);
}

static void submit_strict(world *w, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        mark m = {w, w->nodes[NODES - 1], NP_AFFINITY_STRICT};
        np_submit_options options = {.size = sizeof options,
                                     .to_node = true,
                                     .node = m.home,
                                     .affinity = NP_AFFINITY_STRICT,
                                     .copy_bytes = sizeof m};
        sim_check_ok(np_submit_with(w->executor, &options, task, &m));
        w->accepted++;
    }
}

static void refresh_beside(void *argument)
{
    world *w = argument;
    np_status status = np_executor_refresh(w->executor, NULL);
    sim_check(status == NP_OK || status == NP_ERR_SHUT_DOWN, "refresh: #", (uint64_t)status);
}

/* The last node is gone, its workers sleep beside strict tasks; a refresh finds the door shut
 * before shutdown has come to the nodes. */
static void refresh_in_shutdown(void *argument)
{
    const plan *p = argument;
    world w;
    begin(&w, p->options);
    allow(&w, false);
    submit_strict(&w, 2);
    sim_work(100000);
    sim_thread *thread = sim_thread_start("refresh", refresh_beside, &w);
    sim_check_ok(np_executor_shutdown(w.executor));
    sim_check(w.discarded == w.accepted, "# of # were handed back", w.discarded, w.accepted);
    sim_thread_join(thread);
    sim_check_ok(np_executor_destroy(w.executor));
}

static void submit_few(void *argument)
{
    submit_strict(argument, 4);
}

static np_executor *bounded_one; /* for the hook */

static void check_room(void *argument)
{
    (void)argument;
    if (bounded_one == NULL)
        return;
    npi_inbox *inbox = &bounded_one->nodes[NODES - 1]->inbox;
    uint64_t queued = npi_inbox_depth(inbox, NPI_MASK_ALL);
    uint32_t places = npi_load_relaxed(&inbox->room.queued);
    sim_check(queued <= places && places < UINT32_MAX / 2, "# tasks are queued, # places are taken",
              queued, places);
}

/* A bounded inbox: submitters sleep until there is room, while tasks are put back. A place is taken
 * before its task can be found. */
static void little_room(void *argument)
{
    const plan *p = argument;
    world w;
    bounded_one = NULL;
    begin(&w, p->options);
    bounded_one = w.executor;
    sim_thread *threads[2] = {sim_thread_start("outside 0", submit_few, &w),
                              sim_thread_start("outside 1", submit_few, &w)};
    for (uint32_t i = 0; i < 4 * CHANGES; i++) {
        allow(&w, i % 2 != 0);
        sim_work(sim_random(500));
    }
    for (uint32_t i = 0; i < 2; i++)
        sim_thread_join(threads[i]);
    sim_check_ok(np_executor_wait_idle(w.executor, NP_FOREVER));
    sim_check(w.ran == w.accepted, "# of # ran", w.ran, w.accepted);
    bounded_one = NULL;
    sim_check_ok(np_executor_destroy(w.executor));
}

typedef struct pair_of_tasks {
    world w;
    np_atomic(uint32_t) phase; /* 1: the first task runs, 2: its node is gone */
    np_atomic(uint32_t) begun;
} pair_of_tasks;

/* Each is done when both have begun: two workers of the node must have found one. */
static void meet(void *argument)
{
    pair_of_tasks *pair = argument;
    npi_fetch_add_relaxed(&pair->begun, 1u);
    for (uint32_t i = 0; i < 100 && npi_load_relaxed(&pair->begun) < 2; i++)
        sim_work(100000);
    sim_check(npi_load_relaxed(&pair->begun) == 2, "a task waits while a worker of its node sleeps",
              0);
}

static void breed(void *argument)
{
    pair_of_tasks *pair = argument;
    npi_store_release(&pair->phase, 1u);
    while (npi_load_acquire(&pair->phase) != 2)
        sim_work(1000);
    for (uint32_t i = 0; i < 2; i++)
        sim_check_ok(np_submit(pair->w.executor, meet, pair));
}

/* Under LOCAL_ONLY a worker in exile sleeps with tasks in its own queue. When its node is back its
 * siblings may look before it has left the set of sleepers. */
static void full_sleeper(void *argument)
{
    const plan *p = argument;
    pair_of_tasks pair;
    npi_atomic_init(&pair.phase, 0u);
    npi_atomic_init(&pair.begun, 0u);
    begin(&pair.w, p->options);
    sim_check_ok(np_submit_to_node(pair.w.executor, pair.w.nodes[NODES - 1], breed, &pair));
    while (npi_load_acquire(&pair.phase) != 1)
        sim_work(1000);
    allow(&pair.w, false);
    npi_store_release(&pair.phase, 2u);
    sim_work(sim_random(2) * 1000000);
    allow(&pair.w, true);
    sim_check_ok(np_executor_wait_idle(pair.w.executor, NP_FOREVER));
    sim_check_ok(np_executor_destroy(pair.w.executor));
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
    static plan bounded = {.options = {.size = sizeof(np_executor_options),
                                       .inbox_capacity = 1,
                                       .spin_ns = NP_SPIN_NONE}};
    static plan local = {.options = {.size = sizeof(np_executor_options),
                                     .steal_policy = NP_STEAL_LOCAL_ONLY,
                                     .spin_ns = NP_SPIN_NONE}};
    const sim_config config = {
        .machine = "numa:3 core:2 pu:1", .may_be_timed = true, .faults = SIM_HARMLESS_FAULTS};
    sim_config with_room = config;
    with_room.hook = check_room;
    const sim_case cases[] = {
        {.name = "nodes come back", .scenario = scenario, .argument = &back, .config = config},
        {.name = "nodes stay away", .scenario = scenario, .argument = &gone, .config = config},
        {.name = "nodes stay away, steal any",
         .scenario = scenario,
         .argument = &any,
         .config = config},
        {.name = "ending", .scenario = refresh_in_shutdown, .argument = &back, .config = config},
        {.name = "room", .scenario = little_room, .argument = &bounded, .config = with_room},
        {.name = "sleeper", .scenario = full_sleeper, .argument = &local, .config = config},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
