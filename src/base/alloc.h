/*
 * base/alloc.h - the allocation seam for bookkeeping. Goes through the caller's allocator.
 */
#ifndef NPI_BASE_ALLOC_H
#define NPI_BASE_ALLOC_H

#include <stddef.h>

/* Zeroed memory, or NULL (no detail set). `alignment` is a power of two; 0 means the default. */
void *npi_alloc(size_t bytes, size_t alignment);
/* count * size, zeroed, NULL on overflow. */
void *npi_alloc_array(size_t count, size_t size, size_t alignment);
/* `bytes` is what was asked for. NULL is accepted. */
void npi_free(void *memory, size_t bytes);
void npi_free_array(void *memory, size_t count, size_t size);
char *npi_strdup(const char *text);
void npi_strfree(char *text);

#endif
