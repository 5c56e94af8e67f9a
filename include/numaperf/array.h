/*
 * numaperf/array.h - partitioned arrays: one range of memory, an ordinary C array to whoever reads
 * and writes it, whose parts lie on several nodes; and the arithmetic that tells which part is
 * where.
 *
 * Pages lie on nodes, elements do not: the boundaries between the parts follow one rule. The array
 * is divided where the distribution says, each boundary is moved to a page boundary (elements
 * smaller than a page: to the next one; larger ones: to the one before), and an element belongs to
 * the part in whose pages its first byte lies. So every page belongs to exactly one part, and of a
 * part fewer bytes than one element, and than one page, can lie on its neighbour's node: the end
 * of its last element. Elements whose size divides the page, in an array that is divided at pages,
 * have none.
 *
 * Adjoining parts on the same node are one piece, and parts without an element are none: the pieces
 * tile the elements 0 .. count - 1 without a gap, in ascending order.
 *
 * Threads: any, at once. What changes an array (redistribute) or ends it (destroy) must be alone on
 * it; nothing else writes to one. Only create, redistribute, destroy and audit make system calls.
 */
#ifndef NUMAPERF_ARRAY_H
#define NUMAPERF_ARRAY_H

#include <numaperf/region.h>

NP_BEGIN_DECLS

typedef struct np_array np_array;

typedef enum np_distribution {
    NP_DISTRIBUTION_BLOCK = 0, /* one part per node, equally large */
    NP_DISTRIBUTION_CYCLIC,    /* blocks of elements in turn over the nodes */
    NP_DISTRIBUTION_WEIGHTED,  /* one part per node, as large as its weight says */
    NP_DISTRIBUTION_CUSTOM     /* the caller's function names the node of each block */
} np_distribution;

/* "block", "cyclic", "weighted", "custom"; never NULL. */
NP_API const char *np_distribution_name(np_distribution distribution);

/*
 * Which node gets the elements begin .. end - 1, one block: its position in the nodes of the array
 * (0 .. np_array_nodes() - 1). Called once for each block, in ascending order, by the thread that
 * creates or redistributes the array; it must not use that array.
 */
typedef size_t (*np_owner_fn)(void *context, size_t begin, size_t end);

typedef struct np_array_options {
    size_t size; /* sizeof(np_array_options); NP_ARRAY_OPTIONS fills it in */
    np_distribution distribution;
    size_t block;            /* cyclic and custom: elements; less than a page is rounded up to a
                                page's worth; 0: about 64 blocks per node. Otherwise 0. */
    const np_node_id *nodes; /* in which order they take part; borrowed for the call, none twice.
                                NULL with node_count 0: every allowed node with memory */
    size_t node_count;
    const uint32_t *weights; /* weighted: one for each of `nodes`, 0: no part. Otherwise NULL. */
    np_owner_fn owner;       /* custom. Otherwise NULL. */
    void *owner_context;
    np_hard_mode hard_mode;
    np_prefault prefault;
    np_huge_pages huge_pages; /* other than default and never: parts begin at huge pages */
} np_array_options;

NP_API void np_array_options_init(np_array_options *options);

#ifndef __cplusplus
#define NP_ARRAY_OPTIONS(...) (&(np_array_options){.size = sizeof(np_array_options), __VA_ARGS__})
#endif

/*
 * Maps an array of `count` (> 0) zeroed elements of `element_size` (> 0) bytes, distributed by
 * `options` (NULL: every default). The first element lies at a page boundary, the others follow
 * without padding.
 *
 * Soft, strict and a virtual topology are as for np_region_create() with NP_MEMORY_BIND, for each
 * part on its node; on a virtual topology the pieces are those that the described machine would
 * have. The owner function runs before anything is mapped.
 *
 * Each piece is a mapping of its own to the kernel, which allows a process only so many
 * (vm.max_map_count): one array may have a third of them.
 *
 * Errors: NP_ERR_INVALID_ARGUMENT (also an owner that is not one of the nodes),
 * NP_ERR_INVALID_NODE (unknown, or without memory), NP_ERR_LIMIT (more pieces than that: the detail
 * says how many, and which block gives fewer), NP_ERR_NO_MEMORY (also a size that overflows),
 * NP_ERR_HARD_MODE; the detail names the value, or the node, call and errno. Any thread. The policy
 * in force for the calling thread is left as it was.
 */
NP_API NP_MUST_USE np_status np_array_create(const np_topology *topology, size_t element_size,
                                             size_t count, const np_array_options *options,
                                             np_array **out);

/* Unmaps the memory. NULL is accepted. */
NP_API void np_array_destroy(np_array *array);

/* What it was created with. All of these, and the questions below, accept NULL: 0, NULL, none. */
NP_API void *np_array_data(const np_array *array);
NP_API size_t np_array_count(const np_array *array);
NP_API size_t np_array_element_size(const np_array *array);
NP_API np_distribution np_array_distribution(const np_array *array);

/* The nodes over which it is distributed, in their order. Writes at most `capacity` ids, returns
 * their number. */
NP_API size_t np_array_nodes(const np_array *array, np_node_id *out, size_t capacity);

/* The elements of a block as they were divided, a page's worth at least (cyclic and custom; 0 for
 * the others). Moving its ends to page boundaries can make a single block a page larger or
 * smaller. */
NP_API size_t np_array_block(const np_array *array);

/* The pages at which parts begin, in bytes: the ordinary ones, or huge ones. */
NP_API size_t np_array_page_size(const np_array *array);
NP_API np_enforcement np_array_enforcement(const np_array *array);

/* --- pieces ------------------------------------------------------------------------------ */

/* Elements begin .. end - 1, at least one, that belong to one node. */
typedef struct np_piece {
    size_t begin;
    size_t end;
    void *data;   /* of the first of them */
    size_t bytes; /* of all of them */
    np_node_id node;
} np_piece;

/* Pieces have numbers 0 .. np_array_piece_count() - 1, in ascending order of their elements. */
NP_API size_t np_array_piece_count(const np_array *array);

/* Fills `out` in constant time. False, and *out is left alone, when there is no such piece. */
NP_API bool np_array_piece(const np_array *array, size_t piece, np_piece *out);

/* The piece that has an element, in constant time for cyclic, else by a binary search over the
 * pieces. np_array_piece_count(): there is no such element. */
NP_API size_t np_array_piece_of(const np_array *array, size_t element);

/* The node of an element, or of the element that contains `address`; as fast.
 * NP_NODE_ID_NONE: there is no such element. */
NP_API np_node_id np_array_node_of(const np_array *array, size_t element);
NP_API np_node_id np_array_node_of_address(const np_array *array, const void *address);

/* How many elements belong to a node; 0 for nodes over which it is not distributed. */
NP_API size_t np_array_node_elements(const np_array *array, np_node_id node);

/*
 * Where the pages are, by the kernel's own answer: `home` counts those on the node of their part
 * (on a virtual topology all that are present). It counts ordinary pages, or explicit huge ones.
 * Errors: NP_ERR_INVALID_ARGUMENT; NP_ERR_NOT_SUPPORTED or NP_ERR_NOT_PERMITTED when the kernel
 * refuses the query.
 */
NP_API NP_MUST_USE np_status np_array_audit(const np_array *array, np_region_audit *summary);

/*
 * Distributes the array anew, by options (NULL: every default) as for np_array_create(), of which
 * prefault and huge_pages must be 0: pages that are there move, those that are not will come where
 * they then belong. Contents, address and page size stay. The topology is of the same kind (virtual
 * or not) as at creation and may be a newer one. `result` may be NULL; `moved` counts pages that
 * were not on the node of their new part and are now. Takes about as long as copying those; other
 * threads may read and write elements meanwhile and wait where a page is on its way, but must ask
 * nothing.
 *
 * Soft: the new distribution counts, what could not be had is in the array's enforcement. Strict:
 * every page that is present is on its node, or NP_ERR_HARD_MODE, the old distribution is in force
 * again and the pages have been moved back as far as the kernel would. After any other error
 * nothing has changed. Errors as np_array_create().
 */
NP_API NP_MUST_USE np_status np_array_redistribute(const np_topology *topology, np_array *array,
                                                   const np_array_options *options,
                                                   np_migration *result);

NP_END_DECLS

#endif
