/*
 * demo_slots.c - the placed memory of the demo: one region on every node that has workers, cut into
 * slots of one chunk. The ring takes the nodes in turn, each as often as it has workers. Main
 * thread only.
 */
#include "demo.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The node itself, or the nearest one on which this process may have memory. */
static np_node_id memory_near(const np_topology *topology, np_node_id node)
{
    np_node_id nearest = NP_NODE_ID_NONE;
    size_t capacity = np_topology_node_count(topology);
    size_t count = 0;
    np_node_id *order = cli_allocate(capacity, sizeof *order);
    if (np_topology_nodes_by_distance(topology, node, order, capacity, &count) == NP_OK) {
        for (size_t i = 0; i < count && nearest == NP_NODE_ID_NONE; i++) {
            np_node_info info;
            if (np_topology_node_info(topology, order[i], &info) == NP_OK &&
                info.memory_bytes > 0 && info.memory_allowed) {
                nearest = order[i];
            }
        }
    }
    free(order);
    return nearest;
}

static void list_nodes(demo_slots *slots, const np_executor *executor)
{
    slots->node_count = np_executor_node_count(executor);
    np_node_id *ids = cli_allocate(slots->node_count, sizeof *ids);
    slots->nodes = cli_allocate(slots->node_count, sizeof *slots->nodes);
    (void)np_executor_nodes(executor, ids, slots->node_count);
    for (size_t i = 0; i < slots->node_count; i++) {
        slots->nodes[i].node = ids[i];
        slots->nodes[i].workers = np_executor_node_worker_count(executor, ids[i]);
        slots->nodes[i].memory = memory_near(np_executor_topology(executor), ids[i]);
    }
    free(ids);
}

static size_t choose_count(const demo_slots *slots, const np_executor *executor,
                           uint64_t slot_bytes, uint64_t chunks_expected)
{
    uint64_t count = (uint64_t)DEMO_SLOTS_PER_WORKER * np_executor_worker_count(executor);
    if (count * slot_bytes > DEMO_SLOT_BYTES_MAX) {
        count = DEMO_SLOT_BYTES_MAX / slot_bytes;
    }
    count = count > slots->node_count ? count : slots->node_count;
    if (chunks_expected > 0 && count > chunks_expected) {
        count = chunks_expected;
    }
    return (size_t)count;
}

/* Deals the slots to the nodes: in each turn, as many rounds as the largest node has workers. */
static void deal(demo_slots *slots)
{
    uint32_t round = 0;
    size_t dealt = 0;
    while (dealt < slots->count) {
        bool any = false;
        for (size_t n = 0; n < slots->node_count && dealt < slots->count; n++) {
            if (round < slots->nodes[n].workers) {
                slots->slots[dealt++].node = n;
                slots->nodes[n].slots++;
                any = true;
            }
        }
        round = any ? round + 1 : 0;
    }
}

/* As strictly as the executor was asked to place its workers. */
static bool place(demo_node *node, const np_executor *executor, size_t bytes)
{
    np_region_options options;
    np_region_options_init(&options);
    options.policy = node->memory != NP_NODE_ID_NONE ? NP_MEMORY_BIND : NP_MEMORY_LOCAL;
    options.hard_mode = np_executor_hard_mode(executor);
    options.prefault = NP_PREFAULT_TOUCH;
    options.nodes = node->memory != NP_NODE_ID_NONE ? &node->memory : NULL;
    options.node_count = node->memory != NP_NODE_ID_NONE ? 1 : 0;
    np_status status = np_region_create(np_executor_topology(executor), bytes, &options,
                                        &node->region);
    if (status != NP_OK) {
        cli_library_error(status, "cannot place %zu bytes for chunks on node %d", bytes,
                          (int)node->memory);
    }
    return status == NP_OK;
}

bool demo_slots_create(demo_slots *slots, const np_executor *executor, const demo_options *options,
                       uint64_t chunks_expected)
{
    long page = sysconf(_SC_PAGESIZE);
    size_t page_bytes = page > 0 ? (size_t)page : 4096;
    memset(slots, 0, sizeof *slots);
    slots->chunk_bytes = (size_t)options->chunk_bytes;
    /* Whole pages, so that no page is shared by two chunks. */
    size_t slot_bytes = (slots->chunk_bytes + page_bytes - 1) / page_bytes * page_bytes;

    list_nodes(slots, executor);
    slots->count = choose_count(slots, executor, slot_bytes, chunks_expected);
    slots->slots = cli_allocate(slots->count, sizeof *slots->slots);
    deal(slots);

    size_t *taken = cli_allocate(slots->node_count, sizeof *taken);
    bool placed = true;
    for (size_t n = 0; n < slots->node_count && placed; n++) {
        demo_node *node = &slots->nodes[n];
        placed = node->slots == 0 || place(node, executor, node->slots * slot_bytes);
    }
    for (size_t i = 0; i < slots->count && placed; i++) {
        demo_slot *slot = &slots->slots[i];
        unsigned char *memory = np_region_data(slots->nodes[slot->node].region);
        slot->data = memory + slot_bytes * taken[slot->node]++;
    }
    free(taken);
    if (!placed) {
        demo_slots_destroy(slots);
    }
    return placed;
}

void demo_slots_destroy(demo_slots *slots)
{
    for (size_t n = 0; n < slots->node_count; n++) {
        np_region_destroy(slots->nodes[n].region);
    }
    free(slots->nodes);
    free(slots->slots);
    memset(slots, 0, sizeof *slots);
}
