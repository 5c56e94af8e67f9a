/*
 * Goal: whatever stands on the tool's command line, it ends with 0, 1 or 2; a command line that
 * makes no sense is answered with "numaperf: ..." and where help is, on the standard error alone;
 * with --json what is printed can be parsed. Nothing goes past the streams, to the descriptors.
 *
 * Method: the tool's own main.c is compiled in here. Its standard streams are memory. `demo` is
 * only followed to the end of its options: running it would read any file and start threads.
 * Slashes become underscores and the current folder is empty but for one machine's file, so no
 * other file is opened; the machine of `info` without options comes from HWLOC_SYNTHETIC.
 *
 * Input: one argument per line.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define main tool_main
int tool_main(int argc, char **argv);
#include "../../tools/numaperf/main.c" // NOLINT(bugprone-suspicious-include)
#undef main

#include "../../tools/numaperf/demo.h"
#include "fuzz.h"

const char fuzz_name[] = "command_line";

#define ARGUMENTS_MOST 24

static char folder[] = "/tmp/np-fuzz-XXXXXX";

static void leave(void)
{
    char path[64];
    (void)snprintf(path, sizeof path, "%s/m.xml", folder);
    (void)remove(path);
    (void)rmdir(folder);
}

static void prepare(void)
{
    static const char xml[] =
        "<topology version=\"2.0\"><object type=\"Machine\">"
        "<object type=\"NUMANode\" os_index=\"4\" cpuset=\"0x3\" local_memory=\"4096\"/>"
        "<object type=\"PU\" os_index=\"0\"/><object type=\"PU\" os_index=\"1\"/>"
        "</object></topology>\n";
    NPT_CHECK(mkdtemp(folder) != NULL && chdir(folder) == 0);
    FILE *file = fopen("m.xml", "w");
    NPT_CHECK(file != NULL && fputs(xml, file) >= 0 && fclose(file) == 0);
    NPT_CHECK(setenv("HWLOC_SYNTHETIC", "pack:2 numa:1 core:2 pu:2", 1) == 0);
    NPT_CHECK(unsetenv("HWLOC_COMPONENTS") == 0);
    NPT_CHECK(atexit(leave) == 0);
}

static int run_tool(int argc, char **argv)
{
    optind = 0; /* starts getopt_long() afresh */
    if (argc > 1 && strcmp(argv[1], "demo") == 0) {
        demo_options options;
        int code = 0;
        bool go_on = demo_options_read(&options, argc - 1, argv + 1, &code);
        NPT_CHECK(!go_on || code == 0);
        if (go_on)
            NPT_CHECK(options.repeat >= 1 && options.chunk_bytes >= 1 &&
                      options.chunk_bytes <= DEMO_LARGEST_CHUNK &&
                      options.executor.workers_per_node <= NP_MAX_WORKERS_PER_NODE &&
                      options.file_count < ARGUMENTS_MOST);
        return go_on ? -1 : code;
    }
    return run_command(argc, argv);
}

static bool has(int argc, char **argv, const char *word)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], word) == 0)
            return true;
    }
    return false;
}

static void check_words(int code, const char *out, const char *err, bool json)
{
    NPT_CHECK(code >= -1 && code <= 2);
    if (code == CLI_USAGE) {
        NPT_CHECK(strncmp(err, "numaperf: ", 10) == 0 && strstr(err, "\nTry 'numaperf ") != NULL);
        NPT_CHECK(strstr(err, "--help'.\n") != NULL && out[0] == '\0');
    } else if (code == CLI_FAILURE) {
        NPT_CHECK(strncmp(err, "numaperf: ", 10) == 0);
    } else if (code == CLI_OK) {
        NPT_CHECK(out[0] != '\0');
        NPT_CHECK(err[0] == '\0' || strncmp(err, "numaperf: the distance table", 28) == 0);
        if (json && out[0] == '{') {
            json_error_t error;
            json_t *root = json_loads(out, JSON_REJECT_DUPLICATES, &error);
            if (root == NULL)
                NPT_FAIL("the tool's JSON: %s at byte %d", error.text, error.position);
            json_decref(root);
        }
    }
}

void fuzz_one(const char *text, size_t length)
{
    static bool prepared;
    char *arguments[ARGUMENTS_MOST + 1];
    char name[] = "numaperf";
    int argc = 0;
    char *copy = malloc(length + 1), *at = copy;
    NPT_CHECK(copy != NULL);
    memcpy(copy, text, length + 1);
    if (!prepared)
        prepare();
    prepared = true;
    arguments[argc++] = name;
    for (size_t i = 0; i <= length && argc < ARGUMENTS_MOST; i++) {
        if (copy[i] == '/')
            copy[i] = '_';
        if (copy[i] != '\n' && i < length)
            continue;
        copy[i] = '\0';
        if (at != copy + i || copy[0] == '\n')
            arguments[argc++] = at;
        at = copy + i + 1;
    }
    arguments[argc] = NULL;
    bool json = argc > 1 && strcmp(arguments[1], "info") == 0 && has(argc, arguments, "--json");

    char *out = NULL, *err = NULL;
    size_t out_length = 0, err_length = 0;
    FILE *saved_out = stdout, *saved_err = stderr;
    stdout = open_memstream(&out, &out_length);
    stderr = open_memstream(&err, &err_length);
    NPT_CHECK(stdout != NULL && stderr != NULL);
    int code = run_tool(argc, arguments);
    (void)fclose(stdout);
    (void)fclose(stderr);
    stdout = saved_out;
    stderr = saved_err;
    check_words(code, out, err, json);
    free(out);
    free(err);
    free(copy);
}
