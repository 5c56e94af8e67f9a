/*
 * Goal: the policies that need several nodes, migration, resizing, samples, pools of huge pages and
 * the prefault by workers do what they say, on every node with memory, also those of memory only.
 * Method: the kernel's own answer for every page before and after; contents that name their page.
 */
#include <numaperf.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest_check.h"

enum { PAGES = 96, PAGE = 4096 };

#define MIB ((size_t)1 << 20)

typedef struct machine {
    const struct guest_shape *shape;
    np_topology *topology;
    np_node_id nodes[GUEST_MAX_NODES]; /* with memory that we may use */
    size_t count;
} machine;

static void count_pages(const np_region *region, int count[GUEST_MAX_NODES])
{
    const char *data = np_region_data(region);
    size_t page = np_region_page_size(region);
    memset(count, 0, GUEST_MAX_NODES * sizeof *count);
    for (size_t at = 0; at < np_region_size(region); at += page) {
        int node = guest_node_of_page(data + at);
        if (GUEST_CHECK(node >= 0 && node < GUEST_MAX_NODES, "page at %zu: %d", at, node)) {
            count[node]++;
        }
    }
}

static void write_places(np_region *region)
{
    char *data = np_region_data(region);
    for (size_t at = 0; at < np_region_size(region); at += PAGE) {
        memcpy(data + at, &at, sizeof at);
    }
}

static void check_places(const np_region *region, size_t bytes)
{
    const char *data = np_region_data(region);
    for (size_t at = 0; at < bytes; at += PAGE) {
        size_t found = SIZE_MAX;
        memcpy(&found, data + at, sizeof found);
        GUEST_CHECK(found == at, "page at %zu holds %zu", at, found);
    }
}

static np_region *make(const machine *m, np_memory_policy policy, const np_node_id *nodes,
                       size_t count, np_prefault prefault)
{
    np_region *region = NULL;
    np_status status = np_region_create(
        m->topology, PAGES * PAGE,
        NP_REGION_OPTIONS(.policy = policy, .hard_mode = NP_HARD_MODE_STRICT, .prefault = prefault,
                          .huge_pages = NP_HUGE_PAGES_NEVER, .nodes = nodes, .node_count = count),
        &region);
    GUEST_CHECK(status == NP_OK, "%s: %s", np_memory_policy_name(policy), np_error_detail());
    return region;
}

/* --- policies ------------------------------------------------------------------------------- */

/* The nodes given, nearest to who touches: who is on one of them gets that one. */
static void check_preferred_many(const machine *m)
{
    const np_node_id both[] = {m->nodes[0], m->nodes[m->count - 1]};
    for (int side = 0; side < 2; side++) {
        np_affinity_scope scope;
        if (guest_allowed_cpus_of_node(m->shape, both[side]) == 0) {
            continue; /* memory only */
        }
        np_status status = np_affinity_scope_open_node(&scope, m->topology, both[side],
                                                       NP_HARD_MODE_STRICT, NULL);
        if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
            return;
        }
        np_region *region = make(m, NP_MEMORY_PREFERRED_MANY, both, both[0] == both[1] ? 1 : 2,
                                 NP_PREFAULT_TOUCH);
        int count[GUEST_MAX_NODES];
        count_pages(region, count);
        GUEST_CHECK(count[both[side]] == PAGES, "touched on node %" PRId32 ": %d of %d pages there",
                    both[side], count[both[side]], PAGES);
        np_region_destroy(region);
        status = np_affinity_scope_close(&scope);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    }
}

/* Where the kernel has it, in force; where not, strict fails and soft interleaves evenly. */
static void check_weighted(const machine *m)
{
    np_region *region = NULL;
    np_region_options options;
    np_region_options_init(&options);
    options.policy = NP_MEMORY_WEIGHTED_INTERLEAVE;
    options.prefault = NP_PREFAULT_TOUCH;
    options.huge_pages = NP_HUGE_PAGES_NEVER;
    np_status status = np_region_create(m->topology, PAGES * PAGE, &options, &region);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    np_enforcement reached = np_region_enforcement(region);
    if (reached.level != NP_ENFORCEMENT_STRICT) {
        GUEST_CHECK(reached.reason == NP_REASON_NOT_SUPPORTED, "%s",
                    np_reason_text(reached.reason));
        int count[GUEST_MAX_NODES];
        count_pages(region, count);
        for (size_t i = 0; i < m->count; i++) {
            int here = count[m->nodes[i]];
            GUEST_CHECK(here >= PAGES / (int)m->count, "node %" PRId32 ": %d", m->nodes[i], here);
        }
        np_region *strict = NULL;
        options.hard_mode = NP_HARD_MODE_STRICT;
        status = np_region_create(m->topology, PAGES * PAGE, &options, &strict);
        GUEST_CHECK(status == NP_ERR_HARD_MODE, "%s", np_status_name(status));
        np_region_destroy(strict);
    }
    printf(">>> weighted interleave: %s\n", np_enforcement_level_name(reached.level));
    np_region_destroy(region);
}

/* --- migration ------------------------------------------------------------------------------ */

static void check_migrations(const machine *m)
{
    np_region *region = make(m, NP_MEMORY_BIND, &m->nodes[0], 1, NP_PREFAULT_TOUCH);
    write_places(region);
    const char *data = np_region_data(region);
    np_node_id from = m->nodes[0];
    for (size_t i = m->count; i-- > 0;) {
        np_node_id to = m->nodes[i];
        np_migration result;
        np_status status = np_region_migrate(
            m->topology, region,
            NP_REGION_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .nodes = &to, .node_count = 1),
            &result);
        GUEST_CHECK(status == NP_OK, "to node %" PRId32 ": %s", to, np_error_detail());
        int count[GUEST_MAX_NODES];
        count_pages(region, count);
        GUEST_CHECK(count[to] == PAGES, "%d of %d pages on node %" PRId32, count[to], PAGES, to);
        GUEST_CHECK(result.home == PAGES && result.stayed == 0 &&
                        result.moved == (from == to ? 0 : PAGES),
                    "home %" PRIu64 " moved %" PRIu64 " stayed %" PRIu64, result.home, result.moved,
                    result.stayed);
        GUEST_CHECK(np_region_data(region) == data, "the address has changed");
        check_places(region, PAGES * PAGE);
        from = to;
    }
    np_region_destroy(region);
}

/* Pages that all lie on one node alternate afterwards, and can be gathered again. */
static void check_spread(const machine *m)
{
    np_region *region = make(m, NP_MEMORY_BIND, &m->nodes[0], 1, NP_PREFAULT_TOUCH);
    write_places(region);
    np_migration result;
    np_status status = np_region_migrate(
        m->topology, region,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE, .hard_mode = NP_HARD_MODE_STRICT,
                          .nodes = m->nodes, .node_count = m->count),
        &result);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    int count[GUEST_MAX_NODES];
    count_pages(region, count);
    int least = PAGES / (int)m->count;
    for (size_t i = 0; i < m->count; i++) {
        int here = count[m->nodes[i]];
        GUEST_CHECK(here >= least && here <= least + 1, "node %" PRId32 " has %d of %d pages",
                    m->nodes[i], here, PAGES);
    }
    check_places(region, PAGES * PAGE);
    np_node_id last = m->nodes[m->count - 1];
    status = np_region_migrate(
        m->topology, region,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_PREFERRED, .nodes = &last, .node_count = 1), &result);
    GUEST_CHECK(status == NP_OK && result.home == PAGES, "home %" PRIu64, result.home);
    count_pages(region, count);
    GUEST_CHECK(count[last] == PAGES, "%d pages gathered", count[last]);
    check_places(region, PAGES * PAGE);
    np_region_destroy(region);
}

/* Transparent huge pages move as such, also where a chunk of the migration ends: 64 MiB. */
static void check_huge_migration(const machine *m)
{
    np_node_id from = m->nodes[0], to = m->nodes[m->count - 1];
    np_region *region = NULL;
    np_status status = np_region_create(
        m->topology, 72 * MIB,
        NP_REGION_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .prefault = NP_PREFAULT_TOUCH,
                          .huge_pages = NP_HUGE_PAGES_TRANSPARENT, .nodes = &from, .node_count = 1),
        &region);
    if (status == NP_ERR_HARD_MODE) {
        printf(">>> no transparent huge pages here: %s\n", np_error_detail());
        return;
    }
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    write_places(region);
    uint64_t pages = 72 * MIB / PAGE;
    np_migration result;
    status = np_region_migrate(
        m->topology, region,
        NP_REGION_OPTIONS(.hard_mode = NP_HARD_MODE_STRICT, .nodes = &to, .node_count = 1),
        &result);
    GUEST_CHECK(status == NP_OK && result.home == pages && result.moved == (from == to ? 0 : pages),
                "%s: home %" PRIu64 " moved %" PRIu64, np_status_name(status), result.home,
                result.moved);
    status = np_region_migrate(m->topology, region,
                               NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE, .nodes = m->nodes,
                                                 .node_count = m->count),
                               &result);
    GUEST_CHECK(status == NP_OK && result.home == pages, "home %" PRIu64, result.home);
    int count[GUEST_MAX_NODES];
    count_pages(region, count);
    /* 36 huge pages in turn. */
    for (size_t i = 0; i < m->count; i++) {
        int here = count[m->nodes[i]] / 512, due = 36 / (int)m->count;
        GUEST_CHECK(here >= due - 1 && here <= due + 1, "node %" PRId32 " has %d huge pages of 36",
                    m->nodes[i], here);
    }
    check_places(region, 72 * MIB);
    np_region_destroy(region);
}

/* --- size and samples ----------------------------------------------------------------------- */

static void check_resize(const machine *m, np_node_id node)
{
    static const size_t sizes[] = {PAGES * 20, PAGES / 2, PAGES * 3};
    np_region *region = make(m, NP_MEMORY_BIND, &node, 1, NP_PREFAULT_TOUCH);
    size_t kept = PAGES;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        write_places(region);
        kept = kept < sizes[i] ? kept : sizes[i];
        np_status status = np_region_resize(region, sizes[i] * PAGE);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
        int count[GUEST_MAX_NODES];
        count_pages(region, count);
        GUEST_CHECK(count[node] == (int)sizes[i], "%d of %zu pages on node %" PRId32, count[node],
                    sizes[i], node);
        check_places(region, kept * PAGE);
        kept = sizes[i];
    }
    np_region_destroy(region);
}

/* A quarter of the pages lies elsewhere: a sample says about that, the audit exactly. */
static void check_sample(const machine *m)
{
    enum { MANY = 4000, SAMPLE = 800 };
    np_node_id home = m->nodes[0], other = m->nodes[m->count - 1];
    np_region *region = make(m, NP_MEMORY_BIND, &home, 1, NP_PREFAULT_TOUCH);
    np_status status = np_region_resize(region, (size_t)MANY * PAGE);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    char *data = np_region_data(region);
    for (size_t i = 0; i < MANY; i += 4) {
        GUEST_CHECK(guest_move_page(data + i * PAGE, other), "page %zu", i);
    }
    np_region_audit whole, sample;
    status = np_region_audit_pages(region, &whole, NULL, 0);
    GUEST_CHECK(status == NP_OK && whole.elsewhere == (home == other ? 0 : MANY / 4),
                "elsewhere %" PRIu64, whole.elsewhere);
    for (uint64_t seed = 1; seed <= 5; seed++) {
        status = np_region_audit_sample(region, SAMPLE, seed, &sample);
        /* 200 expected, standard deviation 12. */
        GUEST_CHECK(status == NP_OK && sample.pages == SAMPLE &&
                        (home == other || (sample.elsewhere > 130 && sample.elsewhere < 270)),
                    "seed %" PRIu64 ": %" PRIu64 " of %" PRIu64 " elsewhere", seed,
                    sample.elsewhere, sample.pages);
    }
    np_region_destroy(region);
}

/* --- pools of huge pages -------------------------------------------------------------------- */

static bool set_pool(np_node_id node, const char *size, long pages)
{
    char path[128];
    char text[32] = "";
    snprintf(path, sizeof path,
             "/sys/devices/system/node/node%" PRId32 "/hugepages/hugepages-%skB/nr_hugepages", node,
             size);
    FILE *file = fopen(path, "w");
    if (file == NULL) {
        return false;
    }
    fprintf(file, "%ld\n", pages);
    return fclose(file) == 0 && guest_read_file(path, text, sizeof text) && atol(text) == pages;
}

/* Pages on this node; and a pool that is empty here although others have pages. */
static void check_pool(const machine *m, np_node_id node, np_node_id empty)
{
    if (!GUEST_CHECK(set_pool(node, "2048", 3), "no pool on node %" PRId32, node)) {
        return;
    }
    np_region *region = NULL;
    np_region_options options;
    np_region_options_init(&options);
    options.huge_pages = NP_HUGE_PAGES_2M;
    options.hard_mode = NP_HARD_MODE_STRICT;
    options.nodes = &node;
    options.node_count = 1;
    np_status status = np_region_create(m->topology, 4 * MIB, &options, &region);
    if (GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        int count[GUEST_MAX_NODES];
        count_pages(region, count);
        GUEST_CHECK(count[node] == 2 && np_region_page_size(region) == 2 * MIB,
                    "%d huge pages on node %" PRId32, count[node], node);
        np_region_destroy(region);
        region = NULL;
    }
    if (empty != node) {
        options.nodes = &empty;
        status = np_region_create(m->topology, 4 * MIB, &options, &region);
        GUEST_CHECK(status == NP_ERR_HARD_MODE, "%s", np_status_name(status));
        GUEST_CHECK(strstr(np_error_detail(), "too few huge pages") != NULL, "%s",
                    np_error_detail());
        options.hard_mode = NP_HARD_MODE_SOFT;
        status = np_region_create(m->topology, 4 * MIB, &options, &region);
        if (GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
            np_enforcement reached = np_region_enforcement(region);
            GUEST_CHECK(reached.reason == NP_REASON_NO_HUGE_PAGES, "%s",
                        np_reason_text(reached.reason));
            memset(np_region_data(region), 1, np_region_size(region)); /* no SIGBUS */
            int count[GUEST_MAX_NODES];
            count_pages(region, count);
            GUEST_CHECK(count[empty] == (int)(4 * MIB / PAGE), "%d pages on node %" PRId32,
                        count[empty], empty);
            np_region_destroy(region);
        }
    }
    GUEST_CHECK(set_pool(node, "2048", 0), "the pool stays");
}

/* --- prefault by workers -------------------------------------------------------------------- */

static void check_prefault(const machine *m)
{
    np_executor *executor = NULL;
    np_status status = np_executor_create(m->topology, NULL, &executor);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail())) {
        return;
    }
    np_region *region = NULL;
    status = np_region_create(
        m->topology, 32 * MIB,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_LOCAL, .huge_pages = NP_HUGE_PAGES_NEVER), &region);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    status = np_region_prefault(executor, region);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    int count[GUEST_MAX_NODES];
    count_pages(region, count);
    /* Whoever touches decides: each node with memory got what its workers are of all, and perhaps
     * what those of a node without memory are. Pieces of 4 MiB, so an uneven division is off by
     * one of them. */
    uint32_t workers = np_executor_worker_count(executor);
    int pages = (int)(32 * MIB / PAGE);
    for (int node = 0; node < m->shape->node_count; node++) {
        int due = pages / (int)workers * (int)np_executor_node_worker_count(executor, node);
        if (m->shape->node_mib[node] > 0 && due > 0) {
            GUEST_CHECK(count[node] >= due - pages / 8, "node %d: %d pages, due %d", node,
                        count[node], due);
        }
    }
    np_region_destroy(region);

    for (size_t i = 0; i < m->count; i++) { /* also of memory only */
        region = make(m, NP_MEMORY_BIND, &m->nodes[i], 1, NP_PREFAULT_NONE);
        status = np_region_prefault(executor, region);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
        count_pages(region, count);
        GUEST_CHECK(count[m->nodes[i]] == PAGES, "%d pages on node %" PRId32, count[m->nodes[i]],
                    m->nodes[i]);
        np_region_destroy(region);
    }
    status = np_executor_destroy(executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
}

int main(void)
{
    machine m = {.shape = guest_shape()};
    np_status status = np_topology_discover(&m.topology);
    if (!GUEST_CHECK(status == NP_OK, "%s: %s", np_status_name(status), np_error_detail())) {
        return guest_finish();
    }
    for (int node = 0; node < m.shape->node_count; node++) {
        if (m.shape->node_allowed[node] && m.shape->node_mib[node] > 0) {
            m.nodes[m.count++] = node;
        }
    }
    check_preferred_many(&m);
    check_weighted(&m);
    check_migrations(&m);
    check_spread(&m);
    check_huge_migration(&m);
    check_sample(&m);
    for (size_t i = 0; i < m.count; i++) {
        check_resize(&m, m.nodes[i]);
        check_pool(&m, m.nodes[i], m.nodes[(i + 1) % m.count]);
    }
    check_prefault(&m);
    np_topology_destroy(m.topology);
    return guest_finish();
}
