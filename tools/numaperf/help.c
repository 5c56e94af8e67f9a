/*
 * help.c - the help pages and the version. Lines stay below 80 columns; docs/numaperf.1 says the
 * same at more length.
 */
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const char overview_page[] =
    "usage: numaperf COMMAND [OPTION...]\n"
    "\n"
    "Shows a NUMA machine as this process may use it, and runs work next to its data.\n"
    "\n"
    "commands:\n"
    "  info   nodes, CPUs, memory, distances, and what the system lets a program do\n"
    "  demo   count the words of real files on every node and show where it ran\n"
    "  help   this page, or the page of a command\n"
    "\n"
    "options:\n"
    "  -h, --help      this page; after a command, the page of that command\n"
    "  -V, --version   the version\n"
    "\n"
    "exit codes: 0 done, 1 something failed, 2 the command line made no sense\n";

static const char info_page[] =
    "usage: numaperf info [PART] [OPTION...]\n"
    "\n"
    "Without a part: one page with a little of each.\n"
    "\n"
    "  topology       sockets, nodes, cores, CPUs and memory\n"
    "  capabilities   what the system offers; what each missing thing costs, and\n"
    "                 how to get it\n"
    "  affinity       the CPUs this process may run on, by node\n"
    "  distances      how far each node is from each other\n"
    "  memory         latency and bandwidth of each memory, where the firmware tells\n"
    "  devices        network, storage and other devices with their nodes\n"
    "\n"
    "options:\n"
    "      --synthetic DESC   show a made-up machine: \"pack:2 numa:2 core:4 pu:2\"\n"
    "      --xml FILE         show the machine in a file written by lstopo\n"
    "      --json             print JSON\n"
    "  -h, --help             this page\n"
    "  -V, --version          the version\n";

static const char demo_page[] =
    "usage: numaperf demo [OPTION...] [FILE...]\n"
    "\n"
    "Counts lines, words and bytes as wc does: one node reads and splits, the node\n"
    "that holds a chunk counts it. Then shows where the work ran. A directory stands\n"
    "for the regular files below it, - for standard input; without any FILE it is\n"
    "/usr/share/common-licenses.\n"
    "\n"
    "where the work runs:\n"
    "      --policy POLICY    local-then-socket-then-remote (the default),\n"
    "                         local-only or any\n"
    "      --workers N        workers on every node (default: one per CPU)\n"
    "      --binding KIND     bind workers to their node (the default), cpu, or off\n"
    "      --hard             fail unless every worker and chunk is placed strictly\n"
    "      --synthetic DESC   use a made-up machine: \"pack:2 numa:2 core:1 pu:1\"\n"
    "      --xml FILE         use the machine in a file written by lstopo\n"
    "\n"
    "the input:\n"
    "      --chunk SIZE       bytes per chunk, 1 to 1G, K M G allowed (default 1M)\n"
    "      --repeat N         go through the input N times\n"
    "\n"
    "the output:\n"
    "      --json             print JSON\n"
    "  -q, --quiet            print the counts only\n"
    "      --no-progress      no progress line on the terminal\n"
    "  -h, --help             this page\n"
    "  -V, --version          the version\n"
    "\n"
    "What is not given here comes from the NUMAPERF_ environment variables.\n";

static const char help_page[] = "usage: numaperf help [COMMAND]\n"
                                "\n"
                                "Prints the page of a command, or the overview.\n"
                                "\n"
                                "options:\n"
                                "  -h, --help      this page\n"
                                "  -V, --version   the version\n";

bool help_print(const char *command)
{
    static const struct {
        const char *name;
        const char *page;
    } pages[] = {{"info", info_page}, {"demo", demo_page}, {"help", help_page}};

    if (command == NULL) {
        (void)fputs(overview_page, stdout);
        return true;
    }
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        if (strcmp(command, pages[i].name) == 0) {
            (void)fputs(pages[i].page, stdout);
            return true;
        }
    }
    return false;
}

int version_print(void)
{
    if (strcmp(np_version_string(), NP_VERSION_STRING) == 0) {
        printf("numaperf %s\n", NP_VERSION_STRING);
    } else {
        printf("numaperf %s (with the library %s)\n", NP_VERSION_STRING, np_version_string());
    }
    return CLI_OK;
}

int help_command(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {NULL, 0, NULL, 0}};
    opterr = 0;
    for (;;) {
        int option = getopt_long(argc, argv, ":hV", options, NULL);
        if (option == -1) {
            break;
        }
        switch (option) {
        case 'h': (void)help_print("help"); return CLI_OK;
        case 'V': return version_print();
        default: return cli_bad_option("help", option, argv);
        }
    }
    if (argc - optind > 1) {
        return cli_usage_error("help", "one command at most, but '%s' follows '%s'",
                               argv[optind + 1], argv[optind]);
    }
    const char *command = optind < argc ? argv[optind] : NULL;
    if (!help_print(command)) {
        return cli_usage_error(NULL, "no help for the unknown command '%s'", command);
    }
    return CLI_OK;
}
