/*
 * base/tls.h - everything the library keeps per thread, in one struct
 * and one pointer.
 *
 * Declared here, supplied by the system layer (src/os), because a simulated machine whose fibres
 * share one real thread must be able to supply one per fibre. Owned by its thread; never shared.
 */
#ifndef NPI_BASE_TLS_H
#define NPI_BASE_TLS_H

#include <stdbool.h>
#include <stdint.h>

#define NPI_DETAIL_CAPACITY 512

struct np_worker;
struct np_affinity_scope;
struct np_group;

typedef struct npi_tls {
    struct np_affinity_scope *scope; /* innermost open affinity scope */
    uint32_t ordinal;                /* 1, 2, ... in order of first use; 0: not given yet */
    bool in_place;                   /* runs a task in its own submit: executor/submit.c */
    struct np_group *in_place_group; /* that task's, or NULL */
    int last_errno;
    char detail[NPI_DETAIL_CAPACITY];
} npi_tls;

/* The calling thread's. Never NULL, zeroed at first use. */
npi_tls *npi_tls_self(void);

/*
 * The worker that the calling thread is, NULL elsewhere; set while it runs a worker's loop. Apart
 * from the rest, because every fork asks: it is reached without a call, at a constant distance from
 * the thread's pointer. The price: all of the library's thread-local memory, half a KiB with
 * npi_tls, lies in the static block, of which the C library keeps about 1.5 KiB for libraries that
 * are loaded by dlopen().
 */
extern _Thread_local struct np_worker *npi_tls_worker
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* The calling thread's ordinal, given at first use. Names a submit lane. */
uint32_t npi_tls_ordinal(void);

#endif
