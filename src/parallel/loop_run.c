/*
 * parallel/loop_run.c - one worker's way through a stretch of a loop.
 *
 * It calls the body for piece after piece from the near end, and before each piece asks whether a
 * part should be offered. If so, the far half becomes a forked child, the near half goes on, and
 * the join takes the child back or waits for its thief, who divides his half in the same way. So a
 * loop that nobody shares is a loop, and what is shared is shared in large parts first.
 *
 * When is it worth it? Giving a part to somebody who is looking costs both sides a few cache lines,
 * half a microsecond in all. An offer while others sleep wakes one, which costs several
 * microseconds, so it is made only for a rest that is longer than that, and only when this is
 * known: from earlier runs of the same body, or from having worked on this one for a moment; or
 * because the caller gave a grain. From then on a part is in sight for as long as there is one to
 * give: nobody sleeps beside a long loop.
 *
 * How long is a piece? Long enough to make the questions cheap, short enough to answer soon; in
 * a long run they grow with what is already done, so that a sudden change of cost (cheap indices
 * first, then expensive ones) can be late only in proportion.
 */
#include "parallel/loop.h"

#include <numaperf/fast.h>

#include "os/ticks.h"
#include "parallel/loop_memory.h"

/* In microseconds; divisors where they are fractions. */
#define PIECE_LEAST_PARTS 2u  /* 1/2 us */
#define PIECE_MOST_US     20u /* ... at most */
#define PIECE_OF_DONE     16u /* ... and 1/16 of what this worker has done */
#define SHARE_WORTH_US    1u
#define WAKE_WORTH_US     20u
#define WAKE_AFTER_US     2u
/* In a series of loops that has been going on for WAKE_WORTH_US, with gaps no longer than this: */
#define SERIES_GAP_US   1u
#define SERIES_WORTH_US 3u
/* Nothing is known: the first piece is 1/64 of the range, at most 16 indices; and a range of fewer
 * than 64 is taken for coarse. */
#define FIRST_PARTS 64u
#define FIRST_MOST  16u

typedef struct run {
    const npi_loop *loop;
    npi_worker *worker;
    uint64_t begun; /* ticks */
    uint64_t now;   /* ... when last looked */
    size_t done;    /* indices */
    float cost;     /* of late; 0: nothing known */
    bool known;     /* from before this run */
    bool series;    /* one of many, soon after each other */
    bool shared;    /* a part was offered */
} run;

/* A part that was offered; on the stack of the run that offers it, until joined. */
typedef struct part {
    const npi_loop *loop;
    size_t begin, end;
    float cost;
} part;

static size_t next_piece(const run *r, size_t left)
{
    size_t grain = r->loop->grain;
    if (grain != 0)
        return left < grain ? left : grain;
    if (r->cost == 0) {
        size_t first = left / FIRST_PARTS;
        return first == 0 ? 1 : first > FIRST_MOST ? FIRST_MOST : first;
    }
    uint64_t least = r->loop->ticks_us / PIECE_LEAST_PARTS;
    uint64_t most = r->loop->ticks_us * PIECE_MOST_US;
    uint64_t ticks = (r->now - r->begun) / PIECE_OF_DONE;
    ticks = ticks < least ? least : ticks > most ? most : ticks;
    float count = (float)ticks / r->cost;
    /* In two steps when little is left over: no piece is much shorter than the others. */
    if (count >= (float)left)
        return left;
    if (count * 2 >= (float)left)
        return left - left / 2;
    return count < 1 ? 1 : (size_t)count;
}

static float ticks_of(const run *r, uint64_t microseconds)
{
    return (float)(r->loop->ticks_us * microseconds);
}

/* Should the far half of what is left be offered now? */
static bool wanted(const run *r, size_t left)
{
    npi_worker *worker = r->worker;
    if (left < 2 || left <= r->loop->grain || npi_deque_has_shared(&worker->deque, true))
        return false; /* nothing to divide, or enough in sight */
    if (r->loop->grain != 0)
        return true; /* the caller has said what is worth it */
    /* Relaxed: a state of others, a hint; what is offered is published by the fork. */
    bool looking = npi_sleepers_searching(&worker->node->sleepers);
    if (r->cost == 0)
        return looking || left < FIRST_PARTS;
    float rest = (float)left * r->cost;
    if (rest >= ticks_of(r, WAKE_WORTH_US))
        return looking || r->known || r->now - r->begun >= r->loop->ticks_us * WAKE_AFTER_US;
    if (looking)
        return rest >= ticks_of(r, SHARE_WORTH_US);
    /* Relaxed: as above. */
    return r->series && rest >= ticks_of(r, SERIES_WORTH_US) &&
           npi_load_relaxed(&worker->deque.hungry) != 0;
}

static void work(run *r, size_t at, size_t end);

static uintptr_t run_part(np_worker *worker, uintptr_t argument)
{
    const part *p = (const part *)argument;
    run r = {.loop = p->loop, .worker = worker, .cost = p->cost, .known = p->cost != 0};
    r.begun = r.now = npi_os_ticks();
    work(&r, p->begin, p->end);
    return 0;
}

/* All of at .. end - 1, the far half offered. Nested as often as the range can be halved. */
static void share(run *r, size_t at, size_t end)
{
    size_t near = (end - at) - (end - at) / 2;
    size_t grain = r->loop->grain;
    if (grain > 1) /* up to the next multiple; below the end, because more than one grain is left */
        near = (near - 1) / grain * grain + grain;
    part far = {r->loop, at + near, end, r->cost};
    r->shared = true;
    np_fast_fork(r->worker, run_part, (uintptr_t)&far);
    work(r, at, at + near);
    (void)np_fast_join(r->worker, run_part, (uintptr_t)&far);
}

static void note(run *r, size_t piece)
{
    uint64_t now = npi_os_ticks();
    uint64_t ticks = now > r->now ? now - r->now : 1;
    float cost = (float)ticks / (float)piece;
    r->now = now;
    r->done += piece;
    r->cost = r->cost == 0 ? cost : (r->cost + cost) / 2;
}

static void work(run *r, size_t at, size_t end)
{
    while (at < end && !npi_loop_stopped(r->loop)) {
        if (wanted(r, end - at)) {
            share(r, at, end);
            return;
        }
        size_t piece = next_piece(r, end - at);
        r->loop->body(r->loop->context, at, at + piece);
        at += piece;
        if (r->loop->grain == 0)
            note(r, piece);
    }
}

void npi_loop_run(npi_worker *worker, const npi_loop *loop, size_t begin, size_t end)
{
    npi_loop_memory *memory = &worker->loops;
    uint64_t key = npi_loop_key(loop->body, end - begin);
    float known = npi_loop_recall(memory, key);
    run r = {.loop = loop, .worker = worker, .cost = known, .known = known != 0};
    r.begun = r.now = npi_os_ticks();
    r.series = npi_loop_series(memory, r.now, loop->ticks_us * SERIES_GAP_US) >=
               loop->ticks_us * WAKE_WORTH_US;
    work(&r, begin, end);
    if (r.done == 0)
        return;
    npi_loop_remember(memory, key, known, (float)(r.now - r.begun + 1) / (float)r.done);
    npi_loop_ended(memory, r.begun, r.shared ? npi_os_ticks() : r.now);
}
