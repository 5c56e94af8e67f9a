/*
 * What a forked child does to show that it is well: every call on what it has inherited answers
 * with a status, destroying frees, and an executor of its own works.
 */
#ifndef NP_TESTS_HOSTILE_FORK_CHILD_H
#define NP_TESTS_HOSTILE_FORK_CHILD_H

#include "hostile.h"

static inline void fork_child_body(void *context, size_t begin, size_t end)
{
    (void)context, (void)begin, (void)end;
}

/* Every call that could wait, or take a lock that somebody held. */
static inline int fork_child_refused(np_executor *executor, np_group *group)
{
    np_stats *stats = NULL;
    np_executor_load load;
    np_shutdown_result result;
    pool_counter count = {0};
    np_task task = {pool_task_count, &count};
    np_submit_options options = {.size = sizeof options, .to_node = true, .group = group};
    CHILD_CHECK(np_submit(executor, pool_task_count, &count) == NP_ERR_FORKED);
    CHILD_CHECK(np_submit_to_node(executor, 0, pool_task_count, &count) == NP_ERR_FORKED);
    CHILD_CHECK(np_submit_copy_to_node(executor, 0, pool_task_count, &count, 8) == NP_ERR_FORKED);
    CHILD_CHECK(np_submit_batch(executor, 0, &task, 1, NULL) == NP_ERR_FORKED);
    CHILD_CHECK(np_submit_with(executor, &options, pool_task_count, &count) == NP_ERR_FORKED);
    CHILD_CHECK(np_run(executor, 0, pool_task_count, &count) == NP_ERR_FORKED);
    CHILD_CHECK(np_parallel_for(executor, 0, 10, NULL, fork_child_body, NULL) == NP_ERR_FORKED);
    CHILD_CHECK(np_group_submit(group, executor, pool_task_count, &count) == NP_ERR_FORKED);
    CHILD_CHECK(np_group_wait(group) == NP_ERR_FORKED);
    CHILD_CHECK(np_group_wait_for(group, 0) == NP_ERR_FORKED);
    CHILD_CHECK(np_group_reset(group) == NP_ERR_FORKED);
    CHILD_CHECK(np_group_notify(group, pool_task_count, &count) == NP_ERR_FORKED);
    CHILD_CHECK(np_stats_snapshot(executor, &stats) == NP_ERR_FORKED);
    CHILD_CHECK(np_executor_load_now(executor, &load) == NP_ERR_FORKED);
    CHILD_CHECK(np_executor_wait_idle(executor, NP_FOREVER) == NP_ERR_FORKED);
    CHILD_CHECK(np_executor_shutdown(executor) == NP_ERR_FORKED);
    CHILD_CHECK(np_executor_shutdown_within(executor, 0, &result) == NP_ERR_FORKED);
    CHILD_CHECK(strstr(np_error_detail(), "fork") != NULL);
    CHILD_CHECK(npi_load_acquire(&count.value) == 0);
    return CHILD_PASSED;
}

/* Of its own: made, used by group, loop and from outside, ended. */
static inline int fork_child_own_executor(void)
{
    pool_counter count = {0};
    np_group *group = NULL;
    np_executor *executor = hostile_own_executor(TWO_BY_TWO);
    CHILD_CHECK(executor != NULL);
    CHILD_CHECK(np_group_create(NULL, &group) == NP_OK);
    for (unsigned i = 0; i < 100; i++)
        CHILD_CHECK(np_group_submit_to_node(group, executor, (np_node_id)(i % 2), pool_task_count,
                                            &count) == NP_OK);
    CHILD_CHECK(np_group_wait(group) == NP_OK);
    CHILD_CHECK(np_run(executor, 1, pool_task_count, &count) == NP_OK);
    CHILD_CHECK(np_parallel_for(executor, 0, 1000, NULL, fork_child_body, NULL) == NP_OK);
    CHILD_CHECK(npi_load_acquire(&count.value) == 101);
    CHILD_CHECK(np_group_destroy(group) == NP_OK);
    CHILD_CHECK(np_executor_destroy(executor) == NP_OK);
    return CHILD_PASSED;
}

#endif
