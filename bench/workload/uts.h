/*
 * workload/uts.h - two unbalanced trees in the manner of UTS (Olivier et al., "UTS: An Unbalanced
 * Tree Search Benchmark", LCPC 2006), T1 (geometric) and T3 (binomial), with a cheap splittable
 * hash in place of SHA-1, so that scheduling and not hashing is measured. README.md describes them
 * for other languages.
 *
 * A node is one 64-bit word, from which the number of its children and the children follow. The
 * work is to count the nodes of the tree; a contender makes one task of every node but the root.
 */
#ifndef NP_BENCH_WORKLOAD_UTS_H
#define NP_BENCH_WORKLOAD_UTS_H

#include "run.h"

#define UTS_T1_DEPTH         10u
#define UTS_T1_CHILDREN_MAX  32u
#define UTS_T3_ROOT_CHILDREN 2000u
#define UTS_T3_CHILDREN      8u
#define UTS_T3_THRESHOLD     536334041u /* 0.124875 * 2^32 */
#define UTS_CHILDREN_MAX     UTS_T3_ROOT_CHILDREN

typedef struct uts_tree {
    const char *name;
    uint64_t root;
    uint64_t nodes; /* the root included */
} uts_tree;

/* The finaliser of splitmix64 (Vigna). */
static inline uint64_t uts_mix(uint64_t z)
{
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline uint64_t uts_hash(uint64_t node, unsigned child)
{
    return uts_mix(node + (uint64_t)(child + 1) * UINT64_C(0x9e3779b97f4a7c15));
}

/* T1: the depth is in the lowest four bits. */
static inline uint64_t uts_t1_child(uint64_t node, unsigned child)
{
    return (uts_hash(node, child) & ~UINT64_C(15)) | ((node & 15) + 1);
}

/* k or more children with probability 0.8^k: threshold k is floor(threshold (k-1) * 4 / 5),
 * threshold 0 is 2^32. At most 32. */
static inline unsigned uts_t1_children(uint64_t node)
{
    static const uint32_t thresholds[UTS_T1_CHILDREN_MAX] = {
        3435973836u, 2748779068u, 2199023254u, 1759218603u, 1407374882u, 1125899905u, 900719924u,
        720575939u,  576460751u,  461168600u,  368934880u,  295147904u,  236118323u,  188894658u,
        151115726u,  120892580u,  96714064u,   77371251u,   61897000u,   49517600u,   39614080u,
        31691264u,   25353011u,   20282408u,   16225926u,   12980740u,   10384592u,   8307673u,
        6646138u,    5316910u,    4253528u,    3402822u};
    uint32_t random = (uint32_t)(node >> 32);
    unsigned children = 0;
    if ((node & 15) >= UTS_T1_DEPTH)
        return 0;
    while (children < UTS_T1_CHILDREN_MAX && random < thresholds[children])
        children++;
    return children;
}

/* T3: the lowest bit is set in the root only. */
static inline uint64_t uts_t3_child(uint64_t node, unsigned child)
{
    return uts_hash(node, child) & ~UINT64_C(1);
}

static inline unsigned uts_t3_children(uint64_t node)
{
    if ((node & 1) != 0)
        return UTS_T3_ROOT_CHILDREN;
    return (uint32_t)(node >> 32) < UTS_T3_THRESHOLD ? UTS_T3_CHILDREN : 0;
}

/* The tree that the arguments ask for: tree=full (default) or tree=tiny. */
static inline uts_tree uts_choose(bench_args *args, int t3)
{
    static const uts_tree trees[2][2] = {
        {{"T1 full", UINT64_C(0x3c56a0dcccff54e0), 4131279},
         {"T1 tiny", UINT64_C(0x85cf722e93215470), 20811}},
        {{"T3 full", UINT64_C(0x20bf6e6bb267925d), 2943729},
         {"T3 tiny", UINT64_C(0xaeff7d4b5b72ec99), 61841}},
    };
    return trees[t3 != 0][bench_is(args, "tree", "tiny", "full", "full")];
}

static inline void uts_report(bench_args *args, const uts_tree *tree, uint64_t nodes, uint64_t ns)
{
    bench_check_equal("the number of nodes", nodes, tree->nodes);
    bench_report(args, (double)ns / (double)tree->nodes, "ns", NULL);
}

#endif
