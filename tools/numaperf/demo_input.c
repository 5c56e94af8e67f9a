/*
 * demo_input.c - which files the demo reads. Directories are walked without following symbolic
 * links, so that no file is counted twice; a link that was named itself is followed. Runs on the
 * main thread before the executor exists.
 */
#include "demo.h"

#include <errno.h>
#include <fts.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static demo_file *add_file(demo_input *input, const char *path)
{
    if (input->count == input->capacity) {
        input->capacity = input->capacity > 0 ? 2 * input->capacity : 64;
        input->files = cli_grow(input->files, input->capacity, sizeof *input->files);
    }
    demo_file *file = &input->files[input->count++];
    memset(file, 0, sizeof *file);
    file->path = cli_copy(path);
    return file;
}

static void add_regular(demo_input *input, const char *path, const struct stat *status)
{
    demo_file *file = add_file(input, path);
    file->regular = true;
    file->size = (uint64_t)status->st_size;
    input->known_bytes += file->size;
}

static int compare_names(const FTSENT **a, const FTSENT **b)
{
    return strcmp((*a)->fts_name, (*b)->fts_name);
}

static void say_failed(demo_input *input, const char *path, int error)
{
    cli_error("cannot read '%s': %s", path, strerror(error));
    input->failed = true;
}

/* Adds the regular files below a directory. What cannot be looked at is said and left out. */
static void walk(demo_input *input, const char *path)
{
    char *start = cli_copy(path);
    char *paths[] = {start, NULL};
    FTS *tree = fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, compare_names);
    if (tree == NULL) {
        say_failed(input, path, errno);
        free(start);
        return;
    }
    for (;;) {
        errno = 0;
        FTSENT *entry = fts_read(tree);
        if (entry == NULL) {
            break;
        }
        switch (entry->fts_info) {
        case FTS_F: add_regular(input, entry->fts_path, entry->fts_statp); break;
        case FTS_DNR:
        case FTS_ERR:
        case FTS_NS: say_failed(input, entry->fts_path, entry->fts_errno); break;
        default: break;
        }
    }
    if (errno != 0) {
        say_failed(input, path, errno);
    }
    (void)fts_close(tree);
    free(start);
}

void demo_input_collect(demo_input *input, char *const *paths, size_t count)
{
    memset(input, 0, sizeof *input);
    for (size_t i = 0; i < count; i++) {
        struct stat status;
        bool standard_input = strcmp(paths[i], "-") == 0;
        if (!standard_input && stat(paths[i], &status) != 0) {
            say_failed(input, paths[i], errno);
        } else if (standard_input || !(S_ISDIR(status.st_mode) || S_ISREG(status.st_mode))) {
            (void)add_file(input, paths[i]);
            input->has_streams = true;
        } else if (S_ISDIR(status.st_mode)) {
            walk(input, paths[i]);
        } else {
            add_regular(input, paths[i], &status);
        }
    }
}

void demo_input_release(demo_input *input)
{
    for (size_t i = 0; i < input->count; i++) {
        free(input->files[i].path);
    }
    free(input->files);
    memset(input, 0, sizeof *input);
}
