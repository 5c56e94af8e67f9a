/*
 * topology/probe_memory.c - probes that place memory: a page or two of our own is mapped, bound,
 * touched, asked after, and unmapped again.
 */
#include <errno.h>
#include <string.h>

#include "os/os.h"
#include "topology/capability.h"

void npi_probe_add_error(npi_text *detail, const char *call, int error)
{
    char buffer[64];
    /* The GNU form: returns the text, which need not be in the buffer. */
    npi_text_add(detail, "%s: %s (errno %d)", call, strerror_r(error, buffer, sizeof buffer),
                 error);
}

/* The n-th node (from 0) that has memory we may use; NP_NODE_ID_NONE if there are fewer. */
static np_node_id memory_node(const np_topology *machine, uint32_t n)
{
    for (uint32_t i = 0; i < machine->node_count; i++) {
        const np_node_info *node = &machine->nodes[i];
        if (node->memory_allowed && node->memory_bytes > 0 && n-- == 0)
            return node->id;
    }
    return NP_NODE_ID_NONE;
}

static int bind_to(void *page, np_node_id node, npi_os_policy policy, bool move)
{
    npi_node_set nodes;
    npi_node_set_clear(&nodes);
    if (!npi_node_set_add(&nodes, node))
        return EINVAL;
    return npi_os_bind_memory(page, npi_os_page_size(), policy, &nodes, move);
}

/* Where a touched page lies: a node, or a negative errno. */
static int locate(void *page)
{
    int place = 0;
    int error = npi_os_page_nodes(&page, 1, &place);
    return error != 0 ? -error : place;
}

/* A page of our own for the time of a probe; NULL, with the reason in the detail, if there is none.
 */
static volatile char *map_page(npi_text *detail)
{
    void *page = NULL;
    int error = npi_os_map(npi_os_page_size(), 0, &page);
    if (error == 0)
        return page;
    npi_probe_add_error(detail, "mmap", error);
    return NULL;
}

static void unmap_page(volatile char *page)
{
    (void)npi_os_unmap((void *)(uintptr_t)page, npi_os_page_size());
}

static void *address(volatile char *page)
{
    return (void *)(uintptr_t)page;
}

bool npi_probe_memory_binding(const np_topology *machine, npi_text *detail)
{
    np_node_id node = memory_node(machine, 0);
    volatile char *page = map_page(detail);
    if (page == NULL)
        return false;
    int error = bind_to(address(page), node, NPI_OS_POLICY_BIND, false);
    unmap_page(page);
    if (error != 0)
        npi_probe_add_error(detail, "mbind", error);
    else
        npi_text_add(detail, "mbind accepted for node %d, no privilege needed", node);
    return error == 0;
}

/* Binds, touches, and asks the kernel where the page lies. */
bool npi_probe_strict_binding(const np_topology *machine, npi_text *detail)
{
    np_node_id node = memory_node(machine, 0);
    volatile char *page = map_page(detail);
    if (page == NULL)
        return false;
    int place = NP_NODE_ID_NONE;
    int error = bind_to(address(page), node, NPI_OS_POLICY_BIND, false);
    if (error != 0) {
        npi_probe_add_error(detail, "mbind", error);
    } else {
        page[0] = 1;
        place = locate(address(page));
        if (place < 0)
            npi_probe_add_error(detail, "move_pages", -place);
        else
            npi_text_add(detail, "a page bound to node %d lies on node %d", node, place);
    }
    unmap_page(page);
    return error == 0 && place == node;
}

bool npi_probe_preferred_many(const np_topology *machine, npi_text *detail)
{
    volatile char *page = map_page(detail);
    if (page == NULL)
        return false;
    int error = bind_to(address(page), memory_node(machine, 0), NPI_OS_POLICY_PREFERRED_MANY,
                        false);
    unmap_page(page);
    if (error == EINVAL)
        npi_text_add(detail, "MPOL_PREFERRED_MANY is unknown to this kernel");
    else if (error != 0)
        npi_probe_add_error(detail, "mbind", error);
    else
        npi_text_add(detail, "MPOL_PREFERRED_MANY accepted");
    return error == 0;
}

bool npi_probe_page_query(const np_topology *machine, npi_text *detail)
{
    (void)machine;
    volatile char *page = map_page(detail);
    if (page == NULL)
        return false;
    page[0] = 1;
    int place = locate(address(page));
    unmap_page(page);
    if (place < 0)
        npi_probe_add_error(detail, "move_pages", -place);
    else
        npi_text_add(detail, "move_pages says that a fresh page lies on node %d", place);
    return place >= 0;
}

/* Moves a page to another node; with one node the call can only be seen to be accepted. */
bool npi_probe_page_migration(const np_topology *machine, npi_text *detail)
{
    np_node_id from = memory_node(machine, 0);
    np_node_id to = memory_node(machine, 1);
    bool alone = to == NP_NODE_ID_NONE;
    volatile char *page = map_page(detail);
    if (page == NULL)
        return false;
    const char *call = "mbind";
    int place = NP_NODE_ID_NONE;
    int error = bind_to(address(page), from, NPI_OS_POLICY_BIND, false);
    page[0] = 1;
    if (error == 0)
        error = bind_to(address(page), alone ? from : to, NPI_OS_POLICY_BIND, true);
    if (error == 0) {
        place = locate(address(page));
        call = "move_pages";
        error = place < 0 ? -place : 0;
    }
    unmap_page(page);
    if (error != 0)
        npi_probe_add_error(detail, call, error);
    else if (alone)
        npi_text_add(detail, "accepted; there is only node %d to move to", from);
    else
        npi_text_add(detail, "a page of node %d was moved towards node %d and lies on node %d",
                     from, to, place);
    return error == 0 && (alone || place == to);
}

bool npi_probe_locked_memory(const np_topology *machine, npi_text *detail)
{
    (void)machine;
    uint64_t limit = 0;
    bool privileged = npi_os_has_capability(NPI_CAP_IPC_LOCK);
    int error = npi_os_locked_memory_limit(&limit);
    if (error != 0) {
        npi_probe_add_error(detail, "getrlimit", error);
        return privileged;
    }
    npi_text_add(detail, "RLIMIT_MEMLOCK ");
    if (limit == UINT64_MAX)
        npi_text_add(detail, "unlimited");
    else
        npi_text_add_bytes(detail, limit);
    npi_text_add(detail, privileged ? ", CAP_IPC_LOCK held (no limit)" : ", no CAP_IPC_LOCK");
    if (!privileged && limit < NPI_LOCKED_MEMORY_USEFUL)
        npi_text_add(detail, "; less than 64 MiB is too little for working data");
    return privileged || limit >= NPI_LOCKED_MEMORY_USEFUL;
}
