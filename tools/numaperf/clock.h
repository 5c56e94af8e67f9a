/* clock.h - the time in nanoseconds since some fixed moment. */
#ifndef NUMAPERF_TOOL_CLOCK_H
#define NUMAPERF_TOOL_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

#endif
