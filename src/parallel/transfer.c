/*
 * parallel/transfer.c - sending to a channel and receiving from it, in all forms. The protocol with
 * waiting calls is in waiter.h, what must hold about the channel in channel.h. Any thread.
 */
#include <string.h>

#include <numaperf/executor.h>

#include "base/assert.h"
#include "base/status.h"
#include "os/os.h"
#include "parallel/channel.h"

/* How often a call looks again before it sleeps: about 2 microseconds. A sleep and its wake cost
 * several times that, and on a worker a spare has to be woken besides. */
#if !defined(SPINS) /* a model chooses a small one */
#define SPINS 64u
#endif

/* One call: what it wants (self.in or self.out) and what it may have to hand out after the lock. */
typedef struct transfer {
    np_channel *channel;
    const char *call; /* its name, for the detail */
    npi_waiter self;
    npi_waiter *served;         /* claimed, to be finished */
    npi_item_segment *segments; /* a send's: to be used; a receive's: no longer wanted */
} transfer;

/* Under the lock. NP_ERR_NO_MEMORY: it needs a segment. */
static np_status send_locked(np_channel *channel, transfer *t)
{
    npi_item_queue *queue = &channel->queue;
    if (npi_load_relaxed(&channel->closed) != 0)
        return NP_ERR_CLOSED;
    t->served = npi_waiter_claim(&channel->receivers);
    if (t->served != NULL) {
        NPI_CHECK(queue->length == 0);
        memcpy(t->served->out, t->self.in, queue->item_size);
        return NP_OK;
    }
    if (!npi_item_queue_has_room(queue)) {
        if (queue->capacity != 0)
            return NP_ERR_WOULD_BLOCK;
        if (t->segments == NULL)
            return NP_ERR_NO_MEMORY;
        npi_item_queue_add(queue, t->segments);
        t->segments = NULL;
    }
    npi_item_queue_put(queue, t->self.in);
    return NP_OK;
}

/* Under the lock. */
static np_status receive_locked(np_channel *channel, transfer *t)
{
    npi_item_queue *queue = &channel->queue;
    if (queue->length == 0)
        return npi_load_relaxed(&channel->closed) != 0 ? NP_ERR_CLOSED : NP_ERR_WOULD_BLOCK;
    t->segments = npi_item_queue_take(queue, t->self.out);
    t->served = npi_waiter_claim(&channel->senders);
    if (t->served != NULL)
        npi_item_queue_put(queue, t->served->in);
    return NP_OK;
}

/* Tries once; if that would have to wait and `wait` is true, the transfer is among the waiters
 * afterwards. */
static np_status attempt(transfer *t, bool wait)
{
    np_channel *channel = t->channel;
    bool sending = t->self.in != NULL;
    np_status status;
    for (;;) {
        npi_lock_acquire(&channel->lock);
        status = sending ? send_locked(channel, t) : receive_locked(channel, t);
        npi_store_relaxed(&channel->length, channel->queue.length);
        if (status == NP_ERR_WOULD_BLOCK && wait)
            npi_waiter_add(sending ? &channel->senders : &channel->receivers, &t->self);
        /* A walk over all segments at every item of a long queue would take time in the square of
         * it. */
        NPI_WALK(channel->queue.segments > 8 || npi_item_queue_valid(&channel->queue));
        npi_lock_release(&channel->lock);
        if (status != NP_ERR_NO_MEMORY)
            break;
        /* Nothing has happened yet, so the channel is still there. */
        t->segments = npi_item_queue_new_segment(&channel->queue);
        if (t->segments == NULL)
            break;
    }
    if (t->served != NULL)
        npi_waiter_finish(t->served, NP_OK);
    npi_item_segments_free(t->segments);
    t->served = NULL;
    t->segments = NULL;
    return status;
}

/* Looks, at most *budget times in all, whether another attempt may succeed. */
static bool spin(const transfer *t, uint32_t *budget)
{
    const np_channel *channel = t->channel;
    size_t capacity = channel->queue.capacity;
    while (*budget > 0) {
        --*budget;
        npi_cpu_relax();
        /* Relaxed: hints. */
        size_t length = npi_load_relaxed(&channel->length);
        if (t->self.in != NULL ? length < capacity : length > 0)
            return true;
        if (npi_load_relaxed(&channel->closed) != 0)
            return true;
    }
    return false;
}

/* Sleeps as one of the waiters. NP_ERR_WOULD_BLOCK: the deadline passed and nothing was done. */
static np_status sleep_until_served(transfer *t, uint64_t deadline)
{
    np_channel *channel = t->channel;
    if (!npi_waiter_sleep(&t->self, deadline)) {
        if (npi_waiter_cancel(&t->self)) {
            /* Nobody will serve it, so this call has had no effect and the channel is still there.
             */
            npi_lock_acquire(&channel->lock);
            npi_waiter_remove(t->self.in != NULL ? &channel->senders : &channel->receivers,
                              &t->self);
            npi_lock_release(&channel->lock);
            return NP_ERR_WOULD_BLOCK;
        }
        /* Claimed just now: served in a moment. */
        (void)npi_waiter_sleep(&t->self, NPI_NO_DEADLINE);
    }
    return t->self.result;
}

/* Sets the detail. The channel may be gone. */
static np_status outcome(const transfer *t, np_status status, np_status not_now)
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

/* `not_now`: what to return when `timeout_ns` is over. */
static np_status run(transfer *t, uint64_t timeout_ns, np_status not_now)
{
    np_status status = attempt(t, false);
    if (status != NP_ERR_WOULD_BLOCK || timeout_ns == 0)
        return outcome(t, status, not_now);

    uint64_t deadline = npi_os_deadline(timeout_ns);
    for (uint32_t budget = SPINS; status == NP_ERR_WOULD_BLOCK && spin(t, &budget);)
        status = attempt(t, false);
    if (status != NP_ERR_WOULD_BLOCK)
        return outcome(t, status, not_now);

    /* Before it is among the waiters: a waiter may be served, and then it must not fail. */
    np_status blocking = np_blocking_begin();
    if (blocking != NP_OK)
        return blocking;
    status = attempt(t, true);
    if (status == NP_ERR_WOULD_BLOCK)
        status = sleep_until_served(t, deadline);
    np_blocking_end();
    return outcome(t, status, not_now);
}

static np_status send_item(np_channel *channel, const void *item, const char *call,
                           uint64_t timeout_ns, np_status not_now)
{
    np_status status = npi_channel_check(channel, call);
    if (status != NP_OK)
        return status;
    if (item == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: item is NULL", call);
    transfer t = {.channel = channel, .call = call};
    npi_waiter_init(&t.self, item, NULL);
    return run(&t, timeout_ns, not_now);
}

static np_status receive_item(np_channel *channel, void *item, const char *call,
                              uint64_t timeout_ns, np_status not_now)
{
    np_status status = npi_channel_check(channel, call);
    if (status != NP_OK)
        return status;
    if (item == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: item is NULL", call);
    transfer t = {.channel = channel, .call = call};
    npi_waiter_init(&t.self, NULL, item);
    return run(&t, timeout_ns, not_now);
}

np_status np_channel_send(np_channel *channel, const void *item)
{
    return send_item(channel, item, "np_channel_send", NP_FOREVER, NP_ERR_TIMEOUT);
}

np_status np_channel_try_send(np_channel *channel, const void *item)
{
    return send_item(channel, item, "np_channel_try_send", 0, NP_ERR_WOULD_BLOCK);
}

np_status np_channel_send_for(np_channel *channel, const void *item, uint64_t timeout_ns)
{
    return send_item(channel, item, "np_channel_send_for", timeout_ns, NP_ERR_TIMEOUT);
}

np_status np_channel_receive(np_channel *channel, void *item)
{
    return receive_item(channel, item, "np_channel_receive", NP_FOREVER, NP_ERR_TIMEOUT);
}

np_status np_channel_try_receive(np_channel *channel, void *item)
{
    return receive_item(channel, item, "np_channel_try_receive", 0, NP_ERR_WOULD_BLOCK);
}

np_status np_channel_receive_for(np_channel *channel, void *item, uint64_t timeout_ns)
{
    return receive_item(channel, item, "np_channel_receive_for", timeout_ns, NP_ERR_TIMEOUT);
}
