/*
 * What the walks share (walk.c): stretches, waiting without being counted, the executor they use;
 * and the walks themselves, by file.
 */
#ifndef NPT_COUNTS_WALK_H
#define NPT_COUNTS_WALK_H

#include <numaperf.h>

#include <stdio.h>
#include <stdlib.h>

#include "executor/executor.h"

/* The inbox has its turn every 61 tasks, a segment has 2,048 cells, a batch 64 tasks. */
enum { STEPS = 61 * 64 * 4, BATCH = 64, CHILDREN = 1000, WAKES = 1000 };

extern np_executor *executor;
extern np_node_id node;
extern np_group *group;

/* Around what the calling thread walks in so many steps. */
void begin(const char *name, unsigned steps);
void end(void);

/* One virtual node with so many workers, none of which spins before it sleeps; all asleep, and what
 * only the first task does is done. */
void create(uint32_t workers);
/* Workers that search for so long, and have not run a task. */
void create_spinning(uint32_t workers, uint32_t spin_ns);

void check(np_status status, const char *what);

/* A word that only grows, and waiting for it. */
void raise_to(np_atomic(uint32_t) *word, uint32_t value);
void await(np_atomic(uint32_t) *word, uint32_t value);
void let_others_run(void);
/* Until so many workers are asleep. */
void await_asleep(uint32_t workers);

void nothing(void *argument);

/* submit.c: so many tasks with this body, in one of the forms. */
typedef void submit_fn(unsigned tasks);
extern np_task_fn body;
submit_fn submit_one_by_one, submit_near, submit_batches, submit_copies, submit_into_group,
    submit_to_data;

typedef void path_fn(void);
/* Walks with the region that submit_to_data submits to. */
void with_region(path_fn *walk);
path_fn path_outside, path_near, path_batch, path_copy, path_group, path_data, path_inside,
    path_wake;
/* fork.c */
path_fn path_fork, path_fork_first, path_steal, path_for;
/* fast.c */
path_fn path_fast, path_fast_first, path_fib;
/* sharded.c */
path_fn path_count, path_buffer;
/* turns.c, only where lines are counted */
path_fn path_outside_turns, path_near_turns, path_batch_turns, path_copy_turns, path_group_turns,
    path_data_turns;
/* The counting itself: known.c, and turns.c for lines. */
path_fn path_known;

#endif
