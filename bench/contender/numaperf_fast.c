/*
 * Fork and join in the fast form: the worker is handed along, argument and result travel in
 * registers, the join names the function.
 */
#include "fib.h"
#include "nqueens.h"
#include "numaperf.h"
#include "uts.h"

#include <numaperf/fast.h>

static uintptr_t fib(np_worker *self, uintptr_t n)
{
    if (n < 2)
        return n;
    np_fast_fork(self, fib, n - 1);
    uintptr_t right = fib(self, n - 2);
    return right + np_fast_join(self, fib, n - 1);
}

static uintptr_t t1(np_worker *self, uintptr_t node)
{
    uintptr_t children[UTS_T1_CHILDREN_MAX], nodes = 1;
    unsigned count = uts_t1_children(node);
    for (unsigned i = 0; i < count; i++) {
        children[i] = uts_t1_child(node, i);
        np_fast_fork(self, t1, children[i]);
    }
    for (unsigned i = count; i-- > 0;)
        nodes += np_fast_join(self, t1, children[i]);
    return nodes;
}

static uintptr_t t3(np_worker *self, uintptr_t node)
{
    uintptr_t children[UTS_T3_CHILDREN], nodes = 1;
    unsigned count = uts_t3_children(node);
    for (unsigned i = 0; i < count; i++) {
        children[i] = uts_t3_child(node, i);
        np_fast_fork(self, t3, children[i]);
    }
    for (unsigned i = count; i-- > 0;)
        nodes += np_fast_join(self, t3, children[i]);
    return nodes;
}

static uintptr_t t3_root(np_worker *self, uintptr_t node)
{
    uintptr_t nodes = 1;
    unsigned count = uts_t3_children(node);
    for (unsigned i = 0; i < count; i++)
        np_fast_fork(self, t3, uts_t3_child(node, i));
    for (unsigned i = count; i-- > 0;)
        nodes += np_fast_join(self, t3, uts_t3_child(node, i));
    return nodes;
}

static uintptr_t nqueens(np_worker *self, uintptr_t board)
{
    uintptr_t children[NQUEENS_MAX], solutions = 0;
    unsigned count = 0;
    if (nqueens_is_full(board))
        return 1;
    for (unsigned column = 0; column < nqueens_size(board); column++) {
        if (nqueens_may_place(board, column)) {
            children[count] = nqueens_place(board, column);
            np_fast_fork(self, nqueens, children[count++]);
        }
    }
    while (count-- > 0)
        solutions += np_fast_join(self, nqueens, children[count]);
    return solutions;
}

uint64_t fork_fast(const pool *p, fork_kind kind, uint64_t word)
{
    static const np_fast_fn functions[] = {fib, t1, t3_root, nqueens};
    uintptr_t result = 0;
    expect_ok(np_run_fast(p->executor, p->nodes[0], functions[kind], word, &result), "np_run_fast");
    return result;
}
