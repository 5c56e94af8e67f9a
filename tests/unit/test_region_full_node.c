/*
 * Goal: what happens when a node runs out of memory is what the documentation says: strict refuses
 * beforehand, soft and preferred spill over and admit it, and a bound page that finds its node full
 * after all costs a process its life. Method: really fills most of the smallest node, once, and
 * lets every test fight for the rest. Only on machines with several nodes of which one is small
 * (emulated ones are); the process that dies is a child that volunteers.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numaperf/region.h>

#include "memory/region_impl.h"
#include "os/os.h"
#include "unit.h"

static const uint64_t mebibyte = UINT64_C(1) << 20;

static np_topology *topology;
static np_node_id smallest = NP_NODE_ID_NONE;
static np_region *filler; /* three quarters of the smallest node, from the first test on */

static int set_up(void **state)
{
    (void)state;
    npi_node_set allowed;
    if (np_topology_discover(&topology) != NP_OK)
        return -1;
    if (npi_os_allowed_nodes(&allowed) != 0)
        return 0;
    uint64_t least = UINT64_MAX;
    uint64_t sum = 0;
    uint64_t of_smallest = 0;
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        np_node_id node = np_topology_node_id(topology, i);
        np_node_info info;
        uint64_t available = 0;
        if (np_topology_node_info(topology, node, &info) != NP_OK || info.memory_bytes == 0 ||
            !npi_node_set_contains(&allowed, node) || !npi_node_memory_available(node, &available))
            continue;
        sum += available;
        if (info.memory_bytes < least) {
            least = info.memory_bytes;
            smallest = node;
            of_smallest = available;
        }
    }
    if (least > 1024 * mebibyte || sum - of_smallest < 128 * mebibyte)
        smallest = NP_NODE_ID_NONE;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    np_region_destroy(filler);
    np_topology_destroy(topology);
    return 0;
}

#define NEED_A_SMALL_NODE()                                                     \
    do {                                                                        \
        if (smallest == NP_NODE_ID_NONE)                                        \
            UNIT_SKIP("needs several nodes with memory, one of at most 1 GiB"); \
    } while (0)

static uint64_t available_now(void)
{
    uint64_t bytes = 0;
    assert_true(npi_node_memory_available(smallest, &bytes));
    return bytes;
}

static np_region_options on_the_node(np_memory_policy policy, np_hard_mode mode)
{
    np_region_options options;
    np_region_options_init(&options);
    options.policy = policy;
    options.hard_mode = mode;
    options.nodes = &smallest;
    options.node_count = 1;
    return options;
}

static void test_strict_fills_most_of_a_node(void **state)
{
    (void)state;
    NEED_A_SMALL_NODE();
    np_region_options options = on_the_node(NP_MEMORY_BIND, NP_HARD_MODE_STRICT);
    options.prefault = NP_PREFAULT_TOUCH;
    /* The rest must stay above what the kernel keeps back and holds in its per-CPU lists (a tenth
     * of a small node), or it would count as full before the tests begin. */
    size_t bytes = (size_t)(available_now() / 4 * 3);
    if (np_region_create(topology, bytes, &options, &filler) != NP_OK)
        fail_msg("%s", np_error_detail());
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(filler, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home, audit.pages);
    print_message("node %d: %zu MiB bound and present\n", (int)smallest, bytes >> 20);

    /* A second one is refused while the first holds the memory. */
    np_region *second = NULL;
    unit_expect_failure(np_region_create(topology, bytes, &options, &second), NP_ERR_HARD_MODE,
                        "can be had there now");
    assert_null(second);
}

static void expect_spill(np_memory_policy policy, np_enforcement_level level, np_reason reason)
{
    np_region_options options = on_the_node(policy, NP_HARD_MODE_SOFT);
    options.prefault = NP_PREFAULT_TOUCH;
    np_region *region = NULL;
    uint64_t on_node = 0;
    assert_int_equal(np_topology_node_free_memory(topology, smallest, &on_node), NP_OK);
    size_t bytes = (size_t)(on_node + 32 * mebibyte);
    assert_int_equal(np_region_create(topology, bytes, &options, &region), NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    assert_int_equal(reached.level, level);
    assert_int_equal(reached.reason, reason);
    np_region_audit audit;
    assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
    assert_int_equal(audit.home + audit.elsewhere, audit.pages);
    assert_true(audit.home > 0);
    assert_true(audit.elsewhere > 0);
    print_message("%s: %llu pages there, %llu elsewhere\n", np_memory_policy_name(policy),
                  (unsigned long long)audit.home, (unsigned long long)audit.elsewhere);
    np_region_destroy(region);
}

static void test_preferred_spills_over(void **state)
{
    (void)state;
    NEED_A_SMALL_NODE();
    expect_spill(NP_MEMORY_PREFERRED, NP_ENFORCEMENT_STRICT, NP_REASON_NONE);
}

static void test_soft_bind_spills_over_and_says_so(void **state)
{
    (void)state;
    NEED_A_SMALL_NODE();
    expect_spill(NP_MEMORY_BIND, NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NO_MEMORY);
}

/* Every region passes the look at free memory, because none has a page yet. */
static int overcommit_the_node(size_t bytes)
{
    int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, "1000", 4) != 4 || close(file) != 0)
        return 1;
    np_region_options options = on_the_node(NP_MEMORY_BIND, NP_HARD_MODE_STRICT);
    np_region *region[3] = {NULL, NULL, NULL};
    for (int i = 0; i < 3; i++)
        if (np_region_create(topology, bytes, &options, &region[i]) != NP_OK)
            return 2;
    for (int i = 0; i < 3; i++) {
        char *data = np_region_data(region[i]);
        for (size_t offset = 0; offset < bytes; offset += np_region_page_size(region[i]))
            data[offset] = 1;
    }
    return 0;
}

static void test_a_bound_page_on_a_full_node_kills(void **state)
{
    (void)state;
    NEED_A_SMALL_NODE();
    size_t bytes = (size_t)(available_now() / 10 * 7);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(overcommit_the_node(bytes));
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WIFEXITED(status))
        fail_msg("the child ended with %d instead of being killed", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);

    /* The survivors find the node as it was. */
    np_region *region = NULL;
    np_region_options options = on_the_node(NP_MEMORY_BIND, NP_HARD_MODE_STRICT);
    options.prefault = NP_PREFAULT_TOUCH;
    assert_int_equal(np_region_create(topology, mebibyte, &options, &region), NP_OK);
    np_region_destroy(region);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_strict_fills_most_of_a_node),
        cmocka_unit_test(test_preferred_spills_over),
        cmocka_unit_test(test_soft_bind_spills_over_and_says_so),
        cmocka_unit_test(test_a_bound_page_on_a_full_node_kills),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
