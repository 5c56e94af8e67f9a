/*
 * Goal: every page of a region lies where the region says, by the kernel's own two answers
 * (move_pages for each page, /proc/self/numa_maps for the mapping's policy); the library's audit
 * agrees with them; and strict fails where a node cannot be used or is too small. Nodes of memory
 * only are the nodes they are.
 */
#include <numaperf/region.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_check.h"

enum { PAGES = 64, PAGE = 4096 };

static bool has_memory(const struct guest_shape *shape, int node)
{
    return shape->node_allowed[node] && shape->node_mib[node] > 0;
}

/* Counts the pages of the region on each node, as move_pages tells them. */
static void count_pages(const np_region *region, int count[GUEST_MAX_NODES])
{
    const char *data = np_region_data(region);
    size_t page = np_region_page_size(region);
    memset(count, 0, GUEST_MAX_NODES * sizeof *count);
    for (size_t at = 0; at < np_region_size(region); at += page) {
        int node = guest_node_of_page(data + at);
        if (GUEST_CHECK(node >= 0 && node < GUEST_MAX_NODES, "page at %zu: %d", at, node)) {
            count[node]++;
        }
    }
}

/* The policy that the kernel holds for the mapping, the second word of its line: bound to this node
 * alone ("bind:2", or "bind=static:2" when the nodes are not to follow a changing cpuset). */
static void check_bound(const np_region *region, int node)
{
    char line[1024];
    FILE *maps = fopen("/proc/self/numa_maps", "r");
    if (!GUEST_CHECK(maps != NULL, "/proc/self/numa_maps")) {
        return;
    }
    bool found = false;
    uintptr_t wanted = (uintptr_t)np_region_data(region);
    while (!found && fgets(line, sizeof line, maps) != NULL) {
        uintptr_t start = 0;
        char policy[128] = "";
        if (sscanf(line, "%" SCNxPTR " %127s", &start, policy) == 2 && start == wanted) {
            found = true;
            const char *nodes = strrchr(policy, ':');
            GUEST_CHECK(strncmp(policy, "bind", 4) == 0 && nodes != NULL &&
                            atoi(nodes + 1) == node && strpbrk(nodes, ",-") == NULL,
                        "the kernel says %s, expected bind:%d", policy, node);
        }
    }
    fclose(maps);
    GUEST_CHECK(found, "no mapping starts at %" PRIxPTR, wanted);
}

static void check_audit(const np_region *region, const int count[GUEST_MAX_NODES])
{
    np_region_audit audit;
    np_node_id nodes[PAGES];
    np_status status = np_region_audit_pages(region, &audit, nodes, PAGES);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    GUEST_CHECK(audit.pages == PAGES && audit.home == PAGES && audit.elsewhere == 0 &&
                    audit.not_present == 0 && audit.unknown == 0,
                "pages %" PRIu64 " home %" PRIu64 " elsewhere %" PRIu64 " not present %" PRIu64
                " unknown %" PRIu64,
                audit.pages, audit.home, audit.elsewhere, audit.not_present, audit.unknown);
    int told[GUEST_MAX_NODES] = {0};
    for (int i = 0; i < PAGES; i++) {
        if (nodes[i] >= 0 && nodes[i] < GUEST_MAX_NODES) {
            told[nodes[i]]++;
        }
    }
    for (int node = 0; node < GUEST_MAX_NODES; node++) {
        GUEST_CHECK(told[node] == count[node], "node %d: audit %d, kernel %d", node, told[node],
                    count[node]);
    }
}

static void check_one_node(const np_topology *topology, int node, np_memory_policy policy)
{
    np_region *region = NULL;
    np_node_id id = node;
    np_status status = np_region_create(
        topology, PAGES * PAGE,
        NP_REGION_OPTIONS(.policy = policy, .hard_mode = NP_HARD_MODE_STRICT,
                          .prefault = NP_PREFAULT_TOUCH, .huge_pages = NP_HUGE_PAGES_NEVER,
                          .nodes = &id, .node_count = 1),
        &region);
    const char *name = np_memory_policy_name(policy);
    if (!GUEST_CHECK(status == NP_OK, "%s on node %d: %s", name, node, np_error_detail())) {
        return;
    }
    np_enforcement enforcement = np_region_enforcement(region);
    GUEST_CHECK(enforcement.level == NP_ENFORCEMENT_STRICT, "%s on node %d: %s", name, node,
                np_reason_text(enforcement.reason));
    int count[GUEST_MAX_NODES];
    count_pages(region, count);
    GUEST_CHECK(count[node] == PAGES, "%s: %d of %d pages on node %d", name, count[node], PAGES,
                node);
    check_audit(region, count);
    if (policy == NP_MEMORY_BIND) {
        check_bound(region, node);
    }
    np_node_id told = NP_NODE_ID_NONE;
    status = np_address_node(np_region_data(region), &told);
    GUEST_CHECK(status == NP_OK && told == node, "told node %" PRId32, told);
    np_region_destroy(region);
}

static void check_interleave(const struct guest_shape *shape, const np_topology *topology)
{
    np_node_id nodes[GUEST_MAX_NODES];
    size_t node_count = 0;
    for (int node = 0; node < shape->node_count; node++) {
        if (has_memory(shape, node)) {
            nodes[node_count++] = node;
        }
    }
    np_region *region = NULL;
    np_status status = np_region_create(
        topology, PAGES * PAGE,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE, .hard_mode = NP_HARD_MODE_STRICT,
                          .prefault = NP_PREFAULT_TOUCH, .huge_pages = NP_HUGE_PAGES_NEVER,
                          .nodes = nodes, .node_count = node_count),
        &region);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    int count[GUEST_MAX_NODES];
    count_pages(region, count);
    int least = PAGES / (int)node_count, most = (PAGES + (int)node_count - 1) / (int)node_count;
    for (size_t i = 0; i < node_count; i++) {
        int here = count[nodes[i]];
        GUEST_CHECK(here >= least && here <= most, "node %" PRId32 " has %d pages", nodes[i], here);
    }
    check_audit(region, count);
    np_region_destroy(region);
}

/* Local: the pages lie on the node of whoever touches them first. */
static void check_local(const struct guest_shape *shape, const np_topology *topology, int node)
{
    np_region *region = NULL;
    np_status status = np_region_create(
        topology, PAGES * PAGE,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL, .huge_pages = NP_HUGE_PAGES_NEVER), &region);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    np_affinity_scope scope;
    status = np_affinity_scope_open_node(&scope, topology, node, NP_HARD_MODE_STRICT, NULL);
    if (GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail())) {
        memset(np_region_data(region), 1, np_region_size(region));
        int count[GUEST_MAX_NODES];
        count_pages(region, count);
        GUEST_CHECK(count[node] == PAGES || !has_memory(shape, node),
                    "touched from node %d: %d of %d pages there", node, count[node], PAGES);
        status = np_affinity_scope_close(&scope);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    }
    np_region_destroy(region);
}

/* More than the node has: strict must say no before the system runs out of memory. */
static void check_too_large(const struct guest_shape *shape, const np_topology *topology, int node)
{
    np_region *region = NULL;
    np_node_id id = node;
    size_t bytes = (size_t)shape->node_mib[node] * 2 << 20;
    np_status status = np_region_create(topology, bytes,
                                        NP_REGION_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT,
                                                          .prefault = NP_PREFAULT_TOUCH,
                                                          .nodes = &id, .node_count = 1),
                                        &region);
    GUEST_CHECK(status == NP_ERR_HARD_MODE && region == NULL, "%zu bytes on node %d: %s", bytes,
                node, np_status_name(status));
    np_region_destroy(region);
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    for (int node = 0; node < shape->node_count; node++) {
        if (has_memory(shape, node)) {
            check_one_node(topology, node, NP_MEMORY_BIND);
            check_one_node(topology, node, NP_MEMORY_PREFERRED);
            check_too_large(shape, topology, node);
        } else {
            np_region *region = NULL;
            status = np_region_create_on_node(topology, PAGE, node, &region);
            GUEST_CHECK(status == NP_ERR_INVALID_NODE && region == NULL, "node %d: %s", node,
                        np_status_name(status));
            np_region_destroy(region);
        }
        if (guest_allowed_cpus_of_node(shape, node) > 0) {
            check_local(shape, topology, node);
        }
    }
    check_interleave(shape, topology);
    np_topology_destroy(topology);
    return guest_finish();
}
