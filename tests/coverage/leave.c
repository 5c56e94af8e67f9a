/*
 * Linked into the test programs of the preset `coverage`, in front of _exit(): a child process that
 * a test forks leaves by _exit(), and what it reached, mostly answers to a refusing kernel, would
 * not be counted. Not in programs whose children forbid themselves every system call.
 */
#include <stdatomic.h>

void __gcov_dump(void);
_Noreturn void __real__exit(int status);
_Noreturn void __wrap__exit(int status);

_Noreturn void __wrap__exit(int status)
{
    /* A signal that interrupts the writing may end here too. */
    static atomic_flag once = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&once))
        __gcov_dump();
    __real__exit(status);
}
