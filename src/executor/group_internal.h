/*
 * executor/group_internal.h - what the executor needs of a group, and of fork/join, beside the
 * public calls.
 */
#ifndef NPI_EXECUTOR_GROUP_INTERNAL_H
#define NPI_EXECUTOR_GROUP_INTERNAL_H

#include "executor/executor.h"

/* Submitter, before the task is findable. False: the group is cancelled, nothing was counted. */
bool npi_group_begin(np_group *group, uint64_t tasks);
/* A task of the group has ended, in whatever way. The group may be gone when it returns. */
void npi_group_end(np_group *group);
/* Before npi_group_end: the task was not run, though nobody cancelled the group. */
void npi_group_discarded(np_group *group);
/* `tasks` that were counted by npi_group_begin and then not accepted. */
void npi_group_undo(np_group *group, uint64_t tasks);
bool npi_group_cancelled(const np_group *group);

/* A child on this worker, with whatever it leaves unjoined; `frame` of the task that forked it. */
void npi_run_child(npi_worker *worker, const npi_frame *frame, np_task_fn fn, void *argument);
/* A completion callback, on the worker that ended the last task and as a part of that task: it may
 * submit and fork like one. */
void npi_run_notice(npi_worker *worker, np_task_fn fn, void *argument);

#endif
