/*
 * Goal: what is recorded comes out again, by pair of nodes and as local and remote, from workers'
 * seats and from any number of other threads at once; nothing leaks without memory. Method: the
 * table behind the collector, driven by hand and by threads that each own a seat or share the
 * common one; the exact sums are known beforehand.
 */
#include "../support/snapshots.h"

#include <pthread.h>
#include <stdlib.h>

#include "report/collector.h"

static const np_node_id ids[] = {0, 8, 252};

static np_collector *new_collector(uint32_t seats)
{
    np_collector *collector = NULL;
    assert_int_equal(npi_collector_new(NULL, ids, 3, seats, &collector), NP_OK);
    return collector;
}

static void check(np_access_counts counts, uint64_t local, uint64_t remote, uint64_t local_bytes,
                  uint64_t remote_bytes)
{
    assert_int_equal(counts.local, local);
    assert_int_equal(counts.remote, remote);
    assert_int_equal(counts.local_bytes, local_bytes);
    assert_int_equal(counts.remote_bytes, remote_bytes);
}

static void local_is_when_the_nodes_are_equal(void **state)
{
    (void)state;
    np_collector *collector = new_collector(2);
    npi_collector_add(collector, 0, 8, 8, 5, 500);
    npi_collector_add(collector, 0, 8, 252, 2, 20);
    npi_collector_add(collector, 1, 252, 8, 1, 1);
    npi_collector_add(collector, NPI_COLLECTOR_NO_SEAT, 0, 0, 10, 7);
    check(np_collector_totals(collector), 15, 3, 507, 21);
    check(np_collector_between(collector, 8, 8), 5, 0, 500, 0);
    check(np_collector_between(collector, 8, 252), 0, 2, 0, 20);
    check(np_collector_between(collector, 252, 8), 0, 1, 0, 1);
    check(np_collector_between(collector, 252, 252), 0, 0, 0, 0);
    np_collector_destroy(collector);
}

static void unknown_nodes_are_remote(void **state)
{
    (void)state;
    np_collector *collector = new_collector(1);
    npi_collector_add(collector, 0, 8, 9, 3, 30);
    npi_collector_add(collector, NPI_COLLECTOR_NO_SEAT, NP_NODE_ID_NONE, 8, 4, 40);
    npi_collector_add(collector, NPI_COLLECTOR_NO_SEAT, NP_NODE_ID_NONE, NP_NODE_ID_NONE, 5, 50);
    check(np_collector_totals(collector), 0, 12, 0, 120);
    check(np_collector_between(collector, 8, 1000), 0, 3, 0, 30);
    check(np_collector_between(collector, NP_NODE_ID_NONE, 8), 0, 4, 0, 40);
    np_collector_destroy(collector);
}

static void a_seat_that_moves_keeps_its_past(void **state)
{
    (void)state;
    np_collector *collector = new_collector(1);
    npi_collector_add(collector, 0, 0, 0, 1, 1);
    npi_collector_add(collector, 0, 8, 0, 2, 2);
    npi_collector_add(collector, 0, 8, 8, 4, 4);
    npi_collector_add(collector, 0, 0, 0, 8, 8);
    check(np_collector_between(collector, 0, 0), 9, 0, 9, 0);
    check(np_collector_between(collector, 8, 0), 0, 2, 0, 2);
    check(np_collector_between(collector, 8, 8), 4, 0, 4, 0);
    np_collector_destroy(collector);
}

static void nothing_and_nobody(void **state)
{
    (void)state;
    check(np_collector_totals(NULL), 0, 0, 0, 0);
    check(np_collector_between(NULL, 0, 0), 0, 0, 0, 0);
    np_collector_destroy(NULL);
    np_collector *collector = new_collector(0);
    check(np_collector_totals(collector), 0, 0, 0, 0);
    npi_collector_add(collector, 0, 0, 0, 1, 1); /* a seat beyond the last: shared */
    check(np_collector_totals(collector), 1, 0, 1, 0);
    np_collector_destroy(collector);
}

/* --- threads ------------------------------------------------------------------------------- */

enum { SEATS = 3, OTHERS = 3, EACH = 20000 };

typedef struct recorder {
    np_collector *collector;
    uint32_t seat;
    np_node_id node;
} recorder;

static void *record(void *argument)
{
    const recorder *self = argument;
    for (int i = 0; i < EACH; i++)
        npi_collector_add(self->collector, self->seat, self->node, ids[i % 3], 1, 8);
    return NULL;
}

static void many_threads_lose_nothing(void **state)
{
    (void)state;
    np_collector *collector = new_collector(SEATS);
    pthread_t threads[SEATS + OTHERS];
    recorder recorders[SEATS + OTHERS];
    for (uint32_t i = 0; i < SEATS + OTHERS; i++) {
        recorders[i] = (recorder){collector, i < SEATS ? i : NPI_COLLECTOR_NO_SEAT, ids[i % 3]};
        assert_int_equal(pthread_create(&threads[i], NULL, record, &recorders[i]), 0);
    }
    uint64_t last = 0;
    for (int i = 0; i < 200; i++) {
        np_access_counts now = np_collector_totals(collector);
        assert_true(now.local + now.remote >= last);
        last = now.local + now.remote;
    }
    for (uint32_t i = 0; i < SEATS + OTHERS; i++)
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    np_access_counts all = np_collector_totals(collector);
    assert_int_equal(all.local + all.remote, (SEATS + OTHERS) * EACH);
    assert_int_equal(all.local_bytes + all.remote_bytes, (SEATS + OTHERS) * EACH * 8);
    /* i % 3 == 0 comes 6,667 times in 20,000, 1 as often, 2 once less. */
    check(np_collector_between(collector, 0, 0), 2 * 6667, 0, 2 * 6667 * 8, 0);
    check(np_collector_between(collector, 252, 252), 2 * 6666, 0, 2 * 6666 * 8, 0);
    np_collector_destroy(collector);
}

/* --- no memory ----------------------------------------------------------------------------- */

static int allocations_left;
static int live;

static void *scarce_allocate(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    if (allocations_left-- <= 0)
        return NULL;
    live++;
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void scarce_release(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    live--;
    free(memory);
}

static void without_memory_there_is_an_error_and_no_leak(void **state)
{
    (void)state;
    np_allocator allocator = {sizeof allocator, scarce_allocate, scarce_release, NULL};
    assert_int_equal(np_set_allocator(&allocator), NP_OK);
    np_collector *collector = NULL;
    for (int i = 0; i < 4; i++) {
        allocations_left = i;
        assert_int_equal(npi_collector_new(NULL, ids, 3, 2, &collector), NP_ERR_NO_MEMORY);
        assert_null(collector);
        assert_int_equal(live, 0);
    }
    allocations_left = 4;
    assert_int_equal(npi_collector_new(NULL, ids, 3, 2, &collector), NP_OK);
    np_collector_destroy(collector);
    assert_int_equal(live, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(local_is_when_the_nodes_are_equal),
        cmocka_unit_test(unknown_nodes_are_remote),
        cmocka_unit_test(a_seat_that_moves_keeps_its_past),
        cmocka_unit_test(nothing_and_nobody),
        cmocka_unit_test(many_threads_lose_nothing),
        cmocka_unit_test(without_memory_there_is_an_error_and_no_leak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
