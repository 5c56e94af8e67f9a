/*
 * memory/region_place.c - the policy of a region: which one is asked of the kernel, and what to do
 * when it cannot be had. The steps themselves, and how each falls short, are in memory/place.h.
 */
#include <errno.h>

#include "base/status.h"
#include "memory/region_impl.h"

typedef struct placing {
    np_region *region;
    const np_region_options *options;
    npi_os_policy policy; /* what is asked of the kernel */
    npi_node_set nodes;   /* and on which nodes */
    npi_place place;
} placing;

static void name_place(placing *self)
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

static np_status choose_policy(placing *self)
{
    const np_region *region = self->region;
    npi_node_set_clear(&self->nodes);
    switch (region->policy) {
    case NP_MEMORY_BIND: self->policy = NPI_OS_POLICY_BIND; break;
    case NP_MEMORY_PREFERRED: self->policy = NPI_OS_POLICY_PREFERRED; break;
    case NP_MEMORY_INTERLEAVE: self->policy = NPI_OS_POLICY_INTERLEAVE; break;
    case NP_MEMORY_LOCAL: self->policy = NPI_OS_POLICY_LOCAL; break;
    }
    for (size_t i = 0; i < asked_count(region); i++)
        if (!npi_node_set_add(&self->nodes, region->nodes[i]))
            return npi_fail(NP_ERR_INVALID_NODE, "node %d is beyond what this library can place",
                            (int)region->nodes[i]);
    return NP_OK;
}

static np_status look_at_free_memory(placing *self)
{
    const np_region *region = self->region;
    if (self->policy != NPI_OS_POLICY_BIND)
        return NP_OK;
    bool fits = true;
    np_status status = npi_place_look(&self->place, region->nodes, region->node_count,
                                      region->bytes, &fits);
    /* The form with several nodes is younger (Linux 5.15); where it is missing, set_policy() falls
     * back. */
    if (!fits)
        self->policy = region->node_count == 1 ? NPI_OS_POLICY_PREFERRED
                                               : NPI_OS_POLICY_PREFERRED_MANY;
    return status;
}

static np_status set_policy(placing *self)
{
    np_region *region = self->region;
    size_t count = asked_count(region);
    int error = npi_os_bind_memory(region->data, region->bytes, self->policy, &self->nodes, false);
    if (error == EINVAL && self->policy == NPI_OS_POLICY_PREFERRED_MANY) {
        self->policy = NPI_OS_POLICY_PREFERRED;
        npi_node_set_clear(&self->nodes);
        (void)npi_node_set_add(&self->nodes, region->nodes[0]);
        count = 1;
        error = npi_os_bind_memory(region->data, region->bytes, self->policy, &self->nodes, false);
    }
    if (error != 0)
        return npi_place_fall_short(
            &self->place, NP_ENFORCEMENT_NONE, npi_place_reason(error), error, "mbind",
            error == EINVAL ? "outside what this process may use" : "the kernel does not place it");
    np_status status = npi_place_check_allowed(&self->place, region->nodes, count);
    if (status == NP_OK)
        status = npi_place_read_back(&self->place, region->data, region->bytes, self->policy,
                                     &self->nodes);
    return status;
}

/* The policy already guarantees the place of a bound page; this is the proof strict mode owes. */
static np_status prove(placing *self)
{
    const np_region *region = self->region;
    if (self->options->hard_mode != NP_HARD_MODE_STRICT || region->policy != NP_MEMORY_BIND ||
        self->options->prefault == NP_PREFAULT_NONE)
        return NP_OK;
    np_region_audit audit;
    if (npi_region_audit(region, &audit, NULL, 0) != 0)
        return NP_OK; /* where the kernel answers no such query, its policy is the word we have */
    return npi_place_prove(&self->place, &audit);
}

np_status npi_region_place(np_region *region, const np_region_options *options)
{
    placing self = {.region = region,
                    .options = options,
                    .place = {.data = region->data,
                              .bytes = region->bytes,
                              .page_bytes = region->page_bytes,
                              .hard_mode = options->hard_mode,
                              .reached = {NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0}}};
    name_place(&self);

    np_status status = NP_OK;
    if (region->virtual_nodes) {
        status = npi_place_fall_short(&self.place, NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY,
                                      0, NULL, "the topology does not describe this machine");
    } else {
        status = choose_policy(&self);
        if (status == NP_OK)
            status = look_at_free_memory(&self);
        if (status == NP_OK)
            status = set_policy(&self);
    }
    if (status == NP_OK)
        status = npi_place_advise(&self.place, options->huge_pages);
    if (status == NP_OK)
        status = npi_place_populate(&self.place, options->prefault);
    if (status == NP_OK)
        status = prove(&self);
    region->enforcement = self.place.reached;
    return status;
}
