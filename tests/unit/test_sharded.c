/*
 * Goal: every node, or every worker, has one value of its own, made and ended once; a caller finds
 * its own and nobody else's; a constructor that fails leaves nothing behind. Method: virtual
 * machines with several nodes, constructors that keep an account, an allocator that counts and
 * fails at each allocation in turn, a fork.
 */
#include <sys/wait.h>
#include <unistd.h>

#include "../support/pool.h"

typedef struct account {
    uint32_t made, ended;
    uint32_t fail_at; /* the constructor with this number fails; 0: none */
    void *order[64];  /* of construction */
    bool reverse;     /* the destructors came in reverse order */
} account;

typedef struct value {
    np_node_id node;
    uint64_t used;
} value;

static np_status make(void *context, void *memory, np_node_id node)
{
    account *a = context;
    value *v = memory;
    assert_int_equal(v->used, 0); /* zeroed */
    if (a->made + 1 == a->fail_at)
        return NP_ERR_FAILED;
    v->node = node;
    a->order[a->made++] = v;
    return NP_OK;
}

static void end(void *context, void *memory, np_node_id node)
{
    account *a = context;
    value *v = memory;
    assert_int_equal(v->node, node);
    a->ended++;
    a->reverse = (a->ended == 1 || a->reverse) && a->order[a->made - a->ended] == memory;
}

static np_sharded *make_values(np_executor *executor, account *a, np_shard_per per)
{
    np_sharded *sharded = NULL;
    np_status status = np_sharded_create(executor,
                                         NP_SHARDED_OPTIONS(.bytes = sizeof(value), .per = per,
                                                            .construct = make, .destroy = end,
                                                            .context = a),
                                         &sharded);
    if (status != NP_OK)
        fail_msg("%s: %s", np_status_name(status), np_error_detail());
    return sharded;
}

static void count_value(void *context, void *memory, np_node_id node)
{
    uint64_t *sum = context;
    assert_int_equal(((value *)memory)->node, node);
    *sum += ((value *)memory)->used;
}

typedef struct look {
    np_sharded *sharded;
    np_node_id home;
    np_atomic(uint32_t) wrong;
} look;

static void look_at_node(void *argument)
{
    look *l = argument;
    value *own = np_sharded_local(l->sharded);
    if (own == NULL || own->node != l->home || own != np_sharded_at(l->sharded, l->home))
        npi_fetch_add_relaxed(&l->wrong, 1u);
}

static void test_one_per_node(void **state)
{
    (void)state;
    account a = {0};
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_sharded *sharded = make_values(executor, &a, NP_SHARD_PER_NODE);
    assert_int_equal(np_sharded_count(sharded), 4);
    assert_int_equal(a.made, 4);
    for (np_node_id node = 0; node < 4; node++) {
        look l = {.sharded = sharded, .home = node};
        np_group *group = NULL;
        assert_int_equal(np_group_create(NULL, &group), NP_OK);
        np_submit_options strict = {.size = sizeof strict,
                                    .to_node = true,
                                    .node = node,
                                    .affinity = NP_AFFINITY_STRICT,
                                    .group = group};
        for (unsigned i = 0; i < 50; i++)
            assert_int_equal(np_submit_with(executor, &strict, look_at_node, &l), NP_OK);
        assert_int_equal(np_group_wait(group), NP_OK);
        assert_int_equal(np_group_destroy(group), NP_OK);
        assert_int_equal(npi_load_relaxed(&l.wrong), 0);
        value *v = np_sharded_at(sharded, node);
        assert_int_equal((uintptr_t)v % 128, 0);
        v->used = 1000u + (uint64_t)node;
        for (np_node_id other = 0; other < node; other++) { /* pages of their own */
            uintptr_t there = (uintptr_t)np_sharded_at(sharded, other);
            assert_true((uintptr_t)v / 4096 != there / 4096);
        }
    }
    /* Outside: one of them, and always the same. */
    value *own = np_sharded_local(sharded);
    assert_non_null(own);
    assert_ptr_equal(own, np_sharded_at(sharded, own->node));
    assert_ptr_equal(own, np_sharded_local(sharded));
    uint64_t sum = 0;
    assert_int_equal(np_sharded_for_each(sharded, count_value, &sum), NP_OK);
    assert_int_equal(sum, 4006);
    /* They outlive the executor. */
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_ptr_equal(own, np_sharded_local(sharded));
    np_sharded_destroy(sharded);
    assert_int_equal(a.ended, 4);
    assert_true(a.reverse);
}

static void add_own(void *argument)
{
    np_sharded *sharded = argument;
    value *own = np_sharded_local(sharded);
    own->used++; /* plainly: no other thread has it */
}

/* Each worker at once, so that each is asked. */
typedef struct meeting {
    np_sharded *sharded;
    pool_gate gate;
    np_atomic(uint32_t) right;
} meeting;

static void meet(void *argument)
{
    meeting *m = argument;
    value *own = np_sharded_local(m->sharded);
    if (own != NULL && own == np_sharded_at_worker(m->sharded, np_current_worker_index()))
        npi_fetch_add_relaxed(&m->right, 1u);
    pool_gate_pass(&m->gate);
}

static void ask_each_worker(np_executor *executor, np_sharded *sharded)
{
    meeting m = {.sharded = sharded};
    for (np_node_id i = 0; i < 4; i++)
        assert_int_equal(np_submit_to_node(executor, i % 2, meet, &m), NP_OK);
    pool_gate_await(&m.gate, 4);
    pool_gate_open(&m.gate);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_relaxed(&m.right), 4);
}

static void test_one_per_worker(void **state)
{
    (void)state;
    enum { TASKS = 5000 };
    account a = {0};
    np_executor *executor = pool_create(
        TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.spare_workers = 1, .guest_workers = 2));
    np_sharded *sharded = make_values(executor, &a, NP_SHARD_PER_WORKER);
    assert_int_equal(np_sharded_count(sharded), 4 + 2 + 4);
    assert_null(np_sharded_local(sharded));
    assert_null(np_sharded_at(sharded, 0));
    assert_null(np_sharded_at_worker(sharded, 10));
    for (unsigned i = 0; i < TASKS; i++)
        assert_int_equal(np_submit(executor, add_own, sharded), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    ask_each_worker(executor, sharded);
    uint64_t sum = 0;
    assert_int_equal(np_sharded_for_each(sharded, count_value, &sum), NP_OK);
    assert_int_equal(sum, TASKS);
    for (uint32_t i = 0; i < 10; i++) {
        np_worker_info info;
        value *v = np_sharded_at_worker(sharded, i);
        assert_in_range(v->node, 0, 1);
        if (np_executor_worker_info(executor, i, &info) == NP_OK) /* else nobody is on this seat */
            assert_int_equal(v->node, info.node);
    }
    np_sharded_destroy(sharded);
    assert_int_equal(a.ended, 10);
    assert_true(a.reverse);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* A worker of another executor, also one that took the place of the first, has no value here. */
static void find_nothing(void *argument)
{
    look *l = argument;
    if (np_sharded_local(l->sharded) != NULL)
        npi_fetch_add_relaxed(&l->wrong, 1u);
}

static void test_workers_of_others(void **state)
{
    (void)state;
    account a = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_sharded *sharded = make_values(executor, &a, NP_SHARD_PER_WORKER);
    look l = {.sharded = sharded};
    for (unsigned round = 0; round < 2; round++) {
        np_executor *other = pool_create(FOUR_NODES, NULL);
        for (np_node_id node = 0; node < 4; node++)
            assert_int_equal(np_submit_to_node(other, node, find_nothing, &l), NP_OK);
        assert_int_equal(np_executor_destroy(other), NP_OK);
        if (round == 0)
            assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
    assert_int_equal(npi_load_relaxed(&l.wrong), 0);
    np_sharded_destroy(sharded);
}

static void test_failing_constructor(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    for (uint32_t fail_at = 1; fail_at <= 4; fail_at++) {
        account a = {.fail_at = fail_at};
        np_sharded *sharded = (np_sharded *)&a;
        np_status status = np_sharded_create(executor,
                                             NP_SHARDED_OPTIONS(.bytes = sizeof(value),
                                                                .construct = make, .destroy = end,
                                                                .context = &a),
                                             &sharded);
        unit_expect_failure(status, NP_ERR_FAILED, "constructor");
        assert_null(sharded);
        assert_int_equal(a.made, fail_at - 1);
        assert_int_equal(a.ended, fail_at - 1);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_no_memory(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    unit_allocator hook;
    unit_allocator_install(&hook);
    size_t failures = 0;
    for (size_t fail_at = 1;; fail_at++) {
        account a = {0};
        np_sharded *sharded = NULL;
        hook.calls = 0;
        hook.fail_at = fail_at;
        np_status status = np_sharded_create(executor,
                                             NP_SHARDED_OPTIONS(.bytes = sizeof(value),
                                                                .construct = make, .destroy = end,
                                                                .context = &a),
                                             &sharded);
        if (status != NP_OK) {
            assert_int_equal(status, NP_ERR_NO_MEMORY);
            assert_null(sharded);
            failures++;
        }
        np_sharded_destroy(sharded);
        assert_int_equal(a.made, a.ended);
        assert_int_equal(hook.held_bytes, 0);
        assert_int_equal(hook.wrong_sizes, 0);
        if (status == NP_OK)
            break;
    }
    assert_true(failures >= 5);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_misuse(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_sharded *sharded = NULL;
    np_status bad = NP_ERR_INVALID_ARGUMENT;
#define CREATE(...) np_sharded_create(executor, NP_SHARDED_OPTIONS(__VA_ARGS__), &sharded)
    unit_expect_failure(np_sharded_create(executor, NULL, &sharded), bad, "options");
    const np_sharded_options unsized = {.bytes = 8};
    unit_expect_failure(np_sharded_create(executor, &unsized, &sharded), bad, "np_sharded_options");
    unit_expect_failure(np_sharded_create(executor, NP_SHARDED_OPTIONS(.bytes = 8), NULL), bad,
                        "out");
    unit_expect_failure(np_sharded_create(NULL, NP_SHARDED_OPTIONS(.bytes = 8), &sharded), bad,
                        "executor");
    unit_expect_failure(CREATE(.bytes = 0), bad, "bytes");
    unit_expect_failure(CREATE(.bytes = SIZE_MAX), bad, "bytes");
    unit_expect_failure(CREATE(.bytes = SIZE_MAX / 4 - 4096, .per = NP_SHARD_PER_WORKER),
                        NP_ERR_NO_MEMORY, "a sharded value for each worker");
    unit_expect_failure(CREATE(.bytes = 8, .alignment = 48), bad, "alignment");
    unit_expect_failure(CREATE(.bytes = 8, .alignment = 1u << 30), bad, "alignment");
    unit_expect_failure(CREATE(.bytes = 8, .per = (np_shard_per)7), bad, "per");
    unit_expect_failure(CREATE(.bytes = 8, .hard_mode = (np_hard_mode)7), bad, "hard_mode");
    /* Nothing can be proven on a machine that is not there. */
    unit_expect_failure(CREATE(.bytes = 8, .hard_mode = NP_HARD_MODE_STRICT), NP_ERR_HARD_MODE, "");
    unit_expect_failure(CREATE(.bytes = SIZE_MAX / 8), NP_ERR_NO_MEMORY, "");
    assert_null(sharded);
    unit_expect_failure(np_sharded_for_each(NULL, count_value, NULL), bad, "sharded");
    assert_null(np_sharded_local(NULL));
    assert_int_equal(np_sharded_count(NULL), 0);
    np_sharded_destroy(NULL);
    assert_int_equal(CREATE(.bytes = 1, .alignment = 4096), NP_OK);
    assert_int_equal((uintptr_t)np_sharded_at(sharded, 1) % 4096, 0);
    assert_null(np_sharded_at(sharded, 2));
    assert_null(np_sharded_at(sharded, NP_NODE_ID_NONE));
    assert_null(np_sharded_at_worker(sharded, 0));
    unit_expect_failure(np_sharded_for_each(sharded, NULL, NULL), bad, "fn");
    np_sharded_destroy(sharded);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_forked(void **state)
{
    (void)state;
    if (unit_is_emulated())
        UNIT_SKIP("fork under an emulator");
    account a = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_sharded *sharded = make_values(executor, &a, NP_SHARD_PER_NODE);
    pid_t child = fork();
    if (child == 0) {
        np_sharded *own = NULL;
        bool right = np_sharded_local(sharded) != NULL && np_sharded_at(sharded, 1) != NULL &&
                     np_sharded_create(executor, NP_SHARDED_OPTIONS(.bytes = 8), &own) ==
                         NP_ERR_FORKED;
        np_sharded_destroy(sharded);
        _exit(right && a.ended == 0 ? 0 : 1);
    }
    int status = 0;
    assert_true(child > 0 && waitpid(child, &status, 0) == child);
    assert_int_equal(status, 0);
    np_sharded_destroy(sharded);
    assert_int_equal(a.ended, 2);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_per_node),
        cmocka_unit_test(test_one_per_worker),
        cmocka_unit_test(test_workers_of_others),
        cmocka_unit_test(test_failing_constructor),
        cmocka_unit_test(test_no_memory),
        cmocka_unit_test(test_misuse),
        cmocka_unit_test(test_forked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
