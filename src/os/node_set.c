/*
 * os/node_set.c - sets of nodes as the memory policy calls take them. Plain data, no system call:
 * the same on a simulated machine.
 */
#include "os/os.h"

#define BITS_PER_WORD  (8u * (unsigned)sizeof(unsigned long))
#define NODE_SET_WORDS (NPI_NODE_SET_CAPACITY / BITS_PER_WORD)

void npi_node_set_clear(npi_node_set *set)
{
    *set = (npi_node_set){{0}};
}

bool npi_node_set_add(npi_node_set *set, np_node_id node)
{
    if (node < 0 || (uint32_t)node >= NPI_NODE_SET_CAPACITY)
        return false;
    set->bits[(uint32_t)node / BITS_PER_WORD] |= 1ul << ((uint32_t)node % BITS_PER_WORD);
    return true;
}

bool npi_node_set_contains(const npi_node_set *set, np_node_id node)
{
    if (node < 0 || (uint32_t)node >= NPI_NODE_SET_CAPACITY)
        return false;
    return (set->bits[(uint32_t)node / BITS_PER_WORD] >> ((uint32_t)node % BITS_PER_WORD)) & 1u;
}

uint32_t npi_node_set_count(const npi_node_set *set)
{
    uint32_t count = 0;
    for (size_t i = 0; i < NODE_SET_WORDS; i++)
        count += (uint32_t)__builtin_popcountl(set->bits[i]);
    return count;
}

bool npi_node_set_equal(const npi_node_set *a, const npi_node_set *b)
{
    for (size_t i = 0; i < NODE_SET_WORDS; i++)
        if (a->bits[i] != b->bits[i])
            return false;
    return true;
}

bool npi_node_set_is_subset(const npi_node_set *inner, const npi_node_set *outer)
{
    for (size_t i = 0; i < NODE_SET_WORDS; i++)
        if ((inner->bits[i] & ~outer->bits[i]) != 0)
            return false;
    return true;
}
