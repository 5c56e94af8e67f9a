/*
 * metric/data.c - rows of a worker, and the cells that a snapshot makes of them. See metric/data.h.
 */
#include "metric/data.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"

/* --- a worker's rows ----------------------------------------------------------------------- */

static npi_data_row *new_row(npi_data_rows *rows, np_node_index home, np_node_index ran)
{
    npi_data_row *row = npi_arena_alloc(
        rows->arena, sizeof *row + rows->nodes * sizeof row->cells[0], NPI_CACHE_LINE);
    if (row == NULL)
        return NULL;
    row->home = home;
    row->ran = ran;
    return row;
}

/* Relaxed throughout but for the publishing: only this thread writes, and it reads its own. */
static npi_data_row *row_of(npi_data_rows *rows, np_node_index home, np_node_index ran)
{
    np_atomic(npi_data_row *) *link = &rows->first;
    npi_data_row *row;
    while ((row = npi_load_relaxed(link)) != NULL) {
        if (row->home == home && row->ran == ran)
            return row;
        link = &row->next;
    }
    row = new_row(rows, home, ran);
    if (row != NULL)
        /* Release: pairs with the acquire in npi_data_cube_add; the row is set up. */
        npi_store_release(link, row);
    return row;
}

void npi_data_count(npi_data_rows *rows, np_node_index home, np_node_index ran, np_node_index data,
                    uint64_t tasks, uint64_t bytes)
{
    NPI_CHECK(data < rows->nodes);
    npi_data_row *row = row_of(rows, home, ran);
    if (row == NULL)
        return;
    npi_owner_add(&row->cells[data].tasks, tasks);
    npi_owner_add(&row->cells[data].bytes, bytes);
}

/* --- a snapshot's cells -------------------------------------------------------------------- */

/* Below zero, zero, above zero: a comes before b, is it, comes after it. */
static int compare(const npi_data_sum *a, const npi_data_sum *b)
{
    if (a->home != b->home)
        return a->home < b->home ? -1 : 1;
    if (a->ran != b->ran)
        return a->ran < b->ran ? -1 : 1;
    if (a->data != b->data)
        return a->data < b->data ? -1 : 1;
    return 0;
}

/* Where the cell is, or belongs. */
static size_t position(const npi_data_cube *cube, const npi_data_sum *key)
{
    size_t low = 0;
    size_t high = cube->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare(&cube->cells[middle], key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool make_room(npi_data_cube *cube)
{
    if (cube->count < cube->room)
        return true;
    size_t room = cube->room == 0 ? 16 : cube->room * 2;
    npi_data_sum *cells = npi_alloc_array(room, sizeof *cells, 0);
    if (cells == NULL)
        return false;
    if (cube->count != 0)
        memcpy(cells, cube->cells, cube->count * sizeof *cells);
    npi_free_array(cube->cells, cube->room, sizeof *cells);
    cube->cells = cells;
    cube->room = room;
    return true;
}

bool npi_data_cube_add_cell(npi_data_cube *cube, const npi_data_sum *cell)
{
    size_t at = position(cube, cell);
    if (at == cube->count || compare(&cube->cells[at], cell) != 0) {
        if (!make_room(cube))
            return false;
        memmove(&cube->cells[at + 1], &cube->cells[at], (cube->count - at) * sizeof cube->cells[0]);
        cube->cells[at] = *cell;
        cube->count++;
        return true;
    }
    cube->cells[at].sum.tasks += cell->sum.tasks;
    cube->cells[at].sum.bytes += cell->sum.bytes;
    return true;
}

bool npi_data_cube_add(npi_data_cube *cube, npi_data_rows *rows)
{
    /* Acquire, here and for the next one: pairs with the release in row_of. */
    for (npi_data_row *row = npi_load_acquire(&rows->first); row != NULL;
         row = npi_load_acquire(&row->next))
        for (np_node_index data = 0; data < rows->nodes; data++) {
            /* Relaxed: a counter publishes nothing but itself. */
            npi_data_sum cell = {.home = row->home, .ran = row->ran, .data = data};
            cell.sum.tasks = npi_load_relaxed(&row->cells[data].tasks);
            cell.sum.bytes = npi_load_relaxed(&row->cells[data].bytes);
            if ((cell.sum.tasks != 0 || cell.sum.bytes != 0) &&
                !npi_data_cube_add_cell(cube, &cell))
                return false;
        }
    return true;
}

bool npi_data_cube_copy(npi_data_cube *to, const npi_data_cube *from)
{
    *to = (npi_data_cube){NULL, 0, 0};
    if (from->count == 0)
        return true;
    to->cells = npi_alloc_array(from->count, sizeof *to->cells, 0);
    if (to->cells == NULL)
        return false;
    memcpy(to->cells, from->cells, from->count * sizeof *to->cells);
    to->count = to->room = from->count;
    return true;
}

/* As for counters: snapshots of threads that did not synchronise may each be a little behind. */
static uint64_t grown(uint64_t newer, uint64_t older)
{
    return newer > older ? newer - older : 0;
}

void npi_data_cube_subtract(npi_data_cube *from, const npi_data_cube *older)
{
    for (size_t i = 0; i < from->count; i++) {
        npi_data_sum *cell = &from->cells[i];
        size_t at = position(older, cell);
        if (at == older->count || compare(&older->cells[at], cell) != 0)
            continue;
        cell->sum.tasks = grown(cell->sum.tasks, older->cells[at].sum.tasks);
        cell->sum.bytes = grown(cell->sum.bytes, older->cells[at].sum.bytes);
    }
}

np_data_sum npi_data_cube_sum(const npi_data_cube *cube, np_node_index home, np_node_index ran,
                              np_node_index data)
{
    np_data_sum sum = {0, 0};
    for (size_t i = 0; i < cube->count; i++) {
        const npi_data_sum *cell = &cube->cells[i];
        if ((home != NP_NODE_INDEX_NONE && cell->home != home) ||
            (ran != NP_NODE_INDEX_NONE && cell->ran != ran) ||
            (data != NP_NODE_INDEX_NONE && cell->data != data))
            continue;
        sum.tasks += cell->sum.tasks;
        sum.bytes += cell->sum.bytes;
    }
    return sum;
}

void npi_data_cube_free(npi_data_cube *cube)
{
    npi_free_array(cube->cells, cube->room, sizeof *cube->cells);
    *cube = (npi_data_cube){NULL, 0, 0};
}
