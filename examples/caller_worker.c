/*
 * The caller's own thread as a worker: main() helps instead of only waiting.
 *
 * np_worker_run() serves a node until it is told to leave. Here the group says so: its completion
 * callback pulls the token, whichever thread ends the last task.
 */
#include "example.h"

#include <stdatomic.h>

#define TASK_COUNT 2000

struct render {
    atomic_uint by_workers;
    atomic_uint by_main;
    atomic_ullong inside;
    uint32_t worker_count;
};

struct row {
    struct render *render;
    uint32_t y;
};

/* One row of a small Mandelbrot set. */
static void render_row(void *argument)
{
    const struct row *row = argument;
    unsigned long long inside = 0;
    double cy = -1.25 + 2.5 * row->y / TASK_COUNT;
    for (int column = 0; column < 64; column++) {
        double cx = -2.0 + 2.5 * column / 64, x = 0, y = 0;
        int n = 0;
        for (; n < 200 && x * x + y * y < 4; n++) {
            double next = x * x - y * y + cx;
            y = 2 * x * y + cy;
            x = next;
        }
        inside += n == 200;
    }
    atomic_fetch_add_explicit(&row->render->inside, inside, memory_order_relaxed);

    /* Guests have the indices after the regular workers. */
    bool regular = np_current_worker_index() < row->render->worker_count;
    atomic_fetch_add_explicit(regular ? &row->render->by_workers : &row->render->by_main, 1,
                              memory_order_relaxed);
}

static void leave_now(void *argument)
{
    np_leave_now(argument);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.workers_per_node = 1), &executor));
    np_topology_destroy(topology);

    np_node_id node = NP_NODE_ID_NONE;
    np_executor_nodes(executor, &node, 1);
    np_group *group = NULL;
    CHECK(np_group_create(NULL, &group));
    np_leave *leave = NULL;
    CHECK(np_leave_create(&leave));

    static struct render render;
    render.worker_count = np_executor_worker_count(executor);
    for (uint32_t y = 0; y < TASK_COUNT; y++) {
        struct row row = {.render = &render, .y = y};
        CHECK(np_submit_with(executor,
                             NP_SUBMIT_OPTIONS(.to_node = true, .node = node, .group = group,
                                               .copy_bytes = sizeof row),
                             render_row, &row));
    }
    CHECK(np_group_notify(group, leave_now, leave));
    CHECK(np_worker_run(executor, node, leave)); /* works; returns when the group is done */
    CHECK(np_group_wait(group));                 /* nothing left to wait for */

    unsigned by_workers = atomic_load(&render.by_workers), by_main = atomic_load(&render.by_main);
    printf("%u rows by the pool (workers: %u), %u by main(); %llu points inside\n", by_workers,
           render.worker_count, by_main, atomic_load(&render.inside));
    EXPECT(by_workers + by_main == TASK_COUNT);
    EXPECT(atomic_load(&render.inside) > 0);

    CHECK(np_group_destroy(group));
    CHECK(np_executor_destroy(executor)); /* after this nobody can be inside leave_now() */
    np_leave_destroy(leave);
    return EXIT_SUCCESS;
}
