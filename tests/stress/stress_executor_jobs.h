/*
 * The jobs of stress_executor.c: what a task may do, and the account of every one of them.
 *
 * Each task has a record of its own. Whoever submits it counts it if it was accepted; its function,
 * or the discard callback, marks it as ended and aborts if it was marked already. A job waits only
 * for jobs that it has submitted itself, so whatever lies on whose stack, nothing can wait in a
 * circle.
 */
#ifndef NP_TESTS_STRESS_EXECUTOR_JOBS_H
#define NP_TESTS_STRESS_EXECUTOR_JOBS_H

#define NP_FAST_CHECKS
#include <numaperf.h>

#include "stress_channel_help.h"

enum { JOBS_MOST = 1 << 16, EXECUTORS_MOST = 2, DEPTH_MOST = 4, CHILDREN_MOST = 6 };

typedef struct world world;

/* A group, and what its wait has to say. */
typedef struct party_of_jobs {
    np_group *group;
    np_atomic(uint32_t) open; /* accepted and not ended */
    np_atomic(uint32_t) failed;
    np_atomic(uint32_t) cancelled;
} party_of_jobs;

typedef struct job {
    world *world;
    party_of_jobs *party; /* may be NULL */
    uint64_t seed;
    np_node_id home; /* NP_NODE_ID_NONE: near the submitter */
    uint32_t number;
    uint8_t executor;
    uint8_t depth;
    uint8_t affinity;
} job;

_Static_assert(sizeof(job) <= NP_ARGUMENT_COPY_MAX, "a job can be copied with its task");

struct world {
    np_executor *executor[EXECUTORS_MOST];
    np_node_id nodes[EXECUTORS_MOST][8]; /* with workers */
    uint32_t node_count[EXECUTORS_MOST];
    bool local_only[EXECUTORS_MOST];
    uint32_t executors;
    np_atomic(uint32_t) discarding; /* a timed shutdown is on its way */
    np_atomic(uint32_t) next_job;
    np_atomic(uint64_t) accepted[EXECUTORS_MOST];
    np_atomic(uint64_t) executed[EXECUTORS_MOST];
    np_atomic(uint64_t) discarded[EXECUTORS_MOST];
    job job[JOBS_MOST];
    np_atomic(uint32_t) ended[JOBS_MOST];
};

static np_atomic(uint64_t) progress; /* for the watchdog */

static inline uint32_t below(npi_random *random, uint32_t bound)
{
    return npi_random_below(random, bound);
}

static inline bool once_in(npi_random *random, uint32_t times)
{
    return below(random, times) == 0;
}

static void run_job(void *argument);

/* What a job runs that must help others and has nothing to wait for; without a record. */
typedef struct errand {
    world *world;
    uint32_t executor;
} errand;

static void run_errand(void *argument)
{
    errand *e = argument;
    npi_fetch_add_relaxed(&e->world->executed[e->executor], (uint64_t)1);
}

/* --- the account -------------------------------------------------------------------------------
 */

static inline void end_job(const job *j, np_atomic(uint64_t) *count)
{
    CHECK(npi_fetch_add_acq_rel(&j->world->ended[j->number], 1u) == 0, "job %u ended twice",
          j->number);
    npi_fetch_add_relaxed(count, (uint64_t)1);
    npi_fetch_add_relaxed(&progress, (uint64_t)1);
    if (j->party != NULL)
        npi_fetch_sub_acq_rel(&j->party->open, 1u);
}

static void submit_job(world *w, npi_random *random, uint32_t executor, party_of_jobs *party,
                       uint32_t depth);

/* Called on workers, and on the thread of a timed shutdown. */
static void discard_job(void *context, np_task_fn fn, void *argument, np_discard_reason reason)
{
    const job *j = argument;
    (void)context;
    if (fn == run_errand) {
        npi_fetch_add_relaxed(
            &((errand *)argument)->world->discarded[((errand *)argument)->executor], (uint64_t)1);
        return;
    }
    CHECK(fn == run_job, "%p", argument);
    CHECK(reason == NP_DISCARD_SHUTDOWN ||
              (j->party != NULL && npi_load_relaxed(&j->party->cancelled) != 0),
          "%d", (int)reason);
    npi_random random;
    npi_random_seed(&random, j->seed);
    if (np_current_executor() != NULL && once_in(&random, 8))
        submit_job(j->world, &random, j->executor, NULL, DEPTH_MOST);
    end_job(j, &j->world->discarded[j->executor]);
}

/* --- submitting --------------------------------------------------------------------------------
 */

static np_status submit_somehow(world *w, npi_random *random, job *j, bool named)
{
    np_executor *executor = w->executor[j->executor];
    if (j->party == NULL && once_in(random, 3)) {
        if (!named)
            return np_submit(executor, run_job, j);
        np_task task = {run_job, j};
        switch (below(random, 3)) {
        case 0: return np_submit_to_node(executor, j->home, run_job, j);
        case 1: return np_submit_copy_to_node(executor, j->home, run_job, j, sizeof *j);
        default: return np_submit_batch(executor, j->home, &task, 1, NULL);
        }
    }
    np_submit_options options = {.size = sizeof options, .to_node = named};
    options.node = named ? j->home : 0;
    options.group = j->party == NULL ? NULL : j->party->group;
    options.copy_bytes = once_in(random, 2) ? sizeof *j : 0;
    j->affinity = (uint8_t)below(random, 3);
    options.affinity = (np_task_affinity)j->affinity;
    return np_submit_with(executor, &options, run_job, j);
}

static void submit_job(world *w, npi_random *random, uint32_t executor, party_of_jobs *party,
                       uint32_t depth)
{
    uint32_t number = npi_fetch_add_relaxed(&w->next_job, 1u);
    if (number >= JOBS_MOST)
        return;
    job *j = &w->job[number];
    *j = (job){.world = w, .party = party, .seed = npi_random_next(random), .number = number};
    j->executor = (uint8_t)executor;
    j->depth = (uint8_t)depth;
    bool named = once_in(random, 2);
    j->home = named ? w->nodes[executor][below(random, w->node_count[executor])] : NP_NODE_ID_NONE;
    /* Counted before it can end. */
    npi_fetch_add_relaxed(&w->accepted[executor], (uint64_t)1);
    if (party != NULL)
        npi_fetch_add_relaxed(&party->open, 1u);
    np_status status = submit_somehow(w, random, j, named);
    npi_fetch_add_relaxed(&progress, (uint64_t)1);
    if (status == NP_OK)
        return;
    CHECK(status == NP_ERR_SHUT_DOWN || (status == NP_ERR_CANCELLED && party != NULL), "%s",
          np_error_detail());
    npi_fetch_add_relaxed(&w->accepted[executor], UINT64_MAX);
    if (party != NULL)
        npi_fetch_sub_acq_rel(&party->open, 1u);
    CHECK(npi_load_relaxed(&w->ended[number]) == 0, "job %u was refused and ran", number);
}

/* --- what a job does -----------------------------------------------------------------------------
 */

/* Tasks of the second executor also submit to the first and wait there, never the other way round:
 * so the second may end while the first works on. */
static uint32_t some_executor(npi_random *random, uint32_t own)
{
    return own == 0 ? 0 : below(random, own + 1);
}

typedef struct tree {
    const job *job;
    uint32_t height;
    uint64_t leaves;
} tree;

static void grow(void *argument);

static uintptr_t grow_fast(np_worker *self, uintptr_t argument)
{
    CHECK(self == np_fast_self(), "%p", (void *)self);
    grow((void *)argument);
    return ((tree *)argument)->leaves;
}

static void grow_fast_form(tree *left, tree *right)
{
    np_worker *self = np_fast_self();
    np_fast_fork(self, grow_fast, (uintptr_t)left);
    np_fast_fork(self, grow_fast, (uintptr_t)right);
    uintptr_t leaves = np_fast_join(self, grow_fast, (uintptr_t)right);
    CHECK(leaves == right->leaves, "%zu", (size_t)leaves);
    leaves = np_fast_join(self, grow_fast, (uintptr_t)left);
    CHECK(leaves == left->leaves, "%zu", (size_t)leaves);
}

static void grow(void *argument)
{
    tree *t = argument;
    if (t->height == 0) {
        t->leaves = 1;
        npi_random random;
        npi_random_seed(&random, t->job->seed ^ (uintptr_t)t);
        if (once_in(&random, 64))
            submit_job(t->job->world, &random, t->job->executor, NULL, DEPTH_MOST);
        return;
    }
    tree left = {t->job, t->height - 1, 0}, right = left;
    if (t->height % 3 == 0) {
        grow_fast_form(&left, &right);
        t->leaves = left.leaves + right.leaves;
        return;
    }
    np_fork(grow, &left);
    if (t->height % 2 == 0) {
        np_fork(grow, &right);
        np_join();
    } else {
        grow(&right);
    }
    np_join();
    t->leaves = left.leaves + right.leaves;
}

/* Runs whatever there is, for a job that waits for an isolated group and gets no spare worker. */
static void help_somebody(world *w, uint32_t executor)
{
    errand e = {w, executor};
    npi_fetch_add_relaxed(&w->accepted[executor], (uint64_t)1);
    np_status status = np_run(w->executor[executor], NP_NODE_ID_NONE, run_errand, &e);
    CHECK(status == NP_OK || status == NP_ERR_CANCELLED, "%s", np_error_detail());
}

static void wait_for_party(npi_random *random, party_of_jobs *party, world *w, uint32_t executor)
{
    np_status status = NP_ERR_TIMEOUT;
    while (once_in(random, 2) && status == NP_ERR_TIMEOUT)
        status = np_group_wait_for(party->group, some_timeout(random));
    while (status == NP_ERR_TIMEOUT || status == NP_ERR_NO_SPARE) {
        status = np_group_wait(party->group);
        if (status == NP_ERR_NO_SPARE)
            help_somebody(w, executor);
    }
    CHECK(npi_load_acquire(&party->open) == 0, "%u are open", npi_load_relaxed(&party->open));
    if (npi_load_acquire(&party->failed) != 0)
        CHECK(status == NP_ERR_LIMIT, "%s", np_status_name(status));
    else if (npi_load_relaxed(&party->cancelled) != 0)
        CHECK(status == NP_ERR_CANCELLED, "%s", np_status_name(status));
    else
        CHECK(status == NP_OK ||
                  (status == NP_ERR_CANCELLED && npi_load_acquire(&w->discarding) != 0),
              "%s", np_status_name(status));
}

typedef struct follow_up {
    world *world;
    np_atomic(uint32_t) called;
    uint32_t executor;
    uint64_t seed;
} follow_up;

static void follow(void *argument)
{
    follow_up *f = argument;
    npi_random random;
    npi_random_seed(&random, f->seed);
    if (np_current_executor() != NULL)
        submit_job(f->world, &random, f->executor, NULL, DEPTH_MOST);
    npi_store_release(&f->called, 1u);
}

static void make_party(const job *j, npi_random *random, bool isolated)
{
    world *w = j->world;
    party_of_jobs party = {.group = NULL};
    np_group_options options = {.size = sizeof options, .isolated = isolated};
    CHECK_OK(np_group_create(&options, &party.group));
    for (uint32_t i = below(random, CHILDREN_MOST); i > 0; i--)
        submit_job(w, random, some_executor(random, j->executor), &party, j->depth + 1u);
    follow_up f = {.world = w, .executor = j->executor, .seed = npi_random_next(random)};
    bool notice = once_in(random, 4);
    if (notice)
        CHECK_OK(np_group_notify(party.group, follow, &f));
    if (once_in(random, 8)) {
        npi_store_relaxed(&party.cancelled, 1u);
        np_group_cancel(party.group);
    }
    wait_for_party(random, &party, w, j->executor);
    /* The callback comes before the waiters are told, but not before somebody sees the count. */
    while (notice && npi_load_acquire(&f.called) == 0)
        sched_yield();
    CHECK_OK(np_group_destroy(party.group));
}

static void call_elsewhere(const job *j, npi_random *random)
{
    world *w = j->world;
    uint32_t executor = some_executor(random, j->executor);
    uint32_t number = npi_fetch_add_relaxed(&w->next_job, 1u);
    if (number >= JOBS_MOST)
        return;
    job *callee = &w->job[number];
    *callee = (job){.world = w, .seed = npi_random_next(random), .number = number};
    callee->executor = (uint8_t)executor;
    callee->depth = (uint8_t)(j->depth + 1);
    callee->home = w->nodes[executor][below(random, w->node_count[executor])];
    npi_fetch_add_relaxed(&w->accepted[executor], (uint64_t)1);
    np_status status = np_run(w->executor[executor], callee->home, run_job, callee);
    if (status == NP_ERR_SHUT_DOWN)
        npi_fetch_add_relaxed(&w->accepted[executor], UINT64_MAX);
    else
        CHECK(status == NP_OK ||
                  (status == NP_ERR_CANCELLED && npi_load_acquire(&w->discarding) != 0),
              "%s", np_error_detail());
    CHECK(npi_load_acquire(&w->ended[number]) == (status == NP_ERR_SHUT_DOWN ? 0 : 1), "job %u, %s",
          number, np_status_name(status));
}

static void block(npi_random *random)
{
    np_atomic(uint32_t) word = 0;
    if (np_blocking_begin() != NP_OK)
        return;
    if (once_in(random, 2))
        (void)npi_os_futex_wait(&word, 0, npi_os_deadline(some_timeout(random)));
    np_blocking_end();
}

static void check_place(const job *j)
{
    world *w = j->world;
    CHECK(np_current_executor() == w->executor[j->executor], "job %u", j->number);
    CHECK(j->home == NP_NODE_ID_NONE || np_current_home() == j->home, "job %u", j->number);
    if (j->affinity == NP_AFFINITY_STRICT || w->local_only[j->executor])
        CHECK(np_current_node() == np_current_home(), "job %u: home %d, here %d", j->number,
              (int)np_current_home(), (int)np_current_node());
}

static void run_job(void *argument)
{
    job j = *(job *)argument;
    world *w = j.world;
    npi_random random;
    npi_random_seed(&random, j.seed);
    check_place(&j);
    switch (j.depth < DEPTH_MOST ? below(&random, 12) : 11) {
    case 0:
    case 1: make_party(&j, &random, false); break;
    case 2: make_party(&j, &random, once_in(&random, 2)); break;
    case 3:
    case 4: {
        tree t = {&j, below(&random, 9), 0};
        grow(&t);
        CHECK(t.leaves == UINT64_C(1) << t.height, "%llu", (unsigned long long)t.leaves);
        break;
    }
    case 5: call_elsewhere(&j, &random); break;
    case 6: block(&random); break;
    case 7:
    case 8:
        for (uint32_t i = below(&random, CHILDREN_MOST); i > 0; i--)
            submit_job(w, &random, some_executor(&random, j.executor), NULL, j.depth + 1u);
        break;
    case 9:
        np_fork(grow, &(tree){&j, 2, 0}); /* joined for it; what it grows is on this stack */
        np_join();
        break;
    default:
        for (uint32_t i = below(&random, 64); i > 0; i--)
            npi_cpu_relax();
    }
    if (j.party != NULL && once_in(&random, 32)) {
        npi_store_release(&j.party->failed, 1u);
        np_group_fail(np_current_group(), NP_ERR_LIMIT);
    }
    end_job(&j, &w->executed[j.executor]);
}

#endif
