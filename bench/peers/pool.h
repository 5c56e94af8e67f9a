/*
 * peers/pool.h - the workloads of a pool of threads that outsiders submit to, run on any peer that
 * gives the seven functions of peer_pool. The peer's file holds the calls that are measured, each
 * loop of submits whole, so that nothing stands between the loop and the peer's own call.
 *
 * All of it runs on main's thread but `submit`, which runs on the submitters' threads, and the
 * tasks.
 */
#ifndef NP_BENCH_PEERS_POOL_H
#define NP_BENCH_PEERS_POOL_H

#include "count.h"
#include "cpu.h"
#include "idle.h"
#include "submit.h"
#include "wake.h"

#include <dirent.h>

enum peer_binding { PEER_FREE, PEER_CPU, PEER_NODE };

typedef struct peer_pool {
    /* Starts `workers` threads, each bound by peer_bind(); returns when all of them exist. */
    void (*create)(unsigned workers, enum peer_binding binding);
    /* Called once before submitter `s` submits rounds of at most `tasks` tasks: for a peer whose
     * user supplies the memory of tasks; `touch`: bring it into memory now. May be NULL. */
    void (*prepare)(unsigned s, uint64_t tasks, int touch);
    /* Submits `count` tasks that call bench_count_one() and nothing else. */
    void (*submit)(unsigned s, uint64_t count);
    /* The same by the peer's way to hand over many at once, `batch` a time; only for `batch`. */
    void (*submit_batches)(unsigned s, uint64_t count, unsigned batch);
    /* Submits one task, from main's thread. */
    void (*submit_one)(void (*function)(void *), void *argument);
    /* Returns when all submitted tasks have ended. NULL: the count is polled. */
    void (*wait)(void);
    /* Ends the threads; none is left when it returns. */
    void (*destroy)(void);
    /* 1: create() works only once in a process. */
    int only_once;
} peer_pool;

static const peer_pool *peer_chosen;

static inline const peer_pool *peer_current(void)
{
    if (peer_chosen == NULL)
        bench_fail("no peer has been chosen");
    return peer_chosen;
}

/* Called on the pool's thread number `worker`. */
static inline void peer_bind(enum peer_binding binding, unsigned worker)
{
    static const char *const words[] = {"off", "cpu", "node"};
    bench_pin_worker(worker, words[binding]);
}

typedef struct peer_meeting {
    pthread_barrier_t barrier;
    enum peer_binding binding;
    unsigned arrived;
} peer_meeting;

static inline void peer_meet(void *argument)
{
    peer_meeting *meeting = (peer_meeting *)argument;
    unsigned worker = __atomic_fetch_add(&meeting->arrived, 1, __ATOMIC_RELAXED);
    peer_bind(meeting->binding, worker);
    pthread_barrier_wait(&meeting->barrier);
}

/*
 * For peers without a hook at the start of a thread, and for those that start threads lazily: gives
 * each of the `workers` threads one task that waits for all others, so that each binds itself.
 */
static inline void peer_meet_all(void (*submit_one)(void (*function)(void *), void *argument),
                                 unsigned workers, enum peer_binding binding)
{
    static peer_meeting meeting;
    memset(&meeting, 0, sizeof meeting);
    meeting.binding = binding;
    if (pthread_barrier_init(&meeting.barrier, NULL, workers + 1) != 0)
        bench_fail("no barrier");
    for (unsigned i = 0; i < workers; i++)
        submit_one(peer_meet, &meeting);
    pthread_barrier_wait(&meeting.barrier);
    /* Not destroyed: the last thread may still be inside. */
}

static uint64_t peer_submitted; /* tasks given to submit() so far; added to by submitters */

/* Polls the count; seldom while much is missing, so that the workers keep their lines and CPUs. */
static inline void peer_wait_by_count(void)
{
    uint64_t expected = __atomic_load_n(&peer_submitted, __ATOMIC_ACQUIRE);
    for (;;) {
        uint64_t total = 0;
        unsigned used = __atomic_load_n(&bench_slots_used, __ATOMIC_RELAXED);
        for (unsigned i = 0; i < used && i < BENCH_COUNT_SLOTS; i++)
            total += __atomic_load_n(&bench_slots[i].count, __ATOMIC_RELAXED);
        if (total >= expected)
            return;
        if (expected - total > 2000)
            bench_wake_sleep(50);
        else
            sched_yield();
    }
}

static inline void peer_submit_share(void *context, unsigned s, uint64_t count)
{
    const bench_submit *b = (const bench_submit *)context;
    __atomic_fetch_add(&peer_submitted, count, __ATOMIC_RELEASE);
    if (b->batch > 1)
        peer_current()->submit_batches(s, count, b->batch);
    else
        peer_current()->submit(s, count);
}

static inline void peer_wait(void *context)
{
    (void)context;
    if (peer_current()->wait != NULL)
        peer_current()->wait();
    else
        peer_wait_by_count();
}

/* A queue without bound needs memory for all of the tasks; 256 bytes each are more than any takes.
 */
static inline void peer_need_memory(uint64_t tasks)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *file = fopen("/proc/meminfo", "r");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        if (sscanf(line, "MemAvailable: %llu", &kib) == 1)
            break;
    }
    if (file != NULL)
        fclose(file);
    if (tasks > 10000000 && tasks / 4 > kib / 2)
        bench_unavailable("%llu queued tasks may need more than half of the free memory",
                          (unsigned long long)tasks);
}

static inline void peer_submit_begin(bench_submit *b, bench_args *args)
{
    const peer_pool *pool = peer_current();
    bench_submit_choose(b, args);
    if (b->nodes != 1)
        bench_unavailable("this library knows no nodes");
    peer_need_memory(b->tasks);
    pool->create(b->workers, b->workers <= bench_cpu_count() ? PEER_CPU : PEER_FREE);
    for (unsigned s = 0; pool->prepare != NULL && s < b->submitters; s++)
        pool->prepare(s, b->tasks / b->submitters + 1, 1);
    b->submit = peer_submit_share;
    b->wait = peer_wait;
    b->context = b;
}

/* submit and batch. */
static inline void peer_run_submit(bench_args *args)
{
    bench_submit b;
    peer_submit_begin(&b, args);
    bench_submit_run(&b, args);
    peer_current()->destroy();
}

/* tasks=N at a time, repeat=N times: small numbers often enough to be measured. */
static inline void peer_run_growth(bench_args *args)
{
    bench_submit b;
    uint64_t ns = 0;
    peer_submit_begin(&b, args);
    uint64_t rounds = bench_number(args, "repeat", 2000000 / b.tasks + 1);
    (void)bench_submit_round(&b);
    for (uint64_t round = 0; round < rounds; round++)
        ns += bench_submit_round(&b);
    bench_check_equal("the number of tasks run", bench_count_total(), b.tasks * (rounds + 1));
    bench_report(args, (double)ns / (double)(b.tasks * rounds), "ns", NULL);
    peer_current()->destroy();
}

static inline void peer_wake_task(void *argument)
{
    bench_wake_started((bench_wake *)argument);
}

static inline void peer_wake_submit(void *context, bench_wake *wake)
{
    (void)context;
    peer_current()->submit_one(peer_wake_task, wake);
}

static inline void peer_run_wake(bench_args *args)
{
    const peer_pool *pool = peer_current();
    bench_wake wake;
    bench_wake_choose(&wake, args);
    pool->create(args->workers, strcmp(wake.pin, "cpu") == 0    ? PEER_CPU
                                : strcmp(wake.pin, "node") == 0 ? PEER_NODE
                                                                : PEER_FREE);
    wake.submit = peer_wake_submit;
    bench_wake_run(&wake, args);
    peer_wait(NULL);
    pool->destroy();
}

static inline void peer_run_idle(bench_args *args)
{
    const peer_pool *pool = peer_current();
    enum { TASKS = 1000 };
    (void)bench_cpu_count();
    pool->create(args->workers, args->workers <= bench_cpu_count() ? PEER_CPU : PEER_FREE);
    if (pool->prepare != NULL)
        pool->prepare(0, TASKS, 1);
    __atomic_fetch_add(&peer_submitted, TASKS, __ATOMIC_RELEASE);
    pool->submit(0, TASKS);
    peer_wait(NULL);
    bench_idle_run(args, TASKS);
    pool->destroy();
}

static inline unsigned peer_threads(void)
{
    unsigned threads = 0;
    DIR *folder = opendir("/proc/self/task");
    if (folder == NULL)
        bench_fail("cannot read /proc/self/task");
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        threads += entry->d_name[0] != '.';
    closedir(folder);
    return threads;
}

/* Until main's thread is the only one: not every library waits for its threads to end, and a joined
 * thread stays in /proc for a moment. */
static inline void peer_wait_for_threads(void)
{
    for (unsigned i = 0; i < 1000 && peer_threads() != 1; i++)
        bench_wake_sleep(1000);
    bench_check_equal("the number of threads left", peer_threads(), 1);
}

typedef struct peer_block {
    unsigned blocked;
    pthread_mutex_t mutex; /* held by main until the workers may go on */
} peer_block;

static inline void peer_block_task(void *argument)
{
    peer_block *block = (peer_block *)argument;
    __atomic_fetch_add(&block->blocked, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&block->mutex);
    pthread_mutex_unlock(&block->mutex);
}

/* Resident bytes per task while all workers are held by other tasks, and per idle worker, without
 * what the library needs once, where a pool can be created twice. */
static inline void peer_run_memory(bench_args *args)
{
    const peer_pool *pool = peer_current();
    static peer_block block;
    char extra[64];
    uint64_t tasks = bench_number(args, "tasks", 1000000);
    (void)bench_cpu_count();
    if (!pool->only_once) {
        pool->create(1, PEER_FREE);
        pool->destroy();
        peer_wait_for_threads();
    }
    uint64_t before = bench_resident();
    pool->create(args->workers, PEER_FREE);
    uint64_t created = bench_resident();
    if (pool->prepare != NULL)
        pool->prepare(0, tasks, 0);
    pthread_mutex_init(&block.mutex, NULL);
    pthread_mutex_lock(&block.mutex);
    for (unsigned i = 0; i < args->workers; i++)
        pool->submit_one(peer_block_task, &block);
    while (__atomic_load_n(&block.blocked, __ATOMIC_ACQUIRE) != args->workers)
        sched_yield();
    uint64_t empty = bench_resident();
    __atomic_fetch_add(&peer_submitted, tasks, __ATOMIC_RELEASE);
    pool->submit(0, tasks);
    uint64_t full = bench_resident(), early = bench_count_total();
    /* Before anything is checked: some libraries wait for their threads at exit. */
    pthread_mutex_unlock(&block.mutex);
    bench_check_equal("the number of tasks run while all workers were held", early, 0);
    peer_wait(NULL);
    bench_check_equal("the number of tasks run", bench_count_total(), tasks);
    pool->destroy();
    snprintf(extra, sizeof extra, "idle_kib_per_worker=%.4g",
             (double)(created > before ? created - before : 0) / 1024.0 / (double)args->workers);
    bench_report(args, (double)(full > empty ? full - empty : 0) / (double)tasks, "bytes", extra);
}

/* Milliseconds from nothing to all threads there, to nothing again; the second time where there can
 * be one, so that loading code from disk is not measured. */
static inline void peer_run_create(bench_args *args)
{
    const peer_pool *pool = peer_current();
    (void)bench_cpu_count();
    if (!pool->only_once) {
        pool->create(args->workers, PEER_FREE);
        pool->destroy();
        peer_wait_for_threads();
    }
    uint64_t begin = bench_now();
    pool->create(args->workers, PEER_FREE);
    uint64_t middle = bench_now();
    bench_check_equal("the number of threads", peer_threads(), args->workers + 1u);
    uint64_t again = bench_now();
    pool->destroy();
    uint64_t end = bench_now();
    peer_wait_for_threads();
    bench_report(args, (double)(middle - begin + (end - again)) / 1e6, "ms", NULL);
}

#endif
