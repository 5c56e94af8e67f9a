/*
 * What the tests of the watchdog share: its reports, handed over by the diagnostic handler, and
 * tasks that are stuck at a gate until the test lets them go.
 */
#ifndef NP_TESTS_UNIT_WATCHDOG_HELP_H
#define NP_TESTS_UNIT_WATCHDOG_HELP_H

#include <sched.h>
#include <stdio.h>

#include "../support/pool.h"
#include "executor/executor.h"

#define LIMIT_NS 1000000u

static pool_counter reports;
static char last_report[512];
static npi_lock report_lock;

static inline void on_report(void *context, np_severity severity, const char *message)
{
    (void)context;
    if (severity != NP_SEVERITY_WARNING || strstr(message, "in one task") == NULL)
        return;
    npi_lock_acquire(&report_lock);
    (void)snprintf(last_report, sizeof last_report, "%s", message);
    npi_lock_release(&report_lock);
    npi_fetch_add_acq_rel(&reports.value, (uint64_t)1);
}

static inline void await_reports(uint64_t count)
{
    while (npi_load_acquire(&reports.value) < count)
        sched_yield();
    assert_int_equal(npi_load_acquire(&reports.value), count);
}

static inline void expect_in_report(const char *part)
{
    char copy[sizeof last_report];
    npi_lock_acquire(&report_lock);
    memcpy(copy, last_report, sizeof copy);
    npi_lock_release(&report_lock);
    if (strstr(copy, part) == NULL)
        fail_msg("\"%s\" does not contain \"%s\"", copy, part);
}

static inline np_executor *watched(const char *machine)
{
    npi_store_release(&reports.value, (uint64_t)0);
    np_set_diagnostic_handler(on_report, NULL);
    return pool_create(machine, NP_EXECUTOR_OPTIONS(.watchdog_ns = LIMIT_NS));
}

static inline void finish(np_executor *executor, uint64_t tasks)
{
    assert_int_equal(np_executor_wait_idle(executor, NP_FOREVER), NP_OK);
    assert_int_equal(np_executor_stuck_tasks(executor, NULL, 0), 0);
    pool_destroy_exact(executor, tasks, 0);
    np_set_diagnostic_handler(NULL, NULL);
}

typedef struct stuck_at {
    pool_gate gate;
    const char *label;
} stuck_at;

static inline void be_stuck(void *argument)
{
    stuck_at *s = argument;
    np_task_label(s->label);
    pool_gate_pass(&s->gate);
}

/* The one and only stuck task, once it has this label: the worker may also be slow between two. */
static inline np_stuck_task await_label(const np_executor *executor, const char *label)
{
    np_stuck_task stuck;
    while (np_executor_stuck_tasks(executor, &stuck, 1) != 1 || stuck.label == NULL ||
           strcmp(stuck.label, label) != 0)
        sched_yield();
    return stuck;
}

#endif
