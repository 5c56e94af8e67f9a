/*
 * Goal: when a node loses its last CPU, what may leave it runs elsewhere and is counted, what may
 * not waits, nobody is woken for that, and all of it runs at home when the CPUs are back. Method:
 * virtual machines whose CPUs the test takes away and gives back; gates decide what runs when.
 */
#include "../support/parked.h"
#include "../support/refresh.h"

/* --- displaced ------------------------------------------------------------------------------- */

static void test_preferred_and_any_move(void **state)
{
    (void)state;
    const np_task_affinity kinds[] = {NP_AFFINITY_PREFERRED, NP_AFFINITY_ANY};
    const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_STEAL_ANY};
    for (unsigned i = 0; i < 4; i++) {
        refresh_places p = {0};
        np_stats *stats = NULL;
        np_executor *executor = pool_create(FOUR_NODES,
                                            NP_EXECUTOR_OPTIONS(.steal_policy = policies[i % 2]));
        np_refresh_result result = refresh_to(executor, "0,2-3");
        assert_true(result.changed);
        assert_int_equal(result.nodes_lost, 1);
        assert_int_equal(result.nodes_gone, 1);
        assert_int_equal(result.workers_rebound, 0); /* a virtual machine binds nobody */
        refresh_submit(executor, 1, kinds[i / 2], NULL, 500, &p);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        assert_int_equal(npi_load_acquire(&p.total), 500);
        assert_int_equal(npi_load_acquire(&p.ran[1]), 0);
        assert_int_equal(npi_load_acquire(&p.strangers), 0);
        assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
        assert_int_equal(np_stats_total(stats, NP_COUNTER_DISPLACED), 500);
        assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME), 0);
        assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY), 500);
        assert_int_equal(np_stats_total(stats, NP_COUNTER_AWAY_BACKLOG), 0);
        assert_int_equal(np_stats_matrix(stats, 1, 1), 0);
        for (np_node_id node = 0; node < 4; node++)
            assert_int_equal(np_stats_matrix(stats, 1, node), npi_load_acquire(&p.ran[node]));
        np_stats_destroy(stats);
        pool_destroy_exact(executor, 500, 0);
    }
}

/* Nobody else is free to take them: the node's own worker does, on the nearest node. */
static void test_nearest_node(void **state)
{
    (void)state;
    const struct {
        const char *cpus;
        np_node_id place;
    } cases[] = {{"0,2-3", 0}, {"2-3", 2}, {"3", 3}};
    for (unsigned i = 0; i < 3; i++) {
        refresh_places p = {0};
        pool_gate gate = {0, 0};
        np_executor *executor = pool_create(FOUR_NODES, NULL);
        for (np_node_id node = 0; node < 4; node++) {
            np_submit_options strict = refresh_options(node, NP_AFFINITY_STRICT, NULL);
            if (node != 1)
                assert_int_equal(np_submit_with(executor, &strict, pool_task_gate, &gate), NP_OK);
        }
        pool_gate_await(&gate, 3);
        (void)refresh_to(executor, cases[i].cpus);
        refresh_submit(executor, 1, NP_AFFINITY_PREFERRED, NULL, 50, &p);
        while (npi_load_acquire(&p.total) < 50)
            sched_yield();
        assert_int_equal(npi_load_acquire(&p.ran[cases[i].place]), 50);
        pool_gate_open(&gate);
        pool_destroy_exact(executor, 53, 0);
    }
}

/* The machine has moved from under the whole executor: nothing of it is left, and work goes on. */
static void test_no_node_is_left(void **state)
{
    (void)state;
    refresh_places p = {0};
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    np_refresh_result result = refresh_to(executor, "77");
    assert_int_equal(result.nodes_gone, 4);
    for (np_node_id node = 0; node < 4; node++)
        refresh_submit(executor, node, NP_AFFINITY_PREFERRED, NULL, 100, &p);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(refresh_counter(executor, NP_COUNTER_DISPLACED), 400);
    assert_int_equal(refresh_counter(executor, NP_COUNTER_EXECUTED_HOME), 0);
    result = refresh_to(executor, "0-3");
    assert_int_equal(result.nodes_restored, 4);
    assert_int_equal(result.nodes_gone, 0);
    refresh_submit(executor, 3, NP_AFFINITY_STRICT, NULL, 100, &p);
    pool_destroy_exact(executor, 500, 0);
    assert_int_equal(npi_load_acquire(&p.ran[3]) >= 100, 1);
}

/* Also pollers, which wake for nobody, must see their node go and come back. */
static void test_busy_workers(void **state)
{
    (void)state;
    refresh_places p = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.spin_ns = NP_SPIN_BUSY));
    for (unsigned round = 0; round < 3; round++) {
        (void)refresh_to(executor, "0-1");
        refresh_submit(executor, 1, NP_AFFINITY_PREFERRED, NULL, 20, &p);
        refresh_submit(executor, 1, NP_AFFINITY_STRICT, NULL, 20, &p);
        while (npi_load_acquire(&p.total) < 40 * round + 20)
            sched_yield();
        assert_int_equal(npi_load_acquire(&p.ran[1]), 20 * round);
        (void)refresh_to(executor, "0-3");
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
        assert_int_equal(npi_load_acquire(&p.ran[1]), 20 * (round + 1));
    }
    pool_destroy_exact(executor, 120, 0);
}

/* --- what waits ------------------------------------------------------------------------------ */

static void test_strict_tasks_wait(void **state)
{
    (void)state;
    refresh_places strict = {0}, free_ones = {0};
    np_executor_load load;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    (void)refresh_to(executor, "0,2-3");
    parked_await(executor, 4);
    uint64_t wakes = refresh_counter(executor, NP_COUNTER_WAKES);
    refresh_submit(executor, 1, NP_AFFINITY_STRICT, NULL, 100, &strict);
    assert_int_equal(refresh_counter(executor, NP_COUNTER_WAKES), wakes);
    refresh_submit(executor, 1, NP_AFFINITY_ANY, NULL, 50, &free_ones);
    refresh_submit(executor, 1, NP_AFFINITY_PREFERRED, NULL, 50, &free_ones);
    while (npi_load_acquire(&free_ones.total) < 100)
        sched_yield();
    parked_await(executor, 4); /* they sleep beside the queue */
    assert_int_equal(np_executor_load_now(executor, &load), NP_OK);
    assert_int_equal(load.queued, 100);
    assert_int_equal(load.running, 0);
    assert_int_equal(npi_load_acquire(&strict.total), 0);
    assert_int_equal(np_executor_wait_idle(executor, 1000000), NP_ERR_TIMEOUT);
    np_refresh_result result = refresh_to(executor, "0-3");
    assert_int_equal(result.nodes_restored, 1);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&strict.ran[1]), 100);
    assert_int_equal(refresh_counter(executor, NP_COUNTER_DISPLACED), 100);
    pool_destroy_exact(executor, 200, 0);
}

typedef struct breeder {
    pool_gate gate;
    np_executor *executor;
    refresh_places places;
} breeder;

/* Leaves tasks in its worker's own queue. */
static void breed(void *argument)
{
    breeder *b = argument;
    pool_gate_pass(&b->gate);
    refresh_submit(b->executor, 1, NP_AFFINITY_PREFERRED, NULL, 30, &b->places);
}

static void test_local_only_waits(void **state)
{
    (void)state;
    breeder b = {.gate = {0, 0}};
    np_executor_load load;
    b.executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    assert_int_equal(np_submit_to_node(b.executor, 1, breed, &b), NP_OK);
    pool_gate_await(&b.gate, 1);
    (void)refresh_to(b.executor, "0-1");
    pool_gate_open(&b.gate);
    b.places.home = 1;
    for (unsigned i = 0; i < 20; i++)
        assert_int_equal(np_submit_to_node(b.executor, 1, refresh_note, &b.places), NP_OK);
    parked_await(b.executor, 4);
    assert_int_equal(np_executor_load_now(b.executor, &load), NP_OK);
    assert_int_equal(load.executed, 1);
    assert_int_equal(load.queued, 50);
    assert_int_equal(load.running, 0);
    (void)refresh_to(b.executor, "0-2"); /* one of its two CPUs */
    assert_int_equal(np_executor_wait_idle(b.executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&b.places.ran[1]), 50);
    pool_destroy_exact(b.executor, 51, 0);
}

/* --- taken a moment too late ----------------------------------------------------------------- */

typedef struct taker {
    pool_gate gate;
    np_task_affinity kind;
    unsigned taken;
} taker;

/* As a worker does that had begun to look before its node went. */
static void take_and_run(void *argument)
{
    taker *t = argument;
    npi_task task;
    uint32_t cursor = 0;
    pool_gate_pass(&t->gate);
    for (t->taken = 0; t->taken < 25; t->taken++) {
        npi_worker *self = npi_worker_self();
        assert_true(npi_inbox_take(&self->node->inbox, 1u << t->kind, &cursor, &task));
        npi_run_task(self, &task);
    }
}

static void note_copy(void *argument)
{
    refresh_places *const *copy = argument;
    refresh_note(copy[4]);
}

static void taken_too_late(np_steal_policy policy, np_task_affinity kind, uint32_t capacity)
{
    refresh_places p = {.home = 1};
    taker t = {.gate = {0, 0}, .kind = kind};
    np_executor_load load;
    np_executor *executor = pool_create(
        "numa:2 core:1 pu:1",
        NP_EXECUTOR_OPTIONS(.steal_policy = policy, .inbox_capacity = capacity));
    np_submit_options first = refresh_options(1, NP_AFFINITY_STRICT, NULL);
    assert_int_equal(np_submit_with(executor, &first, take_and_run, &t), NP_OK);
    pool_gate_await(&t.gate, 1);
    refresh_places *copy[5] = {NULL, NULL, NULL, NULL, &p};
    np_submit_options plain = refresh_options(1, kind, NULL), copied = plain;
    copied.copy_bytes = sizeof copy;
    for (unsigned i = 0; i < 10; i++) {
        assert_int_equal(np_submit_with(executor, &plain, refresh_note, &p), NP_OK);
        assert_int_equal(np_submit_with(executor, &copied, note_copy, copy), NP_OK);
    }
    (void)refresh_to(executor, "0");
    pool_gate_open(&t.gate);
    parked_await(executor, 2);
    assert_int_equal(t.taken, 25);
    assert_int_equal(npi_load_acquire(&p.total), 0);
    assert_int_equal(np_executor_load_now(executor, &load), NP_OK);
    assert_int_equal(load.accepted, 21);
    assert_int_equal(load.queued, 20);
    if (capacity != 0)
        assert_int_equal(npi_load_relaxed(&executor->nodes[1]->inbox.room.queued), 20);
    (void)refresh_to(executor, "0-1");
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(npi_load_acquire(&p.ran[1]), 20);
    pool_destroy_exact(executor, 21, 0);
}

static void test_taken_too_late(void **state)
{
    (void)state;
    taken_too_late(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_AFFINITY_STRICT, 0);
    taken_too_late(NP_STEAL_ANY, NP_AFFINITY_STRICT, 30);
    taken_too_late(NP_STEAL_LOCAL_ONLY, NP_AFFINITY_PREFERRED, 0);
    taken_too_late(NP_STEAL_LOCAL_ONLY, NP_AFFINITY_ANY, 30);
}

/* --- inside tasks ---------------------------------------------------------------------------- */

typedef struct family {
    pool_gate gate;
    np_atomic(uint64_t) children;
    np_atomic(uint64_t) strangers;
    uint32_t parent;
} family;

static void child(void *argument)
{
    family *f = argument;
    if (np_current_worker_index() != f->parent)
        npi_fetch_add_relaxed(&f->strangers, (uint64_t)1);
    npi_fetch_add_relaxed(&f->children, (uint64_t)1);
}

static void strict_parent(void *argument)
{
    family *f = argument;
    f->parent = np_current_worker_index();
    pool_gate_pass(&f->gate);
    for (unsigned i = 0; i < 500; i++)
        np_fork(child, argument);
    for (unsigned i = 0; i < 500; i++)
        np_join();
}

/* The task was running when its node went. Its children are as strict as itself. */
static void test_children_of_a_strict_task(void **state)
{
    (void)state;
    family f = {.gate = {0, 0}};
    np_executor *executor = pool_create("numa:2 core:4 pu:1", NULL);
    np_submit_options strict = refresh_options(1, NP_AFFINITY_STRICT, NULL);
    assert_int_equal(np_submit_with(executor, &strict, strict_parent, &f), NP_OK);
    pool_gate_await(&f.gate, 1);
    (void)refresh_to(executor, "0-3");
    pool_gate_open(&f.gate);
    pool_destroy_exact(executor, 1, 0);
    assert_int_equal(npi_load_acquire(&f.children), 500);
    assert_int_equal(npi_load_acquire(&f.strangers), 0);
}

typedef struct nested {
    pool_gate gate;
    np_executor *executor;
    np_group *group;
    refresh_places places, strict;
} nested;

static void wait_inside(void *argument)
{
    nested *n = argument;
    refresh_submit(n->executor, 0, NP_AFFINITY_STRICT, NULL, 10, &n->strict);
    pool_gate_pass(&n->gate);
    refresh_submit(n->executor, 0, NP_AFFINITY_PREFERRED, n->group, 30, &n->places);
    assert_int_equal(np_group_wait(n->group), NP_OK);
}

/* The only worker there is waits for tasks of its node, which is gone: it runs them itself, and
 * not the strict ones that lie before them. */
static void test_wait_inside_a_task(void **state)
{
    (void)state;
    nested n = {.gate = {0, 0}};
    n.executor = pool_create(ONE_BY_ONE, NULL);
    assert_int_equal(np_group_create(NULL, &n.group), NP_OK);
    assert_int_equal(np_submit_to_node(n.executor, 0, wait_inside, &n), NP_OK);
    pool_gate_await(&n.gate, 1);
    (void)refresh_to(n.executor, "9");
    pool_gate_open(&n.gate);
    while (npi_load_acquire(&n.places.total) < 30)
        sched_yield();
    parked_await(n.executor, 1);
    assert_int_equal(npi_load_acquire(&n.strict.total), 0);
    (void)refresh_to(n.executor, "0");
    pool_destroy_exact(n.executor, 41, 0);
    assert_int_equal(np_group_destroy(n.group), NP_OK);
}

/* --- the result and the words ---------------------------------------------------------------- */

static void test_report(void **state)
{
    (void)state;
    char text[8192];
    np_stats *stats = NULL;
    refresh_places p = {0};
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    (void)np_report_text(stats, NULL, text, sizeof text);
    assert_null(strstr(text, "drifted"));
    np_stats_destroy(stats);
    (void)refresh_to(executor, "0,2");
    refresh_submit(executor, 3, NP_AFFINITY_PREFERRED, NULL, 10, &p);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    (void)np_report_text(stats, NULL, text, sizeof text);
    assert_non_null(strstr(text, "binding   drifted: threads bound anew 0, tasks displaced 10\n"));
    assert_non_null(strstr(text, "no usable CPU now: nodes 1 and 3\n"));
    (void)np_report_json(stats, NULL, text, sizeof text);
    assert_non_null(strstr(text, "\"displaced\":10"));
    assert_non_null(strstr(text, "\"gone\":true,\"place\":2"));
    np_stats_destroy(stats);
    (void)np_executor_describe(executor, text, sizeof text);
    assert_non_null(strstr(text, "no usable CPU: what may leave home runs on node 2"));
    pool_destroy_exact(executor, 10, 0);
}

static void refresh_from_inside(void *argument)
{
    np_status *status = argument;
    *status = np_executor_refresh(np_current_executor(), NULL);
}

static void test_errors(void **state)
{
    (void)state;
    np_status inside = NP_OK;
    np_refresh_result result = {.changed = true};
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK); /* a virtual machine stays */
    assert_false(result.changed);
    assert_int_equal(np_executor_refresh(executor, NULL), NP_OK);
    assert_int_equal(np_run(executor, 0, refresh_from_inside, &inside), NP_OK);
    assert_int_equal(inside, NP_ERR_FROM_WORKER);
    unit_expect_failure(np_executor_refresh(NULL, &result), NP_ERR_INVALID_ARGUMENT, "executor");
    np_refresh_result same = refresh_to(executor, "0-3");
    assert_false(same.changed);
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    np_cpu_set none;
    np_cpu_set_clear(&none);
    unit_expect_failure(npi_refresh_within(executor, &none, NULL), NP_ERR_SHUT_DOWN, "shut down");
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_preferred_and_any_move),
        cmocka_unit_test(test_nearest_node),
        cmocka_unit_test(test_no_node_is_left),
        cmocka_unit_test(test_busy_workers),
        cmocka_unit_test(test_strict_tasks_wait),
        cmocka_unit_test(test_local_only_waits),
        cmocka_unit_test(test_taken_too_late),
        cmocka_unit_test(test_children_of_a_strict_task),
        cmocka_unit_test(test_wait_inside_a_task),
        cmocka_unit_test(test_report),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
