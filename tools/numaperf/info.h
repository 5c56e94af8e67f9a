/*
 * info.h - the parts of `numaperf info`, one file each. Every part prints itself as text or as the
 * member `key` of a JSON object; a failure is reported and gives false.
 */
#ifndef NUMAPERF_TOOL_INFO_H
#define NUMAPERF_TOOL_INFO_H

#include <stdbool.h>

#include <numaperf.h>

#include "json.h"

typedef struct info_part {
    const char *name;
    bool (*text)(const np_topology *topology);
    bool (*json)(const np_topology *topology, json_writer *json, const char *key);
} info_part;

bool info_topology_text(const np_topology *topology);
bool info_topology_json(const np_topology *topology, json_writer *json, const char *key);
bool info_capabilities_text(const np_topology *topology);
bool info_capabilities_json(const np_topology *topology, json_writer *json, const char *key);
bool info_affinity_text(const np_topology *topology);
bool info_affinity_json(const np_topology *topology, json_writer *json, const char *key);
bool info_distances_text(const np_topology *topology);
bool info_distances_json(const np_topology *topology, json_writer *json, const char *key);
bool info_memory_text(const np_topology *topology);
bool info_memory_json(const np_topology *topology, json_writer *json, const char *key);
bool info_devices_text(const np_topology *topology);
bool info_devices_json(const np_topology *topology, json_writer *json, const char *key);

/* The pieces that the overview has too. */
bool info_print_summary(const np_topology *topology);
bool info_print_nodes(const np_topology *topology);
bool info_print_distances(const np_topology *topology, const char *heading);
bool info_print_place(const np_topology *topology);
bool info_print_capability_names(const np_topology *topology);

#endif
