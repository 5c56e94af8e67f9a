/*
 * The fast form of fork and join, whose code is in line here: functions named counted_* count as
 * the library's. Beside it the same recursion without forks and in the plain form, so that the
 * difference is the price.
 */
#include "walk.h"

#include <numaperf/fast.h>

/* Forks of fib(n) = calls with n >= 2. */
enum { SMALL = 16, SMALL_FORKS = 1596, LARGE = 18, LARGE_FORKS = 4180 };

static uintptr_t counted_leaf(np_worker *self, uintptr_t argument)
{
    (void)self;
    return argument;
}

/* With the loop's own three instructions. */
static __attribute__((noinline)) uintptr_t counted_fork_join(np_worker *self, unsigned steps)
{
    uintptr_t sum = 0;
    for (unsigned i = 0; i < steps; i++) {
        np_fast_fork(self, counted_leaf, i);
        sum += np_fast_join(self, counted_leaf, i);
    }
    return sum;
}

static void walk_fast(np_worker *self)
{
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin("fork+join", walk * STEPS);
        volatile uintptr_t sum = counted_fork_join(self, walk * STEPS);
        end();
        (void)sum;
    }
}

static uintptr_t fast_first(np_worker *self, uintptr_t argument)
{
    walk_fast(self);
    return argument;
}

/* Under an older child, the one in sight of thieves. */
static uintptr_t fast_deeper(np_worker *self, uintptr_t argument)
{
    np_fast_fork(self, counted_leaf, argument);
    walk_fast(self);
    return np_fast_join(self, counted_leaf, argument);
}

void path_fast(void)
{
    create(1);
    check(np_run_fast(executor, node, fast_deeper, 0, NULL), "run");
}

void path_fast_first(void)
{
    create(1);
    check(np_run_fast(executor, node, fast_first, 0, NULL), "run");
}

/* --- fib: a recursion whose work is next to nothing
 * ------------------------------------------------ */

typedef struct fib_frame {
    uintptr_t n, result;
} fib_frame;

/* By a pointer and through memory, as the plain form does it. */
static __attribute__((noipa)) void counted_serial(void *argument)
{
    fib_frame *f = argument;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    fib_frame left = {f->n - 1, 0}, right = {f->n - 2, 0};
    counted_serial(&left);
    counted_serial(&right);
    f->result = left.result + right.result;
}

static void counted_plain(void *argument)
{
    fib_frame *f = argument;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    fib_frame left = {f->n - 1, 0}, right = {f->n - 2, 0};
    np_fork(counted_plain, &left);
    counted_plain(&right);
    np_join();
    f->result = left.result + right.result;
}

static uintptr_t counted_fast(np_worker *self, uintptr_t n)
{
    if (n < 2)
        return n;
    np_fast_fork(self, counted_fast, n - 1);
    uintptr_t right = counted_fast(self, n - 2);
    return right + np_fast_join(self, counted_fast, n - 1);
}

static void fib_both(const char *name, np_task_fn fn)
{
    for (unsigned walk = 1; walk <= 2; walk++) {
        fib_frame f = {walk == 1 ? SMALL : LARGE, 0};
        begin(name, walk == 1 ? SMALL_FORKS : LARGE_FORKS);
        fn(&f);
        end();
        if (f.result != (walk == 1 ? 987 : 2584))
            abort();
    }
}

static uintptr_t fib_all(np_worker *self, uintptr_t argument)
{
    fib_both("serial", counted_serial);
    fib_both("plain", counted_plain);
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin("fast", walk == 1 ? SMALL_FORKS : LARGE_FORKS);
        uintptr_t result = counted_fast(self, walk == 1 ? SMALL : LARGE);
        end();
        if (result != (walk == 1 ? 987 : 2584))
            abort();
    }
    return argument;
}

void path_fib(void)
{
    create(1);
    check(np_run_fast(executor, node, fib_all, 0, NULL), "run");
}
