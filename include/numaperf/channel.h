/*
 * numaperf/channel.h - channels: queues of items of one size between tasks and threads.
 *
 * Any number of senders and receivers; every function may be called from any thread, except
 * np_channel_destroy(), which comes last. Items are copied in and out; what a sender did before the
 * send is visible to the receiver of the item. First in, first out; each item reaches one receiver.
 *
 * On a worker of an executor a call that has to block first lets a spare worker step in (np_blocking_begin); if there is none it
 * returns NP_ERR_NO_SPARE and does nothing. The try forms never block.
 */
#ifndef NUMAPERF_CHANNEL_H
#define NUMAPERF_CHANNEL_H

#include <numaperf/types.h>

#include <stdbool.h>

NP_BEGIN_DECLS

typedef struct np_channel np_channel;

typedef struct np_channel_options {
    size_t size;      /* sizeof(np_channel_options) */
    size_t item_size; /* bytes per item, 1 .. 65,536 */
    size_t capacity;  /* items; 0: unbounded */
    uint32_t senders; /* senders it begins with; 0: one */
} np_channel_options;

#ifndef __cplusplus
#define NP_CHANNEL_OPTIONS(...)                                                                    \
    (&(np_channel_options){.size = sizeof(np_channel_options), __VA_ARGS__})
#endif

/* Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY. */
NP_API NP_MUST_USE np_status np_channel_create(const np_channel_options *options, np_channel **out);

/* NULL is accepted. Items still inside are dropped. Nobody may be inside a call on it. */
NP_API void np_channel_destroy(np_channel *channel);

/*
 * Senders are counted so that receivers see the end: when the last one is removed, receivers drain the rest
 * and then get NP_ERR_CLOSED. Adding to a channel whose last sender has gone: NP_ERR_CLOSED. Removing more than were
 * added: NP_ERR_INVALID_ARGUMENT.
 */
NP_API NP_MUST_USE np_status np_channel_add_sender(np_channel *channel);
NP_API np_status np_channel_remove_sender(np_channel *channel);

/* No further sends, whoever is left; what is inside can still be received. Idempotent. */
NP_API void np_channel_close(np_channel *channel);

/*
 * Send: waits while a bounded channel is full. NP_ERR_CLOSED: closed before the item was inside. try: NP_ERR_WOULD_BLOCK. for: NP_ERR_TIMEOUT.
 * Unbounded: NP_ERR_NO_MEMORY when it cannot grow.
 */
NP_API NP_MUST_USE np_status np_channel_send(np_channel *channel, const void *item);
NP_API NP_MUST_USE np_status np_channel_try_send(np_channel *channel, const void *item);
NP_API NP_MUST_USE np_status np_channel_send_for(np_channel *channel, const void *item,
                                                 uint64_t timeout_ns);

/* Receive: waits while it is empty and a sender is left. NP_ERR_CLOSED: no item will ever come. */
NP_API NP_MUST_USE np_status np_channel_receive(np_channel *channel, void *item);
NP_API NP_MUST_USE np_status np_channel_try_receive(np_channel *channel, void *item);
NP_API NP_MUST_USE np_status np_channel_receive_for(np_channel *channel, void *item,
                                                    uint64_t timeout_ns);

/* Momentary. */
NP_API size_t np_channel_length(const np_channel *channel);
NP_API size_t np_channel_capacity(const np_channel *channel); /* 0: unbounded */
NP_API uint32_t np_channel_senders(const np_channel *channel);
NP_API bool np_channel_is_closed(const np_channel *channel);

NP_END_DECLS

#endif
