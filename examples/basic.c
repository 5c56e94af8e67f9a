/*
 * Basic usage: discover the machine, start workers on every node, submit, wait, end.
 *
 * A task is a function and a pointer. The pointer leads to the caller's own struct, which holds the
 * input and receives the result; it has to live until the task has run.
 */
#include "example.h"

#define TASK_COUNT 1000

struct square {
    uint64_t number;
    uint64_t result;
};

static void square(void *argument)
{
    struct square *task = argument;
    task->result = task->number * task->number;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);

    /* NULL: every default. One worker per hardware thread that the process may use. */
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology); /* the executor has its own copy */
    printf("workers: %u, nodes: %u\n", np_executor_worker_count(executor),
           np_executor_node_count(executor));

    static struct square tasks[TASK_COUNT];
    for (uint64_t i = 0; i < TASK_COUNT; i++) {
        tasks[i].number = i;
        CHECK(np_submit(executor, square, &tasks[i]));
    }

    /* Everything that was submitted has run when this returns, and its results are visible. */
    CHECK(np_executor_wait_idle(executor, NP_FOREVER));

    uint64_t sum = 0;
    for (size_t i = 0; i < TASK_COUNT; i++)
        sum += tasks[i].result;
    printf("sum of the first %d squares: %llu\n", TASK_COUNT, (unsigned long long)sum);
    EXPECT(sum == (uint64_t)(TASK_COUNT - 1) * TASK_COUNT * (2 * TASK_COUNT - 1) / 6);

    CHECK(np_executor_destroy(executor)); /* shuts down first */
    return EXIT_SUCCESS;
}
