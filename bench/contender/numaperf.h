/*
 * numaperf.h (of the contender) - our library under the benchmark: what its workloads share. Every
 * workload also takes the keys that create the executor: bind=cpu|node|off (default cpu, as peers
 * pin their threads; node is the library's own default), spin_ns=N|none|busy, stack_mib=N,
 * and some nodes=V (a virtual machine of V nodes, unbound, when V > 1).
 */
#ifndef NP_BENCH_CONTENDER_NUMAPERF_H
#define NP_BENCH_CONTENDER_NUMAPERF_H

#include "run.h"

#include <numaperf.h>

typedef struct pool {
    np_topology *topology;
    np_executor *executor;
    np_node_id *nodes; /* those with workers */
    size_t node_count;
} pool;

/* `bind` NULL: the key decides. Ends the program if the executor cannot be created. */
pool pool_create(bench_args *args, unsigned workers, unsigned nodes, const char *bind);
void pool_destroy(pool *p);

/* The two halves of pool_create(), for measuring one of them. */
np_topology *pool_topology(unsigned workers, unsigned nodes);
np_executor *pool_executor(bench_args *args, np_topology *topology, unsigned workers,
                           const char *bind);

static inline void expect_ok(np_status status, const char *what)
{
    if (status != NP_OK)
        bench_fail("%s: %s: %s", what, np_status_name(status), np_error_detail());
}

void numaperf_fork(bench_args *args);   /* fib, uts-t1, uts-t3, nqueens; form=fast|plain */
void numaperf_submit(bench_args *args); /* submit, batch; group=no|yes, from=outside|inside */
void numaperf_wake(bench_args *args);
void numaperf_idle(bench_args *args);
void numaperf_memory(bench_args *args);
void numaperf_growth(bench_args *args);
void numaperf_create(bench_args *args);
void numaperf_channel(bench_args *args); /* ring=yes|no */
void numaperf_loop(bench_args *args);    /* for-tiny, for-medium */
void numaperf_triad(bench_args *args);   /* schedule=static|adaptive, over=range|array */
void numaperf_reduce(bench_args *args);  /* deterministic=yes|no, over=range|array */

/* The plain and the fast form of the fork/join workloads: run the tree or board `word` as one task
 * and return its count, or the n-th Fibonacci number. */
typedef enum fork_kind { FORK_FIB, FORK_T1, FORK_T3, FORK_NQUEENS } fork_kind;
uint64_t fork_plain(const pool *p, fork_kind kind, uint64_t word);
uint64_t fork_fast(const pool *p, fork_kind kind, uint64_t word);

#endif
