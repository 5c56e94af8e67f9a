/*
 * topology/whole_file.h - reading a file of unknown length through the seam to the system.
 */
#ifndef NPI_TOPOLOGY_WHOLE_FILE_H
#define NPI_TOPOLOGY_WHOLE_FILE_H

#include <stddef.h>

typedef struct npi_whole_file {
    char *text; /* closed with a NUL; NULL when nothing is held */
    size_t length;
    size_t capacity;
} npi_whole_file;

/* Returns 0 or an errno: EFBIG above `most` bytes, ENOMEM. On success the caller releases. */
int npi_whole_file_read(const char *path, size_t most, npi_whole_file *out);
void npi_whole_file_release(npi_whole_file *file);

#endif
