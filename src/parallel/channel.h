/*
 * parallel/channel.h - the inside of a channel: a lock, a queue of items, two lists of waiting
 * calls and two of continuations. channel.c makes, closes and destroys it, transfer.c sends and
 * receives, ready.c has the continuations. Where the caller promises one sender and one receiver
 * the queue is a ring that needs no lock (ring.h); the lists stay under it.
 *
 *                                  called                        takes the lock
 *   create                         first                         no
 *   send, receive (all forms)      any of them by any number     yes; on a ring: ring.h
 *   add_sender, remove_sender,       of threads at once          yes
 *     close, when_..., notify_...,
 *     forget
 *   length, senders, is_closed,    beside anything but destroy   no
 *     count
 *   destroy                        last                          no
 *
 * A call that cannot go on at once puts a waiter on its own stack into a list (waiter.h) and sleeps
 * on it. The call that makes it possible serves the first waiter itself: a send hands its item
 * straight to a receiver that waits, a receive that frees a place puts the item of a waiting sender
 * there. So a wake goes to one thread, which never has to look again, and nobody overtakes a
 * waiter. (On a ring it is only woken: nobody else can be served.)
 *
 * Invariants, whenever the lock is free (live: not cancelled), but on a ring:
 *   - a live receiver waits only while the queue is empty and the channel open;
 *   - a live sender waits only while the queue is full and the channel open;
 *   - a continuation is armed for writing only while the queue is full and the channel open, or
 *     because there was no memory to submit it. (For reading: others may have been readied by items
 *     that are still inside.)
 *
 * Lifetime: a call touches the channel for the last time when it releases the lock under which its
 * effect became visible (the release may wake a sleeper on the lock by address, which reads no
 * memory). After that it touches only waiters it has claimed, whose calls have not returned, and
 * memory it has taken out. So a thread that learned by receiving that everybody else is finished
 * may destroy the channel although their calls have not returned yet.
 */
#ifndef NPI_PARALLEL_CHANNEL_H
#define NPI_PARALLEL_CHANNEL_H

#include <numaperf/channel.h>
#include <numaperf/region.h>

#include "base/atomic.h"
#include "os/lock.h"
#include "parallel/item_queue.h"
#include "parallel/ready.h"
#include "parallel/ring.h"
#include "parallel/waiter.h"

struct np_channel {
    /* Constant. */
    uint32_t generation; /* of the process that created it */
    size_t item_size;
    size_t capacity;   /* items; 0: unbounded */
    npi_ring *ring;    /* instead of `queue`, or NULL */
    np_region *region; /* where the items lie, or NULL */
    np_enforcement enforcement;

    NPI_ALIGNED(NPI_FALSE_SHARING) npi_lock lock;
    npi_item_queue queue;      /* under the lock */
    npi_waiter_list senders;   /* waiting for room; under the lock */
    npi_waiter_list receivers; /* waiting for an item; under the lock */
    npi_ready_list readable;   /* continuations; under the lock */
    npi_ready_list writable;   /* the same */
    npi_ready *spare_ready;    /* records to be used again; under the lock */

    /* Written under the lock, so that there they are exact. Read without it as momentary figures
     * and as hints whether a look under the lock may pay; relaxed, for nothing is concluded from
     * them. */
    np_atomic(size_t) length;         /* of the queue; not for a ring */
    np_atomic(uint32_t) sender_count; /* added and not removed */
    np_atomic(uint32_t) closed;       /* 1: nothing more can be sent; never goes back to 0 */
    np_atomic(uint32_t) starved;      /* 1: a continuation waits for memory */
    np_atomic(uint64_t) sent;         /* not for a ring, like the next */
    np_atomic(uint64_t) received;
    np_atomic(uint64_t) full_waits;
    np_atomic(uint64_t) empty_waits;
    np_atomic(uint64_t) readied;
};

/* Under the lock: adds to one of the figures. Nothing is concluded from them, so a model, where
 * each access multiplies the schedules, leaves them out. */
#if defined(NPI_COUNT_NOTHING)
#define npi_channel_tally(figure, count) ((void)(count))
#else
#define npi_channel_tally(figure, count) npi_owner_add((figure), (count))
#endif

/* Whether the caller may use the channel: not NULL, not from before a fork. Sets the detail; `call`
 * is the name of the public function. */
np_status npi_channel_check(const np_channel *channel, const char *call);

/* At the end of a closing. Under the lock: readies every continuation (*all: for none of them
 * memory was missing) and returns the waiters that have to be told. After it: tells them; the
 * channel may be gone. */
npi_waiter *npi_channel_tell_all_locked(np_channel *channel, npi_ready_news *news, bool *all);
void npi_channel_told(npi_waiter *waiting, npi_ready_news *news);

/* How many calls wait in the channel at this moment, for tests. Takes the lock and walks the lists.
 */
void npi_channel_waiting(np_channel *channel, size_t *senders, size_t *receivers);

#endif
