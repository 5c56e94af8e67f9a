/*
 * report/advice.c - the table of rules, the most important first.
 *
 * A rule never guesses: its condition and its sentence use the same figures. A quiet or balanced
 * executor fires none.
 */
#include "report/advice_rules.h"

typedef struct rule {
    const char *key;
    double threshold;
    bool (*fires)(const npi_figures *figures, double threshold, npi_text *say);
} rule;

static const rule rules[] = {
    {"nothing_ran", 0.0, npi_rule_nothing_ran},
    /* Tasks per worker of the busiest node, run or waiting. */
    {"local_only_idle", 4.0, npi_rule_local_only_idle},
    {"idle_nodes", 4.0, npi_rule_idle_nodes},
    /* Tasks waiting per worker. */
    {"strict_waits", 4.0, npi_rule_strict_waits},
    /* Tasks per worker of the busiest node : the same of the least busy. */
    {"local_only_uneven", 3.0, npi_rule_local_only_uneven},
    /* Share of the tasks that ran away from home; below it locality is excellent. */
    {"away_backlog", 0.05, npi_rule_away_backlog},
    {"away_age", 0.05, npi_rule_away_age},
    {"away_any", 0.05, npi_rule_away_any},
    /* Share of those taken across sockets among those taken across nodes. */
    {"across_sockets", 0.5, npi_rule_across_sockets},
    /* Refusals per search. */
    {"gate_refused", 0.5, npi_rule_gate_refused},
    /* Share of all tasks that one worker ran. */
    {"one_worker", 0.9, npi_rule_one_worker},
    /* Parks per task. */
    {"small_tasks", 0.5, npi_rule_small_tasks},
    /* Times a spare stepped in, per task. */
    {"blocked", 0.1, npi_rule_blocked},
    /* Share of the ended tasks that were not run. */
    {"discarded", 0.01, npi_rule_discarded},
    /* Share of stolen children that went to another node. */
    {"children_far", 0.5, npi_rule_children_far},
    /* Share of the bytes of the tasks' data; below the first three their locality is good. */
    {"data_stolen", 0.15, npi_rule_data_stolen},
    {"data_no_worker", 0.15, npi_rule_data_no_worker},
    {"data_sent", 0.15, npi_rule_data_sent},
    {"data_spread", 0.5, npi_rule_data_spread},
    {"data_unknown", 0.25, npi_rule_data_unknown},
    /* Share of remote accesses; above it their locality is no longer good. */
    {"data_misplaced", 0.15, npi_rule_data_misplaced},
    {"data_left_behind", 0.15, npi_rule_data_left_behind},
};

uint32_t npi_advice_rule_count(void)
{
    return sizeof rules / sizeof rules[0];
}

const char *npi_advice_rule_key(uint32_t number)
{
    return rules[number].key;
}

bool npi_advice_get(const npi_figures *figures, uint32_t number, npi_advice *out)
{
    npi_text say;
    npi_text_begin(&say, out->text, sizeof out->text);
    out->key = rules[number].key;
    return rules[number].fires(figures, rules[number].threshold, &say);
}
