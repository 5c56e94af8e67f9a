/*
 * Goal: the program's own functions that run on a worker but are no tasks (start and stop hooks,
 * completion callbacks, the discard callback) may submit and fork, and nothing of that is lost,
 * also while the executor ends; and shutdowns at the same time keep to their own deadlines.
 * Method: gates; exact accounts.
 */
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numaperf/array.h>
#include <numaperf/parallel.h>
#include <numaperf/region.h>

#include "../support/pool.h"
#include "executor/executor.h"

static void shut_down(void *executor)
{
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
}

static void await_closed(np_executor *executor)
{
    while (npi_load_acquire(&executor->closed) == 0)
        sched_yield();
}

/* --- hooks -------------------------------------------------------------------------------------
 */

typedef struct hooked {
    pool_counter ran;
    np_atomic(uint32_t) stopped, refused;
} hooked;

static void submit_in_start_hook(void *context, const np_worker_info *info)
{
    hooked *h = context;
    (void)info;
    np_fork(pool_task_count, &h->ran); /* no task: runs at once */
    assert_int_equal(np_submit(np_current_executor(), pool_task_count, &h->ran), NP_OK);
}

/* Nobody can help a hook: it does all of it by itself. */
typedef struct hook_data {
    np_array *array;
    np_region *region;
    pool_counter elements;
} hook_data;

static void count_elements(void *context, size_t begin, size_t end)
{
    npi_fetch_add_relaxed(&((hook_data *)context)->elements.value, (uint64_t)(end - begin));
}

static void work_on_data_in_hook(void *context, const np_worker_info *info)
{
    hook_data *h = context;
    (void)info;
    np_executor *executor = np_current_executor();
    assert_int_equal(np_parallel_for_array(executor, h->array, NULL, count_elements, h), NP_OK);
    assert_int_equal(np_region_prefault(executor, h->region), NP_OK);
}

static void test_hooks_work_on_data_alone(void **state)
{
    (void)state;
    enum { ELEMENTS = 10000 };
    hook_data h = {NULL, NULL, {0}};
    np_topology *topology = NULL;
    assert_int_equal(np_topology_from_synthetic(TWO_BY_TWO, &topology), NP_OK);
    assert_int_equal(np_array_create(topology, 8, ELEMENTS, NULL, &h.array), NP_OK);
    assert_int_equal(np_region_create(topology, 1 << 20, NULL, &h.region), NP_OK);
    np_executor *executor = pool_create(
        TWO_BY_TWO,
        NP_EXECUTOR_OPTIONS(.on_worker_start = work_on_data_in_hook, .hook_context = &h));
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(npi_load_relaxed(&h.elements.value), 4 * ELEMENTS);
    np_array_destroy(h.array);
    np_region_destroy(h.region);
    np_topology_destroy(topology);
}

static void submit_in_stop_hook(void *context, const np_worker_info *info)
{
    hooked *h = context;
    (void)info;
    npi_fetch_add_relaxed(&h->stopped, 1u);
    /* Nobody would run it any more. */
    if (np_submit(np_current_executor(), pool_task_count, &h->ran) == NP_ERR_SHUT_DOWN)
        npi_fetch_add_relaxed(&h->refused, 1u);
}

static void test_hooks_submit_like_outsiders(void **state)
{
    (void)state;
    hooked h = {0};
    np_executor *executor = pool_create(
        TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.on_worker_start = submit_in_start_hook,
                                        .on_worker_stop = submit_in_stop_hook, .hook_context = &h));
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    assert_int_equal(npi_load_relaxed(&h.stopped), 4);
    assert_int_equal(npi_load_relaxed(&h.refused), 4);
    assert_int_equal(npi_load_relaxed(&h.ran.value), 8);
    pool_destroy_exact(executor, 4, 0);
}

/* --- completion callbacks ------------------------------------------------------------------------
 */

typedef struct continuation {
    pool_gate gate;
    pool_counter ran;
    np_status submitted;
} continuation;

static void continue_with_more(void *argument)
{
    continuation *c = argument;
    pool_gate_pass(&c->gate);
    c->submitted = np_submit(np_current_executor(), pool_task_count, &c->ran);
    for (unsigned i = 0; i < 3; i++)
        np_fork(pool_task_count, &c->ran); /* joined for it */
}

static void test_continuation_during_shutdown(void **state)
{
    (void)state;
    continuation c = {0};
    pool_gate first = {0};
    np_group *group = NULL;
    npi_os_thread closer;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    assert_int_equal(np_group_submit(group, executor, pool_task_gate, &first), NP_OK);
    assert_int_equal(np_group_notify(group, continue_with_more, &c), NP_OK);
    pool_gate_open(&first);
    pool_gate_await(&c.gate, 1);
    assert_false(npi_executor_is_quiescent(executor)); /* the callback is a part of the task */
    assert_int_equal(npi_os_thread_start(&closer, 0, shut_down, executor), 0);
    await_closed(executor);
    pool_gate_open(&c.gate);
    assert_int_equal(npi_os_thread_join(&closer), 0);
    assert_int_equal(c.submitted, NP_OK);
    assert_int_equal(npi_load_acquire(&c.ran.value), 4);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 2, 0);
}

/* What a callback forks must not slip between the forks and joins of the task on whose stack the
 * worker happens to be when it ends the group. */
typedef struct nested {
    np_executor *executor;
    np_group *group;
    pool_counter of_task, of_callback;
    uint64_t joined;
} nested;

static void callback_forks(void *argument)
{
    nested *n = argument;
    for (unsigned i = 0; i < 3; i++)
        np_fork(pool_task_count, &n->of_callback);
}

static void leaf(void *argument)
{
    (void)argument;
}

static void wait_between_fork_and_join(void *argument)
{
    nested *n = argument;
    pool_gate none = {.open = 1};
    assert_int_equal(np_group_submit(n->group, n->executor, leaf, NULL), NP_OK);
    np_fork(pool_task_count, &n->of_task);
    /* Own children first: done before the task whose end calls back. */
    assert_int_equal(np_group_wait(n->group), NP_OK);
    assert_int_equal(npi_load_acquire(&n->of_callback.value), 3);
    np_fork(pool_task_gate, &none);
    np_join();
    n->joined = npi_load_acquire(&none.arrived);
    np_join();
}

static void test_callback_inside_a_wait(void **state)
{
    (void)state;
    nested n = {.executor = pool_create(ONE_BY_ONE, NULL)};
    assert_int_equal(np_group_create(NULL, &n.group), NP_OK);
    pool_gate hold = {0};
    assert_int_equal(np_submit(n.executor, pool_task_gate, &hold), NP_OK);
    assert_int_equal(np_group_submit(n.group, n.executor, leaf, NULL), NP_OK);
    assert_int_equal(np_group_notify(n.group, callback_forks, &n), NP_OK);
    np_group *whole = NULL;
    assert_int_equal(np_group_create(NULL, &whole), NP_OK);
    assert_int_equal(np_group_submit(whole, n.executor, wait_between_fork_and_join, &n), NP_OK);
    pool_gate_open(&hold);
    assert_int_equal(np_group_wait(whole), NP_OK);
    assert_int_equal(np_executor_pending(n.executor), 0); /* what was waited for is counted */
    assert_int_equal(n.joined, 1);
    assert_int_equal(npi_load_acquire(&n.of_task.value), 1);
    assert_int_equal(np_group_destroy(whole), NP_OK);
    assert_int_equal(np_group_destroy(n.group), NP_OK);
    pool_destroy_exact(n.executor, 4, 0);
}

/* --- the discard callback
 * ------------------------------------------------------------------------- */

static void discard_forks(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    pool_counter *count = context;
    assert_ptr_equal(fn, leaf);
    assert_null(argument);
    assert_int_equal(reason, NP_DISCARD_CANCELLED);
    np_fork(pool_task_count, count);
    np_fork(pool_task_count, count);
    np_join(); /* one of them; the other is joined for it */
    assert_int_equal(np_submit(np_current_executor(), pool_task_count, count), NP_OK);
}

static void test_discard_callback_forks_and_submits(void **state)
{
    (void)state;
    pool_counter count = {0};
    pool_gate hold = {0};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.on_discard = discard_forks, .discard_context = &count));
    assert_int_equal(np_submit(executor, pool_task_gate, &hold), NP_OK);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(np_group_submit(group, executor, leaf, NULL), NP_OK);
    np_group_cancel(group);
    pool_gate_open(&hold);
    assert_int_equal(np_group_wait(group), NP_ERR_CANCELLED);
    pool_destroy_exact(executor, 11, 10);
    assert_int_equal(npi_load_acquire(&count.value), 30);
    assert_int_equal(np_group_destroy(group), NP_OK);
}

/* --- shutdowns at the same time
 * ------------------------------------------------------------------- */

static void test_deadline_beside_a_patient_shutdown(void **state)
{
    (void)state;
    pool_gate hold = {0};
    pool_counter count = {0};
    npi_os_thread closer;
    np_shutdown_result result;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_submit(executor, pool_task_gate, &hold), NP_OK);
    pool_gate_await(&hold, 1); /* running, not queued, at the deadline */
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(np_submit(executor, pool_task_count, &count), NP_OK);
    assert_int_equal(npi_os_thread_start(&closer, 0, shut_down, executor), 0);
    await_closed(executor);
    /* It does not wait behind the other, whose wait has no end as long as the gate is shut. */
    assert_int_equal(np_executor_shutdown_within(executor, 1000000, &result), NP_ERR_TIMEOUT);
    assert_int_equal(result.discarded, 10);
    assert_int_equal(result.running, 1);
    pool_gate_open(&hold);
    assert_int_equal(npi_os_thread_join(&closer), 0);
    assert_int_equal(npi_load_acquire(&count.value), 0);
    pool_destroy_exact(executor, 1, 10);
}

/* A task that goes on submitting does not keep the deadline's shutdown busy for ever. */
typedef struct breeder {
    np_executor *executor;
    np_atomic(uint32_t) stop;
    uint64_t bred;
} breeder;

static void breed(void *argument)
{
    breeder *b = argument;
    while (npi_load_acquire(&b->stop) == 0) {
        assert_int_equal(np_submit(b->executor, leaf, NULL), NP_OK);
        b->bred++;
    }
}

static void test_deadline_beside_a_breeder(void **state)
{
    (void)state;
    breeder b = {.executor = pool_create(ONE_BY_ONE, NULL)};
    assert_int_equal(np_submit(b.executor, breed, &b), NP_OK);
    while (np_executor_pending(b.executor) < 100)
        sched_yield();
    assert_int_equal(np_executor_shutdown_within(b.executor, 0, NULL), NP_ERR_TIMEOUT);
    npi_store_release(&b.stop, 1u);
    assert_int_equal(np_executor_shutdown(b.executor), NP_OK);
    pool_destroy_exact(b.executor, 1, b.bred);
}

/* --- in a forked child
 * ---------------------------------------------------------------------------- */

static void fork_in_a_task(void *argument)
{
    np_leave *leave = argument;
    pid_t child = fork();
    if (child == 0) {
        alarm(20);
        np_leave_now(leave);
        np_leave_destroy(leave);
        bool refused = np_blocking_begin() == NP_ERR_FORKED;
        np_blocking_end();
        _exit(refused ? 0 : 1);
    }
    assert_true(child > 0);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_forked_inside_a_task(void **state)
{
    (void)state;
    if (UNIT_SANITIZED)
        UNIT_SKIP("fork with threads under a sanitizer");
    np_leave *leave = NULL;
    assert_int_equal(np_leave_create(&leave), NP_OK);
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    assert_int_equal(np_run(executor, 0, fork_in_a_task, leave), NP_OK);
    np_leave_destroy(leave);
    pool_destroy_exact(executor, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hooks_submit_like_outsiders),
        cmocka_unit_test(test_hooks_work_on_data_alone),
        cmocka_unit_test(test_continuation_during_shutdown),
        cmocka_unit_test(test_callback_inside_a_wait),
        cmocka_unit_test(test_discard_callback_forks_and_submits),
        cmocka_unit_test(test_deadline_beside_a_patient_shutdown),
        cmocka_unit_test(test_deadline_beside_a_breeder),
        cmocka_unit_test(test_forked_inside_a_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
