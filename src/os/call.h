/*
 * os/call.h - raw system calls that report their errno as a value, asked before as base/hook.h
 * says. Private to src/os.
 *
 * The call is made in place where we know how: it then touches neither the C library's code nor
 * errno, which a library call must not disturb anyway, and a wake-up out of cold caches has that
 * much less to fetch.
 */
#ifndef NPI_OS_CALL_H
#define NPI_OS_CALL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/hook.h"

_Static_assert(sizeof(long) == 8 && sizeof(void *) == 8, "written for 64-bit Linux");

/* The kernel's own convention: a result, or a negative errno. */
#if defined(__x86_64__)
static inline long npi_os_call_raw(long number, long a, long b, long c, long d, long e, long f)
{
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    long value = number;
    __asm__ volatile("syscall"
                     : "+a"(value)
                     : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return value;
}
#elif defined(__aarch64__)
static inline long npi_os_call_raw(long number, long a, long b, long c, long d, long e, long f)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    register long x5 __asm__("x5") = f;
    __asm__ volatile("svc 0"
                     : "+r"(x0)
                     : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4), "r"(x5)
                     : "memory", "cc");
    return x0;
}
#else
static inline long npi_os_call_raw(long number, long a, long b, long c, long d, long e, long f)
{
    int saved = errno;
    long value = syscall(number, a, b, c, d, e, f);
    if (value == -1)
        value = -errno;
    errno = saved;
    return value;
}
#endif

/* npi_os_call while a hook is set; apart, so that it is not in the way when none is. */
int npi_os_call_hooked(npi_call call, long number, const long *arguments, long *result)
    __attribute__((cold, visibility("hidden")));

/* Returns 0 and, if asked, the call's result; or a positive errno. */
static inline int npi_os_call(npi_call call, long number, long a, long b, long c, long d, long e,
                              long f, long *result)
{
    /* Relaxed: as in npi_hook_ask. */
    if (__builtin_expect(npi_load_relaxed(&npi_hook_table) != NULL, 0)) {
        const long arguments[] = {a, b, c, d, e, f};
        return npi_os_call_hooked(call, number, arguments, result);
    }
    long value = npi_os_call_raw(number, a, b, c, d, e, f);
    if ((unsigned long)value > -4096ul) /* the range that the kernel keeps for errors */
        return (int)-value;
    if (result != NULL)
        *result = value;
    return 0;
}

/* The bits of an address as a system call argument. */
static inline long npi_os_pointer(const volatile void *address)
{
    return (long)(uintptr_t)address;
}

#endif
