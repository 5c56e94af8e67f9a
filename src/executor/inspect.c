/*
 * executor/inspect.c - questions about an executor, and what a task may ask about itself.
 */
#include "base/status.h"
#include "base/text.h"
#include "executor/lifecycle.h"

static np_executor *inside(const np_executor *executor)
{
    return (np_executor *)(uintptr_t)executor; /* reads of its atomics need a non-const pointer */
}

np_status npi_executor_check(const np_executor *executor)
{
    if (executor == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "executor is NULL");
    if (executor->process != npi_os_process_generation())
        return npi_fail(NP_ERR_FORKED, "the executor was created before this process was forked");
    return NP_OK;
}

uint32_t npi_executor_seat_count(const np_executor *executor)
{
    return executor == NULL ? 0 : executor->seat_count;
}

uint32_t np_executor_worker_count(const np_executor *executor)
{
    return executor == NULL ? 0 : executor->regular_count;
}

uint32_t np_executor_node_worker_count(const np_executor *executor, np_node_id node)
{
    if (executor == NULL)
        return 0;
    np_node_index index = npi_topology_node_index(executor->topology, node);
    return index == NP_NODE_INDEX_NONE ? 0 : executor->nodes[index]->regular;
}

size_t np_executor_nodes(const np_executor *executor, np_node_id *out, size_t capacity)
{
    size_t count = 0;
    for (uint32_t i = 0; executor != NULL && i < executor->node_count; i++) {
        if (executor->nodes[i]->regular == 0)
            continue;
        if (count < capacity && out != NULL)
            out[count] = executor->nodes[i]->id;
        count++;
    }
    return count;
}

uint32_t np_executor_node_count(const np_executor *executor)
{
    return (uint32_t)np_executor_nodes(executor, NULL, 0);
}

np_steal_policy np_executor_steal_policy(const np_executor *executor)
{
    return executor == NULL ? NP_STEAL_LOCAL_THEN_SOCKET_THEN_REMOTE
                            : executor->settings.public_options.steal_policy;
}

np_hard_mode np_executor_hard_mode(const np_executor *executor)
{
    return executor == NULL ? NP_HARD_MODE_SOFT : executor->settings.public_options.hard_mode;
}

const np_topology *np_executor_topology(const np_executor *executor)
{
    return executor == NULL ? NULL : executor->topology;
}

np_status np_executor_worker_info(const np_executor *executor, uint32_t index, np_worker_info *out)
{
    if (executor == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_executor_worker_info: %s is NULL",
                        executor == NULL ? "executor" : "out");
    if (index >= executor->regular_count)
        return npi_fail(NP_ERR_NOT_FOUND, "there is no worker %u, only 0 to %u", index,
                        executor->regular_count - 1);
    npi_seat_info(executor->seats[index], out);
    return NP_OK;
}

/* Tasks run, and handed back. Counted before their groups are told, so that whoever waited for a
 * group finds its tasks among them; their end in the sense of idle.c comes a moment later. */
static uint64_t executed_now(np_executor *executor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        sum += npi_counters_ran(&executor->seats[i]->counters, executor->node_count);
    return sum;
}

static uint64_t discarded_now(np_executor *executor)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < executor->seat_count; i++)
        sum += npi_counter_read(&executor->seats[i]->counters, NP_COUNTER_DISCARDED);
    for (uint32_t i = 0; i < executor->node_count; i++)
        sum += npi_load_relaxed(&executor->nodes[i]->outside_discarded);
    return sum;
}

/* Accepted and not done. The counts are relaxed, so one may be seen before the acceptance that it
 * belongs to: then there are none. */
static uint64_t open_now(np_executor *executor, uint64_t done, uint64_t *accepted)
{
    *accepted = npi_executor_accepted(executor); /* after the counts of `done` */
    if (*accepted < done)
        *accepted = done;
    return *accepted - done;
}

np_status np_executor_load_now(const np_executor *executor, np_executor_load *out)
{
    np_status status = npi_executor_check(executor);
    if (status != NP_OK)
        return status;
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_executor_load_now: out is NULL");
    np_executor *self = inside(executor);
    out->executed = executed_now(self);
    out->discarded = discarded_now(self);
    uint64_t queued = 0;
    for (uint32_t i = 0; i < self->node_count; i++)
        queued += npi_node_queued(self->nodes[i]);
    uint64_t open = open_now(self, out->executed + out->discarded, &out->accepted);
    out->queued = queued < open ? queued : open;
    out->running = open - out->queued;
    return NP_OK;
}

uint64_t np_executor_pending(const np_executor *executor)
{
    uint64_t accepted;
    if (executor == NULL)
        return 0;
    np_executor *self = inside(executor);
    return open_now(self, executed_now(self) + discarded_now(self), &accepted);
}

/* --- words --------------------------------------------------------------------------------------
 */

static void describe_worker(npi_text *text, npi_worker *worker)
{
    char cpus[128];
    np_worker_info info;
    npi_seat_info(worker, &info);
    (void)np_cpu_set_print(&info.cpus, cpus, sizeof cpus);
    npi_text_add(text, "    worker %-4u %-15s CPU %-10s binding %s", info.index, info.name, cpus,
                 np_enforcement_level_name(info.binding.level));
    if (info.binding.level != NP_ENFORCEMENT_STRICT)
        npi_text_add(text, ": %s", np_reason_text(info.binding.reason));
    npi_text_add(text, "\n");
}

size_t np_executor_describe(const np_executor *executor, char *buffer, size_t capacity)
{
    npi_text text;
    npi_text_begin(&text, buffer, capacity);
    if (executor == NULL)
        return 0;
    npi_text_add(&text, "executor: %u workers on %u nodes, policy %s, hard mode %s, binding %s%s\n",
                 executor->regular_count, np_executor_node_count(executor),
                 np_steal_policy_name(np_executor_steal_policy(executor)),
                 np_hard_mode_name(np_executor_hard_mode(executor)),
                 np_binding_name(executor->settings.public_options.binding),
                 npi_topology_is_virtual(executor->topology) ? ", virtual topology" : "");
    for (uint32_t i = 0; i < executor->node_count; i++) {
        npi_node *node = executor->nodes[i];
        if (node->regular == 0) {
            npi_text_add(&text, "  node %d: no worker; its work goes to node %d\n", (int)node->id,
                         (int)node->order[0]->id);
            continue;
        }
        npi_text_add(&text, "  node %d: %u workers, up to %u spare and %u guest workers\n",
                     (int)node->id, node->regular, node->spares, node->guests);
        if (npi_node_is_gone(node))
            npi_text_add(&text,
                         "    no usable CPU: what may leave home runs on node %d, what may "
                         "not waits\n",
                         (int)executor->nodes[npi_load_relaxed(&node->place)]->id);
        for (uint32_t seat = 0; seat < node->regular; seat++)
            describe_worker(&text, npi_node_seat(node, seat));
    }
    return text.length;
}

/* --- from inside a task
 * ---------------------------------------------------------------------------- */

np_executor *np_current_executor(void)
{
    npi_worker *worker = npi_worker_self();
    return worker == NULL ? NULL : worker->executor;
}

np_node_id np_current_node(void)
{
    npi_worker *worker = npi_worker_self();
    if (worker != NULL) /* relaxed: a number */
        return worker->executor->nodes[npi_load_relaxed(&worker->node->place)]->id;
    np_node_id node = NP_NODE_ID_NONE;
    return npi_os_where(NULL, &node) == 0 ? node : NP_NODE_ID_NONE;
}

np_node_id np_current_home(void)
{
    npi_worker *worker = npi_worker_self();
    if (worker == NULL || worker->frame == NULL)
        return NP_NODE_ID_NONE;
    return worker->executor->nodes[worker->frame->home]->id;
}

uint32_t np_current_worker_index(void)
{
    npi_worker *worker = npi_worker_self();
    return worker == NULL ? UINT32_MAX : worker->index;
}

np_group *np_current_group(void)
{
    npi_worker *worker = npi_worker_self();
    return worker == NULL || worker->frame == NULL ? npi_group_in_place() : worker->frame->group;
}
