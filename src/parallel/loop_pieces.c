/*
 * parallel/loop_pieces.c - finding out where the data of a loop lies, and dividing it among the
 * workers that are to run it. Terms: loop_pieces.h.
 */
#include "parallel/loop_pieces.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"
#include "executor/near.h"

/* --- pieces ----------------------------------------------------------------------------------- */

/* Of `indices`; `most` pieces lie on one node each. */
static np_status begin_pieces(npi_pieces *pieces, const np_executor *executor, size_t indices,
                              size_t most)
{
    /* Where equal parts of the range meet, data on unknown nodes is divided. */
    size_t room = most + executor->node_count;
    *pieces = (npi_pieces){.indices = indices, .room = room};
    pieces->list = npi_alloc_array(room, sizeof *pieces->list, 0);
    return pieces->list != NULL
               ? NP_OK
               : npi_fail(NP_ERR_NO_MEMORY, "no memory for a loop over %zu pieces", room);
}

void npi_pieces_free(npi_pieces *pieces)
{
    npi_free_array(pieces->list, pieces->room, sizeof *pieces->list);
}

/* Appends begin .. end - 1, or makes the last piece longer. `near`: whose workers run it, or the
 * nearest's. */
static void append(npi_pieces *pieces, const np_executor *executor, size_t begin, size_t end,
                   np_node_index data, np_node_index near)
{
    np_node_index home = npi_nearest_with_workers(executor->nodes[near])->index;
    npi_piece *last = pieces->count != 0 ? &pieces->list[pieces->count - 1] : NULL;
    if (last != NULL && last->data == data && last->home == home) {
        last->end = end;
        return;
    }
    NPI_INVARIANT(pieces->list != NULL && pieces->count < pieces->room);
    pieces->list[pieces->count++] = (npi_piece){begin, end, data, home};
}

/* Where equal part `number` of a range begins. The first few are one longer. */
static size_t part_begin(const npi_pieces *pieces, size_t parts, size_t number)
{
    size_t extra = pieces->indices % parts;
    return pieces->indices / parts * number + (number < extra ? number : extra);
}

/*
 * Data on a node that the executor's topology has not: a cpuset has hidden it, it came later, or
 * the pages of a file were brought there by others. No worker is known to be nearer than another,
 * so each node's run what lies in their equal part of the whole range: the same ones every time.
 */
static void append_unknown(npi_pieces *pieces, const np_executor *executor, size_t begin,
                           size_t end)
{
    for (uint32_t i = 0; i < executor->node_count && begin < end; i++) {
        size_t limit = part_begin(pieces, executor->node_count, (size_t)i + 1);
        if (limit <= begin)
            continue;
        size_t stop = limit < end ? limit : end;
        append(pieces, executor, begin, stop, NP_NODE_INDEX_NONE, i);
        begin = stop;
    }
}

static void add_piece(npi_pieces *pieces, const np_executor *executor, size_t begin, size_t end,
                      np_node_id node)
{
    np_node_index data = np_topology_node_index(executor->topology, node);
    if (data == NP_NODE_INDEX_NONE)
        append_unknown(pieces, executor, begin, end);
    else
        append(pieces, executor, begin, end, data, data);
}

static size_t divided_up(size_t a, size_t b)
{
    return a / b + (a % b != 0);
}

np_status npi_pieces_of_array(npi_pieces *pieces, const np_executor *executor,
                              const np_array *array, size_t grain)
{
    size_t count = np_array_piece_count(array);
    size_t indices = divided_up(np_array_count(array), grain);
    np_status status = begin_pieces(pieces, executor, indices, count);
    for (size_t i = 0; status == NP_OK && i < count; i++) {
        np_piece piece;
        (void)np_array_piece(array, i, &piece);
        size_t begin = divided_up(piece.begin, grain);
        size_t end = divided_up(piece.end, grain);
        if (begin < end)
            add_piece(pieces, executor, begin, end, piece.node);
    }
    return status;
}

size_t npi_region_pages(const np_region *region)
{
    return divided_up(np_region_size(region), np_region_page_size(region));
}

/* Where all pages of the region are, without asking. */
static bool is_of_one_node(const np_region *region, np_node_id *node)
{
    np_memory_policy policy = np_region_policy(region);
    size_t nodes = np_region_nodes(region, node, 1);
    return nodes != 0 && (policy == NP_MEMORY_PREFERRED || nodes == 1);
}

/* One piece for each node of the topology. */
static void divide_equally(npi_pieces *pieces, const np_executor *executor)
{
    uint32_t nodes = executor->node_count;
    for (uint32_t i = 0; i < nodes; i++) {
        size_t begin = part_begin(pieces, nodes, i);
        size_t end = part_begin(pieces, nodes, (size_t)i + 1);
        if (begin < end)
            append(pieces, executor, begin, end, i, i);
    }
}

static void add_pages(npi_pieces *pieces, const np_executor *executor, const np_node_id *nodes)
{
    /* Pages that are nowhere go with those before them; the first ones to the first node. */
    np_node_id node = executor->nodes[0]->id;
    for (size_t page = 0; page < pieces->indices; page++) {
        if (nodes[page] != NP_NODE_ID_NONE)
            node = nodes[page];
        add_piece(pieces, executor, page, page + 1, node);
    }
}

static np_status ask_for_pages(npi_pieces *pieces, const np_executor *executor,
                               const np_region *region, size_t pages)
{
    np_node_id *nodes = npi_alloc_array(pages, sizeof *nodes, 0);
    if (nodes == NULL)
        return npi_fail(NP_ERR_NO_MEMORY, "no memory for a loop over %zu pages", pages);
    np_region_audit audit;
    np_status status = np_region_audit_pages(region, &audit, nodes, pages);
    if (status == NP_OK)
        status = begin_pieces(pieces, executor, pages, pages);
    if (status == NP_OK)
        add_pages(pieces, executor, nodes);
    npi_free_array(nodes, pages, sizeof *nodes);
    return status;
}

np_status npi_pieces_of_region(npi_pieces *pieces, const np_executor *executor,
                               const np_region *region)
{
    size_t pages = npi_region_pages(region);
    np_node_id node;
    np_status status;
    if (is_of_one_node(region, &node)) {
        status = begin_pieces(pieces, executor, pages, 1);
        if (status == NP_OK)
            add_piece(pieces, executor, 0, pages, node);
    } else if (executor->is_virtual) {
        status = begin_pieces(pieces, executor, pages, executor->node_count);
        if (status == NP_OK)
            divide_equally(pieces, executor);
    } else {
        status = ask_for_pages(pieces, executor, region, pages);
    }
    return status;
}

/* --- the division ----------------------------------------------------------------------------- */

void npi_division_free(npi_division *d)
{
    npi_free_array(d->order, d->stretch_room, sizeof *d->order);
    npi_free_array(d->stretches, d->stretch_room, sizeof *d->stretches);
    npi_free_array(d->slices, d->slice_room, sizeof *d->slices);
    npi_free_array(d->homes, d->executor->node_count, sizeof *d->homes);
}

/* Adds the pieces up and numbers the slices. */
static void count_slices(npi_division *d, const npi_pieces *pieces)
{
    for (size_t i = 0; i < pieces->count; i++)
        d->homes[pieces->list[i].home].indices += pieces->list[i].end - pieces->list[i].begin;
    for (uint32_t i = 0; i < d->executor->node_count; i++) {
        npi_loop_home *home = &d->homes[i];
        uint32_t workers = d->executor->nodes[i]->regular;
        home->first = d->slice_count;
        home->count = home->indices < workers ? (uint32_t)home->indices : workers;
        d->slice_count += home->count;
    }
}

/* Where slice `number` of a home ends, counted in the home's indices. The first few are one
 * longer. */
static size_t slice_end(const npi_loop_home *home, uint32_t number)
{
    size_t extra = home->indices % home->count;
    size_t slices = (size_t)number + 1;
    return home->indices / home->count * slices + (slices < extra ? slices : extra);
}

/* Deals a piece out to the slices of its home, which are filled one after another. */
static void deal_piece(npi_division *d, const npi_piece *piece, uint32_t *filling)
{
    npi_loop_home *home = &d->homes[piece->home];
    for (size_t at = piece->begin; at < piece->end;) {
        size_t room = slice_end(home, *filling) - home->dealt;
        if (room == 0) {
            ++*filling;
            continue;
        }
        size_t left = piece->end - at;
        size_t length = left < room ? left : room;
        npi_slice *slice = &d->slices[home->first + *filling];
        slice->home = piece->home;
        slice->count++;
        NPI_INVARIANT(d->stretch_count < d->stretch_room);
        d->stretches[d->stretch_count++] = (npi_stretch){at, at + length, piece->data,
                                                         home->first + *filling};
        home->dealt += length;
        at += length;
    }
}

static void order_stretches(npi_division *d)
{
    size_t first = 0;
    for (uint32_t i = 0; i < d->slice_count; i++) {
        d->slices[i].first = first;
        first += d->slices[i].count;
        d->slices[i].count = 0;
    }
    for (size_t i = 0; i < d->stretch_count; i++) {
        npi_slice *slice = &d->slices[d->stretches[i].slice];
        d->order[slice->first + slice->count++] = i;
    }
}

np_status npi_division_make(npi_division *d, const np_executor *executor, const npi_pieces *pieces)
{
    *d = (npi_division){.executor = executor, .slice_room = executor->regular_count};
    /* Each slice but the first of a home may cut a piece in two. */
    d->stretch_room = pieces->count + executor->regular_count;
    d->homes = npi_alloc_array(executor->node_count, sizeof *d->homes, 0);
    d->slices = npi_alloc_array(d->slice_room, sizeof *d->slices, _Alignof(npi_slice));
    d->stretches = npi_alloc_array(d->stretch_room, sizeof *d->stretches, 0);
    d->order = npi_alloc_array(d->stretch_room, sizeof *d->order, 0);
    uint32_t *filling = npi_alloc_array(executor->node_count, sizeof *filling, 0);
    bool have = d->homes != NULL && d->slices != NULL && d->stretches != NULL && d->order != NULL &&
                filling != NULL;
    if (have) {
        count_slices(d, pieces);
        for (size_t i = 0; i < pieces->count; i++)
            deal_piece(d, &pieces->list[i], &filling[pieces->list[i].home]);
        order_stretches(d);
    }
    npi_free_array(filling, executor->node_count, sizeof *filling);
    if (have)
        return NP_OK;
    npi_division_free(d);
    return npi_fail(NP_ERR_NO_MEMORY, "no memory to divide a loop over %zu pieces among %u workers",
                    pieces->count, executor->regular_count);
}
