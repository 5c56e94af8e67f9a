/*
 * memory/region_place.c - making the kernel place a fresh mapping, and judging the outcome.
 *
 * Steps: look at free memory, set the policy, read it back, advise on huge pages, populate, look at
 * the pages. Each step that falls short goes through fall_short(): in strict mode it ends the
 * creation with the one failure detail, in soft mode it lowers the region's enforcement and goes
 * on.
 */
#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "base/text.h"
#include "memory/region_impl.h"
#include "os/os.h"

typedef struct placing {
    np_region *region;
    const np_region_options *options;
    npi_os_policy policy; /* what is asked of the kernel */
    npi_node_set nodes;   /* and on which nodes */
} placing;

/* "region of 8192 bytes, bind to nodes 0, 2", for details and diagnostics. */
static const char *describe(const placing *self, char *buffer, size_t capacity)
{
    const np_region *region = self->region;
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    npi_text_add(&text, "region of %zu bytes, %s", region->bytes,
                 np_memory_policy_name(region->policy));
    if (region->node_count > 0)
        npi_text_add(&text, region->node_count == 1 ? " to node " : " to nodes ");
    for (size_t i = 0; i < region->node_count; i++)
        npi_text_add(&text, i == 0 ? "%d" : ", %d", (int)region->nodes[i]);
    return buffer;
}

/* The weakest level stays, with the reason that came first. */
static np_status fall_short(const placing *self, np_enforcement_level level, np_reason reason,
                            int error, const char *call, const char *what)
{
    char place[192];
    describe(self, place, sizeof place);
    if (self->options->hard_mode == NP_HARD_MODE_STRICT) {
        if (error == 0)
            return npi_fail(NP_ERR_HARD_MODE, "%s: %s", place, what);
        return npi_fail_errno(NP_ERR_HARD_MODE, error, call, "%s: %s", place, what);
    }
    np_enforcement *reached = &self->region->enforcement;
    if (level < reached->level)
        *reached = (np_enforcement){level, reason, error};
    if (error == 0)
        npi_diagnose(NP_SEVERITY_WARNING, "%s: %s", place, what);
    else
        npi_diagnose(NP_SEVERITY_WARNING, "%s: %s: %s: errno %d", place, what, call, error);
    return NP_OK;
}

static np_reason reason_of(int error)
{
    switch (error) {
    case EPERM:
    case EACCES: return NP_REASON_NOT_PERMITTED;
    case ENOSYS:
    case EOPNOTSUPP: return NP_REASON_NOT_SUPPORTED;
    case EINVAL: return NP_REASON_OUTSIDE_ALLOWED; /* mbind: none of the nodes may be used */
    case ENOMEM: return NP_REASON_NO_MEMORY;
    default: return NP_REASON_SYSTEM;
    }
}

/* --- what to ask for --------------------------------------------------------------------- */

static np_status choose_policy(placing *self)
{
    const np_region *region = self->region;
    npi_node_set_clear(&self->nodes);
    size_t count = region->node_count;
    switch (region->policy) {
    case NP_MEMORY_BIND: self->policy = NPI_OS_POLICY_BIND; break;
    case NP_MEMORY_PREFERRED:
        self->policy = NPI_OS_POLICY_PREFERRED;
        count = 1;
        break;
    case NP_MEMORY_INTERLEAVE: self->policy = NPI_OS_POLICY_INTERLEAVE; break;
    case NP_MEMORY_LOCAL: self->policy = NPI_OS_POLICY_LOCAL; break;
    }
    for (size_t i = 0; i < count; i++)
        if (!npi_node_set_add(&self->nodes, region->nodes[i]))
            return npi_fail(NP_ERR_INVALID_NODE, "node %d is beyond what this library can place",
                            (int)region->nodes[i]);
    return NP_OK;
}

/*
 * A bound page that finds its nodes full makes the kernel kill a process, so look before binding.
 * Nothing reserves the memory: whoever is faster may still take it. Soft mode then prefers
 * the nodes instead of insisting on them.
 */
static np_status look_at_free_memory(placing *self)
{
    const np_region *region = self->region;
    if (self->policy != NPI_OS_POLICY_BIND)
        return NP_OK;
    uint64_t available = 0;
    for (size_t i = 0; i < region->node_count; i++) {
        uint64_t bytes = 0;
        if (!npi_node_memory_available(region->nodes[i], &bytes)) {
            /* Soft mode binds all the same; that the memory is there was never promised. */
            if (self->options->hard_mode == NP_HARD_MODE_SOFT)
                return NP_OK;
            return fall_short(self, NP_ENFORCEMENT_NONE, NP_REASON_NOT_VERIFIED, 0, NULL,
                              "the free memory of the node cannot be read");
        }
        available = available > UINT64_MAX - bytes ? UINT64_MAX : available + bytes;
    }
    if (region->bytes <= available)
        return NP_OK;

    char what[96];
    npi_text text;
    npi_text_begin(&text, what, sizeof what);
    npi_text_add(&text, "only about ");
    npi_text_add_bytes(&text, available);
    npi_text_add(&text, " can be had there now");
    /* The form with several nodes is younger (Linux 5.15); where it is missing, place() falls
     * back. */
    self->policy = region->node_count == 1 ? NPI_OS_POLICY_PREFERRED : NPI_OS_POLICY_PREFERRED_MANY;
    return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NO_MEMORY, 0, NULL, what);
}

/* --- asking for it ----------------------------------------------------------------------- */

/* The kernel drops nodes that the cpuset does not allow without a word, as long as one remains. */
static np_status check_allowed(const placing *self)
{
    npi_node_set allowed;
    int error = npi_os_allowed_nodes(&allowed);
    if (error != 0)
        return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED, error,
                          "get_mempolicy", "the allowed nodes cannot be read");
    for (size_t i = 0; i < self->region->node_count; i++) {
        np_node_id node = self->region->nodes[i];
        if (!npi_node_set_contains(&self->nodes, node) || npi_node_set_contains(&allowed, node))
            continue;
        char what[96];
        npi_text text;
        npi_text_begin(&text, what, sizeof what);
        npi_text_add(&text, "node %d is outside what this process may use", (int)node);
        return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0, NULL, what);
    }
    return NP_OK;
}

static np_status read_back(const placing *self)
{
    const np_region *region = self->region;
    /* The ends suffice: one call set the policy of one mapping. */
    const char *const looks[] = {region->data, region->data + region->bytes - region->page_bytes};
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        npi_os_policy policy = NPI_OS_POLICY_DEFAULT;
        npi_node_set nodes;
        int error = npi_os_memory_policy(looks[i], &policy, &nodes);
        if (error != 0)
            return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED, error,
                              "get_mempolicy", "the policy cannot be read back");
        bool has_nodes = policy != NPI_OS_POLICY_LOCAL;
        if (policy != self->policy || (has_nodes && !npi_node_set_equal(&nodes, &self->nodes)))
            return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0, NULL,
                              "the kernel answers with another policy than was set");
    }
    return NP_OK;
}

static np_status place(placing *self)
{
    np_region *region = self->region;
    int error = npi_os_bind_memory(region->data, region->bytes, self->policy, &self->nodes, false);
    if (error == EINVAL && self->policy == NPI_OS_POLICY_PREFERRED_MANY) {
        self->policy = NPI_OS_POLICY_PREFERRED;
        npi_node_set_clear(&self->nodes);
        (void)npi_node_set_add(&self->nodes, region->nodes[0]);
        error = npi_os_bind_memory(region->data, region->bytes, self->policy, &self->nodes, false);
    }
    if (error != 0)
        return fall_short(self, NP_ENFORCEMENT_NONE, reason_of(error), error, "mbind",
                          error == EINVAL ? "outside what this process may use"
                                          : "the kernel does not place it");
    np_status status = check_allowed(self);
    return status == NP_OK ? read_back(self) : status;
}

/* --- pages ------------------------------------------------------------------------------- */

static bool huge_pages_switched_off(void)
{
    char text[64];
    return npi_os_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text,
                            NULL) == 0 &&
           strstr(text, "[never]") != NULL;
}

static np_status advise_huge_pages(const placing *self)
{
    np_region *region = self->region;
    int error = 0;
    switch (self->options->huge_pages) {
    case NP_HUGE_PAGES_DEFAULT: return NP_OK;
    case NP_HUGE_PAGES_NEVER:
        error = npi_os_advise(region->data, region->bytes, NPI_OS_ADVICE_NO_HUGE);
        /* A kernel that does not know the advice has no huge pages to give. */
        return error == 0 || error == EINVAL
                   ? NP_OK
                   : fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, reason_of(error), error,
                                "madvise", "huge pages cannot be switched off");
    case NP_HUGE_PAGES_TRANSPARENT: break;
    }
    error = npi_os_advise(region->data, region->bytes, NPI_OS_ADVICE_HUGE);
    if (error == 0 && !huge_pages_switched_off())
        return NP_OK;
    return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_SUPPORTED, error, "madvise",
                      "the system gives no transparent huge pages");
}

static void touch(np_region *region)
{
    for (size_t offset = 0; offset < region->bytes; offset += region->page_bytes) {
        volatile char *byte = region->data + offset;
        *byte = 0;
    }
}

static np_status populate(const placing *self)
{
    np_region *region = self->region;
    if (self->options->prefault == NP_PREFAULT_NONE)
        return NP_OK;
    /* The advice reports a shortage as a value where a touch would raise SIGBUS. */
    int error = npi_os_advise(region->data, region->bytes, NPI_OS_ADVICE_POPULATE);
    if (error == EINVAL || error == ENOSYS || error == EPERM) {
        touch(region);
        error = 0;
    }
    if (error != 0)
        return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT,
                          error == ENOMEM || error == EFAULT ? NP_REASON_NO_MEMORY
                                                             : NP_REASON_SYSTEM,
                          error, "madvise", "not every page could be made present");
    return NP_OK;
}

/* The policy already guarantees the place of a bound page; this is the proof strict mode owes. */
static np_status prove(const placing *self)
{
    const np_region *region = self->region;
    if (self->options->hard_mode != NP_HARD_MODE_STRICT || region->policy != NP_MEMORY_BIND ||
        self->options->prefault == NP_PREFAULT_NONE)
        return NP_OK;
    np_region_audit audit;
    if (npi_region_audit(region, &audit, NULL, 0) != 0)
        return NP_OK; /* where the kernel answers no such query, its policy is the word we have */
    if (audit.elsewhere == 0 && audit.not_present == 0)
        return NP_OK;
    char what[96];
    npi_text text;
    npi_text_begin(&text, what, sizeof what);
    npi_text_add(&text, "%llu of %llu pages are elsewhere, %llu not present",
                 (unsigned long long)audit.elsewhere, (unsigned long long)audit.pages,
                 (unsigned long long)audit.not_present);
    return fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0, NULL, what);
}

np_status npi_region_place(np_region *region, const np_region_options *options)
{
    placing self = {.region = region, .options = options};
    region->enforcement = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};

    np_status status = NP_OK;
    if (region->virtual_nodes) {
        status = fall_short(&self, NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY, 0, NULL,
                            "the topology does not describe this machine");
    } else {
        status = choose_policy(&self);
        if (status == NP_OK)
            status = look_at_free_memory(&self);
        if (status == NP_OK)
            status = place(&self);
    }
    if (status == NP_OK)
        status = advise_huge_pages(&self);
    if (status == NP_OK)
        status = populate(&self);
    return status == NP_OK ? prove(&self) : status;
}
