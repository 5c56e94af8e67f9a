/*
 * Goal: when the affinity calls say strict, the kernel says the same; and when the kernel would
 * silently give less (a mask partly outside the cpuset), strict fails and changes nothing. Method:
 * after every call compare sched_getaffinity and getcpu with what the library claims.
 */
#include <numaperf/topology.h>

#include <inttypes.h>
#include <string.h>

#include "guest_check.h"

/* The kernel's mask of this thread is exactly the CPUs for which wanted[] is true. */
static void check_mask(const struct guest_shape *shape, const bool *wanted, const char *when)
{
    bool mask[GUEST_MAX_CPUS] = {false};
    guest_affinity(0, mask);
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        GUEST_CHECK(mask[cpu] == wanted[cpu], "%s: CPU %d", when, cpu);
    }
}

static void node_mask(const struct guest_shape *shape, int node, bool *wanted)
{
    for (int cpu = 0; cpu < GUEST_MAX_CPUS; cpu++) {
        wanted[cpu] = cpu < shape->cpu_count && shape->cpu_allowed[cpu] &&
                      shape->node_of_cpu[cpu] == node;
    }
}

static void check_usable_node(const struct guest_shape *shape, const np_topology *topology,
                              int node)
{
    bool wanted[GUEST_MAX_CPUS];
    node_mask(shape, node, wanted);
    np_affinity_scope outer, inner;
    np_enforcement achieved;
    np_status status = np_affinity_scope_open_node(&outer, topology, node, NP_HARD_MODE_STRICT,
                                                   &achieved);
    if (!GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail())) {
        return;
    }
    GUEST_CHECK(achieved.level == NP_ENFORCEMENT_STRICT, "node %d: %s", node,
                np_reason_text(achieved.reason));
    check_mask(shape, wanted, "pinned to a node");
    int cpu, on_node;
    guest_getcpu(&cpu, &on_node);
    GUEST_CHECK(on_node == node, "pinned to node %d, on CPU %d of node %d", node, cpu, on_node);

    /* Inside it, each single CPU of the node, and back. */
    for (int one = 0; one < shape->cpu_count; one++) {
        if (!wanted[one]) {
            continue;
        }
        np_cpu_set set;
        np_cpu_set_clear(&set);
        np_cpu_set_add(&set, one);
        status = np_affinity_scope_open(&inner, &set, NP_HARD_MODE_STRICT, &achieved);
        if (!GUEST_CHECK(status == NP_OK, "CPU %d: %s", one, np_error_detail())) {
            continue;
        }
        int32_t told_cpu = -1;
        np_node_id told_node = -1;
        guest_getcpu(&cpu, &on_node);
        status = np_affinity_where(&told_cpu, &told_node);
        GUEST_CHECK(cpu == one, "pinned to CPU %d, on %d", one, cpu);
        GUEST_CHECK(status == NP_OK && told_cpu == one && told_node == node,
                    "told CPU %" PRId32 " of node %" PRId32, told_cpu, told_node);
        GUEST_CHECK(np_affinity_scope_close(&inner) == NP_OK, "%s", np_error_detail());
        check_mask(shape, wanted, "after the inner scope");
    }
    GUEST_CHECK(np_affinity_scope_close(&outer) == NP_OK, "%s", np_error_detail());
    check_mask(shape, shape->cpu_allowed, "after the outer scope");
}

static void check_node_without_cpus(const struct guest_shape *shape, const np_topology *topology,
                                    int node)
{
    bool known = shape->node_allowed[node];
    np_enforcement achieved;
    np_status status = np_affinity_set_node(topology, node, NP_HARD_MODE_STRICT, &achieved);
    GUEST_CHECK(status == (known ? NP_ERR_HARD_MODE : NP_ERR_INVALID_NODE), "node %d strict: %s",
                node, np_status_name(status));
    status = np_affinity_set_node(topology, node, NP_HARD_MODE_SOFT, &achieved);
    if (known) {
        GUEST_CHECK(status == NP_OK && achieved.level == NP_ENFORCEMENT_NONE &&
                        achieved.reason == NP_REASON_NO_CPU,
                    "node %d soft: %s, %s", node, np_status_name(status),
                    np_reason_text(achieved.reason));
    } else {
        GUEST_CHECK(status == NP_ERR_INVALID_NODE, "node %d soft: %s", node,
                    np_status_name(status));
    }
    check_mask(shape, shape->cpu_allowed, "after a node without CPUs");
}

/* A CPU that exists and that the cpuset forbids, alone and beside an allowed one. The kernel
 * refuses the first with EINVAL and silently cuts the second. */
static void check_forbidden_cpus(const struct guest_shape *shape, int forbidden, int allowed)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    np_cpu_set_add(&set, forbidden);
    np_enforcement achieved;
    np_status status = np_affinity_set(&set, NP_HARD_MODE_STRICT, &achieved);
    GUEST_CHECK(status == NP_ERR_HARD_MODE, "CPU %d strict: %s", forbidden, np_status_name(status));
    check_mask(shape, shape->cpu_allowed, "after a strict refusal");
    status = np_affinity_set(&set, NP_HARD_MODE_SOFT, &achieved);
    GUEST_CHECK(status == NP_OK && achieved.level == NP_ENFORCEMENT_NONE &&
                    achieved.reason == NP_REASON_OUTSIDE_ALLOWED,
                "CPU %d soft: %s, %s", forbidden, np_status_name(status),
                np_reason_text(achieved.reason));
    check_mask(shape, shape->cpu_allowed, "after a soft refusal");

    np_cpu_set_add(&set, allowed);
    status = np_affinity_set(&set, NP_HARD_MODE_STRICT, &achieved);
    GUEST_CHECK(status == NP_ERR_HARD_MODE, "CPUs %d and %d strict: %s", forbidden, allowed,
                np_status_name(status));
    check_mask(shape, shape->cpu_allowed, "after a strict refusal of a part");
    status = np_affinity_set(&set, NP_HARD_MODE_SOFT, &achieved);
    GUEST_CHECK(status == NP_OK && achieved.level == NP_ENFORCEMENT_BEST_EFFORT,
                "CPUs %d and %d soft: %s", forbidden, allowed, np_status_name(status));
    bool wanted[GUEST_MAX_CPUS] = {false};
    wanted[allowed] = true;
    check_mask(shape, wanted, "after a soft cut");

    np_cpu_set everything;
    np_cpu_set_clear(&everything);
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        if (shape->cpu_allowed[cpu]) {
            np_cpu_set_add(&everything, cpu);
        }
    }
    status = np_affinity_set(&everything, NP_HARD_MODE_STRICT, NULL);
    GUEST_CHECK(status == NP_OK, "back to all: %s", np_error_detail());
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    int forbidden = -1, allowed = -1;
    for (int cpu = 0; cpu < shape->cpu_count; cpu++) {
        *(shape->cpu_allowed[cpu] ? &allowed : &forbidden) = cpu;
    }
    for (int node = 0; node < shape->node_count; node++) {
        if (guest_allowed_cpus_of_node(shape, node) > 0) {
            check_usable_node(shape, topology, node);
        } else {
            check_node_without_cpus(shape, topology, node);
        }
    }
    if (forbidden >= 0) {
        check_forbidden_cpus(shape, forbidden, allowed);
    }
    np_topology_destroy(topology);
    return guest_finish();
}
