/*
 * parallel/loop_values.h - a table of a reduction's values, one for each stretch of its range that
 * is reduced by itself; each on cache lines of its own. Written by whoever runs a stretch, combined
 * by the caller when all have ended.
 */
#ifndef NPI_PARALLEL_LOOP_VALUES_H
#define NPI_PARALLEL_LOOP_VALUES_H

#include "parallel/loop.h"

typedef struct npi_values {
    const np_reduction *reduction;
    unsigned char *memory;
    size_t count;
    size_t stride;
} npi_values;

/* Not begun. Sets the detail of NP_ERR_NO_MEMORY, the only error. */
np_status npi_values_make(npi_values *values, const np_reduction *reduction, size_t count);
void npi_values_free(npi_values *values);

static inline void *npi_values_at(const npi_values *values, size_t which)
{
    return values->memory + which * values->stride;
}

/* All of them, in ascending order, into *result. */
void npi_values_combine(const npi_values *values, void *result);

/* --- a range in stretches of fixed length ------------------------------------------------------
 */

typedef struct npi_stretches {
    npi_values values; /* one for each */
    size_t begin, end;
    size_t grain; /* indices in each, but for the last one */
} npi_stretches;

/* How long they are, from the grain that was given. */
size_t npi_stretch_grain(size_t count, size_t grain);
/* Errors: as npi_values_make(). Freed with its values. */
np_status npi_stretches_make(npi_stretches *all, const np_reduction *reduction, size_t begin,
                             size_t end, size_t grain);
/* Makes `call` the loop over the numbers of stretches. */
void npi_stretches_loop(npi_loop_call *call, npi_stretches *all);
/* The body of a loop over the numbers of stretches; the context is the npi_stretches. */
void npi_stretches_reduce(void *context, size_t first, size_t last);

#endif
