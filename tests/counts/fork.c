/*
 * From fork to join: not stolen, and stolen by a worker that is awake; and loops, which stand on
 * it.
 */
#include "walk.h"

static void run_inside(np_task_fn task)
{
    create(1);
    check(np_run(executor, node, task, NULL), "run");
}

static void fork_and_join(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++) {
        np_fork(nothing, NULL);
        np_join();
    }
}

static void walk_forks(void)
{
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin("fork+join", walk * STEPS);
        fork_and_join(walk * STEPS);
        end();
    }
}

static void fork_first(void *argument)
{
    (void)argument;
    walk_forks();
}

/* Under an older child, the one that is kept in sight of thieves: as in any deeper recursion. */
static void fork_deeper(void *argument)
{
    (void)argument;
    np_fork(nothing, NULL);
    walk_forks();
    np_join();
}

void path_fork(void)
{
    run_inside(fork_deeper);
}

void path_fork_first(void)
{
    run_inside(fork_first);
}

/* --- fork -> steal -> join ---------------------------------------------------------------------
 */

static np_atomic(uint32_t) children_forked, children_started;

typedef struct stolen_child {
    uint32_t number; /* over both walks */
    uint32_t first;  /* of the walk: the thief's stretch begins in it */
    uint32_t count;  /* in the walk; it ends in the last one */
} stolen_child;

/* The thief stays in it until the next child can be stolen, so it never has to search in vain. */
static void stolen(void *argument)
{
    const stolen_child *child = argument;
    if (child->number == child->first + child->count - 1)
        end();
    raise_to(&children_started, child->number);
    await(&children_forked, child->number + 1);
    if (child->number == child->first)
        begin("steal", child->count - 1);
}

static void fork_and_let_steal(stolen_child *children, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        children[i] = (stolen_child){first + i, first, count};
        np_fork(stolen, &children[i]);
        raise_to(&children_forked, first + i);
        await(&children_started, first + i);
    }
}

static void steal(void *argument)
{
    static stolen_child children[2 * CHILDREN];
    uint32_t first = 1;
    (void)argument;
    await_asleep(1);
    for (uint32_t walk = 1; walk <= 2; walk++) {
        uint32_t count = walk * CHILDREN;
        begin("fork", count);
        fork_and_let_steal(children, first, count);
        end();
        first += count;
        raise_to(&children_forked, first); /* the last one may end */
        await_asleep(1);
        begin("join", count);
        for (uint32_t i = 0; i < count; i++)
            np_join();
        end();
        first++;
    }
}

/* Two workers; the one that forks waits until the other has taken the child, then forks the next;
 * all are joined after they are done. */
void path_steal(void)
{
    create(2);
    check(np_run(executor, node, steal, NULL), "run");
}

/* --- np_parallel_for ----------------------------------------------------------------------------
 */

enum { INDICES = 1024, PIECE = 16 };

static void no_indices(void *context, size_t first, size_t last)
{
    (void)context;
    (void)first;
    (void)last;
}

/* With a grain: without one the length of a piece depends on the clock. */
static void loop(const char *name, size_t grain)
{
    np_loop_options options = {.size = sizeof options, .grain = grain};
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin(name, walk * WAKES);
        for (unsigned i = 0; i < walk * WAKES; i++)
            check(np_parallel_for(executor, 0, INDICES, &options, no_indices, NULL), "loop");
        end();
    }
}

static void loops(void *argument)
{
    (void)argument;
    /* The first one finds out how fast the clock ticks. */
    check(np_parallel_for(executor, 0, INDICES, NULL, no_indices, NULL), "loop");
    loop("whole", INDICES);
    loop("pieces", PIECE);
}

void path_for(void)
{
    run_inside(loops);
}
