/*
 * tests/machines/quiet.c - see quiet.h.
 */
#include "quiet.h"

#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int outputs[2] = {1, 2}; /* where the test's own words go */
static int memory = -1;
static char current[512];
static bool signals_set; /* the handlers here are ours and not libFuzzer's */

/* Present in programs that are built with a sanitizer. */
void __sanitizer_set_report_fd(void *fd) __attribute__((weak)); // NOLINT(*-reserved-identifier)

static void write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t done = write(fd, text, left);
        if (done <= 0)
            return;
        text += done;
        left -= (size_t)done;
    }
}

void npt_quiet_save(void)
{
    for (int i = 0; i < 2 && outputs[i] == i + 1; i++) {
        outputs[i] = fcntl(i + 1, F_DUPFD_CLOEXEC, 3);
        if (outputs[i] < 0)
            abort();
    }
}

void npt_quiet_begin(void)
{
    if (memory >= 0)
        return;
    (void)fflush(NULL);
    npt_quiet_save();
    memory = memfd_create("printed", MFD_CLOEXEC);
    if (memory < 0 || dup2(memory, 1) < 0 || dup2(memory, 2) < 0)
        abort();
    if (__sanitizer_set_report_fd != NULL)
        __sanitizer_set_report_fd((void *)(long)outputs[1]);
}

bool npt_quiet_take(char *text, size_t capacity)
{
    (void)fflush(stdout);
    off_t length = lseek(memory, 0, SEEK_END);
    text[0] = '\0';
    if (length <= 0)
        return false;
    ssize_t got = pread(memory, text, capacity - 1, 0);
    text[got > 0 ? got : 0] = '\0';
    (void)lseek(memory, 0, SEEK_SET);
    return ftruncate(memory, 0) == 0;
}

void npt_quiet_check(void)
{
    char text[2048];
    if (memory >= 0 && npt_quiet_take(text, sizeof text))
        NPT_FAIL("somebody printed: %s", text);
}

void npt_say(const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    write_all(outputs[0], text);
}

void npt_case(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(current, sizeof current, format, arguments);
    va_end(arguments);
}

static void write_case(const char *what)
{
    write_all(outputs[1], what);
    if (current[0] != '\0') {
        write_all(outputs[1], "\n    case: ");
        write_all(outputs[1], current);
    }
    write_all(outputs[1], "\n");
}

/* On SIGALRM; SIGSEGV and the like end in the case's name and then as they would have. */
static void on_signal(int number)
{
    write_case(number == SIGALRM ? "FAILED: the case does not come to an end"
                                 : "FAILED: the case ended in a signal");
    (void)signal(number, SIG_DFL);
    (void)raise(number == SIGALRM ? SIGABRT : number);
}

void npt_case_limit(unsigned seconds)
{
    if (!signals_set) {
        (void)signal(SIGALRM, on_signal);
        if (__sanitizer_set_report_fd == NULL) { /* a sanitizer has more to say about these */
            (void)signal(SIGSEGV, on_signal);
            (void)signal(SIGBUS, on_signal);
            (void)signal(SIGFPE, on_signal);
            (void)signal(SIGABRT, on_signal);
        }
        signals_set = true;
    }
    (void)alarm(seconds);
}

void npt_fail_at(const char *file, int line, const char *format, ...)
{
    char words[2048];
    char text[2304];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    (void)snprintf(text, sizeof text, "FAILED %s:%d: %s", file, line, words);
    write_case(text);
    if (signals_set)
        (void)signal(SIGABRT, SIG_DFL);
    abort();
}
