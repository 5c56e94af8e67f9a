/*
 * report/advice_nodes.c - rules about nodes: work that waits or ran on one while others had none.
 */
#include "report/advice_rules.h"
#include "report/words.h"

/* Fewer tasks than these per worker say nothing about how work is spread. */
#define FEW_TASKS_PER_WORKER 16.0

/* --- which nodes --------------------------------------------------------------------------- */

/* Work of a node per regular worker: what ran there plus what waits there. */
static double load_per_worker(const npi_node_figures *node)
{
    return (double)(node->executed + node->queued) / (double)node->workers;
}

typedef struct extremes {
    npi_node_figures most;  /* highest load per worker */
    npi_node_figures least; /* lowest */
    bool found;
} extremes;

static extremes find_extremes(const npi_figures *figures)
{
    extremes result = {.found = false};
    for (uint32_t i = 0; i < figures->stats->node_count; i++) {
        npi_node_figures node = npi_figures_node(figures, i);
        if (node.workers == 0)
            continue;
        if (!result.found || load_per_worker(&node) > load_per_worker(&result.most))
            result.most = node;
        if (!result.found || load_per_worker(&node) < load_per_worker(&result.least))
            result.least = node;
        result.found = true;
    }
    return result;
}

static bool ran_nothing(const np_stats *stats, np_node_index node, const void *context)
{
    const npi_figures *figures = context;
    npi_node_figures of = npi_figures_node(figures, node);
    (void)stats;
    return of.workers > 0 && of.executed == 0 && of.queued == 0;
}

static bool sleeps(const np_stats *stats, np_node_index node, const void *context)
{
    const npi_figures *figures = context;
    npi_node_figures of = npi_figures_node(figures, node);
    (void)stats;
    return of.workers > 0 && of.parked == of.workers && of.queued == 0;
}

typedef struct marked {
    uint32_t nodes;
    uint32_t workers;
} marked;

static marked count_marked(const npi_figures *figures, npi_node_mark mark)
{
    marked result = {0, 0};
    for (uint32_t i = 0; i < figures->stats->node_count; i++) {
        if (!mark(figures->stats, i, figures))
            continue;
        result.nodes++;
        result.workers += figures->stats->nodes[i].regular_workers;
    }
    return result;
}

/* --- nothing, or nothing but waiting ------------------------------------------------------- */

bool npi_rule_nothing_ran(const npi_figures *figures, double threshold, npi_text *say)
{
    (void)threshold;
    if (figures->executed > 0)
        return false;
    uint64_t submitted = figures->total[NP_COUNTER_SUBMITTED];
    if (figures->queued > 0)
        npi_text_add(
            say,
            "No task has ended; waiting: %s. Those that run are long, or they block. Take the "
            "snapshot later, or look at what the workers are doing.",
            npi_count_word(figures->queued).text);
    else if (submitted > 0)
        npi_text_add(say,
                     "Of %s none has ended: take the snapshot after np_group_wait() or "
                     "np_executor_wait_idle().",
                     npi_plural_word(submitted, "submitted task").text);
    else
        npi_text_add(say, "No task was submitted in this time: there is nothing to judge.");
    return true;
}

bool npi_rule_local_only_idle(const npi_figures *figures, double threshold, npi_text *say)
{
    if (figures->stats->policy != NP_STEAL_LOCAL_ONLY || figures->nodes < 2)
        return false;
    extremes load = find_extremes(figures);
    npi_node_mark mark = ran_nothing;
    marked idle = count_marked(figures, mark);
    if (idle.nodes == 0) {
        mark = sleeps;
        idle = count_marked(figures, mark);
        if ((double)load.most.queued <= threshold * load.most.workers)
            return false;
    }
    if (idle.nodes == 0 || load_per_worker(&load.most) <= threshold)
        return false;
    if (load.most.queued > 0)
        npi_text_add(say, "Work on node %d waits (%s) while the %s of ", (int)load.most.id,
                     npi_plural_word(load.most.queued, "task").text,
                     npi_plural_word(idle.workers, "worker").text);
    else
        npi_text_add(say, "Node %d ran %s while the %s of ", (int)load.most.id,
                     npi_plural_word(load.most.executed, "task").text,
                     npi_plural_word(idle.workers, "worker").text);
    npi_text_add_nodes(say, figures->stats, mark, figures);
    npi_text_add(say,
                 "%s: local-only never shares between nodes. Distribute the work with "
                 "np_submit_to_node(), or use the policy local-then-socket-then-remote.",
                 mark == sleeps ? " slept" : " executed nothing");
    return true;
}

bool npi_rule_local_only_uneven(const npi_figures *figures, double threshold, npi_text *say)
{
    if (figures->stats->policy != NP_STEAL_LOCAL_ONLY || figures->nodes < 2)
        return false;
    extremes load = find_extremes(figures);
    /* A handful of tasks is no evidence, and a node with nothing at all is the rule before this. */
    if (load.least.executed + load.least.queued == 0 ||
        load_per_worker(&load.most) < FEW_TASKS_PER_WORKER)
        return false;
    double factor = load_per_worker(&load.most) / load_per_worker(&load.least);
    if (factor < threshold)
        return false;
    npi_text_add(
        say,
        "Each worker of node %d had %s times the tasks of one of node %d (%s against %s, waiting "
        "ones included), and local-only never shares between nodes. Spread the data, or use the "
        "policy local-then-socket-then-remote.",
        (int)load.most.id, npi_decimal_word(factor).text, (int)load.least.id,
        npi_decimal_word(load_per_worker(&load.most)).text,
        npi_decimal_word(load_per_worker(&load.least)).text);
    return true;
}

bool npi_rule_strict_waits(const npi_figures *figures, double threshold, npi_text *say)
{
    if (figures->stats->policy == NP_STEAL_LOCAL_ONLY || figures->nodes < 2)
        return false;
    marked idle = count_marked(figures, sleeps);
    if (idle.nodes == 0)
        return false;
    for (uint32_t i = 0; i < figures->stats->node_count; i++) {
        npi_node_figures node = npi_figures_node(figures, i);
        if (node.workers == 0 || (double)node.queued <= threshold * node.workers)
            continue;
        npi_text_add(say, "%s waited on node %d while the %s of ",
                     npi_plural_word(node.queued, "task").text, (int)node.id,
                     npi_plural_word(idle.workers, "worker").text);
        npi_text_add_nodes(say, figures->stats, sleeps, figures);
        npi_text_add(say,
                     " slept: they are strict%s. Submit with NP_AFFINITY_PREFERRED what may run "
                     "elsewhere, or distribute it with np_submit_to_node().",
                     figures->stats->policy == NP_STEAL_ANY
                         ? ""
                         : ", or fewer per worker than gate_backlog allows to wait");
        return true;
    }
    return false;
}

bool npi_rule_idle_nodes(const npi_figures *figures, double threshold, npi_text *say)
{
    if (figures->stats->policy == NP_STEAL_LOCAL_ONLY || figures->nodes < 2)
        return false;
    extremes load = find_extremes(figures);
    marked idle = count_marked(figures, ran_nothing);
    if (idle.nodes == 0 || load_per_worker(&load.most) <= threshold)
        return false;
    npi_text_add(say, "Node %d had %s while the %s of ", (int)load.most.id,
                 npi_plural_word(load.most.executed + load.most.queued, "task").text,
                 npi_plural_word(idle.workers, "worker").text);
    npi_text_add_nodes(say, figures->stats, ran_nothing, figures);
    npi_text_add(say, " executed nothing");
    if (figures->stats->policy == NP_STEAL_ANY)
        npi_text_add(say, ": its tasks are strict, or so short that they are gone before another "
                          "node looks. Distribute them with np_submit_to_node().");
    else
        npi_text_add(say,
                     " (the gate sent %s back): its queue was too short to be worth "
                     "leaving. Distribute the work with np_submit_to_node(); for long tasks lower "
                     "gate_backlog.",
                     npi_plural_word(figures->total[NP_COUNTER_GATE_REFUSED], "look").text);
    return true;
}

bool npi_rule_gate_refused(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t refused = figures->total[NP_COUNTER_GATE_REFUSED];
    uint64_t searches = figures->total[NP_COUNTER_SEARCHES];
    extremes load = find_extremes(figures);
    /* Under balanced load the gate is right to refuse; it is in the way only of uneven load. */
    if (figures->nodes < 2 || searches < 100 || (double)refused < threshold * (double)searches ||
        load.least.executed == 0 || load_per_worker(&load.most) < FEW_TASKS_PER_WORKER ||
        load_per_worker(&load.most) < 2.0 * load_per_worker(&load.least))
        return false;
    npi_text_add(
        say,
        "The gate sent workers back %s times in %s, while each worker of node %d had %s times the "
        "tasks of one of node %d. If the tasks are long, lower gate_backlog or gate_age_ns; "
        "better, "
        "distribute them with np_submit_to_node().",
        npi_count_word(refused).text, npi_plural_word(searches, "search").text, (int)load.most.id,
        npi_decimal_word(load_per_worker(&load.most) / load_per_worker(&load.least)).text,
        (int)load.least.id);
    return true;
}
