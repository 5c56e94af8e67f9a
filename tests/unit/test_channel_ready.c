/*
 * Goal: a continuation is submitted exactly once, as soon as the channel can be read or written and
 * never before; what is forgotten is never submitted; a refused submit is told to the executor's
 * on_discard, one without memory stays armed. Method: both kinds of channels; exact sequences whose
 * outcome the counts tell; chains of tasks that arm themselves again and must see every item,
 * though they run beside the sender; an inbox that is full and executors that are shut down.
 */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cmocka.h>

#include <numaperf/group.h>

#include "base/hook.h"
#include "test_channel_help.h"

#if defined(NPI_TSAN)
enum { ITEMS = 3000 };
#else
enum { ITEMS = 30000 };
#endif

static np_atomic(uint32_t) ran, discarded;

static void on_discard(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    (void)context;
    (void)fn;
    (void)argument;
    assert_int_equal(reason, NP_DISCARD_SHUTDOWN);
    npi_fetch_add_relaxed(&discarded, 1u);
}

static np_executor *new_executor(const char *machine, uint32_t inbox_capacity)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_ok(np_topology_from_synthetic(machine, &topology));
    assert_ok(np_executor_create(
        topology,
        NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .inbox_capacity = inbox_capacity,
                            .on_discard = on_discard, .ignore_environment = true),
        &executor));
    np_topology_destroy(topology);
    npi_store_relaxed(&ran, 0u);
    npi_store_relaxed(&discarded, 0u);
    return executor;
}

static np_channel *make(bool ring, size_t capacity)
{
    np_channel *channel = NULL;
    assert_ok(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = sizeof(uint64_t), .capacity = capacity,
                                             .single_sender = ring, .single_receiver = ring),
                          &channel));
    return channel;
}

static uint64_t readied(np_channel *channel)
{
    np_channel_counts counts;
    assert_ok(np_channel_count(channel, &counts));
    return counts.readied;
}

static void note(void *argument)
{
    (void)argument;
    npi_fetch_add_relaxed(&ran, 1u);
}

static void expect_ran(np_executor *executor, uint32_t times)
{
    assert_ok(np_executor_wait_idle(executor, NP_FOREVER));
    assert_int_equal(npi_load_relaxed(&ran), times);
}

static const uint64_t item = 5;
static uint64_t out;

static void test_readable(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:2 core:1 pu:1", 0);
    for (int ring = 0; ring < 2; ring++) {
        npi_store_relaxed(&ran, 0u);
        np_channel *channel = make(ring, 4);
        assert_ok(np_channel_when_readable(channel, executor, 1, note, NULL));
        expect_ran(executor, 0);
        assert_ok(np_channel_try_send(channel, &item));
        assert_int_equal(readied(channel), 1);
        expect_ran(executor, 1);
        assert_ok(np_channel_try_send(channel, &item)); /* good for once */
        expect_ran(executor, 1);
        assert_ok(np_channel_when_readable(channel, executor, 0, note, NULL)); /* it is readable */
        expect_ran(executor, 2);
        assert_ok(np_channel_receive(channel, &out));
        assert_ok(np_channel_receive(channel, &out));
        /* Each item readies one, a batch as many as it brings. */
        for (int i = 0; i < 4; i++)
            assert_ok(np_channel_when_readable(channel, executor, NP_NODE_ID_NONE, note, NULL));
        assert_ok(np_channel_try_send(channel, &item));
        expect_ran(executor, 3);
        size_t sent;
        assert_ok(np_channel_try_send_many(channel, (uint64_t[2]){1, 2}, 2, &sent));
        expect_ran(executor, 5);
        assert_ok(np_channel_remove_sender(channel)); /* the last one */
        expect_ran(executor, 6);
        assert_ok(np_channel_when_readable(channel, executor, 1, note, NULL));
        expect_ran(executor, 7);
        np_channel_destroy(channel);
    }
    assert_ok(np_executor_destroy(executor));
}

/* An item that had to wait outside for room readies one like any other, when it comes in. */
static void *send_one(void *argument)
{
    assert_ok(np_channel_send(argument, &item));
    return NULL;
}

static void test_readable_by_a_sender_that_waited(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 0);
    for (int ring = 0; ring < 2; ring++) {
        npi_store_relaxed(&ran, 0u);
        np_channel *channel = make(ring, 1);
        for (int i = 0; i < 2; i++)
            assert_ok(np_channel_when_readable(channel, executor, 0, note, NULL));
        assert_ok(np_channel_send(channel, &item));
        pthread_t sender;
        assert_int_equal(pthread_create(&sender, NULL, send_one, channel), 0);
        for (size_t senders = 0, receivers; senders == 0; sched_yield())
            npi_channel_waiting(channel, &senders, &receivers);
        expect_ran(executor, 1);
        assert_ok(np_channel_receive(channel, &out));
        assert_int_equal(pthread_join(sender, NULL), 0);
        assert_int_equal(readied(channel), 2);
        expect_ran(executor, 2);
        assert_ok(np_channel_try_receive(channel, &out));
        np_channel_destroy(channel);
    }
    assert_ok(np_executor_destroy(executor));
}

static void test_writable(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 0);
    for (int ring = 0; ring < 2; ring++) {
        npi_store_relaxed(&ran, 0u);
        np_channel *channel = make(ring, 2);
        assert_ok(np_channel_try_send(channel, &item));
        assert_ok(np_channel_when_writable(channel, executor, 0, note, NULL));
        expect_ran(executor, 1);
        assert_ok(np_channel_try_send(channel, &item));
        assert_ok(np_channel_when_writable(channel, executor, 0, note, NULL));
        assert_ok(np_channel_when_writable(channel, executor, 0, note, NULL));
        expect_ran(executor, 1);
        assert_ok(np_channel_receive(channel, &out));
        expect_ran(executor, 2);
        assert_ok(np_channel_close(channel));
        expect_ran(executor, 3);
        np_channel_destroy(channel);
    }
    np_channel *unbounded = make(false, 0);
    assert_ok(np_channel_when_writable(unbounded, executor, 0, note, NULL));
    expect_ran(executor, 4);
    np_channel_destroy(unbounded);
    assert_ok(np_executor_destroy(executor));
}

static void test_forgotten(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 0);
    for (int ring = 0; ring < 2; ring++) {
        np_channel *channel = make(ring, 4);
        int a, b;
        size_t forgotten = 99;
        assert_ok(np_channel_forget(channel, note, &a, &forgotten));
        assert_int_equal(forgotten, 0);
        assert_ok(np_channel_when_readable(channel, executor, 0, note, &a));
        assert_ok(np_channel_when_readable(channel, executor, 0, note, &b));
        assert_ok(np_channel_when_readable(channel, executor, 0, note, &a));
        assert_ok(np_channel_forget(channel, note, &a, &forgotten));
        assert_int_equal(forgotten, 2);
        assert_ok(np_channel_try_send(channel, &item));
        assert_ok(np_channel_try_send(channel, &item));
        assert_int_equal(readied(channel), 1);
        assert_ok(np_channel_forget(channel, note, &b, &forgotten));
        assert_int_equal(forgotten, 0);
        while (np_channel_try_receive(channel, &out) == NP_OK)
            ;
        assert_ok(np_channel_when_readable(channel, executor, 0, note, &a));
        assert_ok(np_channel_when_readable(channel, executor, 0, note, &b));
        assert_ok(np_channel_forget(channel, NULL, NULL, &forgotten));
        assert_int_equal(forgotten, 2);
        assert_ok(np_channel_when_readable(channel, executor, 0, note, &b));
        np_channel_destroy(channel); /* what is armed is dropped */
    }
    expect_ran(executor, 2);
    assert_ok(np_executor_destroy(executor));
}

static uint64_t counter_of(int fd)
{
    uint64_t value = 0;
    return read(fd, &value, sizeof value) == sizeof value ? value : 0;
}

static void test_eventfd(void **state)
{
    (void)state;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fd >= 0);
    for (int ring = 0; ring < 2; ring++) {
        np_channel *channel = make(ring, 1);
        assert_ok(np_channel_notify_readable(channel, fd));
        assert_int_equal(counter_of(fd), 0);
        assert_ok(np_channel_try_send(channel, &item));
        assert_int_equal(counter_of(fd), 1);
        assert_ok(np_channel_notify_readable(channel, fd));
        assert_int_equal(counter_of(fd), 1);
        assert_ok(np_channel_notify_writable(channel, fd));
        assert_int_equal(counter_of(fd), 0);
        assert_ok(np_channel_receive(channel, &out));
        assert_int_equal(counter_of(fd), 1);
        size_t forgotten;
        assert_ok(np_channel_notify_readable(channel, fd));
        assert_ok(np_channel_forget_eventfd(channel, fd, &forgotten));
        assert_int_equal(forgotten, 1);
        assert_ok(np_channel_close(channel));
        assert_int_equal(counter_of(fd), 0);
        assert_status(np_channel_notify_readable(channel, -1), NP_ERR_INVALID_ARGUMENT);
        assert_status(np_channel_forget_eventfd(channel, -1, NULL), NP_ERR_INVALID_ARGUMENT);
        /* Ready now, and no eventfd at all. */
        assert_status(np_channel_notify_readable(channel, 1000000), NP_ERR_SYSTEM);
        np_channel_destroy(channel);
    }
    close(fd);
}

/* A full counter is readable as it is. One that has been closed is told to the program. */
static void test_eventfd_that_takes_nothing(void **state)
{
    (void)state;
    const uint64_t full = UINT64_MAX - 1;
    int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    assert_true(fd >= 0);
    for (int ring = 0; ring < 2; ring++) {
        np_channel *channel = make(ring, 2);
        assert_int_equal(write(fd, &full, sizeof full), sizeof full);
        assert_ok(np_channel_notify_readable(channel, fd));
        assert_ok(np_channel_try_send(channel, &item));
        assert_int_equal(counter_of(fd), full);
        np_channel_destroy(channel);
    }
    close(fd);
}

static void test_refusals(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 0);
    np_channel *channel = make(false, 1);
    assert_status(np_channel_when_readable(NULL, executor, 0, note, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_when_readable(channel, NULL, 0, note, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_when_readable(channel, executor, 0, NULL, NULL),
                  NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_when_writable(channel, executor, 7, note, NULL), NP_ERR_INVALID_NODE);
    assert_status(np_channel_forget(NULL, note, NULL, NULL), NP_ERR_INVALID_ARGUMENT);
    npi_store_relaxed(&fail_after, 0);
    assert_status(np_channel_when_readable(channel, executor, 0, note, NULL), NP_ERR_NO_MEMORY);
    npi_store_relaxed(&fail_after, UINT64_MAX);

    assert_ok(np_channel_when_readable(channel, executor, 0, note, NULL));
    assert_ok(np_executor_shutdown(executor));
    assert_ok(np_channel_try_send(channel, &item)); /* the send is not the one to be told */
    assert_int_equal(npi_load_relaxed(&discarded), 1);
    assert_int_equal(readied(channel), 0);
    assert_status(np_channel_when_readable(channel, executor, 0, note, NULL), NP_ERR_SHUT_DOWN);
    assert_int_equal(npi_load_relaxed(&discarded), 1);
    assert_int_equal(npi_load_relaxed(&ran), 0);
    np_channel_destroy(channel);
    assert_ok(np_executor_destroy(executor));
}

static void hold(void *argument)
{
    uint64_t got;
    assert_ok(np_channel_receive(argument, &got));
}

/* The inbox is full, its bound would make a submit wait: the sender does not. */
static void test_a_full_inbox_stops_nobody(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 1);
    np_channel *gate = make(false, 1), *channel = make(false, 4);
    /* Until the spare that steps in for the first one is held as well, and so on, is left to
     * chance: what counts is that nobody waits here for room. */
    for (int i = 0; i < 8; i++)
        assert_ok(np_channel_when_readable(channel, executor, 0, note, NULL));
    assert_ok(np_submit(executor, hold, gate));
    for (uint64_t i = 0; i < 4; i++)
        assert_ok(np_channel_try_send(channel, &i));
    assert_ok(np_channel_close(channel));
    assert_int_equal(readied(channel), 8);
    assert_ok(np_channel_send(gate, &item));
    expect_ran(executor, 8);
    np_channel_destroy(channel);
    np_channel_destroy(gate);
    assert_ok(np_executor_destroy(executor));
}

static np_atomic(uint32_t) diagnosed;

static void on_diagnostic(void *context, np_severity severity, const char *message)
{
    (void)context;
    if (severity == NP_SEVERITY_ERROR && strstr(message, "continuation") != NULL)
        npi_fetch_add_relaxed(&diagnosed, 1u);
}

static int no_memory(npi_call call, uintptr_t first, uintptr_t second)
{
    (void)first;
    (void)second;
    return call == NPI_CALL_MMAP || call == NPI_CALL_ALLOCATE ? ENOMEM : 0;
}

static void tell_nobody(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)call;
    (void)first;
    (void)second;
    (void)error;
}

/* Holds its worker without telling the library, so that no spare one steps in. */
static np_atomic(uint32_t) let_go;

static void hold_hard(void *argument)
{
    (void)argument;
    while (npi_load_acquire(&let_go) == 0)
        (void)npi_os_futex_wait(&let_go, 0, NPI_NO_DEADLINE);
}

/* A worker that is held, and so many tasks behind it that the next one needs memory. Returns how
 * many were submitted. */
static uint32_t fill_queue(np_executor *executor)
{
    static const npi_hook hook = {no_memory, tell_nobody};
    uint32_t submitted = 0;
    npi_store_relaxed(&let_go, 0u);
    assert_ok(np_submit(executor, hold_hard, NULL));
    npi_hook_set(&hook);
    while (np_submit(executor, note, NULL) == NP_OK)
        assert_true(++submitted < 1000000);
    npi_hook_set(NULL);
    return submitted;
}

static np_status find_closed(np_channel *channel, unsigned way)
{
    switch (way) {
    case 0: return np_channel_try_receive(channel, &out);
    case 1: return np_channel_receive(channel, &out);
    default: return np_channel_try_send(channel, &item);
    }
}

/* The close may be the last call there is: it says that it has left a continuation. Whoever closes
 * again, or finds the channel closed, has it submitted. */
static void close_without_memory(bool ring, unsigned way)
{
    static const npi_hook hook = {no_memory, tell_nobody};
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 0);
    np_channel *channel = make(ring, 1);
    uint32_t submitted = fill_queue(executor);
    npi_store_relaxed(&diagnosed, 0u);
    np_set_diagnostic_handler(on_diagnostic, NULL);
    assert_ok(np_channel_when_readable(channel, executor, 0, note, NULL));
    npi_hook_set(&hook);
    assert_status(np_channel_remove_sender(channel), NP_ERR_NO_MEMORY);
    assert_non_null(strstr(np_error_detail(), "stays armed"));
    assert_status(np_channel_close(channel), NP_ERR_NO_MEMORY);
    assert_status(find_closed(channel, way), NP_ERR_CLOSED);
    npi_hook_set(NULL);
    assert_int_equal(npi_load_relaxed(&diagnosed), 1);
    assert_true(np_channel_is_closed(channel));
    assert_int_equal(readied(channel), 0);
    if (way < 3)
        assert_status(find_closed(channel, way), NP_ERR_CLOSED);
    else
        assert_ok(np_channel_close(channel));
    assert_int_equal(readied(channel), 1);
    assert_ok(np_channel_close(channel));
    assert_int_equal(readied(channel), 1); /* once */
    np_set_diagnostic_handler(NULL, NULL);
    npi_store_release(&let_go, 1u);
    npi_os_futex_wake(&let_go, 1);
    expect_ran(executor, submitted + 1);
    npi_store_relaxed(&ran, 0u);
    np_channel_destroy(channel);
    assert_ok(np_executor_destroy(executor));
}

static void test_no_memory_at_the_close(void **state)
{
    (void)state;
    for (unsigned way = 0; way < 4; way++) {
        close_without_memory(false, way);
        close_without_memory(true, way);
    }
}

/* Without memory for its task a continuation stays armed; the next send tries again. */
static void test_no_memory_for_the_task(void **state)
{
    (void)state;
    static const npi_hook hook = {no_memory, tell_nobody};
    np_executor *executor = new_executor("numa:1 core:1 pu:1", 0);
    np_channel *channel = make(false, 1);
    np_set_diagnostic_handler(on_diagnostic, NULL);
    npi_store_relaxed(&let_go, 0u);
    assert_ok(np_submit(executor, hold_hard, NULL)); /* so that the queue can only grow */
    uint64_t submitted = 0;
    for (;; submitted++) {
        assert_true(submitted < 1000000);
        assert_ok(np_channel_when_readable(channel, executor, 0, note, NULL));
        npi_hook_set(&hook);
        assert_ok(np_channel_try_send(channel, &item));
        npi_hook_set(NULL);
        assert_ok(np_channel_receive(channel, &out));
        if (readied(channel) == submitted)
            break;
    }
    assert_int_equal(npi_load_relaxed(&diagnosed), 1);
    assert_ok(np_channel_try_send(channel, &item));
    assert_int_equal(readied(channel), submitted + 1);
    np_set_diagnostic_handler(NULL, NULL);
    npi_store_release(&let_go, 1u);
    npi_os_futex_wake(&let_go, 1);
    expect_ran(executor, (uint32_t)submitted + 1);
    np_channel_destroy(channel);
    assert_ok(np_executor_destroy(executor));
}

/* --- chains --------------------------------------------------------------------------------- */

typedef struct chain {
    np_channel *channel;
    np_executor *executor;
    np_channel *done; /* closed at the end */
    uint64_t next;    /* by the tasks, which follow each other */
    uint64_t calls;
} chain;

static void receive_some(void *argument)
{
    chain *c = argument;
    uint64_t got;
    np_status status;
    c->calls++;
    while ((status = np_channel_try_receive(c->channel, &got)) == NP_OK)
        assert_int_equal(got, c->next++);
    if (status == NP_ERR_WOULD_BLOCK)
        assert_ok(np_channel_when_readable(c->channel, c->executor, 0, receive_some, c));
    else
        assert_ok(np_channel_close(c->done));
}

static void send_some(void *argument)
{
    chain *c = argument;
    while (c->next < ITEMS) {
        np_status status = np_channel_try_send(c->channel, &c->next);
        if (status == NP_ERR_WOULD_BLOCK) {
            assert_ok(np_channel_when_writable(c->channel, c->executor, 1, send_some, c));
            return;
        }
        assert_ok(status);
        c->next++;
    }
    assert_ok(np_channel_remove_sender(c->channel));
}

/* A thread sends, a chain of tasks receives. */
static void test_a_chain_receives_everything(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:2 core:1 pu:1", 0);
    for (int ring = 0; ring < 2; ring++) {
        chain c = {make(ring, 8), executor, make(false, 1), 0, 0};
        assert_ok(np_channel_when_readable(c.channel, executor, 0, receive_some, &c));
        for (uint64_t i = 0; i < ITEMS; i++)
            assert_ok(np_channel_send(c.channel, &i));
        assert_ok(np_channel_remove_sender(c.channel));
        assert_status(np_channel_receive(c.done, &out), NP_ERR_CLOSED);
        assert_int_equal(c.next, ITEMS);
        assert_ok(np_executor_wait_idle(executor, NP_FOREVER));
        np_channel_destroy(c.channel);
        np_channel_destroy(c.done);
    }
    assert_ok(np_executor_destroy(executor));
}

/* Nobody ever waits: two chains, on two nodes. */
static void test_two_chains(void **state)
{
    (void)state;
    np_executor *executor = new_executor("numa:2 core:1 pu:1", 0);
    for (int ring = 0; ring < 2; ring++) {
        chain in = {make(ring, 3), executor, NULL, 0, 0};
        chain to = {in.channel, executor, make(false, 1), 0, 0};
        assert_ok(np_submit_to_node(executor, 1, send_some, &in));
        assert_ok(np_submit_to_node(executor, 0, receive_some, &to));
        assert_status(np_channel_receive(to.done, &out), NP_ERR_CLOSED);
        assert_int_equal(to.next, ITEMS);
        assert_ok(np_executor_wait_idle(executor, NP_FOREVER));
        np_channel_counts counts;
        assert_ok(np_channel_count(in.channel, &counts));
        assert_int_equal(counts.sent, ITEMS);
        assert_int_equal(counts.received, ITEMS);
        assert_int_equal(counts.full_waits + counts.empty_waits, 0);
        np_channel_destroy(in.channel);
        np_channel_destroy(to.done);
    }
    assert_ok(np_executor_destroy(executor));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_readable, nothing_left),
        cmocka_unit_test_teardown(test_readable_by_a_sender_that_waited, nothing_left),
        cmocka_unit_test_teardown(test_writable, nothing_left),
        cmocka_unit_test_teardown(test_forgotten, nothing_left),
        cmocka_unit_test_teardown(test_eventfd, nothing_left),
        cmocka_unit_test_teardown(test_eventfd_that_takes_nothing, nothing_left),
        cmocka_unit_test_teardown(test_refusals, nothing_left),
        cmocka_unit_test_teardown(test_a_full_inbox_stops_nobody, nothing_left),
        cmocka_unit_test_teardown(test_no_memory_for_the_task, nothing_left),
        cmocka_unit_test_teardown(test_no_memory_at_the_close, nothing_left),
        cmocka_unit_test_teardown(test_a_chain_receives_everything, nothing_left),
        cmocka_unit_test_teardown(test_two_chains, nothing_left),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
