/*
 * What the tests of pipelines share: items that know their number and what was done to them, a
 * ledger that counts how each one ended, stages that write into it.
 */
#ifndef NP_TESTS_PIPELINE_HELP_H
#define NP_TESTS_PIPELINE_HELP_H

#include "../support/pool.h"

#define ITEMS_MOST 20000u

typedef struct item {
    uint32_t number;
    uint32_t steps; /* stages that have seen it */
    uint64_t check; /* ~number */
} item;

typedef struct ledger {
    uint32_t items; /* that the source makes */
    uint32_t next;  /* of the source; one call at a time */
    np_atomic(uint32_t) inside, inside_most;
    np_atomic(uint32_t) ended[ITEMS_MOST]; /* how often */
    np_atomic(uint64_t) finished, destroyed, dropped;
    uint32_t drop_every; /* a filter's */
    uint32_t fail_at;    /* item; UINT32_MAX: none */
    uint32_t last;       /* of an ordered stage: the next it must see */
    np_pipeline *pipeline;
} ledger;

static ledger the;

static inline void ledger_begin(uint32_t items)
{
    memset(&the, 0, sizeof the);
    the.items = items;
    the.fail_at = UINT32_MAX;
}

static inline void ledger_end_item(const item *it)
{
    assert_true(it->number < the.items && it->check == ~(uint64_t)it->number);
    npi_fetch_add_relaxed(&the.ended[it->number], 1u);
    npi_fetch_sub_release(&the.inside, 1u);
}

static inline void ledger_enter(item *it)
{
    *it = (item){the.next, 0, ~(uint64_t)the.next};
    the.next++;
    uint32_t inside = npi_fetch_add_acq_rel(&the.inside, 1u) + 1;
    uint32_t most = npi_load_relaxed(&the.inside_most);
    while (inside > most && !npi_cas_acq_rel(&the.inside_most, &most, inside)) {
    }
}

static inline np_status stage_source(void *context, void *memory)
{
    (void)context;
    if (the.next == the.items)
        return NP_ERR_CLOSED;
    ledger_enter(memory);
    return NP_OK;
}

/* context: which stage it is, from 0. */
static inline np_status stage_pass(void *context, void *memory)
{
    item *it = memory;
    assert_int_equal(it->steps, (uintptr_t)context);
    assert_true(it->check == ~(uint64_t)it->number);
    it->steps++;
    return it->number == the.fail_at ? NP_ERR_PARSE : NP_OK;
}

static inline np_status stage_filter(void *context, void *memory)
{
    item *it = memory;
    np_status status = stage_pass(context, memory);
    if (status != NP_OK || the.drop_every == 0 || it->number % the.drop_every != 0)
        return status;
    npi_fetch_add_relaxed(&the.dropped, (uint64_t)1);
    ledger_end_item(it);
    return NP_PIPELINE_DROP;
}

/* Ordered: strictly rising. Not atomic: what the last call wrote must be visible. */
static inline np_status stage_in_order(void *context, void *memory)
{
    item *it = memory;
    assert_true(it->number >= the.last);
    the.last = it->number + 1;
    return stage_pass(context, memory);
}

static inline np_status stage_sink(void *context, void *memory)
{
    np_status status = stage_pass(context, memory);
    if (status != NP_OK)
        return status;
    npi_fetch_add_relaxed(&the.finished, (uint64_t)1);
    ledger_end_item(memory);
    return NP_OK;
}

static inline void destroy_item(void *context, void *memory)
{
    (void)context;
    npi_fetch_add_relaxed(&the.destroyed, (uint64_t)1);
    ledger_end_item(memory);
}

static inline np_pipeline *pipeline_make(np_executor *executor, np_pipeline_options *options,
                                         const np_stage *stages, size_t count)
{
    np_pipeline *pipeline = NULL;
    options->size = sizeof *options;
    options->item_bytes = sizeof(item);
    options->stages = stages;
    options->stage_count = count;
    options->destroy_item = destroy_item;
    np_status status = np_pipeline_create(executor, options, &pipeline);
    if (status != NP_OK)
        fail_msg("np_pipeline_create: %s", np_error_detail());
    the.pipeline = pipeline;
    return pipeline;
}

/* Every item that came in ended once, and the pipeline's own figures say the same. */
static inline void ledger_check(np_pipeline *pipeline)
{
    np_pipeline_counts counts;
    assert_int_equal(np_pipeline_count(pipeline, &counts), NP_OK);
    for (uint32_t i = 0; i < the.items; i++) {
        uint32_t ended = npi_load_relaxed(&the.ended[i]);
        if (ended != (i < the.next ? 1u : 0u))
            fail_msg("item %u of %u ended %u times", i, the.next, ended);
    }
    assert_int_equal(npi_load_relaxed(&the.inside), 0);
    assert_int_equal(counts.entered, the.next);
    assert_int_equal(counts.finished, npi_load_relaxed(&the.finished));
    assert_int_equal(counts.dropped, npi_load_relaxed(&the.dropped));
    assert_int_equal(counts.destroyed, npi_load_relaxed(&the.destroyed));
    assert_int_equal(counts.inside, 0);
    assert_true(npi_load_relaxed(&the.inside_most) <= counts.in_flight);
}

#endif
