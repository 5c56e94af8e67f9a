/*
 * topology/cpu_set.c - the CPU-set value: algebra, iteration, and printing in the kernel's list
 * format. Pure functions of their arguments; any thread, nothing fails. Reading the format is in
 * cpu_set_parse.c.
 */
#include <string.h>

#include <numaperf/affinity.h>

#include "base/text.h"

#define WORDS (NP_CPU_SET_CAPACITY / 64u)

static bool in_capacity(int32_t cpu)
{
    return cpu >= 0 && (uint32_t)cpu < NP_CPU_SET_CAPACITY;
}

static uint64_t bit_of(int32_t cpu)
{
    return UINT64_C(1) << ((uint32_t)cpu % 64u);
}

void np_cpu_set_clear(np_cpu_set *set)
{
    memset(set, 0, sizeof *set);
}

bool np_cpu_set_add(np_cpu_set *set, int32_t cpu)
{
    if (!in_capacity(cpu))
        return false;
    set->bits[(uint32_t)cpu / 64u] |= bit_of(cpu);
    return true;
}

void np_cpu_set_remove(np_cpu_set *set, int32_t cpu)
{
    if (in_capacity(cpu))
        set->bits[(uint32_t)cpu / 64u] &= ~bit_of(cpu);
}

bool np_cpu_set_contains(const np_cpu_set *set, int32_t cpu)
{
    return in_capacity(cpu) && (set->bits[(uint32_t)cpu / 64u] & bit_of(cpu)) != 0;
}

bool np_cpu_set_is_empty(const np_cpu_set *set)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        if (set->bits[i] != 0)
            return false;
    }
    return true;
}

bool np_cpu_set_is_subset(const np_cpu_set *inner, const np_cpu_set *outer)
{
    for (uint32_t i = 0; i < WORDS; i++) {
        if ((inner->bits[i] & ~outer->bits[i]) != 0)
            return false;
    }
    return true;
}

bool np_cpu_set_equal(const np_cpu_set *a, const np_cpu_set *b)
{
    return memcmp(a->bits, b->bits, sizeof a->bits) == 0;
}

uint32_t np_cpu_set_count(const np_cpu_set *set)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < WORDS; i++)
        count += (uint32_t)__builtin_popcountll(set->bits[i]);
    return count;
}

/* The first CPU at `from` or above. */
static int32_t first_from(const np_cpu_set *set, uint32_t from)
{
    if (from >= NP_CPU_SET_CAPACITY)
        return NP_CPU_NONE;
    uint32_t word = from / 64u;
    uint64_t bits = set->bits[word] & (~UINT64_C(0) << (from % 64u));
    while (bits == 0) {
        if (++word == WORDS)
            return NP_CPU_NONE;
        bits = set->bits[word];
    }
    return (int32_t)(word * 64u + (uint32_t)__builtin_ctzll(bits));
}

int32_t np_cpu_set_first(const np_cpu_set *set)
{
    return first_from(set, 0);
}

int32_t np_cpu_set_next(const np_cpu_set *set, int32_t cpu)
{
    return first_from(set, cpu < 0 ? 0u : (uint32_t)cpu + 1u);
}

void np_cpu_set_and(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b)
{
    for (uint32_t i = 0; i < WORDS; i++)
        out->bits[i] = a->bits[i] & b->bits[i];
}

void np_cpu_set_or(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b)
{
    for (uint32_t i = 0; i < WORDS; i++)
        out->bits[i] = a->bits[i] | b->bits[i];
}

void np_cpu_set_and_not(np_cpu_set *out, const np_cpu_set *a, const np_cpu_set *b)
{
    for (uint32_t i = 0; i < WORDS; i++)
        out->bits[i] = a->bits[i] & ~b->bits[i];
}

size_t np_cpu_set_print(const np_cpu_set *set, char *buffer, size_t capacity)
{
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    int32_t cpu = np_cpu_set_first(set);
    while (cpu != NP_CPU_NONE) {
        int32_t last = cpu;
        while (np_cpu_set_contains(set, last + 1))
            last++;
        const char *comma = text.length == 0 ? "" : ",";
        if (last == cpu)
            npi_text_add(&text, "%s%d", comma, cpu);
        else
            npi_text_add(&text, "%s%d-%d", comma, cpu, last);
        cpu = np_cpu_set_next(set, last);
    }
    return text.length;
}
