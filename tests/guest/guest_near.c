/*
 * Goal: tasks sent to their data run on the node that holds it, by the kernel's own word: regions
 * by the directory without a system call, plain memory by move_pages, memory that was moved once it
 * has been forgotten, memory of nodes without CPUs at the nearest CPUs. The statistics say how many
 * bytes were touched at home: all of them under local-only with balanced data, and for the default
 * policy, balanced and skewed, as many as they were, with the reasons. Method: getcpu in each task,
 * move_pages on each page, the shape's distances.
 */
#include <numaperf/affinity.h>
#include <numaperf/near.h>
#include <numaperf/region.h>
#include <numaperf/stats.h>

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "guest_check.h"

enum { PAGE = 4096, PAGES = 32, BYTES = PAGE * PAGES, ROUNDS = 50, MOVE = 2 };

static const struct guest_shape *shape;
static np_topology *topology;

static np_executor *make_executor(np_steal_policy policy)
{
    np_executor *executor = NULL;
    np_status status = np_executor_create(
        topology, NP_EXECUTOR_OPTIONS(.steal_policy = policy, .hard_mode = NP_HARD_MODE_STRICT),
        &executor);
    GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
    return executor;
}

static uint64_t total(const np_executor *executor, np_counter counter)
{
    np_stats *stats = NULL;
    GUEST_CHECK(np_stats_snapshot(executor, &stats) == NP_OK, "%s", np_error_detail());
    uint64_t value = np_stats_total(stats, counter);
    np_stats_destroy(stats);
    return value;
}

struct visit {
    int node; /* out */
    int bytes;
    volatile char *data;
};

static void visit(void *argument)
{
    struct visit *self = argument;
    int cpu;
    guest_getcpu(&cpu, &self->node);
    for (int i = 0; i < self->bytes; i++)
        self->data[i]++;
}

/* One task over memory of which every page is known to lie on `node`. */
static void check_task(np_executor *executor, char *data, int node, const char *what)
{
    struct visit self = {-1, BYTES, data};
    np_status status = np_submit_near(executor, data, BYTES, visit, &self);
    GUEST_CHECK(status == NP_OK, "%s on node %d: %s", what, node, np_error_detail());
    GUEST_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_OK, "%s", np_error_detail());
    int expected = guest_nearest_cpu_node(shape, node);
    GUEST_CHECK(self.node == expected, "%s on node %d: the task ran on node %d, not %d", what, node,
                self.node, expected);
    np_data_range range = {.address = data, .bytes = BYTES};
    np_data_place place;
    status = np_data_locate(executor, &range, 1, &place);
    GUEST_CHECK(status == NP_OK && place.node == node && place.bytes == BYTES &&
                    place.home == expected,
                "%s on node %d: told %" PRIu64 " bytes on node %" PRId32 ", home %" PRId32, what,
                node, place.bytes, place.node, place.home);
}

static bool has_memory(int node)
{
    return shape->node_allowed[node] && shape->node_mib[node] > 0;
}

static bool lies_on(const char *data, int node)
{
    for (int i = 0; i < PAGES; i++)
        if (guest_node_of_page(data + i * PAGE) != node)
            return false;
    return true;
}

static void check_region(np_executor *executor, int node)
{
    np_region *region = NULL;
    np_status status = np_region_create_on_node(topology, BYTES, node, &region);
    if (!GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail()))
        return;
    uint64_t before = total(executor, NP_COUNTER_DATA_CALLS);
    check_task(executor, np_region_data(region), node, "a region");
    GUEST_CHECK(total(executor, NP_COUNTER_DATA_CALLS) == before, "the kernel was asked");
    GUEST_CHECK(lies_on(np_region_data(region), node), "a page has moved");
    np_region_destroy(region);
}

/* Memory of malloc, first touched by a thread of that node. */
static void check_plain(np_executor *executor, int node)
{
    np_affinity_scope scope;
    char *memory = malloc(BYTES + 2 * PAGE);
    GUEST_CHECK(memory != NULL, "no memory");
    if (memory == NULL)
        return;
    /* Whole pages behind malloc's own words. */
    char *data = memory + PAGE - (uintptr_t)memory % PAGE;
    np_status status = np_affinity_scope_open_node(&scope, topology, node, NP_HARD_MODE_STRICT,
                                                   NULL);
    GUEST_CHECK(status == NP_OK, "node %d: %s", node, np_error_detail());
    memset(data, 1, BYTES);
    GUEST_CHECK(np_affinity_scope_close(&scope) == NP_OK, "%s", np_error_detail());
    np_near_forget(data, BYTES); /* the heap may have had other pages there */
    if (GUEST_CHECK(lies_on(data, node), "node %d: first touch went elsewhere", node)) {
        uint64_t before = total(executor, NP_COUNTER_DATA_CALLS);
        check_task(executor, data, node, "plain memory");
        check_task(executor, data, node, "the same again");
        GUEST_CHECK(total(executor, NP_COUNTER_DATA_CALLS) == before + 1, "asked %" PRIu64 " times",
                    total(executor, NP_COUNTER_DATA_CALLS) - before);
    }
    free(memory);
}

/* Plain memory that is moved, and forgotten. */
static void check_moved(np_executor *executor, int from, int to)
{
    char *data = NULL;
    void *pages[PAGES];
    int nodes[PAGES], status[PAGES];
    if (!GUEST_CHECK(posix_memalign((void **)&data, PAGE, BYTES) == 0, "no memory"))
        return;
    memset(data, 1, BYTES);
    for (int round = 0; round < 2; round++) {
        int node = round == 0 ? from : to;
        for (int i = 0; i < PAGES; i++) {
            pages[i] = data + i * PAGE;
            nodes[i] = node;
        }
        long moved = syscall(SYS_move_pages, 0, (long)PAGES, pages, nodes, status, MOVE);
        if (!GUEST_CHECK(moved == 0 && lies_on(data, node), "cannot move pages to node %d", node))
            break;
        np_near_forget(data, BYTES);
        check_task(executor, data, node, "moved memory");
    }
    free(data);
}

/* --- how many bytes ------------------------------------------------------------------------- */

static void spin(void *argument)
{
    struct visit *self = argument;
    for (int i = 0; i < 20; i++)
        visit(self);
}

/* Tasks over one region per node, or all over the first one's. */
static void measure(np_steal_policy policy, bool balanced)
{
    np_executor *executor = make_executor(policy);
    np_region *regions[GUEST_MAX_NODES];
    int on[GUEST_MAX_NODES], count = 0;
    if (executor == NULL)
        return;
    for (int node = 0; node < shape->node_count; node++)
        if (has_memory(node) &&
            np_region_create_on_node(topology, BYTES, node, &regions[count]) == NP_OK)
            on[count++] = node;
    static struct visit visits[ROUNDS * GUEST_MAX_NODES];
    uint64_t tasks = 0, no_worker = 0, expected = 0;
    for (int i = 0; i < ROUNDS * count; i++) {
        int which = balanced ? i % count : 0;
        visits[i] = (struct visit){-1, PAGE, np_region_data(regions[which])};
        np_status status = np_submit_near(executor, np_region_data(regions[which]), BYTES, spin,
                                          &visits[i]);
        GUEST_CHECK(status == NP_OK, "%s", np_error_detail());
        tasks++;
        expected += BYTES;
        no_worker += np_executor_node_worker_count(executor, on[which]) == 0 ? BYTES : 0;
    }
    GUEST_CHECK(np_executor_shutdown(executor) == NP_OK, "%s", np_error_detail());
    np_stats *stats = NULL;
    GUEST_CHECK(np_stats_snapshot(executor, &stats) == NP_OK, "%s", np_error_detail());
    uint64_t local = np_stats_total(stats, NP_COUNTER_DATA_LOCAL), afar = 0, truly = 0;
    for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_SENT; c++)
        afar += np_stats_total(stats, (np_counter)c);
    for (int i = 0; i < ROUNDS * count; i++)
        truly += visits[i].node == on[balanced ? i % count : 0] ? BYTES : 0;
    GUEST_CHECK(np_stats_total(stats, NP_COUNTER_DATA_TASKS) == tasks, "tasks are missing");
    GUEST_CHECK(local + afar == expected, "%" PRIu64 " + %" PRIu64 " bytes of %" PRIu64, local,
                afar, expected);
    GUEST_CHECK(local == truly, "told %" PRIu64 " bytes at home, getcpu says %" PRIu64, local,
                truly);
    if (policy == NP_STEAL_LOCAL_ONLY)
        GUEST_CHECK(afar == no_worker, "local-only: %" PRIu64 " bytes from afar, not %" PRIu64,
                    afar, no_worker);
    printf("\n>>> %s data, %s: %.1f %% of the bytes touched at home\n",
           balanced ? "balanced" : "skewed", np_steal_policy_name(policy),
           100.0 * np_stats_data_locality(stats));
    static char text[16384];
    np_report_text(stats, NULL, text, sizeof text);
    const char *section = strstr(text, "Data of tasks");
    if (GUEST_CHECK(section != NULL, "the report has no section about data"))
        printf("%s\n", section);
    np_stats_destroy(stats);
    GUEST_CHECK(np_executor_destroy(executor) == NP_OK, "%s", np_error_detail());
    for (int i = 0; i < count; i++)
        np_region_destroy(regions[i]);
}

int main(void)
{
    shape = guest_shape();
    /* Pages that nobody has touched before, each time. */
    (void)mallopt(M_MMAP_THRESHOLD, BYTES / 2);
    np_status status = np_topology_discover(&topology);
    if (!GUEST_CHECK(status == NP_OK, "%s", np_error_detail()))
        return guest_finish();
    np_executor *executor = make_executor(NP_STEAL_LOCAL_ONLY);
    int last = -1;
    for (int node = 0; executor != NULL && node < shape->node_count; node++) {
        if (!has_memory(node))
            continue;
        check_region(executor, node);
        if (guest_allowed_cpus_of_node(shape, node) > 0)
            check_plain(executor, node);
        if (last >= 0)
            check_moved(executor, last, node);
        last = node;
    }
    GUEST_CHECK(np_executor_destroy(executor) == NP_OK, "%s", np_error_detail());
    measure(NP_STEAL_LOCAL_ONLY, true);
    measure(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, true);
    measure(NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE, false);
    np_topology_destroy(topology);
    return guest_finish();
}
