/*
 * A stretch whose counts are known, for the test of the guard.
 */
#include "walk.h"

#include <sys/syscall.h>

/* Two read-modify-writes, two fences, a system call, an allocation; not in the list of paths. */
__attribute__((noinline)) static void counted_known(unsigned steps)
{
    static uint64_t word;
    for (unsigned i = 0; i < steps; i++) {
        uint64_t one = 1;
        long result;
        __asm__ volatile("lock xaddq %0, %1\n\t"
                         "xchgq %0, %1\n\t"
                         "mfence\n\t"
                         "lock orq $0, (%%rsp)"
                         : "+r"(one), "+m"(word)
                         :
                         : "memory");
        __asm__ volatile("syscall" : "=a"(result) : "0"((long)SYS_getpid) : "rcx", "r11", "memory");
        void *volatile block = malloc(64);
        free(block);
    }
}

void path_known(void)
{
    create(1);
    for (unsigned walk = 1; walk <= 2; walk++) {
        begin("known", walk * WAKES);
        counted_known(walk * WAKES);
        end();
    }
}
