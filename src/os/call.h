/*
 * os/call.h - raw system calls that report their errno as a value. Private to src/os.
 *
 * The C library's errno is put back to what it was: a library call must not disturb the errno of a
 * program that looks at it later, and a failed wake on a hot path must leave no trace.
 */
#ifndef NPI_OS_CALL_H
#define NPI_OS_CALL_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

_Static_assert(sizeof(long) == 8 && sizeof(void *) == 8, "written for 64-bit Linux");

/* Returns 0 and, if asked, the call's result; or a positive errno. */
static inline int npi_os_call(long number, long a, long b, long c, long d, long e, long f,
                              long *result)
{
    int saved = errno;
    long value = syscall(number, a, b, c, d, e, f);
    int error = value == -1 ? errno : 0;
    errno = saved;
    if (error == 0 && result != NULL)
        *result = value;
    return error;
}

/* The bits of an address as a system call argument. */
static inline long npi_os_pointer(const volatile void *address)
{
    return (long)(uintptr_t)address;
}

#endif
