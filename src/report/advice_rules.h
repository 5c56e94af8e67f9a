/*
 * report/advice_rules.h - the rules that live in advice_costs.c, for the table in advice.c. Each
 * returns whether it fires and, if so, has written its sentence.
 */
#ifndef NPI_REPORT_ADVICE_RULES_H
#define NPI_REPORT_ADVICE_RULES_H

#include "base/text.h"
#include "report/advice.h"

/* advice_nodes.c */
bool npi_rule_nothing_ran(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_local_only_idle(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_local_only_uneven(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_strict_waits(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_idle_nodes(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_gate_refused(const npi_figures *figures, double threshold, npi_text *say);

/* advice_away.c */
bool npi_rule_away_backlog(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_away_age(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_away_any(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_across_sockets(const npi_figures *figures, double threshold, npi_text *say);

/* advice_costs.c */
bool npi_rule_one_worker(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_small_tasks(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_blocked(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_discarded(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_children_far(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_data_misplaced(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_data_left_behind(const npi_figures *figures, double threshold, npi_text *say);

/* advice_data.c */
bool npi_rule_data_stolen(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_data_no_worker(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_data_sent(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_data_spread(const npi_figures *figures, double threshold, npi_text *say);
bool npi_rule_data_unknown(const npi_figures *figures, double threshold, npi_text *say);

#endif
