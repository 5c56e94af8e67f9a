/*
 * Goal: regions lie where they were asked to lie, say truthfully how far that is enforced, and
 * refuse bad requests with words that name the value. Method: every policy on every node with
 * memory, each checked with the kernel's own answers (get_mempolicy, move_pages) and not with the
 * library's.
 */
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <numaperf/region.h>
#include <numaperf/topology.h>

#include "os/os.h"
#include "unit.h"

enum { MAX_NODES = 64 };

typedef struct machine {
    np_topology *real;
    np_topology *virtual_machine; /* two nodes with memory */
    np_node_id node[MAX_NODES];   /* those with memory that we may use */
    size_t node_count;
    bool can_place;
} machine;

static machine here;

static int set_up(void **state)
{
    *state = &here;
    if (np_topology_discover(&here.real) != NP_OK ||
        np_topology_from_synthetic("pack:1 numa:2 core:1 pu:1", &here.virtual_machine) != NP_OK)
        return -1;
    for (np_node_index i = 0; i < np_topology_node_count(here.real); i++) {
        np_node_info info;
        np_node_id node = np_topology_node_id(here.real, i);
        if (np_topology_node_info(here.real, node, &info) == NP_OK && info.memory_bytes > 0 &&
            info.memory_allowed && here.node_count < MAX_NODES)
            here.node[here.node_count++] = node;
    }
    npi_node_set allowed;
    here.can_place = npi_os_allowed_nodes(&allowed) == 0 && here.node_count > 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    np_topology_destroy(here.real);
    np_topology_destroy(here.virtual_machine);
    return 0;
}

#define NEED_PLACEMENT()                                            \
    do {                                                            \
        if (!here.can_place)                                        \
            UNIT_SKIP("the kernel offers no memory policies here"); \
    } while (0)

static int kernel_node_of(const char *address)
{
    void *page = (void *)(uintptr_t)address;
    int answer = -1;
    assert_int_equal(npi_os_page_nodes(&page, 1, &answer), 0);
    return answer;
}

static void assert_strictly_enforced(const np_region *region)
{
    np_enforcement reached = np_region_enforcement(region);
    if (reached.level != NP_ENFORCEMENT_STRICT)
        fail_msg("%s, %s (errno %d)", np_enforcement_level_name(reached.level),
                 np_reason_text(reached.reason), reached.system_error);
    assert_int_equal(reached.reason, NP_REASON_NONE);
    assert_int_equal(reached.system_error, 0);
}

/* --- placement --------------------------------------------------------------------------- */

static void test_bound_to_each_node(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    enum { PAGES = 700 }; /* more than one batch of the audit */
    for (size_t n = 0; n < here.node_count; n++) {
        np_region *region = NULL;
        size_t page = npi_os_page_size();
        assert_int_equal(
            np_region_create_on_node(here.real, PAGES * page - 5, here.node[n], &region), NP_OK);
        assert_strictly_enforced(region);
        assert_int_equal(np_region_size(region), PAGES * page);
        assert_int_equal(np_region_page_size(region), page);
        assert_int_equal(np_region_policy(region), NP_MEMORY_BIND);
        np_node_id nodes[2] = {-7, -7};
        assert_int_equal(np_region_nodes(region, nodes, 2), 1);
        assert_int_equal(nodes[0], here.node[n]);
        assert_int_equal(nodes[1], -7);

        char *data = np_region_data(region);
        for (size_t i = 0; i < PAGES; i++)
            assert_int_equal(kernel_node_of(data + i * page), here.node[n]);
        npi_os_policy policy;
        npi_node_set set;
        assert_int_equal(npi_os_memory_policy(data, &policy, &set), 0);
        assert_int_equal(policy, NPI_OS_POLICY_BIND);
        assert_int_equal(npi_node_set_count(&set), 1);
        assert_true(npi_node_set_contains(&set, here.node[n]));
        for (size_t i = 0; i < np_region_size(region); i++)
            if (data[i] != 0)
                fail_msg("byte %zu is not zero", i);
        data[np_region_size(region) - 1] = 1;

        static np_node_id where[PAGES];
        np_region_audit audit;
        assert_int_equal(np_region_audit_pages(region, &audit, where, PAGES), NP_OK);
        assert_int_equal(audit.pages, PAGES);
        assert_int_equal(audit.home, PAGES);
        assert_int_equal(audit.elsewhere + audit.not_present + audit.unknown, 0);
        for (size_t i = 0; i < PAGES; i++)
            assert_int_equal(where[i], here.node[n]);
        print_message("node %d: %d of %d pages there\n", (int)here.node[n], PAGES, PAGES);
        np_region_destroy(region);
    }
}

static void test_strict_on_each_node(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    for (size_t n = 0; n < here.node_count; n++) {
        np_region *region = NULL;
        const np_region_options *options = NP_REGION_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT,
                                                             .prefault = NP_PREFAULT_TOUCH,
                                                             .nodes = &here.node[n],
                                                             .node_count = 1);
        assert_int_equal(np_region_create(here.real, 1 << 20, options, &region), NP_OK);
        assert_strictly_enforced(region);
        assert_int_equal(kernel_node_of(np_region_data(region)), here.node[n]);
        np_region_destroy(region);
    }
}

static void test_preferred_node(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    for (size_t n = 0; n < here.node_count; n++) {
        np_region *region = NULL;
        const np_region_options *options = NP_REGION_OPTIONS(.policy = NP_MEMORY_PREFERRED,
                                                             .hard_mode = NP_HARD_MODE_STRICT,
                                                             .prefault = NP_PREFAULT_TOUCH,
                                                             .nodes = &here.node[n],
                                                             .node_count = 1);
        assert_int_equal(np_region_create(here.real, 65536, options, &region), NP_OK);
        assert_strictly_enforced(region);
        npi_os_policy policy;
        npi_node_set set;
        assert_int_equal(npi_os_memory_policy(np_region_data(region), &policy, &set), 0);
        assert_int_equal(policy, NPI_OS_POLICY_PREFERRED);
        assert_true(npi_node_set_contains(&set, here.node[n]));
        assert_int_equal(kernel_node_of(np_region_data(region)), here.node[n]);
        np_region_destroy(region);
    }
}

static void test_preferred_takes_the_first_of_several(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    if (here.node_count < 2)
        UNIT_SKIP("needs two nodes with memory, this machine has %zu", here.node_count);
    np_node_id nodes[2] = {here.node[1], here.node[0]};
    np_region *region = NULL;
    assert_int_equal(np_region_create(here.real, 65536,
                                      NP_REGION_OPTIONS(.policy = NP_MEMORY_PREFERRED,
                                                        .prefault = NP_PREFAULT_TOUCH,
                                                        .nodes = nodes, .node_count = 2),
                                      &region),
                     NP_OK);
    assert_strictly_enforced(region);
    assert_int_equal(kernel_node_of(np_region_data(region)), here.node[1]);
    np_region_destroy(region);
}

static void test_interleave_spreads_evenly(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    enum { PER_NODE = 32 };
    np_region *region = NULL;
    size_t page = npi_os_page_size();
    size_t pages = PER_NODE * here.node_count;
    const np_region_options *options = NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE,
                                                         .hard_mode = NP_HARD_MODE_STRICT,
                                                         .prefault = NP_PREFAULT_TOUCH,
                                                         .huge_pages = NP_HUGE_PAGES_NEVER);
    assert_int_equal(np_region_create(here.real, pages * page, options, &region), NP_OK);
    assert_strictly_enforced(region);
    assert_int_equal(np_region_nodes(region, NULL, 0), here.node_count);
    size_t on_node[MAX_NODES] = {0};
    for (size_t i = 0; i < pages; i++) {
        int node = kernel_node_of((char *)np_region_data(region) + i * page);
        for (size_t n = 0; n < here.node_count; n++)
            if (here.node[n] == node)
                on_node[n]++;
    }
    for (size_t n = 0; n < here.node_count; n++)
        assert_int_equal(on_node[n], PER_NODE);
    np_region_destroy(region);
}

static void test_interleave_over_a_part(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    if (here.node_count < 3)
        UNIT_SKIP("needs three nodes with memory, this machine has %zu", here.node_count);
    np_node_id nodes[2] = {here.node[2], here.node[0]};
    np_region *region = NULL;
    assert_int_equal(np_region_create(here.real, 64 * npi_os_page_size(),
                                      NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE,
                                                        .prefault = NP_PREFAULT_TOUCH,
                                                        .huge_pages = NP_HUGE_PAGES_NEVER,
                                                        .nodes = nodes, .node_count = 2),
                                      &region),
                     NP_OK);
    assert_strictly_enforced(region);
    unsigned on_first = 0;
    for (size_t i = 0; i < 64; i++) {
        int node = kernel_node_of((char *)np_region_data(region) + i * npi_os_page_size());
        assert_true(node == nodes[0] || node == nodes[1]);
        on_first += node == nodes[0];
    }
    assert_int_equal(on_first, 32);
    np_region_destroy(region);
}

static void test_local_follows_the_thread(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_cpu_set before;
    assert_int_equal(npi_os_affinity_get(&before), 0);
    size_t nodes_tried = 0;
    for (size_t n = 0; n < here.node_count; n++) {
        np_cpu_set cpus;
        assert_int_equal(np_topology_node_cpus(here.real, here.node[n], &cpus), NP_OK);
        if (np_cpu_set_is_empty(&cpus))
            continue;
        assert_int_equal(npi_os_affinity_set(&cpus), 0);
        np_region *region = NULL;
        assert_int_equal(np_region_create(here.real, 65536,
                                          NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL,
                                                            .hard_mode = NP_HARD_MODE_STRICT,
                                                            .prefault = NP_PREFAULT_TOUCH),
                                          &region),
                         NP_OK);
        assert_strictly_enforced(region);
        assert_int_equal(np_region_nodes(region, NULL, 0), 0);
        assert_int_equal(kernel_node_of(np_region_data(region)), here.node[n]);
        np_region_audit audit;
        assert_int_equal(np_region_audit_pages(region, &audit, NULL, 0), NP_OK);
        assert_int_equal(audit.home, audit.pages);
        np_region_destroy(region);
        nodes_tried++;
    }
    assert_int_equal(npi_os_affinity_set(&before), 0);
    assert_true(nodes_tried > 0);
}

static void test_defaults(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    assert_int_equal(np_region_create(here.real, 1, NULL, &region), NP_OK);
    assert_strictly_enforced(region);
    assert_int_equal(np_region_policy(region), NP_MEMORY_BIND);
    assert_int_equal(np_region_size(region), npi_os_page_size());
    np_node_id nodes[MAX_NODES];
    assert_int_equal(np_region_nodes(region, nodes, MAX_NODES), here.node_count);
    assert_memory_equal(nodes, here.node, here.node_count * sizeof nodes[0]);
    np_region_destroy(region);
}

static void test_the_callers_own_policy_is_left_alone(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    npi_os_policy policy;
    npi_node_set set;
    np_region *region = NULL;
    assert_int_equal(np_region_create_on_node(here.real, 4096, here.node[0], &region), NP_OK);
    void *memory = NULL;
    assert_int_equal(npi_os_map(npi_os_page_size(), 0, &memory), 0);
    assert_int_equal(npi_os_memory_policy(memory, &policy, &set), 0);
    assert_int_equal(policy, NPI_OS_POLICY_DEFAULT);
    assert_int_equal(npi_os_unmap(memory, npi_os_page_size()), 0);
    np_region_destroy(region);
}

/* --- pages ------------------------------------------------------------------------------- */

static void test_audit_counts_absent_pages(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_region *region = NULL;
    size_t page = npi_os_page_size();
    assert_int_equal(np_region_create(here.real, 10 * page,
                                      NP_REGION_OPTIONS(.huge_pages = NP_HUGE_PAGES_NEVER),
                                      &region),
                     NP_OK);
    char *data = np_region_data(region);
    np_region_audit audit;
    np_node_id where[10];
    assert_int_equal(np_region_audit_pages(region, &audit, where, 10), NP_OK);
    assert_int_equal(audit.pages, 10);
    assert_int_equal(audit.not_present, 10);
    for (size_t i = 0; i < 10; i++)
        assert_int_equal(where[i], NP_NODE_ID_NONE);

    data[3 * page] = 1;
    data[7 * page + 5] = 1;
    volatile char *read_only = data + 5 * page;
    assert_int_equal(*read_only, 0); /* now the kernel's page of zeros stands there */
    where[9] = -7;
    assert_int_equal(np_region_audit_pages(region, &audit, where, 9), NP_OK);
    assert_int_equal(audit.home, 2);
    assert_int_equal(audit.not_present, 8);
    assert_int_equal(audit.elsewhere + audit.unknown, 0);
    for (size_t i = 0; i < 9; i++)
        assert_int_equal(where[i] != NP_NODE_ID_NONE, i == 3 || i == 7);
    assert_int_equal(where[9], -7); /* beyond the capacity that was given */
    np_region_destroy(region);
}

static void test_audit_finds_pages_elsewhere(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    if (here.node_count < 2)
        UNIT_SKIP("needs two nodes with memory, this machine has %zu", here.node_count);
    size_t page = npi_os_page_size();
    np_region *region = NULL;
    assert_int_equal(np_region_create_on_node(here.real, 8 * page, here.node[0], &region), NP_OK);
    npi_node_set other;
    npi_node_set_clear(&other);
    assert_true(npi_node_set_add(&other, here.node[1]));
    assert_int_equal(npi_os_bind_memory((char *)np_region_data(region) + 2 * page, 3 * page,
                                        NPI_OS_POLICY_BIND, &other, true),
                     0);
    np_region_audit audit;
    np_node_id where[8];
    assert_int_equal(np_region_audit_pages(region, &audit, where, 8), NP_OK);
    assert_int_equal(audit.home, 5);
    assert_int_equal(audit.elsewhere, 3);
    for (size_t i = 0; i < 8; i++)
        assert_int_equal(where[i], here.node[i >= 2 && i < 5 ? 1 : 0]);
    np_region_destroy(region);
}

static void test_huge_pages(void **state)
{
    (void)state;
    size_t huge = npi_os_huge_page_size();
    np_region *region = NULL;
    np_region_options options;
    np_region_options_init(&options);
    options.huge_pages = NP_HUGE_PAGES_TRANSPARENT;
    options.prefault = NP_PREFAULT_TOUCH;
    assert_int_equal(np_region_create(here.real, (size_t)4 << 20, &options, &region), NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    char text[64] = "";
    bool offered = huge != 0 &&
                   npi_os_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text,
                                    sizeof text, NULL) == 0 &&
                   strstr(text, "[never]") == NULL;
    if (offered) {
        assert_int_equal((uintptr_t)np_region_data(region) % huge, 0);
        if (here.can_place)
            assert_strictly_enforced(region);
    } else {
        assert_int_not_equal(reached.level, NP_ENFORCEMENT_STRICT);
        np_region *refused = NULL;
        options.hard_mode = NP_HARD_MODE_STRICT;
        unit_expect_failure(np_region_create(here.real, (size_t)4 << 20, &options, &refused),
                            NP_ERR_HARD_MODE, "huge pages");
        assert_null(refused);
        print_message("no transparent huge pages here: refusal checked instead\n");
    }
    np_region_destroy(region);
}

static void test_address_node(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    for (size_t n = 0; n < here.node_count; n++) {
        np_region *region = NULL;
        assert_int_equal(np_region_create_on_node(here.real, 4096, here.node[n], &region), NP_OK);
        np_node_id node = -7;
        assert_int_equal(np_address_node((char *)np_region_data(region) + 17, &node), NP_OK);
        assert_int_equal(node, here.node[n]);
        np_region_destroy(region);
    }
    int on_stack = 1;
    np_node_id node = -7;
    assert_int_equal(np_address_node(&on_stack, &node), NP_OK);
    assert_true(np_topology_node_index(here.real, node) != NP_NODE_INDEX_NONE);
}

static void test_address_without_a_page(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_node_id node = 5;
    void *memory = NULL;
    size_t page = npi_os_page_size();
    assert_int_equal(npi_os_map(page, 0, &memory), 0);
    unit_expect_failure(np_address_node(memory, &node), NP_ERR_NOT_FOUND, "no page is present");
    assert_int_equal(node, NP_NODE_ID_NONE);
    assert_int_equal(npi_os_unmap(memory, page), 0);
    unit_expect_failure(np_address_node(memory, &node), NP_ERR_NOT_FOUND, "no page is present");
    unit_expect_failure(np_address_node(NULL, &node), NP_ERR_NOT_FOUND, "no page is present");
    unit_expect_failure(np_address_node(memory, NULL), NP_ERR_INVALID_ARGUMENT, "out is NULL");
}

/* --- threads and processes --------------------------------------------------------------- */

enum { MAKERS = 4, MADE = 40 };

typedef struct maker {
    npi_os_thread thread;
    np_node_id node;
    unsigned wrong;
} maker;

static void make_regions(void *argument)
{
    maker *self = argument;
    for (unsigned i = 0; i < MADE; i++) {
        np_region *region = NULL;
        np_region_audit audit;
        if (np_region_create_on_node(here.real, 4096u * (1 + i % 5), self->node, &region) !=
                NP_OK ||
            np_region_audit_pages(region, &audit, NULL, 0) != NP_OK || audit.home != audit.pages)
            self->wrong++;
        np_region_destroy(region);
    }
}

static void test_threads_make_regions_at_once(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    maker makers[MAKERS];
    for (size_t i = 0; i < MAKERS; i++) {
        makers[i] = (maker){.node = here.node[i % here.node_count]};
        assert_int_equal(npi_os_thread_start(&makers[i].thread, 0, make_regions, &makers[i]), 0);
    }
    for (size_t i = 0; i < MAKERS; i++) {
        assert_int_equal(npi_os_thread_join(&makers[i].thread), 0);
        assert_int_equal(makers[i].wrong, 0);
    }
}

static void test_a_forked_child_inherits(void **state)
{
    (void)state;
    NEED_PLACEMENT();
    np_node_id last = here.node[here.node_count - 1];
    np_region *region = NULL;
    assert_int_equal(np_region_create_on_node(here.real, 8192, last, &region), NP_OK);
    char *data = np_region_data(region);
    data[0] = 5;
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        int result = data[0] == 5 ? 0 : 1;
        data[0] = 6; /* a page of the child's own, under the same policy */
        np_node_id node = NP_NODE_ID_NONE;
        if (np_address_node(data, &node) != NP_OK || node != last)
            result = 2;
        np_region_destroy(region);
        _exit(result);
    }
    int status = 0;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(data[0], 5);
    np_region_destroy(region);
}

/* --- virtual machines -------------------------------------------------------------------- */

static void test_virtual_is_ordinary_memory(void **state)
{
    (void)state;
    np_region *region = NULL;
    assert_int_equal(np_region_create_on_node(here.virtual_machine, 65536, 1, &region), NP_OK);
    np_enforcement reached = np_region_enforcement(region);
    assert_int_equal(reached.level, NP_ENFORCEMENT_NONE);
    assert_int_equal(reached.reason, NP_REASON_VIRTUAL_TOPOLOGY);
    np_node_id node = -7;
    assert_int_equal(np_region_nodes(region, &node, 1), 1);
    assert_int_equal(node, 1);
    memset(np_region_data(region), 1, np_region_size(region));
    np_region_audit audit;
    if (np_region_audit_pages(region, &audit, NULL, 0) == NP_OK) {
        assert_int_equal(audit.home, audit.pages);
        assert_int_equal(audit.elsewhere, 0);
    }
    np_region_destroy(region);
}

static void test_virtual_refuses_strict(void **state)
{
    (void)state;
    np_region *region = NULL;
    np_region_options options;
    np_region_options_init(&options);
    options.hard_mode = NP_HARD_MODE_STRICT;
    for (int policy = NP_MEMORY_BIND; policy <= NP_MEMORY_LOCAL; policy++) {
        np_node_id node = 0;
        options.policy = (np_memory_policy)policy;
        options.nodes = policy == NP_MEMORY_LOCAL ? NULL : &node;
        options.node_count = policy == NP_MEMORY_LOCAL ? 0 : 1;
        unit_expect_failure(np_region_create(here.virtual_machine, 4096, &options, &region),
                            NP_ERR_HARD_MODE, "does not describe this machine");
        assert_null(region);
        assert_non_null(strstr(np_error_detail(), np_memory_policy_name(options.policy)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bound_to_each_node),
        cmocka_unit_test(test_strict_on_each_node),
        cmocka_unit_test(test_preferred_node),
        cmocka_unit_test(test_preferred_takes_the_first_of_several),
        cmocka_unit_test(test_interleave_spreads_evenly),
        cmocka_unit_test(test_interleave_over_a_part),
        cmocka_unit_test(test_local_follows_the_thread),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_the_callers_own_policy_is_left_alone),
        cmocka_unit_test(test_audit_counts_absent_pages),
        cmocka_unit_test(test_audit_finds_pages_elsewhere),
        cmocka_unit_test(test_huge_pages),
        cmocka_unit_test(test_address_node),
        cmocka_unit_test(test_address_without_a_page),
        cmocka_unit_test(test_threads_make_regions_at_once),
        cmocka_unit_test(test_a_forked_child_inherits),
        cmocka_unit_test(test_virtual_is_ordinary_memory),
        cmocka_unit_test(test_virtual_refuses_strict),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
