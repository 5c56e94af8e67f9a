/*
 * topology/capability.c - what a NUMA program would like to have: for each capability its probe,
 * what its absence costs and how to get it. The words are for the person who reads
 * `numaperf info capabilities`, so they say what to do, not what the kernel calls it.
 */
#include "topology/capability.h"

#include <string.h>

#include "base/status.h"

typedef struct entry {
    const char *key;
    npi_capability_probe probe;
    const char *cost;
    const char *remedy;
} entry;

static const char seccomp_remedy[] =
    "It needs no privilege. A container's seccomp profile may forbid it: allow mbind, "
    "get_mempolicy, set_mempolicy and move_pages there (Docker does so with --cap-add SYS_NICE).";

static const entry entries[NP_CAPABILITY_COUNT] = {
    [NP_CAPABILITY_SEVERAL_NODES] =
        {"several_nodes", npi_probe_several_nodes,
         "All memory is equally near: placement changes nothing, everything else works.",
         "Nothing to do on a machine with one node. If it has more: turn node interleaving off in "
         "the firmware, boot without numa=off, and allow more nodes in the cpuset."},
    [NP_CAPABILITY_PINNING] =
        {"pinning", npi_probe_pinning,
         "Workers drift between nodes, away from their data; strict hard mode fails.",
         "Pinning one's own threads needs no privilege. A seccomp profile may forbid "
         "sched_setaffinity: allow it there."},
    [NP_CAPABILITY_MEMORY_BINDING] =
        {"memory_binding", npi_probe_memory_binding,
         "Pages lie where they are touched first; regions are best effort.", seccomp_remedy},
    [NP_CAPABILITY_STRICT_BINDING] =
        {"strict_binding", npi_probe_strict_binding,
         "That bound pages really lie on their node cannot be proved; strict regions fail.",
         seccomp_remedy},
    [NP_CAPABILITY_PREFERRED_MANY] =
        {"preferred_many", npi_probe_preferred_many,
         "A preference can name one node only; with several, the first one counts.",
         "Use Linux 5.15 or newer."},
    [NP_CAPABILITY_PAGE_QUERY] =
        {"page_query", npi_probe_page_query,
         "Nobody can say on which node a page lies: no audit, and work submitted near a pointer "
         "stays with the caller.",
         seccomp_remedy},
    [NP_CAPABILITY_PAGE_MIGRATION] =
        {"page_migration", npi_probe_page_migration,
         "Memory that lies on the wrong node stays there; place it before the first touch.",
         "Moving one's own pages needs no privilege, only a kernel with CONFIG_MIGRATION and a "
         "seccomp profile that allows mbind and move_pages."},
    [NP_CAPABILITY_NO_NUMA_BALANCING] =
        {"no_numa_balancing", npi_probe_no_numa_balancing,
         "The kernel takes page faults to guess where memory belongs, and moves pages that were "
         "placed on purpose (bound ones excepted).",
         "As root: sysctl kernel.numa_balancing=0"},
    [NP_CAPABILITY_TRANSPARENT_HUGE_PAGES] =
        {"transparent_huge_pages", npi_probe_transparent_huge_pages,
         "Large regions use small pages: more misses in the address cache.",
         "As root: echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"},
    [NP_CAPABILITY_HUGE_PAGES_2M] =
        {"huge_pages_2m", npi_probe_huge_pages_2m,
         "Your own mappings with MAP_HUGETLB of 2 MiB fail. Regions do not need them.",
         "As root, for each node N: echo 512 > "
         "/sys/devices/system/node/nodeN/hugepages/hugepages-2048kB/nr_hugepages"},
    [NP_CAPABILITY_HUGE_PAGES_1G] =
        {"huge_pages_1g", npi_probe_huge_pages_1g,
         "Your own mappings with MAP_HUGETLB of 1 GiB fail. Regions do not need them.",
         "Boot with hugepagesz=1G hugepages=<number>; later there is rarely enough room in one "
         "piece."},
    [NP_CAPABILITY_LOCKED_MEMORY] =
        {"locked_memory", npi_probe_locked_memory,
         "Regions cannot be locked into memory, so the kernel may swap them out.",
         "Raise the limit (ulimit -l, or LimitMEMLOCK= in the systemd unit), or grant "
         "CAP_IPC_LOCK."},
    [NP_CAPABILITY_DISTANCES] =
        {"distances", npi_probe_distances,
         "The order of nodes by closeness is assumed from sockets, not measured.",
         "Update the firmware: the table is its ACPI SLIT. Virtual machines get one from their "
         "host's configuration (QEMU: -numa dist)."},
    [NP_CAPABILITY_FULL_CPU_TIME] =
        {"full_cpu_time", npi_probe_full_cpu_time,
         "Workers are stopped together when the control group's time is used up; fewer of them "
         "run by default.",
         "Raise the quota to one CPU's time per CPU, or use a cpuset instead of a quota."},
};

static np_status probe(const entry *e, const np_topology *topology, np_capability_info *out)
{
    np_topology *discovered = NULL;
    const np_topology *machine = topology;
    if (topology->is_virtual) {
        np_status status = np_topology_discover(&discovered);
        if (status != NP_OK)
            return status;
        machine = discovered;
    }
    npi_text detail;
    npi_text_begin(&detail, out->detail, sizeof out->detail);
    out->available = e->probe(machine, &detail);
    np_topology_destroy(discovered);
    return NP_OK;
}

np_status np_capability_get(const np_topology *topology, np_capability capability,
                            np_capability_info *out)
{
    if (topology == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_capability_get: %s is NULL",
                        topology == NULL ? "the topology" : "out");
    if ((unsigned)capability >= (unsigned)NP_CAPABILITY_COUNT)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "%d is no capability", (int)capability);
    const entry *e = &entries[capability];
    np_capability_info info;
    memset(&info, 0, sizeof info);
    info.key = e->key;
    info.cost = e->cost;
    info.remedy = e->remedy;
    np_status status = probe(e, topology, &info);
    if (status == NP_OK)
        *out = info;
    return status;
}
