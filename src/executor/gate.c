/*
 * executor/gate.c - the gate of the default policy: does it pay for a task to leave its home?
 *
 * Two reasons open it. Backlog: the home has more tasks queued per worker than it will get to soon.
 * Age: tasks wait there and none has been taken for a while, so its workers are busy with long
 * tasks. In between the work stays with its data: a home that is about to start a task beats a
 * thief that must fetch the data from afar.
 *
 * The age needs no time stamp per task. Whoever asks leaves behind what the heads of the home's
 * queues were, and when; if the next one finds the same heads, the tasks seen first are still
 * waiting. Somebody always asks again: a worker that was refused sleeps only for gate_age_ns
 * (worker.c), and one such watcher is enough for everybody.
 */
#include "executor/executor.h"

bool npi_gate_backlog(npi_node *home)
{
    uint64_t least = (uint64_t)home->executor->settings.gate_backlog * home->regular;
    return npi_node_queued_gated(home) > least;
}

npi_gate npi_gate_ask(npi_node *home)
{
    if (npi_gate_backlog(home))
        return NPI_GATE_BACKLOG;
    /* Somebody else is asking: its answer is as good as ours. */
    if (!npi_lock_try(&home->gate_lock))
        return NPI_GATE_SHUT;
    npi_gate answer = NPI_GATE_SHUT;
    uint64_t signature = npi_node_signature(home);
    uint64_t now = npi_os_now();
    if (npi_node_queued_gated(home) == 0) {
        home->gate_since_ns = 0; /* emptied meanwhile: what comes next has not waited */
    } else if (home->gate_since_ns == 0 || signature != home->gate_signature) {
        home->gate_signature = signature;
        home->gate_since_ns = now;
    } else if (now - home->gate_since_ns >= home->executor->settings.gate_age_ns) {
        answer = NPI_GATE_AGE;
    }
    npi_lock_release(&home->gate_lock);
    return answer;
}
