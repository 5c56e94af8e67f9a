/*
 * peers/openmp.c - OpenMP tasks and loops; built twice, with GCC's runtime and with LLVM's.
 *
 * The runtimes read how threads wait and where they are bound from the environment, before main():
 * so the program sets that for the workload asked for and starts itself once more. Threads wait
 * actively in loops and, with LLVM's, in fork and join, where that is fastest (wait=active,
 * =passive and =unset for comparison), and passively where an idle pool is measured or there are
 * more threads than CPUs.
 *
 * OpenMP knows no submit from outside: a producer is a thread of the team, and it runs tasks itself
 * when many are queued (GCC: 64 per thread; LLVM: 256 per thread, unless throttle=off). Each figure
 * of submit, batch and growth therefore carries producer=, the share of tasks run by producers.
 */
#include "count.h"
#include "cpu.h"
#include "fib.h"
#include "idle.h"
#include "loop.h"
#include "nqueens.h"
#include "reduce.h"
#include "submit.h"
#include "triad.h"
#include "uts.h"

#include <omp.h>
#include <unistd.h>

#ifdef __clang__
enum { IS_LLVM = 1 };
#else
enum { IS_LLVM = 0 };
#endif

/* main() has read these keys before the program was started again. */
static void accept_keys(bench_args *args)
{
    (void)bench_word(args, "wait", NULL);
    (void)bench_is(args, "throttle", "on", "off", "on");
}

/* --- fork and join ---------------------------------------------------------------------------- */

/* Tied tasks: untied ones cost more in LLVM's runtime and the same in GCC's; neither merges. */
static uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    uint64_t left, right;
#pragma omp task default(none) shared(left) firstprivate(n)
    left = fib(n - 1);
    right = fib(n - 2);
#pragma omp taskwait
    return left + right;
}

/* All children but the last become tasks; the last is walked by the caller. */
#define WALK(TREE, COUNTS)                                                                       \
    static uint64_t walk_##TREE(uint64_t node);                                                  \
    static uint64_t walk_children_##TREE(uint64_t node, unsigned children, uint64_t *counts)     \
    {                                                                                            \
        for (unsigned i = 0; i + 1 < children; i++) {                                            \
            uint64_t child = uts_##TREE##_child(node, i);                                        \
            uint64_t *result = &counts[i];                                                       \
            _Pragma("omp task default(none) firstprivate(child, result)") *result = walk_##TREE( \
                child);                                                                          \
        }                                                                                        \
        uint64_t total = 1 + walk_##TREE(uts_##TREE##_child(node, children - 1));                \
        if (children > 1) {                                                                      \
            _Pragma("omp taskwait") for (unsigned i = 0; i + 1 < children; i++)                  \
                total += counts[i];                                                              \
        }                                                                                        \
        return total;                                                                            \
    }                                                                                            \
    static uint64_t walk_##TREE(uint64_t node)                                                   \
    {                                                                                            \
        unsigned children = uts_##TREE##_children(node);                                         \
        uint64_t counts[COUNTS];                                                                 \
        if (children == 0)                                                                       \
            return 1;                                                                            \
        if (children <= COUNTS)                                                                  \
            return walk_children_##TREE(node, children, counts);                                 \
        uint64_t *many = (uint64_t *)malloc(children * sizeof *many);                            \
        if (many == NULL)                                                                        \
            bench_fail("no memory");                                                             \
        uint64_t total = walk_children_##TREE(node, children, many);                             \
        free(many);                                                                              \
        return total;                                                                            \
    }
WALK(t1, UTS_T1_CHILDREN_MAX)
WALK(t3, UTS_T3_CHILDREN)

static uint64_t queens(uint64_t board)
{
    if (nqueens_is_full(board))
        return 1;
    uint64_t counts[NQUEENS_MAX], last = 0, total;
    unsigned placed = 0, n = nqueens_size(board);
    for (unsigned column = 0; column < n; column++) {
        if (!nqueens_may_place(board, column))
            continue;
        if (placed > 0) {
            uint64_t *result = &counts[placed - 1];
#pragma omp task default(none) firstprivate(last, result)
            *result = queens(last);
        }
        last = nqueens_place(board, column);
        placed++;
    }
    if (placed == 0)
        return 0;
    total = queens(last);
    if (placed > 1) {
#pragma omp taskwait
        for (unsigned i = 0; i + 1 < placed; i++)
            total += counts[i];
    }
    return total;
}

static uint64_t fib_word(uint64_t n)
{
    return fib((unsigned)n);
}

/* Runs the warm-up and then `work(argument)` as tasks of a team; result and nanoseconds. */
static uint64_t timed(bench_args *args, uint64_t (*work)(uint64_t), uint64_t argument, uint64_t *ns)
{
    uint64_t result = 0, taken = 0;
    accept_keys(args);
#pragma omp parallel num_threads(args->workers)
#pragma omp single
    {
        (void)fib(20);
        uint64_t begin = bench_now();
        result = work(argument);
        taken = bench_now() - begin;
    }
    *ns = taken;
    return result;
}

static void run_fib(bench_args *args)
{
    unsigned n = fib_choose(args, 36);
    uint64_t ns, result = timed(args, fib_word, n, &ns);
    fib_report(args, n, result, ns);
}

static void run_t1(bench_args *args)
{
    uts_tree tree = uts_choose(args, 0);
    uint64_t ns, nodes = timed(args, walk_t1, tree.root, &ns);
    uts_report(args, &tree, nodes, ns);
}

static void run_t3(bench_args *args)
{
    uts_tree tree = uts_choose(args, 1);
    uint64_t ns, nodes = timed(args, walk_t3, tree.root, &ns);
    uts_report(args, &tree, nodes, ns);
}

static void run_queens(bench_args *args)
{
    unsigned n = nqueens_choose(args);
    uint64_t ns, solutions = timed(args, queens, nqueens_empty(n), &ns);
    nqueens_report(args, n, solutions, ns);
}

/* --- loops ------------------------------------------------------------------------------------ */

/* A region whose threads take the piece of their number: the schedule that `for schedule(static)`
 * gives, without what setting up a work-sharing construct costs (with LLVM's runtime as much as the
 * region itself). */
static void loop_once(void *context, bench_loop *loop)
{
    const size_t pieces = *(const unsigned *)context;
#pragma omp parallel num_threads(pieces)
    {
        size_t i = (size_t)omp_get_thread_num();
        size_t begin = LOOP_ITERATIONS * i / pieces, end = LOOP_ITERATIONS * (i + 1) / pieces;
        if (loop->medium)
            bench_loop_medium(loop, begin, end);
        else
            bench_loop_tiny(loop, begin, end);
    }
}

static void run_loop(bench_args *args)
{
    accept_keys(args);
    bench_loop_run(args, loop_once, &args->workers);
}

static void triad_once(void *context, const bench_triad *triad)
{
    const size_t pieces = *(const unsigned *)context, all = triad->elements;
#pragma omp parallel num_threads(pieces)
    {
        size_t i = (size_t)omp_get_thread_num();
        bench_triad_piece(triad, all * i / pieces, all * (i + 1) / pieces);
    }
}

static void run_triad(bench_args *args)
{
    accept_keys(args);
    bench_triad_run(args, triad_once, &args->workers);
}

static uint64_t reduce_once(void *context, const bench_reduce *reduce)
{
    const size_t pieces = *(const unsigned *)context, all = reduce->elements;
    uint64_t sum = 0;
#pragma omp parallel num_threads(pieces) reduction(+ : sum)
    {
        size_t i = (size_t)omp_get_thread_num();
        sum += bench_reduce_piece(reduce, all * i / pieces, all * (i + 1) / pieces);
    }
    return sum;
}

static void run_reduce(bench_args *args)
{
    accept_keys(args);
    bench_reduce_run(args, reduce_once, &args->workers);
}

/* --- a producer inside the team ----------------------------------------------------------------
 */

static __thread uint64_t own_count; /* tasks that this thread has run */

static inline void empty_task(void)
{
    bench_count_one();
    own_count++;
}

/* The threads 0 to submitters - 1 produce, the others wait at the barrier and run tasks. */
static uint64_t submit_round(const bench_submit *b, uint64_t *by_producers)
{
    uint64_t begin = 0, end = 0, by = 0;
#pragma omp parallel num_threads(b->submitters + b->workers) reduction(+ : by)
    {
        unsigned thread = (unsigned)omp_get_thread_num();
        uint64_t before = own_count;
#pragma omp barrier
        if (thread == 0)
            begin = bench_now();
        if (thread < b->submitters) {
            uint64_t share = b->tasks / b->submitters + (thread < b->tasks % b->submitters);
            if (b->batch > 1) {
                for (uint64_t done = 0; done < share; done += b->batch) {
                    uint64_t size = share - done < b->batch ? share - done : b->batch;
#pragma omp taskloop grainsize(1) nogroup
                    for (uint64_t i = 0; i < size; i++)
                        empty_task();
                }
            } else {
                for (uint64_t i = 0; i < share; i++) {
#pragma omp task
                    empty_task();
                }
            }
        }
#pragma omp barrier
        if (thread == 0)
            end = bench_now();
        if (thread < b->submitters)
            by += own_count - before;
    }
    *by_producers = by;
    return end - begin;
}

static void run_submit(bench_args *args)
{
    bench_submit b;
    char extra[64];
    uint64_t by;
    bench_submit_choose(&b, args);
    accept_keys(args);
    if (b.nodes != 1)
        bench_unavailable("OpenMP's tasks know no nodes");
    uint64_t tasks = b.tasks;
    b.tasks = tasks / 10 + 1;
    (void)submit_round(&b, &by);
    uint64_t before = bench_count_total();
    b.tasks = tasks;
    uint64_t ns = submit_round(&b, &by);
    bench_check_equal("the number of tasks run", bench_count_total() - before, tasks);
    snprintf(extra, sizeof extra, "producer=%.0f%%", 100.0 * (double)by / (double)tasks);
    bench_report(args, (double)ns / (double)tasks, "ns", extra);
}

/* tasks=N at a time, repeat=N times. */
static void run_growth(bench_args *args)
{
    bench_submit b;
    char extra[64];
    uint64_t ns = 0, by = 0, by_producers = 0;
    bench_submit_choose(&b, args);
    accept_keys(args);
    if (b.nodes != 1)
        bench_unavailable("OpenMP's tasks know no nodes");
    uint64_t rounds = bench_number(args, "repeat", 2000000 / b.tasks + 1);
    (void)submit_round(&b, &by);
    for (uint64_t round = 0; round < rounds; round++) {
        ns += submit_round(&b, &by);
        by_producers += by;
    }
    bench_check_equal("the number of tasks run", bench_count_total(), b.tasks * (rounds + 1));
    snprintf(extra, sizeof extra, "producer=%.0f%%",
             100.0 * (double)by_producers / (double)(b.tasks * rounds));
    bench_report(args, (double)ns / (double)(b.tasks * rounds), "ns", extra);
}

static void run_idle(bench_args *args)
{
    enum { TASKS = 1000 };
#pragma omp parallel num_threads(args->workers)
#pragma omp single
    for (int i = 0; i < TASKS; i++) {
#pragma omp task
        empty_task();
    }
    bench_idle_run(args, TASKS);
}

/* LLVM's runtime only: GCC's never queues more than 64 tasks per thread. */
static void run_memory(bench_args *args)
{
    const uint64_t tasks = bench_number(args, "tasks", 1000000);
    const unsigned workers = args->workers;
    unsigned held = 0, release = 0;
    uint64_t before = bench_resident(), created = 0, empty = 0, full = 0, early = 0;
    char extra[64];
#pragma omp parallel num_threads(workers + 1)
    {
        if (omp_get_thread_num() == 0) {
            created = bench_resident();
            while (__atomic_load_n(&held, __ATOMIC_ACQUIRE) != workers)
                sched_yield();
            empty = bench_resident();
            for (uint64_t i = 0; i < tasks; i++) {
#pragma omp task
                empty_task();
            }
            full = bench_resident();
            early = bench_count_total();
            __atomic_store_n(&release, 1, __ATOMIC_RELEASE);
        } else {
            __atomic_fetch_add(&held, 1, __ATOMIC_RELEASE);
            while (__atomic_load_n(&release, __ATOMIC_ACQUIRE) == 0)
                sched_yield();
        }
    }
    bench_check_equal("the number of tasks run while all workers were held", early, 0);
    bench_check_equal("the number of tasks run", bench_count_total(), tasks);
    snprintf(extra, sizeof extra, "idle_kib_per_worker=%.4g",
             (double)(created - before) / 1024.0 / (double)workers);
    bench_report(args, (double)(full - empty) / (double)tasks, "bytes", extra);
}

/* A team is created by the first region that needs it and ended by a hard pause. */
static void run_create(bench_args *args)
{
    unsigned threads = 0;
    uint64_t ns = 0;
    /* The second one counts; LLVM's runtime cannot start again after a hard pause. */
    for (int round = IS_LLVM; round < 2; round++) {
        threads = 0;
        ns = bench_now();
#pragma omp parallel num_threads(args->workers) reduction(+ : threads)
        threads++;
        if (omp_pause_resource_all(omp_pause_hard) != 0)
            bench_unavailable("this runtime does not end its threads before the process does");
        ns = bench_now() - ns;
    }
    bench_check_equal("the number of threads", threads, args->workers);
    bench_report(args, (double)ns / 1e6, "ms", NULL);
}

static int is_one_of(const char *word, const char *const *words)
{
    for (; *words != NULL; words++) {
        if (strcmp(word, *words) == 0)
            return 1;
    }
    return 0;
}

/* Appends "{cpu}" to a list of places. */
static void add_place(char *places, size_t size, int cpu)
{
    size_t used = strlen(places);
    snprintf(places + used, size - used, "%s{%d}", used > 0 ? "," : "", cpu);
}

/* Sets the runtime's environment for the workload and starts the program again, once. */
static void configure(int argc, char **argv)
{
    static const char *const teams_with_producers[] = {"submit", "batch", "growth", NULL};
    static const char *const trees[] = {"fib", "uts-t1", "uts-t3", "nqueens", NULL};
    static const char *const idle_ones[] = {"idle", "memory", "create", NULL};
    static char places[65536];
    if (argc < 3 || getenv("NP_BENCH_OPENMP_CONFIGURED") != NULL)
        return;
    bench_args args = {.workload = argv[1], .pair_count = argc - 3, .pairs = argv + 3};
    unsigned workers = (unsigned)strtoul(argv[2], NULL, 10), submitters = 0;
    unsigned cpus = bench_cpu_count();
    if (is_one_of(args.workload, teams_with_producers))
        submitters = (unsigned)bench_number(&args, "submitters", 1);
    int fits = workers + submitters <= cpus;
    int passive = !fits || is_one_of(args.workload, idle_ones);
    /* GCC's own choice, to spin for some milliseconds, is best for its tasks. */
    int own_choice = !IS_LLVM && is_one_of(args.workload, trees);
    const char *wait = bench_word(&args, "wait",
                                  passive      ? "passive"
                                  : own_choice ? "unset"
                                               : "active");
    /* Thread k of the team gets the k-th place; the producers come first. */
    for (unsigned s = 0; s < submitters; s++)
        add_place(places, sizeof places, bench_cpu_of_submitter(s));
    for (unsigned k = 0; k < workers && workers <= cpus; k++)
        add_place(places, sizeof places, bench_cpu_of_worker(k));
    if (fits) {
        setenv("OMP_PLACES", places, 1);
        setenv("OMP_PROC_BIND", "close", 1);
    } else {
        setenv("OMP_PROC_BIND", "false", 1);
    }
    if (strcmp(wait, "unset") == 0)
        unsetenv("OMP_WAIT_POLICY");
    else
        setenv("OMP_WAIT_POLICY", wait, 1);
    setenv("OMP_DYNAMIC", "false", 1);
    int grows = strcmp(args.workload, "memory") == 0 ||
                strcmp(bench_word(&args, "throttle", "on"), "off") == 0;
    setenv("KMP_ENABLE_TASK_THROTTLING", grows ? "0" : "1", 1);
    setenv("NP_BENCH_OPENMP_CONFIGURED", "1", 1);
    execv("/proc/self/exe", argv);
    bench_fail("starting again: %s", strerror(errno));
}

int main(int argc, char **argv)
{
    static const bench_workload list[] = {
        {"fib", run_fib},        {"uts-t1", run_t1},     {"uts-t3", run_t3},
        {"nqueens", run_queens}, {"for-tiny", run_loop}, {"for-medium", run_loop},
        {"triad", run_triad},    {"reduce", run_reduce}, {"submit", run_submit},
        {"batch", run_submit},   {"growth", run_growth}, {"idle", run_idle},
        {"create", run_create},  {"memory", run_memory}};
    configure(argc, argv);
    return bench_main(argc, argv, list, sizeof list / sizeof list[0] - (IS_LLVM ? 0 : 1));
}
