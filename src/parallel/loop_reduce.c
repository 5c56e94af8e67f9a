/*
 * parallel/loop_reduce.c - np_parallel_reduce: loops whose stretches add up to one value.
 *
 * An adaptive one that may be divided anyhow is a loop that carries a value (loop_run.c). All
 * others, deterministic ones and those of other schedules, are loops over stretches of fixed
 * length, each with a value in a table, which the caller combines in order when they are done.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "parallel/loop_values.h"

#define STRETCHES_MOST 1024u /* without a grain */

np_status npi_reduction_check(np_reduction *known, const np_reduction *given, const void *result,
                              const char *name)
{
    if (given == NULL || result == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: the %s is NULL", name,
                        given == NULL ? "reduction" : "result");
    if (!npi_options_acceptable(given, given->size, sizeof *known, sizeof *known, "np_reduction"))
        return NP_ERR_INVALID_ARGUMENT;
    npi_options_copy(known, sizeof *known, given, given->size);
    if (known->bytes == 0 || known->body == NULL || known->combine == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_reduction.%s",
                        known->bytes == 0     ? "bytes is 0"
                        : known->body == NULL ? "body is NULL"
                                              : "combine is NULL");
    return NP_OK;
}

void npi_reduction_begin(const np_reduction *reduction, void *value)
{
    if (reduction->identity != NULL)
        memcpy(value, reduction->identity, reduction->bytes);
    else
        memset(value, 0, reduction->bytes);
}

void npi_reduction_loop(npi_loop_call *call, const np_reduction *reduction)
{
    call->loop.reduction = reduction;
    call->loop.context = reduction->context;
    call->loop.name = (uintptr_t)reduction->body;
}

/* --- tables of values --------------------------------------------------------------------------
 */

np_status npi_values_make(npi_values *values, const np_reduction *reduction, size_t count)
{
    *values = (npi_values){.count = count, .reduction = reduction};
    if (reduction->bytes > SIZE_MAX - NPI_CACHE_LINE)
        return npi_fail_memory(reduction->bytes, "a value of a reduction");
    values->stride = (reduction->bytes + NPI_CACHE_LINE - 1) / NPI_CACHE_LINE * NPI_CACHE_LINE;
    values->memory = npi_alloc_array(count, values->stride, NPI_CACHE_LINE);
    if (values->memory == NULL)
        return npi_fail(NP_ERR_NO_MEMORY, "no memory for %zu values of %zu bytes of a reduction",
                        count, reduction->bytes);
    return NP_OK;
}

void npi_values_combine(const npi_values *values, void *result)
{
    for (size_t i = 0; i < values->count; i++)
        values->reduction->combine(values->reduction->context, result, npi_values_at(values, i));
}

void npi_values_free(npi_values *values)
{
    npi_free_array(values->memory, values->count, values->stride);
}

/* --- in fixed stretches ------------------------------------------------------------------------
 */

void npi_stretches_reduce(void *context, size_t first, size_t last)
{
    const npi_stretches *all = context;
    const np_reduction *reduction = all->values.reduction;
    for (size_t i = first; i < last; i++) {
        size_t begin = all->begin + i * all->grain;
        size_t end = all->end - begin < all->grain ? all->end : begin + all->grain;
        void *value = npi_values_at(&all->values, i);
        npi_reduction_begin(reduction, value);
        reduction->body(reduction->context, begin, end, value);
    }
}

size_t npi_stretch_grain(size_t count, size_t grain)
{
    if (grain == 0)
        grain = count / STRETCHES_MOST + (count % STRETCHES_MOST != 0);
    return grain < count ? grain : count; /* a stretch says how much data it stands for */
}

np_status npi_stretches_make(npi_stretches *all, const np_reduction *reduction, size_t begin,
                             size_t end, size_t grain)
{
    size_t count = end - begin;
    all->begin = begin;
    all->end = end;
    all->grain = grain;
    return npi_values_make(&all->values, reduction, count / grain + (count % grain != 0));
}

void npi_stretches_loop(npi_loop_call *c, npi_stretches *all)
{
    c->begin = 0;
    c->end = all->values.count;
    c->loop.grain = c->loop.grain != 0; /* a stretch is what the caller said is worth a worker */
    c->loop.body = npi_stretches_reduce;
    c->loop.context = all;
    c->loop.name = (uintptr_t)all->values.reduction->body;
    c->loop.by_stretch = true;
}

/* c: a call whose reduction is not in its loop yet. */
static np_status reduce_in_stretches(npi_loop_call *c, const np_reduction *reduction, void *result)
{
    npi_stretches all;
    np_status status = npi_stretches_make(&all, reduction, c->begin, c->end,
                                          npi_stretch_grain(c->end - c->begin, c->loop.grain));
    if (status != NP_OK)
        return status;
    npi_stretches_loop(c, &all);
    status = npi_loop_finish(c, npi_loop_perform);
    if (status == NP_OK)
        npi_values_combine(&all.values, result);
    npi_values_free(&all.values);
    return status;
}

np_status np_parallel_reduce(np_executor *executor, size_t begin, size_t end,
                             const np_loop_options *options, const np_reduction *given,
                             void *result)
{
    np_reduction reduction;
    npi_loop_call c;
    np_status status = npi_reduction_check(&reduction, given, result, "np_parallel_reduce");
    if (status == NP_OK)
        status = npi_loop_check(&c, executor, "np_parallel_reduce", options, npi_stretches_reduce,
                                NULL);
    if (status != NP_OK)
        return status;
    if (begin > end)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_parallel_reduce: begin is %zu, end %zu", begin,
                        end);
    npi_reduction_begin(&reduction, result);
    c.begin = begin;
    c.end = end;
    if (begin < end && (reduction.deterministic || c.schedule != NP_SCHEDULE_ADAPTIVE))
        return reduce_in_stretches(&c, &reduction, result);
    npi_reduction_loop(&c, &reduction);
    c.value = result;
    return npi_loop_finish(&c, npi_loop_perform);
}
