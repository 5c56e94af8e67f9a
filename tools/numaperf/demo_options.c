/*
 * demo_options.c - the command line of `numaperf demo`. What is not given stays at the library's
 * default, and so under the control of the NUMAPERF_ environment variables.
 */
#include "demo.h"

#include <string.h>

enum {
    OPTION_POLICY = CLI_OPTION_FIRST_FREE,
    OPTION_WORKERS,
    OPTION_BINDING,
    OPTION_HARD,
    OPTION_CHUNK,
    OPTION_REPEAT,
    OPTION_NO_PROGRESS
};

static bool parse_binding(const char *name, np_binding *out)
{
    static const np_binding bindings[] = {NP_BINDING_NODE, NP_BINDING_CPU, NP_BINDING_OFF};
    for (size_t i = 0; i < sizeof bindings / sizeof bindings[0]; i++) {
        if (strcmp(name, np_binding_name(bindings[i])) == 0) {
            *out = bindings[i];
            return true;
        }
    }
    return false;
}

/* One option with its value. 0 is fine; otherwise the exit code, the reason said. */
static int take_value(demo_options *options, int option, const char *value)
{
    switch (option) {
    case CLI_OPTION_SYNTHETIC: options->machine.synthetic = value; return 0;
    case CLI_OPTION_XML: options->machine.xml = value; return 0;
    case OPTION_POLICY:
        if (np_steal_policy_parse(value, &options->executor.steal_policy) != NP_OK) {
            return cli_usage_error("demo",
                                   "no such policy '%s': local-then-socket-then-remote, "
                                   "local-only or any",
                                   value);
        }
        return 0;
    case OPTION_BINDING:
        if (!parse_binding(value, &options->executor.binding)) {
            return cli_usage_error("demo", "no such binding '%s': node, cpu or off", value);
        }
        return 0;
    case OPTION_WORKERS:
        if (!cli_parse_u32(value, 1, NP_MAX_WORKERS_PER_NODE,
                           &options->executor.workers_per_node)) {
            return cli_usage_error("demo", "--workers takes a number from 1 to %u, not '%s'",
                                   NP_MAX_WORKERS_PER_NODE, value);
        }
        return 0;
    case OPTION_CHUNK:
        if (!cli_parse_bytes(value, 1, DEMO_LARGEST_CHUNK, &options->chunk_bytes)) {
            return cli_usage_error(
                "demo", "--chunk takes a size from 1 to 1G, such as 64K, not '%s'", value);
        }
        return 0;
    default:
        if (!cli_parse_u32(value, 1, UINT32_MAX, &options->repeat)) {
            return cli_usage_error("demo", "--repeat takes a number from 1, not '%s'", value);
        }
        return 0;
    }
}

static int check_together(const demo_options *options)
{
    if (options->machine.synthetic != NULL && options->machine.xml != NULL) {
        return cli_usage_error("demo", "--synthetic and --xml exclude each other");
    }
    if (options->as_json && options->quiet) {
        return cli_usage_error("demo", "--json and --quiet exclude each other");
    }
    if (options->executor.hard_mode == NP_HARD_MODE_STRICT &&
        (options->machine.synthetic != NULL || options->machine.xml != NULL)) {
        return cli_usage_error("demo", "--hard needs the real machine, not a virtual one");
    }
    return 0;
}

bool demo_options_read(demo_options *options, int argc, char **argv, int *code)
{
    static const struct option long_options[] = {
        CLI_COMMON_OPTIONS,
        {"policy", required_argument, NULL, OPTION_POLICY},
        {"workers", required_argument, NULL, OPTION_WORKERS},
        {"binding", required_argument, NULL, OPTION_BINDING},
        {"hard", no_argument, NULL, OPTION_HARD},
        {"chunk", required_argument, NULL, OPTION_CHUNK},
        {"repeat", required_argument, NULL, OPTION_REPEAT},
        {"quiet", no_argument, NULL, 'q'},
        {"no-progress", no_argument, NULL, OPTION_NO_PROGRESS},
        {NULL, 0, NULL, 0},
    };
    memset(options, 0, sizeof *options);
    np_executor_options_init(&options->executor);
    options->chunk_bytes = DEMO_DEFAULT_CHUNK;
    options->repeat = 1;

    *code = 0;
    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, ":hVq", long_options, NULL);
        if (option == -1) {
            break;
        }
        switch (option) {
        case 'h': (void)help_print("demo"); return false;
        case 'V': *code = version_print(); return false;
        case 'q': options->quiet = true; break;
        case CLI_OPTION_JSON: options->as_json = true; break;
        case OPTION_NO_PROGRESS: options->no_progress = true; break;
        case OPTION_HARD: options->executor.hard_mode = NP_HARD_MODE_STRICT; break;
        case '?':
        case ':': *code = cli_bad_option("demo", option, argv); break;
        default: *code = take_value(options, option, optarg); break;
        }
        if (*code != 0) {
            return false;
        }
    }
    options->files = argv + optind;
    options->file_count = (size_t)(argc - optind);
    *code = check_together(options);
    return *code == 0;
}
