/*
 * os/ticks.h - the processor's own time counter: half the price of the clock, for those who ask
 * several times in a microsecond. Its unit is the machine's; differences are meaningful on one
 * thread, and roughly across CPUs. For decisions only, never for a time that is shown. Any thread.
 */
#ifndef NPI_OS_TICKS_H
#define NPI_OS_TICKS_H

#include "os/os.h"

#if defined(NP_ATOMIC_MODEL) /* a simulated machine has a time of its own */
uint64_t npi_os_ticks(void);
#else
static inline uint64_t npi_os_ticks(void)
{
#if defined(__x86_64__) || defined(__i386__)
    return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
    uint64_t ticks;
    __asm__ __volatile__("mrs %0, cntvct_el0" : "=r"(ticks));
    return ticks;
#else
    return npi_os_now();
#endif
}
#endif

/* Ticks in a microsecond, at least 1. Measured by the first caller in the process, which takes
 * about 30 us once; a load afterwards. */
uint32_t npi_os_ticks_per_us(void);

#endif
