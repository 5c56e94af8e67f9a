/*
 * Goal: no system call on the hot path: submit to a node whose worker is awake, run, fork, join in
 * both forms, a loop that stays on its worker.
 * Method: in a child process, the submitting thread and the worker each install a filter that traps
 * every system call; the first trap ends the child and prints its number. The worker stays awake:
 * it spins inside a task while others are submitted, then runs them, and spins inside the last.
 * What only the first use does is done before. The same with a worker that sleeps must trap, or the
 * filter would prove nothing. An allocation that needs memory of the kernel would trap as well.
 */
#include <linux/audit.h>
#include <signal.h>

#include "executor/executor.h"

#include "../support/pool.h"
#include "seccomp.h"

enum { ROUNDS = 20, BATCH = 64, FORKS = 40, TRAPPED = 3, TRAPPED_FUTEX = 4 };
enum { FAST_DEPTH = 6, FAST_LEAVES = 1 << FAST_DEPTH, INDICES = 300 };
enum { PLACED = 64 * 4096 };

static np_executor *executor;
static np_node_id node;
static np_group *group;
static np_region *placed; /* PLACED bytes, on `node` if it has memory */
static np_atomic(uint64_t) ran;
static uint64_t last; /* whoever runs as this number stays; 0: nobody */
static np_atomic(uint32_t) entered, open, ended;

/* --- the filter --------------------------------------------------------------------------------
 */

static void trapped(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    char text[] = "system call    0 on the hot path\n";
    for (int i = 15, left = info->si_syscall; left != 0 && i > 11; i--, left /= 10)
        text[i] = (char)('0' + left % 10);
    ssize_t written = write(2, text, sizeof text - 1);
    (void)written;
    _exit(info->si_syscall == SYS_futex ? TRAPPED_FUTEX : TRAPPED);
}

static bool catch_traps(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = trapped;
    return sigaction(SIGSYS, &action, NULL) == 0;
}

/* Every system call of the calling thread traps from now on, but for telling and leaving. */
static bool trap_all(void)
{
    const unsigned load = BPF_LD | BPF_W | BPF_ABS;
    const unsigned equal = BPF_JMP | BPF_JEQ | BPF_K;
    const unsigned answer = BPF_RET | BPF_K;
    struct sock_filter program[] = {
        {(unsigned short)load, 0, 0, (unsigned)offsetof(struct seccomp_data, nr)},
        {(unsigned short)equal, 2, 0, SYS_write},
        {(unsigned short)equal, 1, 0, SYS_exit_group},
        {(unsigned short)answer, 0, 0, SECCOMP_RET_TRAP},
        {(unsigned short)answer, 0, 0, SECCOMP_RET_ALLOW},
    };
    struct sock_fprog filter = {sizeof program / sizeof program[0], program};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

/* --- the work ------------------------------------------------------------------------------------
 */

static void spin_until(np_atomic(uint32_t) *word)
{
    while (npi_load_acquire(word) == 0)
        npi_cpu_relax();
}

static void count(void *argument)
{
    (void)argument;
    if (npi_fetch_add_acq_rel(&ran, (uint64_t)1) + 1 != last)
        return;
    npi_store_release(&ended, 1u);
    for (;;)
        npi_cpu_relax(); /* the worker would go to sleep, which is no hot path */
}

static void fork_more(void *argument)
{
    np_fork(count, argument);
    count(argument);
    np_join();
}

static uintptr_t fork_fast(np_worker *self, uintptr_t depth)
{
    count(NULL);
    if (depth == 0)
        return 1;
    np_fast_fork(self, fork_fast, depth - 1);
    uintptr_t sum = fork_fast(self, depth - 1);
    return sum + np_fast_join(self, fork_fast, depth - 1);
}

static void count_indices(void *context, size_t begin, size_t end)
{
    for (size_t i = begin; i < end; i++)
        count(context);
}

static void fork_and_submit(void *argument)
{
    if (fork_fast(np_fast_self(), FAST_DEPTH) != FAST_LEAVES ||
        np_parallel_for(executor, 0, INDICES, NULL, count_indices, NULL) != NP_OK)
        _exit(CHILD_FAILED);
    for (unsigned i = 0; i < FORKS; i++)
        np_fork(fork_more, argument);
    for (unsigned i = 0; i < FORKS; i++)
        np_join();
    if (np_submit(executor, count, argument) != NP_OK)
        _exit(CHILD_FAILED);
}

enum { RUNS_PER_ROUND = 5 + BATCH + 2 * FORKS + 2 * FAST_LEAVES - 1 + INDICES + 1 };

static int submit_all(void)
{
    uint64_t words[5] = {0};
    np_task batch[BATCH];
    for (unsigned i = 0; i < BATCH; i++)
        batch[i] = (np_task){count, NULL};
    for (unsigned round = 0; round < ROUNDS; round++) {
        CHILD_CHECK(np_submit(executor, count, NULL) == NP_OK);
        CHILD_CHECK(np_submit_to_node(executor, node, count, NULL) == NP_OK);
        CHILD_CHECK(np_submit_copy_to_node(executor, node, count, words, sizeof words) == NP_OK);
        CHILD_CHECK(np_group_submit(group, executor, count, NULL) == NP_OK);
        CHILD_CHECK(np_submit_near(executor, np_region_data(placed), PLACED, count, NULL) == NP_OK);
        CHILD_CHECK(np_submit_batch(executor, node, batch, BATCH, NULL) == NP_OK);
        CHILD_CHECK(np_submit(executor, fork_and_submit, NULL) == NP_OK);
    }
    return CHILD_PASSED;
}

static void spin_inside(void *argument)
{
    bool trap = argument != NULL;
    if (trap && !trap_all())
        _exit(CHILD_SKIPPED);
    npi_store_release(&entered, 1u);
    spin_until(&open);
}

/* The worker is inside a task from here on, and awake. */
static int occupy_worker(bool trap)
{
    npi_store_release(&entered, 0u);
    npi_store_release(&open, 0u);
    CHILD_CHECK(np_submit_to_node(executor, node, spin_inside, trap ? &open : NULL) == NP_OK);
    spin_until(&entered);
    return CHILD_PASSED;
}

/* The node itself, or if it has no memory the first that has some. */
static np_node_id with_memory(const np_topology *topology, np_node_id wanted)
{
    np_node_info info;
    if (np_topology_node_info(topology, wanted, &info) == NP_OK && info.memory_bytes != 0)
        return wanted;
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++)
        if (np_topology_node_info(topology, np_topology_node_id(topology, i), &info) == NP_OK &&
            info.memory_bytes != 0 && info.memory_allowed)
            return info.id;
    return wanted;
}

/* One worker; queues, lanes and thread-local state are as after long use: the high-water mark of
 * the queues is above what comes. */
static int prepare(void)
{
    np_topology *topology = NULL;
    np_node_id nodes[1];
    int32_t cpu;
    np_executor_options options = {.size = sizeof options, .ignore_environment = true};
    CHILD_CHECK(catch_traps());
    CHILD_CHECK(np_topology_discover(&topology) == NP_OK);
    CHILD_CHECK(np_affinity_where(&cpu, NULL) == NP_OK);
    nodes[0] = np_topology_cpu_node(topology, cpu);
    options.nodes = nodes;
    options.node_count = 1;
    options.workers_per_node = 1;
    CHILD_CHECK(np_executor_create(topology, &options, &executor) == NP_OK);
    CHILD_CHECK(np_region_create_on_node(topology, PLACED, with_memory(topology, nodes[0]),
                                         &placed) == NP_OK);
    np_topology_destroy(topology);
    node = nodes[0];
    CHILD_CHECK(np_group_create(NULL, &group) == NP_OK);
    CHILD_CHECK(occupy_worker(false) == CHILD_PASSED);
    for (unsigned i = 0; i < 3; i++)
        CHILD_CHECK(submit_all() == CHILD_PASSED);
    npi_store_release(&open, 1u);
    CHILD_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK);
    npi_store_release(&ran, (uint64_t)0);
    return CHILD_PASSED;
}

static int worker_awake(void)
{
    CHILD_CHECK(prepare() == CHILD_PASSED);
    last = (uint64_t)ROUNDS * RUNS_PER_ROUND;
    CHILD_CHECK(occupy_worker(true) == CHILD_PASSED);
    if (!trap_all())
        return CHILD_SKIPPED;
    CHILD_CHECK(submit_all() == CHILD_PASSED);
    npi_store_release(&open, 1u);
    spin_until(&ended);
    return CHILD_PASSED;
}

/* Nobody may be woken without one. */
static int worker_asleep(void)
{
    CHILD_CHECK(prepare() == CHILD_PASSED);
    while (npi_load_acquire(&executor->seats[0]->token.state) != NPI_TOKEN_ASLEEP)
        npi_cpu_relax();
    if (!trap_all())
        return CHILD_SKIPPED;
    CHILD_CHECK(np_submit_to_node(executor, node, count, NULL) == NP_OK);
    return CHILD_PASSED;
}

static int in_child(int (*body)(void))
{
    if (UNIT_SANITIZED)
        UNIT_SKIP("a sanitizer's runtime calls the system when it likes");
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(body());
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (!WIFEXITED(status))
        fail_msg("the child died of signal %d", WTERMSIG(status));
    if (WEXITSTATUS(status) == CHILD_SKIPPED)
        UNIT_SKIP("this kernel takes no system call filters");
    return WEXITSTATUS(status);
}

static void test_worker_awake(void **state)
{
    (void)state;
    assert_int_equal(in_child(worker_awake), CHILD_PASSED);
}

static void test_worker_asleep(void **state)
{
    (void)state;
    assert_int_equal(in_child(worker_asleep), TRAPPED_FUTEX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_worker_awake),
        cmocka_unit_test(test_worker_asleep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
