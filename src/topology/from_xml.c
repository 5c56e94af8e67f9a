/*
 * topology/from_xml.c - a machine from a file in hwloc's XML format, versions 1 and 2.
 *
 * An object's place in the tree gives a CPU its core, last-level cache and socket; nodes name their
 * CPUs by cpuset, wherever they hang, so they are matched when the whole file has been read. A
 * machine from a file is always virtual.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "topology/excerpt.h"
#include "topology/machine.h"
#include "topology/whole_file.h"
#include "topology/xml_extras.h"
#include "topology/xml_scan.h"
#include "topology/xml_value.h"

#define FILE_MOST (64u * 1024u * 1024u)
#define KIND_MEANS_LATENCY                                                 \
    4u /* hwloc's HWLOC_DISTANCES_KIND_MEANS_LATENCY, as the files have it \
        */

/* What a CPU or a device inherits from the objects around it. */
typedef struct frame {
    uint32_t core;
    uint32_t cache;
    uint32_t socket;
    const char *cpus;    /* text of the innermost cpuset, NULL before the first */
    const char *address; /* of the PCI device around, or NULL */
} frame;

/* "These CPUs are local to me", as a node says. */
typedef struct claim {
    np_cpu_set cpus;
    np_node_id node;
    bool special;
} claim;

typedef struct reader {
    npi_xml xml;
    npi_machine *machine;
    frame frames[NPI_XML_DEPTH + 1]; /* [depth] belongs to the open element of that depth */
    uint32_t cores, caches, sockets; /* keys given so far */

    claim *claims;
    uint32_t claim_count;
    uint32_t claim_capacity;

    bool restricted_cpus, restricted_nodes;
    np_cpu_set allowed_cpus, allowed_nodes;
    uint64_t root_memory;
    bool second_version;

    bool in_matrix;  /* inside a distances2 element that we want */
    bool named_done; /* the table named NUMALatency has been read */
    uint32_t indexes_read;
    uint32_t values_read;
    npi_xml_extras extras;
} reader;

/* --- objects ----------------------------------------------------------------------------- */

static np_status read_cpu(reader *r, const frame *around)
{
    uint64_t number = 0;
    bool found = false;
    npi_machine_cpu *cpu = NULL;
    np_status status = npi_xml_number(&r->xml, "os_index", &number, &found);
    if (status != NP_OK)
        return status;
    if (!found)
        return npi_xml_fail(&r->xml, NP_ERR_PARSE, "a PU has no os_index");
    status = npi_machine_add_cpu(r->machine, number, &cpu);
    if (status != NP_OK)
        return npi_fail_more(status, "line %u", r->xml.line);
    cpu->core = around->core;
    cpu->cache = around->cache;
    cpu->socket = around->socket;
    return NP_OK;
}

static np_status new_claim(reader *r, claim **out)
{
    if (r->claim_count == r->claim_capacity) {
        uint32_t larger = r->claim_capacity == 0 ? 8u : r->claim_capacity * 2u;
        claim *copy = npi_alloc_array(larger, sizeof *copy, 0);
        if (copy == NULL)
            return npi_fail_memory(larger * sizeof *copy, "the nodes of a topology file");
        if (r->claim_count > 0)
            memcpy(copy, r->claims, r->claim_count * sizeof *copy);
        npi_free_array(r->claims, r->claim_capacity, sizeof *r->claims);
        r->claims = copy;
        r->claim_capacity = larger;
    }
    *out = &r->claims[r->claim_count++];
    return NP_OK;
}

static np_status read_node(reader *r, const frame *around)
{
    uint64_t id = 0;
    uint64_t memory = 0;
    bool found = false;
    npi_machine_node *node = NULL;
    claim *claimed = NULL;
    np_status status = npi_xml_number(&r->xml, "os_index", &id, &found);
    if (status == NP_OK && !found)
        status = npi_xml_fail(&r->xml, NP_ERR_PARSE, "a NUMANode has no os_index");
    if (status == NP_OK)
        status = npi_xml_number(&r->xml, "local_memory", &memory, &found);
    if (status == NP_OK) {
        status = npi_machine_add_node(r->machine, id, &node);
        if (status != NP_OK)
            return npi_fail_more(status, "line %u", r->xml.line);
    }
    if (status == NP_OK)
        status = new_claim(r, &claimed);
    if (status != NP_OK)
        return status;
    const char *subtype = npi_xml_value(&r->xml, "subtype");
    node->memory_bytes = memory;
    node->socket = around->socket;
    npi_machine_set_kind(node, subtype);
    claimed->node = node->id;
    claimed->special = subtype != NULL && strcmp(subtype, "DRAM") != 0;
    status = npi_xml_bitmap(&r->xml, "cpuset", &claimed->cpus, &found);
    return status == NP_OK ? npi_xml_extras_node(&r->extras, &r->xml, node->id) : status;
}

/* "L3Cache", or in version 1 "Cache"; instruction caches do not count. */
static bool is_data_cache(const reader *r, const char *type)
{
    if (strcmp(type, "Cache") == 0) {
        const char *kind = npi_xml_value(&r->xml, "cache_type");
        return kind == NULL || strcmp(kind, "2") != 0;
    }
    return type[0] == 'L' && type[1] >= '1' && type[1] <= '5' && strcmp(type + 2, "Cache") == 0;
}

/* The outermost object says what the process that wrote the file was allowed to use. */
static np_status read_root(reader *r)
{
    bool found = false;
    np_status status = npi_xml_bitmap(&r->xml, "allowed_cpuset", &r->allowed_cpus,
                                      &r->restricted_cpus);
    if (status == NP_OK)
        status = npi_xml_bitmap(&r->xml, "allowed_nodeset", &r->allowed_nodes,
                                &r->restricted_nodes);
    if (status == NP_OK)
        status = npi_xml_number(&r->xml, "local_memory", &r->root_memory, &found);
    return status;
}

static np_status open_object(reader *r)
{
    const char *type = npi_xml_value(&r->xml, "type");
    frame *mine = &r->frames[r->xml.depth];
    *mine = r->frames[r->xml.depth - 1u];
    if (type == NULL)
        return npi_xml_fail(&r->xml, NP_ERR_PARSE, "an object has no type");
    const char *cpus = npi_xml_value(&r->xml, "cpuset");
    if (cpus != NULL)
        mine->cpus = cpus;
    if (r->xml.depth == 2) {
        np_status status = read_root(r);
        if (status != NP_OK)
            return status;
    }
    if (strcmp(type, "PU") == 0)
        return read_cpu(r, mine);
    if (strcmp(type, "NUMANode") == 0)
        return read_node(r, mine);
    if (strcmp(type, "Package") == 0 || strcmp(type, "Socket") == 0)
        mine->socket = r->sockets++;
    else if (strcmp(type, "Core") == 0)
        mine->core = r->cores++;
    else if (mine->cache == NPI_KEY_NONE && is_data_cache(r, type))
        mine->cache = r->caches++;
    else if (strcmp(type, "PCIDev") == 0)
        mine->address = npi_xml_value(&r->xml, "pci_busid");
    else if (strcmp(type, "OSDev") == 0)
        return npi_xml_extras_device(&r->extras, &r->xml, mine->cpus, mine->address);
    return NP_OK;
}

/* --- distances --------------------------------------------------------------------------- */

/* Decides whether a table is one of latencies between nodes; the one the system made is preferred.
 */
static np_status open_matrix(reader *r)
{
    const char *type = npi_xml_value(&r->xml, "type");
    const char *name = npi_xml_value(&r->xml, "name");
    bool named = name != NULL && strcmp(name, "NUMALatency") == 0;
    uint64_t kind = 0;
    uint64_t count = 0;
    bool found = false;
    if (type == NULL || strcmp(type, "NUMANode") != 0 || r->named_done)
        return NP_OK;
    np_status status = npi_xml_number(&r->xml, "kind", &kind, &found);
    if (status == NP_OK)
        status = npi_xml_number(&r->xml, "nbobjs", &count, &found);
    if (status != NP_OK)
        return status;
    bool latency = named || (kind & KIND_MEANS_LATENCY) != 0;
    if (!latency || (!named && r->machine->distance_count > 0))
        return NP_OK;
    if (!found || count == 0 || count > NPI_NODE_LIMIT)
        return npi_xml_fail(&r->xml, NP_ERR_PARSE, "a distance table needs 1 to %u nodes (nbobjs)",
                            NPI_NODE_LIMIT);
    status = npi_machine_set_distance_count(r->machine, (uint32_t)count);
    r->machine->distance_source = NP_DISTANCE_GIVEN;
    r->in_matrix = true;
    r->named_done = named;
    r->indexes_read = 0;
    r->values_read = 0;
    return status;
}

/* Numbers separated by spaces, into whichever array the innermost element fills. */
static np_status read_matrix_text(reader *r)
{
    const char *element = r->xml.open[r->xml.depth - 1u];
    npi_machine *machine = r->machine;
    bool indexes = strcmp(element, "indexes") == 0;
    if (!r->in_matrix || (!indexes && strcmp(element, "u64values") != 0))
        return NP_OK;
    const char *at = r->xml.text;
    for (;;) {
        at += strspn(at, " \t\r\n");
        if (*at == '\0')
            return NP_OK;
        char *end = NULL;
        errno = 0;
        unsigned long long number = strtoull(at, &end, 10);
        if (*at < '0' || *at > '9' || errno != 0 || end == at || (indexes && number > INT32_MAX))
            return npi_xml_fail(&r->xml, NP_ERR_PARSE, "bad number \"%s\" in a distance table",
                                npi_excerpt_of(at).text);
        at = end;
        uint32_t room = indexes ? machine->distance_count
                                : machine->distance_count * machine->distance_count;
        uint32_t *used = indexes ? &r->indexes_read : &r->values_read;
        if (*used == room)
            return npi_xml_fail(&r->xml, NP_ERR_PARSE, "a distance table has more than %u %s", room,
                                indexes ? "indexes" : "values");
        if (indexes)
            machine->distance_ids[(*used)++] = (np_node_id)number;
        else
            machine->distances[(*used)++] = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
    }
}

static np_status close_matrix(reader *r)
{
    uint32_t count = r->machine->distance_count;
    if (!r->in_matrix)
        return NP_OK;
    r->in_matrix = false;
    if (r->indexes_read == count && r->values_read == count * count)
        return NP_OK;
    return npi_xml_fail(&r->xml, NP_ERR_PARSE,
                        "a distance table of %u nodes has %u indexes and %u values", count,
                        r->indexes_read, r->values_read);
}

/* --- the document ------------------------------------------------------------------------ */

static np_status open_element(reader *r)
{
    const char *name = r->xml.name;
    r->frames[r->xml.depth] = r->frames[r->xml.depth - 1u];
    if (r->xml.depth == 1) {
        const char *version = npi_xml_value(&r->xml, "version");
        if (strcmp(name, "topology") != 0)
            return npi_xml_fail(&r->xml, NP_ERR_PARSE,
                                "expected an hwloc topology, found the element \"%s\"",
                                npi_excerpt_of(name).text);
        r->second_version = version != NULL && version[0] == '2';
        if (version != NULL && version[0] != '1' && version[0] != '2')
            return npi_xml_bad_value(&r->xml, "version", version);
        return NP_OK;
    }
    if (strcmp(name, "object") == 0)
        return open_object(r);
    if (strcmp(name, "distances2") == 0)
        return open_matrix(r);
    if (strcmp(name, "memattr") == 0)
        npi_xml_extras_attribute(&r->extras, &r->xml);
    if (strcmp(name, "memattr_value") == 0)
        return npi_xml_extras_figure(&r->extras, &r->xml);
    if (strcmp(name, "distances") == 0 && r->machine->note[0] == '\0')
        snprintf(r->machine->note, sizeof r->machine->note,
                 "distances in the format of hwloc 1 are not read");
    return NP_OK;
}

static np_status read_document(reader *r)
{
    r->frames[0] = (frame){NPI_KEY_NONE, NPI_KEY_NONE, NPI_KEY_NONE, NULL, NULL};
    for (;;) {
        np_status status = NP_OK;
        switch (npi_xml_next(&r->xml)) {
        case NPI_XML_OPEN: status = open_element(r); break;
        case NPI_XML_TEXT: status = read_matrix_text(r); break;
        case NPI_XML_CLOSE:
            if (strcmp(r->xml.name, "distances2") == 0)
                status = close_matrix(r);
            break;
        case NPI_XML_END: return NP_OK;
        case NPI_XML_BROKEN: return r->xml.status;
        }
        if (status != NP_OK)
            return status;
    }
}

/* Matches nodes with CPUs and applies what was allowed. */
static np_status finish(reader *r)
{
    npi_machine *machine = r->machine;
    if (machine->cpu_count == 0)
        return npi_fail(NP_ERR_PARSE, "the file describes no CPU");
    if (machine->node_count == 0) {
        npi_machine_node *whole = NULL;
        if (r->second_version)
            return npi_fail(NP_ERR_PARSE, "the file describes no NUMA node");
        np_status status = npi_machine_add_node(machine, 0, &whole);
        if (status != NP_OK)
            return status;
        whole->memory_bytes = r->root_memory;
        for (uint32_t i = 0; i < machine->cpu_count; i++)
            machine->cpus[i].node = 0;
    }
    for (uint32_t i = 0; i < r->claim_count; i++)
        npi_machine_claim(machine, r->claims[i].node, &r->claims[i].cpus, r->claims[i].special);
    for (uint32_t i = 0; i < machine->cpu_count && r->restricted_cpus; i++)
        machine->cpus[i].usable = np_cpu_set_contains(&r->allowed_cpus, machine->cpus[i].cpu);
    for (uint32_t i = 0; i < machine->node_count && r->restricted_nodes; i++)
        machine->nodes[i].memory_allowed = np_cpu_set_contains(&r->allowed_nodes,
                                                               machine->nodes[i].id);
    return npi_xml_extras_finish(&r->extras, &r->xml, machine);
}

static np_status build(char *text, np_topology **out)
{
    npi_machine machine;
    npi_machine_init(&machine);
    machine.is_virtual = true;
    reader *r = npi_alloc(sizeof *r, 0);
    if (r == NULL)
        return npi_fail_memory(sizeof *r, "reading a topology file");
    npi_xml_begin(&r->xml, text);
    r->machine = &machine;
    np_status status = read_document(r);
    if (status == NP_OK)
        status = finish(r);
    npi_xml_extras_release(&r->extras);
    npi_free_array(r->claims, r->claim_capacity, sizeof *r->claims);
    npi_free(r, sizeof *r);
    if (status == NP_OK)
        status = npi_snapshot_build(&machine, out);
    npi_machine_release(&machine);
    return status;
}

static np_status fail_open(int error, const char *path)
{
    np_status status = NP_ERR_SYSTEM;
    if (error == ENOENT || error == ENOTDIR)
        status = NP_ERR_NOT_FOUND;
    else if (error == EACCES || error == EPERM)
        status = NP_ERR_NOT_PERMITTED;
    else if (error == ENOMEM)
        status = NP_ERR_NO_MEMORY;
    else if (error == EFBIG)
        status = NP_ERR_LIMIT;
    return npi_fail_errno(status, error, "read", "topology file \"%s\"", path);
}

np_status np_topology_from_xml(const char *path, np_topology **out)
{
    if (path == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_from_xml: %s is NULL",
                        path == NULL ? "the path" : "out");
    npi_whole_file file;
    int error = npi_whole_file_read(path, FILE_MOST, &file);
    if (error != 0)
        return fail_open(error, path);
    np_status status = strlen(file.text) == file.length
                           ? build(file.text, out)
                           : npi_fail(NP_ERR_PARSE, "the file contains a NUL byte");
    npi_whole_file_release(&file);
    return status == NP_OK ? NP_OK : npi_fail_more(status, "topology file \"%s\"", path);
}
