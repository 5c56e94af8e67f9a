/*
 * What the executor's tests share: an executor on a virtual machine made to measure, gates on which
 * tasks wait (so that a test decides what runs when, without sleeping), and an exact final account.
 */
#ifndef NP_TESTS_POOL_H
#define NP_TESTS_POOL_H

#include <numaperf.h>

#include "../unit/unit.h"
#include "os/os.h"

#define FOUR_NODES  "pack:2 numa:2 core:1 pu:1 | 10 12 32 32 12 10 32 32 32 32 10 12 32 32 12 10"
#define TWO_BY_TWO  "numa:2 core:2 pu:1"
#define ONE_BY_ONE  "numa:1 core:1 pu:1"
#define ONE_BY_TWO  "numa:1 core:2 pu:1"
#define ONE_BY_FOUR "numa:1 core:4 pu:1"

static inline np_executor *pool_create(const char *machine, const np_executor_options *options)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_int_equal(np_topology_from_synthetic(machine, &topology), NP_OK);
    np_status status = np_executor_create(topology, options, &executor);
    np_topology_destroy(topology); /* the executor has its own copy */
    if (status != NP_OK)
        fail_msg("np_executor_create: %s: %s", np_status_name(status), np_error_detail());
    return executor;
}

/* Accepted = executed + discarded, nothing queued or running; then destroys. */
static inline void pool_destroy_exact(np_executor *executor, uint64_t executed, uint64_t discarded)
{
    np_executor_load load;
    assert_int_equal(np_executor_shutdown(executor), NP_OK);
    assert_int_equal(np_executor_load_now(executor, &load), NP_OK);
    assert_int_equal(load.executed, executed);
    assert_int_equal(load.discarded, discarded);
    assert_int_equal(load.accepted, executed + discarded);
    assert_int_equal(load.queued, 0);
    assert_int_equal(load.running, 0);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
}

/* A gate: threads wait at it until it is opened; it counts who has arrived. */
typedef struct pool_gate {
    np_atomic(uint32_t) open;
    np_atomic(uint32_t) arrived;
} pool_gate;

static inline void pool_gate_pass(pool_gate *gate)
{
    npi_fetch_add_acq_rel(&gate->arrived, 1u);
    npi_os_futex_wake(&gate->arrived, UINT32_MAX);
    while (npi_load_acquire(&gate->open) == 0)
        (void)npi_os_futex_wait(&gate->open, 0, NPI_NO_DEADLINE);
}

static inline void pool_gate_open(pool_gate *gate)
{
    npi_store_release(&gate->open, 1u);
    npi_os_futex_wake(&gate->open, UINT32_MAX);
}

/* Until `count` have arrived. */
static inline void pool_gate_await(pool_gate *gate, uint32_t count)
{
    for (;;) {
        uint32_t arrived = npi_load_acquire(&gate->arrived);
        if (arrived >= count)
            return;
        (void)npi_os_futex_wait(&gate->arrived, arrived, NPI_NO_DEADLINE);
    }
}

/* The tasks most tests need. */
static inline void pool_task_gate(void *argument)
{
    pool_gate_pass(argument);
}

typedef struct pool_counter {
    np_atomic(uint64_t) value;
} pool_counter;

static inline void pool_task_count(void *argument)
{
    npi_fetch_add_acq_rel(&((pool_counter *)argument)->value, (uint64_t)1);
}

#endif
