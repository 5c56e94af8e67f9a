/*
 * executor/gate.c - the gate of the default policy: does it pay for a task to leave its home?
 *
 * It pays when the home will not get to the task soon. Two signs, both judged by what the home's
 * own workers take:
 *
 *   backlog  more tasks are queued per worker than gate_backlog, plus what a worker gets done while
 * a task moves (MOVE_COST_NS: cold caches, remote memory). Tiny tasks therefore leave only from
 * long queues. age      tasks wait and the home has taken none for gate_age_ns: its workers are
 * busy with long ones.
 *
 * In between work stays with its data: a home that is about to start a task beats a thief that must
 * fetch the data from afar.
 *
 * No task carries a time stamp. Whoever asks leaves behind how much the home had taken, and when;
 * the next one sees what was taken since, which gives the age and, over at least RATE_WINDOW_NS,
 * the time per task. Somebody always asks again: a worker that was refused sleeps only for a part
 * of gate_age_ns (worker.c), and one such watcher is enough for everybody.
 */
#include "executor/executor.h"

#define MOVE_COST_NS   20000u
#define RATE_WINDOW_NS 100000u
/* Before anything is known of the tasks they are taken for tiny ones. */
#define FIRST_TASK_NS 100u

static uint64_t threshold_for(const npi_settings *settings, uint32_t workers, uint64_t task_ns)
{
    return (settings->gate_backlog + MOVE_COST_NS / (task_ns != 0 ? task_ns : 1)) * workers;
}

void npi_gate_init(npi_node *home)
{
    npi_atomic_init(&home->gate_threshold,
                    threshold_for(&home->executor->settings, home->regular, FIRST_TASK_NS));
}

bool npi_gate_backlog(npi_node *home)
{
    /* Relaxed: an estimate. */
    return npi_node_queued_gated(home) > npi_load_relaxed(&home->gate_threshold);
}

/* By gate_lock: the time per task from what the home took in the window. */
static void observe_rate(npi_node *home, uint64_t taken, uint64_t now)
{
    npi_gate_memory *memory = &home->gate;
    uint64_t elapsed = now - memory->rate_since_ns;
    if (memory->rate_since_ns != 0 && elapsed < RATE_WINDOW_NS)
        return;
    uint64_t done = taken - memory->rate_taken;
    /* A window in which nobody asked for long says little: the home may have been idle. */
    if (memory->rate_since_ns != 0 && done != 0 && elapsed < 100u * RATE_WINDOW_NS) {
        uint64_t task_ns = elapsed * home->regular / done;
        memory->task_ns = memory->task_ns == 0 ? task_ns : (3 * memory->task_ns + task_ns) / 4;
        npi_store_relaxed(&home->gate_threshold,
                          threshold_for(&home->executor->settings, home->regular, memory->task_ns));
    }
    memory->rate_taken = taken;
    memory->rate_since_ns = now;
}

/* By gate_lock. */
static bool is_aged(npi_node *home, uint64_t taken, uint64_t now)
{
    npi_gate_memory *memory = &home->gate;
    if (memory->age_since_ns == 0 || taken != memory->age_taken) {
        memory->age_taken = taken;
        memory->age_since_ns = now;
        return false;
    }
    return now - memory->age_since_ns >= home->executor->settings.gate_age_ns;
}

npi_gate npi_gate_ask(npi_node *home)
{
    if (npi_gate_backlog(home))
        return NPI_GATE_BACKLOG;
    /* Somebody else is asking: its answer is as good as ours. */
    if (!npi_lock_try(&home->gate_lock))
        return NPI_GATE_SHUT;
    npi_gate answer = NPI_GATE_SHUT;
    uint64_t taken = npi_node_signature(home) - npi_load_relaxed(&home->taken_away);
    if (npi_node_queued_gated(home) == 0) {
        /* Emptied meanwhile: what comes next has not waited. */
        home->gate.age_since_ns = 0;
        home->gate.rate_since_ns = 0;
    } else {
        uint64_t now = npi_os_now();
        observe_rate(home, taken, now);
        if (is_aged(home, taken, now))
            answer = NPI_GATE_AGE;
    }
    npi_lock_release(&home->gate_lock);
    return answer;
}

void npi_gate_emptied(npi_node *home)
{
    npi_lock_acquire(&home->gate_lock);
    home->gate.age_since_ns = 0;
    npi_lock_release(&home->gate_lock);
}
