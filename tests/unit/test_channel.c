/*
 * Goal: items come out of a channel whole, once and in order, every call gives the documented
 * status while it is open, closed and drained, and memory follows the number of items. Method: one
 * thread and an allocator that counts. What needs several threads is in test_channel_wait.c, what
 * goes wrong in test_channel_misuse.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_channel_help.h"

static void test_bounded_is_first_in_first_out_round_the_ring(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= 9; capacity++) {
        np_channel *channel = new_channel(sizeof(uint32_t), capacity, 1);
        assert_int_equal(np_channel_capacity(channel), capacity);
        uint32_t sent = 0, received = 0;
        for (size_t round = 0; round < 50; round++) {
            /* Another number of items each time, so that the ends fall everywhere in the ring. */
            size_t fill = round % (capacity + 1);
            while (np_channel_length(channel) < fill) {
                assert_ok(np_channel_send(channel, &sent));
                sent++;
            }
            size_t leave = (round * 7) % (fill + 1);
            while (np_channel_length(channel) > leave) {
                uint32_t item;
                assert_ok(np_channel_receive(channel, &item));
                assert_int_equal(item, received);
                received++;
            }
        }
        while (np_channel_length(channel) < capacity) {
            assert_ok(np_channel_try_send(channel, &sent));
            sent++;
        }
        assert_status(np_channel_try_send(channel, &sent), NP_ERR_WOULD_BLOCK);
        assert_non_null(strstr(np_error_detail(), "full"));
        assert_status(np_channel_send_for(channel, &sent, 0), NP_ERR_TIMEOUT);
        assert_int_equal(np_channel_length(channel), capacity);
        while (received < sent) {
            uint32_t item;
            assert_ok(np_channel_try_receive(channel, &item));
            assert_int_equal(item, received);
            received++;
        }
        np_channel_destroy(channel);
    }
}

static void test_a_bounded_channel_allocates_only_when_created(void **state)
{
    (void)state;
    np_channel *channel = new_channel(100, 37, 1);
    uint64_t before = npi_load_relaxed(&allocations);
    unsigned char item[100] = {0};
    for (int i = 0; i < 1000; i++) {
        while (np_channel_try_send(channel, item) == NP_OK)
            item[0]++;
        for (int k = 0; k < i % 38; k++)
            assert_ok(np_channel_receive(channel, item));
    }
    assert_int_equal(npi_load_relaxed(&allocations), before);
    np_channel_destroy(channel);
}

static void fill_item(unsigned char *item, size_t size, size_t number)
{
    for (size_t i = 0; i < size; i++)
        item[i] = (unsigned char)(number * 31 + i * 7 + (i >> 8));
}

static void test_items_of_every_size_come_out_whole(void **state)
{
    (void)state;
    static const size_t sizes[] = {1,    2,    3,    4,    5,    7,     8,     9,     12,    16,
                                   17,   31,   40,   63,   64,   65,    100,   127,   255,   1000,
                                   2047, 2048, 2049, 4095, 4096, 16383, 16384, 16385, 65535, 65536};
    static unsigned char item[65536 + 2], expected[65536];
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++) {
        size_t size = sizes[s];
        for (size_t capacity = 0; capacity <= 20; capacity += 20) {
            np_channel *channel = new_channel(size, capacity, 1);
            for (size_t i = 0; i < 20; i++) {
                fill_item(expected, size, i);
                assert_ok(np_channel_send(channel, expected));
            }
            for (size_t i = 0; i < 20; i++) {
                item[0] = item[size + 1] = 0xee;
                assert_ok(np_channel_receive(channel, item + 1));
                fill_item(expected, size, i);
                assert_memory_equal(item + 1, expected, size);
                assert_int_equal(item[0], 0xee);
                assert_int_equal(item[size + 1], 0xee);
            }
            np_channel_destroy(channel);
        }
    }
}

static void test_only_ok_changes_the_receivers_item(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 2, 1);
    int item = 4711;
    assert_status(np_channel_try_receive(channel, &item), NP_ERR_WOULD_BLOCK);
    assert_non_null(strstr(np_error_detail(), "empty"));
    assert_status(np_channel_receive_for(channel, &item, 0), NP_ERR_TIMEOUT);
    assert_status(np_channel_receive_for(channel, &item, 1), NP_ERR_TIMEOUT);
    assert_ok(np_channel_close(channel));
    assert_status(np_channel_receive(channel, &item), NP_ERR_CLOSED);
    assert_int_equal(item, 4711);
    np_channel_destroy(channel);
}

static void test_unbounded_grows_and_gives_memory_back(void **state)
{
    (void)state;
    enum { ITEMS = 200000 };
    np_channel *channel = new_channel(sizeof(uint64_t), 0, 1);
    assert_int_equal(np_channel_capacity(channel), 0);
    uint64_t idle = npi_load_relaxed(&live_bytes);
    uint64_t first = npi_load_relaxed(&allocations);
    for (uint64_t i = 0; i < ITEMS; i++)
        assert_ok(np_channel_try_send(channel, &i));
    uint64_t high = npi_load_relaxed(&live_bytes);
    uint64_t grown = npi_load_relaxed(&allocations) - first;
    assert_int_equal(np_channel_length(channel), ITEMS);
    assert_true(high >= ITEMS * sizeof(uint64_t));
    assert_true(high - idle < ITEMS * sizeof(uint64_t) * 11 / 10);
    assert_true(grown <= ITEMS / 1000); /* not per item */

    /* Between its greatest length and a little more than half of it nothing is allocated or freed.
     */
    uint64_t next = 0, end = ITEMS;
    for (int round = 0; round < 5; round++) {
        uint64_t item;
        while (end - next > ITEMS * 11 / 20) {
            assert_ok(np_channel_receive(channel, &item));
            assert_int_equal(item, next);
            next++;
        }
        while (end - next < ITEMS) {
            assert_ok(np_channel_send(channel, &end));
            end++;
        }
    }
    assert_true(npi_load_relaxed(&allocations) - first <= grown + 1);

    while (next < end) {
        uint64_t item;
        assert_ok(np_channel_receive(channel, &item));
        assert_int_equal(item, next);
        next++;
        if (end - next == ITEMS / 10)
            assert_true(npi_load_relaxed(&live_bytes) < high / 4);
    }
    assert_true(npi_load_relaxed(&live_bytes) <= 2 * idle);
    np_channel_destroy(channel);
}

static void test_close_drains_and_refuses(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 3; capacity++) {
        np_channel *channel = new_channel(sizeof(int), capacity, 1);
        int item = 1;
        assert_ok(np_channel_send(channel, &item));
        assert_false(np_channel_is_closed(channel));
        assert_ok(np_channel_close(channel));
        assert_ok(np_channel_close(channel));
        assert_true(np_channel_is_closed(channel));
        assert_int_equal(np_channel_senders(channel), 1);
        assert_status(np_channel_send(channel, &item), NP_ERR_CLOSED);
        assert_status(np_channel_try_send(channel, &item), NP_ERR_CLOSED);
        assert_status(np_channel_send_for(channel, &item, 5), NP_ERR_CLOSED);
        assert_non_null(strstr(np_error_detail(), "closed"));
        assert_status(np_channel_add_sender(channel), NP_ERR_CLOSED);
        assert_int_equal(np_channel_length(channel), 1);
        item = 0;
        assert_ok(np_channel_receive(channel, &item));
        assert_int_equal(item, 1);
        assert_status(np_channel_receive(channel, &item), NP_ERR_CLOSED);
        assert_status(np_channel_try_receive(channel, &item), NP_ERR_CLOSED);
        assert_status(np_channel_receive_for(channel, &item, 5), NP_ERR_CLOSED);
        /* A sender may still leave. */
        assert_ok(np_channel_remove_sender(channel));
        assert_int_equal(np_channel_senders(channel), 0);
        assert_status(np_channel_remove_sender(channel), NP_ERR_INVALID_ARGUMENT);
        np_channel_destroy(channel);
    }
}

static void test_the_last_sender_closes(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 0, 0);
    assert_int_equal(np_channel_senders(channel), 1);
    assert_ok(np_channel_add_sender(channel));
    assert_ok(np_channel_add_sender(channel));
    assert_int_equal(np_channel_senders(channel), 3);
    int item = 7;
    for (int i = 0; i < 3; i++) {
        assert_false(np_channel_is_closed(channel));
        assert_ok(np_channel_send(channel, &item));
        assert_ok(np_channel_remove_sender(channel));
    }
    assert_true(np_channel_is_closed(channel));
    assert_status(np_channel_send(channel, &item), NP_ERR_CLOSED);
    assert_status(np_channel_add_sender(channel), NP_ERR_CLOSED);
    assert_status(np_channel_remove_sender(channel), NP_ERR_INVALID_ARGUMENT);
    for (int i = 0; i < 3; i++)
        assert_ok(np_channel_receive(channel, &item));
    assert_status(np_channel_receive(channel, &item), NP_ERR_CLOSED);
    np_channel_destroy(channel);

    channel = new_channel(sizeof(int), 4, UINT32_MAX);
    assert_int_equal(np_channel_senders(channel), UINT32_MAX);
    assert_status(np_channel_add_sender(channel), NP_ERR_LIMIT);
    assert_ok(np_channel_remove_sender(channel));
    assert_ok(np_channel_add_sender(channel));
    np_channel_destroy(channel);
}

static void test_destroy_drops_what_is_inside(void **state)
{
    (void)state;
    for (size_t capacity = 0; capacity <= 5000; capacity += 5000) {
        np_channel *channel = new_channel(sizeof(int), capacity, 1);
        for (int i = 0; i < 5000; i++)
            assert_ok(np_channel_send(channel, &i));
        np_channel_destroy(channel);
        assert_int_equal(npi_load_relaxed(&live_bytes), 0);
    }
}

#define TEST(fn) cmocka_unit_test_teardown(fn, nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_bounded_is_first_in_first_out_round_the_ring),
        TEST(test_a_bounded_channel_allocates_only_when_created),
        TEST(test_items_of_every_size_come_out_whole),
        TEST(test_only_ok_changes_the_receivers_item),
        TEST(test_unbounded_grows_and_gives_memory_back),
        TEST(test_close_drains_and_refuses),
        TEST(test_the_last_sender_closes),
        TEST(test_destroy_drops_what_is_inside),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
