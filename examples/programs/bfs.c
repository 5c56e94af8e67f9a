/*
 * bfs: breadth-first search over a graph whose vertices and edges are distributed over the nodes.
 *
 *     ./bfs [SCALE [DEGREE [SEED [MACHINE]]]]      2^SCALE vertices, DEGREE times as many edges
 *
 * Level by level, in the direction that has less to look at (Beamer, Asanovic and Patterson:
 * Direction-Optimizing Breadth-First Search, SC 2012). Pushing: the vertices of the last level
 * visit their neighbours. Pulling: every vertex without a level looks for a neighbour in the last
 * one and stops at the first. Both loop over words of 64 vertices, each on the node that has these
 * vertices and their edges. A push writes to vertices anywhere, so it needs atomic operations; a
 * pull writes only what belongs to its own node and needs none.
 *
 * The levels are compared with those of a plain search with one queue.
 */
#include "graph.h"

#include <stdatomic.h>
#include <string.h>
#include <time.h>

#define NO_LEVEL (-1)
#define WORD     64u

/* What a level finds; added up by the reduction. */
struct found {
    uint64_t vertices;
    uint64_t edges; /* that begin at them */
};

struct search {
    const struct graph *graph;
    np_array *levels; /* int32_t per vertex */
    np_array *sets[2];
    _Atomic int32_t *level;
    const uint64_t *last;   /* bit v % 64 of word v / 64: the vertex has the last level */
    _Atomic uint64_t *next; /* the same for the one that is being made */
    int32_t depth;
};

static void add(void *context, void *into, const void *from)
{
    (void)context;
    struct found *sum = into;
    const struct found *other = from;
    sum->vertices += other->vertices;
    sum->edges += other->edges;
}

static void note(struct found *found, const struct graph *graph, size_t vertex)
{
    found->vertices++;
    found->edges += graph_degree(graph, vertex);
}

static void push_from(const struct search *search, size_t vertex, struct found *found)
{
    const struct graph *graph = search->graph;
    for (uint64_t e = graph->offset[vertex]; e < graph->offset[vertex + 1]; e++) {
        uint32_t other = graph->neighbour[e];
        int32_t none = NO_LEVEL;
        /* Relaxed: levels order nothing; the end of the loop does. */
        if (atomic_load_explicit(&search->level[other], memory_order_relaxed) != NO_LEVEL ||
            !atomic_compare_exchange_strong_explicit(&search->level[other], &none, search->depth,
                                                     memory_order_relaxed, memory_order_relaxed))
            continue;
        atomic_fetch_or_explicit(&search->next[other / WORD], UINT64_C(1) << other % WORD,
                                 memory_order_relaxed);
        note(found, graph, other);
    }
}

static void push_words(void *context, size_t begin, size_t end, void *value)
{
    const struct search *search = context;
    for (size_t w = begin; w < end; w++)
        for (uint64_t rest = search->last[w]; rest != 0; rest &= rest - 1)
            push_from(search, w * WORD + (size_t)__builtin_ctzll(rest), value);
}

static bool has_neighbour_in(const struct search *search, size_t vertex)
{
    const struct graph *graph = search->graph;
    for (uint64_t e = graph->offset[vertex]; e < graph->offset[vertex + 1]; e++) {
        uint32_t other = graph->neighbour[e];
        if ((search->last[other / WORD] >> other % WORD & 1) != 0)
            return true;
    }
    return false;
}

static void pull_words(void *context, size_t begin, size_t end, void *value)
{
    const struct search *search = context;
    for (size_t w = begin; w < end; w++) {
        uint64_t word = 0;
        for (size_t v = w * WORD; v < (w + 1) * WORD && v < search->graph->vertices; v++) {
            if (atomic_load_explicit(&search->level[v], memory_order_relaxed) != NO_LEVEL ||
                !has_neighbour_in(search, v))
                continue;
            atomic_store_explicit(&search->level[v], search->depth, memory_order_relaxed);
            word |= UINT64_C(1) << v % WORD;
            note(value, search->graph, v);
        }
        atomic_store_explicit(&search->next[w], word, memory_order_relaxed);
    }
}

static void clear_levels(void *context, size_t begin, size_t end)
{
    const struct search *search = context;
    for (size_t v = begin; v < end; v++)
        atomic_store_explicit(&search->level[v], NO_LEVEL, memory_order_relaxed);
}

static void clear_words(void *context, size_t begin, size_t end)
{
    const struct search *search = context;
    for (size_t w = begin; w < end; w++)
        atomic_store_explicit(&search->next[w], 0, memory_order_relaxed);
}

static void make_search(struct search *search, const struct graph *graph, np_executor *executor)
{
    const np_topology *topology = np_executor_topology(executor);
    size_t words = (graph->vertices + WORD - 1) / WORD;
    *search = (struct search){.graph = graph};
    CHECK(np_array_create(topology, sizeof(int32_t), graph->vertices, NULL, &search->levels));
    for (int i = 0; i < 2; i++)
        CHECK(np_array_create(topology, sizeof(uint64_t), words, NULL, &search->sets[i]));
    search->level = np_array_data(search->levels);
    CHECK(np_parallel_for_array(executor, search->levels, NULL, clear_levels, search));
}

static void free_search(struct search *search)
{
    np_array_destroy(search->sets[1]);
    np_array_destroy(search->sets[0]);
    np_array_destroy(search->levels);
}

/* Returns how many vertices can be reached. */
static uint64_t run_search(struct search *search, np_executor *executor, uint32_t start)
{
    const struct graph *graph = search->graph;
    uint64_t reached = 1, unseen_edges = 2 * graph->edges;
    struct found last = {.vertices = 1, .edges = graph_degree(graph, start)};
    ((uint64_t *)np_array_data(search->sets[0]))[start / WORD] = UINT64_C(1) << start % WORD;
    atomic_store_explicit(&search->level[start], 0, memory_order_relaxed);
    bool pulling = false;
    for (search->depth = 1; last.vertices != 0; search->depth++) {
        unseen_edges -= last.edges;
        /* The two thresholds are the paper's. */
        pulling = pulling ? last.vertices >= graph->vertices / 24 : last.edges > unseen_edges / 14;
        np_array *next = search->sets[search->depth % 2];
        search->last = np_array_data(search->sets[(search->depth + 1) % 2]);
        search->next = np_array_data(next);
        if (!pulling)
            CHECK(np_parallel_for_array(executor, next, NULL, clear_words, search));
        struct found found;
        CHECK(np_parallel_reduce_array(executor, next, NULL,
                                       NP_REDUCTION(.bytes = sizeof found, .combine = add,
                                                    .body = pulling ? pull_words : push_words,
                                                    .context = search),
                                       &found));
        printf("level %2d  %s  %10llu vertices\n", (int)search->depth, pulling ? "pull" : "push",
               (unsigned long long)found.vertices);
        reached += found.vertices;
        last = found;
    }
    return reached;
}

static int32_t *plain_search(const struct graph *graph, uint32_t start)
{
    int32_t *level = malloc(graph->vertices * sizeof *level);
    uint32_t *queue = malloc(graph->vertices * sizeof *queue);
    EXPECT(level != NULL && queue != NULL);
    for (size_t v = 0; v < graph->vertices; v++)
        level[v] = NO_LEVEL;
    size_t head = 0, tail = 0;
    level[start] = 0;
    queue[tail++] = start;
    while (head < tail) {
        uint32_t vertex = queue[head++];
        for (uint64_t e = graph->offset[vertex]; e < graph->offset[vertex + 1]; e++) {
            uint32_t other = graph->neighbour[e];
            if (level[other] == NO_LEVEL) {
                level[other] = level[vertex] + 1;
                queue[tail++] = other;
            }
        }
    }
    free(queue);
    return level;
}

static double seconds(void)
{
    struct timespec now;
    timespec_get(&now, TIME_UTC);
    return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

/* The first vertex that has a neighbour. */
static uint32_t start_vertex(const struct graph *graph)
{
    uint32_t vertex = 0;
    while (graph_degree(graph, vertex) == 0)
        vertex++;
    return vertex;
}

static void run(np_executor *executor, unsigned scale, unsigned degree, uint64_t seed)
{
    struct graph graph;
    graph_make(&graph, executor, scale, degree, seed);
    printf("%zu vertices, %zu edges, in %zu pieces\n", graph.vertices, graph.edges,
           np_array_piece_count(graph.neighbours));

    struct search search;
    uint32_t start = start_vertex(&graph);
    make_search(&search, &graph, executor);
    double begun = seconds();
    uint64_t reached = run_search(&search, executor, start);
    double took = seconds() - begun;
    printf("%llu vertices reached in %.1f ms\n", (unsigned long long)reached, took * 1e3);

    int32_t *level = plain_search(&graph, start);
    EXPECT(memcmp(level, np_array_data(search.levels), graph.vertices * sizeof *level) == 0);
    free(level);
    free_search(&search);
    graph_free(&graph);
}

int main(int argc, char **argv)
{
    size_t scale = program_number(argc, argv, 1, "SCALE", 6, 30, 16);
    size_t degree = program_number(argc, argv, 2, "DEGREE", 1, 64, 16);
    size_t seed = program_number(argc, argv, 3, "SEED", 0, SIZE_MAX, 1);
    np_topology *topology = program_topology(argc, argv, 4);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    run(executor, (unsigned)scale, (unsigned)degree, seed);
    program_show_slices(executor);
    CHECK(np_executor_destroy(executor));
    np_topology_destroy(topology);
    return EXIT_SUCCESS;
}
