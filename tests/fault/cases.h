/*
 * Fault cases: for each public function at least one, with what it needs, the call itself and what
 * must hold afterwards. The driver (drive.c) runs a case once for each point and errno.
 */
#ifndef NP_TESTS_FAULT_CASES_H
#define NP_TESTS_FAULT_CASES_H

#include <numaperf.h>
#include <numaperf/hwloc.h>

#include "inject.h"

#define TWO_NODES "numa:2 pu:1"
#define ONE_NODE  "numa:1 pu:2"

/* One run of a case: the things it made, which the driver gives back afterwards. */
typedef struct fault_run {
    np_topology *topology;
    np_topology *made; /* by the call */
    np_executor *executor;
    np_executor *other;
    np_group *group;
    np_channel *channel;
    np_pipeline *pipeline;
    np_region *region;
    np_array *array;
    np_sharded *sharded;
    np_sharded_counter *counter;
    np_buffer_pool *pool;
    void *block;
    np_stats *stats;
    np_stats *older;
    np_collector *collector;
    np_leave *leave;
    np_affinity_scope scope;
    np_enforcement achieved;
    np_cpu_set cpus;
    np_task tasks[200];
    np_atomic(uint64_t) item;
    uint64_t expected; /* tasks that must have run */
    np_atomic(uint64_t) ran;
    np_atomic(uint32_t) calling; /* the function under test has begun */
    np_atomic(uint32_t) arrived; /* at the gate */
    np_atomic(uint32_t) gate;    /* fault_gate_pass waits for it */
    void *thread;                /* of a helper, see fault_helper */
    int fd;
    np_status status; /* of the call */
    size_t accepted;
    char text[512]; /* the failure's detail */
} fault_run;

typedef struct fault_case {
    const char *function;
    const char *variant; /* "": there is only one */
    /* It cannot fail, and this is why; the driver checks that it makes no call at all. */
    const char *pure;
    void (*prepare)(fault_run *);
    void (*call)(fault_run *); /* FAULT_CALL around the function */
    /* After a status that `allowed` holds, and after NP_OK: what must be true. */
    void (*check)(fault_run *, bool fired);
    np_status natural;    /* the status without a fault, usually NP_OK */
    np_status allowed[5]; /* with one, besides that; NP_OK ends the list */
    const char *thing;    /* what the detail may name instead of the call */
    bool perhaps_none;    /* it may pass no point here */
    bool elsewhere;       /* other threads take part: they get their turn of faults too */
} fault_case;

/* The call under test and its status. */
#define FAULT_CALL(run, call)   \
    do {                        \
        fault_begin(run);       \
        (run)->status = (call); \
        fault_end(run);         \
    } while (0)
/* The same for a function without a status. */
#define FAULT_DO(run, call)    \
    do {                       \
        fault_begin(run);      \
        call;                  \
        fault_end(run);        \
        (run)->status = NP_OK; \
    } while (0)
void fault_begin(fault_run *run);
void fault_end(fault_run *run);

/* Ends the process with the run's replay command. */
void fault_failed(const char *file, int line, const char *format, ...)
    __attribute__((noreturn, format(printf, 3, 4)));
#define FAULT_CHECK(condition)                                    \
    do {                                                          \
        if (!(condition))                                         \
            fault_failed(__FILE__, __LINE__, "not: " #condition); \
    } while (0)
/* For what a case needs and no fault may disturb. */
#define FAULT_NEED(call)                                                          \
    do {                                                                          \
        np_status fault_status = (call);                                          \
        if (fault_status != NP_OK)                                                \
            fault_failed(__FILE__, __LINE__, "%s: %s", #call, np_error_detail()); \
    } while (0)

/* --- what several cases need (help.c) ------------------------------------------------------- */

void fault_make_topology(fault_run *run, const char *machine); /* NULL: the real one */
/* On that topology, one worker per node (or so many), few spare seats. */
void fault_make_executor(fault_run *run, const char *machine);
void fault_make_pool(fault_run *run, const char *machine, const np_executor_options *options);
/* Runs fn(run) as a task on node 0 and waits for it. */
void fault_in_task(fault_run *run, void (*fn)(void *run));
void fault_task(void *argument); /* counts one */
void fault_gate_pass(fault_run *run);
void fault_gate_task(void *argument); /* waits at the gate, then counts one */
/* For fault_helper: gives the call a while to go to sleep, then opens the gate. Whether it had gone
 * is of no consequence but for which points the run passes. */
void fault_open_gate_later(fault_run *run);
/* Tasks to every node, a wait, and the account: it works, or the process ends. */
void fault_probe(np_executor *executor);
/* Waits for the run's tasks; then exactly the expected ones have run. */
void fault_account(fault_run *run);
/* A thread of the test's own that the run joins (fault_helper_end). */
void fault_helper(fault_run *run, void (*fn)(fault_run *));
void fault_helper_end(fault_run *run);
/* Gives back everything that a run holds. */
void fault_release(fault_run *run);

/* --- the cases ------------------------------------------------------------------------------ */

typedef struct fault_list {
    const fault_case *cases;
    size_t count;
} fault_list;

extern const fault_list fault_pure_cases, fault_machine_cases, fault_memory_cases,
    fault_array_cases, fault_executor_cases, fault_submit_cases, fault_group_cases,
    fault_channel_cases, fault_pipeline_cases, fault_stats_cases, fault_near_cases,
    fault_region_cases, fault_sharded_cases, fault_buffer_cases, fault_ready_cases,
    fault_loop_cases, fault_device_cases;

#define FAULT_LIST(name, array) const fault_list name = {array, sizeof(array) / sizeof((array)[0])}

#endif
