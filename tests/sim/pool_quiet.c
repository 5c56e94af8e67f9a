/*
 * pool_quiet.c - what must hold whenever nothing is in motion: every fibre either sleeps in the
 * kernel, or is over, or is inside the body of a task or a wait of the scenario (pool_resting).
 * Then what is queued stays queued, and who is asleep stays asleep, until time passes; so nobody
 * who may run a queued task can be asleep. This is Go's invariant: an idle worker beside queued
 * work is a bug. What the gate holds back is the one exception, and for that its watcher is awake
 * in time.
 */
#include "pool.h"
#include "sim_internal.h"

extern uint32_t pool_resting;

/* Calls it as a hook is called: no operation of it is a scheduling point, so what it looks at does
 * not change meanwhile. */
static void stand_still(void (*look)(sim_pool *), sim_pool *pool)
{
    npt_pulse before = npt_beat;
    npt_beat.special = false;
    npt_beat.fuel = INT64_MAX / 2;
    npt_beat.horizon = UINT64_MAX;
    npt_sim.in_hook = true;
    look(pool);
    npt_sim.in_hook = false;
    npt_beat = before;
}

void pool_work(uint64_t ns)
{
    pool_resting++;
    sim_work(ns);
    pool_resting--;
}

void pool_join(sim_thread *thread)
{
    pool_resting++;
    sim_thread_join(thread);
    pool_resting--;
}

/* The caller is awake itself. */
static bool nothing_moves(void)
{
    uint32_t awake = 0;
    for (uint32_t i = 0; i < sim_fibre_count(); i++) {
        sim_fibre_info fibre;
        sim_fibre(i, &fibre);
        if (!fibre.ended && !fibre.asleep)
            awake++;
    }
    return awake == pool_resting + 1;
}

/* Workers of the node that sleep for lack of work. */
static uint32_t parked(npi_node *node)
{
    uint32_t count = 0;
    uint32_t limit = npi_load_relaxed(&node->sleepers.limit);
    for (uint32_t seat = 0; seat < limit; seat++)
        count += npi_load_relaxed(&npi_node_seat(node, seat)->activity) == NPI_WORKER_PARKED;
    return count;
}

static uint64_t in_lanes(npi_node *node, unsigned kind)
{
    return npi_inbox_depth(&node->inbox, 1u << kind);
}

/* What may leave only through the gate. */
static uint64_t gated(npi_node *node)
{
    uint64_t sum = in_lanes(node, NP_AFFINITY_PREFERRED);
    uint32_t limit = npi_load_relaxed(&node->sleepers.limit);
    for (uint32_t seat = 0; seat < limit; seat++)
        sum += npi_queue_depth(&npi_node_seat(node, seat)->queue);
    return sum;
}

/*
 * What a short loop offers quietly is not work that sleepers are woken for (parallel/loop_run.c),
 * and its function is not ours. Children of tasks are of the plain form, or one of these.
 */
static np_fast_fn fast_bodies[4];

void pool_fast_body(np_fast_fn fn)
{
    for (unsigned i = 0; i < 4; i++)
        if (fast_bodies[i] == fn || fast_bodies[i] == NULL) {
            fast_bodies[i] = fn;
            return;
        }
}

static bool is_of_a_task(const npi_child *child)
{
    if (child->fast == NULL)
        return true;
    for (unsigned i = 0; i < 4; i++)
        if (fast_bodies[i] == child->fast)
            return true;
    return false;
}

/* Shared children: those that workers of the node may take, or anybody (`open`). */
static uint64_t children(npi_node *node, bool open)
{
    uint64_t sum = 0;
    uint32_t limit = npi_load_relaxed(&node->sleepers.limit);
    for (uint32_t seat = 0; seat < limit; seat++) {
        npi_deque *deque = &npi_node_seat(node, seat)->deque;
        uint64_t shared = npi_load_relaxed(&deque->shared);
        if (open && (shared & NPI_SHARED_LOCAL) != 0)
            continue;
        for (uint32_t i = npi_shared_tail(shared); i < npi_shared_split(shared); i++)
            sum += is_of_a_task(&deque->slots[i]);
    }
    return sum;
}

/*
 * What a worker keeps to itself is the oldest part of it in sight, or somebody has asked, which the
 * owner hears at its next fork or join. One that sleeps or blocks keeps nothing to itself.
 */
static void check_private(npi_node *node)
{
    uint32_t limit = npi_load_relaxed(&node->sleepers.limit);
    for (uint32_t seat = 0; seat < limit; seat++) {
        npi_worker *worker = npi_node_seat(node, seat);
        uint32_t activity = npi_load_relaxed(&worker->activity);
        uint32_t kept = npi_deque_private(&worker->deque);
        if (kept == 0)
            continue;
        sim_check(activity == NPI_WORKER_AWAKE, "worker # keeps # children to itself in state #",
                  worker->index, kept, activity);
        sim_check(parked(node) == 0 || npi_deque_has_shared(&worker->deque, true) ||
                      npi_load_relaxed(&worker->deque.hungry) != 0,
                  "worker # keeps # children to itself, # workers sleep, and nobody has asked",
                  worker->index, kept, parked(node));
    }
}

/* As many spares are at work as workers are away. */
static void check_spares(npi_node *node)
{
    uint32_t active = 0;
    for (uint32_t i = 0; i < node->spares; i++)
        active += npi_load_relaxed(&npi_node_seat(node, node->regular + i)->seat_state) ==
                  NPI_SEAT_ACTIVE;
    sim_check(active == node->blocked, "# spares of node # are active, # workers are away", active,
              (uint64_t)node->id, node->blocked);
}

static void check_home(npi_node *node)
{
    check_private(node);
    check_spares(node);
    if (parked(node) == 0)
        return;
    uint64_t queued = gated(node) + in_lanes(node, NP_AFFINITY_STRICT) +
                      in_lanes(node, NP_AFFINITY_ANY);
    sim_check(queued == 0, "# tasks are queued at node #, where # workers sleep", queued,
              (uint64_t)node->id, parked(node));
    sim_check(children(node, false) == 0, "children lie at node #, where # workers sleep",
              (uint64_t)node->id, parked(node));
}

/* Work at `home` that a sleeping worker of `other` may take. */
static void check_abroad(npi_node *home, npi_node *other)
{
    np_executor *executor = home->executor;
    np_steal_policy policy = executor->settings.public_options.steal_policy;
    if (policy == NP_STEAL_LOCAL_ONLY || parked(other) == 0)
        return;
    sim_check(in_lanes(home, NP_AFFINITY_ANY) == 0,
              "# tasks for anybody are queued at node #, and at node # somebody sleeps",
              in_lanes(home, NP_AFFINITY_ANY), (uint64_t)home->id, (uint64_t)other->id);
    sim_check(children(home, true) == 0,
              "children for anybody lie at node #, and at node # somebody sleeps",
              (uint64_t)home->id, (uint64_t)other->id);
    if (gated(home) == 0)
        return;
    if (policy == NP_STEAL_ANY)
        sim_check(false, "under any, # tasks are queued at node #, and at node # somebody sleeps",
                  gated(home), (uint64_t)home->id, (uint64_t)other->id);
    sim_check(npi_load_relaxed(&executor->armed) != 0,
              "# tasks wait at node # behind the gate, node # sleeps, and nobody watches",
              gated(home), (uint64_t)home->id, (uint64_t)other->id);
}

static void check_sums(sim_pool *pool)
{
    np_executor_load load;
    if (np_executor_load_now(pool->executor, &load) != NP_OK)
        return;
    sim_check(load.accepted == load.executed + load.discarded + load.queued + load.running,
              "accepted # is not the sum; executed #, queued #", load.accepted, load.executed,
              load.queued);
    uint64_t queued = 0;
    for (uint32_t i = 0; i < pool->executor->node_count; i++) {
        npi_node *node = pool->executor->nodes[i];
        queued += gated(node) + in_lanes(node, NP_AFFINITY_STRICT) +
                  in_lanes(node, NP_AFFINITY_ANY);
    }
    sim_check(load.queued == queued, "# queued are reported, # lie in the queues", load.queued,
              queued);
    if (queued != 0)
        pool_saw(SEEN_QUIET_BUSY, 1);
}

static void look(sim_pool *pool)
{
    if (!nothing_moves())
        return;
    pool_saw(SEEN_QUIET, 1);
    np_executor *executor = pool->executor;
    uint32_t asleep = 0;
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *home = executor->nodes[i];
        if (home->regular == 0)
            continue;
        asleep += parked(home);
        check_home(home);
        for (uint32_t place = 1; place < home->order_count; place++)
            check_abroad(home, home->order[place]);
        sim_check(npi_load_relaxed(&home->sleepers.searching) == 0,
                  "nobody moves, but # workers of node # count as searching",
                  npi_load_relaxed(&home->sleepers.searching), (uint64_t)home->id);
    }
    sim_check(npi_load_relaxed(&executor->sleeping) == asleep, "# sleep, but `sleeping` is #",
              asleep, npi_load_relaxed(&executor->sleeping));
    if (asleep != 0 && asleep < executor->regular_count)
        pool_saw(SEEN_QUIET_ASLEEP, 1);
    check_sums(pool);
}

void pool_look(sim_pool *pool)
{
    stand_still(look, pool);
}

typedef struct watch {
    sim_pool *pool;
    uint32_t rounds;
} watch;

static void watch_body(void *argument)
{
    watch *w = argument;
    for (uint32_t i = 0; i < w->rounds; i++) {
        sim_work(200 + sim_random(i < w->rounds / 2 ? 2000 : 40000));
        pool_look(w->pool);
    }
}

sim_thread *pool_watch(sim_pool *pool, uint32_t rounds)
{
    static watch watches[2];
    static uint32_t next;
    watch *w = &watches[next++ % 2];
    *w = (watch){pool, rounds};
    return sim_thread_start("watch", watch_body, w);
}

static uint64_t total(sim_pool *pool, np_counter counter)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < pool->executor->seat_count; i++)
        sum += npi_counter_read(&pool->executor->seats[i]->counters, counter);
    return sum;
}

void pool_check_idle(sim_pool *pool)
{
    if (pool->options.spin_ns == NP_SPIN_BUSY)
        return;
    /* First everybody goes to sleep: the gate's watcher looks a few times more, somebody may stand
     * still, and the faults may cut a wait short. */
    for (unsigned i = 0; i < 50; i++)
        pool_work(UINT64_C(100000000));
    pool_look(pool);
    uint64_t searches = total(pool, NP_COUNTER_SEARCHES);
    uint64_t parks = total(pool, NP_COUNTER_PARKS);
    pool_work(UINT64_C(10000000000));
    sim_check(total(pool, NP_COUNTER_SEARCHES) == searches, "an idle worker searched # times",
              total(pool, NP_COUNTER_SEARCHES) - searches);
    /* A spurious wake, which the system may give, is one more park. */
    if (sim_faults_seen("spurious_wakes") == 0)
        sim_check(total(pool, NP_COUNTER_PARKS) == parks, "an idle worker slept # times more",
                  total(pool, NP_COUNTER_PARKS) - parks);
}
