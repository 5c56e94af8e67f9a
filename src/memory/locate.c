/*
 * memory/locate.c - from a range to bytes by node. See memory/locate.h.
 */
#include "memory/locate.h"

#include <errno.h>

#include "memory/directory.h"
#include "memory/range_cache.h"
#include "os/os.h"

/* Pages asked about per range, or per stretch of it that the directory does not know. */
#define POINTS 16u
/* Stretches looked at per range; what lies behind them counts as unknown. */
#define STRETCHES 256u

/* The range being added. */
typedef struct adding {
    npi_location *to;
    uint32_t weight;
    bool counts; /* its bytes; else it was a mere pointer */
} adding;

static uint64_t product(uint64_t bytes, uint32_t weight)
{
    uint64_t result;
    return __builtin_mul_overflow(bytes, (uint64_t)weight, &result) ? UINT64_MAX : result;
}

static uint64_t sum(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static void add(const adding *self, np_node_id node, uint64_t bytes)
{
    npi_location *to = self->to;
    uint64_t counted = self->counts ? bytes : 0;
    uint32_t i = 0;
    while (i < to->count && to->nodes[i].node != node)
        i++;
    if (node == NP_NODE_ID_NONE || i == NPI_LOCATION_NODES) {
        to->unknown = sum(to->unknown, counted);
        return;
    }
    if (i == to->count)
        to->nodes[to->count++] = (npi_node_share){node, 0, 0};
    npi_node_share *share = &to->nodes[i];
    share->bytes = sum(share->bytes, counted);
    share->weight = sum(share->weight, product(bytes, self->weight));
}

/* --- asking the kernel --------------------------------------------------------------------- */

typedef struct sample {
    uint32_t count;
    void *pages[POINTS];
    npi_chunk_look looks[POINTS];
    np_node_id nodes[POINTS];
} sample;

/* Spread over the pages that the range touches. */
static void choose_points(sample *s, uintptr_t begin, uintptr_t end, uint32_t most)
{
    uintptr_t page = npi_os_page_size();
    uint64_t first = begin / page;
    uint64_t pages = (end - 1) / page - first + 1;
    s->count = pages < most ? (uint32_t)pages : most;
    for (uint32_t i = 0; i < s->count; i++) {
        /* Divided first: so many pages cannot be multiplied. */
        uint64_t at = first + pages / s->count * i + pages % s->count * i / s->count;
        s->pages[i] = (void *)(uintptr_t)(at * page);
        s->looks[i] = npi_range_cache_look((uintptr_t)(at * page));
        s->nodes[i] = s->looks[i].node;
    }
}

/* The node of most points first .. last - 1, which lie in one chunk. */
static np_node_id majority(const sample *s, uint32_t first, uint32_t last)
{
    np_node_id best = NP_NODE_ID_NONE;
    uint32_t most = 0;
    for (uint32_t i = first; i < last; i++) {
        uint32_t alike = 0;
        for (uint32_t j = first; j < last; j++)
            alike += s->nodes[j] == s->nodes[i] ? 1 : 0;
        if (s->nodes[i] != NP_NODE_ID_NONE && alike > most) {
            best = s->nodes[i];
            most = alike;
        }
    }
    return best;
}

/* Fills in the nodes that the cache did not know. */
static void ask(sample *s, npi_location *to)
{
    void *pages[POINTS];
    int answers[POINTS];
    uint32_t which[POINTS];
    uint32_t missing = 0;
    for (uint32_t i = 0; i < s->count; i++) {
        if (s->nodes[i] != NP_NODE_ID_NONE)
            continue;
        which[missing] = i;
        answers[missing] = -EIO; /* an answer the kernel does not fill in is none */
        pages[missing++] = s->pages[i];
    }
    if (missing == 0)
        return;
    to->asked++;
    if (npi_os_page_nodes(pages, missing, answers) != 0)
        return;
    for (uint32_t i = 0; i < missing; i++)
        if (answers[i] >= 0)
            s->nodes[which[i]] = answers[i];
    for (uint32_t first = 0, last; first < s->count; first = last) {
        last = first + 1;
        while (last < s->count && s->looks[last].chunk == s->looks[first].chunk)
            last++;
        if (s->looks[first].node == NP_NODE_ID_NONE)
            npi_range_cache_keep(&s->looks[first], majority(s, first, last));
    }
}

static void add_unplaced(const adding *self, uintptr_t begin, uintptr_t end, uint32_t most)
{
    sample s;
    choose_points(&s, begin, end, most);
    ask(&s, self->to);
    uint64_t bytes = end - begin;
    for (uint32_t i = 0; i < s.count; i++) {
        uint64_t part = bytes / (s.count - i); /* the last one takes what is left */
        add(self, s.nodes[i], part);
        bytes -= part;
    }
}

/* --- ranges -------------------------------------------------------------------------------- */

/* A stretch that the directory does not know gets its share of the points, at least one. */
static uint32_t points_for(uintptr_t part, uintptr_t whole)
{
    if (part == whole)
        return POINTS;
    uint32_t points = (uint32_t)((double)part * POINTS / (double)whole);
    return points == 0 ? 1 : points;
}

void npi_location_add(npi_location *location, uintptr_t address, size_t bytes, uint32_t weight,
                      bool is_virtual)
{
    adding self = {location, weight, bytes != 0};
    uintptr_t end = address + (bytes != 0 ? bytes : 1);
    uintptr_t whole = end - address;
    for (uint32_t looked = 0; address < end; looked++) {
        if (looked == STRETCHES) {
            add(&self, NP_NODE_ID_NONE, end - address);
            return;
        }
        npi_stretch stretch = npi_directory_find(address, end, is_virtual);
        if (stretch.node != NP_NODE_ID_NONE || is_virtual)
            add(&self, stretch.node, stretch.end - address);
        else
            add_unplaced(&self, address, stretch.end, points_for(stretch.end - address, whole));
        address = stretch.end;
    }
}
