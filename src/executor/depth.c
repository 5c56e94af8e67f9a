/*
 * executor/depth.c - how much is queued at a node, and whether its queues move. Sums over lanes and
 * seats, blurred while they change; any thread. For the gate, inspection and statistics.
 */
#include "executor/executor.h"

static uint64_t lanes_depth(npi_node *node, uint32_t mask)
{
    uint64_t sum = 0;
    for (uint32_t left = npi_load_relaxed(&node->inbox.used) & mask; left != 0; left &= left - 1)
        sum += npi_queue_depth(&node->inbox.lane[__builtin_ctz(left)].queue);
    return sum;
}

uint64_t npi_node_queued_gated(npi_node *node)
{
    uint64_t sum = lanes_depth(node, NPI_MASK_PREFERRED);
    uint32_t limit = npi_load_acquire(&node->seat_limit);
    for (uint32_t seat = 0; seat < limit; seat++)
        sum += npi_queue_depth(&npi_node_seat(node, seat)->queue);
    return sum;
}

uint64_t npi_node_queued(npi_node *node)
{
    return npi_node_queued_gated(node) + lanes_depth(node, NPI_MASK_STRICT | NPI_MASK_ANY);
}

uint64_t npi_node_signature(npi_node *node)
{
    uint64_t sum = 0;
    for (uint32_t left = npi_load_relaxed(&node->inbox.used) & NPI_MASK_PREFERRED; left != 0;
         left &= left - 1)
        sum += npi_queue_signature(&node->inbox.lane[__builtin_ctz(left)].queue);
    uint32_t limit = npi_load_acquire(&node->seat_limit);
    for (uint32_t seat = 0; seat < limit; seat++)
        sum += npi_queue_signature(&npi_node_seat(node, seat)->queue);
    return sum;
}
