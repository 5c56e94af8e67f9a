/*
 * Goal: many things that fail at once, on any thread, at any time from the first allocation to the
 * last munmap, lose no task, run none twice, leave nothing behind and hang nothing.
 * Method: by seed, a pool is made, used by two threads and by its own tasks in every way there is
 * (submits of all forms, groups, waits on workers, fork and join, loops, channels, blocking calls,
 * a guest, regions, snapshots), and ended, while each call that can fail does so with a probability
 * that the seed chooses, also far beyond anything real. What was accepted must have run exactly
 * once. The faults follow the seed; which call gets which is up to the kernel's scheduling.
 *
 * usage: [SEED=n] fault_random [--rate PER_THOUSAND] SEEDS
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/random.h"
#include "drive.h"

#define OPERATIONS 60u
#define SENDERS    2u

typedef struct sender {
    fault_run *run;
    uint64_t seed;
    pthread_t thread;
} sender;

static np_atomic(uint64_t) accepted;
static np_atomic(uint64_t) total_tasks, total_operations, total_refused;
static uint64_t this_seed;

static void note(np_status status, uint64_t tasks)
{
    npi_fetch_add_relaxed(&total_operations, (uint64_t)1);
    if (status == NP_OK)
        npi_fetch_add_acq_rel(&accepted, tasks);
    else
        npi_fetch_add_relaxed(&total_refused, (uint64_t)1);
}

/* --- what tasks do; each counts itself once --------------------------------------------------- */

static void submit_more(void *argument)
{
    fault_run *run = argument;
    note(np_submit(run->executor, fault_task, run), 1);
    fault_task(run);
}

static void wait_inside(void *argument)
{
    fault_run *run = argument;
    np_group *group = NULL;
    np_status status = np_group_create(NULL, &group);
    if (status == NP_OK) {
        for (int i = 0; i < 3; i++)
            note(np_group_submit(group, run->executor, fault_task, run), 1);
        FAULT_NEED(np_group_wait(group));
        FAULT_NEED(np_group_destroy(group));
    }
    fault_task(run);
}

static void fork_some(void *argument)
{
    fault_run *run = argument;
    for (int i = 0; i < 5; i++)
        np_fork(fault_task, run);
    npi_fetch_add_acq_rel(&accepted, (uint64_t)5);
    for (int i = 0; i < 5; i++)
        np_join();
    fault_task(run);
}

static void block(void *argument)
{
    if (np_blocking_begin() == NP_OK)
        np_blocking_end();
    fault_task(argument);
}

static void body(void *context, size_t begin, size_t end)
{
    npi_fetch_add_acq_rel(&((fault_run *)context)->ran, (uint64_t)(end - begin));
    npi_fetch_add_acq_rel(&accepted, (uint64_t)(end - begin));
}

static void loop_inside(void *argument)
{
    fault_run *run = argument;
    np_status status = np_parallel_for(run->executor, 0, 500, NP_LOOP_OPTIONS(.grain = 50), body,
                                       run);
    if (status != NP_OK && status != NP_ERR_NO_MEMORY)
        fault_failed(__FILE__, __LINE__, "a loop: %s", np_error_detail());
    fault_task(run);
}

/* Both ends in one task, so that it waits for nobody else; full and empty are never met. */
static void use_channel(void *argument)
{
    np_channel *channel = NULL;
    uint64_t in = 7, out = 0;
    if (np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8), &channel) == NP_OK) {
        uint64_t inside = 0;
        for (int i = 0; i < 3000; i++)
            inside += np_channel_send(channel, &in) == NP_OK ? 1 : 0;
        FAULT_CHECK(np_channel_length(channel) == inside);
        while (inside-- > 0)
            FAULT_NEED(np_channel_receive(channel, &out));
        FAULT_CHECK(np_channel_try_receive(channel, &out) == NP_ERR_WOULD_BLOCK);
        np_channel_destroy(channel);
    }
    fault_task(argument);
}

/* --- what threads outside do ------------------------------------------------------------------ */

static void use_region(fault_run *run)
{
    np_region *region = NULL;
    np_status status = np_region_create(run->topology, 20000, NULL, &region);
    FAULT_CHECK((status == NP_OK) == (region != NULL));
    if (status == NP_OK)
        memset(np_region_data(region), 1, np_region_size(region));
    np_region_destroy(region);
}

static void use_snapshot(fault_run *run)
{
    np_stats *stats = NULL;
    if (np_stats_snapshot(run->executor, &stats) == NP_OK)
        np_stats_destroy(stats);
}

static void send_batch(fault_run *run, uint64_t node)
{
    np_task tasks[40];
    size_t taken = 0;
    for (size_t i = 0; i < 40; i++)
        tasks[i] = (np_task){fault_task, run};
    np_status status = np_submit_batch(run->executor, (np_node_id)node, tasks, 40, &taken);
    FAULT_CHECK((status == NP_OK) == (taken == 40));
    note(NP_OK, taken);
}

static void operate(fault_run *run, uint64_t drawn)
{
    static const np_task_fn fns[] = {fault_task, submit_more, wait_inside, fork_some,
                                     block,      loop_inside, use_channel};
    np_task_fn fn = fns[(drawn >> 8) % (sizeof fns / sizeof fns[0])];
    uint64_t node = (drawn >> 16) % 2;
    switch (drawn % 8) {
    case 0: note(np_submit(run->executor, fn, run), 1); break;
    case 1: note(np_submit_to_node(run->executor, (np_node_id)node, fn, run), 1); break;
    case 2: note(np_group_submit(run->group, run->executor, fn, run), 1); break;
    case 3:
        note(np_submit_with(run->executor,
                            NP_SUBMIT_OPTIONS(.to_node = true, .node = (np_node_id)node,
                                              .affinity = NP_AFFINITY_STRICT, .group = run->group),
                            fn, run),
             1);
        break;
    case 4: send_batch(run, node); break;
    case 5: note(np_run(run->executor, (np_node_id)node, fn, run), 1); break;
    case 6: use_region(run); break;
    default: use_snapshot(run); break;
    }
}

static void *send(void *argument)
{
    sender *self = argument;
    npi_random random;
    npi_random_seed(&random, self->seed);
    for (unsigned i = 0; i < OPERATIONS; i++)
        operate(self->run, npi_random_next(&random));
    return NULL;
}

static void be_guest(fault_run *run)
{
    np_leave *leave = NULL;
    if (np_leave_create(&leave) != NP_OK)
        return;
    np_leave_now(leave); /* so that it comes back after the task at hand */
    FAULT_NEED(np_worker_run(run->executor, 0, leave));
    np_leave_destroy(leave);
}

/* --- a life ----------------------------------------------------------------------------------- */

static np_status make(fault_run *run)
{
    np_status status = np_topology_from_synthetic(TWO_NODES, &run->topology);
    if (status == NP_OK)
        status = np_group_create(NULL, &run->group);
    if (status == NP_OK)
        status = np_executor_create(
            run->topology,
            NP_EXECUTOR_OPTIONS(.workers_per_node = 1u + (uint32_t)(this_seed / 7 % 2),
                                .spare_workers = 1u + (uint32_t)(this_seed / 3 % 3),
                                .guest_workers = 1, .ignore_environment = true),
            &run->executor);
    return status;
}

/* Few pools survive their making where much fails: most are made before. */
static void prepare(fault_run *run)
{
    npi_store_release(&accepted, (uint64_t)0);
    if (this_seed % 4 != 0)
        FAULT_NEED(make(run));
}

static void live(fault_run *run)
{
    sender senders[SENDERS];
    if (run->executor == NULL && make(run) != NP_OK) {
        FAULT_CHECK(run->executor == NULL);
        return;
    }
    for (unsigned i = 0; i < SENDERS; i++) {
        senders[i] = (sender){.run = run, .seed = this_seed * SENDERS + i};
        FAULT_CHECK(pthread_create(&senders[i].thread, NULL, send, &senders[i]) == 0);
    }
    be_guest(run);
    for (unsigned i = 0; i < SENDERS; i++)
        FAULT_CHECK(pthread_join(senders[i].thread, NULL) == 0);
    FAULT_NEED(np_group_wait(run->group));
    /* Every second one ends while things still fail. */
    if (this_seed % 2 == 0)
        FAULT_NEED(np_executor_shutdown(run->executor));
}

static void account(fault_run *run, bool fired)
{
    (void)fired;
    np_executor_load load;
    if (run->executor == NULL)
        return;
    if (this_seed % 2 == 1)
        fault_probe(run->executor);
    FAULT_NEED(np_executor_shutdown(run->executor));
    FAULT_NEED(np_executor_load_now(run->executor, &load));
    FAULT_CHECK(load.accepted == load.executed && load.discarded == 0);
    if (npi_load_acquire(&run->ran) != npi_load_acquire(&accepted))
        fault_failed(__FILE__, __LINE__, "%llu tasks have run, not %llu",
                     (unsigned long long)npi_load_acquire(&run->ran),
                     (unsigned long long)npi_load_acquire(&accepted));
    npi_fetch_add_relaxed(&total_tasks, npi_load_acquire(&accepted));
}

int main(int count, char **arguments)
{
    static const fault_case life = {
        .function = "a life", .variant = "", .prepare = prepare, .call = live, .check = account};
    static const uint32_t rates[] = {1, 5, 20, 80, 250, 700};
    uint32_t rate = 0;
    int next = 1;
    if (count > 2 && strcmp(arguments[1], "--rate") == 0) {
        rate = (uint32_t)strtoul(arguments[2], NULL, 10);
        next = 3;
    }
    uint64_t seeds = next < count ? strtoull(arguments[next], NULL, 10) : 100;
    const char *chosen = getenv("SEED");
    uint64_t first = chosen != NULL ? strtoull(chosen, NULL, 10) : 1;
    fault_drive_begin(arguments[0]);
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        this_seed = seed;
        fault_drive(&life, &(inject_plan){.scope = INJECT_EVERYWHERE,
                                          .form = INJECT_RANDOM,
                                          .seed = seed,
                                          .per_thousand = rate != 0 ? rate : rates[seed % 6]});
    }
    printf("seeds %llu to %llu\n", (unsigned long long)first,
           (unsigned long long)(first + seeds - 1));
    printf("counted: fault | lives of a pool among random faults | %llu\n",
           (unsigned long long)seeds);
    printf("counted: fault | random faults | %llu\n", (unsigned long long)inject_total_fired());
    printf("counted: fault | tasks run exactly once among them | %llu\n",
           (unsigned long long)npi_load_relaxed(&total_tasks));
    printf("counted: fault | calls refused among them | %llu\n",
           (unsigned long long)npi_load_relaxed(&total_refused));
    return 0;
}
