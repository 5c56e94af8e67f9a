/*
 * info_affinity.c - `numaperf info affinity`: where this process may run and where it runs now, by
 * node. On a virtual machine the answer is still the real one, and says so.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli.h"
#include "format.h"
#include "info.h"
#include "table.h"

typedef struct place {
    np_cpu_set allowed;
    int32_t cpu;
    np_node_id node;
} place;

static bool get_place(place *out)
{
    np_status status = np_affinity_get(&out->allowed);
    if (status == NP_OK) {
        status = np_affinity_where(&out->cpu, &out->node);
    }
    if (status != NP_OK) {
        cli_library_error(status, "cannot tell where this process may run");
        return false;
    }
    return true;
}

bool info_print_place(const np_topology *topology)
{
    place here;
    if (!get_place(&here)) {
        return false;
    }
    char *list = cli_cpu_list(&here.allowed);
    char place_now[64];
    char quota_words[64];
    (void)snprintf(place_now, sizeof place_now, "CPU %d, node %d", (int)here.cpu, (int)here.node);
    uint32_t quota = np_topology_cpu_quota(topology);
    if (quota > 0) {
        (void)snprintf(quota_words, sizeof quota_words, "%u.%03u CPUs", quota / 1000u,
                       quota % 1000u);
    } else {
        (void)snprintf(quota_words, sizeof quota_words, "none");
    }
    format_paragraph(18, "  may run on CPUs", list);
    format_paragraph(18, "  runs now on", place_now);
    format_paragraph(18, "  CPU quota", quota_words);
    free(list);
    return true;
}

/* The CPUs of `node` that this process may run on. */
static bool get_share(const np_topology *topology, np_node_id node, const np_cpu_set *allowed,
                      np_cpu_set *out)
{
    np_cpu_set cpus;
    np_status status = np_topology_node_cpus(topology, node, &cpus);
    if (status != NP_OK) {
        cli_library_error(status, "cannot list the CPUs of node %d", (int)node);
        return false;
    }
    np_cpu_set_and(out, &cpus, allowed);
    return true;
}

bool info_affinity_text(const np_topology *topology)
{
    place here;
    if (!info_print_place(topology) || !get_place(&here)) {
        return false;
    }
    if (np_topology_is_virtual(topology)) {
        format_paragraph(0, "\n",
                         "The machine was made up or read from a file, so these are the CPUs of "
                         "the real one; workers on a virtual machine are not pinned.");
        return true;
    }
    table t;
    bool done = true;
    table_begin(&t);
    table_add_column(&t, "NODE", true);
    table_add_column(&t, "CPUS", true);
    table_add_column(&t, "CPU NUMBERS", false);
    for (np_node_index i = 0; i < np_topology_node_count(topology) && done; i++) {
        np_cpu_set share;
        np_node_id node = np_topology_node_id(topology, i);
        done = get_share(topology, node, &here.allowed, &share);
        if (done) {
            char *list = cli_cpu_list(&share);
            table_add(&t, "%d", (int)node);
            table_add(&t, "%u", np_cpu_set_count(&share));
            table_add(&t, "%s", list[0] != '\0' ? list : "none");
            free(list);
        }
    }
    cli_heading("Allowed CPUs by node", false);
    return table_end(&t) && done;
}

static void json_cpus(json_writer *json, const char *key, const np_cpu_set *set)
{
    char *list = cli_cpu_list(set);
    json_string(json, key, list);
    free(list);
}

bool info_affinity_json(const np_topology *topology, json_writer *json, const char *key)
{
    place here;
    bool done = true;
    if (!get_place(&here)) {
        return false;
    }
    json_open_object(json, key);
    json_cpus(json, "allowed_cpus", &here.allowed);
    json_unsigned(json, "allowed_count", np_cpu_set_count(&here.allowed));
    json_signed(json, "cpu", here.cpu);
    json_signed(json, "node", here.node);
    json_unsigned(json, "cpu_quota_thousandths", np_topology_cpu_quota(topology));
    json_open_array(json, "nodes");
    if (!np_topology_is_virtual(topology)) {
        for (np_node_index i = 0; i < np_topology_node_count(topology) && done; i++) {
            np_cpu_set share;
            np_node_id node = np_topology_node_id(topology, i);
            done = get_share(topology, node, &here.allowed, &share);
            if (done) {
                json_open_object(json, NULL);
                json_signed(json, "node", node);
                json_cpus(json, "allowed_cpus", &share);
                json_close(json);
            }
        }
    }
    json_close(json);
    json_close(json);
    return done;
}
