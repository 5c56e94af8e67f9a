/*
 * A folder of small files that stands in for a machine's / : in memory, written, changed and
 * removed by the tests with made-up and with damaged machines.
 */
#ifndef NPT_MACHINES_TREE_H
#define NPT_MACHINES_TREE_H

#include <stdbool.h>
#include <stddef.h>

#include <numaperf/topology.h>

#define TREE_PATH 512

typedef struct tree {
    char root[64];
} tree;

/* A fresh empty folder, on /dev/shm where there is one. */
void tree_begin(tree *self);
/* Removes it and what is in it. */
void tree_end(tree *self);
/* Removes what is in it. */
void tree_clear(const tree *self);

/* `path` begins with a slash; folders on the way are made. */
void tree_write(const tree *self, const char *path, const char *text, size_t length);
void tree_print(const tree *self, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A file's bytes, closed with a NUL, at most 1 MiB; the caller frees them. NULL: cannot be read. */
char *tree_read(const char *full_path, size_t *length);

/* The regular files below `folder`, as paths below it that begin with a slash, in the order of
 * their names. The caller frees each and the array. */
char **tree_list(const char *folder, size_t *count);
void tree_list_free(char **list, size_t count);

/* Unpacks what a recorded machine's archive holds, without the devices, which nobody here looks at.
 * False: tar is not satisfied. */
bool tree_unpack(const tree *self, const char *archive);

/* What np_topology_discover() says of the machine below `root`, by hwloc's own means of being shown
 * another machine. */
np_status tree_discover(const char *root, np_topology **out);

#endif
