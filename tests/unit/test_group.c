/*
 * Goal: a group's wait ends when its last task has, from outside and from inside, with the first
 * error; cancelled tasks are handed back; completion reaches callbacks and eventfds; a group may be
 * destroyed at once. Method: gates decide who runs when.
 */
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "../support/pool.h"

static np_group *group_create(void)
{
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    return group;
}

static void test_wait_from_outside(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (unsigned round = 0; round < 2000; round++) {
        np_group *group = group_create();
        pool_counter count = {0};
        for (unsigned i = 0; i < 1 + round % 5; i++)
            assert_int_equal(np_group_submit_to_node(group, executor, (np_node_id)(i % 2),
                                                     pool_task_count, &count),
                             NP_OK);
        assert_int_equal(np_group_wait(group), NP_OK);
        assert_int_equal(npi_load_relaxed(&count.value), 1 + round % 5);
        assert_int_equal(np_group_pending(group), 0);
        assert_int_equal(np_group_destroy(group), NP_OK); /* at once, every time */
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_empty_group(void **state)
{
    (void)state;
    np_group *group = group_create();
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_wait_for(group, 0), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    assert_int_equal(np_group_destroy(NULL), NP_OK);
}

static void test_timeout_and_busy(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_group *group = group_create();
    pool_gate gate = {0, 0};
    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &gate), NP_OK);
    assert_int_equal(np_group_wait_for(group, 1000000), NP_ERR_TIMEOUT);
    unit_expect_failure(np_group_destroy(group), NP_ERR_BUSY, "1 tasks");
    unit_expect_failure(np_group_reset(group), NP_ERR_BUSY, "1 tasks");
    assert_int_equal(np_group_pending(group), 1);
    pool_gate_open(&gate);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 1, 0);
}

/* --- waiting inside -------------------------------------------------------------------------- */

typedef struct tree {
    np_executor *executor;
    pool_counter *leaves;
    uint32_t depth;
    uint32_t branches;
} tree;

static void grow(void *argument)
{
    tree *t = argument;
    if (t->depth == 0) {
        pool_task_count(t->leaves);
        return;
    }
    np_group *group = group_create();
    tree child = {t->executor, t->leaves, t->depth - 1, t->branches};
    for (uint32_t i = 0; i < t->branches; i++)
        assert_int_equal(
            np_submit_with(t->executor,
                           NP_SUBMIT_OPTIONS(.group = group, .copy_bytes = sizeof child), grow,
                           &child),
            NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
}

static void nested_waits(const char *machine, uint32_t depth)
{
    pool_counter leaves = {0};
    np_executor *executor = pool_create(machine, NULL);
    tree root = {executor, &leaves, depth, 3};
    uint64_t expected = 1;
    for (uint32_t i = 0; i < depth; i++)
        expected *= 3;
    assert_int_equal(np_run(executor, NP_NODE_ID_NONE, grow, &root), NP_OK);
    assert_int_equal(npi_load_acquire(&leaves.value), expected);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_one_worker_waits_for_itself(void **state)
{
    (void)state;
    nested_waits(ONE_BY_ONE, 6); /* only helping can end this */
}

static void test_many_wait_inside(void **state)
{
    (void)state;
    nested_waits("numa:2 core:4 pu:1", 7);
}

static void wait_for_own_group(void *argument)
{
    np_status *status = argument;
    *status = np_group_wait(np_current_group());
}

static void test_waiting_for_oneself_is_refused(void **state)
{
    (void)state;
    np_status status = NP_OK;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_group *group = group_create();
    assert_int_equal(np_group_submit(group, executor, wait_for_own_group, &status), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(status, NP_ERR_FROM_WORKER);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 1, 0);
}

/* Isolated: the waiting worker runs nothing else; a spare worker of the node does the group's work.
 */
typedef struct isolated {
    np_executor *executor;
    np_group *group;
    uint32_t waiter, runner;
} isolated;

static void note_runner(void *argument)
{
    ((isolated *)argument)->runner = np_current_worker_index();
}

static void wait_isolated(void *argument)
{
    isolated *i = argument;
    i->waiter = np_current_worker_index();
    assert_int_equal(np_group_submit(i->group, i->executor, note_runner, i), NP_OK);
    assert_int_equal(np_group_wait(i->group), NP_OK);
}

static void test_isolated(void **state)
{
    (void)state;
    isolated i = {0};
    assert_int_equal(np_group_create(NP_GROUP_OPTIONS(.isolated = true), &i.group), NP_OK);
    i.executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_run(i.executor, 0, wait_isolated, &i), NP_OK);
    assert_int_equal(i.waiter, 0);
    assert_int_equal(i.runner, 1); /* the first spare's index comes after the regular ones */
    pool_destroy_exact(i.executor, 2, 0);
    assert_int_equal(np_group_destroy(i.group), NP_OK);
}

/* --- errors and cancellation ------------------------------------------------------------------ */

static void fail_with_limit(void *argument)
{
    np_group_fail(argument, NP_ERR_LIMIT);
}

static void fail_with_parse(void *argument)
{
    np_group_fail(argument, NP_ERR_PARSE);
}

static void test_first_error_wins(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL); /* one worker: they run in order */
    np_group *group = group_create();
    np_group_fail(group, NP_OK); /* ignored */
    assert_int_equal(np_group_outcome(group), NP_OK);
    assert_int_equal(np_group_submit(group, executor, fail_with_limit, group), NP_OK);
    assert_int_equal(np_group_submit(group, executor, fail_with_parse, group), NP_OK);
    unit_expect_failure(np_group_wait(group), NP_ERR_LIMIT, "NP_ERR_LIMIT");
    assert_int_equal(np_group_wait(group), NP_ERR_LIMIT); /* it stays */
    assert_int_equal(np_group_reset(group), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 2, 0);
}

typedef struct discards {
    np_atomic(uint64_t) cancelled;
    np_atomic(uint64_t) other;
} discards;

static void on_discard(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    discards *d = context;
    assert_ptr_equal(fn, pool_task_count);
    assert_non_null(argument);
    npi_fetch_add_relaxed(reason == NP_DISCARD_CANCELLED ? &d->cancelled : &d->other, (uint64_t)1);
}

static void test_cancel(void **state)
{
    (void)state;
    discards d = {0, 0};
    pool_counter count = {0};
    pool_gate gate = {0, 0};
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.on_discard = on_discard, .discard_context = &d));
    np_group *group = group_create();
    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(np_group_submit(group, executor, pool_task_count, &count), NP_OK);
    assert_false(np_group_is_cancelled(group));
    np_group_cancel(group);
    assert_true(np_group_is_cancelled(group));
    unit_expect_failure(np_group_submit(group, executor, pool_task_count, &count), NP_ERR_CANCELLED,
                        "cancelled");
    pool_gate_open(&gate);
    assert_int_equal(np_group_wait(group), NP_ERR_CANCELLED);
    assert_int_equal(npi_load_acquire(&count.value), 0);
    assert_int_equal(npi_load_acquire(&d.cancelled), 100);
    assert_int_equal(npi_load_acquire(&d.other), 0);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 1, 100);
}

/* --- completion without waiting -----------------------------------------------------------------
 */

static void test_notices(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    np_group *group = group_create();
    pool_gate gate = {0, 0};
    pool_counter calls = {0};
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    uint64_t value = 0;
    assert_true(fd >= 0);

    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &gate), NP_OK);
    assert_int_equal(np_group_notify(group, pool_task_count, &calls), NP_OK);
    assert_int_equal(np_group_notify_eventfd(group, fd), NP_OK);
    assert_int_equal(npi_load_acquire(&calls.value), 0);
    assert_true(read(fd, &value, sizeof value) < 0);
    pool_gate_open(&gate);
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
    assert_int_equal(poll(&poll_fd, 1, 60000), 1);
    assert_int_equal(read(fd, &value, sizeof value), sizeof value);
    assert_int_equal(value, 1);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&calls.value), 1);

    /* Nothing pending: at once. Each is good for one completion. */
    assert_int_equal(np_group_notify(group, pool_task_count, &calls), NP_OK);
    assert_int_equal(npi_load_acquire(&calls.value), 2);
    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &gate), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(npi_load_acquire(&calls.value), 2);

    unit_expect_failure(np_group_notify(group, NULL, NULL), NP_ERR_INVALID_ARGUMENT, "fn");
    unit_expect_failure(np_group_notify_eventfd(group, -3), NP_ERR_INVALID_ARGUMENT, "-3");
    assert_int_equal(close(fd), 0);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 2, 0);
}

/* Tasks of two executors in one group; a worker of one waits for tasks of the other, and back. */
typedef struct crossing {
    np_executor *here, *there;
    pool_counter *count;
    uint32_t depth;
} crossing;

static void cross(void *argument)
{
    crossing *c = argument;
    pool_task_count(c->count);
    if (c->depth == 0)
        return;
    np_group *group = group_create();
    crossing next = {c->there, c->here, c->count, c->depth - 1};
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            np_submit_with(c->there, NP_SUBMIT_OPTIONS(.group = group, .copy_bytes = sizeof next),
                           cross, &next),
            NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
}

static void test_two_executors_wait_for_each_other(void **state)
{
    (void)state;
    pool_counter count = {0};
    crossing c = {pool_create(ONE_BY_TWO, NULL), pool_create(ONE_BY_TWO, NULL), &count, 8};
    assert_int_equal(np_run(c.here, NP_NODE_ID_NONE, cross, &c), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), (1u << 9) - 1);
    assert_int_equal(np_executor_destroy(c.here), NP_OK);
    assert_int_equal(np_executor_destroy(c.there), NP_OK);
}

static void test_refusals(void **state)
{
    (void)state;
    np_group_options unsized = {0};
    np_group *group = NULL;
    unit_expect_failure(np_group_create(NULL, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_group_create(&unsized, &group), NP_ERR_INVALID_ARGUMENT, "size is 0");
    unit_expect_failure(np_group_wait(NULL), NP_ERR_INVALID_ARGUMENT, "group");
    unit_expect_failure(np_group_reset(NULL), NP_ERR_INVALID_ARGUMENT, "group");
    unit_expect_failure(np_group_notify(NULL, pool_task_count, NULL), NP_ERR_INVALID_ARGUMENT,
                        "group");
    unit_expect_failure(np_group_notify_eventfd(NULL, 0), NP_ERR_INVALID_ARGUMENT, "group");
    unit_expect_failure(np_group_outcome(NULL), NP_ERR_INVALID_ARGUMENT, "group");
    assert_int_equal(np_group_pending(NULL), 0);
    assert_false(np_group_is_cancelled(NULL));
    np_group_cancel(NULL);
    np_group_fail(NULL, NP_ERR_LIMIT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_wait_from_outside),
        cmocka_unit_test(test_empty_group),
        cmocka_unit_test(test_timeout_and_busy),
        cmocka_unit_test(test_one_worker_waits_for_itself),
        cmocka_unit_test(test_many_wait_inside),
        cmocka_unit_test(test_waiting_for_oneself_is_refused),
        cmocka_unit_test(test_isolated),
        cmocka_unit_test(test_first_error_wins),
        cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_notices),
        cmocka_unit_test(test_two_executors_wait_for_each_other),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
