/*
 * numaperf/fast.h - fork and join at the cost of a function call.
 *
 *     static uintptr_t fib(np_worker *self, uintptr_t n)
 *     {
 *         if (n < 2)
 *             return n;
 *         np_fast_fork(self, fib, n - 1);
 *         uintptr_t right = fib(self, n - 2);
 *         return right + np_fast_join(self, fib, n - 1);
 *     }
 *     ...
 *     uintptr_t result;
 *     np_status status = np_run_fast(executor, node, fib, 30, &result);
 *
 * The form decides the price: the worker is handed along instead of being looked up, argument and
 * result travel in registers, and the join says again what was forked, so that the compiler sees a
 * direct call of a known function, which it may inline. An unstolen child costs three stores and a
 * few compares more than the call itself: no atomic read-modify-write, no fence, no allocation.
 * Only the oldest, which is kept in sight of thieves, costs one compare and swap when it is taken
 * back.
 *
 * Everything else is as with np_fork() and np_join() of numaperf/group.h: idle workers may take a
 * child, under the steal policy and never away from the home of a strict task; both forms may be
 * mixed in one program; the executor counts stolen children.
 *
 * Rules, which inline code cannot check: a function joins every child it forked, youngest first,
 * before it returns; the join names the same function and the same argument as the fork (defining
 * NP_FAST_CHECKS before this header makes a join that does not match its fork trap); `self` is the
 * worker that runs the caller, and is not kept. An argument that is a pointer may point into the
 * forking function's frame. What the child did is visible after the join.
 *
 * When the deque (16,384 children deep) is full, the child is called at its join. How deep calls
 * may nest is up to np_executor_options.stack_size.
 */
#ifndef NUMAPERF_FAST_H
#define NUMAPERF_FAST_H

#include <numaperf/detail/fork.h>

NP_BEGIN_DECLS

#if defined(__cplusplus)
#define NP_FORK_DEQUE_OF(worker) (reinterpret_cast<np_fork_deque *>(worker))
#else
#define NP_FORK_DEQUE_OF(worker) ((np_fork_deque *)(worker))
#endif
#define NP_FORK_UNUSED              __attribute__((unused)) /* clang warns in source files */
#define NP_FORK_UNLIKELY(condition) __builtin_expect((condition), 0)

/* The slow halves: the deque is full, something must be shared, or the child may be stolen. Their
 * names carry the layout of detail/fork.h. Not to be called directly. */
NP_API void np_fast_fork_slow_1(np_worker *self, np_fast_fn fn, uintptr_t argument);
NP_API uintptr_t np_fast_join_slow_1(np_worker *self, np_fast_fn fn, uintptr_t argument);

/* Makes fn(worker, argument) a child of the running function. */
static inline void np_fast_fork(np_worker *self, np_fast_fn fn, uintptr_t argument)
{
    np_fork_deque *deque = NP_FORK_DEQUE_OF(self);
    np_fork_child *child = deque->head;
    if (NP_FORK_UNLIKELY(child >= deque->limit) ||
        NP_FORK_UNLIKELY(NP_ATOMIC_LOAD_RELAXED(&deque->hungry) != 0)) {
        np_fast_fork_slow_1(self, fn, argument);
        return;
    }
    child->fast = fn;
    child->argument = argument;
    deque->head = child + 1;
}

/* Ends the youngest child and returns its result: calls fn(self, argument) if nobody took it, else
 * helps until it is done. */
static inline uintptr_t np_fast_join(np_worker *self, np_fast_fn fn, uintptr_t argument)
{
    np_fork_deque *deque = NP_FORK_DEQUE_OF(self);
    np_fork_child *head = deque->head;
    if (NP_FORK_UNLIKELY(head <= deque->floor) ||
        NP_FORK_UNLIKELY(NP_ATOMIC_LOAD_RELAXED(&deque->hungry) != 0))
        return np_fast_join_slow_1(self, fn, argument);
#if defined(NP_FAST_CHECKS)
    if (head[-1].fast != fn || head[-1].argument != argument)
        __builtin_trap();
#endif
    deque->head = head - 1;
    return fn(self, argument);
}

/*
 * The same with types: for a function `result name(np_worker *self, argument)`, declared before,
 * whose argument and result are integers or pointers, defines name_fork(self, argument) and
 * name_join(self, argument), and name_run(executor, node, argument, result *).
 *
 *     static size_t count(np_worker *self, const struct tree *tree);
 *     NP_FAST_TYPED(size_t, count, const struct tree *);
 */
#define NP_FAST_TYPED(result_type, name, argument_type)                                           \
    static inline uintptr_t name##_np_fast(np_worker *self, uintptr_t argument)                   \
    {                                                                                             \
        return (uintptr_t)name(self, (argument_type)argument);                                    \
    }                                                                                             \
    NP_FORK_UNUSED static inline void name##_fork(np_worker *self, argument_type argument)        \
    {                                                                                             \
        np_fast_fork(self, name##_np_fast, (uintptr_t)argument);                                  \
    }                                                                                             \
    NP_FORK_UNUSED static inline result_type name##_join(np_worker *self, argument_type argument) \
    {                                                                                             \
        return (result_type)np_fast_join(self, name##_np_fast, (uintptr_t)argument);              \
    }                                                                                             \
    NP_FORK_UNUSED NP_MUST_USE static inline np_status name##_run(                                \
        np_executor *executor, np_node_id node, argument_type argument, result_type *result)      \
    {                                                                                             \
        uintptr_t np_value = 0;                                                                   \
        np_status np_outcome = np_run_fast(executor, node, name##_np_fast, (uintptr_t)argument,   \
                                           &np_value);                                            \
        if (np_outcome == NP_OK && result != NULL)                                                \
            *result = (result_type)np_value;                                                      \
        return np_outcome;                                                                        \
    }                                                                                             \
    typedef int name##_np_typed

/* The worker of the calling task, for a task of the plain form that goes on with the fast one; NULL
 * outside a task. It is the caller's only until the task ends. */
NP_API np_worker *np_fast_self(void);

/*
 * Submits fn to `node` (NP_NODE_ID_NONE: near the caller), waits for it and for nothing else, and
 * stores its result (`result` may be NULL). The way in from outside; from inside a task
 * np_fast_self is shorter. Allocates nothing. Errors as np_run(), and `result` is untouched;
 * on_discard is not called, for fn is not of its type.
 */
NP_API NP_MUST_USE np_status np_run_fast(np_executor *executor, np_node_id node, np_fast_fn fn,
                                         uintptr_t argument, uintptr_t *result);

NP_END_DECLS

#endif
