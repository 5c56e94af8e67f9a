/*
 * os/clock.c - monotonic time in nanoseconds. Any thread, no state.
 */
#include <errno.h>
#include <time.h>

#include "os/os.h"

uint64_t npi_os_now(void)
{
    struct timespec now;
    int saved = errno;
    /* Cannot fail: the clock exists on every Linux and the address is ours. */
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    errno = saved;
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

uint64_t npi_os_deadline(uint64_t timeout_ns)
{
    if (timeout_ns == UINT64_MAX)
        return NPI_NO_DEADLINE;
    uint64_t now = npi_os_now();
    uint64_t latest = NPI_NO_DEADLINE - 1;
    return timeout_ns > latest - now ? latest : now + timeout_ns;
}
