/*
 * Goal: calls that have to wait are served in the order in which they came, by exactly what they
 * wait for, or end at their deadline or at the close, and leave no trace behind. Method: threads
 * that call once each; the main thread knows from the channel itself how many of them wait, so
 * nothing depends on time but the deadlines themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_channel_help.h"

#define MILLISECOND UINT64_C(1000000)

/* One call of one thread, and what came of it. */
typedef struct caller {
    npi_os_thread thread;
    np_channel *channel;
    uint64_t timeout_ns;
    int item; /* to send, or received */
    np_status status;
    uint64_t took_ns;
} caller;

static void call_send(void *argument)
{
    caller *c = argument;
    uint64_t begin = npi_os_now();
    c->status = c->timeout_ns == NP_FOREVER
                    ? np_channel_send(c->channel, &c->item)
                    : np_channel_send_for(c->channel, &c->item, c->timeout_ns);
    c->took_ns = npi_os_now() - begin;
}

static void call_receive(void *argument)
{
    caller *c = argument;
    uint64_t begin = npi_os_now();
    c->status = c->timeout_ns == NP_FOREVER
                    ? np_channel_receive(c->channel, &c->item)
                    : np_channel_receive_for(c->channel, &c->item, c->timeout_ns);
    c->took_ns = npi_os_now() - begin;
}

static void start_call(caller *c, np_channel *channel, npi_os_thread_fn fn, int item,
                       uint64_t timeout_ns)
{
    *c = (caller){.channel = channel, .item = item, .timeout_ns = timeout_ns};
    start(&c->thread, fn, c);
}

static void send_now(np_channel *channel, int item)
{
    assert_ok(np_channel_try_send(channel, &item));
}

static int receive_now(np_channel *channel)
{
    int item = -1;
    assert_ok(np_channel_try_receive(channel, &item));
    return item;
}

static void test_receivers_are_served_in_the_order_they_came(void **state)
{
    (void)state;
    enum { CALLERS = 5 };
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        np_channel *channel = new_channel(sizeof(int), capacity, 1);
        caller callers[CALLERS];
        for (size_t i = 0; i < CALLERS; i++) {
            start_call(&callers[i], channel, call_receive, -1,
                       i % 2 == 0 ? NP_FOREVER : UINT64_MAX - 1);
            until_waiting(channel, 0, i + 1);
        }
        for (int i = 0; i < CALLERS; i++) {
            send_now(channel, 100 + i);
            assert_int_equal(np_channel_length(channel), 0); /* handed over */
        }
        for (int i = 0; i < CALLERS; i++) {
            join(&callers[i].thread);
            assert_status(callers[i].status, NP_OK);
            assert_int_equal(callers[i].item, 100 + i);
        }
        until_waiting(channel, 0, 0);
        np_channel_destroy(channel);
    }
}

static void test_senders_are_served_in_the_order_they_came(void **state)
{
    (void)state;
    enum { CALLERS = 5 };
    for (int capacity = 1; capacity <= 3; capacity++) {
        np_channel *channel = new_channel(sizeof(int), (size_t)capacity, 1);
        for (int i = 0; i < capacity; i++)
            send_now(channel, i);
        caller callers[CALLERS];
        for (int i = 0; i < CALLERS; i++) {
            start_call(&callers[i], channel, call_send, capacity + i,
                       i % 2 == 0 ? NP_FOREVER : UINT64_MAX - 1);
            until_waiting(channel, (size_t)i + 1, 0);
        }
        /* Nobody overtakes them. */
        int item = -1;
        assert_status(np_channel_try_send(channel, &item), NP_ERR_WOULD_BLOCK);
        for (int i = 0; i < capacity + CALLERS; i++) {
            assert_int_equal(receive_now(channel), i);
            assert_int_equal(np_channel_length(channel),
                             i < CALLERS ? capacity : capacity + CALLERS - 1 - i);
        }
        for (int i = 0; i < CALLERS; i++) {
            join(&callers[i].thread);
            assert_status(callers[i].status, NP_OK);
        }
        np_channel_destroy(channel);
    }
}

static void test_a_receive_ends_at_its_deadline(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 0, 1);
    for (uint64_t timeout = 1; timeout <= 30 * MILLISECOND; timeout = timeout * 5 + 1) {
        int item = 4711;
        uint64_t begin = npi_os_now();
        assert_status(np_channel_receive_for(channel, &item, timeout), NP_ERR_TIMEOUT);
        uint64_t took = npi_os_now() - begin;
        assert_true(took >= timeout);
        assert_true(took < timeout + 10000 * MILLISECOND);
        assert_int_equal(item, 4711);
        until_waiting(channel, 0, 0);
    }
    send_now(channel, 1);
    assert_int_equal(receive_now(channel), 1);
    np_channel_destroy(channel);
}

static void test_a_send_ends_at_its_deadline(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 1, 1);
    send_now(channel, 1);
    int item = 2;
    uint64_t begin = npi_os_now();
    assert_status(np_channel_send_for(channel, &item, 20 * MILLISECOND), NP_ERR_TIMEOUT);
    assert_non_null(strstr(np_error_detail(), "full"));
    assert_true(npi_os_now() - begin >= 20 * MILLISECOND);
    until_waiting(channel, 0, 0);
    assert_int_equal(receive_now(channel), 1);
    assert_status(np_channel_try_receive(channel, &item), NP_ERR_WOULD_BLOCK);
    np_channel_destroy(channel);
}

/* The deadline of one of three, wherever it stands in the list, does not disturb the others. Should
 * the machine stand still so long that it passes before the others came, less is seen but the
 * outcome is the same. */
static void test_a_deadline_takes_only_its_own_waiter_out(void **state)
{
    (void)state;
    for (int early = 0; early < 3; early++) {
        np_channel *channel = new_channel(sizeof(int), 0, 1);
        caller callers[3];
        size_t for_ever = 0;
        for (int i = 0; i < 3; i++) {
            start_call(&callers[i], channel, call_receive, -1,
                       i == early ? 100 * MILLISECOND : NP_FOREVER);
            for_ever += i != early;
            size_t senders, receivers;
            do {
                sched_yield();
                npi_channel_waiting(channel, &senders, &receivers);
            } while (receivers < for_ever);
        }
        join(&callers[early].thread);
        assert_status(callers[early].status, NP_ERR_TIMEOUT);
        assert_true(callers[early].took_ns >= 100 * MILLISECOND);
        until_waiting(channel, 0, 2);
        send_now(channel, 10);
        send_now(channel, 11);
        int sum = 0;
        for (int i = 0; i < 3; i++) {
            if (i == early)
                continue;
            join(&callers[i].thread);
            assert_status(callers[i].status, NP_OK);
            sum += callers[i].item;
        }
        assert_int_equal(sum, 21);
        np_channel_destroy(channel);
    }
}

static void test_close_ends_every_wait(void **state)
{
    (void)state;
    enum { CALLERS = 4 };
    caller callers[CALLERS];
    np_channel *channel = new_channel(sizeof(int), 0, 1);
    for (int i = 0; i < CALLERS; i++)
        start_call(&callers[i], channel, call_receive, -1, i < 2 ? NP_FOREVER : UINT64_MAX - 1);
    until_waiting(channel, 0, CALLERS);
    assert_ok(np_channel_close(channel));
    for (int i = 0; i < CALLERS; i++) {
        join(&callers[i].thread);
        assert_status(callers[i].status, NP_ERR_CLOSED);
        assert_int_equal(callers[i].item, -1);
    }
    np_channel_destroy(channel);

    channel = new_channel(sizeof(int), 2, 1);
    send_now(channel, 1);
    send_now(channel, 2);
    for (int i = 0; i < CALLERS; i++)
        start_call(&callers[i], channel, call_send, 3 + i, i < 2 ? NP_FOREVER : UINT64_MAX - 1);
    until_waiting(channel, CALLERS, 0);
    assert_ok(np_channel_close(channel));
    for (int i = 0; i < CALLERS; i++) {
        join(&callers[i].thread);
        assert_status(callers[i].status, NP_ERR_CLOSED);
    }
    /* What was inside stays, what waited outside is not. */
    assert_int_equal(receive_now(channel), 1);
    assert_int_equal(receive_now(channel), 2);
    int item;
    assert_status(np_channel_receive(channel, &item), NP_ERR_CLOSED);
    np_channel_destroy(channel);
}

static void test_the_last_sender_ends_every_wait(void **state)
{
    (void)state;
    enum { CALLERS = 3 };
    caller callers[CALLERS];
    np_channel *channel = new_channel(sizeof(int), 4, 1);
    assert_ok(np_channel_add_sender(channel));
    for (int i = 0; i < CALLERS; i++)
        start_call(&callers[i], channel, call_receive, -1, NP_FOREVER);
    until_waiting(channel, 0, CALLERS);
    assert_ok(np_channel_remove_sender(channel));
    until_waiting(channel, 0, CALLERS);
    send_now(channel, 9);
    until_waiting(channel, 0, CALLERS - 1);
    assert_ok(np_channel_remove_sender(channel));
    int received = 0;
    for (int i = 0; i < CALLERS; i++) {
        join(&callers[i].thread);
        if (callers[i].status == NP_OK)
            received += callers[i].item;
        else
            assert_status(callers[i].status, NP_ERR_CLOSED);
    }
    assert_int_equal(received, 9);
    np_channel_destroy(channel);
}

/* A child made while threads wait in the channel can free it. */
static void test_a_child_frees_a_channel_with_waiters(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 0, 1);
    caller waiting;
    start_call(&waiting, channel, call_receive, -1, NP_FOREVER);
    until_waiting(channel, 0, 1);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        np_channel_destroy(channel);
        _exit(npi_load_relaxed(&live_bytes) == 0 ? 0 : 1);
    }
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    send_now(channel, 3);
    join(&waiting.thread);
    assert_status(waiting.status, NP_OK);
    assert_int_equal(waiting.item, 3);
    np_channel_destroy(channel);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_receivers_are_served_in_the_order_they_came),
        TEST(test_senders_are_served_in_the_order_they_came),
        TEST(test_a_receive_ends_at_its_deadline),
        TEST(test_a_send_ends_at_its_deadline),
        TEST(test_a_deadline_takes_only_its_own_waiter_out),
        TEST(test_close_ends_every_wait),
        TEST(test_the_last_sender_ends_every_wait),
        TEST(test_a_child_frees_a_channel_with_waiters),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
