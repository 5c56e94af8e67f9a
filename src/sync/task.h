/*
 * sync/task.h - a task as it is queued (one or two cells of 32 bytes) and as it is run.
 *
 * A plain task fills one cell: function, argument, group, meta. A task with a copied argument fills
 * two: the argument's bytes take the second word of the first cell and all of the second, 40 in
 * all.
 *
 * Cell words are atomic because a consumer reads them before it knows that it won them (queue.h);
 * the loads are relaxed, and what was read is thrown away unless the claim succeeds.
 */
#ifndef NPI_SYNC_TASK_H
#define NPI_SYNC_TASK_H

#include <string.h>

#include <numaperf/executor.h>

#include "base/assert.h"
#include "base/atomic.h"

#define NPI_CELL_WORDS 4u

typedef struct npi_cell {
    np_atomic(uint64_t) word[NPI_CELL_WORDS]; /* fn, argument, group, meta */
} npi_cell;

/* meta: bits 0-15 home node index, 16-17 np_task_affinity, 18-23 copied bytes, 24 padding; of a
 * task whose data's node is known 32-47 that node's index plus one, 48-63 its bytes there
 * (npi_size_code).
 */
#define NPI_META_AFFINITY_SHIFT 16
#define NPI_META_BYTES_SHIFT    18
#define NPI_META_PADDING        (UINT64_C(1) << 24)
#define NPI_META_DATA_SHIFT     32
#define NPI_META_SIZE_SHIFT     48
#define NPI_META_EXTRA          (NPI_META_PADDING | UINT64_C(63) << NPI_META_BYTES_SHIFT)

typedef struct npi_task {
    np_task_fn fn;
    void *argument; /* the caller's pointer; unused when bytes were copied */
    np_group *group;
    uint64_t meta;
    uint64_t copy[NP_ARGUMENT_COPY_MAX / 8u];
} npi_task;

static inline uint64_t npi_meta(np_node_index home, np_task_affinity affinity, size_t copy_bytes)
{
    return (uint64_t)home | (uint64_t)affinity << NPI_META_AFFINITY_SHIFT |
           (uint64_t)copy_bytes << NPI_META_BYTES_SHIFT;
}

static inline np_node_index npi_meta_home(uint64_t meta)
{
    return (np_node_index)(meta & 0xffffu);
}

static inline np_task_affinity npi_meta_affinity(uint64_t meta)
{
    return (np_task_affinity)((meta >> NPI_META_AFFINITY_SHIFT) & 3u);
}

static inline size_t npi_meta_bytes(uint64_t meta)
{
    return (size_t)((meta >> NPI_META_BYTES_SHIFT) & 63u);
}

/*
 * A number of bytes in 16 bits, as a floating point number: 6 bits of exponent, 10 of fraction, and
 * one before it that is not written. Exact up to 2,047 and for numbers with at most eleven
 * significant bits, as whole pages often have; else rounded by less than 0.05 %. The greatest code
 * stands for 2^64 - 2^53 and all above.
 */
#define NPI_SIZE_CODE_MAX 0xdbffu /* exponent 54, fraction 1023 */
static inline uint32_t npi_size_code(uint64_t bytes)
{
    if (bytes < 1024)
        return (uint32_t)bytes;
    uint32_t shift = 53u - (uint32_t)__builtin_clzll(bytes);
    /* Half of the last place, without overflow; a carry raises the exponent by itself. */
    uint64_t kept = (bytes >> shift) + (shift != 0 ? bytes >> (shift - 1) & 1 : 0);
    uint64_t code = ((uint64_t)shift << 10) + kept;
    return code < NPI_SIZE_CODE_MAX ? (uint32_t)code : NPI_SIZE_CODE_MAX;
}

static inline uint64_t npi_size_of_code(uint32_t code)
{
    if (code < 1024)
        return code;
    return (uint64_t)(1024u + (code & 1023u)) << ((code >> 10) - 1);
}

/* To be added to the meta of a task whose data is there. */
static inline uint64_t npi_meta_data(np_node_index node, uint64_t bytes)
{
    return ((uint64_t)node + 1) << NPI_META_DATA_SHIFT | (uint64_t)npi_size_code(bytes)
                                                             << NPI_META_SIZE_SHIFT;
}

static inline bool npi_meta_has_data(uint64_t meta)
{
    return meta >> NPI_META_DATA_SHIFT != 0;
}

static inline np_node_index npi_meta_data_node(uint64_t meta)
{
    return (np_node_index)((meta >> NPI_META_DATA_SHIFT) & 0xffffu) - 1;
}

static inline uint64_t npi_meta_data_bytes(uint64_t meta)
{
    return npi_size_of_code((uint32_t)(meta >> NPI_META_SIZE_SHIFT));
}

/* 1, or 2 for a task with a copied argument. */
static inline uint32_t npi_task_cells(const npi_task *task)
{
    return npi_meta_bytes(task->meta) != 0 ? 2u : 1u;
}

/* What the task's function gets. */
static inline void *npi_task_argument(npi_task *task)
{
    return npi_meta_bytes(task->meta) != 0 ? (void *)task->copy : task->argument;
}

/* A plain task into a cell nobody else can claim yet; the queue's tail publishes it. */
static inline void npi_cell_store(npi_cell *cell, np_task_fn fn, void *argument, np_group *group,
                                  uint64_t meta)
{
    npi_store_relaxed(&cell->word[0], (uint64_t)(uintptr_t)fn);
    npi_store_relaxed(&cell->word[1], (uint64_t)(uintptr_t)argument);
    npi_store_relaxed(&cell->word[2], (uint64_t)(uintptr_t)group);
    npi_store_relaxed(&cell->word[3], meta);
}

/* The same for a task of any kind. */
static inline void npi_task_store(const npi_task *task, npi_cell *cell)
{
    bool wide = npi_meta_bytes(task->meta) != 0;
    uint64_t second = wide ? task->copy[0] : (uint64_t)(uintptr_t)task->argument;
    npi_store_relaxed(&cell[0].word[0], (uint64_t)(uintptr_t)task->fn);
    npi_store_relaxed(&cell[0].word[1], second);
    npi_store_relaxed(&cell[0].word[2], (uint64_t)(uintptr_t)task->group);
    npi_store_relaxed(&cell[0].word[3], task->meta);
    if (wide)
        for (unsigned i = 0; i < NPI_CELL_WORDS; i++)
            npi_store_relaxed(&cell[1].word[i], task->copy[1 + i]);
}

/* From cells that may be overwritten meanwhile: the caller's claim decides whether it counts. */
static inline void npi_task_load(npi_task *task, npi_cell *cell)
{
    task->fn = (np_task_fn)(uintptr_t)npi_load_relaxed(&cell[0].word[0]);
    task->argument = (void *)(uintptr_t)npi_load_relaxed(&cell[0].word[1]);
    task->group = (np_group *)(uintptr_t)npi_load_relaxed(&cell[0].word[2]);
    task->meta = npi_load_relaxed(&cell[0].word[3]);
}

/* The rest of one with a copied argument. */
static inline void npi_task_load_copy(npi_task *task, npi_cell *cell)
{
    task->copy[0] = (uint64_t)(uintptr_t)task->argument;
    for (unsigned i = 0; i < NPI_CELL_WORDS; i++)
        task->copy[1 + i] = npi_load_relaxed(&cell[1].word[i]);
}

#endif
