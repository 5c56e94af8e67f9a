/*
 * Goal: a task that waits in a channel does not take its worker's CPU out of work: whoever it waits
 * for runs, though there is only one worker; without spare workers it is told so and nothing has
 * been done. Method: executors with one worker on a described machine, tasks that can only go on
 * when later tasks run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "test_channel_help.h"

enum { ITEMS = 200, PAIRS = 3 };

typedef struct side {
    np_channel *channel;
    uint64_t sum;
    np_status status;
} side;

static np_executor *one_worker(uint32_t spare_workers)
{
    np_topology *topology = NULL;
    assert_ok(np_topology_from_synthetic("numa:1 core:1 pu:1", &topology));
    np_executor *executor = NULL;
    assert_ok(np_executor_create(topology,
                                 NP_EXECUTOR_OPTIONS(.workers_per_node = 1,
                                                     .spare_workers = spare_workers,
                                                     .ignore_environment = true),
                                 &executor));
    np_topology_destroy(topology);
    return executor;
}

static void receive_all(void *argument)
{
    side *s = argument;
    uint64_t item;
    while ((s->status = np_channel_receive(s->channel, &item)) == NP_OK)
        s->sum += item;
}

static void send_all(void *argument)
{
    side *s = argument;
    for (uint64_t item = 1; item <= ITEMS && s->status == NP_OK; item++)
        s->status = np_channel_send(s->channel, &item);
    np_channel_remove_sender(s->channel);
}

static void test_who_waits_lets_the_others_run(void **state)
{
    (void)state;
    np_executor *executor = one_worker(0);
    for (size_t capacity = 0; capacity <= 2; capacity++) {
        np_channel *channel = new_channel(sizeof(uint64_t), capacity, PAIRS);
        side receivers[PAIRS], senders[PAIRS];
        for (int i = 0; i < PAIRS; i++) {
            receivers[i] = (side){.channel = channel};
            assert_ok(np_submit(executor, receive_all, &receivers[i]));
        }
        for (int i = 0; i < PAIRS; i++) {
            senders[i] = (side){.channel = channel};
            assert_ok(np_submit(executor, send_all, &senders[i]));
        }
        assert_ok(np_executor_wait_idle(executor, NP_FOREVER));
        uint64_t sum = 0;
        for (int i = 0; i < PAIRS; i++) {
            assert_status(senders[i].status, NP_OK);
            assert_status(receivers[i].status, NP_ERR_CLOSED);
            sum += receivers[i].sum;
        }
        assert_int_equal(sum, PAIRS * ITEMS * (ITEMS + 1) / 2);
        np_channel_destroy(channel);
    }
    assert_ok(np_executor_destroy(executor));
}

static void receive_timed(void *argument)
{
    side *s = argument;
    uint64_t item;
    s->status = np_channel_receive_for(s->channel, &item, 5000000);
}

static void test_a_deadline_passes_on_a_worker(void **state)
{
    (void)state;
    np_executor *executor = one_worker(0);
    np_channel *channel = new_channel(sizeof(uint64_t), 0, 1);
    side waiting = {.channel = channel};
    assert_ok(np_submit(executor, receive_timed, &waiting));
    assert_ok(np_executor_shutdown(executor));
    assert_status(waiting.status, NP_ERR_TIMEOUT);
    assert_ok(np_executor_destroy(executor));
    np_channel_destroy(channel);
}

static void receive_once(void *argument)
{
    side *s = argument;
    uint64_t item = 4711;
    s->status = np_channel_receive(s->channel, &item);
    s->sum = item;
}

static void test_without_spares_a_wait_is_refused(void **state)
{
    (void)state;
    np_executor *executor = one_worker(NP_SPARE_WORKERS_NONE);
    np_channel *channel = new_channel(sizeof(uint64_t), 1, 1);
    side waiting = {.channel = channel};
    assert_ok(np_submit(executor, receive_once, &waiting));
    assert_ok(np_executor_wait_idle(executor, NP_FOREVER));
    assert_status(waiting.status, NP_ERR_NO_SPARE);
    assert_int_equal(waiting.sum, 4711);
    until_waiting(channel, 0, 0);
    /* What need not wait needs no spare. */
    uint64_t item = 17;
    assert_ok(np_channel_send(channel, &item));
    assert_ok(np_submit(executor, receive_once, &waiting));
    assert_ok(np_executor_wait_idle(executor, NP_FOREVER));
    assert_status(waiting.status, NP_OK);
    assert_int_equal(waiting.sum, 17);
    assert_ok(np_executor_destroy(executor));
    np_channel_destroy(channel);
}

#define TEST(fn) cmocka_unit_test_teardown(fn, nothing_left)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_who_waits_lets_the_others_run),
        TEST(test_a_deadline_passes_on_a_worker),
        TEST(test_without_spares_a_wait_is_refused),
    };
    return cmocka_run_group_tests(tests, use_counting_allocator, NULL);
}
