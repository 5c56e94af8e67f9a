/*
 * Shutdown, plain and with a deadline.
 *
 * Plain: everything that was accepted runs, and what those tasks submit runs too.
 * With a deadline: what has not started by then is handed back, each task exactly once, so that the
 * program can free its argument or put it into another queue.
 */
#include "example.h"

#include <semaphore.h>
#include <stdatomic.h>

#define QUEUED 10

/* --- plain -------------------------------------------------------------------------------- */

struct chain {
    np_executor *executor;
    unsigned left;
    unsigned ran;
    np_status status;
};

static void next_link(void *argument)
{
    struct chain *chain = argument;
    chain->ran++;
    if (--chain->left == 0)
        return;
    np_status status = np_submit(chain->executor, next_link, chain);
    if (status != NP_OK) /* otherwise the chain is the next task's already */
        chain->status = status;
}

static void plain(const np_topology *topology)
{
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));

    struct chain chain = {.executor = executor, .left = 100};
    CHECK(np_submit(executor, next_link, &chain));
    CHECK(np_executor_shutdown(executor));
    printf("plain: a chain of 100 tasks, each submitted by the one before, ran %u\n", chain.ran);
    EXPECT(chain.ran == 100 && chain.status == NP_OK);

    /* Too late is a status, not silence. */
    np_status status = np_submit(executor, next_link, &chain);
    printf("submit after shutdown: %s\n", np_status_text(status));
    EXPECT(status == NP_ERR_SHUT_DOWN);
    CHECK(np_executor_destroy(executor));
}

/* --- with a deadline ----------------------------------------------------------------------- */

struct gate {
    sem_t entered;
    sem_t open;
};

static void long_task(void *argument)
{
    struct gate *gate = argument;
    sem_post(&gate->entered);
    while (sem_wait(&gate->open) != 0)
        ;
}

static void queued_task(void *argument)
{
    free(argument);
}

/* Called for each task that was accepted and will not run; from several threads, perhaps. */
static void give_back(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    atomic_uint *returned = context;
    if (fn == queued_task && reason == NP_DISCARD_SHUTDOWN) {
        free(argument);
        atomic_fetch_add(returned, 1);
    }
}

static void with_deadline(const np_topology *topology)
{
    atomic_uint returned = 0;
    np_executor *executor = NULL;
    CHECK(np_executor_create(
        topology,
        NP_EXECUTOR_OPTIONS(.workers_per_node = 1, .steal_policy = NP_STEAL_LOCAL_ONLY,
                            .on_discard = give_back, .discard_context = &returned),
        &executor));
    np_node_id node = NP_NODE_ID_NONE;
    np_executor_nodes(executor, &node, 1);

    /* One task keeps the node's only worker, ten wait behind it. */
    struct gate gate;
    EXPECT(sem_init(&gate.entered, 0, 0) == 0 && sem_init(&gate.open, 0, 0) == 0);
    CHECK(np_submit_to_node(executor, node, long_task, &gate));
    while (sem_wait(&gate.entered) != 0)
        ;
    for (int i = 0; i < QUEUED; i++) {
        void *buffer = malloc(100);
        EXPECT(buffer != NULL);
        CHECK(np_submit_to_node(executor, node, queued_task, buffer));
    }

    np_shutdown_result result;
    np_status status = np_executor_shutdown_within(executor, 20000000, &result);
    printf("deadline: %s; %llu discarded, %llu running\n", np_status_name(status),
           (unsigned long long)result.discarded, (unsigned long long)result.running);
    EXPECT(status == NP_ERR_TIMEOUT && result.running == 1);
    EXPECT(result.discarded == QUEUED && atomic_load(&returned) == QUEUED);

    sem_post(&gate.open);
    CHECK(np_executor_destroy(executor)); /* waits for the one that is running */
    sem_destroy(&gate.entered);
    sem_destroy(&gate.open);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    plain(topology);
    with_deadline(topology);
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
