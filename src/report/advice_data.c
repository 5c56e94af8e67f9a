/*
 * report/advice_data.c - rules about the data that tasks were submitted with: touched from afar,
 * and why, or lying where no choice of a node can help.
 */
#include "report/advice_rules.h"
#include "report/words.h"

/* Fewer are no evidence. */
#define FEW_TASKS 100u
#define FEW_BYTES ((uint64_t)1 << 20)

static uint64_t total(const npi_figures *figures, np_counter counter)
{
    return figures->total[counter];
}

static bool is_more(uint64_t part, double threshold, uint64_t whole)
{
    return part > 0 && (double)part > threshold * (double)whole;
}

static bool has_evidence(const npi_figures *figures)
{
    return total(figures, NP_COUNTER_DATA_TASKS) >= FEW_TASKS;
}

/* "1.2 GiB of 4.0 GiB of the tasks' data (30.0 %)" */
static void say_part(npi_text *say, uint64_t part, uint64_t whole)
{
    npi_text_add_bytes(say, part);
    npi_text_add(say, " of ");
    npi_text_add_bytes(say, whole);
    npi_text_add(say, " of the tasks' data (%s)", npi_percent_word(part, whole).text);
}

/* The node whose data was touched from afar most. */
static np_node_id most_touched(const npi_figures *figures)
{
    const np_stats *stats = figures->stats;
    uint64_t most = 0;
    np_node_index which = 0;
    for (np_node_index data = 0; data < stats->node_count; data++) {
        uint64_t bytes =
            npi_data_cube_sum(&stats->data, NP_NODE_INDEX_NONE, NP_NODE_INDEX_NONE, data).bytes -
            npi_data_cube_sum(&stats->data, NP_NODE_INDEX_NONE, data, data).bytes;
        if (bytes > most) {
            most = bytes;
            which = data;
        }
    }
    return stats->nodes[which].id;
}

bool npi_rule_data_stolen(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t backlog = total(figures, NP_COUNTER_DATA_BACKLOG);
    uint64_t age = total(figures, NP_COUNTER_DATA_AGE);
    uint64_t any = total(figures, NP_COUNTER_DATA_ANY);
    uint64_t known = npi_figures_data_bytes(figures);
    if (!has_evidence(figures) || !is_more(backlog + age + any, threshold, known))
        return false;
    say_part(say, backlog + age + any, known);
    npi_text_add(say, " were touched from another node by tasks that left home, most of node %d. ",
                 (int)most_touched(figures));
    if (any >= backlog && any >= age)
        npi_text_add(say, "They were free to go: use the default policy, and not NP_AFFINITY_ANY "
                          "for tasks that depend on memory.");
    else if (backlog >= age)
        npi_text_add(say,
                     "Its workers had more than they could get to: place part of the data on "
                     "other nodes, or submit with NP_AFFINITY_STRICT what is slower from afar.");
    else
        npi_text_add(say, "Its queue had not moved: split long tasks, or raise gate_age_ns.");
    return true;
}

bool npi_rule_data_no_worker(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t part = total(figures, NP_COUNTER_DATA_NO_WORKER);
    uint64_t known = npi_figures_data_bytes(figures);
    if (!has_evidence(figures) || !is_more(part, threshold, known))
        return false;
    say_part(say, part, known);
    npi_text_add(say,
                 " lie on nodes without workers, most on node %d: the nearest node works on "
                 "them. If the node has CPUs, give it workers; if not, keep there what is "
                 "used seldom.",
                 (int)most_touched(figures));
    return true;
}

bool npi_rule_data_sent(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t part = total(figures, NP_COUNTER_DATA_SENT);
    uint64_t known = npi_figures_data_bytes(figures);
    if (!has_evidence(figures) || !is_more(part, threshold, known))
        return false;
    say_part(say, part, known);
    npi_text_add(say,
                 " belong to tasks that were sent to another node (to_node), most to node "
                 "%d's data. Leave to_node out, and the task goes to its data.",
                 (int)most_touched(figures));
    return true;
}

bool npi_rule_data_spread(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t spread = total(figures, NP_COUNTER_DATA_SPREAD);
    uint64_t all = spread + npi_figures_data_bytes(figures);
    if (!has_evidence(figures) || !is_more(spread, threshold, all))
        return false;
    say_part(say, spread, all);
    npi_text_add(say, " lie on further nodes than the one each task was sent to, as interleaved "
                      "memory does: no node is right for such tasks. Partition the data, one piece "
                      "per node, and the tasks with it.");
    return true;
}

bool npi_rule_data_unknown(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t unknown = total(figures, NP_COUNTER_DATA_UNKNOWN);
    uint64_t all = unknown + total(figures, NP_COUNTER_DATA_SPREAD) +
                   npi_figures_data_bytes(figures);
    if (unknown < FEW_BYTES || !is_more(unknown, threshold, all))
        return false;
    say_part(say, unknown, all);
    npi_text_add(say,
                 " had no known node when the task was submitted: the pages were not there "
                 "yet, lay on a node that the topology has not, or the kernel does not say (%s "
                 "asked). Touch the data first, or place "
                 "it with np_region.",
                 npi_plural_word(total(figures, NP_COUNTER_DATA_CALLS), "time").text);
    return true;
}
