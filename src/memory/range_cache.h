/*
 * memory/range_cache.h - what the kernel has answered about memory that nobody placed.
 *
 * Asking the kernel for the node of some pages (move_pages) costs a system call of a microsecond or
 * more, and a program submits many tasks over the same memory. So answers are kept, one for each
 * chunk of 64 KiB: small enough that a block which one thread has touched first is seldom cut,
 * large enough that the 4,096 answers, 32 KiB, cover 256 MiB at a time. The cache is direct-mapped:
 * chunk n has slot n % 4096 and displaces what was there. An answer never grows old by itself;
 * whoever moves pages, or gives memory back and gets other memory at the same addresses, says so
 * (np_near_forget). A stale answer costs distance, never correctness.
 *
 * One for the process, as the directory, and for the same reason: it mirrors the process's pages.
 *
 * Each slot is one atomic word, so nothing is locked and no reader ever sees half an answer. A slot
 * carries a serial number that every change raises: an answer that was on its way while the range
 * was forgotten finds another serial than before it asked, and is not kept. Any thread, any time.
 */
#ifndef NPI_MEMORY_RANGE_CACHE_H
#define NPI_MEMORY_RANGE_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <numaperf/types.h>

#define NPI_CHUNK_BYTES ((uintptr_t)64 * 1024)
#define NPI_CHUNK_SLOTS 4096u

/* What a look found; npi_range_cache_keep needs it. */
typedef struct npi_chunk_look {
    uintptr_t chunk; /* address / NPI_CHUNK_BYTES */
    uint64_t seen;
    np_node_id node; /* NP_NODE_ID_NONE: not known */
} npi_chunk_look;

npi_chunk_look npi_range_cache_look(uintptr_t address);
/* The kernel's answer, asked for after the look. */
void npi_range_cache_keep(const npi_chunk_look *look, np_node_id node);
void npi_range_cache_forget(uintptr_t address, size_t bytes);
void npi_range_cache_forget_all(void);

#endif
