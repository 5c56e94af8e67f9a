/*
 * os/futex.c - sleeping on a word and waking its sleepers, and the slow path of npi_lock.
 *
 * All futexes are private to the process. Deadlines are absolute and monotonic, so that a wait that
 * is interrupted and repeated does not grow.
 */
#include <linux/futex.h>
#include <time.h>

#include "base/assert.h"
#include "os/call.h"
#include "os/lock.h"
#include "os/os.h"

int npi_os_futex_wait(np_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline)
{
    struct timespec until;
    struct timespec *limit = NULL;
    if (deadline != NPI_NO_DEADLINE) {
        until.tv_sec = (time_t)(deadline / UINT64_C(1000000000));
        until.tv_nsec = (long)(deadline % UINT64_C(1000000000));
        limit = &until;
    }
    /* The bitset form takes an absolute deadline; the plain form a relative one. */
    int error = npi_os_call(SYS_futex, npi_os_pointer(word), FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG,
                            (long)expected, npi_os_pointer(limit), 0, FUTEX_BITSET_MATCH_ANY, NULL);
    if (error == ETIMEDOUT)
        return ETIMEDOUT;
    /* Anything else than these means that `word` is not memory of ours. Going on would turn every
     * sleep of the process into a spin. */
    NPI_INVARIANT(error == 0 || error == EAGAIN || error == EINTR);
    return 0;
}

void npi_os_futex_wake(np_atomic(uint32_t) *word, uint32_t count)
{
    long most = count > INT32_MAX ? (long)INT32_MAX : (long)count;
    (void)npi_os_call(SYS_futex, npi_os_pointer(word), FUTEX_WAKE | FUTEX_PRIVATE_FLAG, most, 0, 0,
                      0, NULL);
}

/* A holder keeps the lock for a few instructions, so looking this often usually saves the sleep
 * (about a microsecond; a sleep and its wake cost several). */
#define LOCK_SPINS 50u

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
