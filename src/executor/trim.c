/*
 * executor/trim.c - giving back the memory of queues that were long and are empty now.
 *
 * Segments stay mapped (a slow consumer may still look at one), but the pages of those beyond a few
 * go back to the system when the node falls asleep. The worker that does it is already in the set
 * of sleepers: it works in small steps and stops as soon as somebody wants it.
 */
#include "executor/executor.h"

/* Kept with their pages: 8,192 tasks can be queued again without a page fault. */
#define KEEP_SEGMENTS 4u
/* 1 MiB at a time: some 100 us between two looks at the token. */
#define STEP_SEGMENTS 16u

void npi_trim(npi_worker *worker)
{
    npi_node *node = worker->node;
    /* Only the last one to fall asleep: while others work, what is free now is needed soon. */
    if (npi_sleepers_searching(&node->sleepers) ||
        !npi_sleepers_all(&node->sleepers, node->regular))
        return;
    for (;;) {
        npi_segment_usage usage;
        npi_segment_pool_get_usage(&node->pool, &usage);
        uint64_t warm = usage.free - usage.discarded;
        if (warm <= KEEP_SEGMENTS || npi_token_is_given(&worker->token))
            return;
        uint64_t keep = warm > KEEP_SEGMENTS + STEP_SEGMENTS ? warm - STEP_SEGMENTS : KEEP_SEGMENTS;
        if (npi_segment_pool_trim(&node->pool, (size_t)keep) == 0)
            return;
    }
}
