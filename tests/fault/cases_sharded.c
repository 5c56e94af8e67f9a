/*
 * tests/fault/cases_sharded.c - values per node or worker, and the counter.
 */
#include "cases.h"

static uint32_t alive;

static np_status make_value(void *context, void *value, np_node_id node)
{
    (void)context;
    *(uint64_t *)value = (uint64_t)node;
    alive++;
    return NP_OK;
}

static void end_value(void *context, void *value, np_node_id node)
{
    (void)context;
    FAULT_CHECK(*(uint64_t *)value == (uint64_t)node);
    alive--;
}

static void see_value(void *context, void *value, np_node_id node)
{
    (void)context;
    (void)value;
    (void)node;
}

static void prepare_virtual(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
}

static void prepare_real(fault_run *run)
{
    fault_make_executor(run, NULL);
}

static void create_values(fault_run *run, np_hard_mode mode)
{
    alive = 0;
    run->sharded = (np_sharded *)(uintptr_t)8;
    FAULT_CALL(run,
               np_sharded_create(run->executor,
                                 NP_SHARDED_OPTIONS(.bytes = 24, .hard_mode = mode,
                                                    .construct = make_value, .destroy = end_value),
                                 &run->sharded));
    if (run->status != NP_OK)
        FAULT_CHECK(run->sharded == NULL && alive == 0);
    else
        FAULT_CHECK(alive == np_sharded_count(run->sharded));
}

static void create_soft(fault_run *run)
{
    create_values(run, NP_HARD_MODE_SOFT);
}

static void create_strict(fault_run *run)
{
    create_values(run, NP_HARD_MODE_STRICT);
}

static void create_counter(fault_run *run)
{
    run->counter = (np_sharded_counter *)(uintptr_t)8;
    FAULT_CALL(run, np_sharded_counter_create(run->executor, &run->counter));
    FAULT_CHECK(run->status == NP_OK || run->counter == NULL);
}

static void prepare_both(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    FAULT_NEED(np_sharded_create(run->executor, NP_SHARDED_OPTIONS(.bytes = 24), &run->sharded));
    FAULT_NEED(np_sharded_counter_create(run->executor, &run->counter));
}

/* On a real machine with several nodes a thread outside asks where it is; if that cannot be had it
 * gets the first node's. */
static void prepare_both_real(fault_run *run)
{
    fault_make_executor(run, NULL);
    FAULT_NEED(np_sharded_create(run->executor, NP_SHARDED_OPTIONS(.bytes = 24), &run->sharded));
}

static void local(fault_run *run)
{
    void *value = NULL;
    FAULT_DO(run, value = np_sharded_local(run->sharded));
    FAULT_CHECK(value != NULL);
}

/* A thread that gets no number for itself shares one. */
static void add(fault_run *run)
{
    FAULT_DO(run, np_sharded_counter_add(run->counter, 3));
    FAULT_CHECK(np_sharded_counter_read(run->counter) == 3);
}

static void destroy_values(fault_run *run)
{
    FAULT_DO(run, np_sharded_destroy(run->sharded));
    run->sharded = NULL;
}

static void destroy_counter(fault_run *run)
{
    FAULT_DO(run, np_sharded_counter_destroy(run->counter));
    run->counter = NULL;
}

/* X(function, the call), of those that look at what is there. r: the run. */
#define READS(X)                                                                   \
    X(np_sharded_at, (void)np_sharded_at(r->sharded, 0))                           \
    X(np_sharded_at_worker, (void)np_sharded_at_worker(r->sharded, 0))             \
    X(np_sharded_count, (void)np_sharded_count(r->sharded))                        \
    X(np_sharded_for_each, (void)np_sharded_for_each(r->sharded, see_value, NULL)) \
    X(np_sharded_counter_read, (void)np_sharded_counter_read(r->counter))

#define DEFINE(name, expression)          \
    static void call_##name(fault_run *r) \
    {                                     \
        FAULT_DO(r, expression);          \
    }
READS(DEFINE)
#define ROW(name, expression)          \
    {.function = #name,                \
     .variant = "",                    \
     .pure = "looks at what is there", \
     .prepare = prepare_both,          \
     .call = call_##name},

static const fault_case cases[] = {
    {.function = "np_sharded_create",
     .variant = "virtual",
     .prepare = prepare_virtual,
     .call = create_soft,
     .thing = "sharded",
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_sharded_create",
     .variant = "soft",
     .prepare = prepare_real,
     .call = create_soft,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_sharded_create",
     .variant = "strict",
     .prepare = prepare_real,
     .call = create_strict,
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE}},
    {.function = "np_sharded_counter_create",
     .variant = "",
     .prepare = prepare_real,
     .call = create_counter,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_sharded_local",
     .variant = "",
     .prepare = prepare_both_real,
     .call = local,
     .perhaps_none = true},
    {.function = "np_sharded_counter_add", .variant = "", .prepare = prepare_both, .call = add},
    {.function = "np_sharded_destroy",
     .variant = "",
     .prepare = prepare_both,
     .call = destroy_values},
    {.function = "np_sharded_counter_destroy",
     .variant = "",
     .prepare = prepare_both,
     .call = destroy_counter},
    READS(ROW)};
FAULT_LIST(fault_sharded_cases, cases);
