/*
 * progress.h - one line on standard error that shows how far a long run is. Nothing appears unless
 * standard error is a terminal and the run is worth it: more than 64 MiB, or more than a second.
 * Main thread only.
 */
#ifndef NUMAPERF_TOOL_PROGRESS_H
#define NUMAPERF_TOOL_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_PERIOD_NS UINT64_C(100000000)

typedef struct progress {
    bool possible; /* a terminal, and not switched off */
    bool shown;
    uint64_t total; /* bytes, 0 if unknown */
    uint64_t start_ns;
    uint64_t next_ns; /* after the start: not drawn again before that */
} progress;

void progress_begin(progress *p, bool wanted, uint64_t total);
/* May be called at any rate. */
void progress_update(progress *p, uint64_t done);
void progress_end(progress *p); /* takes the line away */

#endif
