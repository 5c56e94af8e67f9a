/*
 * parallel/waiter.h - somebody who waits in a channel: a record on the waiting call's own stack, in
 * a list that the channel's lock protects.
 *
 * Whoever can serve a waiter claims it under the lock, does for it what it waits for (copies its
 * items), leaves the lock, and finishes it. A sender whose items do not all find room keeps its
 * place, unclaimed, and goes on sleeping. A waiter whose deadline passes cancels itself. Claim and
 * cancel set a bit of the same word; the first of them in that word's order wins, so that
 *   - a waiter that was claimed is always served, never served and timed out at once, and
 *   - it leaves without touching the channel, which the one who learns of its effect may destroy.
 *
 * Who may call what: _add, _claim (all three), _remove and _count under the channel's lock; _finish
 * the claimer, once, after it has left the lock; _sleep and _cancel the waiter itself.
 */
#ifndef NPI_PARALLEL_WAITER_H
#define NPI_PARALLEL_WAITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/error.h>

#include "base/atomic.h"

typedef struct npi_waiter {
    /* The list. Written and read under the channel's lock while `queued`; after _claim_all `next`
     * belongs to the claimer, until it finishes the waiter. */
    struct npi_waiter *next;
    struct npi_waiter *previous;
    bool queued; /* in the list; under the lock */

    /* Set by the waiter before it is added, then read (and *out written) by who serves it, under
     * the lock. */
    const void *in; /* a sender's items */
    void *out;      /* where a receiver wants its items */
    size_t count;   /* a sender: all of them; a receiver: no more, but one at least */
    /* How many of them have been moved. The waiter's own while it is not in a list; in one, under
     * the lock. */
    np_plain(size_t) moved;

    /* Written by the claimer before npi_waiter_finish, read by the waiter after npi_waiter_sleep.
     */
    np_plain(np_status) result;

    /* NPI_WAITER_ bits. Written by the waiter (sleeping, cancelled) and its claimer (claimed,
     * done); the waiter's futex. */
    np_atomic(uint32_t) word;
} npi_waiter;

#define NPI_WAITER_SLEEPING UINT32_C(1) /* it may be in the kernel: finishing needs a wake */
#define NPI_WAITER_CLAIMED  UINT32_C(2) /* somebody serves it */
#define NPI_WAITER_CANCELLED \
    UINT32_C(4)                     /* its deadline passed; counts only if set before claimed */
#define NPI_WAITER_DONE UINT32_C(8) /* served */

typedef struct npi_waiter_list {
    npi_waiter *first; /* waits the longest */
    npi_waiter *last;
} npi_waiter_list;

void npi_waiter_init(npi_waiter *waiter, const void *in, void *out, size_t count);
/* After it was finished: for another wait, with what has been moved. */
void npi_waiter_again(npi_waiter *waiter);

static inline size_t npi_waiter_left(npi_waiter *waiter)
{
    return waiter->count - npi_plain_get(&waiter->moved);
}

/* At the end of the list. */
void npi_waiter_add(npi_waiter_list *list, npi_waiter *waiter);
/* Takes a waiter out of the list if it is in it. */
void npi_waiter_remove(npi_waiter_list *list, npi_waiter *waiter);
/* Takes this one out of the list; false: it has cancelled. */
bool npi_waiter_claim_one(npi_waiter_list *list, npi_waiter *waiter);
/* Takes the one that waits the longest and has not cancelled; NULL if there is none. */
npi_waiter *npi_waiter_claim(npi_waiter_list *list);
/* Takes them all; those that have not cancelled come back as a list linked by `next`, behind
 * `more`. */
npi_waiter *npi_waiter_claim_all(npi_waiter_list *list, npi_waiter *more);

/* How many are in the list. */
size_t npi_waiter_count(const npi_waiter_list *list);

/* Tells a claimed waiter how it ended. It may return and its record vanish before this does. */
void npi_waiter_finish(npi_waiter *waiter, np_status result);

/* Sleeps until finished (true) or until the deadline (false). */
bool npi_waiter_sleep(npi_waiter *waiter, uint64_t deadline);
/* True: nobody will claim it any more; it is still in the list. False: it was claimed; sleep on,
 * without a deadline. */
bool npi_waiter_cancel(npi_waiter *waiter);

#endif
