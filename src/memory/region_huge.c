/*
 * memory/region_huge.c - regions of explicit huge pages, from the system's pools of them, and what
 * to say when those have too few, also for arrays.
 *
 * The kernel reserves pages of a pool for a mapping, but only by their number and not on a node: a
 * page bound to a node whose part of the pool is empty raises SIGBUS at first touch. So all pages
 * are made present here, by the kernel, which then answers with an errno. Nothing is looked up
 * before, since another process could take the pages in between; what the pools have is read only
 * for the sentence that explains a shortage.
 */
#include <errno.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/status.h"
#include "memory/region_impl.h"

size_t npi_huge_page_bytes(np_huge_pages huge_pages)
{
    switch (huge_pages) {
    case NP_HUGE_PAGES_DEFAULT:
    case NP_HUGE_PAGES_NEVER:
    case NP_HUGE_PAGES_TRANSPARENT: break;
    case NP_HUGE_PAGES_2M: return (size_t)2 << 20;
    case NP_HUGE_PAGES_1G: return (size_t)1 << 30;
    }
    return 0;
}

/* The file's number as it stands there, "?" if it cannot be read. */
static void add_free_pages(npi_text *text, const char *folder, size_t huge)
{
    char path[160];
    char number[32];
    snprintf(path, sizeof path, "%s/hugepages-%zukB/free_hugepages", folder, huge / 1024);
    if (npi_os_read_file(path, number, sizeof number, NULL) != 0)
        npi_text_add(text, "?");
    for (const char *c = number; *c >= '0' && *c <= '9'; c++)
        npi_text_add(text, "%c", *c);
}

/* "of 4 pages of 2.0 MiB, free: node 0: 1, node 1: 0" */
static void add_pools(npi_text *text, const npi_place *place, const np_node_id *nodes, size_t count)
{
    size_t huge = place->page_bytes;
    npi_text_add(text, "of %zu pages of ", place->bytes / huge);
    npi_text_add_bytes(text, huge);
    npi_text_add(text, ", free: ");
    if (count == 0)
        add_free_pages(text, "/sys/kernel/mm/hugepages", huge);
    for (size_t i = 0; i < count; i++) {
        char folder[80];
        snprintf(folder, sizeof folder, "/sys/devices/system/node/node%d/hugepages", (int)nodes[i]);
        npi_text_add(text, i == 0 ? "node %d: " : ", node %d: ", (int)nodes[i]);
        add_free_pages(text, folder, huge);
    }
}

np_status npi_huge_fall_short(npi_place *place, int error, const char *call,
                              const np_node_id *nodes, size_t count)
{
    char what[160];
    npi_text text;
    npi_text_begin(&text, what, sizeof what);
    /* EFAULT is what would have been a SIGBUS. */
    bool pool = error == ENOMEM || error == EFAULT;
    npi_text_add(&text, pool ? "too few huge pages: " : "no huge pages: ");
    add_pools(&text, place, nodes, count);
    np_reason reason = NP_REASON_NO_HUGE_PAGES;
    if (!pool)
        reason = error == EINVAL ? NP_REASON_NOT_SUPPORTED : npi_place_reason(error);
    /* What other steps said about the mapping counts no more: another one comes. */
    place->reached = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    return npi_place_fall_short(place, NP_ENFORCEMENT_BEST_EFFORT, reason, error, call, what);
}

/* The mapping is gone. */
static np_status fall_short(npi_placing *self, int error, const char *call)
{
    const np_region *region = self->region;
    return npi_huge_fall_short(&self->place, error, call, region->nodes,
                               region->virtual_nodes ? 0 : region->node_count);
}

/* The mapping is there: policy, then pages. */
static np_status fill(npi_placing *self, bool *done)
{
    np_region *region = self->region;
    np_status status = npi_placing_policy(self);
    if (status == NP_OK) {
        int error = npi_os_advise(region->data, region->bytes, NPI_OS_ADVICE_POPULATE);
        if (error != 0) {
            (void)npi_os_unmap(region->data, region->bytes);
            return fall_short(self, error, "madvise");
        }
        status = npi_placing_pages(self, 0);
    }
    if (status != NP_OK)
        (void)npi_os_unmap(region->data, region->bytes);
    *done = status == NP_OK;
    return status;
}

np_status npi_region_make_huge(np_region *region, size_t bytes, bool *done)
{
    size_t huge = npi_huge_page_bytes(region->huge_pages);
    *done = false;
    NPI_INVARIANT(huge != 0);
    if (bytes > SIZE_MAX - huge)
        return npi_fail_memory(bytes, "a region");
    region->page_bytes = huge;
    region->bytes = (bytes + huge - 1) / huge * huge;
    region->usable_bytes = region->bytes;
    void *memory = NULL;
    int error = npi_os_map_huge(region->bytes, huge, &memory);
    region->data = memory;
    npi_placing self;
    np_status status = npi_placing_begin(&self, region, region->hard_mode);
    if (status != NP_OK && error == 0)
        (void)npi_os_unmap(region->data, region->bytes);
    if (status == NP_OK)
        status = error != 0 ? fall_short(&self, error, "mmap") : fill(&self, done);
    npi_placing_end(&self);
    return status;
}
