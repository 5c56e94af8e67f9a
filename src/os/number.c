/*
 * os/number.c - giving out and taking back the numbers of os/number.h.
 *
 * They are taken back by the destructor of a key, in the last of its rounds but one (the last is
 * the sanitizers'): other destructors that run before may still use the number, so that a thread
 * keeps its order to the end. A thread that asks again even later shares a number, for nothing
 * would take an own one back.
 */
#include "os/number.h"

#include <limits.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "os/library.h"

_Static_assert(NPI_NUMBERS_OWN < 64, "own numbers fit one word");

_Thread_local uint32_t npi_number_self;

#define ROUNDS ((uint32_t)PTHREAD_DESTRUCTOR_ITERATIONS - 1)
static _Thread_local uint32_t rounds; /* of the destructor */

/* Bit = own number, set while a thread has it. */
static np_atomic(uint64_t) taken;
static np_atomic(uint32_t) sharers; /* threads that share; only to spread them */
static pthread_key_t key;
static bool has_key; /* constant after load */

/* The key's value is the thread's own number plus one. */
static void at_exit(void *value)
{
    if (++rounds < ROUNDS && npi_library_setspecific(key, value) == 0)
        return;
    npi_number_self = 0;
    /* Release: the thread's past, to the acquire of the next one that gets the number. */
    (void)npi_fetch_and_acq_rel(&taken, ~(UINT64_C(1) << ((uintptr_t)value - 1)));
}

static void in_child(void)
{
    /* The other threads' numbers are free: their queues belong to executors that are dead here.
     * Relaxed: there is one thread. */
    uint32_t own = npi_number_self;
    npi_store_relaxed(&taken,
                      own != 0 && own <= NPI_NUMBERS_OWN ? UINT64_C(1) << (own - 1) : UINT64_C(0));
}

__attribute__((constructor)) static void begin(void)
{
    /* Without a key everybody shares. Without the handler a child's threads share sooner. */
    has_key = npi_library_key_create(&key, at_exit) == 0;
    (void)npi_library_atfork(in_child);
}

/* The library may be unloaded while threads that used it go on. */
__attribute__((destructor)) static void end(void)
{
    if (has_key)
        (void)pthread_key_delete(key);
}

static bool take_own(uint32_t *number)
{
    const uint64_t all = (UINT64_C(1) << NPI_NUMBERS_OWN) - 1;
    uint64_t seen = npi_load_relaxed(&taken);
    while (seen != all) {
        *number = (uint32_t)__builtin_ctzll(~seen);
        uint64_t bit = UINT64_C(1) << *number;
        /* Acquire: pairs with the release in at_exit. */
        seen = npi_fetch_or_acq_rel(&taken, bit);
        if ((seen & bit) == 0)
            return true;
        seen |= bit;
    }
    return false;
}

uint32_t npi_number_give(void)
{
    uint32_t number;
    bool own = has_key && rounds < ROUNDS && take_own(&number);
    if (own && npi_library_setspecific(key, (void *)(uintptr_t)(number + 1)) != 0) {
        (void)npi_fetch_and_acq_rel(&taken, ~(UINT64_C(1) << number));
        own = false;
    }
    if (!own)
        number = NPI_NUMBERS_OWN +
                 npi_fetch_add_relaxed(&sharers, 1u) % (NPI_NUMBERS - NPI_NUMBERS_OWN);
    npi_number_self = number + 1;
    return npi_number_self;
}
