/*
 * memory/directory.h - which node placed memory lies on, for whoever has only an address.
 *
 * The directory knows the address ranges that this library has placed and whose node follows from
 * that alone: a region bound to one node, a piece of a partitioned array. It never guesses. What
 * the kernel decides page by page (interleaved, preferred or local memory, soft regions that fell
 * short) is not in it, so that its answer can be trusted without asking anybody.
 *
 * It is one for the process, because addresses are: a pointer says nothing of the topology or the
 * executor it goes with. That is natural process state like the table of mappings it mirrors, and
 * two executors cannot disturb each other through it. Node ids are meant for the running machine,
 * or, with is_virtual, for a machine that somebody described; an entry of one kind says nothing to
 * those who ask for the other.
 *
 * Who may call what: everything by any thread at any time, also in a forked child. Looking
 * something up takes no lock, makes no system call and never waits for a writer, not even for one
 * that was stopped half way. Writers take a lock; they belong to operations that make system calls
 * anyway. Nothing here fails: a directory that cannot grow forgets, and what it has forgotten the
 * kernel is asked for (memory/locate.h).
 */
#ifndef NPI_MEMORY_DIRECTORY_H
#define NPI_MEMORY_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/types.h>

/*
 * From now on the range lies on `node`; NP_NODE_ID_NONE: it is no longer known where (always before
 * memory is unmapped or given another policy). What was known of it, in whole or in part, is
 * replaced. What the range cache knows of it is forgotten as well.
 */
void npi_directory_set(const void *address, size_t bytes, np_node_id node, bool is_virtual);

/* A stretch of addresses of which one thing is known. */
typedef struct npi_stretch {
    uintptr_t end;
    np_node_id node; /* NP_NODE_ID_NONE: the directory does not know */
} npi_stretch;

/* The same for a range that lies on several nodes, in one step: `count` stretches, each from where
 * the one before it ended, together the range; part(owner, i) tells them. */
typedef struct npi_stretches {
    size_t count;
    npi_stretch (*part)(const void *owner, size_t which);
    const void *owner;
} npi_stretches;

void npi_directory_set_parts(const void *address, size_t bytes, const npi_stretches *parts,
                             bool is_virtual);

/* What is known at `address`, and how far that holds, at most up to `end` (above address). */
npi_stretch npi_directory_find(uintptr_t address, uintptr_t end, bool is_virtual);

/* Entries now; for tests. */
size_t npi_directory_count(void);

#endif
