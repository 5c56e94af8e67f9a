/*
 * os_memory.c - mappings of the simulated machine: real memory at addresses of our own, and a
 * record of which node each one is placed on.
 *
 * Pages stay when a run ends, since asking the real kernel for them thousands of times in a second
 * costs more than everything else; only those that were touched are set to zero again. What was
 * unmapped is filled: who reads it finds rubbish, and who writes it is found when the run ends.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include "sim_internal.h"

#define PAGE    ((size_t)4096)
#define HUGE    ((size_t)2 * 1024 * 1024)
#define KEPT    ((size_t)1024 * 1024 * 1024) /* pages behind it are not kept, nor checked */
#define FILLED  3
#define FILL    0xdb
#define RESERVE ((size_t)64 * 1024 * 1024 * 1024)

typedef struct mapping {
    char *base;
    size_t bytes;
    bool live;
    npi_os_policy policy;
    npi_node_set nodes;
    bool has_parts; /* with policies of their own */
} mapping;

/* Of a mapping, placed apart from the rest; where they overlap, the newest. */
typedef struct mapping_part {
    const char *base;
    size_t bytes;
    npi_os_policy policy;
    npi_node_set nodes;
} mapping_part;

static char *reserve;
static size_t used, reserved;
static mapping *mappings;
static uint32_t count, room;
static mapping_part *parts;
static uint32_t part_count, part_room;
static unsigned char there[KEPT / PAGE]; /* 0: never touched */

void npt_memory_begin(void)
{
    for (size_t bytes = RESERVE; reserve == NULL; bytes /= 2) { /* as much as the system lets us */
        char *got = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (got == MAP_FAILED && bytes > KEPT / 16)
            continue;
        if (got == MAP_FAILED)
            abort();
        reserve = got;
        reserved = bytes;
    }
    used = 0;
    count = 0;
    part_count = 0;
}

/* Learns which pages are there, unless no page of the whole process has come since the last time.
 */
static void look_at_pages(void)
{
    static long faults = -1;
    struct rusage usage;
    size_t bytes = used < KEPT ? used : KEPT;
    if (getrusage(RUSAGE_SELF, &usage) != 0 || usage.ru_minflt == faults || bytes == 0)
        return;
    if (mincore(reserve, bytes, there) != 0)
        abort();
    (void)getrusage(RUSAGE_SELF, &usage);
    faults = usage.ru_minflt;
}

/* Calls `visit` for each page of a range that is known to be there; false as soon as it says so. */
static bool visit_pages(const char *base, size_t bytes, bool (*visit)(size_t page))
{
    size_t page = (size_t)(base - reserve) / PAGE;
    size_t end = page + bytes / PAGE;
    if (end > KEPT / PAGE)
        end = KEPT / PAGE;
    while (page < end) {
        uint64_t next_eight = 1;
        if (end - page >= sizeof next_eight)
            memcpy(&next_eight, there + page, sizeof next_eight);
        if (next_eight == 0) {
            page += sizeof next_eight;
            continue;
        }
        if (there[page] != 0 && !visit(page))
            return false;
        page++;
    }
    return true;
}

static bool fill_page(size_t page)
{
    memset(reserve + page * PAGE, FILL, PAGE);
    there[page] = FILLED;
    return true;
}

static bool page_is_untouched(size_t page)
{
    static unsigned char filled[PAGE];
    if (filled[0] == 0)
        memset(filled, FILL, sizeof filled);
    return there[page] != FILLED || memcmp(reserve + page * PAGE, filled, sizeof filled) == 0;
}

static bool clear_page(size_t page)
{
    memset(reserve + page * PAGE, 0, PAGE);
    there[page] = 1;
    return true;
}

uint64_t npt_memory_end(bool *spoilt)
{
    uint64_t left = 0;
    for (uint32_t i = 0; i < count; i++)
        left += mappings[i].live;
    *spoilt = !visit_pages(reserve, used, page_is_untouched);
    look_at_pages();
    (void)visit_pages(reserve, used, clear_page);
    if (used > KEPT)
        (void)madvise(reserve + KEPT, used - KEPT, MADV_DONTNEED);
    count = 0;
    part_count = 0;
    used = 0;
    return left;
}

static mapping *mapping_of(const void *address)
{
    const char *at = address;
    for (uint32_t i = count; i-- > 0;)
        if (at >= mappings[i].base && at < mappings[i].base + mappings[i].bytes)
            return mappings[i].live ? &mappings[i] : NULL;
    return NULL;
}

size_t npi_os_page_size(void)
{
    return PAGE;
}

size_t npi_os_huge_page_size(void)
{
    return HUGE;
}

int npi_os_map(size_t bytes, size_t alignment, void **out)
{
    if (bytes == 0 || bytes % PAGE != 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    npt_call(1500);
    if (npt_fault_happens(NPT_MAPPING))
        return ENOMEM;
    if (alignment < PAGE)
        alignment = PAGE;
    size_t at = (used + alignment - 1) / alignment * alignment;
    if (at > reserved || bytes > reserved - at)
        return ENOMEM;
    if (count == room) {
        room = room != 0 ? room * 2 : 64;
        mappings = realloc(mappings, room * sizeof *mappings);
        if (mappings == NULL)
            abort();
    }
    mapping *m = &mappings[count++];
    memset(m, 0, sizeof *m);
    m->base = reserve + at;
    m->bytes = bytes;
    m->live = true;
    used = at + bytes;
    *out = m->base;
    return 0;
}

/* A machine without pools of huge pages, and without files. */
int npi_os_map_huge(size_t bytes, size_t huge_bytes, void **out)
{
    (void)bytes;
    (void)huge_bytes;
    (void)out;
    npt_call(1500);
    return ENOMEM;
}

int npi_os_open_file(const char *path, bool writable, int *file)
{
    (void)path;
    (void)writable;
    (void)file;
    npt_call(1500);
    return ENOENT;
}

int npi_os_file_look(int file, npi_os_file_info *out)
{
    (void)file;
    (void)out;
    return EBADF;
}

int npi_os_map_file(int file, npi_os_file_access access, uint64_t offset, size_t bytes, void **out)
{
    (void)file;
    (void)access;
    (void)offset;
    (void)bytes;
    (void)out;
    return EBADF;
}

void npi_os_close_file(int file)
{
    (void)file;
}

/* Always somewhere else, so that nobody can rely on the old address. */
int npi_os_resize(void *memory, size_t bytes, size_t new_bytes, void **out)
{
    const mapping *m = mapping_of(memory);
    if (m == NULL || m->base != memory || m->bytes != bytes)
        npt_fail("# bytes are resized that are no mapping", bytes, 0, 0);
    npi_os_policy policy = m->policy;
    npi_node_set nodes = m->nodes;
    int error = npi_os_map(new_bytes, 0, out);
    if (error != 0)
        return error;
    memcpy(*out, memory, bytes < new_bytes ? bytes : new_bytes);
    mapping *moved = mapping_of(*out);
    moved->policy = policy;
    moved->nodes = nodes;
    return npi_os_unmap(memory, bytes);
}

int npi_os_unmap(void *memory, size_t bytes)
{
    npt_call(1500);
    mapping *m = mapping_of(memory);
    if (m == NULL || m->base != memory || m->bytes != bytes)
        npt_fail("# bytes are unmapped that are no mapping", bytes, 0, 0);
    m->live = false;
    (void)visit_pages(m->base, bytes, fill_page);
    return 0;
}

int npi_os_advise(void *memory, size_t bytes, npi_os_advice advice)
{
    npt_call(1000);
    if (mapping_of(memory) == NULL)
        return ENOMEM;
    if (advice == NPI_OS_ADVICE_DISCARD) {
        look_at_pages();
        (void)visit_pages(memory, bytes, clear_page);
    }
    return 0;
}

int npi_os_lock_memory(void *memory, size_t bytes)
{
    (void)bytes;
    return mapping_of(memory) != NULL ? 0 : ENOMEM;
}

int npi_os_unlock_memory(void *memory, size_t bytes)
{
    return npi_os_lock_memory(memory, bytes);
}

static mapping_part *add_part(void)
{
    if (part_count == part_room) {
        part_room = part_room != 0 ? part_room * 2 : 64;
        parts = realloc(parts, part_room * sizeof *parts);
        if (parts == NULL)
            abort();
    }
    return &parts[part_count++];
}

static void set_policy(mapping *m, const char *base, size_t bytes, npi_os_policy policy,
                       const npi_node_set *nodes)
{
    if (base == m->base && bytes == m->bytes) {
        m->has_parts = false;
        m->policy = policy;
        m->nodes = *nodes;
        return;
    }
    m->has_parts = true;
    *add_part() = (mapping_part){base, bytes, policy, *nodes};
}

/* The policy in force at an address of the mapping, with its nodes. */
static npi_os_policy policy_at(const mapping *m, const char *address, const npi_node_set **nodes)
{
    for (uint32_t i = part_count; m->has_parts && i-- > 0;)
        if (address >= parts[i].base && address < parts[i].base + parts[i].bytes) {
            *nodes = &parts[i].nodes;
            return parts[i].policy;
        }
    *nodes = &m->nodes;
    return m->policy;
}

int npi_os_bind_memory(void *memory, size_t bytes, npi_os_policy policy, const npi_node_set *nodes,
                       bool move)
{
    static const int errors[] = {EPERM, EINVAL, ENOMEM, EIO};
    (void)move;
    npt_call(1500);
    if (npt_fault_happens(NPT_PLACEMENT))
        return errors[npt_below(&npt_sim.fault_random, 4)];
    mapping *m = mapping_of(memory);
    if (m == NULL)
        return EFAULT;
    npi_node_set allowed;
    (void)npi_os_allowed_nodes(&allowed);
    bool takes = policy != NPI_OS_POLICY_DEFAULT && policy != NPI_OS_POLICY_LOCAL;
    if (policy == NPI_OS_POLICY_OTHER || (takes && !npi_node_set_is_subset(nodes, &allowed)))
        return EINVAL;
    npi_node_set none;
    npi_node_set_clear(&none);
    set_policy(m, memory, bytes, policy, takes ? nodes : &none);
    return 0;
}

int npi_os_memory_policy(const void *address, npi_os_policy *policy, npi_node_set *nodes)
{
    npt_call(300);
    const mapping *m = mapping_of(address);
    if (m == NULL)
        return EFAULT;
    const npi_node_set *found;
    *policy = policy_at(m, address, &found);
    *nodes = *found;
    return 0;
}

/* The first node of the page's policy; the caller's, where there is none. */
static int page_node(const mapping *m, const char *page)
{
    const npi_node_set *nodes;
    (void)policy_at(m, page, &nodes);
    for (np_node_id node = 0; node < (np_node_id)NPI_NODE_SET_CAPACITY; node++)
        if (npi_node_set_contains(nodes, node))
            return (int)node;
    np_node_id here = 0;
    (void)npi_os_where(NULL, &here);
    return (int)here;
}

int npi_os_page_nodes(void *const *pages, size_t page_count, int *status)
{
    npt_call(1000);
    for (size_t i = 0; i < page_count; i++) {
        const mapping *m = mapping_of(pages[i]);
        status[i] = m != NULL ? page_node(m, pages[i]) : -EFAULT;
    }
    return 0;
}

/* Pages have the node of their mapping's policy: nothing moves one by one. */
int npi_os_move_pages(void *const *pages, size_t page_count, const int *nodes, int *status)
{
    (void)nodes;
    return npi_os_page_nodes(pages, page_count, status);
}

int npi_os_thread_policy_set(npi_os_policy policy, const npi_node_set *nodes,
                             npi_os_thread_policy *before)
{
    (void)policy;
    (void)nodes;
    (void)before;
    npt_call(300);
    return 0;
}

int npi_os_thread_policy_restore(const npi_os_thread_policy *before)
{
    (void)before;
    npt_call(300);
    return 0;
}

int npi_os_allowed_nodes(npi_node_set *out)
{
    npi_node_set_clear(out);
    for (uint32_t i = 0; i < npt_sim.node_count; i++)
        (void)npi_node_set_add(out, np_topology_node_id(npt_sim.topology, i));
    return 0;
}
