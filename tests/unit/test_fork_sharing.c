/*
 * Goal: forked children come within reach of those who sleep, whatever the deque looks like when
 * they are forked: full, hidden from other nodes a moment ago, or asked about a moment too late.
 * Too many joins harm nobody. Method: gates hold workers until the moment in question is there; a
 * child that nobody begins shows as a time-out.
 */
#define NP_FAST_CHECKS
#include <numaperf/fast.h>

#include <sched.h>

#include "../support/pool.h"
#include "executor/group_internal.h"

#define PATIENCE_NS UINT64_C(10000000000)

static bool arrives(pool_gate *gate, uint32_t count)
{
    uint64_t deadline = npi_os_deadline(PATIENCE_NS);
    for (;;) {
        uint32_t arrived = npi_load_acquire(&gate->arrived);
        if (arrived >= count || npi_os_now() >= deadline)
            return arrived >= count;
        (void)npi_os_futex_wait(&gate->arrived, arrived, deadline);
    }
}

/* Until a worker sleeps that has gone to sleep so often; it counts that after its last look. */
static void await_asleep(npi_worker *worker, uint64_t times)
{
    while (npi_counter_read(&worker->counters, NP_COUNTER_PARKS) < times ||
           npi_load_acquire(&worker->executor->sleeping) != 1)
        sched_yield();
}

static void await_question(void)
{
    while (npi_load_relaxed(&npi_worker_self()->deque.hungry) == 0)
        sched_yield();
}

static void leaf(void *argument)
{
    (void)argument;
}

/* --- a full deque --------------------------------------------------------------------------------
 */

typedef struct full {
    pool_gate first, second, rest;
    bool begun; /* one of the rest */
} full;

static void see(void *argument)
{
    full *f = argument;
    f->begun = arrives(&f->rest, 1);
    pool_gate_open(&f->rest);
}

static uintptr_t see_fast(np_worker *self, uintptr_t argument)
{
    (void)self;
    see((void *)argument);
    return 1;
}

/* Ends with a full deque, of which nothing is shared, and the other worker at the second gate. */
static void fill(full *f)
{
    np_fork(pool_task_gate, &f->first);
    assert_true(arrives(&f->first, 1)); /* it took the last one in sight, and asked for more: */
    np_fork(pool_task_gate, &f->second);
    for (unsigned i = 2; i < NPI_DEQUE_CAPACITY; i++)
        np_fork(pool_task_gate, &f->rest);
    assert_true(npi_load_relaxed(&npi_worker_self()->deque.hungry) == 0);
}

static void join_all(void)
{
    for (unsigned i = 0; i < NPI_DEQUE_CAPACITY; i++)
        np_join();
}

/* The child runs inside np_fork(). */
static void fork_plain_when_full(void *argument)
{
    full *f = argument;
    fill(f);
    pool_gate_open(&f->first);
    pool_gate_open(&f->second);
    await_question(); /* it has found nothing */
    np_fork(see, f);
    np_join();
    join_all();
}

/* The child runs inside np_fast_join(). */
static void fork_fast_when_full(void *argument)
{
    full *f = argument;
    fill(f);
    np_fast_fork(np_fast_self(), see_fast, (uintptr_t)f);
    pool_gate_open(&f->first);
    pool_gate_open(&f->second);
    await_question();
    assert_int_equal(np_fast_join(np_fast_self(), see_fast, (uintptr_t)f), 1);
    join_all();
}

static void test_a_full_deque_is_shared_too(void **state)
{
    (void)state;
    np_task_fn forms[] = {fork_plain_when_full, fork_fast_when_full};
    for (unsigned i = 0; i < 2; i++) {
        full f = {.begun = false};
        np_executor *executor = pool_create(ONE_BY_TWO, NULL);
        assert_int_equal(np_run(executor, 0, forms[i], &f), NP_OK);
        assert_true(f.begun);
        pool_destroy_exact(executor, 1, 0);
    }
}

/* --- sleepers that have not asked, or not been heard ---------------------------------------------
 */

typedef struct sharing {
    pool_gate gate; /* the child's */
    bool begun;
} sharing;

/* A sleeper looks, sees nothing, asks and sleeps; the child is shared between its look and its
 * question. */
static void fork_before_the_question(void *argument)
{
    sharing *s = argument;
    npi_worker *self = npi_worker_self();
    await_asleep(self->executor->seats[1 - self->index], 1);
    npi_store_relaxed(&self->deque.hungry, 0u);
    np_fork(pool_task_gate, &s->gate);
    npi_deque_ask(&self->deque);
    s->begun = arrives(&s->gate, 1);
    pool_gate_open(&s->gate);
    np_join();
}

static void test_a_question_that_comes_too_late(void **state)
{
    (void)state;
    sharing s = {.begun = false};
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    assert_int_equal(np_run(executor, 0, fork_before_the_question, &s), NP_OK);
    assert_true(s.begun);
    pool_destroy_exact(executor, 1, 0);
}

static void answer_at_home_only(void *argument)
{
    pool_gate_pass(argument);
    await_question();
    np_fork(leaf, NULL);
    np_join();
    assert_int_equal(npi_load_relaxed(&npi_worker_self()->deque.hungry), 0);
}

static void fork_for_anybody(void *argument)
{
    sharing *s = argument;
    assert_int_equal(np_current_node(), 0);
    np_fork(pool_task_gate, &s->gate);
    s->begun = arrives(&s->gate, 1);
    pool_gate_open(&s->gate);
    np_join();
}

/* A strict task answers the question of another node's worker, which must not have its children; it
 * has not asked again when the next task forks one that it may have. */
static void test_strict_children_do_not_use_up_the_question(void **state)
{
    (void)state;
    sharing s = {.begun = false};
    pool_gate hold = {0};
    np_executor *executor = pool_create(
        "numa:2 core:1 pu:1", NP_EXECUTOR_OPTIONS(.gate_age_ns = UINT64_C(3600000000000)));
    np_submit_options strict = {.size = sizeof strict, .to_node = true, .node = 0};
    strict.affinity = NP_AFFINITY_STRICT;
    assert_int_equal(np_submit_with(executor, &strict, answer_at_home_only, &hold), NP_OK);
    pool_gate_await(&hold, 1);
    npi_worker *other = npi_node_seat(executor->nodes[1], 0);
    await_asleep(other, 1);
    uint64_t times = npi_counter_read(&other->counters, NP_COUNTER_PARKS);
    assert_int_equal(np_submit_to_node(executor, 0, fork_for_anybody, &s), NP_OK);
    await_asleep(other, times + 1); /* woken for that one, which the gate keeps at home */
    pool_gate_open(&hold);
    pool_destroy_exact(executor, 2, 0);
    assert_true(s.begun);
}

/* Meanwhile, on top of it, a part of the same task is strict, and the other node's worker goes to
 * sleep; the child was shared before, and is there for it again afterwards. */
typedef struct hidden {
    pool_gate hold; /* the other node's worker */
    sharing child;
} hidden;

static void let_the_other_sleep(void *argument)
{
    hidden *h = argument;
    npi_worker *other = npi_node_seat(np_current_executor()->nodes[1], 0);
    uint64_t times = npi_counter_read(&other->counters, NP_COUNTER_PARKS);
    pool_gate_open(&h->hold);
    await_asleep(other, times + 1);
}

static void hide_a_child(void *argument)
{
    hidden *h = argument;
    npi_worker *self = npi_worker_self();
    assert_int_equal(np_current_node(), 0);
    np_fork(pool_task_gate, &h->child.gate);
    assert_true(npi_deque_has_shared(&self->deque, false));
    npi_frame strict = *self->frame;
    strict.strict = true;
    npi_run_framed(self, &strict, let_the_other_sleep, h);
    h->child.begun = arrives(&h->child.gate, 1);
    pool_gate_open(&h->child.gate);
    np_join();
}

static void test_children_that_were_hidden(void **state)
{
    (void)state;
    hidden h = {.child = {.begun = false}};
    np_executor *executor = pool_create("numa:2 core:1 pu:1", NULL);
    np_submit_options strict = {.size = sizeof strict, .to_node = true, .node = 1};
    strict.affinity = NP_AFFINITY_STRICT;
    assert_int_equal(np_submit_with(executor, &strict, pool_task_gate, &h.hold), NP_OK);
    pool_gate_await(&h.hold, 1);
    assert_int_equal(np_run(executor, 0, hide_a_child, &h), NP_OK);
    assert_true(h.child.begun);
    pool_destroy_exact(executor, 2, 0);
}

/* Private children of the body beneath are shared with its frame. */
static void share_both(void *argument)
{
    npi_worker *self = npi_worker_self();
    const npi_child *child = self->deque.head;
    np_fork(leaf, NULL);
    assert_int_equal(npi_share_children(self, UINT32_MAX), 2);
    assert_ptr_equal(npi_plain_get(&child[-1].frame), argument);
    assert_ptr_equal(npi_plain_get(&child[0].frame), self->frame);
    assert_ptr_not_equal(self->frame, argument);
    np_join();
}

static void fork_in_two_frames(void *argument)
{
    (void)argument;
    npi_worker *self = npi_worker_self();
    np_fork(leaf, NULL); /* shared at once */
    np_fork(leaf, NULL);
    npi_frame inner = *self->frame;
    npi_run_framed(self, &inner, share_both, (void *)(uintptr_t)self->frame);
    np_join();
    np_join();
}

static void test_frames(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_run(executor, 0, fork_in_two_frames, NULL), NP_OK);
    pool_destroy_exact(executor, 1, 0);
}

/* --- more joins than forks, and fewer ------------------------------------------------------------
 */

static void join_what_is_not_mine(void *argument)
{
    np_join();
    pool_task_count(argument);
}

static uintptr_t count_fast(np_worker *self, uintptr_t argument)
{
    (void)self;
    pool_task_count((void *)argument);
    return 5;
}

static void fork_on_top_of_a_wrong_join(void *argument)
{
    np_worker *self = np_fast_self();
    for (unsigned i = 0; i < NPI_DEQUE_CAPACITY; i++)
        np_fork(pool_task_count, argument);
    np_fork(join_what_is_not_mine, argument); /* in place; ends the youngest of its parent's */
    np_fast_fork(self, count_fast, (uintptr_t)argument);
    assert_int_equal(np_fast_join(self, count_fast, (uintptr_t)argument), 5);
    for (unsigned i = 0; i < NPI_DEQUE_CAPACITY + 3; i++)
        np_join();
}

static void test_a_join_too_many_on_a_full_deque(void **state)
{
    (void)state;
    const char *machines[] = {ONE_BY_ONE, ONE_BY_TWO};
    for (unsigned i = 0; i < 2; i++) {
        pool_counter count = {0};
        np_executor *executor = pool_create(machines[i], NULL);
        assert_int_equal(np_run(executor, 0, fork_on_top_of_a_wrong_join, &count), NP_OK);
        assert_int_equal(npi_load_acquire(&count.value), NPI_DEQUE_CAPACITY + 2);
        pool_destroy_exact(executor, 1, 0);
    }
}

static uintptr_t leave_one_unjoined(np_worker *self, uintptr_t argument)
{
    np_fast_fork(self, count_fast, argument);
    return 1;
}

static void leave_two_unjoined(void *argument)
{
    np_fast_fork(np_fast_self(), leave_one_unjoined, (uintptr_t)argument);
}

/* Children of the fast form left to the library lie in each other's slots. */
static void test_unjoined_fast_children(void **state)
{
    (void)state;
    pool_counter count = {0};
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_run(executor, 0, leave_two_unjoined, &count), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 1);
    pool_destroy_exact(executor, 1, 0);
}

/* --- a call that is handed back ------------------------------------------------------------------
 */

static void count_discard(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    (void)fn;
    (void)argument;
    (void)reason;
    pool_task_count(context);
}

typedef struct caller {
    np_executor *executor;
    pool_counter run;
    np_status status;
    uintptr_t result;
} caller;

static void call_fast(void *argument)
{
    caller *c = argument;
    c->status = np_run_fast(c->executor, 0, count_fast, (uintptr_t)&c->run, &c->result);
}

/* Its caller is told; the discard callback could make nothing of a function that is not the
 * caller's. */
static void test_discarded_fast_call(void **state)
{
    (void)state;
    pool_gate hold = {0};
    pool_counter discards = {0};
    npi_os_thread thread;
    caller c = {.result = 9};
    c.executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.on_discard = count_discard, .discard_context = &discards));
    assert_int_equal(np_submit(c.executor, pool_task_gate, &hold), NP_OK);
    pool_gate_await(&hold, 1);
    assert_int_equal(npi_os_thread_start(&thread, 0, call_fast, &c), 0);
    while (np_executor_pending(c.executor) != 2)
        sched_yield();
    assert_int_equal(np_executor_shutdown_within(c.executor, 0, NULL), NP_ERR_TIMEOUT);
    assert_int_equal(npi_os_thread_join(&thread), 0);
    assert_int_equal(c.status, NP_ERR_CANCELLED);
    assert_int_equal(c.result, 9);
    assert_int_equal(npi_load_acquire(&c.run.value), 0);
    assert_int_equal(npi_load_acquire(&discards.value), 0);
    pool_gate_open(&hold);
    pool_destroy_exact(c.executor, 1, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_full_deque_is_shared_too),
        cmocka_unit_test(test_a_question_that_comes_too_late),
        cmocka_unit_test(test_strict_children_do_not_use_up_the_question),
        cmocka_unit_test(test_children_that_were_hidden),
        cmocka_unit_test(test_frames),
        cmocka_unit_test(test_a_join_too_many_on_a_full_deque),
        cmocka_unit_test(test_unjoined_fast_children),
        cmocka_unit_test(test_discarded_fast_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
