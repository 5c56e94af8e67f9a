/*
 * Goal: bytes are counted where they were touched, by home, place and data, and every reason why
 * from afar; the sums agree with each other and with what was submitted. Method: virtual machines
 * whose regions say where data lies; policies and gates that make each reason happen and no other.
 * The numbers in which a task carries its bytes are compared with the numbers themselves.
 */
#include "../support/pool.h"

#include <sched.h>

#include "base/random.h"
#include "executor/executor.h"
#include "sync/task.h"

enum { PAGE = 4096, NODES = 4, TASKS = 200 };

typedef struct machine {
    np_topology *topology;
    np_executor *executor;
    np_region *regions[NODES];
    char *on[NODES]; /* data, by node */
} machine;

static void begin(machine *m, const np_executor_options *options)
{
    *m = (machine){.executor = NULL};
    assert_int_equal(np_topology_from_synthetic(FOUR_NODES, &m->topology), NP_OK);
    np_status status = np_executor_create(m->topology, options, &m->executor);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    for (np_node_id node = 0; node < NODES; node++) {
        assert_int_equal(np_region_create_on_node(m->topology, 16 * PAGE, node, &m->regions[node]),
                         NP_OK);
        m->on[node] = np_region_data(m->regions[node]);
    }
}

static void end(machine *m)
{
    assert_int_equal(np_executor_destroy(m->executor), NP_OK);
    for (np_node_id node = 0; node < NODES; node++)
        np_region_destroy(m->regions[node]);
    np_topology_destroy(m->topology);
}

static np_executor_options with(np_steal_policy policy)
{
    return (np_executor_options){.size = sizeof(np_executor_options),
                                 .steal_policy = policy,
                                 .workers_per_node = 1,
                                 .ignore_environment = true};
}

static np_stats *snapshot(machine *m)
{
    np_stats *stats = NULL;
    assert_int_equal(np_executor_wait_idle(m->executor, NP_FOREVER), NP_OK);
    assert_int_equal(np_stats_snapshot(m->executor, &stats), NP_OK);
    return stats;
}

static void nothing(void *argument)
{
    (void)argument;
}

static uint64_t total(const np_stats *stats, np_counter counter)
{
    return np_stats_total(stats, counter);
}

/* Bytes from afar, all reasons. */
static uint64_t afar(const np_stats *stats)
{
    return total(stats, NP_COUNTER_DATA_BACKLOG) + total(stats, NP_COUNTER_DATA_AGE) +
           total(stats, NP_COUNTER_DATA_ANY) + total(stats, NP_COUNTER_DATA_DISPLACED) +
           total(stats, NP_COUNTER_DATA_NO_WORKER) + total(stats, NP_COUNTER_DATA_SENT);
}

/* The cube, its margins, the counters and the matrix of tasks agree. */
static void check_sums(const np_stats *stats, uint64_t tasks, uint64_t bytes)
{
    np_data_sum all = np_stats_data(stats, NP_NODE_ID_NONE, NP_NODE_ID_NONE, NP_NODE_ID_NONE);
    np_data_sum sum = {0, 0}, local = {0, 0};
    for (np_node_id home = 0; home < NODES; home++)
        for (np_node_id ran = 0; ran < NODES; ran++) {
            np_data_sum pair = np_stats_data(stats, home, ran, NP_NODE_ID_NONE);
            uint64_t of_pair = 0;
            for (np_node_id data = 0; data < NODES; data++) {
                np_data_sum cell = np_stats_data(stats, home, ran, data);
                sum.tasks += cell.tasks;
                sum.bytes += cell.bytes;
                of_pair += cell.tasks;
                if (ran == data) {
                    local.tasks += cell.tasks;
                    local.bytes += cell.bytes;
                }
            }
            assert_int_equal(of_pair, pair.tasks);
            assert_true(pair.tasks <= np_stats_matrix(stats, home, ran));
        }
    assert_int_equal(sum.tasks, all.tasks);
    assert_int_equal(sum.bytes, all.bytes);
    assert_int_equal(all.tasks, tasks);
    assert_int_equal(all.bytes, bytes);
    assert_int_equal(total(stats, NP_COUNTER_DATA_TASKS), tasks);
    assert_int_equal(total(stats, NP_COUNTER_DATA_LOCAL), local.bytes);
    assert_int_equal(total(stats, NP_COUNTER_DATA_LOCAL) + afar(stats), bytes);
}

/* --- numbers ------------------------------------------------------------------------------- */

static void check_size(uint64_t bytes)
{
    uint64_t back = npi_size_of_code(npi_size_code(bytes));
    uint64_t off = back > bytes ? back - bytes : bytes - back;
    assert_true(npi_size_code(bytes) <= 0xffff);
    assert_true(off <= bytes / 2048);
    /* A number that has a code is its own rounding. */
    assert_int_equal(npi_size_of_code(npi_size_code(back)), back);
}

static void sizes_are_rounded_by_less_than_a_thousandth(void **state)
{
    (void)state;
    for (uint64_t bytes = 0; bytes < 5000; bytes++)
        check_size(bytes);
    for (uint64_t bytes = 0; bytes < 2048; bytes++)
        assert_int_equal(npi_size_of_code(npi_size_code(bytes)), bytes);
    for (uint64_t pages = 1; pages < 2048; pages++) /* eleven bits */
        assert_int_equal(npi_size_of_code(npi_size_code(pages * PAGE)), pages * PAGE);
    for (unsigned bit = 11; bit < 64; bit++)
        for (int d = -3; d <= 3; d++)
            check_size((UINT64_C(1) << bit) + (uint64_t)d);
    check_size(UINT64_MAX);
    npi_random random;
    npi_random_seed(&random, 5);
    for (unsigned i = 0; i < 100000; i++)
        check_size(((uint64_t)npi_random_below(&random, UINT32_MAX) << 32 |
                    npi_random_below(&random, UINT32_MAX)) >>
                   npi_random_below(&random, 64));
    uint64_t meta = npi_meta(0xfffe, NP_AFFINITY_ANY, 40) | npi_meta_data(0xfffe, 12345);
    assert_int_equal(npi_meta_home(meta), 0xfffe);
    assert_int_equal(npi_meta_bytes(meta), 40);
    assert_int_equal(npi_meta_affinity(meta), NP_AFFINITY_ANY);
    assert_int_equal(npi_meta_data_node(meta), 0xfffe);
    assert_true(npi_meta_has_data(meta));
    assert_true(npi_meta_has_data(npi_meta_data(0, 0)));
    assert_false(npi_meta_has_data(npi_meta(0xfffe, NP_AFFINITY_ANY, 40)));
}

/* --- where ----------------------------------------------------------------------------------- */

static void balanced_data_is_all_local_under_local_only(void **state)
{
    (void)state;
    np_executor_options options = with(NP_STEAL_LOCAL_ONLY);
    machine m;
    begin(&m, &options);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(np_submit_near(m.executor, m.on[i % NODES], 5 * PAGE, nothing, NULL),
                         NP_OK);
    np_stats *stats = snapshot(&m);
    check_sums(stats, TASKS, (uint64_t)TASKS * 5 * PAGE);
    assert_int_equal(afar(stats), 0);
    assert_true(np_stats_data_locality(stats) == 1.0);
    for (np_node_id node = 0; node < NODES; node++) {
        np_data_sum own = np_stats_data(stats, node, node, node);
        assert_int_equal(own.tasks, TASKS / NODES);
        assert_int_equal(own.bytes, TASKS / NODES * 5 * PAGE);
        assert_int_equal(np_stats_node(stats, node, NP_COUNTER_DATA_LOCAL), own.bytes);
    }
    assert_int_equal(total(stats, NP_COUNTER_DATA_CALLS), 0); /* regions are known */
    assert_int_equal(total(stats, NP_COUNTER_DATA_SPREAD), 0);
    assert_int_equal(total(stats, NP_COUNTER_DATA_UNKNOWN), 0);
    np_stats_destroy(stats);
    end(&m);
}

/* Plain tasks beside them are in no cell, and ask nothing of the cube. */
static void tasks_without_data_are_not_in_it(void **state)
{
    (void)state;
    np_executor_options options = with(NP_STEAL_LOCAL_ONLY);
    machine m;
    begin(&m, &options);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(np_submit_to_node(m.executor, i % NODES, nothing, NULL), NP_OK);
    np_stats *before = snapshot(&m);
    check_sums(before, 0, 0);
    assert_true(np_stats_data_locality(before) == -1.0);
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(np_submit_near(m.executor, m.on[1], 0, nothing, NULL), NP_OK);
    np_stats *after = snapshot(&m);
    check_sums(after, TASKS, 0); /* pointers have no bytes */
    assert_int_equal(np_stats_data(after, 1, 1, 1).tasks, TASKS);
    np_stats_destroy(before);
    np_stats_destroy(after);
    end(&m);
}

static void a_difference_has_what_came_between(void **state)
{
    (void)state;
    np_executor_options options = with(NP_STEAL_LOCAL_ONLY);
    machine m;
    begin(&m, &options);
    for (int i = 0; i < 10; i++)
        assert_int_equal(np_submit_near(m.executor, m.on[0], PAGE, nothing, NULL), NP_OK);
    np_stats *before = snapshot(&m);
    for (int i = 0; i < 7; i++)
        assert_int_equal(np_submit_near(m.executor, m.on[0], PAGE, nothing, NULL), NP_OK);
    for (int i = 0; i < 5; i++)
        assert_int_equal(np_submit_near(m.executor, m.on[3], 2 * PAGE, nothing, NULL), NP_OK);
    np_stats *after = snapshot(&m);
    np_stats *between = NULL;
    assert_int_equal(np_stats_difference(after, before, &between), NP_OK);
    check_sums(between, 12, 17 * PAGE);
    assert_int_equal(np_stats_data(between, 0, 0, 0).tasks, 7);
    assert_int_equal(np_stats_data(between, 3, NP_NODE_ID_NONE, 3).bytes, 10 * PAGE);
    assert_int_equal(np_stats_data(between, NP_NODE_ID_NONE, NP_NODE_ID_NONE, 17).tasks, 0);
    assert_int_equal(np_stats_data(NULL, 0, 0, 0).tasks, 0);
    np_stats_destroy(between);
    np_stats_destroy(before);
    np_stats_destroy(after);
    end(&m);
}

/* --- why from afar --------------------------------------------------------------------------- */

static void sent_elsewhere_by_the_caller(void **state)
{
    (void)state;
    np_executor_options options = with(NP_STEAL_LOCAL_ONLY);
    machine m;
    begin(&m, &options);
    np_data_range ranges[] = {{.address = m.on[1], .bytes = 3 * PAGE},
                              {.address = m.on[2], .bytes = PAGE},
                              {.address = &m, .bytes = 100}};
    for (int i = 0; i < 6; i++)
        assert_int_equal(np_submit_with(m.executor,
                                        NP_SUBMIT_OPTIONS(.to_node = true, .node = 3,
                                                          .data = ranges, .data_count = 3),
                                        nothing, NULL),
                         NP_OK);
    np_stats *stats = snapshot(&m);
    check_sums(stats, 6, 18 * PAGE);
    assert_int_equal(total(stats, NP_COUNTER_DATA_SENT), 18 * PAGE);
    assert_int_equal(total(stats, NP_COUNTER_DATA_SPREAD), 6 * PAGE);
    assert_int_equal(total(stats, NP_COUNTER_DATA_UNKNOWN), 600);
    assert_int_equal(np_stats_data(stats, 3, 3, 1).bytes, 18 * PAGE);
    assert_int_equal(np_stats_node(stats, 3, NP_COUNTER_DATA_SPREAD), 6 * PAGE);
    np_stats_destroy(stats);
    end(&m);
}

static void no_worker_where_the_data_is(void **state)
{
    (void)state;
    const np_node_workers none = {.node = 2, .workers = NP_WORKERS_NONE};
    np_executor_options options = with(NP_STEAL_LOCAL_ONLY);
    options.node_workers = &none;
    options.node_workers_count = 1;
    machine m;
    begin(&m, &options);
    for (int i = 0; i < 9; i++)
        assert_int_equal(np_submit_near(m.executor, m.on[2], PAGE, nothing, NULL), NP_OK);
    np_stats *stats = snapshot(&m);
    check_sums(stats, 9, 9 * PAGE);
    assert_int_equal(total(stats, NP_COUNTER_DATA_NO_WORKER), 9 * PAGE);
    assert_int_equal(np_stats_data(stats, 3, 3, 2).tasks, 9); /* remembered */
    assert_true(np_stats_data_locality(stats) == 0.0);
    np_stats_destroy(stats);
    end(&m);
}

/* The home's only worker stands at a gate: who takes the rest is another node. */
static void left_home(np_steal_policy policy, np_task_affinity affinity, uint64_t least)
{
    np_executor_options options = with(policy);
    machine m;
    begin(&m, &options);
    pool_gate gate = {.open = 0, .arrived = 0};
    assert_int_equal(np_submit_with(m.executor,
                                    NP_SUBMIT_OPTIONS(.to_node = true, .node = 0,
                                                      .affinity = NP_AFFINITY_STRICT),
                                    pool_task_gate, &gate),
                     NP_OK);
    pool_gate_await(&gate, 1);
    np_data_range range = {.address = m.on[0], .bytes = 3 * PAGE};
    for (int i = 0; i < TASKS; i++)
        assert_int_equal(
            np_submit_with(m.executor,
                           NP_SUBMIT_OPTIONS(.data = &range, .data_count = 1, .affinity = affinity),
                           nothing, NULL),
            NP_OK);
    /* Backlog lets all go but gate_backlog (4). */
    np_executor_load load;
    do {
        assert_int_equal(np_executor_load_now(m.executor, &load), NP_OK);
        sched_yield();
    } while (load.executed < least);
    pool_gate_open(&gate);
    np_stats *stats = snapshot(&m);
    check_sums(stats, TASKS, (uint64_t)TASKS * 3 * PAGE);
    assert_true(afar(stats) >= least * 3 * PAGE);
    /* Every task that left had such data: bytes and tasks have the same reasons. */
    assert_int_equal(total(stats, NP_COUNTER_DATA_BACKLOG),
                     total(stats, NP_COUNTER_AWAY_BACKLOG) * 3 * PAGE);
    assert_int_equal(total(stats, NP_COUNTER_DATA_AGE),
                     total(stats, NP_COUNTER_AWAY_AGE) * 3 * PAGE);
    assert_int_equal(total(stats, NP_COUNTER_DATA_ANY),
                     total(stats, NP_COUNTER_AWAY_ANY) * 3 * PAGE);
    assert_int_equal(np_stats_data(stats, 0, NP_NODE_ID_NONE, 0).tasks, TASKS);
    np_stats_destroy(stats);
    end(&m);
}

static void left_because_it_may_run_anywhere(void **state)
{
    (void)state;
    left_home(NP_STEAL_ANY, NP_AFFINITY_PREFERRED, TASKS);
    left_home(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_AFFINITY_ANY, TASKS);
}

static void left_because_of_backlog_or_age(void **state)
{
    (void)state;
    left_home(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, NP_AFFINITY_PREFERRED, TASKS - 4);
}

/* --- from many at once ----------------------------------------------------------------------- */

typedef struct parent {
    machine *m;
    uint32_t seed;
} parent;

static void submit_more(void *argument)
{
    parent *p = argument;
    npi_random random;
    npi_random_seed(&random, p->seed);
    for (int i = 0; i < 50; i++) {
        np_data_range ranges[] = {
            {.address = p->m->on[npi_random_below(&random, NODES)], .bytes = 3 * PAGE},
            {.address = p->m->on[npi_random_below(&random, NODES)], .bytes = PAGE},
        };
        if (np_submit_with(p->m->executor, NP_SUBMIT_OPTIONS(.data = ranges, .data_count = 2),
                           nothing, NULL) != NP_OK)
            abort();
    }
}

/* Snapshots meanwhile: whatever they see never shrinks. */
static void everything_adds_up_from_inside(void **state)
{
    (void)state;
    np_executor_options options = with(NP_STEAL_ANY);
    options.workers_per_node = 2;
    machine m;
    begin(&m, &options);
    parent parents[40];
    np_data_sum last = {0, 0};
    for (uint32_t i = 0; i < 40; i++) {
        parents[i] = (parent){&m, i};
        assert_int_equal(np_submit(m.executor, submit_more, &parents[i]), NP_OK);
        np_stats *stats = NULL;
        assert_int_equal(np_stats_snapshot(m.executor, &stats), NP_OK);
        np_data_sum now = np_stats_data(stats, NP_NODE_ID_NONE, NP_NODE_ID_NONE, NP_NODE_ID_NONE);
        assert_true(now.tasks >= last.tasks && now.bytes >= last.bytes);
        last = now;
        np_stats_destroy(stats);
    }
    np_stats *stats = snapshot(&m);
    uint64_t spread = total(stats, NP_COUNTER_DATA_SPREAD);
    check_sums(stats, 40 * 50, (uint64_t)40 * 50 * 4 * PAGE - spread);
    assert_true(spread > 0);
    np_stats_destroy(stats);
    end(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_are_rounded_by_less_than_a_thousandth),
        cmocka_unit_test(balanced_data_is_all_local_under_local_only),
        cmocka_unit_test(tasks_without_data_are_not_in_it),
        cmocka_unit_test(a_difference_has_what_came_between),
        cmocka_unit_test(sent_elsewhere_by_the_caller),
        cmocka_unit_test(no_worker_where_the_data_is),
        cmocka_unit_test(left_because_it_may_run_anywhere),
        cmocka_unit_test(left_because_of_backlog_or_age),
        cmocka_unit_test(everything_adds_up_from_inside),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
