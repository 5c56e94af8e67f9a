/*
 * sync/wake.c - see wake.h for who sleeps, who wakes, and why no wake-up is lost.
 */
#include "sync/wake.h"

#include <errno.h>

bool npi_token_wait(npi_token *token, uint64_t deadline)
{
    for (;;) {
        uint32_t state = NPI_TOKEN_NONE;
        /* Acquire on failure: the token was given before we slept (npi_token_give). */
        if (!npi_cas_acquire(&token->state, &state, (uint32_t)NPI_TOKEN_ASLEEP) &&
            state == NPI_TOKEN_GIVEN) {
            npi_token_clear(token);
            return true;
        }
        int error = npi_os_futex_wait(&token->state, NPI_TOKEN_ASLEEP, deadline);
        if (error == ETIMEDOUT) {
            /* A token given at the last moment counts. Acquire: pairs with npi_token_give. */
            return npi_exchange_acquire(&token->state, (uint32_t)NPI_TOKEN_NONE) == NPI_TOKEN_GIVEN;
        }
        /* Acquire: pairs with the exchange in npi_token_give. */
        if (npi_load_acquire(&token->state) == NPI_TOKEN_GIVEN) {
            npi_token_clear(token);
            return true;
        }
    }
}

void npi_sleepers_init(npi_sleepers *sleepers, uint32_t seats, uint32_t regular)
{
    NPI_INVARIANT(regular <= seats && seats <= NPI_SEATS_PER_NODE_MAX);
    npi_atomic_init(&sleepers->limit, regular);
    sleepers->regular = regular;
    npi_atomic_init(&sleepers->searching, 0u);
    npi_atomic_init(&sleepers->outside_wakes, (uint64_t)0);
    sleepers->words = (seats + 63) / 64;
    for (uint32_t i = 0; i < NPI_SLEEPER_WORDS; i++)
        npi_atomic_init(&sleepers->asleep[i], (uint64_t)0);
}

uint32_t npi_sleepers_claim(npi_sleepers *sleepers, bool *duty)
{
    *duty = false;
    if (!npi_sleepers_any(sleepers))
        return NPI_SLEEPER_NONE;
    npi_sleepers_search_begin(sleepers);
    for (uint32_t i = 0; i < sleepers->words; i++) {
        uint64_t asleep = npi_load_relaxed(&sleepers->asleep[i]);
        while (asleep != 0) {
            uint32_t bit = (uint32_t)__builtin_ctzll(asleep);
            uint64_t mask = UINT64_C(1) << bit;
            /* Whoever sees the bit fall from 1 to 0 owns the wake-up. Release: the raise above
             * is visible to the worker that finds its bit gone (npi_sleepers_leave). */
            uint64_t before = npi_fetch_and_acq_rel(&sleepers->asleep[i], ~mask);
            if ((before & mask) != 0)
                return i * 64 + bit;
            asleep = before & ~mask;
        }
    }
    *duty = npi_sleepers_search_end(sleepers);
    return NPI_SLEEPER_NONE;
}
