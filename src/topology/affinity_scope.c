/*
 * topology/affinity_scope.c - scoped pinning. The open scopes of a thread form a stack that hangs
 * on its npi_tls; only the innermost may be closed, and only by its thread. Since a scope is found
 * through the calling thread's own stack, closing somebody else's scope is noticed without
 * reading it.
 */
#include <numaperf/topology.h>

#include "base/status.h"
#include "os/os.h"
#include "topology/affinity.h"

enum { SCOPE_CLOSED = 0, SCOPE_RESTORES = 0x53434f50, SCOPE_UNTOUCHED = 0x53434f51 };

static void push(np_affinity_scope *scope, bool changed)
{
    npi_tls *self = npi_tls_self();
    scope->outer = self->scope;
    scope->thread = npi_tls_ordinal();
    scope->state = changed ? SCOPE_RESTORES : SCOPE_UNTOUCHED;
    self->scope = scope;
}

static np_status check_scope(const np_affinity_scope *scope)
{
    if (scope == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "the affinity scope is NULL");
    for (const np_affinity_scope *open = npi_tls_self()->scope; open != NULL; open = open->outer) {
        if (open == scope)
            return npi_fail(NP_ERR_INVALID_ARGUMENT, "this affinity scope is already open");
    }
    return NP_OK;
}

static np_status open_on(np_affinity_scope *scope, const np_cpu_set *cpus, np_hard_mode mode,
                         np_enforcement *achieved)
{
    bool changed = false;
    np_cpu_set before;
    np_status status = npi_affinity_apply(cpus, mode, achieved, &before, &changed);
    if (status != NP_OK)
        return status;
    scope->saved = before;
    push(scope, changed);
    return NP_OK;
}

np_status np_affinity_scope_open(np_affinity_scope *scope, const np_cpu_set *cpus,
                                 np_hard_mode mode, np_enforcement *achieved)
{
    np_status status = check_scope(scope);
    if (status != NP_OK)
        return status;
    if (cpus == NULL || np_cpu_set_is_empty(cpus))
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_affinity_scope_open: the CPU set is %s",
                        cpus == NULL ? "NULL" : "empty");
    if (mode != NP_HARD_MODE_SOFT && mode != NP_HARD_MODE_STRICT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%d is no hard mode", (int)mode);
    return open_on(scope, cpus, mode, achieved);
}

np_status np_affinity_scope_open_node(np_affinity_scope *scope, const np_topology *topology,
                                      np_node_id node, np_hard_mode mode, np_enforcement *achieved)
{
    np_cpu_set cpus;
    bool possible = false;
    np_status status = check_scope(scope);
    if (status == NP_OK)
        status = npi_affinity_node_cpus(topology, node, mode, &cpus, &possible, achieved);
    if (status != NP_OK)
        return status;
    if (!possible) {
        np_cpu_set_clear(&scope->saved);
        push(scope, false);
        return NP_OK;
    }
    status = open_on(scope, &cpus, mode, achieved);
    return status == NP_OK ? NP_OK : npi_fail_more(status, "node %d", node);
}

np_status np_affinity_scope_close(np_affinity_scope *scope)
{
    npi_tls *self = npi_tls_self();
    if (scope == NULL || self->scope != scope)
        return npi_fail(NP_ERR_INVALID_ARGUMENT,
                        "%s is not the calling thread's innermost open affinity scope",
                        scope == NULL ? "NULL" : "this");
    bool restore = scope->state == SCOPE_RESTORES;
    self->scope = scope->outer;
    scope->outer = NULL;
    scope->state = SCOPE_CLOSED;
    if (!restore)
        return NP_OK;
    int error = npi_os_affinity_set(&scope->saved);
    if (error == 0)
        return NP_OK;
    char cpus[128];
    (void)np_cpu_set_print(&scope->saved, cpus, sizeof cpus);
    return npi_fail_errno(NP_ERR_SYSTEM, error, "sched_setaffinity",
                          "the affinity from before the scope (CPUs %s) cannot be restored", cpus);
}
