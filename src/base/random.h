/*
 * base/random.h - a small random stream per worker, for victim rotation. Not for secrets.
 *
 * xorshift64* (Marsaglia 2003, multiplier from Vigna 2016), seeded through splitmix64 so that
 * neighbouring seeds give unrelated streams.
 */
#ifndef NPI_BASE_RANDOM_H
#define NPI_BASE_RANDOM_H

#include <stdint.h>

typedef struct npi_random {
    uint64_t state; /* never 0; owned by one thread */
} npi_random;

static inline void npi_random_seed(npi_random *random, uint64_t seed)
{
    uint64_t z = seed + UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    random->state = z != 0 ? z : 1;
}

static inline uint64_t npi_random_next(npi_random *random)
{
    uint64_t x = random->state;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    random->state = x;
    return x * UINT64_C(0x2545f4914f6cdd1d);
}

/* 0 .. bound - 1 for bound > 0, by multiplication (Lemire 2019, without the rejection step). */
static inline uint32_t npi_random_below(npi_random *random, uint32_t bound)
{
    return (uint32_t)(((npi_random_next(random) >> 32) * (uint64_t)bound) >> 32);
}

#endif
