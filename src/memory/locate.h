/*
 * memory/locate.h - on which nodes the bytes of a range lie: from the directory where this library
 * placed them, without a system call; else by the kernel's answer for a sample of pages, kept in
 * the range cache. Any thread; blocks for no lock; sets no failure detail.
 *
 * A sample, because a range may have a million pages and the question is only which node has most.
 * Sixteen points spread over the range, each standing for an equal part, find the node that holds
 * most whenever it is a clear majority; where pages alternate in a pattern of that very step they
 * can be misled, which costs distance and nothing else.
 */
#ifndef NPI_MEMORY_LOCATE_H
#define NPI_MEMORY_LOCATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/types.h>

/* Nodes that one location keeps apart. One range has up to 16 by sample; what lies on still more
 * counts as unknown. */
#define NPI_LOCATION_NODES 64u

typedef struct npi_node_share {
    np_node_id node;
    uint64_t bytes;
    uint64_t weight; /* bytes times their range's weight: what is compared */
} npi_node_share;

typedef struct npi_location {
    uint64_t unknown; /* bytes: no page is present, or nobody says where */
    uint32_t asked;   /* system calls made */
    uint32_t count;
    npi_node_share nodes[NPI_LOCATION_NODES]; /* `count` are set */
} npi_location;

static inline void npi_location_begin(npi_location *location)
{
    location->unknown = 0;
    location->asked = 0;
    location->count = 0;
}

/*
 * Adds a range. 0 bytes: the byte at the address decides, and no bytes are counted. The range does
 * not wrap. `is_virtual`: the machine is a description, of which the kernel knows nothing; only the
 * directory is asked.
 */
void npi_location_add(npi_location *location, uintptr_t address, size_t bytes, uint32_t weight,
                      bool is_virtual);

#endif
