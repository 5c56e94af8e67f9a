/*
 * buffer.c - store buffers (x86-TSO: Owens, Sarkar, Sewell, "A Better x86 Memory Model: x86-TSO",
 * 2009), fences, and the cost of distance.
 *
 * A store waits in its fibre's buffer until a fence, a read-modify-write, a system call, a full
 * buffer or the seed moves it to memory; buffers are first in, first out, and a fibre sees its own.
 * Only atomic stores wait. Stores to stacks do not: frames are reused by plain stores, which would
 * then be overtaken by older ones.
 */
#include <stdlib.h>
#include <string.h>

#include "sim_internal.h"
#include "topology/topology_internal.h"

/* --- store buffers -----------------------------------------------------------------------------
 */

static void drain_oldest(npt_fibre *fibre)
{
    const npt_pending *oldest = &fibre->pending[fibre->pending_first];
    npt_write(oldest->address, oldest->size, oldest->value);
    fibre->pending_first = (fibre->pending_first + 1) % NPT_BUFFER;
    fibre->pending_count--;
}

void npt_settle_fibre(npt_fibre *fibre)
{
    while (fibre->pending_count > 0)
        drain_oldest(fibre);
}

void npt_settle(void)
{
    if (npt_sim.running && npt_sim.self->pending_count > 0)
        npt_settle_fibre(npt_sim.self);
}

/* Some stores of some fibres reach memory. */
void npt_drain_some(void)
{
    npt_machine *m = &npt_sim;
    for (uint32_t i = 0; i < m->count; i++) {
        npt_fibre *fibre = m->fibres[i];
        if (fibre->pending_count == 0 || npt_below(&m->random, m->drain_one_in) != 0)
            continue;
        uint64_t some = 1 + npt_below(&m->random, fibre->pending_count);
        while (some-- > 0)
            drain_oldest(fibre);
    }
}

static bool on_stack(const npt_fibre *fibre, const volatile void *p)
{
    const npt_stack *stack = fibre->context.stack;
    uintptr_t at = (uintptr_t)p;
    return at >= (uintptr_t)stack->base && at < (uintptr_t)stack->base + stack->bytes;
}

static bool overlaps(const npt_pending *pending, const volatile void *p, size_t size)
{
    uintptr_t a = (uintptr_t)pending->address, b = (uintptr_t)p;
    return a < b + size && b < a + pending->size;
}

uint64_t npt_special_load(const volatile void *p, size_t size)
{
    npt_machine *m = &npt_sim;
    if (!m->running || m->in_hook)
        return npt_read(p, size);
    if (m->distance)
        npt_far(p, false);
    npt_fibre *self = m->self;
    for (uint32_t i = self->pending_count; i-- > 0;) {
        const npt_pending *pending = &self->pending[(self->pending_first + i) % NPT_BUFFER];
        if (!overlaps(pending, p, size))
            continue;
        if (pending->address == p && pending->size == size)
            return pending->value & (size == 8 ? UINT64_MAX : (UINT64_C(1) << 8 * size) - 1);
        npt_settle_fibre(self); /* of different sizes: the processor waits too */
        break;
    }
    return npt_read(p, size);
}

void npt_special_store(volatile void *p, size_t size, uint64_t value)
{
    npt_machine *m = &npt_sim;
    if (!m->running || m->in_hook) {
        npt_write(p, size, value);
        return;
    }
    if (m->distance)
        npt_far(p, true);
    npt_fibre *self = m->self;
    if (!m->buffers || on_stack(self, p)) {
        npt_settle_fibre(self);
        npt_write(p, size, value);
        return;
    }
    if (self->pending_count == NPT_BUFFER)
        drain_oldest(self);
    uint32_t at = (self->pending_first + self->pending_count++) % NPT_BUFFER;
    self->pending[at] = (npt_pending){p, value, (uint32_t)size};
}

bool npt_weak_failure(void)
{
    return npt_sim.running && !npt_sim.in_hook && npt_fault_happens(NPT_WEAK);
}

void npt_fence(uint64_t cost)
{
    npt_point(cost);
    if (npt_beat.special)
        npt_settle();
}

void npt_fence_everybody(void)
{
    npt_machine *m = &npt_sim;
    npt_call(m->schedule == SIM_TIMED ? 2000 : 100);
    if (m->running && m->buffers)
        for (uint32_t i = 0; i < m->count; i++)
            npt_settle_fibre(m->fibres[i]);
}

/* --- the cost of distance ---------------------------------------------------------------------
 *
 * Of each cache line we know which fibre wrote it last and how often it was written; of each fibre,
 * which lines it has seen and how often they had been written then (a table that forgets). A line
 * that is not there comes from where it was written last: 25 ns within a node, 7 ns for each unit
 * of the distance between two nodes beyond it (10 is the node itself). Writing a line that others
 * have read since costs the same. */

#define LINES    65536u
#define CACHE    512u
#define NEAR_NS  25u
#define UNIT_NS  7u
#define OWNER_NO UINT32_MAX

typedef struct line {
    uintptr_t number;
    uint32_t writer; /* fibre */
    uint32_t writes;
    bool shared; /* read by another since */
} line;

struct npt_cache {
    uintptr_t number[CACHE];
    uint32_t writes[CACHE];
};

static line *lines;

void npt_lines_begin(void)
{
    if (lines == NULL)
        lines = malloc(LINES * sizeof *lines);
    if (lines == NULL)
        abort();
    memset(lines, 0, LINES * sizeof *lines);
}

void npt_lines_fibre(npt_fibre *fibre)
{
    if (fibre->cache == NULL)
        fibre->cache = malloc(sizeof *fibre->cache);
    if (fibre->cache == NULL)
        abort();
    memset(fibre->cache, 0, sizeof *fibre->cache);
}

static line *line_of(uintptr_t number)
{
    uint64_t at = (number * UINT64_C(0x9e3779b97f4a7c15)) >> 48;
    for (uint32_t tries = 0; tries < 16; tries++, at = (at + 1) % LINES) {
        if (lines[at].number == number)
            return &lines[at];
        if (lines[at].number == 0)
            break;
    }
    lines[at] = (line){number, OWNER_NO, 0, false};
    return &lines[at];
}

static uint64_t way(const npt_machine *m, uint32_t from)
{
    uint32_t to = m->self->node;
    uint32_t distance = m->distances[to * m->node_count + from];
    return NEAR_NS + (from == to || distance <= 10 ? 0 : (uint64_t)(distance - 10) * UNIT_NS);
}

void sim_read_memory(np_node_id home, size_t bytes)
{
    np_node_index from = npi_topology_node_index(npt_sim.topology, home);
    uint64_t lines_read = (bytes + 63) / 64;
    /* Hardware fetches some lines ahead. */
    npt_call(lines_read * way(&npt_sim, from) / 4);
}

void npt_far(const volatile void *p, bool writes)
{
    npt_machine *m = &npt_sim;
    if (!m->distance || !m->running || m->in_hook)
        return;
    npt_fibre *self = m->self;
    uintptr_t number = (uintptr_t)p / 64;
    line *at = line_of(number);
    uint32_t place = (uint32_t)((number * UINT64_C(0x9e3779b97f4a7c15)) >> 40) % CACHE;
    bool here = at->writer == self->id ||
                (self->cache->number[place] == number && self->cache->writes[place] == at->writes);
    if (at->writer != OWNER_NO && (!here || (writes && (at->shared || at->writer != self->id))))
        npt_beat.now += way(m, m->fibres[at->writer]->node);
    if (writes) {
        at->writer = self->id;
        at->writes++;
        at->shared = false;
    } else if (at->writer != self->id) {
        at->shared = true;
    }
    self->cache->number[place] = number;
    self->cache->writes[place] = at->writes;
}
