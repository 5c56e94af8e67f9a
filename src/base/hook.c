/*
 * base/hook.c - the pointer of base/hook.h. Empty unless a test fills it.
 */
#include "base/hook.h"

np_atomic(const npi_hook *) npi_hook_table;

void npi_hook_set(const npi_hook *hook)
{
    npi_store_relaxed(&npi_hook_table, hook); /* relaxed: see npi_hook_ask */
}
