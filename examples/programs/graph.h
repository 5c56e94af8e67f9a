/*
 * graph.h - a graph as large as real ones, made from a seed, in partitioned arrays.
 *
 * An R-MAT graph as Graph500 has it: 2^scale vertices, `degree` times as many edges, few vertices
 * with many edges and many with few, no locality in the numbering. Undirected: each edge is in the
 * lists of both its ends. The vertices are divided among the nodes in equal blocks, and the list of
 * neighbours of a vertex lies on the vertex's node, so the nodes have as many vertices each, and
 * about as many edges.
 */
#ifndef GRAPH_H
#define GRAPH_H

#include "program.h"

struct graph {
    unsigned scale;
    uint64_t seed;
    size_t vertices;
    size_t edges;
    np_array *offsets;    /* vertices + 1 numbers: where each list of neighbours begins */
    np_array *neighbours; /* 2 * edges vertices */
    const uint64_t *offset;
    const uint32_t *neighbour;
};

/* The same arguments give the same lists, but for the order inside a list. */
void graph_make(struct graph *graph, np_executor *executor, unsigned scale, unsigned degree,
                uint64_t seed);
void graph_free(struct graph *graph);

/* The number of neighbours. */
static inline uint64_t graph_degree(const struct graph *graph, size_t vertex)
{
    return graph->offset[vertex + 1] - graph->offset[vertex];
}

#endif
