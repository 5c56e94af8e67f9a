/*
 * tests/fault/cases_loop.c - reductions, and loops over placed data. (np_parallel_for itself:
 * cases_submit.c.)
 */
#include "cases.h"

#define INDICES  ((size_t)20000)
#define TOTAL    ((uint64_t)INDICES * (INDICES - 1) / 2)
#define ELEMENTS INDICES

static void prepare(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_array_create(run->topology, 8, ELEMENTS, NULL, &run->array));
    FAULT_NEED(np_region_create(run->topology, 8 * ELEMENTS,
                                NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE), &run->region));
}

/* On the real machine the kernel is asked where the region's pages are. */
static void prepare_real(fault_run *run)
{
    fault_make_executor(run, NULL);
    FAULT_NEED(np_region_create(run->topology, 8 * ELEMENTS,
                                NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL), &run->region));
}

static void check(fault_run *run, bool fired)
{
    (void)fired;
    fault_probe(run->executor);
}

static void count(void *context, size_t begin, size_t end)
{
    fault_run *run = context;
    npi_fetch_add_acq_rel(&run->ran, (uint64_t)(end - begin));
}

/* Without an error every index has run, with one some may have. */
static void counted(fault_run *run, uint64_t all)
{
    FAULT_CHECK(npi_load_acquire(&run->ran) <= all);
    FAULT_CHECK(run->status != NP_OK || npi_load_acquire(&run->ran) == all);
}

static void guided(fault_run *run)
{
    FAULT_CALL(run, np_parallel_for(run->executor, 0, INDICES,
                                    NP_LOOP_OPTIONS(.schedule = NP_SCHEDULE_GUIDED), count, run));
    counted(run, INDICES);
}

static void over_array(fault_run *run)
{
    FAULT_CALL(run, np_parallel_for_array(run->executor, run->array, NULL, count, run));
    counted(run, ELEMENTS);
}

static void over_array_static(fault_run *run)
{
    FAULT_CALL(run,
               np_parallel_for_array(run->executor, run->array,
                                     NP_LOOP_OPTIONS(.schedule = NP_SCHEDULE_STATIC), count, run));
    counted(run, ELEMENTS);
}

static void task_over_array(void *run)
{
    over_array(run);
}

static void over_array_inside(fault_run *run)
{
    fault_in_task(run, task_over_array);
}

static void over_region(fault_run *run)
{
    FAULT_CALL(run, np_parallel_for_region(run->executor, run->region, NULL, count, run));
    counted(run, np_region_size(run->region));
}

/* --- reductions ---------------------------------------------------------------------------------
 */

typedef struct sum {
    uint64_t value;
    unsigned char room[200]; /* too large for the parts of a loop: each takes memory */
} sum;

static void add_range(void *context, size_t begin, size_t end, void *value)
{
    sum *s = value;
    (void)context;
    for (size_t i = begin; i < end; i++)
        s->value += i;
}

static void add(void *context, void *into, const void *from)
{
    sum *s = into;
    const sum *other = from;
    (void)context;
    s->value += other->value;
}

static void reduce_how(fault_run *run, bool deterministic, bool array)
{
    sum result = {.value = 1};
    np_loop_options options = {.size = sizeof options, .grain = 500};
    np_reduction reduction = {.size = sizeof reduction, .bytes = sizeof(sum)};
    reduction.body = add_range;
    reduction.combine = add;
    reduction.deterministic = deterministic;
    if (array)
        FAULT_CALL(run, np_parallel_reduce_array(run->executor, run->array, &options, &reduction,
                                                 &result));
    else
        FAULT_CALL(run,
                   np_parallel_reduce(run->executor, 0, INDICES, &options, &reduction, &result));
    FAULT_CHECK(run->status != NP_OK || result.value == TOTAL);
}

static void reduce(fault_run *run)
{
    reduce_how(run, false, false);
}

static void reduce_table(fault_run *run)
{
    reduce_how(run, true, false);
}

static void reduce_array(fault_run *run)
{
    reduce_how(run, false, true);
}

static void reduce_array_table(fault_run *run)
{
    reduce_how(run, true, true);
}

#define LOOP(name, kind, before, call_it)                                                         \
    {                                                                                             \
        .function = name, .variant = kind, .prepare = before, .call = call_it, .check = check,    \
        .allowed = {NP_ERR_NO_MEMORY, NP_ERR_NOT_SUPPORTED, NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM}, \
        .thing = "memory", .elsewhere = true                                                      \
    }

static const fault_case cases[] = {
    LOOP("np_parallel_for", "guided", prepare, guided),
    LOOP("np_parallel_for_array", "adaptive", prepare, over_array),
    LOOP("np_parallel_for_array", "static", prepare, over_array_static),
    LOOP("np_parallel_for_array", "inside", prepare, over_array_inside),
    LOOP("np_parallel_for_region", "virtual", prepare, over_region),
    LOOP("np_parallel_for_region", "real", prepare_real, over_region),
    LOOP("np_parallel_reduce", "adaptive", prepare, reduce),
    LOOP("np_parallel_reduce", "deterministic", prepare, reduce_table),
    LOOP("np_parallel_reduce_array", "adaptive", prepare, reduce_array),
    LOOP("np_parallel_reduce_array", "deterministic", prepare, reduce_array_table),
};
FAULT_LIST(fault_loop_cases, cases);
