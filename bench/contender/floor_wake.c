/*
 * The floor of waking: a thread that sleeps on a futex, a semaphore of tokens, without a spin. With
 * more workers the others sleep beside it: the first one is always the one that is woken. Of being
 * idle: the same threads, asleep. Of creation: threads that are started, meet, and end.
 */
#include "floor.h"
#include "idle.h"
#include "wake.h"

#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sys/syscall.h>

enum { SLEEPERS_MAX = 1024 };

typedef struct sleepers {
    uint32_t tokens __attribute__((aligned(128))); /* wakes that nobody has taken yet */
    uint32_t stop __attribute__((aligned(128)));   /* also what the others sleep on */
    const char *pin;
    bench_wake *wake; /* NULL: a token is a task that counts itself */
    unsigned count;
    pthread_t threads[SLEEPERS_MAX];
} sleepers;

static sleepers pool;

static void futex(uint32_t *word, int operation, uint32_t value)
{
    syscall(SYS_futex, word, operation | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static int take_token(void)
{
    uint32_t tokens = __atomic_load_n(&pool.tokens, __ATOMIC_ACQUIRE);
    while (tokens > 0) {
        if (__atomic_compare_exchange_n(&pool.tokens, &tokens, tokens - 1, 1, __ATOMIC_ACQUIRE,
                                        __ATOMIC_ACQUIRE))
            return 1;
    }
    return 0;
}

static void *sleeper_main(void *argument)
{
    unsigned self = (unsigned)(uintptr_t)argument;
    bench_pin_worker(self, pool.pin);
    while (__atomic_load_n(&pool.stop, __ATOMIC_ACQUIRE) == 0) {
        if (self != 0)
            futex(&pool.stop, FUTEX_WAIT, 0);
        else if (!take_token())
            futex(&pool.tokens, FUTEX_WAIT, 0);
        else if (pool.wake != NULL)
            bench_wake_started(pool.wake);
        else
            bench_count_one();
    }
    return NULL;
}

static void wake_one(void *context, bench_wake *wake)
{
    (void)context;
    (void)wake;
    __atomic_fetch_add(&pool.tokens, 1, __ATOMIC_RELEASE);
    futex(&pool.tokens, FUTEX_WAKE, 1);
}

static void start(unsigned count, const char *pin, bench_wake *wake)
{
    if (count > SLEEPERS_MAX)
        bench_unavailable("at most %d workers", SLEEPERS_MAX);
    pool.pin = pin;
    pool.wake = wake;
    pool.count = count;
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&pool.threads[i], NULL, sleeper_main, (void *)(uintptr_t)i) != 0)
            bench_fail("a thread could not be started");
    }
}

static void stop(void)
{
    __atomic_store_n(&pool.stop, 1, __ATOMIC_RELEASE);
    futex(&pool.stop, FUTEX_WAKE, INT_MAX);
    /* The tokens change as well: nobody goes to sleep on them any more. */
    __atomic_fetch_add(&pool.tokens, 1, __ATOMIC_RELEASE);
    futex(&pool.tokens, FUTEX_WAKE, INT_MAX);
    for (unsigned i = 0; i < pool.count; i++)
        pthread_join(pool.threads[i], NULL);
}

void floor_wake(bench_args *args)
{
    bench_wake wake;
    bench_wake_choose(&wake, args);
    wake.submit = wake_one;
    start(args->workers, wake.pin, &wake);
    bench_wake_run(&wake, args);
    stop();
}

void floor_idle(bench_args *args)
{
    (void)bench_cpu_count();
    start(args->workers, "node", NULL);
    for (unsigned i = 0; i < 1000; i++)
        wake_one(NULL, NULL);
    while (bench_count_total() < 1000)
        sched_yield();
    bench_idle_run(args, 1000);
    stop();
}

static unsigned met;

static void *meet_main(void *argument)
{
    bench_pin_worker((unsigned)(uintptr_t)argument, "node");
    __atomic_fetch_add(&met, 1, __ATOMIC_RELEASE);
    while (take_token() == 0)
        futex(&pool.tokens, FUTEX_WAIT, 0);
    return NULL;
}

static void create_round(unsigned count)
{
    met = 0;
    for (unsigned i = 0; i < count; i++) {
        if (pthread_create(&pool.threads[i], NULL, meet_main, (void *)(uintptr_t)i) != 0)
            bench_fail("a thread could not be started");
    }
    while (__atomic_load_n(&met, __ATOMIC_ACQUIRE) != count)
        sched_yield();
    __atomic_fetch_add(&pool.tokens, count, __ATOMIC_RELEASE);
    futex(&pool.tokens, FUTEX_WAKE, INT_MAX);
    for (unsigned i = 0; i < count; i++)
        pthread_join(pool.threads[i], NULL);
}

void floor_create(bench_args *args)
{
    (void)bench_cpu_count();
    if (args->workers > SLEEPERS_MAX)
        bench_unavailable("at most %d workers", SLEEPERS_MAX);
    create_round(args->workers);
    uint64_t begin = bench_now();
    create_round(args->workers);
    uint64_t ns = bench_now() - begin;
    bench_check_equal("the number of threads started", met, args->workers);
    bench_report(args, (double)ns / 1e6, "ms", NULL);
}
