/*
 * topology/xml_value.h - attributes of the element that was just opened, as values. A value that is
 * not understood is a failure that names attribute and value.
 */
#ifndef NPI_TOPOLOGY_XML_VALUE_H
#define NPI_TOPOLOGY_XML_VALUE_H

#include <numaperf/affinity.h>

#include "topology/xml_scan.h"

np_status npi_xml_bad_value(const npi_xml *xml, const char *name, const char *value);

/* A decimal number; *found tells whether the attribute is there, *out stays if it is not. */
np_status npi_xml_number(const npi_xml *xml, const char *name, uint64_t *out, bool *found);

/* hwloc's text form of a bitmap: 32-bit words, the highest first. An absent one is empty.
 * NP_ERR_LIMIT for infinite sets and numbers beyond the capacity. */
np_status npi_xml_bitmap(const npi_xml *xml, const char *name, np_cpu_set *out, bool *found);
/* The same of a value that was kept; the failure names the attribute and the scanner's line. */
np_status npi_xml_bitmap_of(const npi_xml *xml, const char *name, const char *value,
                            np_cpu_set *out);

#endif
