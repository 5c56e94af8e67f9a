/*
 * tests/fault/inject.c - see inject.h. Called by the library on any of its threads, so that all of
 * this is atomic and calls nothing of the library.
 */
#include "inject.h"

#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

static inject_plan plan; /* written while nobody is asked: armed is zero */
static atomic_uint armed;
static atomic_uint points, fired, variants;
static atomic_int first_call, first_error;
static atomic_uint_fast64_t total_points, total_fired, draws;
static atomic_int_fast64_t blocks, bytes, mapped, threads, files;

static _Thread_local bool inside, exempt;
static _Thread_local uint64_t calls_inside;
/* What this thread was last told to try again: no call is interrupted for ever, and a futex whose
 * word does not change is let sleep, or time out, in the end. */
static _Thread_local npi_call interrupted = NPI_CALL_COUNT;

static bool in_scope(void)
{
    return !exempt && (plan.scope == INJECT_EVERYWHERE || (plan.scope == INJECT_INSIDE) == inside);
}

/* Mixes seed and position (Steele, Lea, Flood: SplitMix, 2014). */
static uint64_t draw(void)
{
    uint64_t z = plan.seed + 0x9e3779b97f4a7c15u * (atomic_fetch_add(&draws, 1) + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* 0: not this one. */
static int chosen(npi_call call, const int *errnos, size_t count)
{
    (void)call;
    uint32_t number = atomic_fetch_add(&points, 1) + 1;
    if (plan.form == INJECT_RANDOM) {
        uint64_t drawn = draw();
        if (drawn % 1000 >= plan.per_thousand)
            return 0;
        return errnos[(drawn >> 32) % count];
    }
    if (plan.form == INJECT_ONCE ? number != plan.k : number < plan.k)
        return 0;
    return errnos[plan.variant % count];
}

static bool is_wait(npi_call call)
{
    return call == NPI_CALL_FUTEX_WAIT || call == NPI_CALL_FUTEX_WAIT_UNTIL;
}

static int ask(npi_call call, uintptr_t first, uintptr_t second)
{
    if (inside)
        calls_inside++;
    if (atomic_load(&armed) == 0 || !in_scope())
        return 0;
    const int *errnos;
    size_t count = inject_errnos(call, &errnos);
    if (count == 0)
        return 0;
    if (plan.memory_only && call != NPI_CALL_ALLOCATE && call != NPI_CALL_MMAP)
        return 0;
    atomic_fetch_add(&total_points, 1);
    int error = chosen(call, errnos, count);
    bool again = error == EINTR || (error == EAGAIN && is_wait(call));
    if (again && interrupted == call)
        error = 0;
    interrupted = again && error != 0 ? call : NPI_CALL_COUNT;
    if (error == 0)
        return 0;
    if (atomic_fetch_add(&fired, 1) == 0) {
        atomic_store(&first_call, (int)call);
        atomic_store(&first_error, error);
        atomic_store(&variants, (unsigned)count);
    }
    atomic_fetch_add(&total_fired, 1);
    /* The library has no other way to give it back: it is done here, and only the answer is bad. */
    if (call == NPI_CALL_MUNMAP && munmap((void *)first, second) == 0)
        atomic_fetch_sub(&mapped, (int64_t)second);
    return error;
}

static void tell(npi_call call, uintptr_t first, uintptr_t second, int error)
{
    (void)first;
    if (call == NPI_CALL_CLOSE)
        atomic_fetch_sub(&files, 1);
    if (error != 0)
        return;
    if (call == NPI_CALL_ALLOCATE) {
        atomic_fetch_add(&blocks, 1);
        atomic_fetch_add(&bytes, (int64_t)second);
    } else if (call == NPI_CALL_RELEASE) {
        atomic_fetch_sub(&blocks, 1);
        atomic_fetch_sub(&bytes, (int64_t)second);
    } else if (call == NPI_CALL_MMAP) {
        atomic_fetch_add(&mapped, (int64_t)second);
    } else if (call == NPI_CALL_MUNMAP) {
        atomic_fetch_sub(&mapped, (int64_t)second);
    } else if (call == NPI_CALL_THREAD_CREATE) {
        atomic_fetch_add(&threads, 1);
    } else if (call == NPI_CALL_THREAD_JOIN) {
        atomic_fetch_sub(&threads, 1);
    } else if (call == NPI_CALL_OPEN || call == NPI_CALL_EVENTFD || call == NPI_CALL_INOTIFY_INIT ||
               call == NPI_CALL_SOCKET) {
        atomic_fetch_add(&files, 1);
    }
}

void inject_install(void)
{
    static const npi_hook hook = {ask, tell};
    npi_hook_set(&hook);
}

void inject_arm(const inject_plan *next)
{
    plan = *next;
    atomic_store(&points, 0);
    atomic_store(&fired, 0);
    atomic_store(&variants, 0);
    atomic_store(&first_call, NPI_CALL_COUNT);
    atomic_store(&first_error, 0);
    atomic_store(&draws, 0);
    atomic_store(&armed, 1);
}

inject_outcome inject_disarm(void)
{
    atomic_store(&armed, 0);
    return (inject_outcome){atomic_load(&points), atomic_load(&fired),
                            (npi_call)atomic_load(&first_call), atomic_load(&first_error),
                            atomic_load(&variants)};
}

void inject_enter(void)
{
    calls_inside = 0;
    inside = true;
}

void inject_leave(void)
{
    inside = false;
}

void inject_exempt(bool on)
{
    exempt = on;
}

inject_ledger inject_held(void)
{
    return (inject_ledger){atomic_load(&blocks), atomic_load(&bytes), atomic_load(&mapped),
                           atomic_load(&threads), atomic_load(&files)};
}

bool inject_same(const inject_ledger *a, const inject_ledger *b)
{
    return a->blocks == b->blocks && a->bytes == b->bytes && a->mapped == b->mapped &&
           a->threads == b->threads && a->files == b->files;
}

uint64_t inject_total_points(void)
{
    return atomic_load(&total_points);
}

uint64_t inject_total_fired(void)
{
    return atomic_load(&total_fired);
}

uint64_t inject_calls_inside(void)
{
    return calls_inside;
}
