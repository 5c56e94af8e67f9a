/*
 * What the tests with hostile input share: nobody may print, and a failure says how to see it
 * again.
 *
 * From npt_quiet_begin() on both outputs of the process lead into a memory file that must stay
 * empty, whoever writes: the library, hwloc, the C library. What the test itself has to say goes to
 * the outputs as they were. One thread; a failure ends the process with SIGABRT, which libFuzzer
 * takes for a crash and keeps the input.
 */
#ifndef NPT_MACHINES_QUIET_H
#define NPT_MACHINES_QUIET_H

#include <stdbool.h>
#include <stddef.h>

/* Remembers where both outputs lead now; npt_quiet_begin() does it if nobody has. */
void npt_quiet_save(void);

/* The second call does nothing. */
void npt_quiet_begin(void);

/* Fails if anything was printed since the last look. */
void npt_quiet_check(void);

/* True if something was printed since the last look, which it copies into `text`: for the one place
 * where hwloc is known to print. */
bool npt_quiet_take(char *text, size_t capacity);

/* To the outputs as they were before npt_quiet_begin(). */
void npt_say(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Names the case under way: printed by a failure, and by the watchdog. */
void npt_case(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The case must end within `seconds` or the process is ended; 0 takes the limit away. */
void npt_case_limit(unsigned seconds);

_Noreturn void npt_fail_at(const char *file, int line, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#define NPT_FAIL(...) npt_fail_at(__FILE__, __LINE__, __VA_ARGS__)
#define NPT_CHECK(condition) \
    ((condition) ? (void)0 : NPT_FAIL("this does not hold: %s", #condition))

#endif
