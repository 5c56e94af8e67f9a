/*
 * os/files.c - small files of /proc and /sys, and event counters.
 *
 * The root that stands before /sys and /proc is for tests: it is set before other threads run.
 */
#include <fcntl.h>
#include <linux/stat.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "os/call.h"
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

/* What the kernel writes, one behind the other. */
typedef struct folder_entry {
    uint64_t inode;
    int64_t offset;
    uint16_t bytes; /* of the whole entry */
    uint8_t type;
    char name[];
} folder_entry;

/* Appends the names of `used` bytes of entries; EFBIG if they do not fit. */
static int take_names(const char *entries, size_t used, char *names, size_t capacity,
                      size_t *length)
{
    for (size_t at = 0; at < used;) {
        uint16_t bytes = 0;
        memcpy(&bytes, entries + at + offsetof(folder_entry, bytes), sizeof bytes);
        const char *name = entries + at + offsetof(folder_entry, name);
        size_t size = strlen(name) + 1;
        at += bytes;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (size > capacity - *length)
            return EFBIG;
        memcpy(names + *length, name, size);
        *length += size;
    }
    return 0;
}

int npi_os_list_folder(const char *path, char *names, size_t capacity, size_t *length)
{
    char full[NPI_PATH_CAPACITY];
    _Alignas(8) char entries[4096];
    int folder = -1;
    *length = 0;
    int error = npi_os_rooted_path(path, full, sizeof full);
    if (error == 0)
        error = npi_library_open(full, O_RDONLY | O_DIRECTORY, &folder);
    if (error != 0)
        return error;
    for (;;) {
        long used = 0;
        error = npi_os_call(NPI_CALL_GETDENTS, SYS_getdents64, folder, npi_os_pointer(entries),
                            sizeof entries, 0, 0, 0, &used);
        if (error != 0 || used == 0)
            break;
        error = take_names(entries, (size_t)used, names, capacity, length);
        if (error != 0)
            break;
    }
    npi_library_close(folder);
    if (error != 0)
        *length = 0;
    return error;
}

int npi_os_path_device(const char *path, uint32_t *major, uint32_t *minor)
{
    char full[NPI_PATH_CAPACITY];
    struct statx found;
    memset(&found, 0, sizeof found);
    int error = npi_os_rooted_path(path, full, sizeof full);
    if (error == 0)
        error = npi_os_call(NPI_CALL_STATX, SYS_statx, AT_FDCWD, npi_os_pointer(full), 0,
                            STATX_TYPE, npi_os_pointer(&found), 0, NULL);
    *major = found.stx_dev_major;
    *minor = found.stx_dev_minor;
    return error;
}

/* Readable, and without room for one more: a write would fail, or, if the descriptor is a blocking
 * one, wait for a reader. Whatever is no eventfd, or cannot be asked, is left to the write. */
static bool is_full(int fd)
{
    struct pollfd file = {fd, POLLIN | POLLOUT, 0};
    struct timespec now = {0, 0};
    int error = npi_os_call(NPI_CALL_POLL, SYS_ppoll, npi_os_pointer(&file), 1,
                            npi_os_pointer(&now), 0, 0, 0, NULL);
    return error == 0 && (file.revents & (POLLIN | POLLOUT)) == POLLIN;
}

int npi_os_eventfd_signal(int fd)
{
    if (is_full(fd))
        return EAGAIN;
    uint64_t one = 1;
    int error;
    do {
        error = npi_library_write(fd, &one, sizeof one);
    } while (error == EINTR);
    return error;
}
