/*
 * numaperf/detail/atomic.h - the one place that chooses what an atomic is.
 *
 * Not an interface for users. C gets C11 atomics, C++ std::atomic, and a model checker may define
 * NP_ATOMIC_MODEL and supply the same names before this header is read. Named operations (relaxed,
 * acquire, release ...) are built on it in src/base/atomic.h. A C99 program, which has no atomics,
 * gets volatile: enough for the one relaxed load of the inline code.
 */
#ifndef NUMAPERF_DETAIL_ATOMIC_H
#define NUMAPERF_DETAIL_ATOMIC_H

#if defined(NP_ATOMIC_MODEL)
#include NP_ATOMIC_MODEL
#elif defined(__cplusplus)
#include <atomic>
#define np_atomic(T)              std::atomic<T>
#define NP_ORDER_RELAXED          std::memory_order_relaxed
#define NP_ORDER_ACQUIRE          std::memory_order_acquire
#define NP_ORDER_RELEASE          std::memory_order_release
#define NP_ORDER_ACQ_REL          std::memory_order_acq_rel
#define NP_ORDER_SEQ_CST          std::memory_order_seq_cst
#define NP_ATOMIC_CALL(operation) std::operation
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#include <stdatomic.h>
#define np_atomic(T)              _Atomic(T)
#define NP_ORDER_RELAXED          memory_order_relaxed
#define NP_ORDER_ACQUIRE          memory_order_acquire
#define NP_ORDER_RELEASE          memory_order_release
#define NP_ORDER_ACQ_REL          memory_order_acq_rel
#define NP_ORDER_SEQ_CST          memory_order_seq_cst
#define NP_ATOMIC_CALL(operation) operation
#else
#define np_atomic(T)               T volatile
#define NP_ATOMIC_LOAD_RELAXED(at) (*(at))
#endif

/* All that inline code in public headers does with an atomic. */
#if !defined(NP_ATOMIC_LOAD_RELAXED)
#define NP_ATOMIC_LOAD_RELAXED(at) NP_ATOMIC_CALL(atomic_load_explicit)((at), NP_ORDER_RELAXED)
#endif

/* A plain field that one thread writes and another reads after an ordering edge. Marked so that a
 * model can check that the edge is really there; elsewhere it is an ordinary field. */
#if !defined(np_plain)
#define np_plain(T) T
#endif

#endif
