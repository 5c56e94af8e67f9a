/*
 * Walks one hot path of the library a known number of times, so that what each step costs can be
 * counted. Not a benchmark: it runs under valgrind, which counts instructions and runs one thread
 * at a time, and every hand-over between threads is arranged so that nothing is left to chance.
 *
 * usage: count_paths list|PATH
 *
 * A thread puts begin() and end() around the stretch it walks; valgrind then writes down what that
 * thread has executed in between, under the stretch's name and its number of steps. Each stretch is
 * walked twice, the second time with twice the steps; the difference of the two, divided by the
 * difference of the steps, is what one step costs: whatever else is in the stretch drops out.
 *
 * Only what is executed inside the library counts, and inside functions of this file that are named
 * counted_*, for code that the public headers put in line. So this file may wait and look as it
 * likes; it reads the executor's inside to know when a worker sleeps.
 */
#include <numaperf.h>

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>

#include <valgrind/callgrind.h>

#include "executor/executor.h"

/* The inbox has its turn every 61 tasks, a segment has 2,048 cells, a batch 64 tasks. */
enum { STEPS = 61 * 64 * 4, BATCH = 64, CHILDREN = 1000, WAKES = 1000 };

static np_executor *executor;
static np_node_id node;
static np_group *group;

/* --- stretches, waits ----------------------------------------------------------------------------
 */

static _Thread_local char stretch[32];

static void begin(const char *name, unsigned steps)
{
    (void)snprintf(stretch, sizeof stretch, "%s %u", name, steps);
    CALLGRIND_DUMP_STATS; /* of the calling thread; counts start afresh */
}

static void end(void)
{
    CALLGRIND_DUMP_STATS_AT(stretch);
}

static void check(np_status status, const char *what)
{
    if (status == NP_OK)
        return;
    fprintf(stderr, "%s: %s: %s\n", what, np_status_name(status), np_error_detail());
    exit(1);
}

/* In line, so that waiting never enters a shared object: what is executed there is counted. */
static inline void futex(np_atomic(uint32_t) *word, int operation, uint32_t value)
{
    register long r10 __asm__("r10") = 0;
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_futex), "D"(word), "S"((long)operation), "d"((long)value),
                       "r"(r10)
                     : "rcx", "r11", "memory");
    (void)result;
}

static void raise_to(np_atomic(uint32_t) *word, uint32_t value)
{
    npi_store_release(word, value);
    futex(word, FUTEX_WAKE_PRIVATE, INT32_MAX);
}

static void await(np_atomic(uint32_t) *word, uint32_t value)
{
    for (;;) {
        uint32_t now = npi_load_acquire(word);
        if ((int32_t)(now - value) >= 0)
            return;
        futex(word, FUTEX_WAIT_PRIVATE, now);
    }
}

static inline void let_others_run(void)
{
    long result;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "0"((long)SYS_sched_yield)
                     : "rcx", "r11", "memory");
    (void)result;
}

/* Until so many workers are asleep. */
static void await_asleep(uint32_t workers)
{
    uint32_t asleep = 0;
    while (asleep != workers) {
        let_others_run();
        asleep = 0;
        for (uint32_t i = 0; i < executor->regular_count; i++)
            if (npi_load_acquire(&executor->seats[i]->token.state) == NPI_TOKEN_ASLEEP)
                asleep++;
    }
}

static void nothing(void *argument)
{
    (void)argument;
}

static void create(uint32_t workers)
{
    np_topology *topology = NULL;
    check(np_topology_from_synthetic("numa:1 core:4 pu:1", &topology), "topology");
    check(np_executor_create(topology,
                             NP_EXECUTOR_OPTIONS(.workers_per_node = workers,
                                                 .binding = NP_BINDING_OFF, .spin_ns = NP_SPIN_NONE,
                                                 .ignore_environment = true),
                             &executor),
          "executor");
    np_topology_destroy(topology);
    check(np_group_create(NULL, &group), "group");
    node = executor->nodes[0]->id;
    await_asleep(workers);
    /* What only the first submit does is done. */
    check(np_submit_to_node(executor, node, nothing, NULL), "submit");
    await_asleep(workers);
}

/* --- submit -> run -----------------------------------------------------------------------------
 */

typedef void submit_fn(unsigned steps);

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

static void submit_one_by_one(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_submit_to_node(executor, node, nothing, NULL), "submit");
}

static void submit_near(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_submit(executor, nothing, NULL), "submit");
}

static void submit_batches(unsigned steps)
{
    np_task tasks[BATCH];
    for (unsigned i = 0; i < BATCH; i++)
        tasks[i] = (np_task){nothing, NULL};
    for (unsigned i = 0; i < steps; i += BATCH)
        check(np_submit_batch(executor, node, tasks, BATCH, NULL), "batch");
}

static void submit_copies(unsigned steps)
{
    uint64_t words[5] = {1, 2, 3, 4, 5};
    for (unsigned i = 0; i < steps; i++)
        check(np_submit_copy_to_node(executor, node, nothing, words, sizeof words), "copy");
}

static void submit_into_group(unsigned steps)
{
    for (unsigned i = 0; i < steps; i++)
        check(np_group_submit_to_node(group, executor, node, nothing, NULL), "group");
}

static void path_outside(void)
{
    outside(submit_one_by_one);
}

static void path_near(void)
{
    outside(submit_near);
}

static void path_batch(void)
{
    outside(submit_batches);
}

static void path_copy(void)
{
    outside(submit_copies);
}

static void path_group(void)
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
static void path_inside(void)
{
    create(1);
    for (uint32_t walk = 1; walk <= 2; walk++) {
        check(np_submit_to_node(executor, node, submit_inside, &walk), "task");
        await(&last_ran, walk);
        await_asleep(1);
    }
}

/* --- fork -> join, not stolen ------------------------------------------------------------------
 */

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

static void path_fork(void)
{
    run_inside(fork_deeper);
}

static void path_fork_first(void)
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
static void path_steal(void)
{
    create(2);
    check(np_run(executor, node, steal, NULL), "run");
}

/* --- park -> wake ------------------------------------------------------------------------------
 */

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
static void path_wake(void)
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

/* --- the counting itself ------------------------------------------------------------------------
 */

/* Two read-modify-writes, two fences, a system call, an allocation; not in the list of paths. */
__attribute__((noinline)) static void counted_known(unsigned steps)
{
    static uint64_t word;
    for (unsigned i = 0; i < steps; i++) {
        uint64_t one = 1;
        long result;
        __asm__ volatile("lock xaddq %0, %1\n\t"
                         "xchgq %0, %1\n\t"
                         "mfence\n\t"
                         "lock orq $0, (%%rsp)"
                         : "+r"(one), "+m"(word)
                         :
                         : "memory");
        __asm__ volatile("syscall" : "=a"(result) : "0"((long)SYS_getpid) : "rcx", "r11", "memory");
        void *volatile block = malloc(64);
        free(block);
    }
}

static void path_known(void)
{
    create(1);
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin("known", walk * WAKES);
        counted_known(walk * WAKES);
        end();
    }
}

/* -----------------------------------------------------------------------------------------------
 */

static const struct path {
    const char *name;
    void (*walk)(void);
} paths[] = {
    {"outside", path_outside}, {"near", path_near},
    {"batch", path_batch},     {"copy", path_copy},
    {"group", path_group},     {"inside", path_inside},
    {"fork", path_fork},       {"fork-first", path_fork_first},
    {"steal", path_steal},     {"wake", path_wake},
    {"known", path_known}, /* the last one */
};

enum { PATHS = sizeof paths / sizeof paths[0] };

int main(int argc, char **argv)
{
    const char *asked = argc == 2 ? argv[1] : "";
    if (strcmp(asked, "list") == 0) {
        for (unsigned i = 0; i < PATHS - 1; i++)
            puts(paths[i].name);
        return 0;
    }
    for (unsigned i = 0; i < PATHS; i++)
        if (strcmp(asked, paths[i].name) == 0)
            paths[i].walk();
    if (executor == NULL) {
        fprintf(stderr, "usage: count_paths list|PATH\n");
        return 2;
    }
    check(np_executor_destroy(executor), "destroy");
    check(np_group_destroy(group), "group");
    return 0;
}
