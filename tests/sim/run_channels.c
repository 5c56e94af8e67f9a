/*
 * Goal: items through channels whose ends never wait, beside ends that do, each once and in order,
 * whoever is interrupted where: the ring's fences and looks against sleep, arming, close and
 * destroy; continuations when memory for their tasks cannot be had. Method: numbered items; tasks
 * that arm themselves again, or threads, at either end by the seed; one-shot readiness that is lost
 * ends as a deadlock, which the machine reports.
 */
#include <stdio.h>

#include <numaperf/channel.h>

#include "sim.h"

enum { ITEMS = 12 };

static struct {
    np_executor *executor;
    np_channel *channel;
    np_channel *done;
    uint64_t sent, received;
    bool scarce;
} the;

static uint64_t readied, slept;

/* Where memory is scarce a continuation may be left; closing again is up to the scenario. */
static void remove_sender(void)
{
    np_status status = np_channel_remove_sender(the.channel);
    sim_check(status == NP_OK || (status == NP_ERR_NO_MEMORY && the.scarce),
              "removing a sender returned #", (uint64_t)status);
}

/* Where memory is scarce an arming may fail; there is nothing else to do than to try again. */
static void again(np_status (*when)(np_channel *, np_executor *, np_node_id, np_task_fn, void *),
                  np_task_fn fn)
{
    np_status status;
    do
        status = when(the.channel, the.executor, (np_node_id)sim_random(2), fn, NULL);
    while (status == NP_ERR_NO_MEMORY && the.scarce);
    sim_check(status == NP_OK, "arming returned #", (uint64_t)status);
}

static void take(const uint64_t *items, size_t count)
{
    for (size_t i = 0; i < count; i++, the.received++)
        sim_check(items[i] == the.received, "item # instead of #", items[i], the.received);
}

static np_status receive(bool wait)
{
    uint64_t items[3];
    size_t count = 1;
    np_status status;
    if (sim_random(2) == 0)
        status = wait ? np_channel_receive(the.channel, items)
                      : np_channel_try_receive(the.channel, items);
    else
        status = wait ? np_channel_receive_many(the.channel, items, 3, &count)
                      : np_channel_try_receive_many(the.channel, items, 3, &count);
    if (status == NP_OK)
        take(items, count);
    return status;
}

static np_status send(bool wait)
{
    uint64_t items[3];
    size_t count = 1 + (size_t)sim_random(3), moved;
    if (count > ITEMS - the.sent)
        count = (size_t)(ITEMS - the.sent);
    for (size_t i = 0; i < count; i++)
        items[i] = the.sent + i;
    np_status status = wait ? np_channel_send_many(the.channel, items, count, &moved)
                            : np_channel_try_send_many(the.channel, items, count, &moved);
    the.sent += moved;
    return status;
}

static void consume(void *argument)
{
    (void)argument;
    np_status status;
    while ((status = receive(false)) == NP_OK)
        ;
    if (status == NP_ERR_WOULD_BLOCK)
        again(np_channel_when_readable, consume);
    else
        sim_check_ok(np_channel_close(the.done));
}

static void produce(void *argument)
{
    (void)argument;
    while (the.sent < ITEMS) {
        if (send(false) == NP_ERR_WOULD_BLOCK) {
            again(np_channel_when_writable, produce);
            return;
        }
    }
    remove_sender();
}

static void send_thread(void *argument)
{
    (void)argument;
    while (the.sent < ITEMS)
        sim_check_ok(send(true));
    remove_sender();
}

/* The only receiver: it may destroy the channel as soon as it has seen the end. */
static void receive_thread(void *argument)
{
    (void)argument;
    np_status status;
    while ((status = receive(true)) == NP_OK)
        ;
    sim_check(status == NP_ERR_CLOSED, "a receive returned #", (uint64_t)status);
    np_channel_counts counts;
    sim_check_ok(np_channel_count(the.channel, &counts));
    slept += counts.full_waits + counts.empty_waits;
    readied += counts.readied;
    np_channel_destroy(the.channel);
    the.channel = NULL;
}

static void open_all(bool scarce)
{
    the.sent = the.received = 0;
    the.scarce = scarce;
    sim_faults_on(false);
    np_topology *topology = sim_topology();
    np_executor_options options = {.size = sizeof options,
                                   .workers_per_node = 1,
                                   .inbox_capacity = (uint32_t)sim_random(2),
                                   .ignore_environment = true};
    sim_check_ok(np_executor_create(topology, &options, &the.executor));
    np_topology_destroy(topology);
    bool ring = sim_random(2) == 0;
    np_channel_options channel = {.size = sizeof channel,
                                  .item_size = sizeof(uint64_t),
                                  .capacity = 1 + (size_t)sim_random(4),
                                  .single_sender = ring,
                                  .single_receiver = ring};
    np_channel_options done = {.size = sizeof done, .item_size = 1};
    sim_check_ok(np_channel_create(&channel, &the.channel));
    sim_check_ok(np_channel_create(&done, &the.done));
    sim_faults_on(true);
}

static void await_done(void)
{
    char unused;
    sim_check(np_channel_receive(the.done, &unused) == NP_ERR_CLOSED, "not closed", 0);
}

static void close_all(void)
{
    sim_check_ok(np_executor_wait_idle(the.executor, NP_FOREVER));
    sim_check(the.received == ITEMS, "# items arrived", the.received);
    if (the.channel != NULL) {
        np_channel_counts counts;
        sim_check_ok(np_channel_count(the.channel, &counts));
        sim_check(counts.sent == ITEMS && counts.received == ITEMS, "# sent, # received",
                  counts.sent, counts.received);
        readied += counts.readied;
        slept += counts.full_waits + counts.empty_waits;
    }
    np_channel_destroy(the.channel);
    np_channel_destroy(the.done);
    sim_check_ok(np_executor_destroy(the.executor));
}

/* A task or a thread at either end. */
static void ends(void *argument)
{
    (void)argument;
    open_all(false);
    bool task_sends = sim_random(2) == 0, task_receives = sim_random(2) == 0;
    sim_thread *sender = NULL, *receiver = NULL;
    if (!task_receives)
        receiver = sim_thread_start("receiver", receive_thread, NULL);
    else
        again(np_channel_when_readable, consume);
    if (!task_sends)
        sender = sim_thread_start("sender", send_thread, NULL);
    else
        again(np_channel_when_writable, produce);
    if (task_receives)
        await_done();
    if (receiver != NULL)
        sim_thread_join(receiver);
    if (sender != NULL)
        sim_thread_join(sender);
    close_all();
}

/* What was not submitted for lack of memory stays armed: closing again tries again, and says
 * whether that helped. If it says so, all the rest comes by itself. */
static void scarce(void *argument)
{
    (void)argument;
    open_all(true);
    again(np_channel_when_readable, consume);
    send_thread(NULL);
    np_status status;
    while ((status = np_channel_close(the.channel)) == NP_ERR_NO_MEMORY)
        ;
    sim_check_ok(status);
    await_done();
    sim_faults_on(false);
    close_all();
}

static const sim_case cases[] = {
    {.name = "ends",
     .scenario = ends,
     .config = {.machine = "numa:2 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
    {.name = "scarce",
     .scenario = scarce,
     .config = {.machine = "numa:2 core:1 pu:1",
                .faults = {.allocations = 12, .mappings = 6, .preemptions = 40}}},
};

int main(int argc, char **argv)
{
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof *cases);
    printf("%llu continuations readied, %llu calls slept\n", (unsigned long long)readied,
           (unsigned long long)slept);
    return failed;
}
