/*
 * info_distances.c - `numaperf info distances`: the matrix, in blocks of columns that fit the
 * terminal, where the figures come from, and each node's neighbours by closeness.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "info.h"
#include "table.h"

static const char *source_words(np_distance_source source)
{
    switch (source) {
    case NP_DISTANCE_FIRMWARE: return "from the firmware's table";
    case NP_DISTANCE_GIVEN: return "as the description gives them";
    case NP_DISTANCE_ASSUMED: break;
    }
    return "assumed, as none are known";
}

static const char *source_key(np_distance_source source)
{
    switch (source) {
    case NP_DISTANCE_FIRMWARE: return "firmware";
    case NP_DISTANCE_GIVEN: return "given";
    case NP_DISTANCE_ASSUMED: break;
    }
    return "assumed";
}

static bool get_distance(const np_topology *topology, np_node_id from, np_node_id to, uint32_t *out)
{
    np_status status = np_topology_distance(topology, from, to, out);
    if (status != NP_OK) {
        cli_library_error(status, "cannot tell the distance from node %d to node %d", (int)from,
                          (int)to);
        return false;
    }
    return true;
}

/* The columns `first` .. `last` - 1 of the matrix. */
static bool print_block(const np_topology *topology, np_node_index first, np_node_index last)
{
    char headings[TABLE_COLUMNS_MAX][12];
    table t;
    bool done = true;
    table_begin(&t);
    table_add_column(&t, "FROM \\ TO", true);
    for (np_node_index to = first; to < last; to++) {
        char *heading = headings[to - first];
        (void)snprintf(heading, sizeof headings[0], "%d", (int)np_topology_node_id(topology, to));
        table_add_column(&t, heading, true);
    }
    for (np_node_index i = 0; i < np_topology_node_count(topology) && done; i++) {
        np_node_id from = np_topology_node_id(topology, i);
        table_add(&t, "%d", (int)from);
        for (np_node_index to = first; to < last && done; to++) {
            uint32_t distance = 0;
            done = get_distance(topology, from, np_topology_node_id(topology, to), &distance);
            table_add(&t, "%u", distance);
        }
    }
    return table_end(&t) && done;
}

bool info_print_distances(const np_topology *topology, const char *heading)
{
    char title[96];
    np_node_index count = np_topology_node_count(topology);
    (void)snprintf(title, sizeof title, "%s (10 is local; %s)", heading,
                   source_words(np_topology_distance_source(topology)));
    cli_heading(title, false);
    /* A column is as wide as its widest number, at least two digits and a space: the widest node
     * number (they ascend) or distance decides for all. */
    unsigned widest = (unsigned)snprintf(NULL, 0, "%d",
                                         (int)np_topology_node_id(topology, count - 1));
    for (np_node_index i = 0; i < count; i++) {
        for (np_node_index k = 0; k < count; k++) {
            uint32_t distance = 0;
            if (!get_distance(topology, np_topology_node_id(topology, i),
                              np_topology_node_id(topology, k), &distance)) {
                return false;
            }
            unsigned digits = (unsigned)snprintf(NULL, 0, "%u", distance);
            widest = digits > widest ? digits : widest;
        }
    }
    unsigned block = (cli_width() - (unsigned)strlen("FROM \\ TO")) / (widest + 1);
    block = block < TABLE_COLUMNS_MAX ? block : TABLE_COLUMNS_MAX - 1;
    for (np_node_index first = 0; first < count; first += block) {
        if (first > 0) {
            (void)putchar('\n');
        }
        if (!print_block(topology, first, first + block < count ? first + block : count)) {
            return false;
        }
    }
    return true;
}

/* The nodes of one tier as seen from `from`, in their order: "2, 8-15", or "-" if there are none.
 */
static void add_tier(table *t, const np_topology *topology, np_node_id from,
                     const np_node_id *order, size_t count, np_tier tier)
{
    size_t capacity = 1 + count * 16;
    size_t length = 0;
    size_t next = 0;
    char *text = cli_allocate(capacity, 1);
    for (size_t i = 0; i < count; i = next) {
        next = i + 1;
        if (order[i] == from || np_topology_node_tier(topology, from, order[i]) != tier) {
            continue;
        }
        while (next < count && order[next] == order[next - 1] + 1 && order[next] != from &&
               np_topology_node_tier(topology, from, order[next]) == tier) {
            next++;
        }
        next = next - i > 2 ? next : i + 1;
        length += (size_t)snprintf(text + length, capacity - length, "%s%d", length > 0 ? ", " : "",
                                   (int)order[i]);
        if (next > i + 1) {
            length += (size_t)snprintf(text + length, capacity - length, "-%d",
                                       (int)order[next - 1]);
        }
    }
    table_add(t, "%s", length > 0 ? text : "-");
    free(text);
}

static bool print_order(const np_topology *topology)
{
    size_t capacity = np_topology_node_count(topology);
    np_node_id *order = cli_allocate(capacity, sizeof *order);
    table t;
    bool done = true;
    table_begin(&t);
    table_add_column(&t, "NODE", true);
    table_add_column(&t, "SAME SOCKET", false);
    table_add_column(&t, "REMOTE, NEAREST FIRST", false);
    for (np_node_index i = 0; i < capacity && done; i++) {
        size_t count = 0;
        np_node_id from = np_topology_node_id(topology, i);
        np_status status = np_topology_nodes_by_distance(topology, from, order, capacity, &count);
        if (status != NP_OK) {
            cli_library_error(status, "cannot order the nodes as seen from node %d", (int)from);
            done = false;
            break;
        }
        table_add(&t, "%d", (int)from);
        add_tier(&t, topology, from, order, count, NP_TIER_SOCKET);
        add_tier(&t, topology, from, order, count, NP_TIER_REMOTE);
    }
    free(order);
    return table_end(&t) && done;
}

bool info_distances_text(const np_topology *topology)
{
    if (!info_print_summary(topology) || np_topology_node_count(topology) == 0 ||
        !info_print_distances(topology, "Distances")) {
        return false;
    }
    if (np_topology_node_count(topology) == 1) {
        return true;
    }
    cli_heading("Neighbours", false);
    return print_order(topology);
}

bool info_distances_json(const np_topology *topology, json_writer *json, const char *key)
{
    np_node_index count = np_topology_node_count(topology);
    bool done = true;
    json_open_object(json, key);
    json_string(json, "source", source_key(np_topology_distance_source(topology)));
    json_open_array(json, "nodes");
    for (np_node_index i = 0; i < count; i++) {
        json_signed(json, NULL, np_topology_node_id(topology, i));
    }
    json_close(json);
    json_open_array(json, "matrix");
    for (np_node_index i = 0; i < count && done; i++) {
        json_open_array(json, NULL);
        for (np_node_index k = 0; k < count && done; k++) {
            uint32_t distance = 0;
            done = get_distance(topology, np_topology_node_id(topology, i),
                                np_topology_node_id(topology, k), &distance);
            json_unsigned(json, NULL, distance);
        }
        json_close(json);
    }
    json_close(json);
    json_close(json);
    return done;
}
