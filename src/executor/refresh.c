/*
 * executor/refresh.c - following a change of what the process may use.
 *
 * The kernel moves threads when CPUs go and does not move them back; a refresh reads what may be
 * used now and binds every worker's thread anew, from outside, so that it need not wait for the
 * task at hand. One at a time, under change_lock, which also protects what is written here: the
 * nodes' CPUs, places and states and the workers' bindings. The threads it binds are alive: they
 * leave after npi_refresh_stop, which takes the lock as well.
 *
 * A node without CPUs is gone (executor.h). Its workers stay its workers: they go on with its
 * queues on the nearest node's CPUs, so that nothing has to be moved between queues, nobody else
 * has to look there, and no wake-up can be lost on the way. What must not leave its home they leave
 * lying (npi_node_kinds), and wake nobody for it. Hence the order of the steps:
 *
 *   a node goes     state GONE, then its threads are bound elsewhere
 *   a node is back  its threads are bound to it, then state HERE, then all its workers are woken
 *
 *      a submit of a strict task           the node comes back
 *      -------------------------           -------------------
 *      makes the task findable             state HERE
 *      FENCE (light)                       FENCE (heavy)
 *      looks at the state: GONE,           wakes all workers, which look at every source
 *      wakes nobody
 */
#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "executor/lifecycle.h"

/* How often it begins again when the CPUs change under it. */
#define ATTEMPTS 4u

static bool is_used(const npi_node *node)
{
    return node->regular != 0;
}

/* --- which CPUs ---------------------------------------------------------------------------- */

static void usable_cpus(np_executor *executor, np_node_index index, const np_cpu_set *allowed,
                        np_cpu_set *out)
{
    np_cpu_set present;
    npi_topology_node_cpus_now(executor->topology, index, &present);
    np_cpu_set_and(out, &present, allowed);
}

static void look_at_homes(np_executor *executor, const np_cpu_set *allowed)
{
    const npi_settings *settings = &executor->settings;
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        if (!is_used(node))
            continue;
        usable_cpus(executor, i, allowed, &node->home_cpus);
        if (settings->chosen_cpus)
            np_cpu_set_and(&node->home_cpus, &node->home_cpus, &settings->cpus);
    }
}

static bool is_nearer(np_executor *executor, np_node_index from, np_node_index a, np_node_index b)
{
    const np_topology *topology = executor->topology;
    np_tier tier_a = npi_topology_node_tier_at(topology, from, a);
    np_tier tier_b = npi_topology_node_tier_at(topology, from, b);
    if (tier_a != tier_b)
        return tier_a < tier_b;
    return npi_topology_node_distance(topology, from, a) <
           npi_topology_node_distance(topology, from, b);
}

/* Where the workers of a node without CPUs go: to the nearest node with workers that has some, else
 * to the nearest node that has some, else wherever the process may run. */
static np_node_index find_refuge(npi_node *node, const np_cpu_set *allowed, np_cpu_set *cpus)
{
    np_executor *executor = node->executor;
    for (uint32_t place = 1; place < node->order_count; place++) {
        npi_node *other = node->order[place];
        *cpus = other->home_cpus;
        if (!np_cpu_set_is_empty(cpus))
            return other->index;
    }
    np_node_index best = NP_NODE_INDEX_NONE;
    for (np_node_index i = 0; i < executor->node_count; i++) {
        np_cpu_set usable;
        usable_cpus(executor, i, allowed, &usable);
        if (np_cpu_set_is_empty(&usable) ||
            (best != NP_NODE_INDEX_NONE && !is_nearer(executor, node->index, i, best)))
            continue;
        best = i;
        *cpus = usable;
    }
    if (best != NP_NODE_INDEX_NONE)
        return best;
    *cpus = *allowed;
    return node->index;
}

/* --- threads ------------------------------------------------------------------------------- */

/* True: the kernel refused a set that was right a moment ago. */
static bool bind_workers(npi_node *node, np_refresh_result *result)
{
    bool outdated = false;
    for (uint32_t seat = 0; seat < node->regular + node->spares; seat++) {
        npi_worker *worker = npi_node_seat(node, seat);
        /* Relaxed: written under the lock, or before there was a refresh. */
        uint64_t thread = npi_load_relaxed(&worker->thread_id);
        if (thread == 0)
            continue;
        if (npi_seat_bind(worker, thread)) {
            result->workers_rebound++;
            npi_fetch_add_relaxed(&node->rebound, (uint64_t)1); /* a count */
        }
        outdated |= worker->binding.system_error == EINVAL;
        result->workers_weaker += worker->binding.level != NP_ENFORCEMENT_STRICT;
    }
    return outdated;
}

static void wake_all(npi_node *node)
{
    for (uint32_t seat = 0; seat < node->regular + node->spares + node->guests; seat++)
        npi_token_give(&npi_node_seat(node, seat)->token);
}

/* --- nodes --------------------------------------------------------------------------------- */

/* Release, both: pair with npi_node_state. Who sees a node gone sees `attention`, too. */
static void set_gone(npi_node *node, np_node_index refuge)
{
    np_executor *executor = node->executor;
    /* Set before by whoever shuts down, who comes here afterwards (npi_refresh_closed). */
    bool closed = npi_load_acquire(&executor->closed) != 0;
    npi_fetch_or_acq_rel(&executor->attention, (uint32_t)NPI_ATTENTION_GONE);
    npi_store_relaxed(&node->place, refuge);
    npi_store_release(&node->state, (uint32_t)(closed ? NPI_NODE_ENDING : NPI_NODE_GONE));
}

static void set_here(npi_node *node)
{
    npi_store_relaxed(&node->place, node->index);
    npi_store_release(&node->state, (uint32_t)NPI_NODE_HERE);
}

static void nodes_go(np_executor *executor, const np_cpu_set *allowed, np_refresh_result *result)
{
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        if (!is_used(node))
            continue;
        if (!np_cpu_set_is_empty(&node->home_cpus)) {
            node->cpus = node->home_cpus;
            continue;
        }
        np_node_index refuge = find_refuge(node, allowed, &node->cpus);
        result->nodes_gone++;
        result->nodes_lost += !npi_node_is_gone(node);
        set_gone(node, refuge);
    }
}

static void nodes_return(np_executor *executor, np_refresh_result *result)
{
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        if (!is_used(node) || np_cpu_set_is_empty(&node->home_cpus) || !npi_node_is_gone(node))
            continue;
        set_here(node);
        result->nodes_restored++;
        npi_fence_heavy(); /* the drawing above */
        wake_all(node);
    }
    if (result->nodes_gone == 0)
        npi_fetch_and_acq_rel(&executor->attention, ~(uint32_t)NPI_ATTENTION_GONE);
}

static void look_at_memory(np_executor *executor, np_refresh_result *result)
{
    npi_node_set allowed;
    if (executor->is_virtual || npi_os_allowed_nodes(&allowed) != 0)
        return;
    for (uint32_t i = 0; i < executor->node_count; i++) {
        const np_node_info *info = npi_topology_node(executor->topology, i);
        if (is_used(executor->nodes[i]) && info->memory_allowed && info->memory_bytes != 0 &&
            !npi_node_set_contains(&allowed, info->id))
            result->nodes_without_memory++;
    }
}

/* True: begin again. */
static bool apply(np_executor *executor, const np_cpu_set *allowed, np_refresh_result *result)
{
    bool outdated = false;
    result->workers_weaker = 0;
    result->nodes_gone = 0;
    look_at_homes(executor, allowed);
    nodes_go(executor, allowed, result);
    for (uint32_t i = 0; i < executor->node_count && !executor->is_virtual; i++)
        outdated |= bind_workers(executor->nodes[i], result);
    nodes_return(executor, result);
    return outdated;
}

/* --- the calls ----------------------------------------------------------------------------- */

static np_status read_allowed(np_executor *executor, np_cpu_set *out)
{
    int error = npi_os_thread_affinity_get(0, out);
    if (error == 0)
        return NP_OK;
    (void)executor;
    return npi_fail_errno(NP_ERR_SYSTEM, error, "sched_getaffinity",
                          "what the process may use cannot be read");
}

/* By change_lock. `given` NULL: ask the kernel. */
static np_status refresh(np_executor *executor, const np_cpu_set *given, np_refresh_result *result)
{
    if (npi_load_relaxed(&executor->stopping) != 0) /* written under the lock */
        return npi_fail(NP_ERR_SHUT_DOWN, "the executor is shut down");
    for (unsigned attempt = 0; attempt < ATTEMPTS; attempt++) {
        np_cpu_set allowed;
        np_status status = NP_OK;
        if (given != NULL)
            allowed = *given;
        else
            status = read_allowed(executor, &allowed);
        if (status != NP_OK)
            return status;
        if (!apply(executor, &allowed, result) || given != NULL)
            break;
    }
    look_at_memory(executor, result);
    result->changed = result->workers_rebound + result->nodes_lost + result->nodes_restored != 0;
    return NP_OK;
}

static np_status refresh_and_tell(np_executor *executor, const np_cpu_set *given,
                                  np_refresh_result *out)
{
    np_refresh_result result;
    memset(&result, 0, sizeof result);
    npi_lock_acquire(&executor->change_lock);
    np_status status = refresh(executor, given, &result);
    npi_lock_release(&executor->change_lock);
    if (result.changed)
        npi_diagnose(
            NP_SEVERITY_WARNING,
            "the CPUs that may be used have changed: threads bound anew: %u, bound to less "
            "than asked: %u; nodes lost: %u, restored: %u, without a usable CPU now: %u",
            result.workers_rebound, result.workers_weaker, result.nodes_lost, result.nodes_restored,
            result.nodes_gone);
    if (out != NULL)
        *out = result;
    return status;
}

np_status npi_refresh_within(np_executor *executor, const np_cpu_set *allowed,
                             np_refresh_result *result)
{
    return refresh_and_tell(executor, allowed, result);
}

np_status np_executor_refresh(np_executor *executor, np_refresh_result *result)
{
    if (result != NULL)
        memset(result, 0, sizeof *result);
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (npi_worker_self() != NULL)
        return npi_fail(NP_ERR_FROM_WORKER,
                        "np_executor_refresh: what the calling thread may use is its worker's "
                        "node, not what the process may use");
    if (executor->is_virtual || executor->settings.public_options.binding == NP_BINDING_OFF)
        return NP_OK;
    return refresh_and_tell(executor, NULL, result);
}

/* --- the end ------------------------------------------------------------------------------- */

void npi_refresh_closed(np_executor *executor)
{
    npi_lock_acquire(&executor->change_lock);
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        /* ENDING already: by a refresh that found the door shut, and woke nobody (set_gone). */
        if (!npi_node_is_gone(node))
            continue;
        npi_store_release(&node->state, (uint32_t)NPI_NODE_ENDING);
        /* As for a node that comes back: what wakes nobody now is found by those woken here. */
        npi_fence_heavy();
        wake_all(node);
    }
    npi_lock_release(&executor->change_lock);
}

void npi_refresh_stop(np_executor *executor)
{
    npi_lock_acquire(&executor->change_lock);
    npi_store_release(&executor->stopping, 1u);
    for (uint32_t i = 0; i < executor->node_count; i++)
        npi_store_release(&executor->nodes[i]->state, (uint32_t)NPI_NODE_STOPPING);
    npi_lock_release(&executor->change_lock);
}
