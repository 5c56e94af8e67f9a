/*
 * parallel/channel.c - channels: a lock, a queue of items and two lists of waiting calls.
 *
 *                 | send, receive  | add, remove_sender, close | length ...      | destroy
 *   called by     | any number of threads at once, any of them | beside anything | nobody else
 * inside lock          | yes            | yes                       | no              | no
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
#include "parallel/channel.h"

#include <string.h>

#include <numaperf/executor.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"
#include "os/lock.h"
#include "os/os.h"
#include "parallel/item_queue.h"
#include "parallel/waiter.h"

#define ITEM_SIZE_MOST 65536u

/* How often a call looks again before it sleeps: about 2 microseconds. A sleep and its wake cost
 * several times that, and on a worker a spare has to be woken besides. */
#define SPINS 64u

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

static np_status check(const np_channel *channel, const char *call)
{
    if (channel == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the channel is NULL", call);
    if (channel->generation != npi_os_process_generation())
        return npi_fail(NP_ERR_FORKED, "%s: the channel was created before fork", call);
    return NP_OK;
}

/* --- creating and destroying ------------------------------------------------------------- */

static np_status read_options(const np_channel_options *given, np_channel_options *options)
{
    if (given == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_create: options is NULL");
    if (!npi_options_acceptable(given, given->size, sizeof *options, sizeof *options,
                                "np_channel_options"))
        return NP_ERR_INVALID_ARGUMENT;
    npi_options_copy(options, sizeof *options, given, given->size);
    if (options->item_size == 0 || options->item_size > ITEM_SIZE_MOST)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_channel_options.item_size is %zu, expected 1 to %u bytes",
                        options->item_size, ITEM_SIZE_MOST);
    if (options->senders == 0)
        options->senders = 1;
    return NP_OK;
}

np_status np_channel_create(const np_channel_options *given, np_channel **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_create: out is NULL");
    *out = NULL;
    np_channel_options options;
    np_status status = read_options(given, &options);
    if (status != NP_OK)
        return status;

    np_channel *channel = npi_alloc(sizeof *channel, _Alignof(np_channel));
    if (channel == NULL)
        return npi_fail_memory(sizeof *channel, "a channel");
    size_t bytes;
    if (!npi_item_queue_init(&channel->queue, options.item_size, options.capacity, &bytes)) {
        npi_free(channel, sizeof *channel);
        if (bytes == SIZE_MAX)
            return npi_fail(
                NP_ERR_INVALID_ARGUMENT,
                "np_channel_options: %zu items of %zu bytes are more than memory can hold",
                options.capacity, options.item_size);
        return npi_fail_memory(bytes, "the items of a channel");
    }
    channel->generation = npi_os_process_generation();
    npi_lock_init(&channel->lock);
    npi_atomic_init(&channel->length, (size_t)0);
    npi_atomic_init(&channel->sender_count, options.senders);
    npi_atomic_init(&channel->closed, 0u);
    *out = channel;
    return NP_OK;
}

void np_channel_destroy(np_channel *channel)
{
    if (channel == NULL)
        return;
    /* In a forked child the lists may name waiters of threads that do not exist here, and the lock
     * may be held for ever: neither is looked at. */
    if (channel->generation == npi_os_process_generation())
        NPI_INVARIANT(channel->senders.first == NULL && channel->receivers.first == NULL);
    npi_item_queue_destroy(&channel->queue);
    npi_free(channel, sizeof *channel);
}

/* --- senders and closing ----------------------------------------------------------------- */

/* Under the lock. Returns the waiters that have to be told. */
static npi_waiter *close_locked(np_channel *channel)
{
    npi_store_relaxed(&channel->closed, 1u);
    npi_waiter *waiting = npi_waiter_claim_all(&channel->senders, NULL);
    return npi_waiter_claim_all(&channel->receivers, waiting);
}

/* Without the lock: a waiter that knows may destroy the channel. */
static void tell_closed(npi_waiter *waiting)
{
    while (waiting != NULL) {
        npi_waiter *next = waiting->next;
        npi_waiter_finish(waiting, NP_ERR_CLOSED);
        waiting = next;
    }
}

np_status np_channel_add_sender(np_channel *channel)
{
    np_status status = check(channel, "np_channel_add_sender");
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&channel->lock);
    uint32_t senders = npi_load_relaxed(&channel->sender_count);
    if (npi_load_relaxed(&channel->closed) != 0)
        status = NP_ERR_CLOSED;
    else if (senders == UINT32_MAX)
        status = NP_ERR_LIMIT;
    else
        npi_store_relaxed(&channel->sender_count, senders + 1);
    npi_lock_release(&channel->lock);

    if (status == NP_ERR_CLOSED)
        return npi_fail(status, "np_channel_add_sender: the channel is closed");
    if (status == NP_ERR_LIMIT)
        return npi_fail(status, "np_channel_add_sender: it has %u senders already", senders);
    return NP_OK;
}

np_status np_channel_remove_sender(np_channel *channel)
{
    np_status status = check(channel, "np_channel_remove_sender");
    if (status != NP_OK)
        return status;
    npi_waiter *waiting = NULL;
    npi_lock_acquire(&channel->lock);
    uint32_t senders = npi_load_relaxed(&channel->sender_count);
    if (senders > 0)
        npi_store_relaxed(&channel->sender_count, senders - 1);
    if (senders == 1)
        waiting = close_locked(channel);
    npi_lock_release(&channel->lock);

    if (senders == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_remove_sender: no sender is left");
    tell_closed(waiting);
    return NP_OK;
}

np_status np_channel_close(np_channel *channel)
{
    np_status status = check(channel, "np_channel_close");
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&channel->lock);
    npi_waiter *waiting = close_locked(channel);
    npi_lock_release(&channel->lock);
    tell_closed(waiting);
    return NP_OK;
}

/* --- sending and receiving --------------------------------------------------------------- */

/* One call: what it wants (self.in or self.out) and what it may have to hand out after the lock. */
typedef struct transfer {
    np_channel *channel;
    const char *call; /* its name, for the detail */
    npi_waiter self;
    npi_waiter *served; /* claimed, to be finished */
    npi_item_segment
        *segments; /* a send: a new one it may use; a receive: those no longer wanted */
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

    uint64_t deadline = timeout_ns == NP_FOREVER ? NPI_NO_DEADLINE : npi_os_deadline(timeout_ns);
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
    np_status status = check(channel, call);
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
    np_status status = check(channel, call);
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

/* --- looking at it ------------------------------------------------------------------------ */

size_t np_channel_length(const np_channel *channel)
{
    /* Relaxed, as in the two below: a momentary figure. */
    return channel == NULL ? 0 : npi_load_relaxed(&channel->length);
}

size_t np_channel_capacity(const np_channel *channel)
{
    return channel == NULL ? 0 : channel->queue.capacity;
}

uint32_t np_channel_senders(const np_channel *channel)
{
    return channel == NULL ? 0 : npi_load_relaxed(&channel->sender_count);
}

bool np_channel_is_closed(const np_channel *channel)
{
    return channel == NULL || npi_load_relaxed(&channel->closed) != 0;
}

void npi_channel_waiting(np_channel *channel, size_t *senders, size_t *receivers)
{
    npi_lock_acquire(&channel->lock);
    *senders = npi_waiter_count(&channel->senders);
    *receivers = npi_waiter_count(&channel->receivers);
    npi_lock_release(&channel->lock);
}
