/* The fork/join workloads of our contender, in the form that form=fast|plain asks for. */
#include "fib.h"
#include "nqueens.h"
#include "numaperf.h"
#include "uts.h"

static uint64_t measure(const pool *p, int fast, fork_kind kind, uint64_t word, uint64_t *ns)
{
    uint64_t begin = bench_now();
#ifdef NP_BENCH_FAST
    uint64_t result = fast ? fork_fast(p, kind, word) : fork_plain(p, kind, word);
#else
    if (fast)
        bench_unavailable("the library has no fast form");
    uint64_t result = fork_plain(p, kind, word);
#endif
    *ns = bench_now() - begin;
    return result;
}

void numaperf_fork(bench_args *args)
{
    int fast = bench_is(args, "form", "fast", "plain", "fast");
    pool p = pool_create(args, args->workers, (unsigned)bench_number(args, "nodes", 1), NULL);
    uint64_t ns, result;
    /* Warm-up: every worker has run, and the deque's pages are there. */
    (void)measure(&p, fast, FORK_FIB, 20, &ns);
    if (strcmp(args->workload, "fib") == 0) {
        unsigned n = fib_choose(args, 36);
        result = measure(&p, fast, FORK_FIB, n, &ns);
        fib_report(args, n, result, ns);
    } else if (strcmp(args->workload, "nqueens") == 0) {
        unsigned n = nqueens_choose(args);
        result = measure(&p, fast, FORK_NQUEENS, nqueens_empty(n), &ns);
        nqueens_report(args, n, result, ns);
    } else {
        int is_t3 = strcmp(args->workload, "uts-t3") == 0;
        uts_tree tree = uts_choose(args, is_t3);
        result = measure(&p, fast, is_t3 ? FORK_T3 : FORK_T1, tree.root, &ns);
        uts_report(args, &tree, result, ns);
    }
    pool_destroy(&p);
}
