/*
 * parallel/waiter.c - waiting in a channel. The protocol is in waiter.h.
 */
#include "parallel/waiter.h"

#include <errno.h>

#include "base/assert.h"
#include "os/os.h"

void npi_waiter_init(npi_waiter *waiter, const void *in, void *out, size_t count)
{
    waiter->next = NULL;
    waiter->previous = NULL;
    waiter->queued = false;
    waiter->in = in;
    waiter->out = out;
    waiter->count = count;
    npi_plain_set(&waiter->moved, (size_t)0);
    npi_plain_set(&waiter->result, NP_OK);
    npi_atomic_init(&waiter->word, 0u);
}

void npi_waiter_again(npi_waiter *waiter)
{
    NPI_CHECK(!waiter->queued);
    npi_plain_set(&waiter->result, NP_OK);
    /* Relaxed: nobody else knows it; the channel's lock publishes it. A wake for the last wait may
     * still come: it ends the next sleep for no reason, which is always allowed. */
    npi_store_relaxed(&waiter->word, 0u);
}

void npi_waiter_add(npi_waiter_list *list, npi_waiter *waiter)
{
    NPI_CHECK(!waiter->queued);
    waiter->next = NULL;
    waiter->previous = list->last;
    if (list->last != NULL)
        list->last->next = waiter;
    else
        list->first = waiter;
    list->last = waiter;
    waiter->queued = true;
}

void npi_waiter_remove(npi_waiter_list *list, npi_waiter *waiter)
{
    if (!waiter->queued)
        return;
    if (waiter->previous != NULL)
        waiter->previous->next = waiter->next;
    else
        list->first = waiter->next;
    if (waiter->next != NULL)
        waiter->next->previous = waiter->previous;
    else
        list->last = waiter->previous;
    waiter->queued = false;
}

bool npi_waiter_claim_one(npi_waiter_list *list, npi_waiter *waiter)
{
    npi_waiter_remove(list, waiter);
    /* Relaxed: only decides between this and npi_waiter_cancel. The waiter's fields came with the
     * lock; npi_waiter_finish publishes what is done for it. */
    uint32_t before = npi_fetch_or_relaxed(&waiter->word, NPI_WAITER_CLAIMED);
    return (before & NPI_WAITER_CANCELLED) == 0;
}

npi_waiter *npi_waiter_claim(npi_waiter_list *list)
{
    while (list->first != NULL) {
        npi_waiter *waiter = list->first;
        if (npi_waiter_claim_one(list, waiter))
            return waiter;
    }
    return NULL;
}

npi_waiter *npi_waiter_claim_all(npi_waiter_list *list, npi_waiter *more)
{
    npi_waiter *head = more;
    npi_waiter **end = &head;
    while (*end != NULL)
        end = &(*end)->next;
    for (npi_waiter *w = npi_waiter_claim(list); w != NULL; w = npi_waiter_claim(list)) {
        w->next = NULL;
        *end = w;
        end = &w->next;
    }
    return head;
}

size_t npi_waiter_count(const npi_waiter_list *list)
{
    size_t count = 0;
    for (const npi_waiter *w = list->first; w != NULL; w = w->next)
        count++;
    return count;
}

void npi_waiter_finish(npi_waiter *waiter, np_status result)
{
    waiter->result = result;
    /* Release: publishes the result and the copied item to npi_waiter_sleep. From here on the
     * record may be gone, and only its address is used. */
    uint32_t before = npi_exchange_release(&waiter->word, NPI_WAITER_DONE);
    NPI_INVARIANT((before & NPI_WAITER_CLAIMED) != 0);
    if ((before & NPI_WAITER_SLEEPING) != 0)
        npi_os_futex_wake(&waiter->word, 1);
}

bool npi_waiter_sleep(npi_waiter *waiter, uint64_t deadline)
{
    /* Either npi_waiter_finish sees this bit and wakes, or this sees its DONE: one word, one order.
     * Acquire: pairs with the release in npi_waiter_finish. */
    uint32_t seen = npi_fetch_or_acq_rel(&waiter->word, NPI_WAITER_SLEEPING);
    while ((seen & NPI_WAITER_DONE) == 0) {
        if (npi_os_futex_wait(&waiter->word, seen | NPI_WAITER_SLEEPING, deadline) == ETIMEDOUT)
            return false;
        /* Acquire: pairs with the release in npi_waiter_finish. */
        seen = npi_load_acquire(&waiter->word);
    }
    return true;
}

bool npi_waiter_cancel(npi_waiter *waiter)
{
    /* Relaxed: only decides between this and npi_waiter_claim; publishes nothing. */
    uint32_t before = npi_fetch_or_relaxed(&waiter->word, NPI_WAITER_CANCELLED);
    return (before & (NPI_WAITER_CLAIMED | NPI_WAITER_DONE)) == 0;
}
