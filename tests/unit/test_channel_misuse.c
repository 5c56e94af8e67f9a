/*
 * Goal: what a caller, the machine or a fork can do wrong gives the documented status, names the
 * value, and leaves nothing half-done. Method: bad arguments to every call, an allocator that fails
 * at each of its calls in turn, a forked child that calls everything.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "test_channel_help.h"

static void test_create_refuses_bad_options(void **state)
{
    (void)state;
    np_channel *channel = (np_channel *)(uintptr_t)8;
    assert_status(np_channel_create(NULL, &channel), NP_ERR_INVALID_ARGUMENT);
    assert_null(channel);
    assert_status(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8), NULL),
                  NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_create(NP_CHANNEL_OPTIONS(.capacity = 8), &channel),
                  NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "item_size is 0"));
    assert_status(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 65537), &channel),
                  NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "65537"));
    assert_status(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = SIZE_MAX), &channel),
        NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "18446744073709551615"));
    np_channel_options small = {.size = 8, .item_size = 8};
    assert_status(np_channel_create(&small, &channel), NP_ERR_INVALID_ARGUMENT);
    struct {
        np_channel_options known;
        uint64_t unknown;
    } newer = {{.size = sizeof newer, .item_size = 8}, 0};
    assert_ok(np_channel_create(&newer.known, &channel));
    np_channel_destroy(channel);
    newer.unknown = 1;
    assert_status(np_channel_create(&newer.known, &channel), NP_ERR_INVALID_ARGUMENT);
    assert_null(channel);
}

static void test_null_handles_and_items(void **state)
{
    (void)state;
    int item = 0;
    assert_status(np_channel_send(NULL, &item), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_try_send(NULL, &item), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_send_for(NULL, &item, 1), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_receive(NULL, &item), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_try_receive(NULL, &item), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_receive_for(NULL, &item, 1), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_add_sender(NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_remove_sender(NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_close(NULL), NP_ERR_INVALID_ARGUMENT);
    np_channel_destroy(NULL);
    assert_int_equal(np_channel_length(NULL), 0);
    assert_int_equal(np_channel_capacity(NULL), 0);
    assert_int_equal(np_channel_senders(NULL), 0);
    assert_true(np_channel_is_closed(NULL));

    np_channel *channel = new_channel(sizeof item, 0, 1);
    assert_status(np_channel_send(channel, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_try_send(channel, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_send_for(channel, NULL, 1), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_receive(channel, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_try_receive(channel, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_receive_for(channel, NULL, 1), NP_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(np_error_detail(), "np_channel_receive_for"));
    assert_int_equal(np_channel_length(channel), 0);
    np_channel_destroy(channel);
}

static void test_each_allocation_may_fail(void **state)
{
    (void)state;
    np_channel *channel = NULL;
    for (uint64_t k = 0; k < 2; k++) {
        npi_store_relaxed(&fail_after, k);
        assert_status(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8), &channel),
                      NP_ERR_NO_MEMORY);
        assert_null(channel);
        assert_int_equal(npi_load_relaxed(&live_bytes), 0);
    }
    npi_store_relaxed(&fail_after, UINT64_MAX);

    /* Growth fails: the item is not inside, what is inside is whole, and later sends work again. */
    channel = new_channel(sizeof(uint32_t), 0, 1);
    npi_store_relaxed(&fail_after, 3u);
    uint32_t sent = 0;
    np_status status;
    while ((status = np_channel_send(channel, &sent)) == NP_OK)
        sent++;
    assert_int_equal(status, NP_ERR_NO_MEMORY);
    assert_non_null(strstr(np_error_detail(), "memory"));
    assert_int_equal(np_channel_length(channel), sent);
    assert_status(np_channel_try_send(channel, &sent), NP_ERR_NO_MEMORY);
    npi_store_relaxed(&fail_after, UINT64_MAX);
    assert_ok(np_channel_send(channel, &sent));
    sent++;
    for (uint32_t i = 0; i < sent; i++) {
        uint32_t item;
        assert_ok(np_channel_receive(channel, &item));
        assert_int_equal(item, i);
    }
    assert_status(np_channel_try_receive(channel, &sent), NP_ERR_WOULD_BLOCK);
    np_channel_destroy(channel);
}

/* In the child: every call says so, the figures are those of the fork, destroy frees. */
static int calls_in_child(np_channel *channel)
{
    int item = 0;
    if (np_channel_send(channel, &item) != NP_ERR_FORKED ||
        np_channel_try_send(channel, &item) != NP_ERR_FORKED ||
        np_channel_send_for(channel, &item, 1) != NP_ERR_FORKED)
        return 1;
    if (np_channel_receive(channel, &item) != NP_ERR_FORKED ||
        np_channel_try_receive(channel, &item) != NP_ERR_FORKED ||
        np_channel_receive_for(channel, &item, 1) != NP_ERR_FORKED)
        return 2;
    if (np_channel_add_sender(channel) != NP_ERR_FORKED ||
        np_channel_remove_sender(channel) != NP_ERR_FORKED ||
        np_channel_close(channel) != NP_ERR_FORKED)
        return 3;
    size_t moved;
    if (np_channel_try_send_many(channel, &item, 1, &moved) != NP_ERR_FORKED ||
        np_channel_try_receive_many(channel, &item, 1, &moved) != NP_ERR_FORKED ||
        np_channel_notify_readable(channel, 0) != NP_ERR_FORKED ||
        np_channel_when_writable(channel, NULL, 0, NULL, NULL) != NP_ERR_FORKED ||
        np_channel_forget(channel, NULL, NULL, NULL) != NP_ERR_FORKED)
        return 8;
    if (strstr(np_error_detail(), "fork") == NULL)
        return 4;
    if (np_channel_length(channel) != 1 || np_channel_senders(channel) != 1 ||
        np_channel_is_closed(channel))
        return 5;
    np_channel_destroy(channel);
    if (npi_load_relaxed(&live_bytes) != 0)
        return 6;
    /* A new one works. */
    np_channel *fresh = NULL;
    if (np_channel_create(NP_CHANNEL_OPTIONS(.item_size = sizeof item), &fresh) != NP_OK ||
        np_channel_send(fresh, &item) != NP_OK || np_channel_receive(fresh, &item) != NP_OK)
        return 7;
    np_channel_destroy(fresh);
    return 0;
}

/* A channel with a queue, then one with a ring. */
static void child_is_told(bool ring)
{
    np_channel *channel = NULL;
    assert_ok(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = sizeof(int), .capacity = ring ? 2 : 0,
                                             .single_sender = ring, .single_receiver = ring),
                          &channel));
    int item = 5;
    assert_ok(np_channel_send(channel, &item));
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(calls_in_child(channel));
    int ended = 0;
    assert_int_equal(waitpid(child, &ended, 0), child);
    assert_true(WIFEXITED(ended));
    assert_int_equal(WEXITSTATUS(ended), 0);
    /* The parent goes on. */
    assert_ok(np_channel_receive(channel, &item));
    assert_int_equal(item, 5);
    np_channel_destroy(channel);
}

static void test_a_forked_child_is_told(void **state)
{
    (void)state;
    child_is_told(false);
    child_is_told(true);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_create_refuses_bad_options),
        TEST(test_null_handles_and_items),
        TEST(test_each_allocation_may_fail),
        TEST(test_a_forked_child_is_told),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
