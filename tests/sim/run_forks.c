/*
 * run_forks.c - trees of forked children, in the plain and in the fast form and in both at once,
 * with thieves on the same and on other nodes.
 *
 * Goal: on every schedule each child runs exactly once, its result reaches its parent, and what a
 * strict task forks stays on its node. Method: trees whose shape the seed draws; every child marks
 * its place in the tree, and results are sums that must come out.
 */
#include <string.h>

#include <numaperf/fast.h>

#include "base/atomic.h"
#include "sim.h"

#define TREES  3u
#define DEPTH  4u
#define PLACES (1u << (DEPTH + 1))

typedef struct tree {
    np_executor *executor;
    np_node_id home;
    bool strict;
    uint32_t ran[PLACES];
    bool split[PLACES];   /* the seed's: has children */
    bool fast[PLACES];    /* runs its children in the fast form */
    bool forgets[PLACES]; /* leaves a child of the plain form to be joined for it */
    bool works[PLACES];
} tree;

/* One place of a tree: what a child is called with. */
typedef struct place {
    tree *t;
    uint32_t at;
    uint64_t sum;
} place;

static uint64_t grow(tree *t, uint32_t at);

static uintptr_t grow_fast(np_worker *self, uintptr_t argument)
{
    (void)self;
    place *p = (place *)argument;
    return grow(p->t, p->at);
}

static void grow_plain(void *argument)
{
    place *p = argument;
    p->sum = grow(p->t, p->at);
}

/* A forgotten child may run when its parent's frame is gone, as far as this file knows. */
static void grow_forgotten(void *argument)
{
    place *p = argument;
    (void)grow(p->t, p->at);
}

static uint64_t both_plain(tree *t, uint32_t at)
{
    place left = {t, 2 * at, 0}, right = {t, 2 * at + 1, 0};
    np_fork(grow_plain, &left);
    np_fork(grow_plain, &right);
    np_join();
    np_join();
    return left.sum + right.sum;
}

static uint64_t both_fast(tree *t, uint32_t at)
{
    np_worker *self = np_fast_self();
    sim_check(self != NULL, "no worker in a task");
    place left = {t, 2 * at, 0};
    np_fast_fork(self, grow_fast, (uintptr_t)&left);
    uint64_t right = grow(t, 2 * at + 1);
    return right + np_fast_join(self, grow_fast, (uintptr_t)&left);
}

/* The sum of the places below and with it. */
static uint64_t grow(tree *t, uint32_t at)
{
    t->ran[at]++;
    sim_check(!t->strict || np_current_node() == t->home, "place # of a strict tree ran on node #",
              at, (uint64_t)np_current_node());
    if (t->works[at])
        sim_work(300);
    if (!t->split[at])
        return at;
    return at + (t->fast[at] ? both_fast(t, at) : both_plain(t, at));
}

/* The root of a tree, as a task that forks and forgets. */
static place forgotten[TREES];

static void plant(void *argument)
{
    place *p = argument;
    uint32_t which = (uint32_t)p->sum;
    forgotten[which] = (place){p->t, 1, 0};
    if (p->t->forgets[1])
        np_fork(grow_forgotten, &forgotten[which]);
    else
        (void)grow(p->t, 1);
}

static void draw(tree *t)
{
    for (uint32_t at = 1; at < PLACES; at++) {
        bool reached = at == 1 || t->split[at / 2];
        t->split[at] = reached && at < PLACES / 2 && sim_random(8) != 0;
        t->fast[at] = sim_random(2) == 0;
        t->forgets[at] = sim_random(3) == 0;
        t->works[at] = sim_random(6) == 0;
    }
}

static void inspect(const tree *t, uint64_t sum, bool has_sum)
{
    uint64_t expected = 0;
    for (uint32_t at = 1; at < PLACES; at++) {
        bool reached = at == 1 || t->split[at / 2];
        sim_check(t->ran[at] == reached, "place # ran # times, not #", at, t->ran[at], reached);
        expected += reached ? at : 0;
    }
    sim_check(!has_sum || sum == expected, "the sum is #, not #", sum, expected);
}

typedef struct runner {
    tree *t;
    uint64_t sum;
} runner;

static void run_fast(void *argument)
{
    runner *r = argument;
    place root = {r->t, 1, 0};
    uintptr_t sum = 0;
    sim_check_ok(np_run_fast(r->t->executor, r->t->home, grow_fast, (uintptr_t)&root, &sum));
    r->sum = sum;
}

static void scenario(void *argument)
{
    static tree trees[TREES];
    place roots[TREES];
    memset(trees, 0, sizeof trees);
    np_topology *topology = sim_topology();
    np_executor *executor = NULL;
    sim_check_ok(np_executor_create(topology, argument, &executor));
    uint32_t nodes = np_topology_node_count(topology);
    for (uint32_t i = 0; i < TREES; i++) {
        trees[i].executor = executor;
        trees[i].home = np_topology_node_id(topology, (np_node_index)sim_random(nodes));
        trees[i].strict = sim_random(3) == 0;
        draw(&trees[i]);
    }
    np_topology_destroy(topology);

    runner fast = {&trees[0], 0};
    trees[0].strict = false;
    sim_thread *thread = sim_thread_start("run fast", run_fast, &fast);
    for (uint32_t i = 1; i < TREES; i++) {
        np_submit_options options = {.size = sizeof options,
                                     .to_node = true,
                                     .node = trees[i].home,
                                     .affinity = trees[i].strict ? NP_AFFINITY_STRICT
                                                                 : NP_AFFINITY_PREFERRED};
        roots[i] = (place){&trees[i], 1, i};
        sim_check_ok(np_submit_with(executor, &options, plant, &roots[i]));
    }
    sim_thread_join(thread);
    sim_check_ok(np_executor_wait_idle(executor, NP_FOREVER));
    inspect(&trees[0], fast.sum, true);
    for (uint32_t i = 1; i < TREES; i++)
        inspect(&trees[i], 0, false);
    sim_check_ok(np_executor_destroy(executor));
}

#define OPTIONS(...) (&(np_executor_options){.size = sizeof(np_executor_options), __VA_ARGS__})

int main(int argc, char **argv)
{
    const sim_case cases[] = {
        {.name = "forks on two nodes",
         .scenario = scenario,
         .argument = OPTIONS(.spin_ns = NP_SPIN_NONE),
         .config = {.machine = "numa:2 core:2 pu:1", .may_be_timed = true}},
        {.name = "forks with thieves everywhere",
         .scenario = scenario,
         .argument = OPTIONS(.steal_policy = NP_STEAL_ANY),
         .config = {.machine = "numa:3 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
        {.name = "forks on one node",
         .scenario = scenario,
         .argument = OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY),
         .config = {.machine = "numa:1 core:4 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    };
    return sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
}
