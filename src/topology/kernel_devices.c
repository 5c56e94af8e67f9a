/*
 * topology/kernel_devices.c - devices and their nodes by the kernel's files.
 *
 * Read here and not by hwloc's I/O objects: loading these costs a walk over the whole PCI space and
 * brings in its plugins for graphics libraries, which start threads and print; the classes of /sys
 * are a few folders. What has no "device" link is software (bridges, loops, partitions) and is
 * passed over. A class that cannot be read has no devices. Called by the thread that discovers.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "os/os.h"
#include "topology/sources.h"

#define PATH_CAPACITY  4096u
#define NAMES_CAPACITY ((size_t)1 << 20)
#define ABOVE_MOST     16u /* folders from a device up to the one that knows its node */

static const struct {
    const char *folder;
    np_device_kind kind;
} classes[] = {
    {"/sys/class/net", NP_DEVICE_NETWORK},       {"/sys/class/block", NP_DEVICE_BLOCK},
    {"/sys/class/drm", NP_DEVICE_GPU},           {"/sys/class/infiniband", NP_DEVICE_FABRIC},
    {"/sys/class/accel", NP_DEVICE_COPROCESSOR},
};

/* "PCI_SLOT_NAME=0000:3b:00.0" in a device's uevent file. */
static void read_address(const char *path, char *out)
{
    char text[4096];
    static const char key[] = "PCI_SLOT_NAME=";
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0)
        return;
    const char *at = strstr(text, key);
    size_t length = at == NULL ? 0 : strcspn(at + sizeof key - 1, "\n");
    if (length > 0 && length < 16u) {
        memcpy(out, at + sizeof key - 1, length);
        out[length] = '\0';
    }
}

/* The whole number in a file; INT32_MIN if there is none. */
static int32_t read_number(const char *path)
{
    char text[32];
    char *end = NULL;
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0)
        return INT32_MIN;
    long number = strtol(text, &end, 10);
    bool good = end != text && (*end == '\n' || *end == '\0') && number >= -1 &&
                number <= INT32_MAX;
    return good ? (int32_t)number : INT32_MIN;
}

np_node_id npi_kernel_device_node(const char *folder, char *pci_address)
{
    char above[PATH_CAPACITY];
    char path[PATH_CAPACITY + 16u];
    np_node_id found = NP_NODE_ID_NONE;
    int length = snprintf(above, sizeof above, "%s", folder);
    if (pci_address != NULL)
        pci_address[0] = '\0';
    /* ".." of a link in /sys is the folder above what it points to. The address may be told farther
     * above than the node: an NVMe controller repeats its PCI function's node, not its address. */
    for (uint32_t level = 0; level < ABOVE_MOST; level++) {
        if (length < 0 || (size_t)length + 3u >= sizeof above)
            break;
        snprintf(path, sizeof path, "%s/numa_node", above);
        int32_t node = read_number(path);
        if (node != INT32_MIN && pci_address != NULL && pci_address[0] == '\0') {
            snprintf(path, sizeof path, "%s/uevent", above);
            read_address(path, pci_address);
        }
        if (found == NP_NODE_ID_NONE && node >= 0)
            found = node;
        if (found != NP_NODE_ID_NONE && (pci_address == NULL || pci_address[0] != '\0'))
            break;
        memcpy(above + length, "/..", 4);
        length += 3;
    }
    return found;
}

/* The graphics class also lists connectors ("card0-DP-1") and a version. */
static bool is_device(np_device_kind kind, const char *name)
{
    if (kind != NP_DEVICE_GPU)
        return true;
    size_t prefix = strncmp(name, "card", 4) == 0 ? 4 : strncmp(name, "renderD", 7) == 0 ? 7 : 0;
    return prefix > 0 && name[prefix] != '\0' &&
           strspn(name + prefix, "0123456789") == strlen(name + prefix);
}

static np_status add_class(npi_machine *machine, const char *root, size_t class, char *names)
{
    char folder[PATH_CAPACITY];
    char path[PATH_CAPACITY];
    size_t length = 0;
    snprintf(folder, sizeof folder, "%s%s", root, classes[class].folder);
    if (npi_os_list_folder(folder, names, NAMES_CAPACITY, &length) != 0)
        return NP_OK;
    for (size_t at = 0; at < length; at += strlen(names + at) + 1) {
        const char *name = names + at;
        char address[16];
        int written = snprintf(path, sizeof path, "%s/%s/device", folder, name);
        if (written < 0 || (size_t)written >= sizeof path ||
            !is_device(classes[class].kind, name) || !npi_os_path_exists(path))
            continue;
        np_node_id node = npi_kernel_device_node(path, address);
        np_status status = npi_machine_add_device(machine, classes[class].kind, name, node,
                                                  address);
        if (status != NP_OK)
            return status;
    }
    return NP_OK;
}

np_status npi_kernel_extras_apply(npi_machine *machine, const char *root)
{
    np_status status = npi_kernel_attributes_apply(machine, root);
    if (status != NP_OK)
        return status;
    char *names = npi_alloc(NAMES_CAPACITY, 0);
    if (names == NULL)
        return npi_fail_memory(NAMES_CAPACITY, "the names of devices");
    machine->device_count = 0; /* what a source knew is among the kernel's */
    for (size_t i = 0; i < sizeof classes / sizeof classes[0] && status == NP_OK; i++)
        status = add_class(machine, root, i, names);
    npi_free(names, NAMES_CAPACITY);
    return status;
}
