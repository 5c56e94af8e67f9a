/* Waking, being idle, being created: our executor while it does nothing, and what ends that. */
#include "idle.h"
#include "numaperf.h"
#include "wake.h"

static void started(void *argument)
{
    bench_wake_started(argument);
}

static void submit(void *context, bench_wake *wake)
{
    pool *p = context;
    expect_ok(np_submit_to_node(p->executor, p->nodes[0], started, wake), "np_submit_to_node");
}

void numaperf_wake(bench_args *args)
{
    bench_wake wake;
    bench_wake_choose(&wake, args);
    pool p = pool_create(args, args->workers, 1, wake.pin);
    wake.submit = submit;
    wake.context = &p;
    bench_wake_run(&wake, args);
    pool_destroy(&p);
}

static void empty_task(void *argument)
{
    (void)argument;
    bench_count_one();
}

void numaperf_idle(bench_args *args)
{
    pool p = pool_create(args, args->workers, 1, "node");
    for (unsigned i = 0; i < 1000; i++)
        expect_ok(np_submit(p.executor, empty_task, NULL), "np_submit");
    expect_ok(np_executor_wait_idle(p.executor, NP_FOREVER), "np_executor_wait_idle");
    bench_idle_run(args, 1000);
    pool_destroy(&p);
}

/* Creation and shutdown; the topology is there already. */
void numaperf_create(bench_args *args)
{
    np_topology *topology = pool_topology(args->workers, 1);
    np_executor *executor = pool_executor(args, topology, args->workers, "node");
    expect_ok(np_executor_destroy(executor), "np_executor_destroy");
    uint64_t begin = bench_now();
    executor = pool_executor(args, topology, args->workers, "node");
    uint32_t workers = np_executor_worker_count(executor);
    expect_ok(np_executor_destroy(executor), "np_executor_destroy");
    uint64_t ns = bench_now() - begin;
    bench_check_equal("the number of workers", workers, args->workers);
    bench_report(args, (double)ns / 1e6, "ms", NULL);
    np_topology_destroy(topology);
}
