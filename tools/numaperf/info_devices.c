/*
 * info_devices.c - `numaperf info memory`: how good which memory is, from where; and `numaperf info
 * devices`: devices with their nodes.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli.h"
#include "info.h"
#include "table.h"

/* --- memory ------------------------------------------------------------------------------ */

/* False if the machine does not say. */
static bool get_figure(const np_topology *topology, np_memory_attribute attribute, np_node_id to,
                       np_node_id from, uint64_t *out)
{
    return np_topology_memory_attribute(topology, attribute, to, from, out) == NP_OK;
}

static void add_figure(table *t, const np_topology *topology, np_memory_attribute attribute,
                       np_node_id to, np_node_id from)
{
    uint64_t value = 0;
    if (get_figure(topology, attribute, to, from, &value)) {
        table_add(t, "%" PRIu64, value);
    } else {
        table_add(t, "-");
    }
}

/* True if any of latency and bandwidth is known between the two. */
static bool is_known(const np_topology *topology, np_node_id to, np_node_id from)
{
    uint64_t value = 0;
    for (int i = NP_MEMORY_LATENCY; i < NP_MEMORY_ATTRIBUTE_COUNT; i++) {
        if (get_figure(topology, (np_memory_attribute)i, to, from, &value)) {
            return true;
        }
    }
    return false;
}

static void add_row(table *t, const np_topology *topology, np_node_id from, np_node_id to)
{
    np_node_info info;
    table_add(t, "%d", (int)from);
    table_add(t, "%d", (int)to);
    add_figure(t, topology, NP_MEMORY_READ_LATENCY, to, from);
    add_figure(t, topology, NP_MEMORY_WRITE_LATENCY, to, from);
    add_figure(t, topology, NP_MEMORY_LATENCY, to, from);
    add_figure(t, topology, NP_MEMORY_READ_BANDWIDTH, to, from);
    add_figure(t, topology, NP_MEMORY_WRITE_BANDWIDTH, to, from);
    add_figure(t, topology, NP_MEMORY_BANDWIDTH, to, from);
    bool known = np_topology_node_info(topology, to, &info) == NP_OK && info.memory_kind[0] != '\0';
    table_add(t, "%s", known ? info.memory_kind : "-");
}

static bool print_figures(const np_topology *topology)
{
    uint32_t nodes = np_topology_node_count(topology);
    table t;
    table_begin(&t);
    table_add_column(&t, "FROM", true);
    table_add_column(&t, "TO", true);
    table_add_column(&t, "READ ns", true);
    table_add_column(&t, "WRITE ns", true);
    table_add_column(&t, "ns", true);
    table_add_column(&t, "R MiB/s", true);
    table_add_column(&t, "W MiB/s", true);
    table_add_column(&t, "MiB/s", true);
    table_add_column(&t, "KIND", false);
    for (np_node_index i = 0; i < nodes; i++) {
        for (np_node_index j = 0; j < nodes; j++) {
            np_node_id from = np_topology_node_id(topology, i);
            np_node_id to = np_topology_node_id(topology, j);
            if (is_known(topology, to, from)) {
                add_row(&t, topology, from, to);
            }
        }
    }
    return table_end(&t);
}

bool info_memory_text(const np_topology *topology)
{
    np_memory_source source = np_topology_memory_source(topology);
    if (source == NP_MEMORY_SOURCE_NONE) {
        (void)puts("This machine does not say how fast its memories are. For latencies the\n"
                   "distances stand in: 'numaperf info distances'.");
        return true;
    }
    printf("Latency and bandwidth (%s)\n", np_memory_source_name(source));
    return print_figures(topology);
}

bool info_memory_json(const np_topology *topology, json_writer *json, const char *key)
{
    np_memory_source source = np_topology_memory_source(topology);
    uint32_t nodes = source == NP_MEMORY_SOURCE_NONE ? 0 : np_topology_node_count(topology);
    json_open_object(json, key);
    json_string(json, "source", np_memory_source_name(source));
    json_open_array(json, "figures");
    for (uint32_t pair = 0; pair < nodes * nodes; pair++) {
        np_node_id from = np_topology_node_id(topology, pair / nodes);
        np_node_id to = np_topology_node_id(topology, pair % nodes);
        if (!is_known(topology, to, from)) {
            continue;
        }
        json_open_object(json, NULL);
        json_signed(json, "from", from);
        json_signed(json, "to", to);
        for (int i = NP_MEMORY_LATENCY; i < NP_MEMORY_ATTRIBUTE_COUNT; i++) {
            np_memory_attribute attribute = (np_memory_attribute)i;
            uint64_t value = 0;
            if (get_figure(topology, attribute, to, from, &value)) {
                json_unsigned(json, np_memory_attribute_name(attribute), value);
            }
        }
        json_close(json);
    }
    json_close(json);
    json_close(json);
    return true;
}

/* --- devices ----------------------------------------------------------------------------- */

static bool get_device(const np_topology *topology, uint32_t index, np_device *out)
{
    np_status status = np_topology_device(topology, index, out);
    if (status != NP_OK) {
        cli_library_error(status, "cannot describe device %u", index);
    }
    return status == NP_OK;
}

bool info_devices_text(const np_topology *topology)
{
    uint32_t count = np_topology_device_count(topology);
    if (count == 0) {
        (void)puts("No devices are known.");
        return true;
    }
    table t;
    table_begin(&t);
    table_add_column(&t, "NODE", true);
    table_add_column(&t, "KIND", false);
    table_add_column(&t, "PCI ADDRESS", false);
    table_add_column(&t, "DEVICE", false);
    bool done = true;
    for (uint32_t i = 0; i < count && done; i++) {
        np_device device;
        done = get_device(topology, i, &device);
        if (!done) {
            break;
        }
        if (device.node == NP_NODE_ID_NONE) {
            table_add(&t, "-");
        } else {
            table_add(&t, "%d", (int)device.node);
        }
        table_add(&t, "%s", np_device_kind_name(device.kind));
        table_add(&t, "%s", device.pci_address[0] == '\0' ? "-" : device.pci_address);
        table_add(&t, "%s", device.name);
    }
    return table_end(&t) && done;
}

bool info_devices_json(const np_topology *topology, json_writer *json, const char *key)
{
    uint32_t count = np_topology_device_count(topology);
    bool done = true;
    json_open_array(json, key);
    for (uint32_t i = 0; i < count && done; i++) {
        np_device device;
        done = get_device(topology, i, &device);
        if (!done) {
            break;
        }
        json_open_object(json, NULL);
        json_string(json, "kind", np_device_kind_name(device.kind));
        json_string(json, "name", device.name);
        if (device.node == NP_NODE_ID_NONE) {
            json_string(json, "node", NULL);
        } else {
            json_signed(json, "node", device.node);
        }
        json_string(json, "pci_address", device.pci_address[0] == '\0' ? NULL : device.pci_address);
        json_close(json);
    }
    json_close(json);
    return done;
}
