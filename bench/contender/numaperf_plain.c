/*
 * Fork and join in the plain form: `void fn(void *)`, argument and result in a frame of the parent,
 * the worker looked up by the library.
 */
#include "fib.h"
#include "nqueens.h"
#include "numaperf.h"
#include "uts.h"

typedef struct frame {
    uint64_t word;
    uint64_t result;
} frame;

static void fib(void *argument)
{
    frame *f = argument;
    if (f->word < 2) {
        f->result = f->word;
        return;
    }
    frame left = {f->word - 1, 0}, right = {f->word - 2, 0};
    np_fork(fib, &left);
    fib(&right);
    np_join();
    f->result = left.result + right.result;
}

static void t1(void *argument)
{
    frame *f = argument, children[UTS_T1_CHILDREN_MAX];
    uint64_t nodes = 1;
    unsigned count = uts_t1_children(f->word);
    for (unsigned i = 0; i < count; i++) {
        children[i].word = uts_t1_child(f->word, i);
        np_fork(t1, &children[i]);
    }
    for (unsigned i = count; i-- > 0;) {
        np_join();
        nodes += children[i].result;
    }
    f->result = nodes;
}

static void t3(void *argument)
{
    frame *f = argument, children[UTS_T3_CHILDREN];
    uint64_t nodes = 1;
    unsigned count = uts_t3_children(f->word);
    for (unsigned i = 0; i < count; i++) {
        children[i].word = uts_t3_child(f->word, i);
        np_fork(t3, &children[i]);
    }
    for (unsigned i = count; i-- > 0;) {
        np_join();
        nodes += children[i].result;
    }
    f->result = nodes;
}

static void t3_root(void *argument)
{
    frame *f = argument;
    static frame children[UTS_T3_ROOT_CHILDREN];
    f->result = 1;
    for (unsigned i = 0; i < UTS_T3_ROOT_CHILDREN; i++) {
        children[i].word = uts_t3_child(f->word, i);
        np_fork(t3, &children[i]);
    }
    for (unsigned i = UTS_T3_ROOT_CHILDREN; i-- > 0;) {
        np_join();
        f->result += children[i].result;
    }
}

static void nqueens(void *argument)
{
    frame *f = argument, children[NQUEENS_MAX];
    unsigned count = 0;
    uint64_t solutions = 0;
    if (nqueens_is_full(f->word)) {
        f->result = 1;
        return;
    }
    for (unsigned column = 0; column < nqueens_size(f->word); column++) {
        if (nqueens_may_place(f->word, column)) {
            children[count].word = nqueens_place(f->word, column);
            np_fork(nqueens, &children[count++]);
        }
    }
    while (count-- > 0) {
        np_join();
        solutions += children[count].result;
    }
    f->result = solutions;
}

uint64_t fork_plain(const pool *p, fork_kind kind, uint64_t word)
{
    static const np_task_fn functions[] = {fib, t1, t3_root, nqueens};
    frame f = {word, 0};
    expect_ok(np_run(p->executor, p->nodes[0], functions[kind], &f), "np_run");
    return f.result;
}
