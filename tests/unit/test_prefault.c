/*
 * Goal: np_region_prefault() makes every page of a region present, by the workers of the nodes
 * where they go, changes no byte, and tells when it cannot. Method: virtual machines with several
 * nodes, with the counts of tasks per node; the real machine with the kernel's audit; calls from a
 * task, from a hook; a kernel that refuses.
 */
#include <errno.h>

#include <numaperf.h>

#include "seccomp.h"
#include "topology/snapshot.h"
#include "unit.h"

#define MIB ((size_t)1 << 20)

static uint64_t present(const np_region *region)
{
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home + audit.elsewhere + audit.not_present, audit.pages);
    return audit.home + audit.elsewhere;
}

static uint64_t tasks_on(np_executor *executor, np_node_id node)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t count = np_stats_node(stats, node, NP_COUNTER_EXECUTED_HOME) +
                     np_stats_node(stats, node, NP_COUNTER_EXECUTED_AWAY);
    np_stats_destroy(stats);
    return count;
}

/* An emulator may not answer where pages are. */
static bool can_audit(void)
{
    int here = 0;
    np_node_id node;
    return np_address_node(&here, &node) == NP_OK;
}

#define NEED_AUDIT()                                              \
    do {                                                          \
        if (!can_audit())                                         \
            UNIT_SKIP("the kernel does not say where pages are"); \
    } while (0)

typedef struct pool {
    np_topology *topology;
    np_executor *executor;
} pool;

static pool make_pool(const char *machine)
{
    pool p = {NULL, NULL};
    assert_int_equal(np_topology_from_synthetic(machine, &p.topology), NP_OK);
    assert_int_equal(np_executor_create(p.topology, NULL, &p.executor), NP_OK);
    return p;
}

static void end_pool(pool *p)
{
    assert_int_equal(np_executor_destroy(p->executor), NP_OK);
    np_topology_destroy(p->topology);
}

static np_region *make_region(const np_topology *topology, np_memory_policy policy,
                              const np_node_id *nodes, size_t count, size_t bytes)
{
    np_region *region = NULL;
    const np_region_options *options = NP_REGION_OPTIONS(.policy = policy, .nodes = nodes,
                                                         .node_count = count);
    assert_int_equal(np_region_create(topology, bytes, options, &region), NP_OK);
    return region;
}

/* --- who does it -------------------------------------------------------------------------- */

static void test_home_workers_do_it(void **state)
{
    (void)state;
    NEED_AUDIT();
    pool p = make_pool("pack:2 numa:1 core:2 pu:1");
    for (np_node_id home = 0; home < 2; home++) {
        np_region *region = make_region(p.topology, NP_MEMORY_BIND, &home, 1, 21 * MIB + 5);
        assert_int_equal(present(region), 0);
        uint64_t here = tasks_on(p.executor, home);
        uint64_t there = tasks_on(p.executor, 1 - home);
        assert_int_equal(np_region_prefault(p.executor, region), NP_OK);
        assert_int_equal(present(region), np_region_size(region) / np_region_page_size(region));
        assert_int_equal(np_executor_wait_idle(p.executor, NP_FOREVER), NP_OK);
        assert_int_equal(tasks_on(p.executor, home), here + 2); /* one for each worker */
        assert_int_equal(tasks_on(p.executor, 1 - home), there);
        np_region_destroy(region);
    }
    end_pool(&p);
}

static void test_every_policy(void **state)
{
    (void)state;
    NEED_AUDIT();
    static const size_t sizes[] = {1, MIB, 4 * MIB, 4 * MIB + 1, 37 * MIB};
    pool p = make_pool("pack:3 numa:1 core:2 pu:1");
    const np_node_id nodes[] = {2, 0};
    for (int policy = NP_MEMORY_BIND; policy <= NP_MEMORY_WEIGHTED_INTERLEAVE; policy++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            bool local = policy == NP_MEMORY_LOCAL;
            np_region *region = make_region(p.topology, (np_memory_policy)policy,
                                            local ? NULL : nodes, local ? 0 : 2, sizes[i]);
            uint64_t other = tasks_on(p.executor, 1);
            assert_int_equal(np_region_prefault(p.executor, region), NP_OK);
            assert_int_equal(present(region), np_region_size(region) / np_region_page_size(region));
            assert_int_equal(np_executor_wait_idle(p.executor, NP_FOREVER), NP_OK);
            if (!local)
                assert_int_equal(tasks_on(p.executor, 1), other);
            np_region_destroy(region);
        }
    }
    end_pool(&p);
}

/* Node 2 of this machine has memory only, as a CXL expander has: the nearest node's workers. */
static void test_memory_only_node(void **state)
{
    (void)state;
    NEED_AUDIT();
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_int_equal(np_topology_from_synthetic("pack:2 numa:1 core:2 pu:1", &topology), NP_OK);
    const np_node_id used = 0;
    assert_int_equal(np_executor_create(
                         topology, NP_EXECUTOR_OPTIONS(.nodes = &used, .node_count = 1), &executor),
                     NP_OK);
    const np_node_id home = 1; /* without workers in this executor */
    np_region *region = make_region(topology, NP_MEMORY_BIND, &home, 1, 9 * MIB);
    assert_int_equal(np_region_prefault(executor, region), NP_OK);
    assert_int_equal(present(region), np_region_size(region) / np_region_page_size(region));
    np_region_destroy(region);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    np_topology_destroy(topology);
}

/* --- what stays --------------------------------------------------------------------------- */

static void test_contents_stay(void **state)
{
    (void)state;
    pool p = make_pool("pack:2 numa:1 core:2 pu:1");
    np_region *region = make_region(p.topology, NP_MEMORY_INTERLEAVE, NULL, 0, 20 * MIB);
    unsigned char *data = np_region_data(region);
    for (size_t at = 0; at < np_region_size(region); at += 3 * 4096)
        data[at] = (unsigned char)(at / 4096 % 251 + 1);
    assert_int_equal(np_region_prefault(p.executor, region), NP_OK);
    assert_int_equal(np_region_prefault(p.executor, region), NP_OK);
    for (size_t at = 0; at < np_region_size(region); at += 3 * 4096)
        assert_int_equal(data[at], at / 4096 % 251 + 1);
    np_region_destroy(region);
    end_pool(&p);
}

static void test_real_machine(void **state)
{
    (void)state;
    NEED_AUDIT();
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    assert_int_equal(np_topology_discover(&topology), NP_OK);
    assert_int_equal(np_executor_create(topology, NULL, &executor), NP_OK);
    np_region *region = make_region(topology, NP_MEMORY_BIND, NULL, 0, 30 * MIB);
    assert_int_equal(np_region_prefault(executor, region), NP_OK);
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home, audit.pages);
    np_region_destroy(region);
    assert_int_equal(np_executor_destroy(executor), NP_OK);
    np_topology_destroy(topology);
}

/* --- from where it is called --------------------------------------------------------------- */

typedef struct inside {
    np_executor *executor;
    const np_region *region;
    np_status status;
} inside;

static void call_inside(void *argument)
{
    inside *self = argument;
    self->status = np_region_prefault(self->executor, self->region);
}

static void test_from_a_task(void **state)
{
    (void)state;
    NEED_AUDIT();
    pool p = make_pool("pack:2 numa:1 core:1 pu:1");
    np_region *region = make_region(p.topology, NP_MEMORY_INTERLEAVE, NULL, 0, 30 * MIB);
    inside self = {p.executor, region, NP_ERR_SYSTEM};
    assert_int_equal(np_run(p.executor, 0, call_inside, &self), NP_OK);
    assert_int_equal(self.status, NP_OK);
    assert_int_equal(present(region), np_region_size(region) / np_region_page_size(region));
    np_region_destroy(region);
    end_pool(&p);
}

static void test_refusals(void **state)
{
    (void)state;
    pool p = make_pool("numa:1 pu:1");
    np_region *region = make_region(p.topology, NP_MEMORY_BIND, NULL, 0, MIB);
    unit_expect_failure(np_region_prefault(NULL, region), NP_ERR_INVALID_ARGUMENT, "");
    unit_expect_failure(np_region_prefault(p.executor, NULL), NP_ERR_INVALID_ARGUMENT,
                        "region is NULL");
    assert_int_equal(np_executor_shutdown(p.executor), NP_OK);
    unit_expect_failure(np_region_prefault(p.executor, region), NP_ERR_SHUT_DOWN, "");
    np_region_destroy(region);
    end_pool(&p);
}

/* In a child of its own, whose threads are made after the filter. */
static int refused(int error)
{
    np_topology *topology = NULL;
    np_executor *executor = NULL;
    CHILD_CHECK(np_topology_from_synthetic("pack:2 numa:1 core:1 pu:1", &topology) == NP_OK);
    CHILD_CHECK(np_executor_create(topology, NULL, &executor) == NP_OK);
    for (int prefault = NP_PREFAULT_NONE; prefault <= NP_PREFAULT_POPULATE; prefault++) {
        np_region *region = NULL;
        CHILD_CHECK(np_region_create(topology, 9 * MIB,
                                     NP_REGION_OPTIONS(.prefault = (np_prefault)prefault),
                                     &region) == NP_OK);
        np_status expected = NP_OK; /* touched instead */
        if (error == ENOMEM)
            expected = NP_ERR_NO_MEMORY;
        else if (prefault == NP_PREFAULT_POPULATE)
            expected = error == EPERM ? NP_ERR_NOT_PERMITTED : NP_ERR_NOT_SUPPORTED;
        np_status status = np_region_prefault(executor, region);
        CHILD_CHECK(status == expected);
        CHILD_CHECK(status == NP_OK || strstr(np_error_detail(), "madvise: ") != NULL);
        np_region_audit audit = {.not_present = 1};
        /* A page that the kernel moves at this moment (balancing, huge pages) is nowhere. */
        for (int look = 0; look < 1000 && audit.not_present != 0; look++)
            CHILD_CHECK(np_region_audit_pages(region, &audit, NULL, 0) == NP_OK);
        CHILD_CHECK(status != NP_OK || audit.not_present == 0);
        np_region_destroy(region);
    }
    CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    np_topology_destroy(topology);
    return CHILD_PASSED;
}

static void test_refusing_kernel(void **state)
{
    (void)state;
    NEED_AUDIT();
    unit_in_refusing_child(SYS_madvise, EINVAL, refused);
    unit_in_refusing_child(SYS_madvise, EPERM, refused);
    unit_in_refusing_child(SYS_madvise, ENOMEM, refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_home_workers_do_it), cmocka_unit_test(test_every_policy),
        cmocka_unit_test(test_memory_only_node),   cmocka_unit_test(test_contents_stay),
        cmocka_unit_test(test_real_machine),       cmocka_unit_test(test_from_a_task),
        cmocka_unit_test(test_refusals),           cmocka_unit_test(test_refusing_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
