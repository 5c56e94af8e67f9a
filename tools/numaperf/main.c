/*
 * main.c - the numaperf command: finds the sub-command and lets it run.
 *
 * Exit codes: 0 done, 1 something failed, 2 the command line made no sense.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"

static const struct {
    const char *name;
    cli_command_fn run;
} commands[] = {
    {"info", info_command},
    {"demo", demo_command},
    {"help", help_command},
};

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        return cli_usage_error(NULL, "no command given: info, demo or help");
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        (void)help_print(NULL);
        return CLI_OK;
    }
    if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0) {
        return version_print();
    }
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++) {
        if (strcmp(word, commands[i].name) == 0) {
            return commands[i].run(argc - 1, argv + 1);
        }
    }
    return cli_usage_error(NULL, word[0] == '-' ? "unknown option '%s'" : "unknown command '%s'",
                           word);
}

int main(int argc, char **argv)
{
    /* A reader that goes away is seen as a failed write, and the workers are stopped in order. */
    (void)signal(SIGPIPE, SIG_IGN);
    return cli_finish(run_command(argc, argv));
}
