/*
 * memory/array_place.c - making the kernel place the pieces of an array, each on its node, and
 * asking where the pages are. The steps, and how each falls short, are in memory/place.h.
 *
 * Every piece is bound by a call of its own and so becomes a mapping of its own in the kernel.
 * MPOL_INTERLEAVE would do without that for blocks of one page, but it does not bind: where a node
 * is full the kernel takes another one, and which node is whose turn depends on how the kernel
 * numbers the pages of a mapping.
 */
#include <errno.h>

#include "base/status.h"
#include "memory/array_impl.h"
#include "memory/place.h"

typedef struct placing {
    const np_array *array;
    const npi_partition *partition;
    const np_array_options *options;
    bool move;
    bool fell_short;        /* a piece is not as it should be, which has been said */
    npi_node_set preferred; /* nodes that have too little memory to insist on them */
    npi_place place;
} placing;

static void begin_name(placing *self, npi_text *text)
{
    npi_text_begin(text, self->place.name, sizeof self->place.name);
    npi_text_add(text, "array of %zu elements of %zu bytes, %s", self->partition->count,
                 self->partition->element_bytes,
                 np_distribution_name(self->partition->distribution));
}

static void name_whole(placing *self)
{
    npi_text text;
    begin_name(self, &text);
    npi_text_add(&text, " over");
    npi_place_add_nodes(&text, self->partition->nodes, self->partition->node_count);
}

static void name_part(placing *self, size_t owner)
{
    npi_text text;
    begin_name(self, &text);
    npi_text_add(&text, ", part on");
    npi_place_add_nodes(&text, &self->partition->nodes[owner], 1);
}

/* --- policies ---------------------------------------------------------------------------- */

/* What the part of this node grows by. What it has already need not be had again. */
static uint64_t new_bytes(const placing *self, size_t owner)
{
    uint64_t bytes = (uint64_t)self->partition->elements[owner] * self->partition->element_bytes;
    uint64_t had = 0;
    if (self->move)
        had = (uint64_t)np_array_node_elements(self->array, self->partition->nodes[owner]) *
              self->partition->element_bytes;
    return bytes > had ? bytes - had : 0;
}

static np_status look_at_free_memory(placing *self)
{
    const npi_partition *partition = self->partition;
    npi_node_set_clear(&self->preferred);
    for (size_t owner = 0; owner < partition->node_count; owner++) {
        uint64_t bytes = new_bytes(self, owner);
        if (bytes == 0)
            continue;
        bool fits = true;
        name_part(self, owner);
        np_status status = npi_place_look(&self->place, &partition->nodes[owner], 1, bytes, &fits);
        if (status != NP_OK)
            return status;
        if (!fits)
            (void)npi_node_set_add(&self->preferred, partition->nodes[owner]);
    }
    return NP_OK;
}

/* The bytes of a piece's pages. The last piece has what is left of the mapping. */
static size_t piece_bytes(const placing *self, npi_part part, size_t *begin)
{
    *begin = part.first_page * self->partition->page_bytes;
    size_t end = part.end_page == self->partition->pages
                     ? self->array->bytes
                     : part.end_page * self->partition->page_bytes;
    return end - *begin;
}

static np_status bind_failed(placing *self, int error)
{
    /* Where pages were to move, the policy is in force and some of them are where they were. */
    if (error == EIO && self->move)
        return npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL,
                                    error, "mbind", "not every page could be moved");
    return npi_place_fall_short(
        &self->place, NP_ENFORCEMENT_NONE, npi_place_reason(error), error, "mbind",
        error == EINVAL ? "outside what this process may use" : "the kernel does not place it");
}

/* In soft mode a piece that cannot be placed leaves the others as they are; the first one that
 * falls short is the one that is named. */
static np_status place_piece(placing *self, size_t piece)
{
    npi_part part = npi_partition_part(self->partition, piece);
    np_node_id node = self->partition->nodes[part.owner];
    npi_node_set nodes;
    npi_node_set_clear(&nodes);
    if (!npi_node_set_add(&nodes, node))
        return npi_fail(NP_ERR_INVALID_NODE, "node %d is beyond what this library can place",
                        (int)node);
    npi_os_policy policy = npi_node_set_contains(&self->preferred, node) ? NPI_OS_POLICY_PREFERRED
                                                                         : NPI_OS_POLICY_BIND;
    size_t offset = 0;
    size_t bytes = piece_bytes(self, part, &offset);
    char *begin = self->array->data + offset;
    int error = npi_os_bind_memory(begin, bytes, policy, &nodes, self->move);
    if (self->fell_short)
        return NP_OK;
    name_part(self, part.owner);
    unsigned shortfalls = self->place.shortfalls;
    np_status status = error != 0 ? bind_failed(self, error)
                                  : npi_place_read_back(&self->place, begin, bytes, policy, &nodes);
    self->fell_short = self->place.shortfalls != shortfalls;
    return status;
}

/* --- the whole --------------------------------------------------------------------------- */

/* The policies already guarantee the place of a bound page; this is the proof strict mode owes. */
static np_status prove(placing *self)
{
    if (self->options->hard_mode != NP_HARD_MODE_STRICT ||
        self->options->prefault == NP_PREFAULT_NONE)
        return NP_OK;
    np_region_audit audit;
    if (npi_array_audit(self->array, self->partition, &audit) != 0)
        return NP_OK; /* where the kernel answers no such query, its policy is the word we have */
    return npi_place_prove(&self->place, &audit);
}

static np_status place_pieces(placing *self)
{
    np_status status = look_at_free_memory(self);
    for (size_t piece = 0; piece < self->partition->piece_count && status == NP_OK; piece++)
        status = place_piece(self, piece);
    return status;
}

np_status npi_array_place(np_array *array, const npi_partition *partition,
                          const np_array_options *options, bool move)
{
    placing self = {.array = array,
                    .partition = partition,
                    .options = options,
                    .move = move,
                    .place = {.data = array->data,
                              .bytes = array->bytes,
                              .page_bytes = array->page_bytes,
                              .hard_mode = options->hard_mode,
                              .reached = {NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0}}};
    name_whole(&self);
    np_status status = NP_OK;
    if (array->virtual_nodes)
        status = npi_place_fall_short(&self.place, NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY,
                                      0, NULL, "the topology does not describe this machine");
    else
        status = place_pieces(&self);
    name_whole(&self);
    if (status == NP_OK)
        status = npi_place_advise(&self.place, array->huge_pages);
    if (status == NP_OK)
        status = npi_place_populate(&self.place, options->prefault);
    if (status == NP_OK)
        status = prove(&self);
    if (status == NP_OK)
        array->enforcement = self.place.reached;
    return status;
}

/* --- audit ------------------------------------------------------------------------------- */

typedef struct audited {
    const np_array *array;
    const npi_partition *partition;
} audited;

static bool is_home(const void *owner, size_t page, np_node_id node)
{
    const audited *self = owner;
    if (self->array->virtual_nodes)
        return true;
    const npi_partition *partition = self->partition;
    size_t part_page = page * self->array->page_bytes / partition->page_bytes;
    size_t piece = npi_partition_piece_of_page(partition, part_page);
    return partition->nodes[npi_partition_owner(partition, piece)] == node;
}

int npi_array_audit(const np_array *array, const npi_partition *partition, np_region_audit *summary)
{
    const audited owner = {array, partition};
    return npi_pages_audit(array->data, array->bytes / array->page_bytes, array->page_bytes,
                           is_home, &owner, summary, NULL, 0);
}

np_status np_array_audit(const np_array *array, np_region_audit *summary)
{
    if (array == NULL || summary == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_audit: %s is NULL",
                        array == NULL ? "array" : "summary");
    int error = npi_array_audit(array, array->partition, summary);
    return error == 0 ? NP_OK : npi_pages_query_failed(error, "array at", array->data);
}
