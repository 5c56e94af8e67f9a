/* Parallel loops of our library: entered once, as the documentation advises for short loops. */
#include "loop.h"
#include "numaperf.h"
#include "triad.h"

#include <numaperf/array.h>
#include <numaperf/parallel.h>

typedef struct measured {
    pool p;
    bench_args *args;
    np_loop_options options;
    np_array *arrays[3]; /* over=array: a, b, c */
    unsigned made;
    int over_array;
} measured;

static void tiny(void *context, size_t begin, size_t end)
{
    bench_loop_tiny(context, begin, end);
}

static void medium(void *context, size_t begin, size_t end)
{
    bench_loop_medium(context, begin, end);
}

static void loop_once(void *context, bench_loop *loop)
{
    measured *m = context;
    expect_ok(np_parallel_for(m->p.executor, 0, LOOP_ITERATIONS, &m->options,
                              loop->medium ? medium : tiny, loop),
              "np_parallel_for");
}

static void piece(void *context, size_t begin, size_t end)
{
    bench_triad_piece(context, begin, end);
}

static void triad_once(void *context, const bench_triad *triad)
{
    measured *m = context;
    bench_triad copy = *triad;
    expect_ok(np_parallel_for(m->p.executor, 0, copy.elements, &m->options, piece, &copy),
              "np_parallel_for");
}

/* The three are divided alike: what is said of the first one's elements holds for all. */
static double *array_memory(void *context, size_t bytes)
{
    measured *m = context;
    np_array **array = &m->arrays[m->made++];
    expect_ok(np_array_create(m->p.topology, sizeof(double), bytes / sizeof(double),
                              NP_ARRAY_OPTIONS(.huge_pages = NP_HUGE_PAGES_TRANSPARENT), array),
              "np_array_create");
    return np_array_data(*array);
}

static void array_once(void *context, const bench_triad *triad)
{
    measured *m = context;
    bench_triad copy = *triad;
    expect_ok(np_parallel_for_array(m->p.executor, m->arrays[0], &m->options, piece, &copy),
              "np_parallel_for_array");
}

static void inside(void *argument)
{
    measured *m = argument;
    if (m->over_array)
        bench_triad_run_in(m->args, array_memory, array_once, m);
    else if (strcmp(m->args->workload, "triad") == 0)
        bench_triad_run(m->args, triad_once, m);
    else
        bench_loop_run(m->args, loop_once, m);
}

static void run(bench_args *args, const char *schedule)
{
    measured m = {.args = args, .options = {.size = sizeof m.options}};
    m.p = pool_create(args, args->workers, 1, NULL);
    m.options.grain = (size_t)bench_number(args, "grain", 0);
    m.options.schedule = bench_is(args, "schedule", "static", "adaptive", schedule)
                             ? NP_SCHEDULE_STATIC
                             : NP_SCHEDULE_ADAPTIVE;
    if (strcmp(args->workload, "triad") == 0)
        m.over_array = bench_is(args, "over", "array", "range", "range");
    expect_ok(np_run(m.p.executor, m.p.nodes[0], inside, &m), "np_run");
    for (unsigned i = 0; i < m.made; i++)
        np_array_destroy(m.arrays[i]);
    pool_destroy(&m.p);
}

void numaperf_loop(bench_args *args)
{
    run(args, "adaptive");
}

void numaperf_triad(bench_args *args)
{
    run(args, "static");
}
