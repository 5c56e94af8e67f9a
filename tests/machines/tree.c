/*
 * tests/machines/tree.c - see tree.h.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "quiet.h"

#define FILE_MOST (1u << 20)

void tree_begin(tree *self)
{
    const char *place = access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp";
    (void)snprintf(self->root, sizeof self->root, "%s/np-machine-XXXXXX", place);
    if (mkdtemp(self->root) == NULL)
        NPT_FAIL("no folder below %s: %s", place, strerror(errno));
}

static int remove_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)about;
    (void)kind;
    return place->level == 0 ? 0 : remove(path);
}

void tree_clear(const tree *self)
{
    if (strstr(self->root, "/np-machine-") == NULL)
        NPT_FAIL("will not remove %s", self->root);
    NPT_CHECK(nftw(self->root, remove_one, 32, FTW_DEPTH | FTW_PHYS) == 0);
}

void tree_end(tree *self)
{
    tree_clear(self);
    NPT_CHECK(rmdir(self->root) == 0);
    self->root[0] = '\0';
}

static void make_folders(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        int made = mkdir(path, 0755);
        *slash = '/';
        if (made != 0 && errno != EEXIST)
            NPT_FAIL("mkdir on the way to %s: %s", path, strerror(errno));
    }
}

void tree_write(const tree *self, const char *path, const char *text, size_t length)
{
    char full[TREE_PATH];
    NPT_CHECK(path[0] == '/');
    NPT_CHECK(snprintf(full, sizeof full, "%s%s", self->root, path) < TREE_PATH);
    int file = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (file < 0 && errno == ENOENT) {
        make_folders(full);
        file = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    }
    if (file < 0 || write(file, text, length) != (ssize_t)length || close(file) != 0)
        NPT_FAIL("cannot write %s: %s", full, strerror(errno));
}

void tree_print(const tree *self, const char *path, const char *format, ...)
{
    char text[8192];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    NPT_CHECK(length >= 0 && (size_t)length < sizeof text);
    tree_write(self, path, text, (size_t)length);
}

char *tree_read(const char *full_path, size_t *length)
{
    int file = open(full_path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return NULL;
    struct stat about;
    size_t room = fstat(file, &about) == 0 && about.st_size < FILE_MOST ? (size_t)about.st_size
                                                                        : FILE_MOST;
    char *text = malloc(room + 1);
    NPT_CHECK(text != NULL);
    size_t used = 0;
    for (ssize_t got = 1; got > 0 && used<room; used += got> 0 ? (size_t)got : 0)
        got = read(file, text + used, room - used);
    (void)close(file);
    text[used] = '\0';
    *length = used;
    return text;
}

/* --- lists ------------------------------------------------------------------------------- */

static char **list_names;
static size_t list_count, list_room, list_prefix;

static int list_one(const char *path, const struct stat *about, int kind, struct FTW *place)
{
    (void)place;
    if (kind != FTW_F || !S_ISREG(about->st_mode))
        return 0;
    if (list_count == list_room) {
        list_room = list_room == 0 ? 256 : list_room * 2;
        list_names = reallocarray(list_names, list_room, sizeof *list_names);
        NPT_CHECK(list_names != NULL);
    }
    list_names[list_count] = strdup(path + list_prefix);
    NPT_CHECK(list_names[list_count] != NULL);
    list_count++;
    return 0;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

char **tree_list(const char *folder, size_t *count)
{
    list_names = NULL;
    list_count = list_room = 0;
    list_prefix = strlen(folder);
    if (nftw(folder, list_one, 32, FTW_PHYS) != 0)
        NPT_FAIL("cannot walk %s: %s", folder, strerror(errno));
    if (list_count > 0)
        qsort(list_names, list_count, sizeof *list_names, by_name);
    *count = list_count;
    return list_names;
}

void tree_list_free(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

bool tree_unpack(const tree *self, const char *archive)
{
    const char *const arguments[] = {"tar",
                                     "-xjf",
                                     archive,
                                     "-C",
                                     self->root,
                                     "--strip-components=1", /* the machine's own folder */
                                     "--exclude=*/sys/devices/pci*",
                                     "--exclude=*/sys/bus",
                                     "--exclude=*/sys/block",
                                     "--exclude=*/sys/class",
                                     "--exclude=*/sys/firmware",
                                     "--exclude=*/LNXSYSTM*",
                                     "--exclude=*/cpuidle",
                                     "--exclude=*/cpufreq",
                                     "--exclude=*/power",
                                     NULL};
    pid_t child = fork();
    if (child == 0) {
        (void)execvp("tar", (char *const *)(uintptr_t)arguments);
        _exit(127);
    }
    int status = 0;
    return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
           WEXITSTATUS(status) == 0;
}

/* --- discovery --------------------------------------------------------------------------- */

np_status tree_discover(const char *root, np_topology **out)
{
    NPT_CHECK(setenv("HWLOC_FSROOT", root, 1) == 0);
    NPT_CHECK(setenv("HWLOC_COMPONENTS", "linux,stop", 1) == 0);
    np_status status = np_topology_discover(out);
    (void)unsetenv("HWLOC_FSROOT");
    (void)unsetenv("HWLOC_COMPONENTS");
    return status;
}
