/*
 * memory/region_place.c - the policy of a region: which one is asked of the kernel, and what to do
 * when it cannot be had; and the anonymous mapping it is for. The steps themselves, and how each
 * falls short, are in memory/place.h.
 */
#include <errno.h>

#include "base/status.h"
#include "memory/region_impl.h"

static void name_place(npi_placing *self)
{
    const np_region *region = self->region;
    npi_text text;
    npi_text_begin(&text, self->place.name, sizeof self->place.name);
    npi_text_add(&text, "region of %zu bytes, %s", region->bytes,
                 np_memory_policy_name(region->policy));
    if (region->node_count > 0)
        npi_text_add(&text, " to");
    npi_place_add_nodes(&text, region->nodes, region->node_count);
}

/* How many of the region's nodes the kernel hears of. */
static size_t asked_count(const np_region *region)
{
    return region->policy == NP_MEMORY_PREFERRED ? 1 : region->node_count;
}

static npi_os_policy kernel_policy(np_memory_policy policy)
{
    switch (policy) {
    case NP_MEMORY_BIND: return NPI_OS_POLICY_BIND;
    case NP_MEMORY_PREFERRED: return NPI_OS_POLICY_PREFERRED;
    case NP_MEMORY_INTERLEAVE: return NPI_OS_POLICY_INTERLEAVE;
    case NP_MEMORY_LOCAL: return NPI_OS_POLICY_LOCAL;
    case NP_MEMORY_PREFERRED_MANY: return NPI_OS_POLICY_PREFERRED_MANY;
    case NP_MEMORY_WEIGHTED_INTERLEAVE: return NPI_OS_POLICY_WEIGHTED_INTERLEAVE;
    }
    return NPI_OS_POLICY_OTHER;
}

np_status npi_placing_begin(npi_placing *self, np_region *region, np_hard_mode hard_mode)
{
    *self = (npi_placing){
        .region = region,
        .policy = kernel_policy(region->policy),
        .place = {.data = region->data,
                  .bytes = region->bytes,
                  .page_bytes = region->page_bytes,
                  .by_reading = region->from_file && region->file_access != NP_FILE_PRIVATE,
                  .hard_mode = hard_mode,
                  .reached = region->enforcement}};
    npi_node_set_clear(&self->nodes);
    name_place(self);
    for (size_t i = 0; i < asked_count(region) && !region->virtual_nodes; i++)
        if (!npi_node_set_add(&self->nodes, region->nodes[i]))
            return npi_fail(NP_ERR_INVALID_NODE, "node %d is beyond what this library can place",
                            (int)region->nodes[i]);
    return NP_OK;
}

void npi_placing_end(npi_placing *self)
{
    self->region->enforcement = self->place.reached;
}

np_status npi_placing_look(npi_placing *self, uint64_t bytes)
{
    const np_region *region = self->region;
    if (self->policy != NPI_OS_POLICY_BIND || region->virtual_nodes)
        return NP_OK;
    bool fits = true;
    np_status status = npi_place_look(&self->place, region->nodes, region->node_count, bytes,
                                      &fits);
    /* The form with several nodes is younger (Linux 5.15); where it is missing, set_policy() falls
     * back. */
    if (!fits)
        self->policy = region->node_count == 1 ? NPI_OS_POLICY_PREFERRED
                                               : NPI_OS_POLICY_PREFERRED_MANY;
    return status;
}

static int bind_all(npi_placing *self)
{
    return npi_os_bind_memory(self->region->data, self->region->bytes, self->policy, &self->nodes,
                              false);
}

/* After EINVAL: the policy nearest to this one that every kernel has. False: this one is. */
static bool take_older_policy(npi_placing *self)
{
    if (self->policy == NPI_OS_POLICY_WEIGHTED_INTERLEAVE) {
        self->policy = NPI_OS_POLICY_INTERLEAVE;
        return true;
    }
    if (self->policy != NPI_OS_POLICY_PREFERRED_MANY)
        return false;
    self->policy = NPI_OS_POLICY_PREFERRED;
    npi_node_set_clear(&self->nodes);
    (void)npi_node_set_add(&self->nodes, self->region->nodes[0]);
    return true;
}

/* *count: how many of the region's nodes are asked for after all. */
static np_status set_policy(npi_placing *self, size_t *count)
{
    const npi_os_policy wanted = self->policy;
    int error = bind_all(self);
    if (error == EINVAL && take_older_policy(self)) {
        if (self->policy == NPI_OS_POLICY_PREFERRED)
            *count = 1;
        error = bind_all(self);
        /* A bind that was given up for lack of memory has said so already. */
        if (error == 0 && wanted == kernel_policy(self->region->policy))
            return npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT,
                                        NP_REASON_NOT_SUPPORTED, EINVAL, "mbind",
                                        "the kernel does not have this policy");
    }
    if (error == 0)
        return NP_OK;
    return npi_place_fall_short(
        &self->place, NP_ENFORCEMENT_NONE, npi_place_reason(error), error, "mbind",
        error == EINVAL ? "outside what this process may use" : "the kernel does not place it");
}

np_status npi_placing_policy(npi_placing *self)
{
    const np_region *region = self->region;
    if (region->virtual_nodes)
        return npi_place_fall_short(&self->place, NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY,
                                    0, NULL, "the topology does not describe this machine");
    size_t count = asked_count(region);
    np_status status = set_policy(self, &count);
    /* Where nothing could be set there is nothing to look at. */
    if (status != NP_OK || self->place.reached.level == NP_ENFORCEMENT_NONE)
        return status;
    status = npi_place_check_allowed(&self->place, region->nodes, count);
    if (status == NP_OK)
        status = npi_place_read_back(&self->place, region->data, region->bytes, self->policy,
                                     &self->nodes);
    return status;
}

/* The policy already guarantees the place of a bound page; this is the proof strict mode owes. */
static np_status prove(npi_placing *self)
{
    const np_region *region = self->region;
    bool present = region->prefault != NP_PREFAULT_NONE || region->lock;
    /* A file's pages may lie anywhere yet: region_file.c moves them and looks itself. */
    if (self->place.by_reading)
        return NP_OK;
    if (self->place.hard_mode != NP_HARD_MODE_STRICT || region->policy != NP_MEMORY_BIND ||
        !present)
        return NP_OK;
    np_region_audit audit;
    if (npi_region_audit(region, &audit, NULL, 0) != 0)
        return NP_OK; /* where the kernel answers no such query, its policy is the word we have */
    return npi_place_prove(&self->place, &audit);
}

np_status npi_placing_pages(npi_placing *self, size_t from)
{
    const np_region *region = self->region;
    np_status status = NP_OK;
    /* Pages from the pool are huge already, and there. */
    if (region->page_bytes == npi_os_page_size())
        status = npi_place_advise(&self->place, region->huge_pages);
    if (status == NP_OK) {
        self->place.data += from;
        self->place.bytes -= from;
        status = npi_place_populate(&self->place, region->prefault);
        self->place.data -= from;
        self->place.bytes += from;
    }
    if (status == NP_OK && region->lock)
        status = npi_place_lock(&self->place);
    return status == NP_OK ? prove(self) : status;
}

/* --- a fresh mapping ---------------------------------------------------------------------- */

static np_status make_ordinary(np_region *region, size_t bytes)
{
    region->page_bytes = npi_os_page_size();
    region->bytes = (bytes + region->page_bytes - 1) / region->page_bytes * region->page_bytes;
    region->usable_bytes = region->bytes;
    size_t alignment = 0;
    if (region->huge_pages == NP_HUGE_PAGES_TRANSPARENT ||
        npi_huge_page_bytes(region->huge_pages) != 0)
        alignment = npi_os_huge_page_size();
    void *memory = NULL;
    int error = npi_os_map(region->bytes, alignment, &memory);
    if (error != 0)
        return npi_fail_errno(NP_ERR_NO_MEMORY, error, "mmap", "region of %zu bytes",
                              region->bytes);
    region->data = memory;
    npi_placing self;
    np_status status = npi_placing_begin(&self, region, region->hard_mode);
    if (status == NP_OK)
        status = npi_placing_look(&self, region->bytes);
    if (status == NP_OK)
        status = npi_placing_policy(&self);
    if (status == NP_OK)
        status = npi_placing_pages(&self, 0);
    npi_placing_end(&self);
    if (status != NP_OK)
        (void)npi_os_unmap(region->data, region->bytes);
    return status;
}

np_status npi_region_make(np_region *region, size_t bytes)
{
    region->enforcement = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    bool done = false;
    np_status status = NP_OK;
    if (npi_huge_page_bytes(region->huge_pages) != 0)
        status = npi_region_make_huge(region, bytes, &done);
    return status != NP_OK || done ? status : make_ordinary(region, bytes);
}

int npi_region_populate(const np_region *region, size_t offset, size_t bytes)
{
    return npi_pages_populate(region->data + offset, bytes, region->page_bytes,
                              region->from_file && region->file_access != NP_FILE_PRIVATE,
                              region->prefault);
}
