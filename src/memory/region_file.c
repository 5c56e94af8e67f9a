/*
 * memory/region_file.c - regions whose memory is a file's.
 *
 * A file's pages belong to the page cache. The policy of a mapping does not steer them (but on a
 * tmpfs, whose files are nothing else than memory): a page comes to lie where the policy of the
 * thread says that happens to read it first, and stays there. So three things are done, and the
 * last one decides what is claimed: the pages are read under the wanted policy, set for this thread
 * and taken back; those that were cached elsewhere before are moved; and an audit counts.
 */
#include <errno.h>

#include "base/status.h"
#include "memory/region_impl.h"

/* --- the file ----------------------------------------------------------------------------- */

static np_status call_failed(int error, const char *call, const char *path)
{
    np_status status = NP_ERR_SYSTEM;
    switch (error) {
    case ENOENT:
    case ENOTDIR: status = NP_ERR_NOT_FOUND; break;
    case EPERM:
    case EACCES:
    case EROFS: status = NP_ERR_NOT_PERMITTED; break;
    case ENOMEM: status = NP_ERR_NO_MEMORY; break;
    case ENODEV: status = NP_ERR_NOT_SUPPORTED; break;
    default: break;
    }
    return npi_fail_errno(status, error, call, "np_region_create_from_file: \"%s\"", path);
}

/* *bytes: 0 becomes all there is after `offset`. */
static np_status check_range(const npi_os_file_info *info, const char *path, uint64_t offset,
                             size_t *bytes)
{
    if (!info->regular || info->huge_pages)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create_from_file: \"%s\" is %s", path,
                        info->regular ? "on a hugetlbfs" : "no regular file");
    if (offset % npi_os_page_size() != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_create_from_file: offset %llu is no multiple of the page size",
                        (unsigned long long)offset);
    if (offset >= info->bytes || *bytes > info->bytes - offset)
        return npi_fail(
            NP_ERR_INVALID_ARGUMENT,
            "np_region_create_from_file: \"%s\" has %llu bytes, asked for %zu from %llu", path,
            (unsigned long long)info->bytes, *bytes, (unsigned long long)offset);
    if (*bytes == 0)
        *bytes = (size_t)(info->bytes - offset);
    return NP_OK;
}

static npi_os_file_access kernel_access(np_file_access access)
{
    switch (access) {
    case NP_FILE_READ_ONLY: return NPI_OS_FILE_READ;
    case NP_FILE_SHARED: return NPI_OS_FILE_SHARED;
    case NP_FILE_PRIVATE: return NPI_OS_FILE_PRIVATE;
    }
    return NPI_OS_FILE_READ;
}

static np_status map_open_file(np_region *region, int file, const char *path, uint64_t offset,
                               size_t bytes)
{
    npi_os_file_info info;
    int error = npi_os_file_look(file, &info);
    if (error != 0)
        return call_failed(error, "fstat", path);
    np_status status = check_range(&info, path, offset, &bytes);
    if (status != NP_OK)
        return status;
    size_t page = npi_os_page_size();
    void *memory = NULL;
    region->page_bytes = page;
    region->usable_bytes = bytes;
    region->bytes = (bytes + page - 1) / page * page;
    error = npi_os_map_file(file, kernel_access(region->file_access), offset, region->bytes,
                            &memory);
    if (error != 0)
        return call_failed(error, "mmap", path);
    region->data = memory;
    return NP_OK;
}

static np_status map_file(np_region *region, const char *path, uint64_t offset, size_t bytes)
{
    int file = -1;
    int error = npi_os_open_file(path, region->file_access == NP_FILE_SHARED, &file);
    if (error != 0)
        return call_failed(error, "open", path);
    np_status status = map_open_file(region, file, path, offset, bytes);
    npi_os_close_file(file);
    return status;
}

/* --- its pages ---------------------------------------------------------------------------- */

/* The thread's policy while it reads. A bind would have the kernel kill somebody when the nodes are
 * full, for pages that can as well lie elsewhere and be counted there. */
static int lend_policy(const npi_placing *self, npi_os_thread_policy *before)
{
    npi_os_policy policy = self->policy;
    if (policy == NPI_OS_POLICY_BIND)
        policy = npi_node_set_count(&self->nodes) == 1 ? NPI_OS_POLICY_PREFERRED
                                                       : NPI_OS_POLICY_PREFERRED_MANY;
    int error = npi_os_thread_policy_set(policy, &self->nodes, before);
    if (error == EINVAL && policy == NPI_OS_POLICY_PREFERRED_MANY)
        error = npi_os_thread_policy_set(NPI_OS_POLICY_INTERLEAVE, &self->nodes, before);
    return error;
}

/* Reads every page in. What the lent policy could not do, moving may still do. */
static np_status read_in(npi_placing *self)
{
    npi_os_thread_policy before;
    bool lent = lend_policy(self, &before) == 0;
    np_status status = npi_placing_pages(self, 0);
    int error = lent ? npi_os_thread_policy_restore(&before) : 0;
    if (status == NP_OK && error != 0)
        status = npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_SYSTEM,
                                      error, "set_mempolicy",
                                      "the calling thread's policy could not be given back");
    return status;
}

static np_status audit_and_move(npi_placing *self)
{
    const np_region *region = self->region;
    np_region_audit audit;
    int error = npi_region_audit(region, &audit, NULL, 0);
    if (error == 0 && audit.elsewhere != 0) {
        np_migration ignored; /* the audit is what counts */
        int refused;
        (void)npi_region_move(self, &ignored, &refused);
        error = npi_region_audit(region, &audit, NULL, 0);
    }
    if (error != 0)
        return npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT,
                                    NP_REASON_NOT_VERIFIED, error, "move_pages",
                                    "the kernel does not say where the pages are");
    return npi_place_prove(&self->place, &audit);
}

static np_status place_pages_of_file(npi_placing *self)
{
    const np_region *region = self->region;
    np_status status = npi_placing_policy(self);
    if (status != NP_OK)
        return status;
    if (region->virtual_nodes)
        return npi_placing_pages(self, 0);
    status = read_in(self);
    return status == NP_OK ? audit_and_move(self) : status;
}

/* Only the policy, for pages that come later: it holds for copies alone. */
static np_status place_nothing_yet(npi_placing *self)
{
    np_status status = npi_placing_policy(self);
    if (status == NP_OK)
        status = npi_place_fall_short(&self->place, NP_ENFORCEMENT_BEST_EFFORT,
                                      NP_REASON_NOT_VERIFIED, 0, NULL,
                                      "without prefault the pages of a file lie where they are "
                                      "read");
    return status == NP_OK ? npi_placing_pages(self, 0) : status;
}

/* Pages that are written here are copies, and placed like any memory. */
static np_status place_copies(npi_placing *self)
{
    np_status status = npi_placing_look(self, self->region->bytes);
    if (status == NP_OK)
        status = npi_placing_policy(self);
    return status == NP_OK ? npi_placing_pages(self, 0) : status;
}

static np_status place_file(np_region *region)
{
    region->enforcement = (np_enforcement){NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    npi_placing self;
    np_status status = npi_placing_begin(&self, region, region->hard_mode);
    if (status == NP_OK && region->prefault == NP_PREFAULT_NONE && !region->lock)
        status = place_nothing_yet(&self);
    else if (status == NP_OK)
        status = region->file_access == NP_FILE_PRIVATE ? place_copies(&self)
                                                        : place_pages_of_file(&self);
    npi_placing_end(&self);
    return status;
}

/* --- creating ----------------------------------------------------------------------------- */

static np_status check_arguments(const np_topology *topology, const char *path)
{
    if (topology == NULL || path == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create_from_file: %s is NULL",
                        topology == NULL ? "topology" : "path");
    return NP_OK;
}

np_status np_region_create_from_file(const np_topology *topology, const char *path, uint64_t offset,
                                     size_t bytes, const np_region_options *options,
                                     np_region **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_region_create_from_file: out is NULL");
    *out = NULL;
    np_status status = check_arguments(topology, path);
    np_region_options known;
    if (status == NP_OK)
        status = npi_region_options_take(topology, options, &known);
    if (status != NP_OK)
        return status;
    if (npi_huge_page_bytes(known.huge_pages) != 0)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "np_region_options.huge_pages: a file has no pages from a pool");
    np_region *region = NULL;
    status = npi_region_describe(topology, &known, &region);
    if (status != NP_OK)
        return status;
    region->from_file = true;
    status = map_file(region, path, offset, bytes);
    if (status == NP_OK) {
        status = place_file(region);
        if (status != NP_OK)
            (void)npi_os_unmap(region->data, region->bytes);
    }
    if (status != NP_OK) {
        npi_region_free(region);
        return status;
    }
    npi_region_show(region);
    *out = region;
    return NP_OK;
}
