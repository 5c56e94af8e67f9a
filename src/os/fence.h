/*
 * os/fence.h - the two halves of an asymmetric store-load fence.
 *
 * Two threads each write one thing and then look at the other's. At least one of them must see the
 * other, which needs a sequentially consistent fence between the write and the look on both sides:
 *
 *      here, all the time              there, once in a while
 *      ------------------              ----------------------
 *      writes A                        writes B
 *      FENCE (light)                   FENCE (heavy)
 *      looks at B                      looks at A
 *
 * A processor's fence waits until the write has left the store buffer, a cache miss if another core
 * has looked at A. Where the kernel can make every running thread of the process execute a fence
 * (membarrier, private expedited, Linux 4.14), the rare side pays for both: light keeps only the
 * compiler from moving anything across, heavy calls the kernel. The call falls somewhere into the
 * other thread's instructions. If before its look at B, the look sees what was written before the
 * call; if after that look, its write to A came still earlier, and the look after the call sees it.
 *
 * A light fence pairs only with heavy ones, and heavy ones with fences of all three kinds.
 *
 * Until npi_os_fences_prepare() has succeeded, after the kernel has refused (too old, or a filter),
 * under ThreadSanitizer, which understands neither, and in a model that does not bring its own,
 * both are ordinary sequentially consistent fences.
 */
#ifndef NPI_OS_FENCE_H
#define NPI_OS_FENCE_H

#include "base/atomic.h"

#if defined(NPI_MODEL_FENCES) /* the model's atomics define both */

static inline void npi_os_fences_prepare(void) {}

#elif defined(NPI_TSAN) || defined(NP_ATOMIC_MODEL)

static inline void npi_os_fences_prepare(void) {}
#define npi_fence_light() npi_fence_seq_cst()
#define npi_fence_heavy() npi_fence_seq_cst()

#else

/* FULL: the kernel has not been asked; REFUSED: it is not asked again, so that light fences never
 * change their mind. */
enum { NPI_FENCES_FULL = 0, NPI_FENCES_LEAVING, NPI_FENCES_ASYMMETRIC, NPI_FENCES_REFUSED };

/* Written by fence.c: FULL to REFUSED, or to ASYMMETRIC and later perhaps to LEAVING and REFUSED.
 */
extern np_atomic(uint32_t) npi_fences __attribute__((visibility("hidden")));

/*
 * Before the threads that will use the fences exist, or learn of what they protect. Cheap when
 * repeated.
 */
void npi_os_fences_prepare(void);

static inline void npi_fence_light(void)
{
    /* Relaxed: set before the other side exists (prepare). Who misses that it was taken back is
     * waited for (fence.c). */
    if (__builtin_expect(npi_load_relaxed(&npi_fences) == NPI_FENCES_ASYMMETRIC, 1))
        npi_fence_compiler();
    else
        npi_fence_seq_cst();
}

/* A system call; several microseconds when other threads of the process are running. */
void npi_fence_heavy(void);

#endif
#endif
