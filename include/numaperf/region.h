/*
 * numaperf/region.h - placed memory: a mapping whose pages lie on the nodes you name, the
 * enforcement that was achieved, and an audit that asks the kernel where each page really is.
 *
 * Bytes are bytes, sizes are rounded up to whole pages. A region belongs to whoever created it;
 * reading and writing its memory needs no call. No call here may run concurrently with its region's
 * destroy.
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
    NP_MEMORY_LOCAL       /* the node of the thread that first touches a page; no nodes are given */
} np_memory_policy;

/* "bind", "preferred", "interleave", "local"; never NULL. */
NP_API const char *np_memory_policy_name(np_memory_policy policy);

typedef enum np_prefault {
    NP_PREFAULT_NONE = 0, /* pages appear at first touch */
    NP_PREFAULT_TOUCH     /* the creating call writes one byte of each page, so every page exists */
} np_prefault;

typedef enum np_huge_pages {
    NP_HUGE_PAGES_DEFAULT = 0, /* as the system is configured */
    NP_HUGE_PAGES_NEVER,       /* ordinary pages only */
    NP_HUGE_PAGES_TRANSPARENT  /* ask for transparent huge pages; the region is aligned for them */
} np_huge_pages;

typedef struct np_region_options {
    size_t size; /* sizeof(np_region_options); NP_REGION_OPTIONS fills it in */
    np_memory_policy policy;
    np_hard_mode hard_mode;
    np_prefault prefault;
    np_huge_pages huge_pages;
    const np_node_id *nodes; /* borrowed for the call, none twice; NULL with node_count 0: every
                                allowed node with memory (preferred: one is needed; local: none) */
    size_t node_count;
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

/* Unmaps the memory. NULL is accepted. */
NP_API void np_region_destroy(np_region *region);

NP_API void *np_region_data(const np_region *region);
NP_API size_t np_region_size(const np_region *region);      /* bytes usable, whole pages */
NP_API size_t np_region_page_size(const np_region *region); /* the unit of the audit */
NP_API np_memory_policy np_region_policy(const np_region *region);

/* The nodes it was placed on, as given (or chosen). Writes at most `capacity` ids, returns their
 * number. */
NP_API size_t np_region_nodes(const np_region *region, np_node_id *out, size_t capacity);
NP_API np_enforcement np_region_enforcement(const np_region *region);

/* Where the pages are, by the kernel's own answer (move_pages as a query; nothing is moved or
 * faulted in). */
typedef struct np_region_audit {
    uint64_t pages;       /* all pages of the region */
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

/* What became of the pages when memory was migrated; pages = home + stayed + not_present +
 * unknown. */
typedef struct np_migration {
    uint64_t pages;
    uint64_t home;        /* now on one of the new nodes */
    uint64_t moved;       /* on another node than before */
    uint64_t stayed;      /* present, and still not on one of the new nodes */
    uint64_t not_present; /* will come by the new policy */
    uint64_t unknown;     /* the kernel would not say */
} np_migration;

/* The node on which the page of any address lies now. NP_ERR_NOT_FOUND: not present. */
NP_API NP_MUST_USE np_status np_address_node(const void *address, np_node_id *out);

NP_END_DECLS

#endif
