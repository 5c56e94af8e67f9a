/*
 * os/fence.c - the heavy half of os/fence.h, and whether there is one.
 */
#include "os/fence.h"

#if !defined(NPI_TSAN)

#include <linux/membarrier.h>

#include "os/call.h"
#include "os/os.h"

np_atomic(uint32_t) npi_fences;

static int membarrier(int command)
{
    return npi_os_call(NPI_CALL_MEMBARRIER, SYS_membarrier, command, 0, 0, 0, 0, 0, NULL);
}

void npi_os_fences_prepare(void)
{
    /* Relaxed: whoever needs the answer comes after this call. */
    if (npi_load_relaxed(&npi_fences) != NPI_FENCES_FULL)
        return;
    if (membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0)
        npi_store_relaxed(&npi_fences, (uint32_t)NPI_FENCES_ASYMMETRIC);
    else
        npi_store_relaxed(&npi_fences, (uint32_t)NPI_FENCES_REFUSED);
}

/* No store stays in a store buffer so long: interrupts and switches of threads empty it. */
#define DRAIN_NS 10000000u

/*
 * The kernel took back what it had promised: a filter was installed later, or this process was
 * forked. From now on light fences are real ones. Those that were not, because their thread read
 * the old state, may have let a look pass a write that is still in a store buffer; there is no way
 * to empty it from here, so it is given time to empty itself.
 */
static void leave_asymmetric(void)
{
    npi_store_relaxed(&npi_fences, (uint32_t)NPI_FENCES_LEAVING);
    npi_fence_seq_cst();
    np_atomic(uint32_t) nobody = 0;
    uint64_t end = npi_os_deadline(DRAIN_NS);
    while (npi_os_now() < end)
        (void)npi_os_futex_wait(&nobody, 0, end);
    npi_store_relaxed(&npi_fences, (uint32_t)NPI_FENCES_REFUSED);
    npi_fence_seq_cst();
}

void npi_fence_heavy(void)
{
    uint32_t state = npi_load_relaxed(&npi_fences);
    if (state == NPI_FENCES_FULL || state == NPI_FENCES_REFUSED)
        npi_fence_seq_cst();
    else if (membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED) != 0)
        leave_asymmetric();
}

#endif
