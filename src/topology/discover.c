/*
 * topology/discover.c - the machine we run on: hwloc for the tree, the kernel's files for nodes,
 * the kernel's answers for what may be used, the control group for the quota.
 *
 * hwloc is asked for everything, also what we may not use, because it would otherwise renumber and
 * merge what it leaves out; restricting is ours. Its groups are switched off (they come from the
 * distances, and building them makes it print for legal tables), dies too, which nobody here looks
 * at, and it may not move the calling thread to look at other CPUs. It is not asked at all about
 * files at which it would print or abort. Its own variables (HWLOC_XMLFILE and the like) stay in
 * force: they are how a user shows us another machine, which then is a virtual one.
 */
#include <errno.h>
#include <stdio.h>

#include <hwloc.h>

#include "base/status.h"
#include "os/os.h"
#include "topology/from_hwloc.h"
#include "topology/sources.h"

#if HWLOC_API_VERSION >= 0x00020800
#define WITHOUT_EXTRAS (HWLOC_TOPOLOGY_FLAG_NO_MEMATTRS | HWLOC_TOPOLOGY_FLAG_NO_CPUKINDS)
#else
#define WITHOUT_EXTRAS 0
#endif
#if HWLOC_API_VERSION >= 0x00020500
#define WITHOUT_MOVING HWLOC_TOPOLOGY_FLAG_DONT_CHANGE_BINDING
#else
#define WITHOUT_MOVING 0
#endif

/* True if the user pointed hwloc at something else than the running machine. */
static bool hwloc_is_redirected(void)
{
    static const char *const names[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC", "HWLOC_FSROOT",
                                        "HWLOC_CPUID_PATH", "HWLOC_COMPONENTS"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (npi_os_environment(names[i]) != NULL)
            return true;
    }
    return false;
}

static np_status fail_hwloc(const char *call)
{
    int error = errno;
    if (error == ENOMEM)
        return npi_fail_errno(NP_ERR_NO_MEMORY, error, call, "the machine cannot be discovered");
    return npi_fail_errno(NP_ERR_SYSTEM, error, call, "the machine cannot be discovered");
}

static np_status load(hwloc_topology_t source)
{
    unsigned long flags = HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED | WITHOUT_EXTRAS;
    /* hwloc takes the same flag to mean that recorded answers of cpuid may not be read either. */
    if (npi_os_environment("HWLOC_CPUID_PATH") == NULL)
        flags |= WITHOUT_MOVING;
    /* Said outright where it is known, so that a stray HWLOC_THISSYSTEM does not decide it. */
    if (!hwloc_is_redirected())
        flags |= HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM;
    if (hwloc_topology_set_flags(source, flags) != 0)
        return fail_hwloc("hwloc_topology_set_flags");
    if (hwloc_topology_set_type_filter(source, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_NONE) != 0 ||
        hwloc_topology_set_type_filter(source, HWLOC_OBJ_DIE, HWLOC_TYPE_FILTER_KEEP_NONE) != 0)
        return fail_hwloc("hwloc_topology_set_type_filter");
    if (hwloc_topology_load(source) != 0)
        return fail_hwloc("hwloc_topology_load");
    return NP_OK;
}

/* The folder before /sys and /proc if hwloc would look there: NULL if the user pointed it away from
 * any kernel's files. */
static const char *kernel_root(void)
{
    static const char *const elsewhere[] = {"HWLOC_XMLFILE", "HWLOC_SYNTHETIC", "HWLOC_CPUID_PATH"};
    for (size_t i = 0; i < sizeof elsewhere / sizeof elsewhere[0]; i++) {
        if (npi_os_environment(elsewhere[i]) != NULL)
            return NULL;
    }
    const char *recorded = npi_os_environment("HWLOC_FSROOT");
    return recorded != NULL ? recorded : "";
}

/* Files recorded on another machine hold that kernel's word; our own kernel's also limits what may
 * be used. */
static np_status ask_the_kernel(const char *root, npi_machine *machine)
{
    np_status status = NP_OK;
    if (machine->is_virtual) {
        if (root == NULL || root[0] == '\0')
            return NP_OK;
        status = npi_kernel_nodes_apply(machine, root, true);
        return status == NP_OK ? npi_kernel_extras_apply(machine, root) : status;
    }
    status = npi_kernel_cpu_limits_apply(machine, true);
    if (status == NP_OK)
        status = npi_kernel_nodes_apply(machine, "", true);
    if (status == NP_OK)
        status = npi_kernel_extras_apply(machine, "");
    npi_kernel_memory_limits_apply(machine);
    machine->cpu_quota = npi_cgroup_cpu_quota();
    return status;
}

static np_status look(hwloc_topology_t source, npi_machine *machine)
{
    const char *root = kernel_root();
    const char *objection = NULL;
    np_status status = root == NULL ? NP_OK : npi_kernel_objection(root, &objection);
    if (status != NP_OK)
        return status;
    if (objection != NULL) {
        machine->is_virtual = root[0] != '\0';
        snprintf(machine->note, sizeof machine->note, "%s, so hwloc was not asked", objection);
        status = npi_machine_from_kernel(root, machine);
    } else {
        status = load(source);
        if (status == NP_OK) {
            machine->is_virtual = hwloc_topology_is_thissystem(source) == 0;
            status = npi_machine_from_hwloc(source, machine);
        }
    }
    return status == NP_OK ? ask_the_kernel(root, machine) : status;
}

/*
 * hwloc (2.9) uses what it allocates without asking whether it got it, in many places: a discovery
 * that runs out of memory ends the process. So it is begun only when there is much more than one
 * needs; a machine with thousands of CPUs takes a few MiB. Another thread may still be faster.
 */
#define ROOM ((size_t)16 << 20)

static np_status make_sure_of_memory(void)
{
    void *room = NULL;
    int error = npi_os_map(ROOM, 0, &room);
    if (error != 0)
        return npi_fail_errno(NP_ERR_NO_MEMORY, error, "mmap",
                              "the machine is not discovered with less than %zu bytes of memory",
                              ROOM);
    (void)npi_os_unmap(room, ROOM);
    return NP_OK;
}

/*
 * hwloc has locks of its own. A child that is forked while another thread is inside hwloc inherits
 * them held for ever, so it must not go in: it is told so. Who is inside is one word, {generation
 * of the process, threads}; threads of an older generation are those that the fork lost.
 */
static np_atomic(uint64_t) inside;

static np_status enter(void)
{
    uint64_t own = (uint64_t)npi_os_process_generation() << 32;
    uint64_t word = npi_load_relaxed(&inside);
    for (;;) {
        bool lost = (word >> 32) != own >> 32;
        if (lost && (uint32_t)word != 0)
            return npi_fail(NP_ERR_FORKED,
                            "np_topology_discover: the process was forked while another thread was "
                            "inside hwloc; exec first");
        /* Relaxed: a number, which the fork copies with everything else. */
        if (npi_cas_weak_relaxed(&inside, &word, lost ? own | 1u : word + 1))
            return NP_OK;
    }
}

static void leave(void)
{
    npi_fetch_add_relaxed(&inside, UINT64_MAX);
}

static np_status discover(np_topology **out)
{
    hwloc_topology_t source = NULL;
    if (hwloc_topology_init(&source) != 0)
        return fail_hwloc("hwloc_topology_init");
    npi_machine machine;
    npi_machine_init(&machine);
    machine.malformed = NP_ERR_SYSTEM;
    np_status status = look(source, &machine);
    hwloc_topology_destroy(source);
    if (status == NP_OK)
        status = npi_snapshot_build(&machine, out);
    npi_machine_release(&machine);
    return status;
}

np_status np_topology_discover(np_topology **out)
{
    if (out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_discover: out is NULL");
    np_status status = make_sure_of_memory();
    if (status == NP_OK)
        status = enter();
    if (status != NP_OK)
        return status;
    status = discover(out);
    leave();
    return status;
}
