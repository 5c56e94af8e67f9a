/*
 * sync/deque.c - see deque.h for the picture, the roles and the argument.
 */
#include "sync/deque.h"

void npi_deque_init(npi_deque *deque, npi_child *slots)
{
    deque->slots = slots;
    deque->head = slots;
    deque->base = slots;
    deque->split = 0;
    deque->known_tail = 0;
    deque->overflow = 0;
    npi_deque_set_bounds(deque);
    npi_atomic_init(&deque->hungry, 0u);
    npi_atomic_init(&deque->shared, (uint64_t)0);
}

bool npi_deque_reclaim(npi_deque *deque)
{
    uint32_t lowest = npi_deque_index(deque, deque->base);
    uint64_t shared = npi_load_relaxed(&deque->shared); /* only a hint for the swap below */
    for (;;) {
        uint32_t tail = npi_shared_tail(shared);
        uint32_t split = npi_shared_split(shared);
        NPI_CHECK(split == deque->split && tail <= split);
        deque->known_tail = tail;
        if (tail == split) {
            npi_deque_set_bounds(deque);
            return false; /* no thief can change a word without shared children */
        }
        /* Half of what is left, rounded so that at least one comes back. */
        uint32_t keep = tail + (split - tail) / 2;
        if (keep < lowest)
            keep = lowest;
        /* The slots are the owner's own writes: nothing is acquired by taking them back, and
         * thieves that lose see a changed word. */
        if (npi_cas_acq_rel(&deque->shared, &shared, npi_shared_word(shared, keep, tail))) {
            deque->split = keep;
            npi_deque_set_bounds(deque);
            return true;
        }
    }
}

void npi_deque_forget(npi_deque *deque)
{
    uint64_t shared = npi_load_relaxed(&deque->shared);
    NPI_CHECK(npi_shared_tail(shared) == npi_shared_split(shared));
    NPI_CHECK(deque->head == deque->slots + deque->split && deque->split > 0);
    deque->head--;
    deque->split--;
    deque->known_tail = deque->split;
    npi_deque_set_bounds(deque);
    /* Relaxed: with tail == split no thief can succeed, before or after; nothing is published. */
    npi_store_relaxed(&deque->shared, npi_shared_word(shared, deque->split, deque->split));
}

uint32_t npi_deque_publish(npi_deque *deque, uint32_t count)
{
    uint32_t most = npi_deque_private(deque);
    if (count > most)
        count = most;
    if (count == 0)
        return 0;
    uint32_t split = deque->split + count;
    for (uint32_t i = deque->split; i < split; i++) {
        /* Relaxed: published with the word below. */
        npi_store_relaxed(&deque->slots[i].state, (uint32_t)NPI_CHILD_FRESH);
        npi_store_relaxed(&deque->slots[i].thief, (void *)NULL);
    }
    uint64_t shared = npi_load_relaxed(&deque->shared);
    /* Release, both: the children's slots and the owner's past, to the acquire in npi_deque_steal.
     */
    if (npi_shared_tail(shared) == npi_shared_split(shared)) {
        /* Nothing was shared, so no thief's swap can succeed and nobody else changes the word. */
        npi_store_release(&deque->shared, npi_shared_word(shared, split, npi_shared_tail(shared)));
    } else {
        /* It fails only while a thief raises tail. */
        while (!npi_cas_release(&deque->shared, &shared,
                                npi_shared_word(shared, split, npi_shared_tail(shared)))) {
        }
    }
    deque->split = split;
    deque->known_tail = npi_shared_tail(shared);
    npi_deque_set_bounds(deque);
    return count;
}

bool npi_deque_set_local(npi_deque *deque, bool local)
{
    uint64_t bit = local ? NPI_SHARED_LOCAL : 0;
    uint64_t shared = npi_load_relaxed(&deque->shared);
    /* Release, as above: the word it writes is one that thieves may claim from. */
    while (!npi_cas_release(&deque->shared, &shared, (shared & ~NPI_SHARED_LOCAL) | bit)) {
    }
    return (shared & NPI_SHARED_LOCAL) != 0;
}

npi_child *npi_deque_steal(npi_deque *deque, bool home_thief, bool *again)
{
    uint64_t shared = npi_load_relaxed(&deque->shared);
    uint32_t tail = npi_shared_tail(shared);
    *again = false;
    if (tail >= npi_shared_split(shared) || (!home_thief && (shared & NPI_SHARED_LOCAL) != 0))
        return NULL;
    uint64_t next = npi_shared_word(shared, npi_shared_split(shared), tail + 1);
    /*
     * Acquire: pairs with the release in npi_deque_publish, whose slot this is. The owner's other
     * swaps of the word continue its release sequence or release anew; a thief's swap in between
     * is a read-modify-write and keeps the sequence going.
     */
    if (!npi_cas_acq_rel(&deque->shared, &shared, next)) {
        *again = true;
        return NULL;
    }
    if (tail + 1 == npi_shared_split(next))
        npi_deque_ask(deque); /* that was the last one in sight */
    return &deque->slots[tail];
}
