/*
 * parallel/transfer.c - sending to a channel and receiving from it, in all forms; on a channel with
 * a ring the moving itself is in ring.c. The protocol with waiting calls is in waiter.h, what must
 * hold about the channel in channel.h. Any thread.
 */
#include "parallel/transfer.h"

#include <string.h>

#include "base/assert.h"
#include "base/status.h"
#include "os/os.h"
#include "parallel/channel.h"

/* How often a call looks again before it sleeps: about 2 microseconds. A sleep and its wake cost
 * several times that, and on a worker a spare has to be woken besides. */
#if !defined(SPINS) /* a model chooses a small one */
#define SPINS 64u
#endif

/* How long a call waits before it tries again to submit a continuation for which there was no
 * memory. */
#define STARVED_NS UINT64_C(1000000)

/* --- a queue and its lock ------------------------------------------------------------------- */

static const unsigned char *next_in(npi_waiter *waiter, size_t item_size)
{
    return (const unsigned char *)waiter->in + npi_plain_get(&waiter->moved) * item_size;
}

static void advance(npi_waiter *waiter, size_t items)
{
    npi_plain_set(&waiter->moved, npi_plain_get(&waiter->moved) + items);
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Under the lock: hands items to receivers that wait, each as many as it can take. */
static void serve_receivers(np_channel *channel, npi_transfer *t)
{
    npi_waiter *self = &t->self;
    npi_waiter **end = &t->served;
    while (npi_waiter_left(self) > 0) {
        npi_waiter *receiver = npi_waiter_claim(&channel->receivers);
        if (receiver == NULL)
            return;
        NPI_CHECK(channel->queue.length == 0);
        size_t items = least(receiver->count, npi_waiter_left(self));
        memcpy(receiver->out, next_in(self, channel->item_size), items * channel->item_size);
        advance(receiver, items);
        advance(self, items);
        npi_channel_tally(&channel->received, items);
        receiver->next = NULL;
        *end = receiver;
        end = &receiver->next;
    }
}

/* Under the lock. NP_ERR_NO_MEMORY: it needs a segment. */
static np_status send_locked(np_channel *channel, npi_transfer *t)
{
    npi_item_queue *queue = &channel->queue;
    npi_waiter *self = &t->self;
    if (npi_load_relaxed(&channel->closed) != 0)
        return NP_ERR_CLOSED;
    size_t before = npi_plain_get(&self->moved), put = 0;
    np_status status = NP_OK;
    serve_receivers(channel, t);
    for (;;) {
        size_t more = npi_item_queue_put_many(queue, next_in(self, channel->item_size),
                                              npi_waiter_left(self));
        advance(self, more);
        put += more;
        if (npi_waiter_left(self) == 0)
            break;
        status = channel->capacity != 0 ? NP_ERR_WOULD_BLOCK : NP_ERR_NO_MEMORY;
        if (channel->capacity != 0 || t->segments == NULL)
            break;
        status = NP_OK;
        npi_item_queue_add(queue, t->segments);
        t->segments = NULL;
    }
    npi_channel_tally(&channel->sent, npi_plain_get(&self->moved) - before);
    npi_ready_fire(channel, &channel->readable, put, &t->news);
    return status;
}

/* Under the lock: `room` places are free; senders that wait put there what fits, in their order.
 * Returns how many places are left. */
static size_t serve_senders(np_channel *channel, npi_transfer *t, size_t room)
{
    npi_waiter_list *list = &channel->senders;
    npi_waiter **end = &t->served;
    while (room > 0 && list->first != NULL) {
        npi_waiter *sender = list->first;
        size_t items = least(room, npi_waiter_left(sender));
        bool all = items == npi_waiter_left(sender);
        /* One that has cancelled may still put some: it takes the lock before it looks how many. */
        if (all && !npi_waiter_claim_one(list, sender))
            continue;
        size_t put = npi_item_queue_put_many(&channel->queue, next_in(sender, channel->item_size),
                                             items);
        NPI_CHECK(put == items);
        advance(sender, put);
        npi_channel_tally(&channel->sent, put);
        room -= put;
        if (!all)
            break;
        sender->next = NULL;
        *end = sender;
        end = &sender->next;
    }
    return room;
}

/* Under the lock. */
static np_status receive_locked(np_channel *channel, npi_transfer *t)
{
    npi_item_queue *queue = &channel->queue;
    if (queue->length == 0)
        return npi_load_relaxed(&channel->closed) != 0 ? NP_ERR_CLOSED : NP_ERR_WOULD_BLOCK;
    size_t items = npi_item_queue_take_many(queue, t->self.out, t->self.count, &t->segments);
    advance(&t->self, items);
    npi_channel_tally(&channel->received, items);
    if (channel->capacity != 0) {
        size_t left = serve_senders(channel, t, items);
        npi_ready_fire(channel, &channel->readable, items - left, &t->news);
        npi_ready_fire(channel, &channel->writable, left, &t->news);
    }
    return NP_OK;
}

/* After the lock: the channel may be gone as soon as somebody has been told. */
static void hand_out(npi_transfer *t)
{
    for (npi_waiter *waiter = t->served, *next; waiter != NULL; waiter = next) {
        next = waiter->next;
        npi_waiter_finish(waiter, NP_OK);
    }
    npi_item_segments_free(t->segments);
    npi_ready_report(&t->news);
    t->served = NULL;
    t->segments = NULL;
}

/* Tries once; if that would have to wait and `wait` is true, the transfer is among the waiters
 * afterwards. */
static np_status attempt_locked(npi_transfer *t, bool wait)
{
    np_channel *channel = t->channel;
    bool sending = t->self.in != NULL;
    for (;;) {
        npi_lock_acquire(&channel->lock);
        np_status status = sending ? send_locked(channel, t) : receive_locked(channel, t);
        npi_store_relaxed(&channel->length, channel->queue.length);
        if (status == NP_ERR_WOULD_BLOCK && wait) {
            npi_channel_tally(sending ? &channel->full_waits : &channel->empty_waits, 1u);
            npi_waiter_add(sending ? &channel->senders : &channel->receivers, &t->self);
        }
        if (status == NP_ERR_CLOSED && npi_load_relaxed(&channel->starved) != 0)
            npi_ready_retry_locked(channel, &t->news);
        /* A walk over all segments at every item of a long queue would take time in the square of
         * it. */
        NPI_WALK(channel->queue.segments > 8 || npi_item_queue_valid(&channel->queue));
        npi_lock_release(&channel->lock);
        hand_out(t);
        if (status != NP_ERR_NO_MEMORY)
            return status;
        /* Its last item is not inside, so the channel is still there. */
        t->segments = npi_item_queue_new_segment(&channel->queue);
        if (t->segments == NULL)
            return status;
    }
}

/* --- one call ------------------------------------------------------------------------------- */

static np_status attempt(npi_transfer *t)
{
    if (t->channel->ring == NULL)
        return attempt_locked(t, false);
    return t->self.in != NULL ? npi_ring_send(t->channel, t) : npi_ring_receive(t->channel, t);
}

/* Looks, at most *budget times in all, whether another attempt may succeed. */
static bool spin(const npi_transfer *t, uint32_t *budget)
{
    const np_channel *channel = t->channel;
    while (*budget > 0) {
        --*budget;
        npi_cpu_relax();
        /* Relaxed: hints. */
        size_t length = channel->ring != NULL ? npi_ring_length(channel->ring)
                                              : npi_load_relaxed(&channel->length);
        if (t->self.in != NULL ? length < channel->capacity : length > 0)
            return true;
        if (npi_load_relaxed(&channel->closed) != 0)
            return true;
    }
    return false;
}

/* Sleeps as one of the waiters. NP_ERR_WOULD_BLOCK: the deadline passed and nothing was done. */
static np_status sleep_until_served(npi_transfer *t, uint64_t deadline)
{
    np_channel *channel = t->channel;
    if (!npi_waiter_sleep(&t->self, deadline)) {
        if (npi_waiter_cancel(&t->self)) {
            /* Nobody will claim it, so this call is not over for anybody and the channel is still
             * there. Some of a sender's items may be inside. */
            npi_lock_acquire(&channel->lock);
            npi_waiter_remove(t->self.in != NULL ? &channel->senders : &channel->receivers,
                              &t->self);
            npi_lock_release(&channel->lock);
            return NP_ERR_WOULD_BLOCK;
        }
        /* Claimed just now: served in a moment. */
        (void)npi_waiter_sleep(&t->self, NPI_NO_DEADLINE);
    }
    return npi_plain_get(&t->self.result);
}

/* Sets the detail. The channel may be gone. */
static np_status outcome(const npi_transfer *t, np_status status, np_status not_now)
{
    const char *state = t->self.in != NULL ? "full" : "empty";
    if (status == NP_OK)
        return NP_OK;
    if (status == NP_ERR_CLOSED)
        return npi_fail(status, "%s: the channel is closed%s", t->call,
                        t->self.in != NULL ? "" : " and empty");
    if (status == NP_ERR_NO_MEMORY)
        return npi_fail(status, "%s: no memory for more items", t->call);
    if (not_now == NP_ERR_TIMEOUT)
        return npi_fail(not_now, "%s: the channel was %s until the time was over", t->call, state);
    return npi_fail(not_now, "%s: the channel is %s", t->call, state);
}

/* Waits; `status` was NP_ERR_WOULD_BLOCK. */
static np_status wait(npi_transfer *t, uint64_t deadline)
{
    if (t->channel->ring != NULL)
        return npi_ring_wait(t->channel, t, deadline);
    np_status status = attempt_locked(t, true);
    return status == NP_ERR_WOULD_BLOCK ? sleep_until_served(t, deadline) : status;
}

/* The same, beside a continuation that has found no memory for its task: nobody else may be left to
 * try again. The place in the line is lost by it. */
static np_status wait_and_retry(npi_transfer *t, uint64_t deadline)
{
    for (;;) {
        /* Relaxed: a hint; what this call itself did to it, it sees. */
        bool starved = npi_load_relaxed(&t->channel->starved) != 0;
        uint64_t until = starved ? npi_os_deadline(STARVED_NS) : deadline;
        if (until > deadline)
            until = deadline;
        np_status status = wait(t, until);
        if (status != NP_ERR_WOULD_BLOCK || until == deadline)
            return status;
        npi_waiter_again(&t->self); /* cancelled: the channel is still there */
        npi_ready_retry(t->channel);
    }
}

/* `not_now`: what to return when `timeout_ns` is over. */
static np_status run(npi_transfer *t, uint64_t timeout_ns, np_status not_now)
{
    np_status status = attempt(t);
    if (__builtin_expect(status == NP_OK, 1))
        return NP_OK;
    if (status != NP_ERR_WOULD_BLOCK || timeout_ns == 0)
        return outcome(t, status, not_now);

    uint64_t deadline = npi_os_deadline(timeout_ns);
    for (uint32_t budget = SPINS; status == NP_ERR_WOULD_BLOCK && spin(t, &budget);)
        status = attempt(t);
    if (status != NP_ERR_WOULD_BLOCK)
        return outcome(t, status, not_now);

    /* Before it is among the waiters: a waiter may be served, and then it must not fail. */
    np_status blocking = np_blocking_begin();
    if (blocking != NP_OK)
        return blocking;
    status = wait_and_retry(t, deadline);
    np_blocking_end();
    return outcome(t, status, not_now);
}

/* --- the public calls ----------------------------------------------------------------------- */

/* How a call waits. */
typedef struct patience {
    uint64_t timeout_ns;
    np_status not_now;
} patience;

static const patience forever = {NP_FOREVER, NP_ERR_TIMEOUT};
static const patience none = {0, NP_ERR_WOULD_BLOCK};

static patience for_time(uint64_t timeout_ns)
{
    return (patience){timeout_ns, NP_ERR_TIMEOUT};
}

static np_status send_items(np_channel *channel, const void *items, size_t count, size_t *sent,
                            const char *call, patience p)
{
    np_status status = npi_channel_check(channel, call);
    if (status != NP_OK)
        return status;
    if (count == 0)
        return NP_OK;
    if (items == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: item is NULL", call);
    npi_transfer t = {.channel = channel, .call = call};
    npi_waiter_init(&t.self, items, NULL, count);
    status = run(&t, p.timeout_ns, p.not_now);
    *sent = npi_plain_get(&t.self.moved);
    return status;
}

static np_status receive_items(np_channel *channel, void *items, size_t count, size_t *received,
                               const char *call, patience p)
{
    np_status status = npi_channel_check(channel, call);
    if (status != NP_OK)
        return status;
    if (items == NULL || count == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: %s", call,
                        items == NULL ? "item is NULL" : "capacity is 0");
    npi_transfer t = {.channel = channel, .call = call};
    npi_waiter_init(&t.self, NULL, items, count);
    status = run(&t, p.timeout_ns, p.not_now);
    *received = npi_plain_get(&t.self.moved);
    return status;
}

static np_status send_one(np_channel *channel, const void *item, const char *call, patience p)
{
    size_t sent;
    return send_items(channel, item, 1, &sent, call, p);
}

static np_status receive_one(np_channel *channel, void *item, const char *call, patience p)
{
    size_t received;
    return receive_items(channel, item, 1, &received, call, p);
}

static np_status send_many(np_channel *channel, const void *items, size_t count, size_t *sent,
                           const char *call, patience p)
{
    if (sent == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: sent is NULL", call);
    *sent = 0;
    return send_items(channel, items, count, sent, call, p);
}

static np_status receive_many(np_channel *channel, void *items, size_t capacity, size_t *received,
                              const char *call, patience p)
{
    if (received == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: received is NULL", call);
    *received = 0;
    return receive_items(channel, items, capacity, received, call, p);
}

np_status np_channel_send(np_channel *channel, const void *item)
{
    return send_one(channel, item, "np_channel_send", forever);
}

np_status np_channel_try_send(np_channel *channel, const void *item)
{
    return send_one(channel, item, "np_channel_try_send", none);
}

np_status np_channel_send_for(np_channel *channel, const void *item, uint64_t timeout_ns)
{
    return send_one(channel, item, "np_channel_send_for", for_time(timeout_ns));
}

np_status np_channel_receive(np_channel *channel, void *item)
{
    return receive_one(channel, item, "np_channel_receive", forever);
}

np_status np_channel_try_receive(np_channel *channel, void *item)
{
    return receive_one(channel, item, "np_channel_try_receive", none);
}

np_status np_channel_receive_for(np_channel *channel, void *item, uint64_t timeout_ns)
{
    return receive_one(channel, item, "np_channel_receive_for", for_time(timeout_ns));
}

np_status np_channel_send_many(np_channel *channel, const void *items, size_t count, size_t *sent)
{
    return send_many(channel, items, count, sent, "np_channel_send_many", forever);
}

np_status np_channel_try_send_many(np_channel *channel, const void *items, size_t count,
                                   size_t *sent)
{
    return send_many(channel, items, count, sent, "np_channel_try_send_many", none);
}

np_status np_channel_send_many_for(np_channel *channel, const void *items, size_t count,
                                   size_t *sent, uint64_t timeout_ns)
{
    return send_many(channel, items, count, sent, "np_channel_send_many_for", for_time(timeout_ns));
}

np_status np_channel_receive_many(np_channel *channel, void *items, size_t capacity,
                                  size_t *received)
{
    return receive_many(channel, items, capacity, received, "np_channel_receive_many", forever);
}

np_status np_channel_try_receive_many(np_channel *channel, void *items, size_t capacity,
                                      size_t *received)
{
    return receive_many(channel, items, capacity, received, "np_channel_try_receive_many", none);
}

np_status np_channel_receive_many_for(np_channel *channel, void *items, size_t capacity,
                                      size_t *received, uint64_t timeout_ns)
{
    return receive_many(channel, items, capacity, received, "np_channel_receive_many_for",
                        for_time(timeout_ns));
}
