/*
 * base/status.h - setting the calling thread's failure detail, once, where the cause is known.
 *
 * The rule: whoever discovers a failure calls one of these and returns its result; everybody above
 * passes the status on untouched. npi_fail_more() may put words in front when a caller knows what
 * the failing step was for.
 */
#ifndef NPI_BASE_STATUS_H
#define NPI_BASE_STATUS_H

#include <stdbool.h>

#include <numaperf/error.h>

#include "base/placement.h"

/* Sets the detail and returns `status`. Cold, as are all of these: the compiler moves what leads to
 * them out of the way. */
np_status npi_fail(np_status status, const char *format, ...) NP_PRINTF(2, 3) NPI_COLD;

/* The same for a failed system call; appends ": call: strerror (errno N)" and keeps the errno. */
np_status npi_fail_errno(np_status status, int error, const char *call, const char *format, ...)
    NP_PRINTF(4, 5) NPI_COLD;

/* Puts "text: " in front of the detail that is set and returns `status`. */
np_status npi_fail_more(np_status status, const char *format, ...) NP_PRINTF(2, 3) NPI_COLD;

/* NP_ERR_NO_MEMORY with the number of bytes and what they were for. */
np_status npi_fail_memory(size_t bytes, const char *what) NPI_COLD;

/* A static analyser sees one file at a time: tell it that these return the failure they are given.
 */
#if defined(__clang_analyzer__) && !defined(NPI_BASE_STATUS_DEFINES)
#define npi_fail(status, ...)        (npi_fail((status), __VA_ARGS__), (status))
#define npi_fail_errno(status, ...)  (npi_fail_errno((status), __VA_ARGS__), (status))
#define npi_fail_more(status, ...)   (npi_fail_more((status), __VA_ARGS__), (status))
#define npi_fail_memory(bytes, what) (npi_fail_memory((bytes), (what)), NP_ERR_NO_MEMORY)
#endif

/* One line to the diagnostic handler, if there is one. */
void npi_diagnose(np_severity severity, const char *format, ...) NP_PRINTF(2, 3) NPI_COLD;

/*
 * Checks the size-first convention of option structs: true if `given` bytes at `options` can be
 * understood by a library that knows `known` bytes (an unknown tail must be zero). Sets the detail.
 */
bool npi_options_acceptable(const void *options, size_t given, size_t least, size_t known,
                            const char *name);

/* Copies as many bytes as both sides know into a zeroed struct of `known` bytes. */
void npi_options_copy(void *to, size_t known, const void *from, size_t given);

#endif
