/*
 * Goal: an executor has the workers it was asked for, where it was asked, and says how they are
 * bound; whatever cannot be had is refused with words that name it, and nothing is left behind.
 * Method: virtual machines for the counts, this machine for the binding with the kernel's own
 * answer, an allocator that fails on demand.
 */
#include <dirent.h>
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "../support/pool.h"

static void test_default_workers(void **state)
{
    (void)state;
    np_executor *executor = pool_create("pack:2 numa:2 core:3 pu:2", NULL);
    np_node_id nodes[8];
    assert_int_equal(np_executor_worker_count(executor), 24);
    assert_int_equal(np_executor_node_count(executor), 4);
    assert_int_equal(np_executor_nodes(executor, nodes, 8), 4);
    for (np_node_id node = 0; node < 4; node++) {
        assert_int_equal(nodes[node], node);
        assert_int_equal(np_executor_node_worker_count(executor, node), 6);
    }
    assert_int_equal(np_executor_node_worker_count(executor, 4), 0);
    assert_int_equal(np_executor_steal_policy(executor), NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE);
    assert_int_equal(np_executor_hard_mode(executor), NP_HARD_MODE_SOFT);
    assert_non_null(np_executor_topology(executor));
    pool_destroy_exact(executor, 0, 0);
}

static void test_chosen_workers(void **state)
{
    (void)state;
    const np_node_workers exceptions[] = {{1, 5}, {3, NP_WORKERS_NONE}};
    np_executor *executor = pool_create(
        "numa:4 core:2 pu:2", NP_EXECUTOR_OPTIONS(.workers_per_node = 3, .node_workers = exceptions,
                                                  .node_workers_count = 2, .thread_name = "db"));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 3);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 5);
    assert_int_equal(np_executor_node_worker_count(executor, 2), 3);
    assert_int_equal(np_executor_node_worker_count(executor, 3), 0);
    np_worker_info info;
    for (uint32_t i = 0; i < 11; i++) {
        assert_int_equal(np_executor_worker_info(executor, i, &info), NP_OK);
        assert_int_equal(info.index, i);
        assert_int_equal(info.kind, NP_WORKER_REGULAR);
        assert_int_equal(info.node, i < 3 ? 0 : i < 8 ? 1 : 2);
        assert_int_not_equal(info.thread, 0);
        assert_int_equal(info.binding.level, NP_ENFORCEMENT_NONE);
        assert_int_equal(info.binding.reason, NP_REASON_VIRTUAL_TOPOLOGY);
    }
    assert_string_equal(info.name, "db-n2w2");
    unit_expect_failure(np_executor_worker_info(executor, 11, &info), NP_ERR_NOT_FOUND, "11");
    unit_expect_failure(np_submit_to_node(executor, 3, pool_task_gate, NULL),
                        NP_ERR_NODE_HAS_NO_WORKER, "node 3");
    pool_destroy_exact(executor, 0, 0);
}

static void test_one_per_core_and_subsets(void **state)
{
    (void)state;
    np_executor *executor = pool_create("numa:2 core:2 pu:2",
                                        NP_EXECUTOR_OPTIONS(.worker_per = NP_WORKER_PER_CORE));
    assert_int_equal(np_executor_worker_count(executor), 4);
    pool_destroy_exact(executor, 0, 0);

    /* CPUs 0-3 are node 0, 4-7 node 1. */
    np_cpu_set cpus;
    assert_int_equal(np_cpu_set_parse("0,1,6", &cpus), NP_OK);
    executor = pool_create("numa:2 core:2 pu:2", NP_EXECUTOR_OPTIONS(.cpus = &cpus));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 2);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 1);
    pool_destroy_exact(executor, 0, 0);

    executor = pool_create("numa:2 core:2 pu:2",
                           NP_EXECUTOR_OPTIONS(.cpus = &cpus, .worker_per = NP_WORKER_PER_CORE));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 1);
    pool_destroy_exact(executor, 0, 0);

    const np_node_id nodes[] = {1};
    executor = pool_create("numa:2 core:2 pu:2",
                           NP_EXECUTOR_OPTIONS(.nodes = nodes, .node_count = 1));
    assert_int_equal(np_executor_node_worker_count(executor, 0), 0);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 4);
    pool_destroy_exact(executor, 0, 0);
}

static void test_cpu_binding_spreads(void **state)
{
    (void)state;
    np_executor *executor = pool_create(
        "numa:1 core:2 pu:2",
        NP_EXECUTOR_OPTIONS(.binding = NP_BINDING_CPU, .workers_per_node = 2));
    np_worker_info first, second;
    assert_int_equal(np_executor_worker_info(executor, 0, &first), NP_OK);
    assert_int_equal(np_executor_worker_info(executor, 1, &second), NP_OK);
    /* Two workers on four hardware threads: one per core. CPUs 0,1 are core 0; 2,3 are core 1. */
    assert_int_equal(first.cpu / 2, 0);
    assert_int_equal(second.cpu / 2, 1);
    pool_destroy_exact(executor, 0, 0);
}

/* --- this machine --------------------------------------------------------------------------- */

static void check_own_mask(void *argument)
{
    np_cpu_set *out = argument;
    assert_int_equal(npi_os_affinity_get(out), 0);
}

static void test_real_binding(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    for (int binding = NP_BINDING_NODE; binding <= NP_BINDING_CPU; binding++) {
        np_executor *executor = NULL;
        assert_int_equal(np_executor_create(topology,
                                            NP_EXECUTOR_OPTIONS(.binding = (np_binding)binding,
                                                                .hard_mode = NP_HARD_MODE_STRICT),
                                            &executor),
                         NP_OK);
        np_node_id nodes[64];
        size_t count = np_executor_nodes(executor, nodes, 64);
        for (size_t i = 0; i < count && i < 64; i++) {
            np_cpu_set mask, node_cpus;
            assert_int_equal(np_run(executor, nodes[i], check_own_mask, &mask), NP_OK);
            assert_int_equal(np_topology_node_cpus(topology, nodes[i], &node_cpus), NP_OK);
            if (binding == NP_BINDING_NODE && count == 1)
                assert_true(np_cpu_set_equal(&mask, &node_cpus));
            else if (binding == NP_BINDING_CPU)
                assert_int_equal(np_cpu_set_count(&mask), 1);
        }
        for (uint32_t i = 0; i < np_executor_worker_count(executor); i++) {
            np_worker_info info;
            assert_int_equal(np_executor_worker_info(executor, i, &info), NP_OK);
            assert_int_equal(info.binding.level, NP_ENFORCEMENT_STRICT);
            assert_int_equal(info.binding.reason, NP_REASON_NONE);
        }
        assert_int_equal(np_executor_destroy(executor), NP_OK);
    }
    np_topology_destroy(topology);
}

static void test_two_executors_on_disjoint_halves(void **state)
{
    (void)state;
    np_topology *topology = NULL;
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    np_cpu_set all, half[2];
    assert_int_equal(np_topology_cpus(topology, &all), NP_OK);
    if (np_cpu_set_count(&all) < 2) {
        np_topology_destroy(topology);
        UNIT_SKIP("needs two CPUs");
    }
    np_cpu_set_clear(&half[0]);
    np_cpu_set_clear(&half[1]);
    unsigned turn = 0;
    for (int32_t cpu = np_cpu_set_first(&all); cpu != NP_CPU_NONE; cpu = np_cpu_set_next(&all, cpu))
        assert_true(np_cpu_set_add(&half[turn++ % 2], cpu));
    np_executor *executor[2];
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(np_executor_create(topology,
                                            NP_EXECUTOR_OPTIONS(.cpus = &half[i],
                                                                .hard_mode = NP_HARD_MODE_STRICT),
                                            &executor[i]),
                         NP_OK);
    for (unsigned i = 0; i < 2; i++) {
        for (uint32_t w = 0; w < np_executor_worker_count(executor[i]); w++) {
            np_worker_info info;
            assert_int_equal(np_executor_worker_info(executor[i], w, &info), NP_OK);
            assert_true(np_cpu_set_is_subset(&info.cpus, &half[i]));
        }
    }
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(np_executor_destroy(executor[i]), NP_OK);
    np_topology_destroy(topology);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refuse(const char *machine, const np_executor_options *options, np_status status,
                   const char *part)
{
    np_topology *topology = NULL;
    np_executor *executor = (np_executor *)&executor;
    assert_int_equal(np_topology_from_synthetic(machine, &topology), NP_OK);
    unit_expect_failure(np_executor_create(topology, options, &executor), status, part);
    assert_null(executor);
    np_topology_destroy(topology);
}

static void test_refusals(void **state)
{
    (void)state;
    const np_node_id no_node[] = {7}, duplicate[] = {0, 0};
    const np_node_workers unknown[] = {{9, 1}}, twice[] = {{0, 1}, {0, 2}}, absurd[] = {{0, 5000}};
    const np_node_workers nobody[] = {{0, NP_WORKERS_NONE}, {1, NP_WORKERS_NONE}};
    np_cpu_set empty, outside;
    np_cpu_set_clear(&empty);
    np_cpu_set_clear(&outside);
    assert_true(np_cpu_set_add(&outside, 77));
    const char *two = TWO_BY_TWO;
    np_status argument = NP_ERR_INVALID_ARGUMENT;

    refuse(two, NP_EXECUTOR_OPTIONS(.inbox_full = (np_inbox_full)3), argument, "inbox_full");
    refuse(two, NP_EXECUTOR_OPTIONS(.inbox_capacity = UINT32_MAX), argument, "inbox_capacity");
    refuse(two, NP_EXECUTOR_OPTIONS(.steal_policy = (np_steal_policy)7), argument,
           "steal_policy is 7");
    refuse(two, NP_EXECUTOR_OPTIONS(.hard_mode = (np_hard_mode)5), argument, "hard_mode is 5");
    refuse(two, NP_EXECUTOR_OPTIONS(.binding = (np_binding)9), argument, "binding is 9");
    refuse(two, NP_EXECUTOR_OPTIONS(.worker_per = (np_worker_per)3), argument, "worker_per is 3");
    refuse(two, NP_EXECUTOR_OPTIONS(.workers_per_node = 1025), argument, "1025");
    refuse(two, NP_EXECUTOR_OPTIONS(.nodes = no_node, .node_count = 1), NP_ERR_INVALID_NODE,
           "node 7");
    refuse(two, NP_EXECUTOR_OPTIONS(.nodes = no_node), argument, "nodes");
    refuse(two, NP_EXECUTOR_OPTIONS(.node_count = 2), argument, "nodes");
    refuse(two, NP_EXECUTOR_OPTIONS(.node_workers = unknown, .node_workers_count = 1),
           NP_ERR_INVALID_NODE, "node 9");
    refuse(two, NP_EXECUTOR_OPTIONS(.node_workers = twice, .node_workers_count = 2), argument,
           "node 0 twice");
    refuse(two, NP_EXECUTOR_OPTIONS(.node_workers = absurd, .node_workers_count = 1), argument,
           "5000");
    refuse(two, NP_EXECUTOR_OPTIONS(.node_workers = nobody, .node_workers_count = 2), argument,
           "no worker");
    refuse(two, NP_EXECUTOR_OPTIONS(.cpus = &empty), argument, "empty");
    refuse(two, NP_EXECUTOR_OPTIONS(.cpus = &outside), argument, "CPU 77");
    refuse(two, NP_EXECUTOR_OPTIONS(.stack_size = 5), argument, "stack_size is 5");
    refuse(two, NP_EXECUTOR_OPTIONS(.thread_name = ""), argument, "thread_name");
    refuse(two, NP_EXECUTOR_OPTIONS(.thread_name = "much too long"), argument, "much too long");
    refuse(two, NP_EXECUTOR_OPTIONS(.spare_workers = 33), argument, "spare_workers is 33");
    refuse(two, NP_EXECUTOR_OPTIONS(.guest_workers = 33), argument, "guest_workers is 33");
    refuse(two, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT), NP_ERR_HARD_MODE, "virtual");
    refuse(two, NP_EXECUTOR_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .binding = NP_BINDING_OFF),
           argument, "contradict");
    (void)duplicate;

    struct {
        np_executor_options known;
        uint64_t tail;
    } longer = {.known = {.size = sizeof longer}, .tail = 0};
    np_executor *executor = pool_create(two, &longer.known); /* a zero tail is fine */
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    longer.tail = 1;
    refuse(two, &longer.known, argument, "offset");
    np_executor_options unsized = {0};
    refuse(two, &unsized, argument, "size is 0");

    unit_expect_failure(np_executor_create(NULL, NULL, &executor), argument, "topology");
    np_topology *topology = NULL;
    assert_int_equal(np_topology_from_synthetic(two, &topology), NP_OK);
    unit_expect_failure(np_executor_create(topology, NULL, NULL), argument, "out");
    np_topology_destroy(topology);
    assert_int_equal(np_executor_destroy(NULL), NP_OK);
}

static void environment(const char *variable, const char *value, const char *part)
{
    assert_int_equal(setenv(variable, value, 1), 0);
    refuse(TWO_BY_TWO, NULL, NP_ERR_ENVIRONMENT, part);
    refuse(TWO_BY_TWO, NULL, NP_ERR_ENVIRONMENT, variable);
    np_executor *executor = pool_create(TWO_BY_TWO,
                                        NP_EXECUTOR_OPTIONS(.ignore_environment = true));
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(unsetenv(variable), 0);
}

static void test_environment(void **state)
{
    (void)state;
    environment("NUMAPERF_STEAL_POLICY", "sideways", "sideways");
    environment("NUMAPERF_HARD_MODE", "1", "\"1\"");
    environment("NUMAPERF_BINDING", "", "\"\"");
    environment("NUMAPERF_WORKER_PER", "socket", "socket");
    environment("NUMAPERF_WORKERS_PER_NODE", "0", "\"0\"");
    environment("NUMAPERF_WORKERS_PER_NODE", "-1", "-1");
    environment("NUMAPERF_WORKERS_PER_NODE", "99999999999999999999", "99999999999999999999");
    environment("NUMAPERF_WORKERS_PER_NODE", "2x", "2x");
    environment("NUMAPERF_NODE_WORKERS", "0:", "0:");
    environment("NUMAPERF_NODE_WORKERS", "0:1,", "0:1,");
    environment("NUMAPERF_NODE_WORKERS", "zero:1", "zero:1");
    environment("NUMAPERF_NODES", "0-", "0-");
    environment("NUMAPERF_CPUS", "a", "\"a\"");
    environment("NUMAPERF_STACK_SIZE", "big", "big");
    environment("NUMAPERF_THREAD_NAME", "aVeryLongName", "aVeryLongName");
    environment("NUMAPERF_SPARE_WORKERS", "100", "100");
    environment("NUMAPERF_GUEST_WORKERS", "none", "none");
    environment("NUMAPERF_SPIN_NS", "fast", "fast");
    environment("NUMAPERF_GATE_BACKLOG", "0", "\"0\"");
    environment("NUMAPERF_GATE_AGE_NS", "1ms", "1ms");
    environment("NUMAPERF_INBOX_CAPACITY", "many", "many");
    environment("NUMAPERF_INBOX_FULL", "drop", "drop");

    setenv("NUMAPERF_STEAL_POLICY", "any", 1);
    setenv("NUMAPERF_NODE_WORKERS", "0:3,1:none", 1);
    setenv("NUMAPERF_THREAD_NAME", "env", 1);
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    np_worker_info info;
    assert_int_equal(np_executor_steal_policy(executor), NP_STEAL_ANY);
    assert_int_equal(np_executor_node_worker_count(executor, 0), 3);
    assert_int_equal(np_executor_node_worker_count(executor, 1), 0);
    assert_int_equal(np_executor_worker_info(executor, 0, &info), NP_OK);
    assert_string_equal(info.name, "env-n0w0");
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    /* The program's own value wins. */
    executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.steal_policy = NP_STEAL_LOCAL_ONLY));
    assert_int_equal(np_executor_steal_policy(executor), NP_STEAL_LOCAL_ONLY);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    unsetenv("NUMAPERF_STEAL_POLICY");
    unsetenv("NUMAPERF_NODE_WORKERS");
    unsetenv("NUMAPERF_THREAD_NAME");
}

static unsigned count_threads(void)
{
    unsigned threads = 0;
    DIR *directory = opendir("/proc/self/task");
    assert_non_null(directory);
    while (readdir(directory) != NULL)
        threads++;
    closedir(directory);
    return threads;
}

/*
 * A thread that was joined may still be listed: the kernel wakes who waits for it before it takes
 * it off the list. Looks again until the number is right or ten seconds are over; a thread that was
 * never joined stays for good.
 */
static unsigned count_threads_after_joins(unsigned expected)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    time_t end = now.tv_sec + 10;
    unsigned threads = count_threads();
    while (threads != expected && now.tv_sec < end) {
        sched_yield();
        threads = count_threads();
        clock_gettime(CLOCK_MONOTONIC, &now);
    }
    return threads;
}

static void test_each_allocation_fails(void **state)
{
    (void)state;
    unit_allocator allocator;
    unit_allocator_install(&allocator);
    np_topology *topology = NULL;
    assert_int_equal(np_topology_from_synthetic(TWO_BY_TWO, &topology), NP_OK);
    size_t held = allocator.held_bytes;
    unsigned threads = count_threads();
    size_t k = 0;
    for (np_status status = NP_ERR_NO_MEMORY; status != NP_OK;) {
        np_executor *executor = NULL;
        allocator.calls = 0;
        allocator.fail_at = ++k;
        status = np_executor_create(topology, NULL, &executor);
        allocator.fail_at = 0;
        if (status == NP_OK) {
            assert_int_equal(np_executor_destroy(executor), NP_OK);
        } else {
            assert_null(executor);
            unit_expect_failure(status, NP_ERR_NO_MEMORY, "memory");
        }
        assert_int_equal(allocator.held_bytes, held);
        assert_int_equal(count_threads_after_joins(threads), threads);
    }
    print_message("%zu allocations failed in turn\n", k - 1);
    assert_true(k > 5);
    np_topology_destroy(topology);
    assert_int_equal(allocator.held_blocks, 0);
    assert_int_equal(allocator.wrong_sizes, 0);
    assert_int_equal(np_set_allocator(NULL), NP_OK);
}

typedef struct hooks {
    np_atomic(uint32_t) starts;
    np_atomic(uint32_t) stops;
    np_atomic(uint64_t) indices;
} hooks;

static void on_start(void *context, const np_worker_info *worker)
{
    hooks *h = context;
    assert_int_equal(np_current_worker_index(), worker->index);
    npi_fetch_or_relaxed(&h->indices, UINT64_C(1) << worker->index);
    npi_fetch_add_relaxed(&h->starts, 1u);
}

static void on_stop(void *context, const np_worker_info *worker)
{
    (void)worker;
    npi_fetch_add_relaxed(&((hooks *)context)->stops, 1u);
}

static void test_hooks(void **state)
{
    (void)state;
    hooks h = {0};
    np_executor *executor = pool_create(TWO_BY_TWO, NP_EXECUTOR_OPTIONS(.on_worker_start = on_start,
                                                                        .on_worker_stop = on_stop,
                                                                        .hook_context = &h));
    /* Every start hook has run when create returns. */
    assert_int_equal(npi_load_acquire(&h.starts), 4);
    assert_int_equal(npi_load_acquire(&h.indices), 15);
    assert_int_equal(npi_load_acquire(&h.stops), 0);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    assert_int_equal(npi_load_acquire(&h.stops), 4);
}

static void deep(void *argument)
{
    volatile char bytes[3 << 20];
    for (size_t i = 0; i < sizeof bytes; i += 4096)
        bytes[i] = 1;
    *(char *)argument = bytes[4096];
}

static void test_stack_size(void **state)
{
    (void)state;
    char touched = 0;
    np_executor *executor = pool_create(ONE_BY_ONE, NP_EXECUTOR_OPTIONS(.stack_size = 16 << 20));
    assert_int_equal(np_run(executor, 0, deep, &touched), NP_OK);
    assert_int_equal(touched, 1);
    pool_destroy_exact(executor, 1, 0);
}

static void test_description(void **state)
{
    (void)state;
    char text[4096];
    np_executor *executor = pool_create(TWO_BY_TWO, NULL);
    size_t length = np_executor_describe(executor, text, sizeof text);
    assert_int_equal(length, strlen(text));
    assert_int_equal(np_executor_describe(executor, NULL, 0), length);
    assert_non_null(strstr(text, "4 workers on 2 nodes"));
    assert_non_null(strstr(text, "virtual topology"));
    assert_non_null(strstr(text, "np-n1w1"));
    pool_destroy_exact(executor, 0, 0);
    assert_int_equal(np_executor_describe(NULL, text, sizeof text), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_default_workers),
        cmocka_unit_test(test_chosen_workers),
        cmocka_unit_test(test_one_per_core_and_subsets),
        cmocka_unit_test(test_cpu_binding_spreads),
        cmocka_unit_test(test_real_binding),
        cmocka_unit_test(test_two_executors_on_disjoint_halves),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_environment),
        cmocka_unit_test(test_each_allocation_fails),
        cmocka_unit_test(test_hooks),
        cmocka_unit_test(test_stack_size),
        cmocka_unit_test(test_description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
