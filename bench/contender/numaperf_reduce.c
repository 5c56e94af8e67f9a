/* Reductions of our library: entered once, as the documentation advises for short loops. */
#include "numaperf.h"
#include "reduce.h"

#include <numaperf/array.h>
#include <numaperf/parallel.h>

typedef struct measured {
    pool p;
    bench_args *args;
    np_reduction reduction;
    np_array *array; /* over=array */
    int over_array;
} measured;

static void add_piece(void *context, size_t begin, size_t end, void *value)
{
    uint64_t *sum = value;
    *sum += bench_reduce_piece(context, begin, end);
}

static void add(void *context, void *into, const void *from)
{
    uint64_t *sum = into;
    const uint64_t *more = from;
    (void)context;
    *sum += *more;
}

static uint64_t once(void *context, const bench_reduce *reduce)
{
    measured *m = context;
    bench_reduce copy = *reduce;
    uint64_t sum = 0;
    m->reduction.context = &copy;
    if (m->over_array)
        expect_ok(np_parallel_reduce_array(m->p.executor, m->array, NULL, &m->reduction, &sum),
                  "np_parallel_reduce_array");
    else
        expect_ok(np_parallel_reduce(m->p.executor, 0, copy.elements, NULL, &m->reduction, &sum),
                  "np_parallel_reduce");
    return sum;
}

static uint64_t *array_memory(void *context, size_t elements)
{
    measured *m = context;
    expect_ok(np_array_create(m->p.topology, sizeof(uint64_t), elements, NULL, &m->array),
              "np_array_create");
    return np_array_data(m->array);
}

static void inside(void *argument)
{
    measured *m = argument;
    bench_reduce_run_in(m->args, m->over_array ? array_memory : bench_reduce_memory, once, m);
}

void numaperf_reduce(bench_args *args)
{
    measured m = {.args = args, .reduction = {.size = sizeof m.reduction}};
    m.p = pool_create(args, args->workers, 1, NULL);
    m.reduction.bytes = sizeof(uint64_t);
    m.reduction.body = add_piece;
    m.reduction.combine = add;
    m.reduction.deterministic = bench_is(args, "deterministic", "yes", "no", "no");
    m.over_array = bench_is(args, "over", "array", "range", "range");
    expect_ok(np_run(m.p.executor, m.p.nodes[0], inside, &m), "np_run");
    np_array_destroy(m.array);
    pool_destroy(&m.p);
}
