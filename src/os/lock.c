/*
 * os/lock.c - the slow path of npi_lock. Apart from the system calls of futex.c, so that a
 * simulated machine, which replaces those, runs the real lock.
 */
#include "os/lock.h"

/* A holder keeps the lock for a few instructions, so looking this often usually saves the sleep
 * (about a microsecond; a sleep and its wake cost several). */
#if !defined(LOCK_SPINS) /* a model chooses a small one */
#define LOCK_SPINS 50u
#endif

void npi_lock_slow(npi_lock *lock)
{
    for (unsigned i = 0; i < LOCK_SPINS; i++) {
        /* Relaxed: only a hint; npi_lock_try gives the ordering. */
        uint32_t state = npi_load_relaxed(&lock->state);
        if (state == 0 && npi_lock_try(lock))
            return;
        if (state == 2)
            break; /* others sleep already: the holder is slow */
        npi_cpu_relax();
    }
    /* Whoever comes out of here holds the lock in state 2, though it may be the last: it cannot
     * know whether others still sleep, and a wake too many is harmless. Acquire: pairs with the
     * release in npi_lock_release. */
    while (npi_exchange_acquire(&lock->state, 2u) != 0)
        (void)npi_os_futex_wait(&lock->state, 2u, NPI_NO_DEADLINE);
}
