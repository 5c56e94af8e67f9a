/* Parallel loops of our library: entered once, as the documentation advises for short loops. */
#include "loop.h"
#include "numaperf.h"
#include "triad.h"

#include <numaperf/parallel.h>

typedef struct measured {
    pool p;
    bench_args *args;
    np_loop_options options;
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

static void inside(void *argument)
{
    measured *m = argument;
    if (strcmp(m->args->workload, "triad") == 0)
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
    expect_ok(np_run(m.p.executor, m.p.nodes[0], inside, &m), "np_run");
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
