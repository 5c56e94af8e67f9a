/*
 * executor/inbox.c - see inbox.h.
 */
#include "executor/inbox.h"

void npi_inbox_init(npi_inbox *inbox, npi_arena *arena, npi_segment_pool *pool, uint32_t capacity)
{
    for (unsigned kind = 0; kind < NPI_LANE_KINDS; kind++)
        for (unsigned number = 0; number < NPI_NUMBERS; number++)
            npi_atomic_init(&inbox->lane[kind][number], (npi_lane *)NULL);
    npi_atomic_init(&inbox->count, 0u);
    npi_lock_init(&inbox->lock);
    inbox->arena = arena;
    inbox->pool = pool;
    inbox->capacity = capacity;
    npi_atomic_init(&inbox->room.queued, 0u);
    npi_atomic_init(&inbox->room.waiting, 0u);
    npi_atomic_init(&inbox->room.turn, 0u);
}

npi_lane *npi_inbox_open(npi_inbox *inbox, np_task_affinity kind, uint32_t number)
{
    npi_lock_acquire(&inbox->lock);
    npi_lane *lane = npi_load_relaxed(&inbox->lane[kind][number]);
    bool made = lane == NULL;
    if (made)
        lane = npi_arena_alloc(inbox->arena, sizeof *lane, NPI_FALSE_SHARING);
    if (made && lane != NULL) {
        npi_queue_init(&lane->queue, inbox->arena, inbox->pool, 0);
        npi_lock_init(&lane->lock);
        npi_atomic_init(&lane->inside_accepted, (uint64_t)0);
        uint32_t count = npi_load_relaxed(&inbox->count);
        inbox->list[count] = lane;
        inbox->kind[count] = (uint8_t)(1u << kind);
        /* Release, both: whoever finds the lane finds it set up. Listed first: a task in it can be
         * found by the time it is put. */
        npi_store_release(&inbox->count, count + 1);
        npi_store_release(&inbox->lane[kind][number], lane);
    }
    npi_lock_release(&inbox->lock);
    return lane;
}

void npi_inbox_close(npi_inbox *inbox)
{
    if (inbox->capacity != 0)
        npi_room_close(inbox);
    uint32_t count = npi_inbox_lanes(inbox);
    for (uint32_t i = 0; i < count; i++) {
        npi_queue *queue = &inbox->list[i]->queue;
        while (npi_load_acquire(&queue->busy) != 0) /* pairs with npi_lane_end */
            (void)npi_os_futex_wait(&queue->busy, 1, NPI_NO_DEADLINE);
    }
}

bool npi_inbox_holds(npi_inbox *inbox, unsigned kinds)
{
    uint32_t count = npi_inbox_lanes(inbox);
    for (uint32_t i = 0; i < count; i++)
        if ((inbox->kind[i] & kinds) != 0 && !npi_queue_is_empty(&inbox->list[i]->queue))
            return true;
    return false;
}

uint64_t npi_inbox_depth(npi_inbox *inbox, unsigned kinds)
{
    uint64_t sum = 0;
    uint32_t count = npi_inbox_lanes(inbox);
    for (uint32_t i = 0; i < count; i++)
        if ((inbox->kind[i] & kinds) != 0)
            sum += npi_queue_depth(&inbox->list[i]->queue);
    return sum;
}

uint64_t npi_inbox_signature(npi_inbox *inbox, unsigned kinds)
{
    uint64_t sum = 0;
    uint32_t count = npi_inbox_lanes(inbox);
    for (uint32_t i = 0; i < count; i++)
        if ((inbox->kind[i] & kinds) != 0)
            sum += npi_queue_signature(&inbox->list[i]->queue);
    return sum;
}

uint64_t npi_inbox_accepted(npi_inbox *inbox)
{
    uint64_t sum = 0;
    uint32_t count = npi_inbox_lanes(inbox);
    for (uint32_t i = 0; i < count; i++)
        sum += npi_queue_accepted(&inbox->list[i]->queue);
    return sum;
}

uint64_t npi_inbox_accepted_outside(npi_inbox *inbox)
{
    uint64_t sum = 0;
    uint32_t count = npi_inbox_lanes(inbox);
    for (uint32_t i = 0; i < count; i++) {
        /* First the part, then the whole: it is never larger than that. */
        uint64_t inside = npi_load_acquire(&inbox->list[i]->inside_accepted);
        sum += npi_queue_accepted(&inbox->list[i]->queue) - inside;
    }
    return sum;
}
