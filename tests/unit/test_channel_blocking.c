/*
 * Goal: a call announces that it blocks exactly when it is about to wait, before it is among the
 * waiters, takes the announcement back once however the wait ends, and does nothing when no spare
 * worker can step in. Method: this program supplies np_blocking_begin() and np_blocking_end()
 * itself and counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_channel_help.h"

/* Written by whatever thread blocks, read by the main thread after a join. */
static np_atomic(uint32_t) begun;
static np_atomic(uint32_t) ended;
static np_atomic(uint32_t) no_spare;
static np_channel *current;
static np_atomic(uint32_t)
    waiting_at_begin; /* how many calls waited when the last one began to block */

np_status np_blocking_begin(void)
{
    if (npi_load_relaxed(&no_spare) != 0)
        return NP_ERR_NO_SPARE;
    /* Also shows that the lock is not held here: it would be taken twice. */
    size_t senders, receivers;
    npi_channel_waiting(current, &senders, &receivers);
    npi_store_relaxed(&waiting_at_begin, (uint32_t)(senders + receivers));
    npi_fetch_add_relaxed(&begun, 1u);
    return NP_OK;
}

void np_blocking_end(void)
{
    npi_fetch_add_relaxed(&ended, 1u);
}

static void expect_blocked(uint32_t times)
{
    assert_int_equal(npi_load_relaxed(&begun), times);
    assert_int_equal(npi_load_relaxed(&ended), times);
}

static int prepare(void **state)
{
    (void)state;
    npi_store_relaxed(&begun, 0u);
    npi_store_relaxed(&ended, 0u);
    npi_store_relaxed(&no_spare, 0u);
    return np_channel_create(NP_CHANNEL_OPTIONS(.item_size = sizeof(int), .capacity = 1), &current);
}

static int clean_up(void **state)
{
    np_channel_destroy(current);
    return nothing_left(state);
}

static void test_what_need_not_wait_announces_nothing(void **state)
{
    (void)state;
    int item = 1;
    assert_status(np_channel_try_receive(current, &item), NP_ERR_WOULD_BLOCK);
    assert_status(np_channel_receive_for(current, &item, 0), NP_ERR_TIMEOUT);
    assert_ok(np_channel_send(current, &item));
    assert_status(np_channel_try_send(current, &item), NP_ERR_WOULD_BLOCK);
    assert_status(np_channel_send_for(current, &item, 0), NP_ERR_TIMEOUT);
    assert_ok(np_channel_receive(current, &item));
    assert_ok(np_channel_close(current));
    assert_status(np_channel_receive(current, &item), NP_ERR_CLOSED);
    assert_status(np_channel_send(current, &item), NP_ERR_CLOSED);
    expect_blocked(0);
}

static void test_a_timeout_announces_once(void **state)
{
    (void)state;
    int item = 1;
    assert_status(np_channel_receive_for(current, &item, 1000000), NP_ERR_TIMEOUT);
    expect_blocked(1);
    assert_int_equal(npi_load_relaxed(&waiting_at_begin), 0);
    assert_ok(np_channel_send(current, &item));
    assert_status(np_channel_send_for(current, &item, 1000000), NP_ERR_TIMEOUT);
    expect_blocked(2);
    assert_int_equal(npi_load_relaxed(&waiting_at_begin), 0);
}

static void test_no_spare_does_nothing(void **state)
{
    (void)state;
    npi_store_relaxed(&no_spare, 1u);
    int item = 4711;
    assert_status(np_channel_receive(current, &item), NP_ERR_NO_SPARE);
    assert_status(np_channel_receive_for(current, &item, 1000000), NP_ERR_NO_SPARE);
    assert_int_equal(item, 4711);
    until_waiting(current, 0, 0);
    item = 1;
    assert_ok(np_channel_send(current, &item));
    item = 2;
    assert_status(np_channel_send(current, &item), NP_ERR_NO_SPARE);
    assert_status(np_channel_send_for(current, &item, NP_FOREVER), NP_ERR_NO_SPARE);
    until_waiting(current, 0, 0);
    assert_int_equal(np_channel_length(current), 1);
    assert_ok(np_channel_receive(current, &item));
    assert_int_equal(item, 1);
    assert_status(np_channel_try_receive(current, &item), NP_ERR_WOULD_BLOCK);
    expect_blocked(0);
}

/* Receives until the end and counts in *argument. */
static void receive_all(void *argument)
{
    int *received = argument;
    int item;
    while (np_channel_receive(current, &item) == NP_OK)
        ++*received;
}

static void test_each_wait_is_taken_back(void **state)
{
    (void)state;
    int received = 0;
    npi_os_thread thread;
    start(&thread, receive_all, &received);
    for (int i = 0; i < 3; i++) {
        until_waiting(current, 0, 1);
        assert_ok(np_channel_send(current, &i));
    }
    until_waiting(current, 0, 1);
    assert_ok(np_channel_remove_sender(current));
    join(&thread);
    assert_int_equal(received, 3);
    expect_blocked(4);
}

#define TEST(fn) cmocka_unit_test_setup_teardown(fn, prepare, clean_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_what_need_not_wait_announces_nothing),
        TEST(test_a_timeout_announces_once),
        TEST(test_no_spare_does_nothing),
        TEST(test_each_wait_is_taken_back),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
