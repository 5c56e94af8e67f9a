/*
 * model/pool.h - a small executor built by hand in the model's memory, for cases with workers: the
 * real structures and the real code of src/executor, without topology and threads. The model's
 * threads take the seats: they say who they are with sit() or stand().
 */
#ifndef NPT_MODEL_POOL_H
#define NPT_MODEL_POOL_H

#include "executor/group_internal.h"
#include "executor/lifecycle.h"
#include "model/runner.h"

namespace np_model
{

struct shape {
    unsigned nodes = 1;
    unsigned workers = 1; /* per node */
    np_steal_policy policy = NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE;
    uint64_t gate_backlog = 0; /* queued tasks that open a node's gate when exceeded */
    unsigned inbox_capacity = 0;
};

/* Tasks are numbered from 1; each may be found once. */
constexpr unsigned pool_tasks = 8;

struct pool {
    np_executor *executor;
    unsigned ran[pool_tasks] = {};
    np_plain(uintptr_t) written[pool_tasks];
    np_atomic(uint32_t) ran_any; /* some task has run; release */

    void build(const shape &how);
    npi_node *node(unsigned index)
    {
        return executor->nodes[index];
    }
    npi_worker *worker(unsigned node_index, unsigned seat)
    {
        return npi_node_seat(executor->nodes[node_index], seat);
    }
    /* The calling thread is this worker, or an outside thread with a number of its own. */
    void sit(npi_worker *worker);
    void stand();
    /* The argument of task `number`; its submitter has written what it must see. */
    void *task(uintptr_t number);
    /* A worker in the middle of a task. */
    void begin_task(npi_worker *worker, npi_frame *frame, npi_level *level);
    void end_task(npi_worker *worker);
    /* Looks for work, sleeps if need be, and runs what it finds: once. */
    void search_once(npi_worker *worker);
    /* What a worker's thread does for all its life. */
    void work(npi_worker *worker);
    void ran_once(unsigned count);
};

/* The function of every task here. */
void pool_run(void *argument);

} // namespace np_model

#endif
