/*
 * memory/array_partition.h - which elements and pages of a partitioned array belong to which node.
 * Private to src/memory.
 *
 * Pure arithmetic over a count of elements, their size and the size of a page; no memory is mapped
 * or placed here, so that any array can be divided in a test. A partition is immutable once made.
 *
 * Terms: the division is where the options would cut, in elements; a cut is the page where a piece
 * begins. The rule that leads from one to the other is in numaperf/array.h and in page_of_cut().
 */
#ifndef NPI_MEMORY_ARRAY_PARTITION_H
#define NPI_MEMORY_ARRAY_PARTITION_H

#include <numaperf/array.h>

typedef struct npi_cut {
    size_t page;    /* the first of the piece */
    uint32_t owner; /* position in nodes */
} npi_cut;

typedef struct npi_partition {
    size_t count;
    size_t element_bytes;
    size_t page_bytes;
    size_t pages; /* that hold elements */
    np_distribution distribution;
    size_t block; /* of the division; 0 where it has no blocks */
    size_t piece_count;
    npi_cut *cuts;   /* of the pieces; NULL: blocks in turn over several nodes, computed */
    size_t cut_room; /* for which cuts was allocated */
    size_t node_count;
    np_node_id *nodes;
    size_t *elements; /* of each node */
} npi_partition;

/* A piece by its pages and its elements; `owner` is a position in nodes. */
typedef struct npi_part {
    size_t first_page;
    size_t end_page;
    size_t begin;
    size_t end;
    size_t owner;
} npi_part;

/*
 * Divides `count` elements by the options, which have been checked and name node_count > 0 nodes.
 * count * element_bytes <= SIZE_MAX / 4. At most `piece_limit` pieces, else NP_ERR_LIMIT. Errors
 * set the detail: also NP_ERR_NO_MEMORY, and NP_ERR_INVALID_ARGUMENT for a wrong owner.
 */
np_status npi_partition_make(size_t count, size_t element_bytes, size_t page_bytes,
                             const np_array_options *options, size_t piece_limit,
                             npi_partition **out);

/* NULL is accepted. */
void npi_partition_free(npi_partition *self);

/* piece < piece_count. */
npi_part npi_partition_part(const npi_partition *self, size_t piece);
static inline size_t npi_partition_owner(const npi_partition *self, size_t piece)
{
    return self->cuts != NULL ? self->cuts[piece].owner : piece % self->node_count;
}

/* element < count; page < pages. */
size_t npi_partition_piece_of(const npi_partition *self, size_t element);
size_t npi_partition_piece_of_page(const npi_partition *self, size_t page);

#endif
