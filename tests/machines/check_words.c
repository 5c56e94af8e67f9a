/*
 * tests/machines/check_words.c - what a topology prints: see check_topology.h.
 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "check_topology.h"
#include "quiet.h"
#include "topology/topology_internal.h"

/* Texts of larger machines are megabytes long and say nothing new. */
#define NODES_MOST 96u

typedef size_t (*writer)(const np_topology *, char *, size_t);

/* The whole text; the caller frees it. */
static char *take_text(const np_topology *topology, writer write, const char *name)
{
    size_t length = write(topology, NULL, 0);
    char *text = malloc(length + 2);
    char part[64];
    NPT_CHECK(text != NULL && length > 0);
    text[length + 1] = 'X';
    if (write(topology, text, length + 1) != length || strlen(text) != length ||
        text[length + 1] != 'X')
        NPT_FAIL("%s: not the length it says", name);
    for (size_t capacity = 1; capacity <= sizeof part; capacity *= 4) {
        memset(part, 'X', sizeof part);
        NPT_CHECK(write(topology, part, capacity) == length);
        size_t kept = length < capacity - 1 ? length : capacity - 1;
        if (memcmp(part, text, kept) != 0 || part[kept] != '\0' ||
            (capacity < sizeof part && part[capacity] != 'X'))
            NPT_FAIL("%s: a text cut to %zu bytes is not its beginning", name, capacity);
    }
    return text;
}

static void same_number(const json_t *object, const char *key, int64_t expected)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value) || json_integer_value(value) != expected)
        NPT_FAIL("JSON: %s is not %lld", key, (long long)expected);
}

/* A rank: null stands for none. */
static void same_rank(const json_t *object, const char *key, int32_t expected)
{
    if (expected >= 0)
        same_number(object, key, expected);
    else if (!json_is_null(json_object_get(object, key)))
        NPT_FAIL("JSON: %s is not null", key);
}

static void check_json_node(const np_topology *topology, const json_t *object, np_node_index index)
{
    np_node_id id = np_topology_node_id(topology, index);
    uint32_t nodes = np_topology_node_count(topology);
    np_node_info info;
    np_cpu_set cpus, listed;
    NPT_CHECK(np_topology_node_info(topology, id, &info) == NP_OK);
    NPT_CHECK(np_topology_node_cpus(topology, id, &cpus) == NP_OK);
    same_number(object, "id", id);
    same_number(object, "index", index);
    same_rank(object, "socket", info.socket);
    same_number(object, "cores", info.core_count);
    same_number(object, "cpu_count", info.cpu_count);
    const char *list = json_string_value(json_object_get(object, "cpus"));
    NPT_CHECK(list != NULL && np_cpu_set_parse(list, &listed) == NP_OK);
    NPT_CHECK(np_cpu_set_equal(&listed, &cpus));
    if (info.memory_bytes <= INT64_MAX)
        same_number(object, "memory_bytes", (int64_t)info.memory_bytes);
    NPT_CHECK(json_boolean_value(json_object_get(object, "memory_allowed")) == info.memory_allowed);
    same_rank(object, "nearest_cpus", info.nearest_cpus);
    const json_t *distances = json_object_get(object, "distances");
    const json_t *tiers = json_object_get(object, "tiers");
    const json_t *closest = json_object_get(object, "closest_first");
    np_node_id order[NODES_MOST];
    size_t count = 0;
    NPT_CHECK(np_topology_nodes_by_distance(topology, id, order, NODES_MOST, &count) == NP_OK);
    NPT_CHECK(json_array_size(distances) == nodes && json_array_size(tiers) == nodes &&
              json_array_size(closest) == nodes);
    for (np_node_index to = 0; to < nodes; to++) {
        np_node_id other = np_topology_node_id(topology, to);
        uint32_t distance = 0;
        NPT_CHECK(np_topology_distance(topology, id, other, &distance) == NP_OK);
        NPT_CHECK(json_integer_value(json_array_get(distances, to)) == distance);
        NPT_CHECK(strcmp(json_string_value(json_array_get(tiers, to)),
                         np_tier_name(np_topology_node_tier(topology, id, other))) == 0);
        NPT_CHECK(json_integer_value(json_array_get(closest, to)) == order[to]);
    }
}

static void check_json(const np_topology *topology, const char *text)
{
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL) {
        /* jansson has no integers above INT64_MAX; the library's memory sizes may be there. */
        if (json_error_code(&error) == json_error_numeric_overflow)
            return;
        NPT_FAIL("JSON cannot be read: %s at byte %d", error.text, error.position);
    }
    NPT_CHECK(json_boolean_value(json_object_get(root, "virtual")) ==
              np_topology_is_virtual(topology));
    same_number(root, "node_count", np_topology_node_count(topology));
    same_number(root, "cpu_count", np_topology_cpu_count(topology));
    same_number(root, "core_count", np_topology_core_count(topology));
    same_number(root, "socket_count", np_topology_socket_count(topology));
    NPT_CHECK(json_is_string(json_object_get(root, "note")));
    const json_t *nodes = json_object_get(root, "nodes");
    const json_t *cpus = json_object_get(root, "cpus");
    NPT_CHECK(json_array_size(nodes) == np_topology_node_count(topology));
    NPT_CHECK(json_array_size(cpus) == np_topology_cpu_count(topology));
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++)
        check_json_node(topology, json_array_get(nodes, i), i);
    for (size_t i = 0; i < json_array_size(cpus); i++) {
        const json_t *object = json_array_get(cpus, i);
        int32_t cpu = (int32_t)json_integer_value(json_object_get(object, "cpu"));
        np_cpu_info info;
        NPT_CHECK(np_topology_cpu_info(topology, cpu, &info) == NP_OK);
        same_rank(object, "node", info.node);
        same_number(object, "core", info.core);
        same_number(object, "thread", info.thread);
        same_rank(object, "last_cache", info.last_cache);
        same_rank(object, "socket", info.socket);
    }
    json_decref(root);
}

/* 80 columns of printable ASCII, except for what one word needs. */
static void check_lines(const char *text)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (*at != '\n' && (*at < ' ' || *at > '~'))
            NPT_FAIL("the description has the byte 0x%02x", (unsigned char)*at);
    }
}

void npt_check_words(const np_topology *topology)
{
    if (np_topology_node_count(topology) > NODES_MOST)
        return;
    char *json = take_text(topology, np_topology_to_json, "np_topology_to_json");
    char *words = take_text(topology, np_topology_describe, "np_topology_describe");
    char *summary = take_text(topology, np_topology_summary, "np_topology_summary");
    check_json(topology, json);
    check_lines(words);
    check_lines(summary);
    NPT_CHECK(strchr(summary, '\n') == NULL);
    np_topology *copy = NULL;
    NPT_CHECK(npi_topology_clone(topology, &copy) == NP_OK);
    char *again = take_text(copy, np_topology_to_json, "the copy's JSON");
    NPT_CHECK(strcmp(again, json) == 0);
    np_topology_destroy(copy);
    free(again);
    free(summary);
    free(words);
    free(json);
}
