/*
 * memory/place.h - the steps by which a mapping is placed. Private to src/memory.
 *
 * Regions and partitioned arrays are placed in the same way: look at free memory, set policies,
 * read them back, advise on huge pages, populate, look at the pages. Which policy goes where is the
 * owner's business; here is what each step asks of the kernel and how it falls short: strict mode
 * ends the whole with the one failure detail, soft mode lowers what was reached, sends one warning
 * and goes on.
 *
 * A place is one thread's, for the time of one call.
 */
#ifndef NPI_MEMORY_PLACE_H
#define NPI_MEMORY_PLACE_H

#include <numaperf/region.h>

#include "base/text.h"
#include "os/os.h"

typedef struct npi_place {
    char *data;        /* the mapping */
    size_t bytes;      /* whole pages */
    size_t page_bytes; /* of the ordinary page */
    bool by_reading;   /* pages are made present by reading: those of a file */
    np_hard_mode hard_mode;
    unsigned shortfalls;    /* how often a step fell short */
    np_enforcement reached; /* by all steps so far: the weakest, with the reason that came first */
    char name[192]; /* "region of 8192 bytes, bind to nodes 0, 2", for details and diagnostics */
} npi_place;

/* NP_ERR_HARD_MODE with the detail set, or NP_OK after lowering `reached`. `call` may be NULL when
 * `error` is 0. */
np_status npi_place_fall_short(npi_place *self, np_enforcement_level level, np_reason reason,
                               int error, const char *call, const char *what);

/* What an errno of mbind or madvise means for the one who asked. */
np_reason npi_place_reason(int error);

/* " node 0" or " nodes 0, 2", for the name; nothing without nodes. */
void npi_place_add_nodes(npi_text *text, const np_node_id *nodes, size_t count);

/* --- steps: NP_OK, or in strict mode NP_ERR_HARD_MODE ------------------------------------- */

/*
 * A bound page that finds its nodes full makes the kernel kill a process, so look before binding
 * `bytes` to them. *fits is false where soft mode had better prefer the nodes than insist on them.
 * Nothing reserves the memory: whoever is faster may still take it.
 */
np_status npi_place_look(npi_place *self, const np_node_id *nodes, size_t count, uint64_t bytes,
                         bool *fits);

/* The kernel drops nodes that the cpuset does not allow without a word, as long as one remains. */
np_status npi_place_check_allowed(npi_place *self, const np_node_id *nodes, size_t count);

/* This policy is in force on a range that was given it in one call: at its first and its last page.
 */
np_status npi_place_read_back(npi_place *self, const char *begin, size_t bytes,
                              npi_os_policy policy, const npi_node_set *nodes);

np_status npi_place_advise(npi_place *self, np_huge_pages huge_pages);
np_status npi_place_populate(npi_place *self, np_prefault prefault);
/* Locks all of it in memory, which populates what is not there yet. */
np_status npi_place_lock(npi_place *self);

/* Makes every page present, as far as `prefault` lets it, and changes no byte. 0 or errno; EINVAL,
 * ENOSYS, EPERM: only touching would help, and `prefault` does not want that. */
int npi_pages_populate(char *data, size_t bytes, size_t page_bytes, bool by_reading,
                       np_prefault prefault);

/* An audit after populating: every page is at home. */
np_status npi_place_prove(npi_place *self, const np_region_audit *audit);

/* --- explicit huge pages (region_huge.c) --------------------------------------------------- */

/* Of what size they are asked for; 0: not at all. */
size_t npi_huge_page_bytes(np_huge_pages huge_pages);

/* Falls short because a mapping of them cannot be had or filled, and says what the pools of these
 * nodes have (count 0: the whole machine's). Earlier steps are forgotten: another mapping comes. */
np_status npi_huge_fall_short(npi_place *place, int error, const char *call,
                              const np_node_id *nodes, size_t count);

/* --- what is asked for, and what is there afterwards --------------------------------------- */

/* NP_OK if all of them are nodes with memory and none is there twice; else the detail says which of
 * `option` ("np_region_options.nodes") is wrong. */
np_status npi_memory_nodes_check(const np_topology *topology, const char *option,
                                 const np_node_id *nodes, size_t count);

/* Every node on which this process may have memory; returns their number. `out` has room for all
 * nodes of the topology. */
size_t npi_memory_nodes(const np_topology *topology, np_node_id *out);

/*
 * How many bytes a mapping bound to `node` can still get, as a careful estimate: free pages, half
 * of what the kernel can drop at once, less its own reserve. False if the kernel does not say. Sets
 * no failure detail.
 */
bool npi_node_memory_available(np_node_id node, uint64_t *bytes);

/* Whether the system makes transparent huge pages of memory with this advice. */
bool npi_transparent_huge_pages(np_huge_pages huge_pages);

/* Whether page number `page` belongs on `node`. */
typedef bool (*npi_home_fn)(const void *owner, size_t page, np_node_id node);

/*
 * Asks the kernel where each page of a mapping is, counts them into `summary` and writes the nodes
 * of the first `capacity` to `page_nodes` (may be NULL). 0 or errno; `summary` is written only on
 * success. Sets no failure detail.
 */
int npi_pages_audit(const char *data, size_t pages, size_t page_bytes, npi_home_fn is_home,
                    const void *owner, np_region_audit *summary, np_node_id *page_nodes,
                    size_t capacity);

/* The status and the detail for an errno of that query. */
np_status npi_pages_query_failed(int error, const char *what, const void *address);

#endif
