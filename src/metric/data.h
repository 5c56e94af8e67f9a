/*
 * metric/data.h - the third dimension: not only where a task's home is and where it ran, but where
 * its data lies.
 *
 * A worker counts tasks and bytes in rows of one cell per data node, one row for each pair of home
 * and place that it has met. Most workers meet two or three pairs of the many there could be, so a
 * row is made when it is first needed, from the node's own memory, and never goes. Where there is
 * no memory for it the row's tasks are in the counters (NP_COUNTER_DATA_...) and not in the cube.
 *
 * Written by the thread that runs the worker and by nobody else, without a read-modify-write; read
 * by anybody. The snapshot's side is a list of the cells that are not zero.
 */
#ifndef NPI_METRIC_DATA_H
#define NPI_METRIC_DATA_H

#include <stdbool.h>

#include <numaperf/stats.h>

#include "base/atomic.h"
#include "memory/arena.h"

typedef struct npi_data_cell {
    np_atomic(uint64_t) tasks;
    np_atomic(uint64_t) bytes;
} npi_data_cell;

typedef struct npi_data_row {
    np_node_index home; /* constant, as the next */
    np_node_index ran;
    np_atomic(struct npi_data_row *) next; /* the owner writes it once, when there is one */
    npi_data_cell cells[];                 /* by data node; as many as the topology has nodes */
} npi_data_row;

typedef struct npi_data_rows {
    np_atomic(npi_data_row *) first;
    uint32_t nodes;   /* constant */
    npi_arena *arena; /* constant; of the worker's node */
} npi_data_rows;

/* Tasks of `home` (0: a part of one) ran on `ran` and have `bytes` on `data`. The owner only. */
void npi_data_count(npi_data_rows *rows, np_node_index home, np_node_index ran, np_node_index data,
                    uint64_t tasks, uint64_t bytes);

/* --- in a snapshot --------------------------------------------------------------------------- */

typedef struct npi_data_sum {
    np_node_index home, ran, data;
    np_data_sum sum;
} npi_data_sum;

/* Sorted by home, ran, data. */
typedef struct npi_data_cube {
    npi_data_sum *cells;
    size_t count;
    size_t room;
} npi_data_cube;

/* Both false: no memory. Adds one cell; and what a worker has counted. */
bool npi_data_cube_add_cell(npi_data_cube *cube, const npi_data_sum *cell);
bool npi_data_cube_add(npi_data_cube *cube, npi_data_rows *rows);
bool npi_data_cube_copy(npi_data_cube *to, const npi_data_cube *from);
/* Takes away what an earlier one has. */
void npi_data_cube_subtract(npi_data_cube *from, const npi_data_cube *older);
/* NP_NODE_INDEX_NONE: of all of them. */
np_data_sum npi_data_cube_sum(const npi_data_cube *cube, np_node_index home, np_node_index ran,
                              np_node_index data);
void npi_data_cube_free(npi_data_cube *cube);

#endif
