/*
 * executor/plan.c - who works where: from a topology and checked options to a number of workers per
 * node and a CPU for each. Starts nothing. The thread that creates the executor is the only one
 * here.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "executor/lifecycle.h"

/* Who named what is looked for on this machine: the program in a field or the user in a variable.
 */
typedef struct origin {
    bool environment;
    char name[160];
} origin;

static origin origin_of(const char *field, const char *variable, const char *text)
{
    origin from = {.environment = text != NULL};
    if (from.environment)
        (void)snprintf(from.name, sizeof from.name, "%s=\"%.96s\"", variable, text);
    else
        (void)snprintf(from.name, sizeof from.name, "np_executor_options.%s", field);
    return from;
}

static origin node_workers_origin(const npi_options *read)
{
    return origin_of("node_workers", "NUMAPERF_NODE_WORKERS", read->node_workers_text);
}

/* The failure as the program is to see it: a variable is not its mistake. */
static np_status blame(const origin *from, np_status failure)
{
    return from->environment ? NP_ERR_ENVIRONMENT : failure;
}

/* Marks the nodes that take part; all of them when none is named. */
static np_status choose_nodes(const np_topology *topology, const npi_options *read, bool *chosen)
{
    const np_executor_options *options = &read->values;
    const origin from = origin_of("nodes", "NUMAPERF_NODES", read->nodes_text);
    uint32_t count = np_topology_node_count(topology);
    for (uint32_t i = 0; i < count; i++)
        chosen[i] = options->node_count == 0;
    for (size_t i = 0; i < options->node_count; i++) {
        np_node_id id = options->nodes[i];
        np_node_index index = npi_topology_node_index(topology, id);
        if (index == NP_NODE_INDEX_NONE)
            return blame(&from, npi_topology_no_node(topology, from.name, id));
        if (npi_topology_node(topology, index)->cpu_count == 0)
            return blame(&from, npi_fail(NP_ERR_NODE_HAS_NO_WORKER,
                                         "%s: node %d has no CPU this process may use", from.name,
                                         (int)id));
        chosen[index] = true;
    }
    return NP_OK;
}

static np_status check_cpus(const np_topology *topology, const npi_options *read)
{
    const np_cpu_set *cpus = read->values.cpus;
    np_cpu_set allowed, outside;
    if (cpus == NULL)
        return NP_OK;
    np_status status = np_topology_cpus(topology, &allowed);
    if (status != NP_OK)
        return status;
    if (np_cpu_set_is_subset(cpus, &allowed))
        return NP_OK;
    char text[128];
    np_cpu_set_and_not(&outside, cpus, &allowed);
    (void)np_cpu_set_print(&outside, text, sizeof text);
    const origin from = origin_of("cpus", "NUMAPERF_CPUS", read->cpus_text);
    return blame(&from, npi_fail(NP_ERR_INVALID_ARGUMENT, "%s: this process may not use CPU %s",
                                 from.name, text));
}

/* The CPUs of the node that workers may use, best first; `list` has room for all of the node's.
 * Returns their number; *cores how many of them, at the front, lie on different cores. */
static uint32_t usable_cpus(const np_topology *topology, np_node_index index,
                            const np_cpu_set *subset, int32_t *list, uint32_t *cores)
{
    const int32_t *all;
    uint32_t count = npi_topology_node_cpu_list(topology, index, &all);
    uint32_t used = 0;
    /* The topology lists one thread per core first; with a subset the order must be made anew. */
    for (uint32_t pass = 0; pass < 2; pass++) {
        for (uint32_t i = 0; i < count; i++) {
            if (subset != NULL && !np_cpu_set_contains(subset, all[i]))
                continue;
            bool first = true;
            for (uint32_t j = 0; j < i && first; j++)
                first = (subset != NULL && !np_cpu_set_contains(subset, all[j])) ||
                        npi_topology_cpu(topology, all[j])->core !=
                            npi_topology_cpu(topology, all[i])->core;
            if (first == (pass == 0))
                list[used++] = all[i];
        }
        if (pass == 0)
            *cores = used;
    }
    return used;
}

static bool comes_later(const np_topology *topology, int32_t a, int32_t b)
{
    int32_t cache_a = npi_topology_cpu(topology, a)->last_cache;
    int32_t cache_b = npi_topology_cpu(topology, b)->last_cache;
    return cache_a != cache_b ? cache_a > cache_b : a > b;
}

/* So that seats whose CPUs share a cache are neighbours. Insertion sort: at most 1,024, once. */
static void sort_by_cache(const np_topology *topology, int32_t *cpus, uint32_t count)
{
    for (uint32_t i = 1; i < count; i++) {
        int32_t cpu = cpus[i];
        uint32_t j = i;
        for (; j > 0 && comes_later(topology, cpus[j - 1], cpu); j--)
            cpus[j] = cpus[j - 1];
        cpus[j] = cpu;
    }
}

/* What was asked for on this node; 0: the default. */
static uint32_t asked_workers(const np_executor_options *options, np_node_id id, bool *named)
{
    *named = false;
    for (size_t i = 0; i < options->node_workers_count; i++) {
        if (options->node_workers[i].node == id) {
            *named = true;
            return options->node_workers[i].workers;
        }
    }
    return options->workers_per_node;
}

static np_status check_node_workers(const np_topology *topology, const npi_options *read)
{
    const np_executor_options *options = &read->values;
    const origin from = node_workers_origin(read);
    for (size_t i = 0; i < options->node_workers_count; i++) {
        const np_node_workers *entry = &options->node_workers[i];
        if (npi_topology_node_index(topology, entry->node) == NP_NODE_INDEX_NONE)
            return blame(&from, npi_topology_no_node(topology, from.name, entry->node));
        if (entry->workers != NP_WORKERS_NONE && entry->workers > NP_MAX_WORKERS_PER_NODE)
            return npi_fail(NP_ERR_INVALID_ARGUMENT,
                            "np_executor_options.node_workers: %u workers on node %d, at most %u",
                            entry->workers, (int)entry->node, NP_MAX_WORKERS_PER_NODE);
        for (size_t j = 0; j < i; j++)
            if (options->node_workers[j].node == entry->node)
                return blame(&from, npi_fail(NP_ERR_INVALID_ARGUMENT, "%s names node %d twice",
                                             from.name, (int)entry->node));
    }
    return NP_OK;
}

static np_status plan_node(const np_topology *topology, const npi_options *read,
                           np_node_index index, npi_node_plan *plan, bool *by_default)
{
    const np_executor_options *options = &read->values;
    const np_node_info *info = npi_topology_node(topology, index);
    bool named;
    uint32_t asked = asked_workers(options, info->id, &named);
    *by_default = false;
    if (asked == NP_WORKERS_NONE)
        return NP_OK;
    int32_t *cpus = npi_alloc_array(info->cpu_count, sizeof *cpus, 0);
    if (cpus == NULL)
        return npi_fail_memory(info->cpu_count * sizeof *cpus, "a list of CPUs");
    uint32_t cores = 0;
    uint32_t count = usable_cpus(topology, index, options->cpus, cpus, &cores);
    np_cpu_set_clear(&plan->cpus);
    for (uint32_t i = 0; i < count; i++)
        (void)np_cpu_set_add(&plan->cpus, cpus[i]);
    np_status status = NP_OK;
    if (count == 0) {
        const origin from = node_workers_origin(read);
        if (named)
            status = blame(&from, npi_fail(NP_ERR_NODE_HAS_NO_WORKER,
                                           "%s: node %d has no CPU that may be used", from.name,
                                           (int)info->id));
    } else {
        *by_default = asked == 0;
        plan->workers = asked != 0                                  ? asked
                        : options->worker_per == NP_WORKER_PER_CORE ? cores
                                                                    : count;
        if (plan->workers > NP_MAX_WORKERS_PER_NODE)
            plan->workers = NP_MAX_WORKERS_PER_NODE;
        if (options->binding == NP_BINDING_CPU) {
            plan->worker_cpu_room = plan->workers;
            plan->worker_cpu = npi_alloc_array(plan->workers, sizeof *plan->worker_cpu, 0);
            if (plan->worker_cpu == NULL)
                status = npi_fail_memory(plan->workers * sizeof *plan->worker_cpu,
                                         "a list of workers");
            for (uint32_t i = 0; status == NP_OK && i < plan->workers; i++)
                plan->worker_cpu[i] = cpus[i % count];
        }
    }
    npi_free_array(cpus, info->cpu_count, sizeof *cpus);
    return status;
}

/* A CPU quota lowers what was chosen by default, in proportion, to at least one per node. */
static void apply_quota(const np_topology *topology, npi_plan *plan, const bool *by_default)
{
    uint64_t quota = ((uint64_t)np_topology_cpu_quota(topology) + 999) / 1000;
    uint64_t total = 0;
    for (uint32_t i = 0; i < plan->node_count; i++)
        total += plan->nodes[i].workers;
    if (quota == 0 || quota >= total)
        return;
    for (uint32_t i = 0; i < plan->node_count; i++) {
        npi_node_plan *node = &plan->nodes[i];
        if (!by_default[i] || node->workers == 0)
            continue;
        uint64_t share = node->workers * quota / total;
        node->workers = share > 0 ? (uint32_t)share : 1;
    }
}

static void settle(const np_topology *topology, const np_executor_options *options, npi_plan *plan)
{
    npi_settings *settings = &plan->settings;
    settings->public_options = *options;
    settings->chosen_cpus = options->cpus != NULL;
    if (options->cpus != NULL)
        settings->cpus = *options->cpus;
    /* What these pointed to is the caller's and may be gone after create. */
    settings->public_options.nodes = NULL;
    settings->public_options.node_workers = NULL;
    settings->public_options.cpus = NULL;
    settings->public_options.thread_name = NULL;
    const char *name = options->thread_name != NULL ? options->thread_name : "np";
    strncpy(settings->thread_name, name, sizeof settings->thread_name - 1);
    settings->spare_workers = options->spare_workers == 0 ? 16
                              : options->spare_workers == NP_SPARE_WORKERS_NONE
                                  ? 0
                                  : options->spare_workers;
    settings->guest_workers = options->guest_workers == 0 ? 4 : options->guest_workers;
    settings->gate_backlog = options->gate_backlog == 0 ? 4 : options->gate_backlog;
    settings->gate_age_ns = options->gate_age_ns == 0 ? 1000000 : options->gate_age_ns;
    settings->watchdog_ns = options->watchdog_ns;
    settings->watch_changes = options->watch_changes;
    /* Looking for work while the one CPU is needed to make it helps nobody. */
    uint32_t quota = np_topology_cpu_quota(topology);
    np_cpu_set usable;
    bool one_cpu = quota != 0 && quota <= 1000;
    if (npi_os_affinity_get(&usable) == 0 && np_cpu_set_count(&usable) <= 1)
        one_cpu = true;
    settings->spin_ns = options->spin_ns == 0 ? 3000 : options->spin_ns;
    if (one_cpu || options->spin_ns == NP_SPIN_NONE)
        settings->spin_ns = 0;
}

static np_status check_strict(const np_topology *topology, const np_executor_options *options)
{
    if (options->hard_mode == NP_HARD_MODE_STRICT && npi_topology_is_virtual(topology))
        return npi_fail(NP_ERR_HARD_MODE,
                        "strict hard mode on a virtual topology: its nodes and CPUs are not those "
                        "of this machine, so nothing can be pinned");
    return NP_OK;
}

np_status npi_plan_make(const np_topology *topology, const npi_options *read, npi_plan *out)
{
    const np_executor_options *options = &read->values;
    memset(out, 0, sizeof *out);
    out->node_count = np_topology_node_count(topology);
    np_status status = check_strict(topology, options);
    if (status == NP_OK)
        status = check_cpus(topology, read);
    if (status == NP_OK)
        status = check_node_workers(topology, read);
    if (status != NP_OK)
        return status;
    size_t count = out->node_count;
    out->nodes = npi_alloc_array(count, sizeof *out->nodes, 0);
    bool *flags = npi_alloc_array(count, 2 * sizeof *flags, 0); /* chosen, by default */
    if (out->nodes == NULL || flags == NULL)
        status = npi_fail_memory(count * sizeof *out->nodes, "the plan of an executor");
    bool *by_default = flags == NULL ? NULL : flags + count;
    if (status == NP_OK)
        status = choose_nodes(topology, read, flags);
    uint32_t workers = 0;
    for (uint32_t i = 0; status == NP_OK && i < out->node_count; i++)
        if (flags[i])
            status = plan_node(topology, read, i, &out->nodes[i], &by_default[i]);
    if (status == NP_OK) {
        apply_quota(topology, out, by_default);
        for (uint32_t i = 0; i < out->node_count; i++) {
            if (out->nodes[i].worker_cpu != NULL)
                sort_by_cache(topology, out->nodes[i].worker_cpu, out->nodes[i].workers);
            workers += out->nodes[i].workers;
        }
        if (workers == 0)
            status = npi_fail(NP_ERR_INVALID_ARGUMENT,
                              "the executor would have no worker: no chosen node has a CPU that "
                              "may be used");
    }
    if (status == NP_OK)
        settle(topology, options, out);
    npi_free_array(flags, count, 2 * sizeof *flags);
    if (status != NP_OK)
        npi_plan_destroy(out);
    return status;
}

void npi_plan_destroy(npi_plan *plan)
{
    for (uint32_t i = 0; plan->nodes != NULL && i < plan->node_count; i++)
        npi_free_array(plan->nodes[i].worker_cpu, plan->nodes[i].worker_cpu_room,
                       sizeof *plan->nodes[i].worker_cpu);
    npi_free_array(plan->nodes, plan->node_count, sizeof *plan->nodes);
    plan->nodes = NULL;
}
