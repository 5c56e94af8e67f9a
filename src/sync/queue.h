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
 * The claim-after-read idea is that of Chase and Lev's deque (2005), used here from one end only;
 * the ring of segments replaces their growing array, so growth never copies.
 */
#ifndef NPI_SYNC_QUEUE_H
#define NPI_SYNC_QUEUE_H

#include "memory/arena.h"
#include "sync/task.h"

#define NPI_SEGMENT_CELLS     2048u
#define NPI_SEGMENT_HEADER    64u /* belongs to the pool while the segment is free */
#define NPI_SEGMENT_BYTES     (NPI_SEGMENT_HEADER + NPI_SEGMENT_CELLS * sizeof(npi_cell))
#define NPI_DIRECTORY_ENTRIES 65536u
/* One segment less than the directory holds, so that a slot is never reused while claimable. */
#define NPI_QUEUE_CELLS_MAX ((uint64_t)(NPI_DIRECTORY_ENTRIES - 1u) * NPI_SEGMENT_CELLS)

typedef np_atomic(void *) npi_directory_entry;

typedef struct npi_queue {
    /* Written by consumers (CAS). extra_taken: cells claimed that were no task of their own. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) head;
    np_atomic(uint64_t) extra_taken;
    /* Written by the producer, read by all. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) tail;
    np_atomic(uint64_t) accepted;  /* tasks ever put */
    np_atomic(uint64_t) extra_put; /* second cells of copied arguments, and padding */
    uint64_t known_head;           /* the producer's: head when it last had to look */
    /* Set once by the producer before the first publication, then constant. */
    np_atomic(npi_directory_entry *) directory;
    npi_arena *arena;
    npi_segment_pool *pool;
} npi_queue;

/* A zeroed struct, before anybody else sees it. Allocates nothing. `first` is 0 except in tests,
 * which start near the end of the numbers; it must be a multiple of NPI_SEGMENT_CELLS. */
void npi_queue_init(npi_queue *queue, npi_arena *arena, npi_segment_pool *pool, uint64_t first);

/*
 * Producer: appends the tasks in order and publishes them together. Returns how many were taken;
 * fewer than `count` when memory or numbers ran out. Publishes with release: what the producer did
 * before is visible to the consumer of each task.
 */
size_t npi_queue_put(npi_queue *queue, const npi_task *tasks, size_t count);

/* Consumer: claims the oldest task. False: it was empty at some moment during the call. */
bool npi_queue_take(npi_queue *queue, npi_task *out);

/* Loads only. Relaxed: a hint, except after a sequentially consistent fence as in wake.h. */
static inline bool npi_queue_is_empty(npi_queue *queue)
{
    uint64_t head = npi_load_relaxed(&queue->head);
    return head == npi_load_relaxed(&queue->tail);
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
    /* Acquire: pairs with the release in npi_queue_put; see quiescence in executor/idle.c. */
    return npi_load_acquire(&queue->accepted);
}

#endif
