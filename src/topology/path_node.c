/*
 * topology/path_node.c - the node of the block device behind a path, by the running kernel's files.
 * Nothing is kept between calls.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/status.h"
#include "os/os.h"
#include "topology/snapshot.h"
#include "topology/sources.h"
#include "topology/topology_internal.h"

#define PATH_CAPACITY  1024u
#define NAMES_CAPACITY 4096u
#define DEPTH_MOST     8u /* volumes on arrays on partitions */

/* What the parts of a device agree on. */
typedef enum verdict {
    UNKNOWN = 0, /* at least one part does not say */
    ONE,
    SEVERAL
} verdict;

/* A device made of others (dm, md) lists them in "slaves"; any other says for itself. */
static verdict find_node(const char *folder, uint32_t depth, np_node_id *out)
{
    char path[PATH_CAPACITY];
    char names[NAMES_CAPACITY];
    size_t length = 0;
    int written = snprintf(path, sizeof path, "%s/slaves", folder);
    if (written < 0 || (size_t)written >= sizeof path || depth == DEPTH_MOST)
        return UNKNOWN;
    int error = npi_os_list_folder(path, names, sizeof names, &length);
    if (error == EFBIG)
        return UNKNOWN;
    if (error != 0 || length == 0) {
        *out = npi_kernel_device_node(folder, NULL);
        return *out == NP_NODE_ID_NONE ? UNKNOWN : ONE;
    }
    np_node_id first = NP_NODE_ID_NONE;
    for (size_t at = 0; at < length; at += strlen(names + at) + 1) {
        np_node_id node = NP_NODE_ID_NONE;
        written = snprintf(path, sizeof path, "%s/slaves/%s", folder, names + at);
        if (written < 0 || (size_t)written >= sizeof path)
            return UNKNOWN;
        verdict part = find_node(path, depth + 1, &node);
        if (part != ONE)
            return part;
        if (first != NP_NODE_ID_NONE && node != first)
            return SEVERAL;
        first = node;
    }
    *out = first;
    return ONE;
}

static np_status fail_path(int error, const char *path)
{
    np_status status = NP_ERR_SYSTEM;
    if (error == ENOENT || error == ENOTDIR)
        status = NP_ERR_NOT_FOUND;
    else if (error == EACCES || error == EPERM)
        status = NP_ERR_NOT_PERMITTED;
    return npi_fail_errno(status, error, "statx", "the path \"%s\"", path);
}

np_status np_path_node(const np_topology *topology, const char *path, np_node_id *out)
{
    char folder[PATH_CAPACITY];
    uint32_t major = 0;
    uint32_t minor = 0;
    if (topology == NULL || path == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_path_node: %s is NULL",
                        topology == NULL ? "the topology"
                        : path == NULL   ? "the path"
                                         : "out");
    if (topology->is_virtual)
        return npi_fail(NP_ERR_NOT_SUPPORTED, "a virtual topology knows nothing of paths");
    int error = npi_os_path_device(path, &major, &minor);
    if (error != 0)
        return fail_path(error, path);
    snprintf(folder, sizeof folder, "/sys/dev/block/%u:%u", major, minor);
    if (!npi_os_path_exists(folder))
        return npi_fail(NP_ERR_NOT_FOUND,
                        "the file system of \"%s\" (device %u:%u) has no block device of its own",
                        path, major, minor);
    np_node_id node = NP_NODE_ID_NONE;
    verdict said = find_node(folder, 0, &node);
    if (said == UNKNOWN && topology->only_node != NP_NODE_ID_NONE) {
        node = topology->only_node;
        said = ONE;
    }
    if (said != ONE)
        return npi_fail(NP_ERR_NOT_FOUND, "the block device %u:%u of \"%s\" %s", major, minor, path,
                        said == SEVERAL ? "has parts on several nodes" : "has no known node");
    if (npi_topology_node_index(topology, node) == NP_NODE_INDEX_NONE)
        return npi_fail(NP_ERR_INVALID_NODE,
                        "\"%s\" lies on a device of node %d, which this process may not use", path,
                        node);
    *out = node;
    return NP_OK;
}
