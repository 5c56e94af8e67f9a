/*
 * machine.c - the fibres of a run, and its beginning and end.
 *
 * Between runs nothing of the library is alive but the topologies of the machines that were named,
 * and every variable of the library is what it was when the program started (npt_product_reset), so
 * that a run depends on its configuration and seed alone.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "os/number.h"
#include "sim_internal.h"
#include "topology/snapshot.h"
#include "topology/topology_internal.h"

#define STACK_BYTES ((size_t)128 * 1024)

npt_machine npt_sim;

uint64_t npt_seeded(uint64_t seed, uint64_t stream)
{
    uint64_t z = seed * UINT64_C(0x9e3779b97f4a7c15) + stream * UINT64_C(0xd1342543de82ef95) + 1;
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    z ^= z >> 31;
    return z != 0 ? z : 1;
}

/* --- the library's variables -------------------------------------------------------------------
 *
 * Its objects are linked with their variables in sections with names of ours (CMakeLists.txt); the
 * linker says where they begin and end. */
extern char __start_npt_data[], __stop_npt_data[], __start_npt_bss[], __stop_npt_bss[];

__attribute__((no_sanitize("address", "thread"))) static void keep_or_restore(
    char **image, volatile char *begin, const volatile char *end)
{
    size_t bytes = (size_t)(end - begin);
    bool keeps = *image == NULL;
    if (keeps)
        *image = malloc(bytes + 1);
    if (*image == NULL)
        abort();
    for (size_t i = 0; i < bytes; i++) {
        if (keeps)
            (*image)[i] = begin[i];
        else
            begin[i] = (*image)[i];
    }
}

void npt_product_reset(void)
{
    static char *data, *bss;
    keep_or_restore(&data, __start_npt_data, __stop_npt_data);
    keep_or_restore(&bss, __start_npt_bss, __stop_npt_bss);
}

/* --- machines ------------------------------------------------------------------------------------
 */

typedef struct known_machine {
    struct known_machine *next;
    char *text;
    np_topology *topology;
    int32_t *cpu_node;
    uint32_t cpu_slots;
    uint32_t *distances;
    uint32_t node_count;
    np_cpu_set all;
} known_machine;

static known_machine *known;

static const known_machine *machine_of(const char *text)
{
    for (const known_machine *m = known; m != NULL; m = m->next)
        if (strcmp(m->text, text) == 0)
            return m;
    known_machine *m = calloc(1, sizeof *m);
    if (m == NULL || np_topology_from_synthetic(text, &m->topology) != NP_OK) {
        fprintf(stderr, "sim: the machine \"%s\": %s\n", text, np_error_detail());
        exit(2);
    }
    m->text = strdup(text);
    m->node_count = m->topology->node_count;
    m->cpu_slots = m->topology->cpu_slot_count;
    m->cpu_node = malloc((size_t)m->cpu_slots * sizeof *m->cpu_node);
    m->distances = malloc((size_t)m->node_count * m->node_count * sizeof *m->distances);
    if (m->text == NULL || m->cpu_node == NULL || m->distances == NULL)
        abort();
    for (uint32_t cpu = 0; cpu < m->cpu_slots; cpu++) {
        np_node_index node = npi_topology_cpu_node_index(m->topology, (int32_t)cpu);
        m->cpu_node[cpu] = node == NP_NODE_INDEX_NONE ? -1 : (int32_t)node;
        if (node != NP_NODE_INDEX_NONE)
            (void)np_cpu_set_add(&m->all, (int32_t)cpu);
    }
    for (uint32_t a = 0; a < m->node_count; a++)
        for (uint32_t b = 0; b < m->node_count; b++)
            m->distances[a * m->node_count + b] = npi_topology_node_distance(m->topology, a, b);
    m->next = known;
    known = m;
    return m;
}

np_topology *sim_topology(void)
{
    np_topology *copy = NULL;
    np_status status = npi_topology_clone(npt_sim.topology, &copy);
    sim_check_status(status, "sim_topology", __FILE__, __LINE__);
    copy->is_virtual = false;
    return copy;
}

/* --- fibres --------------------------------------------------------------------------------------
 */

void npt_enter_fibre(npt_fibre *fibre)
{
    npi_tls_worker = fibre->worker;
    npi_number_self = fibre->number;
}

void npt_leave_fibre(npt_fibre *fibre)
{
    fibre->worker = npi_tls_worker;
    fibre->number = npi_number_self;
    npi_tls_worker = NULL;
    npi_number_self = 0;
}

static void begin_fibre(void)
{
    npt_context_begun();
    npt_fibre *self = npt_sim.self;
    npt_event("begins", 0, 0, 0);
    self->fn(self->argument);
    npt_call(100);
    npt_numbers_end(self);
    npt_event("ends", 0, 0, 0);
    npt_exit();
}

npt_fibre *npt_fibre_start(const char *name, void (*fn)(void *), void *argument, size_t stack)
{
    npt_machine *m = &npt_sim;
    if (m->count == m->room) {
        uint32_t room = m->room != 0 ? m->room * 2 : 32;
        m->fibres = realloc(m->fibres, room * sizeof(npt_fibre *));
        if (m->fibres == NULL)
            abort();
        memset(m->fibres + m->room, 0, (room - m->room) * sizeof(npt_fibre *));
        m->room = room;
    }
    if (m->fibres[m->count] == NULL)
        m->fibres[m->count] = calloc(1, sizeof(npt_fibre));
    npt_fibre *fibre = m->fibres[m->count];
    if (fibre == NULL)
        abort();
    struct npt_cache *cache = fibre->cache; /* from run to run */
    memset(fibre, 0, sizeof *fibre);
    fibre->cache = cache;
    fibre->id = m->count++;
    snprintf(fibre->name, sizeof fibre->name, "%s", name);
    fibre->fn = fn;
    fibre->argument = argument;
    fibre->clock = npt_beat.now;
    fibre->priority = (UINT64_C(1) << 32) + npt_below(&m->random, UINT64_C(1) << 32);
    npt_place_fibre(fibre);
    if (m->distance)
        npt_lines_fibre(fibre);
    npt_context_make(&fibre->context, npt_stack_take(stack), begin_fibre);
    fibre->state = NPT_DELAYED;
    return fibre;
}

void npt_abandon(void)
{
    npt_machine *m = &npt_sim;
    m->failed = true;
    npt_context *from = &m->self->context;
    npt_leave_fibre(m->self);
    npt_context_switch(from, &m->host, true);
    abort();
}

/* --- a run
 * ----------------------------------------------------------------------------------------
 */

static void thin_out(uint32_t *one_in, uint64_t *random, bool steady)
{
    uint64_t how = npt_below(random, 3);
    if (steady || how == 0 || *one_in == 0)
        return;
    *one_in = how == 1 ? 0 : *one_in > UINT32_MAX / 8 ? UINT32_MAX : *one_in * 8;
}

static void choose_by_seed(const sim_config *config, uint64_t seed)
{
    static const uint8_t means[] = {1, 3, 10, 30, 100, 250};
    static const uint8_t drains[] = {1, 4, 16, 200};
    npt_machine *m = &npt_sim;
    m->seed = seed;
    m->random = npt_seeded(seed, 1);
    m->fault_random = npt_seeded(seed, 2);
    m->schedule = config->schedule;
    if (m->schedule == SIM_BY_SEED) {
        uint64_t kind = npt_below(&m->random, config->may_be_timed ? 5 : 4);
        m->schedule = kind < 2 ? SIM_RANDOM : kind < 4 ? SIM_PCT : SIM_TIMED;
    }
    m->switch_mean = means[npt_below(&m->random, sizeof means)];
    if (config->switch_one_in != 0)
        m->switch_mean = config->switch_one_in;
    m->drain_one_in = drains[npt_below(&m->random, sizeof drains)];
    m->buffers = npt_below(&m->random, 2) == 0 && !config->no_store_buffers;
    if (config->store_buffers)
        m->buffers = true;
    else if (m->schedule == SIM_EXPLORE)
        m->buffers = false;
    m->distance = config->distance && m->schedule == SIM_TIMED;
    if (m->distance)
        m->buffers = false;
    m->faults = config->faults;
    uint32_t *rates[] = {
        &m->faults.spurious_wakes,  &m->faults.delayed_wakes, &m->faults.preemptions,
        &m->faults.early_deadlines, &m->faults.weak_failures, &m->faults.threads,
        &m->faults.late_threads,    &m->faults.allocations,   &m->faults.mappings,
        &m->faults.placements,      &m->faults.affinity,      &m->faults.migrations};
    for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
        thin_out(rates[i], &m->random, config->steady);
}

static void begin_run(const sim_config *config, uint64_t seed)
{
    static const sim_config none;
    npt_machine *m = &npt_sim;
    const char *text = config->machine != NULL ? config->machine : "numa:2 core:2 pu:1";
    npt_heap_install();
    const known_machine *machine = machine_of(text);
    npt_product_reset();
    m->config = config != NULL ? config : &none;
    m->count = 0;
    m->points = m->switches = 0;
    m->failed = m->in_hook = m->quiet = false;
    m->message[0] = '\0';
    m->faults_on = true;
    m->limit = config->step_limit != 0 ? config->step_limit : UINT64_C(20000000);
    m->time_limit = config->time_limit_ns != 0 ? config->time_limit_ns : UINT64_C(3600000000000);
    m->topology = machine->topology;
    m->cpu_node = machine->cpu_node;
    m->cpu_slots = machine->cpu_slots;
    m->distances = machine->distances;
    m->node_count = machine->node_count;
    m->allowed = machine->all;
    memset(m->faults_count, 0, sizeof m->faults_count);
    choose_by_seed(config, seed);
    npt_explore_begin_run();
    npt_schedule_begin();
    npt_beat.special = m->buffers || m->distance || m->faults.weak_failures != 0;
    npt_history_begin();
    npt_heap_begin();
    npt_memory_begin();
    npt_futex_begin();
    npt_place_begin();
    npt_files_begin();
    if (m->distance)
        npt_lines_begin();
}

static void say_left(const char *what, uint64_t count)
{
    snprintf(npt_sim.message, sizeof npt_sim.message, "%llu %s left at the end",
             (unsigned long long)count, what);
    npt_sim.failed = true;
}

static void end_run(void)
{
    npt_machine *m = &npt_sim;
    m->running = false;
    npt_beat.special = false;
    npt_beat.fuel = INT64_MAX;
    npt_beat.horizon = UINT64_MAX;
    for (uint32_t i = 0; i < m->count; i++)
        if (m->fibres[i]->state != NPT_DONE)
            npt_stack_give(m->fibres[i]->context.stack);
    bool was_failed = m->failed;
    uint64_t blocks = npt_heap_end(was_failed);
    bool spoilt;
    uint64_t mappings = npt_memory_end(&spoilt);
    if (!m->failed && spoilt) {
        m->failed = true;
        snprintf(m->message, sizeof m->message, "somebody wrote to unmapped memory");
    }
    if (!m->failed && !m->config->leaks_allowed) {
        if (blocks != 0)
            say_left("blocks of memory are", blocks);
        else if (mappings != 0)
            say_left("mappings are", mappings);
    }
}

bool sim_run(const sim_config *config, sim_scenario scenario, void *argument, uint64_t seed,
             sim_result *result)
{
    npt_machine *m = &npt_sim;
    if (m->running)
        abort();
    begin_run(config, seed);
    size_t stack = config->stack_bytes != 0 ? config->stack_bytes : STACK_BYTES;
    npt_fibre *first = npt_fibre_start("main", scenario, argument, stack);
    first->state = NPT_READY;
    m->self = first;
    m->running = true;
    npt_enter_fibre(first);
    npt_context_switch(&m->host, &first->context, false);
    uint64_t end = npt_beat.now;
    end_run();
    if (result != NULL) {
        *result = (sim_result){.failed = m->failed,
                               .points = m->points,
                               .switches = m->switches,
                               .end_ns = end,
                               .print = npt_history_print()};
        memcpy(result->message, m->message, sizeof result->message);
        result->faults = sim_faults_seen(NULL);
    }
    return !m->failed;
}

/* --- inside a run
 * ---------------------------------------------------------------------------------
 */

sim_thread *sim_thread_start(const char *name, void (*fn)(void *argument), void *argument)
{
    npt_call(1000);
    size_t stack = npt_sim.config->stack_bytes != 0 ? npt_sim.config->stack_bytes : STACK_BYTES;
    npt_fibre *fibre = npt_fibre_start(name, fn, argument, stack);
    npt_event("starts thread #", fibre->id, 0, 0);
    npt_ready(fibre, npt_beat.now + 1000);
    return (sim_thread *)(void *)fibre;
}

void sim_thread_join(sim_thread *thread)
{
    npt_fibre *fibre = (npt_fibre *)(void *)thread;
    npt_call(200);
    if (fibre->state != NPT_DONE) {
        fibre->joined_by = npt_sim.self;
        npt_wait(NPT_JOINING, NPI_NO_DEADLINE);
    }
}

uint64_t sim_now(void)
{
    return npt_beat.now;
}

void sim_work(uint64_t ns)
{
    npt_call(0); /* no store stays in its buffer so long */
    npt_event("works # ns", ns, 0, 0);
    npt_sim.self->working = true;
    npt_wait(NPT_DELAYED, npt_beat.now + ns);
    npt_sim.self->working = false;
}

bool sim_is_quiet(void)
{
    return npt_sim.quiet;
}

void sim_yield(void)
{
    npt_point(1);
}

uint64_t sim_random(uint64_t bound)
{
    return npt_below(&npt_sim.random, bound);
}

void sim_faults_on(bool on)
{
    npt_sim.faults_on = on;
}

uint32_t sim_fibre_count(void)
{
    return npt_sim.count;
}

void sim_fibre(uint32_t index, sim_fibre_info *out)
{
    const npt_fibre *fibre = npt_sim.fibres[index];
    bool self = fibre == npt_sim.self;
    int32_t node = fibre->cpu >= 0 ? npt_sim.cpu_node[fibre->cpu] : -1;
    *out = (sim_fibre_info){
        .name = fibre->name,
        .asleep = fibre->state == NPT_ASLEEP,
        .ended = fibre->state == NPT_DONE,
        .runnable = fibre->state == NPT_READY,
        .delayed = fibre->state == NPT_DELAYED && !fibre->working,
        .working = fibre->working,
        .cpu = fibre->cpu,
        .node = node >= 0 ? npi_topology_node(npt_sim.topology, (np_node_index)node)->id
                          : NP_NODE_ID_NONE,
        .worker = self ? npi_tls_worker : fibre->worker};
}
