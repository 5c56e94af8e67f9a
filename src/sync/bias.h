/*
 * sync/bias.h - a lock that costs its owner no read-modify-write.
 *
 * For something that one thread uses all the time and others once in a while. The owner says that
 * it is inside with a store; whoever else wants to get in revokes the owner's privilege, pays for
 * both with a heavy fence (os/fence.h), waits until the owner is out, and gives it back:
 *
 *      the owner                            another thread, holding the lock
 *      ---------                            --------------------------------
 *      busy = 1                             revoked = 1
 *      FENCE (light)                        FENCE (heavy)
 *      looks at `revoked`: takes the lock   waits until `busy` is 0
 *      ... inside ...                       ... inside ...
 *      busy = 0                             revoked = 0
 *      FENCE (light)                        unlocks
 *      looks at `revoked`: wakes
 *
 * Without the first pair of fences both could be inside; without the second the other one could
 * sleep on a `busy` that has become 0.
 *
 * Who may call what: enter and leave only the owner, who may change if the old one's last leave
 * happened before the new one's first enter; take and give anybody who is not inside itself.
 * Nobody may hold one of these and take another: two owners would wait for each other.
 */
#ifndef NPI_SYNC_BIAS_H
#define NPI_SYNC_BIAS_H

#include "os/fence.h"
#include "os/lock.h"

typedef struct npi_bias {
    np_atomic(uint32_t) busy;    /* the owner writes: it is inside, without the lock */
    np_atomic(uint32_t) revoked; /* written under the lock: the owner must take it */
    npi_lock lock;
} npi_bias;

static inline void npi_bias_init(npi_bias *bias)
{
    npi_atomic_init(&bias->busy, 0u);
    npi_atomic_init(&bias->revoked, 0u);
    npi_lock_init(&bias->lock);
}

static inline void npi_bias_out(npi_bias *bias)
{
    /* Release: what was done inside, to the acquire in npi_bias_take. */
    npi_store_release(&bias->busy, 0u);
    npi_fence_light(); /* the drawing above */
    /* Relaxed: a question whether somebody may sleep. */
    if (__builtin_expect(npi_load_relaxed(&bias->revoked) != 0, 0))
        npi_os_futex_wake(&bias->busy, UINT32_MAX);
}

/* True: entered the quick way; npi_bias_leave wants to know. */
static inline bool npi_bias_enter(npi_bias *bias)
{
    npi_store_relaxed(&bias->busy, 1u);
    npi_fence_light(); /* the drawing above */
    /* Acquire: what the last other one did inside, from npi_bias_give. */
    if (__builtin_expect(npi_load_acquire(&bias->revoked) == 0, 1))
        return true;
    npi_bias_out(bias);
    npi_lock_acquire(&bias->lock);
    return false;
}

static inline void npi_bias_leave(npi_bias *bias, bool quick)
{
    if (__builtin_expect(quick, 1))
        npi_bias_out(bias);
    else
        npi_lock_release(&bias->lock);
}

static inline void npi_bias_take(npi_bias *bias)
{
    npi_lock_acquire(&bias->lock);
    npi_store_relaxed(&bias->revoked, 1u);
    npi_fence_heavy(); /* the drawing above */
    /* Acquire: what the owner did inside, from npi_bias_out. */
    while (npi_load_acquire(&bias->busy) != 0)
        (void)npi_os_futex_wait(&bias->busy, 1u, NPI_NO_DEADLINE);
}

static inline void npi_bias_give(npi_bias *bias)
{
    /* Release: what was done inside, to the acquire in npi_bias_enter. */
    npi_store_release(&bias->revoked, 0u);
    npi_lock_release(&bias->lock);
}

#endif
