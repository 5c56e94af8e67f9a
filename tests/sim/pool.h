/*
 * pool.h - what the scenarios about the whole pool share: an executor on the simulated machine, a
 * ledger of every task, the checks that hold for all of them, and counts that show what a campaign
 * has really exercised.
 *
 * The ledger knows each task from before it is submitted: whether it was accepted, where it must
 * run, in which order, how often it ran or was handed back. The checks at quiet moments look into
 * the executor itself (pool_quiet.c). One pool per run, or two; everything is reset by pool_begin.
 */
#ifndef NPT_SIM_POOL_H
#define NPT_SIM_POOL_H

#include <numaperf/fast.h>

#include "executor/executor.h"
#include "sim.h"

/* --- tasks ------------------------------------------------------------------------------------ */

typedef struct sim_pool sim_pool;
typedef struct sim_job sim_job;
typedef void (*job_body)(sim_job *job);

typedef enum job_state { JOB_NEW = 0, JOB_REFUSED, JOB_RUNNING, JOB_RAN, JOB_DISCARDED } job_state;

struct sim_job {
    sim_pool *pool;
    uint32_t number;
    job_state state;
    bool accepted;   /* its submit returned NP_OK */
    bool in_caller;  /* may run in the submit: NP_INBOX_FULL_RUN */
    np_node_id home; /* NP_NODE_ID_NONE: near the caller, not known before it runs */
    np_task_affinity affinity;
    np_group *group;
    uint32_t sender; /* outside thread that sent it, from 1; 0: a task */
    uint32_t order;  /* among what that sender sent to that node with that affinity */
    job_body body;
    uint32_t depth; /* how many generations of tasks it may still submit */
    uint64_t value; /* the body's own */
};

#define POOL_JOBS    4096u
#define POOL_SENDERS 8u
#define POOL_NODES   8u

struct sim_pool {
    np_topology *topology;
    np_executor *executor;
    np_executor_options options;
    np_node_id nodes[POOL_NODES];
    uint32_t node_count;
    sim_job jobs[POOL_JOBS];
    uint32_t job_count;
    uint64_t ran, discarded;
    uint64_t ran_in_caller;
    np_group *groups[64]; /* to be destroyed when everything is over */
    uint32_t group_count;
    bool may_refuse;  /* shut down, full or out of memory: submits may be refused */
    bool may_discard; /* a timed shutdown, a cancelled group */
    bool in_order;    /* one worker per node and local-only: the order sent is the order run */
    uint32_t sent[POOL_SENDERS][POOL_NODES][3];
    uint32_t started[POOL_SENDERS][POOL_NODES][3];
};

/* First thing in a scenario: forgets the last run. */
void pool_begin(void);
/* Creates the executor with these options (size and callbacks are filled in). Fails the run unless
 * `may_fail`, with which it returns false. */
bool pool_open(sim_pool *pool, const np_executor_options *options, bool may_fail);
/* Policy, spinning, workers and gate by the seed. */
void pool_random_options(np_executor_options *options);
/* Destroys it and checks the ledger. */
void pool_close(sim_pool *pool);
/* After shutdown or wait_idle: nothing is left, and the sums are right. */
void pool_check_over(sim_pool *pool);
/* Every accepted job ended exactly once, every refused one never. */
void pool_check_ledger(sim_pool *pool);

/* A group that its maker cannot wait for. */
void pool_destroy_later(sim_pool *pool, np_group *group);
np_node_id pool_some_node(sim_pool *pool);

/* A new job; the caller may change its fields before it sends it. `body` NULL: works a little. */
sim_job *job_new(sim_pool *pool, job_body body);
/* To `home`, or near the caller; remembers what became of it. True: accepted. */
bool job_send(sim_job *job);
/* Several plain jobs to one node, at once. Returns how many were accepted. */
size_t job_send_batch(sim_job **jobs, size_t count);
/* The task function, for those who submit in other ways (np_group_submit, np_run, np_fork). */
void job_task(void *argument);
/* Sender numbers, from 1; main is 0 and keeps no order. */
void pool_sender_is(uint32_t number);

/* Time that a body takes, or that a fibre of the scenario waits: not a moment in the scheduler. */
void pool_work(uint64_t ns);
void pool_join(sim_thread *thread);

/* --- at quiet moments ------------------------------------------------------------------------- */

/* Starts a fibre that looks `rounds` times, at random moments; the scenario goes on. */
sim_thread *pool_watch(sim_pool *pool, uint32_t rounds);
/* One look: nothing is in motion, so nobody may sleep beside work that it may run. */
void pool_look(sim_pool *pool);
/* Children with this function are a task's own, not what a loop offers. */
void pool_fast_body(np_fast_fn fn);
/* Nothing happens in an idle executor. */
void pool_check_idle(sim_pool *pool);

/* --- what was exercised ------------------------------------------------------------------------
 */

/* One list: X(name, words). Counted over all runs of the process. */
#define POOL_SEEN(X)                                                      \
    X(SEEN_RAN, "tasks executed")                                         \
    X(SEEN_AWAY, "tasks executed away from home")                         \
    X(SEEN_DISCARDED, "tasks handed back")                                \
    X(SEEN_REFUSED, "submits refused")                                    \
    X(SEEN_IN_CALLER, "tasks run in a submit")                            \
    X(SEEN_STOLEN_HERE, "tasks stolen within a node")                     \
    X(SEEN_STOLEN_ABROAD, "tasks stolen across nodes")                    \
    X(SEEN_FORKS_HERE, "children stolen within a node")                   \
    X(SEEN_FORKS_ABROAD, "children stolen across nodes")                  \
    X(SEEN_BACKLOG, "tasks that left for backlog")                        \
    X(SEEN_AGE, "tasks that left for age")                                \
    X(SEEN_ANY, "tasks that left under any")                              \
    X(SEEN_GATE, "refusals by the gate")                                  \
    X(SEEN_PARKS, "parks")                                                \
    X(SEEN_WAKES, "wakes")                                                \
    X(SEEN_BLOCKED, "spares stepped in")                                  \
    X(SEEN_QUIET, "quiet moments looked at")                              \
    X(SEEN_QUIET_BUSY, "of them with tasks queued")                       \
    X(SEEN_QUIET_ASLEEP, "of them with a worker asleep beside busy ones") \
    X(SEEN_CANCELLED, "submits into a cancelled group")                   \
    X(SEEN_TIMEOUTS, "waits that timed out")                              \
    X(SEEN_GUESTS, "guests that came and went")                           \
    X(SEEN_NOTICES, "completion callbacks")                               \
    X(SEEN_ITEMS, "items through channels")                               \
    X(SEEN_ITERATIONS, "loop iterations")                                 \
    X(SEEN_NO_SPARE, "waits refused for lack of a spare")                 \
    X(SEEN_FAILED_STARTS, "executors that could not be created")

typedef enum pool_seen {
#define POOL_SEEN_ENUMERATOR(name, words) name,
    POOL_SEEN(POOL_SEEN_ENUMERATOR)
#undef POOL_SEEN_ENUMERATOR
        SEEN_COUNT
} pool_seen;

void pool_saw(pool_seen what, uint64_t count);
/* At the end of a program: prints the counts; nonzero if one of `needed` (ended by SEEN_COUNT) is
 * still zero, unless the campaign was too small to say (SEED, or fewer than 200 seeds). */
int pool_report(int argc, char **argv, const pool_seen *needed);

#endif
