/*
 * What the tests of np_executor_refresh share: tasks that note where they ran, and a virtual
 * machine whose CPUs come and go as the test says.
 */
#ifndef NP_TESTS_REFRESH_H
#define NP_TESTS_REFRESH_H

#include "executor/executor.h"
#include "pool.h"

#define REFRESH_NODES 8u

/* Where tasks ran, by np_current_node(); and how many had another home. */
typedef struct refresh_places {
    np_atomic(uint64_t) ran[REFRESH_NODES];
    np_atomic(uint64_t) total;
    np_atomic(uint64_t) strangers; /* np_current_home() is not `home` */
    np_node_id home;
} refresh_places;

static inline void refresh_note(void *argument)
{
    refresh_places *p = argument;
    if (np_current_home() != p->home)
        npi_fetch_add_relaxed(&p->strangers, (uint64_t)1);
    npi_fetch_add_relaxed(&p->ran[np_current_node()], (uint64_t)1);
    npi_fetch_add_acq_rel(&p->total, (uint64_t)1);
}

/* The virtual machine has these CPUs only ("" for none). */
static inline np_refresh_result refresh_to(np_executor *executor, const char *cpus)
{
    np_cpu_set allowed;
    np_refresh_result result;
    np_cpu_set_clear(&allowed);
    if (cpus[0] != '\0')
        assert_int_equal(np_cpu_set_parse(cpus, &allowed), NP_OK);
    assert_int_equal(npi_refresh_within(executor, &allowed, &result), NP_OK);
    return result;
}

static inline np_submit_options refresh_options(np_node_id node, np_task_affinity affinity,
                                                np_group *group)
{
    np_submit_options options = {.size = sizeof options, .to_node = true, .node = node};
    options.affinity = affinity;
    options.group = group;
    return options;
}

static inline void refresh_submit(np_executor *executor, np_node_id node, np_task_affinity affinity,
                                  np_group *group, unsigned count, refresh_places *p)
{
    np_submit_options options = refresh_options(node, affinity, group);
    p->home = node;
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(np_submit_with(executor, &options, refresh_note, p), NP_OK);
}

static inline uint64_t refresh_counter(np_executor *executor, np_counter counter)
{
    np_stats *stats = NULL;
    assert_int_equal(np_stats_snapshot(executor, &stats), NP_OK);
    uint64_t value = np_stats_total(stats, counter);
    np_stats_destroy(stats);
    return value;
}

#endif
