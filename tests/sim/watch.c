/*
 * watch.c - what the library's own functions tell the history. The linker sends calls from one of
 * its files to another through here (--wrap, CMakeLists.txt); the functions themselves are
 * unchanged.
 */
#include "executor/executor.h"
#include "sim_internal.h"

void __real_npi_run_task(npi_worker *worker, npi_task *task);
void __wrap_npi_run_task(npi_worker *worker, npi_task *task);
void __real_npi_run_stolen_child(npi_worker *worker, npi_child *child, npi_worker *owner);
void __wrap_npi_run_stolen_child(npi_worker *worker, npi_child *child, npi_worker *owner);
bool __real_npi_token_wait(npi_token *token, uint64_t deadline);
bool __wrap_npi_token_wait(npi_token *token, uint64_t deadline);
uint32_t __real_npi_sleepers_claim(npi_sleepers *sleepers, bool *duty);
uint32_t __wrap_npi_sleepers_claim(npi_sleepers *sleepers, bool *duty);
void __real_npi_wake_for_task(npi_node *home, np_task_affinity affinity, npi_worker *self);
void __wrap_npi_wake_for_task(npi_node *home, np_task_affinity affinity, npi_worker *self);
void __real_npi_wake_for_child(npi_node *home, npi_worker *self);
void __wrap_npi_wake_for_child(npi_node *home, npi_worker *self);
void __wrap_npi_assert_failed(const char *condition, const char *file, int line);

void __wrap_npi_run_task(npi_worker *worker, npi_task *task)
{
    np_node_index home = npi_meta_home(task->meta);
    uint64_t argument = (uint64_t)(uintptr_t)task->argument;
    if (home == worker->node->index)
        npt_event("runs a task (argument @)", argument, 0, 0);
    else
        npt_event("runs a task of node index # (argument @)", home, argument, 0);
    __real_npi_run_task(worker, task);
    npt_event("has run it", 0, 0, 0);
}

void __wrap_npi_run_stolen_child(npi_worker *worker, npi_child *child, npi_worker *owner)
{
    npt_event("runs a child stolen from worker #", owner->index, 0, 0);
    __real_npi_run_stolen_child(worker, child, owner);
    npt_event("has run the child", 0, 0, 0);
}

bool __wrap_npi_token_wait(npi_token *token, uint64_t deadline)
{
    if (npt_sim.running)
        npt_sim.self->token = token;
    npt_event("parks", 0, 0, 0);
    bool given = __real_npi_token_wait(token, deadline);
    npt_event(given ? "goes on: token" : "goes on: the time is over", 0, 0, 0);
    return given;
}

uint32_t __wrap_npi_sleepers_claim(npi_sleepers *sleepers, bool *duty)
{
    uint32_t seat = __real_npi_sleepers_claim(sleepers, duty);
    if (seat != NPI_SLEEPER_NONE)
        npt_event("claims the sleeper in seat #", seat, 0, 0);
    else if (*duty)
        npt_event("finds no sleeper, but has a duty", 0, 0, 0);
    return seat;
}

void __wrap_npi_wake_for_task(npi_node *home, np_task_affinity affinity, npi_worker *self)
{
    npt_event("has put work at node index #", home->index, 0, 0);
    __real_npi_wake_for_task(home, affinity, self);
}

void __wrap_npi_wake_for_child(npi_node *home, npi_worker *self)
{
    npt_event("has shared children", 0, 0, 0);
    __real_npi_wake_for_child(home, self);
}

void __wrap_npi_assert_failed(const char *condition, const char *file, int line)
{
    static const uint64_t none[3];
    sim_fail_at(condition, file, line, "invariant of the library broken", none);
}
