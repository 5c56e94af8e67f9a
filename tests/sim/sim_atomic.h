/*
 * sim_atomic.h - the atomics of the simulated machine: what NP_ATOMIC_MODEL names when the library
 * is compiled for it.
 *
 * All fibres share one real thread, so an atomic is a plain variable; what makes it one is the
 * scheduling point before each operation, where another fibre may go on. Loads see the newest
 * value, unless the run has store buffers (x86-TSO): then a store waits in the buffer of its fibre
 * for a fence, a read-modify-write, a system call or the seed, and only its own fibre sees it.
 *
 * What this does not show: weaker orders than TSO (tests/model does), and plain stores are never
 * delayed. Buffers are first in, first out, so a release store publishes all before it here as on
 * x86.
 */
#ifndef NPT_SIM_ATOMIC_H
#define NPT_SIM_ATOMIC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What the fast way of an operation looks at. Between runs, and in hooks, fuel is without end. */
typedef struct npt_pulse {
    uint64_t now;     /* virtual time, ns; in timed runs that of the running fibre */
    uint64_t horizon; /* when it is reached somebody else may have to run */
    int64_t fuel;     /* scheduling points until the scheduler is asked */
    bool special;     /* store buffers or the cost of distance: every access goes the long way */
} npt_pulse;

extern npt_pulse npt_beat;

void npt_turn(void);                               /* asks the scheduler */
void npt_settle(void);                             /* empties the running fibre's store buffer */
void npt_far(const volatile void *p, bool writes); /* the price of the line, in timed runs */
uint64_t npt_special_load(const volatile void *p, size_t size);
void npt_special_store(volatile void *p, size_t size, uint64_t value);
bool npt_weak_failure(void);
void npt_relax(void);
void npt_fence(uint64_t cost);
void npt_fence_everybody(void);

static inline void npt_point(uint64_t cost)
{
    npt_beat.now += cost;
    if (__builtin_expect(--npt_beat.fuel <= 0 || npt_beat.now >= npt_beat.horizon, 0))
        npt_turn();
}

static inline uint64_t npt_read(const volatile void *p, size_t size)
{
    switch (size) {
    case 1: return *(const volatile uint8_t *)p;
    case 2: return *(const volatile uint16_t *)p;
    case 4: return *(const volatile uint32_t *)p;
    default: return *(const volatile uint64_t *)p;
    }
}

static inline void npt_write(volatile void *p, size_t size, uint64_t value)
{
    switch (size) {
    case 1: *(volatile uint8_t *)p = (uint8_t)value; break;
    case 2: *(volatile uint16_t *)p = (uint16_t)value; break;
    case 4: *(volatile uint32_t *)p = (uint32_t)value; break;
    default: *(volatile uint64_t *)p = value; break;
    }
}

static inline uint64_t npt_load(const volatile void *p, size_t size)
{
    npt_point(1);
    return __builtin_expect(npt_beat.special, 0) ? npt_special_load(p, size) : npt_read(p, size);
}

static inline void npt_store(volatile void *p, size_t size, uint64_t value)
{
    npt_point(1);
    if (__builtin_expect(npt_beat.special, 0))
        npt_special_store(p, size, value);
    else
        npt_write(p, size, value);
}

/* The beginning of every read-modify-write: from here to its end nobody else runs. */
static inline uint64_t npt_modify(volatile void *p, size_t size)
{
    npt_point(6);
    if (__builtin_expect(npt_beat.special, 0)) {
        npt_settle();
        npt_far(p, true);
    }
    return npt_read(p, size);
}

static inline uint64_t npt_exchange(volatile void *p, size_t size, uint64_t value)
{
    uint64_t before = npt_modify(p, size);
    npt_write(p, size, value);
    return before;
}

static inline uint64_t npt_fetch_add(volatile void *p, size_t size, uint64_t value)
{
    uint64_t before = npt_modify(p, size);
    npt_write(p, size, before + value);
    return before;
}

static inline uint64_t npt_fetch_or(volatile void *p, size_t size, uint64_t value)
{
    uint64_t before = npt_modify(p, size);
    npt_write(p, size, before | value);
    return before;
}

static inline uint64_t npt_fetch_and(volatile void *p, size_t size, uint64_t value)
{
    uint64_t before = npt_modify(p, size);
    npt_write(p, size, before & value);
    return before;
}

static inline bool npt_cas(volatile void *p, size_t size, void *expected, uint64_t desired)
{
    uint64_t before = npt_modify(p, size);
    if (before == npt_read(expected, size)) {
        npt_write(p, size, desired);
        return true;
    }
    npt_write(expected, size, before);
    return false;
}

static inline bool npt_cas_weak(volatile void *p, size_t size, void *expected, uint64_t desired)
{
    if (__builtin_expect(npt_beat.special, 0) && npt_weak_failure()) {
        npt_write(expected, size, npt_modify(p, size));
        return false;
    }
    return npt_cas(p, size, expected, desired);
}

static inline void npt_fence_light(void)
{
    __asm__ __volatile__("" ::: "memory");
    npt_point(0);
}

#define np_atomic(T) __typeof__(T)
#define np_plain(T)  T

#define NPT_AS(p)       __typeof__(*(p))
#define NPT_LOAD(p)     ((NPT_AS(p))npt_load((p), sizeof *(p)))
#define NPT_STORE(p, v) npt_store((p), sizeof *(p), (uint64_t)(v))
/* A statement's value, unlike that of a cast, may go unused without a warning. */
#define NPT_RMW(operation, p, v) \
    __extension__({ (NPT_AS(p)) operation((p), sizeof *(p), (uint64_t)(v)); })
#define NPT_CAS(form, p, e, d)     form((p), sizeof *(p), (e), (uint64_t)(d))
#define NP_ATOMIC_LOAD_RELAXED(at) NPT_LOAD(at)

#define npi_load_relaxed(p)         NPT_LOAD(p)
#define npi_load_acquire(p)         NPT_LOAD(p)
#define npi_store_relaxed(p, v)     NPT_STORE(p, v)
#define npi_store_release(p, v)     NPT_STORE(p, v)
#define npi_exchange_acquire(p, v)  NPT_RMW(npt_exchange, p, v)
#define npi_exchange_release(p, v)  NPT_RMW(npt_exchange, p, v)
#define npi_exchange_acq_rel(p, v)  NPT_RMW(npt_exchange, p, v)
#define npi_fetch_add_relaxed(p, v) NPT_RMW(npt_fetch_add, p, v)
#define npi_fetch_add_acq_rel(p, v) NPT_RMW(npt_fetch_add, p, v)
#define npi_fetch_sub_release(p, v) NPT_RMW(npt_fetch_add, p, -(uint64_t)(v))
#define npi_fetch_sub_acq_rel(p, v) NPT_RMW(npt_fetch_add, p, -(uint64_t)(v))
#define npi_fetch_or_relaxed(p, v)  NPT_RMW(npt_fetch_or, p, v)
#define npi_fetch_or_acq_rel(p, v)  NPT_RMW(npt_fetch_or, p, v)
#define npi_fetch_and_acq_rel(p, v) NPT_RMW(npt_fetch_and, p, v)

#define npi_cas_weak_relaxed(p, e, d) NPT_CAS(npt_cas_weak, p, e, d)
#define npi_cas_acquire(p, e, d)      NPT_CAS(npt_cas, p, e, d)
#define npi_cas_release(p, e, d)      NPT_CAS(npt_cas, p, e, d)
#define npi_cas_acq_rel(p, e, d)      NPT_CAS(npt_cas, p, e, d)

/* Before anybody else can see the object: no scheduling point. */
#define npi_atomic_init(p, v) npt_write((p), sizeof *(p), (uint64_t)(v))
#define npi_plain_get(p)      (*(p))
#define npi_plain_set(p, v)   ((void)(*(p) = (v)))

/* The two halves of os/fence.h as they are on Linux: light keeps only the compiler in order, heavy
 * makes everybody's stores visible. */
#define NPI_MODEL_FENCES      1
#define npi_fence_seq_cst()   npt_fence(15)
#define npi_fence_compiler()  __asm__ __volatile__("" ::: "memory")
#define npi_fence_light()     npt_fence_light()
#define npi_fence_heavy()     npt_fence_everybody()
#define NPI_MODEL_CPU_RELAX() npt_relax()

#endif
