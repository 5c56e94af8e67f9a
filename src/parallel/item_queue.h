/*
 * parallel/item_queue.h - the store of a channel: a first-in, first-out queue of items of one size,
 * copied in and out, in a circle of segments.
 *
 *        used segments             spare segments
 *    head -> ... -> tail  ->  spare -> ... -> spare -> (back to head)
 *
 * Items lie from `head` on, up to `tail`. A bounded queue is one segment that holds the whole
 * capacity, its own successor, made at the beginning: it never allocates again. An unbounded one
 * gets another segment behind the tail when the tail would run into the head; drained segments
 * become spare and are used again. At most as many are kept spare as are in use, so that a queue
 * that swings between half of its greatest length and all of it allocates nothing, and one that
 * shrinks further gives memory back.
 *
 * Nothing here is synchronised: the owner's lock protects the queue. Memory is allocated and freed
 * outside that lock, so segments are handed in and out instead (npi_item_queue_new_segment, _add,
 * _take).
 */
#ifndef NPI_PARALLEL_ITEM_QUEUE_H
#define NPI_PARALLEL_ITEM_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct npi_item_segment {
    struct npi_item_segment *next;
    size_t bytes;          /* what was allocated, with this header; 0: lent by the owner */
    unsigned char items[]; /* copied in and out as bytes, hence of no particular alignment */
} npi_item_segment;

typedef struct npi_item_queue {
    /* Set by npi_item_queue_init and never changed: may be read without the lock. */
    size_t item_size;
    size_t capacity;      /* items; 0: unbounded */
    size_t segment_items; /* items per segment */

    /* Protected by the owner's lock. */
    npi_item_segment *head; /* holds the oldest item, at head_index < segment_items */
    npi_item_segment *tail; /* holds the newest item, before tail_index <= segment_items */
    size_t head_index;
    size_t tail_index;
    size_t length;
    size_t segments; /* in the circle */
    size_t used;     /* from head to tail, both counted (unbounded queues only) */
} npi_item_queue;

/* What a bounded queue needs; SIZE_MAX: too large to be counted. */
size_t npi_item_queue_bytes(size_t item_size, size_t capacity);
/* False when there is no memory, with nothing left behind; *bytes is what was asked for (SIZE_MAX:
 * too large to be counted). `item_size` is at least 1. `storage`: npi_item_queue_bytes, aligned as
 * for any object, that outlive the queue; NULL: it allocates, as an unbounded one always does. */
bool npi_item_queue_init(npi_item_queue *queue, size_t item_size, size_t capacity, void *storage,
                         size_t *bytes);
/*
 * Frees all segments, whatever is in them. Also works on a copy that fork made while another thread
 * was in the middle of a change: what that change had in its hands may then leak in the child.
 */
void npi_item_queue_destroy(npi_item_queue *queue);

/* True if an item can be put without another segment. */
bool npi_item_queue_has_room(const npi_item_queue *queue);
/* Needs room. */
void npi_item_queue_put(npi_item_queue *queue, const void *item);
/* Puts as many of `count` items as have room without another segment; returns how many. */
size_t npi_item_queue_put_many(npi_item_queue *queue, const void *items, size_t count);
/* Takes at most `count`; returns how many. Segments no longer wanted go in front of *segments. */
size_t npi_item_queue_take_many(npi_item_queue *queue, void *items, size_t count,
                                npi_item_segment **segments);
/* Needs an item. Returns segments that are no longer wanted (NULL: none), for
 * npi_item_segments_free. */
npi_item_segment *npi_item_queue_take(npi_item_queue *queue, void *item);

/* A new segment for an unbounded queue, or NULL. Without the lock. */
npi_item_segment *npi_item_queue_new_segment(const npi_item_queue *queue);
/* Makes room with it. */
void npi_item_queue_add(npi_item_queue *queue, npi_item_segment *segment);
/* A list linked by `next`; NULL is accepted. Without the lock; touches no queue. */
void npi_item_segments_free(npi_item_segment *list);

/* For NPI_WALK: the circle, the counts and the positions agree. */
bool npi_item_queue_valid(const npi_item_queue *queue);

#endif
