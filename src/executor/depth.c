/*
 * executor/depth.c - how much is queued at a node, and whether its queues move. Sums over lanes and
 * seats, blurred while they change; any thread. For the gate, inspection and statistics.
 */
#include "executor/executor.h"

uint64_t npi_node_queued_gated(npi_node *node)
{
    uint64_t sum = npi_inbox_depth(&node->inbox, NPI_MASK_PREFERRED);
    uint32_t limit = npi_load_acquire(&node->sleepers.limit);
    /* Who sleeps has nothing queued, unless it may not be run now. */
    bool all = npi_node_kinds(node) == 0;
    for (uint32_t seat = 0; seat < limit; seat++)
        if (all || (npi_sleepers_awake(&node->sleepers, seat / 64) >> seat % 64 & 1) != 0)
            sum += npi_queue_depth(&npi_node_seat(node, seat)->queue);
    return sum;
}

uint64_t npi_node_queued(npi_node *node)
{
    return npi_node_queued_gated(node) +
           npi_inbox_depth(&node->inbox, NPI_MASK_STRICT | NPI_MASK_ANY);
}

uint64_t npi_node_signature(npi_node *node)
{
    uint64_t sum = npi_inbox_signature(&node->inbox, NPI_MASK_PREFERRED);
    uint32_t limit = npi_load_acquire(&node->sleepers.limit);
    for (uint32_t seat = 0; seat < limit; seat++)
        sum += npi_queue_signature(&npi_node_seat(node, seat)->queue);
    return sum;
}
