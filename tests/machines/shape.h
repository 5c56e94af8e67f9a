/*
 * Made-up machines, told in three ways that must mean the same: the files of a kernel, hwloc's XML,
 * and the library's own npi_machine.
 */
#ifndef NPT_MACHINES_SHAPE_H
#define NPT_MACHINES_SHAPE_H

#include "topology/machine.h"
#include "tree.h"

#define SHAPE_NODES 16u
#define SHAPE_CPUS  160 /* CPU numbers are below */

typedef enum shape_table {
    SHAPE_TABLE_NONE = 0,
    SHAPE_TABLE_GOOD,     /* 10 on the diagonal, more elsewhere, perhaps asymmetric */
    SHAPE_TABLE_LONG,     /* the same with a column too many */
    SHAPE_TABLE_NONSENSE, /* one cell that cannot be */
    SHAPE_TABLE_SHORT     /* a row with a column too few */
} shape_table;

typedef struct shape {
    uint32_t node_count;
    np_node_id ids[SHAPE_NODES]; /* ascending */
    uint64_t memory_kib[SHAPE_NODES];
    np_cpu_set cpus[SHAPE_NODES]; /* as the node's list says; may overlap, may name offline ones */
    np_cpu_set present, online;   /* online is a part of present */
    uint32_t package[SHAPE_CPUS], core[SHAPE_CPUS];
    shape_table table;
    uint32_t distance[SHAPE_NODES][SHAPE_NODES];
} shape;

/* Anything, from a seed. */
void shape_random(shape *self, uint64_t seed);

/* `nodes` nodes with the ids first, first + step ..., `per_node` CPUs each, numbered without gaps,
 * one package and 1 GiB per node; a good table of 10 and 20. */
void shape_regular(shape *self, uint32_t nodes, np_node_id first, np_node_id step,
                   uint32_t per_node);

void shape_write_files(const shape *self, const tree *files);
void shape_write_xml(const shape *self, const tree *files, const char *path);
/* Fills an initialised machine. */
void shape_fill_machine(const shape *self, npi_machine *machine);

/* Fails unless the topology is this machine: the CPUs that are online, each on the node that names
 * it with the fewest others, nodes with CPUs or memory, and the table if it is good. */
void shape_expect(const shape *self, const np_topology *topology, const char *told);

/* In words, for a failure. */
void shape_describe(const shape *self, char *text, size_t capacity);

#endif
