/*
 * executor/build.c - the memory of an executor: nodes, inboxes, seats, tables, each on its node. No
 * threads.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "executor/lifecycle.h"

static np_atomic(uint64_t) last_identity;

static np_status no_memory(const char *what)
{
    return npi_fail(NP_ERR_NO_MEMORY, "no memory for %s of an executor", what);
}

static np_status build_seat(npi_node *node, const npi_node_plan *plan, uint32_t seat)
{
    np_executor *executor = node->executor;
    npi_worker *worker = npi_node_seat(node, seat);
    npi_child *slots = npi_arena_alloc(&node->arena, NPI_DEQUE_CAPACITY * sizeof *slots,
                                       NPI_CACHE_LINE);
    size_t row_bytes = executor->node_count * sizeof(uint64_t);
    np_atomic(uint64_t) *row = npi_arena_alloc(&node->arena, row_bytes, NPI_FALSE_SHARING);
    np_atomic(uint64_t) *exiled = npi_arena_alloc(&node->arena, row_bytes, NPI_CACHE_LINE);
    if (slots == NULL || row == NULL || exiled == NULL)
        return no_memory("the workers");
    npi_deque_init(&worker->deque, slots);
    npi_queue_init(&worker->queue, &node->arena, &node->pool, 0);
    worker->counters.ran_from = row;
    worker->counters.exiled = exiled;
    worker->data.nodes = executor->node_count;
    worker->data.arena = &node->arena;
    worker->executor = executor;
    worker->node = node;
    worker->seat = seat;
    worker->spin.longest_ns = executor->settings.spin_ns;
    worker->spin.now_ns = executor->settings.spin_ns;
    worker->cpu = NP_CPU_NONE;
    worker->cpu_now = NP_CPU_NONE;
    if (seat < node->regular) {
        worker->kind = NP_WORKER_REGULAR;
        if (plan->worker_cpu != NULL)
            worker->cpu = worker->cpu_now = plan->worker_cpu[seat];
    } else {
        worker->kind = seat < node->regular + node->spares ? NP_WORKER_SPARE : NP_WORKER_GUEST;
    }
    return NP_OK;
}

/* Seats are sorted by cache, so cache-mates are neighbours. */
static void find_cache_mates(npi_node *node)
{
    const np_topology *topology = node->executor->topology;
    const int32_t *cpus;
    uint32_t count = npi_topology_node_cpu_list(topology, node->index, &cpus);
    node->one_cache = true;
    int32_t cache = count > 0 ? npi_topology_cpu(topology, cpus[0])->last_cache : -1;
    for (uint32_t i = 1; i < count; i++)
        if (npi_topology_cpu(topology, cpus[i])->last_cache != cache)
            node->one_cache = false;
    for (uint32_t seat = 0; seat < node->regular; seat++) {
        npi_worker *worker = npi_node_seat(node, seat);
        if (node->one_cache || worker->cpu == NP_CPU_NONE) {
            worker->cache_begin = 0;
            worker->cache_end = node->one_cache ? node->regular : 0;
            continue;
        }
        int32_t own = npi_topology_cpu(topology, worker->cpu)->last_cache;
        uint32_t begin = seat, end = seat + 1;
        while (begin > 0 &&
               npi_topology_cpu(topology, npi_node_seat(node, begin - 1)->cpu)->last_cache == own)
            begin--;
        while (end < node->regular &&
               npi_topology_cpu(topology, npi_node_seat(node, end)->cpu)->last_cache == own)
            end++;
        worker->cache_begin = begin;
        worker->cache_end = end;
    }
}

static np_status build_node(np_executor *executor, np_node_index index, const npi_plan *plan)
{
    const npi_node_plan *node_plan = &plan->nodes[index];
    const np_node_info *info = npi_topology_node(executor->topology, index);
    npi_node *node = npi_alloc(sizeof *node, NPI_FALSE_SHARING);
    if (node == NULL)
        return no_memory("the nodes");
    executor->nodes[index] = node;
    node->executor = executor;
    node->id = info->id;
    node->index = index;
    node->regular = node_plan->workers;
    node->cpus = node_plan->cpus;
    node->home_cpus = node_plan->cpus;
    npi_atomic_init(&node->state, (uint32_t)NPI_NODE_HERE);
    npi_atomic_init(&node->place, index);
    /* Half of what it could run at once: the other half is for those who make the work. */
    uint32_t cpus = np_cpu_set_count(&node->cpus);
    node->spinners = cpus > 3 ? cpus / 2 : 1;
    if (node->regular != 0) {
        node->spares = plan->settings.spare_workers;
        node->guests = plan->settings.guest_workers;
    }
    bool bind = !npi_topology_is_virtual(executor->topology) && info->memory_allowed;
    npi_arena_init(&node->arena, node->id, bind);
    npi_segment_pool_init(&node->pool, &node->arena, NPI_SEGMENT_BYTES);
    npi_inbox_init(&node->inbox, &node->arena, &node->pool,
                   plan->settings.public_options.inbox_capacity);
    uint32_t seats = node->regular + node->spares + node->guests;
    npi_sleepers_init(&node->sleepers, seats, node->regular);
    npi_gate_init(node);
    if (seats == 0)
        return NP_OK;
    node->seats = npi_arena_alloc(&node->arena, seats * sizeof *node->seats, NPI_FALSE_SHARING);
    if (node->seats == NULL)
        return no_memory("the seats");
    for (uint32_t seat = 0; seat < seats; seat++) {
        np_status status = build_seat(node, node_plan, seat);
        if (status != NP_OK)
            return status;
    }
    find_cache_mates(node);
    return NP_OK;
}

/* The nodes with workers by closeness; a node without workers keeps those that serve its data. */
static np_status build_order(np_executor *executor, npi_node *node, np_node_index *scratch)
{
    node->order = npi_alloc_array(executor->node_count, sizeof *node->order, 0);
    node->order_tier = npi_alloc_array(executor->node_count, sizeof *node->order_tier, 0);
    if (node->order == NULL || node->order_tier == NULL)
        return no_memory("the victim orders");
    npi_topology_node_order(executor->topology, node->index, scratch);
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *other = executor->nodes[scratch[i]];
        if (other->regular == 0)
            continue;
        node->order[node->order_count] = other;
        node->order_tier[node->order_count++] = (uint8_t)npi_topology_node_tier_at(
            executor->topology, node->index, other->index);
    }
    bool leaves = executor->settings.public_options.steal_policy != NP_STEAL_LOCAL_ONLY;
    node->reach = leaves ? node->order_count : 1;
    return NP_OK;
}

static void find_only_node(np_executor *executor)
{
    uint32_t working = 0;
    for (uint32_t i = 0; i < executor->node_count; i++) {
        if (executor->nodes[i]->regular == 0)
            continue;
        executor->only_node = executor->nodes[i];
        working++;
    }
    if (working != 1)
        executor->only_node = NULL;
}

static np_status build_tables(np_executor *executor)
{
    np_node_id last = npi_topology_node(executor->topology, executor->node_count - 1)->id;
    executor->by_id_count = (uint32_t)last + 1;
    executor->by_id = npi_alloc_array(executor->by_id_count, sizeof *executor->by_id, 0);
    if (executor->by_id == NULL)
        return no_memory("the node table");
    for (uint32_t i = 0; i < executor->by_id_count; i++)
        executor->by_id[i] = NP_NODE_INDEX_NONE;
    np_node_index *scratch = npi_alloc_array(executor->node_count, sizeof *scratch, 0);
    np_status status = scratch == NULL ? no_memory("the victim orders") : NP_OK;
    for (uint32_t i = 0; status == NP_OK && i < executor->node_count; i++) {
        executor->by_id[executor->nodes[i]->id] = i;
        status = build_order(executor, executor->nodes[i], scratch);
    }
    npi_free_array(scratch, executor->node_count, sizeof *scratch);
    find_only_node(executor);
    return status;
}

/* Worker indices: regular ones node by node, then spare ones, then guests. */
static np_status number_workers(np_executor *executor)
{
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        executor->regular_count += node->regular;
        executor->seat_count += node->regular + node->spares + node->guests;
    }
    executor->seats = npi_alloc_array(executor->seat_count, sizeof *executor->seats, 0);
    if (executor->seats == NULL)
        return no_memory("the seats");
    static const char kind_letter[] = {'w', 's', 'g'};
    uint32_t index = 0;
    for (int kind = NP_WORKER_REGULAR; kind <= NP_WORKER_GUEST; kind++) {
        for (uint32_t i = 0; i < executor->node_count; i++) {
            npi_node *node = executor->nodes[i];
            uint32_t rank = 0;
            for (uint32_t seat = 0; seat < node->regular + node->spares + node->guests; seat++) {
                npi_worker *worker = npi_node_seat(node, seat);
                if ((int)worker->kind != kind)
                    continue;
                char name[64];
                snprintf(name, sizeof name, "%s-n%d%c%u", executor->settings.thread_name,
                         (int)node->id, kind_letter[kind], rank++);
                memcpy(worker->name, name, sizeof worker->name - 1);
                npi_random_seed(&worker->random, executor->identity << 20 | index);
                worker->index = index;
                executor->seats[index++] = worker;
            }
        }
    }
    return NP_OK;
}

/* What a watchdog needs, and the bit that sends workers to it. There are no threads yet. */
static np_status build_watchdog(np_executor *executor)
{
    npi_watchdog *watchdog = &executor->watchdog;
    if (executor->settings.watchdog_ns == 0)
        return NP_OK;
    npi_lock_init(&watchdog->lock);
    watchdog->entries = npi_alloc_array(executor->seat_count, sizeof *watchdog->entries, 0);
    if (watchdog->entries == NULL)
        return no_memory("the watchdog");
    npi_store_relaxed(&executor->attention, (uint32_t)NPI_ATTENTION_WATCHED);
    return NP_OK;
}

np_status npi_executor_build(const np_topology *topology, const npi_plan *plan, np_executor **out)
{
    np_executor *executor = npi_alloc(sizeof *executor, NPI_FALSE_SHARING);
    if (executor == NULL)
        return no_memory("the handle");
    /* Relaxed: only has to be unique. */
    executor->identity = npi_fetch_add_relaxed(&last_identity, (uint64_t)1) + 1;
    executor->created_ns = npi_os_now();
    executor->process = npi_os_process_generation();
    executor->settings = plan->settings;
    executor->node_count = plan->node_count;
    np_status status = npi_topology_clone(topology, &executor->topology);
    if (status == NP_OK) {
        executor->is_virtual = npi_topology_is_virtual(executor->topology);
        executor->nodes = npi_alloc_array(plan->node_count, sizeof *executor->nodes, 0);
        if (executor->nodes == NULL)
            status = no_memory("the nodes");
    }
    for (uint32_t i = 0; status == NP_OK && i < plan->node_count; i++)
        status = build_node(executor, i, plan);
    if (status == NP_OK)
        status = build_tables(executor);
    if (status == NP_OK)
        status = number_workers(executor);
    if (status == NP_OK)
        status = build_watchdog(executor);
    if (status != NP_OK) {
        npi_executor_free(executor);
        return status;
    }
    *out = executor;
    return NP_OK;
}

static void free_node(np_executor *executor, npi_node *node)
{
    npi_free_array(node->order, executor->node_count, sizeof *node->order);
    npi_free_array(node->order_tier, executor->node_count, sizeof *node->order_tier);
    npi_arena_destroy(&node->arena);
    npi_free(node, sizeof *node);
}

void npi_executor_free(np_executor *executor)
{
    npi_watcher_free(executor);
    npi_free_array(executor->watchdog.entries, executor->seat_count,
                   sizeof *executor->watchdog.entries);
    npi_free_array(executor->seats, executor->seat_count, sizeof *executor->seats);
    npi_free_array(executor->by_id, executor->by_id_count, sizeof *executor->by_id);
    for (uint32_t i = 0; executor->nodes != NULL && i < executor->node_count; i++)
        if (executor->nodes[i] != NULL)
            free_node(executor, executor->nodes[i]);
    npi_free_array(executor->nodes, executor->node_count, sizeof *executor->nodes);
    np_topology_destroy(executor->topology);
    npi_free(executor, sizeof *executor);
}
