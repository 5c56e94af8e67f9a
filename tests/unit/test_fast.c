/*
 * Goal: the fast form of fork and join gives the serial result on every machine and under every
 * policy, whoever runs the children, and mixes with the plain form, groups, full deques and deep
 * nesting. Method: trees with known sums; children that meet their parent on another worker; a
 * mismatched join in a child process.
 */
#define NP_FAST_CHECKS
#include <numaperf/fast.h>

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/pool.h"

static uintptr_t fib(np_worker *self, uintptr_t n)
{
    if (n < 2)
        return n;
    np_fast_fork(self, fib, n - 1);
    uintptr_t right = fib(self, n - 2);
    return right + np_fast_join(self, fib, n - 1);
}

static const uintptr_t FIB_N = UNIT_SANITIZED ? 18 : 25;
static const uintptr_t FIB_RESULT = UNIT_SANITIZED ? 2584 : 75025;

static void fib_on(const char *machine, np_steal_policy policy)
{
    np_executor *executor = pool_create(machine, NP_EXECUTOR_OPTIONS(.steal_policy = policy));
    for (unsigned round = 0; round < 5; round++) {
        uintptr_t result = 0;
        assert_int_equal(np_run_fast(executor, NP_NODE_ID_NONE, fib, FIB_N, &result), NP_OK);
        assert_int_equal(result, FIB_RESULT);
    }
    assert_int_equal(np_run_fast(executor, NP_NODE_ID_NONE, fib, 5, NULL), NP_OK);
    pool_destroy_exact(executor, 6, 0); /* children belong to their parent */
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

static void test_refusals(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    uintptr_t result = 77;
    assert_int_equal(np_run_fast(executor, 0, NULL, 0, &result), NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_run_fast(NULL, 0, fib, 0, &result), NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_run_fast(executor, 7, fib, 0, &result), NP_ERR_INVALID_NODE);
    assert_int_equal(result, 77);
    assert_null(np_fast_self()); /* no worker here */
    pool_destroy_exact(executor, 0, 0);
}

/* --- on another worker -------------------------------------------------------------------------
 */

typedef struct meeting {
    np_atomic(uint32_t) here;
    np_node_id node[2]; /* where parent and child ran */
    np_node_id home;    /* what the child thinks */
    np_worker *self[2];
} meeting;

static void wait_for_the_other(meeting *m)
{
    npi_fetch_add_acq_rel(&m->here, 1u);
    npi_os_futex_wake(&m->here, UINT32_MAX);
    for (uint32_t here = npi_load_acquire(&m->here); here < 2; here = npi_load_acquire(&m->here))
        (void)npi_os_futex_wait(&m->here, here, NPI_NO_DEADLINE);
}

static uintptr_t arrive(np_worker *self, uintptr_t argument)
{
    meeting *m = (meeting *)argument;
    assert_ptr_equal(self, np_fast_self());
    m->self[1] = self;
    m->node[1] = np_current_node();
    m->home = np_current_home();
    wait_for_the_other(m);
    return fib(self, 10) + 1000; /* the thief's own children */
}

static uintptr_t meet(np_worker *self, uintptr_t argument)
{
    meeting *m = (meeting *)argument;
    m->self[0] = self;
    m->node[0] = np_current_node();
    np_fast_fork(self, arrive, argument);
    wait_for_the_other(m); /* returns only when another worker runs the child meanwhile */
    uintptr_t result = np_fast_join(self, arrive, argument);
    assert_ptr_equal(self, np_fast_self());
    return result;
}

static void test_stolen_children(void **state)
{
    (void)state;
    const char *machines[] = {ONE_BY_TWO, "numa:2 core:1 pu:1"};
    for (unsigned i = 0; i < 2; i++) {
        np_executor *executor = pool_create(machines[i], NULL);
        const unsigned rounds = 200;
        for (unsigned round = 0; round < rounds; round++) {
            meeting m = {0};
            uintptr_t result = 0;
            assert_int_equal(np_run_fast(executor, 0, meet, (uintptr_t)&m, &result), NP_OK);
            assert_int_equal(result, 1055);
            assert_ptr_not_equal(m.self[0], m.self[1]);
            assert_int_equal(m.home, 0);
            assert_int_equal(m.node[1] != m.node[0], i == 1);
        }
        np_stats *stats = NULL;
        assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
        uint64_t stolen = np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_CACHE) +
                          np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_NODE) +
                          np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_SOCKET) +
                          np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_REMOTE);
        assert_true(stolen >= rounds);
        np_stats_destroy(stats);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* --- strict work stays -------------------------------------------------------------------------
 */

static uintptr_t stay(np_worker *self, uintptr_t depth)
{
    uintptr_t away = np_current_node() != 1;
    if (depth == 0)
        return away;
    np_fast_fork(self, stay, depth - 1);
    away += stay(self, depth - 1);
    return away + np_fast_join(self, stay, depth - 1);
}

static void stay_task(void *argument)
{
    *(uintptr_t *)argument = stay(np_fast_self(), UNIT_SANITIZED ? 8 : 14);
}

static void test_strict_children_stay(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO,
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_ANY));
    np_group *group = NULL;
    uintptr_t away[20] = {0};
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(
            np_submit_with(executor,
                           NP_SUBMIT_OPTIONS(.to_node = true, .node = 1,
                                             .affinity = NP_AFFINITY_STRICT, .group = group),
                           stay_task, &away[i]),
            NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(away[i], 0);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 20, 0);
}

/* --- full deques, deep nesting -----------------------------------------------------------------
 */

static uintptr_t plus_one(np_worker *self, uintptr_t value)
{
    return self == np_fast_self() ? value + 1 : 0;
}

static uintptr_t fork_too_many(np_worker *self, uintptr_t children)
{
    uintptr_t sum = 0;
    for (uintptr_t i = 0; i < children; i++)
        np_fast_fork(self, plus_one, i);
    for (uintptr_t i = children; i-- > 0;)
        sum += np_fast_join(self, plus_one, i);
    return sum;
}

static void test_full_deque(void **state)
{
    (void)state;
    const char *machines[] = {ONE_BY_ONE, ONE_BY_FOUR};
    for (unsigned i = 0; i < 2; i++) {
        np_executor *executor = pool_create(machines[i], NULL);
        for (uintptr_t children = 16382; children <= 16386; children++) {
            uintptr_t result = 0;
            assert_int_equal(np_run_fast(executor, 0, fork_too_many, children, &result), NP_OK);
            assert_int_equal(result, children * (children + 1) / 2);
        }
        uintptr_t result = 0;
        assert_int_equal(np_run_fast(executor, 0, fork_too_many, 40000, &result), NP_OK);
        assert_int_equal(result, UINT64_C(800020000));
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* Every level keeps a child open: the deque is full after 16,384 of them. */
static uintptr_t descend(np_worker *self, uintptr_t left)
{
    if (left == 0)
        return 0;
    np_fast_fork(self, plus_one, 0);
    uintptr_t below = descend(self, left - 1);
    return below + np_fast_join(self, plus_one, 0);
}

static void test_deep_nesting(void **state)
{
    (void)state;
    const bool small = UNIT_SANITIZED || getenv("NP_GUEST") != NULL; /* less memory, less speed */
    const uintptr_t levels = small ? 20000 : 1000000;
    const char *machines[] = {ONE_BY_ONE, ONE_BY_TWO};
    for (unsigned i = 0; i < 2; i++) {
        np_executor *executor = pool_create(
            machines[i], NP_EXECUTOR_OPTIONS(.stack_size = small ? 32 << 20 : 1 << 28));
        uintptr_t result = 0;
        assert_int_equal(np_run_fast(executor, 0, descend, levels, &result), NP_OK);
        assert_int_equal(result, levels);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* --- both forms, groups, types -----------------------------------------------------------------
 */

typedef struct mixed {
    np_executor *executor;
    pool_counter *count;
    uint32_t depth;
} mixed;

static uintptr_t mix(np_worker *self, uintptr_t argument);

static void mix_plain(void *argument)
{
    (void)mix(np_fast_self(), (uintptr_t)argument);
}

/* A child of each form and a submitted task at every level, joined around a group wait that runs
 * whatever is there. */
static uintptr_t mix(np_worker *self, uintptr_t argument)
{
    mixed *m = (mixed *)argument;
    pool_task_count(m->count);
    if (m->depth == 0)
        return 1;
    mixed child = {m->executor, m->count, m->depth - 1};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_fast_fork(self, mix, (uintptr_t)&child);
    np_fork(mix_plain, &child);
    assert_int_equal(np_group_submit(group, m->executor, mix_plain, &child), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    np_join();
    return 1 + np_fast_join(self, mix, (uintptr_t)&child);
}

static void test_both_forms_and_groups(void **state)
{
    (void)state;
    const char *machines[] = {ONE_BY_ONE, ONE_BY_FOUR, FOUR_NODES};
    for (unsigned i = 0; i < 3; i++) {
        pool_counter count = {0};
        np_executor *executor = pool_create(machines[i], NULL);
        mixed top = {executor, &count, UNIT_SANITIZED ? 4 : 6};
        uintptr_t levels = 0;
        assert_int_equal(np_run_fast(executor, NP_NODE_ID_NONE, mix, (uintptr_t)&top, &levels),
                         NP_OK);
        assert_int_equal(levels, top.depth + 1);
        uint64_t expected = 0;
        for (uint32_t level = 0, width = 1; level <= top.depth; level++, width *= 3)
            expected += width;
        assert_int_equal(npi_load_acquire(&count.value), expected);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

typedef struct tree {
    const struct tree *left, *right;
} tree;

static size_t tree_size(np_worker *self, const tree *node);
NP_FAST_TYPED(size_t, tree_size, const tree *);

static size_t tree_size(np_worker *self, const tree *node)
{
    if (node == NULL)
        return 0;
    tree_size_fork(self, node->left);
    size_t right = tree_size(self, node->right);
    return 1 + right + tree_size_join(self, node->left);
}

static void test_typed(void **state)
{
    (void)state;
    static const tree leaf, inner = {&leaf, NULL}, root = {&inner, &leaf};
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    size_t size = 0;
    assert_int_equal(tree_size_run(executor, 0, &root, &size), NP_OK);
    assert_int_equal(size, 4);
    assert_int_equal(tree_size_run(executor, 9, &root, &size), NP_ERR_INVALID_NODE);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- a join that does not match its fork --------------------------------------------------------
 */

static uintptr_t mismatched(np_worker *self, uintptr_t argument)
{
    np_fast_fork(self, plus_one, argument); /* keeps one in sight */
    np_fast_fork(self, plus_one, argument);
    return np_fast_join(self, fib, argument);
}

static void test_mismatch_traps(void **state)
{
    (void)state;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        /* No handler of a sanitizer or of cmocka: the bare signal. */
        (void)signal(SIGILL, SIG_DFL);
        (void)signal(SIGTRAP, SIG_DFL);
        np_executor *executor = pool_create(ONE_BY_ONE, NULL);
        _exit(np_run_fast(executor, 0, mismatched, 1, NULL) == NP_OK ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(WTERMSIG(status) == SIGILL || WTERMSIG(status) == SIGTRAP);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mismatch_traps), /* first: no other thread yet */
        cmocka_unit_test(test_fib),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_stolen_children),
        cmocka_unit_test(test_strict_children_stay),
        cmocka_unit_test(test_full_deque),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_both_forms_and_groups),
        cmocka_unit_test(test_typed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
