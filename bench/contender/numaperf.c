/* Our library as a contender: its workloads, and the executor they run on; see numaperf.h here. */
#include "numaperf.h"

np_topology *pool_topology(unsigned workers, unsigned nodes)
{
    np_topology *topology = NULL;
    if (nodes > 1) {
        char description[64];
        snprintf(description, sizeof description, "numa:%u core:%u pu:1", nodes,
                 workers > nodes ? (workers + nodes - 1) / nodes : 1);
        expect_ok(np_topology_from_synthetic(description, &topology), "np_topology_from_synthetic");
    } else {
        expect_ok(np_topology_discover(&topology), "np_topology_discover");
    }
    return topology;
}

/* Spreads `workers` over the nodes that have CPUs, the first ones getting one more. */
static np_node_workers *spread(const np_topology *topology, unsigned workers, size_t *count)
{
    size_t all = np_topology_node_count(topology), used = 0;
    np_node_workers *out = calloc(all, sizeof *out);
    if (out == NULL)
        bench_fail("no memory");
    for (np_node_index i = 0; i < all; i++) {
        np_cpu_set cpus;
        np_node_id id = np_topology_node_id(topology, i);
        expect_ok(np_topology_node_cpus(topology, id, &cpus), "np_topology_node_cpus");
        if (!np_cpu_set_is_empty(&cpus))
            out[used++].node = id;
    }
    for (size_t i = 0; i < used; i++) {
        unsigned share = workers / (unsigned)used + (i < workers % used);
        out[i].workers = share > 0 ? share : NP_WORKERS_NONE;
    }
    *count = used;
    return out;
}

np_executor *pool_executor(bench_args *args, np_topology *topology, unsigned workers,
                           const char *bind)
{
    np_executor *executor = NULL;
    np_executor_options options;
    np_executor_options_init(&options);
    const char *word = bench_word(args, "bind", bind != NULL ? bind : "cpu");
    if (strcmp(word, "cpu") == 0)
        options.binding = NP_BINDING_CPU;
    else if (strcmp(word, "node") == 0)
        options.binding = NP_BINDING_NODE;
    else if (strcmp(word, "off") == 0)
        options.binding = NP_BINDING_OFF;
    else
        bench_usage("bind=cpu, bind=node or bind=off is expected");
    const char *spin = bench_word(args, "spin_ns", "default");
    if (strcmp(spin, "none") == 0)
        options.spin_ns = NP_SPIN_NONE;
#ifdef NP_SPIN_BUSY
    else if (strcmp(spin, "busy") == 0)
        options.spin_ns = NP_SPIN_BUSY;
#endif
    else if (strcmp(spin, "busy") == 0)
        bench_unavailable("the library has no busy polling");
    else if (strcmp(spin, "default") != 0)
        options.spin_ns = (uint32_t)bench_number(args, "spin_ns", 0);
    options.stack_size = (size_t)bench_number(args, "stack_mib", 0) << 20;
    np_node_workers *share = spread(topology, workers, &options.node_workers_count);
    options.node_workers = share;
    expect_ok(np_executor_create(topology, &options, &executor), "np_executor_create");
    if (np_executor_worker_count(executor) != workers)
        bench_fail("%u workers were asked for, there are %u", workers,
                   np_executor_worker_count(executor));
    free(share);
    return executor;
}

pool pool_create(bench_args *args, unsigned workers, unsigned nodes, const char *bind)
{
    pool p = {NULL, NULL, NULL, 0};
    if (nodes > workers)
        bench_unavailable("%u nodes need as many workers", nodes);
    p.topology = pool_topology(workers, nodes);
    p.executor = pool_executor(args, p.topology, workers, bind);
    p.node_count = np_executor_node_count(p.executor);
    p.nodes = calloc(p.node_count, sizeof *p.nodes);
    if (p.nodes == NULL)
        bench_fail("no memory");
    (void)np_executor_nodes(p.executor, p.nodes, p.node_count);
    return p;
}

void pool_destroy(pool *p)
{
    expect_ok(np_executor_destroy(p->executor), "np_executor_destroy");
    np_topology_destroy(p->topology);
    free(p->nodes);
}

int main(int argc, char **argv)
{
    static const bench_workload list[] = {
        {"fib", numaperf_fork},      {"uts-t1", numaperf_fork},     {"uts-t3", numaperf_fork},
        {"nqueens", numaperf_fork},  {"submit", numaperf_submit},   {"batch", numaperf_submit},
        {"wake", numaperf_wake},     {"idle", numaperf_idle},       {"memory", numaperf_memory},
        {"growth", numaperf_growth}, {"create", numaperf_create},   {"channel", numaperf_channel},
#ifdef NP_BENCH_LOOPS
        {"for-tiny", numaperf_loop}, {"for-medium", numaperf_loop}, {"triad", numaperf_triad},
        {"reduce", numaperf_reduce},
#endif
    };
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
