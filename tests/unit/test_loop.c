/*
 * Goal: a parallel loop runs every index exactly once and returns afterwards, for all sizes,
 * grains, schedules, policies and numbers of workers, from outside, from tasks, and nested; on the
 * chosen node only; and ends early when its group is cancelled. Method: bodies that count their
 * indices in an array, or, where the range is too long for one, sum up what they were given; bodies
 * that wait until another worker has taken a part, to see that sharing happens at all.
 */
#include "../support/pool.h"

#include "parallel/loop.h"

#define MOST 5000u

typedef struct tally {
    np_executor *executor;
    np_atomic(uint32_t) count[MOST];
    np_atomic(uint64_t) calls;
    np_atomic(uint64_t) wrong; /* calls with a bad range, or longer than the grain */
    size_t begin, end, grain;
} tally;

static void count_range(void *context, size_t begin, size_t end)
{
    tally *t = context;
    npi_fetch_add_relaxed(&t->calls, (uint64_t)1);
    if (begin >= end || begin < t->begin || end > t->end || (t->grain && end - begin > t->grain)) {
        npi_fetch_add_relaxed(&t->wrong, (uint64_t)1);
        return;
    }
    for (size_t i = begin; i < end; i++)
        npi_fetch_add_relaxed(&t->count[i], 1u);
}

static void tally_reset(tally *t, size_t begin, size_t end, size_t grain)
{
    for (size_t i = 0; i < MOST; i++)
        npi_store_relaxed(&t->count[i], 0u);
    npi_store_relaxed(&t->calls, (uint64_t)0);
    npi_store_relaxed(&t->wrong, (uint64_t)0);
    t->begin = begin;
    t->end = end;
    t->grain = grain;
}

static void tally_check(tally *t, uint32_t each)
{
    assert_int_equal(npi_load_relaxed(&t->wrong), 0);
    for (size_t i = 0; i < MOST; i++) {
        uint32_t expected = i >= t->begin && i < t->end ? each : 0;
        if (npi_load_relaxed(&t->count[i]) != expected)
            fail_msg("index %zu of %zu .. %zu ran %u times", i, t->begin, t->end,
                     npi_load_relaxed(&t->count[i]));
    }
}

/* --- every index once ------------------------------------------------------------------------- */

typedef struct inside {
    tally *tally;
    np_loop_options options;
    np_status status;
} inside;

static void loop_inside(void *argument)
{
    inside *in = argument;
    tally *t = in->tally;
    in->status = np_parallel_for(t->executor, t->begin, t->end, &in->options, count_range, t);
}

static void run_both_ways(tally *t, const np_loop_options *options)
{
    assert_int_equal(np_parallel_for(t->executor, t->begin, t->end, options, count_range, t),
                     NP_OK);
    tally_check(t, 1);
    inside in = {t, *options, NP_ERR_FAILED};
    assert_int_equal(np_run(t->executor, NP_NODE_ID_NONE, loop_inside, &in), NP_OK);
    assert_int_equal(in.status, NP_OK);
    tally_check(t, 2);
}

static void sizes_and_grains(tally *t)
{
    static const size_t sizes[] = {0, 1, 2, 3, 7, 64, 1000, 4096, MOST};
    static const size_t grains[] = {0, 1, 3, 64, 5000, SIZE_MAX};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned g = 0; g < sizeof grains / sizeof grains[0]; g++)
            for (int schedule = 0; schedule <= NP_SCHEDULE_GUIDED; schedule++) {
                size_t begin = sizes[s] < MOST ? s : 0;
                np_loop_options options = {.size = sizeof options, .grain = grains[g]};
                options.schedule = (np_schedule)schedule;
                /* A guided loop's grain is a least. */
                tally_reset(t, begin, begin + sizes[s],
                            schedule != NP_SCHEDULE_GUIDED ? grains[g] : 0);
                run_both_ways(t, &options);
            }
}

static void test_every_index_once(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_ONE, ONE_BY_TWO, "numa:1 core:8 pu:1", TWO_BY_TWO,
                                           FOUR_NODES};
    static tally t;
    for (unsigned m = 0; m < sizeof machines / sizeof machines[0]; m++)
        for (int policy = 0; policy <= NP_STEAL_ANY; policy++) {
            t.executor = pool_create(machines[m],
                                     NP_EXECUTOR_OPTIONS(.steal_policy = (np_steal_policy)policy));
            sizes_and_grains(&t);
            assert_int_equal(np_executor_destroy(t.executor), NP_OK);
        }
}

/* --- ranges longer than any array ------------------------------------------------------------- */

typedef struct sums {
    np_atomic(uint64_t) length; /* of all stretches */
    np_atomic(uint64_t) ends;   /* sum of ends minus sum of begins squared and so on: see below */
} sums;

/* Of disjoint stretches that fill a range, the lengths add up to its length, and end^2 - begin^2 to
 * that of the range (modulo 2^64). Overlaps and gaps would have to cancel in both. */
static void sum_range(void *context, size_t begin, size_t end)
{
    sums *s = context;
    npi_fetch_add_relaxed(&s->length, (uint64_t)(end - begin));
    npi_fetch_add_relaxed(&s->ends, (uint64_t)end * end - (uint64_t)begin * begin);
}

static void test_long_ranges(void **state)
{
    (void)state;
    static const struct {
        size_t begin, end, grain;
    } cases[] = {{0, SIZE_MAX, 0},
                 {1, SIZE_MAX, SIZE_MAX / 3},
                 {SIZE_MAX - 1000, SIZE_MAX, 0},
                 {SIZE_MAX - 1000, SIZE_MAX, 7},
                 {SIZE_MAX - 1, SIZE_MAX, SIZE_MAX},
                 {0, SIZE_MAX, SIZE_MAX / 2 + 2},
                 {SIZE_MAX, SIZE_MAX, 0}};
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
        for (int schedule = 0; schedule <= NP_SCHEDULE_GUIDED; schedule++) {
            sums s = {0};
            np_loop_options options = {.size = sizeof options, .grain = cases[i].grain};
            options.schedule = (np_schedule)schedule;
            uint64_t begin = cases[i].begin, end = cases[i].end;
            assert_int_equal(np_parallel_for(executor, begin, end, &options, sum_range, &s), NP_OK);
            assert_true(npi_load_relaxed(&s.length) == end - begin);
            assert_true(npi_load_relaxed(&s.ends) == end * end - begin * begin);
        }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- loops in loops, and everything else a task may do ---------------------------------------- */

typedef struct nest {
    np_executor *executor;
    np_atomic(uint64_t) leaves;
    unsigned depth;
} nest;

static void nested_range(void *context, size_t begin, size_t end)
{
    nest *n = context;
    for (size_t i = begin; i < end; i++) {
        if (n->depth == 0) {
            npi_fetch_add_relaxed(&n->leaves, (uint64_t)1);
            continue;
        }
        nest inner = {.executor = n->executor, .depth = n->depth - 1};
        assert_int_equal(np_parallel_for(n->executor, 0, 9, NP_LOOP_OPTIONS(.grain = i % 3),
                                         nested_range, &inner),
                         NP_OK);
        npi_fetch_add_relaxed(&n->leaves, npi_load_relaxed(&inner.leaves));
    }
}

static void test_nested(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_ONE, ONE_BY_FOUR, FOUR_NODES};
    for (unsigned m = 0; m < 3; m++)
        for (unsigned round = 0; round < 20; round++) {
            nest top = {.executor = pool_create(machines[m], NULL), .depth = 3};
            assert_int_equal(np_parallel_for(top.executor, 0, 9, NULL, nested_range, &top), NP_OK);
            assert_int_equal(npi_load_relaxed(&top.leaves), 9 * 9 * 9 * 9);
            assert_int_equal(np_executor_destroy(top.executor), NP_OK);
        }
}

static void mixed_range(void *context, size_t begin, size_t end)
{
    nest *n = context;
    pool_counter forked = {0}, submitted = {0};
    np_group *group = NULL;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    for (size_t i = begin; i < end; i++) {
        np_fork(pool_task_count, &forked);
        assert_int_equal(np_group_submit(group, n->executor, pool_task_count, &submitted), NP_OK);
    }
    assert_int_equal(np_parallel_for(n->executor, begin, end, NP_LOOP_OPTIONS(.schedule = n->depth),
                                     nested_range, &(nest){.executor = n->executor}),
                     NP_OK); /* on top of children that are still open */
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
    for (size_t i = begin; i < end; i++)
        np_join();
    assert_int_equal(npi_load_relaxed(&forked.value), end - begin);
    assert_int_equal(npi_load_relaxed(&submitted.value), end - begin);
    npi_fetch_add_relaxed(&n->leaves, (uint64_t)(end - begin));
}

static void test_body_forks_submits_and_waits(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_ONE, ONE_BY_FOUR, FOUR_NODES};
    for (unsigned m = 0; m < 3; m++)
        for (unsigned schedule = 0; schedule < 2; schedule++) {
            nest top = {.executor = pool_create(machines[m], NULL), .depth = schedule};
            assert_int_equal(np_parallel_for(top.executor, 0, 300, NP_LOOP_OPTIONS(.grain = 20),
                                             mixed_range, &top),
                             NP_OK);
            assert_int_equal(npi_load_relaxed(&top.leaves), 300);
            assert_int_equal(np_executor_destroy(top.executor), NP_OK);
        }
}

/* With a grain a second worker comes, whatever it was doing: the first index waits for the other.
 */
static void meet_range(void *context, size_t begin, size_t end)
{
    pool_gate *gate = context;
    for (size_t i = begin; i < end; i++) {
        if (i == 0)
            pool_gate_await(gate, 1);
        else if (i == 1)
            pool_gate_pass(gate);
    }
}

static void meet_inside(void *argument)
{
    pool_gate gate = {.open = 1};
    np_executor *executor = argument;
    assert_int_equal(
        np_parallel_for(executor, 0, 2, NP_LOOP_OPTIONS(.grain = 1), meet_range, &gate), NP_OK);
}

static void test_two_indices_on_two_workers(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_TWO, "numa:2 core:1 pu:1"};
    for (unsigned m = 0; m < 2; m++) {
        np_executor *executor = pool_create(machines[m], NULL);
        for (unsigned round = 0; round < 200; round++)
            assert_int_equal(np_run(executor, NP_NODE_ID_NONE, meet_inside, executor), NP_OK);
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
}

/* --- where it runs ---------------------------------------------------------------------------- */

typedef struct places {
    np_executor *executor;
    np_node_id node_of[400];
    np_node_id only; /* NP_NODE_ID_NONE: any */
    np_loop_options options;
    np_atomic(uint64_t) strays;
} places;

static void note_place(void *context, size_t begin, size_t end)
{
    places *p = context;
    for (size_t i = begin; i < end; i++) {
        p->node_of[i] = np_current_node();
        if (p->only != NP_NODE_ID_NONE && np_current_node() != p->only)
            npi_fetch_add_relaxed(&p->strays, (uint64_t)1);
    }
}

static void place_inside(void *argument)
{
    places *p = argument;
    assert_int_equal(np_parallel_for(p->executor, 0, 400, &p->options, note_place, p), NP_OK);
}

static void test_one_node_only(void **state)
{
    (void)state;
    for (int policy = 0; policy <= NP_STEAL_ANY; policy++) {
        places p = {.executor = pool_create(
                        FOUR_NODES, NP_EXECUTOR_OPTIONS(.steal_policy = (np_steal_policy)policy,
                                                        .workers_per_node = 2))};
        for (np_node_id node = 0; node < 4; node++)
            for (unsigned variant = 0; variant < 8; variant++) {
                p.only = node;
                p.options = (np_loop_options){.size = sizeof p.options, .grain = variant % 2};
                p.options.on_node = true;
                p.options.node = node;
                p.options.schedule = variant / 2 % 2;
                if (variant / 4 == 0)
                    place_inside(&p);
                else /* from a task of another node, and from one of this */
                    assert_int_equal(
                        np_run(p.executor, (node + (np_node_id)variant % 2) % 4, place_inside, &p),
                        NP_OK);
            }
        assert_int_equal(npi_load_relaxed(&p.strays), 0);
        assert_int_equal(np_executor_destroy(p.executor), NP_OK);
    }
}

static void test_static_places_agree(void **state)
{
    (void)state;
    places first = {.only = NP_NODE_ID_NONE}, second = {.only = NP_NODE_ID_NONE};
    first.executor = pool_create(FOUR_NODES, NP_EXECUTOR_OPTIONS(.workers_per_node = 3));
    first.options = (np_loop_options){.size = sizeof first.options, .schedule = NP_SCHEDULE_STATIC};
    second.executor = first.executor;
    second.options = first.options;
    second.options.grain = 10;
    place_inside(&first);
    assert_int_equal(np_run(second.executor, 2, place_inside, &second), NP_OK);
    for (size_t i = 0; i < 400; i++) {
        /* 12 workers: the first four get 34 indices, the others 33. */
        size_t worker = i < 136 ? i / 34 : 4 + (i - 136) / 33;
        assert_int_equal(first.node_of[i], worker / 3);
        assert_int_equal(second.node_of[i], worker / 3);
    }
    assert_int_equal(np_executor_destroy(first.executor), NP_OK);
}

/* --- groups ------------------------------------------------------------------------------------
 */

typedef struct early_end {
    np_group *group;
    np_atomic(uint64_t) ran;
    size_t at; /* the index that ends it */
    bool fail;
    np_atomic(uint32_t) other_group; /* calls that saw another current group */
} early_end;

static void end_early(void *context, size_t begin, size_t end)
{
    early_end *e = context;
    npi_fetch_add_relaxed(&e->ran, (uint64_t)(end - begin));
    if (np_current_group() != e->group)
        npi_fetch_add_relaxed(&e->other_group, 1u);
    if (e->at < begin || e->at >= end)
        return;
    if (e->fail)
        np_group_fail(np_current_group(), NP_ERR_NOT_FOUND);
    else
        np_group_cancel(e->group);
}

typedef struct group_case {
    np_executor *executor;
    early_end *early;
    np_loop_options options;
    size_t count;
    np_status status;
} group_case;

static void group_inside(void *argument)
{
    group_case *c = argument;
    np_group *outer = np_current_group();
    c->status = np_parallel_for(c->executor, 0, c->count, &c->options, end_early, c->early);
    assert_ptr_equal(np_current_group(), outer);
}

static void test_group(void **state)
{
    (void)state;
    np_executor *executor = pool_create(FOUR_NODES, NULL);
    for (unsigned variant = 0; variant < 16; variant++) {
        early_end e = {.fail = variant % 2 == 1, .at = 5};
        assert_int_equal(np_group_create(NULL, &e.group), NP_OK);
        group_case c = {executor, &e, {.size = sizeof c.options, .grain = 1}, 1000, NP_OK};
        c.options.group = e.group;
        c.options.schedule = variant / 2 % 2;
        c.options.on_node = variant / 4 % 2;
        if (variant / 8 == 0)
            group_inside(&c);
        else
            assert_int_equal(np_run(executor, 1, group_inside, &c), NP_OK);
        assert_int_equal(c.status, e.fail ? NP_ERR_NOT_FOUND : NP_ERR_CANCELLED);
        uint64_t ran = npi_load_relaxed(&e.ran);
        assert_true(e.fail ? ran == 1000 : ran >= 1 && ran <= 1000);
        assert_int_equal(npi_load_relaxed(&e.other_group), 0);
        if (!e.fail) { /* cancelled before it begins: nothing runs */
            group_inside(&c);
            assert_int_equal(c.status, NP_ERR_CANCELLED);
            assert_int_equal(npi_load_relaxed(&e.ran), ran);
        }
        assert_int_equal(np_group_destroy(e.group), NP_OK); /* nothing of it is left anywhere */
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_cancel_stops_a_long_loop(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    early_end e = {.at = 100};
    assert_int_equal(np_group_create(NULL, &e.group), NP_OK);
    /* Without the cancellation it would take some hundred years. */
    group_case c = {executor, &e, {.size = sizeof c.options, .grain = 10}, SIZE_MAX, NP_OK};
    c.options.group = e.group;
    group_inside(&c);
    assert_int_equal(c.status, NP_ERR_CANCELLED);
    assert_int_equal(np_group_destroy(e.group), NP_OK);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* --- refusals, and callers of every kind --------------------------------------------------------
 */

static void test_refusals(void **state)
{
    (void)state;
    static tally t;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_loop_options bad = {.size = sizeof bad};
    unit_expect_failure(np_parallel_for(NULL, 0, 1, NULL, count_range, &t), NP_ERR_INVALID_ARGUMENT,
                        "executor");
    unit_expect_failure(np_parallel_for(executor, 0, 1, NULL, NULL, &t), NP_ERR_INVALID_ARGUMENT,
                        "body is NULL");
    unit_expect_failure(np_parallel_for(executor, 2, 1, NULL, count_range, &t),
                        NP_ERR_INVALID_ARGUMENT, "begin is 2, end 1");
    bad.schedule = (np_schedule)3;
    unit_expect_failure(np_parallel_for(executor, 0, 1, &bad, count_range, &t),
                        NP_ERR_INVALID_ARGUMENT, "schedule is 3");
    bad = (np_loop_options){.size = 3};
    unit_expect_failure(np_parallel_for(executor, 0, 1, &bad, count_range, &t),
                        NP_ERR_INVALID_ARGUMENT, "np_loop_options");
    bad = (np_loop_options){.size = sizeof bad, .on_node = true, .node = 7};
    unit_expect_failure(np_parallel_for(executor, 0, 1, &bad, count_range, &t), NP_ERR_INVALID_NODE,
                        "no node 7: this topology has");
    assert_int_equal(npi_load_relaxed(&t.calls), 0);
    assert_string_equal(np_schedule_name(NP_SCHEDULE_ADAPTIVE), "adaptive");
    assert_string_equal(np_schedule_name(NP_SCHEDULE_STATIC), "static");
    assert_string_equal(np_schedule_name(NP_SCHEDULE_GUIDED), "guided");
    assert_string_equal(np_schedule_name((np_schedule)9), "unknown");
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    unit_expect_failure(np_parallel_for(executor, 0, 1, NULL, count_range, &t), NP_ERR_SHUT_DOWN,
                        "shut down");
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_from_another_executors_worker(void **state)
{
    (void)state;
    static tally t;
    np_executor *other = pool_create(ONE_BY_TWO, NULL);
    t.executor = pool_create(ONE_BY_TWO, NULL);
    for (unsigned schedule = 0; schedule < 2; schedule++) {
        tally_reset(&t, 0, MOST, 0);
        inside in = {&t, {.size = sizeof in.options, .schedule = schedule}, NP_ERR_FAILED};
        assert_int_equal(np_run(other, NP_NODE_ID_NONE, loop_inside, &in), NP_OK);
        assert_int_equal(in.status, NP_OK);
        tally_check(&t, 1);
    }
    assert_int_equal(np_executor_destroy(t.executor), NP_OK);
    assert_int_equal(np_executor_destroy(other), NP_OK);
}

typedef struct hook_loop {
    pool_counter indices;
    np_status status;
} hook_loop;

static void hook_range(void *context, size_t begin, size_t end)
{
    npi_fetch_add_relaxed(&((hook_loop *)context)->indices.value, (uint64_t)(end - begin));
}

static void hook(void *context, const np_worker_info *worker)
{
    (void)worker;
    hook_loop *h = context;
    h->status = np_parallel_for(np_current_executor(), 0, 100, NP_LOOP_OPTIONS(.grain = 7),
                                hook_range, h);
}

static void test_in_a_hook(void **state)
{
    (void)state;
    hook_loop h = {.status = NP_ERR_FAILED};
    np_executor *executor = pool_create(
        ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.on_worker_start = hook, .hook_context = &h));
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(h.status, NP_OK);
    assert_int_equal(npi_load_relaxed(&h.indices.value), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_index_once),
        cmocka_unit_test(test_long_ranges),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_body_forks_submits_and_waits),
        cmocka_unit_test(test_two_indices_on_two_workers),
        cmocka_unit_test(test_one_node_only),
        cmocka_unit_test(test_static_places_agree),
        cmocka_unit_test(test_group),
        cmocka_unit_test(test_cancel_stops_a_long_loop),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_from_another_executors_worker),
        cmocka_unit_test(test_in_a_hook),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
