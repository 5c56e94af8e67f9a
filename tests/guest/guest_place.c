/*
 * Goal: placed data and the work over it meet, seen as a whole: one table, a row for each way to
 * place memory and to run over it, with the share of the bytes that were touched on the node that
 * holds them. All of them where a policy promises it; else as many as it were, and why the others
 * were not. The parts have tests of their own (guest_array, guest_region, guest_near). Method: who
 * touches a page asks getcpu, afterwards move_pages says where it lies (bound pages stay), and the
 * table made of that must be, cell by cell, the one in the statistics.
 */
#include <numaperf/near.h>
#include <numaperf/parallel.h>
#include <numaperf/stats.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "guest_check.h"

enum { PAGE = 4096, PAGES = 480, PART = 16, GRAIN = 4, BLOCK = 8, ROUNDS = 4 };

static const struct guest_shape *shape;
static np_topology *topology;
static np_node_id nodes[GUEST_MAX_NODES]; /* with memory */
static size_t node_count;

/* How often a node has touched a page; and in bytes, by that node and the page's, at the end of a
 * row. The kernel's own answers. */
static uint32_t touched[PAGES][GUEST_MAX_NODES];
static uint64_t seen[GUEST_MAX_NODES][GUEST_MAX_NODES];

static void touch(char *data, size_t first, size_t end)
{
    for (size_t page = first; page < end; page++) {
        int cpu, ran;
        for (size_t i = 0; i < PAGE; i += 64)
            data[page * PAGE + i]++;
        guest_getcpu(&cpu, &ran);
        if (GUEST_CHECK(ran >= 0 && ran < shape->node_count, "node %d", ran))
            __atomic_fetch_add(&touched[page][ran], 1, __ATOMIC_RELAXED);
    }
}

static void add_up(const char *data)
{
    memset(seen, 0, sizeof seen);
    for (size_t page = 0; page < PAGES; page++) {
        int node = guest_node_of_page(data + page * PAGE);
        if (GUEST_CHECK(node >= 0, "page %zu: %d", page, node))
            for (int ran = 0; ran < shape->node_count; ran++)
                seen[ran][node] += (uint64_t)touched[page][ran] * PAGE;
    }
}

static void touch_elements(void *data, size_t begin, size_t end) /* of an array, a page each */
{
    touch(data, begin, end);
}

static void touch_bytes(void *data, size_t begin, size_t end) /* of a region, whole pages */
{
    touch(data, begin / PAGE, end / PAGE);
}

struct part {
    char *data;
    size_t first;
};

static void touch_part(void *argument)
{
    struct part *part = argument;
    touch(part->data, part->first, part->first + PART);
}

/* --- a row of the table ----------------------------------------------------------------------- */

static np_executor *begin_row(np_steal_policy policy)
{
    np_executor *executor = NULL;
    np_status status = np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.steal_policy = policy, .hard_mode = NP_HARD_MODE_STRICT),
        &executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    memset(touched, 0, sizeof touched);
    return executor;
}

/* What the statistics say of each pair of nodes is what was seen. */
static void compare(const np_stats *stats, const char *what)
{
    for (int ran = 0; ran < shape->node_count; ran++)
        for (int node = 0; node < shape->node_count; node++) {
            uint64_t told = np_stats_data(stats, NP_NODE_ID_NONE, ran, node).bytes;
            GUEST_CHECK(told == seen[ran][node],
                        "%s: node %d touched %" PRIu64 " bytes of node %d, told %" PRIu64, what,
                        ran, seen[ran][node], node, told);
        }
}

/* Pages on nodes without CPUs that the nearest CPUs have touched. */
static uint64_t bytes_beside(void)
{
    uint64_t bytes = 0;
    for (int node = 0; node < shape->node_count; node++)
        if (guest_allowed_cpus_of_node(shape, node) == 0)
            bytes += seen[guest_nearest_cpu_node(shape, node)][node];
    return bytes;
}

static void print_reasons(const np_stats *stats)
{
    static const struct {
        np_counter counter;
        const char *word;
    } reasons[] = {{NP_COUNTER_DATA_BACKLOG, "backlog"},    {NP_COUNTER_DATA_AGE, "stood still"},
                   {NP_COUNTER_DATA_HELPED, "helpers"},     {NP_COUNTER_DATA_ANY, "free to go"},
                   {NP_COUNTER_DATA_NO_WORKER, "no CPUs"},  {NP_COUNTER_DATA_SENT, "sent"},
                   {NP_COUNTER_DATA_DISPLACED, "node gone"}};
    const char *before = "; afar: ";
    for (size_t i = 0; i < sizeof reasons / sizeof reasons[0]; i++) {
        uint64_t bytes = np_stats_total(stats, reasons[i].counter);
        if (bytes == 0)
            continue;
        printf("%s%s %" PRIu64 " KiB", before, reasons[i].word, bytes / 1024);
        before = ", ";
    }
    printf("\n");
}

/* Ends the executor and prints the row. `promised`: no byte is touched from afar, but for those of
 * nodes without CPUs, which the nearest CPUs touch. */
static void end_row(np_executor *executor, const char *data, const char *what, uint64_t rounds,
                    bool promised)
{
    np_stats *stats = NULL;
    GUEST_CHECK(np_executor_shutdown(executor) == NP_OK, "%s", np_error_detail());
    if (!GUEST_CHECK(np_stats_snapshot(executor, &stats) == NP_OK, "%s", np_error_detail()))
        return;
    add_up(data);
    uint64_t all = 0, home = 0, afar = 0;
    for (int ran = 0; ran < shape->node_count; ran++)
        for (int node = 0; node < shape->node_count; node++) {
            all += seen[ran][node];
            home += ran == node ? seen[ran][node] : 0;
        }
    for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_SENT; c++)
        afar += np_stats_total(stats, (np_counter)c);
    compare(stats, what);
    GUEST_CHECK(all == rounds * PAGES * PAGE, "%s: %" PRIu64 " bytes were touched", what, all);
    GUEST_CHECK(np_stats_total(stats, NP_COUNTER_DATA_LOCAL) == home, "%s: at home %" PRIu64, what,
                home);
    GUEST_CHECK(home + afar == all, "%s: the reasons give %" PRIu64 " of %" PRIu64 " bytes", what,
                afar, all - home);
    uint64_t beside = np_stats_total(stats, NP_COUNTER_DATA_NO_WORKER);
    if (promised)
        GUEST_CHECK(all - home == beside && beside == bytes_beside(),
                    "%s: %" PRIu64 " bytes from afar, %" PRIu64 " of them beside nodes without "
                    "CPUs, %" PRIu64 " on the nearest ones",
                    what, all - home, beside, bytes_beside());
    printf("\n>>> %-43s %5.1f %% of %" PRIu64 " KiB at home", what,
           100.0 * (double)home / (double)all, all / 1024);
    print_reasons(stats);
    np_stats_destroy(stats);
    GUEST_CHECK(np_executor_destroy(executor) == NP_OK, "%s", np_error_detail());
}

static void loop_row(const np_array *array, np_steal_policy policy, const char *what)
{
    np_executor *executor = begin_row(policy);
    if (executor == NULL)
        return;
    /* Where nothing is promised, often: that the others first have to wake up is not the answer. */
    bool promised = policy == NP_STEAL_LOCAL_ONLY;
    for (int round = 0; round < (promised ? 1 : ROUNDS); round++) {
        np_status status = np_parallel_for_array(executor, array, NP_LOOP_OPTIONS(.grain = GRAIN),
                                                 touch_elements, np_array_data(array));
        GUEST_CHECK(status == NP_OK, "%s: %s", what, np_error_detail());
    }
    end_row(executor, np_array_data(array), what, promised ? 1 : ROUNDS, promised);
}

/* --- arrays ----------------------------------------------------------------------------------- */

static np_array *make_array(np_distribution distribution, size_t count)
{
    np_array *array = NULL;
    np_array_options options;
    np_array_options_init(&options);
    options.distribution = distribution;
    options.block = distribution == NP_DISTRIBUTION_CYCLIC ? BLOCK : 0;
    options.hard_mode = NP_HARD_MODE_STRICT;
    options.nodes = nodes;
    options.node_count = count;
    np_status status = np_array_create(topology, PAGE, PAGES, &options, &array);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    return array;
}

static void check_arrays(void)
{
    np_array *block = make_array(NP_DISTRIBUTION_BLOCK, node_count);
    np_array *cyclic = make_array(NP_DISTRIBUTION_CYCLIC, node_count);
    np_array *skewed = make_array(NP_DISTRIBUTION_BLOCK, 1);
    if (block == NULL || cyclic == NULL || skewed == NULL)
        return;
    loop_row(block, NP_STEAL_LOCAL_ONLY, "array by blocks, local-only");
    loop_row(cyclic, NP_STEAL_LOCAL_ONLY, "array in turn, local-only");
    loop_row(block, NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, "array by blocks, default policy");
    loop_row(skewed, NP_STEAL_LOCAL_ONLY, "array on one node, local-only");
    loop_row(skewed, NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, "array on one node, default policy");

    /* The one node's pages are given to all of them. */
    np_array_options anew;
    np_migration result;
    np_array_options_init(&anew);
    anew.nodes = nodes;
    anew.node_count = node_count;
    np_status status = np_array_redistribute(topology, skewed, &anew, &result);
    GUEST_CHECK(status == NP_OK && result.home == PAGES && result.stayed == 0 &&
                    result.moved == PAGES - np_array_node_elements(skewed, nodes[0]),
                "%s: %" PRIu64 " home, %" PRIu64 " moved", np_status_name(status), result.home,
                result.moved);
    loop_row(skewed, NP_STEAL_LOCAL_ONLY, "that array given to all nodes, local-only");
    np_array_destroy(skewed);
    np_array_destroy(cyclic);
    np_array_destroy(block);
}

/* --- regions ---------------------------------------------------------------------------------- */

static void region_row(const np_region *region, const char *what)
{
    np_executor *executor = begin_row(NP_STEAL_LOCAL_ONLY);
    if (executor == NULL)
        return;
    np_status status = np_parallel_for_region(executor, region, NP_LOOP_OPTIONS(.grain = GRAIN),
                                              touch_bytes, np_region_data(region));
    GUEST_CHECK(status == NP_OK, "%s: %s", what, np_error_detail());
    end_row(executor, np_region_data(region), what, 1, true);
}

/* Each page on the node that follows its predecessor's. */
static void check_in_turn(const np_region *region)
{
    const char *data = np_region_data(region);
    size_t at = 0;
    while (at < node_count && nodes[at] != guest_node_of_page(data))
        at++;
    for (size_t page = 0; page < PAGES; page++)
        GUEST_CHECK(guest_node_of_page(data + page * PAGE) == nodes[(at + page) % node_count],
                    "page %zu lies on node %d", page, guest_node_of_page(data + page * PAGE));
}

static void check_audit(const np_region *region, const char *what, size_t on_node, np_node_id node)
{
    static np_node_id where[PAGES];
    np_region_audit audit;
    np_status status = np_region_audit_pages(region, &audit, where, PAGES);
    size_t count = 0;
    for (size_t page = 0; page < PAGES; page++)
        count += where[page] == node;
    GUEST_CHECK(status == NP_OK && audit.home == PAGES && count == on_node,
                "%s: %" PRIu64 " pages at home, %zu on node %" PRId32, what, audit.home, count,
                node);
}

static void check_regions(void)
{
    np_region *region = NULL;
    np_node_id last = nodes[node_count - 1];
    np_status status = np_region_create(
        topology, (size_t)PAGES * PAGE,
        NP_REGION_OPTIONS(.policy = NP_MEMORY_INTERLEAVE, .nodes = nodes, .node_count = node_count,
                          .hard_mode = NP_HARD_MODE_STRICT, .prefault = NP_PREFAULT_TOUCH),
        &region);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return;
    check_in_turn(region);
    region_row(region, "region, pages in turn, local-only");
    check_audit(region, "before", PAGES / node_count, last);
    np_migration result;
    status = np_region_migrate(topology, region,
                               NP_REGION_OPTIONS(.policy = NP_MEMORY_BIND, .nodes = &last,
                                                 .node_count = 1, .hard_mode = NP_HARD_MODE_STRICT),
                               &result);
    GUEST_CHECK(status == NP_OK && result.moved == PAGES - PAGES / node_count,
                "%s: %" PRIu64 " moved", np_status_name(status), result.moved);
    check_audit(region, "after", PAGES, last);
    region_row(region, guest_allowed_cpus_of_node(shape, last) > 0
                           ? "that region moved to one node, local-only"
                           : "that region moved to a node without CPUs");
    np_region_destroy(region);
}

/* Tasks by pointer over memory of a node without CPUs: the data's node is remembered, though
 * another one runs them. */
static void check_tasks_beside(np_node_id node)
{
    static struct part parts[PAGES / PART];
    np_region *region = NULL;
    np_executor *executor = begin_row(NP_STEAL_LOCAL_ONLY);
    np_status status = np_region_create_on_node(topology, (size_t)PAGES * PAGE, node, &region);
    if (executor == NULL || !GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return;
    for (size_t i = 0; i < PAGES / PART; i++) {
        parts[i] = (struct part){np_region_data(region), i * PART};
        status = np_submit_near(executor, parts[i].data + i * PART * PAGE, (size_t)PART * PAGE,
                                touch_part, &parts[i]);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    }
    end_row(executor, np_region_data(region), "tasks near memory of a node without CPUs", 1, true);
    GUEST_CHECK(bytes_beside() == PAGES * PAGE, "%" PRIu64 " bytes by the nearest CPUs",
                bytes_beside());
    np_region_destroy(region);
}

int main(void)
{
    shape = guest_shape();
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return guest_finish();
    for (int node = 0; node < shape->node_count; node++)
        if (shape->node_allowed[node] && shape->node_mib[node] > 0)
            nodes[node_count++] = node;
    check_arrays();
    check_regions();
    for (size_t i = 0; i < node_count; i++)
        if (guest_allowed_cpus_of_node(shape, nodes[i]) == 0)
            check_tasks_beside(nodes[i]);
    np_topology_destroy(topology);
    return guest_finish();
}
