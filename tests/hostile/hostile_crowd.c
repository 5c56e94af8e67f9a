/*
 * Goal: too many of everything. 64 workers on two CPUs beside processes that burn them; executors
 * whose tasks wait for each other, back and forth; thread creation that fails at each worker in
 * turn because the user or the cgroup may have no more.
 * Method: exact results, whatever it takes; limits in children, as an ordinary user or in a cgroup
 * made for it, raised thread by thread until creation succeeds.
 * usage: hostile_crowd [ROUNDS]
 */
#include <errno.h>
#include <grp.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "hostile.h"

/* --- 64 workers beside a load ------------------------------------------------------------------
 */

enum { BURNERS = 4 };

static __attribute__((noreturn)) void burn(void)
{
    volatile unsigned long turns = 0;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* never longer than the test */
    for (;;)
        turns++;
}

static void add_range(void *context, size_t begin, size_t end)
{
    npi_fetch_add_relaxed(&((pool_counter *)context)->value, (uint64_t)(end - begin));
}

static void count_leaves(void *argument)
{
    uint64_t *leaves = argument; /* how deep; then how many there were */
    if (*leaves == 0) {
        *leaves = 1;
        return;
    }
    uint64_t left = *leaves - 1, right = *leaves - 1;
    np_fork(count_leaves, &left);
    count_leaves(&right);
    np_join();
    *leaves = left + right;
}

static void crowd_round(np_executor *executor)
{
    pool_counter count = {0};
    np_group *group = NULL;
    uint64_t leaves = 10;
    assert_int_equal(np_group_create(NULL, &group), NP_OK);
    for (unsigned i = 0; i < 640; i++)
        assert_int_equal(np_group_submit(group, executor, pool_task_count, &count), NP_OK);
    assert_int_equal(np_group_wait(group), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 640);
    assert_int_equal(np_parallel_for(executor, 0, 100000, NULL, add_range, &count), NP_OK);
    assert_int_equal(npi_load_acquire(&count.value), 100640);
    assert_int_equal(np_run(executor, 0, count_leaves, &leaves), NP_OK);
    assert_int_equal(leaves, 1024);
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(np_group_destroy(group), NP_OK);
}

static void test_many_workers_beside_a_load(void **state)
{
    (void)state;
    pid_t burner[BURNERS];
    fflush(NULL);
    for (unsigned i = 0; i < BURNERS; i++) {
        burner[i] = fork();
        assert_true(burner[i] >= 0);
        if (burner[i] == 0)
            burn();
    }
    np_executor *executor = pool_create(ONE_BY_TWO, NP_EXECUTOR_OPTIONS(.workers_per_node = 64));
    for (unsigned long round = 0; round < hostile_amount; round++)
        crowd_round(executor);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    for (unsigned i = 0; i < BURNERS; i++) {
        int status = 0;
        assert_int_equal(kill(burner[i], SIGKILL), 0);
        assert_int_equal(waitpid(burner[i], &status, 0), burner[i]);
        assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL); /* it burned to the end */
    }
    hostile_counted("rounds of 64 workers on few CPUs beside a load", hostile_amount);
}

/* --- executors that wait for each other --------------------------------------------------------
 */

typedef struct rally {
    np_executor *side[2];
    unsigned left;
    unsigned played;
} rally;

/* Each runs the next on the other side and waits for it, with the worker of this side. */
static void hit(void *argument)
{
    rally *r = argument;
    r->played++;
    if (r->left == 0)
        return;
    r->left--;
    np_executor *other = r->side[np_current_executor() == r->side[0] ? 1 : 0];
    np_status status = np_run(other, 0, hit, r);
    if (status != NP_OK)
        fail_msg("%s: %s", np_status_name(status), np_error_detail());
}

static void test_waits_back_and_forth(void **state)
{
    (void)state;
    for (unsigned long round = 0; round < hostile_amount; round++) {
        /* One worker each, and no spare one: it is the waiting worker itself that helps. */
        np_executor_options options = {.size = sizeof options};
        options.spare_workers = round % 2 == 0 ? NP_SPARE_WORKERS_NONE : 0;
        rally r = {.side = {pool_create(ONE_BY_ONE, &options), pool_create(ONE_BY_ONE, &options)}};
        r.left = 200;
        assert_int_equal(np_run(r.side[0], 0, hit, &r), NP_OK);
        assert_int_equal(r.played, 201);
        for (unsigned i = 0; i < 2; i++)
            assert_int_equal(np_executor_destroy(r.side[i]), NP_OK);
    }
}

/* --- no more threads ---------------------------------------------------------------------------
 */

enum { WORKERS = 4, NOBODY = 65534 };

/* Creation with leave for `more` threads: fails at worker number `more`, names it, leaves nothing;
 * succeeds when there is leave for all. */
static int create_with(unsigned more)
{
    char worker[64];
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    CHILD_CHECK(np_topology_from_synthetic(ONE_BY_FOUR, &topology) == NP_OK);
    np_status status = np_executor_create(topology, NULL, &executor);
    if (more >= WORKERS) {
        pool_counter count = {0};
        CHILD_CHECK(status == NP_OK);
        CHILD_CHECK(np_run(executor, 0, pool_task_count, &count) == NP_OK);
        CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    } else {
        (void)snprintf(worker, sizeof worker, "worker %u ", more);
        CHILD_CHECK(status == NP_ERR_SYSTEM && executor == NULL);
        CHILD_CHECK(np_error_errno() == EAGAIN);
        CHILD_CHECK(strstr(np_error_detail(), worker) != NULL);
        CHILD_CHECK(strstr(np_error_detail(), "pthread_create") != NULL);
        /* Those that had been started are gone: as many can be had again. */
        if (more != 0) {
            CHILD_CHECK(np_executor_create(topology, NP_EXECUTOR_OPTIONS(.workers_per_node = more),
                                           &executor) == NP_OK);
            CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
        }
    }
    np_topology_destroy(topology);
    return CHILD_PASSED;
}

/* Root may have any number: somebody else, with no other process. */
static int limited_by_user(void *argument)
{
    unsigned more = *(unsigned *)argument;
    uid_t user = NOBODY - 1000 - (uid_t)getpid() % 1000; /* with no process of its own */
    struct rlimit limit = {1 + more, 1 + more};
    if (setgroups(0, NULL) != 0 || setresgid(user, user, user) != 0 ||
        setresuid(user, user, user) != 0)
        return CHILD_SKIPPED;
    CHILD_CHECK(setrlimit(RLIMIT_NPROC, &limit) == 0);
    return create_with(more);
}

static void test_limit_of_the_user(void **state)
{
    (void)state;
    if (UNIT_SANITIZED)
        UNIT_SKIP("a sanitizer has threads of its own");
    for (unsigned more = 0; more <= WORKERS; more++)
        hostile_in_child(limited_by_user, &more, "RLIMIT_NPROC");
}

static bool write_file(const char *path, unsigned long number)
{
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    bool done = fprintf(file, "%lu\n", number) > 0;
    return fclose(file) == 0 && done;
}

static char cgroup[128];

static int limited_by_cgroup(void *argument)
{
    char path[192];
    unsigned more = *(unsigned *)argument;
    (void)snprintf(path, sizeof path, "%s/cgroup.procs", cgroup);
    if (!write_file(path, (unsigned long)getpid()))
        return CHILD_SKIPPED;
    (void)snprintf(path, sizeof path, "%s/pids.max", cgroup);
    if (!write_file(path, 1ul + more))
        return CHILD_SKIPPED;
    return create_with(more);
}

static void test_limit_of_the_cgroup(void **state)
{
    (void)state;
    static const char *const roots[] = {"/sys/fs/cgroup/pids", "/sys/fs/cgroup"};
    char path[192];
    bool made = false;
    if (UNIT_SANITIZED)
        UNIT_SKIP("a sanitizer has threads of its own");
    for (size_t i = 0; i < sizeof roots / sizeof roots[0] && !made; i++) {
        (void)snprintf(cgroup, sizeof cgroup, "%s/numaperf-test-%d", roots[i], (int)getpid());
        if (mkdir(cgroup, 0755) != 0)
            continue;
        (void)snprintf(path, sizeof path, "%s/pids.max", cgroup);
        made = access(path, W_OK) == 0;
        if (!made)
            (void)rmdir(cgroup);
    }
    if (!made)
        UNIT_SKIP("no pids cgroup can be made here");
    for (unsigned more = 0; more <= WORKERS; more++)
        hostile_in_child(limited_by_cgroup, &more, "pids cgroup");
    assert_int_equal(rmdir(cgroup), 0);
}

int main(int argc, char **argv)
{
    hostile_begin(argc, argv, 5);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_many_workers_beside_a_load),
        cmocka_unit_test(test_waits_back_and_forth),
        cmocka_unit_test(test_limit_of_the_user),
        cmocka_unit_test(test_limit_of_the_cgroup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
