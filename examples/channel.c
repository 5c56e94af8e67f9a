/*
 * Completion with a channel: results are collected as they come, until the last sender is gone.
 *
 * Senders are counted. Each task is one; main() is one too while it submits, so that the channel
 * does not end between two submits. When all have been removed and the channel is empty, receive
 * says NP_ERR_CLOSED: no counter, no sentinel value.
 */
#include "example.h"

#define FIRST 2u
#define LAST  5000u

struct longest {
    uint32_t start;
    uint32_t steps;
};

struct work {
    np_channel *results;
    np_group *group;
    uint32_t start;
};

/* Steps of the Collatz sequence until 1. */
static void collatz(void *argument)
{
    const struct work *work = argument;
    struct longest result = {.start = work->start};
    for (uint64_t n = work->start; n != 1; n = n % 2 == 0 ? n / 2 : 3 * n + 1)
        result.steps++;

    /* The channel is unbounded, so a send never has to wait. */
    np_status status = np_channel_send(work->results, &result);
    if (status != NP_OK)
        np_group_fail(work->group, status);
    np_channel_remove_sender(work->results);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));
    np_channel *results = NULL;
    CHECK(np_channel_create(NP_CHANNEL_OPTIONS(.item_size = sizeof(struct longest)), &results));

    for (uint32_t start = FIRST; start <= LAST; start++) {
        struct work work = {.results = results, .group = group, .start = start};
        CHECK(np_channel_add_sender(results)); /* before the submit: the task may run at once */
        CHECK(np_submit_with(executor, NP_SUBMIT_OPTIONS(.group = group, .copy_bytes = sizeof work),
                             collatz, &work));
    }
    CHECK(np_channel_remove_sender(results)); /* main()'s own */

    struct longest result, best = {0};
    uint32_t received = 0;
    np_status status;
    while ((status = np_channel_receive(results, &result)) == NP_OK) {
        received++;
        if (result.steps > best.steps)
            best = result;
    }
    EXPECT(status == NP_ERR_CLOSED);
    CHECK(np_group_wait(group)); /* no send failed */

    printf("%u results; the longest sequence below %u starts at %u and has %u steps\n", received,
           LAST, best.start, best.steps);
    EXPECT(received == LAST - FIRST + 1);
    EXPECT(best.start == 3711 && best.steps == 237);

    np_channel_destroy(results);
    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
