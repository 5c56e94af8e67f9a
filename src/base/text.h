/*
 * base/text.h - building text into a caller's buffer the way snprintf counts: everything is
 * counted, what fits is written, the buffer is always closed with a NUL.
 */
#ifndef NPI_BASE_TEXT_H
#define NPI_BASE_TEXT_H

#include <stddef.h>

#include <numaperf/version.h>

typedef struct npi_text {
    char *buffer;    /* may be NULL when capacity is 0 */
    size_t capacity; /* bytes, with the NUL */
    size_t length;   /* of the whole text, written or not */
} npi_text;

void npi_text_begin(npi_text *text, char *buffer, size_t capacity);
void npi_text_add(npi_text *text, const char *format, ...) NP_PRINTF(2, 3);
/* A JSON string with quotes and escapes. */
void npi_text_add_json_string(npi_text *text, const char *value);
/* "1.5 GiB", "512 KiB", "17 B". */
void npi_text_add_bytes(npi_text *text, unsigned long long bytes);

#endif
