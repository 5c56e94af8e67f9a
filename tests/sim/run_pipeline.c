/*
 * run_pipeline.c - pipelines of every shape, ended in every way.
 *
 * Goal: no item is lost, doubled or out of order, none is begun by a stage where it may not run, no
 * more are inside than there are places, and every pipeline ends: a stuck one is a deadlock that
 * the machine sees. Method: stages, kinds, places, batches and the number of items by the seed; a
 * source, or pushers that go on by continuations alone; then it runs to its end, fails, is
 * cancelled from inside or outside, or loses its executor to a timed shutdown; with and without
 * memory. What was exercised is counted, and must not be nothing.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <numaperf/pipeline.h>

#include "base/atomic.h"
#include "sim.h"

#define ITEMS_MOST  40u
#define STAGES_MOST 5u
#define NODES       2u
#define PUSHERS     3u

typedef enum ending { ENDS = 0, FAILS, CANCELLED_INSIDE, CANCELLED_OUTSIDE, SHUT_DOWN } ending;

typedef struct item {
    uint32_t number; /* of the maker; rising for each pusher */
    uint32_t maker;
    uint32_t steps;
} item;

typedef struct stage {
    uint32_t number;
    np_stage_kind kind;
    np_node_id strict_at;   /* NP_NODE_ID_NONE: anywhere */
    bool by_item;           /* `where` */
    uint32_t inside;        /* calls at the moment */
    uint32_t last[PUSHERS]; /* an ordered stage: the next number of each maker */
    uint32_t work_ns;
} stage;

static struct {
    np_executor *executor;
    np_pipeline *pipeline;
    bool may_lack_memory;
    uint32_t stage_count;
    stage stages[STAGES_MOST];
    np_node_id nodes[NODES];
    uint32_t in_flight;
    uint32_t makers, items; /* of each maker */
    uint32_t next[PUSHERS];
    uint8_t ended[PUSHERS][ITEMS_MOST];
    uint32_t inside, finished, dropped, destroyed;
    uint32_t drop_one_in;
    ending how;
    uint32_t at_stage, at_item; /* of the end */
    bool source_over;
    uint32_t pushers_left;
} the;

/* Over all runs of the process. */
static uint64_t seen_ok, seen_failed, seen_cancelled, seen_no_memory, seen_destroyed, seen_dropped,
    seen_full, seen_continued, seen_remote, seen_lost_task;

static void end_item(const item *it)
{
    sim_check(it->maker < the.makers && it->number < the.items, "a strange item: # of #",
              it->number, it->maker);
    uint8_t before = the.ended[it->maker][it->number]++;
    sim_check(before == 0, "item # of # ended twice", it->number, it->maker);
    the.inside--;
}

static void enter_item(item *it, uint32_t maker)
{
    *it = (item){the.next[maker]++, maker, 0};
    the.inside++;
}

/* --- stages -------------------------------------------------------------------------------------
 */

static void check_place(const stage *s, const item *it)
{
    np_node_id node = np_current_node();
    if (s->strict_at != NP_NODE_ID_NONE)
        sim_check(node == s->strict_at, "stage # is on node #, not #", s->number, (uint64_t)node,
                  (uint64_t)s->strict_at);
    else if (s->by_item)
        sim_check(node == the.nodes[it->number % NODES], "stage # on node # for item #", s->number,
                  (uint64_t)node, it->number);
}

static np_status do_stage(void *context, void *memory)
{
    stage *s = context;
    item *it = memory;
    sim_check(it->steps == s->number, "item # comes to stage # after # steps", it->number,
              s->number, it->steps);
    sim_check(s->inside == 0 || s->kind == NP_STAGE_PARALLEL, "stage # is entered twice",
              s->number);
    if (s->kind == NP_STAGE_ORDERED) {
        sim_check(it->number >= s->last[it->maker], "stage #: item # of maker # is late", s->number,
                  it->number, it->maker);
        s->last[it->maker] = it->number + 1;
    }
    check_place(s, it);
    s->inside++;
    if (s->work_ns != 0)
        sim_work(sim_random(s->work_ns));
    s->inside--;
    it->steps++;
    bool here = s->number == the.at_stage && it->number == the.at_item;
    if (here && the.how == FAILS)
        return NP_ERR_FAILED;
    if (here && the.how == CANCELLED_INSIDE)
        sim_check_ok(np_pipeline_cancel(the.pipeline));
    if (the.drop_one_in != 0 && sim_random(the.drop_one_in) == 0) {
        the.dropped++;
        end_item(it);
        return NP_PIPELINE_DROP;
    }
    if (s->number + 1 == the.stage_count) {
        the.finished++;
        end_item(it);
    }
    return NP_OK;
}

static np_node_id where(void *context, const void *memory)
{
    (void)context;
    return the.nodes[((const item *)memory)->number % NODES];
}

static np_status source(void *context, void *memory)
{
    (void)context;
    sim_check(!the.source_over, "the source is asked after its end");
    sim_check(the.inside < the.in_flight, "# items are inside, # places", the.inside,
              the.in_flight);
    if (the.next[0] == the.items) {
        the.source_over = true;
        return NP_ERR_CLOSED;
    }
    if (sim_random(4) == 0)
        sim_work(sim_random(2000));
    enter_item(memory, 0);
    return NP_OK;
}

static void destroy_item(void *context, void *memory)
{
    (void)context;
    the.destroyed++;
    end_item(memory);
}

/* --- pushers ------------------------------------------------------------------------------------
 */

static void push_over(void)
{
    if (--the.pushers_left == 0)
        sim_check_ok(np_pipeline_finish(the.pipeline));
}

/* A task, or a thread at first; one at a time for each maker. */
static void push_some(void *argument)
{
    uint32_t maker = (uint32_t)(uintptr_t)argument;
    np_status status = NP_OK;
    while (status == NP_OK && the.next[maker] < the.items) {
        item it;
        enter_item(&it, maker); /* before: it may be through when the push returns */
        status = np_pipeline_push(the.pipeline, &it);
        if (status == NP_OK)
            continue;
        the.inside--;
        the.next[maker]--;
        if (status == NP_ERR_WOULD_BLOCK) {
            seen_full++;
            status = np_pipeline_when_ready(the.pipeline, push_some, argument);
            if (status == NP_OK)
                return; /* perhaps somebody goes on already */
        }
    }
    sim_check(status == NP_OK || status == NP_ERR_CLOSED ||
                  (status == NP_ERR_NO_MEMORY && the.may_lack_memory) ||
                  (status == NP_ERR_SHUT_DOWN && the.how == SHUT_DOWN),
              "a push: status #", (uint64_t)status);
    push_over();
}

static void push_task(void *argument)
{
    seen_continued++;
    push_some(argument);
}

/* A pusher that the shutdown handed back. */
static void on_discard(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    (void)context;
    (void)argument;
    sim_check(reason == NP_DISCARD_SHUTDOWN && the.how == SHUT_DOWN, "a task is handed back");
    sim_check(fn == push_some || fn == push_task, "a task of the pipeline is handed to the user");
    push_over();
}

/* --- a run --------------------------------------------------------------------------------------
 */

static void make_stage(np_stage *out, uint32_t number)
{
    stage *s = &the.stages[number];
    *s = (stage){.number = number, .kind = (np_stage_kind)sim_random(3)};
    s->strict_at = NP_NODE_ID_NONE;
    s->work_ns = (uint32_t)(sim_random(3) * sim_random(6000));
    *out = (np_stage){.kind = s->kind, .fn = do_stage, .context = s};
    out->batch = (uint32_t)sim_random(4);
    out->affinity = (np_task_affinity)sim_random(3);
    switch (sim_random(4)) {
    case 0:
        out->nodes = &the.nodes[sim_random(NODES)];
        out->node_count = 1;
        if (out->affinity == NP_AFFINITY_STRICT)
            s->strict_at = *out->nodes;
        break;
    case 1:
        out->nodes = the.nodes;
        out->node_count = NODES;
        break;
    case 2:
        out->where = where;
        s->by_item = out->affinity == NP_AFFINITY_STRICT;
        break;
    default: break;
    }
}

static void make_pipeline(bool pushed)
{
    np_stage stages[STAGES_MOST];
    np_pipeline_options options = {.size = sizeof options, .item_bytes = sizeof(item)};
    the.stage_count = 1 + (uint32_t)sim_random(STAGES_MOST);
    the.in_flight = 1 + (uint32_t)sim_random(7);
    the.makers = pushed ? 1 + (uint32_t)sim_random(PUSHERS) : 1;
    the.items = 1 + (uint32_t)sim_random(ITEMS_MOST);
    the.drop_one_in = (uint32_t)sim_random(2) * (2 + (uint32_t)sim_random(6));
    the.at_stage = (uint32_t)sim_random(the.stage_count);
    the.at_item = (uint32_t)sim_random(the.items);
    for (uint32_t i = 0; i < the.stage_count; i++)
        make_stage(&stages[i], i);
    options.in_flight = the.in_flight;
    options.stages = stages;
    options.stage_count = the.stage_count;
    options.destroy_item = destroy_item;
    if (!pushed) {
        options.source = source;
        options.source_at_node = sim_random(2) == 0;
        options.source_node = the.nodes[sim_random(NODES)];
        options.source_affinity = (np_task_affinity)sim_random(3);
    }
    sim_check_ok(np_pipeline_create(the.executor, &options, &the.pipeline));
}

static void interfere(void *argument)
{
    (void)argument;
    sim_work(sim_random(60000));
    if (the.how == CANCELLED_OUTSIDE)
        sim_check_ok(np_pipeline_cancel(the.pipeline));
    else if (the.how == SHUT_DOWN) {
        np_status status = np_executor_shutdown_within(the.executor, sim_random(3) * 10000, NULL);
        sim_check(status == NP_OK || status == NP_ERR_TIMEOUT, "shutdown: #", (uint64_t)status);
    }
}

static void check_account(np_status outcome)
{
    np_pipeline_counts counts;
    uint32_t made = 0, ended = 0;
    sim_check_ok(np_pipeline_count(the.pipeline, &counts));
    for (uint32_t m = 0; m < the.makers; m++) {
        made += the.next[m];
        for (uint32_t i = 0; i < the.next[m]; i++)
            ended += the.ended[m][i];
    }
    sim_check(ended == made && the.inside == 0, "# of # items have ended, # are inside", ended,
              made, the.inside);
    sim_check(counts.entered == made && counts.inside == 0, "it counts # of # items",
              counts.entered, made);
    sim_check(counts.finished == the.finished && counts.dropped == the.dropped &&
                  counts.destroyed == the.destroyed,
              "finished #, dropped #, destroyed #", counts.finished, counts.dropped,
              counts.destroyed);
    if (outcome == NP_OK && !the.may_lack_memory && the.how != SHUT_DOWN)
        sim_check(made == the.makers * the.items && the.destroyed == 0, "# of # items came in",
                  made, the.makers * the.items);
    for (uint32_t i = 0; i < the.stage_count; i++) {
        np_edge_counts edge;
        sim_check_ok(np_pipeline_edge(the.pipeline, i, &edge));
        sim_check(edge.items == edge.local + edge.remote && edge.waiting == 0 &&
                      edge.waiting_most <= the.in_flight,
                  "edge #: # items, # wait", i, edge.items, edge.waiting);
        sim_check(outcome != NP_OK || i != 0 || edge.items == made, "edge 0: # of #", edge.items,
                  made);
        seen_remote += edge.remote;
    }
    seen_destroyed += the.destroyed;
    seen_dropped += the.dropped;
}

static void check_outcome(np_status outcome)
{
    bool cancelled = the.how == CANCELLED_INSIDE || the.how == CANCELLED_OUTSIDE;
    if (outcome == NP_OK) {
        seen_ok++;
    } else if (outcome == NP_ERR_FAILED) {
        sim_check(the.how == FAILS, "it failed by itself");
        sim_check(np_pipeline_failed_stage(the.pipeline) != NULL, "no stage is named");
        seen_failed++;
    } else if (outcome == NP_ERR_CANCELLED) {
        sim_check(cancelled || the.how == SHUT_DOWN, "nobody cancelled it");
        seen_cancelled++;
        seen_lost_task += the.how == SHUT_DOWN ? 1 : 0;
    } else {
        sim_check(outcome == NP_ERR_NO_MEMORY && the.may_lack_memory, "the outcome is #",
                  (uint64_t)outcome);
        seen_no_memory++;
    }
}

static void run_source(void)
{
    np_status status = np_pipeline_start(the.pipeline);
    if (status == NP_OK)
        return;
    sim_check((status == NP_ERR_NO_MEMORY && the.may_lack_memory) ||
                  (status == NP_ERR_SHUT_DOWN && the.how == SHUT_DOWN) ||
                  (status == NP_ERR_CANCELLED && the.how == CANCELLED_OUTSIDE),
              "start: status #", (uint64_t)status);
    sim_check_ok(np_pipeline_cancel(the.pipeline)); /* so that the wait has an end to see */
    the.how = CANCELLED_OUTSIDE;
}

static void run_pushers(sim_thread **threads)
{
    the.pushers_left = the.makers;
    for (uint32_t i = 0; i < the.makers; i++) {
        threads[i] = NULL;
        if (sim_random(2) == 0)
            threads[i] = sim_thread_start("pusher", push_some, (void *)(uintptr_t)i);
        else if (np_submit(the.executor, push_task, (void *)(uintptr_t)i) != NP_OK)
            push_over();
    }
}

static void open_world(void)
{
    static const np_steal_policy policies[] = {NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE,
                                               NP_STEAL_LOCAL_ONLY, NP_STEAL_ANY};
    bool may_lack_memory = the.may_lack_memory;
    memset(&the, 0, sizeof the);
    the.may_lack_memory = may_lack_memory;
    sim_faults_on(false);
    np_topology *topology = sim_topology();
    np_executor_options options = {.size = sizeof options, .ignore_environment = true};
    options.on_discard = on_discard;
    options.steal_policy = policies[sim_random(3)];
    options.workers_per_node = 1 + (uint32_t)sim_random(2);
    uint32_t count = np_topology_node_count(topology);
    for (uint32_t i = 0; i < NODES; i++)
        the.nodes[i] = np_topology_node_id(topology, i % count);
    sim_check_ok(np_executor_create(topology, &options, &the.executor));
    np_topology_destroy(topology);
}

static void scenario(void *argument)
{
    sim_thread *threads[PUSHERS] = {NULL};
    the.may_lack_memory = argument != NULL;
    open_world();
    bool pushed = sim_random(2) == 0;
    make_pipeline(pushed);
    the.how = (ending)sim_random(5);
    sim_thread *other = NULL;
    sim_faults_on(true);
    if (the.how == CANCELLED_OUTSIDE || the.how == SHUT_DOWN)
        other = sim_thread_start("interferer", interfere, NULL);
    if (pushed)
        run_pushers(threads);
    else
        run_source();
    np_status outcome = np_pipeline_wait(the.pipeline);
    check_outcome(outcome);
    for (uint32_t i = 0; i < PUSHERS; i++)
        if (threads[i] != NULL)
            sim_thread_join(threads[i]);
    if (other != NULL)
        sim_thread_join(other);
    sim_faults_on(false);
    /* Continuations are no part of it: they may still be about to see that they come too late. */
    sim_check_ok(np_executor_shutdown(the.executor));
    check_account(outcome);
    sim_check_ok(np_pipeline_destroy(the.pipeline));
    sim_check_ok(np_executor_destroy(the.executor));
}

static int report(void)
{
    static const struct {
        const uint64_t *count;
        const char *what;
    } all[] = {
        {&seen_ok, "pipelines that ran to their end"},
        {&seen_failed, "pipelines that a stage ended"},
        {&seen_cancelled, "pipelines cancelled"},
        {&seen_lost_task, "pipelines that lost their executor"},
        {&seen_no_memory, "pipelines that lacked memory"},
        {&seen_destroyed, "items destroyed"},
        {&seen_dropped, "items dropped"},
        {&seen_full, "pushes that found no place"},
        {&seen_continued, "pushers that were tasks"},
        {&seen_remote, "items handed to another node"},
    };
    int missing = 0;
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) {
        printf("counted: sim | %s | %llu\n", all[i].what, (unsigned long long)*all[i].count);
        missing += *all[i].count == 0 ? 1 : 0;
    }
    return missing;
}

int main(int argc, char **argv)
{
    static const sim_faults memory = {.delayed_wakes = 6,
                                      .preemptions = 40,
                                      .spurious_wakes = 8,
                                      .allocations = 5,
                                      .mappings = 5};
    const sim_case cases[] = {
        {.name = "one worker",
         .scenario = scenario,
         .config = {.machine = "numa:1 core:1 pu:1", .faults = SIM_HARMLESS_FAULTS}},
        {.name = "two nodes",
         .scenario = scenario,
         .config = {.machine = "numa:2 core:2 pu:1", .faults = SIM_HARMLESS_FAULTS}},
        {.name = "two nodes, delays",
         .scenario = scenario,
         .config = {.machine = "numa:2 core:1 pu:1",
                    .may_be_timed = true,
                    .faults = {.delayed_wakes = 2, .preemptions = 10, .late_threads = 2}}},
        {.name = "no memory",
         .scenario = scenario,
         .argument = &the,
         .config = {.machine = "numa:2 core:2 pu:1", .faults = memory}},
    };
    int failed = sim_main(argc, argv, cases, sizeof cases / sizeof cases[0]);
    /* A replay, and a few seeds, exercise what they exercise. */
    bool whole = argc < 3 && getenv("SEED") == NULL && (argc < 2 || atoi(argv[1]) >= 500);
    return failed != 0 ? failed : whole ? report() : 0;
}
