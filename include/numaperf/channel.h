/*
 * numaperf/channel.h - channels: queues of items of one size between tasks and threads.
 *
 * Any number of senders and receivers; every function may be called from any thread at the same
 * time as any other on the same channel, except np_channel_destroy(), which comes last.
 *
 * Items are copied in and out. First in, first out; each item reaches one receiver; what one thread
 * sends is received in the order sent. Calls that wait are served in the order in which they began
 * to wait.
 *
 * Ordering: what a thread did before it sent an item is visible to the receiver of that item; what
 * it did before it removed itself as a sender, or closed the channel, is visible to whoever gets
 * NP_ERR_CLOSED because of it.
 *
 * On a worker of an executor a call that has to wait first lets a spare worker step in
 * (np_blocking_begin in executor.h); if there is none it returns NP_ERR_NO_SPARE and has done
 * nothing. The try forms, and the others with a timeout of 0, never wait and need no spare.
 *
 * Errors every call shares: NP_ERR_INVALID_ARGUMENT (the channel, or an item, is NULL),
 * NP_ERR_FORKED (the channel was created before fork, and this is the child).
 */
#ifndef NUMAPERF_CHANNEL_H
#define NUMAPERF_CHANNEL_H

#include <numaperf/types.h>

#include <stdbool.h>

NP_BEGIN_DECLS

typedef struct np_channel np_channel;

typedef struct np_channel_options {
    size_t size;      /* sizeof(np_channel_options); NP_CHANNEL_OPTIONS fills it in */
    size_t item_size; /* bytes per item, 1 .. 65,536; the one field without a default */
    size_t capacity;  /* items; 0: unbounded */
    uint32_t senders; /* senders it begins with; 0: one */
} np_channel_options;

#ifndef __cplusplus
/* NP_CHANNEL_OPTIONS(.item_size = sizeof(struct result), .capacity = 64, .senders = 4) */
#define NP_CHANNEL_OPTIONS(...) \
    (&(np_channel_options){.size = sizeof(np_channel_options), __VA_ARGS__})
#endif

/*
 * Makes a channel. A bounded one allocates the memory for its whole capacity now and nothing later.
 * An unbounded one grows by segments of at least eight items (about 16 KiB), keeps some of them for
 * the next rise and gives memory back when it has shrunk below half of its greatest length. On
 * failure *out is NULL. Errors: NP_ERR_INVALID_ARGUMENT (options NULL, size or item_size out of
 * range, capacity beyond any memory), NP_ERR_NO_MEMORY.
 */
NP_API NP_MUST_USE np_status np_channel_create(const np_channel_options *options, np_channel **out);

/*
 * Frees the channel; items still inside are dropped. NULL is accepted; in a forked child it only
 * frees.
 *
 * No call on it may still have something to do. A call has nothing more to do as soon as another
 * thread has learned of its effect by receiving: the item it sent, or the NP_ERR_CLOSED that a
 * removed last sender, or a close, leads to. So the only receiver of a channel with counted senders
 * may destroy it as soon as it gets NP_ERR_CLOSED, though the last np_channel_remove_sender() may
 * not have returned yet. The figures at the end of this header (length, senders, closed) are no
 * such sign.
 */
NP_API void np_channel_destroy(np_channel *channel);

/*
 * Senders are counted so that receivers see the end: when the last one is removed the channel is
 * closed; receivers drain the rest and then get NP_ERR_CLOSED. Whoever hands the channel to a new
 * sender adds it first, while it is a sender itself or knows that one is left; each sender removes
 * itself after its last send. The count is of senders, not of threads: any thread may add, send and
 * remove. Neither call waits.
 * Errors: add: NP_ERR_CLOSED (the last sender has gone, or the channel was closed), NP_ERR_LIMIT
 * (2^32 - 1 senders). remove: NP_ERR_INVALID_ARGUMENT (none is left).
 */
NP_API NP_MUST_USE np_status np_channel_add_sender(np_channel *channel);
NP_API np_status np_channel_remove_sender(np_channel *channel);

/*
 * Allows no further sends, whoever is left; senders that wait get NP_ERR_CLOSED, their items are
 * not inside. What is inside can still be received. Closing again does nothing. Does not wait.
 */
NP_API np_status np_channel_close(np_channel *channel);

/*
 * Sends a copy of the item_size bytes at `item`. NP_OK: it is inside, or a receiver has it. Any
 * other status: it is not, and never will be. While a bounded channel is full, np_channel_send()
 * waits, np_channel_try_send() returns NP_ERR_WOULD_BLOCK, np_channel_send_for() waits for at most
 * `timeout_ns` (NP_FOREVER: as long as it takes) and then returns NP_ERR_TIMEOUT. An unbounded
 * channel never waits. Errors: also NP_ERR_CLOSED, NP_ERR_NO_SPARE, NP_ERR_NO_MEMORY (an unbounded
 * one cannot grow).
 */
NP_API NP_MUST_USE np_status np_channel_send(np_channel *channel, const void *item);
NP_API NP_MUST_USE np_status np_channel_try_send(np_channel *channel, const void *item);
NP_API NP_MUST_USE np_status np_channel_send_for(np_channel *channel, const void *item,
                                                 uint64_t timeout_ns);

/*
 * Receives the oldest item into the item_size bytes at `item`, which no other status than NP_OK
 * changes. While the channel is empty and not closed, np_channel_receive() waits,
 * np_channel_try_receive() returns NP_ERR_WOULD_BLOCK, np_channel_receive_for() waits for at most
 * `timeout_ns` (NP_FOREVER: as long as it takes) and then returns NP_ERR_TIMEOUT. Errors: also
 * NP_ERR_CLOSED (it is empty and closed: no item will ever come), NP_ERR_NO_SPARE.
 */
NP_API NP_MUST_USE np_status np_channel_receive(np_channel *channel, void *item);
NP_API NP_MUST_USE np_status np_channel_try_receive(np_channel *channel, void *item);
NP_API NP_MUST_USE np_status np_channel_receive_for(np_channel *channel, void *item,
                                                    uint64_t timeout_ns);

/*
 * Momentary figures, true at some moment during the call; they order nothing. length: items inside.
 * senders: added and not removed. is_closed: nothing more can be sent; items may still be inside.
 * For a NULL channel 0, and closed. In a forked child the figures are those of the moment of fork.
 */
NP_API size_t np_channel_length(const np_channel *channel);
NP_API size_t np_channel_capacity(const np_channel *channel); /* never changes; 0: unbounded */
NP_API uint32_t np_channel_senders(const np_channel *channel);
NP_API bool np_channel_is_closed(const np_channel *channel);

NP_END_DECLS

#endif
