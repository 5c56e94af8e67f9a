/*
 * Goal: what a worker remembers of one loop says nothing about another one, and a grain is a
 * promise, also where the library calls the caller's body through one of its own: deterministic
 * reductions, and regions. And a region of a file is looped over to the file's end. Method: many
 * runs of a cheap body, and then one whose first index waits for a later one, which only another
 * worker can run: if the first one's cost counted, it would stay on one worker and never end.
 */
#include "../support/pool.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define INDICES 40u /* fewer than what is taken for coarse while nothing is known */
#define OFTEN   200u

typedef struct meeting {
    np_executor *executor;
    size_t grain;
    bool wait;
    pool_gate gate; /* open */
} meeting;

/* The first half waits for somebody in the second one. */
static void meet(meeting *m, size_t begin, size_t end)
{
    if (!m->wait)
        return;
    if (end > INDICES / 2)
        pool_gate_pass(&m->gate);
    if (begin == 0)
        pool_gate_await(&m->gate, 1);
}

static void cheap_range(void *context, size_t begin, size_t end, void *value)
{
    (void)context;
    *(uint64_t *)value += end - begin;
}

static void meet_range(void *context, size_t begin, size_t end, void *value)
{
    cheap_range(context, begin, end, value);
    meet(context, begin, end);
}

static void add(void *context, void *into, const void *from)
{
    (void)context;
    *(uint64_t *)into += *(const uint64_t *)from;
}

static void reduce(meeting *m, np_reduce_fn body)
{
    uint64_t sum = 0;
    assert_int_equal(
        np_parallel_reduce(m->executor, 0, INDICES, NP_LOOP_OPTIONS(.grain = m->grain),
                           NP_REDUCTION(.bytes = sizeof sum, .body = body, .combine = add,
                                        .context = m, .deterministic = true),
                           &sum),
        NP_OK);
    assert_int_equal(sum, INDICES);
}

static void one_after_the_other(void *argument)
{
    meeting *m = argument;
    for (unsigned i = 0; i < OFTEN; i++)
        reduce(m, cheap_range);
    m->wait = true;
    reduce(m, meet_range);
}

static void the_same_with_a_grain(void *argument)
{
    meeting *m = argument;
    for (unsigned i = 0; i < OFTEN; i++)
        reduce(m, meet_range);
    m->wait = true;
    m->grain = 1;
    reduce(m, meet_range);
}

static void run_inside(const char *machine, np_task_fn fn, meeting *m)
{
    m->executor = pool_create(machine, NULL);
    npi_store_relaxed(&m->gate.open, 1u);
    assert_int_equal(np_run(m->executor, NP_NODE_ID_NONE, fn, m), NP_OK);
    assert_int_equal(np_executor_destroy(m->executor), NP_OK);
}

static void test_reductions_have_their_own_costs(void **state)
{
    (void)state;
    meeting m = {0};
    run_inside(ONE_BY_TWO, one_after_the_other, &m);
}

static void test_a_grain_is_a_promise(void **state)
{
    (void)state;
    meeting m = {0};
    run_inside(ONE_BY_TWO, the_same_with_a_grain, &m);
}

/* --- regions ---------------------------------------------------------------------------------- */

typedef struct bytes {
    size_t size, page;
    np_atomic(uint64_t) seen;
    np_atomic(uint64_t) ends; /* stretches that reach the end */
} bytes;

static void see_bytes(void *context, size_t begin, size_t end)
{
    bytes *b = context;
    assert_true(begin % b->page == 0 && begin < end && end <= b->size);
    assert_true(end % b->page == 0 || end == b->size);
    npi_fetch_add_relaxed(&b->seen, (uint64_t)(end - begin));
    if (end == b->size)
        npi_fetch_add_relaxed(&b->ends, (uint64_t)1);
}

static void loop_over_file(np_executor *executor, size_t size)
{
    char path[] = "/tmp/test_loop_costs.XXXXXX";
    int file = mkstemp(path);
    assert_true(file >= 0);
    assert_int_equal(ftruncate(file, (off_t)size), 0);
    np_region *region = NULL;
    np_node_id node = 0;
    assert_int_equal(np_region_create_from_file(np_executor_topology(executor), path, 0, 0,
                                                NP_REGION_OPTIONS(.nodes = &node, .node_count = 1),
                                                &region),
                     NP_OK);
    assert_int_equal(close(file), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(np_region_size(region), size);
    for (int schedule = 0; schedule <= NP_SCHEDULE_STATIC; schedule++) {
        bytes b = {.size = size, .page = np_region_page_size(region)};
        assert_int_equal(np_parallel_for_region(executor, region,
                                                NP_LOOP_OPTIONS(.schedule = (np_schedule)schedule),
                                                see_bytes, &b),
                         NP_OK);
        assert_int_equal(npi_load_relaxed(&b.seen), size);
        assert_int_equal(npi_load_relaxed(&b.ends), 1);
    }
    np_region_destroy(region);
}

static void test_to_the_end_of_a_file(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    size_t page = npi_os_page_size();
    const size_t sizes[] = {100, page, page + 1, 5 * page + page / 2, 8 * page};
    for (unsigned i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
        loop_over_file(executor, sizes[i]);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_to_the_end_of_a_file),
        cmocka_unit_test(test_a_grain_is_a_promise),
        cmocka_unit_test(test_reductions_have_their_own_costs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
