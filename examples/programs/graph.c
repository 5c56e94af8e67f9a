/*
 * graph.c - making the graph: the edges are computed twice, once to count the neighbours of each
 * vertex and once to write them down, so that no list of edges is ever in memory.
 */
#include "graph.h"

#include <stdatomic.h>

static uint64_t mixed(uint64_t x) /* the finisher of splitmix64 */
{
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

/* The neighbourhoods of R-MAT in hundredths: both halves low 57, one high 19 each, both high 5. */
static void edge_of(const struct graph *graph, size_t number, uint32_t *a, uint32_t *b)
{
    uint64_t state = mixed(graph->seed + number * UINT64_C(0x9e3779b97f4a7c15));
    uint32_t from = 0, to = 0;
    for (unsigned level = 0; level < graph->scale; level++) {
        state = mixed(state + UINT64_C(0x9e3779b97f4a7c15));
        unsigned quarter = (unsigned)(state >> 32) % 100;
        from = from << 1 | (quarter >= 76);
        to = to << 1 | ((quarter >= 57 && quarter < 76) || quarter >= 95);
    }
    /* A permutation of the numbers 0 .. vertices - 1: odd factors have inverses. */
    uint32_t mask = (uint32_t)(graph->vertices - 1);
    *a = (uint32_t)(from * UINT32_C(0x9e3779b1)) & mask;
    *b = (uint32_t)(to * UINT32_C(0x9e3779b1)) & mask;
}

struct fill {
    const struct graph *graph;
    _Atomic uint32_t *cursor; /* counted first; then, how many are written down */
    uint32_t *neighbour;
};

static void count_ends(void *context, size_t begin, size_t end)
{
    const struct fill *fill = context;
    for (size_t edge = begin; edge < end; edge++) {
        uint32_t a, b;
        edge_of(fill->graph, edge, &a, &b);
        atomic_fetch_add_explicit(&fill->cursor[a], 1, memory_order_relaxed);
        atomic_fetch_add_explicit(&fill->cursor[b], 1, memory_order_relaxed);
    }
}

static void put(const struct fill *fill, uint32_t vertex, uint32_t neighbour)
{
    uint32_t place = atomic_fetch_add_explicit(&fill->cursor[vertex], 1, memory_order_relaxed);
    fill->neighbour[fill->graph->offset[vertex] + place] = neighbour;
}

static void write_ends(void *context, size_t begin, size_t end)
{
    const struct fill *fill = context;
    for (size_t edge = begin; edge < end; edge++) {
        uint32_t a, b;
        edge_of(fill->graph, edge, &a, &b);
        put(fill, a, b);
        put(fill, b, a);
    }
}

struct owners {
    const struct graph *graph;
    const np_node_id *nodes;
    size_t count;
};

/* The node of the vertex whose list has the neighbour number `begin`. */
static size_t owner_of(void *context, size_t begin, size_t end)
{
    const struct owners *owners = context;
    const struct graph *graph = owners->graph;
    size_t low = 0, high = graph->vertices - 1;
    (void)end;
    while (low < high) { /* the last vertex whose list begins there or before */
        size_t middle = high - (high - low) / 2;
        if (graph->offset[middle] <= begin)
            low = middle;
        else
            high = middle - 1;
    }
    np_node_id node = np_array_node_of(graph->offsets, low);
    size_t position = 0;
    while (position + 1 < owners->count && owners->nodes[position] != node)
        position++;
    return position;
}

static void place_neighbours(struct graph *graph, const np_topology *topology)
{
    np_node_id nodes[EXAMPLE_MAX_NODES];
    size_t count = np_array_nodes(graph->offsets, nodes, EXAMPLE_MAX_NODES);
    EXPECT(count <= EXAMPLE_MAX_NODES);
    struct owners owners = {.graph = graph, .nodes = nodes, .count = count};
    CHECK(np_array_create(topology, sizeof(uint32_t), 2 * graph->edges,
                          NP_ARRAY_OPTIONS(.distribution = NP_DISTRIBUTION_CUSTOM, .nodes = nodes,
                                           .node_count = count, .owner = owner_of,
                                           .owner_context = &owners),
                          &graph->neighbours));
    graph->neighbour = np_array_data(graph->neighbours);
}

void graph_make(struct graph *graph, np_executor *executor, unsigned scale, unsigned degree,
                uint64_t seed)
{
    const np_topology *topology = np_executor_topology(executor);
    *graph = (struct graph){.scale = scale, .seed = mixed(seed), .vertices = (size_t)1 << scale};
    graph->edges = graph->vertices * degree;
    CHECK(np_array_create(topology, sizeof(uint64_t), graph->vertices + 1, NULL, &graph->offsets));
    uint64_t *offset = np_array_data(graph->offsets);
    graph->offset = offset;

    struct fill fill = {.graph = graph};
    fill.cursor = calloc(graph->vertices, sizeof *fill.cursor);
    EXPECT(fill.cursor != NULL);
    CHECK(np_parallel_for(executor, 0, graph->edges, NULL, count_ends, &fill));
    for (size_t v = 0; v < graph->vertices; v++) {
        offset[v + 1] = offset[v] + atomic_load_explicit(&fill.cursor[v], memory_order_relaxed);
        atomic_store_explicit(&fill.cursor[v], 0, memory_order_relaxed);
    }
    EXPECT(offset[graph->vertices] == 2 * graph->edges);
    place_neighbours(graph, topology);
    fill.neighbour = np_array_data(graph->neighbours);
    CHECK(np_parallel_for(executor, 0, graph->edges, NULL, write_ends, &fill));
    free(fill.cursor);
}

void graph_free(struct graph *graph)
{
    np_array_destroy(graph->neighbours);
    np_array_destroy(graph->offsets);
}
