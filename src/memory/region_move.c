/*
 * memory/region_move.c - pages that are there go to other nodes: np_region_migrate, and what a
 * region from a file needs.
 *
 * First the policy changes for the whole mapping, so that pages that come meanwhile come to the
 * right place. Then the pages move chunk by chunk: the kernel is asked where they are before and
 * after, since it tells only that some stayed, not which. Memory for one chunk is all that is
 * needed, however large the region.
 */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "base/status.h"
#include "memory/region_impl.h"

#define CHUNK_PAGES ((size_t)16384) /* 64 MiB of ordinary pages: the answers take 64 KiB */
#define BATCH       ((size_t)512)

/* Whose turn it is in an interleaved region. */
typedef struct turns {
    const np_region *region;
    uint32_t weight_sum;                    /* 0: pages do not take turns */
    size_t unit;                            /* bytes that stay together */
    uint8_t weights[NPI_NODE_SET_CAPACITY]; /* of the region's nodes */
} turns;

/* --- interleaving ------------------------------------------------------------------------- */

/* As the kernel counts: 1 .. 255. */
static uint8_t weight_of(np_node_id node)
{
    char path[96];
    char text[16];
    snprintf(path, sizeof path, "/sys/kernel/mm/mempolicy/weighted_interleave/node%d", (int)node);
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0)
        return 1;
    uint32_t weight = 0;
    for (const char *c = text; *c >= '0' && *c <= '9' && weight < 256; c++)
        weight = weight * 10 + (uint32_t)(*c - '0');
    return weight >= 1 && weight < 256 ? (uint8_t)weight : 1;
}

static void find_turns(turns *t, const npi_placing *placing)
{
    const np_region *region = placing->region;
    bool weighted = placing->policy == NPI_OS_POLICY_WEIGHTED_INTERLEAVE;
    t->region = region;
    t->unit = region->page_bytes;
    t->weight_sum = 0;
    if (placing->policy != NPI_OS_POLICY_INTERLEAVE && !weighted)
        return;
    /* All of them are in the kernel's set of nodes, which has no more than there is room for. */
    for (size_t i = 0; i < region->node_count; i++) {
        t->weights[i] = weighted ? weight_of(region->nodes[i]) : 1;
        t->weight_sum += t->weights[i];
    }
    /* A transparent huge page is moved as one; pulling it to and fro for each of its small pages
     * would cost five hundred copies. */
    size_t huge = npi_os_huge_page_size();
    if (huge > t->unit && npi_transparent_huge_pages(region->huge_pages))
        t->unit = huge;
}

static int turn_of(const turns *t, const char *page)
{
    uint32_t turn = (uint32_t)((uintptr_t)page / t->unit % t->weight_sum);
    size_t i = 0;
    while (turn >= t->weights[i])
        turn -= t->weights[i++];
    return t->region->nodes[i];
}

/* Moves the pages of [data, data + count pages) to whose turn it is. 0 or errno. */
static int take_turns(const turns *t, char *data, size_t count)
{
    size_t page_bytes = t->region->page_bytes;
    void *pages[BATCH];
    int nodes[BATCH];
    int answers[BATCH];
    for (size_t first = 0; first < count; first += BATCH) {
        size_t some = count - first < BATCH ? count - first : BATCH;
        for (size_t i = 0; i < some; i++) {
            pages[i] = data + (first + i) * page_bytes;
            nodes[i] = turn_of(t, pages[i]);
        }
        int error = npi_os_move_pages(pages, some, nodes, answers);
        if (error != 0)
            return error;
    }
    return 0;
}

/* --- chunks ------------------------------------------------------------------------------- */

/* The node of each page, or a negative errno; where the kernel refuses the question, that one, and
 * it is returned. */
static int ask(const np_region *region, size_t page, size_t count, int *answers)
{
    int refused = 0;
    void *pages[BATCH];
    for (size_t first = 0; first < count; first += BATCH) {
        size_t some = count - first < BATCH ? count - first : BATCH;
        for (size_t i = 0; i < some; i++) {
            pages[i] = region->data + (page + first + i) * region->page_bytes;
            answers[first + i] = -EIO;
        }
        int error = npi_os_page_nodes(pages, some, answers + first);
        for (size_t i = 0; error != 0 && i < some; i++)
            answers[first + i] = -EIO;
        if (error != 0)
            refused = error;
    }
    return refused;
}

static void count_page(const npi_placing *self, int before, int after, np_migration *result)
{
    result->pages++;
    if (after == -ENOENT || after == -EFAULT) {
        result->not_present++;
    } else if (after < 0) {
        result->unknown++;
    } else {
        bool anywhere = self->policy == NPI_OS_POLICY_LOCAL || self->region->virtual_nodes;
        if (anywhere || npi_node_set_contains(&self->nodes, after))
            result->home++;
        else
            result->stayed++;
        if (before >= 0 && before != after)
            result->moved++;
    }
}

/* EIO says that some pages stayed: they are counted. */
static int move_chunk(const npi_placing *self, const turns *t, size_t page, size_t count)
{
    const np_region *region = self->region;
    char *data = region->data + page * region->page_bytes;
    if (self->policy == NPI_OS_POLICY_LOCAL || region->virtual_nodes)
        return 0;
    int error = npi_os_bind_memory(data, count * region->page_bytes, self->policy, &self->nodes,
                                   true);
    if ((error == 0 || error == EIO) && t->weight_sum != 0)
        error = take_turns(t, data, count);
    return error == EIO ? 0 : error;
}

int npi_region_move(const npi_placing *self, np_migration *result, int *refused)
{
    const np_region *region = self->region;
    size_t pages = region->bytes / region->page_bytes;
    size_t room = pages < CHUNK_PAGES ? pages : CHUNK_PAGES;
    int few[2 * BATCH];
    int *answers = npi_alloc(2 * room * sizeof *answers, 0);
    const size_t allocated = answers != NULL ? 2 * room * sizeof *answers : 0;
    if (answers == NULL) { /* slower, not impossible */
        answers = few;
        room = pages < BATCH ? pages : BATCH;
    }
    turns t;
    find_turns(&t, self);
    int error = 0;
    *refused = 0;
    *result = (np_migration){0};
    for (size_t page = 0, count = 0; page < pages; page += count) {
        /* Chunks end at multiples of their size, where no transparent huge page goes through: else
         * it would have moved with one chunk before the next one is asked where it was. */
        size_t into = pages > room ? (uintptr_t)region->data / region->page_bytes % room : 0;
        into = (into + page) % room;
        count = pages - page < room - into ? pages - page : room - into;
        (void)ask(region, page, count, answers);
        int failed = move_chunk(self, &t, page, count);
        if (error == 0)
            error = failed;
        int unanswered = ask(region, page, count, answers + room);
        if (unanswered != 0)
            *refused = unanswered;
        for (size_t i = 0; i < count; i++)
            count_page(self, answers[i], answers[room + i], result);
    }
    if (allocated != 0)
        npi_free(answers, allocated);
    return error;
}

/* --- np_region_migrate -------------------------------------------------------------------- */

/* What of the region has to come to nodes where it is not yet. */
static uint64_t bytes_to_come(const np_region *region)
{
    np_region_audit audit;
    if (npi_region_audit(region, &audit, NULL, 0) != 0)
        return region->bytes;
    return (audit.pages - audit.home) * region->page_bytes;
}

static np_status judge(npi_placing *self, const np_migration *result, int error, int refused)
{
    char what[96];
    npi_text text;
    npi_text_begin(&text, what, sizeof what);
    if (error != 0)
        return npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT,
                                    npi_place_reason(error), error, "mbind",
                                    "the pages cannot be moved");
    if (result->unknown != 0)
        return npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT,
                                    NP_REASON_NOT_VERIFIED, refused, "move_pages",
                                    "the kernel does not say where the pages are");
    if (result->stayed == 0)
        return NP_OK;
    npi_text_add(&text, "%llu of %llu pages stayed elsewhere", (unsigned long long)result->stayed,
                 (unsigned long long)result->pages);
    return npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0,
                                NULL, what);
}

/* Policy and pages as the region says now. */
static np_status apply(np_region *region, np_hard_mode hard_mode, np_migration *result)
{
    region->enforcement = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    npi_placing self;
    np_status status = npi_placing_begin(&self, region, hard_mode);
    /* Pages from a pool are not taken from the node's free memory. */
    if (status == NP_OK && region->page_bytes == npi_os_page_size())
        status = npi_placing_look(&self, bytes_to_come(region));
    if (status == NP_OK)
        status = npi_placing_policy(&self);
    if (status == NP_OK) {
        int refused;
        int error = npi_region_move(&self, result, &refused);
        if (!region->virtual_nodes)
            status = judge(&self, result, error, refused);
    }
    npi_placing_end(&self);
    return status;
}

/* The detail of the failure that led here stays. */
static void go_back(np_region *region, const np_region *before)
{
    np_migration ignored;
    npi_region_free_nodes(region->nodes, region->node_room);
    *region = *before;
    np_status status = apply(region, NP_HARD_MODE_SOFT, &ignored);
    if (status != NP_OK || region->enforcement.level > before->enforcement.level)
        region->enforcement = before->enforcement;
}

static np_status check_options(const np_region_options *to)
{
    if (to->prefault != NP_PREFAULT_NONE || to->huge_pages != NP_HUGE_PAGES_DEFAULT || to->lock ||
        to->file_access != NP_FILE_READ_ONLY)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_migrate: only policy, hard_mode and nodes can be changed");
    return NP_OK;
}

np_status np_region_migrate(const np_topology *topology, np_region *region,
                            const np_region_options *to, np_migration *result)
{
    np_migration mine;
    if (topology == NULL || region == NULL || to == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_migrate: %s is NULL",
                        topology == NULL ? "topology"
                        : region == NULL ? "region"
                                         : "to");
    if (result == NULL)
        result = &mine;
    *result = (np_migration){0};
    np_region_options known;
    np_status status = npi_region_options_take(topology, to, &known);
    if (status == NP_OK)
        status = check_options(&known);
    if (status != NP_OK)
        return status;
    const np_region before = *region;
    status = npi_region_take_nodes(region, topology, &known);
    if (status != NP_OK)
        return status;
    npi_region_hide(region);
    status = apply(region, known.hard_mode, result);
    if (status == NP_OK)
        npi_region_free_nodes(before.nodes, before.node_room);
    else
        go_back(region, &before);
    npi_region_show(region);
    return status;
}
