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
 * (np_blocking_begin in executor.h); if there is none it returns NP_ERR_NO_SPARE and does nothing
 * more. The try forms, and the others with a timeout of 0, never wait and need no spare; nor does a
 * task that ends and has itself submitted again when there is something to do
 * (np_channel_when_readable).
 *
 * Errors every call shares: NP_ERR_INVALID_ARGUMENT (the channel, or an item, is NULL),
 * NP_ERR_FORKED (the channel was created before fork, and this is the child).
 */
#ifndef NUMAPERF_CHANNEL_H
#define NUMAPERF_CHANNEL_H

#include <numaperf/executor.h>

#include <stdbool.h>

NP_BEGIN_DECLS

typedef struct np_channel np_channel;

typedef struct np_channel_options {
    size_t size;      /* sizeof(np_channel_options); NP_CHANNEL_OPTIONS fills it in */
    size_t item_size; /* bytes per item, 1 .. 65,536; the one field without a default */
    size_t capacity;  /* items; 0: unbounded */
    uint32_t senders; /* senders it begins with; 0: one */

    /*
     * Promises of the caller, bounded channels only: at no time are two threads in a call that
     * sends (or: that receives), and what one of them did there is visible to the next. Which
     * thread it is may change; adding and removing senders, closing, continuations and figures stay
     * open to all. With both promises items pass without a lock (docs/channels.md); one alone
     * changes nothing. A broken promise is undefined behaviour; debug builds look for it.
     */
    bool single_sender;
    bool single_receiver;

    /*
     * on_node, bounded channels only: the items lie in a mapping bound to `node`, the receivers'
     * (prefaulted; as np_region_create() with `hard_mode`). `topology`, needed then, is borrowed
     * for the call. Soft: falls back, and np_channel_enforcement() says why.
     */
    bool on_node;
    np_node_id node;
    np_hard_mode hard_mode;
    const np_topology *topology;
} np_channel_options;

#ifndef __cplusplus
/* NP_CHANNEL_OPTIONS(.item_size = sizeof(struct result), .capacity = 64, .senders = 4) */
#define NP_CHANNEL_OPTIONS(...) \
    (&(np_channel_options){.size = sizeof(np_channel_options), __VA_ARGS__})
#endif

/*
 * Makes a channel. A bounded one allocates the memory for its whole capacity now and nothing later.
 * An unbounded one grows by segments of at least eight items (about 16 KiB), keeps some of them for
 * the next rise and gives memory back when it has shrunk below half of its greatest length; such
 * memory comes and goes with whoever sends, so it cannot be asked to lie on a node. On failure *out
 * is NULL. Errors: NP_ERR_INVALID_ARGUMENT (options NULL, size or item_size out of range, capacity
 * beyond any memory; a promise or on_node without capacity; on_node without topology),
 * NP_ERR_NO_MEMORY; with on_node also those of np_region_create().
 */
NP_API NP_MUST_USE np_status np_channel_create(const np_channel_options *options, np_channel **out);

/* Where the items lie: not requested without on_node; else what was achieved. */
NP_API np_enforcement np_channel_enforcement(const np_channel *channel);

/*
 * Frees the channel; items still inside are dropped, and so are continuations still armed (see
 * np_channel_forget). NULL is accepted; in a forked child it only frees.
 *
 * No call on it may still have something to do. A call has nothing more to do as soon as another
 * thread has learned of its effect by receiving: the (last) item it sent, or the NP_ERR_CLOSED that
 * a removed last sender, or a close, leads to. So the only receiver of a channel with counted
 * senders may destroy it as soon as it gets NP_ERR_CLOSED, though the last
 * np_channel_remove_sender() may not have returned yet. The figures at the end of this header
 * (length, senders, closed) are no such sign.
 */
NP_API void np_channel_destroy(np_channel *channel);

/*
 * Senders are counted so that receivers see the end: when the last one is removed the channel is
 * closed; receivers drain the rest and then get NP_ERR_CLOSED. Whoever hands the channel to a new
 * sender adds it first, while it is a sender itself or knows that one is left; each sender removes
 * itself after its last send. The count is of senders, not of threads: any thread may add, send and
 * remove. Neither call waits.
 * Errors: add: NP_ERR_CLOSED (the last sender has gone, or the channel was closed), NP_ERR_LIMIT
 * (2^32 - 1 senders). remove: NP_ERR_INVALID_ARGUMENT (none is left), and what np_channel_close()
 * returns; the sender is removed then.
 */
NP_API NP_MUST_USE np_status np_channel_add_sender(np_channel *channel);
NP_API np_status np_channel_remove_sender(np_channel *channel);

/*
 * Allows no further sends, whoever is left; senders that wait get NP_ERR_CLOSED, their items are
 * not inside. What is inside can still be received. Does not wait, but for a send that is copying
 * its items at this moment. NP_ERR_NO_MEMORY: it is closed, but a continuation could not be
 * submitted (np_channel_when_readable), and closing again tries again; else that does nothing.
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
 * Many at once: `count` items of item_size bytes, one behind the other, for one lock, one
 * publication and at most one wake for each who waits. In order; items of other senders may come in
 * between.
 *
 * Sending. NP_OK: all are inside, or received. Any other status says why the call stopped: the
 * first *sent items are inside, the rest is not and never will be. Waits, fails and times out as
 * the calls for one item do; count 0 does nothing.
 *
 * Receiving. Takes the items that are there, `capacity` (> 0) at most, and waits only while there
 * is none: NP_OK means *received >= 1, any other status *received == 0.
 *
 * `sent` and `received` may not be NULL and are always set.
 */
NP_API NP_MUST_USE np_status np_channel_send_many(np_channel *channel, const void *items,
                                                  size_t count, size_t *sent);
NP_API NP_MUST_USE np_status np_channel_try_send_many(np_channel *channel, const void *items,
                                                      size_t count, size_t *sent);
NP_API NP_MUST_USE np_status np_channel_send_many_for(np_channel *channel, const void *items,
                                                      size_t count, size_t *sent,
                                                      uint64_t timeout_ns);
NP_API NP_MUST_USE np_status np_channel_receive_many(np_channel *channel, void *items,
                                                     size_t capacity, size_t *received);
NP_API NP_MUST_USE np_status np_channel_try_receive_many(np_channel *channel, void *items,
                                                         size_t capacity, size_t *received);
NP_API NP_MUST_USE np_status np_channel_receive_many_for(np_channel *channel, void *items,
                                                         size_t capacity, size_t *received,
                                                         uint64_t timeout_ns);

/* --- readiness ---------------------------------------------------------------------------- */

/*
 * Instead of waiting: fn(argument) is submitted to `executor` once, as a task that prefers `node`
 * (NP_NODE_ID_NONE: near whoever makes it ready), as soon as an item is inside, or there is room,
 * or the channel is closed. If that is so now, before the call returns. One-shot: whoever has
 * received (sent) until NP_ERR_WOULD_BLOCK arms again; nothing that comes in between is lost.
 *
 * Several may be armed. Each item that is sent and not handed to a waiting receiver readies one,
 * the oldest (each place that a receive frees and no waiting sender takes: one for room); closing
 * readies all. It is a hint: another receiver may have been faster, so use the try forms.
 *
 * The submit never waits for room in the executor's inbox (it goes beyond the bound, as a task's
 * own submits do), so the sender does not either. If it fails later on because the executor is shut
 * down, the argument goes to the executor's on_discard with NP_DISCARD_SHUTDOWN, on the thread that
 * made it ready. Without memory for it the continuation stays armed and the diagnostic
 * handler is told; the next send (for room: receive) tries again, and so does a call that waits,
 * every millisecond. In a closed channel closing again does, and each call that returns
 * NP_ERR_CLOSED at once. The executor has to outlive what is armed.
 *
 * Never waits. On a channel with both promises arming asks the kernel for a fence, some
 * microseconds. What the sender did before is visible to the task. Errors: NP_ERR_INVALID_ARGUMENT
 * (executor or fn NULL), NP_ERR_INVALID_NODE, NP_ERR_NODE_HAS_NO_WORKER, NP_ERR_NO_MEMORY,
 * NP_ERR_SHUT_DOWN (it was ready at once); nothing is armed then.
 */
NP_API NP_MUST_USE np_status np_channel_when_readable(np_channel *channel, np_executor *executor,
                                                      np_node_id node, np_task_fn fn,
                                                      void *argument);
NP_API NP_MUST_USE np_status np_channel_when_writable(np_channel *channel, np_executor *executor,
                                                      np_node_id node, np_task_fn fn,
                                                      void *argument);

/*
 * The same for a thread that polls: one is added to the eventfd `fd` (which stays the caller's),
 * once; not if its counter is full, as it is readable then: nobody is made to wait for a reader,
 * also by a blocking descriptor. Errors: NP_ERR_INVALID_ARGUMENT (negative), NP_ERR_NO_MEMORY,
 * NP_ERR_SYSTEM when it is ready now and the eventfd cannot be written (later that goes to the
 * diagnostic handler).
 */
NP_API NP_MUST_USE np_status np_channel_notify_readable(np_channel *channel, int fd);
NP_API NP_MUST_USE np_status np_channel_notify_writable(np_channel *channel, int fd);

/*
 * Takes back what is armed with this function and argument (fn NULL: everything, eventfds too), for
 * reading and for writing; *forgotten, unless `forgotten` is NULL, is how many. The others have
 * been submitted when it returns, or never were. Before the executor is destroyed, or the eventfd
 * closed. What an executor that is shut down has refused may then still be on its way to its
 * on_discard, in the call that made it ready: forget before the shutdown, or destroy the executor
 * after that call has returned.
 */
NP_API np_status np_channel_forget(np_channel *channel, np_task_fn fn, void *argument,
                                   size_t *forgotten);
NP_API np_status np_channel_forget_eventfd(np_channel *channel, int fd, size_t *forgotten);

/* --- looking at it ------------------------------------------------------------------------ */

/*
 * Momentary figures, true at some moment during the call; they order nothing. length: items inside.
 * senders: added and not removed. is_closed: nothing more can be sent; items may still be inside.
 * For a NULL channel 0, and closed. In a forked child the figures are those of the moment of fork.
 */
NP_API size_t np_channel_length(const np_channel *channel);
NP_API size_t np_channel_capacity(const np_channel *channel); /* never changes; 0: unbounded */
NP_API uint32_t np_channel_senders(const np_channel *channel);
NP_API bool np_channel_is_closed(const np_channel *channel);

/* Since the channel was made. Each is exact, but they are not of one moment. */
typedef struct np_channel_counts {
    uint64_t sent;
    uint64_t received;
    uint64_t full_waits;  /* calls that began to sleep because it was full */
    uint64_t empty_waits; /* ... because it was empty */
    uint64_t readied;     /* continuations submitted, eventfds signalled */
} np_channel_counts;

/* Fills *out. Errors: NP_ERR_INVALID_ARGUMENT (NULL). In a forked child: of the moment of fork. */
NP_API np_status np_channel_count(const np_channel *channel, np_channel_counts *out);

NP_END_DECLS

#endif
