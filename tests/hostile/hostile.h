/*
 * What the tests of hostile surroundings share: an amount from the command line, counts for the
 * table of `make test`, and children that are given a time, after which they count as hung.
 *
 * A child reports by its exit code: cmocka's asserts would jump back into the parent's tests, so
 * checks inside a child go through CHILD_CHECK (unit/seccomp.h).
 */
#ifndef NP_TESTS_HOSTILE_H
#define NP_TESTS_HOSTILE_H

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../support/pool.h"
#include "../unit/seccomp.h"

/* So long may a child take on a busy machine before it is taken for hung: SIGALRM kills it. */
#define HOSTILE_PATIENCE 60u

/* How often each thing is done: the program's first argument. */
static unsigned long hostile_amount = 1;

static inline void hostile_begin(int argc, char **argv, unsigned long usual)
{
    hostile_amount = argc > 1 ? strtoul(argv[1], NULL, 10) : usual;
    if (UNIT_SANITIZED)
        hostile_amount /= 8;
    if (hostile_amount == 0)
        hostile_amount = 1;
}

/* ThreadSanitizer takes what a child's only thread does for a race with its parent's threads. */
static inline bool hostile_forks_confuse(void)
{
#if defined(NPI_TSAN)
    printf("skipped: ThreadSanitizer sees races between a forked child and its parent's threads\n");
    return true;
#else
    return false;
#endif
}

static inline void hostile_counted(const char *what, unsigned long number)
{
    printf("counted: hostile | %s | %lu\n", what, number);
    fflush(stdout);
}

/* In a child: from now on it has so long. On a worker's thread the signal is blocked. */
static inline void hostile_hurry(void)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGALRM);
    (void)pthread_sigmask(SIG_UNBLOCK, &mask, NULL);
    (void)alarm(HOSTILE_PATIENCE);
}

/* Waits for a child; fails the calling test unless it exited with `expected`. */
static inline void hostile_expect_exit(pid_t child, int expected, const char *what)
{
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        fail_msg("%s: the child hung for %u s", what, HOSTILE_PATIENCE);
    if (WIFSIGNALED(status))
        fail_msg("%s: the child died of signal %d", what, WTERMSIG(status));
    if (WEXITSTATUS(status) == CHILD_SKIPPED)
        UNIT_SKIP("%s: the child could not do it here", what);
    if (WEXITSTATUS(status) != expected)
        fail_msg("%s: the child exited with %d, not %d", what, WEXITSTATUS(status), expected);
}

/* Runs `body` in a forked child and expects CHILD_PASSED of it. */
static inline void hostile_in_child(int (*body)(void *), void *argument, const char *what)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        hostile_hurry();
        _exit(body(argument));
    }
    hostile_expect_exit(child, CHILD_PASSED, what);
}

/* Zeroed memory that children and parent share. */
static inline void *hostile_shared(size_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_true(memory != MAP_FAILED);
    return memory;
}

/* An executor on a virtual machine, in a child; NULL if it cannot be had. */
static inline np_executor *hostile_own_executor(const char *machine)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    if (np_topology_from_synthetic(machine, &topology) == NP_OK)
        (void)!np_executor_create(topology, NULL, &executor);
    np_topology_destroy(topology);
    return executor;
}

#endif
