/*
 * Goal: every machine that hwloc's authors recorded, and thousands that look like one of them but
 * contradict themselves, are discovered or refused with words; nobody prints, crashes or hangs.
 *
 * Method: each archive is unpacked into memory. First as it is: the topology must satisfy
 * everything in check_topology.h, agree with what the recorded kernel said of nodes and CPUs, and
 * come back the same through hwloc's XML and our own reader of it; the tool must print it as text
 * and as JSON. Then with damage from a numbered seed: files changed, emptied, exchanged, removed.
 *
 * usage: recorded FOLDER MUTATIONS [FIRST]       NUMAPERF names the tool
 * Damage number n concerns machine n modulo the number of machines; MUTATIONS 1 and FIRST n replay
 * it.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <numaperf/hwloc.h>

#include "check_topology.h"
#include "mutate.h"
#include "quiet.h"
#include "tool.h"
#include "tree.h"

#define MACHINES_MOST   128u
#define CHANGED_MOST    6u
#define SECONDS_AT_MOST 60u

static const char *folder;
static uint64_t first, mutations;
static uint64_t discovered, refused, alone, printed;

/* The archives or files of one kind, by name. */
static size_t list_machines(const char *kind, const char *suffix, char *names[MACHINES_MOST])
{
    char path[TREE_PATH];
    struct dirent **entries = NULL;
    size_t count = 0;
    (void)snprintf(path, sizeof path, "%s/%s", folder, kind);
    int found = scandir(path, &entries, NULL, alphasort);
    for (int i = 0; i < found; i++) {
        const char *end = strstr(entries[i]->d_name, suffix);
        if (end != NULL && strcmp(end, suffix) == 0 && count < MACHINES_MOST)
            names[count++] = strdup(entries[i]->d_name);
        free(entries[i]);
    }
    free(entries);
    return count;
}

/* --- what the recorded kernel said -------------------------------------------------------- */

/* "00000000,0000ffff": 32-bit words, the highest first. */
static bool read_mask(const char *path, np_cpu_set *out)
{
    size_t length = 0;
    char *text = tree_read(path, &length);
    np_cpu_set_clear(out);
    if (text == NULL)
        return false;
    uint32_t bit = 0;
    for (size_t i = length; i-- > 0;) {
        char digit[2] = {text[i], '\0'};
        if (strchr("0123456789abcdef", text[i]) == NULL || text[i] == '\0')
            continue;
        unsigned long value = strtoul(digit, NULL, 16);
        for (uint32_t k = 0; k < 4; k++, bit++) {
            if ((value >> k & 1u) != 0)
                (void)np_cpu_set_add(out, (int32_t)bit);
        }
    }
    free(text);
    return true;
}

/* Every CPU is on the node whose mask names it, if exactly one does; no node was made up. */
static void check_kernel_word(const tree *files, const np_topology *topology)
{
    np_cpu_set all, mask, in_one, in_several, common;
    np_cpu_set nodes[1];
    char path[TREE_PATH];
    np_cpu_set_clear(&in_one);
    np_cpu_set_clear(&in_several);
    np_cpu_set_clear(nodes);
    NPT_CHECK(np_topology_cpus(topology, &all) == NP_OK);
    for (int32_t id = 0; id < 1024; id++) {
        (void)snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/cpumap", files->root,
                       id);
        if (!read_mask(path, &mask))
            continue;
        (void)np_cpu_set_add(nodes, id);
        np_cpu_set_and(&common, &mask, &in_one);
        np_cpu_set_or(&in_several, &in_several, &common);
        np_cpu_set_or(&in_one, &in_one, &mask);
    }
    if (np_cpu_set_is_empty(nodes))
        return;
    for (int32_t id = np_cpu_set_first(nodes); id != NP_CPU_NONE; id = np_cpu_set_next(nodes, id)) {
        (void)snprintf(path, sizeof path, "%s/sys/devices/system/node/node%d/cpumap", files->root,
                       id);
        NPT_CHECK(read_mask(path, &mask));
        for (int32_t cpu = np_cpu_set_first(&mask); cpu != NP_CPU_NONE;
             cpu = np_cpu_set_next(&mask, cpu)) {
            if (np_cpu_set_contains(&all, cpu) && !np_cpu_set_contains(&in_several, cpu) &&
                np_topology_cpu_node(topology, cpu) != id)
                NPT_FAIL("CPU %d is on node %d, the kernel said %d", cpu,
                         np_topology_cpu_node(topology, cpu), id);
        }
    }
    for (np_node_index i = 0; i < np_topology_node_count(topology); i++) {
        if (!np_cpu_set_contains(nodes, np_topology_node_id(topology, i)))
            NPT_FAIL("node %d is not the kernel's", np_topology_node_id(topology, i));
    }
}

/* --- there and back ----------------------------------------------------------------------- */

static hwloc_topology_t load(const char *xml)
{
    hwloc_topology_t source = NULL;
    NPT_CHECK(hwloc_topology_init(&source) == 0);
    if ((xml != NULL && hwloc_topology_set_xml(source, xml) != 0) ||
        hwloc_topology_set_flags(source, HWLOC_TOPOLOGY_FLAG_INCLUDE_DISALLOWED) != 0 ||
        hwloc_topology_set_type_filter(source, HWLOC_OBJ_GROUP, HWLOC_TYPE_FILTER_KEEP_NONE) != 0 ||
        hwloc_topology_load(source) != 0) {
        hwloc_topology_destroy(source);
        return NULL;
    }
    return source;
}

/* What hwloc made of the machine, handed over directly and through a file, is the same. */
static void check_xml_round_trip(const char *xml, const char *place)
{
    char path[TREE_PATH];
    np_topology *direct = NULL, *read = NULL;
    hwloc_topology_t source = load(xml);
    if (source == NULL)
        return;
    (void)snprintf(path, sizeof path, "%s/exported.xml", place);
    NPT_CHECK(hwloc_topology_export_xml(source, path, 0) == 0);
    if (np_topology_from_hwloc(source, &direct) != NP_OK)
        NPT_FAIL("np_topology_from_hwloc: %s", np_error_detail());
    hwloc_topology_destroy(source);
    if (np_topology_from_xml(path, &read) != NP_OK)
        NPT_FAIL("np_topology_from_xml of what hwloc wrote: %s", np_error_detail());
    npt_check_topology(direct);
    npt_check_topology(read);
    npt_check_same(direct, read, true, "hwloc's objects and hwloc's file");
    np_topology_destroy(direct);
    np_topology_destroy(read);
    (void)remove(path);
}

/* True if the library took the kernel's files alone, to spare us what hwloc would do with them. */
static bool without_hwloc(const np_topology *topology)
{
    static char text[1 << 20];
    NPT_CHECK(np_topology_describe(topology, text, sizeof text) < sizeof text);
    for (char *at = text; *at != '\0'; at++)
        *at = *at == '\n' ? ' ' : *at; /* remarks are broken into lines */
    return strstr(text, "so hwloc was not asked") != NULL;
}

/*
 * The messages of hwloc that the library cannot spare us. Of cpuid's recorded answers: sets of CPUs
 * that contradict each other, once in a process. Of a kernel's files: a Xeon Phi (Knights Landing)
 * whose distances are missing or not those of that processor, or of which a node's CPUs cut a cache
 * (hwloc takes that processor's near memory for one more cache).
 */
static void take_known_message(const char *known, const char *also)
{
    char said[2048];
    if (!npt_quiet_take(said, sizeof said))
        return;
    if (strstr(said, known) == NULL && strstr(said, also) == NULL)
        NPT_FAIL("somebody printed: %s", said);
    printed++;
}

/* --- machines ----------------------------------------------------------------------------- */

static void check_outcome(np_status status, np_topology *topology)
{
    if (status == NP_OK) {
        npt_check_topology(topology);
        discovered++;
    } else {
        npt_check_refusal(status, topology, NULL, "a damaged machine");
        refused++;
    }
    np_topology_destroy(topology);
    npt_quiet_check();
}

static void check_pristine(const tree *files, const char *name)
{
    np_topology *topology = NULL;
    npt_case("machine %s as recorded", name);
    npt_case_limit(SECONDS_AT_MOST);
    if (tree_discover(files->root, &topology) != NP_OK)
        NPT_FAIL("not discovered: %s", np_error_detail());
    npt_quiet_check();
    npt_check_topology(topology);
    check_kernel_word(files, topology);
    if (without_hwloc(topology))
        NPT_FAIL("hwloc was not asked about a machine that its authors recorded");
    np_topology_destroy(topology);
    NPT_CHECK(setenv("HWLOC_FSROOT", files->root, 1) == 0);
    NPT_CHECK(setenv("HWLOC_COMPONENTS", "linux,stop", 1) == 0);
    check_xml_round_trip(NULL, files->root);
    npt_check_tool();
    NPT_CHECK(unsetenv("HWLOC_FSROOT") == 0 && unsetenv("HWLOC_COMPONENTS") == 0);
    npt_quiet_check();
}

/* Files that discovery is known to read are picked more often than the others. */
static const char *pick(npi_random *random, char **list, size_t count)
{
    static const char *const read[] = {"/node/",   "/topology/", "/online",  "/cpuset",
                                       "/present", "/proc/",     "/possible"};
    const char *path = list[npi_random_below(random, (uint32_t)count)];
    for (int attempt = 0; attempt < 40; attempt++) {
        for (size_t i = 0; i < sizeof read / sizeof read[0]; i++) {
            if (strstr(path, read[i]) != NULL)
                return path;
        }
        if (attempt > 0 && npi_random_below(random, 8) == 0)
            return path;
        path = list[npi_random_below(random, (uint32_t)count)];
    }
    return path;
}

/* The same file of another CPU or node, as far as there is one: its name with other digits. */
static char *sibling(npi_random *random, const tree *files, char **list, size_t count,
                     const char *path)
{
    char full[2 * TREE_PATH];
    size_t length = 0;
    const char *name = strrchr(path, '/');
    const char *other = list[npi_random_below(random, (uint32_t)count)];
    for (int attempt = 0; attempt < 200 && strcmp(strrchr(other, '/'), name) != 0; attempt++)
        other = list[npi_random_below(random, (uint32_t)count)];
    (void)snprintf(full, sizeof full, "%s%s", files->root, other);
    return tree_read(full, &length);
}

static void damage_once(const tree *files, char **list, size_t count, const char *name,
                        uint64_t seed)
{
    struct {
        const char *path;
        char *text;
        size_t length;
    } changed[CHANGED_MOST];
    size_t changed_count = 0;
    NPT_CHECK(list != NULL && count > 0);
    char words[300] = "";
    npi_random random;
    npi_random_seed(&random, seed);
    uint32_t wanted = 1u + npi_random_below(&random, CHANGED_MOST);
    for (uint32_t i = 0; i < wanted; i++) {
        char full[2 * TREE_PATH];
        const char *path = pick(&random, list, count);
        size_t length = 0, new_length = 0;
        (void)snprintf(full, sizeof full, "%s%s", files->root, path);
        char *text = tree_read(full, &length);
        if (text == NULL)
            continue; /* removed a moment ago */
        char *other = sibling(&random, files, list, count, path);
        if (npi_random_below(&random, 6) == 0) {
            (void)remove(full);
        } else {
            char *damaged = mutate_text(&random, text, length, other == NULL ? "" : other,
                                        &new_length);
            tree_write(files, path, damaged, new_length);
            free(damaged);
        }
        free(other);
        (void)snprintf(words + strlen(words), sizeof words - strlen(words), " %s", path);
        changed[changed_count].path = path;
        changed[changed_count].text = text;
        changed[changed_count++].length = length;
    }
    npt_case("machine %s with damage; replay: recorded FOLDER 1 %llu; files:%s", name,
             (unsigned long long)seed, words);
    npt_case_limit(SECONDS_AT_MOST);
    np_topology *topology = NULL;
    np_status status = tree_discover(files->root, &topology);
    take_known_message("KNL NUMA quirk", "coming from: linux:knl:");
    alone += status == NP_OK && without_hwloc(topology) ? 1u : 0u;
    check_outcome(status, topology);
    while (changed_count-- > 0) { /* backwards: a file may have been changed twice */
        tree_write(files, changed[changed_count].path, changed[changed_count].text,
                   changed[changed_count].length);
        free(changed[changed_count].text);
    }
}

static uint64_t linux_machines(void)
{
    char *names[MACHINES_MOST];
    size_t machines = list_machines("linux", ".tar.bz2", names);
    for (size_t m = 0; m < machines; m++) {
        char archive[2 * TREE_PATH];
        tree files;
        uint64_t seed = first + (m + machines - first % machines) % machines;
        bool any = seed < first + mutations;
        if (mutations == 1 && !any) { /* a replay of another one */
            free(names[m]);
            continue;
        }
        tree_begin(&files);
        (void)snprintf(archive, sizeof archive, "%s/linux/%s", folder, names[m]);
        if (!tree_unpack(&files, archive))
            NPT_FAIL("tar cannot unpack %s", archive);
        check_pristine(&files, names[m]);
        size_t count = 0;
        char **list = any ? tree_list(files.root, &count) : NULL;
        for (; seed < first + mutations; seed += machines)
            damage_once(&files, list, count, names[m], seed);
        tree_list_free(list, count);
        tree_end(&files);
        free(names[m]);
    }
    return machines;
}

static uint64_t x86_machines(void)
{
    char *names[MACHINES_MOST];
    size_t machines = list_machines("x86", ".tar.bz2", names);
    for (size_t m = 0; m < machines; m++) {
        char archive[2 * TREE_PATH];
        tree files;
        np_topology *topology = NULL;
        tree_begin(&files);
        (void)snprintf(archive, sizeof archive, "%s/x86/%s", folder, names[m]);
        if (!tree_unpack(&files, archive))
            NPT_FAIL("tar cannot unpack %s", archive);
        npt_case("machine x86/%s", names[m]);
        npt_case_limit(SECONDS_AT_MOST);
        NPT_CHECK(setenv("HWLOC_CPUID_PATH", files.root, 1) == 0);
        NPT_CHECK(setenv("HWLOC_COMPONENTS", "x86,stop", 1) == 0);
        np_status status = np_topology_discover(&topology);
        NPT_CHECK(unsetenv("HWLOC_CPUID_PATH") == 0 && unsetenv("HWLOC_COMPONENTS") == 0);
        if (status != NP_OK)
            NPT_FAIL("not discovered: %s", np_error_detail());
        take_known_message("intersection without inclusion", "intersection without inclusion");
        check_outcome(status, topology);
        tree_end(&files);
        free(names[m]);
    }
    return machines;
}

static uint64_t xml_machines(void)
{
    char *names[MACHINES_MOST];
    size_t machines = list_machines("xml", ".xml", names);
    tree place;
    tree_begin(&place);
    for (size_t m = 0; m < machines; m++) {
        char path[2 * TREE_PATH], damaged_path[TREE_PATH];
        np_topology *topology = NULL;
        (void)snprintf(path, sizeof path, "%s/xml/%s", folder, names[m]);
        npt_case("machine xml/%s", names[m]);
        npt_case_limit(SECONDS_AT_MOST);
        np_status status = np_topology_from_xml(path, &topology);
        if (status != NP_OK)
            NPT_FAIL("%s", np_error_detail());
        check_outcome(status, topology);
        check_xml_round_trip(path, place.root);
        size_t length = 0;
        char *whole = tree_read(path, &length);
        NPT_CHECK(whole != NULL);
        (void)snprintf(damaged_path, sizeof damaged_path, "%s/damaged.xml", place.root);
        for (uint64_t seed = first + (m + machines - first % machines) % machines;
             seed < first + mutations; seed += machines) {
            npi_random random;
            size_t damaged_length = length;
            npi_random_seed(&random, seed);
            char *damaged = strdup(whole);
            for (uint32_t i = 0; i <= npi_random_below(&random, 4); i++) {
                char *more = mutate_text(&random, damaged, damaged_length, whole, &damaged_length);
                free(damaged);
                damaged = more;
            }
            tree_write(&place, "/damaged.xml", damaged, damaged_length);
            npt_case("machine xml/%s with damage; replay: recorded FOLDER 1 %llu", names[m],
                     (unsigned long long)seed);
            npt_case_limit(SECONDS_AT_MOST);
            topology = NULL;
            status = np_topology_from_xml(damaged_path, &topology);
            check_outcome(status, topology);
            free(damaged);
        }
        free(whole);
        free(names[m]);
    }
    tree_end(&place);
    return machines;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        npt_say("usage: recorded FOLDER MUTATIONS [FIRST]\n");
        return 2;
    }
    folder = argv[1];
    mutations = strtoull(argv[2], NULL, 10);
    first = argc > 3 ? strtoull(argv[3], NULL, 10) : 0;
    npt_quiet_begin();
    uint64_t linux_count = linux_machines();
    uint64_t linux_damaged = discovered + refused, linux_refused = refused;
    discovered = refused = 0;
    uint64_t x86_count = x86_machines();
    discovered = 0;
    uint64_t xml_count = xml_machines();
    npt_case_limit(0);
    if (linux_count == 0 || x86_count == 0 || xml_count == 0)
        NPT_FAIL("no recorded machines below %s", folder);
    npt_say("counted: machines | recorded Linux machines | %llu\n",
            (unsigned long long)linux_count);
    npt_say("counted: machines | recorded cpuid machines | %llu\n", (unsigned long long)x86_count);
    npt_say("counted: machines | recorded XML machines | %llu\n", (unsigned long long)xml_count);
    npt_say("counted: machines | damaged Linux machines | %llu\n",
            (unsigned long long)linux_damaged);
    npt_say("counted: machines | damaged Linux machines refused with words | %llu\n",
            (unsigned long long)linux_refused);
    npt_say("counted: machines | damaged Linux machines read without hwloc | %llu\n",
            (unsigned long long)alone);
    npt_say("counted: machines | damaged XML machines | %llu\n",
            (unsigned long long)(discovered + refused - xml_count));
    npt_say("counted: machines | damaged XML machines refused with words | %llu\n",
            (unsigned long long)refused);
    npt_say("counted: machines | known messages of hwloc (cpuid, Knights Landing) | %llu\n",
            (unsigned long long)printed);
    return 0;
}
