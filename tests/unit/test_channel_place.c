/*
 * Goal: the items of a bounded channel lie where on_node asks, or the enforcement says why not;
 * what cannot be asked is refused with its reason. Method: the kernel's own answer for the pages of
 * the items, on every node of the machine that has memory; described machines; wrong options.
 */
#include <numaperf/channel.h>

#include "os/os.h"
#include "parallel/channel.h"
#include "unit.h"

static void expect_ok(np_status status)
{
    if (status != NP_OK)
        fail_msg("%s: %s", np_status_name(status), np_error_detail());
}

static void pass_items(np_channel *channel, size_t count)
{
    uint64_t out;
    for (uint64_t i = 0; i < count; i++)
        expect_ok(np_channel_try_send(channel, &i));
    for (uint64_t i = 0; i < count; i++) {
        expect_ok(np_channel_try_receive(channel, &out));
        assert_int_equal(out, i);
    }
}

static void test_where_the_items_lie(void **state)
{
    (void)state;
    if (unit_is_emulated())
        UNIT_SKIP("an emulator does not know where pages lie");
    np_topology *topology = NULL;
    expect_ok(np_topology_discover(&topology));
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_info info;
        np_node_id node = np_topology_node_id(topology, i), page;
        expect_ok(np_topology_node_info(topology, node, &info));
        if (info.memory_bytes == 0 || !info.memory_allowed)
            continue;
        for (int ring = 0; ring < 2; ring++) {
            np_channel *channel = NULL;
            expect_ok(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = 4096,
                                                           .single_sender = ring,
                                                           .single_receiver = ring, .on_node = true,
                                                           .node = node, .topology = topology),
                                        &channel));
            pass_items(channel, 4096);
            np_enforcement got = np_channel_enforcement(channel);
            const unsigned char *items = ring ? channel->ring->items : channel->queue.head->items;
            if (got.level == NP_ENFORCEMENT_STRICT) {
                for (size_t at = 0; at < 4096 * 8; at += 4096) {
                    expect_ok(np_address_node(items + at, &page));
                    assert_int_equal(page, node);
                }
            } else {
                assert_int_not_equal(got.reason, NP_REASON_NONE);
                print_message("node %d: %s\n", (int)node, np_reason_text(got.reason));
            }
            np_channel_destroy(channel);
        }
    }
    np_topology_destroy(topology);
}

static void test_described_machine(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    expect_ok(np_topology_from_synthetic("numa:2 core:1 pu:1", &topology));
    for (int ring = 0; ring < 2; ring++) {
        np_channel *channel = NULL;
        np_channel_options options = {.size = sizeof options,
                                      .item_size = 8,
                                      .capacity = 10,
                                      .single_sender = ring,
                                      .single_receiver = ring,
                                      .on_node = true,
                                      .node = 1,
                                      .topology = topology};
        expect_ok(np_channel_create(&options, &channel));
        assert_int_equal(np_channel_enforcement(channel).level, NP_ENFORCEMENT_NONE);
        assert_int_equal(np_channel_enforcement(channel).reason, NP_REASON_VIRTUAL_TOPOLOGY);
        pass_items(channel, 10);
        np_channel_destroy(channel);
        options.hard_mode = NP_HARD_MODE_STRICT;
        unit_expect_failure(np_channel_create(&options, &channel), NP_ERR_HARD_MODE, "node 1");
        assert_null(channel);
        options.hard_mode = NP_HARD_MODE_SOFT;
        options.node = 5;
        unit_expect_failure(np_channel_create(&options, &channel), NP_ERR_INVALID_NODE, "5");
    }
    np_topology_destroy(topology);
}

static void test_what_cannot_be_asked(void **state)
{
    (void)state;
    np_channel *channel = NULL;
    unit_expect_failure(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .on_node = true), &channel),
        NP_ERR_INVALID_ARGUMENT, "on_node needs a capacity");
    unit_expect_failure(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = 1, .on_node = true),
                          &channel),
        NP_ERR_INVALID_ARGUMENT, "topology is NULL");
    unit_expect_failure(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .single_sender = true), &channel),
        NP_ERR_INVALID_ARGUMENT, "single_sender needs a capacity");
    unit_expect_failure(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .single_receiver = true), &channel),
        NP_ERR_INVALID_ARGUMENT, "single_receiver needs a capacity");
    unit_expect_failure(
        np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = SIZE_MAX,
                                             .single_sender = true, .single_receiver = true),
                          &channel),
        NP_ERR_INVALID_ARGUMENT, "18446744073709551615");
    expect_ok(np_channel_create(
        NP_CHANNEL_OPTIONS(.item_size = 8, .capacity = 3, .single_receiver = true), &channel));
    pass_items(channel, 3);
    assert_null(channel->ring); /* one promise alone */
    assert_int_equal(np_channel_enforcement(channel).reason, NP_REASON_NOT_REQUESTED);
    assert_int_equal(np_channel_enforcement(NULL).reason, NP_REASON_NOT_REQUESTED);
    np_channel_destroy(channel);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_where_the_items_lie),
        cmocka_unit_test(test_described_machine),
        cmocka_unit_test(test_what_cannot_be_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
