/*
 * sync/deque.h - the fork deque: a worker's own stack of forked children.
 *
 *                        owner     thieves
 *   npi_deque_push       yes       -
 *   npi_deque_pop        yes       -         (take back the youngest child)
 *   npi_deque_forget     yes       -         (after a stolen child is done)
 *   npi_deque_publish    yes       -
 *   npi_deque_steal      yes       yes       (the oldest shared child)
 *
 * Children are strictly nested, so the deque is an array used as a stack:
 *
 *        0        tail          split            head      capacity
 *        | stolen  |   shared     |    private     |   free   |
 *
 * The private part is pushed and popped with plain loads and stores. The shared part is described
 * by one atomic word {local, split, tail}: thieves raise tail, the owner moves split, both by
 * compare and swap of the whole word, so neither fences nor mixed-size accesses are needed. A
 * successful swap proves that the word was current, and the word determines which slots are shared;
 * indices are reused, but a slot in [tail, split) of the current word always holds a published
 * child, so a word that returned to an old value does no harm.
 *
 * After Lace (van Dijk and van de Pol, "Lace: Non-blocking Split Deque for Work-Stealing", 2014).
 * Deviations: tail and split change only by compare and swap (there the owner stores its half and
 * fences); nothing is shared until a thief is known to be hungry; the `local` bit keeps the thieves
 * of other nodes away while a strict task runs.
 */
#ifndef NPI_SYNC_DEQUE_H
#define NPI_SYNC_DEQUE_H

#include <numaperf/executor.h>

#include "base/assert.h"
#include "base/atomic.h"

#define NPI_DEQUE_CAPACITY 4096u

struct npi_frame;

/* How far a shared child has come. The owner sets it to fresh before it shares the slot. */
enum { NPI_CHILD_FRESH = 0, NPI_CHILD_AWAITED, NPI_CHILD_DONE };

typedef struct npi_child {
    /* Thief: DONE when it has run. Owner: FRESH -> AWAITED before it sleeps. */
    NPI_ALIGNED(NPI_CACHE_LINE) np_atomic(uint32_t) state;
    /* The thief, for stealing back; a hint, may be NULL for a moment. */
    np_atomic(void *) thief;
    /* Written by the owner while the slot is private; read by the thief after its claim. */
    np_plain(np_task_fn) fn;
    np_plain(void *) argument;
    np_plain(const struct npi_frame *) frame; /* of the forking task; outlives the child */
} npi_child;

typedef struct npi_deque {
    /* The owner's line. */
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_child *slots;
    uint32_t head;
    uint32_t split;      /* the owner's copy; only the owner changes the real one */
    uint32_t known_tail; /* tail when the owner last looked; thieves may have raised it since */
    /* The thieves' line: all that a worker reads that looks for children. The owner only reads it,
     * but for the times when it shares or takes back. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) shared; /* local:1 split:31 tail:32 */
    /* Set by a worker that found nothing here before it sleeps; cleared by the owner when it
     * shares. */
    np_atomic(uint32_t) hungry;
} npi_deque;

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

/* Owner. False: full; the caller runs the child at once. */
static inline bool npi_deque_push(npi_deque *deque, np_task_fn fn, void *argument,
                                  const struct npi_frame *frame)
{
    uint32_t head = deque->head;
    if (__builtin_expect(head == NPI_DEQUE_CAPACITY, 0))
        return false;
    npi_child *child = &deque->slots[head];
    npi_plain_set(&child->fn, fn);
    npi_plain_set(&child->argument, argument);
    npi_plain_set(&child->frame, frame);
    deque->head = head + 1;
    return true;
}

/* Owner: all children are private, or known to be stolen. */
static inline bool npi_deque_shows_none(const npi_deque *deque)
{
    return deque->known_tail == deque->split;
}

/* Owner, slow half of pop: takes shared children back, none below `floor`. False: the youngest
 * child is stolen. */
bool npi_deque_reclaim(npi_deque *deque, uint32_t floor);

/* Owner: the youngest child if nobody took it; the slot is free afterwards but stays readable until
 * the next push. NULL: it is stolen, and deque->slots[deque->head - 1] is its slot. There must be a
 * child above `floor`, where the running task's own begin: those below belong to tasks that wait
 * and have shared them so that they get done. */
static inline npi_child *npi_deque_pop(npi_deque *deque, uint32_t floor)
{
    NPI_CHECK(deque->head > floor);
    if (deque->head == deque->split && !npi_deque_reclaim(deque, floor))
        return NULL;
    return &deque->slots[--deque->head];
}

/* Owner: drops the youngest child, which was stolen and is done. */
void npi_deque_forget(npi_deque *deque);

/* Owner: shares this many of the private children, oldest first (fewer if there are fewer). */
uint32_t npi_deque_publish(npi_deque *deque, uint32_t count);

static inline uint32_t npi_deque_private(const npi_deque *deque)
{
    return deque->head - deque->split;
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
