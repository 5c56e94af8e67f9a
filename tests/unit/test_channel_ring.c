/*
 * Goal: a channel with one sender and one receiver keeps every promise of the others: order, no
 * item lost or doubled, deadlines, closing, destroying as soon as the last item or the end has been
 * received, across the wrap of its positions. Method: every call on one thread, where the outcome
 * is known; then pairs of threads on rings of few places, started near the largest position.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_channel_help.h"

#if defined(NPI_TSAN)
enum { ITEMS = 5000, ROUNDS = 200 };
#else
enum { ITEMS = 60000, ROUNDS = 2000 };
#endif

static np_channel *new_ring(size_t item_size, size_t capacity)
{
    np_channel *channel = NULL;
    assert_ok(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = item_size, .capacity = capacity,
                                                   .single_sender = true, .single_receiver = true),
                                &channel));
    assert_non_null(channel->ring);
    return channel;
}

/* As if so many items had passed already. */
static void start_at(np_channel *channel, size_t position)
{
    npi_store_relaxed(&channel->ring->tail, position);
    npi_store_relaxed(&channel->ring->head, position);
    channel->ring->seen_head = position;
    channel->ring->seen_tail = position;
}

static void test_one_thread(void **state)
{
    (void)state;
    static const size_t sizes[] = {1, 3, 8, 16, 100, 65536};
    static unsigned char in[65536], out[65536];
    for (size_t s = 0; s < sizeof sizes / sizeof sizes[0]; s++) {
        np_channel *channel = new_ring(sizes[s], 3);
        start_at(channel, SIZE_MAX - 1);
        for (unsigned char n = 0; n < 20; n++) {
            for (unsigned char i = 0; i < 3; i++) {
                memset(in, n + i, sizes[s]);
                assert_ok(np_channel_try_send(channel, in));
                assert_int_equal(np_channel_length(channel), i + 1);
            }
            assert_status(np_channel_try_send(channel, in), NP_ERR_WOULD_BLOCK);
            assert_status(np_channel_send_for(channel, in, 1000), NP_ERR_TIMEOUT);
            for (unsigned char i = 0; i < 3; i++) {
                memset(in, n + i, sizes[s]);
                assert_ok(np_channel_receive(channel, out));
                assert_memory_equal(in, out, sizes[s]);
            }
            assert_status(np_channel_try_receive(channel, out), NP_ERR_WOULD_BLOCK);
            assert_status(np_channel_receive_for(channel, out, 1000), NP_ERR_TIMEOUT);
        }
        assert_ok(np_channel_try_send(channel, in));
        assert_ok(np_channel_remove_sender(channel));
        assert_true(np_channel_is_closed(channel));
        assert_status(np_channel_try_send(channel, in), NP_ERR_CLOSED);
        assert_status(np_channel_send(channel, in), NP_ERR_CLOSED);
        assert_status(np_channel_add_sender(channel), NP_ERR_CLOSED);
        assert_ok(np_channel_try_receive(channel, out));
        assert_status(np_channel_try_receive(channel, out), NP_ERR_CLOSED);
        assert_status(np_channel_receive(channel, out), NP_ERR_CLOSED);
        assert_ok(np_channel_close(channel));
        np_channel_destroy(channel);
    }
}

static void test_batches(void **state)
{
    (void)state;
    np_channel *channel = new_ring(sizeof(int), 5);
    start_at(channel, SIZE_MAX - 7);
    int in[8] = {0}, out[8], next = 0, expected = 0;
    size_t moved;
    for (int round = 0; round < 50; round++) {
        size_t want = (size_t)(round % 8) + 1;
        for (size_t i = 0; i < want; i++)
            in[i] = next + (int)i;
        np_status status = np_channel_try_send_many(channel, in, want, &moved);
        assert_int_equal(moved, want < 5 ? want : 5);
        assert_status(status, want <= 5 ? NP_OK : NP_ERR_WOULD_BLOCK);
        next += (int)moved;
        for (size_t left = moved; left > 0; left -= moved) {
            assert_ok(np_channel_receive_many(channel, out, 1 + (size_t)round % 3, &moved));
            assert_true(moved >= 1 && moved <= left);
            for (size_t i = 0; i < moved; i++)
                assert_int_equal(out[i], expected++);
        }
        assert_status(np_channel_try_receive_many(channel, out, 8, &moved), NP_ERR_WOULD_BLOCK);
        assert_int_equal(moved, 0);
    }
    for (int i = 0; i < 8; i++)
        in[i] = i;
    assert_status(np_channel_send_many_for(channel, in, 8, &moved, 1000), NP_ERR_TIMEOUT);
    assert_int_equal(moved, 5);
    assert_ok(np_channel_close(channel));
    assert_status(np_channel_send_many(channel, in, 8, &moved), NP_ERR_CLOSED);
    assert_int_equal(moved, 0);
    assert_ok(np_channel_receive_many(channel, out, 8, &moved));
    assert_int_equal(moved, 5);
    assert_memory_equal(in, out, 5 * sizeof(int));
    np_channel_destroy(channel);
}

static void test_counts(void **state)
{
    (void)state;
    np_channel *channel = new_ring(sizeof(int), 2);
    np_channel_counts counts;
    int item[3] = {1, 2, 3};
    size_t moved;
    assert_status(np_channel_receive_for(channel, item, 1000), NP_ERR_TIMEOUT);
    assert_status(np_channel_send_many_for(channel, item, 3, &moved, 1000), NP_ERR_TIMEOUT);
    assert_ok(np_channel_receive(channel, item));
    assert_ok(np_channel_count(channel, &counts));
    assert_int_equal(counts.sent, 2);
    assert_int_equal(counts.received, 1);
    assert_int_equal(counts.empty_waits, 1);
    assert_int_equal(counts.full_waits, 1);
    assert_int_equal(counts.readied, 0);
    np_channel_destroy(channel);
}

/* --- two threads ---------------------------------------------------------------------------- */

typedef struct job {
    np_channel *channel;
    size_t batch; /* items per call; 0: one, by the plain calls */
} job;

static void send_all(void *argument)
{
    job *j = argument;
    uint64_t items[16];
    size_t sent;
    if (j->batch == 0)
        for (uint64_t n = 0; n < ITEMS; n++)
            assert_ok(np_channel_send(j->channel, &n));
    for (uint64_t n = 0; j->batch != 0 && n < ITEMS; n += sent) {
        size_t count = ITEMS - n < j->batch ? (size_t)(ITEMS - n) : j->batch;
        for (size_t i = 0; i < count; i++)
            items[i] = n + i;
        assert_ok(np_channel_send_many(j->channel, items, count, &sent));
        assert_int_equal(sent, count);
    }
    assert_ok(np_channel_remove_sender(j->channel));
}

static void pair(size_t capacity, size_t send_batch, size_t receive_batch)
{
    job j = {new_ring(sizeof(uint64_t), capacity), send_batch};
    start_at(j.channel, SIZE_MAX - ITEMS / 2);
    npi_os_thread sender;
    start(&sender, send_all, &j);
    uint64_t items[16], expected = 0;
    for (;;) {
        size_t received = 1;
        np_status status = receive_batch == 0 ? np_channel_receive(j.channel, items)
                                              : np_channel_receive_many(j.channel, items,
                                                                        receive_batch, &received);
        if (status == NP_ERR_CLOSED)
            break;
        assert_ok(status);
        for (size_t i = 0; i < received; i++)
            assert_int_equal(items[i], expected++);
    }
    np_channel_destroy(j.channel); /* though the sender may be inside its last call */
    assert_int_equal(expected, ITEMS);
    join(&sender);
}

static void test_two_threads(void **state)
{
    (void)state;
    pair(1, 0, 0);
    pair(7, 0, 0);
    pair(1024, 0, 0);
    pair(3, 16, 0);
    pair(64, 0, 16);
    pair(5, 7, 16);
}

static void send_three(void *argument)
{
    np_channel *channel = argument;
    int items[3] = {1, 2, 3};
    size_t sent;
    assert_ok(np_channel_send(channel, &items[0]));
    assert_ok(np_channel_send_many(channel, &items[1], 2, &sent));
}

/* The receiver knows how many come, and waits for nothing else. */
static void test_destroyed_after_the_last_item(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        np_channel *channel = new_ring(sizeof(int), 1 + (size_t)round % 4);
        npi_os_thread sender;
        start(&sender, send_three, channel);
        for (int n = 1; n <= 3; n++) {
            int item;
            assert_ok(np_channel_receive(channel, &item));
            assert_int_equal(item, n);
        }
        np_channel_destroy(channel);
        join(&sender);
    }
}

typedef struct until_closed {
    np_channel *channel;
    uint64_t sent;
} until_closed;

static void send_until_closed(void *argument)
{
    until_closed *u = argument;
    np_status status;
    while ((status = np_channel_send(u->channel, &u->sent)) == NP_OK)
        u->sent++;
    assert_status(status, NP_ERR_CLOSED);
}

/* What a send said is inside is received, and nothing comes after the end. */
static void test_closed_by_the_receiver(void **state)
{
    (void)state;
    for (int round = 0; round < ROUNDS; round++) {
        until_closed u = {new_ring(sizeof(uint64_t), 2), 0};
        npi_os_thread sender;
        start(&sender, send_until_closed, &u);
        uint64_t item, received = 0;
        for (; received < (uint64_t)(round % 8); received++) {
            assert_ok(np_channel_receive(u.channel, &item));
            assert_int_equal(item, received);
        }
        assert_ok(np_channel_close(u.channel));
        for (; np_channel_try_receive(u.channel, &item) == NP_OK; received++)
            assert_int_equal(item, received);
        assert_status(np_channel_try_receive(u.channel, &item), NP_ERR_CLOSED);
        join(&sender);
        assert_int_equal(u.sent, received);
        assert_status(np_channel_try_receive(u.channel, &item), NP_ERR_CLOSED);
        np_channel_destroy(u.channel);
    }
}

static void receive_one(void *argument)
{
    uint64_t item = 0;
    assert_ok(np_channel_receive(argument, &item));
    assert_int_equal(item, 17);
}

static void send_two(void *argument)
{
    uint64_t item = 17;
    assert_ok(np_channel_send(argument, &item));
    assert_ok(np_channel_send(argument, &item));
}

/* Both sides really asleep: known from the channel itself. */
static void test_sleepers_are_woken(void **state)
{
    (void)state;
    np_channel *channel = new_ring(sizeof(uint64_t), 1);
    npi_os_thread other;
    uint64_t item = 17;
    start(&other, receive_one, channel);
    until_waiting(channel, 0, 1);
    assert_ok(np_channel_try_send(channel, &item));
    join(&other);
    start(&other, send_two, channel);
    until_waiting(channel, 1, 0);
    assert_ok(np_channel_try_receive(channel, &item));
    join(&other);
    assert_ok(np_channel_try_receive(channel, &item));
    until_waiting(channel, 0, 0);
    np_channel_destroy(channel);
}

static void receive_closed(void *argument)
{
    uint64_t item = 0;
    assert_status(np_channel_receive(argument, &item), NP_ERR_CLOSED);
}

static void test_a_sleeper_is_told_of_the_end(void **state)
{
    (void)state;
    np_channel *channel = new_ring(sizeof(uint64_t), 1);
    npi_os_thread other;
    start(&other, receive_closed, channel);
    until_waiting(channel, 0, 1);
    assert_ok(np_channel_remove_sender(channel));
    join(&other);
    np_channel_destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_one_thread, nothing_left),
        cmocka_unit_test_teardown(test_batches, nothing_left),
        cmocka_unit_test_teardown(test_counts, nothing_left),
        cmocka_unit_test_teardown(test_two_threads, nothing_left),
        cmocka_unit_test_teardown(test_destroyed_after_the_last_item, nothing_left),
        cmocka_unit_test_teardown(test_closed_by_the_receiver, nothing_left),
        cmocka_unit_test_teardown(test_sleepers_are_woken, nothing_left),
        cmocka_unit_test_teardown(test_a_sleeper_is_told_of_the_end, nothing_left),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
