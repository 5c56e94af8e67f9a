/*
 * Completion in an event loop: a group adds to an eventfd, and poll() wakes up.
 *
 * For programs whose main thread must not block in a wait because it also serves sockets and
 * timers. The descriptor stays the program's; the library only adds one when the group is done.
 */
#include "example.h"

#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define TASK_COUNT 64

struct block {
    uint8_t bytes[4096];
    uint32_t checksum;
};

static uint32_t checksum(const struct block *block)
{
    uint32_t a = 1, b = 0;
    for (size_t i = 0; i < sizeof block->bytes; i++) {
        a = (a + block->bytes[i]) % 65521;
        b = (b + a) % 65521;
    }
    return b << 16 | a;
}

static void add_checksum(void *argument)
{
    struct block *block = argument;
    block->checksum = checksum(block);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);
    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));
    int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    EXPECT(event >= 0);

    static struct block blocks[TASK_COUNT];
    for (size_t i = 0; i < TASK_COUNT; i++) {
        memset(blocks[i].bytes, (int)i, sizeof blocks[i].bytes);
        CHECK(np_group_submit(group, executor, add_checksum, &blocks[i]));
    }
    CHECK(np_group_notify_eventfd(group, event));

    /* A real loop would have more descriptors in this array. */
    struct pollfd watched[] = {{.fd = event, .events = POLLIN}};
    unsigned passes = 0;
    for (bool done = false; !done;) {
        int ready = poll(watched, 1, 1000);
        passes++;
        uint64_t completions = 0;
        if (ready > 0 && (watched[0].revents & POLLIN) != 0)
            done = read(event, &completions, sizeof completions) == (ssize_t)sizeof completions;
    }

    /* Nothing is pending, so this returns at once with the outcome. */
    CHECK(np_group_wait(group));
    printf("%d blocks, the last one's checksum is %08x; the event loop passed %u times\n",
           TASK_COUNT, blocks[TASK_COUNT - 1].checksum, passes);
    for (size_t i = 0; i < TASK_COUNT; i++)
        EXPECT(blocks[i].checksum == checksum(&blocks[i]));

    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor));
    close(event);
    return EXIT_SUCCESS;
}
