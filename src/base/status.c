/*
 * base/status.c - names and texts of the status codes and small enums, and the failure detail
 * that each thread keeps. Any thread; touches only the calling thread's npi_tls and the
 * diagnostic handler.
 */
#define NPI_BASE_STATUS_DEFINES
#include "base/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <numaperf/types.h>

#include "base/atomic.h"
#include "base/tls.h"

const char *np_version_string(void)
{
    return NP_VERSION_STRING;
}

unsigned np_version_number(void)
{
    return NP_VERSION_NUMBER;
}

const char *np_status_name(np_status status)
{
    switch (status) {
    case NP_OK: return "NP_OK";
#define NPI_NAME(name, value, text) \
    case name: return #name;
        NP_STATUS_MAP(NPI_NAME)
#undef NPI_NAME
    }
    return "NP_ERR_UNKNOWN";
}

const char *np_status_text(np_status status)
{
    switch (status) {
    case NP_OK: return "success";
#define NPI_TEXT(name, value, text) \
    case name: return text;
        NP_STATUS_MAP(NPI_TEXT)
#undef NPI_TEXT
    }
    return "unknown status";
}

const char *np_enforcement_level_name(np_enforcement_level level)
{
    switch (level) {
    case NP_ENFORCEMENT_NONE: return "none";
    case NP_ENFORCEMENT_BEST_EFFORT: return "best effort";
    case NP_ENFORCEMENT_STRICT: return "strict";
    }
    return "unknown";
}

const char *np_reason_text(np_reason reason)
{
    switch (reason) {
#define NPI_TEXT(name, text) \
    case name: return text;
        NP_REASON_MAP(NPI_TEXT)
#undef NPI_TEXT
    }
    return "unknown reason";
}

const char *np_hard_mode_name(np_hard_mode mode)
{
    switch (mode) {
    case NP_HARD_MODE_SOFT: return "soft";
    case NP_HARD_MODE_STRICT: return "strict";
    }
    return "unknown";
}

const char *np_tier_name(np_tier tier)
{
    switch (tier) {
    case NP_TIER_CACHE: return "cache";
    case NP_TIER_NODE: return "node";
    case NP_TIER_SOCKET: return "socket";
    case NP_TIER_REMOTE: return "remote";
    }
    return "unknown";
}

const char *np_error_detail(void)
{
    return npi_tls_self()->detail;
}

int np_error_errno(void)
{
    return npi_tls_self()->last_errno;
}

/* Puts the call and its errno behind the detail; a long detail gives way, because the cause is
 * worth more than the end of a name. */
static void append_errno(char *detail, size_t capacity, int error, const char *call)
{
    char buffer[128];
    /* The GNU form: returns the text, which need not be in the buffer. */
    const char *text = strerror_r(error, buffer, sizeof buffer);
    char tail[192];
    int length = snprintf(tail, sizeof tail, ": %s: %s (errno %d)", call, text, error);
    size_t room = length < 0 ? 1 : (size_t)length < sizeof tail ? (size_t)length + 1 : sizeof tail;
    size_t used = strlen(detail);
    if (used > capacity - room)
        used = capacity - room;
    memcpy(detail + used, tail, room);
}

np_status npi_fail(np_status status, const char *format, ...)
{
    npi_tls *self = npi_tls_self();
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->detail, sizeof self->detail, format, arguments);
    va_end(arguments);
    self->last_errno = 0;
    return status;
}

np_status npi_fail_errno(np_status status, int error, const char *call, const char *format, ...)
{
    npi_tls *self = npi_tls_self();
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->detail, sizeof self->detail, format, arguments);
    va_end(arguments);
    append_errno(self->detail, sizeof self->detail, error, call);
    self->last_errno = error;
    return status;
}

np_status npi_fail_more(np_status status, const char *format, ...)
{
    npi_tls *self = npi_tls_self();
    char behind[NPI_DETAIL_CAPACITY];
    memcpy(behind, self->detail, sizeof behind);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(self->detail, sizeof self->detail, format, arguments);
    va_end(arguments);
    size_t used = strlen(self->detail);
    size_t room = sizeof self->detail - used;
    int cut = (int)(room > 3 ? room - 3 : 0);
    snprintf(self->detail + used, room, ": %.*s", cut, behind);
    return status;
}

np_status npi_fail_memory(size_t bytes, const char *what)
{
    return npi_fail(NP_ERR_NO_MEMORY, "no memory: %zu bytes for %s", bytes, what);
}

/*
 * The handler and its context change together, so readers take both from one published pair. Two
 * slots and a number that only grows: the writer fills the slot that is not in use, and a reader
 * whom two changes have overtaken sees that the number has grown and looks again.
 */
static struct {
    np_atomic(np_diagnostic_fn) handler;
    np_atomic(void *) context;
} diagnostic_slots[2];
static np_atomic(uint32_t) diagnostic_current;

void np_set_diagnostic_handler(np_diagnostic_fn handler, void *context)
{
    uint32_t next = npi_load_relaxed(&diagnostic_current) + 1;
    /* Release: who reads one of these sees the number that made the slot free (npi_diagnose). */
    npi_store_release(&diagnostic_slots[next & 1].handler, handler);
    npi_store_release(&diagnostic_slots[next & 1].context, context);
    /* Pairs with the acquire in npi_diagnose: the slot is filled before it is chosen. */
    npi_store_release(&diagnostic_current, next);
}

void npi_diagnose(np_severity severity, const char *format, ...)
{
    np_diagnostic_fn handler;
    void *context;
    uint32_t current;
    do {
        /* The three acquires pair with the three releases in np_set_diagnostic_handler. */
        current = npi_load_acquire(&diagnostic_current);
        handler = npi_load_acquire(&diagnostic_slots[current & 1].handler);
        context = npi_load_acquire(&diagnostic_slots[current & 1].context);
    } while (npi_load_relaxed(&diagnostic_current) != current);
    if (handler == NULL)
        return;
    char message[NPI_DETAIL_CAPACITY];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    handler(context, severity, message);
}

bool npi_options_acceptable(const void *options, size_t given, size_t least, size_t known,
                            const char *name)
{
    if (given < least) {
        (void)npi_fail(NP_ERR_INVALID_ARGUMENT,
                       "%s.size is %zu, at least %zu is needed: set it to sizeof(%s)", name, given,
                       least, name);
        return false;
    }
    const unsigned char *bytes = options;
    for (size_t i = known; i < given; i++) {
        if (bytes[i] != 0) {
            (void)npi_fail(NP_ERR_INVALID_ARGUMENT,
                           "%s has a non-zero byte at offset %zu, which this library (%s) does "
                           "not know",
                           name, i, NP_VERSION_STRING);
            return false;
        }
    }
    return true;
}

void npi_options_copy(void *to, size_t known, const void *from, size_t given)
{
    memset(to, 0, known);
    memcpy(to, from, given < known ? given : known);
}
