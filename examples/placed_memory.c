/*
 * Placed memory: a region on a node, what was achieved, where its pages really are; then spread
 * over all nodes, filled by the workers, and made larger.
 */
#include "example.h"

#include <string.h>

static void print_audit(const char *when, const np_region *region)
{
    np_region_audit audit;
    if (np_region_audit_sample(region, 1000, 0, &audit) != NP_OK) {
        printf("%s: %s\n", when, np_error_detail());
        return;
    }
    printf("%s: of %llu pages looked at %llu at home, %llu elsewhere, %llu not there yet\n", when,
           (unsigned long long)audit.pages, (unsigned long long)audit.home,
           (unsigned long long)audit.elsewhere, (unsigned long long)audit.not_present);
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t count = np_executor_nodes(executor, nodes, EXAMPLE_MAX_NODES);
    EXPECT(count > 0 && count <= EXAMPLE_MAX_NODES);

    /* On one node, every page there when the call returns. */
    np_region *region = NULL;
    CHECK(np_region_create(topology, 8u << 20,
                           NP_REGION_OPTIONS(.policy = NP_MEMORY_PREFERRED,
                                             .prefault = NP_PREFAULT_TOUCH, .nodes = &nodes[0],
                                             .node_count = 1),
                           &region));
    np_enforcement reached = np_region_enforcement(region);
    printf("8 MiB on node %d: %s, %s\n", (int)nodes[0], np_enforcement_level_name(reached.level),
           np_reason_text(reached.reason));
    print_audit("after creating", region);
    memset(np_region_data(region), 1, np_region_size(region));

    /* The pages that are there move, contents and address stay. */
    np_migration result;
    CHECK(np_region_migrate(topology, region, NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE),
                            &result));
    printf("spread: %llu of %llu pages have moved\n", (unsigned long long)result.moved,
           (unsigned long long)result.pages);
    print_audit("after spreading", region);

    /* Larger; what is new is zero. The address may be another one. */
    size_t before = np_region_size(region);
    CHECK(np_region_resize(region, 24u << 20));
    const char *data = np_region_data(region);
    EXPECT(data[before - 1] == 1 && data[before] == 0);
    print_audit("after resizing", region);
    np_region_destroy(region);

    /* Without prefault: the workers of each node make the node's pages, all at once. */
    CHECK(np_region_create(topology, 32u << 20, NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL),
                           &region));
    print_audit("untouched", region);
    CHECK(np_region_prefault(executor, region));
    print_audit("after the workers' prefault", region);
    np_region_destroy(region);

    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return 0;
}
