/*
 * Fork and join in the fast form: all ways to place N queens on an N x N board.
 *
 * Every placement is a child of the one before, so there are far more children than anybody would
 * submit as tasks, most of them worth some ten nanoseconds. The fast form makes that affordable:
 * the worker is handed along, the join names the function, and a child that nobody takes is called
 * like any function. What a child needs beyond one word lies in the frame of its parent.
 */
#include "example.h"

#define QUEENS 10
#define WAYS   724

/* Which columns and diagonals are under attack in the next row, one bit per column. */
struct board {
    uint32_t columns, left, right;
    uint32_t row;
};

static uint64_t solve(np_worker *self, const struct board *board);
NP_FAST_TYPED(uint64_t, solve, const struct board *);

static uint64_t solve(np_worker *self, const struct board *board)
{
    if (board->row == QUEENS)
        return 1;

    struct board next[QUEENS];
    unsigned count = 0;
    uint32_t free = ~(board->columns | board->left | board->right) & ((1u << QUEENS) - 1u);
    for (; free != 0; free &= free - 1) {
        uint32_t queen = free & -free;
        next[count++] = (struct board){board->columns | queen, (board->left | queen) << 1,
                                       (board->right | queen) >> 1, board->row + 1};
    }

    uint64_t ways = 0;
    for (unsigned i = 0; i < count; i++)
        solve_fork(self, &next[i]);
    for (unsigned i = count; i-- > 0;) /* youngest first */
        ways += solve_join(self, &next[i]);
    return ways;
}

int main(int argc, char **argv)
{
    np_topology *topology = example_topology(argc, argv);
    np_executor *executor = NULL;
    CHECK(np_executor_create(topology, NULL, &executor));
    np_topology_destroy(topology);

    struct board empty = {0, 0, 0, 0};
    uint64_t ways = 0;
    CHECK(solve_run(executor, NP_NODE_ID_NONE, &empty, &ways));
    EXPECT(ways == WAYS);

    printf("%d queens stand in %llu ways\n", QUEENS, (unsigned long long)ways);
    CHECK(np_executor_destroy(executor));
    return EXIT_SUCCESS;
}
