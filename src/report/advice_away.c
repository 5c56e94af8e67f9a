/*
 * report/advice_away.c - rules about tasks that ran away from home, by the reason they left.
 */
#include "report/advice_rules.h"
#include "report/words.h"

/* The node that most tasks left. */
static npi_node_figures most_left(const npi_figures *figures)
{
    npi_node_figures most = {.id = NP_NODE_ID_NONE};
    for (uint32_t i = 0; i < figures->stats->node_count; i++) {
        npi_node_figures node = npi_figures_node(figures, i);
        if (most.id == NP_NODE_ID_NONE || node.left > most.left)
            most = node;
    }
    return most;
}

/* True if at least `threshold` of the tasks ran away from home and `reason` explains half of those
 * that say why. */
static bool left_because(const npi_figures *figures, np_counter reason, double threshold)
{
    uint64_t away = figures->total[NP_COUNTER_EXECUTED_AWAY];
    uint64_t reasons = figures->total[NP_COUNTER_AWAY_BACKLOG] +
                       figures->total[NP_COUNTER_AWAY_AGE] + figures->total[NP_COUNTER_AWAY_ANY];
    return figures->executed > 0 && (double)away > threshold * (double)figures->executed &&
           figures->total[reason] > 0 && figures->total[reason] * 2 >= reasons;
}

static void say_share_away(const npi_figures *figures, npi_text *say)
{
    uint64_t away = figures->total[NP_COUNTER_EXECUTED_AWAY];
    npi_text_add(say, "%s of %s (%s) ran away from home", npi_count_word(away).text,
                 npi_plural_word(figures->executed, "task").text,
                 npi_percent_word(away, figures->executed).text);
}

/* True if no node was the home of more than one and a half times the average of tasks. */
static bool homes_are_even(const npi_figures *figures)
{
    uint64_t sum = 0;
    uint64_t most = 0;
    for (uint32_t i = 0; i < figures->stats->node_count; i++) {
        npi_node_figures node = npi_figures_node(figures, i);
        uint64_t homed = node.value[NP_COUNTER_EXECUTED_HOME] + node.left;
        sum += homed;
        most = homed > most ? homed : most;
    }
    return (double)most * figures->nodes <= 1.5 * (double)sum;
}

bool npi_rule_away_backlog(const npi_figures *figures, double threshold, npi_text *say)
{
    if (!left_because(figures, NP_COUNTER_AWAY_BACKLOG, threshold))
        return false;
    npi_node_figures from = most_left(figures);
    say_share_away(figures, say);
    npi_text_add(say, ", %s because of backlog; node %d lost the most, %s. ",
                 npi_count_word(figures->total[NP_COUNTER_AWAY_BACKLOG]).text, (int)from.id,
                 npi_count_word(from.left).text);
    if (homes_are_even(figures))
        npi_text_add(say, "Every node was given about as many: some did not get to them in time. "
                          "Have no more workers than CPUs, make tasks bigger than a wake-up, or "
                          "raise gate_backlog.");
    else
        npi_text_add(say, "Place part of its data and its tasks on other nodes, or give it more "
                          "workers.");
    return true;
}

bool npi_rule_away_age(const npi_figures *figures, double threshold, npi_text *say)
{
    if (!left_because(figures, NP_COUNTER_AWAY_AGE, threshold))
        return false;
    npi_node_figures from = most_left(figures);
    say_share_away(figures, say);
    npi_text_add(
        say,
        ", %s because a queue had not moved for gate_age_ns; node %d lost the most, %s. Its tasks "
        "are "
        "long or block: split them, put np_blocking_begin() around blocking calls, or raise "
        "gate_age_ns.",
        npi_count_word(figures->total[NP_COUNTER_AWAY_AGE]).text, (int)from.id,
        npi_count_word(from.left).text);
    return true;
}

bool npi_rule_away_any(const npi_figures *figures, double threshold, npi_text *say)
{
    if (!left_because(figures, NP_COUNTER_AWAY_ANY, threshold))
        return false;
    say_share_away(figures, say);
    if (figures->stats->policy == NP_STEAL_ANY)
        npi_text_add(
            say,
            ", %s because the policy any lets them go without need. If their data matters, use the "
            "default policy, local-then-socket-then-remote, which leaves a node only when that "
            "pays.",
            npi_count_word(figures->total[NP_COUNTER_AWAY_ANY]).text);
    else
        npi_text_add(
            say,
            ", %s because they were submitted with NP_AFFINITY_ANY. If their data matters, submit "
            "them with NP_AFFINITY_PREFERRED.",
            npi_count_word(figures->total[NP_COUNTER_AWAY_ANY]).text);
    return true;
}

static bool has_socket_neighbours(const np_stats *stats)
{
    for (uint32_t i = 0; i < stats->node_count; i++)
        for (uint32_t j = 0; j < stats->node_count; j++)
            if (stats->nodes[i].regular_workers > 0 && stats->nodes[j].regular_workers > 0 &&
                npi_stats_tier(stats, i, j) == NP_TIER_SOCKET)
                return true;
    return false;
}

bool npi_rule_across_sockets(const npi_figures *figures, double threshold, npi_text *say)
{
    uint64_t socket = figures->total[NP_COUNTER_STOLEN_SOCKET];
    uint64_t remote = figures->total[NP_COUNTER_STOLEN_REMOTE];
    uint64_t away = figures->total[NP_COUNTER_EXECUTED_AWAY];
    /* The policy any keeps no order between nodes, so there it says nothing. */
    if (figures->stats->policy == NP_STEAL_ANY || figures->executed == 0 ||
        (double)away <= 0.05 * (double)figures->executed ||
        (double)remote <= threshold * (double)(socket + remote) ||
        !has_socket_neighbours(figures->stats))
        return false;
    npi_text_add(say,
                 "Of %s taken by other nodes %s crossed to another socket, more than the "
                 "neighbours on the same socket took. Distribute the work between the sockets when "
                 "you submit it.",
                 npi_plural_word(socket + remote, "task").text, npi_count_word(remote).text);
    return true;
}
