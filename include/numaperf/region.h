/*
 * numaperf/region.h - placed memory: a mapping whose pages lie on the nodes you name, the
 * enforcement that was achieved, and an audit that asks the kernel where each page really is.
 *
 * Bytes are bytes, sizes are rounded up to whole pages. A region belongs to whoever created it;
 * reading and writing its memory needs no call. Questions may be asked from any thread at the same
 * time. What changes a region (destroy, resize, migrate) excludes every other call on it.
 */
#ifndef NUMAPERF_REGION_H
#define NUMAPERF_REGION_H

#include <numaperf/topology.h>

NP_BEGIN_DECLS

typedef struct np_region np_region;

typedef enum np_memory_policy {
    NP_MEMORY_BIND = 0,   /* only the given nodes; the allocation fails rather than go elsewhere */
    NP_MEMORY_PREFERRED,  /* the first given node, others when it is full */
    NP_MEMORY_INTERLEAVE, /* pages in turn over the given nodes */
    NP_MEMORY_LOCAL,      /* the node of the thread that first touches a page; no nodes are given */
    /* The given nodes, whichever is nearest to the thread that touches the page; others when all of
     * them are full. Linux 5.15; before, soft prefers the first one (NP_REASON_NOT_SUPPORTED). */
    NP_MEMORY_PREFERRED_MANY,
    /* Pages in turn, by the system's weights (/sys/kernel/mm/mempolicy/weighted_interleave), which
     * stand for bandwidths. Linux 6.9; before, soft interleaves evenly (NP_REASON_NOT_SUPPORTED).
     */
    NP_MEMORY_WEIGHTED_INTERLEAVE
} np_memory_policy;

/* "bind", "preferred", "interleave", "local", "preferred many", "weighted interleave"; never NULL.
 */
NP_API const char *np_memory_policy_name(np_memory_policy policy);

typedef enum np_prefault {
    NP_PREFAULT_NONE = 0, /* pages appear at first touch */
    /* Every page exists when the call returns. The kernel makes them where it can, and then a
     * shortage is an answer; else (before Linux 5.14, or under a filter) each page is touched, and
     * a shortage is whatever the kernel does to those who touch: a kill, or SIGBUS. */
    NP_PREFAULT_TOUCH,
    /* The same by the kernel or not at all: nothing is ever touched. Where it cannot, soft leaves
     * the pages to first touch (NP_REASON_NOT_SUPPORTED), strict fails. */
    NP_PREFAULT_POPULATE
} np_prefault;

typedef enum np_huge_pages {
    NP_HUGE_PAGES_DEFAULT = 0, /* as the system is configured */
    NP_HUGE_PAGES_NEVER,       /* ordinary pages only */
    NP_HUGE_PAGES_TRANSPARENT, /* ask for transparent huge pages; the region is aligned for them */
    /*
     * Pages of exactly this size from the system's pool of them: they are taken when the region is
     * created, whatever `prefault` says, because one that is missing later would be a SIGBUS. When
     * the pool is too small (for bind: on these nodes), soft goes on as if transparent ones had
     * been asked for, with NP_REASON_NO_HUGE_PAGES; strict fails and the detail says what the
     * nodes' pools have. A size that the system does not offer, or a kernel before 5.14:
     * NP_REASON_NOT_SUPPORTED.
     */
    NP_HUGE_PAGES_2M,
    NP_HUGE_PAGES_1G
} np_huge_pages;

/* How the memory of a file is mapped (np_region_create_from_file()). */
typedef enum np_file_access {
    NP_FILE_READ_ONLY = 0, /* the file's own pages; writing to them is a fault */
    NP_FILE_SHARED,        /* the same; what is written goes into the file */
    NP_FILE_PRIVATE        /* pages written, or prefaulted, become this region's own copy */
} np_file_access;

typedef struct np_region_options {
    size_t size; /* sizeof(np_region_options); NP_REGION_OPTIONS fills it in */
    np_memory_policy policy;
    np_hard_mode hard_mode;
    np_prefault prefault;
    np_huge_pages huge_pages;
    const np_node_id *nodes; /* borrowed for the call, none twice; NULL with node_count 0: every
                                allowed node with memory (preferred: one is needed; local: none) */
    size_t node_count;
    /* Locks the pages in memory (mlock), which makes all of them present. Where the limit
     * (RLIMIT_MEMLOCK) or a permission forbids it, soft goes on unlocked. */
    bool lock;
    np_file_access file_access; /* of a region from a file, else 0 */
} np_region_options;

NP_API void np_region_options_init(np_region_options *options);

#ifndef __cplusplus
#define NP_REGION_OPTIONS(...) \
    (&(np_region_options){.size = sizeof(np_region_options), __VA_ARGS__})
#endif

/*
 * Maps `bytes` (> 0) zeroed bytes placed by `options` (NULL: every default).
 *
 * Soft: falls back, says so in np_region_enforcement() and sends a warning to the diagnostic
 * handler. A bind that its nodes cannot hold now becomes a preference for them, because the kernel
 * kills processes whose bound memory runs out. On a virtual topology the memory is ordinary and the
 * reason NP_REASON_VIRTUAL_TOPOLOGY. Strict: the policy is in force, read back from the kernel, on
 * all the nodes that were asked for; bind also wants enough free memory before, and with prefault
 * every page where it belongs after. Anything less fails with NP_ERR_HARD_MODE. Nothing reserves
 * memory of a node: the system may still kill a process that touches more bound memory than the
 * node has left; see docs/hard-mode.md.
 *
 * Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_INVALID_NODE (unknown, or without memory),
 * NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE; the detail names the value, or the nodes, call and errno.
 * Any thread. The policy in force for the calling thread is left as it was.
 */
NP_API NP_MUST_USE np_status np_region_create(const np_topology *topology, size_t bytes,
                                              const np_region_options *options, np_region **out);

/* The common case: bound to one node, soft, prefaulted. */
NP_API NP_MUST_USE np_status np_region_create_on_node(const np_topology *topology, size_t bytes,
                                                      np_node_id node, np_region **out);

/*
 * Maps `bytes` bytes of the regular file at `path`, from `offset` (a multiple of the page size), or
 * with 0 all to its end. `options` as for np_region_create(), without explicit huge pages.
 *
 * The pages of a file belong to the system and not to a mapping: they lie where they came to lie
 * when somebody first read them, and no policy of a mapping changes that. So with prefault (or
 * lock) this call reads them in under the policy, for that time the calling thread's own, and then
 * moves those that were cached elsewhere, which the kernel does unless other processes map them
 * too. The enforcement is what a final audit found: strict if every page is at home; else best
 * effort with NP_REASON_PARTIAL. Without prefault nothing is promised (NP_REASON_NOT_VERIFIED), and
 * strict fails. NP_FILE_PRIVATE differs: what is written, and with prefault all of it, is a copy
 * that is placed like any memory. On a tmpfs the policy stays with the file.
 *
 * The file must not become shorter while it is mapped (SIGBUS). Errors as np_region_create(), and
 * NP_ERR_INVALID_ARGUMENT also for what lies beyond the file's end and for what is no regular file,
 * or is one of a hugetlbfs; NP_ERR_NOT_FOUND, NP_ERR_NOT_PERMITTED, NP_ERR_NOT_SUPPORTED,
 * NP_ERR_SYSTEM: the file cannot be opened or mapped. Reads the file, if it prefaults.
 */
NP_API NP_MUST_USE np_status np_region_create_from_file(const np_topology *topology,
                                                        const char *path, uint64_t offset,
                                                        size_t bytes,
                                                        const np_region_options *options,
                                                        np_region **out);

/* Unmaps the memory. NULL is accepted. */
NP_API void np_region_destroy(np_region *region);

/*
 * Makes the region longer or shorter; `bytes` (> 0) is rounded up to whole pages. What was in it
 * stays, new bytes are zero, placed by the same policy and prefaulted and locked like the region.
 * The memory may move: read np_region_data() again, also after a failure. Explicit huge pages can
 * only be made more by copying, for which the pool must hold old and new at once. Alignment for
 * transparent ones may be lost when the memory moves.
 *
 * Soft and strict as the region was created. Strict that fails leaves size, contents and placement
 * as they were. Errors: NP_ERR_INVALID_ARGUMENT, NP_ERR_NO_MEMORY, NP_ERR_HARD_MODE,
 * NP_ERR_SYSTEM; NP_ERR_NOT_SUPPORTED for a region from a file.
 */
NP_API NP_MUST_USE np_status np_region_resize(np_region *region, size_t bytes);

/* What became of the pages when memory was migrated; pages = home + stayed + not_present +
 * unknown. */
typedef struct np_migration {
    uint64_t pages;
    uint64_t home;        /* now on one of the new nodes; preferred: on the first one */
    uint64_t moved;       /* on another node than before */
    uint64_t stayed;      /* present, and still not on one of the new nodes */
    uint64_t not_present; /* will come by the new policy */
    uint64_t unknown;     /* the kernel would not say */
} np_migration;

/*
 * Gives the region another policy and other nodes (`to`: policy, hard_mode, nodes and node_count;
 * its other fields must be zero) and moves the pages that are there, so that contents and address
 * stay. Interleaving moves pages until they alternate; the local policy moves none. `result` may be
 * NULL. Takes about as long as copying the pages; other threads may read and write them meanwhile
 * and wait where a page is on its way.
 *
 * Soft: the new policy counts, what could not be had is in the region's enforcement, and `result`
 * says how many pages stayed. Strict: every present page is on the new nodes, or NP_ERR_HARD_MODE
 * and the old policy is in force again, with the pages moved back as far as the kernel would;
 * `result` then says how far it had come.
 * `hard_mode` also replaces the region's own. Errors also as np_region_create(), and then nothing
 * has changed.
 */
NP_API NP_MUST_USE np_status np_region_migrate(const np_topology *topology, np_region *region,
                                               const np_region_options *to, np_migration *result);

NP_API void *np_region_data(const np_region *region);
/* Bytes usable: whole pages, or of a file as many as were mapped. */
NP_API size_t np_region_size(const np_region *region);
/* The unit of the audit: the ordinary page, or the explicit huge one where it has those. */
NP_API size_t np_region_page_size(const np_region *region);
NP_API np_memory_policy np_region_policy(const np_region *region);

/* The nodes it was placed on, as given (or chosen). Writes at most `capacity` ids, returns their
 * number. */
NP_API size_t np_region_nodes(const np_region *region, np_node_id *out, size_t capacity);
NP_API np_enforcement np_region_enforcement(const np_region *region);

/* Where the pages are, by the kernel's own answer (move_pages as a query; nothing is moved or
 * faulted in). */
typedef struct np_region_audit {
    uint64_t pages;       /* all pages of the region, or of the sample */
    uint64_t home;        /* on one of the region's nodes (local policy: on any node) */
    uint64_t elsewhere;   /* on another node */
    uint64_t not_present; /* not faulted in yet */
    uint64_t unknown;     /* the kernel would not say */
} np_region_audit;

/*
 * Fills `summary` and, when `page_nodes` is not NULL, the node of each of the first `capacity`
 * pages (NP_NODE_ID_NONE: not present or unknown). Errors: NP_ERR_INVALID_ARGUMENT;
 * NP_ERR_NOT_SUPPORTED or NP_ERR_NOT_PERMITTED when the kernel refuses the query (on a virtual
 * topology the query still tells the real nodes, and `home` counts present pages).
 */
NP_API NP_MUST_USE np_status np_region_audit_pages(const np_region *region,
                                                   np_region_audit *summary, np_node_id *page_nodes,
                                                   size_t capacity);

/*
 * The same for a sample, cheap enough to run in production: the region is divided into `max_pages`
 * (> 0) equal stretches, and one page of each is asked for, drawn at random from `seed` (0: another
 * one at every call), so that no pattern of pages can hide from it. A region with fewer pages is
 * audited whole. Costs a system call per 512 pages of the sample and no allocation. Errors as
 * np_region_audit_pages().
 */
NP_API NP_MUST_USE np_status np_region_audit_sample(const np_region *region, size_t max_pages,
                                                    uint64_t seed, np_region_audit *summary);

/* The node on which the page of any address lies now. NP_ERR_NOT_FOUND: not present. */
NP_API NP_MUST_USE np_status np_address_node(const void *address, np_node_id *out);

NP_END_DECLS

#endif
