/*
 * topology/probe_system.c - probes that read the kernel's settings or the snapshot, and pinning,
 * which is tried on a thread of its own: the kernel remembers for ever that a thread was pinned,
 * and the caller's must stay as it was.
 */
#include <stdio.h>
#include <string.h>

#include "os/os.h"
#include "topology/capability.h"
#include "topology/words.h"

bool npi_probe_several_nodes(const np_topology *machine, npi_text *detail)
{
    uint32_t with_cpus = 0;
    uint32_t with_memory = 0;
    for (uint32_t i = 0; i < machine->node_count; i++) {
        with_cpus += machine->nodes[i].cpu_count > 0 ? 1u : 0u;
        with_memory += machine->nodes[i].memory_allowed && machine->nodes[i].memory_bytes > 0;
    }
    npi_text_add_count(detail, machine->node_count, "node", "nodes");
    npi_text_add(detail, " usable: %u with CPUs, %u with memory", with_cpus, with_memory);
    return machine->node_count > 1;
}

/* --- pinning ----------------------------------------------------------------------------- */

typedef struct pin_trial {
    np_cpu_set asked;
    np_cpu_set got;
    const char *call;
    int error;
} pin_trial;

static void try_to_pin(void *argument)
{
    pin_trial *trial = argument;
    trial->call = "sched_setaffinity";
    trial->error = npi_os_affinity_set(&trial->asked);
    if (trial->error != 0)
        return;
    trial->call = "sched_getaffinity";
    trial->error = npi_os_affinity_get(&trial->got);
}

bool npi_probe_pinning(const np_topology *machine, npi_text *detail)
{
    pin_trial trial;
    npi_os_thread thread;
    memset(&trial, 0, sizeof trial);
    int32_t cpu = machine->cpus[0].cpu;
    (void)np_cpu_set_add(&trial.asked, cpu);
    int error = npi_os_thread_start(&thread, 0, try_to_pin, &trial);
    if (error != 0) {
        npi_probe_add_error(detail, "pthread_create", error);
        return false;
    }
    (void)npi_os_thread_join(&thread);
    if (trial.error != 0) {
        npi_probe_add_error(detail, trial.call, trial.error);
        return false;
    }
    bool kept = np_cpu_set_equal(&trial.got, &trial.asked);
    npi_text_add(detail, "%s to CPU %d of %u, no privilege needed",
                 kept ? "a thread was pinned" : "the kernel did not keep a thread", cpu,
                 machine->cpu_count);
    return kept;
}

/* --- kernel settings --------------------------------------------------------------------- */

bool npi_probe_no_numa_balancing(const np_topology *machine, npi_text *detail)
{
    (void)machine;
    char text[32];
    int error = npi_os_read_file("/proc/sys/kernel/numa_balancing", text, sizeof text, NULL);
    if (error != 0) {
        npi_text_add(detail, "this kernel has no NUMA balancing");
        return true;
    }
    text[strcspn(text, "\n")] = '\0';
    npi_text_add(detail, "numa_balancing=%s", text);
    return strcmp(text, "0") == 0;
}

bool npi_probe_transparent_huge_pages(const np_topology *machine, npi_text *detail)
{
    (void)machine;
    char text[64];
    int error = npi_os_read_file("/sys/kernel/mm/transparent_hugepage/enabled", text, sizeof text,
                                 NULL);
    if (error != 0) {
        npi_text_add(detail, "this kernel has no transparent huge pages");
        return false;
    }
    /* "always [madvise] never": the brackets mark the setting. */
    char *chosen = strchr(text, '[');
    if (chosen == NULL) {
        npi_text_add(detail, "the kernel's answer is not understood");
        return false;
    }
    chosen++;
    chosen[strcspn(chosen, "]")] = '\0';
    npi_text_add(detail, "enabled=%s", chosen);
    size_t size = npi_os_huge_page_size();
    if (size > 0) {
        npi_text_add(detail, ", pages of ");
        npi_text_add_bytes(detail, size);
    }
    return strcmp(chosen, "never") != 0;
}

static unsigned long long read_number(const char *directory, const char *name)
{
    char path[128];
    char text[32];
    unsigned long long value = 0;
    snprintf(path, sizeof path, "%s/%s", directory, name);
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0 || sscanf(text, "%llu", &value) != 1)
        return 0;
    return value;
}

static bool probe_huge_pages(const char *directory, npi_text *detail)
{
    if (!npi_os_path_exists(directory)) {
        npi_text_add(detail, "this kernel or processor has no pages of this size");
        return false;
    }
    unsigned long long pages = read_number(directory, "nr_hugepages");
    unsigned long long spare = read_number(directory, "free_hugepages");
    unsigned long long more = read_number(directory, "nr_overcommit_hugepages");
    npi_text_add(detail, "%llu of %llu free", spare, pages);
    if (more > 0)
        npi_text_add(detail, ", up to %llu more on demand", more);
    return spare > 0 || more > 0;
}

bool npi_probe_huge_pages_2m(const np_topology *machine, npi_text *detail)
{
    (void)machine;
    return probe_huge_pages("/sys/kernel/mm/hugepages/hugepages-2048kB", detail);
}

bool npi_probe_huge_pages_1g(const np_topology *machine, npi_text *detail)
{
    (void)machine;
    return probe_huge_pages("/sys/kernel/mm/hugepages/hugepages-1048576kB", detail);
}

/* --- from the snapshot ------------------------------------------------------------------- */

bool npi_probe_distances(const np_topology *machine, npi_text *detail)
{
    uint32_t most = 0;
    size_t cells = (size_t)machine->node_count * machine->node_count;
    for (size_t i = 0; i < cells; i++)
        most = machine->distances[i] > most ? machine->distances[i] : most;
    if (machine->distance_source == NP_DISTANCE_ASSUMED && machine->note[0] != '\0')
        npi_text_add(detail, "%s", machine->note);
    else
        npi_text_add(detail, "%s table of %u x %u, 10 to %u",
                     npi_distance_source_name(machine->distance_source), machine->node_count,
                     machine->node_count, most);
    /* One node is as near to itself as can be, table or not. */
    return machine->distance_source != NP_DISTANCE_ASSUMED || machine->node_count == 1;
}

bool npi_probe_full_cpu_time(const np_topology *machine, npi_text *detail)
{
    if (machine->cpu_quota == 0) {
        npi_text_add(detail, "no quota on %u CPUs", machine->cpu_count);
        return true;
    }
    npi_text_add(detail, "the control group allows the time of ");
    npi_text_add_quota(detail, machine->cpu_quota);
    npi_text_add(detail, " of %u CPUs", machine->cpu_count);
    return (uint64_t)machine->cpu_quota >= (uint64_t)machine->cpu_count * 1000u;
}
