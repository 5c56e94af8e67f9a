/*
 * os/policy.c - where pages go, and where they are, by system calls of their own (libnuma is not
 * used: it fails on machines with memory-less nodes and sets policies for the whole thread).
 *
 * Nothing here keeps state. The numbers of the policy interface are the kernel's ABI; they are
 * written out because older headers lack some of them.
 */
#include "os/call.h"
#include "os/os.h"

enum {
    KERNEL_MPOL_DEFAULT = 0,
    KERNEL_MPOL_PREFERRED = 1,
    KERNEL_MPOL_BIND = 2,
    KERNEL_MPOL_INTERLEAVE = 3,
    KERNEL_MPOL_LOCAL = 4,
    KERNEL_MPOL_PREFERRED_MANY = 5,
    KERNEL_MPOL_WEIGHTED_INTERLEAVE = 6,
    KERNEL_MPOL_STATIC_NODES = 1 << 15, /* the nodes are physical: never renumber them */
    KERNEL_MPOL_MODE_FLAGS = 7 << 13,
    KERNEL_MPOL_MF_STRICT = 1,
    KERNEL_MPOL_MF_MOVE = 2,
    KERNEL_MPOL_F_ADDR = 2,
    KERNEL_MPOL_F_MEMS_ALLOWED = 4
};

/* The kernel reads one bit less than it is told. */
#define MASK_BITS ((long)NPI_NODE_SET_CAPACITY + 1)

enum { MOVE_ATTEMPTS = 4 };

/* The kernel's number of a policy, with the flags that we want; -1 if it has none. */
static long kernel_mode(npi_os_policy policy)
{
    /* Without this flag a later change of the cpuset renumbers the nodes by their rank, and memory
     * bound to node 3 would come from node 5 although node 3 is still there. */
    const long nodes = KERNEL_MPOL_STATIC_NODES;
    switch (policy) {
    case NPI_OS_POLICY_DEFAULT: return KERNEL_MPOL_DEFAULT;
    case NPI_OS_POLICY_BIND: return KERNEL_MPOL_BIND | nodes;
    case NPI_OS_POLICY_PREFERRED: return KERNEL_MPOL_PREFERRED | nodes;
    case NPI_OS_POLICY_INTERLEAVE: return KERNEL_MPOL_INTERLEAVE | nodes;
    case NPI_OS_POLICY_LOCAL: return KERNEL_MPOL_LOCAL;
    case NPI_OS_POLICY_PREFERRED_MANY: return KERNEL_MPOL_PREFERRED_MANY | nodes;
    case NPI_OS_POLICY_WEIGHTED_INTERLEAVE: return KERNEL_MPOL_WEIGHTED_INTERLEAVE | nodes;
    case NPI_OS_POLICY_OTHER: break;
    }
    return -1;
}

int npi_os_bind_memory(void *memory, size_t bytes, npi_os_policy policy, const npi_node_set *nodes,
                       bool move)
{
    long mode = kernel_mode(policy);
    if (mode < 0)
        return EINVAL;
    bool takes_nodes = (mode & KERNEL_MPOL_STATIC_NODES) != 0;
    const long flags = move ? KERNEL_MPOL_MF_MOVE | KERNEL_MPOL_MF_STRICT : 0;
    int error = EIO;
    /* A page that the kernel holds for a moment (it writes it back, compacts, is preempted with it)
     * does not move; the next call, which waits for every CPU to let go, mostly moves it. */
    for (int attempt = 0; error == EIO && attempt < (move ? MOVE_ATTEMPTS : 1); attempt++)
        error = npi_os_call(NPI_CALL_MBIND, SYS_mbind, npi_os_pointer(memory), (long)bytes, mode,
                            takes_nodes ? npi_os_pointer(nodes->bits) : 0,
                            takes_nodes ? MASK_BITS : 0, flags, NULL);
    return error;
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
    case KERNEL_MPOL_WEIGHTED_INTERLEAVE: *policy = NPI_OS_POLICY_WEIGHTED_INTERLEAVE; break;
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

int npi_os_move_pages(void *const *pages, size_t count, const int *nodes, int *status)
{
    return npi_os_call(NPI_CALL_MOVE_PAGES, SYS_move_pages, 0, (long)count, npi_os_pointer(pages),
                       npi_os_pointer(nodes), npi_os_pointer(status), KERNEL_MPOL_MF_MOVE, NULL);
}

/* --- the calling thread ------------------------------------------------------------------ */

static int set_thread_policy(long mode, const npi_node_set *nodes)
{
    bool takes_nodes = npi_node_set_count(nodes) != 0;
    return npi_os_call(NPI_CALL_SET_MEMPOLICY, SYS_set_mempolicy, mode,
                       takes_nodes ? npi_os_pointer(nodes->bits) : 0, takes_nodes ? MASK_BITS : 0,
                       0, 0, 0, NULL);
}

int npi_os_thread_policy_set(npi_os_policy policy, const npi_node_set *nodes,
                             npi_os_thread_policy *before)
{
    npi_node_set none;
    npi_node_set_clear(&none);
    before->nodes = none;
    before->mode = 0;
    int error = npi_os_call(NPI_CALL_GET_MEMPOLICY, SYS_get_mempolicy,
                            npi_os_pointer(&before->mode), npi_os_pointer(before->nodes.bits),
                            MASK_BITS, 0, 0, 0, NULL);
    long mode = kernel_mode(policy);
    if (error == 0 && mode < 0)
        error = EINVAL;
    if (error == 0)
        error = set_thread_policy(mode, (mode & KERNEL_MPOL_STATIC_NODES) != 0 ? nodes : &none);
    return error;
}

int npi_os_thread_policy_restore(const npi_os_thread_policy *before)
{
    return set_thread_policy(before->mode, &before->nodes);
}
