/*
 * Nobody waits: two tasks, at the two ends of a channel, each of which ends when it cannot go on
 * and is submitted again when it can.
 *
 * The channel has one sender and one receiver, and says so: items pass without a lock. Its items
 * lie on the receiver's node.
 */
#include "example.h"

#define LAST 100000u

struct end {
    np_channel *channel;
    np_executor *executor;
    np_group *group; /* to report an error to */
    np_node_id node;
    uint64_t next, sum;
    np_channel *finished; /* closed by the receiver at the end */
};

static void failed(struct end *end, np_status status)
{
    np_group_fail(end->group, status);
    np_channel_close(end->finished);
}

static void produce(void *argument)
{
    struct end *end = argument;
    np_status status = NP_OK;
    while (end->next <= LAST) {
        status = np_channel_try_send(end->channel, &end->next);
        if (status != NP_OK)
            break;
        end->next++;
    }
    if (end->next > LAST)
        np_channel_remove_sender(end->channel);
    else if (status == NP_ERR_WOULD_BLOCK) /* full: again when there is room */
        status = np_channel_when_writable(end->channel, end->executor, end->node, produce, end);
    if (status != NP_OK && status != NP_ERR_WOULD_BLOCK)
        failed(end, status);
}

static void consume(void *argument)
{
    struct end *end = argument;
    uint64_t items[64];
    size_t count;
    np_status status;
    while ((status = np_channel_try_receive_many(end->channel, items, 64, &count)) == NP_OK)
        for (size_t i = 0; i < count; i++)
            end->sum += items[i];
    if (status == NP_ERR_WOULD_BLOCK) /* empty: again when there is something */
        status = np_channel_when_readable(end->channel, end->executor, end->node, consume, end);
    else if (status == NP_ERR_CLOSED)
        status = np_channel_close(end->finished);
    if (status != NP_OK)
        failed(end, status);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_node_index nodes = np_topology_node_count(topology);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));

    np_node_id from = NP_NODE_ID_NONE, to = NP_NODE_ID_NONE;
    for (np_node_index i = 0; i < nodes; i++) {
        if (np_executor_node_worker_count(executor, np_topology_node_id(topology, i)) == 0)
            continue;
        if (from == NP_NODE_ID_NONE)
            from = np_topology_node_id(topology, i);
        to = np_topology_node_id(topology, i);
    }
    np_channel *channel = NULL, *finished = NULL;
    CHECK(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = sizeof(uint64_t), .capacity = 256,
                                               .single_sender = true, .single_receiver = true,
                                               .on_node = true, .node = to, .topology = topology),
                            &channel));
    np_topology_destroy(topology);
    CHECK(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = 1), &finished));

    struct end sender = {channel, executor, group, from, 1, 0, finished};
    struct end receiver = {channel, executor, group, to, 0, 0, finished};
    CHECK(np_submit_to_node(executor, to, consume, &receiver));
    CHECK(np_submit_to_node(executor, from, produce, &sender));
    char unused;
    EXPECT(np_channel_receive(finished, &unused) == NP_ERR_CLOSED);
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));
    CHECK(np_group_outcome(group)); /* nothing failed */

    np_channel_counts counts;
    CHECK(np_channel_count(channel, &counts));
    printf("%llu numbers from node %d to node %d, sum %llu, in tasks that were submitted anew %llu "
           "times; items on their node: %s\n",
           (unsigned long long)counts.received, (int)from, (int)to,
           (unsigned long long)receiver.sum, (unsigned long long)counts.readied,
           np_enforcement_level_name(np_channel_enforcement(channel).level));
    EXPECT(receiver.sum == (uint64_t)LAST * (LAST + 1) / 2);
    EXPECT(counts.full_waits == 0 && counts.empty_waits == 0);

    np_channel_destroy(channel);
    np_channel_destroy(finished);
    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
