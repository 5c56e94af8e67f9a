/*
 * A machine that does not exist, for tests of what regions refuse: nodes 0 .. 299, of which the
 * kernel has at most the first few. The library is told that the topology is real.
 */
#ifndef NP_TESTS_UNIT_REGION_FIXTURE_H
#define NP_TESTS_UNIT_REGION_FIXTURE_H

#include <numaperf/region.h>

#include "os/os.h"
#include "topology/snapshot.h"
#include "unit.h"

static np_topology *topology;
static np_node_id existing; /* a node on which the kernel lets us allocate */
static bool can_place;

enum { ABSENT = 299 };

static inline int set_up(void **state)
{
    (void)state;
    if (np_topology_from_synthetic("numa:300 pu:1", &topology) != NP_OK)
        return -1;
    topology->is_virtual = false;
    npi_node_set allowed;
    can_place = npi_os_allowed_nodes(&allowed) == 0;
    existing = 0;
    while (can_place && !npi_node_set_contains(&allowed, existing))
        existing++;
    return existing < ABSENT ? 0 : -1;
}

static inline int tear_down(void **state)
{
    (void)state;
    np_topology_destroy(topology);
    return 0;
}

#define NEED_PLACEMENT()                                            \
    do {                                                            \
        if (!can_place)                                             \
            UNIT_SKIP("the kernel offers no memory policies here"); \
    } while (0)

static inline np_region_options on_nodes(const np_node_id *nodes, size_t count)
{
    np_region_options options;
    np_region_options_init(&options);
    options.nodes = nodes;
    options.node_count = count;
    return options;
}

static inline void expect_refusal(const np_region_options *options, np_status status,
                                  const char *part)
{
    np_region *region = (np_region *)(uintptr_t)64;
    unit_expect_failure(np_region_create(topology, 4096, options, &region), status, part);
    assert_null(region);
}

#endif
