/*
 * Goal: np_executor_wait_idle never answers for a moment before the call: what the caller submitted
 * before it has ended when it returns. Method: a caller that submits a few tasks and waits, over
 * and over, so that workers that look after its last round are still on their way when the next
 * begins; several callers at once for the same reason. Ends after a fixed number of rounds.
 */
#include <stdio.h>
#include <stdlib.h>

#include <numaperf.h>

#include "base/atomic.h"
#include "os/os.h"

enum { CALLERS = 2, WORKERS = 8, TASKS = 4 };

#if defined(NPI_TSAN)
enum { ROUNDS = 3000 };
#else
enum { ROUNDS = 60000 };
#endif

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, np_error_detail()); \
            abort();                                                                               \
        }                                                                                          \
    } while (0)

typedef struct caller {
    npi_os_thread thread;
    np_executor *executor;
    uint64_t ended[TASKS]; /* written by the tasks, read after the wait: both plainly */
} caller;

static void task(void *argument)
{
    uint64_t *ended = argument;
    ++*ended;
}

static void call(void *argument)
{
    caller *c = argument;
    for (uint64_t round = 1; round <= ROUNDS; round++) {
        for (unsigned i = 0; i < TASKS; i++)
            CHECK(np_submit(c->executor, task, &c->ended[i]) == NP_OK);
        CHECK(np_executor_wait_idle(c->executor, NP_FOREVER) == NP_OK);
        for (unsigned i = 0; i < TASKS; i++)
            CHECK(c->ended[i] == round);
    }
}

int main(void)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    CHECK(np_topology_from_synthetic("numa:1 core:8 pu:1", &topology) == NP_OK);
    np_executor_options options = {.size = sizeof options, .workers_per_node = WORKERS};
    CHECK(np_executor_create(topology, &options, &executor) == NP_OK);
    np_topology_destroy(topology);
    caller callers[CALLERS] = {0};
    for (unsigned i = 0; i < CALLERS; i++) {
        callers[i].executor = executor;
        CHECK(npi_os_thread_start(&callers[i].thread, 0, call, &callers[i]) == 0);
    }
    for (unsigned i = 0; i < CALLERS; i++)
        CHECK(npi_os_thread_join(&callers[i].thread) == 0);
    CHECK(np_executor_destroy(executor) == NP_OK);
    printf("passed\n");
    return 0;
}
