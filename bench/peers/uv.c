/*
 * peers/uv.c - libuv's thread pool, uv_queue_work(): work is bound to a loop and a loop to a
 * thread, so every submitter has a loop of its own, runs it when it has queued its share, and
 * supplies the requests, one per task, allocated and touched before. libuv has neither fork and
 * join nor parallel loops nor a batch call. The number of threads comes from UV_THREADPOOL_SIZE,
 * which is set here.
 */
#include "pool.h"

#include <uv.h>

enum { LOOPS = BENCH_SUBMITTERS_MAX + 1, MAIN_LOOP = BENCH_SUBMITTERS_MAX };

/* Each is used by the submitter of that number, and by main once that one has been joined. */
static struct share {
    uv_loop_t loop;
    uv_work_t *requests;
    int runs_loop; /* its thread runs the loop at the end of its submits */
} shares[LOOPS];

typedef struct single {
    uv_work_t request;
    void (*function)(void *);
    void *argument;
} single;

static void must(int code, const char *what)
{
    if (code != 0)
        bench_fail("%s: %s", what, uv_strerror(code));
}

static void empty_task(uv_work_t *request)
{
    (void)request;
    bench_count_one();
}

static void single_task(uv_work_t *request)
{
    single *own = (single *)request->data;
    own->function(own->argument);
}

static void single_done(uv_work_t *request, int status)
{
    must(status, "a task");
    free(request->data);
}

static void submit_one(void (*function)(void *), void *argument)
{
    single *own = (single *)malloc(sizeof *own);
    if (own == NULL)
        bench_fail("no memory");
    own->request.data = own;
    own->function = function;
    own->argument = argument;
    must(uv_queue_work(&shares[MAIN_LOOP].loop, &own->request, single_task, single_done),
         "uv_queue_work");
}

static void nothing(void *argument)
{
    (void)argument;
}

static void create(unsigned workers, enum peer_binding binding)
{
    char text[16];
    if (workers > 1024)
        bench_unavailable("libuv has at most 1,024 threads");
    snprintf(text, sizeof text, "%u", workers);
    setenv("UV_THREADPOOL_SIZE", text, 1);
    for (unsigned s = 0; s < LOOPS; s++)
        must(uv_loop_init(&shares[s].loop), "uv_loop_init");
    submit_one(nothing, NULL); /* starts all threads and waits for them */
    if (binding != PEER_FREE)
        peer_meet_all(submit_one, workers, binding);
    uv_run(&shares[MAIN_LOOP].loop, UV_RUN_DEFAULT);
}

static void prepare(unsigned s, uint64_t tasks, int touch)
{
    shares[s].requests = (uv_work_t *)malloc(tasks * sizeof(uv_work_t));
    if (shares[s].requests == NULL)
        bench_unavailable("no memory for %llu requests", (unsigned long long)tasks);
    if (touch)
        memset((void *)shares[s].requests, 0, tasks * sizeof(uv_work_t));
    shares[s].runs_loop = touch;
}

static void submit(unsigned s, uint64_t count)
{
    uv_loop_t *loop = &shares[s].loop;
    uv_work_t *requests = shares[s].requests;
    for (uint64_t i = 0; i < count; i++)
        uv_queue_work(loop, &requests[i], empty_task, NULL);
    if (shares[s].runs_loop)
        uv_run(loop, UV_RUN_DEFAULT);
}

static void wait_all(void)
{
    for (unsigned s = 0; s < LOOPS; s++)
        uv_run(&shares[s].loop, UV_RUN_DEFAULT);
}

static void destroy(void)
{
    wait_all();
    for (unsigned s = 0; s < LOOPS; s++) {
        must(uv_loop_close(&shares[s].loop), "uv_loop_close");
        free(shares[s].requests);
    }
    uv_library_shutdown();
}

int main(int argc, char **argv)
{
    static const peer_pool peer = {.create = create,
                                   .prepare = prepare,
                                   .submit = submit,
                                   .submit_one = submit_one,
                                   .wait = wait_all,
                                   .destroy = destroy,
                                   .only_once = 1};
    static const bench_workload list[] = {{"submit", peer_run_submit}, {"wake", peer_run_wake},
                                          {"idle", peer_run_idle},     {"memory", peer_run_memory},
                                          {"growth", peer_run_growth}, {"create", peer_run_create}};
    peer_chosen = &peer;
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
