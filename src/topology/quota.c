/*
 * topology/quota.c - how much CPU time the process's control group may use.
 *
 * /proc/self/cgroup names the group in each hierarchy, /proc/self/mountinfo says where each
 * hierarchy is mounted and which part of it is visible. From there every ancestor up to the mount
 * is asked, because the tightest limit on the way counts:
 *   version 2  cpu.max             "<quota or max> <period>"
 *   version 1  cpu.cfs_quota_us    "<quota or -1>", cpu.cfs_period_us
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/os.h"
#include "topology/sources.h"
#include "topology/whole_file.h"

#define FILE_MOST     (4u * 1024u * 1024u)
#define PATH_CAPACITY 4096u

static uint32_t thousandths(unsigned long long quota, unsigned long long period)
{
    if (period == 0 || quota == 0)
        return 0;
    /* Rounded up, so that a tiny quota does not turn into none. */
    unsigned long long cpus = quota / period;
    if (cpus >= NP_CPU_SET_CAPACITY)
        return 0;
    return (uint32_t)(cpus * 1000u + ((quota % period) * 1000u + period - 1u) / period);
}

static uint32_t tighter(uint32_t a, uint32_t b)
{
    if (a == 0 || b == 0)
        return a + b;
    return a < b ? a : b;
}

static bool read_small(const char *directory, const char *name, char *text, size_t capacity)
{
    char path[PATH_CAPACITY];
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    return length > 0 && (size_t)length < sizeof path &&
           npi_os_read_file(path, text, capacity, NULL) == 0;
}

static uint32_t group_quota(const char *directory, bool second_version)
{
    char text[64];
    unsigned long long quota = 0;
    unsigned long long period = 0;
    if (second_version) {
        if (!read_small(directory, "cpu.max", text, sizeof text) ||
            sscanf(text, "%llu %llu", &quota, &period) != 2) /* "max" is no number */
            return 0;
        return thousandths(quota, period);
    }
    if (!read_small(directory, "cpu.cfs_quota_us", text, sizeof text) || text[0] == '-' ||
        sscanf(text, "%llu", &quota) != 1)
        return 0;
    if (!read_small(directory, "cpu.cfs_period_us", text, sizeof text) ||
        sscanf(text, "%llu", &period) != 1)
        return 0;
    return thousandths(quota, period);
}

/* Asks the group and each ancestor down to the mount point, which is the first `stop` bytes. */
static uint32_t walk_up(char *directory, size_t stop, bool second_version)
{
    uint32_t quota = 0;
    for (;;) {
        quota = tighter(quota, group_quota(directory, second_version));
        char *slash = strrchr(directory, '/');
        if (slash == NULL || (size_t)(slash - directory) < stop || slash == directory)
            return quota;
        *slash = '\0';
    }
}

/* True if the comma-separated list has the word. */
static bool has_word(const char *list, const char *word)
{
    size_t length = strlen(word);
    for (const char *at = list; *at != '\0'; at += strcspn(at, ","), at += *at == ',' ? 1 : 0) {
        if (strncmp(at, word, length) == 0 && (at[length] == ',' || at[length] == '\0'))
            return true;
    }
    return false;
}

/* The process's group in one hierarchy: the line "number:controllers:path" that fits. */
static bool own_group(const char *groups, bool second_version, char *out, size_t capacity)
{
    for (const char *line = groups; *line != '\0';) {
        size_t length = strcspn(line, "\n");
        const char *first = memchr(line, ':', length);
        const char *second = first == NULL
                                 ? NULL
                                 : memchr(first + 1, ':', length - (size_t)(first + 1 - line));
        if (second != NULL) {
            char controllers[256];
            snprintf(controllers, sizeof controllers, "%.*s", (int)(second - first - 1), first + 1);
            bool fits = second_version ? controllers[0] == '\0' : has_word(controllers, "cpu");
            if (fits) {
                int bytes = (int)(length - (size_t)(second + 1 - line));
                int written = snprintf(out, capacity, "%.*s", bytes, second + 1);
                return written >= 0 && (size_t)written < capacity;
            }
        }
        line += length + (line[length] == '\n' ? 1u : 0u);
    }
    return false;
}

/* Undoes the octal escapes of mountinfo ("\040" for a space) in place. */
static void unescape(char *text)
{
    char *to = text;
    for (const char *from = text; *from != '\0'; to++) {
        bool octal = from[0] == '\\' && from[1] >= '0' && from[1] <= '3' && from[2] >= '0' &&
                     from[2] <= '7' && from[3] >= '0' && from[3] <= '7';
        if (octal) {
            *to = (char)((from[1] - '0') * 64 + (from[2] - '0') * 8 + (from[3] - '0'));
            from += 4;
        } else {
            *to = *from++;
        }
    }
    *to = '\0';
}

/*
 * The quota by way of one mount. `root` is the part of the hierarchy that is mounted at `point`;
 * a group outside of it (another namespace) cannot be seen, then the mount's own top is all we
 * know.
 */
static uint32_t mount_quota(const char *root, const char *point, const char *group,
                            bool second_version)
{
    char directory[PATH_CAPACITY];
    size_t length = strcmp(root, "/") == 0 ? 0 : strlen(root);
    bool inside = strncmp(group, root, length) == 0 &&
                  (group[length] == '/' || group[length] == '\0') && strstr(group, "/..") == NULL;
    const char *below = inside ? group + length : "";
    if (strcmp(below, "/") == 0)
        below = "";
    int written = snprintf(directory, sizeof directory, "%s%s", point, below);
    if (written < 0 || (size_t)written >= sizeof directory)
        return 0;
    return walk_up(directory, strlen(point), second_version);
}

/* One line of mountinfo: "id parent device root point options ... - type source super-options". */
static uint32_t line_quota(char *line, const char *groups)
{
    char *fields[6];
    char *rest = NULL;
    uint32_t count = 0;
    char *separator = strstr(line, " - ");
    if (separator == NULL)
        return 0;
    *separator = '\0';
    for (char *field = strtok_r(line, " ", &rest); field != NULL && count < 6;
         field = strtok_r(NULL, " ", &rest))
        fields[count++] = field;
    char *type = strtok_r(separator + 3, " ", &rest);
    (void)strtok_r(NULL, " ", &rest);
    char *options = strtok_r(NULL, " ", &rest);
    if (count < 5 || type == NULL)
        return 0;
    bool second_version = strcmp(type, "cgroup2") == 0;
    bool first_version = strcmp(type, "cgroup") == 0 && options != NULL && has_word(options, "cpu");
    if (!second_version && !first_version)
        return 0;
    char group[PATH_CAPACITY];
    if (!own_group(groups, second_version, group, sizeof group))
        return 0;
    unescape(fields[3]);
    unescape(fields[4]);
    return mount_quota(fields[3], fields[4], group, second_version);
}

uint32_t npi_cgroup_cpu_quota(void)
{
    npi_whole_file groups;
    npi_whole_file mounts;
    if (npi_whole_file_read("/proc/self/cgroup", FILE_MOST, &groups) != 0)
        return 0;
    uint32_t quota = 0;
    if (npi_whole_file_read("/proc/self/mountinfo", FILE_MOST, &mounts) == 0) {
        char *rest = NULL;
        for (char *line = strtok_r(mounts.text, "\n", &rest); line != NULL;
             line = strtok_r(NULL, "\n", &rest))
            quota = tighter(quota, line_quota(line, groups.text));
        npi_whole_file_release(&mounts);
    }
    npi_whole_file_release(&groups);
    return quota;
}
