/*
 * os_futex.c - sleeping, waking and the clock, for the simulated machine: the part of os/os.h that
 * decides when a fibre waits. Sleepers of a word are woken oldest first.
 */
#include <errno.h>
#include <string.h>

#include "os/ticks.h"
#include "sim_internal.h"

#define BUCKETS  1024u
#define FOR_EVER (UINT64_MAX / 2)
#define WAKE_NS  2000u /* from a wake to the first step, in timed runs */

static npt_fibre *first[BUCKETS], *last[BUCKETS];

static uint32_t bucket_of(const volatile void *address)
{
    return (uint32_t)(((uintptr_t)address * UINT64_C(0x9e3779b97f4a7c15)) >> 54);
}

void npt_futex_begin(void)
{
    memset(first, 0, sizeof first);
    memset(last, 0, sizeof last);
}

void npt_futex_forget(npt_fibre *fibre)
{
    uint32_t at = bucket_of(fibre->address);
    if (fibre->before_asleep != NULL)
        fibre->before_asleep->next_asleep = fibre->next_asleep;
    else
        first[at] = fibre->next_asleep;
    if (fibre->next_asleep != NULL)
        fibre->next_asleep->before_asleep = fibre->before_asleep;
    else
        last[at] = fibre->before_asleep;
    fibre->next_asleep = fibre->before_asleep = NULL;
}

int npi_os_futex_wait(np_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline)
{
    npt_machine *m = &npt_sim;
    if (!m->running || m->in_hook)
        npt_fail("a futex wait outside of a run", 0, 0, 0);
    npt_call(400);
    if (*(volatile uint32_t *)word != expected)
        return 0;
    if (deadline <= npt_beat.now)
        return ETIMEDOUT;
    if (deadline > FOR_EVER)
        deadline = NPI_NO_DEADLINE; /* a timeout that nobody will see */
    npt_fibre *self = m->self;
    bool spurious = npt_fault_happens(NPT_SPURIOUS);
    npt_event(deadline == NPI_NO_DEADLINE ? "sleeps on @" : "sleeps on @ for # ns at most",
              (uintptr_t)word, deadline - npt_beat.now, 0);
    self->address = word;
    self->result = 0;
    uint32_t at = bucket_of(word);
    self->before_asleep = last[at];
    self->next_asleep = NULL;
    if (last[at] != NULL)
        last[at]->next_asleep = self;
    else
        first[at] = self;
    last[at] = self;
    /* The timer of the spurious wake carries the stamp that the wait is going to have. */
    if (spurious) {
        self->stamp++;
        npt_timer(self, npt_beat.now + (UINT64_C(1) << npt_below(&m->fault_random, 16)), 0);
        self->stamp--;
    }
    npt_wait(NPT_ASLEEP, deadline);
    if (npt_fault_happens(NPT_MIGRATION))
        npt_place_migrate(self);
    npt_event(self->result == ETIMEDOUT ? "wakes: the time is over" : "wakes", 0, 0, 0);
    return self->result;
}

static void wake(npt_fibre *fibre)
{
    npt_machine *m = &npt_sim;
    npt_futex_forget(fibre);
    fibre->result = 0;
    npt_event("wakes ~, on @", fibre->id, (uintptr_t)fibre->address, 0);
    if (npt_fault_happens(NPT_DELAYED_WAKE)) {
        fibre->state = NPT_DELAYED;
        fibre->stamp++;
        npt_timer(fibre, npt_beat.now + (UINT64_C(1) << npt_below(&m->fault_random, 20)), 0);
    } else {
        npt_ready(fibre, npt_beat.now + WAKE_NS);
    }
}

void npi_os_futex_wake(np_atomic(uint32_t) *word, uint32_t count)
{
    npt_machine *m = &npt_sim;
    if (!m->running || m->in_hook)
        return;
    npt_call(600);
    npt_fibre *next;
    for (npt_fibre *fibre = first[bucket_of(word)]; fibre != NULL && count > 0; fibre = next) {
        next = fibre->next_asleep;
        if (fibre->address != word)
            continue;
        wake(fibre);
        count--;
    }
}

/* --- time ----------------------------------------------------------------------------------------
 */

uint64_t npi_os_now(void)
{
    npt_point(25);
    return npt_beat.now;
}

uint64_t npi_os_deadline(uint64_t timeout_ns)
{
    uint64_t now = npi_os_now();
    uint64_t latest = NPI_NO_DEADLINE - 1;
    return timeout_ns > latest - now ? latest : now + timeout_ns;
}

/* Another unit than nanoseconds, so that a mistake shows. */
#define TICKS_PER_NS 3u

uint64_t npi_os_ticks(void)
{
    npt_point(12);
    return npt_beat.now * TICKS_PER_NS;
}

uint32_t npi_os_ticks_per_us(void)
{
    return 1000 * TICKS_PER_NS;
}
