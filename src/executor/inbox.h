/*
 * executor/inbox.h - the inbox of a node: lanes for tasks that come from outside its workers.
 *
 * A lane is a queue with one producer at a time. There is one per thread number (os/number.h) and
 * task affinity: by affinity, so that tasks other nodes may not take lie where their thieves never
 * look; by thread, which gives a thread its order and, if its number is its own, a lane that nobody
 * else writes to: no lock, no read-modify-write. Threads that share a number take the lane's lock
 * in turn. Lanes are made at first use and live as long as the executor; a thread's tasks stay in
 * its lane when it exits, and the next thread with its number goes on behind them.
 *
 * The door. Submits from outside are refused once shutdown has begun, and every one is either
 * refused or counted before shutdown counts:
 *
 *      a submit from outside                shutdown
 *      ---------------------                --------
 *      busy = 1                             closed = 1
 *      FENCE (light)                        FENCE (heavy)
 *      looks at `closed`: refused           waits until `busy` is 0
 *      puts the task
 *      busy = 0
 *      FENCE (light)
 *      looks at `closed`: wakes shutdown
 *
 * Without the first pair of fences the submit could see the door open and shutdown the lane at
 * rest. Tasks of the executor itself pass without the door: shutdown waits for them anyway.
 *
 * Who may call what: open, begin and end are the submitting thread's; take may be called by any
 * number of consumers; the rest only looks.
 */
#ifndef NPI_EXECUTOR_INBOX_H
#define NPI_EXECUTOR_INBOX_H

#include <numaperf/executor.h>

#include "os/fence.h"
#include "os/lock.h"
#include "os/number.h"
#include "sync/queue.h"

#define NPI_LANE_KINDS ((unsigned)NP_AFFINITY_ANY + 1u)

/* Sets of kinds. */
#define NPI_MASK_PREFERRED (1u << NP_AFFINITY_PREFERRED)
#define NPI_MASK_STRICT    (1u << NP_AFFINITY_STRICT)
#define NPI_MASK_ANY       (1u << NP_AFFINITY_ANY)
#define NPI_MASK_ALL       (NPI_MASK_PREFERRED | NPI_MASK_STRICT | NPI_MASK_ANY)

typedef struct npi_lane {
    npi_queue queue; /* producer: the thread with the number, or the holder of the lock */
    /* Seldom written: */
    NPI_ALIGNED(NPI_FALSE_SHARING) npi_lock lock; /* of a shared number */
    np_atomic(uint64_t) inside_accepted; /* tasks from tasks of the executor; by the producer */
} npi_lane;

#define NPI_LANES (NPI_LANE_KINDS * NPI_NUMBERS)

/*
 * How full a bounded inbox is, and who waits for room (room.c).
 *
 *      a submitter that found no room      whoever takes a task
 *      ------------------------------      --------------------
 *      waiting + 1                         queued - 1
 *      FENCE                               FENCE
 *      looks at `queued` again             looks at `waiting`: turn + 1, wakes one
 *      sleeps while `turn` is the same as before that look
 */
typedef struct npi_room {
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint32_t) queued;
    np_atomic(uint32_t) waiting;
    np_atomic(uint32_t) turn;
} npi_room;

typedef struct npi_inbox {
    /* For submitters: set once, under the lock, after the lane was listed. */
    np_atomic(npi_lane *) lane[NPI_LANE_KINDS][NPI_NUMBERS];
    npi_lock lock;
    /* For consumers: the lanes there are, in the order of their making, and the set of each one's
     * kind. Entries below the count are constant. */
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint32_t) count;
    uint8_t kind[NPI_LANES];
    npi_lane *list[NPI_LANES];
    npi_arena *arena;
    npi_segment_pool *pool;
    uint32_t capacity; /* constant: tasks that may wait; 0: any number, and `room` is not used */
    npi_room room;
} npi_inbox;

/* Part of a zeroed struct, before anybody else sees it. */
void npi_inbox_init(npi_inbox *inbox, npi_arena *arena, npi_segment_pool *pool, uint32_t capacity);

/* Makes the lane, unless another thread with the number has. NULL: out of memory. */
npi_lane *npi_inbox_open(npi_inbox *inbox, np_task_affinity kind, uint32_t number);

/* The calling thread's lane, or NULL when there is no memory for one. */
static inline npi_lane *npi_inbox_lane(npi_inbox *inbox, np_task_affinity kind, uint32_t number)
{
    /* Acquire: pairs with npi_inbox_open. */
    npi_lane *lane = npi_load_acquire(&inbox->lane[kind][number]);
    return __builtin_expect(lane != NULL, 1) ? lane : npi_inbox_open(inbox, kind, number);
}

/* --- the door: between these two the lane is the caller's to fill ----------------------------- */

/* From outside. False: closed, and npi_lane_end must not be called. */
static inline bool npi_lane_begin(npi_lane *lane, np_atomic(uint32_t) *closed)
{
    npi_store_relaxed(&lane->queue.busy, 1u);
    npi_fence_light(); /* the drawing above */
    if (__builtin_expect(npi_load_acquire(closed) == 0, 1))
        return true;
    npi_store_release(&lane->queue.busy, 0u);
    npi_os_futex_wake(&lane->queue.busy, UINT32_MAX);
    return false;
}

static inline void npi_lane_end(npi_lane *lane, np_atomic(uint32_t) *closed)
{
    /* Release: what was put, to the acquire in npi_inbox_close. */
    npi_store_release(&lane->queue.busy, 0u);
    npi_fence_light(); /* the drawing above */
    if (__builtin_expect(npi_load_relaxed(closed) != 0, 0))
        npi_os_futex_wake(&lane->queue.busy, UINT32_MAX);
}

/* Shutdown, after `closed` was set and a heavy fence: waits for those inside. */
void npi_inbox_close(npi_inbox *inbox);

/* --- room: only in a bounded inbox, capacity != 0 ----------------------------------------------
 */

/* Up to `want` places, at least one, or 0 if it is full. */
uint32_t npi_room_try(npi_inbox *inbox, uint32_t want);
/* As many places as wanted, full or not. */
void npi_room_force(npi_inbox *inbox, uint32_t count);
/* Waits for at least one place; 0: `closed`. */
uint32_t npi_room_wait(npi_inbox *inbox, uint32_t want, np_atomic(uint32_t) *closed);
/* Tasks were taken, or places not used. */
void npi_room_leave(npi_inbox *inbox, uint32_t count);
/* After `closed` was set: nobody waits any longer. */
void npi_room_close(npi_inbox *inbox);

/* --- consumers ------------------------------------------------------------------------------- */

static inline bool npi_inbox_visit(npi_inbox *inbox, unsigned kinds, bool seen, uint32_t *cursor,
                                   npi_task *out)
{
    /* Acquire: pairs with npi_inbox_open. */
    uint32_t count = npi_load_acquire(&inbox->count);
    uint32_t place = *cursor;
    for (uint32_t left = count; left != 0; left--) {
        if (place >= count)
            place = 0;
        uint32_t next = place + 1;
        npi_queue *queue = &inbox->list[place]->queue;
        if ((inbox->kind[place] & kinds) != 0 &&
            (seen ? npi_queue_has_seen(queue) : npi_queue_has(queue)) &&
            npi_queue_take(queue, out)) {
            *cursor = next;
            if (__builtin_expect(inbox->capacity != 0, 0))
                npi_room_leave(inbox, 1);
            return true;
        }
        place = next;
    }
    return false;
}

/* Takes a task of one of these kinds, the lanes in turn; the cursor is the consumer's own. */
static inline bool npi_inbox_take(npi_inbox *inbox, unsigned kinds, uint32_t *cursor, npi_task *out)
{
    return npi_inbox_visit(inbox, kinds, false, cursor, out);
}

/* The same for all kinds, from lanes that need no look at the producer's line for it. */
static inline bool npi_inbox_take_seen(npi_inbox *inbox, uint32_t *cursor, npi_task *out)
{
    return npi_inbox_visit(inbox, NPI_MASK_ALL, true, cursor, out);
}

/* Loads only; is there anything of these kinds? */
bool npi_inbox_holds(npi_inbox *inbox, unsigned kinds);

/* --- sums over lanes, blurred while they change ------------------------------------------------
 */

uint64_t npi_inbox_depth(npi_inbox *inbox, unsigned kinds);
uint64_t npi_inbox_signature(npi_inbox *inbox, unsigned kinds);
/* Tasks ever put; acquire, as npi_queue_accepted. */
uint64_t npi_inbox_accepted(npi_inbox *inbox);
/* Of these, the ones from outside. */
uint64_t npi_inbox_accepted_outside(npi_inbox *inbox);

/* How many lanes there are; entries of `list` below it may be read. */
static inline uint32_t npi_inbox_lanes(npi_inbox *inbox)
{
    return npi_load_acquire(&inbox->count); /* pairs with npi_inbox_open */
}

#endif
