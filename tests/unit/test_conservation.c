/*
 * Goal: no worker sleeps beside work it may do. Each test builds by hand one of the narrow moments
 * in which somebody relies on somebody else to look, and expects the task to be begun; a task that
 * nobody begins shows as a time-out.
 * Method: gates hold workers; where the moment depends on another worker being in the middle of its
 * search, the test takes that worker's part, with the internal calls that it would make.
 */
#include <sched.h>

#include "../support/parked.h"
#include "../support/pool.h"
#include "executor/executor.h"

#define PATIENCE_NS UINT64_C(20000000000)

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

static void submit_as(np_executor *executor, np_node_id node, np_task_affinity affinity,
                      np_task_fn fn, void *argument)
{
    np_submit_options options = {.size = sizeof options, .to_node = true, .node = node};
    options.affinity = affinity;
    assert_int_equal(np_submit_with(executor, &options, fn, argument), NP_OK);
}

/* --- the last searcher of a node answers for all that was left to it ---------------------------
 */

static void test_work_at_home_does_not_hide_work_abroad(void **state)
{
    (void)state;
    pool_gate held = {0}, left = {0};
    np_executor *executor = pool_create("numa:3 core:1 pu:1", NULL);
    submit_as(executor, 0, NP_AFFINITY_STRICT, pool_task_gate, &held);
    submit_as(executor, 1, NP_AFFINITY_STRICT, pool_task_gate, &held);
    pool_gate_await(&held, 2);
    parked_await(executor, 1); /* node 2's */
    /* A worker of node 1 is looking; therefore nobody is woken for what comes now. */
    npi_node *node = executor->nodes[1];
    npi_sleepers_search_begin(&node->sleepers);
    submit_as(executor, 0, NP_AFFINITY_ANY, pool_task_gate, &left);
    submit_as(executor, 1, NP_AFFINITY_STRICT, pool_task_gate, &held);
    assert_int_equal(npi_load_acquire(&executor->sleeping), 1);
    /* It finds one of node 1's own tasks and leaves the rest. */
    assert_true(npi_sleepers_search_end(&node->sleepers));
    npi_wake_next(node, NULL, false);
    assert_true(arrives(&left, 1)); /* on node 2, the only worker that is free */
    pool_gate_open(&left);
    pool_gate_open(&held);
    pool_destroy_exact(executor, 4, 0);
}

/* Who asks for others must hear that something may leave, though the first thing found may not. */
typedef struct fork_between {
    pool_gate *before, *after;
} fork_between;

static void leaf(void *argument)
{
    (void)argument;
}

static void fork_and_hold(void *argument)
{
    fork_between *f = argument;
    pool_gate_pass(f->before);
    np_fork(leaf, NULL);
    (void)npi_share_children(npi_worker_self(), UINT32_MAX);
    pool_gate_pass(f->after);
    np_join();
}

static void test_strict_work_does_not_hide_other_work(void **state)
{
    (void)state;
    pool_gate held = {0}, before = {0}, after = {0};
    fork_between f = {&before, &after};
    np_executor *executor = pool_create("numa:2 core:2 pu:1", NULL);
    npi_node *node = executor->nodes[0];
    for (unsigned i = 0; i < 2; i++)
        submit_as(executor, 1, NP_AFFINITY_STRICT, pool_task_gate, &held);
    submit_as(executor, 0, NP_AFFINITY_STRICT, fork_and_hold, &f);
    submit_as(executor, 0, NP_AFFINITY_PREFERRED, fork_and_hold, &f);
    pool_gate_await(&held, 2); /* nobody is left who could take a child */
    pool_gate_await(&before, 2);
    npi_look look = npi_sources_look_at(node, 0, NULL);
    assert_int_equal(look.kind, NPI_LOOK_NOTHING);
    pool_gate_open(&before);
    pool_gate_await(&after, 2);
    look = npi_sources_look_at(node, 0, NULL);
    assert_int_equal(look.kind, NPI_LOOK_WORK);
    assert_true(look.may_leave);
    assert_false(look.gated);
    pool_gate_open(&after);
    pool_gate_open(&held);
    pool_destroy_exact(executor, 4, 0);
}

/* --- fork and join -------------------------------------------------------------------------------
 */

typedef struct asking {
    pool_gate gate; /* the child's */
    bool begun;
} asking;

static void ask_now(void *argument)
{
    (void)argument;
    npi_deque_ask(&npi_worker_self()->deque); /* as a worker on its way to sleep would */
}

static void ask_when_there_is_nothing(void *argument)
{
    asking *a = argument;
    npi_worker *self = npi_worker_self();
    parked_await(self->executor, 1);
    npi_store_relaxed(&self->deque.hungry, 0u);
    np_fork(ask_now, NULL);
    np_join(); /* the question comes while the only child runs */
    np_fork(pool_task_gate, &a->gate);
    a->begun = arrives(&a->gate, 1); /* on the other worker */
    pool_gate_open(&a->gate);
    np_join();
}

static void test_a_question_is_not_forgotten(void **state)
{
    (void)state;
    asking a = {.begun = false};
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    assert_int_equal(np_run(executor, 0, ask_when_there_is_nothing, &a), NP_OK);
    assert_true(a.begun);
    pool_destroy_exact(executor, 1, 0);
}

/* --- waiting inside a task
 * ------------------------------------------------------------------------ */

typedef struct order {
    np_executor *executor;
    np_group *group;
    np_atomic(uint32_t) next;
    uint32_t child, task; /* when they ran */
} order;

static void note_child(void *argument)
{
    order *o = argument;
    o->child = npi_fetch_add_relaxed(&o->next, 1u);
}

static void note_task(void *argument)
{
    order *o = argument;
    o->task = npi_fetch_add_relaxed(&o->next, 1u);
}

static void fork_submit_wait(void *argument)
{
    order *o = argument;
    assert_int_equal(np_group_submit(o->group, o->executor, note_task, o), NP_OK);
    np_fork(note_child, o);
    assert_int_equal(np_group_wait(o->group), NP_OK);
    np_join();
}

static void test_own_children_come_first(void **state)
{
    (void)state;
    order o = {.executor = pool_create(ONE_BY_ONE, NULL)};
    assert_int_equal(np_group_create(NULL, &o.group), NP_OK);
    assert_int_equal(np_run(o.executor, 0, fork_submit_wait, &o), NP_OK);
    assert_int_equal(o.child, 0);
    assert_int_equal(o.task, 1);
    assert_int_equal(np_group_destroy(o.group), NP_OK);
    pool_destroy_exact(o.executor, 2, 0);
}

/*
 * A waiting task's children stay within reach while another task runs on top of it, however that
 * one shares and takes back its own: here the last of four children opens the gate on which the
 * group that is waited for depends.
 */
typedef struct buried {
    np_group *group; /* one task on the other executor, held by the gate */
    pool_gate gate;
    pool_counter children;
    np_status waited;
} buried;

static void child_of_buried(void *argument)
{
    buried *b = argument;
    if (npi_load_acquire(&b->children.value) == 0) {
        /* Forks, shares, and takes back: half of what is shared, but nothing of its parent's. */
        np_fork(leaf, NULL);
        (void)npi_share_children(npi_worker_self(), UINT32_MAX);
        np_join();
    }
    if (npi_fetch_add_acq_rel(&b->children.value, (uint64_t)1) == 3)
        pool_gate_open(&b->gate);
}

static void wait_on_top_of_children(void *argument)
{
    buried *b = argument;
    for (unsigned i = 0; i < 4; i++)
        np_fork(child_of_buried, b);
    b->waited = np_group_wait_for(b->group, PATIENCE_NS);
    for (unsigned i = 0; i < 4; i++)
        np_join();
}

static void test_children_of_a_waiting_task_stay_in_reach(void **state)
{
    (void)state;
    buried b = {0};
    np_executor *other = pool_create(ONE_BY_ONE, NULL);
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_group_create(NULL, &b.group), NP_OK);
    assert_int_equal(np_group_submit(b.group, other, pool_task_gate, &b.gate), NP_OK);
    assert_int_equal(np_run(executor, 0, wait_on_top_of_children, &b), NP_OK);
    assert_int_equal(b.waited, NP_OK);
    assert_int_equal(np_group_destroy(b.group), NP_OK);
    pool_destroy_exact(executor, 1, 0);
    pool_destroy_exact(other, 1, 0);
}

/* --- no task starves
 * ------------------------------------------------------------------------------ */

/* One task that submits itself again until told to stop: its worker never runs out of work. */
typedef struct perpetual {
    np_executor *executor;
    np_atomic(uint32_t) stop;
    np_atomic(uint64_t) rounds;
} perpetual;

static void go_on(void *argument)
{
    perpetual *p = argument;
    npi_fetch_add_relaxed(&p->rounds, (uint64_t)1);
    if (npi_load_acquire(&p->stop) == 0)
        assert_int_equal(np_submit(p->executor, go_on, p), NP_OK);
}

typedef struct leaving {
    np_executor *executor;
    np_leave *leave;
    pool_counter left; /* tasks in the queue of a seat that nobody sits on any more */
} leaving;

static void submit_and_leave(void *argument)
{
    leaving *l = argument;
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(np_submit(l->executor, pool_task_count, &l->left), NP_OK);
    np_leave_now(l->leave);
}

static void be_guest(void *argument)
{
    leaving *l = argument;
    assert_int_equal(np_worker_run(l->executor, 0, l->leave), NP_OK);
}

static void test_what_a_guest_leaves_does_not_starve(void **state)
{
    (void)state;
    pool_gate hold = {0};
    pool_counter inbox = {0};
    npi_os_thread guest;
    leaving l = {.executor = pool_create(ONE_BY_ONE, NULL)};
    perpetual p = {.executor = l.executor};
    assert_int_equal(np_leave_create(&l.leave), NP_OK);
    assert_int_equal(np_submit(l.executor, pool_task_gate, &hold), NP_OK);
    pool_gate_await(&hold, 1); /* the regular worker is held, so the guest gets this: */
    assert_int_equal(np_submit(l.executor, submit_and_leave, &l), NP_OK);
    assert_int_equal(npi_os_thread_start(&guest, 0, be_guest, &l), 0);
    assert_int_equal(npi_os_thread_join(&guest), 0);
    assert_int_equal(np_submit(l.executor, go_on, &p), NP_OK);
    assert_int_equal(np_submit(l.executor, pool_task_count, &inbox), NP_OK);
    pool_gate_open(&hold);
    uint64_t deadline = npi_os_deadline(PATIENCE_NS);
    while ((npi_load_acquire(&l.left.value) < 10 || npi_load_acquire(&inbox.value) < 1) &&
           npi_os_now() < deadline)
        sched_yield();
    assert_int_equal(npi_load_acquire(&l.left.value), 10); /* while the other goes round */
    assert_int_equal(npi_load_acquire(&inbox.value), 1);
    npi_store_release(&p.stop, 1u);
    assert_int_equal(np_executor_shutdown(l.executor), NP_OK);
    pool_destroy_exact(l.executor, 13 + npi_load_relaxed(&p.rounds), 0);
    np_leave_destroy(l.leave);
}

/* --- a wait that could never end is refused
 * ------------------------------------------------------- */

typedef struct pile {
    np_group *lower; /* the group of the task below */
    np_group *awaited;
    np_status top, below;
} pile;

static void wait_for_lower(void *argument)
{
    pile *p = argument;
    p->top = np_group_wait(p->lower);
}

static void wait_below(void *argument)
{
    pile *p = argument;
    assert_int_equal(np_group_submit(p->awaited, np_current_executor(), wait_for_lower, p), NP_OK);
    p->below = np_group_wait(p->awaited);
}

static void test_waiting_for_what_lies_beneath(void **state)
{
    (void)state;
    pile p = {0};
    np_executor *executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_group_create(NULL, &p.lower), NP_OK);
    assert_int_equal(np_group_create(NULL, &p.awaited), NP_OK);
    assert_int_equal(np_group_submit(p.lower, executor, wait_below, &p), NP_OK);
    assert_int_equal(np_group_wait(p.lower), NP_OK);
    assert_int_equal(p.top, NP_ERR_FROM_WORKER);
    assert_int_equal(p.below, NP_OK);
    assert_int_equal(np_group_destroy(p.lower), NP_OK);
    assert_int_equal(np_group_destroy(p.awaited), NP_OK);
    pool_destroy_exact(executor, 2, 0);
}

/* --- tasks that wait do not pile up until the stack ends -----------------------------------------
 */

enum { DEEP_TASKS = 500 };

typedef struct deep {
    np_executor *executor;
    pool_gate gate; /* opened when all of them wait, each for a task behind it */
    np_atomic(uint32_t) begun;
    pool_counter answered;
} deep;

static void wait_for_the_other_node(void *argument)
{
    deep *d = argument;
    if (npi_fetch_add_acq_rel(&d->begun, 1u) == DEEP_TASKS - 1)
        pool_gate_open(&d->gate);
    assert_int_equal(np_run(d->executor, 1, pool_task_count, &d->answered), NP_OK);
}

static void test_waits_inside_each_other(void **state)
{
    (void)state;
    deep d = {.begun = 0};
    /* Far too small for five hundred of them on top of each other. */
    d.executor = pool_create(
        "numa:2 core:1 pu:1",
        NP_EXECUTOR_OPTIONS(.stack_size = UNIT_SANITIZED ? 512 << 10 : 128 << 10,
                            .spare_workers = 32));
    submit_as(d.executor, 1, NP_AFFINITY_STRICT, pool_task_gate, &d.gate);
    for (unsigned i = 0; i < DEEP_TASKS; i++)
        submit_as(d.executor, 0, NP_AFFINITY_STRICT, wait_for_the_other_node, &d);
    pool_destroy_exact(d.executor, 2 * DEEP_TASKS + 1, 0);
    assert_int_equal(npi_load_acquire(&d.answered.value), DEEP_TASKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_work_at_home_does_not_hide_work_abroad),
        cmocka_unit_test(test_strict_work_does_not_hide_other_work),
        cmocka_unit_test(test_a_question_is_not_forgotten),
        cmocka_unit_test(test_own_children_come_first),
        cmocka_unit_test(test_children_of_a_waiting_task_stay_in_reach),
        cmocka_unit_test(test_what_a_guest_leaves_does_not_starve),
        cmocka_unit_test(test_waits_inside_each_other),
        cmocka_unit_test(test_waiting_for_what_lies_beneath),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
