/*
 * tests/machines/tool.c - see tool.h.
 */
#include "tool.h"

#include <errno.h>
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quiet.h"

/* What a file descriptor's file holds; the caller frees it. */
static char *contents(int file)
{
    off_t length = lseek(file, 0, SEEK_END);
    char *text = malloc((size_t)length + 1);
    NPT_CHECK(text != NULL && pread(file, text, (size_t)length, 0) == length);
    text[length] = '\0';
    return text;
}

/* One line is allowed: that the machine's distance table makes no sense. */
static bool is_quiet(const char *messages)
{
    static const char allowed[] = "numaperf: the distance table ";
    const char *end = strchr(messages, '\n');
    return messages[0] == '\0' ||
           (strncmp(messages, allowed, sizeof allowed - 1) == 0 && end != NULL && end[1] == '\0');
}

static char *run(const char *program, const char *option, const char *value, const char *part,
                 const char *form)
{
    const char *arguments[8];
    size_t count = 0;
    arguments[count++] = program;
    arguments[count++] = "info";
    if (part != NULL)
        arguments[count++] = part;
    if (form != NULL)
        arguments[count++] = form;
    if (option != NULL) {
        arguments[count++] = option;
        arguments[count++] = value;
    }
    arguments[count] = NULL;
    int out = memfd_create("out", MFD_CLOEXEC);
    int err = memfd_create("err", MFD_CLOEXEC);
    NPT_CHECK(out >= 0 && err >= 0);
    pid_t child = fork();
    NPT_CHECK(child >= 0);
    if (child == 0) {
        (void)dup2(out, 1);
        (void)dup2(err, 2);
        (void)execv(program, (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    char *text = contents(out);
    char *messages = contents(err);
    (void)close(out);
    (void)close(err);
    bool good = WIFEXITED(status) && WEXITSTATUS(status) == 0 && is_quiet(messages);
    if (!good || text[0] == '\0')
        NPT_FAIL("numaperf info %s %s: status %d, %zu bytes, messages: %s",
                 part != NULL ? part : "", form != NULL ? form : "", status, strlen(text),
                 messages);
    free(messages);
    return text;
}

void npt_check_tool_on(const char *option, const char *value)
{
    const char *program = getenv("NUMAPERF");
    if (program == NULL)
        return;
    free(run(program, option, value, NULL, NULL));
    free(run(program, option, value, "distances", NULL));
    char *text = run(program, option, value, "topology", "--json");
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (root == NULL || json_object_get(root, "topology") == NULL)
        NPT_FAIL("the tool's JSON: %s", root == NULL ? error.text : "no topology in it");
    json_decref(root);
    free(text);
}
