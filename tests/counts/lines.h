/*
 * What the walks tell the counting of cache lines (lines.c): which stretch the calling thread
 * walks, and, where threads take turns, that a step begins. Within a step a thread fetches a line
 * once: how often it looks while it waits for its turn is chance.
 */
#ifndef NPT_COUNTS_LINES_H
#define NPT_COUNTS_LINES_H

#include <stdbool.h>
#include <stdint.h>

void count_lines_begin(const char *name, unsigned steps);
void count_lines_end(void);
void count_lines_step(void);
void count_lines_print(const char *path);

#endif
