/*
 * os/memory.c - mappings, their advice and their placement, by system calls of their own (libnuma
 * is not used: it fails on machines with memory-less nodes and sets policies for the whole thread).
 *
 * Nothing here keeps state. The numbers of the policy interface are the kernel's ABI; they are
 * written out because older headers lack some of them.
 */
#include "os/call.h"
#include "os/library.h"
#include "os/os.h"

enum {
    KERNEL_MPOL_DEFAULT = 0,
    KERNEL_MPOL_PREFERRED = 1,
    KERNEL_MPOL_BIND = 2,
    KERNEL_MPOL_INTERLEAVE = 3,
    KERNEL_MPOL_LOCAL = 4,
    KERNEL_MPOL_PREFERRED_MANY = 5,
    KERNEL_MPOL_STATIC_NODES = 1 << 15, /* the nodes are physical: never renumber them */
    KERNEL_MPOL_MODE_FLAGS = 7 << 13,
    KERNEL_MPOL_MF_STRICT = 1,
    KERNEL_MPOL_MF_MOVE = 2,
    KERNEL_MPOL_F_ADDR = 2,
    KERNEL_MPOL_F_MEMS_ALLOWED = 4
};

#if !defined(MADV_COLD)
#define MADV_COLD 20
#endif
#if !defined(MADV_POPULATE_WRITE)
#define MADV_POPULATE_WRITE 23
#endif

/* The kernel reads one bit less than it is told. */
#define MASK_BITS ((long)NPI_NODE_SET_CAPACITY + 1)

size_t npi_os_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

size_t npi_os_huge_page_size(void)
{
    char text[32];
    if (npi_os_read_file("/sys/kernel/mm/transparent_hugepage/hpage_pmd_size", text, sizeof text,
                         NULL) != 0)
        return 0;
    size_t bytes = 0;
    for (const char *c = text; *c >= '0' && *c <= '9' && bytes <= SIZE_MAX / 16; c++)
        bytes = bytes * 10 + (size_t)(*c - '0');
    /* Alignments must be powers of two; anything else is not a size we can use. */
    bool usable = bytes > npi_os_page_size() && (bytes & (bytes - 1)) == 0;
    return usable ? bytes : 0;
}

int npi_os_map(size_t bytes, size_t alignment, void **out)
{
    size_t page = npi_os_page_size();
    if (bytes == 0 || bytes % page != 0 || (alignment & (alignment - 1)) != 0)
        return EINVAL;
    /* A mapping begins at a page; for more alignment, map more and give back what is too much. */
    size_t slack = alignment > page ? alignment - page : 0;
    if (bytes > SIZE_MAX - slack)
        return ENOMEM;
    void *mapped = NULL;
    int error = npi_library_mmap(bytes + slack, &mapped);
    if (error == 0) {
        char *begin = mapped;
        size_t before = slack == 0 ? 0 : (alignment - (uintptr_t)begin % alignment) % alignment;
        if (before != 0)
            (void)npi_library_munmap(begin, before);
        if (slack != before)
            (void)npi_library_munmap(begin + before + bytes, slack - before);
        *out = begin + before;
    }
    return error;
}

int npi_os_unmap(void *memory, size_t bytes)
{
    return npi_library_munmap(memory, bytes);
}

int npi_os_advise(void *memory, size_t bytes, npi_os_advice advice)
{
    int kernel_advice = MADV_NORMAL;
    switch (advice) {
    case NPI_OS_ADVICE_HUGE: kernel_advice = MADV_HUGEPAGE; break;
    case NPI_OS_ADVICE_NO_HUGE: kernel_advice = MADV_NOHUGEPAGE; break;
    case NPI_OS_ADVICE_DISCARD: kernel_advice = MADV_DONTNEED; break;
    /* The kernel splits a huge page that is to be cold only in part. */
    case NPI_OS_ADVICE_SPLIT: kernel_advice = MADV_COLD; break;
    case NPI_OS_ADVICE_POPULATE: kernel_advice = MADV_POPULATE_WRITE; break;
    }
    int error;
    do {
        error = npi_library_madvise(memory, bytes, kernel_advice);
    } while (error == EINTR); /* populating is interruptible and resumes where it was */
    return error;
}

/* Raw calls: the sanitizers replace the C library's wrappers by ones that do nothing. */
int npi_os_lock_memory(void *memory, size_t bytes)
{
    return npi_os_call(NPI_CALL_MLOCK, SYS_mlock, npi_os_pointer(memory), (long)bytes, 0, 0, 0, 0,
                       NULL);
}

int npi_os_unlock_memory(void *memory, size_t bytes)
{
    return npi_os_call(NPI_CALL_MUNLOCK, SYS_munlock, npi_os_pointer(memory), (long)bytes, 0, 0, 0,
                       0, NULL);
}

/* --- placement --------------------------------------------------------------------------- */

int npi_os_bind_memory(void *memory, size_t bytes, npi_os_policy policy, const npi_node_set *nodes,
                       bool move)
{
    long mode = KERNEL_MPOL_DEFAULT;
    switch (policy) {
    case NPI_OS_POLICY_DEFAULT: mode = KERNEL_MPOL_DEFAULT; break;
    case NPI_OS_POLICY_BIND: mode = KERNEL_MPOL_BIND; break;
    case NPI_OS_POLICY_PREFERRED: mode = KERNEL_MPOL_PREFERRED; break;
    case NPI_OS_POLICY_INTERLEAVE: mode = KERNEL_MPOL_INTERLEAVE; break;
    case NPI_OS_POLICY_LOCAL: mode = KERNEL_MPOL_LOCAL; break;
    case NPI_OS_POLICY_PREFERRED_MANY: mode = KERNEL_MPOL_PREFERRED_MANY; break;
    case NPI_OS_POLICY_OTHER: return EINVAL;
    }
    bool takes_nodes = mode != KERNEL_MPOL_DEFAULT && mode != KERNEL_MPOL_LOCAL;
    /* Without this flag a later change of the cpuset renumbers the nodes by their rank, and memory
     * bound to node 3 would come from node 5 although node 3 is still there. */
    if (takes_nodes)
        mode |= KERNEL_MPOL_STATIC_NODES;
    return npi_os_call(NPI_CALL_MBIND, SYS_mbind, npi_os_pointer(memory), (long)bytes, mode,
                       takes_nodes ? npi_os_pointer(nodes->bits) : 0, takes_nodes ? MASK_BITS : 0,
                       move ? KERNEL_MPOL_MF_MOVE | KERNEL_MPOL_MF_STRICT : 0, NULL);
}

int npi_os_memory_policy(const void *address, npi_os_policy *policy, npi_node_set *nodes)
{
    int mode = 0;
    npi_node_set found;
    npi_node_set_clear(&found);
    int error = npi_os_call(NPI_CALL_GET_MEMPOLICY, SYS_get_mempolicy, npi_os_pointer(&mode),
                            npi_os_pointer(found.bits), MASK_BITS, npi_os_pointer(address),
                            KERNEL_MPOL_F_ADDR, 0, NULL);
    if (error != 0)
        return error;
    switch (mode & ~KERNEL_MPOL_MODE_FLAGS) {
    case KERNEL_MPOL_DEFAULT: *policy = NPI_OS_POLICY_DEFAULT; break;
    case KERNEL_MPOL_BIND: *policy = NPI_OS_POLICY_BIND; break;
    case KERNEL_MPOL_PREFERRED:
        /* Kernels before 5.14 say "preferred, no node" when they mean local. */
        *policy = npi_node_set_count(&found) == 0 ? NPI_OS_POLICY_LOCAL : NPI_OS_POLICY_PREFERRED;
        break;
    case KERNEL_MPOL_INTERLEAVE: *policy = NPI_OS_POLICY_INTERLEAVE; break;
    case KERNEL_MPOL_LOCAL: *policy = NPI_OS_POLICY_LOCAL; break;
    case KERNEL_MPOL_PREFERRED_MANY: *policy = NPI_OS_POLICY_PREFERRED_MANY; break;
    default: *policy = NPI_OS_POLICY_OTHER; break;
    }
    *nodes = found;
    return 0;
}

int npi_os_page_nodes(void *const *pages, size_t count, int *status)
{
    return npi_os_call(NPI_CALL_MOVE_PAGES, SYS_move_pages, 0, (long)count, npi_os_pointer(pages),
                       0, npi_os_pointer(status), 0, NULL);
}

int npi_os_allowed_nodes(npi_node_set *out)
{
    npi_node_set found;
    npi_node_set_clear(&found);
    int error = npi_os_call(NPI_CALL_GET_MEMPOLICY, SYS_get_mempolicy, 0,
                            npi_os_pointer(found.bits), MASK_BITS, 0, KERNEL_MPOL_F_MEMS_ALLOWED, 0,
                            NULL);
    if (error == 0)
        *out = found;
    return error;
}
