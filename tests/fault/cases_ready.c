/*
 * tests/fault/cases_ready.c - channels, further: items on a node, the ring, many items at once,
 * continuations and what becomes of them when the executor has no memory for their task.
 */
#include <sys/eventfd.h>

#include "cases.h"

enum { MANY = 6000 };

static uint64_t items[MANY], back[MANY];
static size_t moved;

static void make(fault_run *run, size_t capacity, bool ring)
{
    FAULT_NEED(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = capacity,
                                                    .single_sender = ring, .single_receiver = ring),
                                 &run->channel));
}

/* --- making --------------------------------------------------------------------------------- */

static void create(fault_run *run, bool ring, bool on_node)
{
    run->channel = (np_channel *)(uintptr_t)8;
    FAULT_CALL(run, np_channel_create(
                        NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = 600, .single_sender = ring,
                                           .single_receiver = ring, .on_node = on_node, .node = 0,
                                           .topology = run->topology),
                        &run->channel));
    FAULT_CHECK(run->status == NP_OK || run->channel == NULL);
    if (run->status == NP_OK && on_node) {
        np_enforcement got = np_channel_enforcement(run->channel);
        FAULT_CHECK((got.level == NP_ENFORCEMENT_STRICT) == (got.reason == NP_REASON_NONE));
    }
}

static void create_ring(fault_run *run)
{
    create(run, true, false);
}

static void prepare_nodes(fault_run *run)
{
    fault_make_topology(run, NULL);
}

static void create_on_node(fault_run *run)
{
    create(run, false, true);
}

static void create_ring_on_node(fault_run *run)
{
    create(run, true, true);
}

/* --- many at once ----------------------------------------------------------------------------- */

static void prepare_unbounded(fault_run *run)
{
    make(run, 0, false);
    for (uint64_t i = 0; i < MANY; i++)
        items[i] = i;
}

/* Whatever the status: exactly the first ones are inside. */
static void sent(fault_run *run)
{
    FAULT_CHECK(run->status == NP_OK ? moved == MANY : moved < MANY);
    FAULT_CHECK(np_channel_length(run->channel) == moved);
    size_t got = 0;
    FAULT_NEED(moved == 0 ? NP_OK : np_channel_try_receive_many(run->channel, back, MANY, &got));
    FAULT_CHECK(got == moved);
    for (size_t i = 0; i < got; i++)
        FAULT_CHECK(back[i] == i);
}

static void send_many(fault_run *run)
{
    FAULT_CALL(run, np_channel_send_many(run->channel, items, MANY, &moved));
    sent(run);
}

static void try_send_many(fault_run *run)
{
    FAULT_CALL(run, np_channel_try_send_many(run->channel, items, MANY, &moved));
    sent(run);
}

static void prepare_ring(fault_run *run)
{
    make(run, 4, true);
    FAULT_NEED(np_channel_try_send(run->channel, items));
}

static void try_receive_many(fault_run *run)
{
    FAULT_CALL(run, np_channel_try_receive_many(run->channel, back, 4, &moved));
    FAULT_CHECK(moved == 1);
}

static void send_many_short(fault_run *run)
{
    FAULT_CALL(run, np_channel_send_many_for(run->channel, items, 5, &moved, 100000));
    FAULT_CHECK(moved == 3);
}

static void prepare_empty_ring(fault_run *run)
{
    make(run, 4, true);
}

static void receive_many_short(fault_run *run)
{
    FAULT_CALL(run, np_channel_receive_many_for(run->channel, back, 4, &moved, 100000));
    FAULT_CHECK(moved == 0);
}

static void bring_item(fault_run *run)
{
    fault_open_gate_later(run);
    FAULT_NEED(np_channel_try_send(run->channel, items));
}

static void prepare_wait(fault_run *run)
{
    prepare_empty_ring(run);
    fault_helper(run, bring_item);
}

static void receive_many(fault_run *run)
{
    FAULT_CALL(run, np_channel_receive_many(run->channel, back, 4, &moved));
    npi_store_release(&run->gate, 1u);
    fault_helper_end(run);
    FAULT_CHECK(moved == 1);
}

/* --- continuations ---------------------------------------------------------------------------- */

static void prepare_ready(fault_run *run, bool ring)
{
    fault_make_executor(run, TWO_NODES);
    make(run, 1, ring);
}

static void prepare_queue(fault_run *run)
{
    prepare_ready(run, false);
}

static void prepare_armed_ring(fault_run *run)
{
    prepare_ready(run, true);
}

static void prepare_full(fault_run *run)
{
    prepare_ready(run, false);
    FAULT_NEED(np_channel_try_send(run->channel, items));
}

static void when_readable(fault_run *run)
{
    FAULT_CALL(run, np_channel_when_readable(run->channel, run->executor, 1, fault_task, run));
    /* Armed exactly if the call said so. */
    FAULT_NEED(np_channel_try_send(run->channel, items));
    run->expected = run->status == NP_OK ? 1 : 0;
}

static void when_readable_now(fault_run *run)
{
    FAULT_CALL(run, np_channel_when_readable(run->channel, run->executor, 1, fault_task, run));
    run->expected = run->status == NP_OK ? 1 : 0;
}

static void when_writable(fault_run *run)
{
    FAULT_CALL(run, np_channel_when_writable(run->channel, run->executor, 1, fault_task, run));
    FAULT_NEED(np_channel_receive(run->channel, back));
    run->expected = run->status == NP_OK ? 1 : 0;
}

/* The send succeeds whatever becomes of the continuation, which is submitted or stays armed. */
static void prepare_armed(fault_run *run)
{
    prepare_ready(run, false);
    FAULT_NEED(np_channel_when_readable(run->channel, run->executor, 1, fault_task, run));
}

static void send_to_armed(fault_run *run)
{
    np_channel_counts counts;
    size_t forgotten;
    FAULT_CALL(run, np_channel_try_send(run->channel, items));
    FAULT_NEED(np_channel_count(run->channel, &counts));
    run->expected = counts.readied;
    FAULT_CHECK(counts.sent == 1);
    FAULT_NEED(np_channel_forget(run->channel, fault_task, run, &forgotten));
    FAULT_CHECK(forgotten + counts.readied == 1);
}

/* The same of what ends the channel; it says what it has left. */
static void ended(fault_run *run)
{
    np_channel_counts counts;
    size_t forgotten;
    FAULT_NEED(np_channel_count(run->channel, &counts));
    run->expected = counts.readied;
    FAULT_CHECK(np_channel_is_closed(run->channel));
    FAULT_CHECK(counts.readied == (run->status == NP_OK ? 1 : 0));
    FAULT_NEED(np_channel_forget(run->channel, fault_task, run, &forgotten));
    FAULT_CHECK(forgotten + counts.readied == 1);
}

static void close_armed(fault_run *run)
{
    FAULT_CALL(run, np_channel_close(run->channel));
    ended(run);
}

static void remove_last_of_armed(fault_run *run)
{
    FAULT_CALL(run, np_channel_remove_sender(run->channel));
    ended(run);
}

static void prepare_armed_on_ring(fault_run *run)
{
    prepare_armed_ring(run);
    FAULT_NEED(np_channel_when_readable(run->channel, run->executor, 1, fault_task, run));
}

static void account(fault_run *run, bool fired)
{
    (void)fired;
    fault_account(run);
}

static void prepare_eventfd(fault_run *run)
{
    make(run, 1, true);
    run->fd = eventfd(0, EFD_NONBLOCK);
    FAULT_CHECK(run->fd > 0);
}

static void prepare_eventfd_now(fault_run *run)
{
    prepare_eventfd(run);
    FAULT_NEED(np_channel_try_send(run->channel, items));
}

static void notify_readable(fault_run *run)
{
    FAULT_CALL(run, np_channel_notify_readable(run->channel, run->fd));
}

static void notify_writable(fault_run *run)
{
    FAULT_CALL(run, np_channel_notify_writable(run->channel, run->fd));
}

static void forget(fault_run *run)
{
    FAULT_CALL(run, np_channel_forget(run->channel, fault_task, run, NULL));
}

static void forget_eventfd(fault_run *run)
{
    FAULT_CALL(run, np_channel_forget_eventfd(run->channel, run->fd, NULL));
}

static void enforcement(fault_run *run)
{
    FAULT_DO(run, (void)np_channel_enforcement(run->channel));
}

static void count(fault_run *run)
{
    np_channel_counts counts;
    FAULT_CALL(run, np_channel_count(run->channel, &counts));
}

#define QUIET(name, before, call_it, why)                                                \
    {                                                                                    \
        .function = name, .variant = "", .prepare = before, .call = call_it, .pure = why \
    }

static const fault_case cases[] = {
    {.function = "np_channel_create",
     .variant = "ring",
     .call = create_ring,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_create",
     .variant = "on a node",
     .prepare = prepare_nodes,
     .call = create_on_node,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_create",
     .variant = "ring on a node",
     .prepare = prepare_nodes,
     .call = create_ring_on_node,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_send_many",
     .variant = "growth",
     .prepare = prepare_unbounded,
     .call = send_many,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_try_send_many",
     .variant = "growth",
     .prepare = prepare_unbounded,
     .call = try_send_many,
     .allowed = {NP_ERR_NO_MEMORY}},
    QUIET("np_channel_try_receive_many", prepare_ring, try_receive_many,
          "works in the memory that is there"),
    {.function = "np_channel_send_many_for",
     .variant = "short",
     .prepare = prepare_ring,
     .call = send_many_short,
     .thing = "channel",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_channel_receive_many_for",
     .variant = "short",
     .prepare = prepare_empty_ring,
     .call = receive_many_short,
     .thing = "channel",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_channel_receive_many",
     .variant = "",
     .prepare = prepare_wait,
     .call = receive_many},
    {.function = "np_channel_when_readable",
     .variant = "queue",
     .prepare = prepare_queue,
     .call = when_readable,
     .check = account,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_when_readable",
     .variant = "ring",
     .prepare = prepare_armed_ring,
     .call = when_readable,
     .check = account,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_when_readable",
     .variant = "now",
     .prepare = prepare_full,
     .call = when_readable_now,
     .check = account,
     .elsewhere = true,
     .thing = "queue",
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_when_writable",
     .variant = "",
     .prepare = prepare_full,
     .call = when_writable,
     .check = account,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_try_send",
     .variant = "armed",
     .prepare = prepare_armed,
     .call = send_to_armed,
     .check = account,
     .elsewhere = true},
    {.function = "np_channel_close",
     .variant = "armed",
     .prepare = prepare_armed,
     .call = close_armed,
     .check = account,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_remove_sender",
     .variant = "armed ring",
     .prepare = prepare_armed_on_ring,
     .call = remove_last_of_armed,
     .check = account,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_notify_readable",
     .variant = "",
     .prepare = prepare_eventfd,
     .call = notify_readable,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_notify_readable",
     .variant = "now",
     .prepare = prepare_eventfd_now,
     .call = notify_readable,
     .thing = "eventfd",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM}},
    {.function = "np_channel_notify_writable",
     .variant = "now",
     .prepare = prepare_eventfd,
     .call = notify_writable,
     .thing = "eventfd",
     .allowed = {NP_ERR_NO_MEMORY, NP_ERR_SYSTEM}},
    QUIET("np_channel_forget", prepare_armed, forget, "takes out of a list"),
    QUIET("np_channel_forget_eventfd", prepare_eventfd, forget_eventfd, "takes out of a list"),
    QUIET("np_channel_enforcement", prepare_ring, enforcement, "reads what creating found out"),
    QUIET("np_channel_count", prepare_ring, count, "reads figures"),
};
FAULT_LIST(fault_ready_cases, cases);
