/*
 * What every harness is: one function that takes hostile text and ends the process
 * (machines/quiet.h) when something does not hold. fuzz_main.c calls it from libFuzzer, or replays
 * files.
 *
 * Nobody may print meanwhile. A failure that libFuzzer finds leaves its input in a file; the replay
 * program shows it again without libFuzzer.
 */
#ifndef NPT_FUZZ_FUZZ_H
#define NPT_FUZZ_FUZZ_H

#include <stddef.h>

#include "../machines/quiet.h"

/* The harness's name, as in fuzz_<name>.c and corpus/<name>. */
extern const char fuzz_name[];

/* `text` has `length` bytes and is closed with a NUL; it may contain others. In memory of exactly
 * that size, so that a sanitizer sees every byte read beyond it. */
void fuzz_one(const char *text, size_t length);

#endif
