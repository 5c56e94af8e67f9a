/*
 * numaperf/detail/fork.h - the layout of a worker's fork deque, for the inline halves of fork and
 * join in numaperf/fast.h.
 *
 * Not an interface: the layout may change with every version. Inline code compiled against another
 * layout does not link, because the layout's number is part of the names of the slow halves
 * (np_fast_fork_slow_1). What the deque is and who may do what with it is told in the library's
 * src/sync/deque.h.
 */
#ifndef NUMAPERF_DETAIL_FORK_H
#define NUMAPERF_DETAIL_FORK_H

#include <numaperf/executor.h>

#include <numaperf/detail/atomic.h>

NP_BEGIN_DECLS

/* A worker of an executor; the struct begins with its np_fork_deque. */
typedef struct np_worker np_worker;

/* A child of the fast form. */
typedef uintptr_t (*np_fast_fn)(np_worker *self, uintptr_t argument);

#define NP_FORK_ALIGNED(bytes) __attribute__((aligned(bytes)))

/* One forked child: one cache line. */
typedef struct np_fork_child {
    /* Written by the owner while the child is private; read by the thief after its claim. */
    np_plain(np_fast_fn) fast;    /* NULL: a child of the plain form */
    np_plain(uintptr_t) argument; /* afterwards the result, if a thief ran it */
    np_plain(np_task_fn) plain;
    np_plain(const void *) frame; /* of the forking task, set when the child is shared */
    /* The thief, for stealing back; a hint, may be NULL for a moment. */
    np_atomic(void *) thief;
    /* Thief: done. Owner: awaited, before it sleeps. */
    np_atomic(uint32_t) state;
    uint32_t unused[5];
} NP_FORK_ALIGNED(64) np_fork_child;

typedef struct np_fork_deque {
    /* The owner's line: head and the two bounds between which it may go without asking. */
    NP_FORK_ALIGNED(128) np_fork_child *head; /* the next free slot */
    np_fork_child *floor;                     /* join: slots below are not simply the owner's */
    np_fork_child *limit;                     /* fork: from here on something has to be done */
    np_fork_child *base;                      /* the running task's own children begin here */
    uint32_t split;      /* the owner's copy of the index where the private part begins */
    uint32_t known_tail; /* tail when the owner last looked; thieves may have raised it since */
    uint32_t overflow;   /* children forked on top of a full deque */
    /* The thieves' line: all that a worker reads that looks for children. The owner only reads it,
     * but for the times when it shares or takes back. */
    NP_FORK_ALIGNED(128) np_atomic(uint64_t) shared; /* local:1 split:31 tail:32 */
    /* Set by a worker that found nothing here before it sleeps; cleared by the owner when it
     * shares. */
    np_atomic(uint32_t) hungry;
    np_fork_child *slots; /* constant; here, so that a thief needs nothing of the owner's line */
} np_fork_deque;

NP_END_DECLS

#endif
