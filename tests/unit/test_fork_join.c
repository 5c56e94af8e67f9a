/*
 * Goal: fork and join give the serial result, run each child once, and keep their nesting, however
 * deep, with any number of workers and thieves. Method: trees with known sums; a full deque;
 * children left unjoined; waits inside children.
 */
#include "../support/pool.h"

typedef struct fib_frame {
    uint64_t n;
    uint64_t result;
} fib_frame;

static void fib(void *argument)
{
    fib_frame *f = argument;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    fib_frame left = {f->n - 1, 0}, right = {f->n - 2, 0};
    np_fork(fib, &left);
    fib(&right);
    np_join();
    f->result = left.result + right.result;
}

static void fib_on(const char *machine, np_steal_policy policy)
{
    np_executor *executor = pool_create(machine, NP_EXECUTOR_OPTIONS(.steal_policy = policy));
    for (unsigned round = 0; round < 5; round++) {
        fib_frame f = {UNIT_SANITIZED ? 16 : 24, 0};
        assert_int_equal(np_run(executor, NP_NODE_ID_NONE, fib, &f), NP_OK);
        assert_int_equal(f.result, UNIT_SANITIZED ? 987 : 46368);
    }
    pool_destroy_exact(executor, 5, 0); /* forked children belong to their parent */
}

static void test_fib(void **state)
{
    (void)state;
    for (int policy = 0; policy <= NP_STEAL_ANY; policy++) {
        fib_on(ONE_BY_ONE, (np_steal_policy)policy);
        fib_on(ONE_BY_FOUR, (np_steal_policy)policy);
        fib_on(FOUR_NODES, (np_steal_policy)policy);
    }
}

static void test_outside_a_worker(void **state)
{
    (void)state;
    fib_frame f = {10, 0};
    fib(&f); /* no executor at all: forks run in place */
    assert_int_equal(f.result, 55);
    np_join(); /* nothing to join, nothing happens */
}

/* --- a full deque and deep nesting -------------------------------------------------------------
 */

static void fork_too_many(void *argument)
{
    enum { CHILDREN = 20000 };
    for (unsigned i = 0; i < CHILDREN; i++)
        np_fork(pool_task_count, argument);
    for (unsigned i = 0; i < CHILDREN; i++)
        np_join();
    np_join(); /* one too many: nothing of this task is left */
}

static void test_full_deque(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(np_run(executor, 0, fork_too_many, &count), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 200000);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

typedef struct chain {
    uint64_t left;
    pool_counter *count;
} chain;

static void descend(void *argument)
{
    chain *c = argument;
    pool_task_count(c->count);
    if (c->left == 0)
        return;
    chain next = {c->left - 1, c->count};
    np_fork(descend, &next);
    np_join();
}

static void test_deep_nesting(void **state)
{
    (void)state;
    /* ThreadSanitizer keeps a call stack of 65,536 entries beside the real one and writes past its
     * end into whatever lies there; a level takes about five. */
    const bool small = UNIT_SANITIZED || getenv("NP_GUEST") != NULL; /* less memory, less speed */
    const uint64_t levels = small ? 5000 : 1000000;
    pool_counter count = {0};
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.stack_size = small ? 32 << 20 : 1 << 30));
    chain top = {levels, &count};
    assert_int_equal(np_run(executor, 0, descend, &top), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), levels + 1);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void fork_below_full(void *argument)
{
    /* The deque is full above this child, which runs in place and forks again. */
    chain *c = argument;
    for (unsigned i = 0; i < 17000; i++)
        np_fork(pool_task_count, c->count);
    if (c->left != 0) {
        chain next = {c->left - 1, c->count};
        np_fork(fork_below_full, &next);
        np_join();
    }
    /* Its 17,000 children are left to the library. */
}

static void test_unjoined_and_full(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    chain top = {3, &count};
    assert_int_equal(np_run(executor, 0, fork_below_full, &top), NP_OK);
    /* All of them, also those of other frames, when the task has ended. */
    assert_int_equal(npi_load_acquire(&count.value), 68000);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- children that wait
 * --------------------------------------------------------------------------- */

typedef struct mixed {
    np_executor *executor;
    pool_counter *count;
    uint32_t depth;
} mixed;

static void mix(void *argument)
{
    mixed *m = argument;
    pool_task_count(m->count);
    if (m->depth == 0)
        return;
    mixed child = {m->executor, m->count, m->depth - 1};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_fork(mix, &child);
    assert_int_equal(np_submit_with(m->executor,
                                    NP_SUBMIT_OPTIONS(.group = group, .copy_bytes = sizeof child),
                                    mix, &child),
                     NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK); /* with a child of our own still open */
    assert_int_equal(np_group_destroy(group), NP_OK);
    np_join();
}

static void test_forks_and_groups_mixed(void **state)
{
    (void)state;
    const char *machines[] = {ONE_BY_ONE, ONE_BY_FOUR, FOUR_NODES};
    for (unsigned i = 0; i < 3; i++) {
        pool_counter count = {0};
        np_executor *executor = pool_create(machines[i], NULL);
        mixed top = {executor, &count, 10};
        assert_int_equal(np_run(executor, NP_NODE_ID_NONE, mix, &top), NP_OK);
        assert_int_equal(npi_load_acquire(&count.value), (1u << 11) - 1);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* Another worker gets the child while its parent is busy, whether it sleeps, looks, or falls asleep
 * just then. */
typedef struct meeting {
    np_atomic(uint32_t) here;
} meeting;

static void arrive(void *argument)
{
    meeting *m = argument;
    npi_fetch_add_acq_rel(&m->here, 1u);
    npi_os_futex_wake(&m->here, UINT32_MAX);
    for (uint32_t here = npi_load_acquire(&m->here); here < 2; here = npi_load_acquire(&m->here))
        (void)npi_os_futex_wait(&m->here, here, NPI_NO_DEADLINE);
}

static void meet(void *argument)
{
    np_fork(arrive, argument);
    arrive(argument); /* returns only when another worker runs the child meanwhile */
    np_join();
}

static void test_children_reach_sleepers(void **state)
{
    (void)state;
    const char *machines[] = {ONE_BY_TWO, "numa:2 core:1 pu:1"};
    for (unsigned i = 0; i < 2; i++) {
        np_executor *executor = pool_create(machines[i], NULL);
        for (unsigned round = 0; round < 300; round++) {
            meeting m = {0};
            assert_int_equal(np_run(executor, 0, meet, &m), NP_OK);
            assert_int_equal(npi_load_acquire(&m.here), 2);
        }
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fib),
        cmocka_unit_test(test_outside_a_worker),
        cmocka_unit_test(test_full_deque),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_unjoined_and_full),
        cmocka_unit_test(test_forks_and_groups_mixed),
        cmocka_unit_test(test_children_reach_sleepers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
