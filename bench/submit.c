/*
 * The cost of a task that does nothing, submitted one by one or in batches from outside, from
 * inside a task, and forked. Nanoseconds per task from the first submit to the last end; median
 * (min .. max) of the rounds.
 *
 * usage: bench_submit [rounds [tasks]]
 */
#define _GNU_SOURCE
#include "bench.h"

enum { KINDS = 4, ROUNDS_MAX = 101, BATCH = 64 };
static const char *const kind_names[KINDS] = {"submit from outside", "batches of 64 from outside",
                                              "submit from inside", "fork and join, fib(30)"};

typedef struct job {
    np_executor *executor;
    unsigned tasks;
} job;

static void nothing(void *argument)
{
    (void)argument;
}

static void submit_all(void *argument)
{
    job *j = argument;
    for (unsigned i = 0; i < j->tasks; i++)
        bench_check(np_submit(j->executor, nothing, NULL), "np_submit");
}

static void submit_batches(job *j, np_node_id node)
{
    np_task batch[BATCH];
    for (unsigned i = 0; i < BATCH; i++)
        batch[i] = (np_task){nothing, NULL};
    for (unsigned i = 0; i < j->tasks; i += BATCH)
        bench_check(np_submit_batch(j->executor, node, batch, BATCH, NULL), "np_submit_batch");
}

typedef struct fib_frame {
    unsigned n;
    uint64_t result;
} fib_frame;

static void fib(void *argument)
{
    fib_frame *f = argument;
    if (f->n < 2) {
        f->result = f->n;
        return;
    }
    fib_frame left = {f->n - 1, 0}, right = {f->n - 2, 0};
    np_fork(fib, &left);
    fib(&right);
    np_join();
    f->result = left.result + right.result;
}

static double measure(np_executor *executor, unsigned kind, unsigned tasks)
{
    job j = {executor, tasks};
    np_node_id node;
    fib_frame f = {30, 0};
    (void)np_executor_nodes(executor, &node, 1);
    uint64_t begin = bench_now();
    if (kind == 0)
        submit_all(&j);
    else if (kind == 1)
        submit_batches(&j, node);
    else
        bench_check(np_run(executor, node, kind == 2 ? submit_all : fib,
                           kind == 2 ? (void *)&j : (void *)&f),
                    "np_run");
    bench_check(np_executor_wait_idle(executor, NP_FOREVER), "np_executor_wait_idle");
    uint64_t end = bench_now();
    if (kind == 3 && f.result != 832040) {
        fprintf(stderr, "fib(30) is %" PRIu64 "?\n", f.result);
        exit(1);
    }
    /* fib(30) forks 1,346,268 children. */
    return (double)(end - begin) / (kind == 3 ? 1346268.0 : (double)tasks);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)atoi(argv[1]) : 7;
    unsigned tasks = argc > 2 ? (unsigned)atoi(argv[2]) : 500032;
    if (rounds < 1 || rounds > ROUNDS_MAX || tasks < BATCH || tasks % BATCH != 0) {
        fprintf(stderr, "usage: bench_submit [rounds (1-%d) [tasks (a multiple of %d)]]\n",
                ROUNDS_MAX, BATCH);
        return 2;
    }
    np_topology *topology = NULL;
    bench_check(np_topology_discover(&topology), "np_topology_discover");
    bench_machine(topology);
    printf("# ns per empty task; %u rounds; median (min .. max)\n", rounds);
    for (uint32_t workers = 1; workers <= 2; workers++) {
        static double values[KINDS][ROUNDS_MAX];
        np_executor *executor = NULL;
        np_executor_options options = {.size = sizeof options, .workers_per_node = workers};
        bench_check(np_executor_create(topology, &options, &executor), "np_executor_create");
        for (unsigned round = 0; round < rounds; round++)
            for (unsigned kind = 0; kind < KINDS; kind++)
                values[kind][round] = measure(executor, kind, tasks);
        for (unsigned kind = 0; kind < KINDS; kind++) {
            double median = bench_quantile(values[kind], rounds, 0.5);
            printf("%-28s %" PRIu32 " worker(s) per node %8.1f (%7.1f .. %7.1f)\n",
                   kind_names[kind], workers, median, values[kind][0], values[kind][rounds - 1]);
        }
        bench_check(np_executor_destroy(executor), "np_executor_destroy");
    }
    np_topology_destroy(topology);
    return 0;
}
