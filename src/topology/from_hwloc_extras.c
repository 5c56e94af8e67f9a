/*
 * topology/from_hwloc_extras.c - the attributes of memories and the devices of an hwloc topology.
 * Both are there only if the topology was loaded with them; what hwloc does not know is passed
 * over.
 */
#include <errno.h>
#include <stdio.h>

#include <numaperf/hwloc.h>

#include "base/alloc.h"
#include "base/status.h"
#include "topology/from_hwloc.h"

/* --- attributes --------------------------------------------------------------------------- */

#if HWLOC_API_VERSION >= 0x00020300

static const struct {
    np_memory_attribute attribute;
    const char *name; /* by name, which older versions may not know */
} attributes[] = {
    {NP_MEMORY_LATENCY, "Latency"},
    {NP_MEMORY_BANDWIDTH, "Bandwidth"},
    {NP_MEMORY_READ_LATENCY, "ReadLatency"},
    {NP_MEMORY_WRITE_LATENCY, "WriteLatency"},
    {NP_MEMORY_READ_BANDWIDTH, "ReadBandwidth"},
    {NP_MEMORY_WRITE_BANDWIDTH, "WriteBandwidth"},
};

static np_status add_value(npi_machine *machine, np_memory_attribute attribute, np_node_id target,
                           const struct hwloc_location *from, uint64_t value)
{
    np_cpu_set cpus;
    hwloc_const_bitmap_t set = from->type == HWLOC_LOCATION_TYPE_CPUSET
                                   ? from->location.cpuset
                                   : from->location.object->cpuset;
    if (set == NULL)
        return NP_OK;
    np_status status = np_cpu_set_from_hwloc(set, &cpus);
    if (status != NP_OK)
        return status;
    return npi_machine_add_value_from(machine, attribute, target, &cpus, value);
}

static np_status read_attribute(hwloc_topology_t source, hwloc_memattr_id_t id,
                                np_memory_attribute attribute, hwloc_obj_t node,
                                npi_machine *machine)
{
    unsigned count = 0;
    if (hwloc_memattr_get_initiators(source, id, node, 0, &count, NULL, NULL) != 0 || count == 0)
        return NP_OK;
    unsigned room = count;
    struct hwloc_location *from = npi_alloc_array(room, sizeof *from, 0);
    hwloc_uint64_t *values = npi_alloc_array(room, sizeof *values, 0);
    np_status status = NP_OK;
    if (from == NULL || values == NULL)
        status = npi_fail_memory(room * sizeof *from, "the attributes of a memory");
    else if (hwloc_memattr_get_initiators(source, id, node, 0, &count, from, values) != 0)
        count = 0;
    count = count > room ? room : count;
    for (unsigned i = 0; i < count && status == NP_OK; i++)
        status = add_value(machine, attribute, (np_node_id)node->os_index, &from[i], values[i]);
    npi_free_array(values, room, sizeof *values);
    npi_free_array(from, room, sizeof *from);
    return status;
}

static np_status read_attributes(hwloc_topology_t source, npi_machine *machine)
{
    np_status status = NP_OK;
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        hwloc_memattr_id_t id = 0;
        hwloc_obj_t node = NULL;
        if (hwloc_memattr_get_by_name(source, attributes[i].name, &id) != 0)
            continue;
        while (status == NP_OK &&
               (node = hwloc_get_next_obj_by_type(source, HWLOC_OBJ_NUMANODE, node)) != NULL)
            status = read_attribute(source, id, attributes[i].attribute, node, machine);
    }
    if (machine->value_count > 0)
        machine->value_source = NP_MEMORY_SOURCE_GIVEN;
    return status;
}

#else

static np_status read_attributes(hwloc_topology_t source, npi_machine *machine)
{
    (void)source;
    (void)machine;
    return NP_OK;
}

#endif

/* --- devices ------------------------------------------------------------------------------ */

static np_device_kind kind_of(hwloc_obj_osdev_type_t type)
{
    /* No switch: newer versions have more types. */
    if (type == HWLOC_OBJ_OSDEV_BLOCK)
        return NP_DEVICE_BLOCK;
    if (type == HWLOC_OBJ_OSDEV_GPU)
        return NP_DEVICE_GPU;
    if (type == HWLOC_OBJ_OSDEV_NETWORK)
        return NP_DEVICE_NETWORK;
    if (type == HWLOC_OBJ_OSDEV_OPENFABRICS)
        return NP_DEVICE_FABRIC;
    return type == HWLOC_OBJ_OSDEV_COPROC ? NP_DEVICE_COPROCESSOR : NP_DEVICE_OTHER;
}

static np_status read_device(hwloc_topology_t source, hwloc_obj_t device, npi_machine *machine)
{
    char address[32] = "";
    np_cpu_set cpus;
    np_node_id node = NP_NODE_ID_NONE;
    hwloc_obj_t above = hwloc_get_non_io_ancestor_obj(source, device);
    if (above != NULL && above->cpuset != NULL) {
        np_status status = np_cpu_set_from_hwloc(above->cpuset, &cpus);
        if (status != NP_OK)
            return status;
        node = npi_machine_node_of(machine, &cpus);
    }
    if (device->parent != NULL && device->parent->type == HWLOC_OBJ_PCI_DEVICE) {
        const struct hwloc_pcidev_attr_s *pci = &device->parent->attr->pcidev;
        snprintf(address, sizeof address, "%04x:%02x:%02x.%x", (unsigned)pci->domain, pci->bus,
                 pci->dev, pci->func);
    }
    return npi_machine_add_device(machine, kind_of(device->attr->osdev.type), device->name, node,
                                  address);
}

np_status npi_machine_extras_from_hwloc(hwloc_topology_t source, npi_machine *machine)
{
    np_status status = read_attributes(source, machine);
    hwloc_obj_t device = NULL;
    while (status == NP_OK && (device = hwloc_get_next_osdev(source, device)) != NULL)
        status = read_device(source, device, machine);
    return status;
}
