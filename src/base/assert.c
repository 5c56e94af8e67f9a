/*
 * base/assert.c - where a broken invariant ends.
 */
#include "base/assert.h"

#include <stdlib.h>

#include "base/status.h"

void npi_assert_failed(const char *condition, const char *file, int line)
{
    npi_diagnose(NP_SEVERITY_ERROR, "numaperf: invariant broken at %s:%d: %s", file, line,
                 condition);
    abort();
}
