/*
 * Goal: partitioned arrays as their users see them: the memory is an ordinary array, every question
 * about an element or an address agrees with a linear scan over the pieces, and bad requests are
 * refused in words that name the value. Method: virtual machines with several nodes, where the
 * pieces are those of the described machine; the real machine for what the kernel says about pages.
 */
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include <numaperf/array.h>

#include "os/os.h"
#include "unit.h"

enum { NODES = 4 };

static np_topology *machine; /* four virtual nodes */
static np_topology *real;
static size_t page;

static int set_up(void **state)
{
    (void)state;
    page = npi_os_page_size();
    return np_topology_from_synthetic("numa:4 core:2 pu:1", &machine) != NP_OK ||
           np_topology_discover(&real) != NP_OK;
}

static int tear_down(void **state)
{
    (void)state;
    np_topology_destroy(machine);
    np_topology_destroy(real);
    return 0;
}

static np_array *make(size_t element, size_t count, const np_array_options *options)
{
    np_array *array = NULL;
    np_status status = np_array_create(machine, element, count, options, &array);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    assert_int_equal(np_array_count(array), count);
    assert_int_equal(np_array_element_size(array), element);
    assert_int_equal((uintptr_t)np_array_data(array) % page, 0);
    return array;
}

/* --- the answers agree ------------------------------------------------------------------- */

static void check_address(const np_array *array, const char *address, np_node_id node)
{
    assert_int_equal(np_array_node_of_address(array, address), node);
}

static void check_piece(const np_array *array, size_t which, const np_piece *piece)
{
    size_t element = np_array_element_size(array);
    char *begin = piece->data;
    assert_ptr_equal(begin, (char *)np_array_data(array) + piece->begin * element);
    assert_int_equal(piece->bytes, (piece->end - piece->begin) * element);
    for (size_t i = piece->begin; i < piece->end; i++) {
        assert_int_equal(np_array_piece_of(array, i), which);
        assert_int_equal(np_array_node_of(array, i), piece->node);
    }
    check_address(array, begin, piece->node);
    check_address(array, begin + 1 - (piece->bytes == 1), piece->node);
    check_address(array, begin + piece->bytes - 1, piece->node);
    np_piece before;
    np_node_id other = which > 0 && np_array_piece(array, which - 1, &before) ? before.node
                                                                              : NP_NODE_ID_NONE;
    check_address(array, begin - 1, other);
    memset(begin, (int)(which % 251) + 1, piece->bytes); /* all of it is ours to write */
}

static void check_outside(const np_array *array)
{
    size_t count = np_array_count(array);
    const char *data = np_array_data(array);
    size_t bytes = count * np_array_element_size(array);
    check_address(array, data - 1, NP_NODE_ID_NONE);
    check_address(array, data + bytes, NP_NODE_ID_NONE);
    check_address(array, data + bytes + page, NP_NODE_ID_NONE);
    check_address(array, NULL, NP_NODE_ID_NONE);
    check_address(array, (const char *)UINTPTR_MAX, NP_NODE_ID_NONE);
    assert_int_equal(np_array_node_of(array, count), NP_NODE_ID_NONE);
    assert_int_equal(np_array_node_of(array, SIZE_MAX), NP_NODE_ID_NONE);
    assert_int_equal(np_array_piece_of(array, count), np_array_piece_count(array));
    assert_int_equal(np_array_piece_of(array, SIZE_MAX), np_array_piece_count(array));
    np_piece piece = {.node = -7};
    assert_false(np_array_piece(array, np_array_piece_count(array), &piece));
    assert_int_equal(piece.node, -7);
}

static void check(const np_array *array)
{
    size_t next = 0;
    size_t of_node[NODES] = {0};
    size_t pieces = np_array_piece_count(array);
    np_node_id last = NP_NODE_ID_NONE;
    for (size_t i = 0; i < pieces; i++) {
        np_piece piece;
        assert_true(np_array_piece(array, i, &piece));
        assert_int_equal(piece.begin, next);
        assert_true(piece.end > piece.begin);
        assert_true(piece.node >= 0 && piece.node < NODES && piece.node != last);
        check_piece(array, i, &piece);
        of_node[piece.node] += piece.end - piece.begin;
        next = piece.end;
        last = piece.node;
    }
    assert_int_equal(next, np_array_count(array));
    for (np_node_id node = 0; node < NODES; node++)
        assert_int_equal(np_array_node_elements(array, node), of_node[node]);
    assert_int_equal(np_array_node_elements(array, NODES), 0);
    check_outside(array);
}

static size_t every_third(void *context, size_t begin, size_t end)
{
    size_t *calls = context;
    (*calls)++;
    return (begin + end) / 3 % NODES;
}

static void test_every_distribution_and_size(void **state)
{
    (void)state;
    const size_t elements[] = {1, 3, 24, 4096, page + 1};
    const size_t counts[] = {1, 2, 3, 997, 4099};
    static const np_node_id nodes[NODES] = {2, 0, 3, 1};
    static const uint32_t weights[NODES] = {1, 0, 5, 2};
    for (size_t e = 0; e < 5; e++)
        for (size_t c = 0; c < 5; c++)
            for (size_t d = 0; d < 4; d++) {
                size_t calls = 0;
                np_array_options options;
                np_array_options_init(&options);
                options.distribution = (np_distribution)d;
                options.nodes = nodes;
                options.node_count = NODES;
                if (d == NP_DISTRIBUTION_CYCLIC)
                    options.block = 10;
                if (d == NP_DISTRIBUTION_WEIGHTED)
                    options.weights = weights;
                if (d == NP_DISTRIBUTION_CUSTOM) {
                    options.owner = every_third;
                    options.owner_context = &calls;
                }
                np_array *array = make(elements[e], counts[c], &options);
                assert_int_equal(np_array_distribution(array), d);
                check(array);
                assert_true(calls >= (d == NP_DISTRIBUTION_CUSTOM));
                if (d == NP_DISTRIBUTION_WEIGHTED)
                    assert_int_equal(np_array_node_elements(array, 0), 0);
                np_node_id got[NODES + 1] = {-7, -7, -7, -7, -7};
                assert_int_equal(np_array_nodes(array, got, NODES), NODES);
                assert_memory_equal(got, nodes, sizeof nodes);
                assert_int_equal(got[NODES], -7);
                np_array_destroy(array);
            }
}

static void test_defaults(void **state)
{
    (void)state;
    np_array *array = make(sizeof(double), 4 * page, NULL);
    assert_int_equal(np_array_distribution(array), NP_DISTRIBUTION_BLOCK);
    assert_int_equal(np_array_block(array), 0);
    assert_int_equal(np_array_page_size(array), page);
    assert_int_equal(np_array_piece_count(array), NODES);
    for (np_node_id node = 0; node < NODES; node++)
        assert_int_equal(np_array_node_elements(array, node), page);
    const double *values = np_array_data(array);
    for (size_t i = 0; i < 4 * page; i++)
        assert_true(values[i] == 0);
    np_array_destroy(array);

    array = make(8, 64 * NODES * page, NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC));
    assert_int_equal(np_array_block(array), page);
    assert_int_equal(np_array_piece_count(array), 64 * NODES);
    np_array_destroy(array);

    array = make(8, 3 * page, NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC, .block = 1));
    assert_int_equal(np_array_block(array), page / 8); /* a page's worth */
    assert_int_equal(np_array_piece_count(array), 24);
    np_array_destroy(array);
}

static void test_nothing_of_null(void **state)
{
    (void)state;
    np_piece piece;
    assert_null(np_array_data(NULL));
    assert_int_equal(np_array_count(NULL), 0);
    assert_int_equal(np_array_element_size(NULL), 0);
    assert_int_equal(np_array_distribution(NULL), NP_DISTRIBUTION_BLOCK);
    assert_int_equal(np_array_nodes(NULL, NULL, 0), 0);
    assert_int_equal(np_array_block(NULL), 0);
    assert_int_equal(np_array_page_size(NULL), 0);
    assert_int_equal(np_array_enforcement(NULL).reason, NP_REASON_NOT_REQUESTED);
    assert_int_equal(np_array_piece_count(NULL), 0);
    assert_false(np_array_piece(NULL, 0, &piece));
    assert_int_equal(np_array_piece_of(NULL, 0), 0);
    assert_int_equal(np_array_node_of(NULL, 0), NP_NODE_ID_NONE);
    assert_int_equal(np_array_node_of_address(NULL, &piece), NP_NODE_ID_NONE);
    assert_int_equal(np_array_node_elements(NULL, 0), 0);
    np_array_destroy(NULL);
    assert_string_equal(np_distribution_name(NP_DISTRIBUTION_BLOCK), "block");
    assert_string_equal(np_distribution_name(NP_DISTRIBUTION_CYCLIC), "cyclic");
    assert_string_equal(np_distribution_name(NP_DISTRIBUTION_WEIGHTED), "weighted");
    assert_string_equal(np_distribution_name(NP_DISTRIBUTION_CUSTOM), "custom");
    assert_string_equal(np_distribution_name((np_distribution)9), "unknown");
}

/* --- pages ------------------------------------------------------------------------------- */

static void test_virtual_is_ordinary_memory(void **state)
{
    (void)state;
    np_array *array = make(8, 4 * page, NP_ARRAY_OPTIONS(.prefault = NP_PREFAULT_TOUCH));
    np_enforcement reached = np_array_enforcement(array);
    assert_int_equal(reached.level, NP_ENFORCEMENT_NONE);
    assert_int_equal(reached.reason, NP_REASON_VIRTUAL_TOPOLOGY);
    np_region_audit audit;
    if (np_array_audit(array, &audit) == NP_OK) {
        assert_int_equal(audit.pages, 32);
        assert_int_equal(audit.home, 32);
    }
    np_array_destroy(array);
    unit_expect_failure(np_array_create(machine, 8, 100,
                                        NP_ARRAY_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT), &array),
                        NP_ERR_HARD_MODE,
                        "array of 100 elements of 8 bytes, block over nodes 0, 1, 2, 3: the "
                        "topology does not describe this machine");
    assert_null(array);
}

static void test_pages_of_the_real_machine(void **state)
{
    (void)state;
    npi_node_set allowed;
    if (npi_os_allowed_nodes(&allowed) != 0)
        UNIT_SKIP("the kernel offers no memory policies here");
    for (size_t d = 0; d < 2; d++) {
        np_array *array = NULL;
        assert_int_equal(np_array_create(real, 24, 100000,
                                         NP_ARRAY_OPTIONS(.distribution = (np_distribution)d,
                                                          .hard_mode = NP_HARD_MODE_STRICT,
                                                          .prefault = NP_PREFAULT_TOUCH),
                                         &array),
                         NP_OK);
        assert_int_equal(np_array_enforcement(array).level, NP_ENFORCEMENT_STRICT);
        np_region_audit audit;
        assert_int_equal(np_array_audit(array, &audit), NP_OK);
        assert_int_equal(audit.home, audit.pages);
        assert_int_equal(audit.pages, (2400000 + page - 1) / page);
        const char *data = np_array_data(array);
        for (size_t i = 0; i < 100000; i += 170) {
            np_node_id node = NP_NODE_ID_NONE;
            assert_int_equal(np_address_node(data + i * 24, &node), NP_OK);
            assert_int_equal(node, np_array_node_of(array, i));
        }
        np_array_destroy(array);
    }
}

static void test_huge_pages(void **state)
{
    (void)state;
    size_t huge = npi_os_huge_page_size();
    if (huge == 0)
        UNIT_SKIP("there are no transparent huge pages");
    np_array *array = make(24, 10 * huge / 24,
                           NP_ARRAY_OPTIONS(.huge_pages = NP_HUGE_PAGES_TRANSPARENT));
    assert_int_equal(np_array_page_size(array), huge);
    assert_int_equal((uintptr_t)np_array_data(array) % huge, 0);
    for (size_t i = 0; i < np_array_piece_count(array); i++) {
        np_piece piece;
        assert_true(np_array_piece(array, i, &piece));
        assert_true((uintptr_t)piece.data % huge < 24);
    }
    np_array_destroy(array);
    array = make(1, 10, NP_ARRAY_OPTIONS(.huge_pages = NP_HUGE_PAGES_NEVER));
    assert_int_equal(np_array_page_size(array), page);
    np_array_destroy(array);
}

/* A pool that is as large as it is here, which usually means empty: so much is sure. */
static void test_explicit_huge_pages(void **state)
{
    (void)state;
    enum { HUGE = 2 << 20 };
    size_t count = (size_t)3 * HUGE;
    np_array *array = NULL;
    np_status status = np_array_create(
        real, 1, count,
        NP_ARRAY_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .huge_pages = NP_HUGE_PAGES_2M), &array);
    bool has_pool = status == NP_OK;
    if (!has_pool)
        unit_expect_failure(status, NP_ERR_HARD_MODE, "huge pages: of 3 pages of 2.0 MiB, free: ");
    np_array_destroy(array);

    array = make(1, count, NP_ARRAY_OPTIONS(.huge_pages = NP_HUGE_PAGES_2M));
    assert_int_equal(np_array_page_size(array), HUGE);
    assert_int_equal((uintptr_t)np_array_data(array) % HUGE, 0);
    assert_int_equal(np_array_piece_count(array), 3);
    assert_int_equal(np_array_node_of(array, HUGE - 1), 0);
    assert_int_equal(np_array_node_of(array, HUGE), 1);
    memset(np_array_data(array), 1, count);
    np_reason reason = np_array_enforcement(array).reason;
    assert_true(
        reason == NP_REASON_VIRTUAL_TOPOLOGY ||
        (!has_pool && (reason == NP_REASON_NO_HUGE_PAGES || reason == NP_REASON_NOT_SUPPORTED)));
    np_array_destroy(array);
}

/* --- refusals ---------------------------------------------------------------------------- */

static void refuse(const np_array_options *options, np_status status, const char *part)
{
    np_array *array = (np_array *)(uintptr_t)64;
    unit_expect_failure(np_array_create(machine, 8, 100, options, &array), status, part);
    assert_null(array);
}

static void test_arguments(void **state)
{
    (void)state;
    np_array *array = NULL;
    unit_expect_failure(np_array_create(machine, 8, 8, NULL, NULL), NP_ERR_INVALID_ARGUMENT, "out");
    unit_expect_failure(np_array_create(NULL, 8, 8, NULL, &array), NP_ERR_INVALID_ARGUMENT,
                        "topology is NULL");
    unit_expect_failure(np_array_create(machine, 0, 8, NULL, &array), NP_ERR_INVALID_ARGUMENT,
                        "element_size is 0");
    unit_expect_failure(np_array_create(machine, 8, 0, NULL, &array), NP_ERR_INVALID_ARGUMENT,
                        "count is 0");
    unit_expect_failure(np_array_create(machine, 3, SIZE_MAX / 2, NULL, &array), NP_ERR_NO_MEMORY,
                        "elements of 3 bytes");
    unit_expect_failure(np_array_create(machine, 1, SIZE_MAX / 4, NULL, &array), NP_ERR_NO_MEMORY,
                        "mmap");
    np_region_audit audit;
    unit_expect_failure(np_array_audit(NULL, &audit), NP_ERR_INVALID_ARGUMENT, "array is NULL");
    array = make(8, 8, NULL);
    unit_expect_failure(np_array_audit(array, NULL), NP_ERR_INVALID_ARGUMENT, "summary is NULL");
    np_array_destroy(array);
}

static void test_options(void **state)
{
    (void)state;
    static const np_node_id twice[] = {1, 2, 1};
    static const np_node_id unknown[] = {1, 7};
    static const np_node_id good[] = {1, 2};
    static const uint32_t nothing[] = {0, 0};
    size_t calls = 0;
    refuse(&(np_array_options){.size = 3}, NP_ERR_INVALID_ARGUMENT, "np_array_options");
    refuse(NP_ARRAY_OPTIONS(.distribution = (np_distribution)4), NP_ERR_INVALID_ARGUMENT,
           "distribution is 4");
    refuse(NP_ARRAY_OPTIONS(.hard_mode = (np_hard_mode)2), NP_ERR_INVALID_ARGUMENT, "hard_mode");
    refuse(NP_ARRAY_OPTIONS(.prefault = (np_prefault)99), NP_ERR_INVALID_ARGUMENT,
           "prefault is 99");
    refuse(NP_ARRAY_OPTIONS(.huge_pages = (np_huge_pages)99), NP_ERR_INVALID_ARGUMENT,
           "huge_pages is 99");
    refuse(NP_ARRAY_OPTIONS(.block = 5), NP_ERR_INVALID_ARGUMENT,
           "block is 5, but the block distribution has no blocks");
    refuse(NP_ARRAY_OPTIONS(.weights = nothing), NP_ERR_INVALID_ARGUMENT, "weights is given");
    refuse(NP_ARRAY_OPTIONS(.owner = every_third), NP_ERR_INVALID_ARGUMENT, "owner is given");
    refuse(NP_ARRAY_OPTIONS(.node_count = 2), NP_ERR_INVALID_ARGUMENT, "nodes is NULL");
    refuse(NP_ARRAY_OPTIONS(.nodes = twice, .node_count = 3), NP_ERR_INVALID_ARGUMENT,
           "np_array_options.nodes[2]: node 1 is given twice");
    refuse(NP_ARRAY_OPTIONS(.nodes = unknown, .node_count = 2), NP_ERR_INVALID_NODE,
           "np_array_options.nodes[1]: no node 7");
    np_array_options options = *NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_WEIGHTED,
                                                 .nodes = good, .node_count = 2);
    refuse(&options, NP_ERR_INVALID_ARGUMENT, "weights is NULL");
    options.weights = nothing;
    refuse(&options, NP_ERR_INVALID_ARGUMENT, "weights are all 0");
    options.nodes = NULL;
    options.node_count = 0;
    refuse(&options, NP_ERR_INVALID_ARGUMENT, "node_count is 0");
    options = *NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CUSTOM);
    refuse(&options, NP_ERR_INVALID_ARGUMENT, "owner is NULL");
    options.owner = every_third;
    options.owner_context = &calls;
    options.nodes = good;
    options.node_count = 2; /* it answers with up to 3: 100 elements are one block, 33 % 4 == 1 */
    np_array *array = make(8, 100, &options);
    assert_int_equal(np_array_node_of(array, 99), 2);
    assert_int_equal(calls, 1);
    np_array_destroy(array);
    options.node_count = 1;
    refuse(&options, NP_ERR_INVALID_ARGUMENT, "owner gives 1 for the elements from 0 to 99");
}

static void test_more_pieces_than_the_system_maps(void **state)
{
    (void)state;
    char root[] = "/tmp/np_test_array_XXXXXX";
    assert_non_null(mkdtemp(root));
    static const char *const folders[] = {"proc", "proc/sys", "proc/sys/vm"};
    char path[128];
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        assert_int_equal(mkdir(path, 0700), 0);
    }
    snprintf(path, sizeof path, "%s/proc/sys/vm/max_map_count", root);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("300\n", file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(npi_os_set_root(root), 0);

    np_array *array = NULL;
    np_array_options options = *NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CYCLIC,
                                                 .block = page);
    np_status status = np_array_create(machine, 1, 101 * page, &options, &array);
    assert_int_equal(npi_os_set_root(NULL), 0);
    unit_expect_failure(status, NP_ERR_LIMIT, "at least 101 pieces by blocks of ");
    assert_non_null(strstr(np_error_detail(), "one array can have 100"));
    assert_null(array);
    array = make(1, 101 * page, &options); /* the system's own limit allows it */
    assert_int_equal(np_array_piece_count(array), 101);
    np_array_destroy(array);

    assert_int_equal(remove(path), 0);
    for (size_t i = 3; i-- > 0;) {
        snprintf(path, sizeof path, "%s/%s", root, folders[i]);
        assert_int_equal(rmdir(path), 0);
    }
    assert_int_equal(rmdir(root), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_distribution_and_size),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_nothing_of_null),
        cmocka_unit_test(test_virtual_is_ordinary_memory),
        cmocka_unit_test(test_pages_of_the_real_machine),
        cmocka_unit_test(test_huge_pages),
        cmocka_unit_test(test_explicit_huge_pages),
        cmocka_unit_test(test_arguments),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_more_pieces_than_the_system_maps),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
