/*
 * base/atomic.h - every operation on memory that threads share, with its order in its name.
 *
 * Nothing else in src may use an atomic operation directly: this file is one of the two seams on
 * which the model checker, the thread sanitizer build and the simulated machine stand. Each use
 * says in a comment which operation of which function it pairs with.
 *
 * Under ThreadSanitizer, which does not understand fences, the sequentially consistent fence is
 * a read-modify-write of one global word: every fence then synchronises with every later one. That
 * is stronger than a fence, so that world can miss a race but never invents one.
 */
#ifndef NPI_BASE_ATOMIC_H
#define NPI_BASE_ATOMIC_H

#include <stdint.h>

#include <numaperf/detail/atomic.h>

#if !defined(NP_ATOMIC_MODEL)

#define npi_load_relaxed(p)     NP_ATOMIC_CALL(atomic_load_explicit)((p), NP_ORDER_RELAXED)
#define npi_load_acquire(p)     NP_ATOMIC_CALL(atomic_load_explicit)((p), NP_ORDER_ACQUIRE)
#define npi_store_relaxed(p, v) NP_ATOMIC_CALL(atomic_store_explicit)((p), (v), NP_ORDER_RELAXED)
#define npi_store_release(p, v) NP_ATOMIC_CALL(atomic_store_explicit)((p), (v), NP_ORDER_RELEASE)

#define npi_exchange_acquire(p, v) \
    NP_ATOMIC_CALL(atomic_exchange_explicit)((p), (v), NP_ORDER_ACQUIRE)
#define npi_exchange_release(p, v) \
    NP_ATOMIC_CALL(atomic_exchange_explicit)((p), (v), NP_ORDER_RELEASE)
#define npi_exchange_acq_rel(p, v) \
    NP_ATOMIC_CALL(atomic_exchange_explicit)((p), (v), NP_ORDER_ACQ_REL)

/* Compare and swap; on failure *expected gets the current value, read with relaxed order
 * (acquire for the _acquire and _acq_rel forms). The weak form may fail for no reason. */
#define npi_cas_weak_relaxed(p, expected, desired)        \
    NP_ATOMIC_CALL(atomic_compare_exchange_weak_explicit) \
    ((p), (expected), (desired), NP_ORDER_RELAXED, NP_ORDER_RELAXED)
#define npi_cas_acquire(p, expected, desired)               \
    NP_ATOMIC_CALL(atomic_compare_exchange_strong_explicit) \
    ((p), (expected), (desired), NP_ORDER_ACQUIRE, NP_ORDER_ACQUIRE)
#define npi_cas_release(p, expected, desired)               \
    NP_ATOMIC_CALL(atomic_compare_exchange_strong_explicit) \
    ((p), (expected), (desired), NP_ORDER_RELEASE, NP_ORDER_RELAXED)
#define npi_cas_acq_rel(p, expected, desired)               \
    NP_ATOMIC_CALL(atomic_compare_exchange_strong_explicit) \
    ((p), (expected), (desired), NP_ORDER_ACQ_REL, NP_ORDER_ACQUIRE)

#define npi_fetch_add_relaxed(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_add_explicit)((p), (v), NP_ORDER_RELAXED)
#define npi_fetch_add_acq_rel(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_add_explicit)((p), (v), NP_ORDER_ACQ_REL)
#define npi_fetch_sub_release(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_sub_explicit)((p), (v), NP_ORDER_RELEASE)
#define npi_fetch_sub_acq_rel(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_sub_explicit)((p), (v), NP_ORDER_ACQ_REL)
#define npi_fetch_or_relaxed(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_or_explicit)((p), (v), NP_ORDER_RELAXED)
#define npi_fetch_or_acq_rel(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_or_explicit)((p), (v), NP_ORDER_ACQ_REL)
#define npi_fetch_and_acq_rel(p, v) \
    NP_ATOMIC_CALL(atomic_fetch_and_explicit)((p), (v), NP_ORDER_ACQ_REL)

#if defined(__SANITIZE_THREAD__)
#define NPI_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define NPI_TSAN 1
#endif
#endif

#if defined(NPI_TSAN)
extern np_atomic(uint32_t) npi_tsan_fence_word;
#define npi_fence_seq_cst() \
    ((void)NP_ATOMIC_CALL(atomic_fetch_add_explicit)(&npi_tsan_fence_word, 0u, NP_ORDER_SEQ_CST))
#else
#define npi_fence_seq_cst() NP_ATOMIC_CALL(atomic_thread_fence)(NP_ORDER_SEQ_CST)
#endif

/* Keeps the compiler, but not the processor, from moving anything across: os/fence.h. */
#define npi_fence_compiler() NP_ATOMIC_CALL(atomic_signal_fence)(NP_ORDER_SEQ_CST)

/* Before anybody else can see the object. */
#define npi_atomic_init(p, v) npi_store_relaxed((p), (v))

/* Access to fields marked np_plain (numaperf/detail/atomic.h). */
#define npi_plain_get(p)    (*(p))
#define npi_plain_set(p, v) ((void)(*(p) = (v)))

#endif /* !NP_ATOMIC_MODEL */

/* One writer, many readers: a counter that only its owner adds to. No read-modify-write. */
#define npi_owner_add(p, v) npi_store_relaxed((p), npi_load_relaxed(p) + (v))

/* The size at which two fields no longer disturb each other (pairs of lines are fetched together).
 */
#define NPI_CACHE_LINE    64
#define NPI_FALSE_SHARING 128

#if defined(__cplusplus)
#define NPI_ALIGNED(n) alignas(n)
#else
#define NPI_ALIGNED(n) _Alignas(n)
#endif

/* Tells the core that this is a wait loop; the only thing a spin may do between two looks. */
static inline void npi_cpu_relax(void)
{
#if defined(NPI_MODEL_CPU_RELAX) /* a model lets somebody else run */
    NPI_MODEL_CPU_RELAX();
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ __volatile__("isb" ::: "memory");
#endif
}

/* Asks for a line that will be written soon, so that the store need not wait for it. */
static inline void npi_prefetch_write(const volatile void *address)
{
#if defined(__x86_64__)
    /* Compilers emit it only when told that the processor has it; those without ignore it. */
    __asm__ __volatile__("prefetchw (%0)" : : "r"(address));
#else
    __builtin_prefetch((const void *)(uintptr_t)address, 1);
#endif
}

#endif
