/*
 * cli.c - messages, memory, text of the library, the terminal and the machine, as cli.h says.
 */
#include "cli.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define NARROWEST        40u
#define WIDEST           100u
#define WITHOUT_TERMINAL 80u

/* What was printed so far comes first, so that both streams on one terminal read in order. */
static __attribute__((format(printf, 1, 0))) void begin_message(const char *format,
                                                                va_list arguments)
{
    (void)fflush(stdout);
    (void)fputs("numaperf: ", stderr);
    (void)vfprintf(stderr, format, arguments); /* NOLINT(clang-analyzer-valist.Uninitialized) */
}

void cli_error(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin_message(format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
}

void cli_library_error(np_status status, const char *format, ...)
{
    const char *detail = np_error_detail();
    va_list arguments;
    va_start(arguments, format);
    begin_message(format, arguments);
    va_end(arguments);
    (void)fprintf(stderr, ": %s\n", detail[0] != '\0' ? detail : np_status_text(status));
}

static int print_hint(const char *command)
{
    (void)fprintf(stderr, "Try 'numaperf %s%s--help'.\n", command != NULL ? command : "",
                  command != NULL ? " " : "");
    return CLI_USAGE;
}

int cli_usage_error(const char *command, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    begin_message(format, arguments);
    va_end(arguments);
    (void)fputc('\n', stderr);
    return print_hint(command);
}

int cli_bad_option(const char *command, int result, char **argv)
{
    const char *word = argv[optind - 1];
    if (optopt > 0 && optopt < 256 && strncmp(word, "--", 2) != 0) {
        cli_error("unknown option '-%c'", optopt);
    } else if (result == ':') {
        cli_error("option '%s' needs a value", word);
    } else if (optopt != 0) {
        cli_error("option '%.*s' takes no value", (int)strcspn(word, "="), word);
    } else {
        cli_error("unknown or ambiguous option '%s'", word);
    }
    return print_hint(command);
}

int cli_finish(int code)
{
    bool failed = ferror(stdout) != 0;
    errno = 0;
    if (fflush(stdout) != 0) {
        failed = true;
    }
    int cause = errno;
    if (fclose(stdout) != 0) {
        failed = true;
        cause = cause != 0 ? cause : errno;
    }
    if (!failed) {
        return code;
    }
    if (cause != EPIPE) {
        (void)fprintf(stderr, "numaperf: cannot write to standard output%s%s\n",
                      cause != 0 ? ": " : "", cause != 0 ? strerror(cause) : "");
    }
    return CLI_FAILURE;
}

/* --- values on the command line ----------------------------------------------------------- */

static bool parse_number(const char *text, uint64_t *out, const char **end)
{
    uint64_t value = 0;
    const char *at = text;
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10u) {
            return false;
        }
        value = value * 10u + digit;
    }
    *out = value;
    *end = at;
    return at != text;
}

bool cli_parse_u32(const char *text, uint32_t least, uint32_t most, uint32_t *out)
{
    uint64_t value = 0;
    const char *end = NULL;
    if (!parse_number(text, &value, &end) || *end != '\0' || value < least || value > most) {
        return false;
    }
    *out = (uint32_t)value;
    return true;
}

bool cli_parse_bytes(const char *text, uint64_t least, uint64_t most, uint64_t *out)
{
    uint64_t value = 0;
    const char *end = NULL;
    if (!parse_number(text, &value, &end)) {
        return false;
    }
    unsigned shift = 0;
    switch (*end) {
    case 'k':
    case 'K': shift = 10; break;
    case 'm':
    case 'M': shift = 20; break;
    case 'g':
    case 'G': shift = 30; break;
    default: break;
    }
    end += shift != 0 ? 1 : 0;
    if (*end != '\0' || value > UINT64_MAX >> shift) {
        return false;
    }
    value <<= shift;
    if (value < least || value > most) {
        return false;
    }
    *out = value;
    return true;
}

/* --- memory ------------------------------------------------------------------------------ */

static void *must(void *memory)
{
    if (memory == NULL) {
        cli_error("out of memory");
        exit(CLI_FAILURE);
    }
    return memory;
}

void *cli_allocate(size_t count, size_t bytes)
{
    return must(calloc(count > 0 ? count : 1, bytes));
}

void *cli_grow(void *memory, size_t count, size_t bytes)
{
    return must(reallocarray(memory, count > 0 ? count : 1, bytes));
}

char *cli_copy(const char *text)
{
    return must(strdup(text));
}

/* Twice as a rule; again only if the text grew in between (free memory has one digit more). */
char *cli_text(cli_text_fn print, const void *object, const void *other)
{
    size_t capacity = 4096;
    char *buffer = NULL;
    for (;;) {
        buffer = cli_grow(buffer, capacity, 1);
        size_t length = print(object, other, buffer, capacity);
        if (length < capacity) {
            buffer[length] = '\0';
            return buffer;
        }
        capacity = length + 64;
    }
}

static size_t cpu_list_text(const void *object, const void *other, char *buffer, size_t capacity)
{
    (void)other;
    return np_cpu_set_print(object, buffer, capacity);
}

char *cli_cpu_list(const np_cpu_set *set)
{
    return cli_text(cpu_list_text, set, NULL);
}

/* --- the terminal ------------------------------------------------------------------------ */

unsigned cli_width(void)
{
    struct winsize size;
    if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 &&
        size.ws_col >= NARROWEST) {
        return size.ws_col < WIDEST ? size.ws_col : WIDEST;
    }
    return WITHOUT_TERMINAL;
}

static bool wants_colour(void)
{
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == '\0') && term != NULL &&
           strcmp(term, "dumb") != 0;
}

const char *cli_bold(void)
{
    return wants_colour() ? "\033[1m" : "";
}

const char *cli_plain(void)
{
    return wants_colour() ? "\033[0m" : "";
}

void cli_heading(const char *title, bool first)
{
    printf("%s%s%s%s\n", first ? "" : "\n", cli_bold(), title, cli_plain());
}

/* --- the machine ------------------------------------------------------------------------- */

/* Called by the library on this thread only: the handler is set for no longer than a call. */
static void print_diagnostic(void *context, np_severity severity, const char *message)
{
    (void)context;
    if (severity != NP_SEVERITY_INFO) {
        cli_error("%s", message);
    }
}

static void print_misspelt(void *context, np_severity severity, const char *message)
{
    (void)context;
    (void)severity;
    if (strncmp(message, "NUMAPERF_", strlen("NUMAPERF_")) == 0) {
        cli_error("%s", message);
    }
}

np_status cli_create_executor(const np_topology *topology, const np_executor_options *options,
                              np_executor **out)
{
    np_set_diagnostic_handler(print_misspelt, NULL);
    np_status status = np_executor_create(topology, options, out);
    np_set_diagnostic_handler(NULL, NULL);
    return status;
}

bool cli_open_topology(const cli_machine *machine, np_topology **out)
{
    np_status status;
    /* What a machine says and makes no sense is worth a line. Later diagnostics, about workers and
     * chunks that could not be placed, are part of what the commands print themselves. */
    np_set_diagnostic_handler(print_diagnostic, NULL);
    if (machine->synthetic != NULL) {
        status = np_topology_from_synthetic(machine->synthetic, out);
        if (status != NP_OK) {
            cli_library_error(status, "cannot use the synthetic machine '%s'", machine->synthetic);
        }
    } else if (machine->xml != NULL) {
        status = np_topology_from_xml(machine->xml, out);
        if (status != NP_OK) {
            cli_library_error(status, "cannot use the machine in '%s'", machine->xml);
        }
    } else {
        status = np_topology_discover(out);
        if (status != NP_OK) {
            cli_library_error(status, "cannot discover this machine");
        }
    }
    np_set_diagnostic_handler(NULL, NULL);
    return status == NP_OK;
}
