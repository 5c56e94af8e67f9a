/*
 * parallel/channel.c - making, closing and destroying channels, and looking at them. What a channel
 * is and its invariants: channel.h.
 */
#include "parallel/channel.h"

#include <stdint.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"
#include "os/os.h"

#define ITEM_SIZE_MOST 65536u

np_status npi_channel_check(const np_channel *channel, const char *call)
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
    size_t bytes = 0;
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
    np_status status = npi_channel_check(channel, "np_channel_add_sender");
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
    np_status status = npi_channel_check(channel, "np_channel_remove_sender");
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
    np_status status = npi_channel_check(channel, "np_channel_close");
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&channel->lock);
    npi_waiter *waiting = close_locked(channel);
    npi_lock_release(&channel->lock);
    tell_closed(waiting);
    return NP_OK;
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
