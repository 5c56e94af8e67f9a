/*
 * floor.h - the parts of the hand-written floor: what pinned threads, rings and a bare futex reach
 * with nothing between them and the machine. No scheduler can be asked for more.
 */
#ifndef NP_BENCH_FLOOR_H
#define NP_BENCH_FLOOR_H

#include "run.h"

void floor_submit(bench_args *args); /* ring=eight|each|shared|malloc */
void floor_wake(bench_args *args);
void floor_idle(bench_args *args);
void floor_create(bench_args *args);
void floor_loop(bench_args *args);
void floor_triad(bench_args *args);
void floor_reduce(bench_args *args);
void floor_channel(bench_args *args); /* one sender, one receiver */

#endif
