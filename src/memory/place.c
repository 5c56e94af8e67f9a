/*
 * memory/place.c - see memory/place.h: making the kernel place a mapping, and judging the outcome.
 */
#include "memory/place.h"

#include <errno.h>
#include <string.h>

#include "base/status.h"

np_status npi_place_fall_short(npi_place *self, np_enforcement_level level, np_reason reason,
                               int error, const char *call, const char *what)
{
    if (self->hard_mode == NP_HARD_MODE_STRICT) {
        if (error == 0)
            return npi_fail(NP_ERR_HARD_MODE, "%s: %s", self->name, what);
        return npi_fail_errno(NP_ERR_HARD_MODE, error, call, "%s: %s", self->name, what);
    }
    self->shortfalls++;
    if (level < self->reached.level)
        self->reached = (np_enforcement){level, reason, error};
    if (error == 0)
        npi_diagnose(NP_SEVERITY_WARNING, "%s: %s", self->name, what);
    else
        npi_diagnose(NP_SEVERITY_WARNING, "%s: %s: %s: errno %d", self->name, what, call, error);
    return NP_OK;
}

np_reason npi_place_reason(int error)
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

void npi_place_add_nodes(npi_text *text, const np_node_id *nodes, size_t count)
{
    if (count > 0)
        npi_text_add(text, count == 1 ? " node " : " nodes ");
    for (size_t i = 0; i < count; i++)
        npi_text_add(text, i == 0 ? "%d" : ", %d", (int)nodes[i]);
}

/* --- policies ---------------------------------------------------------------------------- */

np_status npi_place_look(npi_place *self, const np_node_id *nodes, size_t count, uint64_t bytes,
                         bool *fits)
{
    *fits = true;
    uint64_t available = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t there = 0;
        if (!npi_node_memory_available(nodes[i], &there)) {
            /* Soft mode binds all the same; that the memory is there was never promised. */
            if (self->hard_mode == NP_HARD_MODE_SOFT)
                return NP_OK;
            return npi_place_fall_short(self, NP_ENFORCEMENT_NONE, NP_REASON_NOT_VERIFIED, 0, NULL,
                                        "the free memory of the node cannot be read");
        }
        available = available > UINT64_MAX - there ? UINT64_MAX : available + there;
    }
    if (bytes <= available)
        return NP_OK;

    *fits = false;
    char what[96];
    npi_text text;
    npi_text_begin(&text, what, sizeof what);
    npi_text_add(&text, "only about ");
    npi_text_add_bytes(&text, available);
    npi_text_add(&text, " can be had there now");
    return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NO_MEMORY, 0, NULL,
                                what);
}

np_status npi_place_check_allowed(npi_place *self, const np_node_id *nodes, size_t count)
{
    npi_node_set allowed;
    int error = npi_os_allowed_nodes(&allowed);
    if (error != 0)
        return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED, error,
                                    "get_mempolicy", "the allowed nodes cannot be read");
    for (size_t i = 0; i < count; i++) {
        if (npi_node_set_contains(&allowed, nodes[i]))
            continue;
        char what[96];
        npi_text text;
        npi_text_begin(&text, what, sizeof what);
        npi_text_add(&text, "node %d is outside what this process may use", (int)nodes[i]);
        return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0, NULL,
                                    what);
    }
    return NP_OK;
}

np_status npi_place_read_back(npi_place *self, const char *begin, size_t bytes,
                              npi_os_policy policy, const npi_node_set *nodes)
{
    const char *const looks[] = {begin, begin + bytes - self->page_bytes};
    for (size_t i = 0; i < sizeof looks / sizeof looks[0]; i++) {
        npi_os_policy found = NPI_OS_POLICY_DEFAULT;
        npi_node_set found_nodes;
        int error = npi_os_memory_policy(looks[i], &found, &found_nodes);
        if (error != 0)
            return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED,
                                        error, "get_mempolicy", "the policy cannot be read back");
        bool has_nodes = found != NPI_OS_POLICY_LOCAL;
        if (found != policy || (has_nodes && !npi_node_set_equal(&found_nodes, nodes)))
            return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0,
                                        NULL,
                                        "the kernel answers with another policy than was set");
    }
    return NP_OK;
}

/* --- pages ------------------------------------------------------------------------------- */

static bool thp_setting_is(const char *setting)
{
    char text[64];
    return npi_os_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text,
                            NULL) == 0 &&
           strstr(text, setting) != NULL;
}

bool npi_transparent_huge_pages(np_huge_pages huge_pages)
{
    switch (huge_pages) {
    case NP_HUGE_PAGES_NEVER: return false;
    case NP_HUGE_PAGES_DEFAULT: return thp_setting_is("[always]");
    case NP_HUGE_PAGES_TRANSPARENT:
    case NP_HUGE_PAGES_2M:
    case NP_HUGE_PAGES_1G: break;
    }
    return !thp_setting_is("[never]");
}

np_status npi_place_advise(npi_place *self, np_huge_pages huge_pages)
{
    int error = 0;
    switch (huge_pages) {
    case NP_HUGE_PAGES_DEFAULT: return NP_OK;
    case NP_HUGE_PAGES_NEVER:
        error = npi_os_advise(self->data, self->bytes, NPI_OS_ADVICE_NO_HUGE);
        /* A kernel that does not know the advice has no huge pages to give. */
        return error == 0 || error == EINVAL
                   ? NP_OK
                   : npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, npi_place_reason(error),
                                          error, "madvise", "huge pages cannot be switched off");
    case NP_HUGE_PAGES_TRANSPARENT:
    case NP_HUGE_PAGES_2M: /* after the pool had too few of them */
    case NP_HUGE_PAGES_1G: break;
    }
    error = npi_os_advise(self->data, self->bytes, NPI_OS_ADVICE_HUGE);
    if (error == 0 && !thp_setting_is("[never]"))
        return NP_OK;
    return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_SUPPORTED, error,
                                "madvise", "the system gives no transparent huge pages");
}

static void touch(char *data, size_t bytes, size_t page_bytes, bool by_reading)
{
    for (size_t offset = 0; offset < bytes; offset += page_bytes) {
        volatile char *byte = data + offset;
        char value = *byte;
        if (!by_reading)
            *byte = value;
    }
}

int npi_pages_populate(char *data, size_t bytes, size_t page_bytes, bool by_reading,
                       np_prefault prefault)
{
    /* The advice reports a shortage as a value where a touch would raise SIGBUS. */
    int error = npi_os_advise(data, bytes,
                              by_reading ? NPI_OS_ADVICE_POPULATE_READ : NPI_OS_ADVICE_POPULATE);
    bool unknown = error == EINVAL || error == ENOSYS || error == EPERM;
    if (!unknown || prefault == NP_PREFAULT_POPULATE)
        return error;
    touch(data, bytes, page_bytes, by_reading);
    return 0;
}

np_status npi_place_populate(npi_place *self, np_prefault prefault)
{
    if (prefault == NP_PREFAULT_NONE)
        return NP_OK;
    int error = npi_pages_populate(self->data, self->bytes, self->page_bytes, self->by_reading,
                                   prefault);
    np_reason reason = NP_REASON_SYSTEM;
    switch (error) {
    case 0: return NP_OK;
    case EINVAL:
    case ENOSYS: reason = NP_REASON_NOT_SUPPORTED; break;
    case EPERM: reason = NP_REASON_NOT_PERMITTED; break;
    case ENOMEM: reason = NP_REASON_NO_MEMORY; break;
    case EFAULT: /* what would have been a SIGBUS: of a file it is a read that failed */
        reason = self->by_reading ? NP_REASON_SYSTEM : NP_REASON_NO_MEMORY;
        break;
    default: break;
    }
    return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, reason, error, "madvise",
                                "not every page could be made present");
}

np_status npi_place_lock(npi_place *self)
{
    int error = npi_os_lock_memory(self->data, self->bytes);
    if (error == 0)
        return NP_OK;
    np_reason reason = NP_REASON_SYSTEM;
    switch (error) {
    case ENOMEM: reason = NP_REASON_LOCK_LIMIT; break;
    case EAGAIN: reason = NP_REASON_PARTIAL; break;
    default: reason = npi_place_reason(error); break;
    }
    return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, reason, error, "mlock",
                                "it cannot be locked in memory");
}

np_status npi_place_prove(npi_place *self, const np_region_audit *audit)
{
    if (audit->elsewhere == 0 && audit->not_present == 0)
        return NP_OK;
    char what[96];
    npi_text text;
    npi_text_begin(&text, what, sizeof what);
    npi_text_add(&text, "%llu of %llu pages are elsewhere, %llu not present",
                 (unsigned long long)audit->elsewhere, (unsigned long long)audit->pages,
                 (unsigned long long)audit->not_present);
    return npi_place_fall_short(self, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0, NULL, what);
}
