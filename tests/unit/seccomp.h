/*
 * A process whose kernel refuses a system call, as in a container with a strict profile. A filter
 * cannot be taken off again, so tests run what they want refused in a child.
 *
 * Checks inside a child go through CHILD_CHECK: cmocka's asserts would jump back into the parent's
 * tests.
 */
#ifndef NP_TESTS_UNIT_SECCOMP_H
#define NP_TESTS_UNIT_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "unit.h"

#define CHILD_PASSED  0
#define CHILD_FAILED  1
#define CHILD_SKIPPED 77

#define CHILD_CHECK(condition)                                                                \
    do {                                                                                      \
        if (!(condition)) {                                                                   \
            fprintf(stderr, "%s:%d: %s\n  last detail: %s\n", __FILE__, __LINE__, #condition, \
                    np_error_detail());                                                       \
            return CHILD_FAILED;                                                              \
        }                                                                                     \
    } while (0)

/* From now on, in this process, system call `number` fails with `error`. False: no filters here. */
static inline bool unit_refuse(int number, int error)
{
    const unsigned load = BPF_LD | BPF_W | BPF_ABS;
    const unsigned equal = BPF_JMP | BPF_JEQ | BPF_K;
    const unsigned answer = BPF_RET | BPF_K;
    struct sock_filter program[] = {
        {(unsigned short)load, 0, 0, (unsigned)offsetof(struct seccomp_data, nr)},
        {(unsigned short)equal, 0, 1, (unsigned)number},
        {(unsigned short)answer, 0, 0, SECCOMP_RET_ERRNO | (unsigned)error},
        {(unsigned short)answer, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* Runs `body` in a child where `number` fails with `error`; fails or skips the calling test with
 * it. */
static inline void unit_in_refusing_child(int number, int error, int (*body)(int error))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(unit_refuse(number, error) ? body(error) : CHILD_SKIPPED);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        fail_msg("the child died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == CHILD_SKIPPED)
        UNIT_SKIP("this kernel takes no system call filters");
    assert_int_equal(WEXITSTATUS(status), CHILD_PASSED);
}

#endif
