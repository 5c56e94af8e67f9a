/*
 * Goal: the arithmetic behind partitioned arrays: pieces tile the elements and the pages, every
 * question about an element or a page agrees with a linear scan over the pieces, and the parts are
 * what the distribution promises, give or take a page. Method: no memory is mapped, so the page is
 * as small (many pieces of few elements) or as large (huge pages, arrays of terabytes) as it suits;
 * each partition is checked at every element and every page, the generated ones with a seed that is
 * printed.
 */
#include <stdio.h>
#include <time.h>

#include "base/random.h"
#include "memory/array_partition.h"
#include "unit.h"

enum { MAX_NODES = 9, NO_LIMIT = 1 << 20 };

static bool is_slow(void)
{
    return UNIT_SANITIZED || unit_is_emulated();
}

static const np_node_id ids[MAX_NODES] = {0, 8, 252, 3, 1, 77, 2, 5, 4};

/* What the tests divide: the options point into it. */
typedef struct division {
    size_t count, element, page;
    np_array_options options;
    uint32_t weights[MAX_NODES];
} division;

static void describe(const division *self, size_t piece, const char *what)
{
    fail_msg("%s: piece %zu; %zu elements of %zu bytes, pages of %zu, %s over %zu nodes, block %zu",
             what, piece, self->count, self->element, self->page,
             np_distribution_name(self->options.distribution), self->options.node_count,
             self->options.block);
}

#define HOLDS(condition)                               \
    do {                                               \
        if (!(condition))                              \
            describe(self, piece, "not: " #condition); \
    } while (0)

static division divide(np_distribution distribution, size_t nodes, size_t count, size_t element,
                       size_t page)
{
    division self = {.count = count, .element = element, .page = page};
    np_array_options_init(&self.options);
    self.options.distribution = distribution;
    self.options.nodes = ids;
    self.options.node_count = nodes;
    return self;
}

/* --- the caller's function --------------------------------------------------------------- */

enum { MAX_BLOCKS = 70000 };

typedef struct asked {
    uint64_t seed;
    size_t nodes;
    size_t next;   /* where the next block must begin */
    size_t blocks; /* so many so far */
    size_t ends[MAX_BLOCKS];
} asked;

static asked questions;

static size_t owner_of_block(uint64_t seed, size_t begin, size_t nodes)
{
    npi_random random;
    npi_random_seed(&random, seed ^ begin / 3); /* often the same as before */
    return (size_t)(npi_random_next(&random) % nodes);
}

static size_t own(void *context, size_t begin, size_t end)
{
    asked *self = context;
    assert_int_equal(begin, self->next);
    assert_true(end > begin);
    self->next = end;
    assert_true(self->blocks < MAX_BLOCKS);
    self->ends[self->blocks++] = end;
    return owner_of_block(self->seed, begin, self->nodes);
}

static void let_own(division *self, uint64_t seed)
{
    questions = (asked){.seed = seed, .nodes = self->options.node_count};
    self->options.owner = own;
    self->options.owner_context = &questions;
}

/* --- what holds of every partition ------------------------------------------------------- */

static void check_element(const division *self, const npi_partition *partition, size_t piece,
                          npi_part part, size_t element)
{
    HOLDS(npi_partition_piece_of(partition, element) == piece);
    size_t page = element * self->element / self->page;
    HOLDS(page >= part.first_page && page < part.end_page);
}

static void check_piece(const division *self, const npi_partition *partition, size_t piece,
                        npi_part part)
{
    size_t step = 1 + (part.end - part.begin) / 5000;
    for (size_t element = part.begin; element < part.end; element += step)
        check_element(self, partition, piece, part, element);
    check_element(self, partition, piece, part, part.end - 1);
    step = 1 + (part.end_page - part.first_page) / 5000;
    for (size_t page = part.first_page; page < part.end_page; page += step)
        HOLDS(npi_partition_piece_of_page(partition, page) == piece);
    HOLDS(npi_partition_piece_of_page(partition, part.end_page - 1) == piece);

    /* What of a piece lies on its neighbour's pages: less than an element, less than a page. */
    size_t end = part.end * self->element;
    size_t end_page = part.end_page * self->page;
    HOLDS(end <= end_page || (end - end_page < self->element && end - end_page < self->page));
    HOLDS(part.end == self->count || end >= end_page || self->element > self->page);
}

static void check_tiling(const division *self, const npi_partition *partition)
{
    size_t element = 0;
    size_t page = 0;
    size_t of_node[MAX_NODES] = {0};
    size_t last_owner = SIZE_MAX;
    size_t piece = 0;
    HOLDS(partition->piece_count > 0);
    for (; piece < partition->piece_count; piece++) {
        npi_part part = npi_partition_part(partition, piece);
        HOLDS(part.begin == element && part.end > part.begin);
        HOLDS(part.first_page == page && part.end_page > part.first_page);
        HOLDS(part.owner < self->options.node_count && part.owner != last_owner);
        check_piece(self, partition, piece, part);
        of_node[part.owner] += part.end - part.begin;
        last_owner = part.owner;
        element = part.end;
        page = part.end_page;
    }
    HOLDS(element == self->count);
    HOLDS(page == (self->count * self->element + self->page - 1) / self->page);
    for (size_t node = 0; node < self->options.node_count; node++)
        HOLDS(of_node[node] == partition->elements[node] && partition->nodes[node] == ids[node]);
}

/* --- what holds of each distribution ----------------------------------------------------- */

static size_t page_worth(const division *self)
{
    return (self->page + self->element - 1) / self->element;
}

static void check_share(const division *self, const npi_partition *partition)
{
    uint64_t whole = 0;
    size_t piece = 0;
    for (size_t i = 0; i < self->options.node_count; i++)
        whole += self->options.weights != NULL ? self->weights[i] : 1;
    for (size_t i = 0; i < self->options.node_count; i++) {
        uint64_t weight = self->options.weights != NULL ? self->weights[i] : 1;
        double ideal = (double)self->count * (double)weight / (double)whole;
        double off = (double)partition->elements[i] - ideal;
        double most = (double)page_worth(self) + 1;
        HOLDS(off <= most && off >= -most);
        HOLDS(weight != 0 || partition->elements[i] == 0);
    }
    /* One part per node, in the order of the nodes. */
    for (piece = 1; piece < partition->piece_count; piece++)
        HOLDS(npi_partition_owner(partition, piece) > npi_partition_owner(partition, piece - 1));
}

static void check_cyclic(const division *self, const npi_partition *partition)
{
    size_t nodes = self->options.node_count;
    size_t block = partition->block;
    size_t piece = 0;
    HOLDS(block >= 1 && (block == self->count || block * self->element >= self->page));
    HOLDS(self->options.block == 0 || self->options.block > self->count ||
          block >= self->options.block);
    bool exact = block * self->element % self->page == 0 || self->element > self->page;
    for (size_t element = 0; element < self->count; element++) {
        piece = npi_partition_piece_of(partition, element);
        size_t owner = npi_partition_owner(partition, piece);
        size_t planned = element / block;
        HOLDS(owner == planned % nodes || (!exact && owner == (planned - 1) % nodes));
    }
}

static void check_custom(const division *self, const npi_partition *partition)
{
    size_t piece = 0;
    size_t begin = 0;
    HOLDS(questions.next == self->count);
    for (size_t block = 0; block < questions.blocks; block++) {
        size_t end = questions.ends[block];
        size_t owner = owner_of_block(questions.seed, begin, self->options.node_count);
        for (size_t element = begin; element < end; element += 1 + (end - begin) / 50) {
            piece = npi_partition_piece_of(partition, element);
            HOLDS(npi_partition_owner(partition, piece) == owner);
        }
        begin = end;
    }
}

static void check(const division *self)
{
    npi_partition *partition = NULL;
    np_array_options options = self->options;
    if (options.weights != NULL)
        options.weights = self->weights; /* the struct may have been copied */
    np_status status = npi_partition_make(self->count, self->element, self->page, &options,
                                          NO_LIMIT, &partition);
    if (status != NP_OK)
        fail_msg("%s", np_error_detail());
    check_tiling(self, partition);
    switch (self->options.distribution) {
    case NP_DISTRIBUTION_BLOCK:
    case NP_DISTRIBUTION_WEIGHTED: check_share(self, partition); break;
    case NP_DISTRIBUTION_CYCLIC: check_cyclic(self, partition); break;
    case NP_DISTRIBUTION_CUSTOM: check_custom(self, partition); break;
    }
    npi_partition_free(partition);
}

static const size_t elements[] = {1, 3, 7, 8, 24, 63, 64, 65, 100, 1000, 4095, 4096, 4097, 10000};
static const size_t counts[] = {1, 2, 3, 5, 7, 13, 64, 101, 997, 1024, 4099};
enum { ELEMENTS = sizeof elements / sizeof elements[0], COUNTS = sizeof counts / sizeof counts[0] };

static void test_every_edge_size(void **state)
{
    (void)state;
    static const size_t pages[] = {64, 4096, (size_t)2 << 20};
    static const size_t blocks[] = {0, 1, 2, 5, 17, 64, 500, SIZE_MAX};
    size_t checked = 0;
    for (size_t p = 0; p < 3; p++)
        for (size_t e = 0; e < ELEMENTS; e++)
            for (size_t c = 0; c < COUNTS; c += is_slow() ? 3 : 1)
                for (size_t nodes = 1; nodes <= 4; nodes++) {
                    division self = divide(NP_DISTRIBUTION_BLOCK, nodes, counts[c], elements[e],
                                           pages[p]);
                    check(&self);
                    for (size_t b = 0; b < sizeof blocks / sizeof blocks[0]; b++) {
                        self.options.block = blocks[b];
                        self.options.distribution = NP_DISTRIBUTION_CYCLIC;
                        check(&self);
                    }
                    self.options.distribution = NP_DISTRIBUTION_CUSTOM;
                    self.options.block = blocks[c % 8];
                    let_own(&self, c);
                    check(&self);
                    checked += 10;
                }
    print_message("%zu partitions\n", checked);
}

static void test_generated(void **state)
{
    (void)state;
    const char *given = getenv("SEED");
    uint64_t seed = given != NULL ? strtoull(given, NULL, 10) : (uint64_t)time(NULL);
    print_message("SEED=%llu\n", (unsigned long long)seed);
    npi_random random;
    npi_random_seed(&random, seed);
    for (unsigned round = 0; round < (is_slow() ? 300 : 3000); round++) {
        np_distribution distribution = (np_distribution)(npi_random_next(&random) % 4);
        division self = divide(distribution, 1 + (size_t)(npi_random_next(&random) % MAX_NODES),
                               1 + (size_t)(npi_random_next(&random) % 5000),
                               1 + (size_t)(npi_random_next(&random) % 200),
                               (size_t)32 << npi_random_next(&random) % 6);
        size_t most = 1 + (size_t)(npi_random_next(&random) % 600);
        if (distribution == NP_DISTRIBUTION_CYCLIC || distribution == NP_DISTRIBUTION_CUSTOM)
            self.options.block = (size_t)(npi_random_next(&random) % most);
        if (distribution == NP_DISTRIBUTION_CUSTOM)
            let_own(&self, seed + round);
        if (distribution == NP_DISTRIBUTION_WEIGHTED) {
            self.options.weights = self.weights;
            for (size_t i = 0; i < MAX_NODES; i++)
                self.weights[i] = (uint32_t)(npi_random_next(&random) >>
                                             (32 + npi_random_next(&random) % 32));
            self.weights[round % self.options.node_count] |= 1;
        }
        check(&self);
    }
}

/* --- what the distributions are for ------------------------------------------------------ */

static npi_partition *make(const division *self)
{
    npi_partition *partition = NULL;
    assert_int_equal(npi_partition_make(self->count, self->element, self->page, &self->options,
                                        NO_LIMIT, &partition),
                     NP_OK);
    return partition;
}

static void test_one_large_element_for_each_node(void **state)
{
    (void)state;
    for (size_t element = 4097; element < 20000; element += 371) {
        division self = divide(NP_DISTRIBUTION_BLOCK, MAX_NODES, MAX_NODES, element, 4096);
        npi_partition *partition = make(&self);
        assert_int_equal(partition->piece_count, MAX_NODES);
        for (size_t i = 0; i < MAX_NODES; i++)
            assert_int_equal(partition->elements[i], 1);
        npi_partition_free(partition);
    }
}

static void test_fewer_pages_than_nodes(void **state)
{
    (void)state;
    division self = divide(NP_DISTRIBUTION_BLOCK, 4, 100, 8, 4096);
    npi_partition *partition = make(&self); /* one page: the first node has it */
    assert_int_equal(partition->piece_count, 1);
    assert_int_equal(partition->elements[0], 100);
    npi_partition_free(partition);

    self.count = 1024; /* two pages */
    partition = make(&self);
    assert_int_equal(partition->piece_count, 2);
    assert_int_equal(partition->elements[0], 512);
    assert_int_equal(partition->elements[1] + partition->elements[2] + partition->elements[3], 512);
    npi_partition_free(partition);
}

static void test_exact_parts(void **state)
{
    (void)state;
    division self = divide(NP_DISTRIBUTION_BLOCK, 4, 4096, 8, 4096);
    npi_partition *partition = make(&self);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(partition->elements[i], 1024);
    npi_partition_free(partition);

    static const uint32_t weights[] = {3, 0, 4000000000u, 1};
    self.options.distribution = NP_DISTRIBUTION_WEIGHTED;
    self.options.weights = weights;
    self.count = (size_t)1 << 50;
    self.element = 1;
    partition = make(&self);
    assert_int_equal(partition->piece_count, 3);
    assert_int_equal(partition->elements[0] % 4096, 0);
    assert_true(partition->elements[0] / 4096 >= 206 && partition->elements[0] / 4096 <= 207);
    assert_int_equal(partition->elements[1], 0);
    assert_in_range(partition->elements[3] / 4096, 68, 69);
    assert_int_equal(partition->elements[0] + partition->elements[2] + partition->elements[3],
                     self.count);
    npi_partition_free(partition);
}

/* Terabytes: only near the cuts, but all of these. */
static void test_large_arrays(void **state)
{
    (void)state;
    for (size_t distribution = 0; distribution < 2; distribution++)
        for (size_t e = 0; e < ELEMENTS; e++) {
            division self = divide((np_distribution)distribution, 7,
                                   ((size_t)1 << 46) / elements[e] + 11, elements[e], 4096);
            npi_partition *partition = make(&self);
            for (size_t piece = 0; piece < partition->piece_count; piece++) {
                npi_part part = npi_partition_part(partition, piece);
                assert_int_equal(npi_partition_piece_of(partition, part.begin), piece);
                assert_int_equal(npi_partition_piece_of(partition, part.end - 1), piece);
                assert_int_equal(npi_partition_piece_of_page(partition, part.first_page), piece);
                assert_int_equal(npi_partition_piece_of_page(partition, part.end_page - 1), piece);
            }
            assert_int_equal(npi_partition_part(partition, partition->piece_count - 1).end,
                             self.count);
            if (distribution == NP_DISTRIBUTION_CYCLIC)
                assert_in_range(partition->piece_count, 7 * 64, 7 * 64 + 1);
            npi_partition_free(partition);
        }
}

static size_t first_node(void *context, size_t begin, size_t end)
{
    (void)begin;
    (void)end;
    return *(const size_t *)context;
}

static void test_limits(void **state)
{
    (void)state;
    npi_partition *partition = NULL;
    division self = divide(NP_DISTRIBUTION_CYCLIC, 2, 4096, 64, 64);
    self.options.block = 1;
    unit_expect_failure(npi_partition_make(4096, 64, 64, &self.options, 100, &partition),
                        NP_ERR_LIMIT,
                        "at least 4096 pieces by blocks of 1 elements: one array can "
                        "have 100 (a third of vm.max_map_count); blocks of 41 elem");
    self.options.block = 41;
    assert_int_equal(npi_partition_make(4096, 64, 64, &self.options, 100, &partition), NP_OK);
    assert_int_equal(partition->piece_count, 100);
    npi_partition_free(partition);
    self.options.node_count = 1; /* neighbours on one node are one piece */
    self.options.block = 1;
    assert_int_equal(npi_partition_make(4096, 64, 64, &self.options, 1, &partition), NP_OK);
    assert_int_equal(partition->piece_count, 1);
    npi_partition_free(partition);

    self.options.distribution = NP_DISTRIBUTION_BLOCK;
    self.options.block = 0;
    self.options.node_count = 9;
    unit_expect_failure(npi_partition_make(4096, 64, 64, &self.options, 8, &partition),
                        NP_ERR_LIMIT, "9 pieces: one array can have 8");

    self.options.distribution = NP_DISTRIBUTION_CUSTOM;
    self.options.block = 1;
    self.options.owner = first_node;
    size_t node = 1;
    self.options.owner_context = &node;
    assert_int_equal(npi_partition_make(4096, 64, 64, &self.options, 1, &partition), NP_OK);
    assert_int_equal(partition->elements[1], 4096);
    npi_partition_free(partition);
    node = 9;
    unit_expect_failure(npi_partition_make(4096, 64, 64, &self.options, 1, &partition),
                        NP_ERR_INVALID_ARGUMENT,
                        "owner gives 9 for the elements from 0 to 0: there are 9 nodes");
    let_own(&self, 1);
    unit_expect_failure(npi_partition_make(4096, 64, 64, &self.options, 50, &partition),
                        NP_ERR_LIMIT, "at least 51 pieces by blocks of 1 elements");
}

static void test_every_allocation_can_fail(void **state)
{
    (void)state;
    unit_allocator allocator;
    division self = divide(NP_DISTRIBUTION_CUSTOM, 5, 2000, 64, 64);
    self.options.block = 1;
    size_t fail_at = 1;
    for (np_status status = NP_ERR_NO_MEMORY; status != NP_OK; fail_at++) {
        let_own(&self, 3);
        unit_allocator_install(&allocator);
        allocator.fail_at = fail_at;
        npi_partition *partition = NULL;
        status = npi_partition_make(self.count, self.element, self.page, &self.options, NO_LIMIT,
                                    &partition);
        assert_true(status == NP_OK || status == NP_ERR_NO_MEMORY);
        assert_true(status == NP_OK ? partition != NULL : partition == NULL);
        npi_partition_free(partition);
        assert_int_equal(allocator.held_blocks, 0);
        assert_int_equal(allocator.wrong_sizes, 0);
        assert_int_equal(np_set_allocator(NULL), NP_OK);
    }
    assert_true(fail_at > 6); /* the table has grown several times */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_edge_size),
        cmocka_unit_test(test_generated),
        cmocka_unit_test(test_one_large_element_for_each_node),
        cmocka_unit_test(test_fewer_pages_than_nodes),
        cmocka_unit_test(test_exact_parts),
        cmocka_unit_test(test_large_arrays),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_every_allocation_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
