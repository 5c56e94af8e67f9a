/*
 * Goal: a container whose filter denies the NUMA and affinity calls, each alone and all of them,
 * with EPERM and with ENOSYS, from the start or later, under load. Soft mode works, everything it
 * could not do has a reason that can be asked for, and every result is exact. Strict mode refuses
 * and says which worker or region, which call and which errno, or gives what it promises.
 * Method: seccomp filters in children; later means a filter put on all threads at once (TSYNC).
 * Unlike other programs this one is tested on the machine as it is: its topology is discovered
 * under the filter too.
 * usage: hostile_seccomp [ROUNDS]
 */
#include <errno.h>

#include "executor/executor.h"
#include "hostile.h"

#define MOST_DENIED 16u

/* Those that place or ask; without ones that a libc cannot live without. */
static const struct denied {
    const char *name;
    int number;
} calls[] = {
    {"mbind", __NR_mbind},
    {"set_mempolicy", __NR_set_mempolicy},
    {"get_mempolicy", __NR_get_mempolicy},
    {"move_pages", __NR_move_pages},
    {"migrate_pages", __NR_migrate_pages},
    {"sched_setaffinity", __NR_sched_setaffinity},
    {"sched_getaffinity", __NR_sched_getaffinity},
    {"membarrier", __NR_membarrier},
    {"getcpu", __NR_getcpu},
    {"madvise", __NR_madvise},
    {"mlock", __NR_mlock},
    {"capget", __NR_capget},
    {"sched_getscheduler", __NR_sched_getscheduler},
    {"prctl", __NR_prctl},
};
#define CALLS (sizeof calls / sizeof calls[0])
_Static_assert(CALLS <= MOST_DENIED, "a filter has room for all");

/* What a child is to do, and how: `which` CALLS means all of them. */
typedef struct trial {
    size_t which;
    int error;
    np_hard_mode mode;
    bool later;
} trial;

static unsigned long trials;

static bool denies(const trial *t, int number)
{
    return t->which == CALLS || calls[t->which].number == number;
}

/* On every thread of the process. */
static bool deny(const trial *t)
{
    enum {
        LOAD = BPF_LD | BPF_W | BPF_ABS,
        EQUAL = BPF_JMP | BPF_JEQ | BPF_K,
        GIVE = BPF_RET | BPF_K
    };
    struct sock_filter program[MOST_DENIED + 3];
    unsigned short length = 0;
    unsigned char count = t->which == CALLS ? (unsigned char)CALLS : 1;
    program[length++] = (struct sock_filter){LOAD, 0, 0,
                                             (unsigned)offsetof(struct seccomp_data, nr)};
    for (unsigned char i = 0; i < count; i++) {
        size_t call = t->which == CALLS ? i : t->which;
        program[length++] = (struct sock_filter){EQUAL, (unsigned char)(count - i), 0,
                                                 (unsigned)calls[call].number};
    }
    program[length++] = (struct sock_filter){GIVE, 0, 0, SECCOMP_RET_ALLOW};
    program[length++] = (struct sock_filter){GIVE, 0, 0, SECCOMP_RET_ERRNO | (unsigned)t->error};
    struct sock_fprog filter = {length, program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter) == 0;
}

/* --- the executor ---------------------------------------------------------------------------- */

static void add_range(void *context, size_t begin, size_t end)
{
    npi_fetch_add_relaxed(&((pool_counter *)context)->value, (uint64_t)(end - begin));
}

/* Every way to have something done, with exact results, several times through sleep. */
static int work_through(np_executor *executor)
{
    np_node_id node;
    CHILD_CHECK(np_executor_nodes(executor, &node, 1) >= 1);
    for (unsigned round = 0; round < 20; round++) {
        pool_counter count = {0};
        np_group *group = NULL;
        CHILD_CHECK(np_group_create(NULL, &group) == NP_OK);
        for (unsigned i = 0; i < 50; i++) {
            CHILD_CHECK(np_group_submit(group, executor, pool_task_count, &count) == NP_OK);
            CHILD_CHECK(np_group_submit_to_node(group, executor, node, pool_task_count, &count) ==
                        NP_OK);
        }
        CHILD_CHECK(np_group_wait(group) == NP_OK);
        CHILD_CHECK(np_run(executor, NP_NODE_ID_NONE, pool_task_count, &count) == NP_OK);
        CHILD_CHECK(np_parallel_for(executor, 0, 10000, NULL, add_range, &count) == NP_OK);
        CHILD_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK);
        CHILD_CHECK(npi_load_acquire(&count.value) == 100 + 1 + 10000);
        CHILD_CHECK(np_group_destroy(group) == NP_OK);
    }
    return CHILD_PASSED;
}

/* The bindings that can be asked for are those that a filter allows. */
static int check_bindings(const trial *t, np_executor *executor)
{
    /* Where its stack ends a worker knows in any case: waits that nest too deep go elsewhere. */
    for (uint32_t i = 0; i < executor->regular_count; i++)
        CHILD_CHECK(executor->seats[i]->deep != 0);
    bool set = !denies(t, __NR_sched_setaffinity), get = !denies(t, __NR_sched_getaffinity);
    np_reason refused = t->error == EPERM ? NP_REASON_NOT_PERMITTED : NP_REASON_NOT_SUPPORTED;
    for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
        np_worker_info info;
        CHILD_CHECK(np_executor_worker_info(executor, i, &info) == NP_OK);
        CHILD_CHECK((info.binding.reason == NP_REASON_NONE) ==
                    (info.binding.level == NP_ENFORCEMENT_STRICT));
        if (!set) {
            CHILD_CHECK(info.binding.level == NP_ENFORCEMENT_NONE);
            CHILD_CHECK(info.binding.reason == refused && info.binding.system_error == t->error);
        } else if (!get) {
            CHILD_CHECK(info.binding.level == NP_ENFORCEMENT_BEST_EFFORT);
            CHILD_CHECK(info.binding.reason == NP_REASON_NOT_VERIFIED);
            CHILD_CHECK(info.binding.system_error == t->error);
        } else {
            CHILD_CHECK(info.binding.level == NP_ENFORCEMENT_STRICT);
        }
    }
    char text[4096];
    CHILD_CHECK(np_executor_describe(executor, text, sizeof text) < sizeof text);
    CHILD_CHECK((strstr(text, np_reason_text(refused)) != NULL) == !set);
    return CHILD_PASSED;
}

/* Strict: worker, call and errno in words, or the real thing. */
static int check_refusal(const trial *t, np_status status, bool worker)
{
    const char *call = worker ? denies(t, __NR_sched_setaffinity) ? "sched_setaffinity"
                                                                  : "sched_getaffinity"
                       : denies(t, __NR_mbind) ? "mbind"
                                               : "get_mempolicy";
    CHILD_CHECK(status == NP_ERR_HARD_MODE);
    CHILD_CHECK(strstr(np_error_detail(), worker ? "worker 0 (np-n" : "node") != NULL);
    CHILD_CHECK(strstr(np_error_detail(), call) != NULL);
    CHILD_CHECK(np_error_errno() == t->error);
    return CHILD_PASSED;
}

static int check_executor(const trial *t, const np_topology *topology)
{
    np_executor *executor = NULL;
    bool bindable = !denies(t, __NR_sched_setaffinity) && !denies(t, __NR_sched_getaffinity);
    np_status status = np_executor_create(topology, NP_EXECUTOR_OPTIONS(.hard_mode = t->mode),
                                          &executor);
    if (t->mode == NP_HARD_MODE_STRICT && !bindable)
        return executor == NULL ? check_refusal(t, status, true) : CHILD_FAILED;
    CHILD_CHECK(status == NP_OK);
    int result = check_bindings(t, executor);
    if (result == CHILD_PASSED)
        result = work_through(executor);
    CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    return result;
}

/* --- memory and the rest --------------------------------------------------------------------- */

static int check_region(const trial *t, const np_topology *topology)
{
    enum { BYTES = 1 << 20 };
    np_region *region = NULL;
    np_node_id node = np_topology_node_id(topology, 0);
    np_region_options options = {.size = sizeof options, .hard_mode = t->mode, .nodes = &node};
    options.policy = NP_MEMORY_BIND;
    options.node_count = 1;
    options.prefault = NP_PREFAULT_TOUCH;
    bool placeable = !denies(t, __NR_mbind) && !denies(t, __NR_get_mempolicy);
    np_status status = np_region_create(topology, BYTES, &options, &region);
    if (t->mode == NP_HARD_MODE_STRICT && !placeable)
        return region == NULL ? check_refusal(t, status, false) : CHILD_FAILED;
    CHILD_CHECK(status == NP_OK);
    memset(np_region_data(region), 0x5a, BYTES);
    np_enforcement got = np_region_enforcement(region);
    CHILD_CHECK((got.level == NP_ENFORCEMENT_STRICT) == placeable);
    CHILD_CHECK((got.reason == NP_REASON_NONE) == placeable);
    if (!placeable)
        CHILD_CHECK(got.system_error == t->error);
    np_region_audit audit;
    status = np_region_audit_pages(region, &audit, NULL, 0);
    if (denies(t, __NR_move_pages))
        CHILD_CHECK(status != NP_OK || audit.unknown == audit.pages);
    else
        CHILD_CHECK(status == NP_OK && audit.home == audit.pages);
    np_region_destroy(region);
    return CHILD_PASSED;
}

static int check_capabilities(const np_topology *topology)
{
    np_capability_info info;
    for (int capability = 0; capability < 64; capability++) {
        if (np_capability_get(topology, (np_capability)capability, &info) != NP_OK)
            return capability != 0 ? CHILD_PASSED : CHILD_FAILED; /* after the last one */
        CHILD_CHECK(info.detail[0] != '\0');
        CHILD_CHECK(info.available || (info.cost[0] != '\0' && info.remedy[0] != '\0'));
    }
    return CHILD_FAILED;
}

static int check_affinity_of_caller(const trial *t, const np_topology *topology)
{
    np_cpu_set before, cpus;
    np_status status = np_affinity_get(&before);
    CHILD_CHECK((status == NP_OK) == !denies(t, __NR_sched_getaffinity));
    CHILD_CHECK(np_topology_node_cpus(topology, np_topology_node_id(topology, 0), &cpus) == NP_OK);
    bool possible = !denies(t, __NR_sched_setaffinity) && !denies(t, __NR_sched_getaffinity);
    np_enforcement achieved;
    status = np_affinity_set(&cpus, t->mode, &achieved);
    if (possible) {
        CHILD_CHECK(status == NP_OK && achieved.level == NP_ENFORCEMENT_STRICT);
    } else if (t->mode == NP_HARD_MODE_STRICT) {
        CHILD_CHECK(status == NP_ERR_HARD_MODE && np_error_errno() == t->error);
        CHILD_CHECK(strstr(np_error_detail(), "sched_") != NULL);
    } else {
        CHILD_CHECK(status == NP_OK && achieved.level != NP_ENFORCEMENT_STRICT);
        CHILD_CHECK(achieved.reason != NP_REASON_NONE && achieved.system_error == t->error);
    }
    return CHILD_PASSED;
}

static int from_the_start(void *argument)
{
    const trial *t = argument;
    np_topology *topology = NULL;
    if (!deny(t))
        return CHILD_SKIPPED;
    CHILD_CHECK(np_topology_discover(&topology) == NP_OK);
    CHILD_CHECK(np_topology_node_count(topology) >= 1 && np_topology_cpu_count(topology) >= 1);
    int result = check_executor(t, topology);
    if (result == CHILD_PASSED)
        result = check_region(t, topology);
    if (result == CHILD_PASSED)
        result = check_capabilities(topology);
    if (result == CHILD_PASSED)
        result = check_affinity_of_caller(t, topology);
    np_topology_destroy(topology);
    return result;
}

/* --- later: the workers are bound and know of membarrier, then the filter comes ----------------
 */

typedef struct noise {
    np_executor *executor;
    np_atomic(uint32_t) stop;
    np_atomic(uint64_t) sent;
    pool_counter done;
} noise;

static void send_for_ever(void *argument)
{
    noise *n = argument;
    while (npi_load_relaxed(&n->stop) == 0) {
        if (np_submit(n->executor, pool_task_count, &n->done) == NP_OK)
            npi_fetch_add_relaxed(&n->sent, (uint64_t)1);
        if (npi_load_relaxed(&n->sent) % 64 == 0)
            (void)!np_executor_wait_idle(n->executor, NP_FOREVER); /* so that workers sleep */
    }
}

static int later_under_load(void *argument)
{
    const trial *t = argument;
    noise n = {.stop = 0};
    npi_os_thread thread[2];
    np_topology *topology = NULL;
    np_executor *spares = NULL;
    CHILD_CHECK(np_topology_discover(&topology) == NP_OK);
    CHILD_CHECK(np_executor_create(topology, NULL, &n.executor) == NP_OK);
    for (unsigned i = 0; i < 2; i++)
        CHILD_CHECK(npi_os_thread_start(&thread[i], 0, send_for_ever, &n) == 0);
    int result = work_through(n.executor);
    if (result == CHILD_PASSED && !deny(t))
        result = CHILD_SKIPPED;
    if (result == CHILD_PASSED)
        result = work_through(n.executor);
    /* A second executor, made when the kernel no longer lets it. */
    if (result == CHILD_PASSED)
        result = np_executor_create(topology, NULL, &spares) == NP_OK ? work_through(spares)
                                                                      : CHILD_FAILED;
    npi_store_relaxed(&n.stop, 1u);
    for (unsigned i = 0; i < 2; i++)
        CHILD_CHECK(npi_os_thread_join(&thread[i]) == 0);
    CHILD_CHECK(np_executor_destroy(spares) == NP_OK);
    CHILD_CHECK(np_executor_destroy(n.executor) == NP_OK);
    CHILD_CHECK(npi_load_acquire(&n.done.value) == npi_load_relaxed(&n.sent));
    np_topology_destroy(topology);
    return result;
}

/* --- all of it -------------------------------------------------------------------------------- */

static void try_all(np_hard_mode mode, bool later)
{
    static const int errors[] = {EPERM, ENOSYS};
    for (unsigned long round = 0; round < hostile_amount; round++)
        for (size_t which = 0; which <= CALLS; which++)
            for (size_t e = 0; e < 2; e++) {
                if (UNIT_SANITIZED &&
                    (which == CALLS || calls[which].number == __NR_sched_getaffinity))
                    continue; /* AddressSanitizer's own start of a thread dies of it */
                trial t = {which, errors[e], mode, later};
                char what[128];
                (void)snprintf(what, sizeof what, "%s: %s denied with %s%s",
                               np_hard_mode_name(mode), which == CALLS ? "all" : calls[which].name,
                               e == 0 ? "EPERM" : "ENOSYS", later ? ", later" : "");
                hostile_in_child(later ? later_under_load : from_the_start, &t, what);
                trials++;
            }
}

static void test_soft(void **state)
{
    (void)state;
    try_all(NP_HARD_MODE_SOFT, false);
}

static void test_strict(void **state)
{
    (void)state;
    try_all(NP_HARD_MODE_STRICT, false);
}

static void test_later(void **state)
{
    (void)state;
    try_all(NP_HARD_MODE_SOFT, true);
}

int main(int argc, char **argv)
{
    hostile_begin(argc, argv, 1);
    if (hostile_forks_confuse())
        return CHILD_SKIPPED;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_soft),
        cmocka_unit_test(test_strict),
        cmocka_unit_test(test_later),
    };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    hostile_counted("processes with system calls denied", trials);
    return failed;
}
