/*
 * tests/fault/cases_channel.c - channels: making, the forms that never wait, those that wait for
 * the other side, outside and on a worker.
 */
#include "cases.h"

static const uint64_t in = 42;
static uint64_t out;

static void create_kind(fault_run *run, size_t capacity)
{
    run->channel = (np_channel *)(uintptr_t)8;
    FAULT_CALL(run, np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = capacity),
                                      &run->channel));
    FAULT_CHECK(run->status == NP_OK || run->channel == NULL);
}

static void create_bounded(fault_run *run)
{
    create_kind(run, 4);
}

static void create_unbounded(fault_run *run)
{
    create_kind(run, 0);
}

static void make(fault_run *run, size_t capacity)
{
    FAULT_NEED(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = capacity), &run->channel));
}

static void prepare_unbounded(fault_run *run)
{
    make(run, 0);
}

static void prepare_one(fault_run *run)
{
    make(run, 1);
    FAULT_NEED(np_channel_try_send(run->channel, &in));
}

static void prepare_empty(fault_run *run)
{
    make(run, 1);
}

/* --- without waiting ------------------------------------------------------------------------- */

/* Several segments: an item is inside exactly if the call said so. */
static void send_many(fault_run *run, np_status (*send)(np_channel *, const void *))
{
    np_status worst = NP_OK;
    size_t inside = 0;
    for (int i = 0; i < 6000; i++) {
        FAULT_CALL(run, send(run->channel, &in));
        inside += run->status == NP_OK ? 1 : 0;
        if (run->status != NP_OK)
            worst = run->status;
    }
    run->status = worst;
    FAULT_CHECK(np_channel_length(run->channel) == inside);
}

static void try_send(fault_run *run)
{
    send_many(run, np_channel_try_send);
}

static void send_unbounded(fault_run *run)
{
    send_many(run, np_channel_send);
}

static void try_receive(fault_run *run)
{
    FAULT_CALL(run, np_channel_try_receive(run->channel, &out));
}

static void add_sender(fault_run *run)
{
    FAULT_CALL(run, np_channel_add_sender(run->channel));
}

static void remove_sender(fault_run *run)
{
    FAULT_CALL(run, np_channel_remove_sender(run->channel));
}

static void close_it(fault_run *run)
{
    FAULT_CALL(run, np_channel_close(run->channel));
}

/* --- waiting --------------------------------------------------------------------------------- */

static void make_room(fault_run *run)
{
    uint64_t item;
    fault_open_gate_later(run);
    FAULT_NEED(np_channel_try_receive(run->channel, &item));
}

static void bring_item(fault_run *run)
{
    fault_open_gate_later(run);
    FAULT_NEED(np_channel_try_send(run->channel, &in));
}

static void prepare_full(fault_run *run)
{
    prepare_one(run);
    fault_helper(run, make_room);
}

static void prepare_wait(fault_run *run)
{
    prepare_empty(run);
    fault_helper(run, bring_item);
}

static void sent(fault_run *run)
{
    npi_store_release(&run->gate, 1u);
    fault_helper_end(run);
    FAULT_CHECK(np_channel_length(run->channel) == (run->status == NP_OK ? 1 : 0));
}

static void received(fault_run *run)
{
    npi_store_release(&run->gate, 1u);
    fault_helper_end(run);
    FAULT_CHECK(np_channel_length(run->channel) == (run->status == NP_OK ? 0 : 1));
    FAULT_CHECK(out == (run->status == NP_OK ? in : 0));
}

static void send_full(fault_run *run)
{
    FAULT_CALL(run, np_channel_send(run->channel, &in));
    sent(run);
}

static void send_for(fault_run *run)
{
    FAULT_CALL(run, np_channel_send_for(run->channel, &in, UINT64_C(60000000000)));
    sent(run);
}

static void send_short(fault_run *run)
{
    FAULT_CALL(run, np_channel_send_for(run->channel, &in, 100000));
}

static void receive(fault_run *run)
{
    out = 0;
    FAULT_CALL(run, np_channel_receive(run->channel, &out));
    received(run);
}

static void receive_for(fault_run *run)
{
    out = 0;
    FAULT_CALL(run, np_channel_receive_for(run->channel, &out, UINT64_C(60000000000)));
    received(run);
}

static void receive_short(fault_run *run)
{
    out = 0;
    FAULT_CALL(run, np_channel_receive_for(run->channel, &out, 100000));
    FAULT_CHECK(out == 0);
}

/* --- on a worker: a spare one steps in, or the call does nothing ----------------------------- */

static void prepare_worker_send(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    prepare_full(run);
}

static void prepare_worker_receive(fault_run *run)
{
    fault_make_executor(run, TWO_NODES);
    prepare_wait(run);
}

static void send_task(void *run)
{
    send_full(run);
}

static void receive_task(void *run)
{
    receive(run);
}

static void send_on_worker(fault_run *run)
{
    fault_in_task(run, send_task);
}

static void receive_on_worker(fault_run *run)
{
    fault_in_task(run, receive_task);
}

static void account(fault_run *run, bool fired)
{
    (void)fired;
    fault_account(run);
}

#define QUIET(name, before, call_it)                                         \
    {                                                                        \
        .function = name, .variant = "", .prepare = before, .call = call_it, \
        .pure = "works in the memory that is there, at most waking somebody" \
    }

static const fault_case cases[] = {
    {.function = "np_channel_create",
     .variant = "bounded",
     .call = create_bounded,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_create",
     .variant = "unbounded",
     .call = create_unbounded,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_try_send",
     .variant = "growth",
     .prepare = prepare_unbounded,
     .call = try_send,
     .allowed = {NP_ERR_NO_MEMORY}},
    {.function = "np_channel_send",
     .variant = "unbounded",
     .prepare = prepare_unbounded,
     .call = send_unbounded,
     .allowed = {NP_ERR_NO_MEMORY}},
    QUIET("np_channel_try_receive", prepare_one, try_receive),
    QUIET("np_channel_add_sender", prepare_empty, add_sender),
    QUIET("np_channel_remove_sender", prepare_empty, remove_sender),
    QUIET("np_channel_close", prepare_empty, close_it),
    {.function = "np_channel_send", .variant = "full", .prepare = prepare_full, .call = send_full},
    {.function = "np_channel_send_for",
     .variant = "long",
     .prepare = prepare_full,
     .call = send_for,
     .thing = "channel",
     .allowed = {NP_ERR_TIMEOUT}},
    {.function = "np_channel_send_for",
     .variant = "short",
     .prepare = prepare_one,
     .call = send_short,
     .thing = "channel",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_channel_receive", .variant = "", .prepare = prepare_wait, .call = receive},
    {.function = "np_channel_receive_for",
     .variant = "long",
     .prepare = prepare_wait,
     .call = receive_for,
     .thing = "channel",
     .allowed = {NP_ERR_TIMEOUT}},
    {.function = "np_channel_receive_for",
     .variant = "short",
     .prepare = prepare_empty,
     .call = receive_short,
     .thing = "channel",
     .natural = NP_ERR_TIMEOUT},
    {.function = "np_channel_send",
     .variant = "worker",
     .prepare = prepare_worker_send,
     .call = send_on_worker,
     .check = account,
     .elsewhere = true,
     .thing = "spare",
     .allowed = {NP_ERR_NO_SPARE}},
    {.function = "np_channel_receive",
     .variant = "worker",
     .prepare = prepare_worker_receive,
     .call = receive_on_worker,
     .check = account,
     .elsewhere = true,
     .thing = "spare",
     .allowed = {NP_ERR_NO_SPARE}},
};
FAULT_LIST(fault_channel_cases, cases);
