/*
 * numaperf/device.h - network, storage and other devices, and the nodes they hang on.
 *
 * A buffer that a device fills, and the task that reads it, belong on the device's node. The list
 * is part of the immutable topology: what was there when it was made. It holds hardware: a bridge,
 * a loop device, a partition, a mapped volume has no node of its own (np_path_node() looks through
 * the last two). A topology from an hwloc topology or file has the devices that these have; hwloc
 * leaves them out unless its I/O type filter says otherwise.
 */
#ifndef NUMAPERF_DEVICE_H
#define NUMAPERF_DEVICE_H

#include <numaperf/executor.h>
#include <numaperf/region.h>
#include <numaperf/topology.h>

NP_BEGIN_DECLS

typedef enum np_device_kind {
    NP_DEVICE_OTHER = 0,
    NP_DEVICE_NETWORK,     /* "eth0" */
    NP_DEVICE_BLOCK,       /* "nvme0n1" */
    NP_DEVICE_GPU,         /* "card0", "renderD128" */
    NP_DEVICE_FABRIC,      /* InfiniBand and its like: "mlx5_0" */
    NP_DEVICE_COPROCESSOR, /* "accel0" */
    NP_DEVICE_KIND_COUNT
} np_device_kind;

#define NP_DEVICE_NAME_CAPACITY 32 /* bytes with the NUL; a longer name is left out */

typedef struct np_device {
    np_device_kind kind;
    np_node_id node;                    /* NP_NODE_ID_NONE: the firmware does not say, or on a
                                           virtual machine that it hangs on several. It may be
                                           a node that this process may not use, and that is not in
                                           the topology. */
    char name[NP_DEVICE_NAME_CAPACITY]; /* as the kernel calls it */
    char pci_address[16];               /* "0000:3b:00.0", or "" */
} np_device;

/* "network", "block", "gpu", "fabric", "coprocessor", "other". */
NP_API const char *np_device_kind_name(np_device_kind kind);

/* By kind, then by name. An index beyond the count: NP_ERR_NOT_FOUND. Any thread. */
NP_API uint32_t np_topology_device_count(const np_topology *topology);
NP_API NP_MUST_USE np_status np_topology_device(const np_topology *topology, uint32_t index,
                                                np_device *out);

/* By name; NP_ERR_NOT_FOUND, NP_ERR_INVALID_ARGUMENT. Any thread. */
NP_API NP_MUST_USE np_status np_device_find(const np_topology *topology, const char *name,
                                            np_device *out);

/*
 * The node to work on for a device: its own if that is in the topology and has CPUs, else the
 * nearest that has some. NP_ERR_NOT_FOUND: no such device, or its node is not known;
 * NP_ERR_INVALID_NODE: its node is not one that this process may use. Any thread.
 */
NP_API NP_MUST_USE np_status np_topology_device_node(const np_topology *topology, const char *name,
                                                     np_node_id *out);

/*
 * The node of the block device that holds the file or folder `path`, through partitions, mapped
 * volumes and arrays (dm, md) whose parts all hang on one node. Asks the running kernel now; makes
 * system calls. Errors: NP_ERR_NOT_FOUND (no such path; a file system without a block device of its
 * own, as tmpfs, overlays, btrfs and the network's; a device without a known node; parts on several
 * nodes), NP_ERR_NOT_PERMITTED, NP_ERR_SYSTEM, NP_ERR_INVALID_NODE (a node not in the topology),
 * NP_ERR_NOT_SUPPORTED (a virtual topology), NP_ERR_INVALID_ARGUMENT. Any thread.
 */
NP_API NP_MUST_USE np_status np_path_node(const np_topology *topology, const char *path,
                                          np_node_id *out);

/*
 * np_submit_to_node() to the nearest node with workers for the device. Looks the device up by name
 * each time: a program that submits for every packet asks np_topology_device_node() once. Errors:
 * those of np_topology_device_node() and np_submit_to_node(), whose promises hold too.
 */
NP_API NP_MUST_USE np_status np_submit_near_device(np_executor *executor, const char *device,
                                                   np_task_fn fn, void *argument);

/*
 * np_region_create() with the device's node for the options' nodes: the memory of that node, or, if
 * it has none that may be used, of the nearest that has. `options` may be NULL (bound, soft) and
 * must name no nodes. Errors: those of np_topology_device_node() and np_region_create().
 */
NP_API NP_MUST_USE np_status np_region_create_near_device(const np_topology *topology, size_t bytes,
                                                          const char *device,
                                                          const np_region_options *options,
                                                          np_region **out);

NP_END_DECLS

#endif
