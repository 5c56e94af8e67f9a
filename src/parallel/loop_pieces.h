/*
 * parallel/loop_pieces.h - how a loop over placed data is divided: who is to run what.
 *
 *   piece     consecutive indices whose data lies on one node; they tile the range, ascending
 *   home      the node whose workers run a piece: its own, or the nearest with workers; for data
 *             on a node that the executor does not know, the one in whose equal part of the
 *             range it is
 *   slice     what one worker of a home is to run: its equal share of the home's indices, in order
 *   stretch   consecutive indices of one slice: a piece, or what slices leave of it
 *
 * Pure arithmetic on the caller's stack and in one allocation; a division never changes but for the
 * marks of the slices that somebody has come for.
 */
#ifndef NPI_PARALLEL_LOOP_PIECES_H
#define NPI_PARALLEL_LOOP_PIECES_H

#include "parallel/loop.h"

typedef struct npi_piece {
    size_t begin, end;
    np_node_index data; /* NP_NODE_INDEX_NONE: on a node that the executor does not know */
    np_node_index home;
} npi_piece;

typedef struct npi_stretch {
    size_t begin, end;
    np_node_index data; /* as a piece's */
    uint32_t slice;
} npi_stretch;

typedef struct npi_slice {
    NPI_ALIGNED(NPI_CACHE_LINE) np_atomic(uint32_t) taken; /* 1: somebody has come for it */
    np_node_index home;
    size_t first; /* in `order` */
    size_t count;
} npi_slice;

typedef struct npi_loop_home {
    size_t indices; /* all its pieces together */
    uint32_t first; /* slice */
    uint32_t count; /* one for each regular worker, or for each index if those are fewer */
    size_t dealt;   /* while it is made */
} npi_loop_home;

typedef struct npi_division {
    const np_executor *executor;
    npi_loop_home *homes; /* by node index */
    npi_slice *slices;
    uint32_t slice_count;
    npi_stretch *stretches; /* in ascending order of their indices */
    size_t stretch_count;
    size_t *order; /* numbers of stretches, slice by slice */
    size_t stretch_room;
    uint32_t slice_room;
} npi_division;

typedef struct npi_pieces {
    npi_piece *list;
    size_t count;
    size_t room;
    size_t indices; /* of the range */
} npi_pieces;

/* Of an array, `grain` elements (the last time perhaps fewer) being one index; each index belongs
 * to the node of its first element. Sets the detail of NP_ERR_NO_MEMORY, the only error; *pieces
 * need not be freed then. */
np_status npi_pieces_of_array(npi_pieces *pieces, const np_executor *executor,
                              const np_array *array, size_t grain);
/* The last one may be a part only: the end of a file. */
size_t npi_region_pages(const np_region *region);
/* Of a region, in its pages. Also the errors of np_region_audit_pages(). */
np_status npi_pieces_of_region(npi_pieces *pieces, const np_executor *executor,
                               const np_region *region);
void npi_pieces_free(npi_pieces *pieces);

/* Sets the detail of NP_ERR_NO_MEMORY, the only error. The pieces are not needed afterwards. */
np_status npi_division_make(npi_division *division, const np_executor *executor,
                            const npi_pieces *pieces);
void npi_division_free(npi_division *division);

#endif
