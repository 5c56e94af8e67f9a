/*
 * sync/wake.h - how one worker sleeps and is woken: its token, and its node's set of sleepers.
 *
 * Who sleeps and who wakes, on one page. A worker that finds nothing enters itself in its
 * node's set, looks once more at every source of work it may take from, and sleeps on its token.
 * Whoever makes work findable looks at the set afterwards and wakes one sleeper. Both sides have a
 * fence between their store and their load, the rare one a heavy one (os/fence.h):
 *
 *      the worker                          whoever brings work
 *      ----------                          -------------------
 *      enters the set, leaves `searching`  makes the work findable
 *      FENCE (heavy)                       FENCE (light)
 *      looks at every source               looks at `searching` and at the set
 *
 * At least one of them sees the other. Without the fences both loads may read the past: the worker
 * sleeps beside queued work. The list of sources is npi_sources_look() in executor/find.c, the only
 * place that knows it.
 *
 * `searching` counts the awake workers of the node that look for work. While it is not zero nobody
 * needs to be woken: a searcher finds the work, or, being the last to leave the count, looks at
 * every source again behind a fence and wakes the next one if there is more. That fence is an
 * ordinary one, so who sees a searcher looks for it again behind an ordinary one of its own. The
 * count is raised by
 * the waker on behalf of the woken one, so that a burst of submits wakes one worker and not all.
 */
#ifndef NPI_SYNC_WAKE_H
#define NPI_SYNC_WAKE_H

#include "base/assert.h"
#include "base/atomic.h"
#include "base/placement.h"
#include "os/os.h"

/* --- one worker's token ------------------------------------------------------------------- */

enum { NPI_TOKEN_NONE = 0, NPI_TOKEN_GIVEN, NPI_TOKEN_ASLEEP };

typedef struct npi_token {
    np_atomic(uint32_t) state; /* the sleeper: NONE, ASLEEP; anybody: GIVEN */
} npi_token;

/* Any thread: the owner's current or next sleep ends. Everything before it is visible to the owner
 * after it woke. In two halves for those who have something to do in between: the mark is the last
 * access to the token; if it returns true, the wake must follow, which uses the address only. */
static inline bool npi_token_mark(npi_token *token)
{
    /* Release: pairs with the acquires in npi_token_wait. */
    return npi_exchange_acq_rel(&token->state, (uint32_t)NPI_TOKEN_GIVEN) == NPI_TOKEN_ASLEEP;
}

static inline void npi_token_wake(npi_token *token)
{
    npi_os_futex_wake(&token->state, 1);
}

static inline void npi_token_give(npi_token *token)
{
    if (npi_token_mark(token))
        npi_token_wake(token);
}

/* Owner: sleeps until a token is given, and takes it; false when the deadline passed first. */
NPI_HOT bool npi_token_wait(npi_token *token, uint64_t deadline);

/* Owner: takes a token that may have been given, without sleeping. */
static inline void npi_token_clear(npi_token *token)
{
    (void)npi_exchange_acquire(&token->state, (uint32_t)NPI_TOKEN_NONE);
}

/* Owner: a look without taking it. Relaxed: the wait that follows takes it with acquire. */
static inline bool npi_token_is_given(npi_token *token)
{
    return npi_load_relaxed(&token->state) == NPI_TOKEN_GIVEN;
}

/* --- the sleepers of one node -------------------------------------------------------------- */

#if !defined(NPI_SLEEPER_WORDS) /* a model chooses a small number */
#define NPI_SLEEPER_WORDS 17u   /* of 64 seats: a node's workers and its other seats */
#endif
#define NPI_SEATS_PER_NODE_MAX (NPI_SLEEPER_WORDS * 64u)
#define NPI_SLEEPER_NONE       UINT32_MAX

typedef struct npi_sleepers {
    /* Raised and lowered by the node's workers, and by wakers on their behalf. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint32_t) searching;
    uint32_t words;   /* in use; constant after init, as the next */
    uint32_t regular; /* the first so many seats have a worker for as long as there is a node */
    /* Seats in use or once used: thieves look at seats below it. Raised under the node's seat lock,
     * with release: the seat is set up. */
    np_atomic(uint32_t) limit;
    /* Wakes by threads that are not workers: here because they write the line anyway. */
    np_atomic(uint64_t) outside_wakes;
    /* Bit = seat. Set by the seat's worker; cleared by it or by the one waker that claims it. */
    np_atomic(uint64_t) asleep[NPI_SLEEPER_WORDS];
} npi_sleepers;

/* Room for `seats`; the first `regular` are in use from the beginning. */
void npi_sleepers_init(npi_sleepers *sleepers, uint32_t seats, uint32_t regular);

/* Worker: enters its seat. A fence must follow before it looks at the sources. */
static inline void npi_sleepers_enter(npi_sleepers *sleepers, uint32_t seat)
{
    uint64_t before = npi_fetch_or_acq_rel(&sleepers->asleep[seat / 64], UINT64_C(1) << seat % 64);
    NPI_CHECK((before & (UINT64_C(1) << seat % 64)) == 0);
    (void)before;
}

/* Worker: takes its seat out. False: a waker has claimed it, and raised `searching` for it before.
 */
static inline bool npi_sleepers_leave(npi_sleepers *sleepers, uint32_t seat)
{
    uint64_t bit = UINT64_C(1) << seat % 64;
    /* Acquire: pairs with the waker's swap in npi_sleepers_claim. Only a waker clears the bit while
     * its worker sleeps, so a bit that is gone needs no swap of ours. */
    if ((npi_load_acquire(&sleepers->asleep[seat / 64]) & bit) == 0)
        return false;
    return (npi_fetch_and_acq_rel(&sleepers->asleep[seat / 64], ~bit) & bit) != 0;
}

/*
 * Waker: raises `searching` for a sleeper and claims it, the lowest seat first (so that the same
 * few stay warm). Returns the seat, or NPI_SLEEPER_NONE. In that case *duty is true if `searching`
 * was raised for a moment in vain and the caller, lowering it, was the last: somebody may have
 * relied on it, so the caller must look at the sources like any last searcher. Raising comes first
 * so that the claimed worker, which may be awake already, never lowers what has not been raised
 * yet.
 */
NPI_HOT uint32_t npi_sleepers_claim(npi_sleepers *sleepers, bool *duty);

static inline bool npi_sleepers_any(npi_sleepers *sleepers)
{
    for (uint32_t i = 0; i < sleepers->words; i++)
        if (npi_load_relaxed(&sleepers->asleep[i]) != 0)
            return true;
    return false;
}

/*
 * Those of 64 seats, from word * 64 on, that are not in the set. Whoever looks for work may pass
 * over the others: a worker that enters the set has neither queued tasks nor shared children, and
 * nobody else can give it any. Behind a fence this is as good as looking at each of them:
 *
 *      a worker going to sleep             a seat's worker that has left the set
 *      -----------------------             -------------------------------------
 *      enters the set                      (its bit was cleared, by itself or by its waker)
 *                                          makes work findable
 *      FENCE                               FENCE
 *      looks at the bits of the seats      looks at the set
 *
 * If the left one reads the bit from before it was cleared, the right one sees the left one asleep.
 */
static inline uint64_t npi_sleepers_awake(npi_sleepers *sleepers, uint32_t word)
{
    return ~npi_load_relaxed(&sleepers->asleep[word]);
}

/* True: the first `count` seats are all in the set. */
static inline bool npi_sleepers_all(npi_sleepers *sleepers, uint32_t count)
{
    for (uint32_t word = 0; word < count / 64; word++)
        if (npi_sleepers_awake(sleepers, word) != 0)
            return false;
    uint64_t rest = (UINT64_C(1) << count % 64) - 1;
    return rest == 0 || (npi_sleepers_awake(sleepers, count / 64) & rest) == 0;
}

/* Momentary. */
static inline uint32_t npi_sleepers_count(npi_sleepers *sleepers)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < sleepers->words; i++)
        count += (uint32_t)__builtin_popcountll(npi_load_relaxed(&sleepers->asleep[i]));
    return count;
}

static inline uint32_t npi_sleepers_searchers(npi_sleepers *sleepers)
{
    return npi_load_relaxed(&sleepers->searching);
}

static inline bool npi_sleepers_searching(npi_sleepers *sleepers)
{
    return npi_load_relaxed(&sleepers->searching) != 0;
}

static inline void npi_sleepers_search_begin(npi_sleepers *sleepers)
{
    /* Relaxed: the count is a hint to wakers; the edge that matters is at its end. */
    npi_fetch_add_relaxed(&sleepers->searching, 1u);
}

/* True when it was the last one: the caller must look at the sources again, behind a fence. */
static inline bool npi_sleepers_search_end(npi_sleepers *sleepers)
{
    uint32_t before = npi_fetch_sub_acq_rel(&sleepers->searching, 1u);
    NPI_INVARIANT(before != 0);
    return before == 1;
}

#endif
