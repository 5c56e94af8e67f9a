/*
 * parallel/channel.h - the inside of a channel: a lock, a queue of items and two lists of waiting
 * calls. channel.c makes, closes and destroys it, transfer.c sends and receives.
 *
 *                                  called                        takes the lock
 *   create                         first                         no
 *   send, receive (all forms)      any of them by any number     yes
 *   add_sender, remove_sender,       of threads at once          yes
 *     close
 *   length, senders, is_closed     beside anything but destroy   no
 *   destroy                        last                          no
 *
 * A call that cannot go on at once puts a waiter on its own stack into a list (waiter.h) and sleeps
 * on it. The call that makes it possible serves the first waiter itself: a send hands its item
 * straight to a receiver that waits, a receive that frees a place puts the item of a waiting sender
 * there. So a wake goes to one thread, which never has to look again, and nobody overtakes a
 * waiter.
 *
 * Invariants, whenever the lock is free (live: not cancelled):
 *   - a live receiver waits only while the queue is empty and the channel open;
 *   - a live sender waits only while the queue is full and the channel open.
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

#include "base/atomic.h"
#include "os/lock.h"
#include "parallel/item_queue.h"
#include "parallel/waiter.h"

struct np_channel {
    uint32_t generation; /* of the process that created it; never changes */

    npi_lock lock;
    npi_item_queue queue;      /* its constants: anybody; the rest: under the lock */
    npi_waiter_list senders;   /* waiting for room; under the lock */
    npi_waiter_list receivers; /* waiting for an item; under the lock */

    /* Written under the lock, so that there they are exact. Read without it as momentary figures
     * and as hints whether a look under the lock may pay; relaxed, for nothing is concluded from
     * them. */
    np_atomic(size_t) length;         /* of the queue */
    np_atomic(uint32_t) sender_count; /* added and not removed */
    np_atomic(uint32_t) closed;       /* 1: nothing more can be sent; never goes back to 0 */
};

/* Whether the caller may use the channel: not NULL, not from before a fork. Sets the detail; `call`
 * is the name of the public function. */
np_status npi_channel_check(const np_channel *channel, const char *call);

/* How many calls wait in the channel at this moment, for tests. Takes the lock and walks the lists.
 */
void npi_channel_waiting(np_channel *channel, size_t *senders, size_t *receivers);

#endif
