/*
 * Goal: what is accepted runs exactly once, on the node it was sent to as far as the policy
 * promises, in the promised order, with the argument that was given; what is not accepted is said.
 * Method: virtual machines, gates that hold workers where the test wants them.
 */
#include "../support/pool.h"

static void test_every_form_runs_once(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_task batch[300];
    for (unsigned i = 0; i < 300; i++)
        batch[i] = (np_task){pool_task_count, &count};
    size_t accepted = 0;
    assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
    assert_int_equal(np_submit_to_node(executor, 1, pool_task_count, &count), NP_OK);
    assert_int_equal(np_submit_batch(executor, 0, batch, 300, &accepted), NP_OK);
    assert_int_equal(accepted, 300);
    assert_int_equal(np_submit_with(executor, NULL, pool_task_count, &count), NP_OK);
    for (int affinity = 0; affinity <= NP_AFFINITY_ANY; affinity++)
        assert_int_equal(np_submit_with(executor,
                                        NP_SUBMIT_OPTIONS(.to_node = true, .node = 1,
                                                          .affinity = (np_task_affinity)affinity,
                                                          .group = group),
                                        pool_task_count, &count),
                         NP_OK);
    assert_int_equal(np_group_submit(group, executor, pool_task_count, &count), NP_OK);
    assert_int_equal(np_group_submit_to_node(group, executor, 0, pool_task_count, &count), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 308);
    assert_int_equal(np_executor_pending(executor), 0);
    pool_destroy_exact(executor, 308, 0);
}

/* --- copied arguments ------------------------------------------------------------------------- */

typedef struct copied {
    np_atomic(uint64_t) *sum;
    uint64_t values[4];
} copied;

static void add_copied(void *argument)
{
    copied *c = argument;
    assert_int_equal((uintptr_t)argument % 8, 0);
    for (unsigned i = 0; i < 4; i++)
        npi_fetch_add_relaxed(c->sum, c->values[i]);
    memset(c->values, 0xff, sizeof c->values); /* the copy is the task's own */
}

static void test_copied_arguments(void **state)
{
    (void)state;
    np_atomic(uint64_t) sum = 0;
    uint64_t expected = 0;
    assert_int_equal(sizeof(copied), NP_ARGUMENT_COPY_MAX);
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (uint64_t i = 0; i < 5000; i++) {
        copied c = {&sum, {i, i * 2, i * 3, i * 5}};
        expected += i * 11;
        assert_int_equal(
            np_submit_copy_to_node(executor, (np_node_id)(i % 2), add_copied, &c, sizeof c), NP_OK);
        memset(&c, 0, sizeof c); /* it was copied */
    }
    copied c = {0};
    unit_expect_failure(np_submit_copy_to_node(executor, 0, add_copied, &c, 41),
                        NP_ERR_INVALID_ARGUMENT, "41");
    unit_expect_failure(np_submit_copy_to_node(executor, 0, add_copied, NULL, 8),
                        NP_ERR_INVALID_ARGUMENT, "NULL");
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&sum), expected);
    pool_destroy_exact(executor, 5000, 0);
}

/* --- order -------------------------------------------------------------------------------------
 */

typedef struct ordered {
    uint64_t next; /* by the one worker */
    uint64_t wrong;
} ordered;

typedef struct ordered_item {
    ordered *log;
    uint64_t number;
} ordered_item;

static void in_order(void *argument)
{
    ordered_item *item = argument;
    if (item->log->next++ != item->number)
        item->log->wrong++;
}

static void test_order_with_one_worker(void **state)
{
    (void)state;
    ordered log = {0, 0};
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    for (uint64_t i = 0; i < 20000; i++) {
        ordered_item item = {&log, i};
        assert_int_equal(np_submit_copy_to_node(executor, 0, in_order, &item, sizeof item), NP_OK);
    }
    pool_destroy_exact(executor, 20000, 0);
    assert_int_equal(log.next, 20000);
    assert_int_equal(log.wrong, 0);
}

/* --- from inside
 * ---------------------------------------------------------------------------------- */

typedef struct spread {
    np_executor *executor;
    np_atomic(uint64_t) *count;
    uint32_t depth;
} spread;

static void spread_out(void *argument)
{
    spread *s = argument;
    npi_fetch_add_relaxed(s->count, (uint64_t)1);
    assert_ptr_equal(np_current_executor(), s->executor);
    if (s->depth == 0)
        return;
    spread child = {s->executor, s->count, s->depth - 1};
    np_node_id here = np_current_node();
    assert_int_equal(np_submit_copy_to_node(s->executor, here, spread_out, &child, sizeof child),
                     NP_OK);
    assert_int_equal(
        np_submit_copy_to_node(s->executor, 1 - here, spread_out, &child, sizeof child), NP_OK);
}

static void test_submission_from_inside(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    spread root = {executor, &count.value, 12};
    assert_int_equal(np_submit_copy_to_node(executor, 0, spread_out, &root, sizeof root), NP_OK);
    /* Shutdown waits for what tasks still submit. */
    pool_destroy_exact(executor, (1u << 13) - 1, 0);
    assert_int_equal(npi_load_acquire(&count.value), (1u << 13) - 1);
}

/* --- identity
 * -------------------------------------------------------------------------------------- */

typedef struct identity {
    np_executor *executor;
    np_node_id node, home;
    uint32_t worker;
    np_group *group;
} identity;

static void who_am_i(void *argument)
{
    identity *i = argument;
    i->executor = np_current_executor();
    i->node = np_current_node();
    i->home = np_current_home();
    i->worker = np_current_worker_index();
    i->group = np_current_group();
}

static void test_identity(void **state)
{
    (void)state;
    identity i = {0};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_executor *executor = pool_create(FOUR_NODES,
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    for (np_node_id node = 0; node < 4; node++) {
        assert_int_equal(np_group_submit_to_node(group, executor, node, who_am_i, &i), NP_OK);
        assert_int_equal(np_group_wait(group), NP_OK);
        assert_ptr_equal(i.executor, executor);
        assert_ptr_equal(i.group, group);
        assert_int_equal(i.node, node);
        assert_int_equal(i.home, node);
        assert_int_equal(i.worker, node);
    }
    assert_int_equal(np_group_destroy(group), NP_OK);
    assert_null(np_current_executor());
    assert_null(np_current_group());
    assert_int_equal(np_current_worker_index(), UINT32_MAX);
    assert_int_equal(np_current_home(), NP_NODE_ID_NONE);
    pool_destroy_exact(executor, 4, 0);
}

static void test_refusals(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_task tasks[3] = {{pool_task_count, NULL}, {NULL, NULL}, {pool_task_count, NULL}};
    pool_counter count = {0};
    size_t accepted = 99;
    tasks[0].argument = &count;
    unit_expect_failure(np_submit(NULL, pool_task_gate, NULL), NP_ERR_INVALID_ARGUMENT, "executor");
    unit_expect_failure(np_submit(executor, NULL, NULL), NP_ERR_INVALID_ARGUMENT, "function");
    unit_expect_failure(np_submit_to_node(executor, 2, pool_task_gate, NULL), NP_ERR_INVALID_NODE,
                        "node 2");
    unit_expect_failure(np_submit_to_node(executor, -1, pool_task_gate, NULL), NP_ERR_INVALID_NODE,
                        "node -1");
    unit_expect_failure(np_submit_to_node(executor, INT32_MAX, pool_task_gate, NULL),
                        NP_ERR_INVALID_NODE, "2147483647");
    unit_expect_failure(np_submit_batch(executor, 0, NULL, 3, &accepted), NP_ERR_INVALID_ARGUMENT,
                        "tasks");
    assert_int_equal(accepted, 0);
    unit_expect_failure(np_submit_batch(executor, 2, tasks, 3, &accepted), NP_ERR_INVALID_NODE,
                        "node 2");
    unit_expect_failure(np_submit_batch(executor, 0, tasks, 3, &accepted), NP_ERR_INVALID_ARGUMENT,
                        "task 1");
    assert_int_equal(accepted, 1);
    unit_expect_failure(np_submit_with(executor, NP_SUBMIT_OPTIONS(.affinity = (np_task_affinity)9),
                                       pool_task_gate, NULL),
                        NP_ERR_INVALID_ARGUMENT, "affinity is 9");
    unit_expect_failure(np_group_submit(NULL, executor, pool_task_gate, NULL),
                        NP_ERR_INVALID_ARGUMENT, "group");
    pool_destroy_exact(executor, 1, 0);
    assert_int_equal(npi_load_acquire(&count.value), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_form_runs_once),
        cmocka_unit_test(test_copied_arguments),
        cmocka_unit_test(test_order_with_one_worker),
        cmocka_unit_test(test_submission_from_inside),
        cmocka_unit_test(test_identity),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
