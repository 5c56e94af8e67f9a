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
    if (options->capacity == 0 && (options->single_sender || options->single_receiver))
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_channel_options.single_%s needs a capacity: an unbounded channel has "
                        "no ring",
                        options->single_sender ? "sender" : "receiver");
    if (options->capacity == 0 && options->on_node)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_channel_options.on_node needs a capacity: the memory of an unbounded "
                        "channel comes and goes with whoever sends");
    if (options->on_node && options->topology == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_options.topology is NULL: on_node "
                                                 "needs to know the nodes");
    if (options->senders == 0)
        options->senders = 1;
    return NP_OK;
}

/* A mapping on the receivers' node for the items of a bounded channel. */
static np_status make_region(np_channel *channel, const np_channel_options *options, size_t bytes)
{
    np_region_options region = {.size = sizeof region,
                                .policy = NP_MEMORY_BIND,
                                .hard_mode = options->hard_mode,
                                .prefault = NP_PREFAULT_TOUCH,
                                .nodes = &options->node,
                                .node_count = 1};
    np_status status = np_region_create(options->topology, bytes, &region, &channel->region);
    if (status != NP_OK)
        return npi_fail_more(status, "np_channel_create, on node %d", (int)options->node);
    channel->enforcement = np_region_enforcement(channel->region);
    return NP_OK;
}

/* Where the items lie. What there is of it on failure is the channel's. */
static np_status make_store(np_channel *channel, const np_channel_options *options)
{
    bool ring = options->single_sender && options->single_receiver;
    size_t bytes = ring ? npi_ring_bytes(options->item_size, options->capacity)
                        : npi_item_queue_bytes(options->item_size, options->capacity);
    if (bytes == SIZE_MAX)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_channel_options: %zu items of %zu bytes are more than memory can hold",
                        options->capacity, options->item_size);
    void *storage = NULL;
    if (options->on_node) {
        np_status status = make_region(channel, options, bytes);
        if (status != NP_OK)
            return status;
        storage = np_region_data(channel->region);
    }
    bool made;
    if (ring) {
        channel->ring = npi_ring_create(options->item_size, options->capacity, storage, &bytes);
        made = channel->ring != NULL;
    } else {
        made = npi_item_queue_init(&channel->queue, options->item_size, options->capacity, storage,
                                   &bytes);
    }
    return made ? NP_OK : npi_fail_memory(bytes, "the items of a channel");
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

    np_channel *channel = npi_alloc(sizeof *channel, NPI_FALSE_SHARING);
    if (channel == NULL)
        return npi_fail_memory(sizeof *channel, "a channel");
    channel->generation = npi_os_process_generation();
    channel->item_size = options.item_size;
    channel->capacity = options.capacity;
    channel->enforcement.reason = NP_REASON_NOT_REQUESTED;
    npi_lock_init(&channel->lock);
    npi_atomic_init(&channel->length, (size_t)0);
    npi_atomic_init(&channel->sender_count, options.senders);
    npi_atomic_init(&channel->closed, 0u);
    npi_atomic_init(&channel->starved, 0u);
    npi_atomic_init(&channel->sent, (uint64_t)0);
    npi_atomic_init(&channel->received, (uint64_t)0);
    npi_atomic_init(&channel->full_waits, (uint64_t)0);
    npi_atomic_init(&channel->empty_waits, (uint64_t)0);
    npi_atomic_init(&channel->readied, (uint64_t)0);
    status = make_store(channel, &options);
    if (status != NP_OK) {
        np_region_destroy(channel->region);
        npi_free(channel, sizeof *channel);
        return status;
    }
    *out = channel;
    return NP_OK;
}

void np_channel_destroy(np_channel *channel)
{
    if (channel == NULL)
        return;
    /* In a forked child the lists may name waiters of threads that do not exist here, and the lock
     * may be held for ever: neither is used. While it is held somebody may have been in the middle
     * of a list of continuations: they are left. */
    bool alone = channel->generation == npi_os_process_generation();
    if (alone)
        NPI_INVARIANT(channel->senders.first == NULL && channel->receivers.first == NULL);
    if (channel->ring != NULL)
        npi_ring_destroy(channel->ring, alone);
    else
        npi_item_queue_destroy(&channel->queue);
    /* Relaxed: this thread is the only one. */
    if (alone || npi_load_relaxed(&channel->lock.state) == 0)
        npi_ready_destroy(channel);
    np_region_destroy(channel->region);
    npi_free(channel, sizeof *channel);
}

/* --- senders and closing ----------------------------------------------------------------- */

npi_waiter *npi_channel_tell_all_locked(np_channel *channel, npi_ready_news *news, bool *all)
{
    npi_ready_fire(channel, &channel->readable, SIZE_MAX, news);
    npi_ready_fire(channel, &channel->writable, SIZE_MAX, news);
    *all = channel->readable.first == NULL && channel->writable.first == NULL;
    npi_waiter *waiting = npi_waiter_claim_all(&channel->senders, NULL);
    return npi_waiter_claim_all(&channel->receivers, waiting);
}

void npi_channel_told(npi_waiter *waiting, npi_ready_news *news)
{
    while (waiting != NULL) {
        npi_waiter *next = waiting->next;
        npi_waiter_finish(waiting, NP_ERR_CLOSED);
        waiting = next;
    }
    npi_ready_report(news);
}

/* Under the lock; releases it. `call` is the public function. */
static np_status close_locked(np_channel *channel, const char *call)
{
    npi_ready_news news = {0};
    bool all;
    npi_store_relaxed(&channel->closed, 1u);
    if (channel->ring != NULL) {
        npi_lock_release(&channel->lock);
        all = npi_ring_close(channel);
    } else {
        npi_waiter *waiting = npi_channel_tell_all_locked(channel, &news, &all);
        npi_lock_release(&channel->lock);
        npi_channel_told(waiting, &news);
    }
    if (all)
        return NP_OK;
    return npi_fail(NP_ERR_NO_MEMORY,
                    "%s: the channel is closed, but the task of a continuation found no memory; it "
                    "stays armed until the channel is closed again",
                    call);
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
    npi_lock_acquire(&channel->lock);
    uint32_t senders = npi_load_relaxed(&channel->sender_count);
    if (senders > 0)
        npi_store_relaxed(&channel->sender_count, senders - 1);
    if (senders == 1)
        return close_locked(channel, "np_channel_remove_sender");
    npi_lock_release(&channel->lock);
    if (senders == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_remove_sender: no sender is left");
    return NP_OK;
}

np_status np_channel_close(np_channel *channel)
{
    np_status status = npi_channel_check(channel, "np_channel_close");
    if (status != NP_OK)
        return status;
    npi_lock_acquire(&channel->lock);
    return close_locked(channel, "np_channel_close");
}

/* --- looking at it ------------------------------------------------------------------------ */

np_enforcement np_channel_enforcement(const np_channel *channel)
{
    const np_enforcement none = {NP_ENFORCEMENT_NONE, NP_REASON_NOT_REQUESTED, 0};
    return channel == NULL ? none : channel->enforcement;
}

size_t np_channel_length(const np_channel *channel)
{
    if (channel == NULL)
        return 0;
    /* Relaxed, as in all below: a momentary figure. */
    return channel->ring != NULL ? npi_ring_length(channel->ring)
                                 : npi_load_relaxed(&channel->length);
}

size_t np_channel_capacity(const np_channel *channel)
{
    return channel == NULL ? 0 : channel->capacity;
}

uint32_t np_channel_senders(const np_channel *channel)
{
    return channel == NULL ? 0 : npi_load_relaxed(&channel->sender_count);
}

bool np_channel_is_closed(const np_channel *channel)
{
    return channel == NULL || npi_load_relaxed(&channel->closed) != 0;
}

np_status np_channel_count(const np_channel *channel, np_channel_counts *out)
{
    if (channel == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_channel_count: %s is NULL",
                        channel == NULL ? "the channel" : "out");
    npi_ring *ring = channel->ring;
    *out = (np_channel_counts){.sent = ring != NULL ? npi_load_relaxed(&ring->tail)
                                                    : npi_load_relaxed(&channel->sent),
                               .received = ring != NULL ? npi_load_relaxed(&ring->head)
                                                        : npi_load_relaxed(&channel->received),
                               .full_waits = npi_load_relaxed(&channel->full_waits),
                               .empty_waits = npi_load_relaxed(&channel->empty_waits),
                               .readied = npi_load_relaxed(&channel->readied)};
    return NP_OK;
}

void npi_channel_waiting(np_channel *channel, size_t *senders, size_t *receivers)
{
    npi_lock_acquire(&channel->lock);
    *senders = npi_waiter_count(&channel->senders);
    *receivers = npi_waiter_count(&channel->receivers);
    npi_lock_release(&channel->lock);
}
