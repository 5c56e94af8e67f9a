/*
 * From submit to run, in every form, with a worker that is awake and with one that sleeps. The
 * awake one is inside a task while the others are submitted, then runs them all.
 */
#include "walk.h"

static np_atomic(uint32_t) gate_entered, gate_open, last_ran;

static void gate(void *argument)
{
    uint32_t walk = *(uint32_t *)argument;
    raise_to(&gate_entered, walk);
    await(&gate_open, walk);
    begin("run", walk * STEPS);
}

static void last(void *argument)
{
    end();
    raise_to(&last_ran, *(uint32_t *)argument);
}

/* The worker is inside a task while the tasks are submitted, then runs them all. */
static void outside(submit_fn *submit)
{
    create(1);
    for (uint32_t walk = 1; walk <= 2; walk++) {
        check(np_submit_to_node(executor, node, gate, &walk), "gate");
        await(&gate_entered, walk);
        begin("submit", walk * STEPS);
        submit(walk * STEPS);
        end();
        check(np_submit_to_node(executor, node, last, &walk), "last");
        raise_to(&gate_open, walk);
        await(&last_ran, walk);
        await_asleep(1);
    }
}

np_task_fn body = nothing;

void submit_one_by_one(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_submit_to_node(executor, node, body, NULL), "submit");
}

void submit_near(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_submit(executor, body, NULL), "submit");
}

void submit_batches(unsigned steps)
{
    np_task tasks[BATCH];
    for (unsigned i = 0; i < BATCH; i++)
        tasks[i] = (np_task){body, NULL};
    for (unsigned i = 0; i < steps; i += BATCH)
        check(np_submit_batch(executor, node, tasks, BATCH, NULL), "batch");
}

void submit_copies(unsigned steps)
{
    uint64_t words[5] = {1, 2, 3, 4, 5};
    for (unsigned i = 0; i < steps; i++)
        check(np_submit_copy_to_node(executor, node, body, words, sizeof words), "copy");
}

void submit_into_group(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_group_submit_to_node(group, executor, node, body, NULL), "group");
}

/* A page of a region, of which the library knows where it lies. */
static np_region *region;

void submit_to_data(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_submit_near(executor, np_region_data(region), 4096, body, NULL), "data");
}

void with_region(path_fn *walk)
{
    np_topology *topology = NULL;
    check(np_topology_from_synthetic("numa:1 core:4 pu:1", &topology), "topology");
    check(np_region_create_on_node(topology, 4096, np_topology_node_id(topology, 0), &region),
          "region");
    np_topology_destroy(topology);
    walk();
    np_region_destroy(region);
}

static void data(void)
{
    outside(submit_to_data);
}

void path_data(void)
{
    with_region(data);
}

void path_outside(void)
{
    outside(submit_one_by_one);
}

void path_near(void)
{
    outside(submit_near);
}

void path_batch(void)
{
    outside(submit_batches);
}

void path_copy(void)
{
    outside(submit_copies);
}

void path_group(void)
{
    outside(submit_into_group);
}

static void submit_inside(void *argument)
{
    uint32_t walk = *(uint32_t *)argument;
    begin("submit", walk * STEPS);
    submit_one_by_one(walk * STEPS);
    end();
    check(np_submit_to_node(executor, node, last, argument), "last");
    begin("run", walk * STEPS);
}

/* A task submits to its own node; its worker runs what it submitted. */
void path_inside(void)
{
    create(1);
    for (uint32_t walk = 1; walk <= 2; walk++) {
        check(np_submit_to_node(executor, node, submit_inside, &walk), "task");
        await(&last_ran, walk);
        await_asleep(1);
    }
}

/* --- park -> wake ---*/

enum { WAKE_FIRST = 1, WAKE_LAST = 2 };
static uint32_t wake_place, wake_steps;

static void woken(void *argument)
{
    (void)argument;
    if (wake_place == WAKE_LAST)
        end();
    else if (wake_place == WAKE_FIRST)
        begin("worker", wake_steps - 1);
}

/* A task from outside for a worker that is asleep, and its way to the next sleep. */
void path_wake(void)
{
    create(1);
    for (uint32_t walk = 1; walk <= 2; walk++) {
        wake_steps = walk * WAKES;
        begin("submit", wake_steps);
        for (uint32_t i = 0; i < wake_steps; i++) {
            wake_place = i == 0 ? WAKE_FIRST : i == wake_steps - 1 ? WAKE_LAST : 0;
            check(np_submit_to_node(executor, node, woken, NULL), "submit");
            await_asleep(1);
        }
        end();
    }
}
