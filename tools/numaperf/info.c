/*
 * info.c - `numaperf info`: its options, and the overview that stands where no part is named. The
 * parts are in info_*.c.
 */
#include "info.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"

/* More nodes than this, and the overview leaves the distances to `info distances`. */
#define OVERVIEW_NODES_MAX 8u

static const info_part parts[] = {
    {"topology", info_topology_text, info_topology_json},
    {"capabilities", info_capabilities_text, info_capabilities_json},
    {"affinity", info_affinity_text, info_affinity_json},
    {"distances", info_distances_text, info_distances_json},
    {"memory", info_memory_text, info_memory_json},
    {"devices", info_devices_text, info_devices_json},
};
#define PART_COUNT (sizeof parts / sizeof parts[0])

static const info_part *find_part(const char *name)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        if (strcmp(name, parts[i].name) == 0) {
            return &parts[i];
        }
    }
    return NULL;
}

static bool overview(const np_topology *topology)
{
    if (!info_print_summary(topology)) {
        return false;
    }
    (void)putchar('\n');
    if (!info_print_nodes(topology)) {
        return false;
    }
    uint32_t nodes = np_topology_node_count(topology);
    if (nodes > OVERVIEW_NODES_MAX) {
        printf("\nDistances between %u nodes: see 'numaperf info distances'.\n", nodes);
    } else if (nodes > 1 && !info_print_distances(topology, "Distances")) {
        return false;
    }
    if (np_topology_device_count(topology) > 0) {
        printf("\n%u devices: see 'numaperf info devices'.\n", np_topology_device_count(topology));
    }
    bool is_virtual = np_topology_is_virtual(topology);
    cli_heading(is_virtual ? "This process, on the real machine" : "This process", false);
    if (!info_print_place(topology)) {
        return false;
    }
    cli_heading(is_virtual ? "Capabilities of the real machine" : "Capabilities", false);
    return info_print_capability_names(topology);
}

static bool print_json(const np_topology *topology, const info_part *part)
{
    json_writer json;
    bool done = true;
    json_begin(&json);
    json_string(&json, "numaperf", np_version_string());
    json_bool(&json, "virtual", np_topology_is_virtual(topology));
    for (size_t i = 0; i < PART_COUNT && done; i++) {
        if (part == NULL || part == &parts[i]) {
            done = parts[i].json(topology, &json, parts[i].name);
        }
    }
    json_end(&json);
    return done;
}

int info_command(int argc, char **argv)
{
    static const struct option options[] = {CLI_COMMON_OPTIONS, {NULL, 0, NULL, 0}};
    cli_machine machine = {NULL, NULL};
    bool as_json = false;

    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, ":hV", options, NULL);
        if (option == -1) {
            break;
        }
        switch (option) {
        case 'h': (void)help_print("info"); return CLI_OK;
        case 'V': return version_print();
        case CLI_OPTION_SYNTHETIC: machine.synthetic = optarg; break;
        case CLI_OPTION_XML: machine.xml = optarg; break;
        case CLI_OPTION_JSON: as_json = true; break;
        default: return cli_bad_option("info", option, argv);
        }
    }
    if (machine.synthetic != NULL && machine.xml != NULL) {
        return cli_usage_error("info", "--synthetic and --xml exclude each other");
    }
    const info_part *part = NULL;
    if (optind < argc) {
        part = find_part(argv[optind]);
        if (part == NULL) {
            return cli_usage_error("info",
                                   "no such part '%s': topology, capabilities, affinity, "
                                   "distances, memory or devices",
                                   argv[optind]);
        }
    }
    if (argc - optind > 1) {
        return cli_usage_error("info", "one part at a time, but '%s' follows '%s'",
                               argv[optind + 1], argv[optind]);
    }

    np_topology *topology = NULL;
    if (!cli_open_topology(&machine, &topology)) {
        return CLI_FAILURE;
    }
    bool done = as_json        ? print_json(topology, part)
                : part != NULL ? part->text(topology)
                               : overview(topology);
    np_topology_destroy(topology);
    return done ? CLI_OK : CLI_FAILURE;
}
