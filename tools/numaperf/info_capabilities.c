/*
 * info_capabilities.c - `numaperf info capabilities`: what the running system lets a program do,
 * and for each missing thing what that costs and how to get it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "format.h"
#include "info.h"
#include "table.h"

static bool get_all(const np_topology *topology, np_capability_info *infos)
{
    for (int i = 0; i < (int)NP_CAPABILITY_COUNT; i++) {
        np_status status = np_capability_get(topology, (np_capability)i, &infos[i]);
        if (status != NP_OK) {
            cli_library_error(status, "cannot probe capability %d", i);
            return false;
        }
    }
    return true;
}

/* The keys with the given availability as "a, b, c"; the caller frees it. */
static char *join_keys(const np_capability_info *infos, bool available)
{
    size_t capacity = 1;
    for (int i = 0; i < (int)NP_CAPABILITY_COUNT; i++) {
        capacity += strlen(infos[i].key) + 2;
    }
    char *text = cli_allocate(capacity, 1);
    char *end = text;
    for (int i = 0; i < (int)NP_CAPABILITY_COUNT; i++) {
        if (infos[i].available == available) {
            end += snprintf(end, capacity - (size_t)(end - text), "%s%s", end > text ? ", " : "",
                            infos[i].key);
        }
    }
    return text;
}

bool info_print_capability_names(const np_topology *topology)
{
    np_capability_info infos[NP_CAPABILITY_COUNT];
    if (!get_all(topology, infos)) {
        return false;
    }
    char *there = join_keys(infos, true);
    char *missing = join_keys(infos, false);
    format_paragraph(18, "  available", there[0] != '\0' ? there : "none");
    format_paragraph(18, "  missing", missing[0] != '\0' ? missing : "none");
    if (missing[0] != '\0') {
        printf("  What each missing one costs, and how to get it: 'numaperf info capabilities'.\n");
    }
    free(there);
    free(missing);
    return true;
}

bool info_capabilities_text(const np_topology *topology)
{
    np_capability_info infos[NP_CAPABILITY_COUNT];
    if (!get_all(topology, infos)) {
        return false;
    }
    bool any_missing = false;
    table t;
    table_begin(&t);
    table_add_column(&t, "CAPABILITY", false);
    table_add_column(&t, "HERE", false);
    table_add_column(&t, "WHAT WAS FOUND", false);
    for (int i = 0; i < (int)NP_CAPABILITY_COUNT; i++) {
        table_add(&t, "%s", infos[i].key);
        table_add(&t, "%s", infos[i].available ? "yes" : "no");
        table_add(&t, "%s", infos[i].detail);
        any_missing = any_missing || !infos[i].available;
    }
    if (!table_end(&t)) {
        return false;
    }
    if (any_missing) {
        cli_heading("What is missing", false);
    }
    for (int i = 0; i < (int)NP_CAPABILITY_COUNT; i++) {
        if (!infos[i].available) {
            printf("%s\n", infos[i].key);
            format_paragraph(9, "  cost", infos[i].cost);
            format_paragraph(9, "  remedy", infos[i].remedy);
        }
    }
    if (np_topology_is_virtual(topology)) {
        printf("\nThese are the capabilities of the real machine, not of the virtual one.\n");
    }
    return true;
}

bool info_capabilities_json(const np_topology *topology, json_writer *json, const char *key)
{
    np_capability_info infos[NP_CAPABILITY_COUNT];
    if (!get_all(topology, infos)) {
        return false;
    }
    json_open_array(json, key);
    for (int i = 0; i < (int)NP_CAPABILITY_COUNT; i++) {
        json_open_object(json, NULL);
        json_string(json, "name", infos[i].key);
        json_bool(json, "available", infos[i].available);
        json_string(json, "detail", infos[i].detail);
        json_string(json, "cost", infos[i].cost);
        json_string(json, "remedy", infos[i].remedy);
        json_close(json);
    }
    json_close(json);
    return true;
}
