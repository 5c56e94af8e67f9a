/*
 * sync/returns.h - blocks that come back: pushed by anybody one at a time, taken all at once.
 *
 * A stack of free blocks, linked through their own first words (Treiber, "Systems Programming:
 * Coping with Parallelism", 1986, without its pop). There is no ABA problem: a push only needs the
 * head it links to to be the head at the moment of its swap, and does not care what happened to it
 * in between; whoever takes gets the whole list with one exchange and looks into no block before it
 * is its own.
 */
#ifndef NPI_SYNC_RETURNS_H
#define NPI_SYNC_RETURNS_H

#include <stddef.h>

#include "base/atomic.h"

/* A block while it is free. Written by whoever has it, or has its list, to itself. */
typedef struct npi_block {
    np_plain(struct npi_block *) next;
    np_plain(uintptr_t) key;            /* says that it is free: parallel/buffer_pool.h */
    np_plain(struct npi_block *) chain; /* of the first one of a full chain: the next full chain */
} npi_block;

typedef struct npi_returns {
    np_atomic(npi_block *) head;
    np_atomic(uint64_t) count; /* ever pushed */
} npi_returns;

static inline void npi_returns_init(npi_returns *returns)
{
    npi_atomic_init(&returns->head, (npi_block *)NULL);
    npi_atomic_init(&returns->count, (uint64_t)0);
}

static inline void npi_returns_push(npi_returns *returns, npi_block *block)
{
    npi_block *head = npi_load_relaxed(&returns->head); /* a guess, judged by the swap */
    do {
        npi_plain_set(&block->next, head);
        /* Release: the block's link, and what its last user did with it. Later pushes are swaps of
         * the same word, so a take of theirs synchronises with this one as well. */
    } while (!npi_cas_release(&returns->head, &head, block));
    /* Relaxed: a figure. The line is here anyway. */
    (void)npi_fetch_add_relaxed(&returns->count, (uint64_t)1);
}

/* All of them, newest first, or NULL. */
static inline npi_block *npi_returns_take(npi_returns *returns)
{
    /* Relaxed: an empty list is not worth the line; what is pushed later is for the next one. */
    if (npi_load_relaxed(&returns->head) == NULL)
        return NULL;
    /* Acquire: the links, and what the users did, from npi_returns_push. */
    return npi_exchange_acquire(&returns->head, (npi_block *)NULL);
}

#endif
