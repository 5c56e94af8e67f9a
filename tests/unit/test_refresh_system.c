/*
 * Goal: a refresh on the running machine: the workers' threads are bound to what may be used now,
 * by the kernel's own word; drift is mended; a worker inside a task is bound, too; what cannot be
 * had is said. Method: the test changes its own affinity mask and those of the workers, and shows
 * folders that look like /sys for CPUs that are offline. Needs two CPUs.
 */
#include <sched.h>
#include <sys/wait.h>

#include "../support/parked.h"
#include "../support/refresh.h"
#include "topology_help.h"

static np_cpu_set before; /* this thread's mask */
static int32_t first, second;

static int begin(void **state)
{
    (void)state;
    assert_int_equal(npi_os_affinity_get(&before), 0);
    first = np_cpu_set_first(&before);
    second = np_cpu_set_next(&before, first);
    return 0;
}

static int end(void **state)
{
    (void)state;
    return npi_os_affinity_set(&before) + npi_os_set_root(NULL);
}

static np_cpu_set only(int32_t cpu)
{
    np_cpu_set set;
    np_cpu_set_clear(&set);
    assert_true(np_cpu_set_add(&set, cpu));
    return set;
}

static np_executor *start(const np_executor_options *options)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    np_status status = np_executor_create(topology, options, &executor);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    np_topology_destroy(topology);
    return executor;
}

static np_worker_info info_of(np_executor *executor, uint32_t worker)
{
    np_worker_info info;
    assert_int_equal(np_executor_worker_info(executor, worker, &info), NP_OK);
    return info;
}

/* The kernel's word, not the library's. */
static np_cpu_set mask_of(np_executor *executor, uint32_t worker)
{
    np_cpu_set mask;
    cpu_set_t kernel;
    np_worker_info info = info_of(executor, worker);
    assert_int_equal(sched_getaffinity((pid_t)info.thread, sizeof kernel, &kernel), 0);
    np_cpu_set_clear(&mask);
    for (int32_t cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET((size_t)cpu, &kernel))
            (void)np_cpu_set_add(&mask, cpu);
    return mask;
}

/* What its node's workers are to have when `allowed` may be used. */
static np_cpu_set wanted(np_executor *executor, uint32_t worker, const np_cpu_set *allowed)
{
    np_cpu_set cpus;
    np_worker_info info = info_of(executor, worker);
    assert_int_equal(np_topology_node_cpus(np_executor_topology(executor), info.node, &cpus),
                     NP_OK);
    np_cpu_set_and(&cpus, &cpus, allowed);
    return cpus;
}

static void expect_bound(np_executor *executor, const np_cpu_set *allowed)
{
    for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
        np_worker_info info = info_of(executor, i);
        np_cpu_set want = wanted(executor, i, allowed);
        np_cpu_set mask = mask_of(executor, i);
        if (np_cpu_set_is_empty(&want)) {
            assert_int_equal(info.binding.level, NP_ENFORCEMENT_BEST_EFFORT);
            assert_int_equal(info.binding.reason, NP_REASON_NO_CPU);
            assert_true(np_cpu_set_is_subset(&mask, allowed));
        } else {
            assert_int_equal(info.binding.level, NP_ENFORCEMENT_STRICT);
            assert_true(np_cpu_set_equal(&mask, &want));
        }
        assert_true(np_cpu_set_equal(&mask, &info.cpus));
    }
}

#define NEED_TWO_CPUS()                         \
    do {                                        \
        if (second == NP_CPU_NONE)              \
            UNIT_SKIP("needs two usable CPUs"); \
    } while (0)

/* --- the process's mask ---------------------------------------------------------------------- */

static void test_nothing_has_changed(void **state)
{
    (void)state;
    np_refresh_result result = {.changed = true};
    np_executor *executor = start(NULL);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_false(result.changed);
    assert_int_equal(result.workers_rebound + result.workers_weaker + result.nodes_gone, 0);
    assert_int_equal(result.nodes_without_memory, 0);
    expect_bound(executor, &before);
    pool_destroy_exact(executor, 0, 0);
}

static void shrink_and_grow(np_hard_mode mode)
{
    refresh_places p = {0};
    pool_gate gate = {0, 0};
    np_refresh_result result;
    np_cpu_set one = only(first);
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.hard_mode = mode));
    np_node_id home = info_of(executor, 0).node;
    uint32_t workers = np_executor_worker_count(executor);
    /* One of them is in the middle of a task all the time. */
    assert_int_equal(np_submit_to_node(executor, home, pool_task_gate, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    for (unsigned round = 0; round < 3; round++) {
        assert_int_equal(npi_os_affinity_set(&one), 0);
        assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
        assert_true(result.changed);
        assert_int_equal(result.workers_rebound, workers);
        expect_bound(executor, &one);
        refresh_submit(executor, home, NP_AFFINITY_STRICT, NULL, 20, &p);
        assert_int_equal(npi_os_affinity_set(&before), 0);
        assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
        assert_true(result.changed);
        assert_int_equal(result.workers_weaker, 0);
        assert_int_equal(result.nodes_gone, 0);
        expect_bound(executor, &before);
    }
    assert_int_equal(refresh_counter(executor, NP_COUNTER_REBOUND), 6 * workers);
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 61, 0);
}

static void test_shrink_and_grow(void **state)
{
    (void)state;
    NEED_TWO_CPUS();
    shrink_and_grow(NP_HARD_MODE_SOFT);
    shrink_and_grow(NP_HARD_MODE_STRICT);
}

static void test_one_cpu_each(void **state)
{
    (void)state;
    NEED_TWO_CPUS();
    np_refresh_result result;
    np_cpu_set one = only(first);
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.binding = NP_BINDING_CPU));
    uint32_t workers = np_executor_worker_count(executor);
    int32_t cpus[1024];
    for (uint32_t i = 0; i < workers && i < 1024; i++)
        cpus[i] = info_of(executor, i).cpu;
    assert_int_equal(npi_os_affinity_set(&one), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    for (uint32_t i = 0; i < workers; i++) {
        np_cpu_set mask = mask_of(executor, i);
        assert_true(np_cpu_set_equal(&mask, &one));
        assert_int_equal(info_of(executor, i).cpu, first);
    }
    assert_int_equal(npi_os_affinity_set(&before), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    for (uint32_t i = 0; i < workers && i < 1024; i++) {
        np_cpu_set mask = mask_of(executor, i);
        np_cpu_set own = only(cpus[i]);
        assert_int_equal(info_of(executor, i).cpu, cpus[i]);
        assert_true(np_cpu_set_equal(&mask, &own));
    }
    pool_destroy_exact(executor, 0, 0);
}

/* Somebody else has moved a thread, as the kernel does when a cpuset shrinks. */
static void test_drift_is_mended(void **state)
{
    (void)state;
    NEED_TWO_CPUS();
    char text[8192];
    np_stats *stats = NULL;
    np_refresh_result result;
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.binding = NP_BINDING_CPU));
    np_worker_info info = info_of(executor, 0);
    assert_int_equal(npi_os_thread_affinity_set(info.thread, &before), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_true(result.changed);
    assert_int_equal(result.workers_rebound, 1);
    assert_int_equal(result.workers_weaker, 0);
    np_cpu_set mask = mask_of(executor, 0);
    np_cpu_set own = only(info.cpu);
    assert_true(np_cpu_set_equal(&mask, &own));
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    (void)np_report_text(stats, NULL, text, sizeof text);
    assert_non_null(strstr(text, "binding   drifted: threads bound anew 1, tasks displaced 0\n"));
    np_stats_destroy(stats);
    pool_destroy_exact(executor, 0, 0);
}

/* --- a node without a CPU -------------------------------------------------------------------- */

static void test_chosen_cpu_goes(void **state)
{
    (void)state;
    NEED_TWO_CPUS();
    refresh_places strict = {0}, preferred = {0};
    np_refresh_result result;
    np_cpu_set mine = only(first), other = only(second);
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.cpus = &mine, .workers_per_node = 2,
                                                      .hard_mode = NP_HARD_MODE_STRICT));
    np_node_id home = info_of(executor, 0).node;
    assert_int_equal(npi_os_affinity_set(&other), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_int_equal(result.nodes_lost, 1);
    assert_int_equal(result.workers_weaker, 2);
    for (uint32_t i = 0; i < 2; i++) {
        np_cpu_set mask = mask_of(executor, i);
        assert_true(np_cpu_set_equal(&mask, &other));
        assert_int_equal(info_of(executor, i).binding.reason, NP_REASON_NO_CPU);
    }
    refresh_submit(executor, home, NP_AFFINITY_STRICT, NULL, 50, &strict);
    refresh_submit(executor, home, NP_AFFINITY_PREFERRED, NULL, 50, &preferred);
    while (npi_load_acquire(&preferred.total) < 50)
        sched_yield();
    parked_await(executor, 2);
    assert_int_equal(npi_load_acquire(&strict.total), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK); /* again: nothing is new */
    assert_false(result.changed);
    assert_int_equal(result.nodes_gone, 1);
    assert_int_equal(npi_os_affinity_set(&before), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_int_equal(result.nodes_restored, 1);
    assert_int_equal(result.workers_weaker, 0);
    expect_bound(executor, &mine);
    pool_destroy_exact(executor, 100, 0);
    assert_int_equal(npi_load_acquire(&strict.total), 50);
}

/* A spare worker that is first needed while its node is gone goes where the others are. */
static void block(void *argument)
{
    if (np_blocking_begin() != NP_OK)
        return;
    pool_gate_pass(argument);
    np_blocking_end();
}

static void test_spare_in_exile(void **state)
{
    (void)state;
    NEED_TWO_CPUS();
    pool_gate gate = {0, 0};
    refresh_places p = {0};
    np_refresh_result result;
    np_cpu_set mine = only(first), other = only(second);
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.cpus = &mine, .workers_per_node = 1,
                                                      .hard_mode = NP_HARD_MODE_STRICT));
    np_node_id home = info_of(executor, 0).node;
    assert_int_equal(npi_os_affinity_set(&other), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_int_equal(np_submit_to_node(executor, home, block, &gate), NP_OK);
    pool_gate_await(&gate, 1);
    refresh_submit(executor, home, NP_AFFINITY_PREFERRED, NULL, 20, &p);
    while (npi_load_acquire(&p.total) < 20)
        sched_yield();
    npi_worker *spare = executor->seats[executor->regular_count];
    np_cpu_set mask;
    assert_int_equal(npi_os_thread_affinity_get(npi_load_relaxed(&spare->thread_id), &mask), 0);
    assert_true(np_cpu_set_equal(&mask, &other));
    assert_int_equal(npi_os_affinity_set(&before), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_int_equal(npi_os_thread_affinity_get(npi_load_relaxed(&spare->thread_id), &mask), 0);
    assert_true(np_cpu_set_equal(&mask, &mine));
    pool_gate_open(&gate);
    pool_destroy_exact(executor, 21, 0);
}

/* --- what the kernel's files say ------------------------------------------------------------- */

static void cpus_of_node(const char *root, np_node_id node, const np_cpu_set *cpus)
{
    char path[128], list[512];
    snprintf(path, sizeof path, "/sys/devices/system/node/node%d/cpulist", (int)node);
    (void)np_cpu_set_print(cpus, list, sizeof list);
    fake_file(root, path, list);
}

/* The node's list is the kernel's present one: an offline CPU is not in it. */
static void test_list_of_the_node(void **state)
{
    (void)state;
    char root[32];
    np_refresh_result result;
    np_cpu_set node, less, none;
    np_executor *executor = start(NULL);
    np_node_id home = info_of(executor, 0).node;
    assert_int_equal(np_topology_node_cpus(np_executor_topology(executor), home, &node), NP_OK);
    if (np_cpu_set_count(&node) < 2) {
        assert_int_equal(np_executor_destroy(executor), NP_OK);
        UNIT_SKIP("needs a node with two CPUs");
    }
    less = only(np_cpu_set_first(&node));
    np_cpu_set_clear(&none);
    fake_root(root);
    assert_int_equal(npi_os_set_root(root), 0);
    cpus_of_node(root, home, &less);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    np_cpu_set mask = mask_of(executor, 0);
    assert_true(np_cpu_set_equal(&mask, &less));
    cpus_of_node(root, home, &none);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_int_equal(result.nodes_gone, 1);
    fake_remove(root);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK); /* no file: as at creation */
    assert_int_equal(result.nodes_gone, 0);
    mask = mask_of(executor, 0);
    assert_true(np_cpu_set_equal(&mask, &node));
    pool_destroy_exact(executor, 0, 0);
}

/* --- other calls meanwhile ------------------------------------------------------------------- */

static void test_no_binding_no_refresh(void **state)
{
    (void)state;
    np_refresh_result result;
    np_cpu_set one = only(first);
    np_executor *executor = start(NP_EXECUTOR_OPTIONS(.binding = NP_BINDING_OFF));
    assert_int_equal(npi_os_affinity_set(&one), 0);
    assert_int_equal(np_executor_refresh(executor, &result), NP_OK);
    assert_false(result.changed);
    np_cpu_set mask = mask_of(executor, 0);
    assert_true(np_cpu_set_equal(&mask, &before));
    pool_destroy_exact(executor, 0, 0);
}

static void test_forked(void **state)
{
    (void)state;
    np_executor *executor = start(NULL);
    pid_t child = fork();
    if (child == 0) {
        np_worker_info info;
        npi_lock_acquire(&executor->change_lock); /* as if a refresh had been under way */
        bool good = np_executor_refresh(executor, NULL) == NP_ERR_FORKED &&
                    np_executor_worker_info(executor, 0, &info) == NP_OK &&
                    np_executor_destroy(executor) == NP_OK;
        _exit(good ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    pool_destroy_exact(executor, 0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_nothing_has_changed, begin, end),
        cmocka_unit_test_setup_teardown(test_shrink_and_grow, begin, end),
        cmocka_unit_test_setup_teardown(test_one_cpu_each, begin, end),
        cmocka_unit_test_setup_teardown(test_drift_is_mended, begin, end),
        cmocka_unit_test_setup_teardown(test_chosen_cpu_goes, begin, end),
        cmocka_unit_test_setup_teardown(test_spare_in_exile, begin, end),
        cmocka_unit_test_setup_teardown(test_list_of_the_node, begin, end),
        cmocka_unit_test_setup_teardown(test_no_binding_no_refresh, begin, end),
        cmocka_unit_test_setup_teardown(test_forked, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
