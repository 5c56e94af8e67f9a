/*
 * Goal: devices have the nodes that the kernel says, and tasks and regions go there. Method: a
 * folder that looks like /sys, with the links that a kernel makes; a file with two devices; the
 * running kernel for what must hold everywhere.
 */
#include <numaperf/device.h>
#include <numaperf/group.h>

#include "topology_help.h"

#include "os/os.h"
#include "topology/snapshot.h"
#include "topology/sources.h"

static char root[32];

static void link_to(const char *path, const char *target)
{
    char full[256];
    snprintf(full, sizeof full, "%s%s", root, path);
    fake_make_folders(full);
    assert_int_equal(symlink(target, full), 0);
}

static void begin_files(void)
{
    fake_root(root);
    /* An Ethernet card behind a bridge, on node 8; /sys/class links to it, as the kernel does. */
#define CARD "/sys/devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0"
    fake_file(root, CARD "/numa_node", "8\n");
    fake_file(root, CARD "/uevent", "DRIVER=ice\nPCI_SLOT_NAME=0000:3b:00.0\nX=1\n");
    fake_file(root, CARD "/net/eth0/address", "");
    link_to(CARD "/net/eth0/device", "../../../0000:3b:00.0");
    link_to("/sys/class/net/eth0", "../../devices/pci0000:3a/0000:3a:00.0/0000:3b:00.0/net/eth0");
    fake_file(root, "/sys/devices/virtual/net/lo/address", "");
    link_to("/sys/class/net/lo", "../../devices/virtual/net/lo");
    /* A disk on an adapter without a word, below a root on node 0; its partition is no device. */
#define DISK "/sys/devices/pci0000:00/0000:00:1f.0/host0/target/0:0:0:0"
    fake_file(root, "/sys/devices/pci0000:00/0000:00:1f.0/numa_node", "0\n");
    fake_file(root, DISK "/block/sda/sda1/partition", "1\n");
    link_to(DISK "/block/sda/device", "../../../0:0:0:0");
    link_to("/sys/class/block/sda",
            "../../devices/pci0000:00/0000:00:1f.0/host0/target/0:0:0:0/block/sda");
    link_to("/sys/class/block/sda1",
            "../../devices/pci0000:00/0000:00:1f.0/host0/target/0:0:0:0/block/sda/sda1");
    /* An NVMe controller repeats the node of its PCI function, but not the address. */
#define NVME "/sys/devices/pci0000:3a/0000:3a:01.0/0000:3c:00.0"
    fake_file(root, NVME "/numa_node", "8\n");
    fake_file(root, NVME "/uevent", "DRIVER=nvme\nPCI_SLOT_NAME=0000:3c:00.0\n");
    fake_file(root, NVME "/nvme/nvme0/numa_node", "8\n");
    fake_file(root, NVME "/nvme/nvme0/uevent", "MAJOR=242\nNVME_TRTYPE=pcie\n");
    fake_file(root, NVME "/nvme/nvme0/nvme0n1/size", "9\n");
    link_to(NVME "/nvme/nvme0/nvme0n1/device", "../../nvme0");
    link_to("/sys/class/block/nvme0n1",
            "../../devices/pci0000:3a/0000:3a:01.0/0000:3c:00.0/nvme/nvme0/nvme0n1");
    /* A graphics card whose firmware says nothing, with a connector. */
    fake_file(root, "/sys/devices/gpu/numa_node", "-1\n");
    fake_file(root, "/sys/devices/gpu/drm/card0/card0-DP-1/status", "");
    link_to("/sys/devices/gpu/drm/card0/device", "../../../gpu");
    link_to("/sys/devices/gpu/drm/card0/card0-DP-1/device", "../../card0");
    link_to("/sys/class/drm/card0", "../../devices/gpu/drm/card0");
    link_to("/sys/class/drm/card0-DP-1", "../../devices/gpu/drm/card0/card0-DP-1");
}

/* Nodes 0 and 8 with a CPU each, and what the files say. */
static np_topology *make(bool is_virtual)
{
    npi_machine machine;
    np_topology *t = NULL;
    npi_machine_init(&machine);
    machine.is_virtual = is_virtual;
    for (uint64_t i = 0; i < 2; i++) {
        npi_machine_node *node = NULL;
        npi_machine_cpu *cpu = NULL;
        assert_int_equal(npi_machine_add_node(&machine, i * 8u, &node), NP_OK);
        node->memory_bytes = (uint64_t)1 << 30;
        assert_int_equal(npi_machine_add_cpu(&machine, i, &cpu), NP_OK);
        cpu->node = (np_node_id)(i * 8u);
    }
    assert_int_equal(npi_kernel_extras_apply(&machine, root), NP_OK);
    assert_int_equal(npi_snapshot_build(&machine, &t), NP_OK);
    npi_machine_release(&machine);
    return t;
}

static void expect(const np_topology *t, uint32_t index, np_device_kind kind, const char *name,
                   np_node_id node, const char *address)
{
    np_device device;
    np_device found;
    assert_int_equal(np_topology_device(t, index, &device), NP_OK);
    assert_int_equal(device.kind, kind);
    assert_string_equal(device.name, name);
    assert_int_equal(device.node, node);
    assert_string_equal(device.pci_address, address);
    assert_int_equal(np_device_find(t, name, &found), NP_OK);
    assert_memory_equal(&found, &device, sizeof found);
}

static void devices_of_the_kernel(void **state)
{
    (void)state;
    np_node_id node = -7;
    np_device device;
    begin_files();
    np_topology *t = make(true);
    assert_int_equal(np_topology_device_count(t), 4);
    expect(t, 0, NP_DEVICE_NETWORK, "eth0", 8, "0000:3b:00.0");
    expect(t, 1, NP_DEVICE_BLOCK, "nvme0n1", 8, "0000:3c:00.0");
    expect(t, 2, NP_DEVICE_BLOCK, "sda", 0, "");
    expect(t, 3, NP_DEVICE_GPU, "card0", NP_NODE_ID_NONE, "");
    assert_int_equal(np_topology_device(t, 4, &device), NP_ERR_NOT_FOUND);
    unit_expect_failure(np_topology_device(t, 0, NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
    unit_expect_failure(np_topology_device(NULL, 0, &device), NP_ERR_INVALID_ARGUMENT,
                        "the topology is NULL");
    unit_expect_failure(np_topology_device_node(t, "eth0", NULL), NP_ERR_INVALID_ARGUMENT,
                        "out is NULL");
    assert_int_equal(np_device_find(t, "lo", &device), NP_ERR_NOT_FOUND);
    assert_int_equal(np_topology_device_node(t, "eth0", &node), NP_OK);
    assert_int_equal(node, 8);
    assert_int_equal(np_topology_device_node(t, "card0", &node), NP_ERR_NOT_FOUND);
    assert_int_equal(np_topology_device_node(t, "nothing", &node), NP_ERR_NOT_FOUND);
    assert_int_equal(node, 8);
    np_topology_destroy(t);
    fake_remove(root);
}

static void a_node_that_is_not_ours(void **state)
{
    (void)state;
    np_node_id node = -7;
    begin_files();
    char path[64];
    snprintf(path, sizeof path, "%s", CARD "/numa_node");
    fake_file(root, path, "5\n");
    np_topology *t = make(true);
    expect(t, 0, NP_DEVICE_NETWORK, "eth0", 5, "0000:3b:00.0");
    assert_int_equal(np_topology_device_node(t, "eth0", &node), NP_ERR_INVALID_NODE);
    np_topology_destroy(t);
    fake_remove(root);
}

static void kinds_have_names(void **state)
{
    (void)state;
    static const char *const names[] = {"other", "network", "block",
                                        "gpu",   "fabric",  "coprocessor"};
    assert_int_equal(sizeof names / sizeof names[0], NP_DEVICE_KIND_COUNT);
    for (int kind = 0; kind < NP_DEVICE_KIND_COUNT; kind++)
        assert_string_equal(np_device_kind_name((np_device_kind)kind), names[kind]);
    assert_string_equal(np_device_kind_name(NP_DEVICE_KIND_COUNT), "unknown");
    assert_string_equal(np_device_kind_name((np_device_kind)-1), "unknown");
}

/* The path's device number is the real one; the folder pretends to know it. */
static void the_node_of_a_path(void **state)
{
    (void)state;
    uint32_t major = 0;
    uint32_t minor = 0;
    char entry[64];
    char part[128];
    np_node_id node = -7;
    begin_files();
    np_topology *t = make(false);
    assert_int_equal(npi_os_path_device("/", &major, &minor), 0);
    assert_int_equal(npi_os_set_root(root), 0);
    snprintf(entry, sizeof entry, "/sys/dev/block/%u:%u", major, minor);
    assert_int_equal(np_path_node(t, "/", &node), NP_ERR_NOT_FOUND);

    /* A partition. */
    link_to(entry, "../../devices/pci0000:00/0000:00:1f.0/host0/target/0:0:0:0/block/sda/sda1");
    assert_int_equal(np_path_node(t, "/", &node), NP_OK);
    assert_int_equal(node, 0);

    /* A volume of the partition, then of a disk elsewhere too. */
    char full[256];
    snprintf(full, sizeof full, "%s%s", root, entry);
    assert_int_equal(unlink(full), 0);
    fake_file(root, "/sys/devices/virtual/block/dm-0/dm/name", "x");
    link_to("/sys/devices/virtual/block/dm-0/slaves/sda1", "../../../../../class/block/sda1");
    link_to(entry, "../../devices/virtual/block/dm-0");
    node = -7;
    assert_int_equal(np_path_node(t, "/", &node), NP_OK);
    assert_int_equal(node, 0);
    fake_file(root, CARD "/nvme/nvme0/nvme0n1/size", "1");
    snprintf(part, sizeof part, "%s", "/sys/devices/virtual/block/dm-0/slaves/nvme0n1");
    link_to(part, "../../../../pci0000:3a/0000:3a:00.0/0000:3b:00.0/nvme/nvme0/nvme0n1");
    node = -7;
    assert_int_equal(np_path_node(t, "/", &node), NP_ERR_NOT_FOUND);
    assert_non_null(strstr(np_error_detail(), "several nodes"));
    assert_int_equal(node, -7);
    assert_int_equal(npi_os_set_root(NULL), 0);

    assert_int_equal(np_path_node(t, "/nothing/there", &node), NP_ERR_NOT_FOUND);
    assert_int_equal(np_path_node(t, NULL, &node), NP_ERR_INVALID_ARGUMENT);
    np_topology_destroy(t);
    t = make(true);
    assert_int_equal(np_path_node(t, "/", &node), NP_ERR_NOT_SUPPORTED);
    np_topology_destroy(t);
    fake_remove(root);
}

static void note_node(void *argument)
{
    *(np_node_id *)argument = np_current_node();
}

static void tasks_and_regions_go_there(void **state)
{
    (void)state;
    np_executor *executor = NULL;
    np_region *region = NULL;
    np_node_id ran = NP_NODE_ID_NONE;
    np_node_id node = NP_NODE_ID_NONE;
    begin_files();
    np_topology *t = make(true);
    fake_remove(root);
    np_executor_options options;
    np_executor_options_init(&options);
    options.steal_policy = NP_STEAL_LOCAL_ONLY;
    assert_int_equal(np_executor_create(t, &options, &executor), NP_OK);
    assert_int_equal(np_submit_near_device(executor, "eth0", note_node, &ran), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(ran, 8);
    assert_int_equal(np_submit_near_device(executor, "sda", note_node, &ran), NP_OK);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(ran, 0);
    assert_int_equal(np_submit_near_device(executor, "card0", note_node, &ran), NP_ERR_NOT_FOUND);
    assert_int_equal(np_submit_near_device(executor, NULL, note_node, &ran),
                     NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_submit_near_device(NULL, "eth0", note_node, &ran), NP_ERR_INVALID_ARGUMENT);
    assert_int_equal(np_submit_near_device(executor, "eth0", NULL, NULL), NP_ERR_INVALID_ARGUMENT);
    np_executor_destroy(executor);

    assert_int_equal(np_region_create_near_device(t, 4096, "eth0", NULL, &region), NP_OK);
    assert_int_equal(np_region_nodes(region, &node, 1), 1);
    assert_int_equal(node, 8);
    np_region_destroy(region);
    unit_expect_failure(np_region_create_near_device(t, 4096, "eth0", NULL, NULL),
                        NP_ERR_INVALID_ARGUMENT, "out is NULL");
    const np_region_options unsized = {.size = 0};
    unit_expect_failure(np_region_create_near_device(t, 4096, "eth0", &unsized, &region),
                        NP_ERR_INVALID_ARGUMENT, "np_region_options");
    assert_null(region);
    np_region_options with_nodes;
    np_region_options_init(&with_nodes);
    with_nodes.nodes = &node;
    with_nodes.node_count = 1;
    assert_int_equal(np_region_create_near_device(t, 4096, "eth0", &with_nodes, &region),
                     NP_ERR_INVALID_ARGUMENT);
    assert_null(region);
    assert_int_equal(np_region_create_near_device(t, 4096, "card0", NULL, &region),
                     NP_ERR_NOT_FOUND);
    assert_int_equal(np_region_create_near_device(NULL, 4096, "eth0", NULL, &region),
                     NP_ERR_INVALID_ARGUMENT);
    np_topology_destroy(t);
}

/* Nothing is known of this machine, but what is listed can be found. */
static void the_running_kernel(void **state)
{
    (void)state;
    np_topology *t = NULL;
    assert_int_equal(np_topology_discover(&t), NP_OK);
    for (uint32_t i = 0; i < np_topology_device_count(t); i++) {
        np_device device;
        np_device found;
        assert_int_equal(np_topology_device(t, i, &device), NP_OK);
        assert_int_equal(np_device_find(t, device.name, &found), NP_OK);
        assert_true(strlen(np_device_kind_name(device.kind)) > 0);
    }
    np_topology_destroy(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(devices_of_the_kernel), cmocka_unit_test(a_node_that_is_not_ours),
        cmocka_unit_test(the_node_of_a_path),    cmocka_unit_test(tasks_and_regions_go_there),
        cmocka_unit_test(the_running_kernel),    cmocka_unit_test(kinds_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
