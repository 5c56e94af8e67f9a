/*
 * run_near.c - tasks go to their data while regions come and go.
 *
 * Goal: whoever submits near a region of its own sends the task to that region's node, whatever
 * other regions are made and destroyed meanwhile, from outside and from tasks; memory that the
 * kernel spread is asked for; every byte is counted once, and under local-only none from afar.
 * Method: outside threads with regions of their own on nodes by the seed; a task's home is compared
 * with the node that its submitter asked for; the sums with a ledger.
 */
#include <numaperf/near.h>
#include <numaperf/region.h>
#include <numaperf/stats.h>

#include "base/atomic.h"
#include "sim.h"

enum {
    OWNERS = 3,
    ROUNDS = 3,
    TASKS = 4,
    PAGE = 4096,
    PAGES = 3,
    JOBS = 2 * OWNERS * ROUNDS * TASKS
};

typedef struct world {
    np_topology *topology;
    np_executor *executor;
    np_steal_policy policy;
    np_region *spread; /* over nodes 2 and 3: the kernel says where */
    uint64_t tasks, bytes;
} world;

typedef struct job {
    world *w;
    np_group *group;
    const char *data;
    np_node_id node; /* of the data; the expected home */
    bool more;
    uint32_t ran;
} job;

static job jobs[JOBS];
static uint32_t job_count;

static job *new_job(world *w, np_group *group, const char *data, np_node_id node, bool more)
{
    sim_check(job_count < JOBS, "too few jobs");
    jobs[job_count] = (job){w, group, data, node, more, 0};
    return &jobs[job_count++];
}

static void run(void *argument);

/* The region, and less of the spread one, which weighs nothing against it. */
static void send(job *j)
{
    np_data_range ranges[] = {{.address = j->data, .bytes = PAGES * PAGE, .weight = 2},
                              {.address = np_region_data(j->w->spread), .bytes = PAGE}};
    np_submit_options options = {.size = sizeof options, .group = j->group, .data = ranges};
    options.data_count = 1 + sim_random(2);
    j->w->tasks++;
    j->w->bytes += PAGES * PAGE;
    sim_check_ok(np_submit_with(j->w->executor, &options, run, j));
}

static void run(void *argument)
{
    job *j = argument;
    j->ran++;
    sim_check(np_current_home() == j->node, "data on node #, home #", (uint64_t)j->node,
              (uint64_t)np_current_home());
    if (j->w->policy == NP_STEAL_LOCAL_ONLY)
        sim_check(np_current_node() == j->node, "data on node #, ran on #", (uint64_t)j->node,
                  (uint64_t)np_current_node());
    sim_work(sim_random(3000));
    if (j->more)
        send(new_job(j->w, j->group, j->data, j->node, false));
}

static void owner(void *argument)
{
    world *w = argument;
    np_group *group = NULL;
    sim_check_ok(np_group_create(NULL, &group));
    for (int round = 0; round < ROUNDS; round++) {
        np_region *region = NULL;
        np_node_id node = (np_node_id)sim_random(4);
        sim_check_ok(np_region_create_on_node(w->topology, PAGES * PAGE, node, &region));
        for (int i = 0; i < TASKS; i++)
            send(new_job(w, group, np_region_data(region), node, sim_random(2) == 0));
        sim_check_ok(np_group_wait(group));
        np_region_destroy(region);
        sim_check_ok(np_group_reset(group));
    }
    sim_check_ok(np_group_destroy(group));
}

/* Its kernel says node 2 for every page of it, the first of the two. */
static void asks(world *w)
{
    np_data_range range = {.address = np_region_data(w->spread), .bytes = PAGES * PAGE};
    for (int i = 0; i < 4; i++) {
        np_data_place place;
        sim_check_ok(np_data_locate(w->executor, &range, 1, &place));
        sim_check(place.node == 2 && place.home == 2 && place.bytes == PAGES * PAGE,
                  "# bytes on node #", place.bytes, (uint64_t)place.node);
        if (sim_random(2) == 0)
            np_near_forget(range.address, range.bytes);
    }
}

static void check_account(const world *w)
{
    np_stats *stats = NULL;
    uint64_t afar = 0;
    sim_check_ok(np_stats_snapshot(w->executor, &stats));
    for (int c = NP_COUNTER_DATA_BACKLOG; c <= NP_COUNTER_DATA_SENT; c++)
        afar += np_stats_total(stats, (np_counter)c);
    uint64_t local = np_stats_total(stats, NP_COUNTER_DATA_LOCAL);
    np_data_sum all = np_stats_data(stats, NP_NODE_ID_NONE, NP_NODE_ID_NONE, NP_NODE_ID_NONE);
    /* The second range adds where the data lies on its node already. */
    uint64_t spread = np_stats_total(stats, NP_COUNTER_DATA_SPREAD);
    sim_check(all.tasks == w->tasks && np_stats_total(stats, NP_COUNTER_DATA_TASKS) == w->tasks,
              "# tasks counted of #", all.tasks, w->tasks);
    sim_check(local + afar == all.bytes && all.bytes >= w->bytes,
              "# bytes at home, # from afar, # sent", local, afar, w->bytes);
    sim_check(w->policy != NP_STEAL_LOCAL_ONLY || afar == 0, "# bytes from afar", afar);
    sim_check((all.bytes - w->bytes + spread) % PAGE == 0, "# bytes beside", spread);
    np_stats_destroy(stats);
}

static void scenario(void *argument)
{
    (void)argument;
    static world w;
    const np_node_id pair[] = {2, 3};
    w = (world){.topology = sim_topology(), .policy = (np_steal_policy)sim_random(3)};
    job_count = 0;
    np_executor_options options = {.size = sizeof options,
                                   .steal_policy = w.policy,
                                   .workers_per_node = 1 + (uint32_t)sim_random(2),
                                   .ignore_environment = true};
    sim_check_ok(np_executor_create(w.topology, &options, &w.executor));
    np_region_options spread = {.size = sizeof spread, .policy = NP_MEMORY_INTERLEAVE};
    spread.nodes = pair;
    spread.node_count = 2;
    sim_check_ok(np_region_create(w.topology, PAGES * PAGE, &spread, &w.spread));
    sim_thread *owners[OWNERS];
    for (int i = 0; i < OWNERS; i++)
        owners[i] = sim_thread_start("owner", owner, &w);
    asks(&w);
    for (int i = 0; i < OWNERS; i++)
        sim_thread_join(owners[i]);
    sim_check_ok(np_executor_shutdown(w.executor));
    check_account(&w);
    for (uint32_t i = 0; i < job_count; i++)
        sim_check(jobs[i].ran == 1, "job # ran # times", i, jobs[i].ran);
    sim_check_ok(np_executor_destroy(w.executor));
    np_region_destroy(w.spread);
    np_topology_destroy(w.topology);
}

int main(int argc, char **argv)
{
    static const sim_case cases[] = {
        {.name = "near",
         .scenario = scenario,
         .config = {.machine = "pack:2 numa:2 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS}},
        {.name = "near-buffers",
         .scenario = scenario,
         .config = {.machine = "pack:2 numa:2 core:2 pu:1",
                    .store_buffers = true,
                    .faults = SIM_HARMLESS_FAULTS}},
    };
    return sim_main(argc, argv, cases, 2);
}
