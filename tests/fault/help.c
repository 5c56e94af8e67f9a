/*
 * tests/fault/help.c - what the cases share: topologies, executors, tasks that count, the probe
 * that an executor still works, and giving everything back.
 */
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <unistd.h>

#include "cases.h"
#include "os/os.h"

void fault_make_topology(fault_run *run, const char *machine)
{
    if (machine == NULL)
        FAULT_NEED(np_topology_discover(&run->topology));
    else
        FAULT_NEED(np_topology_from_synthetic(machine, &run->topology));
}

void fault_make_pool(fault_run *run, const char *machine, const np_executor_options *options)
{
    fault_make_topology(run, machine);
    FAULT_NEED(np_executor_create(run->topology, options, &run->executor));
}

void fault_make_executor(fault_run *run, const char *machine)
{
    fault_make_pool(run, machine,
                    NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .spare_workers = 2,
                                        .guest_workers = 1, .ignore_environment = true));
}

/* The caller's own calls are no part of what is tested. */
void fault_in_task(fault_run *run, void (*fn)(void *run))
{
    inject_exempt(true);
    FAULT_NEED(np_run(run->executor, 0, fn, run));
    inject_exempt(false);
}

void fault_task(void *argument)
{
    fault_run *run = argument;
    npi_fetch_add_acq_rel(&run->ran, (uint64_t)1);
}

void fault_gate_pass(fault_run *run)
{
    npi_fetch_add_acq_rel(&run->arrived, 1u);
    while (npi_load_acquire(&run->gate) == 0)
        sched_yield();
}

void fault_gate_task(void *argument)
{
    fault_gate_pass(argument);
    fault_task(argument);
}

void fault_open_gate_later(fault_run *run)
{
    while (npi_load_acquire(&run->calling) == 0 && npi_load_acquire(&run->gate) == 0)
        sched_yield();
    for (unsigned i = 0; i < 100; i++)
        sched_yield();
    npi_store_release(&run->gate, 1u);
}

static np_atomic(uint64_t) probed;

static void count_one(void *nothing)
{
    (void)nothing;
    npi_fetch_add_acq_rel(&probed, (uint64_t)1);
}

#define PROBE_TASKS 40u

void fault_probe(np_executor *executor)
{
    np_group *group = NULL;
    np_node_id nodes[16];
    size_t count = np_executor_nodes(executor, nodes, 16);
    np_executor_load before, after;
    npi_store_release(&probed, (uint64_t)0);
    FAULT_CHECK(count > 0);
    FAULT_NEED(np_executor_load_now(executor, &before));
    FAULT_NEED(np_group_create(NULL, &group));
    for (uint32_t i = 0; i < PROBE_TASKS; i++)
        FAULT_NEED(np_group_submit_to_node(group, executor, nodes[i % count], count_one, NULL));
    FAULT_NEED(np_group_wait(group));
    FAULT_NEED(np_group_destroy(group));
    FAULT_NEED(np_executor_wait_idle(executor, NP_FOREVER));
    FAULT_NEED(np_executor_load_now(executor, &after));
    FAULT_CHECK(npi_load_acquire(&probed) == PROBE_TASKS);
    FAULT_CHECK(after.accepted == after.executed + after.discarded);
    FAULT_CHECK(after.queued == 0 && after.running == 0);
    FAULT_CHECK(after.executed - before.executed >= PROBE_TASKS);
}

void fault_account(fault_run *run)
{
    if (run->group != NULL)
        FAULT_NEED(np_group_wait(run->group));
    FAULT_NEED(np_executor_wait_idle(run->executor, NP_FOREVER));
    if (npi_load_acquire(&run->ran) != run->expected)
        fault_failed(__FILE__, __LINE__, "%llu tasks have run, not %llu",
                     (unsigned long long)npi_load_acquire(&run->ran),
                     (unsigned long long)run->expected);
    fault_probe(run->executor);
}

typedef struct helper {
    pthread_t thread;
    fault_run *run;
    void (*fn)(fault_run *);
} helper;

static void *helper_main(void *argument)
{
    helper *self = argument;
    inject_exempt(true);
    self->fn(self->run);
    return NULL;
}

void fault_helper(fault_run *run, void (*fn)(fault_run *))
{
    helper *self = calloc(1, sizeof *self);
    FAULT_CHECK(self != NULL && run->thread == NULL);
    self->run = run;
    self->fn = fn;
    run->thread = self;
    FAULT_CHECK(pthread_create(&self->thread, NULL, helper_main, self) == 0);
}

void fault_helper_end(fault_run *run)
{
    helper *self = run->thread;
    if (self == NULL)
        return;
    FAULT_CHECK(pthread_join(self->thread, NULL) == 0);
    free(self);
    run->thread = NULL;
}

void fault_release(fault_run *run)
{
    npi_store_release(&run->gate, 1u);
    fault_helper_end(run);
    np_collector_destroy(run->collector);
    if (run->pipeline != NULL) {
        FAULT_NEED(np_pipeline_cancel(run->pipeline));
        np_status over = np_pipeline_wait(run->pipeline);
        FAULT_CHECK(over == np_pipeline_outcome(run->pipeline));
        FAULT_NEED(np_pipeline_destroy(run->pipeline));
    }
    FAULT_NEED(np_executor_destroy(run->executor));
    FAULT_NEED(np_executor_destroy(run->other));
    FAULT_NEED(np_group_destroy(run->group));
    np_channel_destroy(run->channel);
    np_region_destroy(run->region);
    np_array_destroy(run->array);
    np_sharded_destroy(run->sharded);
    np_sharded_counter_destroy(run->counter);
    np_buffer_pool_destroy(run->pool);
    np_stats_destroy(run->stats);
    np_stats_destroy(run->older);
    np_leave_destroy(run->leave);
    np_topology_destroy(run->made);
    np_topology_destroy(run->topology);
    if (run->fd > 0)
        (void)close(run->fd);
}
