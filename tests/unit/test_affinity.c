/*
 * Goal: pinning does what it says, says what it did, and is undone. Method: every result is
 * compared with the kernel's own mask (sched_getaffinity called here, not through the library). A
 * refusing kernel is a seccomp filter in a child process.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numaperf/topology.h>

#include "unit.h"

static np_cpu_set kernel_mask(void)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    assert_true(syscall(SYS_sched_getaffinity, 0, sizeof set.bits, set.bits) > 0);
    return set;
}

static np_cpu_set only(int32_t cpu)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    assert_true(np_cpu_set_add(&set, cpu));
    return set;
}

/* The highest CPU that this thread may use; on one CPU the lowest as well. */
static int32_t last_cpu(void)
{
    np_cpu_set mask = kernel_mask();
    int32_t last = NP_CPU_NONE;
    for (int32_t cpu = np_cpu_set_first(&mask); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&mask, cpu))
        last = cpu;
    return last;
}

static void assert_mask(const np_cpu_set *expected)
{
    np_cpu_set mask = kernel_mask();
    assert_true(np_cpu_set_equal(&mask, expected));
}

static void assert_strict(np_enforcement got)
{
    assert_int_equal(got.level, NP_ENFORCEMENT_STRICT);
    assert_int_equal(got.reason, NP_REASON_NONE);
    assert_int_equal(got.system_error, 0);
}

/* A CPU number that no machine this test runs on has. */
#define ABSENT_CPU 8191

static void get_agrees_with_the_kernel(void **state)
{
    (void)state;
    np_cpu_set mask = kernel_mask();
    np_cpu_set got;
    assert_int_equal(np_affinity_get(&got), NP_OK);
    assert_true(np_cpu_set_equal(&got, &mask));
    unit_expect_failure(np_affinity_get(NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
}

static void where_agrees_with_the_kernel(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    for (int32_t cpu = np_cpu_set_first(&before); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&before, cpu)) {
        np_cpu_set one = only(cpu);
        unsigned kernel_cpu = 0;
        unsigned kernel_node = 0;
        int32_t here = -2;
        np_node_id node = -2;
        assert_int_equal(np_affinity_set(&one, NP_HARD_MODE_STRICT, NULL), NP_OK);
        assert_int_equal(np_affinity_where(&here, &node), NP_OK);
        assert_int_equal(syscall(SYS_getcpu, &kernel_cpu, &kernel_node, NULL), 0);
        assert_int_equal(here, cpu);
        assert_int_equal(here, kernel_cpu);
        assert_int_equal(node, kernel_node);
    }
    assert_int_equal(np_affinity_where(NULL, NULL), NP_OK);
    assert_int_equal(np_affinity_set(&before, NP_HARD_MODE_STRICT, NULL), NP_OK);
}

static void set_moves_the_thread_in_both_modes(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    np_cpu_set one = only(last_cpu());
    np_enforcement got = {NP_ENFORCEMENT_NONE, NP_REASON_SYSTEM, 1};
    assert_int_equal(np_affinity_set(&one, NP_HARD_MODE_SOFT, &got), NP_OK);
    assert_strict(got);
    assert_mask(&one);
    assert_int_equal(np_affinity_set(&before, NP_HARD_MODE_STRICT, &got), NP_OK);
    assert_strict(got);
    assert_mask(&before);
}

static void soft_takes_what_can_be_had(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    np_cpu_set one = only(last_cpu());
    np_cpu_set wish = one;
    np_enforcement got = {0};
    assert_true(np_cpu_set_add(&wish, ABSENT_CPU));
    assert_int_equal(np_affinity_set(&wish, NP_HARD_MODE_SOFT, &got), NP_OK);
    assert_int_equal(got.level, NP_ENFORCEMENT_BEST_EFFORT);
    assert_int_equal(got.reason, NP_REASON_PARTIAL);
    assert_mask(&one);

    wish = only(ABSENT_CPU);
    assert_int_equal(np_affinity_set(&wish, NP_HARD_MODE_SOFT, &got), NP_OK);
    assert_int_equal(got.level, NP_ENFORCEMENT_NONE);
    assert_int_equal(got.reason, NP_REASON_OUTSIDE_ALLOWED);
    assert_int_equal(got.system_error, EINVAL);
    assert_mask(&one);
    assert_int_equal(np_affinity_set(&before, NP_HARD_MODE_STRICT, NULL), NP_OK);
}

static void strict_changes_nothing_when_it_fails(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    np_cpu_set wish = only(last_cpu());
    np_enforcement got = {0};
    assert_true(np_cpu_set_add(&wish, ABSENT_CPU));
    unit_expect_failure(np_affinity_set(&wish, NP_HARD_MODE_STRICT, &got), NP_ERR_HARD_MODE,
                        "no CPU 8191");
    assert_non_null(strstr(np_error_detail(), "sched_setaffinity"));
    assert_int_equal(got.level, NP_ENFORCEMENT_NONE);
    assert_int_equal(got.reason, NP_REASON_PARTIAL);
    assert_mask(&before);

    wish = only(ABSENT_CPU);
    unit_expect_failure(np_affinity_set(&wish, NP_HARD_MODE_STRICT, &got), NP_ERR_HARD_MODE,
                        "CPUs 8191 failed: sched_setaffinity: Invalid argument (errno 22)");
    assert_int_equal(np_error_errno(), EINVAL);
    assert_mask(&before);
}

static void refuses_empty_sets_and_unknown_modes(void **state)
{
    (void)state;
    np_cpu_set none;
    np_cpu_set before = kernel_mask();
    np_affinity_scope scope;
    np_cpu_set_clear(&none);
    unit_expect_failure(np_affinity_set(NULL, NP_HARD_MODE_SOFT, NULL), NP_ERR_INVALID_ARGUMENT,
                        "NULL");
    unit_expect_failure(np_affinity_set(&none, NP_HARD_MODE_STRICT, NULL), NP_ERR_INVALID_ARGUMENT,
                        "empty");
    unit_expect_failure(np_affinity_set(&before, (np_hard_mode)7, NULL), NP_ERR_INVALID_ARGUMENT,
                        "7 is no hard mode");
    unit_expect_failure(np_affinity_scope_open(&scope, &none, NP_HARD_MODE_SOFT, NULL),
                        NP_ERR_INVALID_ARGUMENT, "empty");
    unit_expect_failure(np_affinity_scope_open(NULL, &before, NP_HARD_MODE_SOFT, NULL),
                        NP_ERR_INVALID_ARGUMENT, "NULL");
    unit_expect_failure(np_affinity_set_node(NULL, 0, NP_HARD_MODE_SOFT, NULL),
                        NP_ERR_INVALID_ARGUMENT, "topology is NULL");
    assert_mask(&before);
}

/* --- nodes ------------------------------------------------------------------------------- */

static void set_node_pins_to_every_node(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    np_cpu_set before = kernel_mask();
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    for (uint32_t i = 0; i < np_topology_node_count(topology); i++) {
        np_node_id node = np_topology_node_id(topology, i);
        np_cpu_set cpus;
        np_enforcement got = {0};
        assert_int_equal(np_topology_node_cpus(topology, node, &cpus), NP_OK);
        if (np_cpu_set_is_empty(&cpus)) {
            assert_int_equal(np_affinity_set_node(topology, node, NP_HARD_MODE_SOFT, &got), NP_OK);
            assert_int_equal(got.reason, NP_REASON_NO_CPU);
            unit_expect_failure(np_affinity_set_node(topology, node, NP_HARD_MODE_STRICT, &got),
                                NP_ERR_HARD_MODE, "no usable CPU");
            assert_mask(&before);
            continue;
        }
        assert_int_equal(np_affinity_set_node(topology, node, NP_HARD_MODE_STRICT, &got), NP_OK);
        assert_strict(got);
        assert_mask(&cpus);
        np_node_id here = NP_NODE_ID_NONE;
        assert_int_equal(np_affinity_where(NULL, &here), NP_OK);
        assert_int_equal(here, node);
        assert_int_equal(np_affinity_set(&before, NP_HARD_MODE_STRICT, NULL), NP_OK);
    }
    unit_expect_failure(np_affinity_set_node(topology, 4711, NP_HARD_MODE_SOFT, NULL),
                        NP_ERR_INVALID_NODE, "node 4711");
    np_topology_destroy(topology);
}

static void virtual_nodes_are_not_pinned_to(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    np_cpu_set before = kernel_mask();
    np_enforcement got = {0};
    np_affinity_scope scope;
    assert_int_equal(np_topology_from_synthetic("numa:2 pu:1", &topology), NP_OK);
    assert_int_equal(np_affinity_set_node(topology, 1, NP_HARD_MODE_SOFT, &got), NP_OK);
    assert_int_equal(got.level, NP_ENFORCEMENT_NONE);
    assert_int_equal(got.reason, NP_REASON_VIRTUAL_TOPOLOGY);
    unit_expect_failure(np_affinity_set_node(topology, 1, NP_HARD_MODE_STRICT, &got),
                        NP_ERR_HARD_MODE, "does not describe this machine");
    unit_expect_failure(np_affinity_scope_open_node(&scope, topology, 1, NP_HARD_MODE_STRICT, &got),
                        NP_ERR_HARD_MODE, "node 1");
    assert_int_equal(np_affinity_scope_open_node(&scope, topology, 1, NP_HARD_MODE_SOFT, &got),
                     NP_OK);
    assert_int_equal(got.reason, NP_REASON_VIRTUAL_TOPOLOGY);
    assert_int_equal(np_affinity_scope_close(&scope), NP_OK);
    assert_mask(&before);
    np_topology_destroy(topology);
}

/* --- scopes ------------------------------------------------------------------------------ */

static void scopes_nest_and_restore(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    np_cpu_set first = only(np_cpu_set_first(&before));
    np_cpu_set last = only(last_cpu());
    np_affinity_scope outer, middle, inner;
    np_enforcement got = {0};
    assert_int_equal(np_affinity_scope_open(&outer, &first, NP_HARD_MODE_STRICT, &got), NP_OK);
    assert_strict(got);
    assert_mask(&first);
    assert_int_equal(np_affinity_scope_open(&middle, &last, NP_HARD_MODE_SOFT, NULL), NP_OK);
    assert_int_equal(np_affinity_scope_open(&inner, &before, NP_HARD_MODE_STRICT, NULL), NP_OK);
    assert_mask(&before);
    unit_expect_failure(np_affinity_scope_close(&outer), NP_ERR_INVALID_ARGUMENT, "innermost");
    unit_expect_failure(np_affinity_scope_open(&middle, &first, NP_HARD_MODE_SOFT, NULL),
                        NP_ERR_INVALID_ARGUMENT, "already open");
    assert_mask(&before);
    assert_int_equal(np_affinity_scope_close(&inner), NP_OK);
    assert_mask(&last);
    assert_int_equal(np_affinity_scope_close(&middle), NP_OK);
    assert_mask(&first);
    unit_expect_failure(np_affinity_scope_close(&middle), NP_ERR_INVALID_ARGUMENT, "innermost");
    assert_int_equal(np_affinity_scope_close(&outer), NP_OK);
    assert_mask(&before);
    unit_expect_failure(np_affinity_scope_close(&outer), NP_ERR_INVALID_ARGUMENT, "innermost");
    unit_expect_failure(np_affinity_scope_close(NULL), NP_ERR_INVALID_ARGUMENT, "NULL");
    /* A closed scope may be used again. */
    assert_int_equal(np_affinity_scope_open(&outer, &last, NP_HARD_MODE_STRICT, NULL), NP_OK);
    assert_int_equal(np_affinity_scope_close(&outer), NP_OK);
    assert_mask(&before);
}

static void a_scope_that_failed_is_not_open(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    np_cpu_set absent = only(ABSENT_CPU);
    np_affinity_scope scope;
    np_enforcement got = {0};
    assert_int_equal(np_affinity_scope_open(&scope, &absent, NP_HARD_MODE_STRICT, &got),
                     NP_ERR_HARD_MODE);
    unit_expect_failure(np_affinity_scope_close(&scope), NP_ERR_INVALID_ARGUMENT, "innermost");
    /* In soft mode it is open, though nothing could be had, and closing it is in order. */
    assert_int_equal(np_affinity_scope_open(&scope, &absent, NP_HARD_MODE_SOFT, &got), NP_OK);
    assert_int_equal(got.level, NP_ENFORCEMENT_NONE);
    assert_int_equal(np_affinity_scope_close(&scope), NP_OK);
    assert_mask(&before);
}

static void *close_from_elsewhere(void *scope)
{
    static np_status status;
    status = np_affinity_scope_close(scope);
    return &status;
}

static void another_thread_cannot_close(void **state)
{
    (void)state;
    np_cpu_set before = kernel_mask();
    np_cpu_set one = only(last_cpu());
    np_affinity_scope scope;
    pthread_t thread;
    void *status = NULL;
    assert_int_equal(np_affinity_scope_open(&scope, &one, NP_HARD_MODE_STRICT, NULL), NP_OK);
    assert_int_equal(pthread_create(&thread, NULL, close_from_elsewhere, &scope), 0);
    assert_int_equal(pthread_join(thread, &status), 0);
    assert_int_equal(*(np_status *)status, NP_ERR_INVALID_ARGUMENT);
    assert_mask(&one);
    assert_int_equal(np_affinity_scope_close(&scope), NP_OK);
    assert_mask(&before);
}

static void node_scopes_restore(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    np_cpu_set before = kernel_mask();
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    for (uint32_t i = 0; i < np_topology_node_count(topology); i++) {
        np_affinity_scope scope;
        np_cpu_set cpus;
        np_node_id node = np_topology_node_id(topology, i);
        assert_int_equal(np_topology_node_cpus(topology, node, &cpus), NP_OK);
        assert_int_equal(
            np_affinity_scope_open_node(&scope, topology, node, NP_HARD_MODE_SOFT, NULL), NP_OK);
        assert_mask(np_cpu_set_is_empty(&cpus) ? &before : &cpus);
        assert_int_equal(np_affinity_scope_close(&scope), NP_OK);
        assert_mask(&before);
    }
    np_topology_destroy(topology);
}

/* --- a kernel that refuses --------------------------------------------------------------- */

/* From now on the call fails with `error` in this process. */
static bool deny(long call, int error)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ((uint32_t)error & SECCOMP_RET_DATA)),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof filter / sizeof filter[0], filter};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

enum { CHILD_GOOD = 0, CHILD_BAD = 1, CHILD_NO_SECCOMP = 77 };

static int soft_and_strict(np_reason reason, int error, const char *call)
{
    np_cpu_set one;
    np_enforcement got = {NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0};
    np_cpu_set_clear(&one);
    (void)np_cpu_set_add(&one, sched_getcpu());
    if (np_affinity_set(&one, NP_HARD_MODE_SOFT, &got) != NP_OK ||
        got.level != NP_ENFORCEMENT_NONE || got.reason != reason || got.system_error != error)
        return CHILD_BAD;
    if (np_affinity_set(&one, NP_HARD_MODE_STRICT, &got) != NP_ERR_HARD_MODE ||
        np_error_errno() != error || strstr(np_error_detail(), call) == NULL)
        return CHILD_BAD;
    np_affinity_scope scope;
    return np_affinity_scope_open(&scope, &one, NP_HARD_MODE_SOFT, &got) == NP_OK &&
                   np_affinity_scope_close(&scope) == NP_OK
               ? CHILD_GOOD
               : CHILD_BAD;
}

static int denied_child(long call, int error, np_reason reason, const char *name)
{
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(deny(call, error) ? soft_and_strict(reason, error, name) : CHILD_NO_SECCOMP);
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void says_what_a_refusing_kernel_says(void **state)
{
    (void)state;
    static const struct {
        long call;
        const char *name;
        int error;
        np_reason reason;
    } refusals[] = {
        {SYS_sched_setaffinity, "sched_setaffinity", EPERM, NP_REASON_NOT_PERMITTED},
        {SYS_sched_setaffinity, "sched_setaffinity", ENOSYS, NP_REASON_NOT_SUPPORTED},
        {SYS_sched_setaffinity, "sched_setaffinity", ENOMEM, NP_REASON_NO_MEMORY},
        {SYS_sched_getaffinity, "sched_getaffinity", EPERM, NP_REASON_NOT_PERMITTED},
        {SYS_sched_getaffinity, "sched_getaffinity", ENOSYS, NP_REASON_NOT_SUPPORTED},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        int result = denied_child(refusals[i].call, refusals[i].error, refusals[i].reason,
                                  refusals[i].name);
        if (result == CHILD_NO_SECCOMP)
            UNIT_SKIP("this kernel has no seccomp filters");
        assert_int_equal(result, CHILD_GOOD);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(get_agrees_with_the_kernel),
        cmocka_unit_test(where_agrees_with_the_kernel),
        cmocka_unit_test(set_moves_the_thread_in_both_modes),
        cmocka_unit_test(soft_takes_what_can_be_had),
        cmocka_unit_test(strict_changes_nothing_when_it_fails),
        cmocka_unit_test(refuses_empty_sets_and_unknown_modes),
        cmocka_unit_test(set_node_pins_to_every_node),
        cmocka_unit_test(virtual_nodes_are_not_pinned_to),
        cmocka_unit_test(scopes_nest_and_restore),
        cmocka_unit_test(a_scope_that_failed_is_not_open),
        cmocka_unit_test(another_thread_cannot_close),
        cmocka_unit_test(node_scopes_restore),
        cmocka_unit_test(says_what_a_refusing_kernel_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
