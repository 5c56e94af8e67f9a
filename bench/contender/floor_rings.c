/*
 * The floor of submitting from outside: function and argument handed over through bounded rings to
 * threads that spin.
 *
 *   ring=eight   a ring per submitter and worker, published every 8 tasks: the line of the index
 *                changes hands once per 8 tasks
 *   ring=each    the same, every task published at once: what a task that must be findable costs
 *   ring=malloc  every task allocated by the submitter and freed by the worker
 *   ring=shared  one ring for all (Vyukov's bounded queue, one CAS per task at each end)
 *
 * With more threads than CPUs a thread that finds its ring empty or full yields.
 */
#include "floor.h"
#include "submit.h"

enum { RING_SLOTS = 4096, RINGS_MAX = 256, WORKERS_MAX = 64, PAUSES = 100 };

typedef struct entry {
    void (*fn)(void *argument);
    void *argument;
} entry;

/* One submitter, one worker. The worker publishes `head` after it has run what it took. */
typedef struct ring {
    uint64_t tail __attribute__((aligned(128))); /* written by the submitter */
    uint64_t filled, head_seen;                  /* the submitter's own */
    uint64_t head __attribute__((aligned(128))); /* written by the worker */
    entry entries[RING_SLOTS] __attribute__((aligned(128)));
} ring;

typedef struct shared_slot {
    uint64_t turn;
    entry task;
} shared_slot;

typedef struct shared_ring {
    uint64_t tail __attribute__((aligned(128)));
    uint64_t head __attribute__((aligned(128)));
    shared_slot slots[RING_SLOTS] __attribute__((aligned(128)));
} shared_ring;

static struct {
    bench_submit *b;
    unsigned publish_every;
    int allocates, is_shared, yields;
    int stop; /* read by the workers */
    ring *rings;
    pthread_t threads[WORKERS_MAX];
} state;
static shared_ring shared;

static void empty_task(void *argument)
{
    (void)argument;
    bench_count_one();
}

/* A worker that looks again at once takes the line of the index away from the submitter after every
 * task, and the two run in lock-step; one that waits a moment finds many tasks. */
static inline void nothing_to_do(void)
{
    if (state.yields) {
        sched_yield();
        return;
    }
    for (unsigned i = 0; i < PAUSES; i++)
        bench_relax();
}

static void run_entry(entry task)
{
    if (state.allocates) {
        entry *own = task.argument;
        task = *own;
        free(own);
    }
    task.fn(task.argument);
}

static inline ring *ring_of(unsigned submitter, unsigned worker)
{
    return &state.rings[submitter * state.b->workers + worker];
}

static inline void ring_put(ring *r, entry task)
{
    while (r->filled - r->head_seen == RING_SLOTS) {
        r->head_seen = __atomic_load_n(&r->head, __ATOMIC_ACQUIRE);
        if (r->filled - r->head_seen == RING_SLOTS) {
            __atomic_store_n(&r->tail, r->filled, __ATOMIC_RELEASE);
            nothing_to_do();
        }
    }
    r->entries[r->filled % RING_SLOTS] = task;
    r->filled++;
    if (r->filled % state.publish_every == 0)
        __atomic_store_n(&r->tail, r->filled, __ATOMIC_RELEASE);
}

static int ring_run(ring *r)
{
    uint64_t tail = __atomic_load_n(&r->tail, __ATOMIC_ACQUIRE), head = r->head;
    if (tail == head)
        return 0;
    for (uint64_t end = tail - head > 64 ? head + 64 : tail; head != end; head++)
        run_entry(r->entries[head % RING_SLOTS]);
    __atomic_store_n(&r->head, head, __ATOMIC_RELEASE);
    return 1;
}

static void shared_put(entry task)
{
    uint64_t place = __atomic_load_n(&shared.tail, __ATOMIC_RELAXED);
    for (;;) {
        shared_slot *slot = &shared.slots[place % RING_SLOTS];
        int64_t ahead = (int64_t)(__atomic_load_n(&slot->turn, __ATOMIC_ACQUIRE) - place);
        if (ahead == 0) {
            if (__atomic_compare_exchange_n(&shared.tail, &place, place + 1, 1, __ATOMIC_RELAXED,
                                            __ATOMIC_RELAXED)) {
                slot->task = task;
                __atomic_store_n(&slot->turn, place + 1, __ATOMIC_RELEASE);
                return;
            }
        } else {
            if (ahead < 0)
                nothing_to_do();
            place = __atomic_load_n(&shared.tail, __ATOMIC_RELAXED);
        }
    }
}

static int shared_run(void)
{
    uint64_t place = __atomic_load_n(&shared.head, __ATOMIC_RELAXED);
    for (;;) {
        shared_slot *slot = &shared.slots[place % RING_SLOTS];
        int64_t ahead = (int64_t)(__atomic_load_n(&slot->turn, __ATOMIC_ACQUIRE) - (place + 1));
        if (ahead < 0)
            return 0;
        if (ahead > 0) {
            place = __atomic_load_n(&shared.head, __ATOMIC_RELAXED);
        } else if (__atomic_compare_exchange_n(&shared.head, &place, place + 1, 1, __ATOMIC_RELAXED,
                                               __ATOMIC_RELAXED)) {
            entry task = slot->task;
            __atomic_store_n(&slot->turn, place + RING_SLOTS, __ATOMIC_RELEASE);
            run_entry(task);
            return 1;
        }
    }
}

static void *worker_main(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    bench_pin_to(bench_cpu_of_worker(self));
    while (__atomic_load_n(&state.stop, __ATOMIC_RELAXED) == 0) {
        int ran = 0;
        if (state.is_shared) {
            ran = shared_run();
        } else {
            for (unsigned s = 0; s < state.b->submitters; s++)
                ran |= ring_run(ring_of(s, self));
        }
        if (!ran)
            nothing_to_do();
    }
    return NULL;
}

static void submit(void *context, unsigned s, uint64_t count)
{
    (void)context;
    entry task = {empty_task, NULL};
    unsigned workers = state.b->workers, worker = s % workers;
    for (uint64_t i = 0; i < count; i++) {
        entry sent = task;
        if (state.allocates) {
            entry *own = malloc(sizeof *own);
            if (own == NULL)
                bench_fail("no memory");
            *own = task;
            sent.argument = own;
        }
        if (state.is_shared) {
            shared_put(sent);
            continue;
        }
        ring *r = ring_of(s, worker);
        ring_put(r, sent);
        if (r->filled % 8 == 0)
            worker = (worker + 1) % workers;
    }
    for (unsigned w = 0; w < workers && !state.is_shared; w++) {
        ring *r = ring_of(s, w);
        __atomic_store_n(&r->tail, r->filled, __ATOMIC_RELEASE);
    }
}

static void wait_for_all(void *context)
{
    (void)context;
    if (state.is_shared) { /* a task that has left the ring may still run: count the tasks */
        static uint64_t expected;
        expected += state.b->tasks;
        while (bench_count_total() < expected)
            sched_yield();
        return;
    }
    for (unsigned i = 0; i < state.b->submitters * state.b->workers; i++) {
        ring *r = &state.rings[i];
        while (__atomic_load_n(&r->head, __ATOMIC_ACQUIRE) != r->filled)
            sched_yield();
    }
}

void floor_submit(bench_args *args)
{
    bench_submit b;
    bench_submit_choose(&b, args);
    const char *kind = bench_word(args, "ring", "eight");
    state.publish_every = strcmp(kind, "eight") == 0 ? 8 : 1;
    state.allocates = strcmp(kind, "malloc") == 0;
    state.is_shared = strcmp(kind, "shared") == 0;
    if (state.publish_every == 1 && !state.allocates && !state.is_shared &&
        strcmp(kind, "each") != 0)
        bench_usage("ring=eight, each, shared or malloc is expected");
    if (b.workers > WORKERS_MAX || b.submitters * b.workers > RINGS_MAX)
        bench_unavailable("at most %d workers and %d rings", WORKERS_MAX, RINGS_MAX);
    if (b.nodes != 1)
        bench_unavailable("rings know no nodes");
    b.submit = submit;
    b.wait = wait_for_all;
    state.b = &b;
    state.yields = b.workers + b.submitters > bench_cpu_count();
    state.rings = aligned_alloc(128, sizeof(ring) * b.submitters * b.workers);
    if (state.rings == NULL)
        bench_fail("no memory");
    memset(state.rings, 0, sizeof(ring) * b.submitters * b.workers);
    for (uint64_t i = 0; i < RING_SLOTS; i++)
        shared.slots[i].turn = i;
    for (unsigned w = 0; w < b.workers; w++) {
        if (pthread_create(&state.threads[w], NULL, worker_main, (void *)(uintptr_t)w) != 0)
            bench_fail("a worker could not be started");
    }
    bench_submit_run(&b, args);
    __atomic_store_n(&state.stop, 1, __ATOMIC_RELAXED);
    for (unsigned w = 0; w < b.workers; w++)
        pthread_join(state.threads[w], NULL);
    free(state.rings);
}
