/*
 * executor/find.c - where work is found. The only file that knows every source of work:
 *
 *   1. the worker's own queue                 (tasks it submitted to its own node)
 *   2. its node's inbox                       (tasks from outside and from other nodes)
 *   3. its own shared children                (while it waits inside a task)
 *   4. its siblings' children and queues
 *   5. other nodes: children, `any` tasks, and, through the gate, preferred tasks in inbox and
 * queues
 *
 * npi_find_anywhere takes from them, npi_sources_look only looks. A new source belongs into both,
 * and its producer must call npi_wake_for_task or npi_wake_for_child; otherwise a wake-up is lost.
 *
 * Workers whose node is gone (refresh.c) are guests on another node's CPUs. They take what may
 * leave its home from 1, 2 and 4, their own children, and nothing else: npi_node_kinds() says what,
 * and both functions ask it.
 */
#include "executor/executor.h"

/* The inbox has its turn this often, and so has one sibling's queue, so that nothing there waits
 * for ever behind work that the worker breeds itself. 61: prime, as in Go's scheduler. */
#if !defined(TURNS) /* a model chooses a small one */
#define TURNS 61u
#endif

static bool take_from_lanes(npi_worker *worker, npi_node *node, unsigned kinds, npi_task *out)
{
    return npi_inbox_take(&node->inbox, kinds, &worker->lane_cursor, out);
}

/* --- other workers ------------------------------------------------------------------------- */

/* Bits: seats word * 64 .. of begin .. end - 1 that are awake (npi_sleepers_awake). */
static inline uint64_t awake_seats(npi_node *node, uint32_t word, uint32_t begin, uint32_t end)
{
    uint64_t seats = npi_sleepers_awake(&node->sleepers, word);
    if (begin > word * 64)
        seats &= ~UINT64_C(0) << (begin - word * 64);
    if (end < (word + 1) * 64)
        seats &= (UINT64_C(1) << (end - word * 64)) - 1;
    return seats;
}

static np_tier tier_within(const npi_worker *worker, const npi_worker *victim)
{
    if (worker->node->one_cache)
        return NP_TIER_CACHE;
    return victim->seat >= worker->cache_begin && victim->seat < worker->cache_end ? NP_TIER_CACHE
                                                                                   : NP_TIER_NODE;
}

/* May it take what strict tasks forked, too? Away from their node nobody but the task itself. */
static bool is_kin(const npi_worker *worker, const npi_worker *victim)
{
    return victim == worker ||
           (victim->node == worker->node && npi_node_state(worker->node) == NPI_NODE_HERE);
}

static bool take_child(npi_worker *worker, npi_worker *victim, np_tier tier, npi_work *out)
{
    bool again;
    bool kin = is_kin(worker, victim);
    do {
        npi_child *child = npi_deque_steal(&victim->deque, kin, &again);
        if (child != NULL) {
            npi_store_relaxed(&child->thief, (void *)worker); /* a hint for stealing back */
            out->child = child;
            out->owner = victim;
            if (victim != worker)
                npi_count(&worker->counters,
                          (np_counter)(NP_COUNTER_FORKS_STOLEN_CACHE + (int)tier), 1);
            return true;
        }
    } while (again);
    if (victim != worker)
        npi_deque_ask(&victim->deque);
    return false;
}

static inline bool find_own_child(npi_worker *worker, npi_work *out)
{
    return npi_deque_has_shared(&worker->deque, true) &&
           take_child(worker, worker, NP_TIER_CACHE, out);
}

bool npi_find_own_child(npi_worker *worker, npi_work *out)
{
    return find_own_child(worker, out);
}

bool npi_find_child_of(npi_worker *worker, npi_worker *victim, npi_work *out)
{
    np_steal_policy policy = worker->executor->settings.public_options.steal_policy;
    np_tier tier = victim->node == worker->node
                       ? tier_within(worker, victim)
                       : npi_topology_node_tier_at(worker->executor->topology, worker->node->index,
                                                   victim->node->index);
    if (victim->node != worker->node && policy == NP_STEAL_LOCAL_ONLY)
        return false;
    return take_child(worker, victim, tier, out);
}

static bool take_queued(npi_worker *worker, npi_worker *victim, np_tier tier, npi_task *out)
{
    if (npi_queue_is_empty(&victim->queue) || !npi_queue_take(&victim->queue, out))
        return false;
    npi_count(&worker->counters, (np_counter)(NP_COUNTER_STOLEN_CACHE + (int)tier), 1);
    return true;
}

/*
 * A thief who found a long queue goes back to it for the next ones instead of searching for each:
 * a search costs several read-modify-writes and a look at every node. They stay in their queue
 * until it runs them, so none is stranded behind a long one and their order is kept, as both would
 * not be if it carried half of them home. Its own queue and inbox come first each time, and after
 * so many it looks around again, for somebody nearer may have work by now.
 */
#define AT_A_STRETCH 64u

static void remember(npi_worker *worker, npi_node *node, uint32_t seat, np_tier tier)
{
    worker->prey = (npi_prey){node, seat, AT_A_STRETCH - 1, tier};
}

/* Seats begin .. end - 1 of one node in order. */
static npi_found visit_range(npi_worker *worker, npi_node *node, uint32_t begin, uint32_t end,
                             bool tasks, np_tier other_tier, npi_work *out)
{
    for (uint32_t word = begin / 64; word * 64 < end; word++) {
        for (uint64_t left = awake_seats(node, word, begin, end); left != 0; left &= left - 1) {
            npi_worker *victim = npi_node_seat(node, word * 64 + (uint32_t)__builtin_ctzll(left));
            if (victim == worker)
                continue;
            np_tier tier = node == worker->node ? tier_within(worker, victim) : other_tier;
            if (take_child(worker, victim, tier, out))
                return NPI_FOUND_CHILD;
            if (tasks && take_queued(worker, victim, tier, &out->task)) {
                if (node == worker->node)
                    remember(worker, node, victim->seat, tier);
                return NPI_FOUND_TASK;
            }
        }
    }
    return NPI_FOUND_NOTHING;
}

/* The same from a random one on. */
static npi_found visit_seats(npi_worker *worker, npi_node *node, uint32_t begin, uint32_t end,
                             bool tasks, np_tier other_tier, npi_work *out)
{
    if (end <= begin)
        return NPI_FOUND_NOTHING;
    uint32_t start = begin;
    if (end - begin > 1)
        start += npi_random_below(&worker->random, end - begin);
    npi_found found = visit_range(worker, node, start, end, tasks, other_tier, out);
    if (found == NPI_FOUND_NOTHING && start != begin)
        found = visit_range(worker, node, begin, start, tasks, other_tier, out);
    return found;
}

/* One sibling's queue in turn: its owner may be busy for ever, or gone. */
static bool take_in_turn(npi_worker *worker, npi_task *out)
{
    npi_node *node = worker->node;
    uint32_t limit = npi_load_acquire(&node->sleepers.limit);
    npi_worker *victim = npi_node_seat(node, worker->seat_cursor++ % limit);
    return victim != worker && take_queued(worker, victim, tier_within(worker, victim), out);
}

/* How long a worker waits whose lanes have run dry before it looks at them: some 150 ns. */
#if !defined(DRY_PAUSES) /* a model chooses a small one */
#define DRY_PAUSES 6u
#endif

bool npi_find_local(npi_worker *worker, npi_task *out)
{
    npi_inbox *inbox = &worker->node->inbox;
    uint32_t turn = ++worker->tick % TURNS;
    /* By a cursor of its own: the other one goes round the lanes with tasks seen before, and might
     * be at the same one at every turn, while a lane whose first task nobody has seen waits. */
    if (__builtin_expect(turn == 0, 0) &&
        npi_inbox_take(inbox, NPI_MASK_ALL, &worker->turn_cursor, out))
        return true;
    if (__builtin_expect(turn == TURNS / 2, 0) && take_in_turn(worker, out))
        return true;
    if (npi_queue_has(&worker->queue) && npi_queue_take(&worker->queue, out))
        return true;
    if (npi_inbox_take_seen(inbox, &worker->lane_cursor, out))
        return true;
    /* Now the producers' lines must be looked at. They may be putting tasks at about the pace at
     * which they are taken; to look at once would move a line back and forth for every task. A
     * moment later there are several. */
    if (worker->flowing)
        for (unsigned i = 0; i < DRY_PAUSES; i++)
            npi_cpu_relax();
    worker->flowing = take_from_lanes(worker, worker->node, NPI_MASK_ALL, out);
    return worker->flowing;
}

bool npi_find_inbox(npi_worker *worker, npi_task *out)
{
    return take_from_lanes(worker, worker->node, npi_node_kinds(worker->node), out);
}

void npi_find_prefetch(npi_worker *worker)
{
    npi_node *node = worker->node;
    NPI_PREFETCH(&node->sleepers);
    NPI_PREFETCH(&node->executor);
    NPI_PREFETCH(&node->inbox.count);
    NPI_PREFETCH(&node->inbox.list);
    NPI_PREFETCH(&worker->executor->closed); /* and stopping, attention */
    NPI_PREFETCH(&worker->executor->sleeping);
    NPI_PREFETCH(&worker->frame);
    NPI_PREFETCH(&worker->deque);
    /* Most likely the lane that had something the last time. */
    uint32_t cursor = worker->lane_cursor;
    if (cursor != 0 && cursor <= npi_inbox_lanes(&node->inbox)) {
        npi_queue *queue = &node->inbox.list[cursor - 1]->queue;
        NPI_PREFETCH(&queue->head);
        NPI_PREFETCH(&queue->tail);
    }
}

static inline __attribute__((always_inline)) npi_found visit_siblings(npi_worker *worker,
                                                                      npi_work *out)
{
    npi_node *node = worker->node;
    /* Acquire: a seat below the limit has been set up (seat.c). */
    uint32_t limit = npi_load_acquire(&node->sleepers.limit);
    npi_found found = NPI_FOUND_NOTHING;
    if (!node->one_cache && worker->cache_end - worker->cache_begin < limit)
        found = visit_seats(worker, node, worker->cache_begin, worker->cache_end, true,
                            NP_TIER_CACHE, out);
    if (found == NPI_FOUND_NOTHING)
        found = visit_seats(worker, node, 0, limit, true, NP_TIER_NODE, out);
    return found;
}

/* --- other nodes --------------------------------------------------------------------------- */

static bool tasks_behind_gate(npi_node *node)
{
    if (npi_inbox_holds(&node->inbox, NPI_MASK_PREFERRED)) /* source: away_lane_preferred */
        return true;
    uint32_t limit = npi_load_acquire(&node->sleepers.limit);
    for (uint32_t word = 0; word * 64 < limit; word++)
        for (uint64_t left = awake_seats(node, word, 0, limit); left != 0; left &= left - 1) {
            uint32_t seat = word * 64 + (uint32_t)__builtin_ctzll(left);
            if (!npi_queue_is_empty(&npi_node_seat(node, seat)->queue)) /* source: away_queue */
                return true;
        }
    return false;
}

/* All its workers sleep: what is queued there is theirs, and who queued it wakes one of them. */
static bool sleeps(npi_node *node)
{
    return npi_sleepers_all(&node->sleepers, node->sleepers.regular);
}

static npi_gate ask_gate(npi_worker *worker, npi_node *home)
{
    if (worker->executor->settings.public_options.steal_policy == NP_STEAL_ANY)
        return NPI_GATE_OPEN;
    if (!tasks_behind_gate(home))
        return NPI_GATE_SHUT;
    npi_gate gate = npi_gate_ask(home);
    if (gate == NPI_GATE_SHUT)
        npi_count(&worker->counters, NP_COUNTER_GATE_REFUSED, 1);
    return gate;
}

static npi_found count_away(npi_worker *worker, npi_node *home, np_tier tier, np_counter reason,
                            bool from_lane, bool gated, const npi_task *task)
{
    if (from_lane)
        npi_count(&worker->counters, (np_counter)(NP_COUNTER_STOLEN_CACHE + (int)tier), 1);
    np_counter because = npi_node_is_gone(home) ? NP_COUNTER_DISPLACED : reason;
    npi_count(&worker->counters, because, 1);
    worker->left_because = because;
    /* Relaxed: for the gate's estimate of what the home takes itself, in the signature's unit. */
    if (gated)
        npi_fetch_add_relaxed(&home->taken_away, (uint64_t)npi_task_cells(task));
    if (reason == NP_COUNTER_AWAY_AGE && !tasks_behind_gate(home))
        npi_gate_emptied(home);
    return NPI_FOUND_TASK;
}

static np_counter reason_of(npi_gate gate)
{
    return gate == NPI_GATE_OPEN      ? NP_COUNTER_AWAY_ANY
           : gate == NPI_GATE_BACKLOG ? NP_COUNTER_AWAY_BACKLOG
                                      : NP_COUNTER_AWAY_AGE;
}

static npi_found visit_node(npi_worker *worker, npi_node *node, np_tier tier, npi_work *out)
{
    npi_sleepers *sleepers = &node->sleepers;
    if (sleeps(node)) /* but a guest or a spare worker there may be awake */
        return visit_seats(worker, node, sleepers->regular, npi_load_acquire(&sleepers->limit),
                           false, tier, out);
    if (take_from_lanes(worker, node, NPI_MASK_ANY, &out->task))
        return count_away(worker, node, tier, NP_COUNTER_AWAY_ANY, true, false, &out->task);

    npi_gate gate = ask_gate(worker, node);
    np_counter reason = reason_of(gate);
    bool open = gate != NPI_GATE_SHUT;
    if (open && take_from_lanes(worker, node, NPI_MASK_PREFERRED, &out->task)) {
        remember(worker, node, NPI_SLEEPER_NONE, tier);
        return count_away(worker, node, tier, reason, true, true, &out->task);
    }
    npi_found found = visit_seats(worker, node, 0, npi_load_acquire(&node->sleepers.limit), open,
                                  tier, out);
    if (found == NPI_FOUND_TASK)
        return count_away(worker, node, tier, reason, false, true, &out->task);
    return found;
}

bool npi_find_again(npi_worker *worker, npi_task *out)
{
    npi_prey *prey = &worker->prey;
    npi_node *node = prey->node;
    if (node == NULL)
        return false;
    prey->node = NULL;
    if (prey->left == 0)
        return false;
    if (prey->seat != NPI_SLEEPER_NONE) {
        if (!take_queued(worker, npi_node_seat(node, prey->seat), prey->tier, out))
            return false;
    } else {
        npi_gate gate = ask_gate(worker, node);
        /* Aged means long tasks: beside them a search costs nothing, and in 64 of them somebody
         * nearer would wait long. Asleep: they are theirs (visit_node). */
        if (gate == NPI_GATE_SHUT || gate == NPI_GATE_AGE || sleeps(node) ||
            !take_from_lanes(worker, node, NPI_MASK_PREFERRED, out))
            return false;
        (void)count_away(worker, node, prey->tier, reason_of(gate), true, true, out);
    }
    prey->node = node;
    prey->left--;
    return true;
}

static npi_found visit_other_nodes(npi_worker *worker, npi_work *out)
{
    npi_node *node = worker->node;
    np_steal_policy policy = worker->executor->settings.public_options.steal_policy;
    uint32_t others = node->order_count - 1;
    if (policy == NP_STEAL_LOCAL_ONLY || others == 0)
        return NPI_FOUND_NOTHING;
    /* By closeness; under `any` from a random one on, so that thieves do not walk in step. */
    uint32_t start = policy == NP_STEAL_ANY ? npi_random_below(&worker->random, others) : 0;
    for (uint32_t i = 0; i < others; i++) {
        uint32_t place = 1 + (start + i) % others;
        npi_found found = visit_node(worker, node->order[place], (np_tier)node->order_tier[place],
                                     out);
        if (found != NPI_FOUND_NOTHING)
            return found;
    }
    return NPI_FOUND_NOTHING;
}

/* Own queue and inbox in turn, so that neither waits for ever behind the other. */
static bool find_queued_in_exile(npi_worker *worker, unsigned kinds, npi_task *out)
{
    bool inbox_first = (++worker->tick & 1) != 0;
    if (inbox_first && take_from_lanes(worker, worker->node, kinds, out))
        return true;
    if ((kinds & NPI_MASK_PREFERRED) != 0 && npi_queue_has(&worker->queue) &&
        npi_queue_take(&worker->queue, out))
        return true;
    return !inbox_first && take_from_lanes(worker, worker->node, kinds, out);
}

/* Its node is gone. Nothing from other nodes: these have workers on their own CPUs. */
static __attribute__((noinline, cold)) npi_found find_in_exile(npi_worker *worker, npi_work *out)
{
    unsigned kinds = npi_node_kinds(worker->node);
    if (kinds != 0 && find_queued_in_exile(worker, kinds, &out->task))
        return NPI_FOUND_TASK;
    if (find_own_child(worker, out))
        return NPI_FOUND_CHILD;
    return kinds != 0 ? visit_siblings(worker, out) : NPI_FOUND_NOTHING;
}

npi_found npi_find_anywhere(npi_worker *worker, npi_work *out)
{
    if (__builtin_expect(npi_node_state(worker->node) != NPI_NODE_HERE, 0))
        return find_in_exile(worker, out);
    if (npi_find_local(worker, &out->task))
        return NPI_FOUND_TASK;
    if (find_own_child(worker, out))
        return NPI_FOUND_CHILD;
    npi_found found = visit_siblings(worker, out);
    return found != NPI_FOUND_NOTHING ? found : visit_other_nodes(worker, out);
}

/* --- looking without taking --------------------------------------------------------------------
 *
 * Each look at a source is marked with the source's name. tests/model/sources.sh makes a list of
 * them and finds looks without a mark, and the model has a case of parking against waking for each:
 * a source without one does not compile there.
 */

typedef struct seats_look {
    bool children;      /* shared ones, for workers of the node */
    bool open_children; /* ... and of other nodes */
    bool queued;
} seats_look;

static void look_at_seat(npi_worker *victim, seats_look *look)
{
    if (npi_deque_has_shared(&victim->deque, true)) { /* source: children */
        look->children = true;
        look->open_children |= npi_deque_has_shared(&victim->deque, false); /* source: children */
    } else if (npi_load_relaxed(&victim->activity) == NPI_WORKER_AWAKE) {
        npi_deque_ask(&victim->deque);
    }
    look->queued |= !npi_queue_is_empty(&victim->queue); /* source: queue */
}

static seats_look look_at_seats(npi_node *node, const npi_worker *bare)
{
    uint32_t limit = npi_load_acquire(&node->sleepers.limit);
    seats_look look = {false, false, false};
    for (uint32_t word = 0; word * 64 < limit; word++)
        for (uint64_t left = awake_seats(node, word, 0, limit); left != 0; left &= left - 1) {
            npi_worker *victim = npi_node_seat(node, word * 64 + (uint32_t)__builtin_ctzll(left));
            if (victim != bare)
                look_at_seat(victim, &look);
        }
    return look;
}

static npi_look look_at_home(npi_node *node, const npi_worker *bare)
{
    /* Everything is looked at, though one find would do for a worker of this node: whoever asks on
     * behalf of others must know whether any of it may leave. */
    seats_look seats = look_at_seats(node, bare);
    unsigned kinds = npi_node_kinds(node);
    if (kinds == 0)
        return (npi_look){NPI_LOOK_NOTHING, node, false, false};
    bool open = seats.open_children ||
                npi_inbox_holds(&node->inbox, NPI_MASK_ANY); /* source: lane_any */
    bool gated = seats.queued ||
                 npi_inbox_holds(&node->inbox, NPI_MASK_PREFERRED); /* source: lane_preferred */
    bool bound = (seats.children && npi_node_state(node) == NPI_NODE_HERE) ||
                 npi_inbox_holds(&node->inbox, kinds & NPI_MASK_STRICT); /* source: lane_strict */
    bool work = open || gated || bound;
    return (npi_look){work ? NPI_LOOK_WORK : NPI_LOOK_NOTHING, node, open || gated, !open};
}

static npi_look look_abroad(npi_node *other, np_steal_policy policy)
{
    npi_look look = {NPI_LOOK_WORK, other, true, false};
    bool asleep = sleeps(other);
    if ((!asleep && npi_inbox_holds(&other->inbox, NPI_MASK_ANY)) || /* source: away_lane_any */
        look_at_seats(other, NULL).open_children)                    /* source: away_children */
        return look;
    if (asleep)
        return (npi_look){NPI_LOOK_NOTHING, other, false, false};
    look.gated = policy != NP_STEAL_ANY;
    if (!tasks_behind_gate(other))
        look.kind = NPI_LOOK_NOTHING;
    else if (look.gated && npi_gate_ask(other) == NPI_GATE_SHUT)
        look.kind = NPI_LOOK_REFUSED;
    return look;
}

npi_look npi_sources_look_at(npi_node *node, uint32_t place, const npi_worker *bare)
{
    if (place == 0)
        return look_at_home(node, bare);
    return look_abroad(node->order[place], node->executor->settings.public_options.steal_policy);
}

npi_look npi_sources_look(npi_node *node, const npi_worker *bare)
{
    npi_look best = look_at_home(node, bare);
    /* In exile it takes nothing from elsewhere (find_in_exile), so it must not stay awake for it.
     */
    uint32_t reach = npi_node_state(node) == NPI_NODE_HERE ? node->reach : 1;
    for (uint32_t place = 1; best.kind != NPI_LOOK_WORK && place < reach; place++) {
        npi_look look = npi_sources_look_at(node, place, bare);
        if (look.kind > best.kind)
            best = look;
    }
    return best;
}
