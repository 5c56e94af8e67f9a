/*
 * report/advice_costs.c - rules about what running cost: single busy workers, sleeping and waking,
 * blocking, discarded tasks, forked children far away; and about the data the program recorded.
 */
#include "report/advice_rules.h"
#include "report/words.h"

/* Fewer than these are no evidence. */
#define FEW_TASKS_PER_WORKER 8u
#define FEW_TASKS            100u
#define FEW_ACCESSES         100u
#define PARKS_PER_SECOND     1000.0

bool npi_rule_one_worker(const npi_figures *figures, double threshold, npi_text *say)
{
    const np_stats *stats = figures->stats;
    if (figures->executed < (uint64_t)FEW_TASKS_PER_WORKER * figures->workers)
        return false;
    for (uint32_t w = 0; w < stats->worker_count; w++) {
        uint64_t ran = npi_figures_worker_executed(figures, w);
        np_node_index node = stats->workers[w].node;
        /* Alone on its node it has nobody to share with; that is for the rules about nodes. */
        if (stats->nodes[node].regular_workers < 2 ||
            (double)ran < threshold * (double)figures->executed)
            continue;
        npi_text_add(
            say,
            "Worker %u on node %d ran %s of %s although its node has %u workers, which share "
            "everything: "
            "the tasks are too short for the others to wake in time, or each is submitted only "
            "when the "
            "one before it ends. Make tasks bigger, or submit them ahead with np_submit_batch().",
            w, (int)stats->nodes[node].id, npi_count_word(ran).text,
            npi_plural_word(figures->executed, "task").text, stats->nodes[node].regular_workers);
        return true;
    }
    return false;
}

bool npi_rule_small_tasks(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t parks = figures->total[NP_COUNTER_PARKS];
    uint64_t elapsed = np_stats_elapsed_ns(figures->stats);
    if (figures->executed < FEW_TASKS || elapsed == 0 ||
        (double)parks < threshold * (double)figures->executed)
        return false;
    /* A program with little to do sleeps after every task and is right to. */
    double per_second = (double)parks * 1e9 / (double)elapsed;
    if (per_second < PARKS_PER_SECOND)
        return false;
    npi_text_add(
        say,
        "Workers went to sleep %s times and woke others %s times for %s, %s times a second: "
        "the work comes in drops that cost less than a wake-up. Make tasks bigger, send them with "
        "np_submit_batch(), or raise spin_ns.",
        npi_count_word(parks).text, npi_count_word(figures->total[NP_COUNTER_WAKES]).text,
        npi_plural_word(figures->executed, "task").text,
        npi_count_word(npi_whole(per_second)).text);
    return true;
}

bool npi_rule_blocked(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t blocked = figures->total[NP_COUNTER_BLOCKED];
    if (blocked < 10 || (double)blocked < threshold * (double)figures->executed)
        return false;
    npi_text_add(say,
                 "Tasks blocked and a spare worker stepped in %s times for %s: each time two "
                 "threads are woken. "
                 "Use the try-forms and readiness continuations of channels, or a deeper channel.",
                 npi_count_word(blocked).text, npi_plural_word(figures->executed, "task").text);
    return true;
}

bool npi_rule_discarded(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t discarded = figures->total[NP_COUNTER_DISCARDED];
    uint64_t ended = discarded + figures->executed;
    if (discarded == 0 || (double)discarded < threshold * (double)ended)
        return false;
    npi_text_add(
        say,
        "%s of %s (%s) were handed back without being run: cancelled, or too late at a timed "
        "shutdown. "
        "If that was not meant, give np_executor_shutdown_within() more time and look at who "
        "cancels.",
        npi_count_word(discarded).text, npi_plural_word(ended, "task").text,
        npi_percent_word(discarded, ended).text);
    return true;
}

bool npi_rule_children_far(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t far = figures->total[NP_COUNTER_FORKS_STOLEN_SOCKET] +
                   figures->total[NP_COUNTER_FORKS_STOLEN_REMOTE];
    uint64_t all = far + figures->total[NP_COUNTER_FORKS_STOLEN_CACHE] +
                   figures->total[NP_COUNTER_FORKS_STOLEN_NODE];
    if (all < FEW_TASKS || (double)far < threshold * (double)all)
        return false;
    npi_text_add(say,
                 "%s of %s taken by another worker (%s) went to another node, away from their "
                 "parent's data. Start "
                 "one computation per node, over that node's data, or submit its root with "
                 "NP_AFFINITY_STRICT, which holds for everything it forks.",
                 npi_count_word(far).text, npi_plural_word(all, "forked task").text,
                 npi_percent_word(far, all).text);
    /* Parts of a loop that others help with are children, too, but nobody forked them by hand. */
    const uint64_t *total = figures->total;
    if (total[NP_COUNTER_SLICES_KEPT] + total[NP_COUNTER_SLICES_MOVED] +
            total[NP_COUNTER_SLICES_AWAY] !=
        0)
        npi_text_add(say, " Parts of loops over placed data stay on their node with "
                          "NP_SCHEDULE_STATIC or NP_STEAL_LOCAL_ONLY.");
    return true;
}

/* --- data ---------------------------------------------------------------------------------- */

typedef struct pair {
    uint32_t thread;
    uint32_t data;
    npi_access_sum sum;
} pair;

/* The pair of different nodes with the most accesses; index node_count stands for an unknown one.
 */
static pair busiest_pair(const np_collector *collector)
{
    pair most = {0, 0, {0, 0}};
    for (uint32_t thread = 0; thread <= collector->node_count; thread++) {
        for (uint32_t data = 0; data <= collector->node_count; data++) {
            npi_access_sum sum = npi_collector_sum(collector, thread, data);
            if (sum.accesses <= most.sum.accesses || thread == data)
                continue;
            most = (pair){thread, data, sum};
        }
    }
    return most;
}

static void say_node(npi_text *say, const np_collector *collector, uint32_t index)
{
    if (index < collector->node_count)
        npi_text_add(say, "node %d", (int)collector->ids[index]);
    else
        npi_text_add(say, "an unknown node");
}

/* "1,200 of 2,000 recorded accesses (60.0 %, 1.2 GiB) were remote, most (900) from node 0 to data
 * on node 1" */
static bool say_remote(const npi_figures *figures, double threshold, npi_text *say)
{
    const np_access_counts *access = &figures->access;
    uint64_t all = access->local + access->remote;
    if (figures->collector == NULL || all < FEW_ACCESSES ||
        (double)access->remote <= threshold * (double)all)
        return false;
    npi_text_add(say, "%s of %s (%s, ", npi_count_word(access->remote).text,
                 npi_plural_word(all, "recorded access").text,
                 npi_percent_word(access->remote, all).text);
    npi_text_add_bytes(say, access->remote_bytes);
    npi_text_add(say, ") went to another node");
    pair most = busiest_pair(figures->collector);
    if (most.sum.accesses > 0) {
        npi_text_add(say, ", most of them (%s) from ", npi_count_word(most.sum.accesses).text);
        say_node(say, figures->collector, most.thread);
        npi_text_add(say, " to data on ");
        say_node(say, figures->collector, most.data);
    }
    return true;
}

static double share_at_home(const npi_figures *figures)
{
    if (figures->executed == 0)
        return 1.0;
    return (double)figures->total[NP_COUNTER_EXECUTED_HOME] / (double)figures->executed;
}

bool npi_rule_data_misplaced(const npi_figures *figures, double threshold, npi_text *say)
{
    if (share_at_home(figures) < 0.95 || !say_remote(figures, threshold, say))
        return false;
    if (figures->executed > 0)
        npi_text_add(
            say, ", while %s of the tasks ran at home",
            npi_percent_word(figures->total[NP_COUNTER_EXECUTED_HOME], figures->executed).text);
    npi_text_add(say,
                 ": the data lies elsewhere than its tasks. Submit each task to the node of its "
                 "data, or place the data with np_region and audit where its pages are.");
    return true;
}

bool npi_rule_data_left_behind(const npi_figures *figures, double threshold, npi_text *say)
{
    if (share_at_home(figures) >= 0.95 || !say_remote(figures, threshold, say))
        return false;
    uint64_t away = figures->total[NP_COUNTER_EXECUTED_AWAY];
    npi_text_add(say,
                 ", and %s of the tasks ran away from home: stolen tasks leave their data behind. "
                 "Submit the memory-intensive ones with NP_AFFINITY_STRICT.",
                 npi_percent_word(away, figures->executed).text);
    return true;
}
