/*
 * Goal: a bounded inbox holds what it says, the three answers to a full one are the promised ones,
 * nothing is lost or run twice, and nobody waits for ever. Method: gates keep the workers from
 * taking, so that the test decides when an inbox is full; who waits for room is seen from inside.
 */
#include "../support/pool.h"

#include <numaperf/fast.h>

#include "executor/executor.h"

static np_executor *bounded(const char *machine, uint32_t capacity, np_inbox_full full)
{
    return pool_create(machine, NP_EXECUTOR_OPTIONS(.inbox_capacity = capacity, .inbox_full = full,
                                                    .ignore_environment = true));
}

/* Holds the only worker until the gate is opened. */
static void hold(np_executor *executor, pool_gate *gate)
{
    assert_int_equal(np_submit_to_node(executor, 0, pool_task_gate, gate), NP_OK);
    pool_gate_await(gate, 1);
}

static void await_waiting(np_executor *executor, uint32_t count)
{
    while (npi_load_acquire(&executor->nodes[0]->inbox.room.waiting) < count)
        npi_cpu_relax();
}

static void fill(np_executor *executor, pool_counter *count, unsigned tasks)
{
    for (unsigned i = 0; i < tasks; i++)
        assert_int_equal(np_submit_to_node(executor, 0, pool_task_count, count), NP_OK);
}

static void test_fail(void **state)
{
    (void)state;
    np_executor *executor = bounded(ONE_BY_ONE, 4, NP_INBOX_FULL_FAIL);
    pool_gate gate = {0};
    pool_counter count = {0};
    np_task batch[10];
    size_t accepted = 99;
    for (unsigned i = 0; i < 10; i++)
        batch[i] = (np_task){pool_task_count, &count};
    hold(executor, &gate);
    fill(executor, &count, 3);
    assert_int_equal(np_submit_batch(executor, 0, batch, 10, &accepted), NP_ERR_WOULD_BLOCK);
    assert_int_equal(accepted, 1);
    assert_int_equal(np_submit(executor, pool_task_count, &count), NP_ERR_WOULD_BLOCK);
    assert_non_null(strstr(np_error_detail(), "full"));
    assert_int_equal(np_submit_with(executor, NP_SUBMIT_OPTIONS(.affinity = NP_AFFINITY_STRICT),
                                    pool_task_count, &count),
                     NP_ERR_WOULD_BLOCK);
    pool_gate_open(&gate);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 4);
    fill(executor, &count, 1); /* the places came back */
    pool_destroy_exact(executor, 6, 0);
}

static void test_run_in_the_caller(void **state)
{
    (void)state;
    np_executor *executor = bounded(ONE_BY_ONE, 2, NP_INBOX_FULL_RUN);
    pool_gate gate = {0};
    pool_counter count = {0};
    np_group *group = NULL;
    np_task batch[5];
    size_t accepted = 0;
    for (unsigned i = 0; i < 5; i++)
        batch[i] = (np_task){pool_task_count, &count};
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    hold(executor, &gate);
    fill(executor, &count, 2);
    assert_int_equal(npi_load_acquire(&count.value), 0);
    fill(executor, &count, 3);
    assert_int_equal(npi_load_acquire(&count.value), 3);
    assert_int_equal(np_group_submit_batch(group, executor, 0, batch, 5, &accepted), NP_OK);
    assert_int_equal(accepted, 5);
    assert_int_equal(npi_load_acquire(&count.value), 8);
    assert_int_equal(np_group_wait(group), NP_OK);
    pool_gate_open(&gate);
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_destroy_exact(executor, 3, 0); /* what callers ran is not among them */
    assert_int_equal(npi_load_acquire(&count.value), 10);
}

typedef struct sender {
    np_executor *executor;
    pool_counter *count;
    np_task_affinity affinity;
    np_status status;
} sender;

static void send_one(void *argument)
{
    sender *s = argument;
    s->status = np_submit_with(s->executor, NP_SUBMIT_OPTIONS(.affinity = s->affinity),
                               pool_task_count, s->count);
}

static void test_strict_tasks_do_not_run_in_the_caller(void **state)
{
    (void)state;
    np_executor *executor = bounded(ONE_BY_ONE, 1, NP_INBOX_FULL_RUN);
    pool_gate gate = {0};
    pool_counter count = {0};
    hold(executor, &gate);
    fill(executor, &count, 1);
    sender s = {executor, &count, NP_AFFINITY_STRICT, NP_ERR_FAILED};
    npi_os_thread thread;
    assert_int_equal(npi_os_thread_start(&thread, 0, send_one, &s), 0);
    await_waiting(executor, 1);
    assert_int_equal(npi_load_acquire(&count.value), 0);
    pool_gate_open(&gate);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(s.status, NP_OK);
    pool_destroy_exact(executor, 3, 0);
}

/* --- what is written for a worker never runs in the caller ------------------------------------ */

static uintptr_t fib(np_worker *self, uintptr_t n)
{
    if (n < 2)
        return n;
    np_fast_fork(self, fib, n - 1);
    uintptr_t right = fib(self, n - 2);
    return right + np_fast_join(self, fib, n - 1);
}

static void count_range(void *context, size_t begin, size_t end)
{
    pool_counter *count = context;
    npi_fetch_add_acq_rel(&count->value, (uint64_t)(end - begin));
}

static void fail_the_group(void *argument)
{
    (void)argument;
    np_group_fail(np_current_group(), NP_ERR_FAILED);
}

typedef struct entry {
    np_executor *executor;
    pool_counter count;
    uintptr_t result;
    np_status fast, loop, plain;
} entry;

static void enter_fast(void *argument)
{
    entry *e = argument;
    e->fast = np_run_fast(e->executor, 0, fib, 10, &e->result);
}

static void enter_loop(void *argument)
{
    entry *e = argument;
    e->loop = np_parallel_for(e->executor, 0, 1000, NULL, count_range, &e->count);
}

static void enter_plain(void *argument)
{
    entry *e = argument;
    e->plain = np_run(e->executor, 0, fail_the_group, NULL);
}

static void test_what_needs_a_worker_waits_for_one(void **state)
{
    (void)state;
    np_executor *executor = bounded(ONE_BY_ONE, 1, NP_INBOX_FULL_RUN);
    pool_gate gate = {0};
    pool_counter count = {0};
    hold(executor, &gate);
    fill(executor, &count, 1);
    entry e = {.executor = executor};
    void (*enter[])(void *) = {enter_fast, enter_loop, enter_plain};
    npi_os_thread thread[3];
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(npi_os_thread_start(&thread[i], 0, enter[i], &e), 0);
    await_waiting(executor, 3);
    pool_gate_open(&gate);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
    assert_int_equal(e.fast, NP_OK);
    assert_int_equal(e.result, 55);
    assert_int_equal(e.loop, NP_OK);
    assert_int_equal(npi_load_acquire(&e.count.value), 1000);
    assert_int_equal(e.plain, NP_ERR_FAILED);
    pool_destroy_exact(executor, 5, 0);
}

static void test_in_the_caller_the_group_is_known(void **state)
{
    (void)state;
    np_executor *executor = bounded(ONE_BY_ONE, 1, NP_INBOX_FULL_RUN);
    pool_gate gate = {0};
    pool_counter count = {0};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    hold(executor, &gate);
    fill(executor, &count, 1);
    assert_int_equal(np_group_submit(group, executor, fail_the_group, NULL), NP_OK);
    assert_int_equal(np_group_pending(group), 0);
    assert_int_equal(np_group_wait(group), NP_ERR_FAILED);
    assert_null(np_current_group());
    assert_int_equal(np_group_destroy(group), NP_OK);
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 2, 0);
}

typedef struct leftover {
    np_executor *target;
    pool_counter own, other;
    uint64_t own_after_join;
    np_status status;
} leftover;

static void leave_a_child(void *argument)
{
    leftover *l = argument;
    np_fork(pool_task_count, &l->other);
}

static void fork_submit_join(void *argument)
{
    leftover *l = argument;
    np_fork(pool_task_count, &l->own);
    l->status = np_submit(l->target, leave_a_child, l);
    np_join();
    l->own_after_join = npi_load_acquire(&l->own.value);
}

static void test_children_of_a_task_in_the_caller_are_its_own(void **state)
{
    (void)state;
    leftover l = {.target = bounded(ONE_BY_ONE, 1, NP_INBOX_FULL_RUN), .status = NP_ERR_FAILED};
    np_executor *other = pool_create(ONE_BY_ONE, NULL);
    pool_gate gate = {0};
    pool_counter count = {0};
    hold(l.target, &gate);
    fill(l.target, &count, 1);
    assert_int_equal(np_run(other, 0, fork_submit_join, &l), NP_OK);
    assert_int_equal(l.status, NP_OK);
    assert_int_equal(l.own_after_join, 1);
    assert_int_equal(npi_load_acquire(&l.other.value), 1);
    pool_gate_open(&gate);
    assert_int_equal(np_executor_destroy(other), NP_OK);
    pool_destroy_exact(l.target, 2, 0);
}

enum { SENDERS = 4, EACH = UNIT_SANITIZED ? 300 : 3000, BATCH = 50 };

static void send_many(void *argument)
{
    sender *s = argument;
    np_task batch[BATCH];
    for (unsigned i = 0; i < BATCH; i++)
        batch[i] = (np_task){pool_task_count, s->count};
    s->status = NP_OK;
    for (unsigned i = 0; i < EACH && s->status == NP_OK; i += 2 * BATCH) {
        size_t accepted = 0;
        s->status = np_submit_batch(s->executor, 0, batch, BATCH, &accepted);
        for (unsigned j = 0; j < BATCH && s->status == NP_OK; j++)
            s->status = np_submit_to_node(s->executor, 0, pool_task_count, s->count);
        if (accepted != BATCH)
            s->status = NP_ERR_FAILED;
    }
}

static void many_senders(const char *machine, uint32_t capacity)
{
    np_executor *executor = bounded(machine, capacity, NP_INBOX_FULL_BLOCK);
    pool_counter count = {0};
    sender s[SENDERS];
    npi_os_thread thread[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        s[i] = (sender){executor, &count, NP_AFFINITY_PREFERRED, NP_ERR_FAILED};
        assert_int_equal(npi_os_thread_start(&thread[i], 0, send_many, &s[i]), 0);
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        assert_int_equal(s[i].status, NP_OK);
    }
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), SENDERS * EACH);
    assert_int_equal(npi_load_acquire(&executor->nodes[0]->inbox.room.queued), 0);
    pool_destroy_exact(executor, SENDERS * EACH, 0);
}

static void test_block(void **state)
{
    (void)state;
    many_senders(ONE_BY_ONE, 1);
    many_senders(ONE_BY_TWO, 7);
    many_senders(TWO_BY_TWO, 64);
}

static void test_shutdown_releases_those_who_wait(void **state)
{
    (void)state;
    np_executor *executor = bounded(ONE_BY_ONE, 2, NP_INBOX_FULL_BLOCK);
    pool_gate gate = {0};
    pool_counter count = {0};
    hold(executor, &gate);
    fill(executor, &count, 2);
    sender s[SENDERS];
    npi_os_thread thread[SENDERS];
    for (unsigned i = 0; i < SENDERS; i++) {
        s[i] = (sender){executor, &count, NP_AFFINITY_PREFERRED, NP_OK};
        assert_int_equal(npi_os_thread_start(&thread[i], 0, send_one, &s[i]), 0);
    }
    await_waiting(executor, SENDERS);
    np_shutdown_result result;
    assert_int_equal(np_executor_shutdown_within(executor, 0, &result), NP_ERR_TIMEOUT);
    assert_int_equal(result.discarded, 2);
    assert_int_equal(result.running, 1);
    for (unsigned i = 0; i < SENDERS; i++) {
        assert_int_equal(npi_os_thread_join(&thread[i]), 0);
        assert_int_equal(s[i].status, NP_ERR_SHUT_DOWN);
    }
    assert_int_equal(npi_load_acquire(&executor->nodes[0]->inbox.room.queued), 0);
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 1, 2);
}

/* --- tasks that submit -------------------------------------------------------------------------
 */

typedef struct inner {
    np_executor *target;
    pool_counter count;
    np_status status;
} inner;

static void submit_beyond(void *argument)
{
    inner *in = argument;
    in->status = NP_OK;
    for (unsigned i = 0; i < 20 && in->status == NP_OK; i++)
        in->status = np_submit_with(in->target,
                                    NP_SUBMIT_OPTIONS(.to_node = true, .node = (np_node_id)(i % 2),
                                                      .affinity = NP_AFFINITY_STRICT),
                                    pool_task_count, &in->count);
}

static void test_tasks_of_the_executor_never_wait(void **state)
{
    (void)state;
    inner in = {.target = bounded("numa:2 core:1 pu:1", 1, NP_INBOX_FULL_BLOCK)};
    assert_int_equal(np_run(in.target, 0, submit_beyond, &in), NP_OK);
    assert_int_equal(in.status, NP_OK);
    assert_int_equal(np_executor_wait_idle(in.target, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&in.count.value), 20);
    pool_destroy_exact(in.target, 21, 0);
}

static void submit_elsewhere(void *argument)
{
    inner *in = argument;
    in->status = np_submit_to_node(in->target, 0, pool_task_count, &in->count);
}

static void test_workers_of_another_executor_need_a_spare(void **state)
{
    (void)state;
    inner in = {.target = bounded(ONE_BY_ONE, 1, NP_INBOX_FULL_BLOCK)};
    np_executor *other = pool_create(ONE_BY_ONE,
                                     NP_EXECUTOR_OPTIONS(.spare_workers = NP_SPARE_WORKERS_NONE));
    pool_gate gate = {0};
    hold(in.target, &gate);
    fill(in.target, &in.count, 1);
    assert_int_equal(np_run(other, 0, submit_elsewhere, &in), NP_OK);
    assert_int_equal(in.status, NP_ERR_NO_SPARE);
    assert_int_equal(np_executor_destroy(other), NP_OK);

    other = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_submit(other, submit_elsewhere, &in), NP_OK);
    await_waiting(in.target, 1);
    pool_counter meanwhile = {0};
    assert_int_equal(np_run(other, 0, pool_task_count, &meanwhile), NP_OK); /* on the spare one */
    pool_gate_open(&gate);
    assert_int_equal(np_executor_destroy(other), NP_OK);
    assert_int_equal(in.status, NP_OK);
    pool_destroy_exact(in.target, 3, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fail),
        cmocka_unit_test(test_run_in_the_caller),
        cmocka_unit_test(test_strict_tasks_do_not_run_in_the_caller),
        cmocka_unit_test(test_what_needs_a_worker_waits_for_one),
        cmocka_unit_test(test_in_the_caller_the_group_is_known),
        cmocka_unit_test(test_children_of_a_task_in_the_caller_are_its_own),
        cmocka_unit_test(test_block),
        cmocka_unit_test(test_shutdown_releases_those_who_wait),
        cmocka_unit_test(test_tasks_of_the_executor_never_wait),
        cmocka_unit_test(test_workers_of_another_executor_need_a_spare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
