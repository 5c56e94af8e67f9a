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

#include "base/alloc.h"
#include "executor/near.h"
#include "os/ticks.h"
#include "parallel/loop_memory.h"

/* In microseconds. */
#define PIECE_LEAST_US  1u
#define PIECE_MOST_US   20u /* 1/PIECE_OF_DONE of what this worker has done, between these two */
#define PIECE_OF_DONE   16u
#define SHARE_WORTH_US  1u  /* to somebody who is looking */
#define WAKE_WORTH_US   20u /* to a sleeper, */
#define WAKE_AFTER_US   2u  /* ... after this long, when nothing was known before */
#define SERIES_WORTH_US 3u  /* ... in a series of loops that has lasted WAKE_WORTH_US, */
#define SERIES_GAP_US   1u  /* ... with gaps no longer than this */
#define AWAIT_US        20u /* how long a worker watches the thief of its part, */
#define LOOK_AROUND     16u /* ... looking for other work once in so many looks */
#define LATE_MOST_US    2u  /* who gets a part is late by this much at most */
/* Nothing is known: the first piece is 1/64 of the range, at most 16 indices; and a range of fewer
 * than 64 is taken for coarse. */
#define FIRST_PARTS 64u
#define FIRST_MOST  16u

/* A part that was offered; on the stack of the run that offers it, until joined. On a line of its
 * own: both sides look at it while the owner's stack is busy. */
typedef struct part {
    NPI_ALIGNED(NPI_FALSE_SHARING) const npi_loop *loop;
    size_t begin, end;
    float cost;
    np_atomic(uint32_t)
        awaited; /* the owner has nothing else to do: it would take some of it back */
    npi_worker *owner;
    /* Of a reduction only. */
    void *into;   /* the owner's value, */
    bool joining; /* ... which is ready for this part; the owner's alone */
    bool skipped; /* there was no memory for a value: not run */
    void *value;  /* NULL: it was not taken */
    NPI_ALIGNED(NPI_CACHE_LINE) unsigned char room[NPI_CACHE_LINE]; /* for a value, if it fits */
} part;

/* A reduction's body, called like a loop's. */
typedef struct reduce_call {
    const npi_loop *loop;
    void *value;
} reduce_call;

typedef struct run {
    const npi_loop *loop;
    np_range_fn body; /* what is called, and with what: the loop's own, or call_reduce */
    void *context;
    npi_worker *worker;
    part *part;         /* what it runs, if it was offered by another run */
    uint64_t begun;     /* ticks */
    uint64_t now;       /* ... when last looked */
    size_t done;        /* indices */
    reduce_call reduce; /* a reduction's */
    float cost;         /* of late; 0: nothing known */
    bool known;         /* from before this run */
    bool series;        /* one of many, soon after each other */
    bool expected;      /* who helped with the last one must be looking again */
    bool shared;        /* a part was offered */
    bool helped;        /* ... and taken */
} run;

static size_t next_piece(const run *r, size_t left)
{
    size_t grain = r->loop->grain;
    if (grain != 0)
        return left < grain ? left : grain;
    if (r->cost == 0) {
        size_t first = left / FIRST_PARTS;
        return first == 0 ? 1 : first > FIRST_MOST ? FIRST_MOST : first;
    }
    uint64_t least = r->loop->ticks_us * PIECE_LEAST_US;
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

/* How the far half of what is left should be offered now. */
typedef enum offer { OFFER_NONE = 0, OFFER_QUIETLY, OFFER_LOUDLY } offer;

static offer wanted(const run *r, size_t left)
{
    npi_worker *worker = r->worker;
    if (left < 2 || left <= r->loop->grain || npi_deque_has_shared(&worker->deque, true))
        return OFFER_NONE; /* nothing to divide, or enough in sight */
    if (r->loop->grain != 0)
        return OFFER_LOUDLY; /* the caller has said what is worth it */
    /* Relaxed, here and below: states and requests, hints; what is offered is published then. Who
     * is expected need not be looked for, which would cost a cache miss. */
    bool looking = r->expected || npi_sleepers_searching(&worker->node->sleepers);
    if (r->cost == 0)
        return looking || left < FIRST_PARTS ? OFFER_LOUDLY : OFFER_NONE;
    float rest = (float)left * r->cost;
    if (rest >= ticks_of(r, WAKE_WORTH_US)) {
        bool sure = r->known || r->now - r->begun >= r->loop->ticks_us * WAKE_AFTER_US;
        return looking || sure ? OFFER_LOUDLY : OFFER_NONE;
    }
    if (rest < ticks_of(r, SHARE_WORTH_US))
        return OFFER_NONE;
    if (looking || (r->part != NULL && npi_load_relaxed(&r->part->awaited) != 0))
        return OFFER_QUIETLY;
    /* Only for the first offer: every thief leaves the flag behind. */
    bool asked = r->series && !r->shared && npi_load_relaxed(&worker->deque.hungry) != 0;
    return asked && rest >= ticks_of(r, SERIES_WORTH_US) ? OFFER_LOUDLY : OFFER_NONE;
}

static void work(run *r, size_t at, size_t end);

static void call_reduce(void *context, size_t begin, size_t end)
{
    const reduce_call *call = context;
    npi_loop_body(call->loop, begin, end, call->value);
}

/* Before anything is run. `value`: a reduction's. */
static inline void set_body(run *r, void *value)
{
    r->body = r->loop->body;
    r->context = r->loop->context;
    if (__builtin_expect(r->loop->reduction != NULL, 0)) {
        r->reduce = (reduce_call){r->loop, value};
        r->body = call_reduce;
        r->context = &r->reduce;
    }
}

/* --- the values of a reduction ---------------------------------------------------------------- */

static void *value_for(part *p, npi_worker *worker)
{
    /* Untaken, and in the join: nothing of the owner's half is missing. Beneath a wait inside that
     * half the owner may meet the part as well; then it is a part like any other's. */
    if (worker == p->owner && p->joining)
        return p->into;
    const np_reduction *reduction = p->loop->reduction;
    p->value = reduction->bytes <= sizeof p->room ? p->room
                                                  : npi_alloc(reduction->bytes, NPI_CACHE_LINE);
    if (p->value != NULL)
        npi_reduction_begin(reduction, p->value);
    p->skipped = p->value == NULL;
    return p->value;
}

/* After the join, which has acquired what a thief wrote. */
static void add_value(run *r, part *p)
{
    const np_reduction *reduction = r->loop->reduction;
    if (p->skipped)
        work(r, p->begin, p->end);
    /* In a forked child it may be half written. */
    if (p->value == NULL || npi_worker_is_orphan(r->worker))
        return;
    reduction->combine(r->loop->context, r->reduce.value, p->value);
    if (p->value != p->room)
        npi_free(p->value, reduction->bytes);
}

/* --- parts ------------------------------------------------------------------------------------ */

/* `begin`: of the part or stretch; the run's own indices are its first ones. `taken`: a part that
 * its owner has not any more. Who takes it may divide it again and join those parts itself: it
 * helps with them all the same. */
static __attribute__((noinline)) void count_placed(const run *r, size_t begin, uint64_t tasks,
                                                   bool taken)
{
    const npi_loop_place *place = r->loop->place;
    if (r->done == 0)
        return;
    npi_near_ran_stretch(r->worker, place->home, place->data, tasks,
                         npi_loop_bytes(place, begin, r->done),
                         r->worker == place->runner ? place->left_because : NP_COUNTER_DATA_HELPED);
    if (taken)
        npi_count(&r->worker->counters,
                  r->worker->node->index == place->home ? NP_COUNTER_SLICES_MOVED
                                                        : NP_COUNTER_SLICES_AWAY,
                  1);
}

static uintptr_t run_part(np_worker *worker, uintptr_t argument)
{
    part *p = (part *)argument;
    run r = {.loop = p->loop, .worker = worker, .part = p, .cost = p->cost};
    void *value = p->loop->reduction != NULL ? value_for(p, worker) : NULL;
    if (p->loop->reduction != NULL && value == NULL)
        return 0;
    set_body(&r, value);
    r.known = r.cost != 0;
    r.begun = r.now = npi_os_ticks();
    work(&r, p->begin, p->end);
    if (p->loop->place != NULL)
        count_placed(&r, p->begin, 0, worker != p->owner);
    return 0;
}

/*
 * Quietly: somebody awake is known to come, so nobody is woken, and no fence makes sure that the
 * last of those who look sees it: if they have just gone to sleep, this worker does it alone. That
 * is why only a short rest is offered in this way, and none together with older children of the
 * task, which may be long: what is shared is shared oldest first.
 */
static void make_offer(run *r, part *far, bool quietly)
{
    r->shared = true;
    r->expected = false;
    npi_deque *deque = &r->worker->deque;
    if (quietly && npi_deque_private(deque) == 0 &&
        npi_deque_push(deque, run_part, NULL, (uintptr_t)far))
        (void)npi_share_children(r->worker, UINT32_MAX);
    else
        np_fast_fork(r->worker, run_part, (uintptr_t)far);
}

/*
 * The part is taken. Its thief is asked to give some of it back, and looked at until that comes, or
 * the end: both are near. The join that follows would do as well, for any length of time and with
 * anybody's work, but takes longer to notice. So this one leaves as soon as there is other work.
 */
static void await_thief(run *r, part *far, npi_child *child)
{
    uint64_t begun = npi_os_ticks();
    uint64_t longest = r->loop->ticks_us * AWAIT_US;
    npi_work work;
    r->helped = true;
    npi_store_relaxed(&far->awaited, 1u); /* a request, publishes nothing */
    for (unsigned i = 1;; i++) {
        /* Acquire: pairs with the exchange in npi_run_stolen_child, as the join's load does. */
        if (npi_load_acquire(&child->state) == NPI_CHILD_DONE) {
            npi_loop_waited(&r->worker->loops, i == 1 ? 0 : npi_os_ticks() - begun,
                            r->loop->ticks_us * LATE_MOST_US);
            return;
        }
        npi_worker *thief = npi_load_relaxed(&child->thief); /* a hint, NULL for a moment */
        if (thief != NULL && !npi_worker_is_orphan(r->worker) &&
            npi_deque_has_shared(&thief->deque, thief->node == r->worker->node) &&
            npi_find_child_of(r->worker, thief, &work))
            npi_run_stolen_child(r->worker, work.child, work.owner);
        /* Not in its way: the thief writes the line twice before it is done. */
        for (unsigned k = 0; k < 3; k++)
            npi_cpu_relax();
        if (i % LOOK_AROUND == 0 &&
            (npi_os_ticks() - begun > longest || !npi_queue_is_empty(&r->worker->queue) ||
             npi_sources_look(r->worker->node, r->worker).kind == NPI_LOOK_WORK))
            return;
    }
}

/* All of at .. end - 1, the far half offered. Nested as often as the range can be halved. */
static void share(run *r, size_t at, size_t end, bool quietly)
{
    size_t near = (end - at) - (end - at) / 2;
    size_t grain = r->loop->grain;
    if (grain > 1) { /* up to the next multiple; below the end: there is more than one grain */
        near = (near - 1) / grain * grain + grain;
    } else if (quietly) { /* so that both end at the same time: an eighth of it all at most */
        size_t late = (size_t)((float)r->worker->loops.late / r->cost) / 2;
        near += late < near / 4 ? late : near / 4;
    }
    part far; /* field by field: it is larger than what is in it */
    far.loop = r->loop;
    far.begin = at + near;
    far.end = end;
    far.cost = r->cost;
    far.owner = r->worker;
    npi_atomic_init(&far.awaited, 0u);
    if (r->loop->reduction != NULL) {
        far.into = r->reduce.value;
        far.joining = far.skipped = false;
        far.value = NULL;
    }
    npi_deque *deque = &r->worker->deque;
    npi_child *child = deque->head;
    make_offer(r, &far, quietly);
    work(r, at, at + near);
    if (deque->head == child + 1 && npi_deque_private(deque) == 0 &&
        !npi_deque_has_shared(deque, true))
        await_thief(r, &far, child);
    if (r->loop->reduction != NULL)
        far.joining = true;
    (void)np_fast_join(r->worker, run_part, (uintptr_t)&far);
    if (r->loop->reduction != NULL)
        add_value(r, &far);
}

static void note(run *r, size_t piece)
{
    uint64_t now = npi_os_ticks();
    uint64_t ticks = now > r->now ? now - r->now : 1;
    float cost = (float)ticks / (float)piece;
    r->now = now;
    r->cost = r->cost == 0 ? cost : (r->cost + cost) / 2;
}

static void work(run *r, size_t at, size_t end)
{
    while (at < end && !npi_loop_stopped(r->loop)) {
        offer how = wanted(r, end - at);
        if (how != OFFER_NONE) {
            share(r, at, end, how == OFFER_QUIETLY);
            return;
        }
        size_t piece = next_piece(r, end - at);
        r->body(r->context, at, at + piece);
        at += piece;
        r->done += piece;
        if (r->loop->grain == 0)
            note(r, piece);
    }
}

bool npi_loop_run(npi_worker *worker, const npi_loop *loop, size_t begin, size_t end, void *value)
{
    npi_loop_memory *memory = &worker->loops;
    uint64_t key = npi_loop_key(loop, end - begin);
    float known = npi_loop_recall(memory, key);
    run r = {.loop = loop, .worker = worker, .cost = known, .known = known != 0};
    set_body(&r, value);
    r.begun = r.now = npi_os_ticks();
    if (!npi_loop_follows(memory, r.now, loop->ticks_us * SERIES_GAP_US))
        npi_loop_first(memory);
    r.series = memory->series >= loop->ticks_us * WAKE_WORTH_US;
    r.expected = memory->helped;
    work(&r, begin, end);
    if (__builtin_expect(loop->place != NULL, 0))
        count_placed(&r, begin, 1, false);
    if (__builtin_expect(r.shared && npi_worker_is_orphan(worker), 0))
        return false;
    if (r.done == 0 || loop->grain != 0)
        return true;
    npi_loop_remember(memory, key, known, (float)(r.now - r.begun + 1) / (float)r.done);
    npi_loop_ended(memory, r.begun, r.shared ? npi_os_ticks() : r.now, r.helped);
    return true;
}
