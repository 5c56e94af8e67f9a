/*
 * os/tls.c - the real machine's answer to base/tls.h: one npi_tls per system thread.
 */
#include "base/tls.h"
#include "base/atomic.h"

_Thread_local struct np_worker *npi_tls_worker;
static _Thread_local npi_tls self;
static np_atomic(uint32_t) last_ordinal;

npi_tls *npi_tls_self(void)
{
    return &self;
}

uint32_t npi_tls_ordinal(void)
{
    /* Relaxed: the number only has to be this thread's own; nothing is published with it. Zero
     * means "none yet", so the number after the largest is skipped. */
    while (self.ordinal == 0)
        self.ordinal = npi_fetch_add_relaxed(&last_ordinal, 1u) + 1u;
    return self.ordinal;
}
