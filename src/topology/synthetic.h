/*
 * topology/synthetic.h - a synthetic description after reading, before it becomes a machine.
 *
 * The notation is hwloc's, the parser is ours: hwloc's ignores bad attributes without a word, sets
 * no limit to the size of what it builds, and cannot say where the text is wrong. A unit test
 * compares the two on valid text.
 */
#ifndef NPI_TOPOLOGY_SYNTHETIC_H
#define NPI_TOPOLOGY_SYNTHETIC_H

#include "topology/machine.h"

#define NPI_SYNTHETIC_LEVELS   32u
#define NPI_SYNTHETIC_ATTACHED 16u
#define NPI_SYNTHETIC_MEMORY   (UINT64_C(1) << 30) /* of a node that does not say */

typedef enum npi_level_type {
    NPI_LEVEL_UNTYPED = 0, /* a bare number; types are given when all levels are known */
    NPI_LEVEL_ROOT,
    NPI_LEVEL_GROUP,
    NPI_LEVEL_SOCKET,
    NPI_LEVEL_DIE,
    NPI_LEVEL_NODE,
    NPI_LEVEL_CACHE,
    NPI_LEVEL_CACHE_INSTRUCTIONS,
    NPI_LEVEL_CORE,
    NPI_LEVEL_CPU
} npi_level_type;

typedef struct npi_level_attributes {
    uint64_t memory; /* bytes */
    bool memory_given;
    const char *indexes; /* where the numbers begin in the description, NULL for 0, 1, 2 ... */
} npi_level_attributes;

typedef struct npi_level {
    npi_level_type type;
    uint32_t arity; /* per object of the level above */
    uint32_t width; /* in the whole machine */
    const char *at; /* where the level begins in the description */
    npi_level_attributes attributes;
} npi_level;

/* Memory that hangs beside a level: "[numa(memory=4GiB)]". */
typedef struct npi_attached {
    uint32_t level;
    npi_level_attributes attributes;
} npi_attached;

typedef struct npi_synthetic {
    const char *text;
    npi_level levels[NPI_SYNTHETIC_LEVELS]; /* [0] is the machine, the last one is the CPUs */
    uint32_t level_count;
    npi_attached attached[NPI_SYNTHETIC_ATTACHED]; /* in the order of the text */
    uint32_t attached_count;
    uint32_t node_count;
    const char *matrix; /* behind the '|', or NULL */
} npi_synthetic;

/* NP_ERR_PARSE or NP_ERR_LIMIT, with the place. */
np_status npi_synthetic_parse(const char *text, npi_synthetic *out);

/* Fills an empty machine: CPUs, nodes, matrix. */
np_status npi_synthetic_expand(const npi_synthetic *synthetic, npi_machine *machine);

/* The failure at a place inside the description. */
np_status npi_synthetic_fail(const npi_synthetic *synthetic, np_status status, const char *at,
                             const char *message);

/* Reads a decimal number that ends before any other byte; false when there is none or it does not
 * fit into 32 bits. *at moves behind it. */
bool npi_synthetic_number(const char **at, uint32_t *out);

#endif
