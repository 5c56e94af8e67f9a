/*
 * Goal: every page of a partitioned array lies where the partition says, for every distribution,
 * for elements that divide pages and such that do not, with ordinary and with huge pages, and again
 * after each redistribution, which keeps the contents and counts truthfully. Method: the kernel is
 * asked for each page (move_pages); for elements that divide pages the expected node comes from a
 * formula of this test and not from the library.
 */
#include <numaperf/array.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_check.h"

enum { PAGE = 4096, PAGES = 600, MOST_PAGES = 4096, BLOCK_PAGES = 7 };

static const struct guest_shape *shape;
static np_topology *topology;
static np_node_id nodes[GUEST_MAX_NODES]; /* with memory, in an order of our own */
static uint32_t weights[GUEST_MAX_NODES];
static size_t node_count;

/* --- what we expect ----------------------------------------------------------------------- */

static size_t own(void *context, size_t begin, size_t end)
{
    (void)context;
    (void)end;
    return begin / 1000 % 3 % node_count;
}

/* For elements of 8 bytes in whole pages, by arithmetic of our own. */
static np_node_id expected_node(np_distribution distribution, size_t page, size_t pages)
{
    uint64_t whole = 0, before = 0;
    switch (distribution) {
    case NP_DISTRIBUTION_CYCLIC: return nodes[page / BLOCK_PAGES % node_count];
    case NP_DISTRIBUTION_CUSTOM:
        page -= page % BLOCK_PAGES;
        return nodes[page * (PAGE / 8) / 1000 % 3 % node_count];
    case NP_DISTRIBUTION_BLOCK:
    case NP_DISTRIBUTION_WEIGHTED: break;
    }
    bool equal = distribution == NP_DISTRIBUTION_BLOCK;
    for (size_t i = 0; i < node_count; i++)
        whole += equal ? 1 : weights[i];
    for (size_t i = 0; i < node_count; i++) {
        before += equal ? 1 : weights[i];
        /* The part ends at element floor(n * before / whole), moved to the next page boundary. */
        uint64_t end = (uint64_t)pages * (PAGE / 8) * before / whole;
        if (page < (end + PAGE / 8 - 1) / (PAGE / 8))
            return nodes[i];
    }
    return NP_NODE_ID_NONE;
}

static np_array_options options_of(np_distribution distribution, size_t element)
{
    np_array_options options;
    np_array_options_init(&options);
    options.distribution = distribution;
    options.hard_mode = NP_HARD_MODE_STRICT;
    options.nodes = nodes;
    options.node_count = node_count;
    if (distribution == NP_DISTRIBUTION_CYCLIC || distribution == NP_DISTRIBUTION_CUSTOM)
        options.block = BLOCK_PAGES * PAGE / element;
    if (distribution == NP_DISTRIBUTION_WEIGHTED)
        options.weights = weights;
    if (distribution == NP_DISTRIBUTION_CUSTOM)
        options.owner = own;
    return options;
}

/* --- what is ------------------------------------------------------------------------------ */

static void check_pages(const np_array *array, np_distribution distribution, const char *when,
                        int where[MOST_PAGES])
{
    const char *data = np_array_data(array);
    size_t element = np_array_element_size(array);
    size_t bytes = np_array_count(array) * element;
    size_t wrong = 0, pages = 0;
    for (size_t at = 0; at < bytes; at += PAGE, pages++) {
        where[pages] = guest_node_of_page(data + at);
        if (element == 8 && np_array_page_size(array) == PAGE)
            wrong += where[pages] != expected_node(distribution, pages, bytes / PAGE);
    }
    for (size_t i = 0; i < np_array_count(array); i += 1 + PAGE / element / 5)
        wrong += where[i * element / PAGE] != np_array_node_of(array, i);
    GUEST_CHECK(wrong == 0, "%s, %s, elements of %zu bytes: %zu of %zu pages are elsewhere", when,
                np_distribution_name(distribution), element, wrong, pages);

    np_region_audit audit;
    np_status status = np_array_audit(array, &audit);
    GUEST_CHECK(status == NP_OK && audit.pages == pages && audit.home == pages,
                "%s: of %" PRIu64 " pages %" PRIu64 " at home, %" PRIu64 " not present", when,
                audit.pages, audit.home, audit.not_present);
    GUEST_CHECK(np_array_enforcement(array).level == NP_ENFORCEMENT_STRICT, "%s: %s", when,
                np_reason_text(np_array_enforcement(array).reason));
}

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 2654435761u >> 13);
}

static void write_pattern(np_array *array)
{
    unsigned char *data = np_array_data(array);
    size_t bytes = np_array_count(array) * np_array_element_size(array);
    for (size_t i = 0; i < bytes; i += 61)
        data[i] = pattern(i);
}

static void check_pattern(const np_array *array)
{
    const unsigned char *data = np_array_data(array);
    size_t bytes = np_array_count(array) * np_array_element_size(array);
    size_t wrong = 0;
    for (size_t i = 0; i < bytes; i += 61)
        wrong += data[i] != pattern(i);
    GUEST_CHECK(wrong == 0, "%zu bytes have changed", wrong);
}

static void redistribute(np_array *array, np_distribution to, int where[MOST_PAGES])
{
    static int before[MOST_PAGES];
    size_t pages = (np_array_count(array) * np_array_element_size(array) + PAGE - 1) / PAGE;
    memcpy(before, where, pages * sizeof *where);
    np_array_options options = options_of(to, np_array_element_size(array));
    np_migration result;
    const void *data = np_array_data(array);
    np_status status = np_array_redistribute(topology, array, &options, &result);
    if (!GUEST_CHECK(status == NP_OK, "to %s: %s", np_distribution_name(to), np_error_detail()))
        return;
    GUEST_CHECK(np_array_data(array) == data, "the array has moved");
    check_pages(array, to, "redistributed", where);
    check_pattern(array);
    uint64_t moved = 0;
    for (size_t i = 0; i < pages; i++)
        moved += where[i] != before[i];
    GUEST_CHECK(result.pages == pages && result.home == pages && result.stayed == 0 &&
                    result.moved == moved,
                "to %s: %" PRIu64 " pages, %" PRIu64 " home, %" PRIu64 " stayed, %" PRIu64
                " moved, of which we saw %" PRIu64,
                np_distribution_name(to), result.pages, result.home, result.stayed, result.moved,
                moved);
}

static void check_array(np_distribution first, size_t element, size_t pages,
                        np_huge_pages huge_pages)
{
    static int where[MOST_PAGES];
    np_array *array = NULL;
    np_array_options options = options_of(first, element);
    options.prefault = NP_PREFAULT_TOUCH;
    options.huge_pages = huge_pages;
    np_status status = np_array_create(topology, element, pages * PAGE / element, &options, &array);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_distribution_name(first), np_error_detail()))
        return;
    check_pages(array, first, "created", where);
    write_pattern(array);
    for (unsigned step = 1; step <= 4; step++)
        redistribute(array, (np_distribution)(((unsigned)first + step) % 4), where);
    np_array_destroy(array);
}

/* --- the limits of a node and of a process ------------------------------------------------- */

/* As many pieces as an array may have, each a mapping; and one too many. */
static void check_many_pieces(void)
{
    np_array *array = NULL;
    np_array_options options = options_of(NP_DISTRIBUTION_CYCLIC, PAGE);
    options.block = 1;
    if (node_count < 2)
        return;
    np_status status = np_array_create(topology, PAGE, 65530 / 3, &options, &array);
    GUEST_CHECK(status == NP_OK && np_array_piece_count(array) == 65530 / 3, "%s",
                np_error_detail());
    if (status == NP_OK) {
        char *data = np_array_data(array);
        for (size_t i = 0; i < 65530 / 3; i += 501) {
            data[i * PAGE] = 1;
            GUEST_CHECK(guest_node_of_page(data + i * PAGE) == nodes[i % node_count], "page %zu",
                        i);
        }
    }
    np_array_destroy(array);
    status = np_array_create(topology, PAGE, 65530 / 3 + 1, &options, &array);
    GUEST_CHECK(status == NP_ERR_LIMIT, "%s", np_status_name(status));
    np_array_destroy(array);
}

/* A part that is larger than its node: refused, and an array that was to become so stays as it is.
 */
static void check_too_large(void)
{
    static int where[MOST_PAGES];
    np_array *array = NULL;
    size_t pages = (size_t)shape->node_mib[nodes[0]] * 256 * node_count;
    np_array_options options = options_of(NP_DISTRIBUTION_BLOCK, 8);
    np_status status = np_array_create(topology, 8, pages * (PAGE / 8), &options, &array);
    GUEST_CHECK(status == NP_ERR_HARD_MODE && array == NULL, "%zu pages: %s", pages,
                np_status_name(status));
    if (node_count < 2)
        return;
    /* Half of a node on each of two: there is room, but not for both halves on one. */
    options.node_count = 2;
    pages = (size_t)shape->node_mib[nodes[0]] * 256;
    if ((size_t)shape->node_mib[nodes[1]] * 256 < pages)
        pages = (size_t)shape->node_mib[nodes[1]] * 256;
    status = np_array_create(topology, 8, pages * (PAGE / 8), &options, &array);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return;
    options.node_count = 1;
    status = np_array_redistribute(topology, array, &options, NULL);
    GUEST_CHECK(status == NP_ERR_HARD_MODE, "%s", np_status_name(status));
    GUEST_CHECK(np_array_piece_count(array) == 2 &&
                    np_array_node_of(array, np_array_count(array) - 1) == nodes[1],
                "the refused distribution counts");
    GUEST_CHECK(np_array_enforcement(array).level == NP_ENFORCEMENT_STRICT, "not strict");
    char *last = (char *)np_array_data(array) + (pages - 1) * PAGE;
    *last = 1;
    where[0] = guest_node_of_page(last);
    GUEST_CHECK(where[0] == nodes[1], "the last page lies on node %d", where[0]);
    np_array_destroy(array);
}

/* --- explicit huge pages -------------------------------------------------------------------- */

enum { HUGE = 2 << 20, POOL = 6 };

/* So many huge pages in the pool of each node; false where the kernel does not give them. */
static bool fill_pools(int pages)
{
    bool all = true;
    for (size_t i = 0; i < node_count; i++) {
        char path[128], text[32];
        snprintf(path, sizeof path,
                 "/sys/devices/system/node/node%d/hugepages/hugepages-2048kB/nr_hugepages",
                 (int)nodes[i]);
        FILE *file = fopen(path, "w");
        all = all && file != NULL && fprintf(file, "%d\n", pages) > 0;
        all = file != NULL && fclose(file) == 0 && all;
        all = all && guest_read_file(path, text, sizeof text) && atoi(text) == pages;
    }
    return all;
}

static void check_huge(const np_array *array, size_t block, const char *when)
{
    char *data = np_array_data(array);
    for (size_t page = 0; page < np_array_count(array) * 8 / HUGE; page++) {
        data[page * HUGE + 77] = 1;
        int node = guest_node_of_page(data + page * HUGE);
        GUEST_CHECK(node == nodes[page / block % node_count], "%s: huge page %zu lies on node %d",
                    when, page, node);
    }
}

static void check_pools(void)
{
    np_array *array = NULL;
    np_array_options options = options_of(NP_DISTRIBUTION_BLOCK, 8);
    options.huge_pages = NP_HUGE_PAGES_2M;
    np_status status = np_array_create(topology, 8, 2 * node_count * HUGE / 8, &options, &array);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return;
    check_huge(array, 2, "from the pool");
    np_region_audit audit;
    status = np_array_audit(array, &audit);
    GUEST_CHECK(status == NP_OK && audit.pages == 2 * node_count && audit.home == audit.pages,
                "%" PRIu64 " of %" PRIu64 " at home", audit.home, audit.pages);
    np_array_options cyclic = options_of(NP_DISTRIBUTION_CYCLIC, 8);
    cyclic.block = HUGE / 8;
    status = np_array_redistribute(topology, array, &cyclic, NULL);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    check_huge(array, 1, "in turn");
    np_array_destroy(array);

    /* More than the pools have. */
    size_t count = 2 * POOL * node_count * HUGE / 8;
    status = np_array_create(topology, 8, count, &options, &array);
    GUEST_CHECK(status == NP_ERR_HARD_MODE && strstr(np_error_detail(), "too few huge pages"),
                "%s: %s", np_status_name(status), np_error_detail());
    options.hard_mode = NP_HARD_MODE_SOFT;
    status = np_array_create(topology, 8, count, &options, &array);
    np_enforcement reached = np_array_enforcement(array);
    GUEST_CHECK(status == NP_OK && reached.level == NP_ENFORCEMENT_BEST_EFFORT &&
                    reached.reason == NP_REASON_NO_HUGE_PAGES,
                "%s: %s", np_status_name(status), np_reason_text(reached.reason));
    if (status == NP_OK)
        check_huge(array, 2 * POOL, "without the pool");
    np_array_destroy(array);
}

/* --- the whole ----------------------------------------------------------------------------- */

static bool let_huge_pages_be(const char *what)
{
    FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "w");
    bool written = file != NULL && fputs(what, file) >= 0;
    return file != NULL && fclose(file) == 0 && written;
}

static void check_all(size_t pages, np_huge_pages huge_pages)
{
    static const size_t elements[] = {8, 24, 5000};
    for (unsigned d = 0; d < 4; d++)
        for (size_t e = 0; e < sizeof elements / sizeof elements[0]; e++)
            check_array((np_distribution)d, elements[e], pages, huge_pages);
}

int main(void)
{
    shape = guest_shape();
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail()))
        return guest_finish();
    for (int node = shape->node_count - 1; node >= 0; node--)
        if (shape->node_allowed[node] && shape->node_mib[node] > 0)
            nodes[node_count++] = node;
    for (size_t i = 0; i < node_count; i++)
        weights[i] = i == 1 ? 0 : (uint32_t)(3 * i + 2);

    check_all(PAGES, NP_HUGE_PAGES_NEVER);
    /* Huge pages where the kernel likes to make them, cut by later boundaries. */
    if (let_huge_pages_be("always"))
        check_all(MOST_PAGES / 2, NP_HUGE_PAGES_DEFAULT);
    if (let_huge_pages_be("madvise"))
        check_array(NP_DISTRIBUTION_BLOCK, 8, MOST_PAGES, NP_HUGE_PAGES_TRANSPARENT);
    if (fill_pools(POOL))
        check_pools();
    (void)fill_pools(0);
    check_many_pieces();
    check_too_large();
    np_topology_destroy(topology);
    return guest_finish();
}
