/*
 * executor/room.c - the places of a bounded inbox; the drawing is in inbox.h.
 *
 * A task from outside has a place from before it is put until it is taken. `queued` may stand above
 * the capacity: tasks of the executor itself are put in any case. Every place that becomes free
 * wakes one of those who wait; whoever is woken in vain, because another thread was faster, waits
 * for the next.
 */
#include "executor/inbox.h"

uint32_t npi_room_try(npi_inbox *inbox, uint32_t want)
{
    uint32_t queued = npi_load_relaxed(&inbox->room.queued);
    while (queued < inbox->capacity) {
        uint32_t room = inbox->capacity - queued;
        uint32_t count = want < room ? want : room;
        /* Relaxed: a number; the queue publishes the tasks. */
        if (npi_cas_weak_relaxed(&inbox->room.queued, &queued, queued + count))
            return count;
    }
    return 0;
}

void npi_room_force(npi_inbox *inbox, uint32_t count)
{
    npi_fetch_add_relaxed(&inbox->room.queued, count); /* as above */
}

uint32_t npi_room_wait(npi_inbox *inbox, uint32_t want, np_atomic(uint32_t) *closed)
{
    npi_room *room = &inbox->room;
    uint32_t count = 0;
    npi_fetch_add_relaxed(&room->waiting, 1u);
    npi_fence_seq_cst(); /* the drawing in inbox.h */
    for (;;) {
        /* Acquire: pairs with the raise in npi_room_close, which comes after `closed`. */
        uint32_t turn = npi_load_acquire(&room->turn);
        if (npi_load_acquire(closed) != 0)
            break;
        count = npi_room_try(inbox, want);
        if (count != 0)
            break;
        (void)npi_os_futex_wait(&room->turn, turn, NPI_NO_DEADLINE);
    }
    npi_fetch_sub_release(&room->waiting, 1u);
    return count;
}

void npi_room_leave(npi_inbox *inbox, uint32_t count)
{
    npi_room *room = &inbox->room;
    npi_fetch_sub_release(&room->queued, count);
    npi_fence_seq_cst(); /* the drawing in inbox.h */
    if (npi_load_relaxed(&room->waiting) == 0)
        return;
    npi_fetch_add_acq_rel(&room->turn, 1u);
    npi_os_futex_wake(&room->turn, count);
}

void npi_room_close(npi_inbox *inbox)
{
    npi_fetch_add_acq_rel(&inbox->room.turn, 1u);
    npi_os_futex_wake(&inbox->room.turn, UINT32_MAX);
}
