/*
 * format.h - numbers and texts in the form people read. Writes to standard output or into a
 * caller's buffer; no state.
 */
#ifndef NUMAPERF_TOOL_FORMAT_H
#define NUMAPERF_TOOL_FORMAT_H

#include <stddef.h>
#include <stdint.h>

#define FORMAT_CAPACITY 32

/* "512 B", "3.9 GiB". Returns `buffer`, which holds FORMAT_CAPACITY bytes. */
const char *format_bytes(char *buffer, uint64_t bytes);

/* "812 MB/s", by powers of ten; "-" when no time has passed. */
const char *format_rate(char *buffer, uint64_t bytes, uint64_t elapsed_ns);

/* "1.24 s", "17.3 ms". */
const char *format_time(char *buffer, uint64_t elapsed_ns);

/* Prints `text` in lines that fill the terminal, each after `indent` spaces, with `label` in the
 * place of the first line's indent. */
void format_paragraph(unsigned indent, const char *label, const char *text);

/* Prints a path on one line: bytes that would move the cursor are shown as '?'. */
void format_path(const char *path);

#endif
