/*
 * Goal: on a real kernel the stages of a pipeline run at their nodes, by the kernel's own answer,
 * while all other nodes are idle and eager to steal; a stage placed by its item's data runs where
 * the kernel says the page lies; the items' own memory lies at the source's node; and the
 * statistics of each edge add up to what the stages saw. Method: each stage asks getcpu.
 */
#include <numaperf.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest_check.h"

/* Few: where the host is busy each hop to a sleeping node takes it a tenth of a second. */
enum { ITEMS = 48, PAGE = 4096 };

struct item {
    unsigned number;
    int from; /* node of the stage before */
    const char *data;
};

struct place {
    int node; /* where the stage must run; -1: where the data is */
    uint64_t items, remote;
};

static int nodes[GUEST_MAX_NODES]; /* with workers and memory */
static int node_count;
static unsigned made;
static np_region *regions[GUEST_MAX_NODES];
static int where_items_lie = -1;

static int node_now(void)
{
    int cpu, node;
    guest_getcpu(&cpu, &node);
    return node;
}

static np_status source(void *context, void *memory)
{
    struct place *place = context;
    struct item *item = memory;
    if (made == ITEMS)
        return NP_ERR_CLOSED;
    int node = node_now();
    GUEST_CHECK(node == place->node, "the source of node %d is on node %d", place->node, node);
    *item = (struct item){made, node, np_region_data(regions[made % (unsigned)node_count])};
    made++;
    np_node_id lies = NP_NODE_ID_NONE;
    if (where_items_lie < 0 && np_address_node(item, &lies) == NP_OK)
        where_items_lie = lies;
    return NP_OK;
}

/* Parallel stages add up atomically, the others need not. */
static np_status stage(void *context, void *memory)
{
    struct place *place = context;
    struct item *item = memory;
    int node = node_now();
    int data = nodes[item->number % (unsigned)node_count];
    int expected = place->node >= 0 ? place->node : data;
    GUEST_CHECK(node == expected, "item %u: a stage of node %d is on node %d", item->number,
                expected, node);
    GUEST_CHECK(np_current_node() == node, "told node %" PRId32, np_current_node());
    int from = place->node >= 0 ? item->from : data;
    __atomic_fetch_add(&place->items, 1, __ATOMIC_RELAXED);
    __atomic_fetch_add(&place->remote, from != node ? 1u : 0u, __ATOMIC_RELAXED);
    item->from = node;
    return NP_OK;
}

static np_node_id where_data_lies(void *context, const void *memory)
{
    np_node_id node = NP_NODE_ID_NONE;
    (void)context;
    np_status status = np_address_node(((const struct item *)memory)->data, &node);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    return node;
}

static void check_edges(np_pipeline *pipeline, struct place *const *places)
{
    for (size_t i = 0; i < np_pipeline_edge_count(pipeline); i++) {
        np_edge_counts edge;
        np_status status = np_pipeline_edge(pipeline, i, &edge);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
        printf(">>> %-10s %" PRIu64 " items, %" PRIu64 " local, %" PRIu64 " remote, waited %" PRIu64
               " us\n",
               edge.stage, edge.items, edge.local, edge.remote, edge.waited_ns / 1000);
        GUEST_CHECK(edge.items == ITEMS && places[i]->items == ITEMS, "%" PRIu64 " items",
                    edge.items);
        GUEST_CHECK(edge.remote == places[i]->remote && edge.local + edge.remote == ITEMS,
                    "edge %zu: %" PRIu64 " remote, the stage saw %" PRIu64, i, edge.remote,
                    places[i]->remote);
        GUEST_CHECK(edge.bytes == (uint64_t)ITEMS * sizeof(struct item), "%" PRIu64 " bytes",
                    edge.bytes);
    }
}

static void run(np_executor *executor)
{
    struct place at_source = {.node = nodes[0]};
    struct place first = {.node = nodes[node_count - 1]}, data = {.node = -1};
    struct place data_in_order = {.node = -1}, last = {.node = nodes[node_count / 2]};
    struct place *const places[] = {&first, &data, &data_in_order, &last};
    const np_node_id first_node = first.node, last_node = last.node;
    const np_stage stages[] = {
        {.name = "last node",
         .affinity = NP_AFFINITY_STRICT,
         .fn = stage,
         .context = &first,
         .nodes = &first_node,
         .node_count = 1},
        {.name = "by data",
         .affinity = NP_AFFINITY_STRICT,
         .fn = stage,
         .context = &data,
         .where = where_data_lies},
        {.name = "in order",
         .kind = NP_STAGE_ORDERED,
         .affinity = NP_AFFINITY_STRICT,
         .fn = stage,
         .context = &data_in_order,
         .where = where_data_lies},
        {.name = "a node",
         .kind = NP_STAGE_SERIAL,
         .affinity = NP_AFFINITY_STRICT,
         .fn = stage,
         .context = &last,
         .nodes = &last_node,
         .node_count = 1},
    };
    np_pipeline *pipeline = NULL;
    np_status status = np_pipeline_create(
        executor,
        NP_PIPELINE_OPTIONS(.item_bytes = sizeof(struct item), .in_flight = 32, .stages = stages,
                            .stage_count = 4, .source = source, .source_context = &at_source,
                            .source_at_node = true, .source_node = at_source.node,
                            .source_affinity = NP_AFFINITY_STRICT),
        &pipeline);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return;
    made = 0;
    where_items_lie = -1;
    status = np_pipeline_run(pipeline);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    GUEST_CHECK(where_items_lie == at_source.node, "the items lie on node %d, not %d",
                where_items_lie, at_source.node);
    check_edges(pipeline, places);
    status = np_pipeline_destroy(pipeline);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
}

int main(void)
{
    static const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE,
                                               NP_STEAL_LOCAL_ONLY, NP_STEAL_ANY};
    const struct guest_shape *shape = guest_shape();
    np_topology *topology = NULL;
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return guest_finish();
    for (int i = 0; i < 3; i++) {
        np_executor *executor = NULL;
        status = np_executor_create(topology, NP_EXECUTOR_OPTIONS(.steal_policy = policies[i]),
                                    &executor);
        if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
            break;
        np_node_id ids[GUEST_MAX_NODES];
        size_t count = np_executor_nodes(executor, ids, GUEST_MAX_NODES);
        node_count = 0;
        for (size_t n = 0; n < count; n++) {
            if (shape->node_mib[ids[n]] == 0 || !shape->node_allowed[ids[n]])
                continue;
            status = np_region_create_on_node(topology, PAGE, ids[n], &regions[node_count]);
            GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
            nodes[node_count++] = ids[n];
        }
        if (GUEST_CHECK(node_count > 0, "no node has workers and memory"))
            run(executor);
        for (int n = 0; n < node_count; n++)
            np_region_destroy(regions[n]);
        status = np_executor_destroy(executor);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    }
    np_topology_destroy(topology);
    return guest_finish();
}
