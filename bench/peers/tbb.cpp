/*
 * peers/tbb.cpp - oneTBB: parallel_invoke and task_group for fork and join, parallel_for for loops,
 * task_arena::enqueue for submits from outside. Threads are pinned by a task_scheduler_observer.
 *
 * Every group of tasks shares one task_group_context: a group that makes its own pays for binding
 * it to its parent's, which nobody needs who does not cancel parts of the work. README.md compares
 * the forms. Fork and join and loops run in an arena in which main's thread has a place, so
 * `workers` counts it; for submits the arena has no place for it, so that what it enqueues is
 * really queued.
 */
#include "channel.h"
#include "fib.h"
#include "loop.h"
#include "nqueens.h"
#include "pool.h"
#include "reduce.h"
#include "triad.h"
#include "uts.h"

#include <oneapi/tbb/blocked_range.h>
#include <oneapi/tbb/concurrent_queue.h>
#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_invoke.h>
#include <oneapi/tbb/parallel_reduce.h>
#include <oneapi/tbb/partitioner.h>
#include <oneapi/tbb/task_arena.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/task_scheduler_observer.h>

#include <atomic>
#include <memory>

namespace
{
namespace tbb = oneapi::tbb;

/* Binds each thread when it enters the arena for the first time. Its place there is no number to go
 * by: a thread may get another one at every entry. */
class binder : public tbb::task_scheduler_observer
{
  public:
    binder(tbb::task_arena &arena, enum peer_binding binding, bool callers)
        : tbb::task_scheduler_observer(arena), binding_(binding), callers_(callers)
    {
        observe(true);
    }
    ~binder() override
    {
        observe(false);
    }
    void on_scheduler_entry(bool is_worker) override
    {
        static thread_local bool bound;
        if (!is_worker && !callers_)
            return;
        if (!bound)
            peer_bind(binding_, threads_.fetch_add(1, std::memory_order_relaxed));
        bound = true;
    }

  private:
    enum peer_binding binding_;
    bool callers_;                     /* threads that are not oneTBB's count as well */
    std::atomic<unsigned> threads_{0}; /* seen so far */
};

/* --- fork and join ---------------------------------------------------------------------------- */

/* For tasks that are never cancelled, one per thread: a group's wait() writes to its context, which
 * threads must not share. */
tbb::task_group_context &own_context()
{
    static thread_local tbb::task_group_context context(tbb::task_group_context::isolated);
    return context;
}

std::uint64_t fib(unsigned n)
{
    if (n < 2)
        return n;
    std::uint64_t left = 0, right = 0;
    tbb::parallel_invoke([&left, n] { left = fib(n - 1); }, [&right, n] { right = fib(n - 2); },
                         own_context());
    return left + right;
}

std::uint64_t fib_group(unsigned n)
{
    if (n < 2)
        return n;
    std::uint64_t left = 0, right = 0;
    tbb::task_group group(own_context());
    group.run([&left, n] { left = fib_group(n - 1); });
    right = fib_group(n - 2);
    group.wait();
    return left + right;
}

/* A tree's node is given as `unsigned children(node)` and `node child(node, i)`. */
struct t1 {
    static unsigned children(std::uint64_t node)
    {
        return uts_t1_children(node);
    }
    static std::uint64_t child(std::uint64_t node, unsigned i)
    {
        return uts_t1_child(node, i);
    }
};
struct t3 {
    static unsigned children(std::uint64_t node)
    {
        return uts_t3_children(node);
    }
    static std::uint64_t child(std::uint64_t node, unsigned i)
    {
        return uts_t3_child(node, i);
    }
};

/* All children but the last become tasks; the last is walked by the caller. Each task leaves its
 * count where its parent reads it after the wait. */
template <typename Tree> std::uint64_t walk(std::uint64_t node);

template <typename Tree>
std::uint64_t walk_children(std::uint64_t node, unsigned children, std::uint64_t *counts)
{
    tbb::task_group group(own_context());
    for (unsigned i = 0; i + 1 < children; i++) {
        std::uint64_t child = Tree::child(node, i);
        group.run([child, result = &counts[i]] { *result = walk<Tree>(child); });
    }
    std::uint64_t total = 1 + walk<Tree>(Tree::child(node, children - 1));
    group.wait();
    for (unsigned i = 0; i + 1 < children; i++)
        total += counts[i];
    return total;
}

template <typename Tree> std::uint64_t walk(std::uint64_t node)
{
    unsigned children = Tree::children(node);
    if (children == 0)
        return 1;
    if (children == 1)
        return 1 + walk<Tree>(Tree::child(node, 0));
    if (children <= 32) {
        std::uint64_t counts[32];
        return walk_children<Tree>(node, children, counts);
    }
    std::unique_ptr<std::uint64_t[]> counts(new std::uint64_t[children]);
    return walk_children<Tree>(node, children, counts.get());
}

std::uint64_t queens(std::uint64_t board)
{
    if (nqueens_is_full(board))
        return 1;
    std::uint64_t counts[NQUEENS_MAX], last = 0, total = 0;
    unsigned placed = 0, n = nqueens_size(board);
    tbb::task_group group(own_context());
    for (unsigned column = 0; column < n; column++) {
        if (!nqueens_may_place(board, column))
            continue;
        if (placed > 0)
            group.run([last, result = &counts[placed - 1]] { *result = queens(last); });
        last = nqueens_place(board, column);
        placed++;
    }
    if (placed == 0)
        return 0;
    total = queens(last);
    if (placed > 1)
        group.wait();
    for (unsigned i = 0; i + 1 < placed; i++)
        total += counts[i];
    return total;
}

/* Runs `body` in an arena of so many threads, main's among them. */
template <typename Body> void inside(bench_args *args, const Body &body)
{
    int workers = static_cast<int>(args->workers);
    bool fits = args->workers <= bench_cpu_count();
    tbb::global_control limit(tbb::global_control::max_allowed_parallelism, args->workers);
    tbb::task_arena arena(workers, 1);
    arena.initialize();
    binder bind(arena, fits ? PEER_CPU : PEER_FREE, true);
    arena.execute([&] { body(); });
}

/* Result and nanoseconds of the second call. */
template <typename Work> std::uint64_t timed(const Work &work, std::uint64_t *ns)
{
    std::uint64_t begin = bench_now(), result = work();
    *ns = bench_now() - begin;
    return result;
}

void run_fib(bench_args *args)
{
    unsigned n = fib_choose(args, 36);
    bool group = bench_is(args, "form", "group", "invoke", "invoke") != 0;
    inside(args, [=] {
        std::uint64_t ns, result;
        (void)fib(n < 25 ? n : 25);
        result = timed([=] { return group ? fib_group(n) : fib(n); }, &ns);
        fib_report(args, n, result, ns);
    });
}

template <typename Tree> void run_uts(bench_args *args, int is_t3)
{
    uts_tree tree = uts_choose(args, is_t3);
    inside(args, [&] {
        std::uint64_t ns, nodes;
        (void)fib(22);
        nodes = timed([&] { return walk<Tree>(tree.root); }, &ns);
        uts_report(args, &tree, nodes, ns);
    });
}

void run_t1(bench_args *args)
{
    run_uts<t1>(args, 0);
}

void run_t3(bench_args *args)
{
    run_uts<t3>(args, 1);
}

void run_queens(bench_args *args)
{
    unsigned n = nqueens_choose(args);
    inside(args, [=] {
        std::uint64_t ns, solutions;
        (void)queens(nqueens_empty(8));
        solutions = timed([=] { return queens(nqueens_empty(n)); }, &ns);
        nqueens_report(args, n, solutions, ns);
    });
}

/* --- loops ------------------------------------------------------------------------------------ */

/* static_partitioner: one piece per thread, the same thread every time; the grain is what makes the
 * pieces equal and leaves nothing to steal. partitioner=auto, =affinity for comparison. */
struct loop_context {
    int partitioner; /* 0 static, 1 affinity, 2 auto */
    tbb::affinity_partitioner affinity;
};

template <typename Body> void spread(loop_context *c, std::size_t count, const Body &body)
{
    tbb::blocked_range<std::size_t> range(0, count);
    if (c->partitioner == 0)
        tbb::parallel_for(range, body, tbb::static_partitioner(), own_context());
    else if (c->partitioner == 1)
        tbb::parallel_for(range, body, c->affinity, own_context());
    else
        tbb::parallel_for(range, body, tbb::auto_partitioner(), own_context());
}

void choose_partitioner(loop_context *c, bench_args *args)
{
    const char *word = bench_word(args, "partitioner", "static");
    static const char *const words[] = {"static", "affinity", "auto"};
    for (c->partitioner = 0; c->partitioner < 3; c->partitioner++) {
        if (strcmp(word, words[c->partitioner]) == 0)
            return;
    }
    bench_usage("%s", "partitioner=static, =affinity or =auto is expected");
}

void loop_once(void *context, bench_loop *loop)
{
    spread(static_cast<loop_context *>(context), LOOP_ITERATIONS,
           [loop](const tbb::blocked_range<std::size_t> &r) {
               if (loop->medium)
                   bench_loop_medium(loop, r.begin(), r.end());
               else
                   bench_loop_tiny(loop, r.begin(), r.end());
           });
}

void run_loop(bench_args *args)
{
    loop_context c;
    choose_partitioner(&c, args);
    inside(args, [&] { bench_loop_run(args, loop_once, &c); });
}

void triad_once(void *context, const bench_triad *triad)
{
    spread(static_cast<loop_context *>(context), triad->elements,
           [triad](const tbb::blocked_range<std::size_t> &r) {
               bench_triad_piece(triad, r.begin(), r.end());
           });
}

void run_triad(bench_args *args)
{
    loop_context c;
    choose_partitioner(&c, args);
    inside(args, [&] { bench_triad_run(args, triad_once, &c); });
}

uint64_t reduce_once(void *, const bench_reduce *reduce)
{
    return tbb::parallel_reduce(
        tbb::blocked_range<std::size_t>(0, reduce->elements), UINT64_C(0),
        [reduce](const tbb::blocked_range<std::size_t> &r, uint64_t sum) {
            return sum + bench_reduce_piece(reduce, r.begin(), r.end());
        },
        [](uint64_t a, uint64_t b) { return a + b; }, tbb::static_partitioner(), own_context());
}

void run_reduce(bench_args *args)
{
    inside(args, [&] { bench_reduce_run(args, reduce_once, nullptr); });
}

/* --- submits from outside --------------------------------------------------------------------- */

/* What a submitter that has a place in the arena spawns into (form=group). */
struct alignas(128) spawner {
    tbb::task_group_context context;
    tbb::task_group group{context};
};

struct outside {
    tbb::global_control limit;
    tbb::task_scheduler_handle scheduler;
    tbb::task_arena arena;
    std::unique_ptr<binder> bind;
    std::unique_ptr<spawner[]> spawners;
    outside(unsigned workers, unsigned places)
        : limit(tbb::global_control::max_allowed_parallelism, workers + 1),
          scheduler(tbb::attach()), arena(static_cast<int>(workers + places), places),
          spawners(places > 0 ? new spawner[places] : nullptr)
    {
    }
};
std::unique_ptr<outside> pool;
unsigned places_of_submitters; /* 0: they enqueue */

void submit_one(void (*function)(void *), void *argument)
{
    pool->arena.enqueue([function, argument] { function(argument); });
}

void create(unsigned workers, enum peer_binding binding)
{
    pool.reset(new outside(workers, places_of_submitters));
    pool->arena.initialize();
    pool->bind.reset(new binder(pool->arena, binding, false));
    peer_meet_all(submit_one, workers, PEER_FREE); /* TBB starts its threads when there is work */
}

void submit(unsigned s, std::uint64_t count)
{
    if (places_of_submitters == 0) {
        for (std::uint64_t i = 0; i < count; i++)
            pool->arena.enqueue([] { bench_count_one(); });
        return;
    }
    pool->arena.execute([s, count] {
        tbb::task_group &group = pool->spawners[s].group;
        for (std::uint64_t i = 0; i < count; i++)
            group.run([] { bench_count_one(); });
    });
}

/* One task is enqueued per batch; inside the pool it makes a task of each of the batch. */
void submit_batches(unsigned, std::uint64_t count, unsigned batch)
{
    for (std::uint64_t i = 0; i < count; i += batch) {
        unsigned size = static_cast<unsigned>(count - i < batch ? count - i : batch);
        pool->arena.enqueue([size] {
            tbb::task_group group;
            for (unsigned k = 1; k < size; k++)
                group.run([] { bench_count_one(); });
            group.run_and_wait([] { bench_count_one(); });
        });
    }
}

void destroy()
{
    for (unsigned s = 0; s < places_of_submitters; s++)
        pool->spawners[s].group.wait(); /* has nothing left to wait for */
    pool->bind.reset();
    pool->arena.terminate();
    if (!tbb::finalize(pool->scheduler, std::nothrow))
        bench_fail("oneTBB did not end its threads");
    pool.reset();
}

void run_submit(bench_args *args)
{
    uint64_t submitters = bench_number(args, "submitters", 1);
    const char *best = args->workers == 1 && submitters == 1 ? "group" : "enqueue";
    if (bench_is(args, "form", "group", "enqueue", best))
        places_of_submitters = static_cast<unsigned>(submitters);
    peer_run_submit(args);
}
/* --- a bounded queue ---------------------------------------------------------------------------
 */

using channel = tbb::concurrent_bounded_queue<std::uint64_t>;

void send_all(void *context, std::uint64_t first, std::uint64_t count)
{
    auto *queue = static_cast<channel *>(context);
    for (std::uint64_t end = first + count; first < end; first++)
        queue->push(first);
}

std::uint64_t receive_all(void *context, std::uint64_t count)
{
    auto *queue = static_cast<channel *>(context);
    std::uint64_t sum = 0, item = 0;
    while (count-- > 0) {
        queue->pop(item);
        sum += item;
    }
    return sum;
}

void run_channel(bench_args *args)
{
    bench_channel b;
    channel queue;
    bench_channel_choose(&b, args);
    if (b.batch > 1)
        bench_unavailable("oneTBB's queue takes one item per call");
    /* Seen with 2021.8: with more threads than CPUs it stops for good, senders asleep on a full
     * queue, receivers waiting for each other's turn. */
    if (2 * b.pairs > bench_cpu_count())
        bench_unavailable("oneTBB's queue needs a CPU for each sender and receiver");
    queue.set_capacity(static_cast<channel::size_type>(b.capacity));
    b.send = send_all;
    b.receive = receive_all;
    b.context = &queue;
    bench_channel_run(&b, args);
}
} // namespace

int main(int argc, char **argv)
{
    static const peer_pool peer = {create,     nullptr, submit,  submit_batches,
                                   submit_one, nullptr, destroy, 0};
    static const bench_workload list[] = {{"fib", run_fib},
                                          {"uts-t1", run_t1},
                                          {"uts-t3", run_t3},
                                          {"nqueens", run_queens},
                                          {"for-tiny", run_loop},
                                          {"for-medium", run_loop},
                                          {"triad", run_triad},
                                          {"reduce", run_reduce},
                                          {"submit", run_submit},
                                          {"batch", peer_run_submit},
                                          {"wake", peer_run_wake},
                                          {"idle", peer_run_idle},
                                          {"memory", peer_run_memory},
                                          {"growth", peer_run_growth},
                                          {"create", peer_run_create},
                                          {"channel", run_channel}};
    peer_chosen = &peer;
    return bench_main(argc, argv, list, sizeof list / sizeof list[0]);
}
