/*
 * Goal: whatever is mixed, however the machine looks and however it ends, every accepted task ends
 * exactly once, where it may, and nobody waits for ever.
 * Method: rounds until the time is up. Each makes one or two executors on a random machine with
 * random options, lets outside threads submit, wait and call in every form, guests come and go, the
 * tasks do the same from inside (stress_executor_jobs.h), and shuts down in the middle or at the
 * end, with or without a deadline. Then the account must be exact. A watchdog ends the program with
 * a description if nothing moves for half a minute: that is a lost wake-up.
 *
 * NP_TEST_SEED repeats a run as far as the threads' order allows, NP_TEST_SECONDS sets its length.
 */
#include "stress_executor_jobs.h"

#include "executor/executor.h"
#include "os/lock.h"

enum { OUTSIDERS_MOST = 4, GUESTS_MOST = 3, STALLED_SECONDS = 30 };

#if defined(NPI_TSAN)
enum { DEFAULT_SECONDS = 20, WORKERS_MOST = 16, OPERATIONS_MOST = 60 };
#else
enum { DEFAULT_SECONDS = 8, WORKERS_MOST = 64, OPERATIONS_MOST = 300 };
#endif

static const char *const machines[] = {
    "numa:1 core:1 pu:1",
    "numa:1 core:4 pu:1",
    "numa:2 core:2 pu:1",
    "numa:3 core:1 pu:1",
    "pack:2 numa:2 core:1 pu:1 | 10 12 32 32 12 10 32 32 32 32 10 12 32 32 12 10",
    "pack:2 l3:2 core:2 pu:2",
    "pack:4 numa:2 core:4 pu:2",
};

/* --- the watchdog --------------------------------------------------------------------------------
 */

static struct {
    npi_os_thread thread;
    npi_lock lock;
    world *shown; /* by lock: executors that exist now */
    np_atomic(uint32_t) over;
} watchdog;

static void watch_world(world *w)
{
    npi_lock_acquire(&watchdog.lock);
    watchdog.shown = w;
    npi_lock_release(&watchdog.lock);
}

static void describe_executor(np_executor *executor)
{
    static char text[1 << 16];
    np_executor_load load;
    (void)np_executor_describe(executor, text, sizeof text);
    fputs(text, stderr);
    if (np_executor_load_now(executor, &load) == NP_OK)
        fprintf(stderr, "accepted %llu executed %llu discarded %llu queued %llu running %llu\n",
                (unsigned long long)load.accepted, (unsigned long long)load.executed,
                (unsigned long long)load.discarded, (unsigned long long)load.queued,
                (unsigned long long)load.running);
    fprintf(stderr, "sleeping %u armed %u idle waiters %u guests %u closed %u\n",
            npi_load_relaxed(&executor->sleeping), npi_load_relaxed(&executor->armed),
            npi_load_relaxed(&executor->idle_waiters), npi_load_relaxed(&executor->guests_inside),
            npi_load_relaxed(&executor->closed));
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        fprintf(stderr, "node %d: queued %llu searching %u asleep %016llx blocked %u\n",
                (int)node->id, (unsigned long long)npi_node_queued(node),
                npi_load_relaxed(&node->sleepers.searching),
                (unsigned long long)npi_load_relaxed(&node->sleepers.asleep[0]), node->blocked);
    }
    for (uint32_t i = 0; i < executor->seat_count; i++) {
        npi_worker *worker = executor->seats[i];
        fprintf(stderr, "  %s seat %u: activity %u state %u token %u queued %llu shared %016llx\n",
                worker->name, worker->seat, npi_load_relaxed(&worker->activity),
                npi_load_relaxed(&worker->seat_state), npi_load_relaxed(&worker->token.state),
                (unsigned long long)npi_queue_depth(&worker->queue),
                (unsigned long long)npi_load_relaxed(&worker->deque.shared));
    }
}

static void watch(void *argument)
{
    (void)argument;
    uint64_t last = 0;
    uint32_t still = 0;
    while (npi_load_acquire(&watchdog.over) == 0) {
        (void)npi_os_futex_wait(&watchdog.over, 0, npi_os_deadline(UINT64_C(1000000000)));
        uint64_t now = npi_load_relaxed(&progress);
        still = now == last ? still + 1 : 0;
        last = now;
        if (still < STALLED_SECONDS)
            continue;
        fprintf(stderr, "nothing moved for %d s (seed %llu)\n", STALLED_SECONDS,
                (unsigned long long)seed);
        npi_lock_acquire(&watchdog.lock);
        for (uint32_t i = 0; watchdog.shown != NULL && i < watchdog.shown->executors; i++)
            if (watchdog.shown->executor[i] != NULL)
                describe_executor(watchdog.shown->executor[i]);
        abort();
    }
}

/* --- outside threads
 * ------------------------------------------------------------------------------ */

typedef struct outsider {
    npi_os_thread thread;
    world *world;
    npi_random random;
    uint32_t operations;
} outsider;

static void wait_a_little(outsider *o, uint32_t executor)
{
    np_status status = np_executor_wait_idle(o->world->executor[executor],
                                             some_timeout(&o->random) * 100);
    CHECK(status == NP_OK || status == NP_ERR_TIMEOUT, "%s", np_error_detail());
}

static void outside(void *argument)
{
    outsider *o = argument;
    world *w = o->world;
    for (uint32_t i = 0; i < o->operations; i++) {
        uint32_t executor = below(&o->random, w->executors);
        const job self = {.world = w, .executor = (uint8_t)executor};
        switch (below(&o->random, 16)) {
        case 0: make_party(&self, &o->random, once_in(&o->random, 2)); break;
        case 1: call_elsewhere(&self, &o->random); break;
        case 2: wait_a_little(o, executor); break;
        default: submit_job(w, &o->random, executor, NULL, below(&o->random, DEPTH_MOST + 1));
        }
    }
}

/* --- guests
 * ------------------------------------------------------------------------------------------
 */

typedef struct guest {
    npi_os_thread thread;
    world *world;
    uint32_t executor;
    npi_random random;
    npi_lock lock;
    np_leave *leave; /* by lock */
} guest;

static void new_leave(guest *g)
{
    np_leave *leave = NULL;
    CHECK_OK(np_leave_create(&leave));
    npi_lock_acquire(&g->lock);
    np_leave *old = g->leave;
    g->leave = leave;
    npi_lock_release(&g->lock);
    np_leave_destroy(old);
}

static void visit(void *argument)
{
    guest *g = argument;
    world *w = g->world;
    uint32_t executor = g->executor;
    np_status status = NP_OK;
    while (status == NP_OK) {
        new_leave(g);
        np_node_id node = w->nodes[executor][below(&g->random, w->node_count[executor])];
        status = np_worker_run(w->executor[executor], node, g->leave);
        npi_fetch_add_relaxed(&progress, (uint64_t)1);
    }
    CHECK(status == NP_ERR_SHUT_DOWN || status == NP_ERR_LIMIT, "%s", np_error_detail());
}

static void call_back(guest *g)
{
    npi_lock_acquire(&g->lock);
    np_leave_now(g->leave);
    npi_lock_release(&g->lock);
}

/* --- one round
 * ------------------------------------------------------------------------------------- */

static void make_executor(world *w, npi_random *random, uint32_t executor)
{
    np_topology *topology = NULL;
    CHECK_OK(np_topology_from_synthetic(machines[below(random, sizeof machines / sizeof *machines)],
                                        &topology));
    uint32_t nodes = np_topology_node_count(topology);
    np_executor_options options = {.size = sizeof options, .ignore_environment = true};
    options.steal_policy = (np_steal_policy)below(random, 3);
    options.workers_per_node = 1 + below(random, WORKERS_MOST / nodes);
    if (once_in(random, 2))
        options.workers_per_node = 1 + below(random, 3);
    options.spare_workers = once_in(random, 3) ? NP_SPARE_WORKERS_NONE : below(random, 5);
    options.guest_workers = 1 + below(random, 3);
    options.spin_ns = once_in(random, 2) ? NP_SPIN_NONE : below(random, 20000);
    options.gate_backlog = below(random, 4);
    options.gate_age_ns = once_in(random, 2) ? 0 : 1 + below(random, 100000);
    options.on_discard = discard_job;
    np_node_workers none = {.node = (np_node_id)below(random, nodes), .workers = NP_WORKERS_NONE};
    if (nodes > 1 && once_in(random, 3)) {
        options.node_workers = &none;
        options.node_workers_count = 1;
    }
    CHECK_OK(np_executor_create(topology, &options, &w->executor[executor]));
    np_topology_destroy(topology);
    w->local_only[executor] = options.steal_policy == NP_STEAL_LOCAL_ONLY;
    w->node_count[executor] = (uint32_t)np_executor_nodes(w->executor[executor], w->nodes[executor],
                                                          8);
}

static void end_executor(world *w, npi_random *random, uint32_t executor)
{
    np_executor *e = w->executor[executor];
    if (once_in(random, 3)) {
        npi_store_release(&w->discarding, 1u);
        np_shutdown_result result;
        np_status status = np_executor_shutdown_within(e, some_timeout(random) * 10, &result);
        CHECK(status == NP_OK || (status == NP_ERR_TIMEOUT && result.running > 0), "%s",
              np_error_detail());
    }
    CHECK_OK(np_executor_shutdown(e));
    np_executor_load load;
    CHECK_OK(np_executor_load_now(e, &load));
    CHECK(load.queued == 0 && load.running == 0, "%llu queued, %llu running",
          (unsigned long long)load.queued, (unsigned long long)load.running);
    CHECK(load.accepted == load.executed + load.discarded, "%llu is not %llu + %llu",
          (unsigned long long)load.accepted, (unsigned long long)load.executed,
          (unsigned long long)load.discarded);
    uint64_t executed = npi_load_relaxed(&w->executed[executor]);
    uint64_t discarded = npi_load_relaxed(&w->discarded[executor]);
    CHECK(load.executed == executed && load.discarded == discarded,
          "%llu and %llu, but the tasks counted %llu and %llu", (unsigned long long)load.executed,
          (unsigned long long)load.discarded, (unsigned long long)executed,
          (unsigned long long)discarded);
}

/* The guests come back because of the shutdown; only then is nobody left who might call. */
static void destroy_executor(world *w, uint32_t executor, guest *guests, uint32_t guest_count)
{
    for (uint32_t i = 0; i < guest_count; i++) {
        if (guests[i].executor != executor)
            continue;
        join(&guests[i].thread);
        np_leave_destroy(guests[i].leave);
    }
    np_executor *e = w->executor[executor];
    npi_lock_acquire(&watchdog.lock);
    w->executor[executor] = NULL;
    npi_lock_release(&watchdog.lock);
    CHECK_OK(np_executor_destroy(e));
}

/* Against the outsiders: nobody may call once it is destroyed, so only their submits are late. */
typedef struct closer {
    npi_os_thread thread;
    world *world;
    npi_random random;
} closer;

static void close_in_the_middle(void *argument)
{
    closer *c = argument;
    for (uint32_t i = c->world->executors; i-- > 0;)
        end_executor(c->world, &c->random, i);
}

static uint64_t play(world *w, npi_random *random)
{
    memset(w, 0, sizeof *w);
    w->executors = 1 + below(random, EXECUTORS_MOST);
    for (uint32_t i = 0; i < w->executors; i++)
        make_executor(w, random, i);
    watch_world(w);

    outsider outsiders[OUTSIDERS_MOST];
    guest guests[GUESTS_MOST];
    closer c = {.world = w};
    uint32_t outsider_count = 1 + below(random, OUTSIDERS_MOST);
    uint32_t guest_count = below(random, GUESTS_MOST + 1);
    for (uint32_t i = 0; i < outsider_count; i++) {
        outsiders[i] = (outsider){.world = w, .operations = below(random, OPERATIONS_MOST)};
        npi_random_seed(&outsiders[i].random, npi_random_next(random));
        start(&outsiders[i].thread, outside, &outsiders[i]);
    }
    for (uint32_t i = 0; i < guest_count; i++) {
        guests[i] = (guest){.world = w, .executor = below(random, w->executors)};
        npi_random_seed(&guests[i].random, npi_random_next(random));
        new_leave(&guests[i]);
        start(&guests[i].thread, visit, &guests[i]);
    }
    npi_random_seed(&c.random, npi_random_next(random));
    bool early = once_in(random, 3);
    if (early)
        start(&c.thread, close_in_the_middle, &c);
    for (uint32_t i = below(random, 20); guest_count > 0 && i > 0; i--) {
        call_back(&guests[below(random, guest_count)]);
        sched_yield();
    }
    for (uint32_t i = 0; i < outsider_count; i++)
        join(&outsiders[i].thread);
    if (early) {
        join(&c.thread);
        for (uint32_t i = w->executors; i-- > 0;)
            destroy_executor(w, i, guests, guest_count);
    } else {
        /* The second one goes while the first still has work: tasks of it waited there. */
        for (uint32_t i = w->executors; i-- > 0;) {
            end_executor(w, random, i);
            destroy_executor(w, i, guests, guest_count);
        }
    }
    watch_world(NULL);

    uint64_t tasks = 0;
    for (uint32_t i = 0; i < w->executors; i++) {
        CHECK(npi_load_relaxed(&w->accepted[i]) ==
                  npi_load_relaxed(&w->executed[i]) + npi_load_relaxed(&w->discarded[i]),
              "executor %u: %llu accepted", i,
              (unsigned long long)npi_load_relaxed(&w->accepted[i]));
        tasks += npi_load_relaxed(&w->accepted[i]);
    }
    return tasks;
}

int main(void)
{
    begin();
    const char *seconds = getenv("NP_TEST_SECONDS");
    uint64_t limit = seconds != NULL ? strtoull(seconds, NULL, 0) : DEFAULT_SECONDS;
    uint64_t end = npi_os_deadline(limit * UINT64_C(1000000000));
    npi_lock_init(&watchdog.lock);
    start(&watchdog.thread, watch, NULL);
    static world w;
    uint64_t rounds = 0, tasks = 0, first = seed;
    do {
        npi_random random;
        seed = first + rounds++; /* of this round, for messages */
        npi_random_seed(&random, seed);
        tasks += play(&w, &random);
        CHECK(npi_load_relaxed(&live_bytes) == 0, "%llu bytes leaked",
              (unsigned long long)npi_load_relaxed(&live_bytes));
    } while (npi_os_now() < end);
    npi_store_release(&watchdog.over, 1u);
    npi_os_futex_wake(&watchdog.over, 1);
    join(&watchdog.thread);
    printf("passed: %llu rounds, %llu tasks, last seed %llu\n", (unsigned long long)rounds,
           (unsigned long long)tasks, (unsigned long long)seed);
    return 0;
}
