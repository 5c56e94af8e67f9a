/*
 * executor/near.h - which node a task goes to because of its data. Between submit.c, which sends it
 * there, and near.c, which decides.
 */
#ifndef NPI_EXECUTOR_NEAR_H
#define NPI_EXECUTOR_NEAR_H

#include <numaperf/near.h>

#include "executor/executor.h"
#include "memory/locate.h"

typedef struct npi_choice {
    npi_node *data; /* holds most of it; NULL: not known */
    npi_node *home; /* the data's node, or the nearest with workers; near the caller if unknown */
    uint64_t bytes; /* on the data's node */
    uint64_t elsewhere; /* on other nodes of this machine */
    uint64_t unknown;
    uint32_t asked; /* system calls */
} npi_choice;

/* NP_ERR_INVALID_ARGUMENT: a range is NULL or wraps. `worker`: the caller's, or NULL. */
np_status npi_near_choose(np_executor *executor, npi_worker *worker, const np_data_range *ranges,
                          size_t count, npi_choice *out);

/* What is added to the meta of its tasks. */
static inline uint64_t npi_choice_meta(const npi_choice *choice)
{
    return choice->data != NULL ? npi_meta_data(choice->data->index, choice->bytes) : 0;
}

/* A task with this choice was accepted for `home`, submitted by the worker (NULL: outside). Counts
 * what its meta cannot say, which is nothing for a range on one node. */
void npi_near_count_sent(npi_node *home, npi_worker *worker, const npi_choice *choice);
static inline void npi_near_sent(npi_node *home, npi_worker *worker, const npi_choice *choice)
{
    if ((choice->elsewhere | choice->unknown | choice->asked) != 0)
        npi_near_count_sent(home, worker, choice);
}

/* A task with data (npi_meta_has_data) that the worker has taken is about to run on node `ran`. */
void npi_near_ran(npi_worker *worker, uint64_t meta, np_node_index ran);

/* `bytes` of a loop whose data lies on `data` were run by this worker, among them the beginnings of
 * `tasks` stretches. Should that be elsewhere: because its task had left home for that reason
 * (npi_worker's left_because when it was taken), or NP_COUNTER_DATA_HELPED, as a part of a slice
 * that another worker had come for. `data` may be NP_NODE_INDEX_NONE: a node that nobody knows. */
void npi_near_ran_stretch(npi_worker *worker, np_node_index home, np_node_index data,
                          uint64_t tasks, uint64_t bytes, np_counter because);

/* submit.c: where np_submit() sends tasks; and the node with workers that serves another's data. */
npi_node *npi_near_caller(np_executor *executor, npi_worker *worker);
npi_node *npi_nearest_with_workers(npi_node *node);

#endif
