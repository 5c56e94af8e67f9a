/*
 * What comes from outside: single submits, batches, growth in tasks, nodes and workers, and the
 * memory that queued tasks take.
 */
#include "numaperf.h"
#include "submit.h"

enum { BATCH_MAX = 4096 };

typedef struct sender {
    pool p;
    bench_submit b;
    np_group *group; /* NULL: tasks belong to none */
    uint64_t count;  /* from=inside: what the task submits */
    unsigned run;    /* growth: tasks to one node before the next is chosen */
} sender;

static void empty_task(void *argument)
{
    (void)argument;
    bench_count_one();
}

static void send_each(void *context, unsigned s, uint64_t count)
{
    sender *self = context;
    np_node_id node = self->p.nodes[s % self->p.node_count];
    for (uint64_t i = 0; i < count; i++)
        expect_ok(np_submit_to_node(self->p.executor, node, empty_task, NULL), "np_submit_to_node");
}

static void send_within(void *argument)
{
    sender *self = argument;
    for (uint64_t i = 0; i < self->count; i++)
        expect_ok(np_submit(self->p.executor, empty_task, NULL), "np_submit");
}

/* The tasks are submitted by a task; those go to the worker's own queue. */
static void send_inside(void *context, unsigned s, uint64_t count)
{
    sender *self = context;
    (void)s;
    self->count = count;
    expect_ok(np_run(self->p.executor, self->p.nodes[0], send_within, self), "np_run");
}

static void send_grouped(void *context, unsigned s, uint64_t count)
{
    sender *self = context;
    np_node_id node = self->p.nodes[s % self->p.node_count];
    for (uint64_t i = 0; i < count; i++)
        expect_ok(np_group_submit_to_node(self->group, self->p.executor, node, empty_task, NULL),
                  "np_group_submit_to_node");
}

static void send_batches(void *context, unsigned s, uint64_t count)
{
    sender *self = context;
    np_node_id node = self->p.nodes[s % self->p.node_count];
    np_task tasks[BATCH_MAX];
    for (unsigned i = 0; i < self->b.batch; i++)
        tasks[i] = (np_task){empty_task, NULL};
    while (count > 0) {
        size_t some = count < self->b.batch ? (size_t)count : self->b.batch;
        expect_ok(np_submit_batch(self->p.executor, node, tasks, some, NULL), "np_submit_batch");
        count -= some;
    }
}

static void wait_idle(void *context)
{
    sender *self = context;
    if (self->group != NULL)
        expect_ok(np_group_wait(self->group), "np_group_wait");
    expect_ok(np_executor_wait_idle(self->p.executor, NP_FOREVER), "np_executor_wait_idle");
}

void numaperf_submit(bench_args *args)
{
    sender self = {.group = NULL};
    bench_submit_choose(&self.b, args);
    self.p = pool_create(args, args->workers, self.b.nodes, NULL);
    if (bench_is(args, "group", "yes", "no", "no"))
        expect_ok(np_group_create(NULL, &self.group), "np_group_create");
    int inside = bench_is(args, "from", "inside", "outside", "outside");
    self.b.submit = strcmp(args->workload, "batch") == 0 ? send_batches
                    : self.group != NULL                 ? send_grouped
                    : inside                             ? send_inside
                                                         : send_each;
    if (self.group != NULL && (inside || self.b.submit == send_batches))
        bench_unavailable("batches and tasks from inside belong to no group here");
    if (inside && (self.b.submitters > 1 || self.b.submit == send_batches))
        bench_unavailable("single submits of one task are measured from inside");
    self.b.wait = wait_idle;
    self.b.context = &self;
    bench_submit_run(&self.b, args);
    expect_ok(np_group_destroy(self.group), "np_group_destroy");
    pool_destroy(&self.p);
}

/* `count` tasks from the calling thread, runs of them to one node after the other. */
static uint64_t grow(sender *self, uint64_t count)
{
    uint64_t begin = bench_now();
    for (uint64_t i = 0; i < count; i++) {
        np_node_id node = self->p.nodes[i / self->run % self->p.node_count];
        expect_ok(np_submit_to_node(self->p.executor, node, empty_task, NULL), "np_submit_to_node");
    }
    wait_idle(self);
    return bench_now() - begin;
}

/* tasks=N at a time, `repeat` times (small numbers often enough to be measured), run=N tasks to one
 * node before the next is chosen. */
void numaperf_growth(bench_args *args)
{
    sender self = {.group = NULL};
    char extra[64];
    bench_submit_choose(&self.b, args);
    self.run = (unsigned)bench_number(args, "run", 64);
    self.p = pool_create(args, args->workers, self.b.nodes, NULL);
    uint64_t tasks = self.b.tasks, rounds = bench_number(args, "repeat", 2000000 / tasks + 1);
    if (self.run < 1)
        bench_usage("run=1.. is expected");
    if (args->workers < bench_cpu_count())
        bench_pin_to(bench_cpu_of_submitter(0));
    (void)grow(&self, 100000);
    (void)grow(&self, tasks);
    uint64_t resident = bench_resident(), ns = 0;
    for (uint64_t i = 0; i < rounds; i++)
        ns += grow(&self, tasks);
    uint64_t grown = bench_resident();
    bench_check_equal("the number of tasks run", bench_count_total(),
                      100000 + tasks * (rounds + 1));
    snprintf(extra, sizeof extra, "grown_kib=%lld",
             ((long long)grown - (long long)resident) / 1024);
    bench_report(args, (double)ns / (double)(tasks * rounds), "ns", extra);
    pool_destroy(&self.p);
}

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static unsigned held; /* workers inside the gate task */

/* Keeps a worker until the gate opens. */
static void wait_at_gate(void *argument)
{
    (void)argument;
    __atomic_fetch_add(&held, 1, __ATOMIC_RELEASE);
    pthread_mutex_lock(&gate);
    pthread_mutex_unlock(&gate);
    bench_count_one();
}

void numaperf_memory(bench_args *args)
{
    uint64_t tasks = bench_number(args, "tasks", 1000000);
    char extra[64];
    sender self = {.group = NULL};
    /* The topology, hwloc's code and the first thread's arena are not the executor's. */
    np_topology *topology = pool_topology(args->workers, 1);
    np_executor *first = pool_executor(args, topology, 1, NULL);
    expect_ok(np_executor_destroy(first), "np_executor_destroy");
    uint64_t before = bench_resident();
    self.p.topology = topology;
    self.p.executor = pool_executor(args, topology, args->workers, NULL);
    np_node_id node;
    self.p.nodes = NULL;
    (void)np_executor_nodes(self.p.executor, &node, 1);
    uint64_t created = bench_resident();
    pthread_mutex_lock(&gate);
    for (unsigned i = 0; i < args->workers; i++)
        expect_ok(np_submit_to_node(self.p.executor, node, wait_at_gate, NULL), "np_submit");
    while (__atomic_load_n(&held, __ATOMIC_ACQUIRE) != args->workers)
        sched_yield();
    uint64_t empty = bench_resident();
    for (uint64_t i = 0; i < tasks; i++)
        expect_ok(np_submit_to_node(self.p.executor, node, empty_task, NULL), "np_submit_to_node");
    uint64_t full = bench_resident();
    pthread_mutex_unlock(&gate);
    wait_idle(&self);
    bench_check_equal("the number of tasks run", bench_count_total(), tasks + args->workers);
    snprintf(extra, sizeof extra, "idle_kib_per_worker=%.4g",
             (double)(created > before ? created - before : 0) / 1024.0 / (double)args->workers);
    bench_report(args, (double)(full - empty) / (double)tasks, "bytes", extra);
    pool_destroy(&self.p);
}
