/*
 * topology/synthetic_expand.c - builds the machine that a synthetic description stands for:
 * operating- system numbers from index lists or loops, CPUs with their keys, nodes, the distance
 * matrix.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/status.h"
#include "topology/snapshot.h"
#include "topology/synthetic.h"

/* --- numbers of the objects of a level --------------------------------------------------- */

static bool ends_list(char c)
{
    return c == ' ' || c == ')' || c == '\0';
}

static np_status read_list(const npi_synthetic *s, const char *at, uint32_t *numbers,
                           uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        const char *number = at;
        if (!npi_synthetic_number(&at, &numbers[i]))
            return npi_synthetic_fail(s, NP_ERR_PARSE, number, "expected an index");
        if (i + 1 < count && *at != ',')
            return npi_synthetic_fail(s, NP_ERR_PARSE, at, "too few indexes");
        if (i + 1 < count)
            at++;
    }
    return ends_list(*at) ? NP_OK : npi_synthetic_fail(s, NP_ERR_PARSE, at, "too many indexes");
}

/* Loops "step*count:step*count": each counts objects that lie `step` apart; the first one turns
 * fastest in the numbering. A missing innermost loop of step 1 is supplied. */
static np_status read_loops(const npi_synthetic *s, const char *at, uint32_t *numbers,
                            uint32_t count)
{
    const char *start = at;
    uint64_t done = 1;
    uint32_t least_step = count;
    memset(numbers, 0, count * sizeof *numbers);
    for (;;) {
        const char *loop = at;
        uint32_t step = 0;
        uint32_t times = 0;
        bool good = npi_synthetic_number(&at, &step) && *at == '*';
        if (good) {
            at++;
            good = npi_synthetic_number(&at, &times) && step > 0 && times > 0 && step <= count &&
                   times <= count && done * times <= count;
        }
        if (!good)
            return npi_synthetic_fail(s, NP_ERR_PARSE, loop, "bad index loop (step*count)");
        for (uint32_t i = 0; i < count; i++)
            numbers[i] += (i / step) % times * (uint32_t)done;
        done *= times;
        least_step = step < least_step ? step : least_step;
        if (ends_list(*at))
            break;
        if (*at != ':')
            return npi_synthetic_fail(s, NP_ERR_PARSE, at, "expected ':' between index loops");
        at++;
    }
    if (done != count) {
        if (count % done != 0 || least_step != count / done)
            return npi_synthetic_fail(s, NP_ERR_PARSE, start, "these index loops do not cover");
        for (uint32_t i = 0; i < count; i++)
            numbers[i] += i % least_step * (uint32_t)done;
    }
    return NP_OK;
}

/* The operating system's numbers of `count` objects; the caller frees the array. */
static np_status read_numbers(const npi_synthetic *s, const char *indexes, uint32_t count,
                              uint32_t **out)
{
    uint32_t *numbers = npi_alloc_array(count, sizeof *numbers, 0);
    if (numbers == NULL)
        return npi_fail_memory(count * sizeof *numbers, "a synthetic topology");
    np_status status = NP_OK;
    if (indexes == NULL) {
        for (uint32_t i = 0; i < count; i++)
            numbers[i] = i;
    } else if (indexes[strspn(indexes, "0123456789,")] == '*') {
        status = read_loops(s, indexes, numbers, count);
    } else {
        status = read_list(s, indexes, numbers, count);
    }
    if (status == NP_OK)
        *out = numbers;
    else
        npi_free_array(numbers, count, sizeof *numbers);
    return status;
}

/* --- CPUs -------------------------------------------------------------------------------- */

/* Which object of `level` holds the CPU of that rank. */
static uint32_t object_of(const npi_synthetic *s, uint32_t level, uint32_t cpu_rank)
{
    uint32_t cpus = s->levels[s->level_count - 1u].width;
    return cpu_rank / (cpus / s->levels[level].width);
}

/* The key of a CPU in the outermost level of a type, NPI_KEY_NONE if there is no such level. */
static uint32_t key_of(const npi_synthetic *s, npi_level_type type, uint32_t cpu_rank)
{
    for (uint32_t level = 1; level < s->level_count; level++) {
        if (s->levels[level].type == type)
            return object_of(s, level, cpu_rank);
    }
    return NPI_KEY_NONE;
}

static np_status add_cpus(const npi_synthetic *s, const uint32_t *numbers, npi_machine *machine)
{
    uint32_t cpus = s->levels[s->level_count - 1u].width;
    for (uint32_t i = 0; i < cpus; i++) {
        npi_machine_cpu *cpu = NULL;
        np_status status = npi_machine_add_cpu(machine, numbers[i], &cpu);
        if (status != NP_OK)
            return npi_fail_more(status, "synthetic topology");
        cpu->core = key_of(s, NPI_LEVEL_CORE, i);
        cpu->cache = key_of(s, NPI_LEVEL_CACHE, i);
        cpu->socket = key_of(s, NPI_LEVEL_SOCKET, i);
    }
    return NP_OK;
}

/* --- nodes ------------------------------------------------------------------------------- */

/* Adds one node that covers an object of a level. */
static np_status add_node(const npi_synthetic *s, uint32_t level, uint32_t object, uint32_t id,
                          const npi_level_attributes *attributes, npi_machine *machine)
{
    npi_machine_node *node = NULL;
    np_status status = npi_machine_add_node(machine, id, &node);
    if (status != NP_OK)
        return npi_fail_more(status, "synthetic topology");
    node->memory_bytes = attributes->memory_given ? attributes->memory : NPI_SYNTHETIC_MEMORY;
    uint32_t cpus = s->levels[s->level_count - 1u].width;
    uint32_t below = cpus / s->levels[level].width;
    uint32_t sockets = 1;
    np_cpu_set local;
    np_cpu_set_clear(&local);
    node->socket = machine->cpus[(size_t)object * below].socket;
    for (uint32_t i = object * below; i < (object + 1u) * below; i++) {
        (void)np_cpu_set_add(&local, machine->cpus[i].cpu);
        sockets += machine->cpus[i].socket != node->socket ? 1u : 0u;
    }
    if (sockets > 1)
        node->socket = NPI_KEY_NONE;
    npi_machine_claim(machine, (np_node_id)id, &local, false);
    return NP_OK;
}

/* Attached nodes are numbered in the order in which hwloc meets them: what hangs below an object
 * before what hangs beside it. */
static np_status add_attached(const npi_synthetic *s, uint32_t level, uint32_t object,
                              const uint32_t *numbers, uint32_t *next, npi_machine *machine)
{
    np_status status = NP_OK;
    if (level + 1u < s->level_count) {
        uint32_t arity = s->levels[level + 1u].arity;
        for (uint32_t i = 0; i < arity && status == NP_OK; i++)
            status = add_attached(s, level + 1u, object * arity + i, numbers, next, machine);
    }
    for (uint32_t i = 0; i < s->attached_count && status == NP_OK; i++) {
        if (s->attached[i].level == level)
            status = add_node(s, level, object, numbers[(*next)++], &s->attached[i].attributes,
                              machine);
    }
    return status;
}

static np_status add_nodes(const npi_synthetic *s, npi_machine *machine)
{
    uint32_t level = 0;
    const char *indexes = NULL;
    for (uint32_t i = 1; i < s->level_count; i++)
        level = s->levels[i].type == NPI_LEVEL_NODE ? i : level;
    if (level > 0) {
        indexes = s->levels[level].attributes.indexes;
    } else { /* one list numbers all attached nodes; the last one given counts */
        for (uint32_t i = 0; i < s->attached_count; i++) {
            if (s->attached[i].attributes.indexes != NULL)
                indexes = s->attached[i].attributes.indexes;
        }
    }
    uint32_t *numbers = NULL;
    np_status status = read_numbers(s, indexes, s->node_count, &numbers);
    if (status != NP_OK)
        return status;
    uint32_t next = 0;
    if (level > 0) {
        for (uint32_t i = 0; i < s->node_count && status == NP_OK; i++)
            status = add_node(s, level, i, numbers[i], &s->levels[level].attributes, machine);
    } else {
        status = add_attached(s, 0, 0, numbers, &next, machine);
    }
    npi_free_array(numbers, s->node_count, sizeof *numbers);
    return status;
}

/* --- distances --------------------------------------------------------------------------- */

static np_status read_matrix(const npi_synthetic *s, npi_machine *machine)
{
    uint32_t nodes = machine->node_count;
    np_status status = npi_machine_set_distance_count(machine, nodes);
    if (status != NP_OK)
        return status;
    machine->distance_source = NP_DISTANCE_GIVEN;
    const char *at = s->matrix;
    uint32_t cells = nodes * nodes;
    for (uint32_t i = 0; i < cells; i++) {
        at += strspn(at, " \t\n,");
        const char *number = at;
        uint32_t value = 0;
        if (!npi_synthetic_number(&at, &value))
            return npi_synthetic_fail(s, NP_ERR_PARSE, number,
                                      "expected nodes * nodes distances, another one");
        bool local = i / nodes == i % nodes;
        if (value < NPI_DISTANCE_LOCAL || value > NPI_DISTANCE_MOST ||
            (local && value != NPI_DISTANCE_LOCAL))
            return npi_synthetic_fail(s, NP_ERR_PARSE, number,
                                      local ? "the distance of a node to itself is 10, not"
                                            : "a distance lies between 10 and 255, not");
        machine->distances[i] = value;
    }
    at += strspn(at, " \t\n,");
    if (*at != '\0')
        return npi_synthetic_fail(s, NP_ERR_PARSE, at, "more than nodes * nodes distances");
    for (uint32_t i = 0; i < nodes; i++)
        machine->distance_ids[i] = machine->nodes[i].id;
    return NP_OK;
}

np_status npi_synthetic_expand(const npi_synthetic *s, npi_machine *machine)
{
    const npi_level *last = &s->levels[s->level_count - 1u];
    uint32_t *numbers = NULL;
    np_status status = read_numbers(s, last->attributes.indexes, last->width, &numbers);
    if (status != NP_OK)
        return status;
    status = add_cpus(s, numbers, machine);
    npi_free_array(numbers, last->width, sizeof *numbers);
    if (status == NP_OK)
        status = add_nodes(s, machine);
    if (status == NP_OK && s->matrix != NULL)
        status = read_matrix(s, machine);
    return status;
}

np_status np_topology_from_synthetic(const char *description, np_topology **out)
{
    if (description == NULL || out == NULL)
        return npi_fail(NP_ERR_INVALID_ARGUMENT, "np_topology_from_synthetic: %s is NULL",
                        description == NULL ? "the description" : "out");
    npi_synthetic synthetic;
    np_status status = npi_synthetic_parse(description, &synthetic);
    if (status != NP_OK)
        return status;
    npi_machine machine;
    npi_machine_init(&machine);
    machine.is_virtual = true;
    status = npi_synthetic_expand(&synthetic, &machine);
    if (status == NP_OK)
        status = npi_snapshot_build(&machine, out);
    npi_machine_release(&machine);
    return status;
}
