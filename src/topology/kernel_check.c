/*
 * topology/kernel_check.c - may hwloc be asked about this kernel's files?
 *
 * hwloc 2.9 ends the process by an assertion when the list of nodes is empty or is no list, and
 * prints on the standard error when no CPU has a topology folder or when the kernel's sets of
 * siblings contradict each other, that is overlap without one holding the other. Neither can be
 * switched off but by the environment, which is not ours to change. So the same files are looked at
 * before; where hwloc would do either, kernel_machine.c takes its place.
 *
 * Called by the thread that discovers, and holds nothing between calls.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "os/os.h"
#include "topology/sources.h"
#include "topology/whole_file.h"

#define NODES         "/sys/devices/system/node"
#define CPUS          "/sys/devices/system/cpu"
#define PATH_CAPACITY 4096u
#define FILE_MOST     (256u * 1024u)

/* Sets that may be nested in each other: the package, the core, caches of level 1 to 5. */
#define KINDS      7u
#define PACKAGE    0u
#define CORE       1u
#define CACHE(n)   ((n) + 1u)
#define INDEX_MOST 10u
#define NO_SET     (-1)

typedef struct families {
    const char *root;
    const char *file[2];                       /* of package and core */
    int16_t label[KINDS][NP_CPU_SET_CAPACITY]; /* the set's lowest CPU, NO_SET for none */
    int16_t other[NP_CPU_SET_CAPACITY];        /* for one pair of kinds: by lowest CPU */
    bool split[2][NP_CPU_SET_CAPACITY];        /* the set meets several of the other kind */
    np_cpu_set online;
} families;

static bool nodes_are_listed(const char *root)
{
    char path[PATH_CAPACITY];
    npi_whole_file file;
    np_cpu_set nodes;
    snprintf(path, sizeof path, "%s" NODES "/online", root);
    if (npi_whole_file_read(path, FILE_MOST, &file) == 0) {
        bool good = np_cpu_set_parse(file.text, &nodes) == NP_OK && !np_cpu_set_is_empty(&nodes);
        npi_whole_file_release(&file);
        return good;
    }
    snprintf(path, sizeof path, "%s" NODES, root);
    return !npi_os_path_exists(path) || npi_kernel_node_folders(root, &nodes);
}

static bool cpu_file_exists(const char *root, int32_t cpu, const char *name)
{
    char path[PATH_CAPACITY];
    snprintf(path, sizeof path, "%s" CPUS "/cpu%d/%s", root, cpu, name);
    return npi_os_path_exists(path);
}

/* The names of the files with siblings, by a CPU that has them; newer kernels have other names. */
static bool find_names(families *f, int32_t cpu)
{
    static const char *const names[2][2] = {{"topology/package_cpus", "topology/core_cpus"},
                                            {"topology/core_siblings", "topology/thread_siblings"}};
    for (int i = 0; i < 2; i++) {
        f->file[PACKAGE] = names[i][0];
        f->file[CORE] = names[i][1];
        if (cpu_file_exists(f->root, cpu, names[i][0]) ||
            cpu_file_exists(f->root, cpu, names[i][1]))
            return true;
    }
    return false;
}

/* The CPUs that hwloc would look at. False if the kernel's list is no list. */
static bool find_online(families *f)
{
    char path[PATH_CAPACITY];
    npi_whole_file file;
    snprintf(path, sizeof path, "%s" CPUS "/online", f->root);
    if (npi_whole_file_read(path, FILE_MOST, &file) == 0) {
        bool good = np_cpu_set_parse(file.text, &f->online) == NP_OK &&
                    !np_cpu_set_is_empty(&f->online);
        npi_whole_file_release(&file);
        return good;
    }
    np_cpu_set_clear(&f->online);
    for (int32_t cpu = 0; cpu < (int32_t)NP_CPU_SET_CAPACITY; cpu++) {
        if (cpu_file_exists(f->root, cpu, "topology"))
            (void)np_cpu_set_add(&f->online, cpu);
    }
    return true;
}

/* Notes the set for all its CPUs, if `cpu` is the lowest. False: there is a file and it is no set,
 * or one of the CPUs is in another set of the kind. */
static bool note_set(families *f, uint32_t kind, int32_t cpu, const char *name)
{
    char path[PATH_CAPACITY];
    np_cpu_set set;
    snprintf(path, sizeof path, "%s" CPUS "/cpu%d/%s", f->root, cpu, name);
    if (!npi_kernel_read_mask(path, &set))
        return !npi_os_path_exists(path);
    np_cpu_set_and(&set, &set, &f->online);
    if (np_cpu_set_first(&set) != cpu)
        return true;
    for (int32_t one = cpu; one != NP_CPU_NONE; one = np_cpu_set_next(&set, one)) {
        if (f->label[kind][one] != NO_SET)
            return false;
        f->label[kind][one] = (int16_t)cpu;
    }
    return true;
}

/* The level of a data or unified cache, 0 for anything else. */
static uint32_t cache_level(const families *f, int32_t cpu, uint32_t index)
{
    char path[PATH_CAPACITY];
    char text[64];
    snprintf(path, sizeof path, "%s" CPUS "/cpu%d/cache/index%u/type", f->root, cpu, index);
    if (npi_os_read_file(path, text, sizeof text, NULL) == 0 && strncmp(text, "Instr", 5) == 0)
        return 0;
    snprintf(path, sizeof path, "%s" CPUS "/cpu%d/cache/index%u/level", f->root, cpu, index);
    if (npi_os_read_file(path, text, sizeof text, NULL) != 0 || text[0] < '1' || text[0] > '5')
        return 0;
    return (uint32_t)(text[0] - '0');
}

static bool note_cpu(families *f, int32_t cpu)
{
    char name[64];
    bool good = note_set(f, PACKAGE, cpu, f->file[PACKAGE]) &&
                note_set(f, CORE, cpu, f->file[CORE]);
    for (uint32_t index = 0; index < INDEX_MOST && good; index++) {
        snprintf(name, sizeof name, "cache/index%u", index);
        if (!cpu_file_exists(f->root, cpu, name))
            break;
        uint32_t level = cache_level(f, cpu, index);
        snprintf(name, sizeof name, "cache/index%u/shared_cpu_map", index);
        good = level == 0 || note_set(f, CACHE(level), cpu, name);
    }
    return good;
}

/* Marks the sets of kind `a` whose CPUs do not all lie in one set of kind `b`, or in none. */
static void mark_split(families *f, uint32_t a, uint32_t b, bool *split)
{
    memset(f->other, 0, sizeof f->other);
    memset(split, 0, NP_CPU_SET_CAPACITY * sizeof *split);
    for (int32_t cpu = np_cpu_set_first(&f->online); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&f->online, cpu)) {
        int16_t set = f->label[a][cpu];
        if (set == NO_SET)
            continue;
        if (set == cpu)
            f->other[set] = f->label[b][cpu];
        else if (f->other[set] != f->label[b][cpu])
            split[set] = true;
    }
}

/* Two sets of different kinds that share a CPU contradict each other if neither lies within one of
 * the other's kind. */
static bool kinds_agree(families *f, uint32_t a, uint32_t b)
{
    mark_split(f, a, b, f->split[0]);
    mark_split(f, b, a, f->split[1]);
    for (int32_t cpu = np_cpu_set_first(&f->online); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&f->online, cpu)) {
        int16_t one = f->label[a][cpu];
        int16_t other = f->label[b][cpu];
        if (one != NO_SET && other != NO_SET && f->split[0][one] && f->split[1][other])
            return false;
    }
    return true;
}

static const char *look(families *f)
{
    if (!find_online(f))
        return "the kernel's list of CPUs is not understood";
    if (!find_names(f, 0) && !find_names(f, np_cpu_set_first(&f->online)))
        return "the kernel does not say which CPUs are siblings";
    memset(f->label, 0xff, sizeof f->label);
    for (int32_t cpu = np_cpu_set_first(&f->online); cpu != NP_CPU_NONE;
         cpu = np_cpu_set_next(&f->online, cpu)) {
        if (cpu_file_exists(f->root, cpu, "topology") && !note_cpu(f, cpu))
            return "the kernel's sets of CPUs contradict each other";
    }
    for (uint32_t a = 0; a < KINDS; a++) {
        for (uint32_t b = a + 1; b < KINDS; b++) {
            if (!kinds_agree(f, a, b))
                return "the kernel's sets of CPUs contradict each other";
        }
    }
    return NULL;
}

np_status npi_kernel_objection(const char *root, const char **reason)
{
    if (!nodes_are_listed(root)) {
        *reason = "the kernel's list of NUMA nodes is not understood";
        return NP_OK;
    }
    families *f = npi_alloc(sizeof *f, 0);
    if (f == NULL)
        return npi_fail_memory(sizeof *f, "looking at the kernel's sets of CPUs");
    f->root = root;
    *reason = look(f);
    npi_free(f, sizeof *f);
    return NP_OK;
}
