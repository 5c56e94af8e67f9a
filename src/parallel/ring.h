/*
 * parallel/ring.h - the queue of a bounded channel with one sender and one receiver: a ring of
 * items that both use without a lock.
 *
 * `tail` counts the items sent, `head` those received; both only grow (and may wrap: only their
 * difference counts). Each is written by one side and published with one release store, however
 * many items there are; no operation here is a read-modify-write. Each side keeps the last value it
 * has seen of the other's, and looks again only when that is not enough. (Lamport, "Proving the
 * Correctness of Multiprocess Programs", 1977; the remembered indices are those of Lee, Bu and
 * Chandranmenon, "A Lock-Free, Cache-Efficient Shared Ring Buffer", ANCS 2009.)
 *
 *                        called by                                 takes the channel's lock
 *   _send                the sender                                only to tell who waits
 *   _receive             the receiver                              the same; at the end, once
 *   _wait                whoever of them cannot go on              yes
 *   _interest            anybody                                   the caller has it
 *   _close               anybody, any number of them               yes, twice
 *   _ready, _length      anybody                                   no
 *   _destroy             last                                      no
 *
 * Who waits, and which continuations are armed, is under the channel's lock (waiter.h, ready.h).
 * That there are any is written into `interest`, at which each side looks after each publication.
 * Nothing is handed over: a woken side does for itself what it waited for, and nobody else can.
 *
 * `busy` is 1 while a send is at work, and its fall is the last that the send does to the channel.
 * Closing waits for it, so that there is a last item; destroying does, so that the receiver may
 * destroy the channel as soon as it has the item that it knows to be the last.
 */
#ifndef NPI_PARALLEL_RING_H
#define NPI_PARALLEL_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/channel.h>

#include "base/atomic.h"

struct npi_transfer;

enum {
    NPI_RING_RECEIVER = 1, /* a receiver waits, or a continuation for reading is armed */
    NPI_RING_SENDER = 2,   /* the same for sending */
    NPI_RING_CLOSING = 4,  /* no send begins any more; never taken back */
    NPI_RING_ENDED = 8     /* ... and none is at work: `tail` is the last; never taken back */
};

typedef struct npi_ring {
    /* Constant but for interest, which changes rarely: written under the channel's lock, read by
     * everybody. */
    NPI_ALIGNED(NPI_FALSE_SHARING) unsigned char *items;
    size_t item_size;
    size_t capacity;
    size_t own_bytes; /* what it allocated for the items; 0: they are the channel's */
    np_atomic(uint32_t) interest;

    /* Written by the sender, read by the receiver. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(size_t) tail;
    /* The sender's own. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_plain(size_t) tail_slot; /* where item `tail` goes */
    np_plain(size_t) seen_head;
    np_atomic(uint32_t) busy; /* read by _close and _destroy */

    /* Written by the receiver, read by the sender. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(size_t) head;
    /* The receiver's own. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_plain(size_t) head_slot;
    np_plain(size_t) seen_tail;
    np_atomic(uint32_t) taking; /* 1: a receive is at work; for NPI_CHECK */
} npi_ring;

/* Bytes of the items; SIZE_MAX: too many to be counted. */
size_t npi_ring_bytes(size_t item_size, size_t capacity);
/* NULL: no memory for *bytes. `storage`: npi_ring_bytes that outlive the ring, or NULL. */
npi_ring *npi_ring_create(size_t item_size, size_t capacity, void *storage, size_t *bytes);
/* `alone`: false in a forked child, where the sender's thread may not exist. */
void npi_ring_destroy(npi_ring *ring, bool alone);

/* Moves what can be moved of `t`. NP_OK: all of a send, one item at least of a receive;
 * NP_ERR_WOULD_BLOCK; NP_ERR_CLOSED. */
np_status npi_ring_send(np_channel *channel, struct npi_transfer *t);
np_status npi_ring_receive(np_channel *channel, struct npi_transfer *t);
/* Goes on, sleeping, until the same is true or the deadline passes (NP_ERR_WOULD_BLOCK). */
np_status npi_ring_wait(np_channel *channel, struct npi_transfer *t, uint64_t deadline);

/* False: a continuation found no memory and stays armed. */
bool npi_ring_close(np_channel *channel);
/* Under the channel's lock: `interest` says what the lists say. */
void npi_ring_interest(np_channel *channel);

/* Under the channel's lock: no item will come, or none may be sent, any more. */
static inline bool npi_ring_is_over(npi_ring *ring, bool for_reading)
{
    /* Relaxed: under the lock. */
    return (npi_load_relaxed(&ring->interest) &
            (for_reading ? NPI_RING_ENDED : NPI_RING_CLOSING)) != 0;
}
/* There is an item, or there is room. */
bool npi_ring_ready(npi_ring *ring, bool for_reading);
/* A momentary figure. */
size_t npi_ring_length(npi_ring *ring);

#endif
