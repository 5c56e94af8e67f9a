/*
 * Goal: a reduction has the value of the plain loop, combined in the order of the indices, for all
 * schedules, sizes of values and machines, from outside and from tasks, also when parts of it are
 * stolen and when there is no memory for their values; a deterministic one repeats bit by bit on
 * any number of workers. Method: an operation that is associative and does not commute (affine
 * functions under composition), whose value tells a wrong order, a gap or an index done twice;
 * sums of floating point numbers that differ with every order.
 */
#include "../support/pool.h"

#include <string.h>

#include "base/alloc.h"

/* x -> a x + b modulo 2^64, and how many were composed. */
typedef struct affine {
    uint64_t a, b, count;
} affine;

#define WIDEST 300u
typedef struct wide {
    affine value;
    unsigned char padding[WIDEST];
} wide;

static affine of_index(size_t i)
{
    return (affine){2 * (uint64_t)i + 3, (uint64_t)i * i + 1, 1};
}

/* First f, then g. */
static affine compose(affine f, affine g)
{
    return (affine){g.a * f.a, g.a * f.b + g.b, f.count + g.count};
}

static const wide identity = {.value = {1, 0, 0}};

static void add_range(void *context, size_t begin, size_t end, void *value)
{
    affine *sum = value;
    assert_ptr_not_equal(context, NULL);
    assert_true(begin < end && (uintptr_t)value % _Alignof(affine) == 0);
    for (size_t i = begin; i < end; i++)
        *sum = compose(*sum, of_index(i));
}

static void combine(void *context, void *into, const void *from)
{
    affine *first = into;
    const affine *second = from;
    assert_ptr_not_equal(context, NULL);
    *first = compose(*first, *second);
}

static affine plain(size_t begin, size_t end)
{
    affine sum = identity.value;
    for (size_t i = begin; i < end; i++)
        sum = compose(sum, of_index(i));
    return sum;
}

static void expect(const wide *result, size_t begin, size_t end)
{
    affine wanted = plain(begin, end);
    if (memcmp(&result->value, &wanted, sizeof wanted) != 0)
        fail_msg("%zu .. %zu: %llu indices, or another order", begin, end,
                 (unsigned long long)result->value.count);
}

typedef struct job {
    np_executor *executor;
    size_t begin, end;
    np_loop_options options;
    np_reduction reduction;
    wide result;
    np_status status;
} job;

static void reduce_here(void *argument)
{
    job *j = argument;
    j->status = np_parallel_reduce(j->executor, j->begin, j->end, &j->options, &j->reduction,
                                   &j->result);
}

static void run_both_ways(job *j)
{
    reduce_here(j);
    assert_int_equal(j->status, NP_OK);
    expect(&j->result, j->begin, j->end);
    memset(&j->result, 0xee, sizeof j->result);
    assert_int_equal(np_run(j->executor, NP_NODE_ID_NONE, reduce_here, j), NP_OK);
    assert_int_equal(j->status, NP_OK);
    expect(&j->result, j->begin, j->end);
}

static job new_job(np_executor *executor)
{
    job j = {.executor = executor, .options = {.size = sizeof(np_loop_options)}};
    j.reduction = (np_reduction){.size = sizeof(np_reduction),
                                 .bytes = sizeof(affine),
                                 .identity = &identity,
                                 .body = add_range,
                                 .combine = combine,
                                 .context = executor};
    return j;
}

static void all_shapes(np_executor *executor)
{
    static const size_t sizes[] = {0, 1, 2, 3, 63, 1000, 5000};
    static const size_t grains[] = {0, 1, 7, 100000};
    for (unsigned s = 0; s < sizeof sizes / sizeof sizes[0]; s++)
        for (unsigned g = 0; g < sizeof grains / sizeof grains[0]; g++)
            for (int kind = 0; kind < 2 * 3; kind++) {
                job j = new_job(executor);
                j.begin = s;
                j.end = s + sizes[s];
                j.options.grain = grains[g];
                j.options.schedule = (np_schedule)(kind / 2);
                j.reduction.deterministic = kind % 2 != 0;
                j.reduction.bytes = s % 2 != 0 ? sizeof(affine) : sizeof(wide);
                run_both_ways(&j);
            }
}

static void test_value_of_the_plain_loop(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_ONE, ONE_BY_FOUR, TWO_BY_TWO, FOUR_NODES};
    for (unsigned m = 0; m < sizeof machines / sizeof machines[0]; m++)
        for (int policy = 0; policy <= NP_STEAL_ANY; policy++) {
            np_executor *executor = pool_create(
                machines[m], NP_EXECUTOR_OPTIONS(.steal_policy = (np_steal_policy)policy));
            all_shapes(executor);
            assert_int_equal(np_executor_destroy(executor), NP_OK);
        }
}

/* --- parts that are stolen ----------------------------------------------------------------------
 */

/* The first call holds its worker until somebody else has made one: so a part is stolen. */
typedef struct meeting {
    pool_gate gate;
    np_atomic(uint32_t) calls;
} meeting;

static void add_range_and_meet(void *context, size_t begin, size_t end, void *value)
{
    meeting *m = context;
    uint32_t call = npi_fetch_add_relaxed(&m->calls, 1u);
    if (call == 0)
        pool_gate_pass(&m->gate);
    else if (call == 1)
        pool_gate_open(&m->gate);
    add_range(context, begin, end, value);
}

static void reduce_and_meet(np_executor *executor, size_t bytes)
{
    meeting m = {0};
    job j = new_job(executor);
    j.end = 4000;
    j.options.grain = 10;
    j.reduction.bytes = bytes;
    j.reduction.body = add_range_and_meet;
    j.reduction.context = &m;
    assert_int_equal(np_run(executor, NP_NODE_ID_NONE, reduce_here, &j), NP_OK);
    assert_int_equal(j.status, NP_OK);
    expect(&j.result, j.begin, j.end);
}

static uint64_t stolen(np_executor *executor)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t count = np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_CACHE) +
                     np_stats_total(stats, NP_COUNTER_FORKS_STOLEN_NODE);
    np_stats_destroy(stats);
    return count;
}

static void test_stolen_parts(void **state)
{
    (void)state;
    np_executor *executor = pool_create(ONE_BY_TWO, NULL);
    for (int i = 0; i < 20; i++) {
        reduce_and_meet(executor, sizeof(affine));
        reduce_and_meet(executor, sizeof(wide));
    }
    assert_true(stolen(executor) >= 40);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* Values too large for the part, and no memory for them: the owner does such parts itself. When a
 * part is stolen is up to the threads, so this goes on until one was. */
static np_atomic(uint32_t) refused;

static void *refuse_values(void *context, size_t bytes, size_t alignment)
{
    (void)context;
    if (bytes == sizeof(wide)) {
        npi_fetch_add_relaxed(&refused, 1u);
        return NULL;
    }
    return aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
}

static void give_back(void *context, void *memory, size_t bytes)
{
    (void)context;
    (void)bytes;
    free(memory);
}

static void test_no_memory_for_a_value(void **state)
{
    (void)state;
    const np_allocator allocator = {sizeof allocator, refuse_values, give_back, NULL};
    assert_int_equal(np_set_allocator(&allocator), NP_OK);
    np_executor *executor = pool_create(ONE_BY_FOUR, NULL);
    while (npi_load_relaxed(&refused) == 0) {
        job j = new_job(executor);
        j.end = 4000;
        j.options.grain = 10;
        j.reduction.bytes = sizeof(wide);
        assert_int_equal(np_run(executor, NP_NODE_ID_NONE, reduce_here, &j), NP_OK);
        assert_int_equal(j.status, NP_OK);
        expect(&j.result, j.begin, j.end);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

/* --- deterministic sums
 * ----------------------------------------------------------------------------
 */

static void add_floats(void *context, size_t begin, size_t end, void *value)
{
    double *sum = value;
    (void)context;
    for (size_t i = begin; i < end; i++)
        *sum += 1.0 / (double)(3 * i + 1) * (i % 2 != 0 ? 1e10 : -1e-10);
}

static void add_float(void *context, void *into, const void *from)
{
    double *sum = into;
    const double *more = from;
    (void)context;
    *sum += *more;
}

static void test_deterministic_repeats(void **state)
{
    (void)state;
    static const char *const machines[] = {ONE_BY_ONE, ONE_BY_TWO, ONE_BY_FOUR, FOUR_NODES,
                                           "numa:1 core:7 pu:1"};
    np_reduction reduction = {.size = sizeof reduction, .bytes = sizeof(double)};
    reduction.body = add_floats;
    reduction.combine = add_float;
    reduction.deterministic = true;
    for (size_t grain = 0; grain < 400; grain += 133) {
        double first = 0;
        for (unsigned m = 0; m < sizeof machines / sizeof machines[0]; m++)
            for (int schedule = 0; schedule <= NP_SCHEDULE_GUIDED; schedule++) {
                np_executor *executor = pool_create(machines[m], NULL);
                np_loop_options options = {.size = sizeof options, .grain = grain};
                options.schedule = (np_schedule)schedule;
                double sum = 7;
                assert_int_equal(
                    np_parallel_reduce(executor, 0, 100000, &options, &reduction, &sum), NP_OK);
                if (m == 0 && schedule == 0)
                    first = sum;
                assert_memory_equal(&first, &sum, sizeof sum);
                assert_int_equal(np_executor_destroy(executor), NP_OK);
            }
    }
}

/* --- groups and refusals
 * ----------------------------------------------------------------------------
 */

static void fail_at_500(void *context, size_t begin, size_t end, void *value)
{
    (void)value;
    if (begin <= 500 && 500 < end)
        np_group_fail(context, NP_ERR_PARSE);
}

static void keep_first(void *context, void *into, const void *from)
{
    (void)context;
    (void)into;
    (void)from;
}

static void test_first_error_and_cancellation(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    for (int kind = 0; kind < 2 * 3; kind++) {
        np_group *group = NULL;
        assert_int_equal(np_group_create(NULL, &group), NP_OK);
        np_reduction reduction = {.size = sizeof reduction, .bytes = 8, .context = group};
        reduction.body = fail_at_500;
        reduction.combine = keep_first;
        reduction.deterministic = kind % 2 != 0;
        np_loop_options options = {.size = sizeof options, .grain = 10, .group = group};
        options.schedule = (np_schedule)(kind / 2);
        uint64_t value;
        assert_int_equal(np_parallel_reduce(executor, 0, 1000, &options, &reduction, &value),
                         NP_ERR_PARSE);
        assert_int_equal(np_group_reset(group), NP_OK);
        np_group_cancel(group);
        assert_int_equal(np_parallel_reduce(executor, 0, 1000, &options, &reduction, &value),
                         NP_ERR_CANCELLED);
        assert_int_equal(np_group_destroy(group), NP_OK);
    }
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

static void test_refusals(void **state)
{
    (void)state;
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    uint64_t value = 0;
    np_reduction good = {.size = sizeof good, .bytes = 8, .body = add_floats, .combine = add_float};
    np_reduction bad = good;
    unit_expect_failure(np_parallel_reduce(NULL, 0, 1, NULL, &good, &value),
                        NP_ERR_INVALID_ARGUMENT, "executor");
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, NULL, &value),
                        NP_ERR_INVALID_ARGUMENT, "reduction is NULL");
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, &good, NULL),
                        NP_ERR_INVALID_ARGUMENT, "result is NULL");
    unit_expect_failure(np_parallel_reduce(executor, 2, 1, NULL, &good, &value),
                        NP_ERR_INVALID_ARGUMENT, "begin is 2, end 1");
    bad.bytes = 0;
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, &bad, &value),
                        NP_ERR_INVALID_ARGUMENT, "bytes is 0");
    bad = good;
    bad.body = NULL;
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, &bad, &value),
                        NP_ERR_INVALID_ARGUMENT, "body is NULL");
    bad = good;
    bad.combine = NULL;
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, &bad, &value),
                        NP_ERR_INVALID_ARGUMENT, "combine is NULL");
    bad = good;
    bad.size = 3;
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, &bad, &value),
                        NP_ERR_INVALID_ARGUMENT, "np_reduction");
    /* A value for each of 2^64 - 1 indices. */
    bad = good;
    bad.deterministic = true;
    const np_loop_options one = {.size = sizeof one, .grain = 1};
    unit_expect_failure(np_parallel_reduce(executor, 0, SIZE_MAX, &one, &bad, &value),
                        NP_ERR_NO_MEMORY, "values of 8 bytes");
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    unit_expect_failure(np_parallel_reduce(executor, 0, 1, NULL, &good, &value), NP_ERR_SHUT_DOWN,
                        "shut down");
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value_of_the_plain_loop),
        cmocka_unit_test(test_stolen_parts),
        cmocka_unit_test(test_no_memory_for_a_value),
        cmocka_unit_test(test_deterministic_repeats),
        cmocka_unit_test(test_first_error_and_cancellation),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
