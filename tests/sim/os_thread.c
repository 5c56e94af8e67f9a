/*
 * os_thread.c - threads, thread-local state, numbers and the process, for the simulated machine. A
 * thread of the library is a fibre; what the real variables of os/tls.c and os/number.c hold is
 * changed at every switch (machine.c).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "os/number.h"
#include "sim_internal.h"

_Thread_local struct np_worker *npi_tls_worker;
_Thread_local uint32_t npi_number_self;

static npi_tls outside; /* of the real thread, between runs */

npi_tls *npi_tls_self(void)
{
    return npt_sim.running ? &npt_sim.self->tls : &outside;
}

uint32_t npi_tls_ordinal(void)
{
    npi_tls *self = npi_tls_self();
    if (self->ordinal == 0)
        self->ordinal = ++npt_sim.ordinals;
    return self->ordinal;
}

/* --- numbers: the lowest free one, shared ones when all are taken ------------------------------
 */

uint32_t npi_number_give(void)
{
    npt_machine *m = &npt_sim;
    npt_point(6);
    const uint64_t all = (UINT64_C(1) << NPI_NUMBERS_OWN) - 1;
    uint32_t number;
    if (m->numbers_taken != all) {
        number = (uint32_t)__builtin_ctzll(~m->numbers_taken);
        m->numbers_taken |= UINT64_C(1) << number;
    } else {
        number = NPI_NUMBERS_OWN + m->sharers++ % (NPI_NUMBERS - NPI_NUMBERS_OWN);
    }
    npi_number_self = number + 1;
    return npi_number_self;
}

void npt_numbers_end(npt_fibre *fibre)
{
    (void)fibre;
    uint32_t own = npi_number_self;
    npi_number_self = 0;
    if (own != 0 && own <= NPI_NUMBERS_OWN)
        npt_sim.numbers_taken &= ~(UINT64_C(1) << (own - 1));
}

/* --- threads -----------------------------------------------------------------------------------
 */

#define STACK_BYTES ((size_t)128 * 1024)
#define STACK_LEAST ((size_t)16 * 1024)

static void thread_main(void *argument)
{
    npi_os_thread *thread = argument;
    thread->fn(thread->argument);
}

int npi_os_thread_start(npi_os_thread *thread, size_t stack_bytes, npi_os_thread_fn fn,
                        void *argument)
{
    npt_machine *m = &npt_sim;
    if (stack_bytes != 0 && stack_bytes < npi_os_thread_stack_least())
        return EINVAL;
    npt_call(5000);
    if (npt_fault_happens(NPT_THREAD))
        return EAGAIN;
    size_t stack = m->config->stack_bytes != 0 ? m->config->stack_bytes : STACK_BYTES;
    if (stack_bytes > stack)
        stack = (stack_bytes + 4095) / 4096 * 4096;
    thread->fn = fn;
    thread->argument = argument;
    char name[16];
    snprintf(name, sizeof name, "thread %u", m->count);
    npt_fibre *fibre = npt_fibre_start(name, thread_main, thread, stack);
    fibre->cpus = m->self->cpus; /* inherited */
    npt_place_migrate(fibre);
    thread->handle = fibre->id;
    npt_event("starts thread #", fibre->id, 0, 0);
    if (npt_fault_happens(NPT_LATE_THREAD))
        npt_timer(fibre, npt_beat.now + (UINT64_C(1) << npt_below(&m->fault_random, 20)), 0);
    else
        npt_ready(fibre, npt_beat.now + 10000);
    return 0;
}

int npi_os_thread_join(npi_os_thread *thread)
{
    npt_machine *m = &npt_sim;
    npt_call(500);
    npt_fibre *fibre = m->fibres[thread->handle];
    if (fibre->state != NPT_DONE) {
        fibre->joined_by = m->self;
        npt_wait(NPT_JOINING, NPI_NO_DEADLINE);
    }
    return 0;
}

int npi_os_thread_set_name(const char *name)
{
    npt_fibre *self = npt_sim.self;
    snprintf(self->name, sizeof self->name, "%s", name);
    return 0;
}

uint64_t npi_os_thread_id(void)
{
    return 1000u + npt_sim.self->id;
}

void npi_os_thread_stack(uintptr_t *end, size_t *bytes)
{
    const npt_stack *stack = npt_sim.self->context.stack;
    *end = (uintptr_t)stack->base;
    *bytes = stack->bytes;
}

size_t npi_os_thread_stack_least(void)
{
    return STACK_LEAST;
}

/* --- the process -------------------------------------------------------------------------------
 */

uint32_t npi_os_process_generation(void)
{
    return 1;
}

/* The simulated process is never forked. */
void npi_os_at_fork(void (*in_child)(void))
{
    (void)in_child;
}

int npi_os_locked_memory_limit(uint64_t *bytes)
{
    *bytes = UINT64_MAX;
    return 0;
}

bool npi_os_has_capability(int capability)
{
    (void)capability;
    return false;
}
