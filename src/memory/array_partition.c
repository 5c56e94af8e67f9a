/*
 * memory/array_partition.c - see memory/array_partition.h.
 *
 * Everything rests on two functions that are each other's inverse as far as pages allow:
 * first_element_of() a page, and page_of_cut(), the page to which a division in front of an element
 * moves. A piece is a range of pages between two cuts; its elements are those whose first byte lies
 * there. So an element is found by the page of its first byte, and that page by a search over the
 * cuts, or by a division where blocks of one size take turns.
 *
 * No product here overflows: all are at most about twice the bytes of the array.
 */
#include "memory/array_partition.h"

#include <string.h>

#include "base/alloc.h"
#include "base/assert.h"
#include "base/status.h"

/* Where the caller says nothing: enough blocks that what grows along the array is still shared
 * equally, few enough that a block is worth going to. */
#define BLOCKS_PER_NODE 64u

__extension__ typedef unsigned __int128 wide;

/* --- pages and elements ------------------------------------------------------------------ */

/* The first element that begins in this page or behind it; count: there is none. */
static size_t first_element_of(const npi_partition *self, size_t page)
{
    if (page >= self->pages)
        return self->count;
    size_t element = (page * self->page_bytes + self->element_bytes - 1) / self->element_bytes;
    return element < self->count ? element : self->count;
}

/*
 * Where the part that begins with `element` by the division begins with a page. Small elements: the
 * next page boundary, so that the first part of an array that is smaller than the machine is the
 * one that has something. Large ones: the one before, else an element would change sides.
 */
static size_t page_of_cut(const npi_partition *self, size_t element)
{
    if (element >= self->count)
        return self->pages;
    size_t byte = element * self->element_bytes;
    if (self->element_bytes <= self->page_bytes)
        byte += self->page_bytes - 1;
    size_t page = byte / self->page_bytes;
    /* The last page may hold nothing but the end of the last element: it goes with that. */
    return first_element_of(self, page) < self->count ? page : self->pages;
}

/* --- making ------------------------------------------------------------------------------ */

static np_status too_many(const npi_partition *self, size_t pieces, size_t limit)
{
    if (self->block == 0)
        return npi_fail(NP_ERR_LIMIT,
                        "%zu pieces: one array can have %zu (a third of vm.max_map_count)", pieces,
                        limit);
    return npi_fail(NP_ERR_LIMIT,
                    "at least %zu pieces by blocks of %zu elements: one array can have %zu (a "
                    "third of vm.max_map_count); blocks of %zu elements give fewer",
                    pieces, self->block, limit, self->count / limit + 1);
}

/* Room for one cut more. */
static np_status grow(npi_partition *self, size_t limit)
{
    if (self->piece_count >= limit)
        return too_many(self, self->piece_count + 1, limit);
    if (self->piece_count < self->cut_room)
        return NP_OK;
    size_t room = self->cut_room == 0 ? self->node_count : self->cut_room * 2;
    npi_cut *cuts = npi_alloc_array(room, sizeof *cuts, 0);
    if (cuts == NULL)
        return npi_fail_memory(room * sizeof *cuts, "the pieces of an array");
    if (self->piece_count != 0)
        memcpy(cuts, self->cuts, self->piece_count * sizeof *cuts);
    npi_free_array(self->cuts, self->cut_room, sizeof *cuts);
    self->cuts = cuts;
    self->cut_room = room;
    return NP_OK;
}

/* The pages from `page` on, up to the next cut, belong to `owner`. */
static np_status cut(npi_partition *self, size_t page, size_t owner, size_t limit)
{
    if (self->piece_count != 0 && self->cuts[self->piece_count - 1].owner == owner)
        return NP_OK;
    np_status status = grow(self, limit);
    if (status == NP_OK)
        self->cuts[self->piece_count++] = (npi_cut){page, (uint32_t)owner};
    return status;
}

/* One part per node, as large as its weight; without weights all are alike. */
static np_status divide_by_weight(npi_partition *self, const uint32_t *weights, size_t limit)
{
    uint64_t whole = 0;
    for (size_t i = 0; i < self->node_count; i++)
        whole += weights != NULL ? weights[i] : 1;
    NPI_INVARIANT(whole != 0);
    uint64_t before = 0;
    size_t page = 0;
    for (size_t i = 0; i < self->node_count; i++) {
        before += weights != NULL ? weights[i] : 1;
        size_t end = page_of_cut(self, (size_t)((wide)self->count * before / whole));
        if (end == page)
            continue;
        np_status status = cut(self, page, i, limit);
        if (status != NP_OK)
            return status;
        page = end;
    }
    return NP_OK;
}

/* How many blocks have an element: of those of the division the last may have lost all of its own
 * to the one before. */
static size_t count_blocks(const npi_partition *self)
{
    size_t blocks = (self->count + self->block - 1) / self->block;
    return blocks > 1 && page_of_cut(self, (blocks - 1) * self->block) == self->pages ? blocks - 1
                                                                                      : blocks;
}

static void choose_block(npi_partition *self, size_t wanted)
{
    if (wanted == 0)
        wanted = self->count / (self->node_count * BLOCKS_PER_NODE);
    /* A block of at least a page has at least a page after its ends have moved. */
    size_t least = (self->page_bytes + self->element_bytes - 1) / self->element_bytes;
    if (wanted < least)
        wanted = least;
    self->block = wanted < self->count ? wanted : self->count;
}

static np_status divide_in_turn(npi_partition *self, size_t limit)
{
    size_t blocks = count_blocks(self);
    if (self->node_count == 1)
        return cut(self, 0, 0, limit);
    if (blocks > limit)
        return too_many(self, blocks, limit);
    self->piece_count = blocks;
    return NP_OK;
}

static np_status divide_by_owner(npi_partition *self, np_owner_fn owner, void *context,
                                 size_t limit)
{
    size_t blocks = count_blocks(self);
    size_t page = 0;
    for (size_t block = 0; block < blocks; block++) {
        size_t next = block + 1 == blocks ? self->pages
                                          : page_of_cut(self, (block + 1) * self->block);
        size_t begin = first_element_of(self, page);
        size_t end = first_element_of(self, next);
        size_t who = owner(context, begin, end);
        if (who >= self->node_count)
            return npi_fail(NP_ERR_INVALID_ARGUMENT,
                            "np_array_options.owner gives %zu for the elements from %zu to %zu: "
                            "there are %zu nodes",
                            who, begin, end - 1, self->node_count);
        np_status status = cut(self, page, who, limit);
        if (status != NP_OK)
            return status;
        page = next;
    }
    return NP_OK;
}

static np_status divide(npi_partition *self, const np_array_options *options, size_t limit)
{
    switch (self->distribution) {
    case NP_DISTRIBUTION_BLOCK: return divide_by_weight(self, NULL, limit);
    case NP_DISTRIBUTION_WEIGHTED: return divide_by_weight(self, options->weights, limit);
    case NP_DISTRIBUTION_CYCLIC:
        choose_block(self, options->block);
        return divide_in_turn(self, limit);
    case NP_DISTRIBUTION_CUSTOM:
        choose_block(self, options->block);
        return divide_by_owner(self, options->owner, options->owner_context, limit);
    }
    return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_options.distribution is %d",
                    (int)self->distribution);
}

static np_status allocate(size_t node_count, npi_partition **out)
{
    npi_partition *self = npi_alloc(sizeof *self, 0);
    if (self == NULL)
        return npi_fail_memory(sizeof *self, "the distribution of an array");
    self->node_count = node_count;
    self->nodes = npi_alloc_array(node_count, sizeof *self->nodes, 0);
    self->elements = npi_alloc_array(node_count, sizeof *self->elements, 0);
    if (self->nodes == NULL || self->elements == NULL) {
        npi_partition_free(self);
        return npi_fail_memory(node_count * (sizeof(np_node_id) + sizeof(size_t)),
                               "the nodes of an array");
    }
    *out = self;
    return NP_OK;
}

np_status npi_partition_make(size_t count, size_t element_bytes, size_t page_bytes,
                             const np_array_options *options, size_t piece_limit,
                             npi_partition **out)
{
    NPI_INVARIANT(piece_limit != 0 && count != 0 && element_bytes != 0 &&
                  count <= SIZE_MAX / 4 / element_bytes);
    NPI_INVARIANT(options->node_count != 0 && options->node_count <= UINT32_MAX);
    npi_partition *self = NULL;
    np_status status = allocate(options->node_count, &self);
    if (status != NP_OK)
        return status;
    memcpy(self->nodes, options->nodes, options->node_count * sizeof *self->nodes);
    self->count = count;
    self->element_bytes = element_bytes;
    self->page_bytes = page_bytes;
    self->pages = (count * element_bytes + page_bytes - 1) / page_bytes;
    self->distribution = options->distribution;

    status = divide(self, options, piece_limit);
    if (status != NP_OK) {
        npi_partition_free(self);
        return status;
    }
    NPI_INVARIANT(self->piece_count != 0);
    for (size_t piece = 0; piece < self->piece_count; piece++) {
        npi_part part = npi_partition_part(self, piece);
        NPI_CHECK(part.first_page < part.end_page && part.begin < part.end);
        self->elements[part.owner] += part.end - part.begin;
    }
    *out = self;
    return NP_OK;
}

void npi_partition_free(npi_partition *self)
{
    if (self == NULL)
        return;
    npi_free_array(self->cuts, self->cut_room, sizeof *self->cuts);
    npi_free_array(self->elements, self->node_count, sizeof *self->elements);
    npi_free_array(self->nodes, self->node_count, sizeof *self->nodes);
    npi_free(self, sizeof *self);
}

/* --- asking ------------------------------------------------------------------------------ */

/* The page where a piece begins; piece_count: the end of all. */
static size_t first_page_of(const npi_partition *self, size_t piece)
{
    if (piece == self->piece_count)
        return self->pages;
    return self->cuts != NULL ? self->cuts[piece].page : page_of_cut(self, piece * self->block);
}

npi_part npi_partition_part(const npi_partition *self, size_t piece)
{
    npi_part part = {.first_page = first_page_of(self, piece),
                     .end_page = first_page_of(self, piece + 1)};
    part.begin = first_element_of(self, part.first_page);
    part.end = first_element_of(self, part.end_page);
    part.owner = npi_partition_owner(self, piece);
    return part;
}

/* The last cut at or before this page. The first cut is page 0. */
static size_t search(const npi_partition *self, size_t page)
{
    size_t low = 0;
    size_t high = self->piece_count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (self->cuts[middle].page <= page)
            low = middle;
        else
            high = middle;
    }
    return low;
}

size_t npi_partition_piece_of(const npi_partition *self, size_t element)
{
    size_t page = element * self->element_bytes / self->page_bytes;
    if (self->cuts != NULL)
        return search(self, page);
    /* Among the elements cuts move by less than a block, forward if at all: it is this block of the
     * division or the one before. */
    size_t piece = element / self->block;
    if (piece >= self->piece_count)
        piece = self->piece_count - 1;
    return first_page_of(self, piece) <= page ? piece : piece - 1;
}

size_t npi_partition_piece_of_page(const npi_partition *self, size_t page)
{
    if (self->cuts != NULL)
        return search(self, page);
    /* The first element behind the page's beginning, or the last of all, is in this page's piece or
     * in the next one. */
    size_t element = first_element_of(self, page);
    size_t piece = npi_partition_piece_of(self, element < self->count ? element : self->count - 1);
    return first_page_of(self, piece) <= page ? piece : piece - 1;
}
