/*
 * memory/region_resize.c - regions that become longer or shorter.
 *
 * The mapping is resized as one (mremap), so that it stays one: a policy set for it is set for all
 * of it, and the next resize needs no list of pieces. Everything that strict mode can refuse before
 * the mapping changes is looked at before; what fails afterwards (a page that could not be made
 * present, say) is undone by making it short again, which needs nothing that could fail for lack of
 * memory. Only the address may then be another one.
 */
#include <errno.h>
#include <string.h>

#include "base/status.h"
#include "memory/region_impl.h"

static np_status resize_failed(const np_region *region, int error, size_t bytes)
{
    np_status status = error == ENOMEM || error == EAGAIN ? NP_ERR_NO_MEMORY : NP_ERR_SYSTEM;
    return npi_fail_errno(status, error, "mremap", "region of %zu bytes, to %zu", region->bytes,
                          bytes);
}

static int remap(np_region *region, size_t bytes)
{
    void *memory = region->data;
    int error = npi_os_resize(region->data, region->bytes, bytes, &memory);
    if (error == 0) {
        region->data = memory;
        region->bytes = bytes;
        region->usable_bytes = bytes;
    }
    return error;
}

/* Locked memory counts against a limit while it is moved. In soft mode it is better unlocked than
 * not there; locking again falls short if it must. */
static int remap_locked(np_region *region, size_t bytes)
{
    int error = remap(region, bytes);
    if (error == EAGAIN && region->lock && region->hard_mode == NP_HARD_MODE_SOFT &&
        npi_os_unlock_memory(region->data, region->bytes) == 0)
        error = remap(region, bytes);
    return error;
}

static np_status grow(np_region *region, size_t bytes)
{
    const np_enforcement before = region->enforcement;
    const size_t old_bytes = region->usable_bytes;
    region->enforcement = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    npi_placing self;
    np_status status = npi_placing_begin(&self, region, region->hard_mode);
    if (status == NP_OK)
        status = npi_placing_look(&self, bytes - old_bytes);
    if (status == NP_OK) {
        int error = remap_locked(region, bytes);
        if (error != 0)
            status = resize_failed(region, error, bytes);
    }
    if (status != NP_OK) {
        region->enforcement = before;
        return status;
    }
    self.place.data = region->data;
    self.place.bytes = region->bytes;
    status = npi_placing_policy(&self);
    if (status == NP_OK)
        status = npi_placing_pages(&self, old_bytes);
    npi_placing_end(&self);
    if (status != NP_OK) {
        (void)remap(region, old_bytes);
        /* Should the kernel not even take pages back, they are mapped and not used. */
        region->usable_bytes = old_bytes;
        region->enforcement = before;
    }
    return status;
}

/* The kernel cannot lengthen a mapping of pages from a pool. */
static np_status grow_by_copying(np_region *region, size_t bytes)
{
    np_region next = *region;
    np_status status = npi_region_make(&next, bytes);
    if (status != NP_OK)
        return status;
    memcpy(next.data, region->data, region->bytes);
    (void)npi_os_unmap(region->data, region->bytes);
    *region = next;
    return NP_OK;
}

static np_status change_size(np_region *region, size_t bytes)
{
    /* More may be mapped, after a resize that could not be undone. */
    if (bytes < region->usable_bytes) {
        int error = remap(region, bytes);
        return error == 0 ? NP_OK : resize_failed(region, error, bytes);
    }
    bool from_pool = region->page_bytes != npi_os_page_size();
    return from_pool ? grow_by_copying(region, bytes) : grow(region, bytes);
}

np_status np_region_resize(np_region *region, size_t bytes)
{
    if (region == NULL || bytes == 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_resize: %s",
                        region == NULL ? "region is NULL" : "bytes is 0");
    if (region->from_file)
        return npi_fail(NP_ERR_NOT_SUPPORTED,
                        "np_region_resize: the region is a file's: create another one");
    if (bytes > SIZE_MAX - region->page_bytes)
        return npi_fail_memory(bytes, "a region");
    size_t rounded = (bytes + region->page_bytes - 1) / region->page_bytes * region->page_bytes;
    if (rounded == region->usable_bytes)
        return NP_OK;
    npi_region_hide(region);
    np_status status = change_size(region, rounded);
    npi_region_show(region);
    return status;
}
