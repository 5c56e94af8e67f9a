/*
 * topology/words.h - pieces that the summary, the description and the JSON text share.
 */
#ifndef NPI_TOPOLOGY_WORDS_H
#define NPI_TOPOLOGY_WORDS_H

#include "base/text.h"
#include "topology/snapshot.h"

/* "assumed", "firmware", "given". */
const char *npi_distance_source_name(np_distance_source source);

/* "1 node", "2 nodes". */
void npi_text_add_count(npi_text *text, uint32_t count, const char *one, const char *many);

/* "1.5" for 1500 thousandths of a CPU. */
void npi_text_add_quota(npi_text *text, uint32_t thousandths);

#endif
