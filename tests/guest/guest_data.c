/*
 * Goal: data is worked on at the CPUs nearest to it. A region is placed on every node that has
 * memory, the ones without CPUs included; its tasks, sent to the node that the topology names as
 * nearest to the region's pages, read and write it there, and the pages stay where they were.
 * Method: getcpu in each task and move_pages before and after, compared with the shape's distances.
 */
#include <numaperf/group.h>
#include <numaperf/region.h>

#include <inttypes.h>
#include <string.h>

#include "guest_check.h"

enum { PAGES = 32, PAGE = 4096, WORDS = PAGE / (int)sizeof(uint64_t) };

struct piece {
    uint64_t *words;
    int expected_node;
    uint64_t sum;
};

static void run_piece(void *argument)
{
    struct piece *piece = argument;
    int cpu, node;
    guest_getcpu(&cpu, &node);
    GUEST_CHECK(node == piece->expected_node, "worked on at node %d, nearest is %d", node,
                piece->expected_node);
    for (int i = 0; i < WORDS; i++) {
        piece->words[i] += (uint64_t)i;
        piece->sum += piece->words[i];
    }
}

static void check_node(const struct guest_shape *shape, const np_topology *topology,
                       np_executor *executor, int node)
{
    np_region *region = NULL;
    np_status status = np_region_create_on_node(topology, PAGES * PAGE, node, &region);
    np_group *group = NULL;
    if (!GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail()) ||
        !GUEST_CHECK(np_group_create(NULL, &group) == NP_OK, "%s", np_error_detail())) {
        np_region_destroy(region);
        return;
    }
    struct piece pieces[PAGES];
    uint64_t *data = np_region_data(region);
    for (int i = 0; i < PAGES; i++) {
        uint64_t *words = data + (size_t)i * WORDS;
        pieces[i] = (struct piece){words, guest_nearest_cpu_node(shape, node), 0};
        GUEST_CHECK(guest_node_of_page(words) == node, "page %d lies on node %d, not %d", i,
                    guest_node_of_page(words), node);
        np_node_id data_node = NP_NODE_ID_NONE;
        status = np_address_node(words, &data_node);
        GUEST_CHECK(status == NP_OK && data_node == node, "page %d is told on %" PRId32, i,
                    data_node);
        np_node_info info;
        status = np_topology_node_info(topology, data_node, &info);
        if (GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
            status = np_submit_with(executor,
                                    NP_SUBMIT_OPTIONS(.to_node = true, .node = info.nearest_cpus,
                                                      .affinity = NP_AFFINITY_STRICT,
                                                      .group = group),
                                    run_piece, &pieces[i]);
            GUEST_CHECK(status == NP_OK, "page %d: %s", i, np_error_detail());
        }
    }
    GUEST_CHECK(np_group_wait(group) == NP_OK, "%s", np_error_detail());
    for (int i = 0; i < PAGES; i++) {
        GUEST_CHECK(pieces[i].sum == (uint64_t)WORDS * (WORDS - 1) / 2, "piece %d: sum %" PRIu64, i,
                    pieces[i].sum);
        GUEST_CHECK(guest_node_of_page(pieces[i].words) == node, "page %d has moved", i);
    }
    GUEST_CHECK(np_group_destroy(group) == NP_OK, "%s", np_error_detail());
    np_region_destroy(region);
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    np_status status = np_topology_discover(&topology);
    if (status == NP_OK) {
        status = np_executor_create(topology, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT),
                                    &executor);
    }
    if (GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        for (int node = 0; node < shape->node_count; node++) {
            if (shape->node_allowed[node] && shape->node_mib[node] > 0) {
                check_node(shape, topology, executor, node);
            }
        }
    }
    GUEST_CHECK(np_executor_destroy(executor) == NP_OK, "%s", np_error_detail());
    np_topology_destroy(topology);
    return guest_finish();
}
