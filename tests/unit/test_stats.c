/*
 * Goal: a snapshot says exactly what was put into it, by worker, node and pair of nodes; a
 * difference is the time between; what cannot be compared is refused; nothing leaks when memory
 * runs out. Method: counters filled by hand, one of them by a thread that goes on counting
 * meanwhile.
 */
#include "../support/snapshots.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void keys_and_texts_come_from_the_list(void **state)
{
    (void)state;
    assert_string_equal(np_counter_key(NP_COUNTER_EXECUTED_HOME), "executed_home");
    assert_string_equal(np_counter_key(NP_COUNTER_BLOCKED), "blocked");
    for (unsigned a = 0; a < NP_COUNTER_COUNT; a++) {
        assert_true(strlen(np_counter_text((np_counter)a)) > 5);
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(np_counter_key((np_counter)a), np_counter_key((np_counter)b));
    }
    assert_string_equal(np_counter_key((np_counter)NP_COUNTER_COUNT), "unknown");
    assert_string_equal(np_counter_text((np_counter)-1), "unknown counter");
}

/* Two nodes with sparse ids and one between them that the executor does not use. */
static np_stats *sparse_snapshot(npi_counters *counters)
{
    static const np_node_id ids[] = {0, 8, 252};
    np_stats *stats = NULL;
    assert_int_equal(npi_stats_new(ids, 3, 4, &stats), NP_OK);
    npi_stats_set_worker(stats, 0, 0, NP_WORKER_REGULAR, NPI_WORKER_AWAKE, &counters[0]);
    npi_stats_set_worker(stats, 1, 0, NP_WORKER_REGULAR, NPI_WORKER_PARKED, &counters[1]);
    npi_stats_set_worker(stats, 2, 2, NP_WORKER_REGULAR, NPI_WORKER_PARKED, &counters[2]);
    npi_stats_set_worker(stats, 3, 2, NP_WORKER_SPARE, NPI_WORKER_ABSENT, NULL);
    stats->nodes[0].regular_workers = 2;
    stats->nodes[2].regular_workers = 1;
    stats->executor = 7;
    stats->begin_ns = 100;
    stats->end_ns = 350;
    return stats;
}

typedef struct bench {
    npi_counters counters[3];
    np_atomic(uint64_t) rows[3][3];
} bench;

static void set_up_bench(bench *b)
{
    memset(b, 0, sizeof *b);
    for (unsigned i = 0; i < 3; i++)
        b->counters[i].ran_from = b->rows[i];
}

static void a_snapshot_reads_back_what_was_counted(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    npi_count(&b.counters[0], NP_COUNTER_EXECUTED_HOME, 10);
    npi_count(&b.counters[0], NP_COUNTER_EXECUTED_HOME, 1);
    npi_count(&b.counters[1], NP_COUNTER_EXECUTED_HOME, 5);
    npi_count(&b.counters[2], NP_COUNTER_EXECUTED_AWAY, 3);
    npi_owner_add(&b.rows[0][0], 11);
    npi_owner_add(&b.rows[1][0], 5);
    npi_owner_add(&b.rows[2][0], 3);
    np_stats *stats = sparse_snapshot(b.counters);
    stats->nodes[0].queued = 4;
    stats->nodes[0].outside[NP_COUNTER_SUBMITTED] = 19;

    assert_int_equal(np_stats_worker_count(stats), 4);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME), 16);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_AWAY), 3);
    assert_int_equal(np_stats_worker(stats, 0, NP_COUNTER_EXECUTED_HOME), 11);
    assert_int_equal(np_stats_worker(stats, 2, NP_COUNTER_EXECUTED_AWAY), 3);
    assert_int_equal(np_stats_worker(stats, 3, NP_COUNTER_EXECUTED_AWAY), 0);
    assert_int_equal(np_stats_worker_node(stats, 2), 252);
    assert_int_equal(np_stats_node(stats, 0, NP_COUNTER_EXECUTED_HOME), 16);
    assert_int_equal(np_stats_node(stats, 252, NP_COUNTER_EXECUTED_AWAY), 3);
    assert_int_equal(np_stats_matrix(stats, 0, 0), 16);
    assert_int_equal(np_stats_matrix(stats, 0, 252), 3);
    assert_int_equal(np_stats_matrix(stats, 252, 0), 0);
    assert_int_equal(np_stats_inbox_depth(stats, 0), 4);
    assert_int_equal(np_stats_elapsed_ns(stats), 250);
    assert_true(np_stats_locality(stats) > 16.0 / 19.0 - 1e-9);
    assert_true(np_stats_locality(stats) < 16.0 / 19.0 + 1e-9);

    /* What outside threads did belongs to the node and the total, to no worker. */
    assert_int_equal(np_stats_total(stats, NP_COUNTER_SUBMITTED), 19);
    assert_int_equal(np_stats_node(stats, 0, NP_COUNTER_SUBMITTED), 19);
    assert_int_equal(np_stats_worker(stats, 0, NP_COUNTER_SUBMITTED), 0);

    assert_int_equal(npi_stats_state_count(stats, 0, NPI_WORKER_PARKED), 1);
    assert_int_equal(npi_stats_state_count(stats, 2, NPI_WORKER_ABSENT), 1);
    assert_int_equal(npi_stats_tier(stats, 0, 0), NP_TIER_NODE);
    assert_int_equal(npi_stats_tier(stats, 0, 2), NP_TIER_REMOTE);
    npi_stats_set_tier(stats, 0, 2, NP_TIER_SOCKET);
    assert_int_equal(npi_stats_tier(stats, 0, 2), NP_TIER_SOCKET);
    assert_int_equal(npi_stats_tier(stats, 2, 0), NP_TIER_REMOTE);
    np_stats_destroy(stats);
}

static void the_nodes_are_those_with_workers(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    np_stats *stats = sparse_snapshot(b.counters);
    np_node_id nodes[3] = {-7, -7, -7};
    assert_int_equal(np_stats_nodes(stats, NULL, 0), 2);
    assert_int_equal(np_stats_nodes(stats, nodes, 1), 2);
    assert_int_equal(nodes[0], 0);
    assert_int_equal(nodes[1], -7);
    assert_int_equal(np_stats_nodes(stats, nodes, 3), 2);
    assert_int_equal(nodes[1], 252);
    assert_int_equal(nodes[2], -7);
    np_stats_destroy(stats);
}

static void what_does_not_exist_is_zero(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    npi_count(&b.counters[0], NP_COUNTER_PARKS, 9);
    np_stats *stats = sparse_snapshot(b.counters);
    assert_int_equal(np_stats_total(stats, (np_counter)NP_COUNTER_COUNT), 0);
    assert_int_equal(np_stats_worker(stats, 4, NP_COUNTER_PARKS), 0);
    assert_int_equal(np_stats_worker_node(stats, 4), NP_NODE_ID_NONE);
    assert_int_equal(np_stats_node(stats, 1, NP_COUNTER_PARKS), 0);
    assert_int_equal(np_stats_node(stats, NP_NODE_ID_NONE, NP_COUNTER_PARKS), 0);
    assert_int_equal(np_stats_matrix(stats, 0, 1), 0);
    assert_int_equal(np_stats_inbox_depth(stats, 1), 0);
    np_stats_destroy(stats);

    assert_int_equal(np_stats_total(NULL, NP_COUNTER_PARKS), 0);
    assert_int_equal(np_stats_worker_count(NULL), 0);
    assert_int_equal(np_stats_worker(NULL, 0, NP_COUNTER_PARKS), 0);
    assert_int_equal(np_stats_worker_node(NULL, 0), NP_NODE_ID_NONE);
    assert_int_equal(np_stats_node(NULL, 0, NP_COUNTER_PARKS), 0);
    assert_int_equal(np_stats_matrix(NULL, 0, 0), 0);
    assert_int_equal(np_stats_nodes(NULL, NULL, 0), 0);
    assert_int_equal(np_stats_inbox_depth(NULL, 0), 0);
    assert_int_equal(np_stats_elapsed_ns(NULL), 0);
    assert_true(np_stats_locality(NULL) < 0);
    assert_int_equal(np_stats_health(NULL), NP_HEALTH_UNKNOWN);
    np_stats_destroy(NULL);
}

static void a_difference_is_the_time_between(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    npi_count(&b.counters[0], NP_COUNTER_EXECUTED_HOME, 10);
    npi_owner_add(&b.rows[0][0], 10);
    np_stats *older = sparse_snapshot(b.counters);
    older->nodes[2].outside[NP_COUNTER_SUBMITTED] = 6;
    older->nodes[2].queued = 50;
    npi_count(&b.counters[0], NP_COUNTER_EXECUTED_HOME, 7);
    npi_owner_add(&b.rows[0][0], 7);
    npi_count(&b.counters[2], NP_COUNTER_EXECUTED_AWAY, 2);
    npi_owner_add(&b.rows[2][0], 2);
    np_stats *newer = sparse_snapshot(b.counters);
    newer->end_ns = 1000;
    newer->nodes[2].outside[NP_COUNTER_SUBMITTED] = 8;
    newer->nodes[2].queued = 3;
    newer->policy = NP_STEAL_ANY;
    npi_stats_set_tier(newer, 0, 2, NP_TIER_SOCKET);

    np_stats *between = NULL;
    assert_int_equal(np_stats_difference(newer, older, &between), NP_OK);
    np_stats_destroy(older);
    np_stats_destroy(newer);
    assert_int_equal(np_stats_total(between, NP_COUNTER_EXECUTED_HOME), 7);
    assert_int_equal(np_stats_worker(between, 0, NP_COUNTER_EXECUTED_HOME), 7);
    assert_int_equal(np_stats_total(between, NP_COUNTER_EXECUTED_AWAY), 2);
    assert_int_equal(np_stats_matrix(between, 0, 0), 7);
    assert_int_equal(np_stats_matrix(between, 0, 252), 2);
    assert_int_equal(np_stats_node(between, 252, NP_COUNTER_SUBMITTED), 2);
    assert_int_equal(np_stats_inbox_depth(between, 252), 3);
    assert_int_equal(np_stats_elapsed_ns(between), 650);
    assert_int_equal(between->policy, NP_STEAL_ANY);
    assert_int_equal(npi_stats_tier(between, 0, 2), NP_TIER_SOCKET);
    assert_int_equal(np_stats_worker_node(between, 2), 252);
    np_stats_destroy(between);
}

static void incomparable_snapshots_are_refused(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    np_stats *older = sparse_snapshot(b.counters);
    np_stats *newer = sparse_snapshot(b.counters);
    newer->end_ns = older->end_ns + 1;
    np_stats *other = sparse_snapshot(b.counters);
    other->executor = 8;
    np_stats *between = NULL;
    assert_int_equal(np_stats_difference(newer, older, &between), NP_OK);

    np_stats *out = older;
    assert_int_equal(np_stats_difference(newer, other, &out), NP_ERR_INVALID_ARGUMENT);
    assert_null(out);
    assert_non_null(strstr(np_error_detail(), "different executors"));
    const np_stats *first = newer;
    const np_stats *second = older;
    assert_int_equal(np_stats_difference(second, first, &out), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "exchange"));
    assert_int_equal(np_stats_difference(between, older, &out), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "newer is itself a difference"));
    assert_int_equal(np_stats_difference(newer, NULL, &out), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "older is NULL"));
    assert_int_equal(np_stats_difference(NULL, older, &out), NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_stats_difference(newer, older, NULL), NP_ERR_INVALID_ARGUMENT);
    np_stats_destroy(between);
    np_stats_destroy(other);
    np_stats_destroy(newer);
    np_stats_destroy(older);
}

static void a_difference_is_never_negative(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    npi_count(&b.counters[0], NP_COUNTER_PARKS, 5);
    np_stats *older = sparse_snapshot(b.counters);
    bench nothing;
    set_up_bench(&nothing);
    np_stats *newer = sparse_snapshot(nothing.counters);
    np_stats *between = NULL;
    assert_int_equal(np_stats_difference(newer, older, &between), NP_OK);
    assert_int_equal(np_stats_total(between, NP_COUNTER_PARKS), 0);
    np_stats_destroy(between);
    np_stats_destroy(newer);
    np_stats_destroy(older);
}

/* --- a worker that goes on counting -------------------------------------------------------- */

enum { COUNTED = 200000 };

static void *count_on(void *argument)
{
    bench *b = argument;
    for (int i = 0; i < COUNTED; i++) {
        npi_count(&b->counters[0], NP_COUNTER_EXECUTED_HOME, 1);
        npi_owner_add(&b->rows[0][0], 1);
    }
    return NULL;
}

static void snapshots_of_a_running_worker_only_grow(void **state)
{
    (void)state;
    bench b;
    set_up_bench(&b);
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, count_on, &b), 0);
    uint64_t last = 0;
    for (int i = 0; i < 200; i++) {
        np_stats *stats = sparse_snapshot(b.counters);
        uint64_t now = np_stats_total(stats, NP_COUNTER_EXECUTED_HOME);
        assert_true(now >= last && now <= COUNTED);
        last = now;
        np_stats_destroy(stats);
    }
    assert_int_equal(pthread_join(thread, NULL), 0);
    np_stats *stats = sparse_snapshot(b.counters);
    assert_int_equal(np_stats_total(stats, NP_COUNTER_EXECUTED_HOME), COUNTED);
    assert_int_equal(np_stats_matrix(stats, 0, 0), COUNTED);
    np_stats_destroy(stats);
}

/* --- no memory ----------------------------------------------------------------------------- */

typedef struct scarce {
    int left; /* allocations that still succeed */
    int live;
} scarce;

static void *scarce_allocate(void *context, size_t bytes, size_t alignment)
{
    scarce *memory = context;
    if (memory->left-- <= 0)
        return NULL;
    memory->live++;
    size_t rounded = (bytes + alignment - 1) / alignment * alignment;
    return aligned_alloc(alignment, rounded);
}

static void scarce_release(void *context, void *memory, size_t bytes)
{
    (void)bytes;
    ((scarce *)context)->live--;
    free(memory);
}

static void without_memory_there_is_an_error_and_no_leak(void **state)
{
    (void)state;
    scarce memory = {0, 0};
    np_allocator allocator = {sizeof allocator, scarce_allocate, scarce_release, &memory};
    assert_int_equal(np_set_allocator(&allocator), NP_OK);
    static const np_node_id ids[] = {0, 1};
    int failures = 0;
    np_stats *first = NULL;
    for (;;) {
        memory.left = failures;
        np_status status = npi_stats_new(ids, 2, 4, &first);
        if (status == NP_OK)
            break;
        assert_int_equal(status, NP_ERR_NO_MEMORY);
        assert_null(first);
        assert_int_equal(memory.live, 0);
        failures++;
    }
    assert_int_equal(failures, 6);
    int before = memory.live;
    np_stats *second = NULL;
    for (int i = 0; i < failures; i++) {
        memory.left = i;
        assert_int_equal(np_stats_difference(first, first, &second), NP_ERR_NO_MEMORY);
        assert_null(second);
        assert_int_equal(memory.live, before);
    }
    np_stats_destroy(first);
    assert_int_equal(memory.live, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_and_texts_come_from_the_list),
        cmocka_unit_test(a_snapshot_reads_back_what_was_counted),
        cmocka_unit_test(the_nodes_are_those_with_workers),
        cmocka_unit_test(what_does_not_exist_is_zero),
        cmocka_unit_test(a_difference_is_the_time_between),
        cmocka_unit_test(incomparable_snapshots_are_refused),
        cmocka_unit_test(a_difference_is_never_negative),
        cmocka_unit_test(snapshots_of_a_running_worker_only_grow),
        cmocka_unit_test(without_memory_there_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
