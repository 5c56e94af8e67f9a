/*
 * Goal: the policies keep their word. Local-only and strict tasks never leave home; the default
 * leaves home for backlog or age and goes to the nearest node first; any spreads. Method: virtual
 * four-node machine with one worker per node; gates hold the home's worker, so that whether others
 * take its tasks is the policy's decision and not the clock's.
 */
#include "../support/parked.h"
#include "../support/pool.h"

typedef struct place {
    np_atomic(uint64_t) ran[4]; /* by node */
    np_atomic(uint64_t) total;
} place;

static void note_place(void *argument)
{
    place *p = argument;
    npi_fetch_add_relaxed(&p->ran[np_current_node()], (uint64_t)1);
    npi_fetch_add_acq_rel(&p->total, (uint64_t)1);
    npi_os_futex_wake((np_atomic(uint32_t) *)(uintptr_t)&p->total, UINT32_MAX);
}

static void submit_many(np_executor *executor, place *p, unsigned count, np_task_affinity affinity)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(
            np_submit_with(executor,
                           NP_SUBMIT_OPTIONS(.to_node = true, .node = 0, .affinity = affinity),
                           note_place, p),
            NP_OK);
}

/* Puts `count` tasks on node 0 while its worker is held, waits until `elsewhere` of them have run
 * (on other nodes), then lets it go. */
static void hold_home(np_steal_policy policy, np_task_affinity affinity, unsigned count,
                      unsigned elsewhere, place *p)
{
    pool_gate gate = {0, 0};
    np_executor *executor = pool_create(FOUR_NODES, NP_EXECUTOR_OPTIONS(.steal_policy = policy));
    assert_int_equal(np_submit_with(executor,
                                    NP_SUBMIT_OPTIONS(.to_node = true, .node = 0,
                                                      .affinity = NP_AFFINITY_STRICT),
                                    pool_task_gate, &gate),
                     NP_OK);
    pool_gate_await(&gate, 1);
    submit_many(executor, p, count, affinity);
    while (npi_load_acquire(&p->total) < elsewhere) {
        uint32_t now = (uint32_t)npi_load_acquire(&p->total);
        if (now < elsewhere)
            (void)npi_os_futex_wait((np_atomic(uint32_t) *)(uintptr_t)&p->total, now,
                                    npi_os_deadline(100000000));
    }
    pool_gate_open(&gate);
    pool_destroy_exact(executor, count + 1, 0);
    assert_int_equal(npi_load_acquire(&p->total), count);
}

static void test_local_only(void **state)
{
    (void)state;
    place p = {0};
    hold_home(NP_STEAL_LOCAL_ONLY, NP_AFFINITY_PREFERRED, 1000, 0, &p);
    assert_int_equal(p.ran[0], 1000);
    place any = {0}; /* the policy is stronger than the task's wish */
    hold_home(NP_STEAL_LOCAL_ONLY, NP_AFFINITY_ANY, 1000, 0, &any);
    assert_int_equal(any.ran[0], 1000);
}

static void test_strict_tasks(void **state)
{
    (void)state;
    const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_STEAL_ANY};
    for (unsigned i = 0; i < 2; i++) {
        place p = {0};
        hold_home(policies[i], NP_AFFINITY_STRICT, 1000, 0, &p);
        assert_int_equal(p.ran[0], 1000);
    }
}

static void test_backlog_opens_the_gate(void **state)
{
    (void)state;
    place p = {0};
    /* All but gate_backlog (4) of them may leave at once; the rest when they are old. */
    hold_home(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_AFFINITY_PREFERRED, 1000, 996, &p);
}

static void test_age_opens_the_gate(void **state)
{
    (void)state;
    place p = {0};
    /* Below the backlog: only their age lets them go. The home is held until both have run. */
    hold_home(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_AFFINITY_PREFERRED, 2, 2, &p);
    assert_int_equal(p.ran[0], 0);
}

static void test_any_takes_at_once(void **state)
{
    (void)state;
    place p = {0};
    hold_home(NP_STEAL_ANY, NP_AFFINITY_PREFERRED, 3, 3, &p);
    assert_int_equal(p.ran[0], 0);
    place wish = {0};
    hold_home(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_AFFINITY_ANY, 3, 3, &wish);
    assert_int_equal(wish.ran[0], 0);
}

/* Nothing is held back when the home is free: under the default policy a task sent to an idle node
 * runs there. */
static void test_idle_home_keeps_its_task(void **state)
{
    (void)state;
    place p = {0};
    np_stats *stats = NULL;
    /* An age that no wake-up takes, so that the home's being late is not the question. */
    np_executor *executor = pool_create(FOUR_NODES, NP_EXECUTOR_OPTIONS(.gate_age_ns = 100000000));
    for (unsigned i = 0; i < 200; i++) {
        assert_int_equal(np_run(executor, (np_node_id)(i % 4), note_place, &p), NP_OK);
        assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    }
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    /* A preempted home may see one of its tasks leave by age; more would be a broken gate. */
    assert_in_range(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY), 0, 10);
    np_stats_destroy(stats);
    pool_destroy_exact(executor, 200, 0);
}

/* --- forked children of strict tasks ---------------------------------------------------------- */

typedef struct family {
    np_atomic(uint64_t) strangers;
    np_atomic(uint64_t) children;
} family;

static void child_at_home(void *argument)
{
    family *f = argument;
    if (np_current_node() != 0 || np_current_home() != 0)
        npi_fetch_add_relaxed(&f->strangers, (uint64_t)1);
    npi_fetch_add_relaxed(&f->children, (uint64_t)1);
}

static void strict_parent(void *argument)
{
    for (unsigned i = 0; i < 500; i++)
        np_fork(child_at_home, argument);
    for (unsigned i = 0; i < 500; i++)
        np_join();
}

/* A task that left by age takes its age along: the next one has not waited, though the home has
 * taken nothing in between. */
static void test_age_is_forgotten(void **state)
{
    (void)state;
    pool_gate home = {0}, thief = {0};
    place p = {0};
    np_executor *executor = pool_create("numa:2 core:1 pu:1",
                                        NP_EXECUTOR_OPTIONS(.gate_age_ns = 1));
    np_submit_options strict = {.size = sizeof strict, .to_node = true, .node = 0};
    strict.affinity = NP_AFFINITY_STRICT;
    assert_int_equal(np_submit_with(executor, &strict, pool_task_gate, &home), NP_OK);
    pool_gate_await(&home, 1);
    submit_many(executor, &p, 1, NP_AFFINITY_PREFERRED);
    parked_await(executor, 1); /* node 1's, which has run it */
    assert_int_equal(npi_load_acquire(&p.ran[1]), 1);
    strict.node = 1;
    assert_int_equal(np_submit_with(executor, &strict, pool_task_gate, &thief), NP_OK);
    pool_gate_await(&thief, 1); /* now nobody else asks */
    submit_many(executor, &p, 1, NP_AFFINITY_PREFERRED);
    assert_int_equal(npi_gate_ask(executor->nodes[0]), NPI_GATE_SHUT);
    while (npi_gate_ask(executor->nodes[0]) != NPI_GATE_AGE) {
    }
    pool_gate_open(&thief);
    pool_gate_open(&home);
    pool_destroy_exact(executor, 4, 0);
}

static void test_children_of_strict_tasks_stay(void **state)
{
    (void)state;
    family f = {0, 0};
    np_executor *executor = pool_create("numa:3 core:2 pu:1",
                                        NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_ANY));
    for (unsigned i = 0; i < 50; i++)
        assert_int_equal(np_submit_with(executor,
                                        NP_SUBMIT_OPTIONS(.to_node = true, .node = 0,
                                                          .affinity = NP_AFFINITY_STRICT),
                                        strict_parent, &f),
                         NP_OK);
    pool_destroy_exact(executor, 50, 0);
    assert_int_equal(npi_load_acquire(&f.children), 25000);
    assert_int_equal(npi_load_acquire(&f.strangers), 0);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i <= NP_STEAL_ANY; i++) {
        np_steal_policy back;
        assert_int_equal(np_steal_policy_parse(np_steal_policy_name((np_steal_policy)i), &back),
                         NP_OK);
        assert_int_equal(back, i);
    }
    np_steal_policy policy;
    assert_string_equal(np_steal_policy_name((np_steal_policy)9), "unknown");
    unit_expect_failure(np_steal_policy_parse("near", &policy), NP_ERR_PARSE, "near");
    unit_expect_failure(np_steal_policy_parse(NULL, &policy), NP_ERR_INVALID_ARGUMENT, "name");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_only),
        cmocka_unit_test(test_strict_tasks),
        cmocka_unit_test(test_backlog_opens_the_gate),
        cmocka_unit_test(test_age_opens_the_gate),
        cmocka_unit_test(test_any_takes_at_once),
        cmocka_unit_test(test_idle_home_keeps_its_task),
        cmocka_unit_test(test_age_is_forgotten),
        cmocka_unit_test(test_children_of_strict_tasks_stay),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
