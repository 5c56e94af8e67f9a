/*
 * memory/region_impl.h - what a region is. Private to src/memory, but for what src/parallel needs
 * to prefault one (the last function).
 *
 * region_options.c checks what the caller asked for, region.c owns the lifetime, region_place.c and
 * region_huge.c make the kernel do it and judge the outcome, region_file.c maps files,
 * region_resize.c and region_move.c change a region, region_audit.c asks about it. Between those
 * changes a region is immutable, so every reader may come from any thread.
 */
#ifndef NPI_MEMORY_REGION_IMPL_H
#define NPI_MEMORY_REGION_IMPL_H

#include <numaperf/region.h>

#include "memory/place.h"

/* Changed only by np_region_resize and np_region_migrate, which exclude every other call. */
struct np_region {
    char *data;
    size_t bytes;        /* of the mapping: whole pages */
    size_t usable_bytes; /* the same, but for the end of a file, and a resize that could not be
                            undone */
    size_t page_bytes;   /* the explicit huge page where it has those */
    np_memory_policy policy;
    np_hard_mode hard_mode;
    np_prefault prefault;
    np_huge_pages huge_pages; /* as asked for */
    np_file_access file_access;
    bool from_file;
    bool lock;
    bool virtual_nodes; /* the node ids are not those of the running machine */
    np_enforcement enforcement;
    size_t node_count;
    size_t node_room; /* what `nodes` was allocated for */
    np_node_id *nodes;
};

/* --- what was asked for (region_options.c) ------------------------------------------------- */

/* The caller's options (may be NULL) as this library knows them, checked. */
np_status npi_region_options_take(const np_topology *topology, const np_region_options *given,
                                  np_region_options *out);
/* The nodes that they name, or all there are, into region->nodes (allocated) and its counts, and
 * the policy and mode. On failure the region is as it was. */
np_status npi_region_take_nodes(np_region *region, const np_topology *topology,
                                const np_region_options *options);
/* A region without its mapping: everything that comes from the options. */
np_status npi_region_describe(const np_topology *topology, const np_region_options *options,
                              np_region **out);
/* Frees the struct and its nodes, not the mapping. */
void npi_region_free(np_region *region);
void npi_region_free_nodes(np_node_id *nodes, size_t room);

/* --- where others look for it (region.c) --------------------------------------------------- */

/* Whoever has only an address may find the region from now on, if its node is certain; or no
 * longer: always before its memory is unmapped, moved or given another policy. */
void npi_region_show(const np_region *region);
void npi_region_hide(const np_region *region);

/* --- placing (region_place.c) -------------------------------------------------------------- */

typedef struct npi_placing {
    np_region *region;
    npi_os_policy policy; /* what is asked of the kernel */
    npi_node_set nodes;   /* and on which nodes */
    npi_place place;
} npi_placing;

/* For the region's mapping as it is now; `hard_mode` for this call. What falls short adds to the
 * region's enforcement when npi_placing_end() says so. */
np_status npi_placing_begin(npi_placing *self, np_region *region, np_hard_mode hard_mode);
/* Whether `bytes` more can be bound; if not, soft prefers the nodes from here on. */
np_status npi_placing_look(npi_placing *self, uint64_t bytes);
/* Sets the policy of the whole mapping and reads it back. Nothing on a virtual topology, but that
 * it falls short. */
np_status npi_placing_policy(npi_placing *self);
/* Advice, prefault, lock and proof of the pages from byte `from` on. */
np_status npi_placing_pages(npi_placing *self, size_t from);
void npi_placing_end(npi_placing *self);

/* A fresh anonymous mapping of `bytes`, rounded up, placed and populated as the region asks. On
 * failure there is none. */
np_status npi_region_make(np_region *region, size_t bytes);

/* --- explicit huge pages (region_huge.c) --------------------------------------------------- */

/* The same as npi_region_make from the pool. NP_OK with *done false: soft, and the pool cannot; the
 * shortfall is in the region's enforcement, and there is no mapping. */
np_status npi_region_make_huge(np_region *region, size_t bytes, bool *done);

/* --- moving (region_move.c) ---------------------------------------------------------------- */

/* Moves the pages that are not where the placing wants them. 0 or an errno of the first step that
 * failed as a whole; pages that stayed are no error, they are in `result`. *refused: the errno if
 * the kernel would not say where pages are. */
int npi_region_move(const npi_placing *self, np_migration *result, int *refused);

/* --- asking (region_audit.c) --------------------------------------------------------------- */

/* np_region_audit_pages without its checks and without a failure detail; 0 or errno. */
int npi_region_audit(const np_region *region, np_region_audit *summary, np_node_id *page_nodes,
                     size_t capacity);

/* --- for src/parallel ---------------------------------------------------------------------- */

/* Makes a part of it present, `offset` and `bytes` whole pages; changes no byte. 0 or errno. */
int npi_region_populate(const np_region *region, size_t offset, size_t bytes);

#endif
