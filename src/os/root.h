/*
 * os/root.h - where /sys and /proc are: a test may set another root (npi_os_set_root). Private to
 * src/os.
 */
#ifndef NPI_OS_ROOT_H
#define NPI_OS_ROOT_H

#include <stddef.h>

#define NPI_PATH_CAPACITY 4096

/* 0 or ENAMETOOLONG. */
int npi_os_rooted_path(const char *path, char *out, size_t capacity)
    __attribute__((visibility("hidden")));

#endif
