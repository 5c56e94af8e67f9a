/*
 * os/futex.c - sleeping on a word and waking its sleepers.
 *
 * All futexes are private to the process. Deadlines are absolute and monotonic, so that a wait that
 * is interrupted and repeated does not grow.
 */
#include <linux/futex.h>
#include <time.h>

#include "base/assert.h"
#include "os/call.h"
#include "os/os.h"

int npi_os_futex_wait(np_atomic(uint32_t) *word, uint32_t expected, uint64_t deadline)
{
    struct timespec until;
    struct timespec *limit = NULL;
    npi_call call = NPI_CALL_FUTEX_WAIT;
    if (deadline != NPI_NO_DEADLINE) {
        until.tv_sec = (time_t)(deadline / UINT64_C(1000000000));
        until.tv_nsec = (long)(deadline % UINT64_C(1000000000));
        limit = &until;
        call = NPI_CALL_FUTEX_WAIT_UNTIL;
    }
    /* The bitset form takes an absolute deadline; the plain form a relative one. */
    int error = npi_os_call(call, SYS_futex, npi_os_pointer(word),
                            FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, (long)expected,
                            npi_os_pointer(limit), 0, FUTEX_BITSET_MATCH_ANY, NULL);
    if (error == ETIMEDOUT)
        return ETIMEDOUT;
    /* Anything else than these means that `word` is not memory of ours. Going on would turn every
     * sleep of the process into a spin. */
    NPI_INVARIANT(error == 0 || error == EAGAIN || error == EINTR);
    return 0;
}

void npi_os_futex_wake(np_atomic(uint32_t) *word, uint32_t count)
{
    long most = count > INT32_MAX ? (long)INT32_MAX : (long)count;
    (void)npi_os_call(NPI_CALL_FUTEX_WAKE, SYS_futex, npi_os_pointer(word),
                      FUTEX_WAKE | FUTEX_PRIVATE_FLAG, most, 0, 0, 0, NULL);
}
