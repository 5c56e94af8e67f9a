/*
 * os/call.c - the way of a system call while a test's hook is set (base/hook.h).
 */
#include "os/call.h"

int npi_os_call_hooked(npi_call call, long number, const long *arguments, long *result)
{
    const long *a = arguments;
    int error = npi_hook_ask(call, (uintptr_t)a[0], (uintptr_t)a[1]);
    if (error != 0)
        return error;
    long value = npi_os_call_raw(number, a[0], a[1], a[2], a[3], a[4], a[5]);
    if ((unsigned long)value > -4096ul)
        error = (int)-value;
    else if (result != NULL)
        *result = value;
    npi_hook_tell(call, (uintptr_t)a[0], (uintptr_t)a[1], error);
    return error;
}
