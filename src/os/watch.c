/*
 * os/watch.c - asleep until the CPUs that the process may use have changed, perhaps.
 *
 * Two sources. The files of the process's own cgroup and of those above it, as far as they can be
 * seen, by inotify: it tells of every write by a program, which is how cpusets change, and of what
 * the kernel itself announces (populated, in cgroup.events). And the kernel's announcements of
 * devices, by netlink, of which those about CPUs count. Both only say "look again": who is told too
 * often looks in vain, and nothing is read from them that anybody relies on.
 */
#include <linux/netlink.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <time.h>

#include "os/call.h"
#include "os/library.h"
#include "os/os.h"
#include "os/root.h"

#define FILE_CAPACITY 8192u

/* --- the descriptors --------------------------------------------------------------------- */

int npi_os_watch_open(npi_os_watch *watch)
{
    long file = -1;
    *watch = (npi_os_watch){-1, -1, -1};
    int error = npi_os_call(NPI_CALL_EVENTFD, SYS_eventfd2, 0, EFD_CLOEXEC | EFD_NONBLOCK, 0, 0, 0,
                            0, &file);
    watch->stop = (int)file;
    return error;
}

void npi_os_watch_close(npi_os_watch *watch)
{
    int *files[] = {&watch->stop, &watch->cpusets, &watch->devices};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        if (*files[i] >= 0)
            npi_library_close(*files[i]);
        *files[i] = -1;
    }
}

void npi_os_watch_stop(const npi_os_watch *watch)
{
    const uint64_t one = 1;
    (void)npi_os_call(NPI_CALL_EVENTFD_WRITE, SYS_write, watch->stop, npi_os_pointer(&one),
                      sizeof one, 0, 0, 0, NULL);
}

/* --- cgroups ----------------------------------------------------------------------------- */

/* Adds what there is of one cgroup, or of one above. What is not there is no error. */
static int watch_folder(const npi_os_watch *watch, const char *folder, int *watched)
{
    /* The last two tell when the others may appear, and when the cgroup's last process leaves. */
    static const char *const names[] = {"cpuset.cpus", "cpuset.mems", "cpuset.cpus.partition",
                                        "cgroup.subtree_control", "cgroup.events"};
    int failure = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[NPI_PATH_CAPACITY], full[NPI_PATH_CAPACITY];
        int length = snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        if (length < 0 || (size_t)length >= sizeof path)
            return ENAMETOOLONG;
        int error = npi_os_rooted_path(path, full, sizeof full);
        if (error == 0)
            error = npi_os_call(NPI_CALL_INOTIFY_ADD, SYS_inotify_add_watch, watch->cpusets,
                                npi_os_pointer(full), IN_MODIFY, 0, 0, 0, NULL);
        if (error == 0)
            ++*watched;
        else if (error != ENOENT && error != ENOTDIR && failure == 0)
            failure = error;
    }
    return failure;
}

/* A cgroup and all above it up to where the hierarchy is mounted. `path` is used up. */
static int watch_branch(const npi_os_watch *watch, const char *mount, char *path, int *watched)
{
    int failure = 0;
    for (;;) {
        char folder[NPI_PATH_CAPACITY];
        size_t length = strlen(path);
        while (length > 0 && path[length - 1] == '/')
            path[--length] = '\0';
        int wanted = snprintf(folder, sizeof folder, "%s%s", mount, path);
        /* A path with ".." leads out of what a container sees. */
        if (wanted > 0 && (size_t)wanted < sizeof folder && strstr(path, "/..") == NULL) {
            int error = watch_folder(watch, folder, watched);
            failure = failure == 0 ? error : failure;
        }
        char *slash = strrchr(path, '/');
        if (slash == NULL)
            return failure;
        *slash = '\0';
    }
}

/* "cpuset" in "cpu,cpuset,cpuacct". */
static bool names_cpuset(const char *controllers)
{
    static const char name[] = "cpuset";
    for (const char *c = controllers; (c = strstr(c, name)) != NULL; c++) {
        char after = c[sizeof name - 1];
        if ((c == controllers || c[-1] == ',') && (after == '\0' || after == ','))
            return true;
    }
    return false;
}

/* A line of /proc/self/cgroup, "NUMBER:CONTROLLERS:PATH"; it is used up. */
static int watch_line(const npi_os_watch *watch, char *line, int *watched)
{
    char *controllers = strchr(line, ':');
    char *path = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (path == NULL || path[1] != '/')
        return 0;
    *controllers++ = '\0';
    *path++ = '\0';
    if (names_cpuset(controllers))
        return watch_branch(watch, "/sys/fs/cgroup/cpuset", path, watched);
    if (controllers[0] != '\0')
        return 0;
    /* Version 2; where version 1 is mounted as well, cpusets are there. */
    return watch_branch(watch, "/sys/fs/cgroup", path, watched);
}

int npi_os_watch_cpusets(npi_os_watch *watch)
{
    char text[FILE_CAPACITY];
    int watched = 0, failure = 0;
    if (watch->cpusets < 0) {
        long file = -1;
        int error = npi_os_call(NPI_CALL_INOTIFY_INIT, SYS_inotify_init1, IN_CLOEXEC | IN_NONBLOCK,
                                0, 0, 0, 0, 0, &file);
        if (error != 0)
            return error;
        watch->cpusets = (int)file;
    }
    int error = npi_os_read_file("/proc/self/cgroup", text, sizeof text, NULL);
    if (error != 0)
        return error;
    for (char *line = text, *next; line != NULL && *line != '\0'; line = next) {
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = '\0';
        error = watch_line(watch, line, &watched);
        failure = failure == 0 ? error : failure;
    }
    return failure == 0 && watched == 0 ? ENOENT : failure;
}

/* --- devices ----------------------------------------------------------------------------- */

int npi_os_watch_devices(npi_os_watch *watch)
{
    const struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = 1};
    long file = -1;
    int error = npi_os_call(NPI_CALL_SOCKET, SYS_socket, AF_NETLINK,
                            SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_KOBJECT_UEVENT, 0, 0,
                            0, &file);
    if (error != 0)
        return error;
    error = npi_os_call(NPI_CALL_BIND, SYS_bind, file, npi_os_pointer(&address), sizeof address, 0,
                        0, 0, NULL);
    if (error == 0)
        watch->devices = (int)file;
    else
        npi_library_close((int)file);
    return error;
}

/* A message is "ACTION@PATH" and then "KEY=VALUE", each with a NUL behind it. */
static bool is_about_a_cpu(const char *message, size_t bytes)
{
    static const char wanted[] = "SUBSYSTEM=cpu";
    for (size_t at = 0; at < bytes; at += strlen(message + at) + 1)
        if (strcmp(message + at, wanted) == 0)
            return true;
    return false;
}

/* --- waiting ----------------------------------------------------------------------------- */

static int drain_cpusets(const npi_os_watch *watch, bool *changed)
{
    char events[4096];
    for (;;) {
        size_t got = 0;
        int error = npi_library_read(watch->cpusets, events, sizeof events, &got);
        if (error == EINTR)
            continue;
        if (error != 0)
            return error == EAGAIN ? 0 : error;
        *changed = true;
    }
}

static int drain_devices(const npi_os_watch *watch, bool *changed)
{
    char message[FILE_CAPACITY];
    for (;;) {
        long got = 0;
        int error = npi_os_call(NPI_CALL_RECEIVE, SYS_recvfrom, watch->devices,
                                npi_os_pointer(message), sizeof message - 1, MSG_DONTWAIT, 0, 0,
                                &got);
        if (error == EINTR)
            continue;
        if (error == ENOBUFS) { /* so many that some are lost: one of them might be ours */
            *changed = true;
            continue;
        }
        if (error != 0)
            return error == EAGAIN ? 0 : error;
        message[got] = '\0';
        *changed |= is_about_a_cpu(message, (size_t)got);
    }
}

int npi_os_watch_wait(const npi_os_watch *watch, uint64_t timeout_ns, npi_os_watch_news *news)
{
    const uint64_t second = UINT64_C(1000000000);
    struct timespec timeout = {(time_t)(timeout_ns / second), (long)(timeout_ns % second)};
    struct timespec *limit = timeout_ns == NPI_NO_DEADLINE ? NULL : &timeout;
    struct pollfd files[] = {
        {watch->stop, POLLIN, 0}, {watch->cpusets, POLLIN, 0}, {watch->devices, POLLIN, 0}};
    for (;;) {
        long ready = 0;
        bool changed = false;
        int error = npi_os_call(NPI_CALL_POLL, SYS_ppoll, npi_os_pointer(files),
                                sizeof files / sizeof files[0], npi_os_pointer(limit), 0, 0, 0,
                                &ready);
        if (error == EINTR)
            continue;
        *news = NPI_OS_WATCH_NOTHING;
        if (error != 0 || ready == 0)
            return error;
        if (files[0].revents != 0) {
            *news = NPI_OS_WATCH_STOPPED;
            return 0;
        }
        /* Somebody has closed it: to go on would burn a CPU. */
        if (((files[1].revents | files[2].revents) & POLLNVAL) != 0)
            return EBADF;
        if (files[1].revents != 0)
            error = drain_cpusets(watch, &changed);
        if (error == 0 && files[2].revents != 0)
            error = drain_devices(watch, &changed);
        if (error == 0 && !changed)
            continue; /* about other devices; the kernel has shortened `timeout` */
        *news = changed ? NPI_OS_WATCH_CHANGED : NPI_OS_WATCH_NOTHING;
        return error;
    }
}
