/*
 * topology/xml_extras.h - the attributes of memories and the devices in a file of hwloc's XML
 * format. Both name what has not been read yet when they come (nodes by a number of hwloc's, CPUs
 * by sets), so they are kept as they are and added to the machine at the end.
 */
#ifndef NPI_TOPOLOGY_XML_EXTRAS_H
#define NPI_TOPOLOGY_XML_EXTRAS_H

#include "topology/machine.h"
#include "topology/xml_scan.h"

typedef struct npi_xml_figure {
    uint64_t target; /* hwloc's number of the object */
    uint64_t value;
    const char *cpus; /* text of the set */
    uint32_t line;
    np_memory_attribute attribute;
} npi_xml_figure;

typedef struct npi_xml_node {
    uint64_t number; /* hwloc's */
    np_node_id id;
} npi_xml_node;

typedef struct npi_xml_device {
    const char *name;
    const char *pci_address; /* of the PCI device that it is part of, or NULL */
    const char *cpus;        /* text of the set, or NULL */
    uint32_t line;
    np_device_kind kind;
} npi_xml_device;

typedef struct npi_xml_extras {
    npi_xml_node *nodes;
    uint32_t node_count, node_capacity;
    npi_xml_figure *figures;
    uint32_t figure_count, figure_capacity;
    npi_xml_device *devices;
    uint32_t device_count, device_capacity;
    bool wanted; /* inside a memattr element that has a meaning here */
    np_memory_attribute attribute;
} npi_xml_extras;

void npi_xml_extras_release(npi_xml_extras *extras);

/* The elements NUMANode (its number), OSDev (with the words of the objects around it), memattr and
 * memattr_value were just opened. */
np_status npi_xml_extras_node(npi_xml_extras *extras, const npi_xml *xml, np_node_id id);
np_status npi_xml_extras_device(npi_xml_extras *extras, const npi_xml *xml, const char *cpus,
                                const char *pci_address);
void npi_xml_extras_attribute(npi_xml_extras *extras, const npi_xml *xml);
np_status npi_xml_extras_figure(npi_xml_extras *extras, const npi_xml *xml);

/* Adds all of it to the machine, whose CPUs know their nodes by now. */
np_status npi_xml_extras_finish(const npi_xml_extras *extras, npi_xml *xml, npi_machine *machine);

#endif
