/*
 * tests/machines/check_topology.c - see check_topology.h. What is printed is in check_words.c.
 *
 * The conditions are written from the public header and not from the library's code: everything is
 * asked again through the public functions, the long way.
 */
#include "check_topology.h"

#include <stdlib.h>
#include <string.h>

#include "executor/lifecycle.h"
#include "quiet.h"
#include "topology/topology_internal.h"

/* On larger machines every k-th row of the quadratic checks must do. */
#define ROWS_MOST 96u

static uint32_t row_step(const np_topology *topology)
{
    return np_topology_node_count(topology) / ROWS_MOST + 1u;
}

void npt_check_refusal(np_status status, const void *out, const void *before, const char *what)
{
    if (status == NP_OK)
        NPT_FAIL("%s: accepted", what);
    if (strcmp(np_status_name(status), "NP_ERR_UNKNOWN") == 0)
        NPT_FAIL("%s: %d is no status", what, (int)status);
    if (np_error_detail()[0] == '\0')
        NPT_FAIL("%s: %s without a detail", what, np_status_name(status));
    if (out != before)
        NPT_FAIL("%s: the output was touched by a call that failed", what);
}

/* --- parts ------------------------------------------------------------------------------- */

static void check_unknown(const np_topology *topology, np_node_id node, int32_t cpu)
{
    np_node_info node_info, node_before;
    np_cpu_info cpu_info, cpu_before;
    np_cpu_set set, set_before;
    uint32_t number = 77;
    size_t count = 77;
    np_node_id order[1];
    memset(&node_info, 0x5a, sizeof node_info);
    memset(&cpu_info, 0x5a, sizeof cpu_info);
    memset(&set, 0x5a, sizeof set);
    node_before = node_info;
    cpu_before = cpu_info;
    set_before = set;
    np_node_id first = np_topology_node_id(topology, 0);
    if (np_topology_node_index(topology, node) == NP_NODE_INDEX_NONE) {
        NPT_CHECK(np_topology_node_info(topology, node, &node_info) == NP_ERR_INVALID_NODE);
        /* Every byte, padding too. NOLINTNEXTLINE(bugprone-suspicious-memory-comparison,cert-*) */
        NPT_CHECK(memcmp(&node_info, &node_before, sizeof node_info) == 0);
        NPT_CHECK(np_topology_node_cpus(topology, node, &set) == NP_ERR_INVALID_NODE);
        NPT_CHECK(memcmp(&set, &set_before, sizeof set) == 0);
        NPT_CHECK(np_topology_distance(topology, first, node, &number) == NP_ERR_INVALID_NODE);
        NPT_CHECK(np_topology_distance(topology, node, first, &number) == NP_ERR_INVALID_NODE);
        NPT_CHECK(np_topology_nodes_by_distance(topology, node, order, 1, &count) ==
                  NP_ERR_INVALID_NODE);
        NPT_CHECK(number == 77 && count == 77 && np_error_detail()[0] != '\0');
        NPT_CHECK(np_topology_node_tier(topology, node, first) == NP_TIER_REMOTE);
    }
    np_cpu_set_clear(&set);
    NPT_CHECK(np_topology_cpus(topology, &set) == NP_OK);
    if (!np_cpu_set_contains(&set, cpu)) {
        NPT_CHECK(np_topology_cpu_info(topology, cpu, &cpu_info) == NP_ERR_NOT_FOUND);
        NPT_CHECK(memcmp(&cpu_info, &cpu_before, sizeof cpu_info) == 0);
        NPT_CHECK(np_topology_cpu_node(topology, cpu) == NP_NODE_ID_NONE);
        NPT_CHECK(np_topology_cpu_tier(topology, cpu, np_cpu_set_first(&set)) == NP_TIER_REMOTE);
    }
}

/* The list that workers are bound by: all of the node's CPUs, and first one per core. */
static void check_list(const np_topology *topology, np_node_index index, const np_cpu_set *cpus,
                       uint32_t cores)
{
    const int32_t *list = NULL;
    uint32_t count = npi_topology_node_cpu_list(topology, index, &list);
    np_cpu_set listed, seen_cores;
    np_cpu_set_clear(&listed);
    np_cpu_set_clear(&seen_cores);
    NPT_CHECK(count == np_cpu_set_count(cpus));
    for (uint32_t i = 0; i < count; i++) {
        np_cpu_info info;
        NPT_CHECK(np_topology_cpu_info(topology, list[i], &info) == NP_OK);
        NPT_CHECK(i >= cores || !np_cpu_set_contains(&seen_cores, info.core));
        (void)np_cpu_set_add(&seen_cores, info.core);
        (void)np_cpu_set_add(&listed, list[i]);
    }
    NPT_CHECK(np_cpu_set_equal(&listed, cpus) && np_cpu_set_count(&seen_cores) == cores);
}

static void check_node(const np_topology *topology, np_node_index index, const np_cpu_set *all,
                       np_cpu_set *claimed)
{
    np_node_id id = np_topology_node_id(topology, index);
    np_node_info info;
    np_cpu_set cpus, common;
    uint64_t memory = 0;
    NPT_CHECK(id >= 0);
    NPT_CHECK(index == 0 || id > np_topology_node_id(topology, index - 1));
    NPT_CHECK(np_topology_node_index(topology, id) == index);
    NPT_CHECK(np_topology_node_info(topology, id, &info) == NP_OK);
    NPT_CHECK(np_topology_node_cpus(topology, id, &cpus) == NP_OK);
    NPT_CHECK(info.id == id && info.index == index);
    NPT_CHECK(info.cpu_count == np_cpu_set_count(&cpus));
    NPT_CHECK(np_cpu_set_is_subset(&cpus, all));
    np_cpu_set_and(&common, &cpus, claimed);
    if (!np_cpu_set_is_empty(&common))
        NPT_FAIL("CPU %d is in two nodes, one of them %d", np_cpu_set_first(&common), id);
    np_cpu_set_or(claimed, claimed, &cpus);
    NPT_CHECK(info.core_count <= info.cpu_count && (info.core_count == 0) == (info.cpu_count == 0));
    NPT_CHECK(info.socket >= -1 && info.socket < (int32_t)np_topology_socket_count(topology));
    NPT_CHECK(info.cpu_count > 0 || (info.memory_allowed && info.memory_bytes > 0));
    if (np_topology_is_virtual(topology))
        NPT_CHECK(np_topology_node_free_memory(topology, id, &memory) == NP_OK &&
                  memory == info.memory_bytes);
    for (int32_t cpu = np_cpu_set_first(&cpus); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&cpus, cpu))
        NPT_CHECK(np_topology_cpu_node(topology, cpu) == id);
    check_list(topology, index, &cpus, info.core_count);
}

/* Ranks are dense: every core below the count has exactly one thread 0. */
static void check_cpus(const np_topology *topology, const np_cpu_set *all,
                       const np_cpu_set *claimed)
{
    uint32_t cores = np_topology_core_count(topology);
    uint32_t *threads = calloc(cores, sizeof *threads);
    NPT_CHECK(threads != NULL && cores > 0 && cores <= np_topology_cpu_count(topology));
    int32_t before = NP_CPU_NONE;
    for (int32_t cpu = np_cpu_set_first(all); cpu != NP_CPU_NONE; cpu = np_cpu_set_next(all, cpu)) {
        np_cpu_info info;
        NPT_CHECK(np_topology_cpu_info(topology, cpu, &info) == NP_OK);
        NPT_CHECK(info.cpu == cpu && info.node == np_topology_cpu_node(topology, cpu));
        NPT_CHECK((info.node == NP_NODE_ID_NONE) != np_cpu_set_contains(claimed, cpu));
        NPT_CHECK(info.core >= 0 && (uint32_t)info.core < cores);
        NPT_CHECK(info.thread >= 0 && (uint32_t)info.thread == threads[info.core]);
        threads[info.core]++;
        NPT_CHECK(info.last_cache >= -1 && info.socket >= -1 &&
                  info.socket < (int32_t)np_topology_socket_count(topology));
        NPT_CHECK(np_topology_cpu_tier(topology, cpu, cpu) == NP_TIER_CACHE);
        if (before != NP_CPU_NONE) {
            np_cpu_info other;
            NPT_CHECK(np_topology_cpu_info(topology, before, &other) == NP_OK);
            np_tier tier = np_topology_cpu_tier(topology, cpu, before);
            bool same_node = info.node == other.node && info.node != NP_NODE_ID_NONE;
            NPT_CHECK((tier <= NP_TIER_NODE) == same_node);
            NPT_CHECK(tier != NP_TIER_CACHE || info.last_cache == other.last_cache);
        }
        before = cpu;
    }
    for (uint32_t core = 0; core < cores; core++)
        NPT_CHECK(threads[core] > 0);
    free(threads);
}

void npt_check_parts(const np_topology *topology)
{
    uint32_t nodes = np_topology_node_count(topology);
    np_cpu_set all, claimed;
    np_cpu_set_clear(&claimed);
    NPT_CHECK(nodes > 0 && nodes <= 1024);
    NPT_CHECK(np_topology_cpus(topology, &all) == NP_OK);
    NPT_CHECK(!np_cpu_set_is_empty(&all));
    NPT_CHECK(np_cpu_set_count(&all) == np_topology_cpu_count(topology));
    for (np_node_index i = 0; i < nodes; i++)
        check_node(topology, i, &all, &claimed);
    check_cpus(topology, &all, &claimed);
    NPT_CHECK(np_topology_node_id(topology, nodes) == NP_NODE_ID_NONE);
    static const int32_t strange[] = {-1, -2, INT32_MIN, 0, 1, 8191, 8192, INT32_MAX};
    for (size_t i = 0; i < sizeof strange / sizeof strange[0]; i++)
        check_unknown(topology, strange[i], strange[i]);
}

/* --- the order of victims ---------------------------------------------------------------- */

static uint32_t distance(const np_topology *topology, np_node_id from, np_node_id to)
{
    uint32_t value = 0;
    NPT_CHECK(np_topology_distance(topology, from, to, &value) == NP_OK);
    return value;
}

static void check_row(const np_topology *topology, np_node_id from, np_node_id *order, bool *seen)
{
    uint32_t nodes = np_topology_node_count(topology);
    bool assumed = np_topology_distance_source(topology) == NP_DISTANCE_ASSUMED;
    uint32_t own = distance(topology, from, from);
    size_t count = 0;
    np_node_id nearest = NP_NODE_ID_NONE;
    np_node_info info;
    memset(order, 0x5a, (nodes + 1) * sizeof *order);
    NPT_CHECK(np_topology_nodes_by_distance(topology, from, order, nodes, &count) == NP_OK);
    NPT_CHECK(count == nodes && order[0] == from && order[nodes] == 0x5a5a5a5a);
    memset(seen, 0, nodes * sizeof *seen);
    for (uint32_t k = 0; k < nodes; k++) {
        np_node_index index = np_topology_node_index(topology, order[k]);
        NPT_CHECK(index < nodes && !seen[index]);
        seen[index] = true;
        uint32_t far = distance(topology, from, order[k]);
        NPT_CHECK(far >= 10 && far <= 255 && far >= own);
        np_tier tier = np_topology_node_tier(topology, from, order[k]);
        NPT_CHECK(k == 0 ? tier == NP_TIER_NODE : tier == NP_TIER_SOCKET || tier == NP_TIER_REMOTE);
        if (assumed)
            NPT_CHECK(distance(topology, order[k], from) == far &&
                      (k == 0 ? far == 10 : far == 12 || far == 20));
        NPT_CHECK(np_topology_node_info(topology, order[k], &info) == NP_OK);
        if (nearest == NP_NODE_ID_NONE && info.cpu_count > 0)
            nearest = order[k];
        if (k == 0)
            continue;
        np_tier near_tier = np_topology_node_tier(topology, from, order[k - 1]);
        uint32_t near = distance(topology, from, order[k - 1]);
        bool ascending = near_tier < tier || (near_tier == tier && near < far) ||
                         (near_tier == tier && near == far && order[k - 1] < order[k]);
        if (!ascending)
            NPT_FAIL("from node %d: node %d stands before node %d", from, order[k - 1], order[k]);
    }
    NPT_CHECK(np_topology_node_info(topology, from, &info) == NP_OK);
    NPT_CHECK(info.nearest_cpus == nearest);
}

void npt_check_order(const np_topology *topology)
{
    uint32_t nodes = np_topology_node_count(topology);
    np_node_id *order = calloc(nodes + 1u, sizeof *order);
    bool *seen = calloc(nodes, sizeof *seen);
    NPT_CHECK(order != NULL && seen != NULL);
    for (np_node_index i = 0; i < nodes; i += row_step(topology))
        check_row(topology, np_topology_node_id(topology, i), order, seen);
    free(order);
    free(seen);
}

/* --- the plan of an executor ------------------------------------------------------------- */

static void check_node_plan(const np_topology *topology, np_node_index index,
                            const npi_node_plan *plan, bool per_cpu)
{
    np_cpu_set cpus;
    np_node_id id = np_topology_node_id(topology, index);
    NPT_CHECK(np_topology_node_cpus(topology, id, &cpus) == NP_OK);
    uint32_t count = np_cpu_set_count(&cpus);
    NPT_CHECK((plan->workers > 0) == (count > 0));
    NPT_CHECK(plan->workers <= NP_MAX_WORKERS_PER_NODE);
    NPT_CHECK(count == 0 || np_cpu_set_equal(&plan->cpus, &cpus));
    NPT_CHECK((plan->worker_cpu != NULL) == (per_cpu && count > 0));
    for (uint32_t i = 0; plan->worker_cpu != NULL && i < plan->workers; i++)
        NPT_CHECK(np_cpu_set_contains(&cpus, plan->worker_cpu[i]));
}

void npt_check_plan(const np_topology *topology)
{
    uint32_t nodes = np_topology_node_count(topology);
    bool any = false;
    for (np_node_index i = 0; i < nodes; i++) {
        np_node_info info;
        NPT_CHECK(np_topology_node_info(topology, np_topology_node_id(topology, i), &info) ==
                  NP_OK);
        any = any || info.cpu_count > 0;
    }
    for (int per_cpu = 0; per_cpu < 2; per_cpu++) {
        np_executor_options given;
        npi_options options;
        npi_plan plan;
        np_executor_options_init(&given);
        given.ignore_environment = true;
        given.binding = per_cpu != 0 ? NP_BINDING_CPU : NP_BINDING_NODE;
        given.worker_per = per_cpu != 0 ? NP_WORKER_PER_CORE : NP_WORKER_PER_THREAD;
        NPT_CHECK(npi_options_read(&given, &options) == NP_OK);
        np_status status = npi_plan_make(topology, &options, &plan);
        npi_options_release(&options);
        if (!any) {
            npt_check_refusal(status, NULL, NULL, "a plan for nodes without CPUs");
            continue;
        }
        if (status != NP_OK)
            NPT_FAIL("no plan: %s", np_error_detail());
        NPT_CHECK(plan.node_count == nodes);
        for (np_node_index i = 0; i < nodes; i++)
            check_node_plan(topology, i, &plan.nodes[i], per_cpu != 0);
        npi_plan_destroy(&plan);
    }
}

/* --- two of them ------------------------------------------------------------------------- */

void npt_check_same(const np_topology *a, const np_topology *b, bool distances, const char *what)
{
    uint32_t nodes = np_topology_node_count(a);
    np_cpu_set left, right;
    if (nodes != np_topology_node_count(b))
        NPT_FAIL("%s: %u and %u nodes", what, nodes, np_topology_node_count(b));
    NPT_CHECK(np_topology_cpus(a, &left) == NP_OK && np_topology_cpus(b, &right) == NP_OK);
    if (!np_cpu_set_equal(&left, &right))
        NPT_FAIL("%s: not the same CPUs", what);
    for (np_node_index i = 0; i < nodes; i++) {
        np_node_id id = np_topology_node_id(a, i);
        np_node_info one, other;
        if (np_topology_node_id(b, i) != id)
            NPT_FAIL("%s: nodes %d and %d", what, id, np_topology_node_id(b, i));
        NPT_CHECK(np_topology_node_info(a, id, &one) == NP_OK);
        NPT_CHECK(np_topology_node_info(b, id, &other) == NP_OK);
        NPT_CHECK(np_topology_node_cpus(a, id, &left) == NP_OK);
        NPT_CHECK(np_topology_node_cpus(b, id, &right) == NP_OK);
        if (!np_cpu_set_equal(&left, &right))
            NPT_FAIL("%s: not the same CPUs on node %d (%u and %u)", what, id, one.cpu_count,
                     other.cpu_count);
        if (one.memory_bytes != other.memory_bytes || one.memory_allowed != other.memory_allowed)
            NPT_FAIL("%s: not the same memory on node %d", what, id);
        for (np_node_index j = 0; distances && j < nodes; j += row_step(a)) {
            np_node_id to = np_topology_node_id(a, j);
            if (distance(a, id, to) != distance(b, id, to))
                NPT_FAIL("%s: from node %d to %d distance %u and %u", what, id, to,
                         distance(a, id, to), distance(b, id, to));
        }
    }
}

void npt_check_topology(const np_topology *topology)
{
    npt_check_parts(topology);
    npt_check_order(topology);
    npt_check_words(topology);
    npt_check_plan(topology);
}
