/*
 * report/advice.h - recommendations: a table of rules, each with a condition on the figures, a
 * threshold and a sentence that quotes the numbers it was concluded from. docs/statistics.md lists
 * them for users.
 */
#ifndef NPI_REPORT_ADVICE_H
#define NPI_REPORT_ADVICE_H

#include "report/figures.h"

#define NPI_ADVICE_TEXT 600

typedef struct npi_advice {
    const char *key; /* static, e.g. "local_only_idle" */
    char text[NPI_ADVICE_TEXT];
} npi_advice;

/* Rules, the most important first. */
uint32_t npi_advice_rule_count(void);
const char *npi_advice_rule_key(uint32_t number);

/* True, with key and text filled in, if the rule fires. */
bool npi_advice_get(const npi_figures *figures, uint32_t number, npi_advice *out);

#endif
