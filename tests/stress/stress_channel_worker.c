/*
 * Goal: tasks that wait for each other through channels always come to an end on fewer workers than
 * there are tasks that wait, every item arrives once, and the spare workers that step in and back
 * lose no wake-up. Method: many short rounds on an executor with one worker on each of two
 * described nodes; in each a random number of sending and receiving tasks, submitted in random
 * order, share a channel with next to no room.
 */
#include "stress_channel_help.h"

enum { ROUNDS = 400, SIDES_MOST = 4, ITEMS_MOST = 40 };

typedef struct side {
    np_channel *channel;
    uint64_t seed;
    uint64_t sum;   /* of what was sent or received */
    uint32_t items; /* to send */
    np_status status;
} side;

static void send_all(void *argument)
{
    side *s = argument;
    npi_random random;
    npi_random_seed(&random, s->seed);
    for (uint32_t k = 0; k < s->items; k++) {
        uint64_t item = npi_random_next(&random) >> 16;
        do {
            s->status = npi_random_below(&random, 4) == 0
                            ? np_channel_send_for(s->channel, &item, some_timeout(&random))
                            : np_channel_send(s->channel, &item);
        } while (s->status == NP_ERR_TIMEOUT);
        if (s->status != NP_OK)
            break;
        s->sum += item;
    }
    CHECK_OK(np_channel_remove_sender(s->channel));
}

static void receive_all(void *argument)
{
    side *s = argument;
    npi_random random;
    npi_random_seed(&random, s->seed);
    uint64_t item;
    do {
        s->status = npi_random_below(&random, 4) == 0
                        ? np_channel_receive_for(s->channel, &item, some_timeout(&random))
                        : np_channel_receive(s->channel, &item);
        if (s->status == NP_OK)
            s->sum += item;
    } while (s->status == NP_OK || s->status == NP_ERR_TIMEOUT);
}

static void run_round(np_executor *executor, npi_random *random)
{
    side senders[SIDES_MOST], receivers[SIDES_MOST];
    uint32_t sending = 1 + npi_random_below(random, SIDES_MOST);
    uint32_t receiving = 1 + npi_random_below(random, SIDES_MOST);
    np_channel *channel = new_channel(sizeof(uint64_t), npi_random_below(random, 4), sending);
    for (uint32_t s = 0, r = 0; s < sending || r < receiving;) {
        np_node_id node = (np_node_id)npi_random_below(random, 2);
        bool send = r == receiving || (s < sending && npi_random_below(random, 2) != 0);
        side *next = send ? &senders[s++] : &receivers[r++];
        *next = (side){.channel = channel,
                       .seed = npi_random_next(random),
                       .items = npi_random_below(random, ITEMS_MOST)};
        CHECK_OK(np_submit_to_node(executor, node, send ? send_all : receive_all, next));
    }
    np_status status = np_executor_wait_idle(executor, UINT64_C(60000000000));
    CHECK(status == NP_OK, "%s: %u senders, %u receivers, capacity %zu, %zu inside, %u left",
          np_error_detail(), sending, receiving, np_channel_capacity(channel),
          np_channel_length(channel), np_channel_senders(channel));
    uint64_t difference = 0;
    for (uint32_t s = 0; s < sending; s++) {
        CHECK(senders[s].status == NP_OK, "%s", np_status_name(senders[s].status));
        difference += senders[s].sum;
    }
    for (uint32_t r = 0; r < receiving; r++) {
        CHECK(receivers[r].status == NP_ERR_CLOSED, "%s", np_status_name(receivers[r].status));
        difference -= receivers[r].sum;
    }
    CHECK(difference == 0, "the sums differ by %llu", (unsigned long long)difference);
    np_channel_destroy(channel);
}

int main(void)
{
    begin();
    npi_random random;
    npi_random_seed(&random, seed);
    static const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE,
                                               NP_STEAL_LOCAL_ONLY, NP_STEAL_ANY};
    for (size_t p = 0; p < sizeof policies / sizeof *policies; p++) {
        np_topology *topology = NULL;
        CHECK_OK(np_topology_from_synthetic("numa:2 core:1 pu:1", &topology));
        np_executor *executor = NULL;
        CHECK_OK(np_executor_create(topology,
                                    NP_EXECUTOR_OPTIONS(.workers_per_node = 1,
                                                        .steal_policy = policies[p],
                                                        .ignore_environment = true),
                                    &executor));
        np_topology_destroy(topology);
        for (int round = 0; round < ROUNDS; round++)
            run_round(executor, &random);
        CHECK_OK(np_executor_destroy(executor));
    }
    CHECK(npi_load_relaxed(&live_bytes) == 0, "%llu bytes leaked",
          (unsigned long long)npi_load_relaxed(&live_bytes));
    printf("passed\n");
    return 0;
}
