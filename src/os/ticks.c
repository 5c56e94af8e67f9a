/*
 * os/ticks.c - how fast the counter of ticks.h runs. The kernel knows but does not tell, so the
 * first caller holds it against the clock. Several at once measure alike; the last one is kept.
 */
#include "os/ticks.h"

#define SPAN_NS 10000u
#define ROUNDS  3u

/* A property of the machine, the same for whoever asks: 0 until it is measured. */
static np_atomic(uint32_t) measured;

/* The ticks enclose the nanoseconds, so an interruption can only make the result too large. */
static uint64_t measure_once(void)
{
    uint64_t ticks = npi_os_ticks();
    uint64_t begin = npi_os_now();
    uint64_t now = begin;
    while (now - begin < SPAN_NS) {
        npi_cpu_relax();
        now = npi_os_now();
    }
    return (npi_os_ticks() - ticks) * 1000 / (now - begin);
}

uint32_t npi_os_ticks_per_us(void)
{
    /* Relaxed: a number, nothing is published with it. */
    uint32_t known = npi_load_relaxed(&measured);
    if (__builtin_expect(known != 0, 1))
        return known;
    uint64_t least = UINT32_MAX;
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t ticks = measure_once();
        if (ticks < least)
            least = ticks;
    }
    known = least != 0 ? (uint32_t)least : 1;
    npi_store_relaxed(&measured, known);
    return known;
}
