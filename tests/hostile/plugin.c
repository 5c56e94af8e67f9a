/*
 * A library that owns an executor, made to be loaded and unloaded by hostile_plugin.c. It has the
 * whole of libnumaperf inside (linked statically), thread-local variables of the library included,
 * so that everything goes when it is unloaded.
 */
#include <numaperf.h>

#define PLUGIN_API __attribute__((visibility("default")))

PLUGIN_API int plugin_begin(void);
PLUGIN_API long plugin_work(long tasks);
PLUGIN_API int plugin_end(void);

static np_executor *executor;
static long sums[8];

static void add_one(void *argument)
{
    (void)argument;
    sums[np_current_worker_index() % 8]++; /* one worker each */
}

int plugin_begin(void)
{
    np_topology *topology = NULL;
    np_status status = np_topology_from_synthetic("numa:2 core:2 pu:1", &topology);
    if (status == NP_OK)
        status = np_executor_create(topology, NULL, &executor);
    np_topology_destroy(topology);
    return (int)status;
}

/* How many were run of that many, all of them waited for; a negative status. */
long plugin_work(long tasks)
{
    long before = 0, after = 0;
    for (int i = 0; i < 8; i++)
        before += sums[i];
    for (long i = 0; i < tasks; i++) {
        np_status status = np_submit(executor, add_one, NULL);
        if (status != NP_OK)
            return (long)status;
    }
    np_status status = np_executor_wait_idle(executor, NP_FOREVER);
    for (int i = 0; i < 8; i++)
        after += sums[i];
    return status != NP_OK ? (long)status : after - before;
}

int plugin_end(void)
{
    np_status status = np_executor_destroy(executor);
    executor = NULL;
    return (int)status;
}

/* For a host that only closes. */
__attribute__((destructor)) static void forgotten(void)
{
    (void)np_executor_destroy(executor);
}
