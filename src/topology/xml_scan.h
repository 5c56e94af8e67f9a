/*
 * topology/xml_scan.h - reads XML piece by piece, in place, without believing any of it.
 *
 * As much of XML as files about topologies use: elements, attributes, text; prolog, document type,
 * comments and processing instructions are passed over, entities are left as they are. The scanner
 * checks that every element is closed in the right order and knows the line of every failure.
 * hwloc's own reader is not used because it may print and contains assertions that a malformed
 * file can reach.
 */
#ifndef NPI_TOPOLOGY_XML_SCAN_H
#define NPI_TOPOLOGY_XML_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/error.h>

#define NPI_XML_DEPTH      64u
#define NPI_XML_ATTRIBUTES 64u

typedef enum npi_xml_event {
    NPI_XML_OPEN = 0, /* an element begins: name and attributes */
    NPI_XML_CLOSE,    /* the innermost element ends: name */
    NPI_XML_TEXT,     /* text inside an element */
    NPI_XML_END,      /* the document is complete */
    NPI_XML_BROKEN    /* status and detail are set */
} npi_xml_event;

typedef struct npi_xml_attribute {
    const char *name;
    const char *value;
} npi_xml_attribute;

typedef struct npi_xml {
    char *at;
    uint32_t line;
    uint32_t depth; /* open elements, the one of the current event included */
    const char *open[NPI_XML_DEPTH];
    bool close_next; /* "<a/>": the CLOSE comes without further text */
    bool seen_root;
    char *cut; /* where a '<' became the NUL that ends a text */

    const char *name; /* of the element */
    const char *text;
    npi_xml_attribute attributes[NPI_XML_ATTRIBUTES];
    uint32_t attribute_count;
    np_status status;
} npi_xml;

/* `text` is closed with a NUL and will be cut up; all strings of events point into it. */
void npi_xml_begin(npi_xml *xml, char *text);
npi_xml_event npi_xml_next(npi_xml *xml);

/* The value of an attribute of the element that was just opened, or NULL. */
const char *npi_xml_value(const npi_xml *xml, const char *name);

/* Sets the detail "line N: message" and returns `status`. */
np_status npi_xml_fail(const npi_xml *xml, np_status status, const char *format, ...)
    NP_PRINTF(3, 4);

#endif
