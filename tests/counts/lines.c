/*
 * Which cache lines travel between cores. The library is compiled with the compiler's thread
 * sanitizer instrumentation, which announces every access to memory that others might see; this
 * file takes the place of the sanitizer's runtime, performs the atomic ones, and keeps for each
 * line who wrote it last and who has looked at it since. An access to a line that another thread
 * has written since one's own last access is one line fetched from another core: a transfer.
 *
 * That is what a machine with one core per thread, private caches without end, and lines of 64
 * bytes would do, whatever the machine at hand is. Accesses are taken one at a time, under a lock;
 * what they do to each other's timing is no matter, because only counts are taken.
 */
#include "lines.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LINE_SHIFT = 6, LINES = 1 << 18, STRETCHES = 16, CAUSES = 512 };

typedef struct line {
    uintptr_t number; /* address >> LINE_SHIFT; 0: free */
    uint32_t seen;    /* threads that have accessed it since the last write, writer included */
    uint32_t writer;
    const void *writer_pc;
    uint32_t counted[4]; /* the step in which it was last counted, by the first threads */
} line;

typedef struct cause {
    const void *accessor_pc;
    const void *writer_pc;
    uint64_t transfers;
} cause;

typedef struct stretch {
    char name[32];
    unsigned steps;
    unsigned causes;
    cause cause[CAUSES];
} stretch;

/* All by the lock. */
static atomic_flag lock = ATOMIC_FLAG_INIT;
static line lines[LINES];
static stretch stretches[STRETCHES];
static unsigned stretch_count;
static uint32_t thread_count, step;

static _Thread_local uint32_t thread;
static _Thread_local stretch *current;

static void acquire(void)
{
    unsigned tries = 0;
    while (atomic_flag_test_and_set_explicit(&lock, memory_order_acquire)) {
        __builtin_ia32_pause();
        if (++tries % 64 == 0)
            (void)sched_yield(); /* its holder may have lost the processor */
    }
}

static void release(void)
{
    atomic_flag_clear_explicit(&lock, memory_order_release);
}

static void fail(const char *what)
{
    fprintf(stderr, "lines.c: too many %s\n", what);
    exit(1);
}

static line *find(uintptr_t number)
{
    size_t place = (number * UINT64_C(0x9e3779b97f4a7c15)) >> 46;
    for (size_t i = 0; i < LINES; i++) {
        line *l = &lines[(place + i) % LINES];
        if (l->number == number || l->number == 0) {
            l->number = number;
            return l;
        }
    }
    fail("lines");
    return NULL;
}

static void count(const line *l, const void *pc)
{
    for (unsigned i = 0; i < CAUSES; i++) {
        cause *c = &current->cause[i];
        if (i == current->causes) {
            current->causes++;
            c->accessor_pc = pc;
            c->writer_pc = l->writer_pc;
        }
        if (c->accessor_pc == pc && c->writer_pc == l->writer_pc) {
            c->transfers++;
            return;
        }
    }
    fail("causes");
}

static void touch(uintptr_t number, bool write, const void *pc)
{
    line *l = find(number);
    uint32_t me = UINT32_C(1) << thread;
    if ((l->seen & me) == 0 && l->writer_pc != NULL && l->writer != thread && current != NULL) {
        uint32_t *counted = &l->counted[thread % 4];
        if (step == 0 || *counted != step)
            count(l, pc);
        *counted = step;
    }
    l->seen |= me;
    if (write) {
        l->seen = me;
        l->writer = thread;
        l->writer_pc = pc;
    }
}

/* By the lock. */
static void access_locked(const volatile void *address, size_t bytes, bool write, const void *pc)
{
    if (thread == 0)
        thread = ++thread_count;
    if (thread >= 32)
        fail("threads");
    uintptr_t first = (uintptr_t)address >> LINE_SHIFT;
    uintptr_t last = ((uintptr_t)address + bytes - 1) >> LINE_SHIFT;
    for (uintptr_t number = first; number <= last; number++)
        touch(number, write, pc);
}

static void access_plain(const volatile void *address, size_t bytes, bool write, const void *pc)
{
    acquire();
    access_locked(address, bytes, write, pc);
    release();
}

/* --- for the walks ------------------------------------------------------------------------------
 */

void count_lines_begin(const char *name, unsigned steps)
{
    acquire();
    if (stretch_count == STRETCHES)
        fail("stretches");
    current = &stretches[stretch_count++];
    (void)snprintf(current->name, sizeof current->name, "%s", name);
    current->steps = steps;
    release();
}

void count_lines_end(void)
{
    acquire();
    current = NULL;
    release();
}

void count_lines_step(void)
{
    acquire();
    step++;
    release();
}

void count_lines_print(const char *path)
{
    acquire();
    for (unsigned i = 0; i < stretch_count; i++) {
        const stretch *s = &stretches[i];
        printf("%s %s %u 0 0 0\n", path, s->name, s->steps);
        for (unsigned c = 0; c < s->causes; c++)
            printf("%s %s %u %p %p %lu\n", path, s->name, s->steps, s->cause[c].accessor_pc,
                   s->cause[c].writer_pc, (unsigned long)s->cause[c].transfers);
    }
    release();
}

/* --- what the compiler calls
 * ---------------------------------------------------------------------- */

#define HERE __builtin_return_address(0)

void __tsan_init(void);
void __tsan_init(void) {}

void __tsan_func_entry(void *pc);
void __tsan_func_entry(void *pc)
{
    (void)pc;
}

void __tsan_func_exit(void);
void __tsan_func_exit(void) {}

#define PLAIN(name, bytes, write)                    \
    void __tsan_##name(void *address);               \
    void __tsan_##name(void *address)                \
    {                                                \
        access_plain(address, (bytes), write, HERE); \
    }

#define PLAIN_SIZE(bytes)                               \
    PLAIN(read##bytes, bytes, false)                    \
    PLAIN(write##bytes, bytes, true)                    \
    PLAIN(unaligned_read##bytes, bytes, false)          \
    PLAIN(unaligned_write##bytes, bytes, true)          \
    PLAIN(volatile_read##bytes, bytes, false)           \
    PLAIN(volatile_write##bytes, bytes, true)           \
    PLAIN(unaligned_volatile_read##bytes, bytes, false) \
    PLAIN(unaligned_volatile_write##bytes, bytes, true)

PLAIN_SIZE(1)
PLAIN_SIZE(2)
PLAIN_SIZE(4)
PLAIN_SIZE(8)
PLAIN_SIZE(16)

void __tsan_read_range(void *address, unsigned long bytes);
void __tsan_read_range(void *address, unsigned long bytes)
{
    access_plain(address, bytes, false, HERE);
}

void __tsan_write_range(void *address, unsigned long bytes);
void __tsan_write_range(void *address, unsigned long bytes)
{
    access_plain(address, bytes, true, HERE);
}

void __tsan_vptr_update(void **address, void *value);
void __tsan_vptr_update(void **address, void *value)
{
    (void)address;
    (void)value;
}

/* The orders are ignored: everything happens in one order, that of the lock. */
#define MODIFY(bits, name, builtin)                                                           \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, \
                                                int order);                                   \
    uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, \
                                                int order)                                    \
    {                                                                                         \
        (void)order;                                                                          \
        acquire();                                                                            \
        access_locked(p, sizeof *p, true, HERE);                                              \
        uint##bits##_t old = builtin(p, v, __ATOMIC_SEQ_CST);                                 \
        release();                                                                            \
        return old;                                                                           \
    }

#define COMPARE(bits, name)                                                                       \
    int __tsan_atomic##bits##_compare_exchange_##name(                                            \
        volatile uint##bits##_t *p, uint##bits##_t *expected, uint##bits##_t v, int yes, int no); \
    int __tsan_atomic##bits##_compare_exchange_##name(                                            \
        volatile uint##bits##_t *p, uint##bits##_t *expected, uint##bits##_t v, int yes, int no)  \
    {                                                                                             \
        (void)yes;                                                                                \
        (void)no;                                                                                 \
        acquire();                                                                                \
        access_locked(p, sizeof *p, true, HERE);                                                  \
        int done = __atomic_compare_exchange_n(p, expected, v, 0, __ATOMIC_SEQ_CST,               \
                                               __ATOMIC_SEQ_CST);                                 \
        release();                                                                                \
        return done;                                                                              \
    }

#define ATOMIC_SIZE(bits)                                                                      \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order);    \
    uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)     \
    {                                                                                          \
        (void)order;                                                                           \
        acquire();                                                                             \
        access_locked(p, sizeof *p, false, HERE);                                              \
        uint##bits##_t value = __atomic_load_n(p, __ATOMIC_SEQ_CST);                           \
        release();                                                                             \
        return value;                                                                          \
    }                                                                                          \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order); \
    void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order)  \
    {                                                                                          \
        (void)order;                                                                           \
        acquire();                                                                             \
        access_locked(p, sizeof *p, true, HERE);                                               \
        __atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                              \
        release();                                                                             \
    }                                                                                          \
    MODIFY(bits, exchange, __atomic_exchange_n)                                                \
    MODIFY(bits, fetch_add, __atomic_fetch_add)                                                \
    MODIFY(bits, fetch_sub, __atomic_fetch_sub)                                                \
    MODIFY(bits, fetch_and, __atomic_fetch_and)                                                \
    MODIFY(bits, fetch_or, __atomic_fetch_or)                                                  \
    MODIFY(bits, fetch_xor, __atomic_fetch_xor)                                                \
    COMPARE(bits, strong)                                                                      \
    COMPARE(bits, weak)

ATOMIC_SIZE(8)
ATOMIC_SIZE(16)
ATOMIC_SIZE(32)
ATOMIC_SIZE(64)

void __tsan_atomic_thread_fence(int order);
void __tsan_atomic_thread_fence(int order)
{
    (void)order;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void __tsan_atomic_signal_fence(int order);
void __tsan_atomic_signal_fence(int order)
{
    (void)order;
}
