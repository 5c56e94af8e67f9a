/*
 * os/files.c - small files of /proc and /sys, and event counters.
 *
 * The root that stands before /sys and /proc is for tests: it is set before other threads run.
 */
#include <stdio.h>
#include <string.h>

#include "os/library.h"
#include "os/os.h"
#include "os/root.h"

static char root[NPI_PATH_CAPACITY];

static bool begins_with(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

int npi_os_rooted_path(const char *path, char *out, size_t capacity)
{
    bool system_path = begins_with(path, "/sys/") || begins_with(path, "/proc/");
    int length = snprintf(out, capacity, "%s%s", system_path ? root : "", path);
    return length < 0 || (size_t)length >= capacity ? ENAMETOOLONG : 0;
}

int npi_os_set_root(const char *given)
{
    if (given == NULL)
        given = "";
    size_t length = strlen(given);
    if (length >= sizeof root)
        return ENAMETOOLONG;
    memcpy(root, given, length + 1);
    return 0;
}

static int read_all(int file, char *buffer, size_t capacity, size_t *length)
{
    size_t used = 0;
    for (;;) {
        size_t got = 0;
        int error = npi_library_read(file, buffer + used, capacity - used, &got);
        if (error == EINTR)
            continue;
        if (error != 0)
            return error;
        if (got == 0)
            break;
        used += got;
        if (used == capacity)
            return EFBIG; /* no room for the NUL, so the file is not known to be whole */
    }
    buffer[used] = '\0';
    *length = used;
    return 0;
}

int npi_os_read_file(const char *path, char *buffer, size_t capacity, size_t *length)
{
    char full[NPI_PATH_CAPACITY];
    if (capacity == 0)
        return EINVAL;
    buffer[0] = '\0';
    int error = npi_os_rooted_path(path, full, sizeof full);
    if (error != 0)
        return error;

    size_t used = 0;
    int file = -1;
    error = npi_library_open(full, O_RDONLY, &file);
    if (error == 0) {
        error = read_all(file, buffer, capacity, &used);
        npi_library_close(file);
    }
    if (error != 0)
        buffer[0] = '\0';
    if (length != NULL)
        *length = error == 0 ? used : 0;
    return error;
}

bool npi_os_path_exists(const char *path)
{
    char full[NPI_PATH_CAPACITY];
    if (npi_os_rooted_path(path, full, sizeof full) != 0)
        return false;
    return npi_library_access(full) == 0;
}

int npi_os_eventfd_signal(int fd)
{
    uint64_t one = 1;
    int error;
    do {
        error = npi_library_write(fd, &one, sizeof one);
    } while (error == EINTR);
    return error;
}
