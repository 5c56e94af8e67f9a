/*
 * Goal: mappings are aligned and zeroed, advice has its effect, policies are set and read back as
 * they are, pages are found where they are. Method: every node this process may allocate on; the
 * kernel's counters in /proc; refused calls by a system call filter.
 */
#include <errno.h>
#include <stdio.h>

#include "os/os.h"
#include "seccomp.h"
#include "unit.h"

static char *map_pages(size_t pages)
{
    void *memory = NULL;
    assert_int_equal(npi_os_map(pages * npi_os_page_size(), 0, &memory), 0);
    return memory;
}

static void unmap_pages(void *memory, size_t pages)
{
    assert_int_equal(npi_os_unmap(memory, pages * npi_os_page_size()), 0);
}

static int node_of(const void *address)
{
    void *page = (void *)(uintptr_t)address;
    int answer = -1;
    assert_int_equal(npi_os_page_nodes(&page, 1, &answer), 0);
    return answer;
}

/* Kernels differ in which of the two they say. */
static bool is_absent(int answer)
{
    return answer == -ENOENT || answer == -EFAULT;
}

static npi_node_set one_node(np_node_id node)
{
    npi_node_set set;
    npi_node_set_clear(&set);
    assert_true(npi_node_set_add(&set, node));
    return set;
}

#define NEED_ALLOWED(allowed)                                       \
    do {                                                            \
        if (npi_os_allowed_nodes(&(allowed)) != 0)                  \
            UNIT_SKIP("the kernel offers no memory policies here"); \
    } while (0)

#define FOR_EACH_NODE(node, set)                                                \
    for (np_node_id node = 0; node < (np_node_id)NPI_NODE_SET_CAPACITY; node++) \
        if (npi_node_set_contains(&(set), node))

/* --- mappings ---------------------------------------------------------------------------- */

static void test_page_sizes(void **state)
{
    (void)state;
    size_t page = npi_os_page_size();
    assert_true(page >= 4096 && (page & (page - 1)) == 0);
    size_t huge = npi_os_huge_page_size();
    assert_true(huge == 0 || (huge > page && (huge & (huge - 1)) == 0));
}

static void test_mappings_are_zeroed_and_aligned(void **state)
{
    (void)state;
    size_t page = npi_os_page_size();
    for (size_t alignment = 0; alignment <= ((size_t)64 << 20);
         alignment = alignment == 0 ? 1 : alignment * 4) {
        char *memory = NULL;
        void *mapped = NULL;
        assert_int_equal(npi_os_map(3 * page, alignment, &mapped), 0);
        memory = mapped;
        assert_int_equal((uintptr_t)memory % page, 0);
        if (alignment > 1)
            assert_int_equal((uintptr_t)memory % alignment, 0);
        for (size_t i = 0; i < 3 * page; i++)
            assert_int_equal(memory[i], 0);
        memset(memory, 1, 3 * page);
        assert_int_equal(npi_os_unmap(memory, 3 * page), 0);
    }
}

static size_t mapped_kib(void)
{
    char text[8192];
    assert_int_equal(npi_os_read_file("/proc/self/status", text, sizeof text, NULL), 0);
    const char *line = strstr(text, "VmSize:");
    assert_non_null(line);
    return strtoull(line + 7, NULL, 10);
}

static void test_alignment_leaves_nothing_behind(void **state)
{
    (void)state;
    size_t page = npi_os_page_size();
    size_t before = mapped_kib();
    for (int i = 0; i < 20; i++) {
        void *memory = NULL;
        assert_int_equal(npi_os_map(page, (size_t)16 << 20, &memory), 0);
        assert_int_equal(npi_os_unmap(memory, page), 0);
    }
    /* One leaked remainder alone would be nearly 16 MiB. */
    assert_true(mapped_kib() < before + 8192);
}

static void test_bad_mappings(void **state)
{
    (void)state;
    size_t page = npi_os_page_size();
    void *memory = NULL;
    errno = ELOOP;
    assert_int_equal(npi_os_map(0, 0, &memory), EINVAL);
    assert_int_equal(npi_os_map(page + 1, 0, &memory), EINVAL);
    assert_int_equal(npi_os_map(page, 3, &memory), EINVAL);
    assert_int_equal(npi_os_map(page, 3 * page, &memory), EINVAL);
    assert_int_equal(npi_os_map_huge(page, 0, &memory), EINVAL);
    assert_int_equal(npi_os_map_huge(3 * page, 3 * page, &memory), EINVAL);
    assert_int_equal(npi_os_map_huge(3 * page, 2 * page, &memory), EINVAL);
    assert_int_equal(npi_os_map_file(0, NPI_OS_FILE_READ, UINT64_MAX / page * page, page, &memory),
                     EOVERFLOW);
    if (!unit_is_emulated()) { /* valgrind answers EINVAL */
        assert_int_equal(npi_os_map((size_t)1 << 60, 0, &memory), ENOMEM);
        assert_int_equal(npi_os_map(SIZE_MAX / page * page, (size_t)1 << 30, &memory), ENOMEM);
    }
    assert_null(memory);
    assert_int_equal(npi_os_unmap((void *)1, page), EINVAL);
    assert_int_equal(errno, ELOOP);
}

/* --- advice ------------------------------------------------------------------------------ */

static void test_discard_and_populate(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    enum { PAGES = 8 };
    size_t page = npi_os_page_size();
    char *memory = map_pages(PAGES);
    (void)npi_os_advise(memory, PAGES * page, NPI_OS_ADVICE_NO_HUGE);
    for (size_t i = 0; i < PAGES; i++)
        assert_true(is_absent(node_of(memory + i * page)));
    int error = npi_os_advise(memory, PAGES * page, NPI_OS_ADVICE_POPULATE);
    if (error == 0) {
        for (size_t i = 0; i < PAGES; i++)
            assert_true(node_of(memory + i * page) >= 0);
    } else {
        assert_int_equal(error, EINVAL); /* a kernel before 5.14 */
    }
    memset(memory, 7, PAGES * page);
    assert_int_equal(npi_os_advise(memory + page, 3 * page, NPI_OS_ADVICE_DISCARD), 0);
    for (size_t i = 0; i < PAGES; i++)
        assert_int_equal(node_of(memory + i * page) >= 0, i < 1 || i > 3);
    assert_int_equal(memory[page], 0);
    assert_int_equal(memory[4 * page - 1], 0);
    assert_int_equal(memory[0], 7);
    assert_int_equal(memory[4 * page], 7);
    unmap_pages(memory, PAGES);
    assert_int_equal(npi_os_advise((void *)1, page, NPI_OS_ADVICE_DISCARD), EINVAL);
}

static size_t locked_kib(void)
{
    char text[8192];
    assert_int_equal(npi_os_read_file("/proc/self/status", text, sizeof text, NULL), 0);
    const char *line = strstr(text, "VmLck:");
    assert_non_null(line);
    return strtoull(line + 6, NULL, 10);
}

static void test_locking(void **state)
{
    (void)state;
    enum { PAGES = 4 };
    size_t bytes = PAGES * npi_os_page_size();
    char *memory = map_pages(PAGES);
    size_t before = locked_kib();
    int error = npi_os_lock_memory(memory, bytes);
    if (error == EPERM || error == ENOMEM || error == EAGAIN) {
        unmap_pages(memory, PAGES);
        UNIT_SKIP("this process may not lock memory");
    }
    assert_int_equal(error, 0);
    assert_int_equal(locked_kib() - before, bytes / 1024);
    assert_int_equal(npi_os_unlock_memory(memory, bytes), 0);
    assert_int_equal(locked_kib(), before);
    unmap_pages(memory, PAGES);
}

/* --- node sets --------------------------------------------------------------------------- */

static void test_node_sets(void **state)
{
    (void)state;
    npi_node_set a;
    npi_node_set_clear(&a);
    assert_int_equal(npi_node_set_count(&a), 0);
    static const np_node_id nodes[] = {0, 1, 63, 64, 252, 1023};
    for (size_t i = 0; i < sizeof nodes / sizeof nodes[0]; i++) {
        assert_false(npi_node_set_contains(&a, nodes[i]));
        assert_true(npi_node_set_add(&a, nodes[i]));
        assert_true(npi_node_set_add(&a, nodes[i]));
        assert_true(npi_node_set_contains(&a, nodes[i]));
        assert_int_equal(npi_node_set_count(&a), i + 1);
    }
    static const np_node_id outside[] = {-1, INT32_MIN, 1024, INT32_MAX};
    for (size_t i = 0; i < sizeof outside / sizeof outside[0]; i++) {
        assert_false(npi_node_set_add(&a, outside[i]));
        assert_false(npi_node_set_contains(&a, outside[i]));
    }
    npi_node_set b = one_node(64);
    assert_true(npi_node_set_is_subset(&b, &a));
    assert_false(npi_node_set_is_subset(&a, &b));
    assert_false(npi_node_set_equal(&a, &b));
    b = a;
    assert_true(npi_node_set_equal(&a, &b));
    assert_true(npi_node_set_is_subset(&a, &b));
}

/* --- policies ---------------------------------------------------------------------------- */

static void test_policies_are_read_back(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    static const npi_os_policy policies[] = {NPI_OS_POLICY_BIND, NPI_OS_POLICY_PREFERRED,
                                             NPI_OS_POLICY_INTERLEAVE,
                                             NPI_OS_POLICY_PREFERRED_MANY};
    FOR_EACH_NODE(node, allowed)
    {
        for (size_t i = 0; i < sizeof policies / sizeof policies[0]; i++) {
            char *memory = map_pages(2);
            npi_node_set set = one_node(node);
            int error = npi_os_bind_memory(memory, 2 * npi_os_page_size(), policies[i], &set,
                                           false);
            if (error == EINVAL && policies[i] == NPI_OS_POLICY_PREFERRED_MANY) {
                unmap_pages(memory, 2); /* a kernel before 5.15 */
                continue;
            }
            assert_int_equal(error, 0);
            npi_os_policy got;
            npi_node_set nodes;
            assert_int_equal(npi_os_memory_policy(memory, &got, &nodes), 0);
            assert_int_equal(got, policies[i]);
            assert_true(npi_node_set_equal(&nodes, &set));
            *memory = 1;
            assert_int_equal(node_of(memory), node);

            /* And back to none. */
            assert_int_equal(npi_os_bind_memory(memory, 2 * npi_os_page_size(),
                                                NPI_OS_POLICY_DEFAULT, NULL, false),
                             0);
            assert_int_equal(npi_os_memory_policy(memory, &got, &nodes), 0);
            assert_int_equal(got, NPI_OS_POLICY_DEFAULT);
            assert_int_equal(npi_node_set_count(&nodes), 0);
            unmap_pages(memory, 2);
        }
    }
}

/* Without the flag the kernel renumbers the nodes of a mapping when the cpuset changes. */
static void test_node_numbers_are_physical(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    enum { STATIC_NODES = 1 << 15, BY_ADDRESS = 2 };
    char *memory = map_pages(1);
    assert_int_equal(
        npi_os_bind_memory(memory, npi_os_page_size(), NPI_OS_POLICY_BIND, &allowed, false), 0);
    int mode = 0;
    npi_node_set nodes;
    assert_int_equal(syscall(SYS_get_mempolicy, &mode, nodes.bits, NPI_NODE_SET_CAPACITY + 1,
                             memory, BY_ADDRESS),
                     0);
    assert_true((mode & STATIC_NODES) != 0);
    unmap_pages(memory, 1);
}

static void test_local_policy(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    char *memory = map_pages(1);
    assert_int_equal(
        npi_os_bind_memory(memory, npi_os_page_size(), NPI_OS_POLICY_LOCAL, NULL, false), 0);
    npi_os_policy got;
    npi_node_set nodes;
    assert_int_equal(npi_os_memory_policy(memory, &got, &nodes), 0);
    assert_int_equal(got, NPI_OS_POLICY_LOCAL);
    unmap_pages(memory, 1);
}

static void test_impossible_nodes_are_refused(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    char *memory = map_pages(1);
    size_t page = npi_os_page_size();
    npi_node_set none;
    npi_node_set_clear(&none);
    npi_node_set far = one_node(1023);
    errno = ELOOP;
    assert_int_equal(npi_os_bind_memory(memory, page, NPI_OS_POLICY_BIND, &none, false), EINVAL);
    assert_int_equal(npi_os_bind_memory(memory, page, NPI_OS_POLICY_BIND, &far, false), EINVAL);
    assert_int_equal(npi_os_bind_memory(memory, page, NPI_OS_POLICY_OTHER, &allowed, false),
                     EINVAL);
    assert_int_equal(errno, ELOOP);
    unmap_pages(memory, 1);
    npi_os_policy policy;
    npi_node_set nodes;
    assert_int_equal(npi_os_memory_policy(memory, &policy, &nodes), EFAULT);
}

static void test_binding_moves_present_pages(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    if (npi_node_set_count(&allowed) < 2)
        UNIT_SKIP("needs two nodes with memory, this machine has one");
    enum { PAGES = 4 };
    size_t page = npi_os_page_size();
    char *memory = map_pages(PAGES);
    FOR_EACH_NODE(node, allowed)
    {
        npi_node_set set = one_node(node);
        assert_int_equal(npi_os_bind_memory(memory, PAGES * page, NPI_OS_POLICY_BIND, &set, true),
                         0);
        for (size_t i = 0; i < PAGES; i++) {
            memory[i * page]++;
            assert_int_equal(node_of(memory + i * page), node);
        }
    }
    for (size_t i = 1; i < PAGES; i++)
        assert_int_equal(memory[i * page], memory[0]); /* the contents moved too */
    unmap_pages(memory, PAGES);
}

static void test_pages_that_are_not_there(void **state)
{
    (void)state;
    npi_node_set allowed;
    NEED_ALLOWED(allowed);
    size_t page = npi_os_page_size();
    char *memory = map_pages(3);
    memory[page] = 1;
    volatile char *read_only = memory + 2 * page;
    assert_int_equal(*read_only, 0);
    void *pages[4] = {memory, memory + page, memory + 2 * page, NULL};
    int answers[4] = {99, 99, 99, 99};
    assert_int_equal(npi_os_page_nodes(pages, 4, answers), 0);
    assert_true(is_absent(answers[0]));
    assert_true(npi_node_set_contains(&allowed, answers[1]));
    assert_true(is_absent(answers[2]));
    assert_true(is_absent(answers[3]));
    unmap_pages(memory, 3);
}

/* --- refused ----------------------------------------------------------------------------- */

static int memory_policy_refused(int error)
{
    npi_node_set set;
    npi_node_set_clear(&set);
    CHILD_CHECK(npi_node_set_add(&set, 0));
    static char memory[8192];
    CHILD_CHECK(npi_os_bind_memory(memory, 4096, NPI_OS_POLICY_BIND, &set, false) == error);
    return CHILD_PASSED;
}

static int policy_query_refused(int error)
{
    npi_node_set set;
    npi_node_set_clear(&set);
    CHILD_CHECK(npi_node_set_add(&set, 7));
    npi_os_policy policy = NPI_OS_POLICY_OTHER;
    CHILD_CHECK(npi_os_memory_policy(&set, &policy, &set) == error);
    CHILD_CHECK(npi_os_allowed_nodes(&set) == error);
    /* The outputs of a failed call are as before. */
    CHILD_CHECK(policy == NPI_OS_POLICY_OTHER);
    CHILD_CHECK(npi_node_set_contains(&set, 7) && npi_node_set_count(&set) == 1);
    return CHILD_PASSED;
}

static int page_query_refused(int error)
{
    void *page = &error;
    int answer = 99;
    CHILD_CHECK(npi_os_page_nodes(&page, 1, &answer) == error);
    CHILD_CHECK(answer == 99);
    return CHILD_PASSED;
}

static void test_refusals_are_passed_on(void **state)
{
    (void)state;
    static const int errors[] = {EPERM, ENOSYS};
    for (size_t i = 0; i < 2; i++) {
        unit_in_refusing_child(SYS_mbind, errors[i], memory_policy_refused);
        unit_in_refusing_child(SYS_get_mempolicy, errors[i], policy_query_refused);
        unit_in_refusing_child(SYS_move_pages, errors[i], page_query_refused);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_page_sizes),
        cmocka_unit_test(test_mappings_are_zeroed_and_aligned),
        cmocka_unit_test(test_alignment_leaves_nothing_behind),
        cmocka_unit_test(test_bad_mappings),
        cmocka_unit_test(test_discard_and_populate),
        cmocka_unit_test(test_locking),
        cmocka_unit_test(test_node_sets),
        cmocka_unit_test(test_policies_are_read_back),
        cmocka_unit_test(test_node_numbers_are_physical),
        cmocka_unit_test(test_local_policy),
        cmocka_unit_test(test_impossible_nodes_are_refused),
        cmocka_unit_test(test_binding_moves_present_pages),
        cmocka_unit_test(test_pages_that_are_not_there),
        cmocka_unit_test(test_refusals_are_passed_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
