/*
 * Goal: every capability is probed on the running system, says what it found with figures, and
 * changes nothing. Method: answers are compared with the kernel's files and with the same calls
 * made here; settings that this machine does not have are put into folders that look like /proc and
 * /sys; refusals come from seccomp in a child process.
 */
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "topology_help.h"

#include "os/os.h"
#include "topology/snapshot.h"

static np_topology *machine;

static np_capability_info get(np_capability capability)
{
    np_capability_info info;
    memset(&info, 0xee, sizeof info);
    if (np_capability_get(machine, capability, &info) != NP_OK)
        fail_msg("capability %d: %s", (int)capability, np_error_detail());
    return info;
}

static void expect(np_capability capability, bool available, const char *detail)
{
    np_capability_info info = get(capability);
    if (info.available != available || strstr(info.detail, detail) == NULL)
        fail_msg("%s: %s, \"%s\"", info.key, info.available ? "available" : "missing", info.detail);
}

static int discover(void **state)
{
    (void)state;
    return np_topology_discover(&machine) == NP_OK ? 0 : -1;
}

static int destroy(void **state)
{
    (void)state;
    np_topology_destroy(machine);
    machine = NULL;
    return 0;
}

static void every_capability_has_words(void **state)
{
    (void)state;
    static const char *const keys[] = {
#define KEY(name, key) key,
        NP_CAPABILITY_MAP(KEY)
#undef KEY
    };
    for (int i = 0; i < NP_CAPABILITY_COUNT; i++) {
        np_capability_info info = get((np_capability)i);
        print_message("%-24s %-3s %s\n", info.key, info.available ? "yes" : "no", info.detail);
        assert_string_equal(info.key, keys[i]);
        assert_true(strlen(info.detail) > 5 && strlen(info.detail) < sizeof info.detail - 1);
        assert_true(strlen(info.cost) > 20 && strlen(info.remedy) > 10);
        assert_null(strchr(info.detail, '\n'));
    }
}

static void refuses_what_is_no_capability(void **state)
{
    (void)state;
    np_capability_info info;
    unit_expect_failure(np_capability_get(machine, NP_CAPABILITY_COUNT, &info),
                        NP_ERR_INVALID_ARGUMENT, "is no capability");
    unit_expect_failure(np_capability_get(machine, (np_capability)-1, &info),
                        NP_ERR_INVALID_ARGUMENT, "-1 is no capability");
    unit_expect_failure(np_capability_get(NULL, NP_CAPABILITY_PINNING, &info),
                        NP_ERR_INVALID_ARGUMENT, "topology is NULL");
    unit_expect_failure(np_capability_get(machine, NP_CAPABILITY_PINNING, NULL),
                        NP_ERR_INVALID_ARGUMENT, "out is NULL");
}

static void probes_leave_the_thread_alone(void **state)
{
    (void)state;
    np_cpu_set before, after;
    topology_catch caught;
    assert_int_equal(np_affinity_get(&before), NP_OK);
    topology_catch_begin(&caught);
    for (int i = 0; i < NP_CAPABILITY_COUNT; i++)
        (void)get((np_capability)i);
    topology_catch_end_empty(&caught);
    assert_int_equal(np_affinity_get(&after), NP_OK);
    assert_true(np_cpu_set_equal(&before, &after));
}

/* A virtual topology is asked about the system it runs on, not about itself. */
static void a_virtual_topology_gets_the_real_answers(void **state)
{
    (void)state;
    np_topology *imagined = topology_make("numa:16 pu:64");
    for (int i = 0; i < NP_CAPABILITY_COUNT; i++) {
        np_capability_info real = get((np_capability)i);
        np_capability_info asked;
        assert_int_equal(np_capability_get(imagined, (np_capability)i, &asked), NP_OK);
        assert_int_equal(asked.available, real.available);
    }
    np_topology_destroy(imagined);
}

static void locked_memory_agrees_with_the_limit(void **state)
{
    (void)state;
    struct rlimit old;
    assert_int_equal(getrlimit(RLIMIT_MEMLOCK, &old), 0);
    bool privileged = npi_os_has_capability(14);
    struct rlimit low = {1u << 20, old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &low), 0);
    expect(NP_CAPABILITY_LOCKED_MEMORY, privileged, "RLIMIT_MEMLOCK 1.0 MiB");
    assert_int_equal(setrlimit(RLIMIT_MEMLOCK, &old), 0);
}

static void the_snapshot_s_facts(void **state)
{
    (void)state;
    machine->cpu_quota = machine->cpu_count * 1000u - 500u;
    expect(NP_CAPABILITY_FULL_CPU_TIME, false, "allows the time of ");
    machine->cpu_quota = machine->cpu_count * 1000u;
    expect(NP_CAPABILITY_FULL_CPU_TIME, true, " CPUs");
    machine->cpu_quota = 0;
    expect(NP_CAPABILITY_FULL_CPU_TIME, true, "no quota");
    char nodes[32];
    snprintf(nodes, sizeof nodes, "%u node", machine->node_count);
    expect(NP_CAPABILITY_SEVERAL_NODES, machine->node_count > 1, nodes);
    expect(NP_CAPABILITY_DISTANCES,
           machine->node_count == 1 || machine->distance_source == NP_DISTANCE_FIRMWARE, "table");
}

/* --- settings of other machines ---------------------------------------------------------- */

static void settings_are_read_from_the_kernel_s_files(void **state)
{
    (void)state;
    char root[32];
    fake_root(root);
    assert_int_equal(npi_os_set_root(root), 0);
    expect(NP_CAPABILITY_NO_NUMA_BALANCING, true, "no NUMA balancing");
    fake_file(root, "/proc/sys/kernel/numa_balancing", "1\n");
    expect(NP_CAPABILITY_NO_NUMA_BALANCING, false, "numa_balancing=1");
    fake_file(root, "/proc/sys/kernel/numa_balancing", "0\n");
    expect(NP_CAPABILITY_NO_NUMA_BALANCING, true, "numa_balancing=0");

    const char *thp = "/sys/kernel/mm/transparent_hugepage/enabled";
    expect(NP_CAPABILITY_TRANSPARENT_HUGE_PAGES, false, "no transparent huge pages");
    fake_file(root, thp, "always madvise [never]\n");
    expect(NP_CAPABILITY_TRANSPARENT_HUGE_PAGES, false, "enabled=never");
    fake_file(root, thp, "always [madvise] never\n");
    expect(NP_CAPABILITY_TRANSPARENT_HUGE_PAGES, true, "enabled=madvise");
    fake_file(root, thp, "nonsense\n");
    expect(NP_CAPABILITY_TRANSPARENT_HUGE_PAGES, false, "not understood");

    const char *pages = "/sys/kernel/mm/hugepages/hugepages-2048kB/";
    char path[128];
    expect(NP_CAPABILITY_HUGE_PAGES_2M, false, "no pages of this size");
    snprintf(path, sizeof path, "%snr_hugepages", pages);
    fake_file(root, path, "8\n");
    snprintf(path, sizeof path, "%sfree_hugepages", pages);
    fake_file(root, path, "0\n");
    expect(NP_CAPABILITY_HUGE_PAGES_2M, false, "0 of 8 free");
    fake_file(root, path, "3\n");
    expect(NP_CAPABILITY_HUGE_PAGES_2M, true, "3 of 8 free");
    fake_file(root, path, "0\n");
    snprintf(path, sizeof path, "%snr_overcommit_hugepages", pages);
    fake_file(root, path, "16\n");
    expect(NP_CAPABILITY_HUGE_PAGES_2M, true, "up to 16 more on demand");
    fake_file(root, "/sys/kernel/mm/hugepages/hugepages-1048576kB/free_hugepages", "1\n");
    fake_file(root, "/sys/kernel/mm/hugepages/hugepages-1048576kB/nr_hugepages", "2\n");
    expect(NP_CAPABILITY_HUGE_PAGES_1G, true, "1 of 2 free");
    assert_int_equal(npi_os_set_root(NULL), 0);
    fake_remove(root);
}

/* --- a kernel that refuses --------------------------------------------------------------- */

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

static int refused_child(long call, int error, np_capability capability, const char *detail)
{
    np_capability_info info;
    if (!deny(call, error))
        return 77;
    if (np_capability_get(machine, capability, &info) != NP_OK || info.available ||
        strstr(info.detail, detail) == NULL) {
        fprintf(stderr, "%s: %s\n", info.key, info.detail);
        return 1;
    }
    return 0;
}

static void says_which_call_was_refused(void **state)
{
    (void)state;
    static const struct {
        long call;
        int error;
        np_capability capability;
        const char *detail;
    } refusals[] = {
        {SYS_sched_setaffinity, EPERM, NP_CAPABILITY_PINNING, "sched_setaffinity: Operation not"},
        {SYS_sched_getaffinity, ENOSYS, NP_CAPABILITY_PINNING, "sched_getaffinity: Function not"},
        {SYS_mbind, EPERM, NP_CAPABILITY_MEMORY_BINDING,
         "mbind: Operation not permitted (errno 1)"},
        {SYS_mbind, ENOSYS, NP_CAPABILITY_STRICT_BINDING, "mbind: Function not implemented"},
        {SYS_move_pages, EPERM, NP_CAPABILITY_STRICT_BINDING, "move_pages: Operation not"},
        {SYS_mbind, EINVAL, NP_CAPABILITY_PREFERRED_MANY, "unknown to this kernel"},
        {SYS_mbind, EPERM, NP_CAPABILITY_PREFERRED_MANY, "mbind"},
        {SYS_move_pages, ENOSYS, NP_CAPABILITY_PAGE_QUERY, "move_pages: Function not"},
        {SYS_mbind, EPERM, NP_CAPABILITY_PAGE_MIGRATION, "mbind: Operation not"},
        {SYS_move_pages, EPERM, NP_CAPABILITY_PAGE_MIGRATION, "move_pages: Operation not"},
    };
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            _exit(refused_child(refusals[i].call, refusals[i].error, refusals[i].capability,
                                refusals[i].detail));
        int status = 0;
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status));
        if (WEXITSTATUS(status) == 77)
            UNIT_SKIP("this kernel has no seccomp filters");
        assert_int_equal(WEXITSTATUS(status), 0);
    }
}

/* Inside a guest the kernel is Debian's: everything about memory works. */
static void a_real_kernel_can_bind_and_move(void **state)
{
    (void)state;
    if (getenv("NP_GUEST") == NULL)
        UNIT_SKIP("not in a guest");
    expect(NP_CAPABILITY_PINNING, true, "a thread was pinned");
    expect(NP_CAPABILITY_MEMORY_BINDING, true, "mbind accepted");
    expect(NP_CAPABILITY_STRICT_BINDING, true, "lies on node");
    expect(NP_CAPABILITY_PREFERRED_MANY, true, "accepted");
    expect(NP_CAPABILITY_PAGE_QUERY, true, "fresh page");
    expect(NP_CAPABILITY_PAGE_MIGRATION, true,
           machine->node_count > 1 ? "was moved towards node" : "only node");
    expect(NP_CAPABILITY_DISTANCES, true, "firmware table");
}

#define PROBE(test) cmocka_unit_test_setup_teardown(test, discover, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        PROBE(every_capability_has_words),
        PROBE(refuses_what_is_no_capability),
        PROBE(probes_leave_the_thread_alone),
        PROBE(a_virtual_topology_gets_the_real_answers),
        PROBE(locked_memory_agrees_with_the_limit),
        PROBE(the_snapshot_s_facts),
        PROBE(settings_are_read_from_the_kernel_s_files),
        PROBE(says_which_call_was_refused),
        PROBE(a_real_kernel_can_bind_and_move),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
