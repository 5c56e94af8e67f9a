/*
 * memory/region_audit.c - asking the kernel where pages are, of a region or of anything else. Any
 * thread; moves and faults in nothing.
 */
#include <errno.h>

#include "base/random.h"
#include "base/status.h"
#include "memory/region_impl.h"
#include "os/os.h"

/* Pages per query: large enough to hide the call's cost, small enough for a worker's stack. */
#define BATCH 512u

np_status npi_pages_query_failed(int error, const char *what, const void *address)
{
    np_status status = NP_ERR_SYSTEM;
    if (error == ENOSYS)
        status = NP_ERR_NOT_SUPPORTED;
    else if (error == EPERM || error == EACCES)
        status = NP_ERR_NOT_PERMITTED;
    return npi_fail_errno(status, error, "move_pages", "%s %p", what, address);
}

/* Counts one answer and returns the node to report. */
static np_node_id count_page(int answer, bool is_home, np_region_audit *audit)
{
    audit->pages++;
    if (answer >= 0) {
        if (is_home)
            audit->home++;
        else
            audit->elsewhere++;
        return answer;
    }
    /* Kernels differ in which they say. A page that was only read shares the kernel's page of zeros
     * and has no place yet either. */
    if (answer == -ENOENT || answer == -EFAULT)
        audit->not_present++;
    else
        audit->unknown++;
    return NP_NODE_ID_NONE;
}

int npi_pages_audit(const char *data, size_t pages, size_t page_bytes, npi_home_fn is_home,
                    const void *owner, np_region_audit *summary, np_node_id *page_nodes,
                    size_t capacity)
{
    np_region_audit audit = {0};
    void *addresses[BATCH];
    int answers[BATCH];
    for (size_t first = 0; first < pages; first += BATCH) {
        size_t count = pages - first < BATCH ? pages - first : BATCH;
        for (size_t i = 0; i < count; i++) {
            /* The kernel's interface takes pages without const; a query writes nothing to them. */
            addresses[i] = (void *)(uintptr_t)(data + (first + i) * page_bytes);
            answers[i] = -EIO; /* an answer the kernel does not fill in counts as unknown */
        }
        int error = npi_os_page_nodes(addresses, count, answers);
        if (error != 0)
            return error;
        for (size_t i = 0; i < count; i++) {
            bool at_home = answers[i] >= 0 && is_home(owner, first + i, answers[i]);
            np_node_id node = count_page(answers[i], at_home, &audit);
            if (page_nodes != NULL && first + i < capacity)
                page_nodes[first + i] = node;
        }
    }
    *summary = audit;
    return 0;
}

static bool region_is_home(const void *owner, size_t page, np_node_id node)
{
    const np_region *region = owner;
    (void)page; /* all pages of a region have the same home */
    if (region->virtual_nodes || region->policy == NP_MEMORY_LOCAL)
        return true;
    for (size_t i = 0; i < region->node_count; i++)
        if (region->nodes[i] == node)
            return true;
    return false;
}

int npi_region_audit(const np_region *region, np_region_audit *summary, np_node_id *page_nodes,
                     size_t capacity)
{
    return npi_pages_audit(region->data, region->bytes / region->page_bytes, region->page_bytes,
                           region_is_home, region, summary, page_nodes, capacity);
}

np_status np_region_audit_pages(const np_region *region, np_region_audit *summary,
                                np_node_id *page_nodes, size_t capacity)
{
    if (region == NULL || summary == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_audit_pages: %s is NULL",
                        region == NULL ? "region" : "summary");
    int error = npi_region_audit(region, summary, page_nodes, capacity);
    return error == 0 ? NP_OK : npi_pages_query_failed(error, "region at", region->data);
}

/* Pages are drawn in ascending order, one of each stretch; `stretch` and the remainder divide them
 * as evenly as whole pages can be. */
static int sample_pages(const np_region *region, size_t samples, npi_random *random,
                        np_region_audit *audit)
{
    size_t pages = region->bytes / region->page_bytes;
    void *addresses[BATCH];
    int answers[BATCH];
    size_t begin = 0;
    for (size_t first = 0; first < samples; first += BATCH) {
        size_t count = samples - first < BATCH ? samples - first : BATCH;
        for (size_t i = 0; i < count; i++) {
            size_t stretch = pages / samples + (first + i < pages % samples ? 1 : 0);
            size_t page = begin + (size_t)(npi_random_next(random) % stretch);
            addresses[i] = region->data + page * region->page_bytes;
            answers[i] = -EIO;
            begin += stretch;
        }
        int error = npi_os_page_nodes(addresses, count, answers);
        if (error != 0)
            return error;
        for (size_t i = 0; i < count; i++)
            (void)count_page(answers[i], answers[i] >= 0 && region_is_home(region, 0, answers[i]),
                             audit);
    }
    return 0;
}

np_status np_region_audit_sample(const np_region *region, size_t max_pages, uint64_t seed,
                                 np_region_audit *summary)
{
    if (region == NULL || summary == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_audit_sample: %s is NULL",
                        region == NULL ? "region" : "summary");
    if (max_pages == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_audit_sample: max_pages is 0");
    if (max_pages >= region->bytes / region->page_bytes)
        return np_region_audit_pages(region, summary, NULL, 0);
    npi_random random;
    npi_random_seed(&random, seed != 0 ? seed : npi_os_now() ^ (uintptr_t)region->data);
    np_region_audit audit = {0};
    int error = sample_pages(region, max_pages, &random, &audit);
    if (error != 0)
        return npi_pages_query_failed(error, "region at", region->data);
    *summary = audit;
    return NP_OK;
}

np_status np_address_node(const void *address, np_node_id *out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_address_node: out is NULL");
    *out = NP_NODE_ID_NONE;
    void *page = (void *)(uintptr_t)address;
    int answer = -EIO;
    int error = npi_os_page_nodes(&page, 1, &answer);
    if (error != 0)
        return npi_pages_query_failed(error, "address", address);
    if (answer == -ENOENT || answer == -EFAULT)
        return npi_fail(NP_ERR_NOT_FOUND, "address %p: no page is present", address);
    if (answer < 0)
        return npi_pages_query_failed(-answer, "address", address);
    *out = answer;
    return NP_OK;
}
