/*
 * os/affinity.c - where a thread may run, and where the calling one runs.
 *
 * The kernel's masks are arrays of unsigned long with the lowest CPU in the lowest bit, which on
 * the supported machines is exactly np_cpu_set, so sets are handed over as they are. A kernel with
 * more possible CPUs than NP_CPU_SET_CAPACITY answers EINVAL to a query.
 */
#include "os/call.h"
#include "os/library.h"
#include "os/os.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "np_cpu_set is the kernel's mask");

int npi_os_thread_affinity_get(uint64_t thread, np_cpu_set *out)
{
    np_cpu_set set = {{0}};
    /* The kernel writes as many bytes as its own mask has; the rest stays empty. */
    int error = npi_os_call(NPI_CALL_GETAFFINITY, SYS_sched_getaffinity, (long)thread,
                            (long)sizeof set.bits, npi_os_pointer(set.bits), 0, 0, 0, NULL);
    if (error == 0)
        *out = set;
    return error;
}

int npi_os_thread_affinity_set(uint64_t thread, const np_cpu_set *cpus)
{
    return npi_os_call(NPI_CALL_SETAFFINITY, SYS_sched_setaffinity, (long)thread,
                       (long)sizeof cpus->bits, npi_os_pointer(cpus->bits), 0, 0, 0, NULL);
}

int npi_os_affinity_get(np_cpu_set *out)
{
    return npi_os_thread_affinity_get(0, out);
}

int npi_os_affinity_set(const np_cpu_set *cpus)
{
    return npi_os_thread_affinity_set(0, cpus);
}

int npi_os_where(int32_t *cpu, np_node_id *node)
{
    unsigned on_cpu = 0;
    unsigned on_node = 0;
    int error = npi_library_getcpu(&on_cpu, &on_node);
    if (error != 0)
        return error;
    if (cpu != NULL)
        *cpu = (int32_t)on_cpu;
    if (node != NULL)
        *node = (np_node_id)on_node;
    return 0;
}
