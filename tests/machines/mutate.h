/*
 * Damage to small text files: what a buggy kernel, a half-mounted /sys or a liar could say.
 * Everything follows from the random stream.
 */
#ifndef NPT_MACHINES_MUTATE_H
#define NPT_MACHINES_MUTATE_H

#include <stddef.h>

#include "base/random.h"

/* The text after damage; the caller frees it. `other` is the text of another file of the same kind,
 * which may be put in its place; `words` (of `word_count`) are tokens that may be put in. */
char *mutate_text(npi_random *random, const char *text, size_t length, const char *other,
                  size_t *out_length);

#endif
