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

#include "base/alloc.h"
#include "base/status.h"
#include "memory/array_impl.h"
#include "memory/place.h"

typedef struct placing {
    const np_array *array;
    const npi_partition *partition;
    bool move; /* pages that are present go along; the array's partition is the old one */
    const uint64_t *there; /* of these, pages on each of the partition's nodes; NULL: none */
    bool fell_short;       /* a piece that was placed is not as it should be, which has been said */
    size_t placed;         /* pieces that the kernel has taken */
    int error;             /* of the first piece that it has not, 0: none */
    size_t refused;        /* whose piece that was */
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

/* What a node must give for its part besides the pages of the array that it has already. */
static uint64_t new_bytes(const placing *self, size_t owner)
{
    uint64_t bytes = (uint64_t)self->partition->elements[owner] * self->partition->element_bytes;
    uint64_t had = self->there != NULL ? self->there[owner] * self->array->page_bytes : 0;
    return bytes > had ? bytes - had : 0;
}

static np_status look_at_free_memory(placing *self)
{
    const npi_partition *partition = self->partition;
    if (self->array->from_pool)
        return NP_OK; /* its pages are other ones */
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

/* The part on the node of `refused`, and what that means for the whole. */
static np_status bind_failed(placing *self)
{
    bool partly = self->placed != 0;
    int error = self->error;
    name_part(self, self->refused);
    return npi_place_fall_short(
        &self->place, partly ? NP_ENFORCEMENT_BEST_EFFORT : NP_ENFORCEMENT_NONE,
        partly ? NP_REASON_PARTIAL : npi_place_reason(error), error, "mbind",
        error == EINVAL ? "outside what this process may use" : "the kernel does not place it");
}

/* How good it is, said once: the first piece that falls short is the one that is named. */
static np_status judge_piece(placing *self, const char *begin, size_t bytes, npi_os_policy policy,
                             const npi_node_set *nodes, int error)
{
    self->placed++;
    if (self->fell_short)
        return NP_OK;
    unsigned shortfalls = self->place.shortfalls;
    np_status status = NP_OK;
    if (error != 0)
        status = npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL,
                                      error, "mbind", "not every page could be moved");
    else
        status = npi_place_read_back(&self->place, begin, bytes, policy, nodes);
    self->fell_short = self->place.shortfalls != shortfalls;
    return status;
}

/* In soft mode a piece that cannot be placed does not keep the others from being placed. */
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
    name_part(self, part.owner);
    /* EIO where pages were to move: the policy is in force, and some of them are where they were.
     */
    if (error == 0 || (error == EIO && self->move))
        return judge_piece(self, begin, bytes, policy, &nodes, error);
    if (self->error == 0) {
        self->error = error;
        self->refused = part.owner;
    }
    return self->place.hard_mode == NP_HARD_MODE_STRICT ? bind_failed(self) : NP_OK;
}

/* A huge page lies on one node: those that a cut goes through would follow the piece that moves
 * last. In a fresh mapping there are none, and where the pieces are mappings already the kernel
 * makes none across a cut. */
static void split_huge_pages(const placing *self)
{
    size_t huge = npi_os_huge_page_size();
    for (size_t piece = 1; piece < self->partition->piece_count && huge != 0; piece++) {
        npi_part part = npi_partition_part(self->partition, piece);
        char *cut = self->array->data + part.first_page * self->partition->page_bytes;
        /* Where this fails the audit will tell. */
        if ((uintptr_t)cut % huge != 0)
            (void)npi_os_advise(cut, self->array->page_bytes, NPI_OS_ADVICE_SPLIT);
    }
}

static np_status place_pieces(placing *self)
{
    np_status status = NP_OK;
    if (self->move)
        split_huge_pages(self);
    for (size_t piece = 0; piece < self->partition->piece_count && status == NP_OK; piece++)
        status = place_piece(self, piece);
    if (status == NP_OK && self->error != 0)
        status = bind_failed(self);
    name_whole(self);
    return status;
}

/* --- where the pages are ----------------------------------------------------------------- */

static bool is_home(const void *owner, size_t page, np_node_id node)
{
    const placing *self = owner;
    if (self->array->virtual_nodes)
        return true;
    const npi_partition *partition = self->partition;
    size_t part_page = page * self->array->page_bytes / partition->page_bytes;
    size_t piece = npi_partition_piece_of_page(partition, part_page);
    return partition->nodes[npi_partition_owner(partition, piece)] == node;
}

/* By the partition that is being placed. 0 or errno. */
static int audit(const placing *self, np_region_audit *summary)
{
    const np_array *array = self->array;
    return npi_pages_audit(array->data, array->bytes / array->page_bytes, array->page_bytes,
                           is_home, self, summary, NULL, 0);
}

np_status np_array_audit(const np_array *array, np_region_audit *summary)
{
    if (array == NULL || summary == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_array_audit: %s is NULL",
                        array == NULL ? "array" : "summary");
    const placing as_it_is = {.array = array, .partition = array->partition};
    int error = audit(&as_it_is, summary);
    return error == 0 ? NP_OK : npi_pages_query_failed(error, "array at", array->data);
}

/* --- the whole --------------------------------------------------------------------------- */

static void begin(placing *self, const np_array *array, const npi_partition *partition,
                  np_hard_mode hard_mode)
{
    *self = (placing){.array = array,
                      .partition = partition,
                      .place = {.data = array->data,
                                .bytes = array->bytes,
                                .page_bytes = array->page_bytes,
                                .hard_mode = hard_mode,
                                .reached = {NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0}}};
    name_whole(self);
}

static np_status fall_short_of_virtual(placing *self)
{
    return npi_place_fall_short(&self->place, NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY, 0,
                                NULL, "the topology does not describe this machine");
}

/* The policies already guarantee the place of a bound page; this is the proof strict mode owes. */
static np_status prove(placing *self)
{
    np_region_audit summary;
    if (self->place.hard_mode != NP_HARD_MODE_STRICT || audit(self, &summary) != 0)
        return NP_OK; /* where the kernel answers no such query, its policy is the word we have */
    return npi_place_prove(&self->place, &summary);
}

static np_status set_policies(placing *self)
{
    if (self->array->virtual_nodes)
        return fall_short_of_virtual(self);
    np_status status = look_at_free_memory(self);
    return status == NP_OK ? place_pieces(self) : status;
}

np_status npi_array_place(np_array *array, const np_array_options *options)
{
    placing self;
    begin(&self, array, array->partition, options->hard_mode);
    self.place.reached = array->enforcement;
    np_status status = set_policies(&self);
    if (status == NP_OK)
        status = npi_place_advise(&self.place, options->huge_pages);
    if (status == NP_OK)
        status = npi_place_populate(&self.place, options->prefault);
    if (status == NP_OK && options->prefault != NP_PREFAULT_NONE)
        status = prove(&self);
    array->enforcement = self.place.reached;
    array->preferred = self.preferred;
    return status;
}

static np_status huge_fall_short(placing *self, int error, const char *call)
{
    const npi_partition *partition = self->partition;
    return npi_huge_fall_short(&self->place, error, call, partition->nodes,
                               self->array->virtual_nodes ? 0 : partition->node_count);
}

/* The mapping is there. Its pages are made now: one that is missing later would be a SIGBUS. */
static np_status fill_huge(placing *self, bool *done)
{
    np_status status = set_policies(self);
    if (status != NP_OK)
        return status;
    int error = npi_os_advise(self->array->data, self->array->bytes, NPI_OS_ADVICE_POPULATE);
    if (error != 0)
        return huge_fall_short(self, error, "madvise");
    status = prove(self);
    *done = status == NP_OK;
    return status;
}

np_status npi_array_make_huge(np_array *array, np_hard_mode hard_mode, bool *done)
{
    const npi_partition *partition = array->partition;
    *done = false;
    array->from_pool = true;
    array->page_bytes = partition->page_bytes;
    array->bytes = partition->pages * partition->page_bytes;
    void *memory = NULL;
    int error = npi_os_map_huge(array->bytes, array->page_bytes, &memory);
    array->data = memory;
    placing self;
    begin(&self, array, partition, hard_mode);
    np_status status = error != 0 ? huge_fall_short(&self, error, "mmap") : fill_huge(&self, done);
    if (!*done && error == 0)
        (void)npi_os_unmap(array->data, array->bytes);
    array->enforcement = self.place.reached;
    return status;
}

/* --- another distribution ---------------------------------------------------------------- */

/* As it was before, as far as the kernel would: that shows in what is left of the enforcement. */
static void move_back(np_array *array)
{
    placing self;
    begin(&self, array, array->partition, NP_HARD_MODE_SOFT);
    self.move = true;
    self.preferred = array->preferred;
    (void)place_pieces(&self);
    np_region_audit now;
    if (audit(&self, &now) == 0) {
        now.not_present = 0; /* those will come by the policy */
        (void)npi_place_prove(&self.place, &now);
    }
    if (self.place.reached.level < array->enforcement.level)
        array->enforcement = self.place.reached;
}

/* How many pages are at home now. A page that is there and is not, in strict mode, is one too many.
 */
static np_status count_moved(placing *self, uint64_t home_before, np_migration *result)
{
    np_region_audit now;
    if (audit(self, &now) != 0) {
        result->pages = result->unknown = self->array->bytes / self->array->page_bytes;
        return NP_OK;
    }
    *result = (np_migration){.pages = now.pages,
                             .home = now.home,
                             .moved = now.home > home_before ? now.home - home_before : 0,
                             .stayed = now.elsewhere,
                             .not_present = now.not_present,
                             .unknown = now.unknown};
    now.not_present = 0;
    return npi_place_prove(&self->place, &now);
}

typedef struct census {
    const placing *placing;
    uint64_t *there;
} census;

/* Counts for each node of the partition the pages that it has already. */
static bool count_there(const void *owner, size_t page, np_node_id node)
{
    const census *self = owner;
    const npi_partition *partition = self->placing->partition;
    for (size_t i = 0; i < partition->node_count; i++)
        if (partition->nodes[i] == node)
            self->there[i]++;
    return is_home(self->placing, page, node);
}

static np_status move_pieces(placing *self, np_array *array, const census *counting,
                             np_migration *result)
{
    np_region_audit before;
    if (npi_pages_audit(array->data, array->bytes / array->page_bytes, array->page_bytes,
                        count_there, counting, &before, NULL, 0) != 0)
        before.home = UINT64_MAX; /* none is counted as moved */
    self->there = counting->there;
    np_status status = array->virtual_nodes ? fall_short_of_virtual(self)
                                            : look_at_free_memory(self);
    if (status != NP_OK)
        return status;
    if (!array->virtual_nodes)
        status = place_pieces(self);
    if (status == NP_OK)
        status = count_moved(self, before.home, result);
    if (status != NP_OK)
        move_back(array);
    return status;
}

np_status npi_array_move(np_array *array, npi_partition *partition, np_hard_mode hard_mode,
                         np_migration *result)
{
    uint64_t *there = npi_alloc_array(partition->node_count, sizeof *there, 0);
    if (there == NULL)
        return npi_fail_memory(partition->node_count * sizeof *there, "the nodes of an array");
    placing self;
    begin(&self, array, partition, hard_mode);
    self.move = true;
    np_migration counted = {0};
    const census counting = {&self, there};
    np_status status = move_pieces(&self, array, &counting, &counted);
    npi_free_array(there, partition->node_count, sizeof *there);
    if (status != NP_OK)
        return status;
    npi_partition_free(array->partition);
    array->partition = partition;
    array->preferred = self.preferred;
    array->enforcement = self.place.reached;
    *result = counted;
    return NP_OK;
}
