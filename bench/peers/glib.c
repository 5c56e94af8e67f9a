/*
 * peers/glib.c - GLib's GThreadPool: an exclusive pool (its threads start at once and live as long
 * as it does) and g_thread_pool_push(); for items between threads its GAsyncQueue, which has no
 * bound. GLib has neither fork and join nor loops nor a batch call.
 */
#include "channel.h"
#include "pool.h"

#include <glib.h>

typedef struct glib_task {
    void (*function)(void *);
    void *argument;
} glib_task;

static GThreadPool *pool;

static void run(gpointer data, gpointer context)
{
    const glib_task *task = (const glib_task *)data;
    (void)context;
    if (task->function == NULL) {
        bench_count_one();
        return;
    }
    glib_task own = *task;
    g_slice_free(glib_task, data);
    own.function(own.argument);
}

static void submit_one(void (*function)(void *), void *argument)
{
    glib_task *task = g_slice_new(glib_task);
    task->function = function;
    task->argument = argument;
    g_thread_pool_push(pool, task, NULL);
}

static void create(unsigned workers, enum peer_binding binding)
{
    GError *error = NULL;
    g_thread_pool_set_max_unused_threads(0); /* none outlives its pool */
    pool = g_thread_pool_new(run, NULL, (gint)workers, TRUE, &error);
    if (error != NULL)
        bench_fail("g_thread_pool_new: %s", error->message);
    if (binding != PEER_FREE)
        peer_meet_all(submit_one, workers, binding);
}

/* The task is the pool's function; its data is the same for all, as small as a user's can be. */
static void submit(unsigned s, uint64_t count)
{
    static glib_task empty;
    (void)s;
    for (uint64_t i = 0; i < count; i++)
        g_thread_pool_push(pool, &empty, NULL);
}

static void destroy(void)
{
    g_thread_pool_free(pool, FALSE, TRUE);
}

/* An asynchronous queue of pointers. It has no bound: a sender never waits. */
static void send_all(void *context, uint64_t first, uint64_t count)
{
    GAsyncQueue *queue = (GAsyncQueue *)context;
    for (uint64_t end = first + count; first < end; first++)
        g_async_queue_push(queue, (gpointer)(uintptr_t)first);
}

static uint64_t receive_all(void *context, uint64_t count)
{
    GAsyncQueue *queue = (GAsyncQueue *)context;
    uint64_t sum = 0;
    while (count-- > 0)
        sum += (uint64_t)(uintptr_t)g_async_queue_pop(queue);
    return sum;
}

static void run_channel(bench_args *args)
{
    bench_channel b;
    bench_channel_choose(&b, args);
    if (b.batch > 1)
        bench_unavailable("GLib's queue takes one item per call");
    GAsyncQueue *queue = g_async_queue_new();
    b.send = send_all;
    b.receive = receive_all;
    b.context = queue;
    bench_channel_run(&b, args);
    g_async_queue_unref(queue);
}

int main(int argc, char **argv)
{
    static const peer_pool peer = {
        .create = create, .submit = submit, .submit_one = submit_one, .destroy = destroy};
    static const bench_workload list[] = {{"submit", peer_run_submit}, {"wake", peer_run_wake},
                                          {"idle", peer_run_idle},     {"memory", peer_run_memory},
                                          {"growth", peer_run_growth}, {"create", peer_run_create},
                                          {"channel", run_channel}};
    peer_chosen = &peer;
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
