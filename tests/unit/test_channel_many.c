/*
 * Goal: the calls for many items move as many as they say, in order, and no others; a sender of
 * many keeps its place until its last item is inside, and whoever is served is woken once. Method:
 * exact sequences on one thread, waiting threads whose state the channel tells, and a crowd of
 * senders and receivers whose items are counted.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_channel_help.h"

static void test_what_fits(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 5, 1);
    int in[8] = {0, 1, 2, 3, 4, 5, 6, 7}, out[8];
    size_t moved = 99;
    assert_ok(np_channel_send_many(channel, in, 0, &moved));
    assert_int_equal(moved, 0);
    assert_ok(np_channel_send_many(channel, in, 3, &moved));
    assert_int_equal(moved, 3);
    assert_status(np_channel_try_send_many(channel, in + 3, 5, &moved), NP_ERR_WOULD_BLOCK);
    assert_int_equal(moved, 2);
    assert_status(np_channel_send_many_for(channel, in, 1, &moved, 1000), NP_ERR_TIMEOUT);
    assert_int_equal(moved, 0);
    assert_ok(np_channel_receive_many(channel, out, 2, &moved));
    assert_int_equal(moved, 2);
    assert_ok(np_channel_receive_many(channel, out + 2, 6, &moved));
    assert_int_equal(moved, 3);
    assert_memory_equal(in, out, 5 * sizeof(int));
    assert_status(np_channel_try_receive_many(channel, out, 8, &moved), NP_ERR_WOULD_BLOCK);
    assert_int_equal(moved, 0);
    assert_status(np_channel_receive_many_for(channel, out, 8, &moved, 1000), NP_ERR_TIMEOUT);
    np_channel_counts counts;
    assert_ok(np_channel_count(channel, &counts));
    assert_int_equal(counts.sent, 5);
    assert_int_equal(counts.received, 5);
    assert_int_equal(counts.full_waits, 1);
    assert_int_equal(counts.empty_waits, 1);
    np_channel_destroy(channel);
}

static void test_wrong_arguments(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 5, 1);
    int items[2] = {0};
    size_t moved = 99;
    assert_status(np_channel_send_many(channel, items, 2, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_receive_many(channel, items, 2, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_try_send_many(channel, NULL, 2, &moved), NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(moved, 0);
    moved = 99;
    assert_status(np_channel_try_receive_many(channel, items, 0, &moved), NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(moved, 0);
    assert_status(np_channel_try_receive_many(NULL, items, 2, &moved), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_count(channel, NULL), NP_ERR_INVALID_ARGUMENT);
    assert_status(np_channel_count(NULL, &(np_channel_counts){0}), NP_ERR_INVALID_ARGUMENT);
    np_channel_destroy(channel);
}

/* Over many segments; when there is no memory the first ones are inside. */
static void test_unbounded(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    uint64_t *items = malloc(MANY * sizeof *items), *back = malloc(MANY * sizeof *back);
    for (uint64_t i = 0; i < MANY; i++)
        items[i] = i;
    np_channel *channel = new_channel(sizeof(uint64_t), 0, 1);
    size_t sent, got, received = 0;
    assert_ok(np_channel_send_many(channel, items, MANY, &sent));
    assert_int_equal(np_channel_length(channel), MANY);
    for (; received < MANY; received += got)
        assert_ok(np_channel_try_receive_many(channel, back + received,
                                              received < 6000 ? 1000 : MANY, &got));
    assert_memory_equal(items, back, MANY * sizeof *items);

    npi_store_relaxed(&fail_after, 1);
    assert_status(np_channel_send_many(channel, items, MANY, &sent), NP_ERR_NO_MEMORY);
    npi_store_relaxed(&fail_after, UINT64_MAX);
    assert_true(sent > 0 && sent < MANY);
    assert_int_equal(np_channel_length(channel), sent);
    assert_ok(np_channel_receive_many(channel, back, MANY, &got));
    assert_int_equal(got, sent);
    assert_memory_equal(items, back, got * sizeof *items);
    np_channel_destroy(channel);
    free(items);
    free(back);
}

/* --- with those who wait ---------------------------------------------------------------------- */

typedef struct call {
    npi_os_thread thread;
    np_channel *channel;
    uint64_t timeout_ns;
    size_t count, moved;
    np_status status;
    int items[16];
} call;

static void call_send(void *argument)
{
    call *c = argument;
    c->status = np_channel_send_many_for(c->channel, c->items, c->count, &c->moved, c->timeout_ns);
}

static void call_receive(void *argument)
{
    call *c = argument;
    c->status = np_channel_receive_many(c->channel, c->items, c->count, &c->moved);
}

static void begin(call *c, np_channel *channel, npi_os_thread_fn fn, size_t count, int first)
{
    *c = (call){.channel = channel, .count = count, .timeout_ns = NP_FOREVER};
    for (int i = 0; i < 16; i++)
        c->items[i] = first + i;
    start(&c->thread, fn, c);
}

static int take(np_channel *channel)
{
    int item = -1;
    assert_ok(np_channel_try_receive(channel, &item));
    return item;
}

/* The second sender's item comes after all of the first one's. */
static void test_a_sender_of_many_keeps_its_place(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 2, 1);
    call first, second;
    begin(&first, channel, call_send, 6, 0);
    until_waiting(channel, 1, 0);
    begin(&second, channel, call_send, 1, 100);
    until_waiting(channel, 2, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(take(channel), i);
        until_waiting(channel, 2, 0); /* part of it was put, nobody was woken */
    }
    assert_int_equal(take(channel), 3);
    join(&first.thread);
    assert_status(first.status, NP_OK);
    assert_int_equal(first.moved, 6);
    int items[4];
    size_t moved;
    assert_ok(np_channel_try_receive_many(channel, items, 4, &moved));
    assert_int_equal(moved, 2);
    join(&second.thread);
    assert_int_equal(take(channel), 100);
    np_channel_destroy(channel);
}

static void test_part_of_it_until_the_end(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 2, 1);
    call sender;
    begin(&sender, channel, call_send, 6, 0);
    until_waiting(channel, 1, 0);
    assert_int_equal(take(channel), 0);
    assert_ok(np_channel_close(channel));
    join(&sender.thread);
    assert_status(sender.status, NP_ERR_CLOSED);
    assert_int_equal(sender.moved, 3);
    assert_int_equal(take(channel), 1);
    assert_int_equal(take(channel), 2);
    assert_status(np_channel_try_receive(channel, &sender.items[0]), NP_ERR_CLOSED);
    np_channel_destroy(channel);
}

/* One send serves several receivers, and the rest goes into the queue. */
static void test_receivers_share_what_comes(void **state)
{
    (void)state;
    np_channel *channel = new_channel(sizeof(int), 8, 1);
    call a, b;
    begin(&a, channel, call_receive, 2, -100);
    until_waiting(channel, 0, 1);
    begin(&b, channel, call_receive, 3, -100);
    until_waiting(channel, 0, 2);
    int items[7] = {0, 1, 2, 3, 4, 5, 6};
    size_t sent;
    assert_ok(np_channel_try_send_many(channel, items, 7, &sent));
    assert_int_equal(np_channel_length(channel), 2);
    join(&a.thread);
    join(&b.thread);
    assert_int_equal(a.moved, 2);
    assert_memory_equal(a.items, items, 2 * sizeof(int));
    assert_int_equal(b.moved, 3);
    assert_memory_equal(b.items, items + 2, 3 * sizeof(int));
    np_channel_counts counts;
    assert_ok(np_channel_count(channel, &counts));
    assert_int_equal(counts.sent, 7);
    assert_int_equal(counts.received, 5);
    np_channel_destroy(channel);
}

/* --- a crowd -------------------------------------------------------------------------------- */

enum { SENDERS = 3, RECEIVERS = 3, EACH = 3000 };

typedef struct crowd {
    np_channel *channel;
    np_atomic(uint32_t) next_sender;
    np_atomic(uint64_t) sum;
    np_atomic(uint64_t) count;
} crowd;

static void crowd_send(void *argument)
{
    crowd *c = argument;
    uint64_t who = npi_fetch_add_relaxed(&c->next_sender, 1u);
    uint64_t items[9];
    for (uint64_t n = 0; n < EACH;) {
        size_t count = n % 9 + 1, sent = 0;
        for (size_t i = 0; i < count; i++)
            items[i] = who << 32 | (n + i);
        if (count > EACH - n)
            count = EACH - n;
        np_status status = np_channel_send_many_for(c->channel, items, count, &sent,
                                                    n % 2 == 0 ? NP_FOREVER : 20000);
        assert_true(status == NP_OK ? sent == count : status == NP_ERR_TIMEOUT && sent < count);
        n += sent;
    }
    assert_ok(np_channel_remove_sender(c->channel));
}

static void crowd_receive(void *argument)
{
    crowd *c = argument;
    uint64_t items[7], last[SENDERS] = {0};
    size_t received;
    np_status status;
    while ((status = np_channel_receive_many(c->channel, items, 7, &received)) == NP_OK) {
        for (size_t i = 0; i < received; i++) {
            uint64_t who = items[i] >> 32, n = items[i] & UINT32_MAX;
            assert_true(n + 1 > last[who]); /* in order */
            last[who] = n + 1;
            npi_fetch_add_relaxed(&c->sum, n);
        }
        npi_fetch_add_relaxed(&c->count, received);
    }
    assert_status(status, NP_ERR_CLOSED);
}

static void test_a_crowd(void **state)
{
    (void)state;
    for (size_t capacity = 1; capacity <= 16; capacity *= 4) {
        crowd c = {.channel = new_channel(sizeof(uint64_t), capacity, SENDERS)};
        npi_os_thread threads[SENDERS + RECEIVERS];
        for (int i = 0; i < SENDERS + RECEIVERS; i++)
            start(&threads[i], i < SENDERS ? crowd_send : crowd_receive, &c);
        for (int i = 0; i < SENDERS + RECEIVERS; i++)
            join(&threads[i]);
        assert_int_equal(npi_load_relaxed(&c.count), SENDERS * EACH);
        assert_int_equal(npi_load_relaxed(&c.sum), (uint64_t)SENDERS * EACH * (EACH - 1) / 2);
        np_channel_destroy(c.channel);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_what_fits, nothing_left),
        cmocka_unit_test_teardown(test_wrong_arguments, nothing_left),
        cmocka_unit_test_teardown(test_unbounded, nothing_left),
        cmocka_unit_test_teardown(test_a_sender_of_many_keeps_its_place, nothing_left),
        cmocka_unit_test_teardown(test_part_of_it_until_the_end, nothing_left),
        cmocka_unit_test_teardown(test_receivers_share_what_comes, nothing_left),
        cmocka_unit_test_teardown(test_a_crowd, nothing_left),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
