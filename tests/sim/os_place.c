/*
 * os_place.c - where fibres may run and do run, and the files, variables and eventfds of the
 * simulated system.
 */
#include <errno.h>
#include <string.h>

#include "sim_internal.h"
#include "topology/topology_internal.h"

/* --- CPUs ----------------------------------------------------------------------------------------
 */

/* What a thread may use: what it asked for, as far as it is allowed; all that is allowed if nothing
 * of it is. So the kernel does it since 6.2; earlier ones forget what was asked for. */
static uint32_t usable_of(const np_cpu_set *asked, np_cpu_set *out)
{
    const np_cpu_set *allowed = &npt_sim.allowed;
    for (size_t i = 0; i < sizeof out->bits / sizeof out->bits[0]; i++)
        out->bits[i] = asked->bits[i] & allowed->bits[i];
    uint32_t count = np_cpu_set_count(out);
    if (count == 0)
        *out = *allowed;
    return count;
}

static void move_to(npt_fibre *fibre, int32_t cpu)
{
    fibre->cpu = cpu;
    int32_t node = cpu >= 0 ? npt_sim.cpu_node[cpu] : -1;
    fibre->node = node >= 0 ? (uint32_t)node : 0;
}

/* To one of the CPUs it may use, by the seed; it stays where it is if that is one of them and
 * `stays`. */
static void find_place(npt_fibre *fibre, bool stays)
{
    npt_machine *m = &npt_sim;
    np_cpu_set usable;
    (void)usable_of(&fibre->cpus, &usable);
    uint32_t count = np_cpu_set_count(&usable);
    if (count == 0 || (stays && fibre->cpu >= 0 && np_cpu_set_contains(&usable, fibre->cpu)))
        return;
    uint64_t nth = npt_below(&m->random, count);
    for (uint32_t cpu = 0; cpu < m->cpu_slots; cpu++)
        if (np_cpu_set_contains(&usable, (int32_t)cpu) && nth-- == 0)
            move_to(fibre, (int32_t)cpu);
}

void npt_place_begin(void)
{
    npt_sim.numbers_taken = 0;
    npt_sim.sharers = 0;
    npt_sim.ordinals = 0;
}

void npt_place_fibre(npt_fibre *fibre)
{
    fibre->cpus = npt_sim.allowed;
    fibre->cpu = -1;
    find_place(fibre, false);
}

void npt_place_migrate(npt_fibre *fibre)
{
    find_place(fibre, false);
}

/* By the number that npi_os_thread_id() gave it; 0: the running one. */
static npt_fibre *fibre_of(uint64_t thread)
{
    npt_machine *m = &npt_sim;
    return thread == 0 ? m->self : m->fibres[thread - 1000u];
}

int npi_os_thread_affinity_get(uint64_t thread, np_cpu_set *out)
{
    npt_call(150);
    (void)usable_of(&fibre_of(thread)->cpus, out);
    return 0;
}

int npi_os_thread_affinity_set(uint64_t thread, const np_cpu_set *cpus)
{
    npt_machine *m = &npt_sim;
    npt_call(1500);
    if (npt_fault_happens(NPT_AFFINITY))
        return npt_below(&m->fault_random, 2) == 0 ? EPERM : EINVAL;
    np_cpu_set usable;
    if (usable_of(cpus, &usable) == 0)
        return EINVAL;
    npt_fibre *fibre = fibre_of(thread);
    fibre->cpus = *cpus;
    find_place(fibre, true);
    return 0;
}

int npi_os_affinity_get(np_cpu_set *out)
{
    return npi_os_thread_affinity_get(0, out);
}

int npi_os_affinity_set(const np_cpu_set *cpus)
{
    return npi_os_thread_affinity_set(0, cpus);
}

int npi_os_where(int32_t *cpu, np_node_id *node)
{
    npt_machine *m = &npt_sim;
    npt_point(20);
    const npt_fibre *self = m->self;
    if (cpu != NULL)
        *cpu = self->cpu;
    if (node != NULL)
        *node = npi_topology_node(m->topology, self->node)->id;
    return 0;
}

void sim_allow_cpus(const np_cpu_set *cpus)
{
    npt_machine *m = &npt_sim;
    npt_call(1000);
    npt_event("the machine now allows # CPUs", np_cpu_set_count(cpus), 0, 0);
    m->allowed = *cpus;
    for (uint32_t i = 0; i < m->count; i++)
        find_place(m->fibres[i], true);
}

/* --- files, variables, eventfds -----------------------------------------------------------------
 */

#define PAIRS    32u
#define EVENTFDS 32u
#define EVENTFD0 1000000

typedef struct pair {
    const char *name, *value;
} pair;

static pair files[PAIRS], variables[PAIRS];
static uint64_t eventfds[EVENTFDS];
static int eventfd_count;

void npt_files_begin(void)
{
    memset(files, 0, sizeof files);
    memset(variables, 0, sizeof variables);
    memset(eventfds, 0, sizeof eventfds);
    eventfd_count = 0;
}

static void set(pair *pairs, const char *name, const char *value)
{
    for (uint32_t i = 0; i < PAIRS; i++) {
        if (pairs[i].name != NULL && strcmp(pairs[i].name, name) != 0)
            continue;
        pairs[i] = (pair){name, value};
        return;
    }
    npt_fail("too many files or variables", 0, 0, 0);
}

static const char *get(const pair *pairs, const char *name)
{
    for (uint32_t i = 0; i < PAIRS && pairs[i].name != NULL; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

void sim_set_file(const char *path, const char *text)
{
    set(files, path, text);
}

void sim_set_environment(const char *name, const char *value)
{
    set(variables, name, value);
}

const char *npi_os_environment(const char *name)
{
    return get(variables, name);
}

/* Only whether there are some is of interest, and the stories set none that nobody reads. */
const char *npi_os_environment_next(const char *prefix, size_t *at)
{
    (void)prefix;
    (void)at;
    return NULL;
}

int npi_os_read_file(const char *path, char *buffer, size_t capacity, size_t *length)
{
    if (capacity == 0)
        return EINVAL;
    buffer[0] = '\0';
    if (length != NULL)
        *length = 0;
    npt_call(3000);
    const char *text = get(files, path);
    if (text == NULL)
        return ENOENT;
    size_t bytes = strlen(text);
    if (bytes >= capacity)
        return EFBIG;
    memcpy(buffer, text, bytes + 1);
    if (length != NULL)
        *length = bytes;
    return 0;
}

int npi_os_set_root(const char *given)
{
    return given == NULL ? 0 : ENOSYS;
}

bool npi_os_path_exists(const char *path)
{
    return get(files, path) != NULL;
}

/* The simulated files are known by their paths alone: there are no folders and no devices. */
int npi_os_list_folder(const char *path, char *names, size_t capacity, size_t *length)
{
    (void)path;
    (void)names;
    (void)capacity;
    *length = 0;
    npt_call(3000);
    return ENOENT;
}

int npi_os_path_device(const char *path, uint32_t *major, uint32_t *minor)
{
    (void)path;
    *major = 0;
    *minor = 0;
    npt_call(1000);
    return ENOENT;
}

int sim_eventfd(void)
{
    if (eventfd_count == (int)EVENTFDS)
        npt_fail("too many eventfds", 0, 0, 0);
    return EVENTFD0 + eventfd_count++;
}

uint64_t sim_eventfd_value(int fd)
{
    return eventfds[fd - EVENTFD0];
}

int npi_os_eventfd_signal(int fd)
{
    npt_call(500);
    if (fd < EVENTFD0 || fd >= EVENTFD0 + eventfd_count)
        return EBADF;
    eventfds[fd - EVENTFD0]++;
    npt_event("signals eventfd #", (uint64_t)(fd - EVENTFD0), 0, 0);
    return 0;
}

/* --- changes of the CPUs -------------------------------------------------------------------------
 * A kernel that tells nobody: the scenarios refresh by themselves.
 */

int npi_os_watch_open(npi_os_watch *watch)
{
    (void)watch;
    return ENOSYS;
}

void npi_os_watch_close(npi_os_watch *watch)
{
    (void)watch;
}

int npi_os_watch_cpusets(npi_os_watch *watch)
{
    (void)watch;
    return ENOSYS;
}

int npi_os_watch_devices(npi_os_watch *watch)
{
    (void)watch;
    return ENOSYS;
}

int npi_os_watch_wait(const npi_os_watch *watch, uint64_t timeout_ns, npi_os_watch_news *news)
{
    (void)watch;
    (void)timeout_ns;
    (void)news;
    return ENOSYS;
}

void npi_os_watch_stop(const npi_os_watch *watch)
{
    (void)watch;
}
