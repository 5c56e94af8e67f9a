/*
 * sync/deque.h - the fork deque: a worker's own stack of forked children.
 *
 *                        owner     thieves
 *   npi_deque_push       yes       -
 *   npi_deque_pop        yes       -         (take back the youngest child)
 *   npi_deque_forget     yes       -         (after a stolen child is done)
 *   npi_deque_publish    yes       -
 *   npi_deque_set_local  yes       -
 *   npi_deque_steal      yes       yes       (the oldest shared child)
 *   npi_deque_ask        yes       yes
 *   npi_deque_has_shared yes       yes
 *
 * Children are strictly nested, so the deque is an array used as a stack:
 *
 *        0        tail          split            head      capacity
 *        | stolen  |   shared     |    private     |   free   |
 *
 * The private part is pushed and popped with plain loads and stores. The shared part is described
 * by one atomic word {local, split, tail}: thieves raise tail, the owner moves split, both by
 * compare and swap of the whole word, so neither fences nor mixed-size accesses are needed. (While
 * nothing is shared no thief's swap can succeed, and the owner simply stores.) A successful swap
 * proves that the word was current, and the word determines which slots are shared; indices are
 * reused, but a slot in [tail, split) of the current word always holds a published child, so a word
 * that returned to an old value does no harm.
 *
 * The structs are public (numaperf/detail/fork.h) because the fast form pushes and pops inline. It
 * needs to know two bounds only: a join above `floor` takes a private child; a fork below `limit`
 * has room, and something else was in sight of thieves when the owner last looked. If it no longer
 * is, the thief that took it has asked (`hungry`). Whoever changes split, known_tail, base or
 * overflow sets both anew (npi_deque_set_bounds). Below `base` lie the children of bodies further
 * down on this worker's stack: tasks that wait, and have shared them so that they get done, or that
 * run a part of themselves in another frame (npi_run_framed).
 *
 * On top of a full deque children are only counted (`overflow`): the plain form has run such a
 * child by then, the fast form runs it at its join, which says what it is.
 *
 * After Lace (van Dijk and van de Pol, "Lace: Non-blocking Split Deque for Work-Stealing", 2014).
 * Deviations: the owner never stores its half of a word that thieves may change, and so needs no
 * fence; only one child is shared until a thief is known to be hungry; the `local` bit keeps the
 * thieves of other nodes away while a strict task runs.
 */
#ifndef NPI_SYNC_DEQUE_H
#define NPI_SYNC_DEQUE_H

#include <numaperf/detail/fork.h>

#include "base/assert.h"
#include "base/atomic.h"

#if !defined(NPI_DEQUE_CAPACITY) /* a model chooses a small one */
#define NPI_DEQUE_CAPACITY 16384u
#endif

/* How far a shared child has come. The owner sets it to fresh before it shares the slot. */
enum { NPI_CHILD_FRESH = 0, NPI_CHILD_AWAITED, NPI_CHILD_DONE };

typedef np_fork_child npi_child;
typedef np_fork_deque npi_deque;

#define NPI_SHARED_LOCAL (UINT64_C(1) << 63)

static inline uint32_t npi_shared_tail(uint64_t shared)
{
    return (uint32_t)shared;
}

static inline uint32_t npi_shared_split(uint64_t shared)
{
    return (uint32_t)(shared >> 32) & 0x7fffffffu;
}

static inline uint64_t npi_shared_word(uint64_t local, uint32_t split, uint32_t tail)
{
    return (local & NPI_SHARED_LOCAL) | (uint64_t)split << 32 | tail;
}

/* `slots`: NPI_DEQUE_CAPACITY zeroed children, the caller's. */
void npi_deque_init(npi_deque *deque, npi_child *slots);

static inline uint32_t npi_deque_index(const npi_deque *deque, const npi_child *child)
{
    return (uint32_t)(child - deque->slots);
}

static inline bool npi_deque_is_empty(const npi_deque *deque)
{
    return deque->head == deque->slots;
}

static inline bool npi_deque_is_full(const npi_deque *deque)
{
    return deque->head == deque->slots + NPI_DEQUE_CAPACITY;
}

/* Owner: it must not go below `floor` or up to `limit` without calling one of the functions here.
 */
static inline void npi_deque_set_bounds(npi_deque *deque)
{
    npi_child *end = deque->slots + NPI_DEQUE_CAPACITY;
    npi_child *split = deque->slots + deque->split;
    deque->floor = deque->overflow != 0 ? end : split > deque->base ? split : deque->base;
    deque->limit = deque->known_tail == deque->split ? deque->slots : end;
}

/* Owner. False: full. Exactly one of `fast` and `plain` is not NULL. */
static inline bool npi_deque_push(npi_deque *deque, np_fast_fn fast, np_task_fn plain,
                                  uintptr_t argument)
{
    npi_child *child = deque->head;
    if (npi_deque_is_full(deque))
        return false;
    npi_plain_set(&child->fast, fast);
    npi_plain_set(&child->plain, plain);
    npi_plain_set(&child->argument, argument);
    deque->head = child + 1;
    return true;
}

/* Owner: so many children lie on top of the full deque. */
static inline void npi_deque_set_overflow(npi_deque *deque, uint32_t count)
{
    NPI_CHECK(count == 0 || npi_deque_is_full(deque));
    deque->overflow = count;
    npi_deque_set_bounds(deque);
}

/* Owner: a task begins, whose children come after those that are there; returns the base before. */
static inline npi_child *npi_deque_begin(npi_deque *deque)
{
    npi_child *before = deque->base;
    deque->base = deque->head;
    if (deque->overflow == 0)
        deque->floor = deque->head;
    return before;
}

/* Owner: it ends, having joined all it forked. */
static inline void npi_deque_end(npi_deque *deque, npi_child *before)
{
    deque->base = before;
    npi_deque_set_bounds(deque);
}

/* Owner: all children are private, or known to be stolen. */
static inline bool npi_deque_shows_none(const npi_deque *deque)
{
    return deque->known_tail == deque->split;
}

/* Owner, slow half of pop: takes shared children back, none below the base. False: the youngest
 * child is stolen. */
bool npi_deque_reclaim(npi_deque *deque);

/* Owner: the youngest child if nobody took it; the slot is free afterwards but stays readable until
 * the next push. NULL: it is stolen, and deque->head - 1 is its slot. There must be a child above
 * the base. */
static inline npi_child *npi_deque_pop(npi_deque *deque)
{
    NPI_CHECK(deque->head > deque->base && deque->overflow == 0);
    if (deque->head == deque->floor && !npi_deque_reclaim(deque))
        return NULL;
    return --deque->head;
}

/* Owner: drops the youngest child, which was stolen and is done. */
void npi_deque_forget(npi_deque *deque);

/* Owner: shares this many of the private children, oldest first (fewer if there are fewer). The
 * caller has set their frames. */
uint32_t npi_deque_publish(npi_deque *deque, uint32_t count);

static inline uint32_t npi_deque_private(const npi_deque *deque)
{
    return npi_deque_index(deque, deque->head) - deque->split;
}

/* Owner: keeps thieves of other nodes away, or lets them in again. Returns what it was before. */
bool npi_deque_set_local(npi_deque *deque, bool local);

/* Anybody: claims the oldest shared child, `home_thief` telling whether the thief is of the same
 * node. NULL: nothing to take, or another thief was faster (then *again is true). */
npi_child *npi_deque_steal(npi_deque *deque, bool home_thief, bool *again);

/* Thief: asks the owner to share more. Loaded first: the owner reads it at every fork. */
static inline void npi_deque_ask(npi_deque *deque)
{
    if (npi_load_relaxed(&deque->hungry) == 0)
        npi_store_relaxed(&deque->hungry, 1u); /* a request, publishes nothing */
}

/* Loads only; a hint except after a sequentially consistent fence (wake.h). */
static inline bool npi_deque_has_shared(npi_deque *deque, bool home_thief)
{
    uint64_t shared = npi_load_relaxed(&deque->shared);
    return npi_shared_tail(shared) < npi_shared_split(shared) &&
           (home_thief || (shared & NPI_SHARED_LOCAL) == 0);
}

#endif
