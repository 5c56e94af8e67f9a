/*
 * workload/channel.h - numbers of 64 bits that pass from threads that send to as many that receive,
 * through one bounded queue: from the first send to the last receive. A contender gives two
 * functions, one that sends a share and one that receives a share and returns its sum.
 *
 * WORKERS senders and as many receivers; capacity=N items (default 1024), items=N, batch=N per call
 * (default 1; a contender without such a call refuses). Sender k and receiver k are pinned to the
 * CPUs 2k and 2k + 1, counted round, so that two threads that talk to each other are on two CPUs.
 */
#ifndef NP_BENCH_WORKLOAD_CHANNEL_H
#define NP_BENCH_WORKLOAD_CHANNEL_H

#include "cpu.h"

#include <pthread.h>

#define BENCH_CHANNEL_PAIRS_MAX 32u
#define BENCH_CHANNEL_BATCH_MAX 256u

typedef struct bench_channel {
    unsigned pairs;
    size_t capacity;
    size_t batch;
    uint64_t items;
    /* Sends the `count` numbers from `first` on, the smallest first. On the sender's thread. */
    void (*send)(void *context, uint64_t first, uint64_t count);
    /* Receives `count` numbers and returns their sum. On the receiver's thread. */
    uint64_t (*receive)(void *context, uint64_t count);
    void *context;
    unsigned ready, go;
    uint64_t sum; /* of all that was received */
} bench_channel;

typedef struct bench_channel_thread {
    bench_channel *all;
    unsigned index; /* even: sender index / 2 */
    pthread_t thread;
} bench_channel_thread;

static inline void bench_channel_choose(bench_channel *b, bench_args *args)
{
    memset(b, 0, sizeof *b);
    b->pairs = args->workers;
    b->capacity = (size_t)bench_number(args, "capacity", 1024);
    b->batch = (size_t)bench_number(args, "batch", 1);
    b->items = bench_number(args, "items", 4000000);
    if (b->pairs > BENCH_CHANNEL_PAIRS_MAX || b->capacity < 1 || b->items < 1 || b->batch < 1 ||
        b->batch > BENCH_CHANNEL_BATCH_MAX)
        bench_usage("at most %u pairs, capacity=1.., items=1.., batch=1..%u are expected",
                    BENCH_CHANNEL_PAIRS_MAX, BENCH_CHANNEL_BATCH_MAX);
    (void)bench_cpu_count();
}

/* Of `items` numbers those of pair `pair`: how many, and in *first the smallest. */
static inline uint64_t bench_channel_share(const bench_channel *b, unsigned pair, uint64_t *first)
{
    uint64_t share = b->items / b->pairs, rest = b->items % b->pairs;
    *first = 1 + pair * share + (pair < rest ? pair : rest);
    return share + (pair < rest);
}

static inline void *bench_channel_main(void *argument)
{
    bench_channel_thread *self = (bench_channel_thread *)argument;
    bench_channel *b = self->all;
    uint64_t first = 0, share = bench_channel_share(b, self->index / 2, &first);
    bench_pin_to(bench_cpu(self->index));
    __atomic_fetch_add(&b->ready, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&b->go, __ATOMIC_ACQUIRE) == 0)
        sched_yield(); /* with more threads than CPUs */
    if (self->index % 2 == 0)
        b->send(b->context, first, share);
    else
        __atomic_fetch_add(&b->sum, b->receive(b->context, share), __ATOMIC_RELAXED);
    return NULL;
}

/* One round: nanoseconds until every item has been received. */
static inline uint64_t bench_channel_round(bench_channel *b, uint64_t items)
{
    static bench_channel_thread threads[2 * BENCH_CHANNEL_PAIRS_MAX];
    b->items = items;
    b->ready = b->go = 0;
    b->sum = 0;
    for (unsigned i = 0; i < 2 * b->pairs; i++) {
        threads[i].all = b;
        threads[i].index = i;
        if (pthread_create(&threads[i].thread, NULL, bench_channel_main, &threads[i]) != 0)
            bench_fail("a thread could not be started");
    }
    while (__atomic_load_n(&b->ready, __ATOMIC_ACQUIRE) != 2 * b->pairs)
        sched_yield();
    uint64_t begin = bench_now();
    __atomic_store_n(&b->go, 1, __ATOMIC_RELEASE);
    for (unsigned i = 0; i < 2 * b->pairs; i++)
        pthread_join(threads[i].thread, NULL);
    uint64_t ns = bench_now() - begin;
    bench_check_equal("the sum of what was received", b->sum, items * (items + 1) / 2);
    return ns;
}

/* Warm-up, one measured round, the check, the result line. */
static inline void bench_channel_run(bench_channel *b, bench_args *args)
{
    uint64_t items = b->items;
    (void)bench_channel_round(b, items / 10 + 1);
    uint64_t ns = bench_channel_round(b, items);
    bench_report(args, (double)ns / (double)items, "ns", NULL);
}

#endif
