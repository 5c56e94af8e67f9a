/*
 * executor/submit.h - ways into the queues besides the public calls, and what those do when an
 * inbox is full (full_inbox.c). Any thread.
 */
#ifndef NPI_EXECUTOR_SUBMIT_H
#define NPI_EXECUTOR_SUBMIT_H

#include "executor/executor.h"

/* Could a task be submitted by npi_submit_beyond? The node may be NP_NODE_ID_NONE. */
np_status npi_submit_check(const np_executor *executor, np_node_id id, np_task_fn fn);
/* After such a check. A task that prefers the node (or one near the caller); never waits for room
 * in its inbox but goes beyond it, and calls no code of the user's. NP_ERR_SHUT_DOWN,
 * NP_ERR_NO_MEMORY. */
np_status npi_submit_beyond(np_executor *executor, np_node_id id, np_task_fn fn, void *argument);
/* The same of any affinity, to a node by index (NP_NODE_INDEX_NONE: near the caller) that has
 * workers, into a group (or NULL); also NP_ERR_CANCELLED. */
np_status npi_submit_beyond_with(np_executor *executor, np_node_index index, np_task_affinity kind,
                                 np_group *group, np_task_fn fn, void *argument);

/* NP_ERR_SHUT_DOWN and its detail. */
np_status npi_fail_shut_down(void);
/* Places for up to `want` tasks of this group. NP_OK and 0 places: run one here. */
np_status npi_submit_find_room(npi_node *node, bool inside, np_task_affinity kind,
                               const np_group *group, size_t want, uint32_t *places);
/* A task in its submit, on the caller's thread. */
void npi_submit_run_here(np_task_fn fn, void *argument, np_group *group);

#endif
