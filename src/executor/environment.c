/*
 * executor/environment.c - a variable that nobody reads: most likely a misspelt one.
 *
 * A bad value fails the creation; a bad name would go unnoticed, and the program run with the
 * default. It is a warning and no error, because a later version may know the name. The names are
 * those of options.c; tests/fuzz/environment-names.sh compares.
 */
#include <string.h>

#include "base/status.h"
#include "executor/options.h"

#define PREFIX "NUMAPERF_"

static const char *const known[] = {
    "NUMAPERF_BINDING",        "NUMAPERF_CPUS",          "NUMAPERF_GATE_AGE_NS",
    "NUMAPERF_GATE_BACKLOG",   "NUMAPERF_GUEST_WORKERS", "NUMAPERF_HARD_MODE",
    "NUMAPERF_INBOX_CAPACITY", "NUMAPERF_INBOX_FULL",    "NUMAPERF_NODES",
    "NUMAPERF_NODE_WORKERS",   "NUMAPERF_SPARE_WORKERS", "NUMAPERF_SPIN_NS",
    "NUMAPERF_STACK_SIZE",     "NUMAPERF_STEAL_POLICY",  "NUMAPERF_THREAD_NAME",
    "NUMAPERF_WATCHDOG_NS",    "NUMAPERF_WATCH_CHANGES", "NUMAPERF_WORKERS_PER_NODE",
    "NUMAPERF_WORKER_PER",
};

static bool is_known(const char *name, size_t length)
{
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        if (strlen(known[i]) == length && memcmp(known[i], name, length) == 0)
            return true;
    }
    return false;
}

void npi_environment_check(void)
{
    size_t at = 0;
    for (const char *entry; (entry = npi_os_environment_next(PREFIX, &at)) != NULL;) {
        size_t length = strcspn(entry, "=");
        if (!is_known(entry, length))
            npi_diagnose(NP_SEVERITY_WARNING,
                         "%.*s is set, and there is no option of that name: it changes nothing",
                         length < 64 ? (int)length : 64, entry);
    }
}
