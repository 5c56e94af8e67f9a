/*
 * executor/forked.c - the copy of a worker in a forked child.
 *
 * A task that calls fork() returns from it twice, the second time in a process in which its thread
 * is the only one. That thread still has the worker's stack to unwind: the task itself, the waits
 * and tasks beneath it, the loop. The tasks it has begun go on there, because only their functions
 * know what a child is for; most will exec or _exit and never return. Nothing else is run: what is
 * queued belongs to the parent. Waits do not wait, since nobody is left who could end them, and the
 * loop ends, and with it the thread and, as the last thread always does, the process.
 *
 * The locks of the executor may have been held, and its lists half changed, by threads that are
 * gone. So whatever follows a task's end asks whether it is an orphan before it takes a lock.
 */
#include "executor/lifecycle.h"

bool npi_executor_is_forked(const np_executor *executor)
{
    return executor->process != npi_os_process_generation();
}

/* In the child, on its only thread. */
static void orphan(void)
{
    npi_worker *worker = npi_worker_self();
    if (worker == NULL)
        return;
    npi_store_relaxed(&worker->executor->stopping, 1u);
    npi_store_relaxed(&worker->node->state, (uint32_t)NPI_NODE_STOPPING);
}

void npi_orphans_watch(void)
{
    npi_os_at_fork(orphan);
}
