/*
 * sync/queue.h - a first-in-first-out queue of tasks with one producer and many consumers.
 *
 *                  producer         consumer         anybody
 *   npi_queue_put  one at a time    -                -
 *   npi_queue_take -                any number       -
 *   npi_queue_depth, _signature, _is_empty           any number
 *
 * The producer is a worker (its own queue), or whoever holds the lock of an inbox lane.
 *
 * Cells are numbered 0, 1, 2 ... for ever. `tail` (producer) counts the cells published, `head`
 * (consumers, by compare and swap) those claimed. Cell n lies in segment n / 2048; a directory of
 * 65,536 entries, indexed by the segment's number, finds it. A consumer reads a cell, then claims
 * it; because head never returns to an old value, a successful claim proves that the cell was still
 * the right one when it was read. The consumer that claims the last cell of a segment gives the
 * segment back to the pool. Segments are never unmapped while the executor lives (a slow consumer
 * may still look at one that was recycled: it reads rubbish and its claim fails), so no hazard
 * pointers are needed.
 *
 * Producer and consumers each have lines of their own. A consumer that looked at the tail leaves
 * what it saw in `seen`, beside the head, and nobody looks at the producer's line again before
 * those cells are claimed: with a producer that is ahead, a line moves between two cores once for
 * many tasks instead of once for each.
 *
 * The claim-after-read idea is that of Chase and Lev's deque (2005), used here from one end only;
 * the ring of segments replaces their growing array, so growth never copies.
 */
#ifndef NPI_SYNC_QUEUE_H
#define NPI_SYNC_QUEUE_H

#include "memory/arena.h"
#include "sync/task.h"

#if !defined(NPI_SEGMENT_CELLS) /* a model chooses a small one */
#define NPI_SEGMENT_CELLS 2048u
#endif
#define NPI_SEGMENT_HEADER 64u /* belongs to the pool while the segment is free */
#define NPI_SEGMENT_BYTES  (NPI_SEGMENT_HEADER + NPI_SEGMENT_CELLS * sizeof(npi_cell))
#if !defined(NPI_DIRECTORY_ENTRIES) /* a model chooses a small one */
#define NPI_DIRECTORY_ENTRIES 65536u
#endif
/* Cells ahead of those in hand whose lines are asked for: as many tasks as are put or taken while a
 * line comes from another core. */
#define NPI_QUEUE_AHEAD 24u
/* One segment less than the directory holds, so that a slot is never reused while claimable. */
#define NPI_QUEUE_CELLS_MAX ((uint64_t)(NPI_DIRECTORY_ENTRIES - 1u) * NPI_SEGMENT_CELLS)

typedef np_atomic(void *) npi_directory_entry;

typedef struct npi_queue {
    /* Written by consumers (head by CAS). extra_taken: cells claimed that were no task of their
     * own. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) head;
    np_atomic(uint64_t) seen; /* a tail that one of them saw; old values are harmless */
    np_atomic(uint64_t) extra_taken;
    /* Written by the producer; tail and the two counts are read by all. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) tail;
    np_atomic(uint64_t) accepted;  /* tasks ever put */
    np_atomic(uint64_t) extra_put; /* second cells of copied arguments, and padding */
    npi_cell *cells;               /* the producer's: of the segment it fills */
    uint64_t opened;               /* the producer's: cells below it have a segment */
    uint64_t known_head;           /* the producer's: head when it last had to look */
    np_atomic(uint32_t) busy;      /* for the door of a lane: executor/inbox.h */
    /* Set once by the producer before the first publication, then constant. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(npi_directory_entry *) directory;
    npi_arena *arena;
    npi_segment_pool *pool;
} npi_queue;

/* A zeroed struct, before anybody else sees it. Allocates nothing. `first` is 0 except in tests,
 * which start near the end of the numbers; it must be a multiple of NPI_SEGMENT_CELLS. */
void npi_queue_init(npi_queue *queue, npi_arena *arena, npi_segment_pool *pool, uint64_t first);

/* --- the producer --------------------------------------------------------------------------- */

/* A new segment for the cells from `opened` on. False: out of memory or of numbers. */
bool npi_queue_open(npi_queue *queue);

/* Where the next task goes: `room` cells in a row, at least one, or NULL. What is written there
 * counts once it is published. */
static inline npi_cell *npi_queue_reserve(npi_queue *queue, uint32_t *room)
{
    uint64_t tail = npi_load_relaxed(&queue->tail);
    if (__builtin_expect(tail == queue->opened, 0) && !npi_queue_open(queue))
        return NULL;
    *room = (uint32_t)(queue->opened - tail);
    return queue->cells + tail % NPI_SEGMENT_CELLS;
}

/* `tasks` tasks in the first `cells` reserved cells, without counting them as accepted. Release:
 * what the producer did before is visible to the consumer of each task. */
static inline void npi_queue_publish_again(npi_queue *queue, uint32_t cells, uint32_t tasks)
{
    if (cells != tasks)
        npi_owner_add(&queue->extra_put, (uint64_t)(cells - tasks));
    /* Release: cells, directory and the producer's past; pairs with the acquire of tail in
     * npi_queue_take. */
    npi_store_release(&queue->tail, npi_load_relaxed(&queue->tail) + cells);
}

/* The same for new tasks. */
static inline void npi_queue_publish(npi_queue *queue, uint32_t cells, uint32_t tasks)
{
    /* accepted before tail: whoever can see the task end can see it accepted (idle.c). */
    npi_store_release(&queue->accepted, npi_load_relaxed(&queue->accepted) + tasks);
    npi_queue_publish_again(queue, cells, tasks);
}

/* Reserves, stores and publishes one task of any kind. False: out of memory or of numbers. */
bool npi_queue_put_one(npi_queue *queue, const npi_task *task);

/* The same for a task that was taken from a queue and could not be run: it has been accepted. */
bool npi_queue_put_again(npi_queue *queue, const npi_task *task);

/* Appends the tasks in order. Returns how many were taken; fewer than `count` when memory or
 * numbers ran out. */
size_t npi_queue_put(npi_queue *queue, const npi_task *tasks, size_t count);

/* --- consumers and anybody ------------------------------------------------------------------ */

/* Consumer: claims the oldest task. False: it was empty at some moment during the call. */
bool npi_queue_take(npi_queue *queue, npi_task *out);

/* Loads only. Relaxed: a hint, except behind a fence as in wake.h. */
static inline bool npi_queue_is_empty(npi_queue *queue)
{
    uint64_t head = npi_load_relaxed(&queue->head);
    return head == npi_load_relaxed(&queue->tail);
}

/* For those about to take: there is something to claim that was seen before. */
static inline bool npi_queue_has_seen(npi_queue *queue)
{
    uint64_t head = npi_load_relaxed(&queue->head);
    return (int64_t)(npi_load_relaxed(&queue->seen) - head) > 0;
}

/* The same, with a look at the producer's line if there is not. */
static inline bool npi_queue_has(npi_queue *queue)
{
    uint64_t head = npi_load_relaxed(&queue->head);
    if ((int64_t)(npi_load_relaxed(&queue->seen) - head) > 0)
        return true;
    return head != npi_load_relaxed(&queue->tail);
}

/* Tasks inside; blurred while it changes, exact when quiet. */
uint64_t npi_queue_depth(npi_queue *queue);

/* Changes whenever a task is claimed: two equal answers mean that the queue did not move. */
static inline uint64_t npi_queue_signature(npi_queue *queue)
{
    return npi_load_relaxed(&queue->head);
}

static inline uint64_t npi_queue_accepted(npi_queue *queue)
{
    /* Acquire: pairs with the release in npi_queue_publish; see quiescence in executor/idle.c. */
    return npi_load_acquire(&queue->accepted);
}

#endif
