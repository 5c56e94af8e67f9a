/*
 * topology/xml_extras.c - see xml_extras.h. All strings point into the text that the scanner has
 * cut up, which outlives them. A figure without CPUs, or of an object that is no NUMA node, is
 * passed over.
 */
#include "topology/xml_extras.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "topology/xml_value.h"

void npi_xml_extras_release(npi_xml_extras *extras)
{
    npi_free_array(extras->nodes, extras->node_capacity, sizeof *extras->nodes);
    npi_free_array(extras->figures, extras->figure_capacity, sizeof *extras->figures);
    npi_free_array(extras->devices, extras->device_capacity, sizeof *extras->devices);
}

np_status npi_xml_extras_node(npi_xml_extras *extras, const npi_xml *xml, np_node_id id)
{
    uint64_t number = 0;
    bool found = false;
    np_status status = npi_xml_number(xml, "gp_index", &number, &found);
    if (status != NP_OK || !found)
        return status;
    if (extras->node_count == extras->node_capacity) {
        void *items = extras->nodes;
        status = npi_machine_grow(&items, &extras->node_capacity, sizeof *extras->nodes,
                                  "the nodes of a topology file");
        extras->nodes = items;
        if (status != NP_OK)
            return status;
    }
    extras->nodes[extras->node_count++] = (npi_xml_node){number, id};
    return NP_OK;
}

/* --- devices ------------------------------------------------------------------------------ */

/* hwloc 2's numbers. */
static np_device_kind kind_of(uint64_t type)
{
    static const np_device_kind kinds[] = {NP_DEVICE_BLOCK,   NP_DEVICE_GPU,
                                           NP_DEVICE_NETWORK, NP_DEVICE_FABRIC,
                                           NP_DEVICE_OTHER,   NP_DEVICE_COPROCESSOR};
    return type < sizeof kinds / sizeof kinds[0] ? kinds[type] : NP_DEVICE_OTHER;
}

np_status npi_xml_extras_device(npi_xml_extras *extras, const npi_xml *xml, const char *cpus,
                                const char *pci_address)
{
    uint64_t type = UINT64_MAX;
    bool found = false;
    np_status status = npi_xml_number(xml, "osdev_type", &type, &found);
    const char *name = npi_xml_value(xml, "name");
    if (status != NP_OK || name == NULL)
        return status;
    if (extras->device_count == extras->device_capacity) {
        void *items = extras->devices;
        status = npi_machine_grow(&items, &extras->device_capacity, sizeof *extras->devices,
                                  "the devices of a topology file");
        extras->devices = items;
        if (status != NP_OK)
            return status;
    }
    extras->devices[extras->device_count++] = (npi_xml_device){name, pci_address, cpus, xml->line,
                                                               kind_of(type)};
    return NP_OK;
}

/* --- attributes --------------------------------------------------------------------------- */

void npi_xml_extras_attribute(npi_xml_extras *extras, const npi_xml *xml)
{
    static const struct {
        const char *name;
        np_memory_attribute attribute;
    } known[] = {
        {"Latency", NP_MEMORY_LATENCY},
        {"ReadLatency", NP_MEMORY_READ_LATENCY},
        {"WriteLatency", NP_MEMORY_WRITE_LATENCY},
        {"Bandwidth", NP_MEMORY_BANDWIDTH},
        {"ReadBandwidth", NP_MEMORY_READ_BANDWIDTH},
        {"WriteBandwidth", NP_MEMORY_WRITE_BANDWIDTH},
    };
    const char *name = npi_xml_value(xml, "name");
    extras->wanted = false;
    for (size_t i = 0; name != NULL && i < sizeof known / sizeof known[0]; i++) {
        if (strcmp(name, known[i].name) == 0) {
            extras->wanted = true;
            extras->attribute = known[i].attribute;
        }
    }
}

np_status npi_xml_extras_figure(npi_xml_extras *extras, const npi_xml *xml)
{
    npi_xml_figure figure = {0};
    bool has_target = false;
    bool has_value = false;
    const char *type = npi_xml_value(xml, "target_obj_type");
    figure.cpus = npi_xml_value(xml, "initiator_cpuset");
    figure.line = xml->line;
    figure.attribute = extras->attribute;
    if (!extras->wanted || figure.cpus == NULL || type == NULL || strcmp(type, "NUMANode") != 0)
        return NP_OK;
    np_status status = npi_xml_number(xml, "target_obj_gp_index", &figure.target, &has_target);
    if (status == NP_OK)
        status = npi_xml_number(xml, "value", &figure.value, &has_value);
    if (status != NP_OK)
        return status;
    if (!has_target || !has_value)
        return npi_xml_fail(xml, NP_ERR_PARSE, "a memattr_value has no %s",
                            has_target ? "value" : "target_obj_gp_index");
    if (extras->figure_count == extras->figure_capacity) {
        void *items = extras->figures;
        status = npi_machine_grow(&items, &extras->figure_capacity, sizeof *extras->figures,
                                  "the memory attributes of a topology file");
        extras->figures = items;
        if (status != NP_OK)
            return status;
    }
    extras->figures[extras->figure_count++] = figure;
    return NP_OK;
}

/* --- the end ------------------------------------------------------------------------------ */

static int by_number(const void *a, const void *b)
{
    const npi_xml_node *left = a;
    const npi_xml_node *right = b;
    int order = (left->number > right->number) - (left->number < right->number);
    return order != 0 ? order : (left->id > right->id) - (left->id < right->id);
}

static int by_number_alone(const void *a, const void *b)
{
    const npi_xml_node *left = a;
    const npi_xml_node *right = b;
    return (left->number > right->number) - (left->number < right->number);
}

static np_status add_figures(const npi_xml_extras *extras, npi_xml *xml, npi_machine *machine)
{
    np_status status = NP_OK;
    for (uint32_t i = 0; i < extras->figure_count && status == NP_OK; i++) {
        const npi_xml_figure *figure = &extras->figures[i];
        npi_xml_node wanted = {figure->target, 0};
        const npi_xml_node *target = extras->node_count == 0
                                         ? NULL
                                         : bsearch(&wanted, extras->nodes, extras->node_count,
                                                   sizeof wanted, by_number_alone);
        np_cpu_set cpus;
        if (target == NULL)
            continue;
        xml->line = figure->line; /* what a failure names */
        status = npi_xml_bitmap_of(xml, "initiator_cpuset", figure->cpus, &cpus);
        if (status == NP_OK)
            status = npi_machine_add_value_from(machine, figure->attribute, target->id, &cpus,
                                                figure->value);
    }
    if (machine->value_count > 0)
        machine->value_source = NP_MEMORY_SOURCE_GIVEN;
    return status;
}

/* "0000:3b:00.0 [8086:1572 ...] ..." as the file has it; the address ends at the blank. */
static void copy_address(char *out, size_t capacity, const char *address)
{
    size_t length = address == NULL ? 0 : strcspn(address, " ");
    length = length < capacity ? length : 0;
    if (length > 0)
        memcpy(out, address, length);
    out[length] = '\0';
}

np_status npi_xml_extras_finish(const npi_xml_extras *extras, npi_xml *xml, npi_machine *machine)
{
    if (extras->node_count > 1)
        qsort(extras->nodes, extras->node_count, sizeof *extras->nodes, by_number);
    np_status status = add_figures(extras, xml, machine);
    for (uint32_t i = 0; i < extras->device_count && status == NP_OK; i++) {
        const npi_xml_device *device = &extras->devices[i];
        np_node_id node = NP_NODE_ID_NONE;
        np_cpu_set cpus;
        char address[16];
        copy_address(address, sizeof address, device->pci_address);
        xml->line = device->line;
        if (device->cpus != NULL) {
            status = npi_xml_bitmap_of(xml, "cpuset", device->cpus, &cpus);
            if (status != NP_OK)
                return status;
            node = npi_machine_node_of(machine, &cpus);
        }
        status = npi_machine_add_device(machine, device->kind, device->name, node, address);
    }
    return status;
}
