/*
 * parallel/sharded_counter.c - a count that is spread over those who add to it.
 *
 * Every cell lies on a line of its own and only ever grows (modulo 2^64), so a sum of relaxed loads
 * is enough: a load sees whatever happened before it, and no load of a cell sees less than an
 * earlier one it is ordered after. Hence the sum has everything that was added before it, and two
 * ordered sums never run backwards.
 *
 * Who writes a cell: a worker's seat, which one thread has at a time; the living thread with a
 * number below NPI_NUMBERS_OWN (os/number.h: its next owner sees what it wrote); or several
 * threads, for the few cells above, which need an atomic addition. Seats change hands under the
 * node's seat lock or by the start of a thread.
 */
#include "base/alloc.h"
#include "base/status.h"
#include "os/number.h"
#include "parallel/sharded.h"

typedef struct cell {
    NPI_ALIGNED(NPI_FALSE_SHARING) np_atomic(uint64_t) count;
} cell;

struct np_sharded_counter {
    cell outside[NPI_NUMBERS]; /* by number of a thread */
    np_sharded *workers;       /* of cells, one per seat, on its node */
};

np_status np_sharded_counter_create(np_executor *executor, np_sharded_counter **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_sharded_counter_create: out is NULL");
    *out = NULL;
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    np_sharded_counter *counter = npi_alloc(sizeof *counter, _Alignof(np_sharded_counter));
    if (counter == NULL)
        return npi_fail_memory(sizeof *counter, "a counter");
    np_sharded_options options = {
        .size = sizeof options, .bytes = sizeof(cell), .per = NP_SHARD_PER_WORKER};
    status = np_sharded_create(executor, &options, &counter->workers);
    if (status != NP_OK) {
        npi_free(counter, sizeof *counter);
        return status;
    }
    *out = counter;
    return NP_OK;
}

void np_sharded_counter_destroy(np_sharded_counter *counter)
{
    if (counter == NULL)
        return;
    np_sharded_destroy(counter->workers);
    npi_free(counter, sizeof *counter);
}

void np_sharded_counter_add(np_sharded_counter *counter, uint64_t amount)
{
    if (counter == NULL)
        return;
    cell *own = npi_sharded_own(counter->workers);
    uint32_t number = 0;
    if (own == NULL) {
        number = npi_number();
        own = &counter->outside[number];
    }
    /* Relaxed: a count, which publishes nothing. */
    if (number < NPI_NUMBERS_OWN)
        npi_owner_add(&own->count, amount);
    else
        (void)npi_fetch_add_relaxed(&own->count, amount);
}

uint64_t np_sharded_counter_read(const np_sharded_counter *given)
{
    if (given == NULL)
        return 0;
    np_sharded_counter *counter = (np_sharded_counter *)(uintptr_t)given; /* its atomics are read */
    uint64_t sum = 0;
    /* Relaxed: see above. */
    for (uint32_t i = 0; i < NPI_NUMBERS; i++)
        sum += npi_load_relaxed(&counter->outside[i].count);
    for (uint32_t i = 0; i < counter->workers->count; i++) {
        cell *of_worker = counter->workers->values[i];
        sum += npi_load_relaxed(&of_worker->count);
    }
    return sum;
}
