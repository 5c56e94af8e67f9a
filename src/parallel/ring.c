/*
 * parallel/ring.c - items from one sender to one receiver without a lock. What always holds, and
 * who may call what: ring.h.
 *
 * A side that goes to sleep, against the other that makes it possible to go on (here a receiver; a
 * sender is the same with head for tail, arming a continuation the same as waiting):
 *
 *      npi_ring_wait (under the lock)   npi_ring_send
 *      ------------------------------   -------------
 *      waiter into the list             item, tail
 *      interest = RECEIVER              FENCE (light)
 *      FENCE (heavy)                    looks at interest
 *      looks at tail
 *
 * Without the fences each may look before the other's write is visible: the receiver sleeps beside
 * an item. And a send against a close, so that no item follows the last:
 *
 *      npi_ring_close                   npi_ring_send
 *      --------------                   -------------
 *      interest = CLOSING               busy = 1
 *      FENCE (heavy)                    FENCE (light)
 *      looks at busy, waits for 0       looks at interest
 *      interest = ENDED                 item, tail, busy = 0
 *
 * Without: the send sees no close, the close no send, a receiver is told that the channel has
 * ended, and then an item comes.
 */
#include "parallel/ring.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "os/fence.h"
#include "os/os.h"
#include "parallel/channel.h"
#include "parallel/transfer.h"

/* How often a closer looks whether a send is still at work before it sleeps, and for how long. */
#if !defined(BUSY_LOOKS) /* a model never sleeps here */
#define BUSY_LOOKS 128u
#endif
#define BUSY_SLEEP_NS UINT64_C(50000)

size_t npi_ring_bytes(size_t item_size, size_t capacity)
{
    return capacity > PTRDIFF_MAX / item_size ? SIZE_MAX : capacity * item_size;
}

npi_ring *npi_ring_create(size_t item_size, size_t capacity, void *storage, size_t *bytes)
{
    *bytes = npi_ring_bytes(item_size, capacity);
    if (*bytes == SIZE_MAX)
        return NULL;
    npi_ring *ring = npi_alloc(sizeof *ring, NPI_FALSE_SHARING);
    if (ring == NULL) {
        *bytes = sizeof *ring;
        return NULL;
    }
    ring->items = storage;
    if (storage == NULL) {
        ring->items = npi_alloc(*bytes, NPI_FALSE_SHARING);
        ring->own_bytes = *bytes;
    }
    if (ring->items == NULL) {
        npi_free(ring, sizeof *ring);
        return NULL;
    }
    ring->item_size = item_size;
    ring->capacity = capacity;
    npi_atomic_init(&ring->interest, 0u);
    npi_atomic_init(&ring->tail, (size_t)0);
    npi_atomic_init(&ring->head, (size_t)0);
    npi_atomic_init(&ring->busy, 0u);
    npi_atomic_init(&ring->taking, 0u);
    npi_plain_set(&ring->tail_slot, (size_t)0);
    npi_plain_set(&ring->seen_head, (size_t)0);
    npi_plain_set(&ring->head_slot, (size_t)0);
    npi_plain_set(&ring->seen_tail, (size_t)0);
    npi_os_fences_prepare();
    return ring;
}

/*
 * Returns when no send is at work. A send falls silent without another look at the channel, which
 * may be gone by then, so it cannot wake anybody: this looks again by itself. That is rare (a send
 * copies at this very moment, or was interrupted between two stores) and soon over.
 */
static void await_send(npi_ring *ring)
{
    /* Acquire: pairs with the release in npi_ring_send, whose tail, and whose last look at the
     * channel, lie before it. */
    for (uint32_t looks = 0; npi_load_acquire(&ring->busy) != 0; looks++) {
        if (looks < BUSY_LOOKS)
            npi_cpu_relax();
        else
            (void)npi_os_futex_wait(&ring->busy, 1, npi_os_deadline(BUSY_SLEEP_NS));
    }
}

void npi_ring_destroy(npi_ring *ring, bool alone)
{
    if (alone)
        await_send(ring);
    if (ring->own_bytes != 0)
        npi_free(ring->items, ring->own_bytes);
    npi_free(ring, sizeof *ring);
}

/* --- moving items --------------------------------------------------------------------------- */

static inline void copy(void *to, const void *from, size_t bytes)
{
    if (bytes == sizeof(uint64_t)) /* a pointer, the most usual item: no call */
        memcpy(to, from, sizeof(uint64_t));
    else
        memcpy(to, from, bytes);
}

/* Items from `slot` on; a second run begins at slot 0. Returns the slot behind them. */
static inline size_t copy_in(npi_ring *ring, size_t slot, const unsigned char *from, size_t count)
{
    size_t run = ring->capacity - slot;
    if (run > count)
        run = count;
    copy(ring->items + slot * ring->item_size, from, run * ring->item_size);
    if (run < count)
        copy(ring->items, from + run * ring->item_size, (count - run) * ring->item_size);
    slot += count;
    return slot < ring->capacity ? slot : slot - ring->capacity;
}

static inline size_t copy_out(npi_ring *ring, size_t slot, unsigned char *to, size_t count)
{
    size_t run = ring->capacity - slot;
    if (run > count)
        run = count;
    copy(to, ring->items + slot * ring->item_size, run * ring->item_size);
    if (run < count)
        copy(to + run * ring->item_size, ring->items, (count - run) * ring->item_size);
    slot += count;
    return slot < ring->capacity ? slot : slot - ring->capacity;
}

/* Somebody waits for the `count` items, or places, that have just been published. */
static __attribute__((noinline, cold)) void tell(np_channel *channel, bool readable, size_t count,
                                                 npi_ready_news *news)
{
    npi_lock_acquire(&channel->lock);
    npi_waiter *waiter = npi_waiter_claim(readable ? &channel->receivers : &channel->senders);
    npi_ready_fire(channel, readable ? &channel->readable : &channel->writable,
                   waiter != NULL ? count - 1 : count, news);
    npi_ring_interest(channel);
    npi_lock_release(&channel->lock);
    if (waiter != NULL)
        npi_waiter_finish(waiter, NP_OK);
}

/* Outside everything: what is told may be code of the user's, which may close the channel. */
static inline void report(npi_transfer *t)
{
    if (__builtin_expect(t->news.refused != NULL || t->news.starved != NP_OK, 0))
        npi_ready_report(&t->news);
}

/* A send finds it closed. It is `busy`, so the channel is still there. */
static __attribute__((noinline, cold)) void too_late(np_channel *channel, npi_ready_news *news)
{
    if (npi_load_relaxed(&channel->starved) == 0) /* relaxed: a hint */
        return;
    npi_lock_acquire(&channel->lock);
    npi_ready_retry_locked(channel, news);
    npi_lock_release(&channel->lock);
}

np_status npi_ring_send(np_channel *channel, npi_transfer *t)
{
    npi_ring *ring = channel->ring;
    npi_waiter *self = &t->self;
    np_status status = NP_ERR_CLOSED;
    /* Relaxed: the promise of one sender. */
    NPI_CHECK(npi_load_relaxed(&ring->busy) == 0);
    npi_store_relaxed(&ring->busy, 1u); /* relaxed: the fence orders it */
    npi_fence_light();                  /* see the top of this file: close */
    if ((npi_load_relaxed(&ring->interest) & NPI_RING_CLOSING) == 0) {
        size_t tail = npi_load_relaxed(&ring->tail); /* relaxed: its own */
        size_t left = npi_waiter_left(self);
        size_t room = ring->capacity - (tail - npi_plain_get(&ring->seen_head));
        if (room < left) {
            /* Acquire: pairs with the release in npi_ring_receive; the slots are read. */
            npi_plain_set(&ring->seen_head, npi_load_acquire(&ring->head));
            room = ring->capacity - (tail - npi_plain_get(&ring->seen_head));
        }
        status = room < left ? NP_ERR_WOULD_BLOCK : NP_OK;
        size_t count = room < left ? room : left;
        if (count != 0) {
            size_t done = npi_plain_get(&self->moved);
            npi_plain_set(&ring->tail_slot,
                          copy_in(ring, npi_plain_get(&ring->tail_slot),
                                  (const unsigned char *)self->in + done * ring->item_size, count));
            npi_plain_set(&self->moved, done + count);
            /* Release: publishes the items, and all before, to npi_ring_receive. */
            npi_store_release(&ring->tail, tail + count);
            npi_fence_light(); /* see the top of this file: sleep */
            if ((npi_load_relaxed(&ring->interest) & NPI_RING_RECEIVER) != 0)
                tell(channel, true, count, &t->news);
        }
    } else {
        too_late(channel, &t->news);
    }
    /* Release: pairs with the acquire in await_send. The last access to the channel. */
    npi_store_release(&ring->busy, 0u);
    report(t);
    return status;
}

/* Empty. NP_OK: it was, but there are items now. */
static __attribute__((noinline, cold)) np_status end_of(np_channel *channel, npi_ready_news *news)
{
    npi_ring *ring = channel->ring;
    if ((npi_load_relaxed(&ring->interest) & NPI_RING_ENDED) == 0) /* relaxed: a hint */
        return NP_ERR_WOULD_BLOCK;
    /* Through the lock: whoever closed it has no more to do with the channel, and `tail` is the
     * last one. */
    npi_lock_acquire(&channel->lock);
    bool ended = (npi_load_relaxed(&ring->interest) & NPI_RING_ENDED) != 0;
    if (npi_load_relaxed(&channel->starved) != 0)
        npi_ready_retry_locked(channel, news);
    npi_lock_release(&channel->lock);
    NPI_CHECK(ended);
    (void)ended;
    /* Relaxed: after the lock under which the end was told it cannot be older than that. */
    return npi_load_relaxed(&ring->tail) == npi_load_relaxed(&ring->head) ? NP_ERR_CLOSED : NP_OK;
}

static np_status take(np_channel *channel, npi_transfer *t)
{
    npi_ring *ring = channel->ring;
    npi_waiter *self = &t->self;
    size_t head = npi_load_relaxed(&ring->head); /* relaxed: its own */
    size_t there = npi_plain_get(&ring->seen_tail) - head;
    if (there < self->count) {
        /* Acquire: pairs with the release in npi_ring_send; the items are there. */
        npi_plain_set(&ring->seen_tail, npi_load_acquire(&ring->tail));
        there = npi_plain_get(&ring->seen_tail) - head;
    }
    if (there == 0) {
        np_status status = end_of(channel, &t->news);
        if (status != NP_OK)
            return status;
        npi_plain_set(&ring->seen_tail, npi_load_acquire(&ring->tail)); /* the same */
        there = npi_plain_get(&ring->seen_tail) - head;
    }
    size_t count = there < self->count ? there : self->count;
    npi_plain_set(&ring->head_slot, copy_out(ring, npi_plain_get(&ring->head_slot),
                                             (unsigned char *)self->out, count));
    npi_plain_set(&self->moved, count);
    /* Release: the reads of the slots come before the sender writes them again. */
    npi_store_release(&ring->head, head + count);
    npi_fence_light(); /* see the top of this file: sleep */
    if ((npi_load_relaxed(&ring->interest) & NPI_RING_SENDER) != 0)
        tell(channel, false, count, &t->news);
    return NP_OK;
}

np_status npi_ring_receive(np_channel *channel, npi_transfer *t)
{
#if NPI_ASSERT_LEVEL >= 2
    /* Relaxed: the promise of one receiver. */
    npi_ring *ring = channel->ring;
    NPI_CHECK(npi_load_relaxed(&ring->taking) == 0);
    npi_store_relaxed(&ring->taking, 1u);
#endif
    np_status status = take(channel, t);
#if NPI_ASSERT_LEVEL >= 2
    npi_store_relaxed(&ring->taking, 0u);
#endif
    report(t);
    return status;
}

/* --- waiting -------------------------------------------------------------------------------- */

void npi_ring_interest(np_channel *channel)
{
    npi_ring *ring = channel->ring;
    uint32_t interest = npi_load_relaxed(&ring->interest) & (NPI_RING_CLOSING | NPI_RING_ENDED);
    if (channel->receivers.first != NULL || channel->readable.first != NULL)
        interest |= NPI_RING_RECEIVER;
    if (channel->senders.first != NULL || channel->writable.first != NULL)
        interest |= NPI_RING_SENDER;
    /* Relaxed: whoever must be seen to have written it fences; the lists come with the lock. */
    npi_store_relaxed(&ring->interest, interest);
}

bool npi_ring_ready(npi_ring *ring, bool for_reading)
{
    /* Relaxed: whoever goes on because of it acquires for itself. */
    size_t length = npi_load_relaxed(&ring->tail) - npi_load_relaxed(&ring->head);
    return for_reading ? length != 0 : length != ring->capacity;
}

size_t npi_ring_length(npi_ring *ring)
{
    /* Relaxed: a momentary figure. Head before tail, else it might pass it; many items may come and
     * go in between. */
    size_t head = npi_load_acquire(&ring->head);
    size_t length = npi_load_relaxed(&ring->tail) - head;
    return length < ring->capacity ? length : ring->capacity;
}

/* True: the waiter is in its list and there is nothing to go on with. */
static bool enlist(np_channel *channel, npi_waiter *self)
{
    npi_ring *ring = channel->ring;
    bool sending = self->in != NULL;
    npi_waiter_list *list = sending ? &channel->senders : &channel->receivers;
    bool waits = false;
    npi_lock_acquire(&channel->lock);
    if (!npi_ring_is_over(ring, !sending)) {
        npi_waiter_add(list, self);
        npi_ring_interest(channel);
        npi_fence_heavy(); /* see the top of this file: sleep */
        waits = !npi_ring_ready(ring, !sending);
        if (!waits) {
            npi_waiter_remove(list, self);
            npi_ring_interest(channel);
        } else {
            npi_channel_tally(sending ? &channel->full_waits : &channel->empty_waits, 1u);
        }
    }
    npi_lock_release(&channel->lock);
    return waits;
}

/* True: nobody has claimed the waiter, and nobody will. */
static bool withdraw(np_channel *channel, npi_waiter *self)
{
    npi_lock_acquire(&channel->lock);
    bool queued = self->queued;
    npi_waiter_remove(self->in != NULL ? &channel->senders : &channel->receivers, self);
    npi_ring_interest(channel);
    npi_lock_release(&channel->lock);
    return queued;
}

np_status npi_ring_wait(np_channel *channel, npi_transfer *t, uint64_t deadline)
{
    npi_waiter *self = &t->self;
    bool sending = self->in != NULL;
    np_status status;
    do {
        if (enlist(channel, self)) {
            if (!npi_waiter_sleep(self, deadline)) {
                if (withdraw(channel, self))
                    return NP_ERR_WOULD_BLOCK;
                (void)npi_waiter_sleep(self, NPI_NO_DEADLINE); /* claimed: told in a moment */
            }
            /* The channel may be gone: this send has had no effect that anybody waits for. */
            if (sending && npi_plain_get(&self->result) == NP_ERR_CLOSED)
                return NP_ERR_CLOSED;
            npi_waiter_again(self);
        }
        status = sending ? npi_ring_send(channel, t) : npi_ring_receive(channel, t);
    } while (status == NP_ERR_WOULD_BLOCK);
    return status;
}

/* --- the end -------------------------------------------------------------------------------- */

bool npi_ring_close(np_channel *channel)
{
    npi_ring *ring = channel->ring;
    npi_lock_acquire(&channel->lock);
    npi_store_relaxed(&channel->closed, 1u);
    npi_store_relaxed(&ring->interest, npi_load_relaxed(&ring->interest) | NPI_RING_CLOSING);
    npi_lock_release(&channel->lock);
    npi_fence_heavy(); /* see the top of this file: close */
    await_send(ring);

    npi_ready_news news = {0};
    npi_lock_acquire(&channel->lock);
    npi_store_relaxed(&ring->interest, npi_load_relaxed(&ring->interest) | NPI_RING_ENDED);
    bool all;
    npi_waiter *waiting = npi_channel_tell_all_locked(channel, &news, &all);
    npi_ring_interest(channel);
    npi_lock_release(&channel->lock);
    npi_channel_told(waiting, &news);
    return all;
}
