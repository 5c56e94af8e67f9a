/*
 * topology/affinity.c - the calling thread's affinity: read, set soft or strict with the kernel's
 * answer read back, by CPU set or by node. Touches only the calling thread. Pinning one's own
 * threads needs no privilege; what can be had is limited by the cpuset alone.
 */
#include "topology/affinity.h"

#include <errno.h>

#include <numaperf/topology.h>

#include "base/status.h"
#include "os/os.h"

np_reason npi_reason_from_errno(int error)
{
    switch (error) {
    case EPERM:
    case EACCES: return NP_REASON_NOT_PERMITTED;
    case ENOSYS:
    case EOPNOTSUPP: return NP_REASON_NOT_SUPPORTED;
    case EINVAL: return NP_REASON_OUTSIDE_ALLOWED;
    case ENOMEM: return NP_REASON_NO_MEMORY;
    default: return NP_REASON_SYSTEM;
    }
}

static np_enforcement enforcement(np_enforcement_level level, np_reason reason, int error)
{
    np_enforcement result = {level, reason, error};
    return result;
}

np_status np_affinity_get(np_cpu_set *out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_affinity_get: out is NULL");
    np_cpu_set cpus;
    int error = npi_os_affinity_get(&cpus);
    if (error != 0)
        return npi_fail_errno(NP_ERR_SYSTEM, error, "sched_getaffinity",
                              "the calling thread's affinity cannot be read");
    *out = cpus;
    return NP_OK;
}

np_status np_affinity_where(int32_t *cpu, np_node_id *node)
{
    int32_t here = NP_CPU_NONE;
    np_node_id home = NP_NODE_ID_NONE;
    int error = npi_os_where(&here, &home);
    if (error != 0)
        return npi_fail_errno(NP_ERR_SYSTEM, error, "getcpu",
                              "the calling thread's CPU cannot be read");
    if (cpu != NULL)
        *cpu = here;
    if (node != NULL)
        *node = home;
    return NP_OK;
}

/* What the read-back says about a request that the kernel accepted. */
static np_enforcement judge(const np_cpu_set *asked)
{
    np_cpu_set now;
    int error = npi_os_affinity_get(&now);
    if (error != 0)
        return enforcement(NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_NOT_VERIFIED, error);
    if (np_cpu_set_equal(&now, asked))
        return enforcement(NP_ENFORCEMENT_STRICT, NP_REASON_NONE, 0);
    if (np_cpu_set_is_subset(&now, asked))
        return enforcement(NP_ENFORCEMENT_BEST_EFFORT, NP_REASON_PARTIAL, 0);
    /* The cpuset changed under us and the kernel chose CPUs nobody asked for. */
    return enforcement(NP_ENFORCEMENT_NONE, NP_REASON_OUTSIDE_ALLOWED, 0);
}

/* Words for a strict request that was not met; the missing CPUs are those outside what the thread
 * got. */
static np_status fail_strict(const np_cpu_set *cpus, np_enforcement got, const np_cpu_set *given)
{
    char asked[128];
    char missing[128];
    np_cpu_set lost = *cpus;
    if (given != NULL)
        np_cpu_set_and_not(&lost, cpus, given);
    (void)np_cpu_set_print(cpus, asked, sizeof asked);
    (void)np_cpu_set_print(&lost, missing, sizeof missing);
    if (got.system_error != 0) {
        const char *call = got.reason == NP_REASON_NOT_VERIFIED ? "sched_getaffinity"
                                                                : "sched_setaffinity";
        return npi_fail_errno(NP_ERR_HARD_MODE, got.system_error, call,
                              "strict pinning to CPUs %s failed", asked);
    }
    return npi_fail(NP_ERR_HARD_MODE,
                    "strict pinning to CPUs %s failed: sched_setaffinity gave the thread no CPU %s "
                    "(%s)",
                    asked, missing, np_reason_text(got.reason));
}

np_status npi_affinity_apply(const np_cpu_set *cpus, np_hard_mode mode, np_enforcement *achieved,
                             np_cpu_set *before, bool *changed)
{
    np_enforcement ignored_result;
    np_cpu_set ignored_before;
    bool ignored_changed;
    achieved = achieved == NULL ? &ignored_result : achieved;
    before = before == NULL ? &ignored_before : before;
    changed = changed == NULL ? &ignored_changed : changed;

    *changed = false;
    int error = npi_os_affinity_get(before);
    if (error != 0) {
        /* What cannot be read cannot be restored, nor a success be proved: leave it alone. */
        np_cpu_set_clear(before);
        *achieved = enforcement(NP_ENFORCEMENT_NONE, npi_reason_from_errno(error), error);
        if (mode == NP_HARD_MODE_SOFT)
            return NP_OK;
        return npi_fail_errno(NP_ERR_HARD_MODE, error, "sched_getaffinity",
                              "strict pinning is impossible when affinity cannot be read");
    }
    error = npi_os_affinity_set(cpus);
    if (error != 0) {
        *achieved = enforcement(NP_ENFORCEMENT_NONE, npi_reason_from_errno(error), error);
        return mode == NP_HARD_MODE_SOFT ? NP_OK : fail_strict(cpus, *achieved, NULL);
    }
    *achieved = judge(cpus);
    if (mode == NP_HARD_MODE_SOFT || achieved->level == NP_ENFORCEMENT_STRICT) {
        *changed = true;
        return NP_OK;
    }
    np_cpu_set given;
    bool known = npi_os_affinity_get(&given) == 0;
    np_status status = fail_strict(cpus, *achieved, known ? &given : NULL);
    achieved->level = NP_ENFORCEMENT_NONE;
    error = npi_os_affinity_set(before);
    if (error != 0) {
        *changed = true;
        return npi_fail_more(status, "and the affinity could not be restored (errno %d)", error);
    }
    return status;
}

static np_status check_mode(np_hard_mode mode)
{
    if (mode == NP_HARD_MODE_SOFT || mode == NP_HARD_MODE_STRICT)
        return NP_OK;
    return npi_fail(NP_ERR_INVALID_ARGUMENT, "%d is no hard mode", (int)mode);
}

np_status np_affinity_set(const np_cpu_set *cpus, np_hard_mode mode, np_enforcement *achieved)
{
    if (cpus == NULL || np_cpu_set_is_empty(cpus))
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_affinity_set: the CPU set is %s",
                        cpus == NULL ? "NULL" : "empty");
    np_status status = check_mode(mode);
    if (status != NP_OK)
        return status;
    return npi_affinity_apply(cpus, mode, achieved, NULL, NULL);
}

np_status npi_affinity_node_cpus(const np_topology *topology, np_node_id node, np_hard_mode mode,
                                 np_cpu_set *cpus, bool *possible, np_enforcement *achieved)
{
    np_enforcement ignored;
    achieved = achieved == NULL ? &ignored : achieved;
    *possible = false;
    np_status status = check_mode(mode);
    if (status == NP_OK)
        status = np_topology_node_cpus(topology, node, cpus);
    if (status != NP_OK)
        return status;
    if (np_topology_is_virtual(topology)) {
        *achieved = enforcement(NP_ENFORCEMENT_NONE, NP_REASON_VIRTUAL_TOPOLOGY, 0);
    } else if (np_cpu_set_is_empty(cpus)) {
        *achieved = enforcement(NP_ENFORCEMENT_NONE, NP_REASON_NO_CPU, 0);
    } else {
        *possible = true;
        return NP_OK;
    }
    if (mode == NP_HARD_MODE_SOFT)
        return NP_OK;
    return npi_fail(NP_ERR_HARD_MODE, "strict pinning to node %d is impossible: %s", node,
                    np_reason_text(achieved->reason));
}

np_status np_affinity_set_node(const np_topology *topology, np_node_id node, np_hard_mode mode,
                               np_enforcement *achieved)
{
    np_cpu_set cpus;
    bool possible = false;
    np_status status = npi_affinity_node_cpus(topology, node, mode, &cpus, &possible, achieved);
    if (status != NP_OK || !possible)
        return status;
    status = npi_affinity_apply(&cpus, mode, achieved, NULL, NULL);
    return status == NP_OK ? NP_OK : npi_fail_more(status, "node %d", node);
}
