/*
 * os/lock.h - a lock of four bytes that sleeps in the kernel when it must wait.
 *
 * For places that are not on a hot path, or where a holder keeps it for a few instructions. Not
 * recursive.
 * Three states (Drepper, "Futexes Are Tricky", 2011, mutex 2): free, held, held with sleepers.
 * lock/unlock give acquire/release ordering: what one holder wrote, the next one sees.
 */
#ifndef NPI_OS_LOCK_H
#define NPI_OS_LOCK_H

#include "os/os.h"

typedef struct npi_lock {
    np_atomic(uint32_t) state; /* 0 free, 1 held, 2 held and somebody may sleep */
} npi_lock;

void npi_lock_slow(npi_lock *lock);

static inline void npi_lock_init(npi_lock *lock)
{
    npi_atomic_init(&lock->state, 0u);
}

static inline bool npi_lock_try(npi_lock *lock)
{
    uint32_t expected = 0;
    /* Acquire: pairs with the release in npi_lock_release. */
    return npi_cas_acquire(&lock->state, &expected, 1u);
}

static inline void npi_lock_acquire(npi_lock *lock)
{
    if (!npi_lock_try(lock))
        npi_lock_slow(lock);
}

static inline void npi_lock_release(npi_lock *lock)
{
    /* Release: publishes the holder's writes to the next npi_lock_try or npi_lock_slow. */
    if (npi_exchange_release(&lock->state, 0u) == 2u)
        npi_os_futex_wake(&lock->state, 1);
}

#endif
