/*
 * Goal: a tiny loop that its caller keeps to itself costs nobody anything: no allocation, no
 * wake-up of a sleeping worker, no fork; and one that is long wakes somebody. Method: the counters
 * and the allocator's account before and after many loops in one task, beside a worker that sleeps.
 */
#include "../support/pool.h"

enum { LOOPS = 20000, COUNT = 64 };
#if defined(__OPTIMIZE__)
enum { OPTIMISED = 1 };
#else
enum { OPTIMISED = 0 };
#endif

typedef struct quiet {
    np_executor *executor;
    unit_allocator *allocator;
    uint64_t wakes, allocations;
    uint32_t numbers[COUNT];
} quiet;

static uint64_t wakes_now(const quiet *q)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(q->executor, &stats), NP_OK);
    uint64_t wakes = np_stats_total(stats, NP_COUNTER_WAKES);
    np_stats_destroy(stats);
    return wakes;
}

static void add_one(void *context, size_t begin, size_t end)
{
    quiet *q = context;
    for (size_t i = begin; i < end; i++)
        q->numbers[i]++;
}

static void many_tiny_loops(void *argument)
{
    quiet *q = argument;
    for (unsigned i = 0; i < 10; i++) /* the library learns what an index costs */
        assert_int_equal(np_parallel_for(q->executor, 0, COUNT, NULL, add_one, q), NP_OK);
    q->wakes = wakes_now(q);
    q->allocations = q->allocator->calls;
    for (unsigned i = 0; i < LOOPS; i++)
        assert_int_equal(np_parallel_for(q->executor, 0, COUNT, NULL, add_one, q), NP_OK);
    q->allocations = q->allocator->calls - q->allocations;
    q->wakes = wakes_now(q) - q->wakes;
}

static void test_tiny_loops_disturb_nobody(void **state)
{
    (void)state;
    unit_allocator allocator;
    unit_allocator_install(&allocator);
    quiet q = {.allocator = &allocator};
    q.executor = pool_create(ONE_BY_FOUR, NULL);
    assert_int_equal(np_run(q.executor, NP_NODE_ID_NONE, many_tiny_loops, &q), NP_OK);
    assert_int_equal(q.allocations, 0);
    /* One that is interrupted in the middle looks long, and then it is: a sleeper may be woken for
     * it. A wake-up for every loop, or for every tenth, would be a mistake; but under a sanitizer,
     * or when nothing is optimised, no loop is tiny. */
    if (!UNIT_SANITIZED && OPTIMISED)
        assert_in_range(q.wakes, 0, LOOPS / 10 - 1);
    for (unsigned i = 0; i < COUNT; i++)
        assert_int_equal(q.numbers[i], LOOPS + 10);
    assert_int_equal(np_executor_destroy(q.executor), NP_OK);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

/* A long loop ends only when another worker has run some of it. */
typedef struct crowd {
    np_executor *executor;
    np_atomic(uint32_t) first;  /* worker of the first call, plus one */
    np_atomic(uint32_t) others; /* calls on other workers */
} crowd;

static void until_helped(void *context, size_t begin, size_t end)
{
    crowd *c = context;
    uint32_t self = np_current_worker_index() + 1, none = 0;
    (void)begin;
    (void)end;
    if (!npi_cas_acquire(&c->first, &none, self) && none != self)
        npi_fetch_add_acq_rel(&c->others, 1u);
    /* About 50 us each, as long as nobody has come: after the first of them everybody knows. */
    uint64_t ends = npi_os_deadline(50000);
    while (npi_load_acquire(&c->others) == 0 && npi_os_now() < ends)
        npi_cpu_relax();
}

static void long_loop(void *argument)
{
    crowd *c = argument;
    assert_int_equal(np_parallel_for(c->executor, 0, 20000, NULL, until_helped, c), NP_OK);
}

static void test_long_loops_get_help(void **state)
{
    (void)state;
    crowd c = {.executor = pool_create(ONE_BY_TWO, NULL)};
    assert_int_equal(np_run(c.executor, NP_NODE_ID_NONE, long_loop, &c), NP_OK);
    assert_true(npi_load_acquire(&c.others) > 0);
    assert_int_equal(np_executor_destroy(c.executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_tiny_loops_disturb_nobody),
        cmocka_unit_test(test_long_loops_get_help),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
