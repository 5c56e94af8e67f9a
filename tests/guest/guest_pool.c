/*
 * Goal: a page of 1 GiB comes from the pool of the node that was asked for; where that node's pool
 * is empty, strict says so and soft gives ordinary memory on the node, which never raises SIGBUS.
 * Method: a machine with one such page on one node (shape huge-1g); the kernel's answers.
 */
#include <numaperf/region.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_check.h"

#define GIB ((size_t)1 << 30)

/* -1: there is no such pool. */
static long free_pages(int node)
{
    char path[128];
    char text[32];
    snprintf(path, sizeof path,
             "/sys/devices/system/node/node%d/hugepages/hugepages-1048576kB/free_hugepages", node);
    return guest_read_file(path, text, sizeof text) ? atol(text) : -1;
}

static np_status make(const np_topology *topology, int node, size_t bytes, np_hard_mode mode,
                      np_region **out)
{
    np_node_id id = node;
    return np_region_create(topology, bytes,
                            NP_REGION_OPTIONS(.huge_pages = NP_HUGE_PAGES_1G, .hard_mode = mode,
                                              .nodes = &id, .node_count = 1),
                            out);
}

static void check_with_page(const np_topology *topology, int node)
{
    np_region *region = NULL;
    np_status status = make(topology, node, 1, NP_HARD_MODE_STRICT, &region);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    GUEST_CHECK(np_region_page_size(region) == GIB && np_region_size(region) == GIB, "%zu of %zu",
                np_region_size(region), np_region_page_size(region));
    GUEST_CHECK(free_pages(node) == 0, "%ld pages are free", free_pages(node));
    char *data = np_region_data(region);
    int there = guest_node_of_page(data + GIB - 1);
    GUEST_CHECK(there == node, "its end lies on node %d", there);
    np_region_audit audit;
    status = np_region_audit_pages(region, &audit, NULL, 0);
    GUEST_CHECK(status == NP_OK && audit.pages == 1 && audit.home == 1, "home %" PRIu64,
                audit.home);
    data[0] = data[GIB - 1] = 1;

    /* The pool is empty now: larger is not to be had, and the region stays what it is. */
    status = np_region_resize(region, GIB + 1);
    GUEST_CHECK(status == NP_ERR_HARD_MODE, "%s", np_status_name(status));
    GUEST_CHECK(np_region_size(region) == GIB && data[GIB - 1] == 1, "%zu bytes",
                np_region_size(region));
    np_region *second = NULL;
    status = make(topology, node, GIB, NP_HARD_MODE_STRICT, &second);
    GUEST_CHECK(status == NP_ERR_HARD_MODE && strstr(np_error_detail(), "free: node ") != NULL,
                "%s", np_error_detail());
    printf(">>> %s\n", np_error_detail());
    np_region_destroy(second);
    np_region_destroy(region);
    GUEST_CHECK(free_pages(node) == 1, "%ld pages are back", free_pages(node));
}

/* The other node's page lets the reservation succeed; only making the page present tells. */
static void check_without_page(const np_topology *topology, int node)
{
    np_region *region = NULL;
    np_status status = make(topology, node, GIB, NP_HARD_MODE_STRICT, &region);
    GUEST_CHECK(status == NP_ERR_HARD_MODE && region == NULL, "node %d: %s", node,
                np_status_name(status));
    printf(">>> %s\n", np_error_detail());
    status = make(topology, node, (size_t)8 << 20, NP_HARD_MODE_SOFT, &region);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    np_enforcement reached = np_region_enforcement(region);
    GUEST_CHECK(reached.reason == NP_REASON_NO_HUGE_PAGES, "%s", np_reason_text(reached.reason));
    GUEST_CHECK(np_region_size(region) == (size_t)8 << 20, "%zu bytes", np_region_size(region));
    memset(np_region_data(region), 1, np_region_size(region));
    int there = guest_node_of_page(np_region_data(region));
    GUEST_CHECK(there == node, "it lies on node %d", there);
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
    int with = 0;
    for (int node = 0; node < shape->node_count; node++) {
        if (free_pages(node) > 0) {
            with++;
            check_with_page(topology, node);
        } else {
            check_without_page(topology, node);
        }
    }
    GUEST_CHECK(with == 1, "%d nodes have a page of 1 GiB", with);
    np_topology_destroy(topology);
    return guest_finish();
}
