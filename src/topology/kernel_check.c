/*
 * topology/kernel_check.c - files that hwloc must not be left alone with: hwloc 2.9 ends the
 * process by an assertion when the kernel's list of nodes is empty, or is no list. No sane kernel
 * has such files, a container that covers parts of /sys may. Asked before every discovery that
 * would read them.
 */
#include <stdio.h>

#include "base/status.h"
#include "os/os.h"
#include "topology/sources.h"
#include "topology/whole_file.h"

#define NODES         "/sys/devices/system/node"
#define PATH_CAPACITY 4096u
#define FILE_MOST     (256u * 1024u)

static np_status check_list(const char *path, const char *text)
{
    np_cpu_set nodes;
    if (np_cpu_set_parse(text, &nodes) != NP_OK)
        return npi_fail_more(NP_ERR_SYSTEM, "%s", path);
    if (np_cpu_set_is_empty(&nodes))
        return npi_fail(NP_ERR_SYSTEM, "%s names no NUMA node", path);
    return NP_OK;
}

np_status npi_kernel_files_check(const char *root)
{
    char path[PATH_CAPACITY];
    npi_whole_file file;
    np_cpu_set nodes;
    snprintf(path, sizeof path, "%s" NODES "/online", root);
    if (npi_whole_file_read(path, FILE_MOST, &file) == 0) {
        np_status status = check_list(path, file.text);
        npi_whole_file_release(&file);
        return status;
    }
    snprintf(path, sizeof path, "%s" NODES, root);
    if (!npi_os_path_exists(path) || npi_kernel_node_folders(root, &nodes))
        return NP_OK;
    return npi_fail(NP_ERR_SYSTEM, "%s has no folder of a NUMA node", path);
}
