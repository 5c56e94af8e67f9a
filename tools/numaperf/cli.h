/*
 * cli.h - what every sub-command shares: exit codes, the form of messages, reading numbers, asking
 * the library for text, the terminal, and the machine a command works on.
 *
 * Messages go to standard error as "numaperf: words"; results go to standard output. All functions
 * are for the main thread; tasks on workers only fill in what the main thread prints later.
 */
#ifndef NUMAPERF_TOOL_CLI_H
#define NUMAPERF_TOOL_CLI_H

#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf.h>

#define CLI_OK      0
#define CLI_FAILURE 1
#define CLI_USAGE   2

/* A sub-command: argv[0] is its name; the result is the exit code. */
typedef int (*cli_command_fn)(int argc, char **argv);

int info_command(int argc, char **argv);
int demo_command(int argc, char **argv);
int help_command(int argc, char **argv);

/* The help pages, by command name; false for an unknown one. NULL is the overview. */
bool help_print(const char *command);
int version_print(void);

/* --- messages ---------------------------------------------------------------------------- */

void cli_error(const char *format, ...) NP_PRINTF(1, 2);

/* The same followed by the library's words for the failure of the call just made. */
void cli_library_error(np_status status, const char *format, ...) NP_PRINTF(2, 3);

/* Says what is wrong with the command line and where help is; returns CLI_USAGE. */
int cli_usage_error(const char *command, const char *format, ...) NP_PRINTF(2, 3);

/* What getopt_long() complained about: `result` is '?' or ':'. Returns CLI_USAGE. */
int cli_bad_option(const char *command, int result, char **argv);

/* Writes out what is buffered. A failed write turns success into CLI_FAILURE, with a message unless
 * the reader of a pipe has simply gone. */
int cli_finish(int code);

/* --- values on the command line ----------------------------------------------------------- */

/* A decimal number within the limits, nothing before or after it. */
bool cli_parse_u32(const char *text, uint32_t least, uint32_t most, uint32_t *out);

/* A number of bytes, with K, M or G for powers of 1024. */
bool cli_parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out);

/* --- memory ------------------------------------------------------------------------------ */

/* Like calloc and realloc, but without memory the tool says so and ends. */
void *cli_allocate(size_t count, size_t bytes);
void *cli_grow(void *memory, size_t count, size_t bytes);
char *cli_copy(const char *text);

/* Text of the library's snprintf-like functions, which the caller frees. */
typedef size_t (*cli_text_fn)(const void *object, const void *other, char *buffer, size_t capacity);
char *cli_text(cli_text_fn print, const void *object, const void *other);
char *cli_cpu_list(const np_cpu_set *set);

/* --- the terminal ------------------------------------------------------------------------ */

/* Columns to fill: the terminal's, at most 100, or 80 where there is none. */
unsigned cli_width(void);

/* Starts and ends emphasis; both are empty unless standard output is a terminal that wants colour.
 */
const char *cli_bold(void);
const char *cli_plain(void);

/* Prints `title` as a heading, after an empty line unless `first`. */
void cli_heading(const char *title, bool first);

/* --- the machine a command works on -------------------------------------------------------- */

typedef struct cli_machine {
    const char *synthetic; /* --synthetic, or NULL */
    const char *xml;       /* --xml, or NULL */
} cli_machine;

/* The long options of every command that has a machine, and their values. */
enum { CLI_OPTION_SYNTHETIC = 256, CLI_OPTION_XML, CLI_OPTION_JSON, CLI_OPTION_FIRST_FREE };
#define CLI_COMMON_OPTIONS                                                 \
    {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, \
        {"synthetic", required_argument, NULL, CLI_OPTION_SYNTHETIC},      \
        {"xml", required_argument, NULL, CLI_OPTION_XML},                  \
    {                                                                      \
        "json", no_argument, NULL, CLI_OPTION_JSON                         \
    }

/* This machine, or the virtual one that the options describe. Says what failed. */
bool cli_open_topology(const cli_machine *machine, np_topology **out);

/* np_executor_create() that also says which environment variables are misspelt. */
np_status cli_create_executor(const np_topology *topology, const np_executor_options *options,
                              np_executor **out);

#endif
