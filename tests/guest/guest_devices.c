/*
 * Goal: a device's node is the one the machine was built with, and work, memory and files near it
 * get there: a task sent near the device runs at the nearest CPUs that may be used, a region near
 * it lies on its node, a path on its file system leads to it; a node that may not be used and one
 * that nobody tells are refused as documented. Method: the shape hangs disks and network cards on
 * nodes (NP_GUEST_DEVICES), and gives each its place in that list as serial number or MAC address,
 * since the kernel chooses the names. Every answer of the library is compared with the list, getcpu
 * and move_pages.
 */
#include <numaperf/device.h>

#include <dirent.h>
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "guest_check.h"

enum { MOST = 8, PAGE = 4096, PAGES = 16 };

/* One device as the shape has it. */
struct wanted {
    np_device_kind kind;
    int node; /* -1: the firmware does not say */
    char name[NP_DEVICE_NAME_CAPACITY];
};

static int read_shape(struct wanted wanted[MOST])
{
    const char *list = getenv("NP_GUEST_DEVICES");
    int count = 0;
    for (const char *at = list; at != NULL && *at != '\0' && count < MOST; count++) {
        const char *node = strchr(at, ':') + 1;
        wanted[count].kind = strncmp(at, "net:", 4) == 0 ? NP_DEVICE_NETWORK : NP_DEVICE_BLOCK;
        wanted[count].node = *node == '-' ? -1 : atoi(node);
        at = strchr(node, ',');
        at = at == NULL ? NULL : at + 1;
    }
    return count;
}

/* The place in the list that a device's serial number or address names; -1: not one of ours. */
static int place(const char *class, const char *name)
{
    char path[512], text[64];
    int number = -1;
    if (strcmp(class, "net") == 0) {
        snprintf(path, sizeof path, "/sys/class/net/%s/address", name);
        if (guest_read_file(path, text, sizeof text))
            (void)sscanf(text, "52:54:00:00:00:%x", (unsigned *)&number);
    } else {
        snprintf(path, sizeof path, "/sys/class/block/%s/device/serial", name);
        if (guest_read_file(path, text, sizeof text))
            (void)sscanf(text, "np%d", &number);
    }
    return number;
}

/* Fills in the names; a card's driver may still be at it when the first program runs. */
static void find_names(const char *class, struct wanted *wanted, int count)
{
    char path[64];
    snprintf(path, sizeof path, "/sys/class/%s", class);
    DIR *folder = opendir(path);
    GUEST_CHECK(folder != NULL, "%s: %s", path, strerror(errno));
    if (folder == NULL)
        return;
    for (struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        int number = place(class, entry->d_name);
        if (number >= 0 && number < count)
            snprintf(wanted[number].name, sizeof wanted[number].name, "%.31s", entry->d_name);
    }
    closedir(folder);
}

/* The node to work on that the library must name; -1: it must refuse, with *status. */
static int expected_node(const struct guest_shape *shape, const struct wanted *wanted,
                         np_status *status)
{
    *status = wanted->node < 0                     ? NP_ERR_NOT_FOUND
              : !shape->node_allowed[wanted->node] ? NP_ERR_INVALID_NODE
                                                   : NP_OK;
    return *status == NP_OK ? guest_nearest_cpu_node(shape, wanted->node) : -1;
}

static void note_node(void *argument)
{
    int cpu;
    guest_getcpu(&cpu, argument);
}

static void check_task(np_executor *executor, const struct wanted *wanted, int node,
                       np_status expected)
{
    int ran = -1;
    np_status status = np_submit_near_device(executor, wanted->name, note_node, &ran);
    GUEST_CHECK(status == expected, "%s: a task is %s", wanted->name, np_status_name(status));
    status = np_executor_wait_idle(executor, NP_FOREVER);
    GUEST_CHECK(status == NP_OK && ran == node, "%s: the task ran on node %d, not %d", wanted->name,
                ran, node);
}

static void check_region(const np_topology *topology, const struct wanted *wanted,
                         np_status expected)
{
    np_region *region = NULL;
    np_status status = np_region_create_near_device(topology, (size_t)PAGES * PAGE, wanted->name,
                                                    NULL, &region);
    GUEST_CHECK(status == expected, "%s: a region is %s", wanted->name, np_status_name(status));
    char *data = status == NP_OK ? np_region_data(region) : NULL;
    for (int i = 0; data != NULL && i < PAGES; i++) {
        data[i * PAGE] = 1;
        int node = guest_node_of_page(data + i * PAGE);
        GUEST_CHECK(node == wanted->node, "%s: page %d lies on node %d", wanted->name, i, node);
    }
    np_region_destroy(region);
}

static bool make_file_system(char *device)
{
    char program[] = "mke2fs", quietly[] = "-q";
    char *arguments[] = {program, quietly, device, NULL};
    int status = -1;
    pid_t child = 0;
    return posix_spawnp(&child, program, NULL, NULL, arguments, environ) == 0 &&
           waitpid(child, &status, 0) == child && status == 0;
}

/* A file system on the disk's first partition: through the partition to the disk. */
static void check_path(const np_topology *topology, const struct wanted *wanted, np_status expected)
{
    static const char folder[] = "/tmp/disk", file[] = "/tmp/disk/file";
    char device[64];
    snprintf(device, sizeof device, "/dev/%sp1", wanted->name);
    if (!GUEST_CHECK(make_file_system(device), "mke2fs of %s failed", device))
        return;
    (void)mkdir(folder, 0755);
    if (!GUEST_CHECK(mount(device, folder, "ext2", 0, NULL) == 0, "%s: %s", device,
                     strerror(errno)))
        return;
    FILE *made = fopen(file, "w");
    GUEST_CHECK(made != NULL && fclose(made) == 0, "%s: %s", file, strerror(errno));
    np_node_id node = NP_NODE_ID_NONE;
    np_status status = np_path_node(topology, file, &node);
    GUEST_CHECK(status == expected && (status != NP_OK || node == wanted->node),
                "%s: %s, node %d: %s", file, np_status_name(status), (int)node, np_error_detail());
    GUEST_CHECK(umount(folder) == 0, "%s", strerror(errno));
}

static void check_device(const struct guest_shape *shape, const np_topology *topology,
                         np_executor *executor, const struct wanted *wanted)
{
    np_device device;
    np_status expected, status = np_device_find(topology, wanted->name, &device);
    int node = expected_node(shape, wanted, &expected);
    if (!GUEST_CHECK(status == NP_OK, "'%s' is not found: %s", wanted->name, np_error_detail()))
        return;
    printf(">>> %s %s (%s) on node %d, work for it on node %d\n", np_device_kind_name(device.kind),
           device.name, device.pci_address, (int)device.node, node);
    GUEST_CHECK(device.kind == wanted->kind, "%s is of kind %s", wanted->name,
                np_device_kind_name(device.kind));
    GUEST_CHECK((device.node == NP_NODE_ID_NONE ? -1 : (int)device.node) == wanted->node,
                "%s is on node %d, not %d", wanted->name, (int)device.node, wanted->node);
    GUEST_CHECK(device.pci_address[0] != '\0', "%s has no PCI address", wanted->name);
    np_node_id at = NP_NODE_ID_NONE;
    status = np_topology_device_node(topology, wanted->name, &at);
    GUEST_CHECK(status == expected && (status != NP_OK || at == node), "%s: %s, node %d, not %d",
                wanted->name, np_status_name(status), (int)at, node);
    check_task(executor, wanted, node, expected);
    check_region(topology, wanted, expected);
    if (wanted->kind == NP_DEVICE_BLOCK)
        check_path(topology, wanted, expected);
}

int main(void)
{
    const struct guest_shape *shape = guest_shape();
    struct wanted wanted[MOST] = {0};
    int count = read_shape(wanted);
    if (count == 0) {
        printf("this shape has no devices\n");
        return 77;
    }
    find_names("net", wanted, count);
    find_names("block", wanted, count);
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    np_executor_options options;
    np_executor_options_init(&options);
    options.steal_policy = NP_STEAL_LOCAL_ONLY; /* a task runs where it was sent */
    if (GUEST_CHECK(np_topology_discover(&topology) == NP_OK, "%s", np_error_detail()) &&
        GUEST_CHECK(np_executor_create(topology, &options, &executor) == NP_OK, "%s",
                    np_error_detail())) {
        GUEST_CHECK(np_topology_device_count(topology) == (uint32_t)count,
                    "%u devices, the machine has %d", np_topology_device_count(topology), count);
        for (int i = 0; i < count; i++)
            check_device(shape, topology, executor, &wanted[i]);
    }
    GUEST_CHECK(np_executor_destroy(executor) == NP_OK, "%s", np_error_detail());
    np_topology_destroy(topology);
    return guest_finish();
}
